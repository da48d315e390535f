"""Jobs: when they are due, what they are, and the words around what they say. Pure."""
