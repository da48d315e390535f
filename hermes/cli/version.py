"""Which version this is."""


def line() -> str:
    """Name and version, as ``hermes --version`` prints them."""
    from importlib.metadata import version  # 25 ms that no other command should pay

    return f"hermes {version('hermes-trio')}"
