"""The actor tree as plain data: one node per actor, made in one go, so that it is consistent."""

from typing import Any, NamedTuple

from supervisors.spec import ChildSpec, Kind

# Named tuples, not frozen dataclasses: those set every field by a call of ``object.__setattr__``, which made a snapshot of
# 10,000 actors take 56 ms instead of 41.


class MailboxNode(NamedTuple):
    """How full a mailbox is: ``used`` of ``capacity`` in the user lane, ``peak`` ever, ``control`` in the other lane.

    ``suspended``: its user lane is not read for now. ``oldest_s`` is since when the message waits that came first of all that
    do; one that a crash gave back waits since it came. None: none waits.
    """

    used: int
    peak: int
    capacity: int
    control: int
    suspended: bool
    oldest_s: float | None

    def to_json(self) -> dict[str, Any]:
        """As in ``ActorSnapshot.to_json``."""
        return self._asdict() | {"oldest_s": None if self.oldest_s is None else round(self.oldest_s, 3)}


class ActorSnapshot(NamedTuple):
    """One actor. Times are seconds; ``uptime_s`` is this incarnation's, since it became ready. ``restarts`` counts those that
    nobody ordered, ``restarts_in_window`` the abnormal ends that its budget counts now.

    ``busy_s`` is how long it has handled messages, over all its lives, the one in work included. ``current`` names the
    type of the message in work and for how long; ``last_error`` is the last abnormal end.
    """

    path: str
    name: str
    kind: Kind
    state: str
    incarnation: int
    restarts: int
    restarts_in_window: int
    uptime_s: float | None
    busy_s: float
    mailbox: MailboxNode | None
    last_error: str | None
    next_start_in_s: float | None
    spec: ChildSpec
    current: tuple[str, float] | None = None
    children: tuple["ActorSnapshot", ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As documented for ``hermes tree --json``."""
        return {
            "path": self.path,
            "name": self.name,
            "kind": self.kind,
            "state": self.state,
            "incarnation": self.incarnation,
            "restarts": self.restarts,
            "restarts_in_window": self.restarts_in_window,
            "uptime_s": None if self.uptime_s is None else round(self.uptime_s, 3),
            "busy_s": round(self.busy_s, 3),
            "mailbox": None if self.mailbox is None else self.mailbox.to_json(),
            "last_error": self.last_error,
            "next_start_in_s": None if self.next_start_in_s is None else round(self.next_start_in_s, 3),
            "policy": self.spec.policy(),
            "current": None
            if self.current is None
            else {"message": self.current[0], "for_s": round(self.current[1], 3)},
            "children": [child.to_json() for child in self.children],
        }

    def walk(self) -> "list[ActorSnapshot]":
        """This node and everything below it, parents first."""
        return [self, *(node for child in self.children for node in child.walk())]

    def find(self, path: str) -> "ActorSnapshot | None":
        """The node at ``path``, if it is at or below this one."""
        return next((node for node in self.walk() if node.path == path), None)
