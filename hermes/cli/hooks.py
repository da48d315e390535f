"""``hermes hooks``: what is told of what happens, and what is wrong with it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from hermes.cli.crashes import ListByDefault
from hermes.cli.options import home_option, json_option, print_json
from hermes.cli.text import plain
from hermes.ops.control import client

TRY_TIMEOUT_S = 40.0


@click.group(cls=ListByDefault)
def hooks() -> None:
    """Your own code that is told what happens: list it, try it, see what is wrong with it, allow a program."""


@hooks.command("list")
@home_option
@json_option
def list_(home: Path, as_json: bool) -> None:
    """List all hooks, in the order in which they are called. Without a running gateway: what it would try to load."""
    answer = _listed(home)
    if as_json:
        print_json(answer)
        return
    for one in answer["hooks"]:
        click.echo(plain(_line(one)))
    for one in answer["idle"]:
        click.echo(plain(f"{one['name']}  {'off' if one['off'] else 'not used'}: {one['reason']}"))
    if not answer["hooks"] and not answer["idle"]:
        click.echo(f"There are no hooks in {home / 'hooks'}.")


@hooks.command()
@click.argument("event")
@home_option
@json_option
def test(event: str, home: Path, as_json: bool) -> None:
    """Have the running gateway call all hooks that hear EVENT, with made-up data, and show what they do. They run for real."""
    called: Sequence[Mapping[str, Any]] = client.ask(home, "hooks_test", {"event": event}, TRY_TIMEOUT_S)[
        "called"
    ]
    if as_json:
        print_json({"called": called})
    else:
        for one in called:
            what = f"failed: {one['error']}" if not one["ok"] else f"answers {one['answer'] or 'nothing'}"
            click.echo(plain(f"{one['hook']}  {one['seconds']:.2f} s  {what}"))
        if not called:
            click.echo(plain(f"No hook hears {event}."))
    if not all(one["ok"] for one in called):
        click.get_current_context().exit(1)


@hooks.command()
@home_option
@json_option
def doctor(home: Path, as_json: bool) -> None:
    """Say what is wrong with the hooks; exit code 1 if anything is."""
    problems = list(_problems(_listed(home)))
    if as_json:
        print_json({"problems": problems})
    for words in [] if as_json else problems or ["Nothing is wrong with the hooks."]:
        click.echo(plain(words))
    if problems:
        click.get_current_context().exit(1)


@hooks.command()
@click.argument("event")
@click.argument("command")
@home_option
def allow(event: str, command: str, home: Path) -> None:
    """Allow a shell hook: COMMAND, as `hooks:` of config.yaml has it, for EVENT. It then runs with all your rights."""
    from hermes.hooks.events import happens
    from hermes.hooks.programs import with_approval

    at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    _write_consent(home, with_approval(_consent(home), event, command, at))
    click.echo(plain(f"{command} may run for {event}; a running gateway sees it within seconds."))
    if not happens(event):
        click.echo(plain(f"But {event} never happens here."), err=True)


@hooks.command()
@click.argument("name", metavar="NAME|PATH")
@home_option
def revoke(name: str, home: Path) -> None:
    """Take back what `allow` gave: NAME as `hermes hooks list` shows it, a whole command, or the PATH of a script."""
    from hermes.config.paths import CONFIG_NAME
    from hermes.hooks.programs import AUTO_ACCEPT, Program, without_approvals
    from hermes.plugins.hooks import shell_hooks

    said, revoked = without_approvals(_consent(home), name)
    if not revoked:
        raise click.ClickException(f"nobody has allowed {name}; `hermes hooks list` shows what there is")
    _write_consent(home, said)
    for one in revoked:
        click.echo(plain(f"{one} may run no more; a running gateway sees it within seconds."))
    programs, _ = shell_hooks(home, home / CONFIG_NAME)
    if {one.name for one in programs if isinstance(one, Program)} & set(revoked):
        click.echo(f"It runs all the same while config.yaml says {AUTO_ACCEPT}: true.")


def _consent(home: Path) -> dict[str, Any]:
    """The file of what is allowed, as it stands. Raises ``ClickException``: what cannot be read is not written over."""
    from hermes.hooks.programs import ALLOWLIST, approvals
    from hermes.ops.json_files import read_json

    def checked(said: Any) -> dict[str, Any]:
        approvals(said)
        return dict(said)

    nothing: dict[str, Any] = {"approvals": []}
    said, faults = read_json(home / ALLOWLIST, checked, nothing)
    if said is None:
        raise click.ClickException(faults[0])
    return said


def _write_consent(home: Path, said: Mapping[str, Any]) -> None:
    from hermes.hooks.programs import ALLOWLIST
    from hermes.ops.files import write_durable

    write_durable(home / ALLOWLIST, json.dumps(said, indent=2).encode())


def _listed(home: Path) -> Mapping[str, Any]:
    try:
        answer: Mapping[str, Any] = client.ask(home, "hooks_list")
        return answer
    except client.NotRunning:
        return _on_disk(home)


def _on_disk(home: Path) -> Mapping[str, Any]:
    """By what is written: nothing is imported, so nothing runs."""
    from dataclasses import asdict

    from hermes.config.paths import CONFIG_NAME
    from hermes.hooks.events import happens
    from hermes.plugins.hooks import Idle, examine, find, shell_hooks

    found: list[dict[str, Any]] = []
    idle: list[Idle] = []

    def add(name: str, description: str, events: Sequence[str], source: str) -> None:
        never = [event for event in events if not happens(event)]
        told = {"description": description, "events": list(events), "never": never}
        found.append({"name": name, "source": source, **told})

    for one in find(home):
        manifest = one if isinstance(one, Idle) else examine(one)
        if isinstance(manifest, Idle):
            idle.append(manifest)
        else:
            add(Path(str(one)).name, manifest.description or manifest.name, manifest.events, str(one))
    programs, faults = shell_hooks(home, home / CONFIG_NAME)
    for program in programs:
        if isinstance(program, Idle):
            idle.append(program)
        else:
            add(program.name, program.description, (program.event,), program.place)
    idle += [Idle("shell hooks", str(home / CONFIG_NAME), words) for words in faults]
    return {"hooks": found, "idle": [asdict(one) for one in idle]}


def _line(one: Mapping[str, Any]) -> str:
    counts = [f"{one[key]:,} {key}" for key in ("calls", "errors", "timeouts", "dropped") if one.get(key)]
    return "  ".join(
        filter(None, (one["name"], ", ".join(one["events"]), one["description"], ", ".join(counts)))
    )


def _problems(answer: Mapping[str, Any]) -> Iterator[str]:
    for one in answer["idle"]:
        if not one["off"]:
            yield f"{one['name']} is not used: {one['reason']}"
    for one in answer["hooks"]:
        for event in one["never"]:
            yield f"{one['name']} hears {event}, which never happens here"
        if one.get("errors") or one.get("timeouts"):
            counts = f"{one['errors']:,} errors and {one['timeouts']:,} timeouts in {one['calls']:,} calls"
            yield f"{one['name']}: {counts}; the last: {one['last_error']}"
        if one.get("dropped"):
            yield f"{one['name']} is too slow: it was not told of {one['dropped']:,} events"
        if one.get("left"):
            yield f"{one['name']}: {one['left']} calls that were given up still run"
