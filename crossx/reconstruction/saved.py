"""Pairs from the generators of an earlier run."""

from crossx.core.errors import InputError
from crossx.pairs.sources import Pairs
from crossx.reconstruction.generators import load_generators, sample_pairs
from crossx.teachers.pair import TeacherPair
from crossx.types import LatentBatch, PairBatch, PairSource


class SavedPairs(Pairs):
    """Pairs from the generators of an earlier run; for stage-wise training.

    Args:
        generators: The `generators.safetensors` that a run with a `ReconstructionModule` wrote into its run folder.

    Raises:
        InputError: When the file does not exist or does not hold two generators.
    """

    def __init__(self, generators: str) -> None:
        self.generators = load_generators(generators, "generators")
        self._teachers: TeacherPair | None = None

    @property
    def latent_dim(self) -> int:
        """Z of the generators."""
        return self.generators.latent_dim

    def attach(self, teachers: TeacherPair, live: PairSource | None) -> None:
        """Take the teachers; live generators have no place beside saved ones.

        Raises:
            InputError: When there are live ones.
        """
        if live is not None:
            raise InputError("pairs: SavedPairs has no use for a run's own generators; a joint run takes LivePairs")
        self._teachers = teachers

    def sample(self, latents: LatentBatch) -> PairBatch:
        """Sample the saved generators."""
        if self._teachers is None:
            raise RuntimeError("attach() comes before the first use")
        self.generators.to(latents.noise.device)  # a plain object is not moved by Lightning
        return sample_pairs(self.generators, self._teachers, latents)
