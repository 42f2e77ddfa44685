"""Photo and sketch teacher together."""

from torch import Tensor, nn

from crossx.core.errors import InputError
from crossx.networks.timm_network import TIMM_PREFIX
from crossx.teachers.lookalikes import lookalikes
from crossx.teachers.teacher import FrozenTeacher, load_teacher
from crossx.teachers.vocabulary import Vocabulary
from crossx.types import MODALITIES, LayerStatistics, Modality, PairBatch


class TeacherPair(nn.Module):
    """The photo teacher, the sketch teacher and the vocabulary of their classes.

    A teacher that is loaded twice is one object, so the two sides of a joint run share one copy of the weights.

    Args:
        photo_teacher: The photo teacher: a `.safetensors` file with its card, a `.yaml` card that
            names its weights, or `timm:<model name>`.
        sketch_teacher: The sketch teacher, in one of the same forms.
        aliases: Other spellings of class names, alias to name; see `Vocabulary`.

    Raises:
        InputError: When a teacher cannot be read or is of the other modality, or the two share no class.
    """

    def __init__(self, photo_teacher: str, sketch_teacher: str, aliases: dict[str, str] | None = None) -> None:
        super().__init__()
        self.photo = load_teacher(photo_teacher, "teachers.photo")
        self.sketch = load_teacher(sketch_teacher, "teachers.sketch")
        for side, spec, card in (
            ("photo", photo_teacher, self.photo.card),
            ("sketch", sketch_teacher, self.sketch.card),
        ):
            # A model straight from timm is a photo classifier and may be tried on sketches too. A file's card has the
            # modality that its classifier was trained on, also where its architecture is one of timm's.
            if card.modality != side and not spec.startswith(TIMM_PREFIX):
                raise InputError(
                    f"teachers.{side}: must be a {side} teacher, got {card.name!r} of {spec!r}, by its card a "
                    f"{card.modality} teacher"
                )
        self.vocabulary = Vocabulary(self.photo.card.classes, self.sketch.card.classes, aliases)

    def forward(
        self, photo: Tensor, sketch: Tensor, target: Tensor | None = None, statistics: bool = False
    ) -> PairBatch:
        """Classify a batch of pairs by the teachers of their modalities.

        Args:
            photo: (B, 3, H, W) in [0, 1].
            sketch: (B, 3, H, W) in [0, 1].
            target: True classes, (B,) index into the union; None where they are unknown: then a pair's class is the one
                that both teachers together find most likely.
            statistics: Also compute the input statistics of the BatchNorm layers.
        """
        of_photo, of_sketch = self.photo(photo, statistics), self.sketch(sketch, statistics)
        if target is None:
            target = self.vocabulary.most_likely(of_photo.logits, of_sketch.logits)
        return PairBatch(photo, sketch, of_photo, of_sketch, target)

    def of(self, modality: Modality) -> FrozenTeacher:
        """Teacher of a modality."""
        teacher: FrozenTeacher = self.photo if modality == "photo" else self.sketch
        return teacher

    def spelled_differently(self) -> str:
        """Warning about classes that look alike but are spelled differently by the teachers; empty where none are."""
        names = {m: [self.vocabulary.canonical(name) for name in self.of(m).card.classes] for m in MODALITIES}
        found = lookalikes(names["photo"], names["sketch"])
        if not found:
            return ""
        shown = ", ".join(f"{photo!r} and {sketch!r}" for photo, sketch in found[:5])
        photo, sketch = found[0]
        return (
            f"teachers: {len(found)} classes look alike but are spelled differently, and count as different ones: "
            f"{shown}{' and more' if len(found) > 5 else ''}; join those that are the same in teachers.aliases, such "
            f"as {{{sketch!r}: {photo!r}}}"
        )

    def swapped(self, photo: Tensor, sketch: Tensor, layers: int) -> dict[Modality, list[LayerStatistics]]:
        """Run the first layers of each teacher on the other modality's images.

        Args:
            photo: (B, 3, H, W) in [0, 1].
            sketch: (B, 3, H, W) in [0, 1].
            layers: How many of the first BatchNorm layers are read, at least 1.

        Returns:
            Their statistics by the modality of the images: under `photo` those of the sketch teacher.
        """
        return {
            "photo": self.sketch.first_statistics(photo, layers),
            "sketch": self.photo.first_statistics(sketch, layers),
        }
