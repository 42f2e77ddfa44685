"""Drawing sheets of images, as pure functions of tensors."""

from collections.abc import Sequence
from pathlib import Path

import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from crossx.core.tensor_files import atomic_path

RIGHT = (34, 139, 34)
WRONG = (200, 30, 30)
NEUTRAL = (120, 120, 120)
AGREE, DISAGREE = "=", "x"
"""Signs before a text, so that no picture relies on the colour of a frame alone; Pillow's font has few others."""
_GAP = 6
_FRAME = 3
_LINE = 13


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
        title: One line at the top.
    """

    def __init__(self, rows: int, columns: int, side: int, lines: int, title: str) -> None:
        self.side = side
        self.cell = (side + 2 * _FRAME + _GAP, side + 2 * _FRAME + _GAP + lines * _LINE)
        self.font = ImageFont.load_default(size=11)
        self.top = 24
        self.picture = Image.new("RGB", (columns * self.cell[0] + _GAP, rows * self.cell[1] + _GAP + self.top), "white")
        self.draw = ImageDraw.Draw(self.picture)
        self.draw.text((_GAP, 6), title, fill="black", font=ImageFont.load_default(size=13))

    def place(
        self, row: int, column: int, image: Tensor, frame: tuple[int, int, int], text: Sequence[str] = ()
    ) -> None:
        """Put an image in [0, 1], (3, S, S), into a cell."""
        x, y = _GAP + column * self.cell[0], self.top + _GAP + row * self.cell[1]
        edge = self.side + 2 * _FRAME
        self.draw.rectangle((x, y, x + edge - 1, y + edge - 1), fill=frame)
        self.picture.paste(to_picture(image, self.side), (x + _FRAME, y + _FRAME))
        for i, line in enumerate(text):
            self.draw.text((x, y + edge + i * _LINE), self._fit(line), fill=frame, font=self.font)

    def write(self, row: int, column: int, text: Sequence[str]) -> None:
        """Put lines of text into a cell that has no image."""
        x, y = _GAP + column * self.cell[0], self.top + _GAP + row * self.cell[1]
        for i, line in enumerate(text):
            self.draw.text((x, y + i * _LINE), self._fit(line), fill="black", font=self.font)

    def _fit(self, line: str) -> str:
        while line and self.draw.textlength(line, font=self.font) > self.cell[0] - 2:
            line = line[:-1]
        return line

    def save(self, path: Path) -> None:
        """Write the sheet as PNG, atomically."""
        with atomic_path(path) as temporary:
            self.picture.save(temporary, format="PNG")
