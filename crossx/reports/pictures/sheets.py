"""Drawing sheets of images, as pure functions of tensors."""

from collections.abc import Sequence
from pathlib import Path

import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from crossx.reports.pictures.captions import caption, shorten, wrap
from crossx.reports.pictures.png import save_png

RIGHT = (34, 139, 34)
WRONG = (200, 30, 30)
NEUTRAL = (120, 120, 120)
AGREE, DISAGREE = "=", "x"
"""Signs before a text, so that no picture relies on the colour of a frame alone; Pillow's font has few others."""
_GAP = 6
_FRAME = 3
_LINE = 13
_TITLE = 16
"""Height of a line of the title."""


def to_picture(image: Tensor, side: int) -> Image.Image:
    """Scale one image in [0, 1], (3, S, S), to `side` pixels; much smaller images are enlarged without blur."""
    size = image.shape[-1]
    mode = "nearest" if side >= 4 * size else "bicubic"
    scaled = F.interpolate(image[None].float().cpu(), (side, side), mode=mode, antialias=mode == "bicubic")[0]
    array = scaled.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).contiguous().numpy()
    return Image.fromarray(array)


class Sheet:
    """A white sheet with cells of one size; each cell is a framed image with lines of text below it.

    Args:
        rows: Number of cells down.
        columns: Number of cells across.
        side: Side of an image in pixels.
        lines: Lines of text below each image.
        title: Text at the top; broken into lines where the sheet is narrow.
    """

    def __init__(self, rows: int, columns: int, side: int, lines: int, title: str) -> None:
        self.side = side
        self.cell = (side + 2 * _FRAME + _GAP, side + 2 * _FRAME + _GAP + lines * _LINE)
        self.font = ImageFont.load_default(size=11)
        width, large = columns * self.cell[0] + _GAP, ImageFont.load_default(size=13)
        titles = wrap(title, large, width - 2 * _GAP)
        self.top = 24 + _TITLE * max(len(titles) - 1, 0)
        self.picture = Image.new("RGB", (width, rows * self.cell[1] + _GAP + self.top), "white")
        self.draw = ImageDraw.Draw(self.picture)
        for i, line in enumerate(titles):
            self.draw.text((_GAP, 6 + i * _TITLE), line, fill="black", font=large)

    def caption(self, text: str, end: str = "", lines: int = 1) -> list[str]:
        """Lines that fit into a cell: the text, shortened with an ellipsis where it must be, and its whole end.

        Args:
            text: What may be shortened, such as the name of a class.
            end: Behind the text, such as a percentage.
            lines: Largest number of lines.
        """
        return caption(text, self.font, self.cell[0] - _GAP, lines, end)

    def place(
        self, row: int, column: int, image: Tensor, frame: tuple[int, int, int], text: Sequence[str] = ()
    ) -> None:
        """Put an image in [0, 1], (3, S, S), into a cell."""
        x, y = _GAP + column * self.cell[0], self.top + _GAP + row * self.cell[1]
        edge = self.side + 2 * _FRAME
        self.draw.rectangle((x, y, x + edge - 1, y + edge - 1), fill=frame)
        self.picture.paste(to_picture(image, self.side), (x + _FRAME, y + _FRAME))
        self._draw_lines(x, y + edge, text, frame)

    def write(self, row: int, column: int, text: Sequence[str]) -> None:
        """Put lines of text into a cell that has no image."""
        x, y = _GAP + column * self.cell[0], self.top + _GAP + row * self.cell[1]
        self._draw_lines(x, y, text, (0, 0, 0))

    def _draw_lines(self, x: int, y: int, text: Sequence[str], colour: tuple[int, int, int]) -> None:
        for i, line in enumerate(text):
            shown = shorten(line, self.font, self.cell[0] - _GAP)
            self.draw.text((x, y + i * _LINE), shown, fill=colour, font=self.font)

    def save(self, path: Path) -> None:
        """Write the sheet as PNG, atomically."""
        save_png(self.picture, path)
