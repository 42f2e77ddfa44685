"""Answers as a table for the terminal, as JSON for programs, and as a page for everybody."""

import html
import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

from crossx.search.asking.answers import Answer, Found
from crossx.search.names import printable
from crossx.search.photo_files import NoPhotoError
from crossx.search.photo_pictures import thumbnail
from crossx.search.seen import data_address

_SIDE = 320
"""Longest side in pixels of the photos on a page."""


def table(answers: Sequence[Answer]) -> Iterator[str]:
    """Lines for the terminal."""
    for answer in answers:
        question = answer.question
        yield f"{printable(question.name)}: {question.kind}{_looks_like(answer)}"
        yield from (f"  note: {warning}" for warning in question.warnings)
        if not answer.found:
            yield "  nothing found"
        for place, found in enumerate(answer.found, 1):
            copies = f"  and {len(found.copies)} copies" if found.copies else ""
            verdict = f"{found.verdict or '':<9}"
            yield f"  {place:>3}  {found.score:6.3f}  {verdict}{printable(found.photo.path)}{copies}"
        yield f"  {_how(answer)}"


def as_json(answers: Sequence[Answer]) -> str:
    """JSON for programs; names of files stand as `os.fsdecode` gives them."""
    return json.dumps([_values(answer) for answer in answers], indent=1)


def page(answers: Sequence[Answer]) -> str:
    """A page that stands alone: no script, and no other file."""
    parts = "".join(_section(answer) for answer in answers)
    return _PAGE.replace("PARTS", parts)


def _values(answer: Answer) -> dict[str, Any]:
    question = answer.question
    return {
        "query": question.name,
        "kind": question.kind,
        "seen": data_address(question.seen, "png"),
        "warnings": list(question.warnings),
        "guesses": [{"class": name, "p": round(p, 4)} for name, p in question.guesses],
        "recall": answer.recall,
        "results": [
            {
                "id": found.photo.id,
                "path": os.path.join(found.photo.root, found.photo.path),
                "score": round(found.score, 6),
                "probability": None if found.probability is None else round(found.probability, 4),
                "verdict": found.verdict,
                "copies": list(found.copies),
            }
            for found in answer.found
        ],
    }


def _section(answer: Answer) -> str:
    question = answer.question
    notes = "".join(f"<p>note: {html.escape(warning)}</p>" for warning in question.warnings)
    seen = f'<img class="seen" alt="what the encoder saw" src="{data_address(question.seen, "png")}">'
    title = html.escape(printable(question.name) + _looks_like(answer))
    items = "".join(_item(found) for found in answer.found) or "<li>nothing found</li>"
    return f"<h2>{title}</h2>{seen}{notes}<ol>{items}</ol><p>{_how(answer)}</p>"


def _item(found: Found) -> str:
    name = html.escape(printable(found.photo.path))
    verdict = f", {found.verdict}" if found.verdict else ""
    try:
        picture = f'<img alt="{name}" src="{data_address(thumbnail(found.photo, _SIDE), "jpeg")}">'
    except NoPhotoError as error:
        picture = f"<span>{html.escape(str(error))}</span>"
    return f"<li>{picture}<small>{name}<br>{found.score:.3f}{verdict}</small></li>"


def _looks_like(answer: Answer) -> str:
    guesses = ", ".join(f"{name} {p:.2f}" for name, p in answer.question.guesses)
    return f", looks like {guesses}" if guesses else ""


def _how(answer: Answer) -> str:
    if answer.recall == 1.0:
        return "every photo was compared"
    return "recall@10 not measured" if answer.recall is None else f"recall@10 for sketches {answer.recall:.3f}"


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>crossx search</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root { color-scheme: light dark; font: 16px/1.4 system-ui, sans-serif }
body { max-width: 75rem; margin: 1rem auto; padding: 0 1rem }
ol { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .75rem; padding: 0 }
li { list-style: none; overflow-wrap: anywhere }
li img { width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: .4rem }
.seen { width: 128px; image-rendering: pixelated; border: 1px solid #8888 }
</style></head><body><h1>crossx search</h1>PARTS</body></html>
"""
