"""``hermes backup`` and ``hermes restore``: a home in one file, and back."""

import shlex
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hermes.cli.options import home_option, json_option, print_json
from hermes.cli.text import plain
from hermes.ops import restoring
from hermes.types.errors import Failure, GatewayError

if TYPE_CHECKING:
    from hermes.ops.lock import HomeLock

NO_HOME, NOT_EMPTY = "no_home", "home_not_empty"
DATABASE = "gateway.db"


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--quick", is_flag=True, help="Without files that people have sent (cache/) and without checkpoints/."
)
@home_option
@json_option
def backup(file: Path | None, quick: bool, home: Path, as_json: bool) -> None:
    """Save the home to FILE, a new zip; default: backups/hermes-TIME.zip in the home.

    The gateway may run meanwhile. The file holds your tokens and what people wrote: it is for your eyes only (0600). Logs, other
    profiles and what belongs to a run are not in it.
    """
    from hermes.cli.progress import progress
    from hermes.store import saving

    if not home.is_dir():
        raise GatewayError(Failure(NO_HOME, scope="gateway", detail=f"there is no home at {home}"))
    target = saving.new_file(home) if file is None else file.absolute()
    saved = saving.save(target, home, _version(), partial(progress, "Saving"), quick=quick)
    if as_json:
        document = {"file": str(target), "files": len(saved.manifest.files), "bytes": target.stat().st_size}
        print_json(document | {"left_out": saved.left_out, "damaged": saved.damaged})
        return
    for name in saved.left_out:
        click.echo(plain(f"left out, for it is no plain file: {name}"), err=True)
    for name in saved.damaged:
        click.echo(plain(f"damaged, and saved as it is: {name}"), err=True)
    click.echo(plain(f"{target}  {len(saved.manifest.files)} files, {target.stat().st_size:,} bytes"))
    click.echo(plain(f"Back again: hermes restore {shlex.quote(str(target))}"))


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--force",
    is_flag=True,
    help="Although there is something in the home already; it is kept in backups/ there.",
)
@home_option
@json_option
def restore(file: Path | None, force: bool, home: Path, as_json: bool) -> None:
    """Make the home what it was when FILE was saved. Everything in FILE is checked first; the gateway must not run.

    A restore that was broken off in the middle is finished by the next one, which then does nothing else and needs no FILE.
    """
    with _lock(home):
        if restoring.pending(home):
            aside = restoring.finish(home)
            words = "Finished the restore that was broken off."
        elif file is None:
            raise click.UsageError("Missing argument 'FILE': no restore of this home was broken off.")
        else:
            aside = _restored(file, home, force)
            words = f"Restored {home}."
    if was := any(aside.iterdir()):
        words += f" What was there before is in {aside}."
    else:
        aside.rmdir()
    if as_json:
        print_json({"ok": True, "home": str(home), "before": str(aside) if was else None})
        return
    click.echo(plain(words))
    click.echo(plain(f"Next: hermes run --home {shlex.quote(str(home))}"))


def _lock(home: Path) -> "HomeLock":
    from hermes.ops.clock import SystemIds
    from hermes.ops.lock import RESTORE, HomeLock
    from hermes.types.ids import BootId

    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return HomeLock.acquire(home, BootId(SystemIds().token(16)), RESTORE)


def _restored(file: Path, home: Path, force: bool) -> Path:
    from hermes.cli.progress import progress
    from hermes.ops import archive
    from hermes.store.copies import must_know

    with archive.reading(file) as (packed, manifest):
        there = sorted(path.name for path in home.iterdir() if path.name not in manifest.stays)
        if there and not force:
            shown = ", ".join(there[:3]) + (" …" if there[3:] else "")
            detail = f"{home} is in use: it has {shown}. --force puts all of it aside first"
            raise GatewayError(Failure(NOT_EMPTY, scope="gateway", detail=detail))
        try:
            new = restoring.stage(home)
            with progress("Unpacking", manifest.size_bytes) as advance:
                archive.unpack(packed, manifest, new, advance)
            if (new / DATABASE).exists():
                must_know(new / DATABASE)
            restoring.commit(home, f"before-restore-{time.strftime('%Y%m%d-%H%M%S')}", manifest.stays)
        except BaseException:
            if not restoring.pending(home):
                restoring.drop(home)
            raise
    return restoring.finish(home)


def _version() -> str:
    from hermes.cli.version import line

    return line()
