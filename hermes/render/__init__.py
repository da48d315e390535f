"""Markdown as its author wrote it, turned into what a platform can show. Pure."""
