"""`crossx synthesize`: drawings of photos as SVG files and as pages that replay them."""

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from crossx.core.atomic import write_text
from crossx.core.errors import InputError
from crossx.core.seeding import Stream, philox
from crossx.data.images import load_image
from crossx.data.listing import list_images
from crossx.finegrained.drawing.files import load_generator
from crossx.finegrained.drawing.generator import DrawingGenerator, drawing_noise
from crossx.finegrained.drawing.measures import strokes_of
from crossx.networks.preprocessing import sides
from crossx.strokes.replay import replay_html
from crossx.strokes.svg import to_svg

if TYPE_CHECKING:
    from crossx.finegrained.joint.judge import DrawingJudge

_SHOWN = 256
"""Side of the photo on the page, in pixels."""


def synthesize(arguments: Namespace) -> int:
    """Draw one photo, or those of a folder; say of each drawing whether it ended by itself, and its certainty.

    Args:
        arguments: The options, as `read_options` returns them.

    Returns:
        The exit status.

    Raises:
        InputError: When the generator, the discriminator or a photo cannot be read, or a folder holds no photo.
    """
    generator = load_generator(arguments.generator, "--generator")
    judge = None
    if arguments.discriminator is not None:
        import crossx.cli.components  # noqa: F401 - every class that the checkpoint may name
        from crossx.finegrained.joint.judge import load_judge  # loads Lightning, which drawing alone does not need

        judge = load_judge(arguments.discriminator, "--discriminator")
    photos = _photos(Path(arguments.photo))
    several = Path(arguments.photo).is_dir() or arguments.copies > 1
    for photo in photos:
        for copy in range(arguments.copies):
            name = photo.stem if arguments.copies == 1 else f"{photo.stem}-{copy}"
            out = Path(arguments.out or ("." if several else f"{name}.svg"))
            html = None if arguments.html is None else Path(arguments.html)
            if several:
                out, html = out / f"{name}.svg", None if html is None else html / f"{name}.html"
            # A photo is drawn alike by itself and in any folder.
            noise = drawing_noise([philox(arguments.seed, copy, Stream.SYNTHESIZED)], generator.max_points)
            print(_draw(generator, judge, photo, noise, arguments.temperature, out, html), flush=True)  # noqa: T201
    return 0


def _photos(path: Path) -> list[Path]:
    """The photo, or the images of a folder by name.

    Raises:
        InputError: When a folder has no image, or two whose drawings would have one name.
    """
    if not path.is_dir():
        return [path]
    found = [path / name for name in sorted(list_images(path)[0])]
    if not found:
        raise InputError(f"--photo: must hold an image, got the folder {str(path)!r} with none")
    stems: dict[str, Path] = {}
    for file in found:
        if file.stem in stems:
            raise InputError(
                f"--photo: must hold photos whose names differ before the ending, got {stems[file.stem].name!r} and "
                f"{file.name!r}"
            )
        stems[file.stem] = file
    return found


def _draw(
    generator: DrawingGenerator,
    judge: "DrawingJudge | None",
    photo: Path,
    noise: torch.Tensor,
    temperature: float,
    out: Path,
    html: Path | None,
) -> str:
    """Draw one photo, write the files, and return the line that says what came out."""
    size = max(sides(generator.encoder.format.size))
    pixels = load_image(photo, "photo", size)
    drawing = generator.draw(pixels[None].float() / 255, temperature, noise=noise)
    strokes = strokes_of(drawing, float(generator.scale))[0]
    points = int(drawing.length[0])
    ended = "ended by itself" if bool(drawing.ended[0]) else f"cut at {points} points"
    if not strokes:
        return f"{photo}: no stroke, {ended}; nothing is written"
    write_text(out, to_svg(strokes))
    written = [str(out)]
    if html is not None:
        shown = load_image(photo, "photo", _SHOWN).permute(1, 2, 0).numpy()
        looks = None if drawing.attention is None else drawing.attention[0, :points].numpy()
        write_text(html, replay_html(strokes, shown, looks, title=photo.name))
        written.append(str(html))
    trusted = "" if judge is None else f", certainty {judge.certainty(photo, strokes):.2f}"
    return f"{photo}: {points} points in {len(strokes)} strokes, {ended}{trusted} -> {', '.join(written)}"
