"""What new settings mean for a gateway that runs."""

from dataclasses import replace

from hermes.config.changes import differing, in_force, waiting
from hermes.config.model import Config, Delivery, Display, Limits, Logging, Web

RUNNING = Config(limits=Limits(sessions=7, turns=7), delivery=Delivery(ttl_s=7.0), web=Web(port=7))


def test_keys_that_differ_are_named_in_the_models_order():
    new = Config(web=Web(host="0.0.0.0"), logging=Logging(level="DEBUG"), drain_timeout_s=1.0)

    assert list(differing(Config(), new)) == ["web.host", "logging.level", "drain_timeout_s"]
    assert list(differing(new, new)) == []


def test_what_is_built_in_at_the_start_stays_and_waits_for_a_restart_the_rest_holds_at_once():
    wanted = Config(display=Display(busy_input_mode="queue"), limits=Limits(turns=8))

    now = in_force(RUNNING, wanted)

    assert now == replace(
        wanted, limits=Limits(sessions=7, turns=8), delivery=Delivery(ttl_s=7.0), web=Web(port=7)
    )
    assert waiting(RUNNING, wanted) == ["web.port", "delivery.ttl_s", "limits.sessions"]
    assert waiting(now, wanted) == waiting(RUNNING, wanted), "until there is a restart"
    assert waiting(RUNNING, RUNNING) == []
