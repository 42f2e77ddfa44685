"""Drawing bars and curves, as pure functions of numbers."""

from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw, ImageFont

from crossx.reports.pictures.captions import shorten

PHOTO = (31, 119, 180)
SKETCH = (40, 40, 40)
_LINE = (200, 30, 30)
_GREY = (200, 200, 200)
_NAME, _BAR, _NUMBER, _ROW, _TOP = 150, 420, 60, 22, 48


def bar_chart(
    shares: Mapping[str, tuple[float, float]], legend: tuple[str, str], expected: float, title: str
) -> Image.Image:
    """Two horizontal bars a class.

    Args:
        shares: Class name to its two shares in [0, 1].
        legend: What the two bars are.
        expected: The share at which a line is drawn.
        title: One line at the top.
    """
    font = ImageFont.load_default(size=11)
    longest = max([expected, *(share for both in shares.values() for share in both)]) or 1.0
    width = _NAME + _BAR + _NUMBER
    picture = Image.new("RGB", (width, _TOP + _ROW * len(shares) + 8), "white")
    draw = ImageDraw.Draw(picture)
    draw.text((6, 6), shorten(title, font, width - 12), fill="black", font=font)
    for i, (name, colour) in enumerate(zip(legend, (PHOTO, SKETCH), strict=True)):
        draw.rectangle((_NAME + 80 * i, 29, _NAME + 80 * i + 10, 39), fill=colour)
        draw.text((_NAME + 80 * i + 14, 27), name, fill="black", font=font)
    for row, (name, both) in enumerate(shares.items()):
        y = _TOP + row * _ROW
        draw.text((6, y + 3), shorten(name, font, _NAME - 12), fill="black", font=font)
        for i, (share, colour) in enumerate(zip(both, (PHOTO, SKETCH), strict=True)):
            top, end = y + 9 * i, _NAME + round(_BAR * share / longest)
            if share > 0:
                draw.rectangle((_NAME, top, max(end, _NAME), top + 7), fill=colour)
            draw.text((end + 4, top - 2), f"{100 * share:.1f}", fill=colour, font=ImageFont.load_default(size=9))
    x = _NAME + round(_BAR * expected / longest)
    draw.line((x, _TOP - 4, x, _TOP + _ROW * len(shares)), fill=_LINE)
    return picture


def curve_chart(points: Sequence[tuple[int, float]], width: int, height: int, title: str) -> Image.Image:
    """A curve of values in [0, 1] over steps, from 0 to the largest one.

    Args:
        points: Steps and values, in the order of the steps.
        width: Of the picture in pixels.
        height: Of the picture in pixels.
        title: One line at the top.
    """
    font = ImageFont.load_default(size=11)
    picture = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(picture)
    draw.text((6, 6), shorten(title, font, width - 12), fill="black", font=font)
    left, right, top, bottom = 40, width - 16, 30, height - 26
    most = max([value for _, value in points], default=0.0) or 1.0
    last = max([step for step, _ in points], default=0) or 1
    for share, anchor in ((0.0, "la"), (0.5, "ma"), (1.0, "ra")):
        y = bottom - share * (bottom - top)
        draw.line((left, y, right, y), fill=_GREY)
        draw.text((6, y - 7), f"{share * most:.2f}", fill="black", font=font)
        x = left + share * (right - left) + (20 * share - 10)
        draw.text((x, bottom + 6), f"{share * last:.0f}", fill="black", font=font, anchor=anchor)
    places = [(left + s / last * (right - left), bottom - v / most * (bottom - top)) for s, v in points]
    if len(places) > 1:
        draw.line(places, fill=PHOTO, width=2)
    for x, y in places:
        draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=PHOTO)
    return picture
