"""The settings in force: what an actor reads of them, it reads anew for each decision."""

from typing import Any

from hermes.config.model import Config


class InForce:
    """Belongs to root; only the reloader puts others in force."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.problem = ""
        """Why the files, as they stand, are not followed; in words."""
        self.waiting: tuple[str, ...] = ()
        """What has been changed in them and will hold after a restart."""

    def shown(self) -> dict[str, Any]:
        """How the files and what is followed differ, for ``hermes status``."""
        return {"problem": self.problem or None, "needs_restart": list(self.waiting)}
