"""A counter that crashes and comes back: what it counted is gone, what waits in its mailbox is not."""

import random
from dataclasses import dataclass

import trio

from supervisors.cell import Down, Stop
from supervisors.context import Context
from supervisors.reply import Reply
from supervisors.spec import ChildSpec
from supervisors.supervisor import supervisor
from supervisors.system import StopRequest, System


@dataclass(frozen=True)
class Add:
    """Count ``amount`` more; a negative one is a crash."""

    amount: int


@dataclass(frozen=True)
class Total:
    """Answer with the count."""

    reply: Reply[int]


async def counter(ctx: Context[Add | Total]) -> None:
    """Counts."""
    count = 0
    ctx.ready()
    while True:
        match await ctx.receive():
            case Add(amount):
                if amount < 0:
                    raise ValueError(f"cannot add {amount}")
                count += amount
            case Total(reply):
                reply.send(count)
            case Stop() | Down():
                return


async def demo(ctx: Context[None]) -> None:
    """Uses the counter, then ends the program."""
    ref = ctx.system.registry.ref("app/counter")
    for amounts in ((3, 4), (-1, 10)):  # the 10 waits out the crash
        for amount in amounts:
            await ref.tell(Add(amount))
        await trio.sleep(0.5)
        total: int = await ref.ask(Total, timeout_s=1)
        print(f"life {ref.incarnation} counts {total}")
    ctx.system.request_stop(StopRequest(code=0, why="the demo is over"))


if __name__ == "__main__":
    children = [ChildSpec("counter", counter), ChildSpec("demo", demo, restart="temporary")]
    trio.run(System(rng=random.Random()).run, supervisor("app", children))  # noqa: S311 - jitter, not secrets
