"""Names of chats: looked up by the rules of §7, and kept in a file of the original's shape."""

import pytest

from hermes.delivery.directory import NotFound, document, find, label, merged, read_aliases, read_document
from hermes.types.channels import Channel

GENERAL = Channel("1", "general", "channel", guild="Acme")
OTHER = Channel("2", "general", "channel", guild="Umbrella")
TEAM = Channel("-100", "Team", "group")
TOPIC = Channel("-100", "Team / topic 7", "group", "7")
ALICE = Channel("111", "Alice", "dm")
NUMBER = Channel("5", "111", "group")
ALL = (GENERAL, OTHER, TEAM, TOPIC, ALICE, NUMBER)
ALIASES = {"2": "ops", "111": "boss"}


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("111", ALICE),  # an id before a name
        ("-100:7", TOPIC),
        ("Alice", ALICE),
        ("@ALICE", ALICE),
        ("#alice", ALICE),
        ("team", TEAM),  # the whole name before the beginning of another
        ("Team / Topic 7", TOPIC),
        ("acme/general", GENERAL),
        ("#Umbrella/general", OTHER),
        ("Umbrella/#general", OTHER),
        ("ops", OTHER),
        ("boss", ALICE),
        ("al", ALICE),
        ("bo", ALICE),
        ("team /", TOPIC),
    ],
)
def test_a_name_is_looked_up_in_the_order_of_the_rules(name, found):
    assert find(ALL, name, ALIASES) == found


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("general", "general is the name of several chats: Acme/general (1), ops (2); write the id"),
        ("nobody", "no chat is known by the name nobody"),
        ("#", "no chat is known"),
        ("te", "several chats: Team (-100), Team / topic 7 (-100:7)"),
    ],
)
def test_no_chat_and_several_are_errors_that_say_so(name, words):
    with pytest.raises(NotFound) as error:
        find(ALL, name, ALIASES)
    assert words in str(error.value)


def test_only_some_of_many_candidates_are_named():
    many = [Channel(str(number), "room") for number in range(9)]
    with pytest.raises(NotFound) as error:
        find(many, "room")
    assert "(4), …;" in str(error.value)
    assert "(5)" not in str(error.value)


def test_a_chat_from_two_sources_is_listed_once_and_has_a_name_if_one_knows_it():
    assert merged([Channel("1", "", "dm")], [Channel("1", "Ann", "dm"), ALICE], [Channel("111", "Else")]) == (
        Channel("1", "Ann", "dm"),
        ALICE,
    )


def test_the_label_is_the_users_own_name_before_the_platforms():
    assert [label(one, ALIASES) for one in (GENERAL, OTHER, ALICE, TEAM)] == [
        "Acme/general",
        "ops",
        "boss",
        "Team",
    ]


def test_the_file_has_the_originals_shape_and_reads_back():
    directory = {"telegram": (TOPIC, ALICE), "discord@work": (GENERAL,)}
    written = document(directory, 0.0)
    assert written["updated_at"] == "1970-01-01T00:00:00+00:00"
    assert written["platforms"]["telegram"] == [
        {"id": "-100:7", "name": "Team / topic 7", "type": "group", "thread_id": "7"},
        {"id": "111", "name": "Alice", "type": "dm", "thread_id": None},
    ]
    assert written["platforms"]["discord@work"][0]["guild"] == "Acme"
    assert read_document(written) == directory


def test_entries_that_are_none_are_left_out_of_what_is_read():
    found = {"platforms": {"telegram": [None, {}, {"id": None}, {"id": 5, "name": 7, "guild": ""}], "x": "y"}}
    assert read_document(found) == {"telegram": (Channel("5"),)}
    assert read_aliases({"Telegram": {"1": " Ann ", "2": 3, "4": " "}, "x": []}) == {"telegram": {"1": "Ann"}}


@pytest.mark.parametrize("nonsense", [None, [], {}, {"platforms": []}, "text"])
def test_what_is_no_directory_at_all_is_an_error(nonsense):
    with pytest.raises(ValueError, match="it holds no"):
        read_document(nonsense)


def test_aliases_that_are_no_map_are_an_error():
    with pytest.raises(ValueError, match="it holds no"):
        read_aliases([])
