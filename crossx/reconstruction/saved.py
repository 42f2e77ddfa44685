"""Pairs from the generators of an earlier run."""

from crossx.reconstruction.generators import load_generators, sample_pairs
from crossx.teachers.pair import TeacherPair
from crossx.types import LatentBatch, PairBatch, PairSource


class SavedPairs(PairSource):
    """Pairs from the generators of an earlier run; for stage-wise training.

    Args:
        teachers: Both teachers, which classify the pairs.
        generators: The `generators.safetensors` that a run with a `ReconstructionModule` wrote into its run folder.

    Raises:
        InputError: When the file does not exist or does not hold two generators.
    """

    def __init__(self, teachers: TeacherPair, generators: str) -> None:
        self.generators = load_generators(generators, "pairs.generators")
        self.num_classes = len(teachers.vocabulary)
        self.shared = teachers.vocabulary.known_to_both
        self._teachers = teachers

    @property
    def latent_dim(self) -> int:
        """Z of the generators."""
        return self.generators.latent_dim

    def sample(self, latents: LatentBatch) -> PairBatch:
        """Sample the saved generators."""
        self.generators.to(latents.noise.device)  # a plain object is not moved by Lightning
        return sample_pairs(self.generators, self._teachers, latents)
