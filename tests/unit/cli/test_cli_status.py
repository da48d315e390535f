"""``hermes status`` for a person: what of the outbox somebody should look at."""

from typing import Any

from hermes.cli.status import summary

STATUS: dict[str, Any] = {
    "state": "running",
    "version": "0",
    "pid": 1,
    "port": None,
    "home": "/h",
    "uptime_s": 5.0,
    "loop_lag_ms": 0.1,
    "store": None,
    "down": [],
    "adapters": [],
    "counts": {"received": 3},
    "outbox": {"prepared": 3, "dead": 2},
    "sessions": {"known": 1},
}


def account(**changes: Any) -> dict[str, Any]:
    known = {
        "platform": "telegram",
        "account": "default",
        "open": 3,
        "oldest_age_s": 840.0,
        "late": False,
        "dead": 0,
    }
    return known | changes


def test_an_account_in_order_takes_no_line() -> None:
    assert list(summary(STATUS | {"backlog": [account()]})) == list(summary(STATUS | {"backlog": None}))


def test_what_waits_too_long_and_what_was_given_up_are_named_with_their_account() -> None:
    lines = list(summary(STATUS | {"backlog": [account(late=True, dead=2)]}))
    assert "late      telegram:default  3 wait, the oldest for 14 min" in lines
    assert "dead      telegram:default  2 given up, see `hermes outbox list --state dead`" in lines


def test_who_stays_down_is_named_with_what_brings_it_back() -> None:
    down = ["root/gateway/adapters/telegram:work", "root/gateway/hooks"]
    lines = list(summary(STATUS | {"down": down}))
    assert (
        "down      root/gateway/adapters/telegram:work, until `hermes adapter resume telegram:work`" in lines
    )
    assert "down      root/gateway/hooks, until `hermes restart root/gateway/hooks`" in lines
