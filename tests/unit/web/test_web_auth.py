import hashlib

import pytest

from hermes.store import ops
from hermes.store.memory import MemoryStore
from hermes.testing.fakes import FakeClock, FakeIds
from hermes.types.errors import GatewayError
from hermes.web.auth import (
    CACHED_SESSIONS,
    CODE_TTL_S,
    FREE_TRIES,
    LOGIN_LOCKED,
    LOGIN_REFUSED,
    MAX_LOCK_S,
    SESSION_TTL_S,
    BrowserSessions,
    login_url,
)


class RecordingStore(MemoryStore):
    """The double, and what went through it."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[ops.Op] = []
        self.reads = 0

    async def write(self, op):
        self.written.append(op)
        return await super().write(op)

    async def read(self, query, /, *args, **kwargs):
        self.reads += 1
        return await super().read(query, *args, **kwargs)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store() -> RecordingStore:
    return RecordingStore()


@pytest.fixture
def sessions(store: RecordingStore, clock: FakeClock) -> BrowserSessions:
    return BrowserSessions(store, clock, FakeIds())


async def refused(sessions: BrowserSessions, code: str) -> str:
    with pytest.raises(GatewayError) as caught:
        await sessions.redeem(code)
    return caught.value.failure.code


async def test_a_code_opens_a_session(sessions: BrowserSessions) -> None:
    token = await sessions.redeem(await sessions.new_link_code())

    assert await sessions.check(token)


async def test_a_code_works_once(sessions: BrowserSessions) -> None:
    code = await sessions.new_link_code()
    await sessions.redeem(code)

    assert await refused(sessions, code) == LOGIN_REFUSED


async def test_a_code_expires(sessions: BrowserSessions, clock: FakeClock) -> None:
    code = await sessions.new_link_code()
    clock.advance(CODE_TTL_S + 1)

    assert await refused(sessions, code) == LOGIN_REFUSED


async def test_a_session_expires_cached_or_not(
    sessions: BrowserSessions, store: RecordingStore, clock: FakeClock
) -> None:
    token = await sessions.redeem(await sessions.new_link_code())
    assert await sessions.check(token)
    clock.advance(SESSION_TTL_S + 1)

    assert not await sessions.check(token)
    assert not await BrowserSessions(store, clock, FakeIds(1)).check(token)


async def test_a_session_outlives_the_process(
    sessions: BrowserSessions, store: RecordingStore, clock: FakeClock
) -> None:
    token = await sessions.redeem(await sessions.new_link_code())

    assert await BrowserSessions(store, clock, FakeIds(1)).check(token)


async def test_a_session_that_is_closed_while_it_is_looked_up_stays_closed(
    sessions: BrowserSessions, store: RecordingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page asks for the tree every second, also while it logs out."""
    token = await sessions.redeem(await sessions.new_link_code())

    async def late(query, /, *args, **kwargs):
        found = query(store._connection, *args, **kwargs)
        await sessions.close(token)
        return found

    monkeypatch.setattr(store, "read", late)

    assert not await sessions.check(token)
    assert not await sessions.check(token)


@pytest.mark.parametrize("token", [None, "", "guess", "é\ud800"])
async def test_what_is_no_session_is_none(sessions: BrowserSessions, token: str | None) -> None:
    assert not await sessions.check(token)


async def test_a_known_session_costs_one_read_and_the_cache_stays_small(
    sessions: BrowserSessions, store: RecordingStore
) -> None:
    tokens = [await sessions.redeem(await sessions.new_link_code()) for _ in range(CACHED_SESSIONS + 1)]
    for token in tokens:
        assert await sessions.check(token)
    before = store.reads
    assert await sessions.check(tokens[-1])
    assert store.reads == before

    assert await sessions.check(tokens[0])
    assert store.reads == before + 1


async def test_S32_only_hashes_reach_the_store(sessions: BrowserSessions, store: RecordingStore) -> None:
    code = await sessions.new_link_code()
    token = await sessions.redeem(code)

    assert store.written[0].code_hash == hashlib.sha256(code.encode()).digest()
    assert code not in repr(store.written)
    assert token not in repr(store.written)


async def test_S33_guessing_gets_slower_and_a_good_code_survives_it(
    sessions: BrowserSessions, clock: FakeClock
) -> None:
    good = await sessions.new_link_code()
    for n in range(FREE_TRIES):
        assert await refused(sessions, f"guess {n}") == LOGIN_REFUSED

    assert await refused(sessions, good) == LOGIN_LOCKED
    clock.advance(1.1)
    assert await refused(sessions, "guess") == LOGIN_REFUSED
    clock.advance(1.1)
    assert await refused(sessions, good) == LOGIN_LOCKED
    clock.advance(1.1)
    assert await sessions.redeem(good)

    assert await refused(sessions, "guess") == LOGIN_REFUSED  # and the count is back at nought
    assert await refused(sessions, "guess") == LOGIN_REFUSED


async def test_S33_the_wait_has_an_end(sessions: BrowserSessions, clock: FakeClock) -> None:
    for _ in range(FREE_TRIES + 20):
        clock.advance(MAX_LOCK_S + 1)
        assert await refused(sessions, "guess") == LOGIN_REFUSED


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", "http://127.0.0.1:1/#c"),
        ("0.0.0.0", "http://127.0.0.1:1/#c"),
        ("::1", "http://[::1]:1/#c"),
        ("::", "http://127.0.0.1:1/#c"),
        ("box.lan", "http://box.lan:1/#c"),
    ],
)
def test_the_link_holds_the_code_in_its_fragment(host: str, expected: str) -> None:
    assert login_url(host, 1, "c") == expected
