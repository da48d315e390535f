"""Strangers get a code and are let in, in the whole tree: what is said, to whom, how often, and what survives what."""

import json
import re
from dataclasses import replace

import pytest
import trio
from test_actors_access import OPEN, access, said
from world import SECRET

from actors import tree
from actors.pairing import LOOK_EVERY_S
from actors.ports.pairing_desk import PairingDesk
from hermes.pairing.book import ANSWER_EVERY_S, CODE_TTL_S, LOCKOUT_S, MOST_FAILURES, Approved, Locked, Wrong
from hermes.pairing.codes import ALPHABET, matches
from hermes.pairing.orders import Approve, ClearPending, Grant, Revoke
from hermes.testing.fakes import EPOCH_S, FakeAdapter
from hermes.types import texts
from hermes.types.errors import GatewayError

CODE = re.compile(rf"hermes pairing approve (\S+) ([{ALPHABET}]{{8}})`")


def code_in(text):
    return CODE.search(text)[2]


def rows(world, file):
    path = world.home / "platforms/pairing" / file
    return json.loads(path.read_text()) if path.exists() else {}


async def meet(world, user="u2", *, at=None, chat=None, **fields):
    """Have a stranger write; what they hear."""
    at, chat = at or world.platform, chat or user
    before = len(at.sent)
    await at.hand_in(
        said(
            "hello",
            f"{user} {trio.current_time()} {at.account}",
            user=user,
            chat=chat,
            account=at.account,
            **fields,
        )
    )
    await world.settle()
    return [sent.part.text for sent in at.sent[before:]]


async def order(world, an_order, name="fake"):
    return await world.services.pairing.carry_out(name, an_order)


async def test_a_stranger_hears_a_code_and_is_in_as_soon_as_it_is_approved(open_world, autojump_clock):
    world = await open_world(capabilities=OPEN)

    (told,) = await meet(world, "u2")
    assert told == texts.PAIRING_CODE.format(name="fake", code=code_in(told))
    outcome = await order(world, Approve(f"  {code_in(told).lower()} "))
    await trio.sleep(1)
    answer = await meet(world, "u2")

    assert isinstance(outcome, Approved)
    assert (outcome.user_id, outcome.chat_id) == ("u2", "u2")
    assert answer == ["hello"]
    assert rows(world, "fake-approved.json").keys() == {"u2"}
    assert world.rows("state, rule, text") == [
        ("denied", "denied:pair", ""),
        ("answered", "answered", "hello"),
    ]


async def test_a_user_hears_one_answer_of_any_kind_in_ten_minutes(open_world, autojump_clock, caplog):
    caplog.set_level("INFO")
    world = await open_world(capabilities=OPEN)

    codes = [await meet(world, user) for user in ("a", "b", "c")]
    full = await meet(world, "d")
    again = [await meet(world, user) for user in ("a", "d")]
    await trio.sleep(ANSWER_EVERY_S)
    later = [await meet(world, user) for user in ("a", "d")]

    assert all(code_in(told) for (told,) in codes)
    assert full == [texts.PAIRING_FULL]
    assert again == [[], []]
    assert later == [[texts.PAIRING_FULL], [texts.PAIRING_FULL]]
    await trio.sleep(CODE_TTL_S)
    assert code_in(*await meet(world, "d"))
    logged = [text.rpartition(" ")[2] for text in caplog.messages if ": denied:" in text]
    assert logged == world.rows("rule")


async def test_groups_and_strangers_beside_a_list_hear_nothing(open_world, autojump_clock):
    world = await open_world(capabilities=OPEN)
    assert await meet(world, "u2", chat="g", chat_type="group", mentions_bot=True) == []
    assert rows(world, "fake-pending.json") == {}


@pytest.mark.parametrize("where", ["environment", "yaml"])
async def test_S06_beside_a_list_strangers_hear_nothing(open_world, autojump_clock, tmp_path, where):
    file = tmp_path / "config.yaml"
    file.write_text("platforms:\n  fake:\n    allow_from: [u1]\n")
    rules = access(file) if where == "yaml" else access(FAKE_ALLOWED_USERS="u1")
    world = await open_world(capabilities=OPEN, access=rules)

    assert await meet(world, "u2") == []
    assert rows(world, "fake-pending.json") == {}


async def test_S01_S04_guesses_are_counted_and_lock_the_account_over_a_restart(open_world, autojump_clock):
    world = await open_world(capabilities=OPEN)
    code = code_in(*await meet(world, "u2"))

    wrong = [await order(world, Approve(f"AAAAAAA{n}")) for n in range(2, 2 + MOST_FAILURES)]
    world.crash(tree.PAIRING)
    after_crash = await order(world, Approve(code))
    await world.kill()
    after_kill = await order(world, Approve(code))
    silence = await meet(world, "u3")
    other = await order(world, Approve(code), "other")

    assert wrong[:-1] == [Wrong(n) for n in range(1, MOST_FAILURES)]
    assert isinstance(wrong[-1], Locked)
    assert after_crash == after_kill == wrong[-1]
    assert silence == []
    assert other == Wrong(1)
    await trio.sleep(LOCKOUT_S)
    assert code_in(*await meet(world, "u3"))


async def test_S10_who_was_paired_is_a_user_and_no_more(open_world, autojump_clock, tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("platforms:\n  fake:\n    allow_admin_from: [boss]\n")
    world = await open_world(capabilities=OPEN, access=access(file))
    await order(world, Grant("u2"))

    assert await meet(world, "u2") == ["hello"]
    await world.platform.hand_in(said("/new", "e9", user="u2", chat="u2"))
    await world.settle()
    assert world.rows("rule")[-1] == "refused:slash_access"


async def test_S11_the_owner_lets_somebody_in_though_a_thousand_senders_take_the_places(
    open_world, autojump_clock
):
    world = await open_world(capabilities=OPEN)
    events = [said("x", f"e{n}", user=f"s{n}", chat=f"s{n}") for n in range(1000)]
    await world.platform.hand_in(*events)
    await world.settle(within_s=3600)
    told = world.platform.texts
    assert len([text for text in told if CODE.search(text)]) == 3
    assert told.count(texts.PAIRING_FULL) == 997

    await order(world, Grant("friend", "A friend"))
    assert await meet(world, "friend") == ["hello"]
    assert await order(world, ClearPending()) == 3
    assert code_in(*await meet(world, "another"))


async def test_each_account_has_its_own_book(open_world, autojump_clock):
    work = FakeAdapter(capabilities=OPEN, account="work")
    world = await open_world(capabilities=OPEN, others=[work])

    (told,) = await meet(world, "u2", at=work)
    code = code_in(told)
    assert CODE.search(told)[1] == "fake@work"
    assert await order(world, Approve(code)) == Wrong(1)
    assert isinstance(await order(world, Approve(code), "fake@work"), Approved)
    assert await meet(world, "u2", at=work) == ["hello"]
    assert code_in(*await meet(world, "u2"))
    assert rows(world, "fake@work-approved.json").keys() == {"u2"}


async def test_who_was_paired_and_writes_first_is_not_denied(open_world, autojump_clock, tmp_path):
    """The judge waits for the files at the first start, however slow they are."""
    place = tmp_path / "pairing"
    place.mkdir()
    (place / "fake-approved.json").write_text('{"u1": {"user_name": "Ann", "approved_at": 1.0}}')
    world = await open_world(capabilities=OPEN, wait=False)
    inline = world.in_pairing_thread

    async def slow(call):
        await trio.sleep(3)
        return await inline(call)

    world.in_pairing_thread = slow
    await world.up()
    await world.platform.receive("hello", chat_type="group")  # there nobody is asked who they are
    await world.settle()

    assert world.heard() == ["hello"]
    assert world.rows("rule") == ["answered"]


async def test_files_that_never_answer_deny_strangers_and_hold_up_nobody_else(open_world, autojump_clock):
    world = await open_world(capabilities=OPEN, wait=False)

    async def never(call):
        await trio.sleep_forever()

    world.in_pairing_thread = never
    await world.up()
    assert await meet(world, "u2") == [texts.PAIRING_TROUBLE]
    assert await meet(world, "u2") == []
    with pytest.raises(GatewayError, match="disk has not answered"):
        await order(world, Grant("u2"))


async def test_while_pairing_is_disabled_strangers_are_denied_and_grants_stay(open_world, autojump_clock):
    world = await open_world(capabilities=OPEN)
    await order(world, Grant("u1"))
    while world.state(tree.PAIRING) != "disabled":
        world.crash(tree.PAIRING)
        await trio.sleep(0.2)

    await world.say("hello")
    await world.settle()
    assert world.heard() == ["hello"]
    assert await meet(world, "u2") == [texts.PAIRING_TROUBLE]
    assert world.rows("rule")[-1] == "denied:pair_trouble"


async def test_what_is_written_by_hand_holds(open_world, autojump_clock):
    """The original's command line writes the files too."""
    world = await open_world(capabilities=OPEN)
    await order(world, Grant("u1"))
    file = world.home / "platforms/pairing/fake-approved.json"

    file.write_text('{"u2": {"user_name": "", "approved_at": 1}}')
    assert await meet(world, "u2") == ["hello"]  # at once: looked at before a stranger is told anything
    file.write_text("{}")
    await trio.sleep(LOOK_EVERY_S)
    assert code_in(*await meet(world, "u2"))


async def test_a_damaged_file_is_never_written_and_puts_nobody_out(open_world, autojump_clock, caplog):
    world = await open_world(capabilities=OPEN)
    await order(world, Grant("u1"))
    damaged = '{"u1": {"user_name'
    file = world.home / "platforms/pairing/fake-approved.json"
    file.write_text(damaged)

    assert await meet(world, "u2") == [texts.PAIRING_TROUBLE]
    with pytest.raises(GatewayError, match=r"fake-approved\.json: not valid JSON") as refused:
        await order(world, Revoke("u1"))
    await world.say("hello")
    await world.settle()

    assert refused.value.failure.code == "pairing_unreadable"
    assert world.heard() == ["hello"]
    assert file.read_text() == damaged
    assert [record.message for record in caplog.records if "no pairing" in record.message] == [
        f"no pairing: {file}: not valid JSON (Unterminated string starting at: line 1 column 9 (char 8));"
        " who was paired before stays so"
    ]
    assert world.state(tree.PAIRING) == "running"
    assert isinstance(await order(world, Grant("u3"), "other"), Approved)


async def test_a_full_disk_fails_in_words_and_changes_nothing(open_world, autojump_clock, monkeypatch):
    world = await open_world(capabilities=OPEN)
    code = code_in(*await meet(world, "u2"))
    before = {path: path.read_bytes() for path in (world.home / "platforms/pairing").iterdir()}

    def full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        assert await meet(world, "u3") == [texts.PAIRING_TROUBLE]
        with pytest.raises(GatewayError, match="No space left on device"):
            await order(world, Approve(code))
        await trio.sleep(ANSWER_EVERY_S)
        assert await meet(world, "u2") == [texts.PAIRING_TROUBLE]

    assert {path: path.read_bytes() for path in (world.home / "platforms/pairing").iterdir()} == before
    assert isinstance(await order(world, Approve(code)), Approved)


async def test_a_kill_between_file_and_commit_makes_a_new_code_and_no_silence(
    open_world, autojump_clock, monkeypatch
):
    world = await open_world(capabilities=OPEN)
    write, dead = world.boot.store.write, []

    async def die(op):
        if type(op).__name__ == "Close" and not dead:
            dead.append(rows(world, "fake-pending.json"))
            world.boot.kill()
        return await write(op)

    monkeypatch.setattr(world.boot.store, "write", die)
    await world.platform.hand_in(said("hello", "e1", user="u2", chat="2"))
    await world.until(lambda: len(world.boots) == 2)
    await world.up()
    await world.until(lambda: bool(world.heard("2")))

    (told,) = world.heard("2")
    ((lost,),) = [list(one) for one in dead]
    (kept,) = rows(world, "fake-pending.json").items()
    assert kept[0] != lost
    assert matches(code_in(told), kept[1]["salt"], kept[1]["hash"])
    assert isinstance(await order(world, Approve(code_in(told))), Approved)


async def test_codes_stand_in_no_log_and_are_erased_once_they_have_arrived(
    open_world, autojump_clock, caplog
):
    caplog.set_level(0)
    world = await open_world(capabilities=OPEN)

    code = code_in(*await meet(world, "u2"))
    await order(world, Approve("AAAAAAAA"))
    await order(world, Approve(code))

    assert world.rows("text, secret", "outbox") == [("", 1)]
    assert code not in caplog.text
    assert code not in repr(Approve(code))
    assert all(code not in path.read_text() for path in world.home.rglob("*.json"))


async def test_S07_the_words_say_what_the_stranger_needs_and_nothing_of_anybody_else(
    open_world, autojump_clock, tmp_path
):
    file = tmp_path / "config.yaml"
    file.write_text(
        "platforms:\n  fake:\n    unauthorized_dm_behavior: pair\n"
        "    allow_from: ['4915550001']\n    allow_admin_from: ['4915550002']\n"
    )
    world = await open_world(capabilities=OPEN, access=access(file))
    await order(world, Grant("4915550003", "A friend"))

    told = [text for user in ("a", "b", "c", "d") for text in await meet(world, user)]

    codes = map(code_in, told[:3])
    assert told == [
        *(texts.PAIRING_CODE.format(name="fake", code=code) for code in codes),
        texts.PAIRING_FULL,
    ]
    assert "491555" not in "".join(told)
    assert SECRET not in "".join(told)


async def test_an_old_message_of_a_stranger_is_not_answered(open_world, autojump_clock):
    world = await open_world(capabilities=OPEN)
    late = replace(said("hello", "e1", user="u2"), sent_at=EPOCH_S - world.config.inbound.max_age_s - 1)

    await world.platform.hand_in(late)
    await world.settle()

    assert world.platform.sent == []
    assert rows(world, "fake-pending.json") == {}


async def test_aliases_are_one_person(open_world, autojump_clock):
    phone = FakeAdapter(capabilities=OPEN, platform="whatsapp")
    world = await open_world(capabilities=OPEN, platform=phone, wait=False)
    world.whatsapp_aliases["999000111222"] = "15551234567"
    await world.up()

    first = said("hi", "e1", user="15551234567@s.whatsapp.net", platform="whatsapp")
    second = said("hi", "e2", user="999000111222@lid", platform="whatsapp")
    await phone.hand_in(first, second)
    await world.settle()
    (told,) = phone.texts
    await order(world, Approve(code_in(told)), "whatsapp")
    await phone.hand_in(replace(second, event_id="e3", text="let me in"))
    await world.settle()

    assert phone.texts[1:] == ["let me in"]


# --- the operator's desk, and deaths in the middle ---------------------------------------------------------------------------


def audit(world):
    return world._store._connection.execute(
        "SELECT actor, action, subject, detail FROM audit ORDER BY audit_id"
    ).fetchall()


async def ask(world, verb, **args):
    return await PairingDesk(world.services).answer(f"pairing_{verb}", args)


async def test_who_was_let_in_is_told_in_their_chat_and_the_act_is_noted(open_world, autojump_clock):
    world = await open_world(capabilities=OPEN)
    (told,) = await meet(world, "u2", chat="77")

    document = await ask(world, "approve", name="FAKE", code=code_in(told))
    await world.settle()
    granted = await ask(world, "grant", name="fake@work", user="u3", user_name="Kim")
    revoked = await ask(world, "revoke", name="fake", user="u2")

    assert document == {
        "platform": "fake", "account": "default", "user_id": "u2", "user_name": "", "chat_id": "77", "told": True,
    }  # fmt: skip
    assert world.heard("77")[1:] == [texts.PAIRED]
    assert (granted["account"], granted["told"]) == ("work", False)
    assert revoked["revoked"] is True
    assert audit(world) == [
        ("operator", "pairing approve", "fake:u2", ""),
        ("operator", "pairing grant", "fake@work:u3", ""),
        ("operator", "pairing revoke", "fake:u2", ""),
    ]


async def test_wrong_expired_and_locked_are_told_apart(open_world, autojump_clock):
    world = await open_world(capabilities=OPEN)
    code = code_in(*await meet(world, "u2"))
    await trio.sleep(CODE_TTL_S + 1)

    codes, words = [], []
    for typed in (code, *["AAAAAAAA"] * 5):
        with pytest.raises(GatewayError) as refused:
            await ask(world, "approve", name="fake", code=typed)
        codes.append(refused.value.failure.code)
        words.append(refused.value.failure.detail)

    assert codes == ["pairing_expired_code", *["pairing_wrong_code"] * 3, *["pairing_locked"] * 2]
    assert words[1] == "that code is wrong, or used already. After 3 more fake is locked for an hour"
    assert not any(code in one for one in words)


async def test_S09_the_list_says_who_of_the_paired_stands_on_a_list_too(open_world, autojump_clock):
    """Taken off the list, they stay in: pairing is a grant of its own."""
    world = await open_world(capabilities=OPEN, access=access(FAKE_ALLOWED_USERS="u1"))
    await ask(world, "grant", name="fake", user="u1", user_name="Ann")
    (before,) = (await ask(world, "list", name=None))["pairing"]
    await world.reload(world.config, access(FAKE_ALLOWED_USERS="u9"))
    (after,) = (await ask(world, "list", name="fake"))["pairing"]

    assert [user["listed"] for user in before["approved"]] == [True]
    assert [user["listed"] for user in after["approved"]] == [False]
    await world.say("hello")
    await world.settle()
    assert world.heard() == ["hello"]
    await ask(world, "revoke", name="fake", user="u1")
    await world.say("hello again")
    await world.settle()
    assert world.heard() == ["hello"]


async def test_the_list_shows_who_waits_by_the_hash_and_never_by_the_code(open_world, autojump_clock):
    world = await open_world(capabilities=OPEN)
    code = code_in(*await meet(world, "u2"))
    (one,) = (await ask(world, "list", name="fake"))["pairing"]
    (row,) = rows(world, "fake-pending.json").values()

    assert one["pending"] == [{
        "code": row["hash"][:8], "user_id": "u2", "user_name": "", "created_at": row["created_at"],
        "expires_at": row["created_at"] + CODE_TTL_S,
    }]  # fmt: skip
    assert code not in str(one)
    assert await ask(world, "clear", name=None) == {"cleared": 1, "by_name": {"fake": 1}}


@pytest.mark.parametrize(
    "args",
    [{}, {"name": 5, "code": "x"}, {"name": "no such/platform", "code": "x"}, {"name": "a@", "code": "x"}],
)
async def test_what_is_no_question_is_refused(open_world, autojump_clock, args):
    world = await open_world(capabilities=OPEN)
    with pytest.raises(GatewayError) as refused:
        await ask(world, "approve", **args)
    assert refused.value.failure.code == "usage"


async def test_a_death_after_the_file_and_before_the_answer_repeats_nothing(open_world, autojump_clock):
    """A stranger's request is given to the next life, and makes a new code; an approval is not, and says that it may be done."""
    world = await open_world(capabilities=OPEN)
    inline, deaths = world.in_pairing_thread, []

    async def die_after(call):
        result = await inline(call)
        if deaths:
            deaths.pop()
            raise RuntimeError("a defect")
        return result

    world.in_pairing_thread = die_after
    world.restart()
    await world.until(lambda: len(world.boots) == 2)
    await world.up()

    deaths.append(1)
    (told,) = await meet(world, "u2")
    assert len(rows(world, "fake-pending.json")) == 1
    deaths.append(1)
    with pytest.raises(GatewayError, match="pairing does not answer"):
        await ask(world, "approve", name="fake", code=code_in(told))
    await world.until(lambda: world.state(tree.PAIRING) == "running")

    assert rows(world, "fake-approved.json").keys() == {"u2"}
    assert "_failures:fake" not in rows(world, "_rate_limits.json")
    assert await meet(world, "u2") == ["hello"]
