"""Who may speak, as people write it: in the environment, and in YAML for a platform or one of its accounts.

    gateway.platforms.<p>  <  platforms.<p>  <  <p>  <  environment <P>_…  <  accounts.<name> of the same blocks

In each block a key may also stand under ``extra``. An account has what its platform has, except for what it sets itself.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from typing import Any, cast

from hermes.config.access_keys import BY_NAME, BY_VARIABLE, KEYS
from hermes.config.blocks import platform_name
from hermes.config.dotenv import place_of
from hermes.config.roles import NAME as ROLES
from hermes.config.roles import Roles, read_roles
from hermes.config.written import Written
from hermes.types.access import AccessRules, Scope, UnauthorizedDm
from hermes.types.origin import DEFAULT_ACCOUNT

EVERYBODY = "*"
SIMILAR = 0.9
"""How like a key an unknown one must be to count as misspelt; other keys of a platform are its adapter's."""

_VARIABLE = re.compile(rf"([A-Z][A-Z0-9_]*?)_({'|'.join(BY_VARIABLE)})")
_GATEWAY_WIDE = {"GATEWAY_ALLOWED_USERS": "allow_from", "GATEWAY_ALLOW_ALL_USERS": "allow_all_users"}

# --- what is set --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Setting:
    """A value, and where it was written."""

    value: Any
    place: str


@dataclass(frozen=True, slots=True)
class Problem:
    """A reason to refuse the configuration: the place, and what to do about it."""

    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


Settings = Mapping[str, Setting]


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """What is set for the whole gateway, for each platform, and for accounts (platform, name) beyond their platform."""

    everywhere: Settings = field(default_factory=dict)
    platforms: Mapping[str, Settings] = field(default_factory=dict)
    accounts: Mapping[tuple[str, str], Settings] = field(default_factory=dict)
    roles: Roles = Roles()  # noqa: RUF009 - frozen

    def of(self, platform: str, account: str = DEFAULT_ACCOUNT) -> Settings:
        """What holds for an account, also of a platform that is named nowhere."""
        name = platform_name(platform)
        return {**self.platforms.get(name, {}), **self.accounts.get((name, account), {})}

    def rules(self, platform: str, account: str = DEFAULT_ACCOUNT) -> AccessRules:
        """The same as rules. Ids in canonical form and paired ones are not known here: ``dataclasses.replace`` them."""
        name = platform_name(platform)
        return self.roles.over(_rules(name, self.of(platform, account), self.everywhere), name, account)


def open_policies(settings: AccessSettings) -> list[Problem]:
    """Everything that would let everybody in without the flag that says so, or against a policy that says otherwise."""
    found = list(_gateway_wide_faults(settings.everywhere))
    for platform, account in (*((name, DEFAULT_ACCOUNT) for name in settings.platforms), *settings.accounts):
        found += _faults(platform, settings.of(platform, account), settings.everywhere)
    return list(dict.fromkeys(found))


def unauthorized_dm(
    platform: str, own: str | None, everywhere: str | None, dm_policy: str | None, any_list: bool
) -> UnauthorizedDm:
    """What a stranger's direct message gets; ``own`` and ``everywhere`` are what the platform and the gateway set."""
    if own:
        return cast("UnauthorizedDm", own)
    if platform == "email" or everywhere == "ignore":
        return "ignore"
    if dm_policy in ("pairing", "allowlist", "disabled"):
        return "pair" if dm_policy == "pairing" else "ignore"
    return "ignore" if any_list else "pair"


_LISTS = ("allow_from", "group_allow_from", "group_allowed_chats")
_POLICIES = ("dm_policy", "group_policy")


def _rules(platform: str, own: Settings, everywhere: Settings) -> AccessRules:
    value, nobody = partial(_value, own), frozenset[str]()
    listed = value("allow_from", nobody) | _value(everywhere, "allow_from", nobody)
    in_groups, chats = value("group_allow_from", nobody), value("group_allowed_chats", nobody)
    any_list = bool(listed or in_groups or chats)
    meant = (
        not any_list
        or any(_is_open(own, key) for key in (*_LISTS, *_POLICIES))
        or _is_open(everywhere, "allow_from")
    )
    allow_all = value("allow_all_users", _value(everywhere, "allow_all_users", False) and meant)
    groups = frozenset(name for name in in_groups if _is_group(platform, name))
    dm_policy = value("dm_policy")
    return AccessRules(
        allowed=listed - {EVERYBODY},
        group_allowed=in_groups - groups - {EVERYBODY},
        group_chats=(chats | groups) - {EVERYBODY},
        allowed_roles=value("allowed_roles", nobody),
        allow_all=allow_all,
        bots=value("allow_bots", "none"),
        unauthorized_dm=unauthorized_dm(
            platform,
            value("unauthorized_dm_behavior"),
            _value(everywhere, "unauthorized_dm_behavior"),
            dm_policy,
            any_list,
        ),
        dm=Scope(dm_policy, value("allow_admin_from"), value("user_allowed_commands", nobody)),
        group=Scope(
            value("group_policy"),
            value("group_allow_admin_from"),
            value("group_user_allowed_commands", nobody),
        ),
        require_mention=value("require_mention", True),
        free_response_channels=value("free_response_channels", nobody),
        allowed_channels=value("allowed_channels", nobody),
        allowed_topics=value("allowed_topics", nobody),
        mention_patterns=value("mention_patterns", ()),
    )


def _is_group(platform: str, listed: str) -> bool:
    """Is it a group that stands in a list of senders, as the original reads it on these platforms?"""
    match platform:
        case "whatsapp":
            return listed.endswith("@g.us")
        case "telegram":
            return listed.startswith("-")
        case _:
            return False


def _is_open(settings: Settings, key: str) -> bool:
    value = _value(settings, key)
    return value == "open" if key in _POLICIES else EVERYBODY in (value or ())


def _gateway_wide_faults(everywhere: Settings) -> Iterator[Problem]:
    if _is_open(everywhere, "allow_from") and not _value(everywhere, "allow_all_users", False):
        yield Problem(
            everywhere["allow_from"].place,
            "* is everybody, on every platform. If that is meant, set GATEWAY_ALLOW_ALL_USERS=true; else list ids",
        )


def _faults(platform: str, own: Settings, everywhere: Settings) -> Iterator[Problem]:
    flag = own.get("allow_all_users", everywhere.get("allow_all_users"))
    for key in (*_LISTS, *_POLICIES):
        if _is_open(own, key) and not (flag and flag.value):
            what = "open is everybody" if key in _POLICIES else "* is everybody"
            remedy = f"change {flag.place}" if flag else f"set {platform.upper()}_ALLOW_ALL_USERS=true"
            if key.startswith("group_"):
                remedy += ", and dm_policy: allowlist to keep direct messages closed"
            yield Problem(own[key].place, f"{what}. If that is meant, {remedy}; else list ids")
    policy = _value(own, "dm_policy")
    if policy in ("pairing", "allowlist", "disabled"):
        for settings in (own, everywhere):
            if _is_open(settings, "allow_from"):
                where, other = settings["allow_from"].place, own["dm_policy"].place
                yield Problem(where, f"* is everybody, but {other} says {policy}; one of them must go")


def _value(settings: Settings, key: str, otherwise: Any = None) -> Any:
    return settings[key].value if key in settings else otherwise


# --- reading ------------------------------------------------------------------------------------------------------------


def read_access(
    root: Written, environ: Mapping[str, str], sections: frozenset[str]
) -> tuple[AccessSettings, list[Problem]]:
    """What the file and the environment say about access, and what is wrong with it.

    ``sections`` are top-level keys that are no platform's name.
    """
    problems: list[Problem] = []
    everywhere: dict[str, Setting] = {}
    for parent in (root["gateway"], root):
        everywhere |= _block(parent, problems, only="unauthorized_dm_behavior")
    blocks: dict[str, list[Written]] = {}
    for parent in (root["gateway"]["platforms"], root["platforms"], root):
        for block in parent.entries:
            if parent is not root or block.key[-1] not in sections | {"gateway", "platforms", ROLES}:
                blocks.setdefault(platform_name(block.key[-1]), []).append(block)

    platforms: dict[str, dict[str, Setting]] = {}
    accounts: dict[tuple[str, str], dict[str, Setting]] = {}
    _merge(platforms, "telegram", _block(root, problems, only="require_mention"))
    for name, parts in blocks.items():
        for block in parts:
            _merge(platforms, name, _block(block["extra"], problems) | _block(block, problems))
            for account in (*block["extra"]["accounts"].entries, *block["accounts"].entries):
                own = _block(account["extra"], problems) | _block(account, problems)
                _merge(accounts, (name, account.key[-1]), own)
    for variable, value in environ.items():
        if not value.strip():
            continue
        if variable in _GATEWAY_WIDE:
            _set(everywhere, _GATEWAY_WIDE[variable], [value], place_of(environ, variable), problems)
        elif (found := _VARIABLE.fullmatch(variable)) and found[1] != "GATEWAY":
            own = platforms.setdefault(found[1].lower(), {})
            _set(own, BY_VARIABLE[found[2]], [value], place_of(environ, variable), problems)
    roles, wrong = read_roles(root[ROLES])
    problems += [Problem(place, text) for place, text in wrong]
    return AccessSettings(
        everywhere, {name: own for name, own in platforms.items() if own}, accounts, roles
    ), problems


def _merge(into: dict[Any, dict[str, Setting]], name: Any, more: dict[str, Setting]) -> None:
    if more:
        into[name] = into.get(name, {}) | more


def _block(block: Written, problems: list[Problem], only: str | None = None) -> dict[str, Setting]:
    settings: dict[str, Setting] = {}
    for entry in block.entries:
        name = entry.key[-1]
        if only and name != only:
            continue
        if (key := BY_NAME.get(name)) is not None:
            try:
                _set(settings, key, entry.texts(), entry.place, problems)
            except ValueError as wrong:
                problems.append(Problem(entry.place, str(wrong)))
        elif meant := get_close_matches(name, BY_NAME, 1, SIMILAR):
            problems.append(Problem(entry.place, f"unknown key; did you mean {meant[0]}?"))
    return settings


def _set(
    settings: dict[str, Setting], key: str, texts: Sequence[str], place: str, problems: list[Problem]
) -> None:
    try:
        settings[key] = Setting(KEYS[key].read(texts), place)
    except ValueError as wrong:
        problems.append(Problem(place, str(wrong)))
