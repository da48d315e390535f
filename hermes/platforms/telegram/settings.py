"""What an operator sets for a bot: read once, when an adapter is made."""

import re
from dataclasses import dataclass
from typing import Literal, cast, get_args
from urllib.parse import urlsplit

from hermes.config.platforms import PlatformConfig

ReplyTo = Literal["off", "first", "all"]
"""Which parts of an answer point at the message that they answer."""

BASE_URL = "https://api.telegram.org/bot"
LEAST_SECRET = 16

_TOKEN = re.compile(r"[A-Za-z0-9_:-]+")
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")


@dataclass(frozen=True, slots=True)
class Settings:
    """One bot. ``base_url`` and ``base_file_url`` are what the token is appended to. ``webhook_url`` empty: it polls."""

    token: str
    base_url: str
    base_file_url: str
    poll_timeout_s: float
    reply_to_mode: ReplyTo
    link_previews: bool
    webhook_url: str
    webhook_secret: str

    def __repr__(self) -> str:
        return f"Settings({self.base_url!r})"


def read(config: PlatformConfig) -> Settings:
    """Raises ``GatewayError`` (``bad_config``) that names the place. ``fallback_ips`` of the original means nothing here."""
    base_url = config.text("base_url") or BASE_URL
    return Settings(
        token=_matching(config, "token", _TOKEN, "a token as @BotFather gives it"),
        base_url=_url(config, "base_url", base_url),
        base_file_url=_url(config, "base_file_url", config.text("base_file_url") or _files(base_url)),
        poll_timeout_s=round(config.number("poll_timeout", 30, least=1, most=50)),
        reply_to_mode=_reply_to(config),
        link_previews=not config.flag("disable_link_previews"),
        webhook_url=_webhook(config),
        webhook_secret=config.text("webhook_secret"),
    )


def problem(config: PlatformConfig) -> str:
    """For ``PlatformEntry.validate``: raises what ``read`` does."""
    read(config)
    return ""


def _files(base_url: str) -> str:
    """``https://host/bot`` → ``https://host/file/bot``."""
    head, _, last = base_url.rpartition("/")
    return f"{head}/file/{last}"


def _url(config: PlatformConfig, key: str, url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        good = False
    if not good or parts.query or parts.fragment:
        raise config.wrong(
            key, "an address such as http://127.0.0.1:8081/bot, to which the token is appended"
        )
    return url


def _webhook(config: PlatformConfig) -> str:
    url, secret = config.text("webhook_url"), config.text("webhook_secret")
    if not url:
        return ""
    if not url.startswith("https://"):
        raise config.wrong("webhook_url", "an https:// address that Telegram can reach")
    if len(secret) < LEAST_SECRET or secret == config.token:
        raise config.wrong("webhook_secret", f"{LEAST_SECRET} characters or more, and not the token")
    _matching(config, "webhook_secret", _SECRET, "letters, digits, _ and - alone")
    return url


def _reply_to(config: PlatformConfig) -> ReplyTo:
    mode = config.text("reply_to_mode", "first").lower()
    # YAML's ``off`` comes letter by letter, but some write it as a boolean.
    mode = "off" if mode == "false" else mode
    if mode not in get_args(ReplyTo):
        raise config.wrong("reply_to_mode", f"one of {', '.join(get_args(ReplyTo))}")
    return cast("ReplyTo", mode)


def _matching(config: PlatformConfig, key: str, form: re.Pattern[str], expected: str) -> str:
    if not form.fullmatch(text := config.text(key)):
        raise config.wrong(key, expected)
    return text
