"""One file a case and dialect: what each platform is sent. Look at the difference, then ``GOLDEN=write`` takes it over."""

import json
import os
from pathlib import Path

import pytest

from hermes.render.dialects import RENDERERS, body
from hermes.render.html import to_html
from hermes.render.ir import Body
from hermes.render.markdown import parse

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(path.stem for path in GOLDEN.glob("*.md"))


def stretch(text: str, offset: int, length: int) -> str:
    return text.encode("utf-16-le")[2 * offset : 2 * (offset + length)].decode("utf-16-le")


def written(body: Body) -> tuple[str, str]:
    """A body as a file: its ending and its text. What is marked is written out, for whoever reads it."""
    if body.html is not None:
        return "html", body.html
    if not body.entities:
        return "txt", body.text
    entities = [
        [entity.kind, stretch(body.text, entity.offset, entity.length), entity.offset]
        + [more for more in (entity.url, entity.language) if more]
        for entity in body.entities
    ]
    lines = ",\n  ".join(json.dumps(line, ensure_ascii=False) for line in body.text.split("\n"))
    marks = ",\n  ".join(json.dumps(entity, ensure_ascii=False) for entity in entities)
    return "json", f'{{"text": [\n  {lines}\n ],\n "entities": [\n  {marks}\n ]}}\n'


def check(name: str, suffix: str, text: str) -> None:
    path = GOLDEN / f"{name}.{suffix}"
    if os.environ.get("GOLDEN") == "write":
        for stale in GOLDEN.glob(f"{name}.*"):
            stale.unlink()
        path.write_text(text, encoding="utf-8", newline="")
    assert path.read_bytes().decode() == text


@pytest.mark.parametrize("dialect", RENDERERS)
@pytest.mark.parametrize("case", CASES)
def test_golden(case: str, dialect: str) -> None:
    source = (GOLDEN / f"{case}.md").read_text(encoding="utf-8")
    rendered = body(parse(source), dialect)

    check(f"{case}.{dialect}", *written(rendered))
    assert rendered.dialect == dialect
    if dialect in ("matrix", "email"):
        assert rendered.text == body(parse(source), "plain").text


@pytest.mark.parametrize("case", CASES)
def test_golden_of_the_web_page(case: str) -> None:
    check(f"{case}.page", "html", to_html((GOLDEN / f"{case}.md").read_text(encoding="utf-8")))


def test_no_golden_file_is_left_over() -> None:
    """Each stands for a case and a dialect that exist, once."""
    names = [path.name.split(".")[:2] for path in GOLDEN.iterdir() if path.suffix != ".md"]

    assert sorted(names) == sorted([case, dialect] for case in CASES for dialect in [*RENDERERS, "page"])
