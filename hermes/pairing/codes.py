"""One-time codes: eight characters that nobody takes for one another, kept as a salted hash only."""

import hmac
from dataclasses import dataclass, field
from hashlib import sha256

from hermes.types.ids import IdSource

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""No I and no O, no 0 and no 1."""

LENGTH = 8
ENTRY_ID_DIGITS = 16
SALT_DIGITS = 32
_BITS = 5  # of one character
_CODE_DIGITS = LENGTH * _BITS // 4


@dataclass(frozen=True, slots=True)
class Fresh:
    """A new code with what it is filed under. It stands in no ``repr``, and so in no log, dump or trace."""

    code: str = field(repr=False)
    salt: str
    entry_id: str

    @property
    def hash(self) -> str:
        """What is kept of the code."""
        return digest(self.code, self.salt)


def fresh_code(ids: IdSource) -> Fresh:
    """Draw a code, each of them as likely; ``ids`` must be fit for secrets, as ``ops.clock.SystemIds`` is."""
    drawn = int(ids.token(_CODE_DIGITS), 16)
    code = "".join(ALPHABET[drawn >> _BITS * place & 2**_BITS - 1] for place in range(LENGTH))
    return Fresh(code, ids.token(SALT_DIGITS), ids.token(ENTRY_ID_DIGITS))


def typed_code(text: str) -> str | None:
    """The code that somebody typed, without white space around it and in any case; None if it cannot be one.

    Only ASCII counts: some letters of other scripts become one of ours when they are made capital.
    """
    code = text.strip()
    if len(code) != LENGTH or not code.isascii():
        return None
    code = code.upper()
    return code if set(code) <= set(ALPHABET) else None


def digest(code: str, salt: str) -> str:
    """SHA-256 over salt and code, in hex, as the original writes it. Raises ``ValueError`` if ``salt`` is not hex."""
    return sha256(bytes.fromhex(salt) + code.encode()).hexdigest()


def matches(code: str, salt: str, kept: str) -> bool:
    """Is ``kept`` the hash of ``code``? Takes as long for a near miss as for any other; False for a damaged row."""
    try:
        return hmac.compare_digest(digest(code, salt).encode(), kept.lower().encode())
    except (ValueError, UnicodeError):
        return False
