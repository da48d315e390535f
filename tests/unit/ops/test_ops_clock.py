"""The real clock and names keep to their protocols."""

import time
from threading import Thread

from hermes.ops.clock import STOCK_BYTES, SystemClock, SystemIds
from hermes.types.ids import Clock, IdSource


def test_clocks_are_the_machine_s():
    clock: Clock = SystemClock()

    assert time.time() - 5 < clock.wall() <= time.time()
    assert clock.mono() <= clock.mono()


def test_tokens_are_hex_of_the_size_asked_for_and_differ():
    ids: IdSource = SystemIds()

    for size in (1, 7, 8, 32):
        assert len(ids.token(size)) == size
        assert set(ids.token(size)) <= set("0123456789abcdef")
    assert ids.token(32) != ids.token(32)


def test_no_token_is_given_out_twice_whichever_thread_asks():
    ids, given = SystemIds(), list[str]()
    threads = [
        Thread(target=lambda: given.extend([ids.token(16) for _ in range(STOCK_BYTES // 16)]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(given)) == len(given) == 4 * (STOCK_BYTES // 16)
