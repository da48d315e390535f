"""Restart policies on the command line: given by ``run --restart``, shown by ``tree --policy``."""

import json
import sys
import types

import pytest
from gateway_double import gateway_on

from hermes.cli import main
from hermes.config.supervision import Policy, Rule
from hermes.types.errors import CONFIG_INVALID, USAGE, Failure, GatewayError
from supervisors.spec import Backoff, ChildSpec, Intensity


def run(capsys, *arguments):
    """Exit code, stdout, stderr."""
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


# --- run --restart --------------------------------------------------------------------------------------------------------


@pytest.fixture
def app(monkeypatch):
    """Stands in for the composition root: records how it was called, and ends as told."""
    made = types.SimpleNamespace(calls=[], error=None)

    def run_gateway(**options):
        made.calls.append(options)
        if made.error is not None:
            raise made.error
        return 0

    module = types.ModuleType("hermes.app")
    module.run, module.SIGNALS = run_gateway, {}
    monkeypatch.setitem(sys.modules, "hermes.app", module)
    return made


def test_the_options_come_after_the_file_at_the_start_and_at_every_reading(tmp_path, capsys, app):
    file = tmp_path / "config.yaml"
    file.write_text("supervision: {root/store: {shutdown: 1}}")
    options = ["--restart", "root/store=permanent", "--restart", "root/gateway/*=transient,intensity=2/9"]

    assert run(capsys, "run", "--home", str(tmp_path), *options)[0] == 0

    (call,) = app.calls
    given = (
        Rule("root/store", Policy("permanent"), "--restart 'root/store=permanent'", flag=True),
        Rule(
            "root/gateway/*",
            Policy("transient", (2, 9.0)),
            "--restart 'root/gateway/*=transient,intensity=2/9'",
            flag=True,
        ),
    )
    in_file = Rule("root/store", Policy(shutdown=1.0), f"{file}, line 1")
    assert call["settings"].config.supervision == (in_file, *given)
    file.unlink()
    assert call["reread"]().config.supervision == given


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["root/a=permanant"], "'root/a=permanant': restart: 'permanant' is none of"),
        (["root/a"], "'root/a': it is not GLOB=POLICY"),
        ([""], "'': it is not GLOB=POLICY"),
        (["root/a=permanent,intensity=x"], "'root/a=permanent,intensity=x': intensity: 'x' is not N/S"),
        (["root/a=permanent,backoff=2..1"], "the minimum is above the maximum"),
        (
            ["root/a=permanent", "root/a=transient"],
            "'root/a=transient': there is a policy for root/a already, --restart 'root/a=permanent'",
        ),
    ],
)
def test_a_bad_option_is_quoted_and_is_exit_code_2(tmp_path, capsys, app, options, words):
    given = [part for option in options for part in ("--restart", option)]

    code, out, err = run(capsys, "run", "--home", str(tmp_path), *given)

    assert (code, out) == (2, "")
    assert "Invalid value for '--restart'" in err
    assert words in err
    assert app.calls == []


@pytest.mark.parametrize(("kind", "code"), [(USAGE, 2), (CONFIG_INVALID, 78)])
def test_what_only_the_tree_can_refuse_is_of_the_place_it_was_written_in(tmp_path, capsys, app, kind, code):
    app.error = GatewayError(Failure(kind, "fatal", "gateway", detail="there: root/x matches no actor"))

    ended, out, err = run(capsys, "run", "--home", str(tmp_path))

    assert (ended, out) == (code, "")
    assert "there: root/x matches no actor" in err


def test_a_bad_policy_in_the_file_is_exit_code_78_with_its_line(tmp_path, capsys, app):
    (tmp_path / "config.yaml").write_text("supervision:\n  root/a:\n    restart: never\n")

    code, _, err = run(capsys, "run", "--home", str(tmp_path))

    assert code == 78
    assert f"{tmp_path}/config.yaml, line 3: supervision: 'root/a': restart: 'never' is none of" in err


# --- tree --policy --------------------------------------------------------------------------------------------------------


async def idle(ctx: object) -> None:
    """The start of a child that no test here ever runs."""


def node(path: str, spec: ChildSpec, *children: object) -> dict:
    return {
        "path": path,
        "name": spec.id,
        "state": "running",
        "incarnation": 1,
        "restarts": 0,
        "uptime_s": 61.0,
        "mailbox": None,
        "last_error": None,
        "next_start_in_s": None,
        "policy": spec.policy(),
        "children": list(children),
    }


SET = ChildSpec(
    "set",
    idle,
    restart="transient",
    intensity=Intensity(2, 9.0, "escalate"),
    backoff=Backoff(1.0, 2.5, 3.0, 4.0),
    shutdown=float("inf"),
    stall_s=30.0,
    overridden=("backoff", "factor", "intensity"),
)
TREE = {
    "as_of": 1_800_000_000.0,
    "boot_id": "b",
    "live": True,
    "root": node(
        "root",
        ChildSpec("root", idle),
        node("root/plain", ChildSpec("plain", idle)),
        node("root/set", SET),
    ),
}


def test_the_policy_is_one_line_in_the_notation_of_the_option_and_what_was_set_is_marked(tmp_path, capsys):
    with gateway_on(tmp_path, {"tree": TREE}):
        code, out, err = run(capsys, "tree", "--policy", "--home", str(tmp_path))

    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "root  running",
        "├── plain  running  permanent, intensity=5/60, on_exceeded=disable, backoff=0.1..30, shutdown=5, on_stuck=abandon",
        "└── set  running  transient, intensity=2/9*, on_exceeded=escalate, backoff=1..2.5*, factor=3*, on_stuck=abandon,"
        " stall=30",
        "",
        "* set in the configuration or by --restart; all else is built in",
    ]


def test_with_json_it_is_the_same_document(tmp_path, capsys):
    with gateway_on(tmp_path, {"tree": TREE}):
        code, out, _ = run(capsys, "tree", "--policy", "--json", "--home", str(tmp_path))

    assert (code, json.loads(out)) == (0, TREE)


@pytest.mark.parametrize("policy", [None, {}, [], "x", {"restart": "\x1b[31m", "overridden": 5}])
def test_a_last_known_tree_that_somebody_has_written_over_is_shown_for_what_it_is(tmp_path, capsys, policy):
    document = {**TREE, "root": node("root", SET, {**node("root/set", SET), "policy": policy})}
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "tree.json").write_text(json.dumps(document))

    code, out, _ = run(capsys, "tree", "--policy", "--home", str(tmp_path))

    assert code == 3
    assert "\x1b" not in out
    assert out.splitlines()[1].startswith("└── set  running")
