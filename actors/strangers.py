"""What a stranger hears who writes to us alone: a code to be let in with, that there is no room, or nothing.

denied:pair ─▶ meet ─▶ the actor of the pairing files ─▶ words, once in ten minutes ─▶ inbound commits them with the row's end
"""

import logging
import shlex
from dataclasses import dataclass
from typing import assert_never

from actors.ports.services import Services
from hermes.pairing.book import ANSWER_EVERY_S, CODE_TTL_S, Asker, Issued, Known, Silent, TooMany
from hermes.pairing.codes import fresh_code
from hermes.pairing.orders import Request
from hermes.pairing.records import book_name
from hermes.routing.access import PAIR
from hermes.types import texts
from hermes.types.errors import GatewayError
from hermes.types.events import InboundEvent

log = logging.getLogger(__name__)

FULL = "denied:pair_full"
SILENT = "denied:pair_silent"
TROUBLE = "denied:pair_trouble"


@dataclass(frozen=True, slots=True)
class Words:
    """What decided it, and what is said, if anything. ``secret``: it holds a code, and is of no use after ``lifetime_s``."""

    rule: str
    text: str | None = None
    secret: bool = False
    lifetime_s: float = CODE_TTL_S


async def meet(services: Services, event: InboundEvent) -> Words | None:
    """What the sender of ``event``, denied by the rule ``PAIR``, is told; None: they have been let in meanwhile, so ask again.

    What is told is in the pairing files when this returns. Waits for their actor, under its deadline.
    """
    origin = event.origin
    if origin.user_id is None or (event.sent_at or event.received_at) < _oldest(services):
        return Words(SILENT)  # who wrote days ago does not wait for an answer
    name = book_name(origin.platform, origin.account)
    asker = Asker(origin.user_id, origin.user_name or "", event.trace, origin.chat_id, origin.thread_id or "")
    try:
        outcome = await services.pairing.carry_out(name, Request(asker, fresh_code(services.ids)))
    except GatewayError as wrong:
        log.info("%s: a stranger was not given a code: %s", origin.lane, wrong.failure.detail)
        user = services.access.rules(origin.platform, origin.account).canonical(origin.user_id)
        now = services.clock.wall()
        return Words(TROUBLE, texts.PAIRING_TROUBLE if services.pairing.may_tell(name, user, now) else None)
    match outcome:
        case Issued(code):
            words = texts.PAIRING_CODE.format(name=shlex.quote(name), code=code)
            return Words(PAIR, words, secret=True)
        case TooMany():
            return Words(FULL, texts.PAIRING_FULL, lifetime_s=ANSWER_EVERY_S)
        case Silent():
            return Words(SILENT)
        case Known():
            return None
        case _:
            assert_never(outcome)


def _oldest(services: Services) -> float:
    return services.clock.wall() - services.config.inbound.max_age_s
