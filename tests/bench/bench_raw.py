"""The anchor that the kit and its peer are measured beside: bare Trio, whichever version is installed."""

import gc
import time

import trio
import trio.testing


class Cpu:
    """CPU seconds of this thread within the block. Collects garbage first, so that nobody pays for the one before."""

    def __enter__(self) -> "Cpu":
        gc.collect()
        self._begun = time.thread_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.thread_time() - self._begun


async def ping_pong(count: int) -> float:
    """CPU microseconds of a round trip through two unbuffered memory channels, without a timeout."""
    to_server, server_takes = trio.open_memory_channel[int](0)
    to_client, client_takes = trio.open_memory_channel[int](0)

    async def serve() -> None:
        async for number in server_takes:
            await to_client.send(number)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        with Cpu() as cpu:
            for number in range(count):
                await to_server.send(number)
                await client_takes.receive()
        await to_server.aclose()
    return cpu.seconds / count * 1e6
