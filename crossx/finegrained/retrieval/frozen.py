"""A frozen retrieval model, whose distances a student keeps."""

import copy
from dataclasses import dataclass

from torch import Tensor

from crossx.core.errors import InputError
from crossx.encoding.encoders import Encoder, EncoderFactory
from crossx.finegrained.retrieval.encoders import build_encoder, load_encoders
from crossx.networks.frozen import Frozen
from crossx.teachers.pair import TeacherPair
from crossx.types import MODALITIES, Modality


@dataclass
class FrozenRetrieval:
    """Which retrieval model is the teacher of `RelationDistillation` and `PhotoRelation`.

    Args:
        start: `encoders.safetensors` of an earlier run; None for encoders as they are built, such as the classifiers'
            features (`ClassifierOnly`).
        encoder: Factory of its encoders; None for those of the student.
    """

    start: str | None = None
    encoder: EncoderFactory | None = None


class FrozenEncoders(Frozen):
    """Both encoders of a retrieval model that is used and never trained.

    Args:
        photo: Encoder of photos; copied.
        sketch: Encoder of sketches; copied.
    """

    def __init__(self, photo: Encoder, sketch: Encoder) -> None:
        super().__init__()
        self.photo, self.sketch = copy.deepcopy(photo), copy.deepcopy(sketch)
        self.freeze("retrieval model")

    @property
    def title(self) -> str:
        """Name in messages."""
        return "model.teacher"

    def forward(self, images: Tensor, modality: Modality) -> Tensor:
        """Map images in [0, 1], (B, 3, H, W), to unit vectors, (B, D) float32, differentiably."""
        embedding: Tensor = (self.photo if modality == "photo" else self.sketch)(images)
        return embedding


def frozen_encoders(
    teacher: FrozenRetrieval, student: dict[Modality, EncoderFactory], teachers: TeacherPair | None
) -> FrozenEncoders:
    """Build a frozen retrieval model.

    Args:
        teacher: What the config names.
        student: Factories of the student's encoders.
        teachers: The classifiers of the run, if it has any.

    Raises:
        InputError: When neither a file nor an encoder is named, or the encoders cannot be built or read.
    """
    if teacher.start is None and teacher.encoder is None:
        raise InputError(
            "model.teacher: must name start (encoders.safetensors of an earlier run) or encoder, got neither"
        )
    factories = student if teacher.encoder is None else dict.fromkeys(MODALITIES, teacher.encoder)
    encoders = {m: build_encoder("model.teacher.encoder", factories[m], teachers, m) for m in MODALITIES}
    if teacher.start is not None:
        load_encoders(encoders, teacher.start, "model.teacher.start")
    return FrozenEncoders(encoders["photo"], encoders["sketch"])
