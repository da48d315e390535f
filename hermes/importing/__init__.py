"""What an existing home of the original holds, and taking it over: its conversations into our store, everything else as it is."""
