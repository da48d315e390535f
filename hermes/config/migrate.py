"""The settings of an older home in the keys of today: decided here, written by the command. Pure, but for the reading.

    config.yaml   gateway.<key>           ─▶ <key>            what the original, too, reads in both places
                  gateway.platforms.<p>   ─▶ platforms.<p>
    gateway.json  default_reset_policy    ─▶ session_reset
                  <key>, platforms.<p>    ─▶ the same in config.yaml; gateway.json stays as it is, for the original

A key is brought over alone, and only if all settings are read as before; else it stays where it is, and why is said. Copies that
count nowhere, because the key stands at the top as well, go. ``_config_version`` stays: by it the original changes its files.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hermes.config import document
from hermes.config.blocks import platform_name
from hermes.config.edit import Key, move_key, set_key, unset_key
from hermes.config.layers import GATEWAY, ITS_NAMES, NESTED, PLATFORMS
from hermes.config.load import Settings, load
from hermes.config.paths import CONFIG_NAME, LEGACY_NAME
from hermes.config.platforms import read_accounts
from hermes.config.secrets import is_secret
from hermes.config.written import Written
from hermes.types.errors import GatewayError


@dataclass(frozen=True, slots=True)
class Migration:
    """``text`` for ``file``, in the place of ``before``. ``moved`` says what was brought where, ``left`` what was not and why."""

    file: Path
    before: str
    text: str
    moved: tuple[str, ...]
    left: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Step:
    """One key: ``value`` is what gateway.json says; None: it stands in config.yaml. Without ``to`` it is a copy that goes."""

    key: Key
    to: Key
    value: str | None = None

    def __str__(self) -> str:
        origin = f"{LEGACY_NAME}: " if self.value is not None else ""
        return f"{origin}{'.'.join(self.key)} -> {'.'.join(self.to) or 'nothing, for it counts nowhere'}"


def migrate(home: Path, environ: Mapping[str, str]) -> Migration:
    """What is to be done in ``home``; writes nothing. Raises ``GatewayError`` (``config_invalid``) as ``load`` does."""
    file = home / CONFIG_NAME
    before = text = document.read_text(file, must_exist=False)
    meant = meaning(load(home, environ))
    legacy = _written(home / LEGACY_NAME)
    moved: list[str] = []
    left: list[str] = []
    tried: set[_Step] = set()
    while step := next((one for one in _steps(_parsed(file, text), legacy) if one not in tried), None):
        tried.add(step)
        try:
            after = _without_empty(file, _done(file, text, step))
            same = meaning(load(home, environ, instead={file: after})) == meant
        except GatewayError as wrong:
            left.append(f"{step}: {wrong.failure.detail}")
            continue
        if same:
            text = after
            moved.append(str(step))
        else:
            left.append(f"{step}: the settings would be read otherwise")
    left += _secret_ones(legacy)
    return Migration(file, before, text, tuple(moved), tuple(left))


def meaning(settings: Settings) -> str:
    """What the settings say, whatever their files look like."""
    written = settings.written
    names = {
        platform_name(block.key[-1])
        for part in (written[PLATFORMS], written[GATEWAY][PLATFORMS])
        for block in part.entries
    }
    accounts = {
        name: read_accounts(written, settings.environ, name, (), always=False) for name in sorted(names)
    }
    said = (
        settings.config,
        settings.access,
        sorted(settings.homes.items()),
        settings.restart_notices,
        sorted(set(settings.secrets)),
        [
            (
                name,
                sorted(
                    (key, one.enabled, sorted(one.settings.items(), key=str), one.problems)
                    for key, one in found.items()
                ),
            )
            for name, found in accounts.items()
        ],
    )
    place = rf"{re.escape(str(written.file.parent))}/({re.escape(CONFIG_NAME)}|{re.escape(LEGACY_NAME)}), line \d+(: [\w.@-]+)?"
    return re.sub(place, "", repr(said))


def _steps(own: Written, legacy: Written) -> Iterator[_Step]:
    """What is to be done next, in the order of the files."""
    gateway, top = own[GATEWAY], {entry.key[-1] for entry in own.entries}
    for entry in gateway.entries:
        name = entry.key[-1]
        if name in NESTED:
            yield _Step(entry.key, () if name in top else (name,))
        elif name == PLATFORMS and PLATFORMS not in top:
            yield _Step(entry.key, (PLATFORMS,))
        elif name == PLATFORMS:
            there = _names(own[PLATFORMS])
            yield from (
                _Step(block.key, (PLATFORMS, block.key[-1]))
                for block in entry.entries
                if platform_name(block.key[-1]) not in there
            )
    for entry in legacy.entries:
        name = ITS_NAMES.get(entry.key[-1], entry.key[-1])
        if name in NESTED and name not in top | {one.key[-1] for one in gateway.entries}:
            yield _Step(entry.key, (name,), _flow(entry))
        elif name == PLATFORMS:
            for block in entry.entries:
                yield from _platform_steps(block, own)


def _platform_steps(block: Written, own: Written) -> Iterator[_Step]:
    """Key by key what config.yaml does not say of a platform; secrets stay where they are."""
    name = platform_name(block.key[-1])
    said = {
        key.key[-1]
        for part in (own[GATEWAY][PLATFORMS], own[PLATFORMS])
        for one in part.entries
        if platform_name(one.key[-1]) == name
        for key in one.entries
    }
    for key in block.entries:
        if key.key[-1] not in said and not _holds_secret(key):
            yield _Step(key.key, (PLATFORMS, block.key[-1], key.key[-1]), _flow(key))


def _done(file: Path, text: str, step: _Step) -> str:
    if step.value is not None:
        return set_key(file, text, step.to, step.value)
    return move_key(file, text, step.key, step.to) if step.to else unset_key(file, text, step.key)


def _without_empty(file: Path, text: str) -> str:
    """Without the sections that everything has been moved out of."""
    for key in ((GATEWAY, PLATFORMS), (GATEWAY,)):
        part = _parsed(file, text)
        for name in key[:-1]:
            part = part[name]
        names = {one.key[-1] for one in part.entries}
        if (
            part.holds_keys
            and key[-1] in _all_keys(part)
            and not (key[-1] in names and [*part[key[-1]].entries])
        ):
            text = unset_key(file, text, key)
    return text


def _all_keys(part: Written) -> set[str]:
    return {str(name.value) for name, _ in part.node.value} if part.node is not None else set()


def _secret_ones(legacy: Written) -> list[str]:
    """What stays in gateway.json because config.yaml is no place for it."""
    blocks = legacy[PLATFORMS].entries
    words = "it holds a secret, which belongs into .env: `hermes config set`"
    return [
        f"{LEGACY_NAME}: {'.'.join(key.key)}: {words}"
        for block in blocks
        for key in block.entries
        if _holds_secret(key)
    ]


def _holds_secret(part: Written) -> bool:
    return is_secret(part.key[-1]) or any(map(_holds_secret, part.entries))


def _names(platforms: Written) -> set[str]:
    return {platform_name(block.key[-1]) for block in platforms.entries}


def _flow(part: Written) -> str:
    """A value of a JSON file as one line, letter by letter; its texts hold no line ends."""
    if part.node is None:
        return "null"
    text = document.read_text(part.file, must_exist=True)
    return re.sub(r"\s*\n\s*", " ", text[part.node.start_mark.index : part.node.end_mark.index])


def _written(file: Path) -> Written:
    return _parsed(file, document.read_text(file, must_exist=False))


def _parsed(file: Path, text: str) -> Written:
    return Written(file, document.parse(file, text))
