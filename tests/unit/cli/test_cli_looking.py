"""``tree --watch``, ``top``, ``dump`` and ``adapter`` in front of a gateway double."""

import io
import json

import pytest
from gateway_double import gateway_on
from rich.console import Console
from test_cli_commands import STATUS, TREE, node, run

from hermes.cli import tree
from hermes.cli.top import table
from hermes.ops.control import frames
from hermes.ops.lock import prepare_home

ADAPTERS = "root/gateway/adapters"


def drawn(what, width=200):
    out = io.StringIO()
    Console(file=out, width=width, highlight=False).print(what)
    return [line.rstrip() for line in out.getvalue().splitlines()]


# --- tree --------------------------------------------------------------------------------------------------------------


def test_an_actor_tells_all_that_is_known_of_it():
    told = tree.facts(
        node(
            "root/x",
            incarnation=3,
            restarts=2,
            restarts_in_window=1,
            mailbox={"used": 4, "peak": 9, "capacity": 64, "control": 0, "oldest_s": 61.0},
            current={"message": "Wake", "for_s": 5.2},
            next_start_in_s=7.0,
        )
    )

    assert told == (
        "#3, up 1 min, 2 restarts (1 lately), mailbox 4/64, oldest 1 min, peak 9, Wake for 5 s, next start in 7 s"
    )


def test_an_actor_that_is_down_is_not_up():
    assert tree.facts(node("root/x", uptime_s=None, next_start_in_s=7.0)) == "#1, next start in 7 s"


def test_a_subtree_is_asked_for_by_its_path(tmp_path, capsys):
    part = TREE | {"root": TREE["root"]["children"][1]}
    with gateway_on(tmp_path, {"tree": lambda args: frames.ok(1, part if args else TREE)}) as asked:
        code, out, _ = run(capsys, "tree", "root/gateway", "--home", str(tmp_path))

    assert (code, asked[0].args) == (0, {"path": "root/gateway"})
    assert out.startswith("gateway  running")


def test_a_watched_tree_fits_the_window_and_says_what_it_leaves_out(tmp_path):
    children = [node(f"root/{number:03}") for number in range(100)]
    wide = TREE | {"root": node("root", *children)}
    with gateway_on(tmp_path, {"tree": wide}):
        lines = drawn(tree._Watch(tmp_path, "root", tree.facts).frame(20))

    assert len(lines) <= 20
    assert "84 more actors" in lines[0]
    assert lines[2].startswith("root  running")


def test_a_watched_tree_has_one_line_an_actor_however_long_its_error(tmp_path):
    long = TREE | {"root": node("root", node("root/x", last_error="e" * 500))}
    with gateway_on(tmp_path, {"tree": long}):
        lines = drawn(tree._Watch(tmp_path, "root", tree.facts).frame(20), width=60)

    assert len(lines) == 4
    assert lines[-1].endswith("…")


def test_a_watched_gateway_may_be_gone_hang_and_come_back(tmp_path):
    watch = tree._Watch(tmp_path, "root", tree.facts)
    prepare_home(tmp_path)
    assert drawn(watch.frame(20)) == [f"nothing runs on {tmp_path}"]

    (tmp_path / "run" / "tree.json").write_text(json.dumps(TREE))
    lines = drawn(watch.frame(20))
    assert "last known tree, as of" in lines[0]
    assert lines[2].startswith("root  running")

    with gateway_on(tmp_path, {"tree": TREE}):
        assert "Ctrl-C" in drawn(watch.frame(20))[0]
    lines = drawn(watch.frame(20))
    assert lines[0].startswith("nothing runs on")
    assert lines[2].startswith("root  running")

    with gateway_on(tmp_path, {"tree": lambda _: None}):
        assert "hung up" in drawn(watch.frame(20))[0]


def test_a_watched_part_that_is_not_there_is_said_to_be_so(tmp_path):
    refuse = lambda _: frames.error(1, "no_such_actor", "there is no actor at root/x")  # noqa: E731
    with gateway_on(tmp_path, {"tree": refuse}):
        assert drawn(tree._Watch(tmp_path, "root/x", tree.facts).frame(20)) == ["there is no actor at root/x"]


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["tree", "--watch"], "--json"),
        (["tree", "--watch", "--json"], "--watch is for people"),
        (["top"], "--once"),
    ],
)
def test_drawing_without_a_terminal_is_refused(tmp_path, capsys, arguments, hint):
    code, out, err = run(capsys, *arguments, "--home", str(tmp_path))

    assert (code, out) == (2, "")
    assert hint in err


# --- top ---------------------------------------------------------------------------------------------------------------

TOP = {
    "as_of": 1_800_000_000.0,
    "boot_id": "b",
    "by": "mailbox",
    "over_s": 1.0,
    "of": 2,
    "actors": [
        node(
            "root/store",
            busy=0.256,
            restarts=3,
            restarts_in_window=1,
            mailbox={"used": 2, "peak": 5, "capacity": 64, "control": 1},
            current={"message": "Wa\x1bke", "for_s": 2.0},
        ),
        node("root", busy=0.0, current=None),
    ],
}


def test_top_is_a_table_in_the_gateway_s_order(tmp_path, capsys):
    with gateway_on(tmp_path, {"top": TOP}) as asked:
        code, out, _ = run(capsys, "top", "--once", "--by", "mailbox", "-n", "2", "--home", str(tmp_path))

    assert code == 0
    assert asked[0].args == {"by": "mailbox", "count": 2, "over_s": 1.0}
    assert [line.split() for line in out.splitlines()] == [
        ["busy", "mailbox", "peak", "restarts", "lately", "up", "state", "doing", "actor"],
        ["26%", "3/64", "5", "3", "1", "1", "min", "running", "Wa�ke", "2", "s", "root/store#1"],
        ["0%", "–", "–", "0", "0", "1", "min", "running", "root#1"],
    ]


def test_top_says_how_many_more_there_are_unless_told_how_many_to_show(tmp_path, capsys):
    with gateway_on(tmp_path, {"top": TOP | {"of": 1_234}}) as asked:
        _, _, more = run(capsys, "top", "--once", "--home", str(tmp_path))
        _, _, told = run(capsys, "top", "--once", "-n", "2", "--home", str(tmp_path))

    assert asked[0].args["count"] == 20
    assert (more, told) == ("1,232 more actors; -n 1000 shows more\n", "")


def test_top_as_json_is_the_document(tmp_path, capsys):
    with gateway_on(tmp_path, {"top": TOP}):
        code, out, _ = run(capsys, "top", "--json", "--home", str(tmp_path))

    assert (code, json.loads(out)) == (0, TOP)


def test_a_narrow_top_keeps_its_lines():
    long = TOP | {"actors": [node("root/" + "x" * 300, busy=0.0, current=None)]}

    assert len(drawn(table(long), width=80)) == 2


# --- dump --------------------------------------------------------------------------------------------------------------

DUMP = {
    "as_of": 1_800_000_000.0,
    "boot_id": "b",
    "live": True,
    "node": node("root/store"),
    "stacks": [{"task": "root/store#1", "lines": ["store.py:7 run"]}],
    "mailboxes": {"root/store": {"control": {}, "user": {"Wake": 2}}},
    "letters": [{"message": "Wake", "why": "the mailbox was full", "count": 1_200}],
    "events": [
        {
            "at": 1_800_000_000.0,
            "kind": "exited",
            "path": "root/store",
            "incarnation": 1,
            "detail": {"reason": "OSError: \x1bno", "decision": "restart"},
        },
        {"at": 1_800_000_000.0, "kind": "started", "path": "root/store", "incarnation": 2, "detail": {}},
    ],
    "bodies": None,
}


def test_a_dump_is_readable_and_shows_stacks_and_bodies_on_demand(tmp_path, capsys):
    with gateway_on(tmp_path, {"dump": DUMP}) as asked:
        code, plain, _ = run(capsys, "dump", "root/store", "--home", str(tmp_path))
        stacks = run(capsys, "dump", "root/store", "--stacks", "--home", str(tmp_path))[1]

    assert code == 0
    assert [request.args for request in asked] == [{"path": "root/store", "bodies": False}] * 2
    assert plain.startswith("store  running  #1")
    assert "  root/store  2 Wake (user)" in plain
    assert "  1,200 × Wake: the mailbox was full" in plain
    assert "exited    root/store#1  OSError: �no, restart" in plain
    assert "store.py:7" not in plain
    assert "Messages" not in plain
    assert "    store.py:7 run" in stacks

    bodies = {"current": "Wake(1)", "control": [], "user": ["Wake(2)"], "letters": []}
    with gateway_on(tmp_path, {"dump": DUMP | {"bodies": bodies}}) as asked:
        out = run(capsys, "dump", "root/store", "--bodies", "--home", str(tmp_path))[1]
    assert asked[0].args["bodies"] is True
    assert "  current: Wake(1)\n  user: Wake(2)" in out


def test_a_dump_as_json_has_stacks_on_demand(tmp_path, capsys):
    with gateway_on(tmp_path, {"dump": DUMP}):
        without = run(capsys, "dump", "--json", "--home", str(tmp_path))[1]
        stacks = run(capsys, "dump", "--json", "--stacks", "--home", str(tmp_path))[1]

    assert json.loads(without) == DUMP | {"stacks": None}
    assert json.loads(stacks) == DUMP


# --- adapter -----------------------------------------------------------------------------------------------------------


def test_adapters_are_listed_with_what_they_suffer_from(tmp_path, capsys):
    with gateway_on(tmp_path, {"status": STATUS}):
        code, out, _ = run(capsys, "adapter", "list", "--home", str(tmp_path))
        listed = run(capsys, "adapter", "list", "--json", "--home", str(tmp_path))[1]

    assert (code, out) == (
        0,
        "webchat:default  connected\ntelegram:work  backoff  unreachable: no route (7 times in a row)\n",
    )
    assert json.loads(listed) == {"adapters": STATUS["adapters"]}


def test_one_adapter_in_full(tmp_path, capsys):
    path = f"{ADAPTERS}/telegram:work"
    part = node(
        ADAPTERS, node(path, restarts=7, restarts_in_window=2, next_start_in_s=30.0, last_error="no route")
    )
    with gateway_on(tmp_path, {"status": STATUS, "tree": TREE | {"root": part}}):
        code, out, _ = run(capsys, "adapter", "status", "telegram:work", "--home", str(tmp_path))
        shown = run(capsys, "adapter", "status", "telegram:work", "--json", "--home", str(tmp_path))[1]

    assert code == 0
    assert out.splitlines() == [
        "telegram:work  backoff  unreachable: no route (7 times in a row)",
        f"actor     {path}, incarnation 3",
        "up        1 min",
        "received  9 s ago",
        "restarts  7, 2 of them lately",
        "tries     again in 30 s",
        "failed    no route",
    ]
    assert json.loads(shown)["next_start_in_s"] == 30.0


def test_the_status_of_an_unknown_adapter_names_the_known_ones(tmp_path, capsys):
    with gateway_on(tmp_path, {"status": STATUS}):
        code, _, err = run(capsys, "adapter", "status", "telegram", "--home", str(tmp_path))

    assert code == 1
    assert "webchat:default, telegram:work" in err


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_an_adapter_is_steered_by_name(tmp_path, capsys, verb):
    result = STATUS["adapters"][0] | {"state": "paused"}
    with gateway_on(tmp_path, {f"adapter_{verb}": result}) as asked:
        code, out, _ = run(capsys, "adapter", verb, "webchat", "--home", str(tmp_path))

    assert (code, out, asked[0].args) == (0, "webchat:default  paused\n", {"adapter": "webchat"})


@pytest.mark.parametrize(
    "command",
    [["dump"], ["top", "--once"], ["adapter", "list"], ["adapter", "status", "x"], ["adapter", "pause", "x"]],
)
def test_with_nothing_running_the_exit_code_is_3(tmp_path, capsys, command):
    code, out, err = run(capsys, *command, "--home", str(tmp_path))

    assert (code, out) == (3, "")
    assert str(tmp_path) in err


def test_top_in_a_narrow_terminal_cuts_the_path_and_no_figure():
    path = "root/gateway/sessions/agent:main:telegram:dm:99"
    narrow = {**TOP["actors"][0], "restarts": 1_234, "state": "starting", "uptime_s": 3_540.0, "path": path}

    head, line = drawn(table({"actors": [narrow]}), width=80)

    assert head.split() == ["busy", "mailbox", "peak", "restarts", "lately", "up", "state", "doing", "actor"]
    assert {"1,234", "starting", "59", "min"} <= set(line.split())
    assert line[head.index("actor") :].startswith("…")
    assert line.endswith("dm:99#1")
