"""When Python looks for cycles of garbage. A message leaves hardly any; to look for them after every 700 new objects, as Python
does by itself, was a fifth of its CPU.
"""

import gc

YOUNG_OBJECTS = 20_000


def look_rarely() -> None:
    """From now on a look is due after ``YOUNG_OBJECTS`` more objects. Of the whole process: for who owns it."""
    gc.set_threshold(YOUNG_OBJECTS)


def spare_what_is_there() -> None:
    """What the start has made stays as long as the process, but for its garbage, which goes: no later look goes through it."""
    gc.collect()
    gc.freeze()
