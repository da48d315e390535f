"""One person's addresses are one name, and no id can break that."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.sessions.whatsapp import canonical, normalise


@pytest.mark.parametrize(
    ("identifier", "normal"),
    [
        ("60123456789@s.whatsapp.net", "60123456789"),
        ("60123456789:47@s.whatsapp.net", "60123456789"),
        ("60123456789@lid", "60123456789"),
        ("+60123456789", "60123456789"),
        ("  +60123456789 ", "60123456789"),
        ("", ""),
        (None, ""),
        ("abc@g.us", "abc"),
        ("++1", "+1"),
    ],
)
def test_an_address_is_reduced_to_its_person(identifier: str | None, normal: str) -> None:
    assert normalise(identifier) == normal


@pytest.mark.parametrize(
    ("identifier", "name"),
    [
        ("++1", "1"),
        ("", ""),
        (None, ""),
        ("@lid", ""),
        ("../../etc", "../../etc"),
        ("a b", "a b"),
        ("１５５５", "１５５５"),
        ("1\x005", "1\x005"),
        ("15551234567\n", "15551234567"),
    ],
)
def test_hostile_ids_stand_for_themselves(identifier: str | None, name: str) -> None:
    assert canonical(identifier, {}) == name
    assert canonical(identifier, {name: "1", name + "_reverse": "1"}) == (
        "1" if name.isalnum() and name.isascii() else name
    )


@pytest.mark.parametrize(
    ("aliases", "name"),
    [
        ({}, "900"),
        ({"900": "1555@s.whatsapp.net"}, "900"),  # the shorter one wins, wherever one comes from
        ({"900": "15"}, "15"),
        ({"900_reverse": "15"}, "15"),
        ({"900": "300@lid"}, "300"),  # of equally long ones the first
        ({"900": "11", "900_reverse": "12"}, "11"),
        ({"900": "800", "800": "70", "70_reverse": "6:3@lid"}, "6"),
        ({"900": "800", "800": "900"}, "800"),
        ({"900": "900"}, "900"),
        ({"900": "a b", "a b": "1"}, "900"),  # not followed
        ({"900": "../1", "../1": "1"}, "900"),
        ({"900": ""}, "900"),
        ({"1": "900"}, "900"),  # the other way round
    ],
)
def test_the_shortest_of_all_that_aliases_lead_to(aliases: dict[str, str], name: str) -> None:
    assert canonical("900@lid", aliases) == name


IDS = st.text("12@:+._/ é\x00", max_size=4)


@given(IDS, st.dictionaries(IDS | IDS.map(lambda name: name + "_reverse"), IDS, max_size=6))
def test_every_id_has_a_name_and_it_is_final(identifier: str, aliases: dict[str, str]) -> None:
    name = canonical(identifier, aliases)

    assert len(name) <= len(normalise(identifier))
    assert (name == "") == (normalise(normalise(identifier)) == "")


@given(st.permutations(["1", "22", "333", "4444", "55555"]))
def test_a_ring_of_aliases_has_one_name(ring: list[str]) -> None:
    aliases = dict(zip(ring, [*ring[1:], ring[0]], strict=True))

    assert {canonical(each, aliases) for each in ring} == {"1"}


def test_a_long_chain_is_no_problem() -> None:
    aliases = {f"9{n:06}": f"9{n + 1:06}" for n in range(50_000)} | {"9050000": "1"}

    assert canonical("9000000", aliases) == "1"
