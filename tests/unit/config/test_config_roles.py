"""roles: who is owner and admin, letter by letter, and what is wrong with the section, with the line."""

import pytest

from hermes.config.access import AccessSettings
from hermes.config.load import load
from hermes.config.roles import Listed
from hermes.types.access import AccessRules, Members
from hermes.types.errors import CONFIG_INVALID, GatewayError


def settings(tmp_path, text) -> AccessSettings:
    (tmp_path / "config.yaml").write_text(text)
    return load(tmp_path, {}).access


def rules(tmp_path, text, platform="telegram", account="default") -> AccessRules:
    return settings(tmp_path, text).rules(platform, account)


def faults(tmp_path, text):
    with pytest.raises(GatewayError) as invalid:
        settings(tmp_path, text)
    assert invalid.value.failure.code == CONFIG_INVALID
    return invalid.value.failure.detail.splitlines()


SECTION = """
roles:
  owner: [telegram:123, telegram@work:0124]
  admin: "discord:5, person:5a1be4d2"
  commands:
    user: [/New, stop]
    guest: stop
"""


def test_each_account_has_its_own_members_and_persons_are_everywhere(tmp_path):
    telegram, work, discord = (
        rules(tmp_path, SECTION, *place)
        for place in (("telegram", "default"), ("telegram", "work"), ("discord", "default"))
    )

    assert telegram.owners == Members(frozenset({"123"}))
    assert work.owners == Members(frozenset({"0124"})), "an id is no number"
    assert discord.owners == Members()
    assert discord.admins == Members(frozenset({"5"}), frozenset({"5a1be4d2"}))
    assert telegram.admins == Members(frozenset(), frozenset({"5a1be4d2"}))
    assert telegram.commands == {"user": frozenset({"new", "stop"}), "guest": frozenset({"stop"})}
    assert {one.highest for one in (telegram, work, discord)} == {"owner"}


def test_where_the_lists_of_commands_stand_is_known(tmp_path):
    lists = settings(tmp_path, SECTION).roles.commands

    assert lists["guest"] == Listed(
        frozenset({"stop"}), f"{tmp_path}/config.yaml, line 7: roles.commands.guest"
    )


@pytest.mark.parametrize(
    ("text", "highest"),
    [
        ("", "user"),
        ("roles:", "user"),
        ("roles: {owner: null, commands: {user: null}}", "user"),
        ("roles: {admin: []}", "admin"),
        ("roles: {admin: [telegram:1]}", "admin"),
        ("roles: {commands: {user: [new]}}", "admin"),
        ("roles: {owner: [telegram:1]}", "owner"),
    ],
)
def test_the_highest_role_is_that_of_whom_somebody_has_named(tmp_path, text, highest):
    assert rules(tmp_path, text).highest == highest


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("owner: [ann]", "'ann' is nobody: ids decide"),
        ("owner: ['telegram:']", "is nobody"),
        ("admin: ['telegram:1 2']", "is nobody"),
        ("admin: ['person:']", "a name is 1 to 64 characters"),
        ("admin: {a: b}", "nothing nested"),
        ("owners: [telegram:1]", "unknown key; did you mean owner?"),
        ("commands: {users: [new]}", "unknown role; did you mean user?"),
        ("commands: {admin: [new]}", "unknown role; there are user, guest"),
        ("commands: {user: [[new]]}", "nothing nested"),
    ],
)
def test_every_fault_names_its_line(tmp_path, written, words):
    (fault,) = faults(tmp_path, f"# mine\nroles:\n  {written}\n")

    assert fault.startswith(f"{tmp_path}/config.yaml, line 3: roles.")
    assert words in fault


def test_it_is_no_platform_s_block(tmp_path):
    assert settings(tmp_path, "roles: {owner: [telegram:1]}").platforms == {}


def test_a_section_that_is_no_mapping_is_refused(tmp_path):
    for text in ("roles: [telegram:1]", "roles: owner"):
        (fault,) = faults(tmp_path, text)
        assert fault.startswith(f"{tmp_path}/config.yaml, line 1: roles: ")
