"""Sessions for the operator, through the running gateway: ``hermes sessions``."""

from collections.abc import Mapping
from typing import Any

from actors.ports.services import Services
from hermes.sessions.ids import new_session_id
from hermes.store import sessions
from hermes.types.errors import Failure, GatewayError
from hermes.types.ids import SessionId, SessionKey
from hermes.types.origin import lane_key

USAGE = "usage"
MOST_ROWS = 10_000


class SessionDesk:
    """Answers by the store, and adds what only a running gateway knows: which sessions are awake."""

    deadline_s = 5.0

    def __init__(self, services: Services) -> None:
        self._services = services

    async def answer(self, verb: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        """What ``verb`` asks for; ``args`` are unchecked. Raises ``GatewayError``: ``usage``, or as ``store.sessions``."""
        read = self._services.store.read
        match verb, args:
            case (
                "sessions_list",
                {"platform": str() | None as platform, "active": bool(active), "limit": int(limit)},
            ):
                among = self._services.conversations.awake() if active else None
                rows = await read(sessions.session_list, platform, among, max(0, min(limit, MOST_ROWS)))
                return {"sessions": [self._live(row) for row in rows]}
            case "sessions_show", {"key": str(key)}:
                return self._live(await read(sessions.session_show, key))
            case "sessions_search", {"text": str(text), "limit": int(limit)}:
                return {"hits": await read(sessions.session_search, text, max(0, min(limit, MOST_ROWS)))}
            case "sessions_lines", {"key": str(key), "after": int(after)}:
                return await read(sessions.session_lines, key, after)
            case "sessions_reset", {"key": str(key)}:
                return await self._reset(key)
            case "sessions_resume", {"key": str(key), "session_id": str() | None as session_id}:
                return await self._resume(key, None if session_id is None else SessionId(session_id))
            case _:
                raise GatewayError(Failure(USAGE, detail=f"{verb} is no question about sessions"))

    async def _reset(self, typed: str) -> Mapping[str, Any]:
        services, now = self._services, self._services.clock.wall()
        session = await services.store.read(sessions.session_show, typed)
        fresh = new_session_id(now, services.ids)
        await services.store.write(sessions.reset(session, fresh, now, self._expiry(now)))
        return self._steered(session, fresh)

    async def _resume(self, typed: str, wanted: SessionId | None) -> Mapping[str, Any]:
        services, now = self._services, self._services.clock.wall()
        session = await services.store.read(sessions.session_show, typed)
        name = new_session_id(now, services.ids)
        resumed = await services.store.write(sessions.resume(session, wanted, name, now, self._expiry(now)))
        if resumed is None:
            raise sessions.no_such_stretch(session, wanted)
        return self._steered(session, resumed)

    def _expiry(self, now: float) -> float:
        return now + self._services.config.delivery.ttl_s

    def _steered(self, session: Mapping[str, Any], session_id: SessionId) -> Mapping[str, Any]:
        """Its turn was stopped in the store; end the task too, and say what there is to say."""
        services, key = self._services, SessionKey(session["session_key"])
        services.conversations.interrupt(key)
        if services.conversations.rests(key):
            services.conversations.revive(key)
        services.delivery.wake(lane_key(session["platform"], session["account"], session["chat_id"]))
        return {"session_key": key, "session_id": session_id}

    def _live(self, session: Mapping[str, Any]) -> dict[str, Any]:
        conversations, key = self._services.conversations, SessionKey(session["session_key"])
        state = "asleep"
        if conversations.rests(key):
            state = "disabled"
        elif conversations.busy(key):
            state = "busy"
        elif conversations.takes_mail(key):
            state = "awake"
        return {**session, "state": state}
