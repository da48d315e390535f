"""Does everything that speaks of an adapter say the same? ``python tests/e2e/health_truth.py [SCENE …]``.

A gateway with one Telegram adapter, brought into the states that an adapter has. Five times a second ``hermes status``,
``/metrics``, the dashboard's tree, ``/ready`` and ``gateway_state.json`` are asked; prints which states were seen and when.
Exits 1 if two contradict each other for longer than ``SKEW_S``, if the state that a scene is about never comes, or if a file
speaks for a process that is not there. ``stale`` is none of them: Telegram's adapter notices its own silence before
(``test_actors_liveness``).
"""

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import trio
from harness_telegram import Stage, connected, stage, telegram_in

from hermes.ops.control import client
from hermes.ops.health_file import _STATES
from hermes.testing.telegram import CONFLICT, Status

LOOK_S = 0.2
SKEW_S = 2.0
"""A file is written at most once a second, and each is asked a little later than the one before."""

ADAPTER = "root/gateway/adapters/telegram:default"
POLL_TIMEOUT_S = 2
SCENE_S = 40.0

_STATE = re.compile(r'hermes_adapter_state\{platform="telegram",account="default",state="(\w+)"\} 1\b')

IN_THE_TREE = {"connected": "running", "listening": "running", "stale": "running"}
"""The tree tells how the actor is, and beside it the adapter's health."""


@dataclass
class Truth:
    """What was said, by whom; ``violations`` are sentences."""

    seen: list[tuple[float, str]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    _differs: dict[str, float] = field(default_factory=dict)

    def note(self, at: float, state: str, said: Mapping[str, object], expected: Mapping[str, object]) -> None:
        """At ``at`` the status has said ``state``, and the others ``said``."""
        if not self.seen or self.seen[-1][1] != state:
            self.seen.append((at, state))
        for who, what in said.items():
            if what == expected[who]:
                self._differs.pop(who, None)
            elif at - self._differs.setdefault(who, at) > SKEW_S:
                self.violations.append(f"{at:.1f} s: {who} says {what}, the status {state}")
                del self._differs[who]


async def look(
    on: Stage, http: httpx.AsyncClient, cookie: str
) -> tuple[str, dict[str, object], dict[str, object]]:
    """The adapter's state, what the others say of it, and what they should."""
    status = await trio.to_thread.run_sync(client.ask, on.gateway.home, "status")
    adapter = telegram_in(status)
    state = str(adapter["state"])
    metrics = (await http.get("/metrics")).text
    tree = (await http.get("/api/tree", headers={"Cookie": cookie})).json()
    node = _node(tree["root"])
    ready = await http.get("/ready")
    file = json.loads((on.gateway.home / "gateway_state.json").read_text())
    platform = file["platforms"].get("telegram", {})
    code = adapter["failure"] and adapter["failure"]["code"]
    said = {
        "/metrics": _STATE.findall(metrics),
        "the tree": (node["state"], node.get("health")),
        "/ready": ready.status_code,
        "the file": (file["boot_id"], platform.get("state"), platform.get("error_code")),
    }
    return (
        state,
        said,
        {
            "/metrics": [state],
            "the tree": (IN_THE_TREE.get(state, state), state),
            "/ready": 200,
            "the file": (status["boot_id"], _STATES[state], code),
        },
    )


def _node(node: Mapping[str, Any]) -> Mapping[str, Any]:
    for one in node["children"]:
        if one["path"] == ADAPTER or ADAPTER.startswith(f"{one['path']}/"):
            return _node(one)
    return node


async def watch(on: Stage, truth: Truth, *until: str) -> None:
    """Look until each of the states ``until`` has come, in this order, or ``SCENE_S`` are over."""
    began, wanted = trio.current_time(), list(until)
    cookie = await on.gateway.log_in()
    async with httpx.AsyncClient(base_url=on.gateway.url, trust_env=False, timeout=5) as http:
        while wanted:
            at = trio.current_time() - began
            state, said, expected = await look(on, http, cookie)
            truth.note(at, state, said, expected)
            if state == wanted[0]:
                wanted.pop(0)
                if not wanted:
                    # It must not only be said once.
                    until_at = trio.current_time() + SKEW_S + 2 * LOOK_S
                    while trio.current_time() < until_at:
                        truth.note(trio.current_time() - began, *await look(on, http, cookie))
                        await trio.sleep(LOOK_S)
            if at > SCENE_S:
                truth.violations.append(f"{wanted[0]} never came; the state is {state}")
                return
            await trio.sleep(LOOK_S)


async def _mute_at_start(on: Stage, truth: Truth) -> None:
    """Telegram takes the connection, and says nothing."""
    await on.telegram.server.plug("mute")
    await on.gateway.start()
    await watch(on, truth, "starting", "backoff")
    await on.telegram.heal()
    await watch(on, truth, "connected")


async def _mute(on: Stage, truth: Truth) -> None:
    await on.gateway.start()
    await connected(on.gateway)
    await on.telegram.server.plug("mute")
    await watch(on, truth, "backoff")


async def _gone(on: Stage, truth: Truth) -> None:
    await on.gateway.start()
    await connected(on.gateway)
    await on.telegram.server.plug("refused")
    await watch(on, truth, "backoff")
    await on.telegram.heal()
    await watch(on, truth, "connected")


async def _revoked(on: Stage, truth: Truth) -> None:
    on.telegram.always("*", Status(401))
    await on.gateway.start()
    await watch(on, truth, "disabled")
    await on.telegram.heal()
    await on.gateway.cli("adapter", "resume", "telegram")
    await watch(on, truth, "connected")
    await on.gateway.cli("adapter", "pause", "telegram")
    await watch(on, truth, "paused")


async def _conflict(on: Stage, truth: Truth) -> None:
    await on.gateway.start()
    await connected(on.gateway)
    on.telegram.always("getUpdates", CONFLICT)
    await watch(on, truth, "backoff")


async def _bad_config(on: Stage, truth: Truth) -> None:
    """No adapter can be made of it."""
    path = on.gateway.home / "config.yaml"
    path.write_text(path.read_text().replace("base_url: http", "base_url: gopher"))
    await on.gateway.start()
    await watch(on, truth, "unavailable")


async def _dead(on: Stage, truth: Truth) -> None:
    """The process is gone; the next one does not get to Telegram."""
    await on.gateway.start()
    await connected(on.gateway)
    await watch(on, truth, "connected")
    await on.gateway.kill9()
    if (code := (await on.gateway.ask("status")).code) != 3:
        truth.violations.append(f"hermes status of a dead gateway exits with {code}")
    file = on.gateway.home / "gateway_state.json"
    old = json.loads(file.read_text())["boot_id"]
    await on.telegram.server.plug("mute")
    on.gateway.launch()
    with trio.move_on_after(SCENE_S):
        while (now := json.loads(file.read_text()))["boot_id"] == old:
            await trio.sleep(0.01)
    if "connected" in str(now["platforms"]):
        truth.violations.append(f"a new process says what the old one knew: {now}")
    await on.gateway.ready()
    await watch(on, truth, "starting")


SCENES: Mapping[str, Callable[[Stage, Truth], Awaitable[None]]] = {
    "mute at start": _mute_at_start,
    "mute": _mute,
    "gone": _gone,
    "401": _revoked,
    "409": _conflict,
    "bad config": _bad_config,
    "dead": _dead,
}


async def scene(home: Path, name: str) -> Truth:
    """One scene on a fresh home."""
    truth = Truth()
    async with stage(home, 1, config=f"      poll_timeout: {POLL_TIMEOUT_S}\n") as on:
        await SCENES[name](on, truth)
        if on.gateway.pid:
            await on.gateway.stop()
    return truth


def main() -> None:
    """The scenes named, or all; each in a temporary home."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help=", ".join(SCENES))
    names: Sequence[str] = parser.parse_args().scenes
    failed = False
    for name in names or SCENES:
        with tempfile.TemporaryDirectory(prefix="hermes-health-") as directory:
            truth = trio.run(scene, Path(directory) / "home", name)
        print(f"{name:14} " + " → ".join(f"{state} {at:.1f} s" for at, state in truth.seen), flush=True)
        for line in truth.violations:
            print(f"  VIOLATION {line}", flush=True)
        failed |= bool(truth.violations)
    sys.exit(failed)


if __name__ == "__main__":
    main()
