"""The command line in front of a gateway double: output, exit codes, errors as words and as JSON."""

import errno
import io
import json
import sys
import types

import pytest
from gateway_double import gateway_on

from hermes.cli import main
from hermes.ops.control import frames
from hermes.ops.lock import HomeLock, prepare_home
from hermes.ops.proc import process
from hermes.ops.takeover import Claim
from hermes.types.errors import CONFIG_INVALID, HOME_HELD, HOME_UNUSABLE, STORE_NEWER, Failure, GatewayError


def node(name, *children, path=None, **facts):
    path = path or name
    return {
        "path": path,
        "name": name.rpartition("/")[2],
        "kind": "supervisor" if children else "worker",
        "state": "running",
        "incarnation": 1,
        "restarts": 0,
        "restarts_in_window": 0,
        "uptime_s": 61.0,
        "mailbox": None,
        "last_error": None,
        "next_start_in_s": None,
        "policy": {},
        "children": list(children),
    } | facts


TREE = {
    "as_of": 1_800_000_000.0,
    "boot_id": "b",
    "live": True,
    "root": node(
        "root",
        node("root/store", mailbox={"used": 2, "peak": 3, "capacity": 64, "control": 0}),
        node(
            "root/gateway",
            node(
                "root/gateway/web",
                state="backoff",
                restarts=2,
                next_start_in_s=1.5,
                last_error="OSError: \x1b[31mno",
            ),
        ),
    ),
}

STATUS = {
    "state": "running",
    "pid": 42,
    "boot_id": "b",
    "version": "0.1.0",
    "home": "/h",
    "port": 8642,
    "uptime_s": 7300.0,
    "loop_lag_ms": 0.4,
    "adapters": [
        {
            "platform": "webchat",
            "account": "default",
            "state": "connected",
            "incarnation": 1,
            "receive_age_s": None,
            "failure": None,
        },
        {
            "platform": "telegram",
            "account": "work",
            "state": "backoff",
            "incarnation": 3,
            "receive_age_s": 9.0,
            "failure": {"code": "unreachable", "severity": "transient", "detail": "no route", "times": 7},
        },
    ],
    "counts": {"received": 1200, "answered": 1199, "pending": 1},
    "outbox": {"prepared": 0, "sending": 0, "unknown": 2},
    "sessions": {"known": 3, "active": 1, "busy": None},
    "store": None,
    "down": [],
}


def run(capsys, *arguments):
    """Exit code, stdout, stderr."""
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_tree_shows_one_actor_a_line(tmp_path, capsys):
    with gateway_on(tmp_path, {"tree": TREE}):
        code, out, err = run(capsys, "tree", "--home", str(tmp_path))

    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "root  running  #1, up 1 min",
        "├── store  running  #1, up 1 min, mailbox 2/64, peak 3",
        "└── gateway  running  #1, up 1 min",
        "    └── web  backoff  #1, up 1 min, 2 restarts, next start in 2 s  OSError: �[31mno",
    ]


def test_tree_as_json_is_the_document(tmp_path, capsys):
    with gateway_on(tmp_path, {"tree": TREE}):
        code, out, _ = run(capsys, "tree", "--json", "--home", str(tmp_path))

    assert (code, json.loads(out)) == (0, TREE)


def test_tree_of_a_path_is_that_part(tmp_path, capsys):
    with gateway_on(tmp_path, {"tree": TREE}):
        code, out, _ = run(capsys, "tree", "root/gateway", "--json", "--home", str(tmp_path))

    assert code == 0
    assert json.loads(out)["root"] == TREE["root"]["children"][1]


def test_tree_of_an_unknown_path_fails_with_a_hint(tmp_path, capsys):
    with gateway_on(tmp_path, {"tree": TREE}):
        code, out, err = run(capsys, "tree", "root/nobody", "--home", str(tmp_path))

    assert (code, out) == (1, "")
    assert "root/nobody" in err
    assert "hermes tree" in err


def test_tree_of_a_gateway_that_has_none_yet(tmp_path, capsys):
    with gateway_on(tmp_path, {"tree": TREE | {"root": None}}):
        code, out, err = run(capsys, "tree", "--home", str(tmp_path))

    assert (code, out) == (1, "")
    assert "not up yet" in err


def test_with_nothing_running_tree_shows_the_last_known_one_and_says_so(tmp_path, capsys):
    prepare_home(tmp_path)
    (tmp_path / "run" / "tree.json").write_text(json.dumps(TREE))

    code, out, err = run(capsys, "tree", "--home", str(tmp_path))
    assert code == 3
    assert out.startswith("root  running")
    assert "last known tree" in err
    assert "no gateway runs" in err

    code, out, err = run(capsys, "tree", "--json", "--home", str(tmp_path))
    assert code == 3
    assert json.loads(out) == TREE | {"live": False}
    assert json.loads(err)["error"]["type"] == "not_running"


@pytest.mark.parametrize("left", [None, "", "{", "[]", "{}", '{"root": null}', '{"root": {"path": "root"}}'])
def test_without_a_readable_last_tree_it_just_says_not_running(tmp_path, capsys, left):
    prepare_home(tmp_path)
    if left is not None:
        (tmp_path / "run" / "tree.json").write_text(left)

    code, out, err = run(capsys, "tree", "--home", str(tmp_path))
    assert (code, out) == (3, "")
    assert "no gateway runs" in err


def test_status_is_readable(tmp_path, capsys):
    with gateway_on(tmp_path, {"status": STATUS}):
        code, out, _ = run(capsys, "status", "--home", str(tmp_path))

    assert code == 0
    assert out.splitlines() == [
        "running  version 0.1.0, process 42, port 8642",
        "home      /h",
        "up        2 h, loop lag 0.4 ms",
        "adapter   webchat:default  connected",
        "adapter   telegram:work  backoff  unreachable: no route (7 times in a row)",
        "messages  1,200 received, 1,199 answered, 1 pending",
        "outbox    0 prepared, 2 unknown",
        "sessions  3 known, 1 active, – busy",
    ]


def test_status_of_a_gateway_that_is_only_starting(tmp_path, capsys):
    starting = STATUS | {
        "state": "starting",
        "port": None,
        "uptime_s": None,
        "loop_lag_ms": None,
        "adapters": [],
    }
    starting |= {"counts": None, "outbox": None, "sessions": None}
    with gateway_on(tmp_path, {"status": starting}):
        code, out, _ = run(capsys, "status", "--home", str(tmp_path))

    assert code == 0
    assert out.splitlines()[0] == "starting  version 0.1.0, process 42, no web server"
    assert "messages  –" in out


def test_status_as_json_is_the_document(tmp_path, capsys):
    with gateway_on(tmp_path, {"status": STATUS}):
        code, out, _ = run(capsys, "gateway", "status", "--json", "--home", str(tmp_path))

    assert (code, json.loads(out)) == (0, STATUS)


def test_restart_names_the_path_and_both_incarnations(tmp_path, capsys):
    result = {"path": "root/store", "old_incarnation": 3, "incarnation": 4}
    with gateway_on(tmp_path, {"restart": result}) as asked:
        code, out, _ = run(capsys, "restart", "root/store", "--home", str(tmp_path))

    assert (code, out) == (0, "root/store: incarnation 3 → 4\n")
    assert asked[0].args == {"path": "root/store"}


def test_restart_without_a_path_waits_until_the_process_is_back(tmp_path, capsys):
    old, new = STATUS | {"boot_id": "b1"}, STATUS | {"boot_id": "b2", "pid": 7}
    looks = iter([old, None, new | {"state": "starting"}, new])

    def status(_):
        seen = next(looks)
        return seen and frames.ok(1, seen)

    with gateway_on(tmp_path, {"restart_process": {"pid": 7, "boot_id": "b1"}, "status": status}):
        code, out, _ = run(capsys, "restart", "--json", "--home", str(tmp_path))

    back = {"path": "root", "old_boot_id": "b1", "boot_id": "b2", "pid": 7}
    assert (code, json.loads(out)) == (0, back)
    assert next(looks, None) is None


def test_a_restart_that_is_answered_first_is_waited_for(tmp_path, capsys):
    begun = {"path": "root/control", "old_incarnation": 1, "incarnation": None}
    lives = iter([1, None, 2])

    def tree(_):
        life = next(lives)
        return life and frames.ok(
            1, TREE | {"root": TREE["root"] | {"path": "root/control", "incarnation": life}}
        )

    with gateway_on(tmp_path, {"restart": begun, "tree": tree}):
        code, out, _ = run(capsys, "restart", "root/control", "--json", "--home", str(tmp_path))

    assert (code, json.loads(out)) == (0, begun | {"incarnation": 2})


def test_a_usage_error_as_json_hints_at_the_help_of_its_command(tmp_path, capsys):
    for arguments, command in (
        (["chat", "--timeout", "x"], "hermes chat"),
        (["adapter", "pause"], "hermes adapter pause"),
        (["nope"], "hermes"),
    ):
        code, _, err = run(capsys, *arguments, "--json")
        assert (code, json.loads(err)["error"]["hint"]) == (2, f"{command} --help")


@pytest.mark.parametrize("command", ["tree", "dump", "restart"])
def test_a_path_that_is_quoted_in_an_error_does_nothing_to_the_terminal(tmp_path, capsys, command):
    def refuse(args):
        return frames.error(1, "no_such_actor", f"there is no actor at {args['path']}")

    with gateway_on(tmp_path, {"tree": refuse, "dump": refuse, "restart": refuse}):
        code, _, err = run(capsys, command, "root/\x1b[2J\r\x07x", "--home", str(tmp_path))

    assert (code, err.splitlines()[0]) == (1, "hermes: there is no actor at root/�[2J��x")


def test_a_usage_error_does_nothing_to_the_terminal_either(capsys):
    code, _, err = run(capsys, "version", "\x1b\x07x")

    assert (code, "��x" in err) == (2, True)


def test_web_link_prints_nothing_but_the_link(tmp_path, capsys):
    with gateway_on(tmp_path, {"web_link": {"url": "http://127.0.0.1:1/#code"}}):
        assert run(capsys, "web", "link", "--home", str(tmp_path)) == (0, "http://127.0.0.1:1/#code\n", "")


@pytest.mark.parametrize("command", [["status"], ["stop"], ["restart"], ["web", "link"]])
def test_with_nothing_running_the_exit_code_is_3(tmp_path, capsys, command):
    code, out, err = run(capsys, *command, "--home", str(tmp_path))
    assert (code, out) == (3, "")
    assert str(tmp_path) in err

    code, out, err = run(capsys, *command, "--json", "--home", str(tmp_path))
    assert (code, out) == (3, "")
    error = json.loads(err)
    assert error["ok"] is False
    assert error["error"].keys() == {"type", "message", "hint"}
    assert error["error"]["type"] == "not_running"


def test_a_refusal_is_exit_code_1_with_the_gateway_s_words(tmp_path, capsys):
    refuse = {
        "restart_process": lambda _: frames.error(1, "starting", "the gateway is starting", "try again")
    }
    with gateway_on(tmp_path, refuse):
        code, _, err = run(capsys, "restart", "--json", "--home", str(tmp_path))

    assert code == 1
    assert json.loads(err)["error"] == {
        "type": "starting",
        "message": "the gateway is starting",
        "hint": "try again",
    }


@pytest.mark.parametrize("arguments", [["nonsense"], ["tree", "--nonsense"], ["run", "--port", "x"], ["web"]])
def test_wrong_usage_is_exit_code_2(capsys, arguments):
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert "Usage" in err

    code, out, err = run(capsys, *arguments, "--json")
    assert (code, out) == (2, "")
    assert json.loads(err)["error"]["type"] == "usage"


@pytest.mark.parametrize("arguments", [["--help"], ["tree", "--help"], ["gateway", "run", "--help"]])
def test_help_is_exit_code_0(capsys, arguments):
    code, out, _ = run(capsys, *arguments)

    assert code == 0
    assert out.startswith("Usage: hermes")


@pytest.mark.parametrize("arguments", [["--version"], ["version"]])
def test_the_version_is_one_line(capsys, arguments):
    from importlib.metadata import version

    assert run(capsys, *arguments) == (0, f"hermes {version('hermes-trio')}\n", "")


def test_the_home_comes_from_the_environment(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))

    assert str(tmp_path) in run(capsys, "status")[2]


@pytest.fixture
def app(monkeypatch):
    """Stands in for the composition root: records how it was called, and ends as told."""
    calls = []
    ending = {"code": 0}

    def run_gateway(**options):
        calls.append(options)
        if isinstance(ending["code"], GatewayError):
            raise ending["code"]
        return ending["code"]

    module = types.ModuleType("hermes.app")
    module.run = run_gateway
    monkeypatch.setitem(sys.modules, "hermes.app", module)
    return types.SimpleNamespace(calls=calls, ending=ending)


@pytest.mark.parametrize(("options", "verbosity"), [([], 0), (["-v"], 1), (["-vv"], 2), (["-q"], -1)])
def test_run_hands_over_home_settings_and_verbosity(tmp_path, capsys, app, options, verbosity):
    (tmp_path / "other.yaml").write_text("web: {host: localhost}")
    given = ["--home", str(tmp_path), "--config", str(tmp_path / "other.yaml"), "--port", "0", *options]

    assert run(capsys, "gateway", "run", *given)[0] == 0
    (call,) = app.calls
    assert (call["home"], call["verbosity"]) == (tmp_path, verbosity)
    web = call["settings"].config.web
    assert (web.host, web.port) == ("localhost", 0)


def test_run_with_replace_names_whom_it_means_before_all_else(tmp_path, capsys, app):
    prepare_home(tmp_path / "home")
    home = ["--home", str(tmp_path / "home")]
    with HomeLock.acquire(tmp_path / "home", "old"):
        assert run(capsys, "gateway", "run", "--replace", *home)[0] == 0
    assert run(capsys, "run", "--replace", *home)[0] == 0
    assert run(capsys, "run", *home)[0] == 0

    assert [call["replace"] for call in app.calls] == [Claim(process()), Claim(None), None]


def test_run_hands_over_who_may_speak_at_the_start_and_at_every_reading(tmp_path, capsys, app, monkeypatch):
    monkeypatch.setenv("TELEGRAM_ALLOWED_USERS", "7")

    assert run(capsys, "run", "--home", str(tmp_path))[0] == 0

    (call,) = app.calls
    monkeypatch.setenv("TELEGRAM_ALLOWED_USERS", "8")
    assert call["settings"].access.rules("telegram").allowed == {"7"}
    assert call["reread"]().access.rules("telegram").allowed == {"8"}


@pytest.mark.parametrize("code", [0, 1, 70, 75, 78, 130])
def test_run_exits_with_the_code_of_the_gateway(tmp_path, capsys, app, code):
    app.ending["code"] = code

    assert run(capsys, "run", "--home", str(tmp_path))[0] == code


@pytest.mark.parametrize(
    ("failure", "code"),
    [(HOME_HELD, 1), (HOME_UNUSABLE, 78), (STORE_NEWER, 78), (CONFIG_INVALID, 78), ("other", 1)],
)
def test_run_maps_a_failure_to_its_exit_code(tmp_path, capsys, app, failure, code):
    app.ending["code"] = GatewayError(Failure(failure, detail="words that help"))

    assert run(capsys, "run", "--home", str(tmp_path)) == (code, "", "hermes: words that help\n")


def test_run_with_a_wrong_configuration_starts_nothing_and_exits_with_78(tmp_path, capsys, app):
    (tmp_path / "config.yaml").write_text("web: {port: x}")
    code, _, err = run(capsys, "run", "--home", str(tmp_path))

    assert code == 78
    assert f"{tmp_path}/config.yaml, line 1: web.port" in err
    assert app.calls == []


@pytest.mark.parametrize("command", [["run"], ["status"], ["web", "link"]])
def test_an_empty_home_is_refused_and_not_the_working_directory(tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)

    code, _, err = run(capsys, *command, "--home", "")

    assert (code, "--home" in err) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_under_stdout_is_an_error_in_words(capsys, monkeypatch):
    class Full(io.StringIO):
        def write(self, text):
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", Full())
        code = main(["version"])

    assert (code, capsys.readouterr().err) == (1, "hermes: No space left on device\n")


def test_what_the_system_refuses_names_the_file_as_json_too(tmp_path, capsys):
    missing = str(tmp_path / "no.zip")

    code, _, err = run(capsys, "restore", missing, "--home", str(tmp_path / "home"))
    assert (code, err) == (1, f"hermes: {missing}: No such file or directory\n")

    code, _, err = run(capsys, "restore", missing, "--home", str(tmp_path / "home"), "--json")
    error = json.loads(err)["error"]
    assert (code, error["type"]) == (1, "os_error")
    assert error["message"] == f"{missing}: No such file or directory"
