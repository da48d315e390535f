"""How long a text is to a platform, and where it may be taken apart.

A text is only taken apart between what a reader sees as characters (grapheme clusters, Unicode Annex 29). The rule here is
smaller than the annex's and errs on the side of keeping together: it needs no tables but Python's own.
"""

import unicodedata

from hermes.types.content import LengthUnit

_ZWJ = "\u200d"
_EXTENDS = ("Mn", "Me", "Mc")
_PREPENDS = frozenset(
    "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
)
_VIRAMA = 9  # its combining class


def length(text: str, unit: LengthUnit) -> int:
    """``text`` in ``unit``; total: half of a surrogate pair counts as what it would take."""
    if unit == "characters" or text.isascii():
        return len(text)
    if unit == "bytes":
        return len(text.encode("utf-8", "surrogatepass"))
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def boundary(text: str, at: int) -> int:
    """The last place up to ``at`` between two grapheme clusters; 0 if the first cluster reaches beyond ``at``."""
    while 0 < at < len(text) and _joined(text, at):
        at -= 1
    return at


def first_cluster(text: str) -> int:
    """How many code points the first grapheme cluster of ``text`` has; 0 if there is none."""
    at = min(1, len(text))
    while at < len(text) and _joined(text, at):
        at += 1
    return at


def _joined(text: str, at: int) -> bool:
    """The code points before and after ``at`` belong to one cluster."""
    before, after = text[at - 1], text[at]
    if after < "\u0300":  # whatever comes before: nothing below is a mark, a joiner or a half of anything
        return before == "\r" and after == "\n"
    if before in "\n\r" or unicodedata.category(before) == "Cc":
        return False
    return (
        _extends(after)
        or (before == _ZWJ and not after.isspace())
        or before in _PREPENDS
        or (unicodedata.combining(before) == _VIRAMA and unicodedata.category(after) == "Lo")
        or _same_syllable(before, after)
        or (_is_regional(before) and _is_regional(after) and _regionals_before(text, at) % 2 == 1)
    )


def _extends(char: str) -> bool:
    return (
        unicodedata.category(char) in _EXTENDS
        or char in "\u200c\u200d\uff9e\uff9f"
        or "\U0001f3fb" <= char <= "\U0001f3ff"  # skin
        or "\U000e0020" <= char <= "\U000e007f"  # tags: the flags of regions
    )


def _same_syllable(before: str, after: str) -> bool:
    """Hangul, written in letters (jamo)."""
    if "\u1160" <= after <= "\u11a7" or "\ud7b0" <= after <= "\ud7c6":  # a vowel
        return _is_lead(before) or _is_vowel_end(before)
    if "\u11a8" <= after <= "\u11ff" or "\ud7cb" <= after <= "\ud7fb":  # a final
        return _is_vowel_end(before) or "\uac00" <= before <= "\ud7a3" or "\u11a8" <= before <= "\u11ff"
    return _is_lead(before) and (_is_lead(after) or "\uac00" <= after <= "\ud7a3")


def _is_lead(char: str) -> bool:
    return "\u1100" <= char <= "\u115f" or "\ua960" <= char <= "\ua97c"


def _is_vowel_end(char: str) -> bool:
    """A vowel, or a whole syllable that ends in one."""
    if "\uac00" <= char <= "\ud7a3":
        return (ord(char) - 0xAC00) % 28 == 0
    return "\u1160" <= char <= "\u11a7" or "\ud7b0" <= char <= "\ud7c6"


def _is_regional(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _regionals_before(text: str, at: int) -> int:
    count = 0
    while count < at and _is_regional(text[at - 1 - count]):
        count += 1
    return count
