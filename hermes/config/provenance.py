"""Every key with its value and where that comes from. Pure.

flags  >  variables, those of the process over .env  >  config.yaml  >  gateway.json  >  default
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from hermes.config.dotenv import place_of
from hermes.config.load import Key, Settings
from hermes.config.model import Config
from hermes.config.secrets import is_secret
from hermes.config.unknown import READ_OTHERWISE
from hermes.config.written import Written

DEFAULT = "default"
HIDDEN = "[redacted]"


@dataclass(frozen=True, slots=True)
class Row:
    """A key, dotted, or a variable's name. ``secret``: ``value`` is not to be shown."""

    key: str
    value: Any
    origin: str
    secret: bool = False

    @property
    def shown(self) -> Any:
        """The value for people; one that is secret only says whether it is set."""
        return HIDDEN if self.secret and self.value else self.value


def rows(settings: Settings, variables: Collection[str]) -> Iterator[Row]:
    """Ours in the model's order, then what else the files hold, then the variables: all of ``.env``, and of the process those in
    ``variables``.
    """
    ours = {key.name for key in fields(Config)}
    for key, value, default in _leaves(settings.config, Config(), ()):
        if key[0] in READ_OTHERWISE and value != default:
            yield from _others(settings.written[key[0]])
            continue
        origin = _origin(settings, key) or (DEFAULT if value == default else _nearest(settings, key))
        yield Row(".".join(key), value, origin, isinstance(value, str) and is_secret(key[-1]))
    for entry in settings.written.entries:
        if entry.key[-1] not in ours:
            yield from _others(entry)
    environ = settings.environ
    for name in sorted({*environ.places, *(name for name in variables if environ.get(name))}):
        yield Row(name, environ[name], place_of(environ, name), is_secret(name))


def _leaves(part: Any, default: Any, above: Key) -> Iterator[tuple[Key, Any, Any]]:
    for key in fields(part):
        value, otherwise = getattr(part, key.name), getattr(default, key.name)
        if is_dataclass(value) and not isinstance(value, type):
            yield from _leaves(value, otherwise, (*above, key.name))
        else:
            yield (*above, key.name), value, otherwise


def _origin(settings: Settings, key: Key) -> str:
    """Where the key stands, in the files or elsewhere; empty if nowhere."""
    if key in settings.sources:
        return settings.sources[key]
    part = settings.written
    for name in key:
        part = part[name]
    return "" if part.node is None else _place(part)


def _nearest(settings: Settings, key: Key) -> str:
    """Of a value that is not the default and stands nowhere by itself: the part that it was made from."""
    part = settings.written[key[0]]
    return DEFAULT if part.node is None else _place(part)


def _others(part: Written) -> Iterator[Row]:
    entries = list(part.entries)
    for entry in entries:
        yield from _others(entry)
    if not entries:
        name, secret = ".".join(part.key), any(map(is_secret, part.key))
        yield Row(name, _plain(part.node), _place(part), secret)


def _plain(node: Any) -> Any:
    """As it is written: what is somebody else's is not read as a number."""
    value = getattr(node, "value", None)
    return value if isinstance(value, str) else [_plain(item) for item in value or ()]


def _place(part: Written) -> str:
    return part.place.partition(": ")[0]
