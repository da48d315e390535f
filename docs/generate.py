"""Write what can be derived, so that it cannot rot: ``python docs/generate.py`` writes, ``--check`` only compares.

From the configuration model: ``conf/default.yaml``, ``conf/schema.json``, ``docs/configuration.md``. From the commands:
``docs/cli.md``; from those in chat, the table in ``docs/commands.md``; from the platforms that are built in, the one in
``docs/platforms.md``; from the events of hooks, the one in ``docs/hooks.md``. From the dialects: ``docs/formats.md``.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any

import click
from formats import formats
from pydantic import TypeAdapter

from hermes.cli.commands import hermes
from hermes.config import access_keys, quick, roles
from hermes.config.changes import AT_START
from hermes.config.load import ENVIRONMENT
from hermes.config.model import Config
from hermes.config.streaming import TRANSPORTS
from hermes.config.supervision import KEYS, Policy
from hermes.hooks.events import EVENTS
from hermes.plugins.builtin import entries
from hermes.registry.entry import PlatformEntry
from hermes.routing.access import FLOOR
from hermes.routing.commands import COMMANDS, CommandSpec, written

ROOT = Path(__file__).resolve().parent.parent
HELP_WIDTH = 100
EXAMPLE_GLOB = "root/gateway/adapters/*"
QUICK_EXAMPLE = {"type": "exec", "command": "df -h", "timeout_s": f"{quick.TIMEOUT_S:g}", "role": "admin"}
COMMANDS_PAGE, PLATFORMS_PAGE, HOOKS_PAGE = "docs/commands.md", "docs/platforms.md", "docs/hooks.md"
BEGIN, END = "<!-- written by docs/generate.py -->", "<!-- until here -->"

Keys = tuple[Field[Any], ...]


def schema() -> str:
    """The configuration as a JSON schema, for editors."""
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | TypeAdapter(Config).json_schema()
    # Held as rules with their places, written as a map: what pydantic derives is not what people write.
    definitions, section = document["$defs"], document["properties"]["supervision"]
    del definitions["Rule"], section["items"]
    section |= {"type": "object", "additionalProperties": {"$ref": "#/$defs/Policy"}, "default": {}}
    definitions["Policy"] = {
        "description": Policy.__doc__,
        "type": "object",
        "additionalProperties": False,
        "properties": {
            name: {"description": key.meaning, **key.notation.schema()} for name, key in KEYS.items()
        },
    }
    del definitions["Program"], definitions["Shortcut"]
    document["properties"]["quick_commands"] |= {
        "type": "object",
        "additionalProperties": {"$ref": "#/$defs/QuickCommand"},
        "default": {},
    }
    del document["properties"]["quick_commands"]["items"]
    definitions["QuickCommand"] = {
        "description": "A command of your own: a program that is run, or another name for a command.",
        "type": "object",
        "additionalProperties": False,
        "required": ["type"],
        "properties": {name: {"description": meaning} for name, meaning in quick.KEYS.items()},
    }
    # In its place, or as its ``mode``, people also write a switch or a transport.
    section, short = document["properties"]["streaming"], {"enum": [True, False, *TRANSPORTS]}
    section["anyOf"] = [{"$ref": section.pop("$ref")}, short]
    definitions["Streaming"]["properties"]["mode"] = {"description": "The short form of both.", **short}
    # The model's name alone is a section, too.
    document["properties"]["model"] = {"anyOf": [{"$ref": "#/$defs/Model"}, {"type": "string"}]}
    document["properties"] |= {
        "platforms": {
            "description": "Who may speak, where notices go and how each platform is reached: telegram, discord, …",
            "type": "object",
            "additionalProperties": {"$ref": "#/$defs/Platform"},
        },
        "roles": {"$ref": "#/$defs/Roles"},
    }
    definitions |= {"Platform": _platform_schema(), "Roles": _roles_schema()}
    return json.dumps(document, indent=2) + "\n"


def _platform_schema() -> dict[str, Any]:
    """Its own keys are its adapter's: any that is not listed may stand there."""
    access = {
        name: {"description": key.meaning}
        for main, key in access_keys.KEYS.items()
        for name in (main, *key.also)
    }
    return {
        "description": "A platform. Its accounts have what it has, but for what they set themselves.",
        "type": ["object", "null"],
        "properties": access
        | {
            "enabled": {"description": "false: not used, whatever token is set."},
            "extra": {"description": "Any of these keys may also stand here.", "type": ["object", "null"]},
            "home_channel": {
                "description": "Where notices go: a chat's id, or chat_id, thread_id and name.",
                "type": ["object", "string", "integer", "null"],
            },
            "gateway_restart_notification": {"description": "Tell it that we are back."},
            "accounts": {
                "description": "Further accounts by name.",
                "type": ["object", "null"],
                "additionalProperties": {"$ref": "#/$defs/Platform"},
            },
        },
    }


def _roles_schema() -> dict[str, Any]:
    commands = {
        name.partition(".")[2]: {"description": text} for name, text in roles.KEYS.items() if "." in name
    }
    own = {name: {"description": text} for name, text in roles.KEYS.items() if "." not in name}
    return {
        "description": "Who is owner and who is admin (docs/access.md).",
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": own
        | {
            "commands": {
                "description": "Of those who are neither.",
                "type": ["object", "null"],
                "properties": commands,
            }
        },
    }


def default_yaml() -> str:
    """Every key, commented out, with its meaning and its default."""
    head = [
        "# Every setting with its default. Copy what you want to change into config.yaml in your Hermes home.",
        "# yaml-language-server: $schema=schema.json",
    ]
    return "\n".join([*head, *_yaml_lines(Config, ""), *_access_yaml(), *_roles_yaml()]) + "\n"


def _yaml_lines(model: type, indent: str) -> Iterator[str]:
    for key in fields(model):
        if not indent:
            yield ""
        yield f"# {indent}# {_meaning(key)}"
        if is_dataclass(key.type) and isinstance(key.type, type):
            yield f"# {key.name}:"
            yield from _yaml_lines(key.type, indent + "  ")
        else:
            yield f"# {indent}{key.name}: {_default(key)}"
        if key.name == "supervision":
            yield f"# #   {EXAMPLE_GLOB}:"
            for name, policy_key in KEYS.items():
                yield f"# #     # {policy_key.meaning}"
                yield f"# #     {name}: {policy_key.usual}"
        if key.name == "quick_commands":
            yield "# #   disk:"
            for name, meaning in quick.KEYS.items():
                yield f"# #     # {meaning}"
                yield f"# #     {name}: {QUICK_EXAMPLE.get(name, 'null')}"


def configuration() -> str:
    """The reference of all keys."""
    variables = {key: name for name, key in ENVIRONMENT.items()}
    lines = [
        "# Configuration",
        "",
        "Defaults < `gateway.json` < `config.yaml` in the Hermes home (or `--config FILE`) < `.env` in the home < environment <",
        "flags. Keys that are not listed belong to somebody else and are left alone; `hermes config check` names those in our",
        "sections that nobody reads. Those of a platform are in [platforms.md](platforms.md).",
        "",
        "    hermes config show --origin               what is set, and where each value comes from",
        "    hermes config set web.port 8700           in config.yaml; remarks, order and everything else stay",
        "    hermes config set TELEGRAM_BOT_TOKEN      a secret goes to .env, and is asked for",
        "    hermes config edit                        your editor; what cannot be used is not saved",
        "    hermes config check                       what is wrong, and what nobody reads",
        "    hermes config migrate --check             what an older home says elsewhere; without --check it is moved",
        "",
        "A gateway that runs follows a saved file within some seconds, or at once by `hermes config reload` or SIGHUP. What is",
        "new holds from the next decision, message or turn on; turns under way go on with what they began with. An adapter",
        "whose settings have changed begins a new life, alone; accounts come and go. A file that cannot be used changes",
        "nothing: log and `hermes status` say file, line and reason, and the home channels get one notice. Only a restart",
        "brings other values of",
        f"{_named(sorted(AT_START))}.",
        "",
        "`gateway.json`, of older homes, is read below `config.yaml` and never written; its `default_reset_policy` is",
        "`session_reset` here. What the original also reads below `gateway:` is read there where it does not stand at the top.",
        "",
        "| key | default | environment | meaning |",
        "|---|---|---|---|",
    ]
    for path, key in _leaves(Config, ()):
        variable = f"`{variables[path]}`" if path in variables else ""
        lines.append(f"| `{'.'.join(path)}` | `{_default(key)}` | {variable} | {_meaning(key)} |")
    for name, policy_key in KEYS.items():
        lines.append(
            f"| `supervision.GLOB.{name}` | built in, often `{policy_key.usual}` |  | {policy_key.meaning} |"
        )
    for name, meaning in quick.KEYS.items():
        lines.append(f"| `quick_commands.NAME.{name}` |  |  | {meaning} |")
    lines += [
        "",
        "`HERMES_HOME` names the home itself; `--home` overrides it. More about `supervision`, with examples, is in",
        "[restarts.md](restarts.md).",
        *_access_reference(),
        *_roles_reference(),
        *_homes_reference(),
    ]
    return "\n".join(lines) + "\n"


def _access_yaml() -> Iterator[str]:
    """The keys that say who may speak: not the model's, because an id must be read letter by letter."""
    yield from ("", "# # Who may speak, for each platform: docs/access.md.", "# platforms:", "#   telegram:")
    for name, key in access_keys.KEYS.items():
        yield f"#     # {key.meaning}"
        yield f"#     {name}: null"


def _roles_yaml() -> Iterator[str]:
    yield from ("", "# # Who is owner and who is admin: docs/access.md.", "# roles:")
    for name, meaning in roles.KEYS.items():
        section, _, below = name.partition(".")
        if below == "user":
            yield f"#   {section}:"
        indent = "    " if below else "  "
        yield f"# {indent}# {meaning}"
        yield f"# {indent}{below or section}: null"


def _roles_reference() -> Iterator[str]:
    yield from (
        "",
        "## Roles",
        "",
        "Under `roles`; what they mean is in [access.md](access.md#roles).",
        "",
        "| key | meaning |",
        "|---|---|",
    )
    for name, meaning in roles.KEYS.items():
        yield f"| `{name}` | {meaning} |"


def _access_reference() -> Iterator[str]:
    yield from (
        "",
        "## Who may speak",
        "",
        "For each platform, under `platforms.<name>`; how they work together is in [access.md](access.md). `<P>` is the",
        "platform's name in capitals. A list is a YAML list, or one text with commas.",
        "",
        "| key | environment | meaning |",
        "|---|---|---|",
        "| | `GATEWAY_ALLOWED_USERS` | Like allow_from, for all platforms; adds to it. |",
        "| | `GATEWAY_ALLOW_ALL_USERS` | Like allow_all_users, for platforms on which nobody is listed. |",
    )
    for name, key in access_keys.KEYS.items():
        names = ", ".join(f"`{part}`" for part in (name, *key.also))
        variable = f"`<P>_{key.variable}`" if key.variable else ""
        yield f"| {names} | {variable} | {key.meaning} |"


def _homes_reference() -> Iterator[str]:
    yield from (
        "",
        "## Home channels",
        "",
        "Under `platforms.<name>` too, and under its `accounts.<account>`; what they are for is in [sending.md](sending.md).",
        "",
        "| key | environment | meaning |",
        "|---|---|---|",
        "| `home_channel.chat_id` | `<P>_HOME_CHANNEL` | The chat, or `home_channel: ID` alone. |",
        "| `home_channel.thread_id` | `<P>_HOME_CHANNEL_THREAD_ID` | A thread of it. |",
        "| `home_channel.name` | `<P>_HOME_CHANNEL_NAME` | What its people call it. |",
        "| `gateway_restart_notification` | | Tell it that we are back; true unless set. See [delivery.md](delivery.md). |",
        "",
        "Variables of another name: `MATRIX_HOME_ROOM`, `EMAIL_HOME_ADDRESS`.",
    )


def _named(keys: list[str]) -> str:
    return ", ".join(f"`{key}`" for key in keys[:-1]) + f" and `{keys[-1]}`"


def _leaves(model: type, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Field[Any]]]:
    for key in fields(model):
        path = (*above, key.name)
        if is_dataclass(key.type) and isinstance(key.type, type):
            yield from _leaves(key.type, path)
        else:
            yield path, key


def _meaning(key: Field[Any]) -> str:
    return str(key.metadata["description"])


def _default(key: Field[Any]) -> str:
    if key.name in ("supervision", "quick_commands"):
        return "{}"
    value = key.default if key.default_factory is MISSING else key.default_factory()
    return json.dumps(value, ensure_ascii=False)


def command_line() -> str:
    """The help of every command."""
    blocks = ["# Command line", "", "As `hermes COMMAND --help` prints it.", ""]
    for path, command, context in _commands(hermes, "hermes", None):
        blocks += [f"## {path}", "", "```", command.get_help(context), "```", ""]
    return "\n".join(blocks)


def _commands(
    command: click.Command, path: str, parent: click.Context | None
) -> Iterator[tuple[str, click.Command, click.Context]]:
    context = click.Context(
        command, parent, path.rpartition(" ")[2], max_content_width=HELP_WIDTH, terminal_width=HELP_WIDTH
    )
    yield path, command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None:
                yield from _commands(child, f"{path} {name}", context)


def commands() -> str:
    """The page about commands in chat."""
    head = [
        "| command | also | what it does | least role | while at work |",
        "|---|---|---|---|---|",
    ]
    return _with_table(COMMANDS_PAGE, [*head, *map(_command_row, COMMANDS)])


def platforms() -> str:
    """The page about platforms."""
    head = [
        "| platform | what | needs | may have | longest message | what the agent is told |",
        "|---|---|---|---|---|---|",
    ]
    return _with_table(PLATFORMS_PAGE, [*head, *map(_platform_row, entries())])


def hooks() -> str:
    """The page about hooks."""
    rows = (f"| `{name}` | {meaning} |" for name, meaning in EVENTS.items())
    return _with_table(HOOKS_PAGE, ["| event | when, and what is told |", "|---|---|", *rows])


def _platform_row(entry: PlatformEntry) -> str:
    needs, may_have = (
        "<br>".join(f"`{one.name}`: {one.prompt}" for one in variables)
        for variables in (entry.required_env, entry.optional_env)
    )
    able = entry.capabilities
    return (
        f"| `{entry.name}` | {entry.emoji} {entry.label} | {needs or 'nothing'} | {may_have} |"
        f" {able.max_length:,} {able.length_unit} | {able.hint} |"
    )


def _with_table(page: str, table: list[str]) -> str:
    """The page with its table written anew; all else in it is written by hand."""
    before, begin, rest = (_read(ROOT / page) or f"{BEGIN}\n{END}").partition(BEGIN)
    return f"{before}{begin}\n" + "\n".join(table) + f"\n{END}{rest.partition(END)[2]}"


def _command_row(spec: CommandSpec) -> str:
    also = ", ".join(f"`/{name}`" for name in spec.aliases)
    usage = written(spec).replace("|", "\\|")
    least = "everybody" if spec.name in FLOOR else spec.role
    return f"| `{usage}` | {also} | {spec.summary} | {least} | {'yes' if spec.busy else 'no'} |"


FILES = {
    "conf/default.yaml": default_yaml,
    "conf/schema.json": schema,
    "docs/configuration.md": configuration,
    "docs/cli.md": command_line,
    "docs/formats.md": formats,
    COMMANDS_PAGE: commands,
    PLATFORMS_PAGE: platforms,
    HOOKS_PAGE: hooks,
}


def main(check: bool) -> int:
    """Write all files, or say which are stale."""
    stale = [name for name, text in FILES.items() if _read(ROOT / name) != text()]
    for name in stale:
        if not check:
            (ROOT / name).write_text(FILES[name](), encoding="utf-8")
        print(f"{name} {'is stale: run `just docs`' if check else 'written'}")
    return 1 if check and stale else 0


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
