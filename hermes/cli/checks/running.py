"""What only a gateway that runs can say of itself."""

from collections.abc import Iterator
from importlib.metadata import version

from hermes.cli.checks.installation import DISTRIBUTION
from hermes.cli.checks.scene import Finding, Scene, problem, warning
from hermes.cli.text import duration
from hermes.cli.trouble import store_words

SLOW_LOOP_MS = 1_000.0
WELL = frozenset({"connected", "listening", "paused", "starting"})
ADAPTERS = "root/gateway/adapters/"


def adapters(scene: Scene) -> Iterator[Finding]:
    """Every platform is connected, or somebody has paused it."""
    for one in scene.status["adapters"] if scene.status is not None else ():
        if one["state"] in WELL:
            continue
        name, failure = f"{one['platform']}:{one['account']}", one["failure"]
        why = f": {failure['code']}: {failure['detail']}" if failure else ""
        lasts = one["state"] in {"disabled", "unavailable"}
        run = f"hermes adapter {'resume' if lasts else 'status'} {name}"
        yield problem(f"it is {one['state']}{why}", name, run)


def gateway(scene: Scene) -> Iterator[Finding]:
    """It works, and knows where every message is."""
    status = scene.status
    if status is None:
        return
    where = f"process {status['pid']}"
    if status["store"]:
        yield problem(store_words(status["store"]), where, "df -h")
    for path in status["down"]:
        if not path.startswith(ADAPTERS):
            yield problem("it is down, and does not come back by itself", path, f"hermes restart {path}")
    if status["counts"] and status["counts"]["unaccounted"]:
        words = f"{status['counts']['unaccounted']:,} messages are unaccounted for; that is a bug of ours"
        yield problem(words, where, "hermes dump --json > dump.json")
    if (installed := version(DISTRIBUTION)) != status["version"]:
        words = f"it runs version {status['version']}, and {installed} is installed"
        yield warning(words, where, "hermes restart")
    if (worst := status["worst_loop_lag_ms"]) > SLOW_LOOP_MS:
        words = f"something has held it up for {worst / 1000:,.1f} s; logs/stacks.log may say what"
        yield warning(words, where, "hermes top")
    if status["storm"]:
        yield problem(
            f"{status['storm']['starts']} starts in a row have not lasted", where, "hermes crashes list"
        )
    settings = status["settings"] or {}
    if settings.get("problem"):
        words = f"it goes on with its old settings: {settings['problem']}"
        yield problem(words, where, "hermes config check")
    if settings.get("needs_restart"):
        words = f"it follows after a restart: {', '.join(settings['needs_restart'])}"
        yield warning(words, where, "hermes restart")


def backlog(scene: Scene) -> Iterator[Finding]:
    """What was answered gets out."""
    for one in (scene.status or {}).get("backlog") or ():
        name = f"{one['platform']}:{one['account']}"
        if one["late"]:
            words = f"{one['open']:,} messages wait, the oldest for {duration(one['oldest_age_s'])}"
            yield problem(words, name, "hermes outbox list")
        if one["dead"]:
            yield warning(f"{one['dead']:,} messages were given up", name, "hermes outbox list --state dead")
