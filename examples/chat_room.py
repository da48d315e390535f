"""A chat room that watches its members: whoever leaves, in good order or not, is announced to the others."""

import random

import trio

from supervisors.cell import Down, Stop
from supervisors.context import Context
from supervisors.ref import ActorRef
from supervisors.spec import ChildSpec
from supervisors.supervisor import supervisor
from supervisors.system import StopRequest, System


async def room(ctx: Context[ActorRef[str] | str]) -> None:
    """Takes new members, passes on what is said, and forgets members when their ``Down`` comes."""
    members: dict[str, ActorRef[str]] = {}
    ctx.ready()
    while True:
        match await ctx.receive():
            case ActorRef() as newcomer:
                ctx.monitor(newcomer)
                members[newcomer.path] = newcomer
                heard = f"{newcomer.path} is here"
            case Down(path=path, reason=reason):
                del members[path]
                heard = f"{path} has left: {type(reason).__name__}"
            case str(said):
                heard = said
            case Stop():
                return
        for listener in members.values():
            listener.tell_nowait(heard)  # who does not keep up misses it; nobody waits


async def member(ctx: Context[str], farewell: str | None) -> None:
    """Joins, prints what it hears, and does not survive its farewell."""
    await ctx.system.registry.ref("chat/room").tell(ctx.me)
    ctx.ready()
    while isinstance(heard := await ctx.receive(), str):
        print(f"[{ctx.path}] {heard}")
        if heard == farewell:
            raise RuntimeError("slipped on the doorstep")


async def evening(ctx: Context[None]) -> None:
    """What is said tonight."""
    for said in ("good evening", "good night", "is anybody there?"):
        await trio.sleep(0.1)
        await ctx.system.registry.ref("chat/room").tell(said)
    await trio.sleep(0.1)
    ctx.system.request_stop(StopRequest(code=0, why="closing time"))


if __name__ == "__main__":
    hall = ChildSpec("room", room, start_mode="sync")
    ann = ChildSpec("ann", member, (None,), restart="temporary", start_mode="sync")
    bob = ChildSpec("bob", member, ("good night",), restart="temporary", start_mode="sync")
    tree = supervisor("chat", [hall, ann, bob, ChildSpec("evening", evening, restart="temporary")])
    trio.run(System(rng=random.Random()).run, tree)  # noqa: S311 - jitter, not secrets
