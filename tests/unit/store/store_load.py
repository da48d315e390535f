"""A process that writes as fast as it can and prints the ids of what was acknowledged; killed by its parent.

python store_load.py DATABASE PREFIX
"""

import queue
import sys
from itertools import count
from pathlib import Path

from hermes.store.backlog import Backlog, Cell
from hermes.store.ops import Accept, Close, Enqueue
from hermes.store.writer import Committed, Degraded, Ended, Healthy, Report, WriterThread
from hermes.types.content import Outbound
from hermes.types.events import InboundEvent
from hermes.types.ids import DeliveryId, TraceId
from hermes.types.origin import Origin

IN_FLIGHT = 40


def main(path: Path, prefix: str) -> None:
    backlog = Backlog()
    reports: queue.SimpleQueue[Report] = queue.SimpleQueue()
    WriterThread(path, backlog, reports.put).start()
    numbers = count()

    def put() -> None:
        name = f"{prefix}-{next(numbers)}"
        origin = Origin("webchat", f"chat-{len(name)}")
        backlog.put(Cell(Accept((InboundEvent(name, origin, "text " * 40, 1.0, TraceId(name)),))))
        backlog.put(Cell(Enqueue(Outbound(DeliveryId(name), "webchat", "default", "c", "reply " * 40), 1.0)))

    for _ in range(IN_FLIGHT):
        put()
    while True:
        report = reports.get()
        match report:
            case Committed(flight):
                pass
            case Healthy():
                continue
            case Degraded() | Ended():
                raise SystemExit(f"not what this load is about: {report}")
        for cell, outcome in zip(flight.cells, flight.outcomes or (), strict=True):
            match cell.op:
                case Accept(events):
                    row_id = outcome[0].row_id  # type: ignore[index]
                    backlog.put(Cell(Close(row_id, "answered", events[0].event_id, 2.0)))
                case Enqueue(message):
                    sys.stdout.write(f"out {message.delivery_id}\n")
                    put()
                case Close(rule=event_id):
                    sys.stdout.write(f"in {event_id}\n")
                case other:
                    raise AssertionError(other)
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
