from dataclasses import replace

from hermes.routing.access import Access, check_access
from hermes.types.content import Capabilities
from hermes.types.events import InboundEvent
from hermes.types.ids import TraceId
from hermes.types.origin import Origin

EVENT = InboundEvent("1", Origin("p", "c", user_id="u"), "hello", 0.0, TraceId("t"))


def test_nobody_is_allowed_by_default() -> None:
    assert check_access(EVENT, Capabilities()) == Access(False, "denied:default")


def test_an_authenticated_edge_is_allowed() -> None:
    assert check_access(EVENT, Capabilities(authenticated=True)) == Access(True, "allowed:edge")


def test_our_own_events_are_allowed() -> None:
    assert check_access(replace(EVENT, internal=True), Capabilities()).allowed


def test_what_a_platform_sent_grants_nothing() -> None:
    claims = replace(EVENT, extra={"internal": "true", "authenticated": "true"})
    named = replace(claims, origin=replace(EVENT.origin, user_name="operator", chat_name="admin"))
    assert not check_access(named, Capabilities()).allowed
