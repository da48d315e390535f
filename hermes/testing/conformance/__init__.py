"""What every adapter must do, as tests to inherit.

    class TestLinechat(AdapterConformance):
        subject_type = LinechatSubject

Each test starts lives of the adapter, moves its platform by the ``Subject``, and looks at what was accepted and what people
see. What a subject does not override, or declare, is skipped by name. See docs/adapters.md.
"""

from collections.abc import AsyncIterator
from typing import ClassVar

import pytest
import trio

for _module in ("connecting", "receiving", "failing", "ending", "sending", "extras", "lives", "scenario"):
    pytest.register_assert_rewrite(f"{__name__}.{_module}")

from pytest_trio import trio_fixture  # type: ignore[import-untyped]  # noqa: E402

from hermes.testing.conformance.connecting import Connecting  # noqa: E402
from hermes.testing.conformance.ending import Ending  # noqa: E402
from hermes.testing.conformance.extras import Extras  # noqa: E402
from hermes.testing.conformance.failing import Failing  # noqa: E402
from hermes.testing.conformance.io import FakeAdapterIO, Inbox  # noqa: E402
from hermes.testing.conformance.lives import Life, Lives  # noqa: E402
from hermes.testing.conformance.receiving import Receiving  # noqa: E402
from hermes.testing.conformance.scenario import in_trio, missing  # noqa: E402
from hermes.testing.conformance.sending import Sending  # noqa: E402
from hermes.testing.conformance.subject import (  # noqa: E402
    Fault,
    Refusal,
    SendFault,
    Shown,
    Subject,
    Verdict,
)

__all__ = [
    "AdapterConformance",
    "FakeAdapterIO",
    "Fault",
    "Inbox",
    "Life",
    "Lives",
    "Refusal",
    "SendFault",
    "Shown",
    "Subject",
    "Verdict",
]


@in_trio
class AdapterConformance(Connecting, Receiving, Failing, Ending, Sending, Extras):
    """Inherit, and name your ``subject_type``; override ``subject`` if making one takes more than that."""

    subject_type: ClassVar[type[Subject]]

    @pytest.fixture
    def subject(self) -> Subject:
        """The subject of one test."""
        return self.subject_type()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run a test for each fault or file that the subject declares, and not for those that it does not."""
        if hasattr(metafunc.function, "each"):
            name, values = metafunc.function.each
            metafunc.parametrize(name, list(values(self.subject_type)))

    @pytest.fixture(autouse=True)
    def _applies(self, request: pytest.FixtureRequest, subject: Subject) -> None:
        if lack := missing(subject, request.function):
            pytest.skip(f"{type(subject).__name__} has not: {lack}")

    @trio_fixture  # type: ignore[untyped-decorator]
    async def lives(self, subject: Subject, nursery: trio.Nursery) -> AsyncIterator[Lives]:
        """Lives of the subject's adapter, whose platform runs; those that are left are ended with the test."""
        async with subject.running():
            lives = Lives(subject, nursery)
            yield lives  # noqa: ASYNC119 - pytest-trio ends it in the task that began it
            await lives.end()
