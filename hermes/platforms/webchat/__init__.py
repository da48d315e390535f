"""Chat in the browser: the adapter that needs nothing outside."""
