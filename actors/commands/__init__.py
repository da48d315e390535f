"""What each slash command does, once inbound has let it through."""
