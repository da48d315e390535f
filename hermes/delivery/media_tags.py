"""The files that an answer names in its text, as the original's agents write them. Pure: ``look`` says which may go.

    MEDIA:<path>              quotes and backticks around the path; spaces in it where it ends in an extension we know; https too
    ![alt](path or https URL) and <img src="…">, for pictures
    /a/path/of/a/file.pdf     by itself: only where there is such a file, and it may go
    [[audio_as_voice]]        what is heard goes as a voice message           [[as_document]]   pictures and films go as files

None of them means anything inside code. What goes is taken out of the text, and so is what was clearly meant to go and may not.
A path in a sentence stays there.
"""

import mimetypes
import os.path
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import unquote, urlsplit

from hermes.render.source import Range, outside_code, without
from hermes.types.content import Capabilities, Media, MediaKind

IMAGES = frozenset({"png", "jpg", "jpeg", "gif", "webp", "bmp"})
AUDIO = frozenset({"mp3", "wav", "ogg", "oga", "opus", "m4a", "flac", "aac"})
VIDEO = frozenset({"mp4", "mov", "avi", "mkv", "webm", "m4v", "3gp"})
DOCUMENTS = frozenset(
    (
        *("pdf", "txt", "md", "csv", "tsv", "json", "xml", "yaml", "yml", "html", "htm", "svg", "log", "ics"),
        *("rtf", "epub", "apk", "tif", "tiff", "heic", "doc", "docx", "xls", "xlsx", "ppt", "pptx"),
        *("odt", "ods", "odp", "zip", "tar", "gz", "tgz", "bz2", "xz", "7z", "rar"),
    )
)
PICTURE_HOSTS = ("fal.media", "fal-cdn.com", "replicate.delivery")
"""They serve pictures under names that do not say so."""

LONGEST_PATH = 4096

_TYPES = mimetypes.MimeTypes()
for _extension, _type in {
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".m4a": "audio/mp4",
}.items():
    _TYPES.add_type(_type, _extension)

Refusal = Literal["denied", "too_large", "unsupported"]
"""Why a file does not go: it may not, it is larger than the platform takes, or the platform takes none of its kind."""


@dataclass(frozen=True, slots=True)
class Named:
    """A file as a text, or an agent, names it. ``ref`` is an absolute path or an https URL. ``sure``: it can be meant as nothing
    but a file to be sent.
    """

    ref: str
    kind: MediaKind
    name: str = ""
    caption: str = ""
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Extracted:
    """``text`` is what is left to be read; ``media`` go with it, and ``refused`` do not."""

    text: str
    media: tuple[Media, ...] = ()
    refused: tuple[Refusal, ...] = ()


Look = Callable[[Named], Media | Refusal]
"""Whether a file may go: what is sent in its place, or why nothing is."""

_EXTENSION = "|".join(sorted(IMAGES | AUDIO | VIDEO | DOCUMENTS, key=len, reverse=True))
_ENDS = r"(?=[\s`\"',;:!?)\]}>*_]|\.(?:\s|$)|$)"
_KNOWN_END = re.compile(rf"\.(?:{_EXTENSION}){_ENDS}", re.IGNORECASE)
_TAG = re.compile(r"(?<![A-Za-z0-9_])MEDIA:[ \t]?(?P<quote>[`\"']?)(?=/|~/|https://)")
_WORD = re.compile(r"[^\s`\"'<>]+")
# What may be long excludes what may begin the same thing anew, so that no text takes more than one pass.
_IMAGE = re.compile(
    r"!\[(?P<alt>[^\[\]\n]{0,1000})\]\(<?(?P<ref>(?:https://|~?/)[^()<>\n\"]++)(?:>[ \t]*+)?(?:(?<=[ \t])\"[^\"\n]*\")?\)"
)
_IMG = re.compile(
    r"<img\b[^<>\n]{0,1000}?\bsrc=[\"'](?P<ref>(?:https://|~?/)[^<>\"'\n]+)[\"'][^<>\n]{0,1000}>",
    re.IGNORECASE,
)
_BARE = re.compile(rf"(?<![^\s(\"'])(?P<ref>~?/[^\s`\"'<>()\[\]]+?\.(?:{_EXTENSION})){_ENDS}", re.IGNORECASE)
_LEFT_ALONE = re.compile(r"[\s.,;:!?\"'()]*")
_AROUND = {"*": "*", "_": "_", "(": ")", "[": "]", '"': '"', "'": "'"}
_FLAG = re.compile(r"\[\[(?P<flag>audio_as_voice|as_document)\]\]")
_BEGUN = re.compile(
    r"(?<![A-Za-z0-9_])M(?:E(?:D(?:I(?:A(?::[ \t]?[`\"']?(?:~|https:/|https:|https|http|htt|ht|h)?)?)?)?)?)?\Z"
    r"|\[\[?[a-z_]*\]?\Z|!(?:\[[^\[\]\n]*(?:\](?:\([^()\n]*)?)?)?\Z|<(?:i|im|img\b[^<>\n]*)?\Z"
)


@dataclass(frozen=True, slots=True)
class _Found:
    begin: int
    end: int
    named: Named
    stays: bool = False


def extract(text: str, user_home: str, look: Look) -> Extracted:
    """What of ``text`` is read and what is sent, in the order in which it is named; each file once. ``user_home`` stands for
    ``~``. If nothing would be left of either, the text is as it was.
    """
    flags = list(outside_code(text, _FLAG))
    told = {flag["flag"] for flag in flags}
    ranges = [flag.span() for flag in flags]
    verdicts: dict[str, Media | Refusal] = {}
    for found in _all(text, user_home):
        named = found.named
        verdict = verdicts.get(named.ref) or look(replace(named, kind=_as_told(named.kind, told)))
        if isinstance(verdict, Media) or named.sure:
            verdicts[named.ref] = verdict
            if not found.stays:
                ranges.append(_with_marks(text, found.begin, found.end))
    media = tuple(one for one in verdicts.values() if isinstance(one, Media))
    refused = tuple(one for one in verdicts.values() if not isinstance(one, Media))
    left = without(text, list(_apart(ranges)))
    if not verdicts:
        return Extracted(left if left.strip() else text)
    return Extracted("" if _LEFT_ALONE.fullmatch(left) else left, media, refused)


def names_files(text: str) -> bool:
    """True if it is worth having ``extract`` look: false of nearly every answer, and cheap."""
    return any(next(outside_code(text, one), None) for one in (_FLAG, _TAG, _IMAGE, _IMG, _BARE))


def strip_partial(text: str) -> str:
    """``text`` that is still being written, as far as it can be shown: without what ``extract`` may take out of it, be it only
    begun. It shows too little rather than a path; the whole answer says what stays.
    """
    ranges = [one.span() for pattern in (_FLAG, _IMAGE, _IMG) for one in outside_code(text, pattern)]
    for tag in outside_code(text, _TAG):
        line_end = text.find("\n", tag.end())
        begin, end, _ = _tagged(text, tag)
        ranges.append((begin, len(text)) if line_end < 0 else _with_marks(text, begin, end))
    begun = next(outside_code(text, _BEGUN), None)
    if begun is not None:
        ranges.append((begun.start(), len(text)))
    return without(text, list(_apart(ranges)))


def kind_of(name: str) -> MediaKind:
    """What kind of file it is, by its extension."""
    extension = os.path.splitext(name)[1][1:].lower()
    if extension in IMAGES:
        return "image"
    if extension in AUDIO:
        return "audio"
    return "video" if extension in VIDEO else "document"


def mime_of(name: str) -> str | None:
    """Its type, by its extension; the same on every machine."""
    kind, packed = _TYPES.guess_type(f"x{os.path.splitext(name)[1]}", strict=False)
    return None if packed else kind


def fitting(kind: MediaKind, capabilities: Capabilities) -> MediaKind | None:
    """As what a platform takes it: as a plain file if need be, a voice message also as any sound; None: not at all."""
    ways: dict[MediaKind, tuple[MediaKind, ...]] = {"voice": ("voice", "audio", "document")}
    return next((way for way in ways.get(kind, (kind, "document")) if way in capabilities.media), None)


def _with_marks(text: str, begin: int, end: int) -> Range:
    """With the marks and brackets that stand around nothing else."""
    while begin > 0 and end < len(text) and _AROUND.get(text[begin - 1]) == text[end]:
        begin, end = begin - 1, end + 1
    return begin, end


def _as_told(kind: MediaKind, told: set[str]) -> MediaKind:
    if "as_document" in told and kind in ("image", "video"):
        return "document"
    return "voice" if "audio_as_voice" in told and kind == "audio" else kind


def _all(text: str, user_home: str) -> Iterator[_Found]:
    """All that is named, in order; where two readings overlap, the one that begins first."""
    found = [*_tags(text, user_home), *_pictures(text, user_home), *_paths(text, user_home)]
    end = 0
    for one in sorted(found, key=lambda one: (one.begin, -one.end)):
        if one.begin >= end:
            end = one.end
            yield one


def _tags(text: str, user_home: str) -> Iterator[_Found]:
    for tag in outside_code(text, _TAG):
        begin, end, ref = _tagged(text, tag)
        known = _KNOWN_END.search(ref, max(0, len(ref) - 8)) is not None
        sure = known and not ref.startswith("https://")
        yield _Found(begin, end, _named(ref, user_home, sure=sure))


def _tagged(text: str, tag: re.Match[str]) -> tuple[int, int, str]:
    """Where a tag begins and ends, and the path it names."""
    start, quote = tag.end(), tag["quote"]
    line_end = text.find("\n", start)
    line = text[start : min(len(text) if line_end < 0 else line_end, start + LONGEST_PATH)]
    if quote and (closing := line.find(quote)) >= 0:
        return tag.start(), start + closing + 1, line[:closing]
    line = line[: other.start()] if (other := _TAG.search(line)) else line
    known = None if line.startswith("https://") else _KNOWN_END.search(line)
    if known is not None:
        return tag.start(), start + known.end(), line[: known.end()]
    word = _WORD.match(line)
    ref = (word[0] if word else line).rstrip(".,;:!?)]}*_")
    return tag.start(), start + len(ref), ref


def _pictures(text: str, user_home: str) -> Iterator[_Found]:
    for pattern in (_IMAGE, _IMG):
        for found in outside_code(text, pattern):
            ref = found["ref"].strip()
            named = _named(ref, user_home, sure=not ref.startswith("https://"))
            if named.kind == "image" or _on_picture_host(ref):
                alt = (found.groupdict().get("alt") or "").strip()
                yield _Found(*found.span(), replace(named, kind="image", caption=alt))


def _paths(text: str, user_home: str) -> Iterator[_Found]:
    for found in outside_code(text, _BARE):
        before = text.rfind("\n", max(0, found.start() - 16), found.start()) + 1
        alone = not text[before : found.start()].strip("\t -*+>") and text[found.end() : found.end() + 1] in (
            "",
            "\n",
        )
        yield _Found(*found.span("ref"), _named(found["ref"], user_home, sure=False), stays=not alone)


def _named(ref: str, user_home: str, *, sure: bool) -> Named:
    name = _file_name(ref)
    path = os.path.join(user_home, ref[2:]) if ref.startswith("~/") else ref
    return Named(path, kind_of(name), name, sure=sure)


def _on_picture_host(ref: str) -> bool:
    host = _url(ref)[0]
    return any(host == one or host.endswith(f".{one}") for one in PICTURE_HOSTS)


def _file_name(ref: str) -> str:
    path = unquote(_url(ref)[1]) if ref.startswith("https://") else ref
    return path.rpartition("/")[2]


def _url(ref: str) -> tuple[str, str]:
    """Host and path."""
    try:
        parts = urlsplit(ref)
        return parts.hostname or "", parts.path
    except ValueError:
        return "", ""


def _apart(ranges: Sequence[Range]) -> Iterator[Range]:
    """In order, and none in another."""
    end = 0
    for begin, stop in sorted(ranges):
        if stop > end:
            yield max(begin, end), stop
            end = stop
