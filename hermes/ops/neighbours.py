"""Which other processes have to do with a gateway: asked when one is told to end and nobody knows by whom."""

import os
from pathlib import Path

_SHOWN_WORDS = 5
_SHOWN_CHARS = 120


def neighbours() -> str:
    """Our parent, and all processes that look like a Hermes or a gateway, in one line. Takes a while: for a thread.

    Of a command line the first words are shown; who asks redacts them.
    """
    import psutil  # a megabyte, for what is asked once in a gateway's life if at all

    others, ours = [], os.getpid()
    for one in psutil.process_iter(["pid", "ppid", "cmdline"]):
        words = one.info["cmdline"] or []
        if one.info["pid"] != ours and _is_of_interest(words):
            others.append(f"{one.info['pid']} (parent {one.info['ppid']}): {_shown(words)}")
    parent = os.getppid()
    try:
        above = f"{parent}: {_shown(psutil.Process(parent).cmdline())}"
    except psutil.Error:
        above = f"{parent}, of which nothing can be seen"
    return f"our parent is {above}; others: {'; '.join(others) or 'none'}"


def _is_of_interest(words: list[str]) -> bool:
    """By the program, or the script or module that an interpreter runs; not by what it is told to work on."""
    return any(Path(word).name.startswith("hermes") for word in words[:3]) or words[1:3] == ["gateway", "run"]


def _shown(words: list[str]) -> str:
    return " ".join(words[:_SHOWN_WORDS])[:_SHOWN_CHARS]
