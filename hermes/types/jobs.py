"""Jobs on behalf of people, as a Protocol: for ``/remind`` and for an agent's tool."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from hermes.types.access import Role
from hermes.types.events import InboundEvent
from hermes.types.origin import Origin

NOT_ALLOWED = "not_allowed"
"""The code of what whoever asks may not do."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who made a job in a chat, and in what role they would speak there now; None: not at all any more."""

    origin: Origin
    role: Role | None


class Jobs(Protocol):
    """What people may do with jobs from the chat they write in, and nothing more."""

    async def on_behalf(
        self, event: InboundEvent, verb: str, args: Mapping[str, object], *, key: str = ""
    ) -> Mapping[str, Any]:
        """Do what who wrote ``event`` asks for: ``list``, ``create``, ``edit``, ``pause``, ``resume``, ``run``, ``remove`` or
        ``runs``. ``args`` are unchecked: the words of a job, and ``job`` for which. The same ``key`` makes one job, however
        often.

        Documents of jobs and runs, as ``hermes cron --json`` prints them. People have to do with the jobs alone that they
        made; admins with all; a job's own run with that job. Raises ``GatewayError``: ``usage``, ``bad_job``,
        ``bad_schedule``, ``not_allowed``; then nothing is changed.
        """

    async def author(self, origin: Origin) -> Author | None:
        """Of a job's own conversation, who made the job; what is done there is done with their rights, and nobody's once the
        job is gone. None: the operator did, or it is no such conversation. Raises ``GatewayError``: ``bad_job``.
        """
