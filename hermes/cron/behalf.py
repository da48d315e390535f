"""What somebody may ask of jobs from a chat. Pure; who they are is for the shell to say (``actors.ports.jobs``).

person   the jobs they made, which speak in the chat they were made in       admin   all jobs, and everything
a run    the job it is of: to look at it, pause it or remove it; nothing that would have it run again
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from hermes.cron import orders
from hermes.cron.job import BadJob, Entry, Home, Wish, origin_of
from hermes.types.errors import Failure, GatewayError
from hermes.types.jobs import NOT_ALLOWED

MOST_OWN = 50
"""Jobs of one person that are not over."""

OVER_KEPT = 10
"""Jobs of one person that are over and still known."""

FOR_ADMINS = ("script", "context_from", "deliver", "failure_target")
TARGETS = ("deliver", "failure_target")
HARMLESS = ("origin", "local")
IN_A_RUN = ("list", "runs", "pause", "remove")


class NotAllowed(GatewayError):
    """Whoever asks may not."""

    def __init__(self, words: str) -> None:
        super().__init__(Failure(NOT_ALLOWED, detail=words))


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and where. ``is_self``: is this the chat and person that made a job? ``run_of``: the job in whose run it is
    asked, if it is.
    """

    home: Home
    admin: bool
    is_self: Callable[[Home], bool]
    run_of: str = ""

    def owns(self, entry: Entry) -> bool:
        """Is it their own?"""
        home = origin_of(entry)
        return home is not None and self.is_self(home)

    def sees(self, entry: Entry) -> bool:
        """Have they to do with it?"""
        if self.run_of:
            return entry.get("id") == self.run_of
        return self.admin or self.owns(entry)


def check(asker: Asker, verb: str, args: Mapping[str, object]) -> None:
    """Raises ``NotAllowed``."""
    if asker.run_of and verb not in IN_A_RUN:
        raise NotAllowed(
            "a job cannot make, change or start jobs from its own run; it may pause or remove itself"
        )
    if asker.admin:
        return
    for key in FOR_ADMINS:
        value = args.get(key)
        if value and not (key in TARGETS and str(value).strip().casefold() in HARMLESS):
            raise NotAllowed(
                f"{key} is for admins; jobs that others make know of, and speak in, their own chat"
            )


def find(entries: list[Entry], asker: Asker, name: str) -> Entry:
    """The job that ``name`` means among those they see: by its number among their own, by its id, or by its name."""
    seen = [one for one in entries if asker.sees(one)]
    number = name.strip().removeprefix("#")
    for one in seen:
        if number.isdecimal() and one.get("number") == int(number[:9]) and asker.owns(one):
            return one
    return seen[orders.place(seen, name.strip())]


def create(
    entries: list[Any], asker: Asker, *, wanted: Wish, job_id: str, now: float, zone: tzinfo
) -> Mapping[str, Any]:
    """Add a job of theirs, under the next number; one of that id is made already. Their oldest that are over are forgotten."""
    own = [one for one in entries if isinstance(one, dict) and asker.owns(one)]
    if made := next((one for one in own if one.get("id") == job_id), None):
        return orders.document(made, zone)
    over = [one for one in own if one.get("state") == "completed"]
    if len(own) - len(over) >= MOST_OWN:
        raise BadJob(f"you have {MOST_OWN} jobs already; remove one first")
    gone = {id(one) for one in over[: max(0, len(over) - OVER_KEPT)]}
    number = 1 + max((one["number"] for one in own if isinstance(one.get("number"), int)), default=0)
    entries[:] = [one for one in entries if id(one) not in gone]
    orders.create(entries, wanted, job_id, now, zone)
    entries[-1] = entries[-1] | {"number": number}
    return orders.document(entries[-1], zone)
