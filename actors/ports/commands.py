"""The commands in force: the built-in ones and those of the configuration as it was read last."""

from collections.abc import Sequence

from hermes.config.quick import Program
from hermes.routing.catalogue import Catalogue


class Commands:
    """Belongs to root, so that no actor's crash forgets a quick command; what a reload has read holds from then on."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue

    def menu(self) -> Sequence[tuple[str, str]]:
        """(name, what it does) of what everybody may use who may speak."""
        return [(spec.name, spec.summary) for spec in self.catalogue.specs if spec.role in {"guest", "user"}]

    def program(self, name: str) -> Program | None:
        """What is run under that name by now."""
        return self.catalogue.program(name)

    def adopt(self, catalogue: Catalogue) -> bool:
        """Follow ``catalogue`` from now on; False if it is what was followed already."""
        changed = catalogue != self.catalogue
        self.catalogue = catalogue
        return changed
