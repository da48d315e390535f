"""A closer look at the running tree than ``TreeOverview`` takes: all there is to see of one actor, and who is busy.

Secrets are redacted, and messages show by their type, unless somebody asks for their bodies.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import trio

from actors.ports.overview import TreeOverview, no_such_actor
from supervisors.dump import BODY_CHARACTERS, ActorDump, dump
from supervisors.introspect import By, top
from supervisors.system import System
from supervisors.tree import ActorSnapshot

MAILBOXES = 50
"""Of how many actors a dump says what waits in their mailboxes, the fullest ones."""

WAITING: By = "mailbox"


class Inspection:
    """Dumps and rankings, as plain data; shapes as documented in docs/interface.md."""

    def __init__(self, system: System, overview: TreeOverview, redact: Callable[[str], str]) -> None:
        self._system = system
        self._overview = overview
        self._redact = redact

    def dump(self, path: str, *, bodies: bool = False) -> Callable[[], Mapping[str, Any]]:
        """The actor at ``path`` and the tree below it, at one instant; asks nobody, so that a stuck one can be seen too.

        What is returned makes the document of it, in whichever thread. ``bodies`` shows messages as text, cut and redacted.
        Raises ``GatewayError``: ``no_such_actor``.
        """
        tree = self._overview.seen(path)
        try:
            found = dump(self._system, path, bodies=bodies)
        except LookupError as nobody:
            raise no_such_actor(path) from nobody
        mailboxes = {
            node.path: dump(self._system, node.path, events=0).waiting
            for node in top(found.node, WAITING, MAILBOXES)
            if node.mailbox is not None and node.mailbox.used + node.mailbox.control
        }
        epoch = self._overview.clock.wall() - trio.current_time()
        return lambda: self._document(tree(), found, mailboxes, epoch)

    def _document(
        self,
        tree: dict[str, Any],
        found: ActorDump,
        mailboxes: Mapping[str, Mapping[str, Mapping[str, int]]],
        epoch: float,
    ) -> Mapping[str, Any]:
        details = replace(found, node=found.node._replace(children=())).to_json()
        del details["node"], details["waiting"]
        for event in details["events"]:
            event["at"] = round(event["at"] + epoch, 3)
        if details["bodies"] is not None:
            details["bodies"] = {lane: _whole(texts) for lane, texts in details["bodies"].items()}
        shown: dict[str, Any] = redacted({"mailboxes": mailboxes, **details}, self._redact)
        return {"node": tree.pop("root"), **tree, **shown}

    async def top(self, by: By, count: int, over_s: float) -> Mapping[str, Any]:
        """The ``count`` actors with the most of ``by``; how busy each was is measured over the next ``over_s`` seconds."""
        before = {node.path: node.busy_s for node in self._nodes()}
        began = trio.current_time()
        await trio.sleep(over_s)
        now, nodes = self._overview.clock.wall(), self._nodes()
        passed = max(trio.current_time() - began, 1e-9)

        def share(node: ActorSnapshot) -> float:
            return (node.busy_s - before.get(node.path, 0.0)) / passed

        if by == "busy":
            ranked = sorted(nodes, key=share, reverse=True)[:count]
        else:
            ranked = list(top(nodes[0], by, count)) if nodes else []
        shown = [self._overview.node(node._replace(children=())) for node in ranked]
        return {
            "as_of": now,
            "boot_id": self._overview.boot_id,
            "by": by,
            "over_s": round(passed, 3),
            "actors": [
                one | {"busy": round(min(1.0, share(node)), 3)}
                for one, node in zip(shown, ranked, strict=True)
            ],
            "of": len(nodes),
        }

    def _nodes(self) -> list[ActorSnapshot]:
        root = self._system.snapshot()
        return [] if root is None else root.walk()


def _whole(texts: Any) -> Any:
    """``texts``, and of those that were cut no last word: half a secret is not known for one."""
    if isinstance(texts, str):
        return texts if len(texts) < BODY_CHARACTERS else f"{texts[: texts.rfind(' ') + 1]}…"
    return None if texts is None else [_whole(text) for text in texts]


def redacted(value: Any, redact: Callable[[str], str]) -> Any:
    """``value`` as plain data, every text in it redacted."""
    match value:
        case str():
            return redact(value)
        case Mapping():
            return {name: redacted(part, redact) for name, part in value.items()}
        case list() | tuple():
            return [redacted(part, redact) for part in value]
        case None | bool() | int() | float():
            return value
        case _:
            return redact(repr(value))
