"""What may be chosen for an export, without heavy imports: a wrong choice is refused before anything is loaded."""

from collections.abc import Sequence
from typing import Literal

from crossx.core.checks import must_be_in, must_be_one_of
from crossx.core.errors import InputError

Format = Literal["safetensors", "onnx"]
FORMATS: tuple[Format, Format] = ("safetensors", "onnx")


def check_choices(formats: Sequence[str], size: int | None) -> None:
    """Refuse other formats of files and sides of images.

    Raises:
        InputError: When there is no format, another one, or a side that is too small or too large.
    """
    for name in formats:
        must_be_one_of("--formats", name, FORMATS)
    if not formats:
        raise InputError(f"--formats: must name at least one of {', '.join(FORMATS)}, got none")
    if size is not None:
        must_be_in("--size", size, "[16, 4096]")
