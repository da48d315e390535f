"""The real tree without its edges: on the store's double, fake platforms and a virtual clock, and it can be killed.

    person ─ say ─▶ FakeAdapter ─▶ delivery · sessions · inbound · adapters (as in ``actors.tree``) ─▶ FakeAdapter ─ heard

A kill fences the store, cancels the tree, and lets a new boot begin on the same data a second later.
"""

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, cast

import trio
import trio.testing

from actors import reloader, root, tree
from actors.adapter import Account
from actors.ports.access import canonical_form
from actors.ports.adapters import AdapterTable
from actors.ports.arrival import Arrival
from actors.ports.files import HomeFiles
from actors.ports.hooks import HookPort
from actors.ports.overview import TreeOverview
from actors.ports.services import Services
from actors.ports.store import StorePort
from actors.ports.web import WebPort
from hermes.config.access import AccessSettings
from hermes.config.homes import Homes
from hermes.config.load import Settings
from hermes.config.model import Config, Display
from hermes.config.restart_notices import RestartNotices
from hermes.ops.pairing_files import PairingFiles
from hermes.ops.redaction import Redaction
from hermes.plugins.brought import PluginRow
from hermes.plugins.hooks import Found, Hook
from hermes.registry.accounts import Accounts
from hermes.registry.registry import PlatformRegistry, Unavailable
from hermes.registry.tools import Toolbox
from hermes.sessions.keys import build_session_key
from hermes.store import queries
from hermes.store.memory import MemoryStore
from hermes.testing.fakes import FakeAdapter, FakeAgent, FakeIds, TrioClock
from hermes.testing.run_with_faults import InjectedFault
from hermes.types import faults
from hermes.types.agent import Agent
from hermes.types.content import Capabilities
from hermes.types.errors import Failure, GatewayError
from hermes.types.hooks import Hooks, NoHooks
from hermes.types.ids import BootId, SessionKey
from hermes.types.memory import MemoryProvider
from hermes.types.origin import DEFAULT_ACCOUNT, Origin, lane_key
from hermes.types.ports import Adapter, FileSink
from hermes.types.records import Counts, TranscriptLine
from supervisors.spec import ChildSpec, path_segment
from supervisors.spec_tree import family
from supervisors.system import Outcome, StopRequest, System
from supervisors.tree import ActorSnapshot
from supervisors.watchdog import Watchdog

EDGES = frozenset({"control", "store", "hooks", "web", "health", "journal", "dossiers", "dumper", "database"})
"""Children that need threads or sockets; everything else runs as it is."""

NEEDS_A_HOME = frozenset({"channels"})
"""Left out where there is no directory to write to."""

SECRET = "a-secret-of-the-operator"
"""What no one may be shown."""

REBOOT_S = 1.0
OUTBOX = "root/gateway/delivery/outbox"
ADAPTER = "root/gateway/adapters/fake:default"

QUEUE = Display(busy_input_mode="queue", busy_ack=False)
"""Each message has an answer of its own, and nobody says anything else: what most tests are told in."""

IDEMPOTENT = Capabilities(authenticated=True, idempotent_send=True, streaming=("draft",), own_page=True)
PLAIN = Capabilities(authenticated=True, streaming=("draft",), own_page=True)
"""Both show drafts, as a page of our own does."""


class Killed(BaseException):
    """Ends the code that ran into the kill; nothing after it counts."""


class Figures:
    """The store as ``TreeOverview`` sees it."""

    def __init__(self, store: MemoryStore) -> None:
        self.read = store.read
        self.degraded: Failure | None = None


@dataclass
class Boot:
    """One life of the process."""

    store: MemoryStore
    system: System
    services: Services
    figures: Figures
    hooks: HookPort
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    ended: trio.Event = field(default_factory=trio.Event)
    outcome: Outcome | None = None
    wires: set[trio.CancelScope] = field(default_factory=set)

    def kill(self) -> None:
        """As SIGKILL: from here on nothing is written and nobody acts."""
        self.store.fence()
        self.scope.cancel()


class World:
    """A gateway that people write to. ``start`` runs it until its nursery ends; it comes back after every kill."""

    def __init__(
        self,
        agent: Agent | None = None,
        *,
        capabilities: Capabilities = IDEMPOTENT,
        platform: FakeAdapter | None = None,
        others: Sequence[FakeAdapter] = (),
        config: Config | None = None,
        access: AccessSettings = AccessSettings(),  # noqa: B008 - frozen
        hooks: Hooks | None = None,
        handlers: Sequence[Hook] | None = None,
        home: Path = Path("/nonexistent/home"),
        homes: Homes | None = None,
        accounts: Accounts | None = None,
        tools: Toolbox | None = None,
        plugins: Sequence[PluginRow] = (),
    ) -> None:
        """``accounts`` make the adapters, if they are given; they are then those of ``platform`` and ``others``. ``hooks`` stands
        in for the actor of that name; ``handlers`` are what that runs.
        """
        self.agent = agent if agent is not None else FakeAgent()
        self.platform = platform if platform is not None else FakeAdapter(capabilities=capabilities)
        self.config = config if config is not None else Config(display=QUEUE)
        self.tools = tools if tools is not None else Toolbox()
        self._plugins = plugins
        self.memories: list[MemoryProvider] = []
        self._access = access
        self.home = home
        self.homes = homes if homes is not None else {}
        self.files = HomeFiles(home, _inline)
        self._hooks = hooks if hooks is not None else NoHooks()
        self.handlers = handlers
        self._written: Config | GatewayError = self.config
        self._readings = 0
        self.boots: list[Boot] = []
        self._platforms = (self.platform, *others)
        self._store = MemoryStore(TrioClock().wall)
        self._names = count(1)
        self.whatsapp_aliases: dict[str, str] = {}
        self.restart_notices: dict[tuple[str, str], bool] = {}
        self._again = False
        self.away_s = REBOOT_S
        self._accounts = accounts
        self.look_at_settings: Callable[[], Awaitable[object]] | None = None
        self.agents_asked_for: list[Config] = []

    # --- the process ---------------------------------------------------------------------------------------------------

    async def keep(self) -> None:
        """Boot, and boot again after each kill or restart; return when a boot has ended by itself."""
        while True:
            boot = self._make()
            self.boots.append(boot)
            with boot.scope:
                boot.outcome = await boot.system.run(self._tree(boot), signals=None)
            boot.ended.set()
            for wire in boot.wires:
                wire.cancel()
            if boot.outcome is not None and not self._again:
                return
            self._again = False
            await trio.sleep(self.away_s)

    @property
    def boot(self) -> Boot:
        """The present life of the process."""
        return self.boots[-1]

    @property
    def services(self) -> Services:
        """What its actors are handed."""
        return self.boot.services

    async def up(self, within_s: float = 60.0) -> None:
        """Wait until the present boot, or the next, is ready and its adapters are connected."""
        paths = [f"root/gateway/adapters/{one.platform}:{one.account}" for one in self._platforms]
        await self.until(lambda: all(self.state(path) == "running" for path in paths), within_s)

    async def kill(self) -> None:
        """Kill the process now and wait until it is up again; what it sends after its death is a fault of the double."""
        boot, sent = self.boot, len(self.platform.sent)
        boot.kill()
        await boot.ended.wait()
        assert len(self.platform.sent) == sent
        await self.until(lambda: self.boot is not boot)
        await self.up()

    async def reload(self, config: Config | GatewayError, access: AccessSettings | None = None) -> None:
        """Tell the process that its file says something else, or something wrong, and wait until it has been read."""
        self._written, before = config, self._readings
        self._access = self._access if access is None else access
        self.boot.system.registry.ref(tree.RELOADER).tell_nowait(reloader.Reload())
        await self.until(lambda: self._readings > before)
        await trio.testing.wait_all_tasks_blocked()

    async def reread(self) -> Settings:
        """What is in the file."""
        self._readings += 1
        if isinstance(self._written, GatewayError):
            raise self._written
        return Settings(self._written, self._access, homes=self.homes)

    def restart(self, code: int = 0) -> None:
        """Stop in good order, and boot again; ``code`` is the exit code that was asked for."""
        self._again = True
        self.boot.system.request_stop(StopRequest(code, "the test"))

    async def stop(self) -> Outcome:
        """Stop in good order."""
        self.boot.system.request_stop(StopRequest(0, "the test"))
        await self.boot.ended.wait()
        assert self.boot.outcome is not None
        return self.boot.outcome

    async def look_at_hooks(self) -> Found:
        """What is in the directory of the hooks."""
        await trio.lowlevel.checkpoint()
        return Found(tuple(self.handlers or ()))

    async def fetch_url(self, url: str, sink: FileSink, *, deadline_s: float, max_bytes: int) -> None:
        """The internet, which is not there. Tests put something in its place."""
        raise GatewayError(Failure("dns"))

    async def in_pairing_thread(self, call: Callable[[], Any]) -> Any:
        """What blocks on the pairing files; a thread would let virtual time run away. Tests put something slow here."""
        await trio.lowlevel.checkpoint()
        return call()

    # --- its people ----------------------------------------------------------------------------------------------------

    async def say(self, text: str, chat: str = "1", *, event_id: str | None = None) -> None:
        """Write to it by way of a platform that delivers an event again until it is acked."""
        name = event_id or f"e{next(self._names)}"
        while True:
            boot = self.boot
            attempt = trio.CancelScope()
            boot.wires.add(attempt)
            try:
                with attempt:
                    faults.point("after_decode")
                    await self.platform.receive(text, chat, event_id=name)
                    faults.point("before_ack")
                    return
            except InjectedFault as error:
                self.platform.crash(error)
            except (Killed, GatewayError):
                pass
            finally:
                boot.wires.discard(attempt)
            await trio.sleep(0.1)

    def heard(self, chat: str = "1") -> list[str]:
        """What the person in ``chat`` reads; a platform that drops second copies shows each part once."""
        seen = set()
        texts = []
        for sent in self.platform.sent:
            name = (sent.part.delivery_id, sent.part.index)
            again = self.platform.capabilities.idempotent_send and name in seen
            seen.add(name)
            if sent.chat_id == chat and not again:
                texts.append(sent.part.text)
        return texts

    # --- looking at it -------------------------------------------------------------------------------------------------

    async def until(self, holds: Callable[[], bool], within_s: float = 600.0, every_s: float = 0.05) -> None:
        """Wait, in virtual time."""
        with trio.fail_after(within_s):
            while not holds():
                await trio.sleep(every_s)

    async def settle(self, within_s: float = 600.0) -> None:
        """Wait until every message has its end and every answer has arrived."""
        await self.until(self.quiet, within_s)

    def quiet(self) -> bool:
        """True if nothing is open."""
        return not self.counts.pending and not self.look(queries.open_lanes)

    def look(self, query: Callable[..., Any], *args: Any) -> Any:
        """What the database says, whoever lives."""
        return query(self._store._connection, *args)

    def transcript(self, chat: str = "1") -> list[TranscriptLine]:
        """What was said in the present stretch of a chat's session."""
        record = self.look(queries.session, self.key(chat))
        return (
            [] if record is None else self.look(queries.history, record.session_key, record.session_id, 1000)
        )

    def rows(self, columns: str, table: str = "inbox") -> list[Any]:
        """All rows of a table, oldest first: values where one column is asked for, else tuples."""
        found = self._store._connection.execute(
            f"SELECT {columns} FROM {table} ORDER BY 1 * row_id"
        ).fetchall()
        return [row[0] if len(row) == 1 else row for row in found]

    @property
    def counts(self) -> Counts:
        """The counters and the open rows."""
        return cast("Counts", self.look(queries.counts))

    def tree(self) -> dict[str, ActorSnapshot]:
        """Every actor by path."""
        snapshot = self.boot.system.snapshot() if self.boots else None
        return {} if snapshot is None else {node.path: node for node in snapshot.walk()}

    def state(self, path: str) -> str | None:
        """The state of the actor at ``path``, if there is one."""
        node = self.tree().get(path)
        return None if node is None else node.state

    def incarnations(self) -> dict[str, int]:
        """How often each actor has lived."""
        return {path: node.incarnation for path, node in self.tree().items()}

    def key(self, chat: str = "1") -> SessionKey:
        """The session of a chat."""
        return build_session_key(Origin("fake", chat, user_id="u1"))

    def session(self, chat: str = "1") -> str:
        """The path of a chat's session."""
        return f"{tree.SESSIONS}/{path_segment(self.key(chat))}"

    def lane(self, chat: str = "1") -> str:
        """The path of a chat's lane."""
        return f"{tree.LANES}/{path_segment(lane_key('fake', DEFAULT_ACCOUNT, chat))}"

    # --- how it is put together (as ``hermes.app`` does) -----------------------------------------------------------------

    def _make(self) -> Boot:
        number = len(self.boots) + 1
        store = self._store = self._store.reopen()
        store.read = _late(store.read)  # type: ignore[method-assign]
        clock, ids, adapters = TrioClock(), FakeIds(number), AdapterTable("root/gateway/delivery/lanes")

        async def drain(request: StopRequest) -> None:
            await root.drain(system, services, tree.LANES, request)

        system = System(rng=random.Random(number), exits=root.EXITS, drain=drain)
        for platform in self._platforms:
            adapters.configure(platform.platform, platform.capabilities, platform.account)
        figures = Figures(store)
        overview = TreeOverview(
            system=system,
            store=cast("StorePort", figures),
            adapters=adapters,
            web=WebPort(store, clock, ids),
            watchdog=Watchdog(),
            redact=Redaction((SECRET,)).redact,
            clock=clock,
            boot_id=BootId(f"boot{number}"),
            home=Path("home"),
            version="0",
            reload=reloader.Reload,
        )
        port = tree.hook_port(system, clock)
        system.events.listen(port.crashed)
        services = tree.wire(
            system,
            boot_id=BootId(f"boot{number}"),
            settings=Settings(self.config, self._access, homes=self.homes),
            hooks=self._hooks if self.handlers is None else port,
            clock=clock,
            ids=ids,
            store=store,
            agent=self.agent,
            tools=self.tools,
            memories=self.memories,
            overview=overview,
            adapters=adapters,
            whatsapp_aliases=self.whatsapp_aliases,
            files=self.files,
            in_thread=_inline,
            fetch_url=self.fetch_url,
        )
        return Boot(store, system, services, figures, port)

    def _tree(self, boot: Boot) -> ChildSpec:
        edge = cast("Any", None)
        accounts = [
            Account(platform.platform, platform.account, partial(self.make, platform))
            for platform in self._platforms
        ]
        parts = tree.Parts(
            arrival=Arrival(),
            services=boot.services,
            store_port=edge,
            overview=boot.services.overview,
            inspection=edge,
            metrics=edge,
            web_port=edge,
            control_door=edge,
            events=edge,
            crashes=edge,
            accounts=accounts,
            means=reloader.Means(
                reread=lambda: self.reread(),
                look=self.look_at_settings,
                reloading=lambda _on: None,
                accounts=self._accounts or _no_accounts(self.home),
                account=lambda name, account: Account(name, account, partial(self.made, name, account)),
                use_agent=self.use_agent,
            ),
            announce=edge,
            set_aside=edge,
            hook_port=boot.hooks,
            look_at_hooks=lambda: self.look_at_hooks(),
            pairing_files=PairingFiles(self.home, partial(canonical_form, aliases=self.whatsapp_aliases)),
            in_pairing_thread=self.in_pairing_thread,
            files=self.files,
            restart_notices=RestartNotices(self.restart_notices),
            home=Path("home"),
            plugins=self._plugins,
            health_file=edge,
            lasted=lambda: None,
        )
        without = EDGES if self.home.exists() else EDGES | NEEDS_A_HOME
        without -= frozenset() if self.handlers is None else {"hooks"}
        return _without_edges(tree.build(parts), without)

    async def make(self, platform: FakeAdapter) -> Adapter | Unavailable:
        """The one adapter there is, for each incarnation."""
        await trio.lowlevel.checkpoint()
        return self._accounts.create(platform.platform, platform.account) if self._accounts else platform

    async def made(self, name: str, account: str) -> Adapter | Unavailable:
        """The adapter of an account that came while we ran."""
        await trio.lowlevel.checkpoint()
        assert self._accounts is not None
        return self._accounts.create(name, account)

    async def use_agent(self, config: Config) -> None:
        """Another agent is to answer. Tests count, or put one in its place."""
        self.agents_asked_for.append(config)

    # --- making it fail --------------------------------------------------------------------------------------------------

    def crash_at(self, point: str, nth: int = 1) -> None:
        """Raise at the ``nth`` passage of a fault point, once."""
        self._strike(point, nth, self._raise)

    def kill_at(self, point: str, nth: int = 1) -> None:
        """Kill the process at the ``nth`` passage of a fault point, once."""
        self._strike(point, nth, self._kill)

    def crash(self, path: str) -> None:
        """Make the actor at ``path`` raise, by a message that it has no case for."""
        self.boot.system.registry.ref(path).urge(object())

    def _strike(self, point: str, nth: int, act: Callable[[], None]) -> None:
        passed = count(1)

        def handler(name: str) -> None:
            if name == point and next(passed) == nth:
                act()

        faults.arm(handler)

    def _raise(self) -> None:
        raise InjectedFault("injected")

    def _kill(self) -> None:
        self.boot.kill()
        raise Killed


def _no_accounts(home: Path) -> Accounts:
    return Accounts(PlatformRegistry(), Settings(Config()), home=home, clock=TrioClock(), ids=FakeIds())


def _late(read: Callable[..., Any]) -> Callable[..., Any]:
    """What was read is old by the time it is seen, as it is when a thread has read it."""

    async def late(query: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        found = await read(query, *args, **kwargs)
        await trio.sleep(0.001)
        return found

    return late


async def _inline(call: Callable[[], Any]) -> Any:
    """A thread would let virtual time run away."""
    await trio.lowlevel.checkpoint()
    return call()


def _without_edges(spec: ChildSpec, edges: frozenset[str]) -> ChildSpec:
    if spec.kind == "worker":
        return spec
    children, rules = family(spec)
    kept = tuple(_without_edges(child, edges) for child in children if child.id not in edges)
    return replace(spec, args=(kept, rules))
