"""The menu of commands: what everybody may use, in the form that Telegram takes."""

from actors.ports.commands import Commands
from hermes.config.quick import Program, Shortcut
from hermes.platforms.telegram.commands import menu
from hermes.routing.catalogue import BUILT_IN, checked


def test_it_is_one_that_telegram_takes():
    shown = menu(Commands(BUILT_IN).menu())

    assert 0 < len(shown) <= 100
    assert all(1 <= len(one["description"]) <= 256 for one in shown)
    assert {"restart", "update"}.isdisjoint(one["command"] for one in shown)


def test_quick_commands_are_in_it_whose_role_says_that_they_are_for_everybody():
    quick = (
        Program("disk", "here", "df", role="user"),
        Program("disk-usage", "here", "du", role="user"),
        Program("wipe", "here", "rm"),
        Shortcut("d", "here", "disk /home"),
        Shortcut("again", "here", "restart"),
    )
    shown = [one["command"] for one in menu(Commands(checked(quick, {})).menu())]

    assert shown[-2:] == ["disk", "d"]
    assert {"wipe", "again", "disk-usage"}.isdisjoint(shown)


def test_too_many_are_cut_off_and_long_words_too():
    shown = menu((f"c{number}", "x" * 300) for number in range(200))

    assert len(shown) == 100
    assert len(shown[0]["description"]) == 256
