"""Who may use the page: a one-time code opens a browser session.

    hermes run ──link with #code──▶ person ──POST /login──▶ redeem ──▶ cookie ──each request──▶ check

Codes and session tokens are 128 and 256 random bits; the store holds nothing but their SHA-256, so a copy of the
database opens no door. The code travels in the fragment of the link, which no browser sends to any server and no log sees.
"""

import hashlib
import ipaddress
from collections import OrderedDict

from hermes.store import keeping_ops, queries
from hermes.store.port import Store
from hermes.types.errors import Failure, GatewayError
from hermes.types.ids import Clock, IdSource

LOGIN_REFUSED = "login_refused"
LOGIN_LOCKED = "login_locked"

CODE_TTL_S = 600.0
SESSION_TTL_S = 30 * 24 * 3600.0

CODE_DIGITS = 32
TOKEN_DIGITS = 64

FREE_TRIES = 5
MAX_LOCK_S = 60.0
CACHED_SESSIONS = 64


class BrowserSessions:
    """Opens and checks browser sessions. Lock-out and cache are per process; what is durable is in the store."""

    def __init__(self, store: Store, clock: Clock, ids: IdSource) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._failures = 0
        self._locked_until = 0.0
        self._expiry: OrderedDict[bytes, float] = OrderedDict()

    async def new_link_code(self) -> str:
        """A fresh code, good once and for ``CODE_TTL_S``; committed when this returns."""
        code = self._ids.token(CODE_DIGITS)
        now = self._clock.wall()
        await self._store.write(keeping_ops.PutLoginCode(_hash(code), now + CODE_TTL_S, now))
        return code

    async def redeem(self, code: str) -> str:
        """Use up ``code`` and return the token of the session it opens, good for ``SESSION_TTL_S``.

        Raises ``GatewayError``: ``login_refused`` if the code is unknown, used or too old, all three in the same words;
        ``login_locked`` with ``retry_after`` after ``FREE_TRIES`` failures in a row, each of which doubles the wait up
        to ``MAX_LOCK_S``. While locked even a good code is refused (and stays good), or guessing would cost nothing.
        """
        wait_s = self._locked_until - self._clock.mono()
        if wait_s > 0:
            raise GatewayError(Failure(LOGIN_LOCKED, retry_after=wait_s, detail="too many wrong codes"))
        token = self._ids.token(TOKEN_DIGITS)
        now = self._clock.wall()
        if not await self._store.write(
            keeping_ops.RedeemLoginCode(_hash(code), _hash(token), now, now + SESSION_TTL_S)
        ):
            self._failures += 1
            if self._failures >= FREE_TRIES:
                lock_s = min(MAX_LOCK_S, 2.0 ** (self._failures - FREE_TRIES))
                self._locked_until = self._clock.mono() + lock_s
            raise GatewayError(Failure(LOGIN_REFUSED, detail="the code is unknown, used or too old"))
        self._failures = 0
        return token

    async def check(self, token: str | None) -> bool:
        """True while ``token`` names a session that has not expired."""
        if not token:
            return False
        key = _hash(token)
        expiry = self._expiry.get(key)
        if expiry is None:
            expiry = await self._store.read(queries.browser_session_expiry, key)
            if expiry is None:
                return False
            expiry = self._expiry.setdefault(key, expiry)  # closed while we read: then it stays closed
            if len(self._expiry) > CACHED_SESSIONS:
                self._expiry.popitem(last=False)
        return self._clock.wall() < expiry

    async def close(self, token: str) -> None:
        """End the session of ``token``, wherever else its cookie was copied to."""
        key = _hash(token)
        self._expiry[key] = 0.0
        await self._store.write(keeping_ops.CloseBrowserSession(key))


def login_url(host: str, port: int, code: str) -> str:
    """The link that logs a browser on this machine in, for a server bound to ``host``."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        shown = host
    else:
        shown = "127.0.0.1" if address.is_unspecified else f"[{host}]" if address.version == 6 else host
    return f"http://{shown}:{port}/#{code}"


def _hash(secret: str) -> bytes:
    """Plain SHA-256: the input is random enough that neither salt nor slowness adds anything, and a look-up by hash
    takes the same time however much of a guess is right.
    """
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
