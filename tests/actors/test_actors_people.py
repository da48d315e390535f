"""One person on two platforms: linked from a chat with proof from both sides, or by the operator, and taken apart again."""

import json
import re
from datetime import UTC, datetime
from itertools import count

import pytest
import trio
from world import QUEUE, World

from actors import tree
from actors.ports.people_desk import PeopleDesk
from hermes.config.access import AccessSettings, Setting
from hermes.config.model import Config, Display, Identity
from hermes.store import cron as cron_reads
from hermes.store import people, queries
from hermes.store.people_ops import Link, Side
from hermes.testing.fakes import EPOCH_S, FakeAdapter, FakeAgent, Hang, Reply
from hermes.types import texts
from hermes.types.content import Capabilities
from hermes.types.errors import GatewayError
from hermes.types.events import InboundEvent
from hermes.types.ids import TraceId
from hermes.types.origin import Origin
from hermes.types.people import UserRef

A_KEY, B_KEY = "agent:main:fake:dm:1", "agent:main:other:dm:9"
OWNED = Capabilities(authenticated=True, idempotent_send=True)


class Pair:
    """A world with a person who writes on ``fake`` in chat 1 and on ``other`` in chat 9."""

    def __init__(self, world: World, other: FakeAdapter) -> None:
        self.world, self.other, self._names = world, other, count(1)

    async def a(self, text: str, *, settle: bool = True) -> str:
        """Write on A; returns what is answered last."""
        await self.world.say(text)
        if settle:
            await self.world.settle()
        return self.heard_a[-1] if self.heard_a else ""

    async def b(self, text: str, *, settle: bool = True, chat_id: str = "9", **more) -> str:
        """Write on B."""
        await self.other.receive(text, chat_id, event_id=f"b{next(self._names)}", **more)
        if settle:
            await self.world.settle()
        return self.heard_b[-1] if self.heard_b else ""

    async def code(self, args: str = "") -> str:
        """What A is given."""
        found = re.search(r"\*\*(\w{8})\*\*", await self.a(f"/link{args}"))
        assert found is not None
        return found[1]

    async def join(self) -> None:
        """Link them as people do."""
        assert await self.b(f"/link {await self.code()}") == texts.LINKED.format(platform="fake")

    @property
    def heard_a(self) -> list[str]:
        return self.world.heard()

    @property
    def heard_b(self) -> list[str]:
        return self.other.texts

    def lines(self, key: str) -> list[str]:
        """What was said in the present stretch of a conversation."""
        record = self.world.look(queries.session, key)
        lines = self.world.look(queries.history, key, record.session_id, 99)
        return [line.text for line in lines]

    def persons(self) -> list[list[str]]:
        return [[str(member.ref) for member in person.members] for person in self.world.look(people.persons)]


async def pair(open_world, agent=None, *, capabilities=OWNED, **more) -> Pair:
    other = FakeAdapter("other", capabilities)
    more.setdefault("config", Config(display=QUEUE))
    return Pair(await open_world(agent or FakeAgent(), others=[other], **more), other)


def answered(turn) -> str:
    """The last five lines of the person, as the agent sees them, then what is asked."""
    asked = [event.text for event in turn.events]
    return " | ".join(([line.text for line in turn.history if line.role == "user"] + asked)[-5:])


async def test_two_platforms_are_one_conversation_after_a_code_from_one_on_the_other(
    open_world, autojump_clock
):
    both = await pair(open_world, FakeAgent(otherwise=Reply(answered)))
    await both.b("b0")
    await both.a("a1")
    await both.join()
    assert both.heard_a[-1] == texts.LINKED_THERE.format(user="other:u1")
    assert both.persons() == [["fake:u1", "other:u1"]]
    assert await both.b("b2") == "a1 | b2"
    assert await both.a("a3") == "a1 | b2 | a3"
    assert await both.b("b4") == "a1 | b2 | a3 | b4"
    assert set(both.world.rows("session_key")) == {A_KEY, B_KEY, None}
    assert both.world.look(queries.sessions_known) == 2


async def test_each_side_reads_its_own_answers_and_no_others(open_world, autojump_clock):
    both = await pair(open_world)
    await both.join()
    before = len(both.heard_a), len(both.heard_b)
    for n in range(3):
        await both.a(f"a{n}", settle=False)
        await both.b(f"b{n}", settle=False)
    await both.world.settle()
    assert both.heard_a[before[0] :] == ["a0", "a1", "a2"]
    assert both.heard_b[before[1] :] == ["b0", "b1", "b2"]


@pytest.mark.parametrize("mode", ["interrupt", "queue", "steer", "collect"])
async def test_AC31_messages_of_two_platforms_never_share_a_turn_in_any_busy_mode(
    open_world, autojump_clock, mode
):
    agent = FakeAgent(otherwise=Reply(delay_s=2.0))
    both = await pair(open_world, agent, config=Config(display=Display(busy_input_mode=mode, busy_ack=False)))
    await both.join()
    before = len(both.heard_a), len(both.heard_b)
    for n in range(4):
        await both.a(f"a{n}", settle=False)
        await trio.sleep(0.3)
        await both.b(f"b{n}", settle=False)
        await trio.sleep(0.3)
    await both.world.settle()
    for turn in agent.turns:
        assert len({event.origin.lane for event in turn.events}) == 1
    said_a, said_b = both.heard_a[before[0] :], both.heard_b[before[1] :]
    assert "\n".join(said_a).split("\n") == [f"a{n}" for n in range(4)]
    assert "\n".join(said_b).split("\n") == [f"b{n}" for n in range(4)]
    assert set(both.world.rows("session_key")) <= {A_KEY, None}


async def test_unlink_brings_the_old_conversation_back_and_the_shared_one_stays_with_a(
    open_world, autojump_clock
):
    both = await pair(open_world, FakeAgent(otherwise=Reply(answered)))
    await both.b("old")
    await both.join()
    await both.a("a1")
    await both.b("b1")
    assert await both.b("/unlink") == texts.UNLINKED.format(users="fake:u1")
    assert both.heard_a[-1] == texts.UNLINKED_THERE.format(user="other:u1")
    assert both.persons() == []
    assert await both.b("new") == "old | new"
    assert await both.a("a2") == "a1 | b1 | a2"
    assert await both.b("/unlink") == texts.NOT_LINKED


async def test_who_owns_the_conversation_keeps_it_and_the_other_is_told_where_it_goes_on(
    open_world, autojump_clock
):
    both = await pair(open_world, FakeAgent(otherwise=Reply(answered)))
    await both.b("old")
    await both.join()
    await both.b("b1")
    assert await both.a("/unlink") == texts.UNLINKED_OWNER.format(users="other:u1")
    assert both.heard_b[-1] == texts.UNLINKED_ALONE.format(user="fake:u1")
    assert await both.b("new") == "old | new"
    assert await both.a("a1") == "b1 | a1"


async def test_what_is_open_when_the_link_comes_finishes_where_it_is(open_world, autojump_clock):
    agent = FakeAgent(otherwise=Reply(delay_s=5.0))
    both = await pair(open_world, agent)
    code = await both.code()
    await both.b("slow", settle=False)
    await trio.sleep(1)
    await both.b(f"/link {code}", settle=False)
    await both.b("after", settle=False)
    await both.world.settle()
    assert both.lines(B_KEY) == ["slow", "slow"]
    assert both.lines(A_KEY) == ["after", "after"]
    assert sorted(both.heard_b[-2:]) == ["after", "slow"]


# --- codes that do not work ------------------------------------------------------------------------------------------------


async def failures(both: Pair) -> list[tuple[str, int]]:
    return both.world._store._connection.execute("SELECT platform, failures FROM link_attempts").fetchall()


async def test_a_code_on_the_account_that_asked_for_it_fails_and_counts(open_world, autojump_clock):
    both = await pair(open_world)
    code = await both.code()
    assert await both.a(f"/link {code}") == texts.LINK_REFUSED
    assert await failures(both) == [("fake", 1)]
    assert await both.b(f"/link {code.lower()}") == texts.LINKED.format(platform="fake")


async def test_a_replayed_an_expired_and_a_foreign_code_fail_in_the_same_words_and_count(
    open_world, autojump_clock
):
    both = await pair(open_world)
    used = await both.code()
    await both.b(f"/link {used}")
    await both.b("/unlink")
    expired = await both.code()
    await trio.sleep(601)
    elsewhere = await both.code(" fake")
    for n, code in enumerate((used, expired, elsewhere, "ABCDEFGH"), 1):
        assert await both.b(f"/link {code}") == texts.LINK_REFUSED
        assert await failures(both) == [("other", n)]
    assert both.persons() == []
    assert both.heard_b.count(texts.LINK_REFUSED) == 4


async def test_S04_five_failures_lock_a_users_linking_for_an_hour_also_after_a_kill(
    open_world, autojump_clock
):
    both = await pair(open_world)
    for _ in range(5):
        await both.b("/link ABCDEFGH")
    good = await both.code()
    assert await both.b(f"/link {good}") == texts.LINK_REFUSED
    assert await both.b("/link") == texts.LINK_LOCKED
    await both.world.kill()
    assert await both.b(f"/link {good}") == texts.LINK_REFUSED
    await trio.sleep(3600)
    assert await both.b(f"/link {await both.code()}") == texts.LINKED.format(platform="fake")


async def test_a_stranger_who_has_the_code_is_denied_and_the_code_is_still_good(open_world, autojump_clock):
    access = AccessSettings(platforms={"other": {"allow_from": Setting(frozenset({"u1"}), "a test")}})
    both = await pair(open_world, capabilities=Capabilities(idempotent_send=True), access=access)
    code = await both.code()
    origin = Origin("other", "66", user_id="thief")
    steal = InboundEvent(
        "steal", origin, f"/link {code}", EPOCH_S + trio.current_time(), TraceId("t"), message_id="m"
    )
    await both.other.hand_in(steal)
    await both.world.settle()
    assert both.world.rows("state, text")[-1] == ("denied", "")
    assert both.heard_b == []
    assert await both.b(f"/link {code}") == texts.LINKED.format(platform="fake")


async def test_a_platform_may_be_named_and_one_that_is_not_there_costs_no_try(open_world, autojump_clock):
    both = await pair(open_world)
    assert await both.a("/link nowhere") == texts.LINK_NO_PLATFORM.format(
        name="`nowhere`", platforms="fake, other"
    )
    assert await failures(both) == []
    assert await both.b(f"/link {await both.code(' Other')}") == texts.LINKED.format(platform="fake")


async def test_who_is_linked_already_is_told_so_and_it_is_no_failure(open_world, autojump_clock):
    both = await pair(open_world)
    await both.join()
    assert await both.b(f"/link {await both.code()}") == texts.LINK_TAKEN
    assert await failures(both) == []


@pytest.mark.parametrize("command", ["/link", "/link ABCDEFGH", "/unlink"])
async def test_in_a_group_it_is_asked_for_a_direct_message(open_world, autojump_clock, command):
    both = await pair(open_world)
    assert texts.LINK_IN_PRIVATE in await both.b(command, chat_type="group")
    assert both.world._store._connection.execute("SELECT count(*) FROM link_codes").fetchone() == (0,)
    assert await failures(both) == []


async def test_S05_only_a_salted_hash_of_the_code_is_kept_once_it_has_arrived(open_world, autojump_clock):
    both = await pair(open_world)
    code = await both.code()
    db = both.world._store._connection
    tables = [
        name
        for (name,) in db.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE '%fts5%'"
        )
    ]

    def everything():
        return repr([db.execute(f"SELECT * FROM {name}").fetchall() for name in tables])

    assert code not in everything()
    await both.b(f"/link {code}", chat_id="g", chat_type="group")
    await both.b(f"/link {code}")
    assert code not in everything()


# --- where it holds ---------------------------------------------------------------------------------------------------------


async def test_groups_and_other_chats_stay_as_they_are(open_world, autojump_clock):
    both = await pair(open_world)
    await both.join()
    await both.b("in a group", chat_id="g", chat_type="group")
    await both.b("elsewhere", chat_id="10")
    assert both.lines("agent:main:other:group:g:u1")[0] == "in a group"
    assert both.lines("agent:main:other:dm:10") == ["elsewhere", "elsewhere"]
    assert both.world.look(queries.session, A_KEY) is None


@pytest.mark.parametrize(
    ("scope", "key"), [("per_chat", B_KEY), ("per_platform", B_KEY), ("per_person", A_KEY)]
)
async def test_the_scope_says_what_a_link_joins(open_world, autojump_clock, scope, key):
    both = await pair(open_world, config=Config(display=QUEUE, identity=Identity(scope)))
    await both.b("b0")
    words = await both.b(f"/link {await both.code()}")
    assert words == (texts.LINKED if key == A_KEY else texts.LINKED_APART).format(platform="fake")
    await both.b("b1")
    assert both.lines(key)[-2:] == ["b1", "b1"]
    ((ended,),) = both.world._store._connection.execute(
        "SELECT end_reason FROM stretches WHERE session_key = ?", (B_KEY,)
    ).fetchall()
    assert ended == ("linked" if key == A_KEY else "")


async def test_AC57_a_linked_persons_other_form_of_id_is_the_same_person(open_world, autojump_clock):
    phone = FakeAdapter("whatsapp", OWNED)
    world = await open_world(FakeAgent(), others=[phone], config=Config(display=QUEUE))
    world.boot.services.key_rules.whatsapp_aliases["49151"] = "777"

    async def write(text: str, chat: str, user: str) -> None:
        origin = Origin("whatsapp", chat, user_id=user)
        event = InboundEvent(
            text, origin, text, EPOCH_S + trio.current_time(), TraceId(text), message_id=text
        )
        await phone.hand_in(event)
        await world.settle()

    await world.say("/link")
    await world.settle()
    code = re.search(r"\*\*(\w{8})\*\*", world.heard()[-1])[1]
    await write(f"/link {code}", "777@lid", "777@lid")
    await write("hello", "49151@s.whatsapp.net", "49151@s.whatsapp.net")
    assert world.look(queries.session, A_KEY) is not None
    assert world.look(queries.sessions_known) == 1


async def test_whoami_says_who_and_where(open_world, autojump_clock):
    both = await pair(open_world)
    alone = texts.WHOAMI.format(
        user="other:u1",
        role="owner",
        person=texts.WHOAMI_NOBODY,
        others=texts.WHOAMI_NO_OTHERS,
        session=B_KEY,
    )
    assert await both.b("/whoami") == alone
    await both.join()
    (person,) = both.world.look(people.persons)
    assert await both.b("/whoami") == texts.WHOAMI.format(
        user="other:u1", role="owner", person=person.person_id, others="fake:u1", session=A_KEY
    )


# --- crashes and kills ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", ["after_decode", "after_inbox_commit", "before_ack", "after_decision"])
async def test_a_kill_leaves_the_link_whole_or_not_there_and_both_are_told_once(
    open_world, autojump_clock, point
):
    both = await pair(open_world)
    code = re.search(r"\*\*(\w{8})\*\*", await both.b("/link"))[1]
    both.world.kill_at(point)
    assert await both.a(f"/link {code}") == texts.LINKED.format(platform="other")
    assert len(both.world.boots) == 2
    assert both.persons() == [["other:u1", "fake:u1"]]
    assert both.heard_b.count(texts.LINKED_THERE.format(user="fake:u1")) == 1
    assert await failures(both) == []
    await both.a("a1")
    assert both.lines(B_KEY) == ["a1", "a1"]


async def test_a_new_life_of_inbound_knows_the_links_before_its_first_decision(open_world, autojump_clock):
    both = await pair(open_world)
    await both.join()
    both.world.crash(tree.INBOUND)
    await both.b("b1")
    assert both.lines(A_KEY) == ["b1", "b1"]
    await both.world.kill()
    await both.b("b2")
    assert both.lines(A_KEY)[-1] == "b2"


async def test_a_link_that_nobody_told_inbound_of_holds_from_the_next_sweep_on(open_world, autojump_clock):
    both = await pair(open_world)
    await both.b("b0")
    first, second = (
        Side(UserRef(p, "default", "u1"), key, False, chat)
        for p, key, chat in (("fake", A_KEY, "1"), ("other", B_KEY, "9"))
    )
    await both.world.services.store.write(Link(first, second, "p", None, True, "operator", 0.0))
    await trio.sleep(6)
    await both.b("b1")
    assert both.lines(A_KEY) == ["b1", "b1"]


async def test_a_message_costs_no_read_of_the_links_unless_they_may_have_changed(open_world, autojump_clock):
    both = await pair(open_world)
    store, reads = both.world.services.store, []
    read = store.read

    async def counted(query, *args, **kwargs):
        reads.append(query)
        return await read(query, *args, **kwargs)

    store.read = counted
    await trio.sleep(6)
    for n in range(5):
        await both.b(f"b{n}")
    assert reads.count(people.persons) == 1


# --- the operator ------------------------------------------------------------------------------------------------------------


async def test_the_operator_links_by_id_without_proof_and_both_are_told(open_world, autojump_clock):
    both = await pair(open_world)
    await both.a("a0")
    await both.b("b0")
    desk = PeopleDesk(both.world.services)
    made = await desk.answer("identity_link", {"first": "fake:u1", "second": "other:u1", "name": "Ann"})
    await both.world.settle()
    assert (made["name"], made["session_key"]) == ("Ann", A_KEY)
    assert both.heard_a[-1] == texts.OPERATOR_LINKED.format(user="other:u1")
    assert both.heard_b[-1] == texts.OPERATOR_LINKED.format(user="fake:u1")
    await both.b("b1", chat_id="any other chat")
    assert both.lines(A_KEY)[-1] == "b1"
    assert (await desk.answer("identity_list", {}))["persons"][0]["person_id"] == made["person_id"]
    await desk.answer("identity_unlink", {"user": "other:u1"})
    await both.world.settle()
    assert both.heard_b[-1].startswith(texts.OPERATOR_UNLINKED)
    await both.b("b2")
    assert both.lines(B_KEY) == ["b0", "b0", "b2", "b2"]
    log = (await desk.answer("identity_audit", {"limit": 9}))["audit"]
    assert [one["action"] for one in log] == ["unlink", "link"]


def _everything(world: World) -> str:
    db = world._store._connection
    tables = [
        name
        for (name,) in db.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE '%fts5%'"
        )
    ]
    return repr([db.execute(f"SELECT * FROM {name}").fetchall() for name in tables])


async def test_forget_ends_the_turn_that_runs_and_leaves_nothing(open_world, autojump_clock):
    both = await pair(open_world, FakeAgent(Reply(), Hang()))
    await both.join()
    await both.a("zq-one")
    await both.b("zq-two", settle=False)
    await trio.sleep(1)
    desk = PeopleDesk(both.world.services)
    async with _pairing(both.world):
        gone = await desk.answer("identity_forget", {"person": "other:u1"})
    await both.world.settle()
    assert gone["users"] == ["fake:u1", "other:u1"]
    assert (gone["links"], gone["sessions"]) == (2, 1)
    assert "zq-" not in _everything(both.world)
    assert both.world.counts.unaccounted == 0
    assert not both.world.services.conversations.busy(A_KEY)
    assert await both.b("again") == "again"
    assert both.lines(B_KEY) == ["again", "again"]


def _job(name: str, chat: str, user: str | None, **more: object) -> dict[str, object]:
    origin = {"platform": "fake", "chat_id": chat, "user_id": user}
    return {
        "id": name,
        "name": name,
        "schedule": {"kind": "interval", "minutes": 1},
        "next_run_at": datetime.fromtimestamp(EPOCH_S + 60, UTC).isoformat(),
        "deliver": "origin",
        "origin": origin,
        "tz": "UTC",
    } | more


async def test_forget_ends_their_jobs_and_takes_along_what_those_have_said(
    open_world, autojump_clock, tmp_path
):
    """One that says something, one whose answer is being made, one that waits for its time; and one of somebody else."""
    path = tmp_path / "cron" / "jobs.json"
    path.parent.mkdir()
    later = datetime.fromtimestamp(EPOCH_S + 900, UTC).isoformat()
    jobs = [
        _job("said", "-9", "u1", message="zq-said"),
        _job("asked", "1", "u1", prompt="zq-asked", overlap="queue"),
        _job("waits", "1", None, message="zq-waits", next_run_at=later),
        _job("other", "2", "u2", message="bob"),
    ]
    path.write_text(json.dumps({"jobs": jobs}))
    both = await pair(open_world, FakeAgent(Reply(), otherwise=Hang()))
    world = both.world
    await both.a("zq-one")
    await trio.sleep(130)
    assert world.heard("-9") == ["zq-said"] * 2
    assert [one["run_state"] for one in world.look(cron_reads.runs, "asked", 9)] == ["claimed", "running"]
    output = tmp_path / "cron" / "output"
    assert {one.name for one in output.iterdir()} == {"said", "other"}

    async with _pairing(world):
        desk = PeopleDesk(world.services)
        outline = await desk.answer("identity_outline", {"person": "fake:u1"})
        assert outline == {
            "users": ["fake:u1"],
            "messages": 1,
            "sessions": 1,
            "jobs": ["said", "asked", "waits"],
        }
        gone = await desk.answer("identity_forget", {"person": "fake:u1"})
        assert (gone["jobs"], gone["runs"]) == (3, 4)
        await trio.sleep(300)

    assert [one["id"] for one in json.loads(path.read_text())["jobs"]] == ["other"]
    assert {one.name for one in output.iterdir()} == {"other"}
    assert "zq-" not in _everything(world)
    assert world.heard("-9") == ["zq-said"] * 2
    assert len(world.heard("2")) >= 4
    assert world.state("root/gateway/cron") == "running"


async def test_forget_that_cannot_end_a_job_erases_nothing_and_can_be_asked_again(
    open_world, autojump_clock, tmp_path, monkeypatch
):
    path = tmp_path / "cron" / "jobs.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"jobs": [_job("a", "1", "u1", message="zq-said")]}))
    both = await pair(open_world)
    await both.a("zq-one")
    desk = PeopleDesk(both.world.services)
    jobs = both.world.services.jobs
    async with _pairing(both.world):
        with monkeypatch.context() as patch:
            patch.setattr(jobs, "_cron", both.world.boots[-1].system.registry.ref("root/nobody"))
            with pytest.raises(GatewayError, match="could not be ended"):
                await desk.answer("identity_forget", {"person": "fake:u1"})
        assert "zq-one" in _everything(both.world)
        assert json.loads(path.read_text())["jobs"][0]["state"] == "paused"
        assert (await desk.answer("identity_forget", {"person": "fake:u1"}))["jobs"] == 1
    assert "zq-" not in _everything(both.world)


@pytest.mark.parametrize(
    ("verb", "args", "code"),
    [
        ("identity_link", {"first": "fake:u1"}, "usage"),
        ("identity_link", {"first": "fake:u1", "second": "Ann", "name": None}, "usage"),
        ("identity_link", {"first": "fake:u1", "second": "fake:u1", "name": None}, "linked_already"),
        ("identity_link", {"first": "Nobody", "second": "fake:u1", "name": None}, "no_such_person"),
        ("identity_link", {"first": "fake:u1", "second": "x:1", "name": "a:b"}, "usage"),
        ("identity_unlink", {"user": "fake:u1"}, "no_such_person"),
        ("identity_unlink", {"user": ":"}, "usage"),
        ("identity_nothing", {}, "usage"),
    ],
)
async def test_what_the_operator_cannot_do_is_refused_in_words(open_world, autojump_clock, verb, args, code):
    both = await pair(open_world)
    with pytest.raises(GatewayError) as refused:
        await PeopleDesk(both.world.services).answer(verb, args)
    assert refused.value.failure.code == code


class _pairing:
    """The files of the pairing, which this world has none of."""

    def __init__(self, world: World) -> None:
        self._pairing = world.services.pairing

    async def __aenter__(self) -> None:
        from hermes.ops.pairing_files import Seen

        async def look() -> Seen:
            return Seen()

        self._look, self._pairing.look = self._pairing.look, look

    async def __aexit__(self, *_: object) -> None:
        self._pairing.look = self._look


async def test_who_has_never_written_is_told_in_the_chat_that_the_pairing_knows_of(
    open_world, autojump_clock
):
    both = await pair(open_world)
    args = {"first": "fake:u1", "second": "other:u1", "name": None, "chat_id": "9"}
    made = await PeopleDesk(both.world.services).answer("identity_link", args)
    await both.world.settle()
    assert both.heard_b == [texts.OPERATOR_LINKED.format(user="fake:u1")]
    assert [one["own_key"] for one in made["identities"]] == ["agent:main:fake:dm:u1", B_KEY]
