from hermes.routing.answers import status_text


def test_unknown_figures_are_said_to_be_unknown() -> None:
    assert "**unknown**, up for an unknown time" in status_text({})


def test_status() -> None:
    figures = {
        "state": "running",
        "uptime_s": 3723.4,
        "counts": {"received": 3, "answered": 2, "pending": 1, "failed": 0},
        "outbox": {"prepared": 1, "sending": 0, "retry": 0, "unknown": 0, "dead": 0},
        "sessions": {"known": 2, "active": 1, "busy": None},
        "adapters": [{"platform": "webchat", "account": "default", "state": "listening"}],
    }
    assert status_text(figures).splitlines() == [
        "The gateway is **running**, up for 1 h 2 min.",
        "",
        "- Messages: 3 received, 2 answered, 1 pending, 0 failed",
        "- Conversations: 2 known, 1 active, unknown busy",
        "- On the way out: 1 prepared, 0 sending, 0 retry, 0 unknown, 0 dead",
        "- Platforms: webchat:default listening",
    ]
