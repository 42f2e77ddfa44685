"""Texts in pictures: wrapped to a width in pixels, and shortened with an ellipsis where they do not fit."""

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def caption(text: str, font: Font, width: float, lines: int = 1, end: str = "") -> list[str]:
    """Lines of a text and its end, with as much of the text as fits.

    Args:
        text: What may be shortened, such as the name of a class.
        font: Font of the picture.
        width: Of a line, in pixels.
        lines: Largest number of lines.
        end: Behind the text, such as a percentage; kept whole.

    Returns:
        At most `lines` lines, broken between words.
    """
    for kept in range(len(text), 0, -1):
        shown = text if kept == len(text) else text[:kept].rstrip(" ,;(") + "…"
        found = wrap(f"{shown} {end}".strip(), font, width)
        if len(found) <= lines and all(font.getlength(line) <= width for line in found):
            return found
    return []


def shorten(text: str, font: Font, width: float) -> str:
    """A text in one line, shortened with an ellipsis where it is wider than a width in pixels."""
    whole = " ".join(text.split())
    if font.getlength(whole) <= width:  # most are, and are measured once
        return whole
    return "".join(caption(text, font, width))


def wrap(text: str, font: Font, width: float) -> list[str]:
    """Break a text between words, so that as few lines as possible are wider than a width in pixels."""
    found: list[str] = []
    for word in text.split():
        longer = f"{found[-1]} {word}" if found else word
        if found and font.getlength(longer) <= width:
            found[-1] = longer
        else:
            found.append(word)
    return found
