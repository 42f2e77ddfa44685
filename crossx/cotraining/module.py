"""The joint run: generators and encoders learn in turn, within one fit and one checkpoint."""

from collections.abc import Mapping

from torch import Tensor, nn

from crossx.core.errors import InputError
from crossx.cotraining.schedule import Schedule
from crossx.encoding.module import EncoderModule, ReplayFactory, with_replay
from crossx.networks.batch_norm import eval_mode
from crossx.pairs.sources import LivePairs
from crossx.reconstruction.module import ReconstructionModule
from crossx.teachers.pair import TeacherPair
from crossx.training.alternating import AlternatingModule
from crossx.training.guided import GuidedRetrievalModule
from crossx.training.module import CrossxModule
from crossx.training.rotation import Rotation
from crossx.types import CriticOutput, Images, LatentBatch, Modality, PairBatch, PairSource, Progress, StepOutput


class CoTrainingModule(AlternatingModule, GuidedRetrievalModule):
    """Joint training, the published method ("Data-Free Sketch-Based Image Retrieval", arXiv 2303.07775).

    A `LatentBatch` trains the generators, a `PairBatch` the encoders.

    Args:
        reconstruction: The generators' side.
        encoding: The encoders' side.
        schedule: Which batch trains which side.
        replay: Pool of earlier pairs that are mixed into the new ones, such as `Replay`; None mixes in none.

    Raises:
        InputError: When the two sides name different teachers, or a term needs what the critic does not return.
    """

    def __init__(
        self,
        reconstruction: ReconstructionModule,
        encoding: EncoderModule,
        schedule: Schedule = Schedule(),  # noqa: B008 - frozen
        replay: ReplayFactory | None = None,
    ) -> None:
        super().__init__()
        self.reconstruction = reconstruction
        self.encoding = encoding
        self.schedule = schedule
        self._check_fit()
        vocabulary = reconstruction.teachers.vocabulary
        live = LivePairs(reconstruction, len(vocabulary), vocabulary.known_to_both)
        self._pairs = with_replay(live, replay)

    def _check_fit(self) -> None:
        """Refuse two sides that cannot work beside each other."""
        mine, other = self.reconstruction.teachers, self.encoding.teachers
        for side, a, b in (("photo", mine.photo, other.photo), ("sketch", mine.sketch, other.sketch)):
            if a is not b:
                raise InputError(
                    f"model: reconstruction and encoding must name one {side} teacher; set teachers.{side} alone"
                )
        if mine.vocabulary.union != other.vocabulary.union:
            raise InputError(
                "model: reconstruction and encoding must name the same aliases; set teachers.aliases alone"
            )
        if self.encoding.pairs is not None:
            raise InputError(
                "model.encoding.pairs: must be left out of a joint run, whose generators make the pairs, got "
                f"{type(self.encoding.pairs).__name__}"
            )
        for name in self.reconstruction.objective.terms:
            needs = self.reconstruction.objective.loss(name).needs_class_nll
            if needs and not self.encoding.critic.scores_classes:
                raise InputError(
                    f"model.reconstruction.terms.{name}: form published needs an encoding.critic that scores classes "
                    f"(LastLayerCritic), got {type(self.encoding.critic).__name__}; or use form: bounded"
                )

    @property
    def teachers(self) -> TeacherPair:  # type: ignore[override]  # it belongs to the children
        """The frozen teachers of both sides."""
        return self.reconstruction.teachers

    @property
    def players(self) -> Mapping[str, CrossxModule]:
        """Generators first, then encoders."""
        return {"reconstruction": self.reconstruction, "encoding": self.encoding}

    def rotation(self, total: int | None) -> Rotation:
        """Return whose turn each batch is, by the schedule."""
        return self.schedule.rotation(total)

    def wants_pairs(self, progress: Progress) -> bool:
        """Whether the coming batch trains the encoders."""
        return self.player(progress) == "encoding"

    def play(self, player: str, batch: LatentBatch | PairBatch, progress: Progress) -> StepOutput:
        """Take a step of the side whose turn it is."""
        if player == "encoding" and isinstance(batch, PairBatch):
            return self.encoding.step(batch, progress)
        if player == "reconstruction" and isinstance(batch, LatentBatch):
            return self.reconstruction.step(batch, progress, self._critic)
        raise TypeError(f"a {type(batch).__name__} does not train {player}; the data module must ask wants_pairs()")

    def _critic(self, pairs: PairBatch) -> CriticOutput:
        with eval_mode(self.encoding):  # a generator's step must not move the encoders' running statistics
            return self.encoding.criticise(pairs)

    @property
    def pair_source(self) -> PairSource:
        """Where the encoders' pairs come from."""
        return self._pairs

    @property
    def latent_dim(self) -> int:
        """Z of the generators."""
        return self.reconstruction.latent_dim

    def sample(self, latents: LatentBatch) -> PairBatch:
        """Make pairs with the generators as they are, without gradient."""
        return self.reconstruction.sample(latents)

    @property
    def encoders(self) -> dict[Modality, nn.Module]:
        """The encoders, by modality."""
        return self.encoding.encoders

    def encode(self, images: Tensor, modality: Modality) -> Tensor:
        """Images in [0, 1], (B, 3, H, W), to unit vectors, (B, D) float32."""
        return self.encoding.encode(images, modality)

    def adapt(self, queries: Images | None) -> int:
        """Show the queries to the encoder of sketches."""
        return self.encoding.adapt(queries)
