"""Exit codes of the process, besides 0 (a planned stop) and those of the kit (70, 130)."""

FAILED = 1
"""An unexpected SIGTERM, or the home is held by another instance."""

RESTART = 75
"""To be started again; a service manager does that (``RestartForceExitStatus``)."""

CONFIG = 78
"""Not before somebody has changed the configuration, or the database is the program's own."""
