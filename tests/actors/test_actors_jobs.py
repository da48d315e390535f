"""Jobs on behalf of people: /remind in a chat, and what an agent's tool may do for whom."""

import json
from dataclasses import replace

import pytest
import trio
from world import World

from hermes.config.access import AccessSettings, Setting
from hermes.config.model import Config, Display
from hermes.config.roles import Roles
from hermes.cron import behalf
from hermes.store import queries
from hermes.testing.fakes import EPOCH_S, FakeAdapter
from hermes.types.content import Capabilities
from hermes.types.errors import GatewayError
from hermes.types.events import InboundEvent
from hermes.types.ids import TraceId
from hermes.types.origin import ITSELF, Origin
from hermes.types.people import UserRef

OPEN = Capabilities(idempotent_send=True)
ACCESS = AccessSettings(
    platforms={"fake": {"allow_from": Setting(frozenset({"u1", "u2", "boss"}), "a test")}},
    roles=Roles(given=True, admins=frozenset({UserRef("fake", "default", "boss")})),
)
BERLIN = Config(timezone="Europe/Berlin", display=Display(busy_input_mode="queue", busy_ack=False))


class Chat:
    """People who write to one gateway, each in a chat of the same name."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._count = 0

    def event(
        self, text: str, user: str | None = "u1", *, chat: str | None = None, **more: object
    ) -> InboundEvent:
        self._count += 1
        name = f"r{self._count}"
        origin = Origin("fake", chat or str(user), user_id=user)
        at = EPOCH_S + trio.current_time()
        return replace(InboundEvent(name, origin, text, at, TraceId(name), message_id=name), **more)

    async def say(self, text: str, user: str = "u1", **more: object) -> str:
        event = self.event(text, user, **more)
        await self.world.platform.hand_in(event)
        await self.world.settle()
        return self.world.heard(event.origin.chat_id)[-1]

    async def ask(self, verb: str, user: str | None = "u1", *, key: str = "", **args: object) -> dict:
        return dict(await self.world.services.jobs.on_behalf(self.event("", user), verb, args, key=key))


@pytest.fixture
async def chat(open_world, autojump_clock):
    return Chat(await open_world(capabilities=OPEN, access=ACCESS, config=BERLIN))


def entries(home) -> list[dict]:
    return json.loads((home / "cron" / "jobs.json").read_text())["jobs"]


# --- /remind --------------------------------------------------------------------------------------------------------------


async def test_a_reminder_is_said_as_it_is_at_its_time(chat, autojump_clock, tmp_path):
    said = await chat.say("/remind in 20m call `Ana` MEDIA:/etc/passwd")
    assert "cancel 1" in said
    assert "(Europe/Berlin)" in said
    await trio.sleep(19 * 60)
    assert len(chat.world.heard("u1")) == 1
    await trio.sleep(2 * 60)
    assert chat.world.heard("u1")[1:] == ["call `Ana` MEDIA:/etc/passwd"]
    (entry,) = entries(tmp_path)
    assert (entry["deliver"], entry["state"], entry["origin"]["user_id"]) == ("origin", "completed", "u1")
    assert chat.world.look(queries.session, chat.world.key("u1")) is None  # no agent, and no conversation


async def test_reminders_come_again_are_listed_and_taken_back_by_numbers_that_stay(chat, autojump_clock):
    await chat.say("/remind in 1m first")
    await chat.say("/remind every day 9:00 second")
    await trio.sleep(90)
    listed = await chat.say("/remind list")
    assert "every day 9:00" in listed
    assert "**2**" in listed
    assert "first" not in listed
    assert "`third`" in await chat.say("/remind in 5m third")
    assert "second" in await chat.say("/remind cancel #2")
    await trio.sleep(400)
    assert chat.world.heard("u1")[-1] == "third"
    assert "Nothing is waiting" in await chat.say("/remind")


async def test_what_is_not_understood_is_answered_with_examples(chat, autojump_clock, tmp_path):
    for text in ("/remind call Ana", "/remind tomorrow call Ana", "/remind 25:00 x", "/remind in 20m"):
        assert "`/remind in 20m call Ana`" in await chat.say(text)
    assert "no reminder `9` of yours" in await chat.say("/remind cancel 9")
    assert not (tmp_path / "cron" / "jobs.json").exists()


async def test_only_its_author_and_admins_see_and_cancel_a_reminder(chat, autojump_clock):
    await chat.say("/remind in 1h mine alone")
    assert "Nothing is waiting" in await chat.say("/remind list all", "u2")
    assert "no reminder `1` of yours" in await chat.say("/remind cancel 1", "u2")
    assert "Nothing is waiting" in await chat.say("/remind list", "boss")
    everything = await chat.say("/remind list all", "boss")
    assert "mine alone" in everything
    assert "fake:u1" in everything
    name = (await chat.ask("list", "boss"))["jobs"][0]["id"]
    assert "mine alone" in await chat.say(f"/remind cancel {name}", "boss")
    assert "Nothing is waiting" in await chat.say("/remind list")


async def test_a_kill_before_the_words_are_committed_makes_one_reminder_all_the_same(
    chat, autojump_clock, tmp_path, monkeypatch
):
    world, event = chat.world, chat.event("/remind in 10m once")
    plain = world.services.jobs.change

    async def change_and_die(*args: object, **more: object) -> object:
        done = await plain(*args, **more)
        world.boot.kill()
        return done

    monkeypatch.setattr(world.services.jobs, "change", change_and_die)
    first = world.boot
    await world.platform.hand_in(event)
    await world.until(lambda: world.boot is not first)
    await world.settle()
    assert len(entries(tmp_path)) == 1
    await trio.sleep(700)
    assert world.heard("u1")[-1] == "once"


# --- on behalf --------------------------------------------------------------------------------------------------------------


async def test_what_leads_nowhere_is_not_resumed_from_a_chat_either(chat, autojump_clock, tmp_path):
    script = tmp_path / "scripts" / "disk.sh"
    script.parent.mkdir()
    script.touch()
    job = (await chat.ask("create", "boss", schedule="@daily", script="disk.sh"))["job"]["id"]
    await chat.ask("pause", "boss", job=job)
    script.unlink()
    with pytest.raises(GatewayError, match="no script"):
        await chat.ask("resume", "boss", job=job)


async def test_a_person_makes_changes_runs_and_removes_jobs_of_their_own(chat, autojump_clock):
    made = (
        await chat.ask("create", schedule="every 1h", prompt="echo hi", name="Greeting", key="turn:call")
    )["job"]
    again = (
        await chat.ask("create", schedule="every 1h", prompt="echo hi", name="Greeting", key="turn:call")
    )["job"]
    assert (made["id"], made["number"], made["owner"], made["deliver"]) == (
        again["id"],
        1,
        "fake:u1",
        "origin",
    )
    assert len((await chat.ask("list"))["jobs"]) == 1
    await chat.ask("run", job="greeting")
    await trio.sleep(30)
    assert "hi" in chat.world.heard("u1")[-1]
    assert (await chat.ask("runs", job="1"))["runs"][0]["run_state"] == "ok"
    assert (await chat.ask("pause", job="1"))["job"]["state"] == "paused"
    assert (await chat.ask("edit", job="1", name="Other"))["job"]["name"] == "Other"
    assert (await chat.ask("resume", job="other"))["job"]["state"] == "scheduled"
    await chat.ask("remove", job=made["id"])
    assert (await chat.ask("list"))["jobs"] == []


@pytest.mark.parametrize(
    ("verb", "args", "code"),
    [
        ("create", {"schedule": "1h", "message": "x", "deliver": "fake:u2"}, "not_allowed"),
        ("create", {"schedule": "1h", "message": "x", "deliver": "all"}, "not_allowed"),
        ("create", {"schedule": "1h", "message": "x", "failure_target": "home"}, "not_allowed"),
        ("create", {"schedule": "1h", "script": "x.sh"}, "not_allowed"),
        ("create", {"schedule": "1h", "prompt": "x", "context_from": "1"}, "not_allowed"),
        ("create", {"schedule": "1h", "prompt": "x", "context_from": "local"}, "not_allowed"),
        ("edit", {"job": "1", "context_from": "1"}, "not_allowed"),
        ("create", {"schedule": "whenever", "message": "x"}, "bad_schedule"),
        ("create", {"schedule": "1h"}, "bad_job"),
        ("create", {"schedule": "1h", "prompt": "hermes gateway restart"}, "bad_job"),
        ("edit", {"job": "1", "deliver": "fake:u2"}, "not_allowed"),
        ("run", {"job": "2"}, "bad_job"),
        ("pause", {}, "usage"),
        ("dance", {}, "usage"),
    ],
)
async def test_what_a_person_may_not_is_refused_and_nothing_changes(
    chat, autojump_clock, tmp_path, verb, args, code
):
    await chat.ask("create", schedule="1h", message="theirs")
    before = entries(tmp_path)
    with pytest.raises(GatewayError) as refused:
        await chat.ask(verb, **args)
    assert refused.value.failure.code == code
    assert entries(tmp_path) == before


async def test_an_admin_may_send_elsewhere_and_somebody_without_an_id_nothing(chat, autojump_clock):
    made = await chat.ask("create", "boss", schedule="1h", message="x", deliver="fake:u2")
    assert made["job"]["deliver"] == "fake:u2"
    with pytest.raises(GatewayError) as refused:
        await chat.ask("list", None)
    assert refused.value.failure.code == "not_allowed"


async def test_an_answer_tells_its_author_how_it_is_stopped_in_the_chat(chat, autojump_clock):
    await chat.ask("create", schedule="every 1h", prompt="echo x")
    await chat.ask("create", "boss", schedule="every 1h", prompt="echo y", deliver="fake:u2")
    await trio.sleep(3_700)
    assert "`/remind cancel 1` stops it" in chat.world.heard("u1")[-1]
    assert "`hermes cron pause " in chat.world.heard("u2")[-1], (
        "it is not theirs, and there are numbers of their own"
    )
    assert "Taken back" in await chat.say("/remind cancel 1")


async def test_everybody_has_a_number_of_jobs_and_what_is_over_does_not_count(
    chat, autojump_clock, tmp_path, monkeypatch
):
    monkeypatch.setattr(behalf, "MOST_OWN", 2)
    monkeypatch.setattr(behalf, "OVER_KEPT", 1)
    for _ in range(3):
        await chat.ask("create", schedule="1m", message="x")
        await trio.sleep(70)
    await chat.ask("create", schedule="1h", message="x")
    await chat.ask("create", schedule="1h", message="x")
    with pytest.raises(GatewayError, match="2 jobs already"):
        await chat.ask("create", schedule="1h", message="x")
    await chat.ask("create", "u2", schedule="1h", message="x")
    assert [one["number"] for one in entries(tmp_path)] == [3, 4, 5, 1]


async def test_a_run_of_a_job_may_end_that_job_and_make_none(chat, autojump_clock, tmp_path):
    name = (await chat.ask("create", schedule="every 1h", prompt="echo x"))["job"]["id"]
    await chat.ask("create", "u2", schedule="every 1h", prompt="echo y")
    inside = replace(chat.event(""), origin=Origin(ITSELF, name), internal=True)
    jobs = chat.world.services.jobs
    for verb in ("create", "edit", "run", "resume"):
        with pytest.raises(GatewayError) as refused:
            await jobs.on_behalf(inside, verb, {"schedule": "1m", "message": "x", "job": name})
        assert refused.value.failure.code == "not_allowed"
    assert [one["id"] for one in (await jobs.on_behalf(inside, "list", {}))["jobs"]] == [name]
    with pytest.raises(GatewayError, match="there is no job"):
        await jobs.on_behalf(inside, "remove", {"job": entries(tmp_path)[1]["id"]})
    await jobs.on_behalf(inside, "remove", {"job": name})
    assert len(entries(tmp_path)) == 1
    assert (await jobs.author(inside.origin)).role is None, "what goes on there is not the operator's"


async def test_a_job_has_the_rights_of_its_author_as_they_are_now(chat, autojump_clock, tmp_path):
    jobs = chat.world.services.jobs
    name = (await chat.ask("create", "boss", schedule="every 1h", prompt="echo x"))["job"]["id"]
    author = await jobs.author(Origin(ITSELF, name))
    assert (author.role, author.origin.user_id) == ("admin", "boss")
    await chat.world.reload(chat.world.config, replace(ACCESS, platforms={}))
    assert (await jobs.author(Origin(ITSELF, name))).role is None
    assert await jobs.author(Origin("fake", "u1", user_id="u1")) is None


async def test_a_person_who_is_linked_has_their_jobs_on_both_platforms(open_world, autojump_clock):
    other = FakeAdapter("other", capabilities=Capabilities(authenticated=True, idempotent_send=True))
    world = await open_world(others=[other])
    await world.say("/remind in 1h hello")
    await world.settle()
    there = InboundEvent("x", Origin("other", "9", user_id="u1"), "", EPOCH_S, TraceId("x"))
    (job,) = (await world.services.jobs.on_behalf(there, "list", {}))["jobs"]
    assert not job["mine"]
    await world.say("/link")
    await world.settle()
    code = world.heard()[-1].split("**")[1]
    await other.receive(f"/link {code}", "9")
    await world.settle()
    (job,) = (await world.services.jobs.on_behalf(there, "list", {}))["jobs"]
    assert job["mine"]
