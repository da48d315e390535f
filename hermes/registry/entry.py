"""What is known of a platform before any adapter of it is made."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from hermes.config.homes import home_variable
from hermes.config.model import Config
from hermes.config.platforms import PlatformConfig, Variable
from hermes.types.content import Capabilities
from hermes.types.ids import Clock, IdSource
from hermes.types.ports import Adapter

NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")

_TARGETS = frozenset(("local", "origin", "home", "all", "default", "person"))
_SECTIONS = frozenset(key.name for key in fields(Config)) | {"gateway", "platforms", "roles"}
_VERBS = frozenset(
    "ping tree status dump top stop restart trace adapter web sessions approvals outbox pairing identity send".split()  # noqa: SIM905
)
RESERVED = _TARGETS | _SECTIONS | _VERBS
"""Names that mean something else where a delivery, the file or the control socket would name a platform."""


@dataclass(frozen=True, slots=True)
class AdapterSetup:
    """What a factory is handed. ``home`` is where an adapter may keep files of its own: ``platforms/<name>/`` in it."""

    platform: str
    account: str
    config: PlatformConfig
    home: Path
    clock: Clock
    ids: IdSource


@dataclass(frozen=True, slots=True)
class Proof:
    """A platform has answered an account: as whom it knows us, and the ``Date`` header of that ("": there was none)."""

    who: str
    date: str = ""


_KINDS = {"capabilities": Capabilities, "label": str, "install_hint": str, "emoji": str, "always": bool}


@dataclass(frozen=True, slots=True)
class PlatformEntry:
    """A platform. Raises ``ValueError`` for a name that it cannot have, ``TypeError`` for a field of another kind: it may be
    somebody else's, and is read long before anything of it runs.

    ``factory`` makes an adapter for one life of one account; ``check`` says whether what it needs is installed (else
    ``install_hint`` helps); ``validate`` says in words what is wrong with the settings, or "". All three run in a thread, with a
    deadline and without Trio; they may import what takes long, and whatever they raise makes the account unavailable.
    ``validate`` may count on ``required_env``: those are there, and hold no placeholder.

    ``probe`` asks the platform once who the account is, by a client of its own: a harmless question, that no adapter notices.
    It runs in Trio, under a deadline. Raises ``GatewayError``.

    ``always``: it runs without a word in the settings. ``is_connected`` and ``setup`` are for `hermes setup`: whether there is
    anything left to set up (default: ``validate``), and how, where asking for the variables is not enough.
    """

    name: str
    label: str
    factory: Callable[[AdapterSetup], Adapter]
    capabilities: Capabilities = Capabilities()  # noqa: RUF009 - frozen
    check: Callable[[], bool] = lambda: True
    validate: Callable[[PlatformConfig], str] = lambda _config: ""
    is_connected: Callable[[PlatformConfig], bool] | None = None
    probe: Callable[[AdapterSetup], Awaitable[Proof]] | None = None
    required_env: tuple[Variable, ...] = ()
    optional_env: tuple[Variable, ...] = ()
    install_hint: str = ""
    setup: Callable[[], None] | None = None
    source: Literal["builtin", "plugin"] = "plugin"
    plugin_name: str = ""
    emoji: str = "🔌"
    always: bool = False

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name) or self.name in RESERVED:
            raise ValueError(
                f"{self.name!r:.80} is no name for a platform: it is taken, or not lower-case letters, digits and _"
            )
        wrong = [name for name, kind in _KINDS.items() if not isinstance(getattr(self, name), kind)]
        wrong += [name for name in ("factory", "check", "validate") if not callable(getattr(self, name))]
        wrong += [
            name for name in ("required_env", "optional_env") if not _are_variables(getattr(self, name))
        ]
        if wrong:
            raise TypeError(f"{wrong[0]} cannot be {getattr(self, wrong[0])!r:.80}; see PlatformEntry")

    @property
    def variables(self) -> tuple[Variable, ...]:
        """All variables that are its own."""
        return (*self.required_env, *self.optional_env)

    @property
    def allowed_users_env(self) -> str:
        """The variable that lists who may speak; every platform has it."""
        return f"{self.name.upper()}_ALLOWED_USERS"

    @property
    def allow_all_env(self) -> str:
        """The variable by which everybody may."""
        return f"{self.name.upper()}_ALLOW_ALL_USERS"

    @property
    def home_channel_env(self) -> str:
        """The variable that names the home channel, by which it can be delivered to."""
        return home_variable(self.name)

    @property
    def max_message_length(self) -> int:
        """See ``Capabilities``, as for the three below."""
        return self.capabilities.max_length

    @property
    def pii_safe(self) -> bool:
        """See ``Capabilities``."""
        return self.capabilities.pii_safe

    @property
    def allow_update_command(self) -> bool:
        """See ``Capabilities``."""
        return self.capabilities.update_command

    @property
    def platform_hint(self) -> str:
        """See ``Capabilities.hint``."""
        return self.capabilities.hint


def _are_variables(value: object) -> bool:
    return isinstance(value, tuple | list) and all(isinstance(one, Variable) for one in value)
