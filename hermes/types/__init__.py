"""The words everybody shares: frozen data and Protocols, no I/O, no Trio."""
