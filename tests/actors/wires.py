"""Platforms that do what no script of ``FakeAdapter`` says."""

from collections.abc import Mapping

import trio

from hermes.testing.fakes import FakeAdapter
from hermes.types.content import Part, SendResult


class Silent(FakeAdapter):
    """Its first message arrives, but it never says so."""

    async def send(
        self, chat_id: str, part: Part, *, reply_to: str | None, metadata: Mapping[str, str]
    ) -> SendResult:
        """Hang once."""
        result = await super().send(chat_id, part, reply_to=reply_to, metadata=metadata)
        if len(self.sent) == 1:
            await trio.sleep_forever()
        return result
