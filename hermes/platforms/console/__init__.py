"""Chat in a terminal: the adapter that needs nothing outside, not even a browser."""
