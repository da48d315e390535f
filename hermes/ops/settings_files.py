"""The operator's settings on disk: replaced at once and whole, with the permissions that they had, or for nobody else's eyes."""

from pathlib import Path

from hermes.config.dotenv import NAME as DOTENV
from hermes.config.dotenv_edit import set_variables
from hermes.ops.files import write_durable

PRIVATE = 0o600


def write_settings(path: Path, text: str) -> None:
    """Replace ``path``, or what it is a link to. A file of variables becomes 0600, as does a new one. Raises ``OSError``."""
    path = path.resolve()
    mode = path.stat().st_mode & 0o777 if path.exists() and path.name != DOTENV else PRIVATE
    write_durable(path, text.encode())
    if mode != PRIVATE:
        path.chmod(mode)


def write_variables(home: Path, variables: dict[str, str | None]) -> None:
    """Set these variables of the home's ``.env``, None to take one out; nothing is written that says what it said. All else stays
    to the byte: line ends, a byte order mark.

    Raises ``OSError``, and ``ValueError`` for what no line can hold.
    """
    if any(not value.isprintable() for value in variables.values() if value):
        raise ValueError("a variable holds one line of visible characters")
    path = home / DOTENV
    try:
        before = path.read_bytes().decode()
    except FileNotFoundError:
        before = ""
    mark = "\ufeff" if before.startswith("\ufeff") else ""
    after = mark + set_variables(before.removeprefix(mark), variables)
    if after != before:
        write_settings(path, after)
