"""Prometheus' text format: what a scrape of ``/metrics`` is answered with. Pure.

A family is a name with its help, its type, and a value for each set of labels; of each set there is one.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often a value was at most each of ``bounds``, which rise; ``counts`` has one more, for what is above all of them."""

    bounds: Sequence[float]
    counts: Sequence[int]
    total: float


@dataclass(frozen=True, slots=True)
class Family:
    """Values under one name, without those that are not known (None)."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    samples: Sequence[tuple[Labels, float | Histogram | None]]


class Tallies:
    """Values as they come, kept as a histogram; for one thread."""

    def __init__(self, *bounds: float) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def add(self, value: float) -> None:
        """Count ``value``."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def seen(self) -> Histogram:
        """All so far."""
        return Histogram(self._bounds, tuple(self._counts), self._total)


def render(families: Iterable[Family]) -> str:
    """The document; a family without a known value is left out."""
    lines: list[str] = []
    for family in families:
        found = [line for labels, value in family.samples for line in _lines(family.name, labels, value)]
        if found:
            lines += [f"# HELP {family.name} {_escaped(family.help)}", f"# TYPE {family.name} {family.kind}"]
            lines += found
    return "".join(f"{line}\n" for line in lines)


def _lines(name: str, labels: Labels, value: float | Histogram | None) -> Iterator[str]:
    match value:
        case None:
            return
        case Histogram(bounds, counts, total):
            passed = 0
            for bound, count in zip((*bounds, None), counts, strict=True):
                passed += count
                yield _line(
                    f"{name}_bucket", {**labels, "le": "+Inf" if bound is None else f"{bound:g}"}, passed
                )
            yield _line(f"{name}_sum", labels, total)
            yield _line(f"{name}_count", labels, passed)
        case number:
            yield _line(name, labels, number)


def _line(name: str, labels: Labels, value: float) -> str:
    shown = ",".join(f'{label}="{_escaped(text, quote=True)}"' for label, text in labels.items())
    return f"{name}{{{shown}}} {value!r}" if shown else f"{name} {value!r}"


def _escaped(text: str, *, quote: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quote else text
