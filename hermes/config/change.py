"""What ``hermes config set`` and ``unset`` make of the files: decided on their texts, checked as a whole, before any is written.

NAME                                ─▶ .env
a secret that has a variable        ─▶ .env
model.api_key, and an account's one ─▶ .env, and ${NAME} in config.yaml
any other key                       ─▶ config.yaml
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from hermes.config.document import read_text
from hermes.config.dotenv import NAME as DOTENV
from hermes.config.dotenv_edit import set_variable
from hermes.config.edit import as_yaml, set_key, unset_key
from hermes.config.load import NOTHING, Texts, load
from hermes.config.model import Config
from hermes.config.paths import CONFIG_NAME
from hermes.config.platforms import Variable
from hermes.config.secrets import is_secret
from hermes.config.unknown import unknown_keys
from hermes.types.errors import CONFIG_INVALID, USAGE, Failure, GatewayError

_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
_LINE = re.compile(r", line \d+")
_OF_ACCOUNT = re.compile(r"(?:platforms\.)?([a-z0-9_]+)\.accounts\.([^.]+)\.([a-z0-9_]+)")
_AT_PLATFORM = re.compile(r"(?:platforms\.)?([a-z0-9_]+)\.(?:extra\.)?([a-z0-9_]+)")

MODEL_KEY, MODEL_VARIABLE = "model.api_key", "MODEL_API_KEY"


def is_private(key: str) -> bool:
    """Whether its value is a secret, be it a key or a variable."""
    return is_secret(key.rpartition(".")[2])


def variable_for(key: str, platforms: Mapping[str, Iterable[Variable]]) -> str:
    """The variable in which ``key`` is kept; empty for what stands in config.yaml, and for a secret of nobody's."""
    if _VARIABLE.fullmatch(key):
        return key
    if key == MODEL_KEY:
        return MODEL_VARIABLE
    if is_private(key) and (found := _OF_ACCOUNT.fullmatch(key)) and found[1] in platforms:
        return re.sub(r"[^A-Z0-9]", "_", "_".join(found.groups()).upper())
    if is_private(key) and (found := _AT_PLATFORM.fullmatch(key)):
        return next((one.name for one in platforms.get(found[1], ()) if one.key == found[2]), "")
    return ""


def changed(home: Path, key: str, value: str | None, variable: str) -> dict[Path, str]:
    """The texts of the files that are other ones with ``key`` as ``value``, None to have it unset; ``variable`` is that of
    ``variable_for``. Raises ``GatewayError``: ``usage``, ``config_invalid``.
    """
    file, dotenv = home / CONFIG_NAME, home / DOTENV
    path = tuple(key.split("."))
    if not all(path) or not key.isprintable():
        raise GatewayError(
            Failure(USAGE, detail=f"{key!r} is no key: a name, or names with dots between them")
        )
    before = {one: read_text(one, must_exist=False) for one in (file, dotenv)}
    after = dict(before)
    if variable:
        if value is not None and not value.isprintable():
            raise GatewayError(
                Failure(USAGE, detail=f"{key}: a variable holds one line of visible characters")
            )
        try:
            after[dotenv] = set_variable(before[dotenv], variable, value)
        except ValueError as wrong:
            raise GatewayError(Failure(CONFIG_INVALID, detail=f"{dotenv}: {wrong}")) from wrong
        if value is not None and (key == MODEL_KEY or _OF_ACCOUNT.fullmatch(key)):
            after[file] = set_key(file, before[file], path, as_yaml(f"${{{variable}}}", text=True))
    elif value is not None and is_private(key) and not _is_number(path):
        words = f"{key} is a secret, and config.yaml is no place for one; keep it in a variable: hermes config set NAME"
        raise GatewayError(Failure(USAGE, detail=words))
    elif value is not None:
        after[file] = set_key(file, before[file], path, as_yaml(value, text=_kind(path) is str))
    if value is None and not _VARIABLE.fullmatch(key):
        after[file] = unset_key(file, before[file], path)
    return {one: text for one, text in after.items() if text != before[one]}


def refused(home: Path, environ: Mapping[str, str], texts: Texts) -> list[str]:
    """What would be wrong with the settings by ``texts`` and is not wrong with them now."""
    known = {_LINE.sub("", one) for one in faults(home, environ)}
    return [one for one in faults(home, environ, texts) if _LINE.sub("", one) not in known]


def faults(home: Path, environ: Mapping[str, str], texts: Texts = NOTHING) -> Iterator[str]:
    """Everything that is wrong with the settings, and keys that nobody reads, each with its place."""
    try:
        settings = load(home, environ, instead=texts)
    except GatewayError as wrong:
        yield from wrong.failure.detail.splitlines()
    else:
        yield from unknown_keys(settings.written)


def _is_number(path: tuple[str, ...]) -> bool:
    """max_tokens only has the name of a secret."""
    return _kind(path) in (int, float, bool, int | None, float | None)


def _kind(path: tuple[str, ...]) -> Any:
    """The type of a key of ours; None of what is not."""
    kind: Any = Config
    for name in path:
        kind = {key.name: key.type for key in fields(kind)}.get(name) if is_dataclass(kind) else None
    return kind
