"""crossx: sketch-to-photo retrieval without training data.

Two frozen classifiers in, a retrieval model out
("Data-Free Sketch-Based Image Retrieval", CVPR 2023, arXiv 2303.07775).

Importing this package imports nothing heavy: the public names below are loaded on first use (PEP 562).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from crossx.cotraining.module import CoTrainingModule
    from crossx.data.synthetic import SyntheticPairsDataModule
    from crossx.encoding.module import EncoderModule
    from crossx.reconstruction.module import ReconstructionModule
    from crossx.teachers.card import TeacherCard
    from crossx.teachers.module import ClassifierModule
    from crossx.teachers.teacher import FrozenTeacher
    from crossx.teachers.vocabulary import Vocabulary

_HOME = {
    "ClassifierModule": "crossx.teachers.module",
    "CoTrainingModule": "crossx.cotraining.module",
    "EncoderModule": "crossx.encoding.module",
    "FrozenTeacher": "crossx.teachers.teacher",
    "ReconstructionModule": "crossx.reconstruction.module",
    "SyntheticPairsDataModule": "crossx.data.synthetic",
    "TeacherCard": "crossx.teachers.card",
    "Vocabulary": "crossx.teachers.vocabulary",
}

__all__ = [
    "ClassifierModule",
    "CoTrainingModule",
    "EncoderModule",
    "FrozenTeacher",
    "ReconstructionModule",
    "SyntheticPairsDataModule",
    "TeacherCard",
    "Vocabulary",
    "__version__",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module attribute can be anything
    if name not in _HOME:
        raise AttributeError(f"module 'crossx' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
