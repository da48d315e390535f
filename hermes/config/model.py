"""Every key of the configuration: its default, its bounds and its meaning, once.

Plain frozen dataclasses, so that the program needs no pydantic to hold a configuration. The metadata of a field are the
arguments of a pydantic field: ``load`` validates with them, and ``docs/generate.py`` writes the schema, the commented
default file and the reference from them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from hermes.config.original import NO_LIMIT
from hermes.config.quick import QuickCommand
from hermes.config.retention import Retention
from hermes.config.supervision import Rule
from hermes.types.origin import ChatType
from hermes.types.records import BusyMode

DAY_S = 86_400.0

Transport = Literal["auto", "edit", "draft", "off"]
"""How an answer is shown while it is written."""


def _key(default: Any, description: str, **bounds: float | bool | str) -> Any:
    return field(default=default, metadata={"description": description, **bounds})


def _secret(description: str) -> Any:
    return field(default="", repr=False, metadata={"description": description})


def _seconds(default: float, description: str, most: float = DAY_S) -> Any:
    return _key(default, description, gt=0, le=most, allow_inf_nan=False)


def _section(model: type) -> Any:
    return _key(model(), model.__doc__ or "")


def _by_name(description: str) -> Any:
    return field(default_factory=dict, metadata={"description": description})


@dataclass(frozen=True, slots=True)
class Web:
    """The one HTTP server: dashboard, web chat, health."""

    host: str = _key(
        "127.0.0.1",
        "Address to listen on. Anything but a loopback address opens the gateway to the network.",
        pattern=r"^[^\s\x00-\x1f]+$",
    )
    port: int | None = _key(
        None,
        "Port to listen on, 0 for any. Unset: 8642, or the next free one; the one taken is printed.",
        ge=0,
        le=65_535,
    )


@dataclass(frozen=True, slots=True)
class Model:
    """The language model that answers (docs/models.md). Without one the built-in agent does."""

    provider: str = _key(
        "",
        "custom: whatever speaks OpenAI's protocol at base_url; openai and openrouter bring their own base_url.",
    )
    base_url: str = _key("", "Where it is asked, mostly ending in /v1. ${NAME} stands for a variable.")
    api_key: str = _secret(
        "What it lets us in by; leave it out where none is wanted. ${NAME} stands for a variable of .env. Unset: OPENAI_API_KEY"
        " for openai.com, OPENROUTER_API_KEY for openrouter.ai.",
    )
    default: str = _key("", "The model's name. Leave it out where the server has only one.")
    context_length: int = _key(
        32_768,
        "How much it takes in, its answer included. Of a longer conversation it is shown the end. Tokens.",
        ge=512,
        le=100_000_000,
    )
    max_tokens: int | None = _key(
        None, "The longest answer. Unset: as the server has it. Tokens.", ge=1, le=100_000_000
    )
    temperature: float | None = _key(
        None, "How freely it chooses its words. Unset: as the server has it.", ge=0, le=2, allow_inf_nan=False
    )
    stream: bool = _key(True, "Have the answer come word by word. false: for servers that cannot.")
    vision: bool = _key(False, "It can look at pictures, so it is handed those that people send.")
    request_timeout_s: float = _seconds(
        240.0, "How long it may be silent. Keep it below agent.no_progress_s. Seconds."
    )


@dataclass(frozen=True, slots=True)
class Agent:
    """How long one answer may take."""

    turn_timeout_s: float = _seconds(1800.0, "A turn that takes longer ends, in words to the user. Seconds.")
    no_progress_s: float = _seconds(
        300.0, "A turn that shows no sign of life for this long ends too. Seconds."
    )
    name: str = _key(
        "", "Which agent answers: that of a plug-in, by name. Unset: the model, else the built-in one."
    )
    max_tool_rounds: int = _key(
        24, "How often a model may call tools before it has to answer.", ge=1, le=1_000
    )


@dataclass(frozen=True, slots=True)
class Approvals:
    """What the agent does only once a person has said so."""

    timeout: float = _seconds(
        300.0,
        "How long a person has to approve or deny; then it is denied, and the answer given up. Seconds.",
    )


@dataclass(frozen=True, slots=True)
class Inbound:
    """What is taken from the platforms."""

    max_age_s: float = _seconds(
        DAY_S,
        "A message older than this, because the gateway was down, is not answered any more; its chat is told so. Seconds.",
        365 * DAY_S,
    )


@dataclass(frozen=True, slots=True)
class Media:
    """Files that come with messages, and that go with answers (docs/media.md)."""

    max_inbound_bytes: int = _key(
        134_217_728,
        "The largest file that is taken from a person; 0: none is. The original's gateway.max_inbound_media_bytes is read"
        " where this says nothing; its 0 is no limit. Bytes.",
        ge=0,
        le=NO_LIMIT,
    )
    allow_dirs: tuple[str, ...] = _key(
        (),
        "Directories from which the agent may send files, besides the home's own cache and cron/output. `~` is your home"
        " directory, a relative path is below the Hermes home. Also read from gateway.media_delivery_allow_dirs.",
    )
    trust_recent_files: bool = _key(
        False,
        "The agent may send any file that was changed just now, wherever it is, unless it is hidden or denied. Also read from"
        " gateway.trust_recent_files.",
    )
    trust_recent_files_seconds: float = _seconds(
        600.0, "What just now means. Also read from gateway.trust_recent_files_seconds. Seconds."
    )


@dataclass(frozen=True, slots=True)
class Delivery:
    """How messages are sent."""

    ttl_s: float = _seconds(
        7 * DAY_S, "A message that could not be delivered for this long is given up. Seconds.", 365 * DAY_S
    )
    part_numbers: bool = _key(True, "A text that is sent in several parts bears their numbers: (1/3).")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is taken on at once. What is beyond it is refused in words."""

    sessions: int = _key(
        10_000,
        "Conversations that are awake at the same time. One falls asleep after ten idle minutes.",
        ge=1,
        le=1_000_000,
    )
    turns: int = _key(
        100,
        "Answers that are worked on at the same time. Others wait for half a minute, then they are refused.",
        ge=1,
        le=100_000,
    )
    waiting: int = _key(100, "Messages of one conversation that wait for their answer.", ge=1, le=100_000)
    processes: int = _key(
        8, "Programs of yours that run at the same time. None is waited for.", ge=1, le=1_000
    )


@dataclass(frozen=True, slots=True)
class PlatformDisplay:
    """What is different on one platform."""

    busy_input_mode: BusyMode | None = _key(None, "The platform's own busy_input_mode.")  # noqa: RUF009 - a field
    streaming: bool | None = _key(
        None, "Show answers there while they are written, whatever streaming.enabled says."
    )


@dataclass(frozen=True, slots=True)
class Display:
    """How a conversation behaves towards its people."""

    busy_input_mode: BusyMode = _key(  # noqa: RUF009 - a field
        "interrupt",
        "What a message does that comes while its conversation is at work. interrupt: the answer is begun again, for both;"
        " queue: it waits its turn; steer: the agent is handed it as soon as it asks; collect: all that comes meanwhile"
        " is answered together.",
    )
    busy_ack: bool = _key(
        True, "queue: say at which place in line a message waits, at most every half minute."
    )
    busy_collect_s: float = _key(
        0.35,
        "collect: how long after an answer more is waited for, before the next one is begun. Seconds.",
        ge=0,
        le=60,
        allow_inf_nan=False,
    )
    platforms: Mapping[str, PlatformDisplay] = _by_name(
        "What is different on a platform: telegram, discord, …"
    )


@dataclass(frozen=True, slots=True)
class Streaming:
    """Answers that are shown while they are written (docs/streaming.md)."""

    enabled: bool = _key(
        False,
        "Show them. `streaming: true`, `false` or a transport says the same, as does a key `mode` here.",
    )
    transport: Transport = _key(  # noqa: RUF009 - a field
        "auto",
        "How. draft: by what the platform has for it; edit: a message that is edited; auto: the first of these that it has.",
    )
    edit_interval: float = _seconds(0.8, "The least time between two edits of an answer. Seconds.", 3600.0)
    buffer_threshold: int = _key(
        24, "Fewer new characters than this wait for a second interval.", ge=1, le=100_000
    )
    cursor: str = _key(
        " ▉",
        "What stands at the end of an answer that is being written.",
        max_length=16,
        pattern=r"^[^\x00-\x1f\x7f]*$",
    )
    after_s: float = _key(
        2.0,
        "auto: an answer is shown once it is worked on for longer than this. Seconds.",
        ge=0,
        le=3600,
        allow_inf_nan=False,
    )
    show_tools: bool = _key(True, "Say which tool is being used, where an answer is shown.")


@dataclass(frozen=True, slots=True)
class Logging:
    """The log files: logs/gateway.log with everything, agent.log and errors.log with parts of it."""

    level: str = _key(
        "INFO",
        "What goes into gateway.log and agent.log: DEBUG, INFO, WARNING, ERROR or CRITICAL, and above.",
        pattern="^(?i:debug|info|warning|error|critical)$",
    )
    format: Literal["text", "json"] = _key("text", "text, or json for one JSON object a line.")
    max_size_mb: float = _key(
        5.0, "Size at which a file is set aside and a new one begun. Megabytes.", gt=0, le=1024
    )
    backup_count: int = _key(3, "How many files set aside are kept of each.", ge=1, le=1000)


@dataclass(frozen=True, slots=True)
class ResetPolicy:
    """When a conversation begins anew by itself. Its history stays searchable."""

    mode: Literal["none", "idle", "daily", "both"] = _key(
        "none",
        "none: never; idle: after a time of silence; daily: at an hour of the day; both: at what comes first.",
    )
    at_hour: int = _key(4, "The hour of the daily reset, in the machine's local time.", ge=0, le=23)
    idle_minutes: int = _key(
        1440, "A conversation that was silent for longer than this begins anew. Minutes.", ge=1, le=5_256_000
    )
    notify: bool = _key(True, "Tell the people of a conversation that was in use when it has begun anew.")
    notify_exclude_platforms: tuple[str, ...] = _key(
        ("api_server", "webhook"), "Platforms on which nobody is told, because no person reads there."
    )


@dataclass(frozen=True, slots=True)
class Identity:
    """People who are linked on several platforms (docs/identity.md)."""

    scope: Literal["per_person", "per_platform", "per_chat"] = _key(
        "per_person",
        "Which of a person's direct messages share a conversation. per_person: all; per_platform: those of one platform;"
        " per_chat: those of one chat, as if nobody were linked.",
    )


@dataclass(frozen=True, slots=True)
class Cron:
    """Jobs that run at their times (docs/cron.md)."""

    wrap_response: bool = _key(True, "Say under the answer of a job which one it was, and how it is stopped.")


@dataclass(frozen=True, slots=True)
class Plugins:
    """What plug-ins bring (docs/plugins.md)."""

    disabled: tuple[str, ...] = _key((), "Plug-ins that are left alone, by name.")


@dataclass(frozen=True, slots=True)
class Tools:
    """What a model may do besides talking (docs/models.md)."""

    enabled: tuple[str, ...] = _key((), "These tools and toolsets alone, by name. Unset: all.")
    disabled: tuple[str, ...] = _key((), "Tools and toolsets that are not offered, by name.")


@dataclass(frozen=True, slots=True)
class Config:
    """The gateway's settings. Keys we do not know belong to somebody else and are left alone."""

    web: Web = _section(Web)
    model: Model = _section(Model)
    agent: Agent = _section(Agent)
    approvals: Approvals = _section(Approvals)
    inbound: Inbound = _section(Inbound)
    delivery: Delivery = _section(Delivery)
    media: Media = _section(Media)
    limits: Limits = _section(Limits)
    display: Display = _section(Display)
    streaming: Streaming = _section(Streaming)
    logging: Logging = _section(Logging)
    retention: Retention = _section(Retention)
    drain_timeout_s: float = _seconds(
        8.0, "How long a stop waits for turns and messages under way. Seconds.", 3600.0
    )
    group_sessions_per_user: bool = _key(
        True, "In a group everybody has a conversation of their own; false: the group shares one."
    )
    thread_sessions_per_user: bool = _key(
        False, "In a thread too, if it holds for groups; false: a thread shares one."
    )
    identity: Identity = _section(Identity)
    session_reset: ResetPolicy = _section(ResetPolicy)
    reset_by_type: Mapping[ChatType, ResetPolicy] = _by_name(
        "A policy in place of session_reset for a kind of chat: dm, group, channel, thread or forum. A key that it leaves"
        " out has its default, not what session_reset sets."
    )
    reset_by_platform: Mapping[str, ResetPolicy] = _by_name(
        "The same for a platform: telegram, discord, …; wins over reset_by_type."
    )
    cron: Cron = _section(Cron)
    timezone: str = _key(
        "",
        "The time zone of jobs that name none, as in Europe/Berlin. Unset: that of the machine.",
        pattern=r"^[A-Za-z0-9_+\-/]*$",
    )
    plugins: Plugins = _section(Plugins)
    tools: Tools = _section(Tools)
    quick_commands: tuple[QuickCommand, ...] = _key(
        (),
        "Commands of your own, by name: a program that is run, or another name for a command. See docs/commands.md.",
    )
    supervision: tuple[Rule, ...] = _key(
        (),
        "How actors are restarted: a policy for each glob on their paths; of several that match, the last wins.",
    )
