"""Which settings are secret: decided by their names, so that those of plug-ins and of other programs count too."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

MOST_NUMBER = 10**30
"""No password is a larger one; Python refuses to write out the largest that YAML can hold."""

SHORTEST = 8

_SECRET_NAME = re.compile(r"(TOKEN|KEY|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL)S?$", re.IGNORECASE)


def secrets_in(settings: Mapping[str, Any]) -> Iterator[str]:
    """The values in ``settings``, an environment or a parsed file of any depth, whose names say that they are secret.

    What stands below such a name is secret as a whole. A list in one text (``a,b``) is given whole and in its parts.
    """
    return _walk(settings, False, set())


def is_literal(value: str) -> bool:
    """False for what only has the name of a secret: a short word, a number (``max_tokens``), the name of a variable."""
    return len(value) >= SHORTEST and not value.isdecimal() and not value.startswith("${")


def is_secret(name: str) -> bool:
    """Whether what has this name is never shown."""
    return bool(_SECRET_NAME.search(name))


def _walk(part: Any, secret: bool, seen: set[tuple[int, bool]]) -> Iterator[str]:
    """``seen``: the collections that were visited, because YAML's aliases make small files of endless values."""
    match part:
        case Mapping() | list():
            if (id(part), secret) in seen:
                return
            seen.add((id(part), secret))
            pairs = part.items() if isinstance(part, Mapping) else (("", value) for value in part)
            for name, value in pairs:
                yield from _walk(value, secret or is_secret(str(name)), seen)
        case str() if secret:
            yield part
            if "," in part:
                yield from map(str.strip, part.split(","))
        case int() | float() if secret and not isinstance(part, bool) and abs(part) < MOST_NUMBER:
            yield str(part)  # a password of digits
