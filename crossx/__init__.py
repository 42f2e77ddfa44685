"""crossx: sketch-to-photo retrieval without training data.

Two frozen classifiers in, a retrieval model out
("Data-Free Sketch-Based Image Retrieval", CVPR 2023, arXiv 2303.07775).

Importing this package imports nothing heavy: the public names below are loaded on first use (PEP 562).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from crossx.core.version import __version__

if TYPE_CHECKING:
    from crossx.classification.module import ClassifierModule
    from crossx.cotraining.module import CoTrainingModule
    from crossx.encoding.module import EncoderModule
    from crossx.pairs.datamodule import SyntheticPairsDataModule
    from crossx.reconstruction.module import ReconstructionModule
    from crossx.search.card import EncoderCard
    from crossx.search.predictor import Predictor
    from crossx.search.stored import load_encoders
    from crossx.teachers.card import TeacherCard
    from crossx.teachers.teacher import FrozenTeacher
    from crossx.teachers.vocabulary import Vocabulary

_HOME = {
    "ClassifierModule": "crossx.classification.module",
    "CoTrainingModule": "crossx.cotraining.module",
    "EncoderCard": "crossx.search.card",
    "EncoderModule": "crossx.encoding.module",
    "FrozenTeacher": "crossx.teachers.teacher",
    "Predictor": "crossx.search.predictor",
    "ReconstructionModule": "crossx.reconstruction.module",
    "SyntheticPairsDataModule": "crossx.pairs.datamodule",
    "TeacherCard": "crossx.teachers.card",
    "Vocabulary": "crossx.teachers.vocabulary",
    "load_encoders": "crossx.search.stored",
}

__all__ = [
    "ClassifierModule",
    "CoTrainingModule",
    "EncoderCard",
    "EncoderModule",
    "FrozenTeacher",
    "Predictor",
    "ReconstructionModule",
    "SyntheticPairsDataModule",
    "TeacherCard",
    "Vocabulary",
    "__version__",
    "load_encoders",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module attribute can be anything
    if name not in _HOME:
        raise AttributeError(f"module 'crossx' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
