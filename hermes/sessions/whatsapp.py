"""One name for one person on WhatsApp, whichever of their addresses a message came from.

A person has a phone number (``15551234567@s.whatsapp.net``) and a hidden id (``…@lid``), each with a device
(``…:47@…``); the bridge writes down which belong together, in ``lid-mapping-<id>.json`` and
``lid-mapping-<id>_reverse.json``. An alias map holds what stands in those files under ``<id>`` and ``<id>_reverse``.
Aliases are followed in the files' direction only, as the original does: the other way round, conversations of a home
that is taken over would get other names.
"""

import re
from collections.abc import Mapping

PLATFORM = "whatsapp"
REVERSE = "_reverse"

FOLLOWED_ID = re.compile(r"[A-Za-z0-9@.+-]+")
"""Ids that may have aliases. Others come from nobody the bridge knows, and stand for themselves."""


def normalise(identifier: str | None) -> str:
    """``identifier`` without white space around it, its first plus, device and server; empty if nothing is left."""
    return (identifier or "").strip().replace("+", "", 1).partition(":")[0].partition("@")[0]


def canonical(identifier: str | None, aliases: Mapping[str, str]) -> str:
    """The shortest of all names that ``aliases`` lead to from ``identifier``, of these the first; total.

    An id that cannot have aliases (a path, a NUL, a full-width digit) gives its own normal form.
    """
    own = normalise(normalise(identifier))  # twice, as in the names of taken-over homes: ``++1`` is ``1``
    names, look = {own}, [own] if FOLLOWED_ID.fullmatch(own) else []
    while look:
        name = look.pop()
        for alias in map(normalise, (aliases.get(name), aliases.get(name + REVERSE))):
            if alias not in names and FOLLOWED_ID.fullmatch(alias):
                names.add(alias)
                look.append(alias)
    return min(names, key=lambda name: (len(name), name))
