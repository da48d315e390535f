"""What a YAML file says, letter by letter: for values that must not be read as numbers, dates or times.

YAML makes 83 of the id ``0123`` and 45045 of ``12:30:45``; another id is another person.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from yaml.nodes import Node

_NULL = "tag:yaml.org,2002:null"


@dataclass(frozen=True, slots=True)
class Written:
    """The part of ``file`` below ``key``; ``node`` is None where nothing stands, or only null."""

    file: Path
    node: Optional["Node"] = None
    key: tuple[str, ...] = ()
    line: int = 1

    @property
    def place(self) -> str:
        """Where it stands, for people."""
        return f"{self.file}, line {self.line}: {'.'.join(self.key)}"

    @property
    def holds_keys(self) -> bool:
        """Is it a mapping, be it an empty one?"""
        from yaml.nodes import MappingNode

        return isinstance(self.node, MappingNode)

    @property
    def entries(self) -> Iterator["Written"]:
        """The parts of a mapping that hold something; none of anything else. Of merged keys (``<<``) the last counts."""
        if self.node is None:
            return  # without a file nobody waits for yaml
        from yaml.nodes import MappingNode, ScalarNode

        for name, value in self.node.value if isinstance(self.node, MappingNode) else ():
            empty = value.tag == _NULL or (isinstance(value, ScalarNode) and not value.value.strip())
            if isinstance(name, ScalarNode) and not empty:
                at = name.start_mark
                yield Written(Path(at.name), value, (*self.key, name.value), at.line + 1)

    def __getitem__(self, name: str) -> "Written":
        """The part under ``name``, perhaps empty."""
        empty = Written(self.file, key=(*self.key, name), line=self.line)
        return ([empty] + [entry for entry in self.entries if entry.key[-1] == name])[-1]

    def items(self) -> list["Written"]:
        """The parts of a list. Raises ``ValueError`` for anything else."""
        from yaml.nodes import SequenceNode

        if not isinstance(self.node, SequenceNode):
            raise ValueError("a list")
        return [
            Written(self.file, item, (*self.key, str(number)), item.start_mark.line + 1)
            for number, item in enumerate(self.node.value)
        ]

    def texts(self) -> list[str]:
        """The text of a plain value, or of each value in a list. Raises ``ValueError`` for anything nested."""
        from yaml.nodes import ScalarNode, SequenceNode

        items = self.node.value if isinstance(self.node, SequenceNode) else [self.node]
        values = [item.value for item in items if isinstance(item, ScalarNode)]
        if len(values) < len(items):
            raise ValueError("a value or a plain list of values, nothing nested")
        return values
