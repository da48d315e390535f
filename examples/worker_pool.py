"""A pool of workers: a child for each job, two at a time. A worker that fails starts its job again."""

import random
from dataclasses import dataclass

import trio

from supervisors.context import Context
from supervisors.dynamic import SupervisorRef
from supervisors.ref import ActorRef
from supervisors.spec import ChildSpec
from supervisors.supervisor import supervisor
from supervisors.system import StopRequest, System

JOBS = ("ant", "bee", "cat", "dog")
AT_ONCE = 2


@dataclass(frozen=True)
class Done:
    """A worker has finished ``job``."""

    job: str
    attempt: int


async def worker(ctx: Context[None], job: str, boss: ActorRef[Done]) -> None:
    """Does one job and returns; fails the first attempt at ``cat``."""
    ctx.ready()
    await trio.sleep(0.1)
    if job == "cat" and ctx.incarnation == 1:
        raise ConnectionError("the line is down")
    await boss.tell(Done(job, ctx.incarnation))


async def boss(ctx: Context[Done]) -> None:
    """Keeps ``AT_ONCE`` workers busy until no job is left."""
    pool = SupervisorRef(ctx.system.registry.ref("app/workers"))
    waiting, busy = list(JOBS), 0
    ctx.ready()
    while waiting or busy:
        while waiting and busy < AT_ONCE:
            job, busy = waiting.pop(0), busy + 1
            # transient: started again after a failure, forgotten when it returns
            await pool.start_child(ChildSpec(job, worker, (job, ctx.me), restart="transient"), timeout_s=5)
        match await ctx.receive():
            case Done(job, attempt):
                print(f"{job} done, attempt {attempt}")
                busy -= 1
            case _:
                return  # asked to stop
    ctx.system.request_stop(StopRequest(code=0, why="no job is left"))


if __name__ == "__main__":
    # The pool starts first, so it stops last.
    children = [supervisor("workers", dynamic=True), ChildSpec("boss", boss, restart="transient")]
    trio.run(System(rng=random.Random()).run, supervisor("app", children))  # noqa: S311 - jitter, not secrets
