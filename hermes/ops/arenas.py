"""How many arenas the C library's allocator has. glibc makes one for each thread, up to eight a core, and what is free in one is
of no use to the others; our threads take turns anyway, by the interpreter's lock. A burst is 3 MB smaller with two.
"""

import ctypes

ARENAS = 2
_M_ARENA_MAX = -8  # mallopt(3)


def share_arenas() -> None:
    """From now on threads share ``ARENAS``. Of the whole process, and before it has threads; where there is no glibc, nothing."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, ARENAS)
