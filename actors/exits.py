"""How the process ends: its exit codes besides 0 (a planned stop) and those of the kit (70, 130), and what a stop may take."""

FAILED = 1
"""An unexpected SIGTERM, or the home is held by another instance."""

RESTART = 75
"""To be started again; a service manager does that (``RestartForceExitStatus``)."""

CONFIG = 78
"""Not before somebody has changed the configuration, or the database is the program's own."""

STOP_MARGIN_S = 30.0
"""What the structural stop may take after the drain, before the hard exit."""

TAKEOVER_DRAIN_S = 6.0
"""How long a drain may take at most when another gateway waits for the home: it ends us after 10 s."""


HARD_EXIT_S = 5.0
"""What the hard exit itself takes: the watchdog's look, the stacks of all threads, and the kernel's alarm should that hang."""

LAST_WRITES_S = 15.0
"""What comes after the tree in good order: the last crash dossiers, the model's connections, the last lines of the log."""


def stop_budget_s(drain_s: float) -> float:
    """Within how many seconds of being told the process has ended, by its own hard exit if need be (AC-41)."""
    return drain_s + STOP_MARGIN_S + HARD_EXIT_S + LAST_WRITES_S
