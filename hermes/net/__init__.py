"""What travels between us and others: one module a protocol, no policy."""
