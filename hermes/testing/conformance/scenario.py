"""What scenarios share: which subjects they are for, and what they look at.

The decorators name what a subject must have; ``missing`` says, before the test begins, what it has not.
"""

from collections.abc import Callable, Iterable
from inspect import iscoroutinefunction
from typing import Any, TypeVar

import pytest

from hermes.testing.conformance.subject import Subject
from hermes.types.errors import GatewayError

Suite = TypeVar("Suite")
Test = TypeVar("Test", bound=Callable[..., Any])
Condition = Callable[[Subject], str]
"""Says of a subject what is missing; "" if nothing is."""


def only_if(*conditions: Condition) -> Callable[[Test], Test]:
    """The test is for subjects that meet ``conditions``."""

    def mark(test: Test) -> Test:
        test.conditions = (*conditions, *getattr(test, "conditions", ()))  # type: ignore[attr-defined]
        return test

    return mark


def needs(*abilities: Any) -> Callable[[Test], Test]:
    """The test is for subjects with ``abilities``: methods of ``Subject`` of their own, protocols that their adapter has."""

    def has(subject: Subject, ability: Any) -> bool:
        if isinstance(ability, type):
            return issubclass(subject.adapter, ability)
        return getattr(type(subject), ability.__name__) is not ability

    return only_if(lambda subject: ", ".join(one.__name__ for one in abilities if not has(subject, one)))


pulls = only_if(lambda subject: "" if subject.receive_deadline_s is not None else "a receive deadline")
"""The test is for platforms that are asked, and do not come to us."""


def each(name: str, values: Callable[[type[Subject]], Iterable[Any]]) -> Callable[[Test], Test]:
    """The test runs once for each of ``values``, as its parameter ``name``."""

    def mark(test: Test) -> Test:
        test.each = (name, values)  # type: ignore[attr-defined]
        return test

    return mark


def missing(subject: Subject, test: Callable[..., Any]) -> str:
    """What ``subject`` lacks for ``test``; "" if nothing."""
    conditions: tuple[Condition, ...] = getattr(test, "conditions", ())
    return next((lack for condition in conditions if (lack := condition(subject))), "")


def in_trio(suite: type[Suite]) -> type[Suite]:
    """Have the async tests of ``suite`` run by pytest-trio, and leave alone what else is put beside them."""
    for name in dir(suite):
        if name.startswith("test_") and iscoroutinefunction(getattr(suite, name)):
            pytest.mark.trio(getattr(suite, name))
    return suite


def check_wait(error: GatewayError, at_least: float | None) -> None:
    """``retry_after`` of a failure is a lower bound."""
    if at_least is not None:
        assert error.failure.retry_after is not None, "it does not say when to come back"
        assert error.failure.retry_after >= at_least
