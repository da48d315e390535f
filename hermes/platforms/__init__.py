"""One package a platform: its adapter, and its wire errors mapped once."""
