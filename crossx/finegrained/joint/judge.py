"""The discriminator of a joint run, for drawings that are made outside of the run."""

from dataclasses import dataclass
from pathlib import Path

from crossx.core.errors import InputError
from crossx.core.paths import resolve
from crossx.core.untrusted import read_checkpoint
from crossx.data.images import load_image
from crossx.finegrained.certainty.discriminator import PairDiscriminator
from crossx.finegrained.drawing.measures import pictures
from crossx.finegrained.joint.module import JUDGED, JudgedPictures, SemiSupervisedModule
from crossx.strokes.sequence import Strokes


@dataclass(frozen=True)
class DrawingJudge:
    """What says how far a drawing of a photo can be trusted.

    Attributes:
        discriminator: The discriminator, in eval mode.
        form: The pictures that it has learned from.
    """

    discriminator: PairDiscriminator
    form: JudgedPictures

    def certainty(self, photo: Path, strokes: Strokes) -> float:
        """Return how far a drawing can be trusted as a sketch of a photo, in [0, 1].

        Args:
            photo: An image file.
            strokes: The drawing, in the unit square.

        Raises:
            InputError: When the photo cannot be read.
        """
        size, width = self.form
        pixels = load_image(photo, "photo", size)[None].float() / 255
        return float(self.discriminator.certainty(pixels, pictures([strokes], size, width)))


def load_judge(path: str | Path, field: str = "discriminator") -> DrawingJudge:
    """Read the discriminator of a joint run.

    Args:
        path: A checkpoint of the run, such as `checkpoints/last.ckpt`; the files of its teachers must still be there.
        field: Where the user named it, for messages.

    Raises:
        InputError: When the file is no checkpoint of a joint run, its discriminator has not learned yet, or a file
            that it names is missing.
    """
    file = resolve(path, field)
    checkpoint = read_checkpoint(file, field)
    config = (checkpoint.get("crossx") or {}).get("config") or {}
    name = str((config.get("model") or {}).get("class_path", "no module of the command line"))
    if name.rpartition(".")[2] != SemiSupervisedModule.__name__:
        raise InputError(f"{field}: must be a checkpoint of a SemiSupervisedModule, got one of {name}: {file}")
    if checkpoint.get(JUDGED) is None:
        raise InputError(
            f"{field}: must say which pictures its discriminator has learned from, got a checkpoint from before its "
            f"first batch, or of an earlier version of crossx: {file}; go on with its run for a batch"
        )
    module = SemiSupervisedModule.load_from_checkpoint(file, map_location="cpu").eval()
    return DrawingJudge(module.discriminator.requires_grad_(False), JudgedPictures(**checkpoint[JUDGED]))
