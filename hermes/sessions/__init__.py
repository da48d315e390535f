"""Names of conversations and of the things that happen in them, and when a conversation begins anew; pure."""
