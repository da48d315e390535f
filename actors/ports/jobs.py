"""Jobs for whoever asks: the operator by way of ``hermes cron``, people by ``/remind``, agents by their tool.

order (hermes.cron.orders) ─ targets looked at, on a copy ─▶ jobs.json, under its lock ─▶ cron looks
on behalf of a person (hermes.cron.behalf) ─▶ the same
"""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import tzinfo
from functools import partial
from typing import Any, TypeVar

import trio

from actors.ports.access import Access
from actors.ports.adapters import AdapterTable
from actors.ports.files import HomeFiles
from actors.ports.people import PeoplePort
from actors.ports.router import Router
from hermes.cron import behalf, orders
from hermes.cron import job as jobs
from hermes.cron.behalf import Asker, NotAllowed
from hermes.cron.job import Entry, Home
from hermes.delivery.job_targets import asks_for_homes, targets
from hermes.delivery.targets import Place
from hermes.ops import cron_files
from hermes.ops.scripts import script_command
from hermes.routing.access import check_access
from hermes.store import cron as reads
from hermes.store.port import Store
from hermes.types.access import Role
from hermes.types.errors import USAGE, Failure, GatewayError
from hermes.types.events import InboundEvent
from hermes.types.ids import Clock, IdSource, TraceId
from hermes.types.jobs import Author
from hermes.types.origin import ITSELF, Origin
from supervisors.ref import ActorRef
from supervisors.reply import AskError

T = TypeVar("T")

RUN_DEADLINE_S = 5.0
HALT_S = 40.0
"""Longer than cron waits for a firing that it has cancelled."""
MOST_ROWS = 10_000
MOST_ROWS_SHOWN = 50
ID_DIGITS = 12


class JobsPort:
    """Implements ``hermes.types.jobs.Jobs``. Changes the file as anybody may who holds its lock, and has cron look at once."""

    def __init__(
        self,
        *,
        files: HomeFiles,
        store: Store,
        router: Router,
        access: Access,
        people: PeoplePort,
        adapters: AdapterTable,
        clock: Clock,
        ids: IdSource,
        zone: tzinfo,
        cron: ActorRef[Any],
        look: object,
        run_now: Callable[..., Any],
        end_runs: Callable[..., Any],
    ) -> None:
        self.zone = zone
        self._files = files
        self._store = store
        self._router = router
        self._access = access
        self._people = people
        self._adapters = adapters
        self._clock = clock
        self._ids = ids
        self._cron = cron
        self._look = look
        self._run_now = run_now
        self._end_runs = end_runs

    # --- for people ---------------------------------------------------------------------------------------------------------

    async def on_behalf(
        self, event: InboundEvent, verb: str, args: Mapping[str, object], *, key: str = ""
    ) -> Mapping[str, Any]:
        """See ``jobs.Jobs``."""
        asker, zone, now = await self._asker(event), self.zone, self._clock.wall()
        behalf.check(asker, verb, args)
        match verb, args:
            case "list", _:
                seen = [one for one in await self.entries() if asker.sees(one)]
                return {"jobs": [{**orders.document(one, zone), "mine": asker.owns(one)} for one in seen]}
            case "create", _:
                wanted = orders.wish(args, now, zone, asker.home)
                digits = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()[:ID_DIGITS]
                made = partial(
                    behalf.create,
                    asker=asker,
                    wanted=wanted,
                    job_id=digits if key else self._ids.token(ID_DIGITS),
                    now=now,
                    zone=zone,
                )
                return await self.change(made)
            case "runs", {"job": str(name)}:
                found, limit = await self._found(asker, name), args.get("limit")
                most = min(limit, MOST_ROWS_SHOWN) if isinstance(limit, int) else MOST_ROWS_SHOWN
                return await self.runs(found["id"], most)
            case "run", {"job": str(name)}:
                return await self.run((await self._found(asker, name))["id"])
            case "edit" | "pause" | "resume" | "remove", {"job": str(name)}:
                found = await self._found(asker, name)
                order = orders.order(verb, {**args, "job": found["id"]}, "", now, zone)
                if order is not None:
                    return await self.change(order, check=verb in ("edit", "resume"))
            case _:
                pass
        raise GatewayError(
            Failure(USAGE, detail=f"{verb!r:.40} with these arguments is nothing to do with jobs")
        )

    async def author(self, origin: Origin) -> Author | None:
        """See ``jobs.Jobs``."""
        if origin.platform != ITSELF:
            return None
        for entry in await self.entries():
            if entry.get("id") == origin.chat_id:
                home = jobs.origin_of(entry)
                return None if home is None else Author(_spoken_in(home), self._role(home))
        return Author(origin, None)

    async def _asker(self, event: InboundEvent) -> Asker:
        origin = event.origin
        home = Home(
            platform=origin.platform,
            account=origin.account,
            chat_id=origin.chat_id,
            thread_id=origin.thread_id,
            user_id=origin.user_id,
            chat_type=origin.chat_type,
            parent_chat_id=origin.parent_chat_id,
        )
        if origin.platform == ITSELF:
            return Asker(home, admin=False, is_self=lambda _: False, run_of=origin.chat_id)
        await self._people.fresh()
        rules = self._access.rules(origin.platform, origin.account)
        role = check_access(event, rules, self._adapters.capabilities(origin.platform)).role
        admin = role in ("admin", "owner")
        if role is None or not (origin.user_id or admin):
            raise NotAllowed("only who is known by an id may have jobs")
        return Asker(home, admin, partial(self._is_self, home))

    def _is_self(self, asker: Home, home: Home) -> bool:
        """The same user, by any form of their id, or the same person; where nobody has an id, the same chat."""
        if asker.user_id is None or home.user_id is None:
            return _chat(asker) == _chat(home)
        people = self._people
        mine, theirs = people.side(_spoken_in(asker)).user, people.side(_spoken_in(home)).user
        me = people.person_of(mine.platform, mine.account, mine.user_id)
        them = people.person_of(theirs.platform, theirs.account, theirs.user_id)
        return mine == theirs or (me is not None and them is not None and me.person_id == them.person_id)

    def _role(self, home: Home) -> Role | None:
        """In which role somebody would speak there now. That a platform's own role lets them in is taken to be as it was."""
        event = InboundEvent("", _spoken_in(home), "", self._clock.wall(), TraceId(""))
        rules = self._access.rules(home.platform, home.account)
        return check_access(event, rules, self._adapters.capabilities(home.platform)).role

    async def _found(self, asker: Asker, name: str) -> Entry:
        return behalf.find(await self.entries(), asker, name)

    # --- for everybody ------------------------------------------------------------------------------------------------------

    async def entries(self) -> list[Entry]:
        """All that stand in the file. Raises ``bad_job`` where it cannot be read."""
        return await self._files.run(cron_files.entries_in)

    async def book(self) -> cron_files.Book:
        """The jobs, and what is wrong with them."""
        return await self._files.run(cron_files.look, self.zone) or cron_files.NOTHING

    async def change(self, order: orders.Order, *, check: bool = True) -> Mapping[str, Any]:
        """Do it on a copy first: what leads nowhere is not made (AC-24)."""
        if check:
            tried = await self.entries()
            entry = tried[orders.place(tried, order(tried)["id"])]
            await self._check(jobs.read(entry, self.zone))
        return {"job": await self._change(order)}

    async def _change(self, edit: Callable[[list[Any]], T]) -> T:
        try:
            result, _ = await self._files.run(cron_files.change, self.zone, self._clock.wall(), edit)
        except OSError as wrong:
            detail = f"{wrong.filename or cron_files.JOBS}: {wrong.strerror or wrong}; nothing was changed"
            raise jobs.BadJob(detail) from wrong
        self.wake()
        return result

    def wake(self) -> None:
        """Have cron look at the clock and at the file now."""
        self._cron.tell_nowait(self._look)

    async def halt(self, which: orders.Which, job_ids: Collection[str]) -> None:
        """Have ``which`` rest, and return when nothing of ``job_ids``, which are theirs, runs any more. They stay in the file:
        who is to erase more than that finds them again after a crash.
        """
        await self._change(partial(orders.rest, which=which, now=self._clock.wall(), zone=self.zone))
        try:
            await self._cron.ask(partial(self._end_runs, frozenset(job_ids)), HALT_S)
        except (AskError, trio.TooSlowError) as wrong:
            detail = f"what runs of these jobs could not be ended: {str(wrong) or 'that takes too long'}; try again"
            raise jobs.BadJob(detail) from wrong

    async def forget(self, which: orders.Which, job_ids: Collection[str]) -> None:
        """``which`` are gone from the file, after what ``job_ids``, which are theirs, have said."""
        try:
            await self._files.run(cron_files.drop_outputs, job_ids)
        except OSError as wrong:
            raise jobs.BadJob(f"{wrong.filename}: {wrong.strerror or wrong}; try again") from wrong
        await self._change(partial(orders.forget, which=which))

    async def run(self, job_id: str) -> Mapping[str, Any]:
        """Beside its schedule."""
        return {"run": asdict(await self._cron.ask(partial(self._run_now, job_id), RUN_DEADLINE_S))}

    async def runs(self, job_id: str | None, limit: int) -> Mapping[str, Any]:
        """The newest of a job, or of all."""
        return {"runs": await self._store.read(reads.runs, job_id, max(0, min(limit, MOST_ROWS)))}

    async def _check(self, job: jobs.Job) -> None:
        if job.script:
            await self._files.run(script_command, job.script)
        origin = place_of(job)
        deliver = (*job.deliver, *filter(None, (job.failure_target,)))
        wanted = await wanted_of(self._router, deliver, origin)
        if wanted and (refused := await self._router.refused(wanted, origin)):
            raise jobs.BadJob("; ".join(refused))


async def wanted_of(router: Router, deliver: Sequence[str], origin: Place | None) -> Sequence[str]:
    """The targets of a job, as the router takes them."""
    return targets(deliver, origin, await router.homes() if asks_for_homes(deliver) else ())


def place_of(job: jobs.Job) -> Place | None:
    """The chat in which the job was made."""
    home = job.origin
    return None if home is None else Place(home.platform, home.account, home.chat_id, home.thread_id)


def _chat(home: Home) -> object:
    return home.platform, home.account, home.chat_id, home.user_id


def _spoken_in(home: Home) -> Origin:
    return Origin(
        platform=home.platform,
        chat_id=home.chat_id,
        account=home.account,
        chat_type=home.chat_type,
        thread_id=home.thread_id,
        user_id=home.user_id,
        parent_chat_id=home.parent_chat_id,
        role_authorized=True,
    )
