"""``hermes import``: what becomes of a home of the original, and taking its conversations over."""

import os
import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hermes.cli.options import home_option, json_option, print_json
from hermes.cli.text import plain
from hermes.types.errors import Failure, GatewayError, os_words

if TYPE_CHECKING:
    from hermes.importing.check import Checked
    from hermes.importing.findings import Finding
    from hermes.importing.takeover import Sum

NOT_GOOD = 1
NO_HOME, NOT_SAVED = "no_home", "not_saved"
DATABASE = "gateway.db"

_MARKS = {"understood": "✓", "ignored": "–", "unreadable": "✗"}


@click.command("import")
@click.argument("directory", metavar="[HOME]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--check", "only_check", is_flag=True, help="Say what becomes of everything in it, and change nothing."
)
@home_option
@json_option
@click.pass_context
def import_(
    ctx: click.Context, *, directory: Path | None, only_check: bool, home: Path, as_json: bool
) -> None:
    """Take over the conversations of a home of the original Hermes: they go on, /resume finds them, and `hermes sessions search`.

    Its own files are only read, and stay as they are. Before anything is written the home is saved, as `hermes backup --quick`
    does. Again: adds what is new since; one that was broken off goes on. No gateway may run on the home.

    --check ends with 1 if something is unsafe or cannot be read, or a gateway runs there.
    """
    home = home if directory is None else directory.expanduser().absolute()
    if not home.is_dir():
        raise GatewayError(Failure(NO_HOME, scope="gateway", detail=f"there is no home at {home}"))
    if only_check:
        _check(ctx, home, as_json)
        return
    with _locked(home):
        done = _take_over(home)
    if as_json:
        print_json(done.document(home))
    else:
        for line in done.lines(home):
            click.echo(plain(line))
    if not done.good:
        ctx.exit(NOT_GOOD)


# --- what is there ---------------------------------------------------------------------------------------------------------


def _check(ctx: click.Context, home: Path, as_json: bool) -> None:
    from hermes.importing.check import check
    from hermes.importing.old_home import old_home

    with old_home(home) as old:
        found = check(home, os.environ, old)
    if as_json:
        print_json(_document(found))
    else:
        for line in _lines(found):
            click.echo(plain(line))
    if not found.good:
        ctx.exit(NOT_GOOD)


def _document(found: "Checked") -> dict[str, Any]:
    holder = found.holder
    return {
        "ok": found.good,
        "home": str(found.home),
        "version": found.version,
        "held_by": None if holder is None else {"pid": holder.process.pid, "ours": holder.ours},
        "rows": [asdict(row) for row in found.rows],
    }


def _lines(found: "Checked") -> Iterator[str]:
    yield f"{found.home}  written by the original, version {found.version}"
    if found.holder is not None:
        whose = "a gateway of this program" if found.holder.ours else "the original's gateway"
        yield f"✗ {whose} runs on it (process {found.holder.process.pid}): stop it first; two at once would disturb each other"
    for row in found.rows:
        yield f"{_MARKS[row.verdict]} {row.path}  {row.words}"
        yield from (f"    unsafe: {words}" for words in row.unsafe)
        yield from (f"    {words}" for words in row.remarks)
    at = shlex.quote(str(found.home))
    yield (
        f"Next: hermes import --home {at}, or hermes run --home {at}, which does it too"
        if found.good
        else (
            "Put right what is marked with ✗ or unsafe, and look again; what can be read is taken over all the same."
        )
    )


# --- taking over -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Done:
    """What came of it. ``backup`` is None where nothing was new, or a run that was broken off has made one already; ``good``: all
    files that are there could be read.
    """

    backup: Path | None
    conversations: int
    sum: "Sum"
    findings: "Sequence[Finding]"
    good: bool

    def document(self, home: Path) -> dict[str, Any]:
        """For scripts."""
        return {
            "ok": self.good,
            "home": str(home),
            "backup": None if self.backup is None else str(self.backup),
            "conversations": self.conversations,
            "new_stretches": self.sum.stretches,
            "new_lines": self.sum.lines,
            "findings": [
                {"file": str(one.file), "level": one.level, "words": one.words} for one in self.findings
            ],
        }

    def lines(self, home: Path) -> Iterator[str]:
        """For people."""
        from hermes.importing.check import many

        conversations = many(self.conversations, "conversation")
        for one in self.findings:
            yield f"{'✗' if one.level in ('unreadable', 'unsafe') else '–'} {one}"
        if self.backup is not None:
            yield f"The home as it was before is in {self.backup}."
        if not self.sum.stretches and not self.sum.lines:
            yield f"Nothing is new; here already: {conversations}."
            return
        yield (
            f"Taken over: {many(self.sum.lines, 'line')} of {conversations},"
            f" in {many(self.sum.stretches, 'new stretch', 'new stretches')}."
        )
        yield f"Next: hermes run --home {shlex.quote(str(home))}"


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    from hermes.ops.clock import SystemIds
    from hermes.ops.holder import refuse_named
    from hermes.ops.lock import HomeLock
    from hermes.types.ids import BootId

    with HomeLock.acquire(home, BootId(SystemIds().token(16))):
        refuse_named(home)
        yield


def _take_over(home: Path) -> _Done:
    from hermes.cli.progress import progress
    from hermes.importing.old_home import old_home
    from hermes.importing.takeover import Sum, is_new, noted, steps
    from hermes.store import imports
    from hermes.store.direct import making, write

    begun, total, backup, passed = time.monotonic(), Sum(), None, 0
    with ExitStack() as stack:
        old = stack.enter_context(old_home(home))
        database = stack.enter_context(making(home / DATABASE)) if (home / DATABASE).exists() else None
        taken = {} if database is None else imports.taken(database)
        saved = database is not None and imports.is_broken_off(database)
        advance = None
        for step in steps(old, taken):
            passed += step.messages
            if step.op is not None:
                if not saved and is_new(step.op, taken):
                    backup, saved = _saved(home), True
                if database is None:
                    database = stack.enter_context(making(home / DATABASE))
                total = total.plus(step.op, write(database, step.op))
            if saved:  # else there was nothing to do so far
                advance = advance or stack.enter_context(progress("Taking over", old.messages))
                advance(passed)
                passed = 0
        if database is not None and old.whole:  # else the next start tries again
            write(database, noted(total, time.time(), time.monotonic() - begun))
        return _Done(backup, old.conversations, total, old.findings, old.whole)


def _saved(home: Path) -> Path:
    from hermes.cli.progress import progress
    from hermes.cli.version import line
    from hermes.store import saving

    try:
        return saving.save(saving.new_file(home), home, line(), partial(progress, "Saving"), quick=True).file
    except (OSError, GatewayError) as wrong:
        why = wrong.failure.detail if isinstance(wrong, GatewayError) else os_words(wrong)
        detail = f"the home could not be saved, so nothing is taken over: {why}"
        raise GatewayError(Failure(NOT_SAVED, scope="gateway", detail=detail)) from wrong
