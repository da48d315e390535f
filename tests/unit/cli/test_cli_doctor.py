"""``hermes doctor``: each check where all is well and where something is not, what it mends, and what it says."""

import fcntl
import json
import os
import socket
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from gateway_double import gateway_on

from hermes.cli import main, service
from hermes.cli.checks import ASKING, CHECKS, configured, files, installation, probes, running
from hermes.cli.checks.scene import Check, Finding, Scene
from hermes.cli.doctor import examined
from hermes.config.load import load
from hermes.ops import disk, unit
from hermes.ops.proc import this_process
from hermes.plugins.builtin import entries
from hermes.registry import probing
from hermes.registry.registry import PlatformRegistry
from hermes.store.schema import open_writer
from hermes.types.errors import GatewayError

GONE = {"pid": 2**22 + 1, "start_time": 1, "kind": "hermes-gateway", "argv": []}
TOKEN = "123:abc-def"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir(mode=0o700)
    return made


def scene(home: Path, config: str = "", environ: Mapping[str, str] | None = None, **known: Any) -> Scene:
    variables = {"HERMES_GATEWAY_LOCK_DIR": str(home.parent / "locks"), "TZ": "UTC", **(environ or {})}
    if config:
        (home / "config.yaml").write_text(config)
        (home / "config.yaml").chmod(0o600)
    try:
        settings, faults = load(home, variables), ()
    except GatewayError as wrong:
        settings, faults = None, tuple(wrong.failure.detail.splitlines())
    return Scene(home, variables, PlatformRegistry(entries()), settings, faults, **known)


def found(check: Check, *arguments: Any, **known: Any) -> list[Finding]:
    return list(check(scene(*arguments, **known)))


def test_a_new_home_has_nothing_wrong_with_it(home: Path) -> None:
    assert [said.finding for said in examined(scene(home), CHECKS, fix=False)] == []


def test_no_check_has_the_name_of_another() -> None:
    names = [name for name, _ in (*CHECKS, *ASKING)]
    assert len(set(names)) == len(names)


# --- the program ------------------------------------------------------------------------------------------------------


def test_another_distribution_with_one_of_our_packages_is_named() -> None:
    ours = {name: ["hermes-trio"] for name in installation.PACKAGES}
    assert list(installation.foreign(ours)) == []

    (one,) = installation.foreign({**ours, "actors": ["hermes-trio", "actors-lib"]})

    assert one.level == "problem"
    assert "actors-lib" in one.what
    assert one.run.endswith("-m pip uninstall actors-lib")


def test_a_dependency_that_is_not_there_is_named() -> None:
    assert list(installation.absent(["trio>=0.30", "nobody-has-this; extra == 'x'"])) == []
    (one,) = installation.absent(["nobody-has-this>=1"])
    assert one.what == "nobody-has-this is not installed"


# --- the home ---------------------------------------------------------------------------------------------------------


def test_S26_what_others_may_read_is_named_and_mended(home: Path) -> None:
    (home / ".env").write_text("A=b\n")
    (home / ".env").chmod(0o644)
    (home / "logs").mkdir(mode=0o700)
    (home / "logs").chmod(0o755)
    (home / "run").symlink_to("/etc")

    before = found(files.permissions, home)
    assert [(one.level, one.where) for one in before] == [
        ("warning", str(home / "logs")),
        ("problem", str(home / ".env")),
    ]
    assert before[1].run == f"chmod 600 {home / '.env'}"

    for one in before:
        one.mend()
    assert found(files.permissions, home) == []
    assert stat.S_IMODE((home / ".env").stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "logs").stat().st_mode) == 0o700


def test_a_disk_that_is_nearly_full_is_a_problem(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(files.space, home) == []
    monkeypatch.setattr(disk, "read", lambda _path: disk.Space(50 * disk.MB, 100_000 * disk.MB))
    (one,) = found(files.space, home)
    assert (one.level, one.what) == ("problem", "the disk is nearly full: 50 MB left")


def test_a_long_log_of_the_database_is_seen(home: Path) -> None:
    open_writer(home / "gateway.db").close()
    assert found(files.space, home) == []
    with open(home / "gateway.db-wal", "wb") as log:
        log.truncate(files.LONG_LOG_BYTES + 1)
    (one,) = found(files.space, home)
    assert (one.level, one.run) == ("warning", "hermes restart")


def test_a_damaged_database_and_a_newer_one_are_problems(home: Path) -> None:
    path = home / "gateway.db"
    open_writer(path).close()
    assert found(files.database, home) == []

    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 9999")
    connection.close()
    assert "use a newer program" in found(files.database, home)[0].what

    path.write_bytes(b"not a database at all" * 500)
    (one,) = found(files.database, home)
    assert one.level == "problem"
    assert "cp -a" in one.run


def test_AC40_a_holder_that_does_not_answer_is_a_problem_and_a_name_of_nobody_is_mended(home: Path) -> None:
    (home / "gateway.pid").write_text(json.dumps(GONE))
    (one,) = found(files.held, home)
    assert one.level == "warning"
    one.mend()
    assert not (home / "gateway.pid").exists()
    assert found(files.held, home) == []

    with open(home / "gateway.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(json.dumps({**this_process(), "kind": "hermes-gateway"}))
        lock.flush()
        (theirs,) = found(files.held, home)
        assert f"another program's gateway (process {os.getpid()})" in theirs.what
        lock.seek(0)
        lock.write(json.dumps({**this_process(), "kind": "hermes-gateway", "boot_id": "b"}))
        lock.flush()
        (ours,) = found(files.held, home, silence="it hangs")
        assert ours.what == f"the gateway (process {os.getpid()}) does not answer: it hangs"
        assert found(files.held, home, status={}) == []  # it answers


def test_AC40_a_token_lock_of_the_dead_is_emptied_and_no_other_is_touched(home: Path) -> None:
    locks = home.parent / "locks"
    locks.mkdir()
    dead, alive = locks / "x-1.lock", locks / "x-2.lock"
    dead.write_text(json.dumps(GONE))
    alive.write_text(json.dumps(this_process()))

    (one,) = found(files.token_locks, home)

    assert one.where == str(dead)
    with open(dead) as holder:  # by somebody whose name is not in it yet
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError):
            one.mend()
    one.mend()
    assert dead.read_bytes() == b""
    assert alive.read_bytes()
    assert found(files.token_locks, home) == []


# --- what is written --------------------------------------------------------------------------------------------------


def test_settings_that_cannot_be_used_are_problems_and_keys_that_nobody_reads_are_warnings(
    home: Path,
) -> None:
    assert found(configured.settings, home) == []
    (wrong,) = found(configured.settings, home, "web: {port: many}\n")
    assert wrong.level == "problem"
    assert "config.yaml" in wrong.what
    (unread,) = found(configured.settings, home, "web: {prot: 1}\n")
    assert unread.level == "warning"
    assert "did you mean web.port?" in unread.what


def test_S25_a_server_for_others_without_a_good_key_is_a_problem(home: Path) -> None:
    others = "web: {host: 0.0.0.0}\n"
    assert found(configured.exposure, home, others) == []  # the API is off
    assert found(configured.exposure, home, others, {"API_SERVER_KEY": "3f9a7c1e5b2d80643f9a7c1e"}) == []
    assert found(configured.exposure, home, "web: {host: 127.0.0.1}\n", {"API_SERVER_KEY": "short"}) == []
    (one,) = found(configured.exposure, home, others, {"API_SERVER_KEY": "short"})
    assert (one.level, one.where) == ("problem", "API_SERVER_KEY")


def test_a_port_that_somebody_else_has_is_told_unless_we_have_it(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        config = f"web: {{port: {taken}}}\n"
        (one,) = found(configured.port, home, config)
        assert one.level == "problem"
        assert str(taken) in one.what
        assert found(configured.port, home, config, status={}) == []
    assert found(configured.port, home, config) == []


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"TELEGRAM_ALLOWED_USERS": "1"}, None),
        ({}, "nobody may speak yet: write to it, and let yourself in"),
        ({"TELEGRAM_ALLOW_ALL_USERS": "true"}, "everybody may speak, and use what the agent can do"),
        ({"UNAUTHORIZED": "1"}, "nobody may speak, and a stranger hears nothing"),
    ],
)
def test_who_may_speak(home: Path, environ: dict[str, str], words: str | None) -> None:
    config = (
        "platforms: {telegram: {unauthorized_dm_behavior: ignore}}\n" if "UNAUTHORIZED" in environ else ""
    )
    said = found(configured.people, home, config, {"TELEGRAM_BOT_TOKEN": TOKEN, **environ})
    assert [one.what for one in said] == ([words] if words else [])


def test_a_machine_without_a_time_zone_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "realpath", lambda _path: "/etc/localtime")
    assert found(configured.zone, home) == []  # TZ
    assert found(configured.zone, home, "timezone: Europe/Berlin\n", {"TZ": ""}) == []
    (home / "config.yaml").unlink()
    assert found(configured.zone, home, "", {"TZ": ""})[0].run == "hermes config set timezone Europe/Berlin"


def test_a_unit_of_another_version_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit, "SYSTEM_UNITS", home.parent / "etc")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home.parent / "config"))
    path, text = service.wanted_unit("user", home)
    assert found(configured.unit, home) == []
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert found(configured.unit, home) == []
    path.write_text(text.replace("KillSignal", "# KillSignal"))
    (one,) = found(configured.unit, home)
    assert one.run == f"hermes service install --user --home {home}"


def test_a_plug_in_that_is_not_used_is_a_problem_with_its_reason(home: Path) -> None:
    path = home / "plugins" / "dice"
    path.mkdir(parents=True, mode=0o700)
    (path / "plugin.yaml").write_text("version: 1\n")
    (path / "__init__.py").write_text("def register(context): pass\n")
    assert found(configured.plugins, home) == []
    row = {"name": "dice", "state": "unavailable", "reason": "it needs numpy", "source": "x"}
    (one,) = found(configured.plugins, home, plugins=(row,))
    assert one.what == "plug-in dice is not used: it needs numpy"
    (path / "__init__.py").write_text("def register(:")
    assert found(configured.plugins, home)[0].what.startswith("plug-in dice is not used: ")


# --- a gateway that runs ----------------------------------------------------------------------------------------------

STATUS: dict[str, Any] = {
    "pid": 7,
    "version": installation.version("hermes-trio"),
    "store": None,
    "down": [],
    "counts": {"unaccounted": 0},
    "worst_loop_lag_ms": 3.0,
    "storm": None,
    "settings": {"problem": None, "needs_restart": []},
    "backlog": [],
    "adapters": [{"platform": "telegram", "account": "default", "state": "connected", "failure": None}],
}


@pytest.mark.parametrize(
    ("change", "level", "words", "run"),
    [
        ({}, "", "", ""),
        ({"store": "no space left"}, "problem", "takes no writes", "df -h"),
        ({"down": ["root/gateway/web"]}, "problem", "does not come back", "hermes restart root/gateway/web"),
        ({"down": ["root/gateway/adapters/x:default"]}, "", "", ""),  # the adapter speaks for itself
        (
            {"counts": {"unaccounted": 2}},
            "problem",
            "2 messages are unaccounted",
            "hermes dump --json > dump.json",
        ),
        ({"counts": None}, "", "", ""),
        ({"version": "0.0.0"}, "warning", "it runs version 0.0.0", "hermes restart"),
        ({"worst_loop_lag_ms": 4_000.0}, "warning", "held it up for 4.0 s", "hermes top"),
        ({"storm": {"starts": 4, "wait_s": 9}}, "problem", "4 starts in a row", "hermes crashes list"),
        (
            {"settings": {"problem": "line 3", "needs_restart": []}},
            "problem",
            "line 3",
            "hermes config check",
        ),
        (
            {"settings": {"problem": None, "needs_restart": ["web"]}},
            "warning",
            "restart: web",
            "hermes restart",
        ),
    ],
)
def test_what_a_gateway_says_of_itself(
    home: Path, change: dict[str, Any], level: str, words: str, run: str
) -> None:
    said = found(running.gateway, home, status={**STATUS, **change})
    if not level:
        assert said == []
        return
    (one,) = said
    assert (one.level, one.run) == (level, run)
    assert words in one.what


@pytest.mark.parametrize(
    ("state", "run"),
    [
        ("connected", ""),
        ("listening", ""),
        ("paused", ""),
        ("starting", ""),
        ("stale", "hermes adapter status telegram:default"),
        ("backoff", "hermes adapter status telegram:default"),
        ("disabled", "hermes adapter resume telegram:default"),
        ("unavailable", "hermes adapter resume telegram:default"),
    ],
)
def test_adapters_that_are_not_well(home: Path, state: str, run: str) -> None:
    failure = {"code": "conflict", "detail": "another poller"}
    one = {"platform": "telegram", "account": "default", "state": state, "failure": failure}
    said = found(running.adapters, home, status={**STATUS, "adapters": [one]})
    assert [(it.what, it.run) for it in said] == (
        [(f"it is {state}: conflict: another poller", run)] if run else []
    )


def test_what_does_not_get_out(home: Path) -> None:
    one = {
        "platform": "telegram",
        "account": "default",
        "open": 3,
        "oldest_age_s": 700.0,
        "late": True,
        "dead": 2,
    }
    late, dead = found(running.backlog, home, status={**STATUS, "backlog": [one]})
    assert (late.level, late.what) == ("problem", "3 messages wait, the oldest for 12 min")
    assert (dead.level, dead.run) == ("warning", "hermes outbox list --state dead")
    well = {**one, "late": False, "dead": 0}
    assert found(running.backlog, home, status={**STATUS, "backlog": [well]}) == []
    for check in (running.gateway, running.adapters, running.backlog):
        assert found(check, home) == []  # none runs


# --- the network ------------------------------------------------------------------------------------------------------


class Server:
    """Answers as Telegram and as a model's server would."""

    def __init__(self) -> None:
        self.status, self.body, self.date, self.asked = 200, b"{}", time.time(), []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append((self.path, self.headers.get("authorization")))
                self.send_response_only(outer.status)
                self.send_header("date", formatdate(outer.date, usegmt=True))
                self.send_header("content-length", str(len(outer.body)))
                self.end_headers()
                self.wfile.write(outer.body)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self.do_GET()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def telegram(home: Path, server: Server) -> list[Finding]:
    config = f"platforms: {{telegram: {{extra: {{base_url: {server.url}/bot}}}}}}\n"
    return found(probes.platforms, home, config, {"TELEGRAM_BOT_TOKEN": TOKEN})


def test_a_token_is_proved_by_one_question(home: Path, server: Server) -> None:
    server.body = json.dumps({"ok": True, "result": {"id": 1, "username": "us"}}).encode()
    assert telegram(home, server) == []
    assert server.asked == [(f"/bot{TOKEN}/getMe", None)]


def test_S23_a_token_that_is_refused_is_a_problem_and_stands_in_no_word(home: Path, server: Server) -> None:
    server.status = 401
    server.body = json.dumps({"ok": False, "error_code": 401, "description": "Unauthorized"}).encode()
    (one,) = telegram(home, server)
    assert (one.level, one.where) == ("problem", "telegram:default")
    assert "Unauthorized" in one.what
    server.close()
    (gone,) = telegram(home, server)
    assert TOKEN not in f"{one}{gone}"


def test_a_clock_that_is_wrong_is_seen_by_what_a_platform_says(home: Path, server: Server) -> None:
    server.body = json.dumps({"ok": True, "result": {"id": 1}}).encode()
    server.date = time.time() - 3600
    (one,) = telegram(home, server)
    assert (one.level, one.where) == ("problem", "this machine")
    assert "ahead, by what telegram:default says" in one.what


@pytest.mark.parametrize(
    ("date", "late_s"),
    [
        ("Thu, 01 Jan 1970 00:16:40 GMT", None),
        ("Thu, 01 Jan 1970 00:17:40 GMT", -60),
        ("Thu, 01 Jan 1970 00:15:40 GMT", 60),
        ("", None),
        ("yesterday", None),
    ],
)
def test_by_how_much_a_clock_is_wrong(date: str, late_s: float | None) -> None:
    assert probes.behind(date, 1000.0) == late_s


MODELS = json.dumps({"data": [{"id": "m"}, {"id": "tall:latest"}]}).encode()


@pytest.mark.parametrize(
    ("name", "status", "level", "words"),
    [
        ("m", 200, "", ""),
        ("tall", 200, "", ""),
        ("n", 200, "warning", "it has no model n, but m, tall:latest"),
        ("m", 401, "problem", "401"),
        ("m", 503, "problem", "503"),
    ],
)
def test_the_model_s_server_is_asked_once_with_the_key(
    home: Path, server: Server, name: str, status: int, level: str, words: str
) -> None:
    server.status, server.body = status, MODELS
    config = f"model: {{provider: custom, base_url: {server.url}/v1, default: {name}, api_key: sk-hidden}}\n"
    said = found(probes.model, home, config)
    assert [one.level for one in said] == ([level] if level else [])
    assert all(words in one.what for one in said)
    assert server.asked == [("/v1/models", "Bearer sk-hidden")]


def test_S23_what_is_said_holds_no_secret_though_a_server_repeats_it(
    home: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.status, server.body = 401, b'{"error": {"message": "sk-hidden-and-long is no key"}}'
    config = (
        f"model: {{provider: custom, base_url: {server.url}/v1, default: m, api_key: sk-hidden-and-long}}\n"
    )
    (home / "config.yaml").write_text(config)
    (home / "config.yaml").chmod(0o600)
    assert main(["doctor", "--home", str(home)]) == 1
    out = capsys.readouterr().out
    assert "is no key" in out
    assert "sk-hidden-and-long" not in out


def test_a_model_that_nobody_has_set_is_not_asked(home: Path) -> None:
    assert found(probes.model, home) == []


def test_one_platform_s_probe_that_raises_or_hangs_says_so(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_setup: object) -> Any:
        raise ValueError("oops")

    async def hangs(_setup: object) -> Any:
        import trio

        await trio.sleep_forever()

    monkeypatch.setattr(probing, "PROBE_S", 0.01)
    for probe, words in (
        (broken, "probe_failed: ValueError: oops"),
        (hangs, "unreachable: no answer within 0.01 s"),
    ):
        at = scene(home, "", {"TELEGRAM_BOT_TOKEN": TOKEN})
        at.registry.register(replace(at.registry.get("telegram"), probe=probe))
        (one,) = probes.platforms(at)
        assert one.what == words


# --- the command ------------------------------------------------------------------------------------------------------

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], home: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("HERMES_GATEWAY_LOCK_DIR", str(home.parent / "locks"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home.parent / "config"))
    monkeypatch.setenv("TZ", "UTC")

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["doctor", "--offline", *arguments, "--home", str(home)])
        return code, *capsys.readouterr()

    return run


def test_the_command_names_what_where_and_the_next_command_and_mends(run: Run, home: Path) -> None:
    (home / ".env").write_text("A=b\n")
    (home / ".env").chmod(0o644)

    code, out, _ = run()
    assert code == 1
    (line,) = (one for one in out.splitlines() if not one.startswith("✓"))
    path = home / ".env"
    assert (
        line
        == f"✗ permissions: {path}: other users of this machine may look into it  → run: chmod 600 {path}"
    )

    code, out, _ = run("--fix")
    assert code == 0
    assert f"✓ permissions: {path}: other users of this machine may look into it; mended" in out
    code, out, _ = run()
    assert (code, out.splitlines()) == (0, [f"✓ {name}" for name, _ in CHECKS])


def test_the_document(run: Run, home: Path) -> None:
    (home / ".env").write_text("A=b\n")
    (home / ".env").chmod(0o644)
    code, out, _ = run("--json")
    document = json.loads(out)
    assert (code, document["ok"]) == (1, False)
    assert document["checks"] == [name for name, _ in CHECKS]
    assert document["findings"] == [
        {
            "check": "permissions",
            "level": "problem",
            "what": "other users of this machine may look into it",
            "where": str(home / ".env"),
            "run": f"chmod 600 {home / '.env'}",
            "mendable": True,
            "not_mended": None,
        }
    ]


def test_a_gateway_that_runs_is_asked(run: Run, home: Path) -> None:
    ill = {**STATUS, "down": ["root/gateway/web"]}
    with gateway_on(home, {"status": ill, "plugins_list": {"plugins": []}}) as asked:
        code, out, _ = run()
    assert [one.verb for one in asked] == ["status", "plugins_list"]
    assert code == 1
    assert "✗ gateway: root/gateway/web: it is down" in out


def test_a_check_that_fails_is_a_problem_and_the_others_go_on(home: Path) -> None:
    def broken(_scene: Scene) -> list[Finding]:
        raise RuntimeError("oops")

    said = list(examined(scene(home), (("one", broken), ("two", files.permissions)), fix=False))
    assert [(one.check, one.finding.what) for one in said] == [
        ("one", "it could not be looked at: RuntimeError: oops")
    ]


def test_what_cannot_be_mended_says_why(home: Path) -> None:
    def refuses() -> None:
        raise PermissionError(1, "Operation not permitted")

    def one(_scene: Scene) -> list[Finding]:
        return [Finding("problem", "it is ill", mend=refuses)]

    (said,) = examined(scene(home), (("one", one),), fix=True)
    assert (said.level, said.mended) == ("problem", "Operation not permitted")


def test_a_home_that_is_not_there_is_not_well(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["doctor", "--offline", "--home", str(tmp_path / "mistyped")]) == 1

    assert f"there is no home at {tmp_path / 'mistyped'} yet" in capsys.readouterr().err
