"""The tree's side of the Protocols in ``hermes.types.ports`` and ``hermes.store.port``."""
