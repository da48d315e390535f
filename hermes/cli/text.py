"""Words and figures for a terminal."""

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))


def plain(text: str) -> str:
    """``text`` without anything that a terminal would act on: names and errors may come from anywhere."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )


def duration(seconds: float | None) -> str:
    """A length of time in its largest unit, e.g. ``3 min``."""
    if seconds is None:
        return "–"
    for unit, size in _UNITS:
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
