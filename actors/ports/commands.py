"""The commands in force: the built-in ones and those of the configuration as it was read last."""

from hermes.config.quick import Program
from hermes.routing.catalogue import Catalogue


class Commands:
    """Belongs to root, so that no actor's crash forgets a quick command; what a reload has read holds from then on."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue

    def program(self, name: str) -> Program | None:
        """What is run under that name by now."""
        return self.catalogue.program(name)

    def adopt(self, catalogue: Catalogue) -> bool:
        """Follow ``catalogue`` from now on; False if it is what was followed already."""
        changed = catalogue != self.catalogue
        self.catalogue = catalogue
        return changed
