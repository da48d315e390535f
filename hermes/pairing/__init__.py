"""How a stranger gets in: a one-time code that the operator approves."""
