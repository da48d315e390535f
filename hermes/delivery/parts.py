"""What a message is to its platform: parts in the platform's dialect, none longer than it takes; pure.

    text ── parse ─▶ Document ── split ─▶ pieces ── a dialect ─▶ parts of text, numbered where there are several
    attachments ── files and albums of files ──────────────────▶ parts of media, after them
                └─ what the platform does not take ─▶ a paragraph each at the end of the text

The same message is cut alike in every attempt, numbered or not, so that the receipts of an earlier one still fit. Where it is
not, because another program or another limit cuts it now, what has not been said yet is cut anew (``resumed``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import PurePath

from hermes.render.cut import after, seen, split
from hermes.render.dialects import body
from hermes.render.ir import Block, Body, Document, Paragraph, Span, leaves
from hermes.render.markdown import parse
from hermes.render.measure import length
from hermes.types import texts
from hermes.types.content import Capabilities, Media, MediaKind, Outbound, Part

NUMBERED_FROM = 40
"""Parts that have room for fewer bear no number: it would be most of what they say."""

PICTURES: frozenset[MediaKind] = frozenset({"image", "video"})
"""What goes into an album."""

Piece = str | Document
"""The text of one part: as it was written where the platform takes that, else what is to be rendered."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A message that is cut; ``part`` makes what is sent: first the pieces of its text, then its media. Never none."""

    message: Outbound
    capabilities: Capabilities
    pieces: tuple[Piece, ...]
    media: tuple[tuple[Media, ...], ...]
    numbered: bool

    @property
    def total(self) -> int:
        """How many there are."""
        return len(self.pieces) + len(self.media)

    def extent(self, index: int) -> tuple[int, int]:
        """How much of the message the part at ``index`` is: characters that are seen, and files. Of one that is all of it,
        nobody asks.
        """
        if self.total == 1:
            return 0, 0
        if index >= len(self.pieces):
            return 0, len(self.media[index - len(self.pieces)])
        piece = self.pieces[index]
        return seen(parse(piece) if isinstance(piece, str) else piece), 0

    def part(self, index: int, *, marked: bool = False, plain: bool = False) -> Part:
        """The part at ``index``. ``marked``: it says that it may be a second copy. ``plain``: without markup, which the
        platform has refused.
        """
        part = partial(Part, self.message.delivery_id, index, self.total)
        if index >= len(self.pieces):
            media = self.media[index - len(self.pieces)]
            return part("", self.capabilities.dialect, media=_marked(media) if marked else media)
        made = self._body(index, marked, plain)
        return part(made.text, made.dialect, entities=made.entities, html=made.html)

    def _body(self, index: int, marked: bool, plain: bool) -> Body:
        piece, dialect = self.pieces[index], self.capabilities.dialect
        if isinstance(piece, str) and not plain:
            return Body(texts.RESENT_MARK + piece if marked else piece, dialect=dialect)
        document = parse(piece) if isinstance(piece, str) else piece
        several = self.numbered and len(self.pieces) > 1 and _bears_number(self.capabilities)
        document = _dressed(document, marked, _number(index + 1, len(self.pieces)) if several else "")
        return _plain(document, self.capabilities) if plain else body(document, dialect)


def cut(message: Outbound, capabilities: Capabilities, *, numbered: bool = True) -> Parts:
    """Cut ``message`` for its platform. Every part has room for the mark of a second copy, and for its number.

    Not for the loop where the text is long: some milliseconds for each thousand characters.
    """
    media, lines = _albums(message.attachments, capabilities), _lines(message.attachments, capabilities)
    if message.text.strip() or lines or not media:
        return Parts(message, capabilities, _pieces(message.text, lines, capabilities), media, numbered)
    return Parts(message, capabilities, (), media, numbered)


def resumed(parts: Parts, sent: int, said: int, files: int) -> Parts:
    """``parts`` of a message of which ``sent`` have arrived: ``said`` characters and ``files`` files of it. As they are where
    these are its first ones, or nobody knows how much they were; else what is left is cut anew, behind as many that nobody
    asks for.
    """
    extents = [parts.extent(index) for index in range(min(sent, parts.total))]
    if (said, files) in ((0, 0), (sum(chars for chars, _ in extents), sum(some for _, some in extents))):
        return parts
    message, capabilities = parts.message, parts.capabilities
    rest = Document()
    if not files:  # they come after all of the text
        lines = _lines(message.attachments, capabilities)
        rest = after(_document(message.text, lines, capabilities), said)
    pieces = _cut(rest, capabilities, len(message.text), sent) if _is_seen(rest, capabilities) else ()
    media = [one for album in parts.media for one in album][files:]
    return replace(parts, pieces=("",) * sent + pieces, media=_albums(media, capabilities))


def is_one_part(text: str, most: int, capabilities: Capabilities) -> bool:
    """True if ``text`` has at most ``most`` characters and goes as one part."""
    return len(text) <= most and len(_pieces(text, (), capabilities)) == 1


def shortened(text: str, most: int, capabilities: Capabilities, notice: str) -> str:
    """The beginning of ``text``, at most ``most`` characters, as Markdown that goes as one part and ends in ``notice``. Where
    that would be most of it, it is left out.
    """
    end: tuple[Block, ...] = (Paragraph((Span(notice),)),)
    if 2 * _size(Document(end), capabilities) > _room(capabilities):
        end = ()
    begun = _document(text[: max(most - len(notice), 1)], (), capabilities)
    first, *_ = _split(begun, capabilities, lambda some: Document((*some.blocks, *end)))
    return body(Document((*first.blocks, *end)), "markdown").text


# --- the text -------------------------------------------------------------------------------------------------------------


def _pieces(text: str, lines: Sequence[Block], capabilities: Capabilities) -> tuple[Piece, ...]:
    as_it_is = capabilities.dialect == "markdown" and not lines
    if as_it_is and length(text, capabilities.length_unit) <= _room(capabilities):
        return (text,)
    document = _document(text, lines, capabilities)
    whole = _dressed(document, marked=not capabilities.idempotent_send)
    if _size(whole, capabilities) <= capabilities.max_length:
        return (document,)
    return _cut(document, capabilities, len(text))


def _cut(
    document: Document, capabilities: Capabilities, characters: int, before: int = 0
) -> tuple[Document, ...]:
    """In pieces that have room for a number each, ``before`` of them being there already; ``characters``: of all of the text."""
    if not _bears_number(capabilities):
        return _split(document, capabilities, _dressed)
    for digits in count(len(str(characters // capabilities.max_length))):
        most = 10**digits - 1
        pieces = _split(document, capabilities, partial(_dressed, number=_number(most, most)))
        if before + len(pieces) <= most:
            return pieces
    raise AssertionError  # the digits do not end


def _split(
    document: Document, capabilities: Capabilities, dress: Callable[[Document], Document]
) -> tuple[Document, ...]:
    """``document`` in pieces that fit when each is dressed so, and marked. None is blank: no platform takes that."""

    def size(some: Document) -> int:
        return _size(_dressed(dress(some), marked=not capabilities.idempotent_send), capabilities)

    taken = size(Document())
    pieces = split(document, max(capabilities.max_length - taken, 1), lambda some: size(some) - taken)
    return tuple(piece for piece in pieces if _is_seen(piece, capabilities)) or pieces[:1]


def _document(text: str, lines: Sequence[Block], capabilities: Capabilities) -> Document:
    """What ``text`` says, and ``lines`` after it. A text of which nothing would be seen is shown as it was written."""
    document = parse(text)
    if text.strip() and not _is_seen(document, capabilities):
        document = Document((Paragraph((Span(text),)),))
    return Document((*document.blocks, *lines))


def _dressed(document: Document, marked: bool = False, number: str = "") -> Document:
    """With the mark before it, and the number at its end: in no block but a paragraph, and so in no code."""
    blocks = document.blocks
    match blocks:
        case _ if not number:
            pass
        case (*before, Paragraph(spans)) if spans:
            space = "" if spans[-1].text[-1:].isspace() else " "
            blocks = (*before, Paragraph((*spans, Span(space + number))))
        case _:
            blocks = (*blocks, Paragraph((Span(number),)))
    return Document((Paragraph((Span(texts.RESENT_MARK.strip()),)), *blocks) if marked else blocks)


def _number(index: int, total: int) -> str:
    return f"({index}/{total})"


def _plain(document: Document, capabilities: Capabilities) -> Body:
    """Without markup. Where a link's address makes it too long, what the author has written and no more."""
    made = body(document, "plain")
    if length(made.text, capabilities.length_unit) <= capabilities.max_length:
        return made
    return Body("\n".join(leaf.rstrip("\n") for leaf in leaves(document.blocks)), dialect="plain")


def _is_seen(document: Document, capabilities: Capabilities) -> bool:
    return bool(body(document, capabilities.dialect).text.strip())


def _size(document: Document, capabilities: Capabilities) -> int:
    made = body(document, capabilities.dialect)
    return max(length(form, capabilities.length_unit) for form in (made.text, made.html or ""))


def _room(capabilities: Capabilities) -> int:
    """What one part has beside the mark of a second copy."""
    mark = "" if capabilities.idempotent_send else texts.RESENT_MARK
    return capabilities.max_length - length(mark, capabilities.length_unit)


def _bears_number(capabilities: Capabilities) -> bool:
    return _room(capabilities) >= NUMBERED_FROM


# --- media ----------------------------------------------------------------------------------------------------------------


def _albums(attachments: Sequence[Media], capabilities: Capabilities) -> tuple[tuple[Media, ...], ...]:
    """One file each, and pictures that follow one another together."""
    albums: list[tuple[Media, ...]] = []
    for media in attachments:
        if media.kind not in capabilities.media:
            continue
        last = albums[-1] if albums else ()
        if last and len(last) < capabilities.album and {media.kind, last[-1].kind} <= PICTURES:
            albums[-1] = (*last, media)
        else:
            albums.append((media,))
    return tuple(albums)


def _lines(attachments: Sequence[Media], capabilities: Capabilities) -> tuple[Paragraph, ...]:
    """What stands for files that the platform does not take: where they are, or, of ours, what they are called."""
    return tuple(_line(media) for media in attachments if media.kind not in capabilities.media)


def _line(media: Media) -> Paragraph:
    caption = (Span(f"{media.caption}\n"),) if media.caption else ()
    if media.ref.startswith("https://"):
        return Paragraph((*caption, Span(media.ref, link=media.ref)))
    name = media.name or PurePath(media.ref).name
    return Paragraph((*caption, Span(texts.FILE_NOT_HERE.format(name=name))))


def _marked(media: tuple[Media, ...]) -> tuple[Media, ...]:
    """With the mark in the first one's caption."""
    first, *others = media
    mark = texts.RESENT_MARK + first.caption
    return (replace(first, caption=mark.rstrip()), *others)
