"""Base classes of modules that learn from two frozen classifiers."""

from abc import abstractmethod

from crossx.teachers.pair import TeacherPair
from crossx.training.retrieval import RetrievalModule
from crossx.types import PairSource


class TeacherGuided:
    """A module that learns from two frozen classifiers.

    Attributes:
        teachers: The two frozen classifiers and their vocabulary, set by the subclass.
    """

    teachers: TeacherPair


class GuidedRetrievalModule(TeacherGuided, RetrievalModule):
    """A retrieval module whose encoders learn from pairs and the outputs of two frozen classifiers on them."""

    @property
    @abstractmethod
    def pair_source(self) -> PairSource:
        """Where the pairs come from."""

    @property
    def data_free(self) -> bool:
        """Whether the pairs are synthetic."""
        return not self.pair_source.real
