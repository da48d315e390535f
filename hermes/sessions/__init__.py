"""Names of conversations and of the things that happen in them; pure."""
