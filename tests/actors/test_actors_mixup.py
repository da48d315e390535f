"""AC-31: whatever happens, what is said in one conversation stays in it."""

import random
import re

import pytest
import trio
from world import World

from hermes.config.model import Config, Display, Limits
from hermes.store import busy_ops
from hermes.types.agent import AgentIO, Delta, Final, Step, Turn

CHATS = [f"chat{n}" for n in range(12)]
MODES = ("interrupt", "queue", "steer", "collect")
TOKEN = re.compile(r"<(chat\d+):\d+>")
KILLS = 3


class Gossip:
    """Repeats all it has been told, in steps, drafts and answer; sometimes it dies, sometimes it hears no cancellation."""

    name = "gossip"

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.seen: list[tuple[Turn, str]] = []

    async def run(self, turn: Turn, io: AgentIO) -> Final:
        """Answer every event, and what it is steered with."""
        told = [event.text for event in turn.events]
        self.seen.append(
            (turn, "\n".join((*told, *(line.text for line in turn.history), *map(str, turn.steps))))
        )
        for _ in range(self._rng.randrange(4)):
            with trio.CancelScope(shield=self._rng.random() < 0.1):
                await trio.sleep(self._rng.uniform(0.01, 2.0))
            if self._rng.random() < 0.04:
                raise ValueError("a bug")
            await io.step(Step("result", "look", " ".join(told)))
            told += [event.text for event in await io.steered()]
            await io.emit(Delta(" ".join(told)))
        return Final("\n".join(told))


async def talk(world: World, chat: str, rng: random.Random) -> None:
    """One person, who does not wait for answers."""
    for n in range(8):
        await world.say(f"<{chat}:{n}>", chat, event_id=f"{chat}-{n}")
        if rng.random() < 0.08:
            await world.say("/stop", chat, event_id=f"{chat}-stop-{n}")
        await trio.sleep(rng.choice((0.0, 0.05, 0.5, 3.0)))


async def disturb(world: World, rng: random.Random) -> None:
    """Sessions crash, modes change and the process dies."""
    for kill in range(KILLS):
        for _ in range(6):
            await trio.sleep(rng.uniform(0.1, 1.0))
            chat = rng.choice(CHATS)
            if rng.random() < 0.5 and world.state(world.session(chat)) == "running":
                world.crash(world.session(chat))
            else:
                world.services.store.post(busy_ops.SetBusyMode(world.key(chat), rng.choice(MODES)))
        if kill < KILLS - 1:
            await world.kill()


def chats_in(text: str) -> set[str]:
    return set(TOKEN.findall(text))


@pytest.mark.parametrize("seed", range(8))
async def test_AC31_no_conversation_hears_a_word_of_another(seed, open_world, autojump_clock):
    rng = random.Random(seed)
    agent = Gossip(rng)
    config = Config(display=Display(busy_input_mode=MODES[seed % 4], busy_ack=True), limits=Limits(turns=5))
    world = await open_world(agent, config=config)

    async with trio.open_nursery() as nursery:
        for chat in CHATS:
            nursery.start_soon(talk, world, chat, random.Random(f"{seed}-{chat}"))
        nursery.start_soon(disturb, world, rng)
    await world.settle(within_s=3600)

    for chat in CHATS:
        assert chats_in("\n".join(world.heard(chat))) <= {chat}
        assert chats_in("\n".join(line.text for line in world.transcript(chat))) <= {chat}
    for turn, shown in agent.seen:
        (chat,) = {event.origin.chat_id for event in turn.events}
        assert turn.session_key == world.key(chat)
        assert chats_in(shown) == {chat}
    for chat, draft in world.platform.drafts:
        assert chats_in(draft.text) == {chat}

    heard = {chat: set(re.findall(r"<chat\d+:\d+>", "\n".join(world.heard(chat)))) for chat in CHATS}
    rows = [row for row in world.rows("chat_id, state, text, turn_id") if TOKEN.match(row[2])]
    answered = {turn_id for _, state, _, turn_id in rows if state == "answered"}
    for chat, state, text, turn_id in rows:
        if state == "answered" or (state == "merged" and turn_id in answered):
            assert text in heard[chat], "every question has its answer, in its own chat"
    assert world.counts.answered > len(CHATS)
    assert world.counts.unaccounted == world.counts.pending == 0
