"""Why an actor ended: a closed sum, and how an exception becomes one of its cases.

    exception ──flatten──▶ leaf or group ──classify──▶ ExitReason ──core──▶ restart | disable | escalate

An actor has no "failed but alive" state: its only way to fail is to end, and this is what its supervisor learns then.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal, assert_never

Verdict = Literal["backoff", "disable", "escalate"]


@dataclass(frozen=True, slots=True)
class Normal:
    """It returned. A fault for a permanent actor, an end for the others."""


@dataclass(frozen=True, slots=True)
class Shutdown:
    """It was asked to stop and did."""

    reason: str = "shutdown"


@dataclass(frozen=True, slots=True)
class Failed:
    """A failure the application has a name for; ``verdict`` says what to do about it.

    ``retry_after`` is the wait in seconds that a peer has named, a lower bound. ``path`` are the children it came up
    through, outermost first.
    """

    code: str
    verdict: Verdict
    retry_after: float | None = None
    detail: str = ""
    exc: BaseException | None = field(default=None, compare=False)
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Crash:
    """An exception nobody has a name for. ``exc`` keeps its traceback and cause."""

    exc: BaseException


@dataclass(frozen=True, slots=True)
class StartFailed:
    """A supervisor could not boot because its child ``child`` did not get ready; ``cause`` is that child's own reason."""

    child: str
    cause: "ExitReason"


@dataclass(frozen=True, slots=True)
class IntensityExceeded:
    """A supervisor gave up: ``child`` ended too often. ``history`` are its last reasons, oldest first."""

    child: str
    history: tuple["ExitReason", ...]


@dataclass(frozen=True, slots=True)
class Stuck:
    """It ignored its stop and its cancellation past all deadlines, and was abandoned."""

    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Its scope was cancelled; never a crash, never a reason to restart."""

    scope: str


ExitReason = Normal | Shutdown | Failed | Crash | StartFailed | IntensityExceeded | Stuck | Cancelled

Classify = Callable[[BaseException], ExitReason]
"""How an application maps one of its exceptions; whatever it has no name for is a ``Crash``."""


class Exit(Exception):
    """Raised by an actor to end with exactly ``reason``; a supervisor ends this way."""

    def __init__(self, reason: ExitReason) -> None:
        super().__init__(describe(reason))
        self.reason = reason


def leaves(exc: BaseException) -> Iterator[BaseException]:
    """The plain exceptions in ``exc``, depth first; ``exc`` itself if it is not a group."""
    if isinstance(exc, BaseExceptionGroup):
        for inner in exc.exceptions:
            yield from leaves(inner)
    else:
        yield exc


def flatten(exc: BaseException, cancelled: type[BaseException]) -> BaseException | None:
    """The failure inside ``exc``: the exception itself where there is one, a group of all where there are several.

    Trio wraps whatever leaves a nursery in a group, also a single exception. ``cancelled`` is Trio's Cancelled, handed in
    so that this module imports no Trio; it is no failure, so a group of nothing else gives None.
    """
    failures = [leaf for leaf in leaves(exc) if not isinstance(leaf, cancelled)]
    if not failures:
        return None
    if len(failures) == 1:
        return failures[0]
    if not isinstance(exc, BaseExceptionGroup):
        return exc
    return exc.split(cancelled)[1]


_PRECEDENCE: tuple[Verdict, ...] = ("escalate", "disable", "backoff")


def reason_for(exc: BaseException, classify: Classify) -> ExitReason:
    """Classify a flattened failure. In a group the gravest verdict wins, and a named failure wins over a crash."""
    reasons = [leaf.reason if isinstance(leaf, Exit) else classify(leaf) for leaf in leaves(exc)]
    if len(reasons) == 1:
        return reasons[0]
    failed = [reason for reason in reasons if isinstance(reason, Failed)]
    if not failed:
        return Crash(exc)
    gravest = min(failed, key=lambda reason: _PRECEDENCE.index(reason.verdict))
    return replace(gravest, exc=exc)


def crash(exc: BaseException) -> ExitReason:
    """The default ``Classify``: everything is a crash."""
    return Crash(exc)


def is_clean(reason: ExitReason) -> bool:
    """True for an end that costs no budget and does not restart a transient child."""
    return isinstance(reason, Normal | Shutdown | Cancelled)


def through(child: str, reason: ExitReason) -> ExitReason:
    """``reason`` as the supervisor of ``child`` passes it up, with the path it has come."""
    match reason:
        case Failed() | Stuck():
            return replace(reason, path=(child, *reason.path))
        case _:
            return reason


def root_cause(reason: ExitReason) -> ExitReason:
    """The first reason in a chain of supervisors that gave up one after the other."""
    match reason:
        case StartFailed(cause=cause):
            return root_cause(cause)
        case IntensityExceeded(history=(*_, last)):
            return root_cause(last)
        case _:
            return reason


def path_of(reason: ExitReason) -> tuple[str, ...]:
    """The children a reason came up through, outermost first."""
    match reason:
        case StartFailed(child=child, cause=cause):
            return (child, *path_of(cause))
        case IntensityExceeded(child=child, history=(*_, last)):
            return (child, *path_of(last))
        case Failed(path=path) | Stuck(path=path):
            return path
        case _:
            return ()


def exception_of(reason: ExitReason) -> BaseException | None:
    """The exception at the bottom of ``reason``, with its traceback and cause, if one was raised."""
    match root_cause(reason):
        case Crash(exc=exc):
            return exc
        case Failed(exc=exc):
            return exc
        case _:
            return None


def _first_line(exc: BaseException) -> str:
    try:
        return next(iter(str(exc).splitlines()), "")
    except Exception:  # foreign code, run inside the supervisor
        return "its text cannot be made"


def describe(reason: ExitReason) -> str:
    """One line for people: what happened, and through whom."""
    match reason:
        case Normal():
            return "returned"
        case Shutdown(reason=why):
            return f"stopped ({why})"
        case Failed(code=code, detail=detail, path=path):
            where = f" in {'/'.join(path)}" if path else ""
            return f"{code}{where}" + (f": {detail}" if detail else "")
        case Crash(exc=exc):
            text = _first_line(exc)
            return f"{type(exc).__name__}: {text}" if text else type(exc).__name__
        case StartFailed(child=child, cause=cause):
            return f"{child} did not start: {describe(cause)}"
        case IntensityExceeded(child=child, history=history):
            last = f", last: {describe(history[-1])}" if history else ""
            return f"{child} ended too often ({len(history)} times{last})"
        case Stuck(path=path):
            return f"{'/'.join(path)} is stuck" if path else "stuck"
        case Cancelled(scope=scope):
            return f"cancelled with {scope}"
    assert_never(reason)
