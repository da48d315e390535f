"""What there is to say of a file of the original's home."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Level = Literal["unsafe", "unreadable", "skipped", "remark"]
"""It may harm, or somebody meant it to; nothing of the file can be used; some of it is not; only said."""


@dataclass(frozen=True, slots=True)
class Finding:
    """``words`` without the name of ``file``."""

    file: Path
    level: Level
    words: str

    def __str__(self) -> str:
        return f"{self.file}: {self.words}"


def unreadable(file: Path, faults: tuple[str, ...]) -> list[Finding]:
    """Of what ``hermes.ops.json_files`` has to say."""
    return [Finding(file, "unreadable", words.removeprefix(f"{file}: ")) for words in faults]
