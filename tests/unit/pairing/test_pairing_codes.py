"""Codes: what they are made of, how they may be typed, what is kept of them."""

import re
from collections import Counter
from hashlib import sha256

import pytest

from hermes.ops.clock import SystemIds
from hermes.pairing.codes import ALPHABET, LENGTH, digest, fresh_code, matches, typed_code
from hermes.testing.fakes import FakeIds


def test_a_code_is_eight_characters_that_nobody_confuses():
    assert ALPHABET == "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    ids = FakeIds()
    codes = [fresh_code(ids) for _ in range(500)]

    assert {len(fresh.code) for fresh in codes} == {LENGTH} == {8}
    assert len({fresh.code for fresh in codes}) == 500
    for place in range(LENGTH):  # every character in every place
        assert set(Counter(fresh.code[place] for fresh in codes)) == set(ALPHABET)


def test_the_real_randomness_gives_a_full_code_with_salt_and_name():
    fresh = fresh_code(SystemIds())
    assert re.fullmatch(f"[{ALPHABET}]{{8}}", fresh.code)
    assert re.fullmatch("[0-9a-f]{32}", fresh.salt)
    assert re.fullmatch("[0-9a-f]{16}", fresh.entry_id)


def test_S05_what_is_kept_is_the_salted_hash_of_the_original():
    fresh = fresh_code(FakeIds(1))
    assert fresh.hash == sha256(bytes.fromhex(fresh.salt) + fresh.code.encode()).hexdigest()
    assert matches(fresh.code, fresh.salt, fresh.hash)
    assert fresh.code not in repr(fresh)


def test_S05_hashes_are_compared_in_constant_time(monkeypatch):
    """Every comparison goes through ``hmac.compare_digest``: an ``==`` in its place would let this pass by."""
    compared = []
    monkeypatch.setattr("hmac.compare_digest", lambda one, other: bool(compared.append((one, other))))
    fresh = fresh_code(FakeIds(1))

    assert not matches(fresh.code, fresh.salt, fresh.hash)
    assert compared == [(fresh.hash.encode(), fresh.hash.encode())]


@pytest.mark.parametrize("typed", ["ABCD2345", "abcd2345", "  AbCd2345\n", "\tabcd2345"])
def test_a_code_may_be_typed_in_any_case_with_white_space_around(typed):
    assert typed_code(typed) == "ABCD2345"


@pytest.mark.parametrize(
    "typed",
    ["", "ABCD234", "ABCD23456", "ABCD 2345", "ABCD234O", "ABCD2340", "АBCD2345", "ABCDſ345", "ＡBCD2345", "A" * 10_000],
)  # fmt: skip
def test_S11_what_is_no_code_is_none(typed):
    """Too short, too long, letters that no code has, homoglyphs of other scripts (ſ is a capital S when it is made one)."""
    assert typed_code(typed) is None


@pytest.mark.parametrize(("salt", "kept"), [("no hex", "ab"), ("ab", "é"), ("ab", ""), ("", "ab")])
def test_a_damaged_row_matches_nothing(salt, kept):
    assert not matches("ABCD2345", salt, kept)


def test_a_salt_is_bytes_and_not_its_hex():
    assert digest("ABCD2345", "00ff") == sha256(b"\x00\xffABCD2345").hexdigest()
