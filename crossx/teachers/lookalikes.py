"""Class names of two teachers that look alike but are spelled differently, and would count as two classes."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence

_SHORTEST = 3
"""Letters that a singular has at least: `gas` is no plural of `ga`."""


def lookalikes(photo_classes: Sequence[str], sketch_classes: Sequence[str]) -> list[tuple[str, str]]:
    """Find names that differ only in case, spaces, hyphens, punctuation, accents or a plural.

    Args:
        photo_classes: Class names of the photo teacher.
        sketch_classes: Class names of the sketch teacher.

    Returns:
        Pairs of a photo and a sketch class, in the order of the photo classes. Names that both teachers have are in no
        pair.
    """
    both = {*photo_classes} & {*sketch_classes}
    known: dict[str, list[str]] = defaultdict(list)
    for name in dict.fromkeys(sketch_classes):
        if name not in both:
            for key in set(_keys(name)):
                known[key].append(name)
    return [
        (photo, sketch)
        for photo in photo_classes
        if photo not in both
        for sketch in dict.fromkeys(name for key in _keys(photo) for name in known.get(key, []))
    ]


def _keys(name: str) -> Iterator[str]:
    """Letters and digits of a name, as it stands and with plurals replaced by what may be their singulars."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    words = re.findall(r"[^\W_]+", "".join(c for c in plain if not unicodedata.combining(c)))
    if not words:
        return
    start, last = "".join(words[:-1]), words[-1]
    yield start + last
    singulars = list(_singulars(last))
    yield from (start + singular for singular in singulars)
    # A plural inside of a name, such as that of `sports car`.
    inner = "".join(next(_singulars(word), word) for word in words[:-1])
    if inner != start:
        yield from (inner + word for word in (last, *singulars))


def _singulars(word: str) -> Iterator[str]:
    """Words that a word may be the plural of."""
    if not word.endswith("s") or word.endswith(("ss", "us")) or len(word) <= _SHORTEST:
        return
    yield word[:-1]
    if word.endswith("ies"):
        yield word[:-3] + "y"
    elif word.endswith("ves"):
        yield from (word[:-3] + "f", word[:-3] + "fe")
    elif word.endswith(("ses", "xes", "zes", "ches", "shes", "oes")):
        yield word[:-2]
