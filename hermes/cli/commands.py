"""The commands as one table, each imported when it is used, and the one place where errors become words and exit codes."""

import io
import json
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

import click

from hermes.cli.text import plain_lines
from hermes.cli.version import line
from hermes.ops.control.client import ControlError, NotRunning
from hermes.types.errors import GatewayError, os_words

if TYPE_CHECKING:
    from hermes.registry.entry import PlatformEntry

FAILED, USAGE, NOT_RUNNING = 1, 2, 3


class Commands(click.Group):
    """A group whose commands are named in a table, ``name`` → ``module:attribute``, and loaded on demand."""

    def __init__(self, name: str, table: dict[str, str], text: str) -> None:
        super().__init__(name, help=text)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the table's order, which is the order of the help."""
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command, if there is one of that name."""
        if cmd_name not in self._table:
            return None
        module, _, attribute = self._table[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"hermes.cli.{module}"), attribute)
        return command


web = Commands("web", {"link": "control:link"}, "Dashboard and web chat.")

gateway = Commands(
    "gateway",
    {
        "run": "run:run",
        "start": "service:start",
        "stop": "service:stop",
        "restart": "control:restart",
        "status": "status:status",
        "setup": "setup:setup",
    },
    "The same commands by their longer names; start and stop act on the service, if one is installed.",
)

service = Commands(
    "service",
    {"install": "service:install", "uninstall": "service:uninstall", "status": "service:status"},
    "The gateway as a service of systemd.",
)

hermes = Commands(
    "hermes",
    {
        "setup": "setup:setup",
        "run": "run:run",
        "chat": "chat:chat",
        "config": "config:config",
        "status": "status:status",
        "tree": "tree:tree",
        "top": "top:top",
        "dump": "dump:dump",
        "adapter": "adapter:adapter",
        "sessions": "sessions:sessions",
        "send": "send:send",
        "channels": "channels:channels",
        "outbox": "outbox:outbox",
        "cron": "cron:cron",
        "approvals": "approvals:approvals",
        "pairing": "pairing:pairing",
        "identity": "identity:identity",
        "forget": "identity:forget",
        "audit": "identity:audit",
        "hooks": "hooks:hooks",
        "plugins": "plugins:plugins",
        "crashes": "crashes:crashes",
        "trace": "trace:trace",
        "logs": "logs:logs",
        "restart": "control:restart",
        "stop": "control:stop",
        "web": "commands:web",
        "gateway": "commands:gateway",
        "service": "commands:service",
        "doctor": "doctor:doctor",
        "import": "import_:import_",
        "backup": "backup:backup",
        "restore": "backup:restore",
        "completion": "completion:completion",
        "version": "control:version",
    },
    "One AI agent, many chat platforms, one durable conversation.",
)


def _version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(line())
        ctx.exit()


hermes.params.append(
    click.Option(
        ["--version"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_version,
        help="Show the version and exit.",
    )
)


def execute(arguments: Sequence[str], platforms: "Sequence[PlatformEntry]" = ()) -> int:
    """Run the command that ``arguments`` name; errors go to stderr, as JSON where JSON was asked for."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # an ASCII terminal gets question marks, not a traceback
    try:
        # Commands end with ctx.exit(code) where it is not 0; outside click's standalone mode that comes back as a value.
        code = hermes.main(list(arguments), prog_name="hermes", standalone_mode=False, obj=tuple(platforms))
        return code if isinstance(code, int) else 0
    except click.ClickException as wrong:
        if "--json" in arguments:
            at = wrong.ctx.command_path if isinstance(wrong, click.UsageError) and wrong.ctx else "hermes"
            _say_json("usage", wrong.format_message(), f"{at} --help")
        else:
            shown = io.StringIO()
            wrong.show(shown)
            click.echo(plain_lines(shown.getvalue()), err=True, nl=False)
        return USAGE
    except click.Abort:
        return FAILED
    except GatewayError as wrong:
        hint = wrong.hint if isinstance(wrong, ControlError) else ""
        if "--json" in arguments:
            _say_json(wrong.failure.code, wrong.failure.detail, hint)
        else:
            click.echo(plain_lines(f"hermes: {wrong.failure.detail or wrong.failure.code}"), err=True)
            if hint:
                click.echo(plain_lines(f"  {hint}"), err=True)
        return NOT_RUNNING if isinstance(wrong, NotRunning) else FAILED
    except OSError as wrong:  # stdout on a full disk, say; a closed pipe is click's own affair
        words = os_words(wrong)
        if "--json" in arguments:
            _say_json("os_error", words, "")
        else:
            click.echo(plain_lines(f"hermes: {words}"), err=True)
        return FAILED


def _say_json(kind: str, message: str, hint: str) -> None:
    error = {"type": kind, "message": plain_lines(message), "hint": plain_lines(hint)}
    click.echo(json.dumps({"ok": False, "error": error}), err=True)
