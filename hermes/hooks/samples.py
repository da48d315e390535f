"""Made-up events, for a person who wants to see what a hook does with one."""

from hermes.hooks import events, payloads
from hermes.hooks.payloads import Payload
from hermes.types.content import Outbound
from hermes.types.events import InboundEvent
from hermes.types.hooks import ToolUse
from hermes.types.ids import DeliveryId, TraceId
from hermes.types.origin import Origin

ORIGIN = Origin("test", "chat", user_id="user", user_name="Somebody")
USE = ToolUse(
    "terminal", {"command": "echo hello"}, "test", "user", "20260101_000000_test", "turn", tool_call_id="call"
)


def sample(event: str) -> Payload:
    """What could be told with ``event``; nothing where it never happens here."""
    base, _, name = event.partition(":")
    answer = Outbound(DeliveryId("test"), "test", "default", "chat", "An answer.")
    told: dict[str, Payload] = {
        events.GATEWAY_STARTUP: payloads.startup(["test"]),
        events.SESSION_START: payloads.session(ORIGIN, "agent:main:test:dm:chat", "20260101_000000_test"),
        events.SESSION_END: payloads.session(ORIGIN, "agent:main:test:dm:chat"),
        events.SESSION_RESET: payloads.session(ORIGIN, "agent:main:test:dm:chat"),
        events.AGENT_START: payloads.agent(ORIGIN, "20260101_000000_test", "A message."),
        events.AGENT_STEP: payloads.step(ORIGIN, "20260101_000000_test", 1, [("search", "Found.")]),
        events.AGENT_END: payloads.agent(ORIGIN, "20260101_000000_test", "A message.", "An answer."),
        events.DELIVERY_SENT: payloads.delivery(answer, ["1"]),
        events.DELIVERY_DEAD: payloads.delivery(answer, [], "a failure"),
        events.ACTOR_CRASHED: {
            "path": "root/test",
            "incarnation": 1,
            "reason": "a test",
            "decision": "restart",
        },
        events.BEFORE_DISPATCH: payloads.before_dispatch(
            InboundEvent("test", ORIGIN, "A message.", 0.0, TraceId("test")),
            payloads.GatewayView(("test",)),
            payloads.SessionView("agent:main:test:dm:chat", busy=False),
        ),
        events.PRE_TOOL_CALL: payloads.tool(USE),
        events.POST_TOOL_CALL: payloads.tool_done(USE, "hello", "ok", 0.042),
        events.PRE_LLM_CALL: payloads.model_call("20260101_000000_test", "turn", "test", "a-model"),
        events.POST_LLM_CALL: payloads.model_call(
            "20260101_000000_test", "turn", "test", "a-model", "An answer."
        ),
    }
    if base == events.COMMAND:
        return payloads.command(ORIGIN, name, name, "")
    return told.get(event, {})
