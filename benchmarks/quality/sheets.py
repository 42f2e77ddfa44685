"""Pictures of rows side by side: what they retrieve for the same sketches, and the pairs that they learned from."""

import csv
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from crossx.core.atomic import atomic_path
from crossx.data.base import LabelledImages
from crossx.reports.pictures.sheets import NEUTRAL, RIGHT, WRONG, Sheet

_PHOTOS = 8
_TITLE_LINES = 6
_LINE = 20


def retrieval_sheet(
    lists: Sequence[tuple[str, Path]],
    gallery: LabelledImages,
    queries: LabelledImages,
    count: int,
    title: str,
    path: Path,
) -> None:
    """For some sketches the first photos of each row, right ones green, wrong ones red.

    Args:
        lists: Title of each row and its ranked lists, as `RetrievalResults.to_csv` writes them.
        gallery: The photos.
        queries: The sketches.
        count: Number of sketches, spread over all.
        title: One line.
        path: PNG to write.
    """
    count = min(count, len(queries))
    chosen = [round(i * (len(queries) - 1) / max(count - 1, 1)) for i in range(count)]
    sheet = Sheet(count * len(lists), _PHOTOS + 2, side=64, lines=1, title=title)
    for place, (name, file) in enumerate(lists):
        ranked = _ranked(file, set(chosen))
        for block, query in enumerate(chosen):
            row = block * len(lists) + place
            sheet.write(row, 0, _wrapped(name))
            item = queries[query]
            if place == 0:
                sheet.place(row, 1, item.image, NEUTRAL, [queries.classes[int(item.label)]])
            for column, (photo, right) in enumerate(ranked[query], start=2):
                found = gallery[photo]
                sheet.place(row, column, found.image, RIGHT if right else WRONG, [gallery.classes[int(found.label)]])
    sheet.save(path)


def _ranked(file: Path, wanted: set[int]) -> dict[int, list[tuple[int, bool]]]:
    """First photos of some queries: position in the gallery, and whether it is right."""
    lists: dict[int, list[tuple[int, bool]]] = {query: [] for query in wanted}
    with file.open(newline="") as lines:
        for row in csv.DictReader(lines):
            if int(row["query"]) in wanted and int(row["rank"]) <= _PHOTOS:
                lists[int(row["query"])].append((int(row["photo"]), row["right"] == "1"))
    return lists


def _wrapped(title: str, width: int = 11) -> list[str]:
    lines = [""]
    for word in title.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines[:_TITLE_LINES]


def distinct(pictures: Sequence[tuple[str, Path]]) -> list[tuple[str, Path]]:
    """Leave out pictures that look like an earlier one, as pairs of shared generators do.

    Args:
        pictures: Title and file of each.
    """
    contents = [file.read_bytes() for _, file in pictures]
    return [picture for place, picture in enumerate(pictures) if contents[place] not in contents[:place]]


def stacked(pictures: Sequence[tuple[str, Path]], origin: str, path: Path) -> None:
    """Pictures below each other, each under its title.

    Args:
        pictures: Title and PNG of each.
        origin: What all of them are of, behind each title.
        path: PNG to write.
    """
    images = [(f"{title} ({origin})", Image.open(file).convert("RGB")) for title, file in pictures]
    whole = Image.new("RGB", (max(i.width for _, i in images), sum(i.height + _LINE for _, i in images)), "white")
    draw, top = ImageDraw.Draw(whole), 0
    for title, image in images:
        draw.text((6, top + 4), title, fill="black", font=ImageFont.load_default(size=14))
        whole.paste(image, (0, top + _LINE))
        top += image.height + _LINE
    with atomic_path(path) as temporary:
        whole.save(temporary, format="PNG")
