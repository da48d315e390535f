"""The home as files: who may read it, whether there is room, whether the database is sound, and who holds it."""

import fcntl
import os
import shlex
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from hermes.cli.checks.scene import Finding, Scene, problem, warning
from hermes.cli.offline import DATABASE
from hermes.config.dotenv import NAME as DOTENV
from hermes.config.paths import CONFIG_NAME, LEGACY_NAME
from hermes.ops import disk, pidfile
from hermes.ops.disk import MB
from hermes.ops.files import open_private
from hermes.ops.holder import holder
from hermes.ops.json_files import read_json
from hermes.ops.proc import process
from hermes.ops.scoped_lock import lock_directory
from hermes.store.direct import STORE_OLDER, reading
from hermes.store.upkeep import quick_check, sizes
from hermes.types.errors import GatewayError

PRIVATE_DIRECTORIES = (
    ".",
    "run",
    "logs",
    "pairing",
    "platforms/pairing",
    "crashes",
    "hooks",
    "plugins",
    "cron",
)
PRIVATE_FILES = (DOTENV, CONFIG_NAME, LEGACY_NAME, DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm")
LONG_LOG_BYTES = 256 * MB
"""A write-ahead log that nobody has cut short for long."""

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def permissions(scene: Scene) -> Iterator[Finding]:
    """Nobody else on this machine may read or change what is private."""
    for name in (*PRIVATE_DIRECTORIES, *PRIVATE_FILES):
        path = scene.home / name
        try:
            found = path.stat(follow_symlinks=False)
        except OSError:
            continue  # not there
        if stat.S_ISLNK(found.st_mode):
            continue
        if found.st_uid != os.getuid():
            own = f"sudo chown -R {os.getuid()} {shlex.quote(str(scene.home))}"
            yield problem(f"it belongs to another user ({found.st_uid})", path, own)
        elif found.st_mode & _OTHERS:
            # What lies in it is private by itself; its names are not.
            say, wanted = (warning, 0o700) if stat.S_ISDIR(found.st_mode) else (problem, 0o600)
            yield say(
                "other users of this machine may look into it",
                path,
                f"chmod {wanted:o} {shlex.quote(str(path))}",
                partial(_narrow, path, wanted),
            )


def _narrow(path: Path, mode: int) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def space(scene: Scene) -> Iterator[Finding]:
    """There is room on the disk, and the database's log is no longer than it should be."""
    if not scene.home.exists():
        return
    room = disk.read(scene.home)
    if (level := disk.level(room, "ok")) != "ok":
        say = problem if level == "critical" else warning
        yield say(
            f"the disk is nearly full: {room.free // MB:,} MB left",
            scene.home,
            f"df -h {shlex.quote(str(scene.home))}",
        )
    database = scene.home / DATABASE
    if database.exists() and (log := sizes(database).log) > LONG_LOG_BYTES:
        yield warning(f"the log of the database has {log // MB:,} MB", f"{database}-wal", "hermes restart")


def database(scene: Scene) -> Iterator[Finding]:
    """The database can be read, from one end to the other."""
    path = scene.home / DATABASE
    if not path.exists():
        return
    keep = f"cp -a {shlex.quote(str(path))} {shlex.quote(str(path))}.kept && hermes restart"
    try:
        with reading(path):
            pass
    except GatewayError as wrong:
        if wrong.failure.code != STORE_OLDER:
            yield problem(wrong.failure.detail or wrong.failure.code, path, keep)
            return
    found = quick_check(path)
    if found is None:
        yield warning("it could not be checked in time; it is large, or its disk is slow", path)
    elif found:
        yield problem(f"it is damaged: {found}", path, keep)


def held(scene: Scene) -> Iterator[Finding]:
    """Whoever holds the home answers, and nobody is named who is gone."""
    if scene.status is not None:
        return
    at = shlex.quote(str(scene.home))
    found = holder(scene.home)
    named, _ = read_json(scene.home / pidfile.NAME, pidfile.named, None)
    if found is not None:
        if found.ours:
            words = f"the gateway (process {found.process.pid}) does not answer: {scene.silence or 'nobody listens'}"
        else:
            words = f"another program's gateway (process {found.process.pid}) runs on this home; only one can"
        yield problem(words, scene.home, f"hermes run --replace --home {at}")
    elif scene.silence:
        yield problem(scene.silence, scene.home / "run", f"hermes logs --home {at}")
    elif named is not None:
        yield warning(
            f"it names process {named.pid}, which is gone",
            scene.home / pidfile.NAME,
            f"rm {shlex.quote(str(scene.home / pidfile.NAME))}",
            partial(pidfile.remove, scene.home, named),
        )


def token_locks(scene: Scene) -> Iterator[Finding]:
    """No token is marked as in use by a process that is gone; the original believes what is written there."""
    directory = lock_directory(scene.environ)
    for path in sorted(directory.glob("*.lock")) if directory.is_dir() else ():
        owner, _ = read_json(path, pidfile.named, None)
        if owner is not None and process(owner.pid) != owner:
            words = f"it says that process {owner.pid} uses a token, and that is gone"
            yield warning(words, path, f": > {shlex.quote(str(path))}", partial(_empty, path))


def _empty(path: Path) -> None:
    with open(open_private(path, os.O_RDWR), "rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.truncate(0)
