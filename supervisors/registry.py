"""Names: at most one actor per path, and the path stays its name across all its incarnations."""

from typing import Any

from supervisors.cell import Cell
from supervisors.letters import DeadLetters
from supervisors.mailbox import Mailbox
from supervisors.ref import ActorRef
from supervisors.spec import ChildSpec, path_segment


class Registry:
    """The one table of cells."""

    def __init__(self, letters: DeadLetters) -> None:
        self.letters = letters
        self._cells: dict[str, Cell] = {}

    def cell(self, path: str) -> Cell | None:
        """The cell at ``path``."""
        return self._cells.get(path)

    def claim(self, parent: str | None, spec: ChildSpec) -> Cell:
        """The cell of child ``spec`` of ``parent``: the one that is there (with its mailbox), else a new one."""
        name = path_segment(spec.id)
        path = name if parent is None else f"{parent}/{name}"
        cell = self._cells.get(path)
        if cell is None:
            cell = self._cells[path] = Cell(path, spec, Mailbox(path, spec.mailbox, self.letters))
        cell.adjust(spec)
        cell.mailbox.open = True
        return cell

    def release(self, cell: Cell) -> None:
        """Forget a cell and, of a supervisor, all below it; what waits in their mailboxes are dead letters."""
        if self._cells.get(cell.path) is cell:
            del self._cells[cell.path]
        cell.close()
        for ref in self.below(cell.path) if cell.spec.kind == "supervisor" else []:
            if (below := self.cell(ref.path)) is not None:
                self.release(below)

    def close(self) -> None:
        """Nobody will live anywhere again. What the cells counted can still be looked at."""
        for cell in self._cells.values():
            cell.close()

    def ref(self, path: str) -> ActorRef[Any]:
        """A reference to ``path``, whether or not anybody lives there yet."""
        return ActorRef(path, self)

    def whereis(self, path: str) -> ActorRef[Any] | None:
        """A reference to ``path`` if it is taken."""
        return self.ref(path) if path in self._cells else None

    def below(self, parent: str) -> list[ActorRef[Any]]:
        """References to the actors right below ``parent``."""
        head = f"{parent}/"
        return [
            self.ref(path) for path in self._cells if path.startswith(head) and "/" not in path[len(head) :]
        ]

    def __len__(self) -> int:
        return len(self._cells)
