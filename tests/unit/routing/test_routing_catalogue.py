"""Built-in and quick commands side by side: what is meant, what is refused, and which name is near."""

import pytest

from hermes.config.quick import Program, QuickCommand, Shortcut, read_quick
from hermes.config.roles import Listed
from hermes.routing.access import slash_allowed
from hermes.routing.catalogue import BUILT_IN, Catalogue, checked
from hermes.routing.commands import COMMANDS, PINGS, Typed, find_command
from hermes.types import texts
from hermes.types.access import ROLES, AccessRules
from hermes.types.errors import CONFIG_INVALID, GatewayError


def shortcut(name: str, target: str) -> Shortcut:
    return Shortcut(name, f"file, line of {name}", target)


def program(name: str, role: str = "admin", command: str = "df -h") -> Program:
    return Program(name, f"file, line of {name}", command, role=role)  # type: ignore[arg-type]


def faults(*quick: QuickCommand, **lists: str) -> list[str]:
    listed = {role: Listed(frozenset(names.split()), f"line of {role}") for role, names in lists.items()}
    with pytest.raises(GatewayError) as invalid:
        checked(quick, listed)  # type: ignore[arg-type]
    assert (invalid.value.failure.code, invalid.value.failure.severity) == (CONFIG_INVALID, "fatal")
    return invalid.value.failure.detail.splitlines()


def everything(_: str) -> bool:
    return True


def test_without_quick_commands_it_is_the_built_in_ones() -> None:
    assert BUILT_IN.specs == COMMANDS
    assert BUILT_IN.find("fork") is find_command("branch")
    assert BUILT_IN.resolve(Typed("x", "y", "bot")) == Typed("x", "y", "bot")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (Typed("st", ""), Typed("status", "")),
        (Typed("st", "now", "bot"), Typed("status", "now", "bot")),
        (Typed("gpt", "fast"), Typed("model", "gpt fast")),
        (Typed("g", ""), Typed("model", "gpt")),
        (Typed("d", "/tmp"), Typed("disk", "/home /tmp")),
        (Typed("disk", "x"), Typed("disk", "x")),
        (Typed("new", "x"), Typed("new", "x")),
    ],
)
def test_a_shortcut_is_what_it_stands_for_with_its_arguments_first(typed: Typed, meant: Typed) -> None:
    catalogue = checked(
        (
            shortcut("st", "status"),
            shortcut("gpt", "Model gpt"),
            shortcut("g", "gpt"),
            shortcut("d", "disk  /home"),
            program("disk"),
        ),
        {},
    )
    assert catalogue.resolve(typed) == meant
    assert catalogue.find(typed.name) == catalogue.find(meant.name)


@pytest.mark.parametrize(
    "name", sorted({one for spec in COMMANDS for one in (spec.name, *spec.aliases)} | PINGS)
)
def test_no_quick_command_takes_the_name_of_a_built_in_one(name: str) -> None:
    for one in (program(name), shortcut(name, "disk")):
        assert faults(one, program("disk")) == [
            f"file, line of {name}: quick_commands: {name}: there is a command of that name already, and it stays what it is"
        ]


@pytest.mark.parametrize(
    ("quick", "words"),
    [
        ((shortcut("a", "a"),), ["it stands for itself: /a → /a"]),
        (
            (shortcut("a", "b"), shortcut("b", "a x")),
            ["it stands for itself: /a → /b → /a", "it stands for itself: /b → /a → /b"],
        ),
        (
            (shortcut("a", "b"), shortcut("b", "c"), shortcut("c", "b")),
            [
                "it stands for itself: /a → /b → /c → /b",
                "it stands for itself: /b → /c → /b",
                "it stands for itself: /c → /b → /c",
            ],
        ),
        (
            (shortcut("a", "stauts"),),
            ["it stands for /stauts, and there is no such command; did you mean /status?"],
        ),
        (
            (shortcut("a", "dsk"), program("disk")),
            ["it stands for /dsk, and there is no such command; did you mean /disk?"],
        ),
    ],
)
def test_shortcuts_that_lead_nowhere_are_refused(quick: tuple[QuickCommand, ...], words: list[str]) -> None:
    assert [fault.partition(": quick_commands: ")[2][3:] for fault in faults(*quick)] == words


@pytest.mark.parametrize(
    ("lists", "words"),
    [
        ({"user": "new unod"}, ["line of user: there is no command /unod; did you mean /undo?"]),
        (
            {"guest": "stop restart disk"},
            ["line of guest: /disk is never for guests", "line of guest: /restart is never for guests"],
        ),
        ({"user": "st"}, ["line of user: /st is a shortcut: list /status, which it stands for"]),
    ],
)
def test_lists_of_commands_that_mean_nothing_are_refused(lists: dict[str, str], words: list[str]) -> None:
    assert faults(program("disk"), shortcut("st", "status"), **lists) == words


def test_lists_that_make_sense_are_taken() -> None:
    lists = {
        "user": Listed(frozenset({"restart", "disk", "fork"}), "here"),
        "guest": Listed(frozenset({"stop", "free"}), "here"),
    }
    checked((program("disk"), program("free", "user")), lists)  # type: ignore[arg-type]


def test_help_shows_what_is_run_and_what_is_meant_each_to_who_may() -> None:
    catalogue = checked((program("disk", "user", "df -h `x`\n" + "y" * 100), shortcut("r", "restart")), {})

    assert [spec.name for spec in catalogue.specs][-2:] == ["disk", "r"]
    disk, restart = catalogue.specs[-2:]
    assert (disk.role, restart.role) == ("user", "admin")
    assert restart.summary == "Short for `/restart`"
    assert "\n" not in disk.summary
    assert len(disk.summary) < 80
    assert [spec.name for spec in catalogue.shown(lambda name: name in ("r", "stop"))] == ["stop", "r"]


def test_the_nearest_name_is_one_that_may_be_used_quick_ones_among_them() -> None:
    catalogue = Catalogue({"disk": program("disk")})

    assert "Did you mean /disk?" in catalogue.unknown("dsk", everything)
    assert "Did you mean" not in catalogue.unknown("dsk", lambda name: name != "disk")
    assert "Did you mean /fork?" in catalogue.unknown("frok", everything), "aliases too"
    assert "Did you mean" not in catalogue.unknown("qqqqqq", everything)
    assert "\n" not in catalogue.unknown("stpo", everything)


def test_help_does_not_say_what_a_program_is_run_with() -> None:
    catalogue = checked((program("disk", command="curl -H 'Authorization: Bearer hushhush'"),), {})
    assert [spec.summary for spec in catalogue.specs if spec.name == "disk"] == [texts.RUNS]


def test_S23_a_name_that_nobody_knows_is_quoted_as_data() -> None:
    said = BUILT_IN.unknown("**x** [y](http://z)\n# free", everything)
    assert "`/**x** [y](http://z) # free`" in said
    assert "\n" not in said


def test_S19_a_role_that_is_written_down_holds_where_nobody_is_named_also_behind_an_alias() -> None:
    commands, faults = read_quick(
        {
            "wipe": {"type": "exec", "command": "x", "role": "owner"},
            "disk": {"type": "exec", "command": "df"},
            "w": {"type": "alias", "target": "/wipe"},
        },
        lambda key: ".".join(key),
    )
    assert not faults
    catalogue = checked(commands, {})
    allowed = {
        name: [role for role in ROLES if slash_allowed(name, catalogue.find(name), role, AccessRules(), "dm")]
        for name in ("wipe", "w", "disk")
    }
    assert allowed == {"wipe": ["owner"], "w": ["owner"], "disk": ["user", "admin", "owner"]}
