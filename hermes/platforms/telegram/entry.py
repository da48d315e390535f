"""Telegram as a platform."""

from typing import get_args

from hermes.config.platforms import Variable
from hermes.platforms.telegram.settings import problem
from hermes.registry.entry import AdapterSetup, PlatformEntry, Proof
from hermes.types.content import Capabilities, MediaKind, Rate
from hermes.types.ports import Adapter


async def _probe(setup: AdapterSetup) -> Proof:
    from hermes.platforms.telegram.probe import probe

    return await probe(setup)


def _adapter(setup: AdapterSetup) -> Adapter:
    from hermes.platforms.telegram.adapter import Telegram

    return Telegram(setup)


ENTRY = PlatformEntry(
    name="telegram",
    label="Telegram",
    factory=_adapter,
    capabilities=Capabilities(
        max_length=4096,
        length_unit="utf16",
        dialect="telegram",
        media=frozenset(get_args(MediaKind)),
        max_media_bytes=50_000_000,
        album=10,
        streaming=("draft", "edit"),
        send_timeout_s=120.0,
        # In a chat Telegram takes about one message a second, bursts excepted. No rate for the bot: its 30 a second are for
        # broadcasts, and answers to people who write at the same time must not wait for a guess of ours. Of that, and of a
        # group's 20 a minute, Telegram itself keeps count, and says until when (429).
        chat_rate=Rate(20, 1.0),
        hint="You write on Telegram: short paragraphs read best. Bold, lists, code and links are shown; tables as aligned text.",
    ),
    validate=problem,
    probe=_probe,
    required_env=(
        Variable(
            "TELEGRAM_BOT_TOKEN", "token", "Token of the bot, from @BotFather", password=True, enables=True
        ),
    ),
    optional_env=(
        Variable(
            "TELEGRAM_WEBHOOK_URL", "webhook_url", "Public https address for a webhook (unset: polling)"
        ),
        Variable("TELEGRAM_WEBHOOK_SECRET", "webhook_secret", "Secret of the webhook", password=True),
    ),
    source="builtin",
    emoji="✈️",
)
