from functools import partial
from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from support.runs import CLASSES, SGD, SIZE, Kind, Teachers, encoder, encoding, joint
from torch import Tensor

from crossx.augmentation import Augment
from crossx.core.batches import stack
from crossx.core.errors import InputError
from crossx.encoding.critics import DistanceCritic
from crossx.encoding.embeddings import Embedding
from crossx.encoding.encoders import CompositeEncoder, Encoder, PosteriorEncoder, TeacherEncoder, TeacherHeadEncoder
from crossx.encoding.encoders.composite import Part
from crossx.encoding.losses import EncodingLoss, EncodingTerm, PairEmbeddings, SupConLoss
from crossx.encoding.module import EncoderModule
from crossx.networks.batch_norm import eval_mode
from crossx.pairs.latents import LatentDataset
from crossx.pairs.sources import RealPairs
from crossx.teachers.pair import TeacherPair
from crossx.types import Modality, PairBatch, Progress, TeacherOutput


class Fixed(Encoder):
    """The first two pixels are the embedding."""

    def __init__(self, teachers: TeacherPair, modality: Modality) -> None:
        super().__init__(modality, dim=2)
        self.scale = torch.nn.Parameter(torch.ones(()))

    def embed(self, images: Tensor, teacher: TeacherOutput | None) -> Embedding:
        return Embedding(images[:, 0, 0, :2] * self.scale)


class Seen(EncodingLoss):
    """Keeps what it is given."""

    def forward(self, embeddings: PairEmbeddings) -> Tensor:
        self.embeddings = embeddings
        return (embeddings.photo * embeddings.sketch).sum()


class Wide(Encoder):
    """As long as the other one's embedding by chance."""

    def __init__(self, teachers: TeacherPair, modality: Modality) -> None:
        super().__init__(modality, dim=len(CLASSES) + 2)

    def embed(self, images: Tensor, teacher: TeacherOutput | None) -> Embedding:
        return Embedding(images.flatten(1)[:, : self.dim])


def pairs_of(module: EncoderModule, directions: list[tuple[list[float], list[float]]]) -> PairBatch:
    """Pairs whose first two pixels are given."""
    photo, sketch = (torch.zeros(len(directions), 3, SIZE, SIZE) for _ in range(2))
    for row, (p, s) in enumerate(directions):
        photo[row, 0, 0, :2], sketch[row, 0, 0, :2] = torch.tensor(p), torch.tensor(s)
    pairs: PairBatch = module.teachers(photo, sketch)
    return pairs


def fixed(teachers: Teachers, **arguments: float) -> tuple[EncoderModule, Seen]:
    seen = Seen()
    terms = {"seen": EncodingTerm(seen)}
    return EncoderModule(*teachers, Fixed, terms, optimizer=SGD, **arguments), seen  # type: ignore[arg-type]


def test_critic_is_half_the_cosine_distance(teachers: Teachers) -> None:
    module, _ = fixed(teachers)
    pairs = pairs_of(module, [([1, 0], [0.5, 0]), ([0, 1], [1, 0]), ([1, 0], [-1, 0]), ([1, 0], [1, 1])])
    expected = torch.tensor([0, 0.5, 1, (1 - 0.5**0.5) / 2])
    torch.testing.assert_close(module.criticise(pairs).hardness, expected)


def test_step_reports_the_loss_its_terms_and_the_distance(teachers: Teachers) -> None:
    module, _ = fixed(teachers)
    output = module.step(pairs_of(module, [([1, 0], [1, 0]), ([0, 1], [1, 0])]), Progress(0))
    assert output.loss.requires_grad
    assert {name: float(value) for name, value in output.logs.items()} == pytest.approx(
        {"encode/loss": 1, "encode/seen": 1, "encode/pair_distance": 0.5}
    )
    assert not any(value.requires_grad for value in output.logs.values())


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_losses_see_softened_labels_over_the_union(teachers: Teachers, temperature: float) -> None:
    module, seen = fixed(teachers, temperature=temperature)
    pairs = pairs_of(module, [([1, 0], [1, 0]), ([0, 1], [1, 0])])
    module.step(pairs, Progress(0))
    for posterior, teacher in (
        (seen.embeddings.photo_posterior, pairs.photo_teacher),
        (seen.embeddings.sketch_posterior, pairs.sketch_teacher),
    ):
        torch.testing.assert_close(posterior, torch.softmax(teacher.logits / temperature, dim=1))
    assert torch.equal(seen.embeddings.target, pairs.target)


def test_soft_labels_have_the_temperature_of_the_objective_alone(teachers: Teachers) -> None:
    """The parts of an embedding have temperatures of their own, which the head beside them does not learn."""
    seen = Seen()
    head = Part(partial(TeacherHeadEncoder, dim=4))
    photo_encoder, sketch_encoder = (
        partial(CompositeEncoder, parts={"posterior": Part(partial(PosteriorEncoder, temperature=t)), "head": head})
        for t in (1.0, 0.5)
    )
    terms = {"seen": EncodingTerm(seen)}
    module = EncoderModule(*teachers, photo_encoder, terms, sketch_encoder, optimizer=SGD, temperature=2.0)
    pairs = pairs_of(module, [([1, 0], [1, 0]), ([0, 1], [1, 0])])
    module.step(pairs, Progress(0))
    photo, sketch = seen.embeddings.photo_posterior, seen.embeddings.sketch_posterior
    torch.testing.assert_close(photo, torch.softmax(pairs.photo_teacher.logits / 2, dim=1))
    torch.testing.assert_close(sketch, torch.softmax(pairs.sketch_teacher.logits / 2, dim=1))


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_temperature_is_positive(teachers: Teachers, temperature: float) -> None:
    with pytest.raises(InputError, match=rf"^temperature: must be above 0, got {temperature}$"):
        fixed(teachers, temperature=temperature)


def test_both_encoders_embed_into_one_space(teachers: Teachers) -> None:
    terms = {"sup_con": EncodingTerm(SupConLoss())}
    with pytest.raises(
        InputError,
        match=r"^encoder, sketch_encoder: .*one space, got NetworkEncoder and Fixed with embeddings of length 4 and 2",
    ):
        EncoderModule(*teachers, encoder("network"), terms, Fixed)


@pytest.mark.parametrize("side", ["photo", "sketch"])
def test_posteriors_stand_beside_posteriors(teachers: Teachers, side: str) -> None:
    terms = {"sup_con": EncodingTerm(SupConLoss())}
    both = (PosteriorEncoder, Wide) if side == "sketch" else (Wide, PosteriorEncoder)
    with pytest.raises(InputError, match=r"^encoder, sketch_encoder: must be two PosteriorEncoders, got a Wide"):
        EncoderModule(*teachers, both[0], terms, both[1])


@pytest.mark.parametrize("kind", get_args(Kind))
def test_each_modality_has_its_encoder(teachers: Teachers, kind: Kind) -> None:
    module = encoding(teachers, kind=kind)
    images = torch.rand(3, 3, SIZE, SIZE)
    with torch.no_grad(), eval_mode(module):
        photo, sketch = module.encode(images, "photo"), module.encode(images, "sketch")
        assert torch.equal(photo, module.photo_encoder(images))
        assert torch.equal(sketch, module.sketch_encoder(images))
    assert not torch.allclose(photo, sketch)
    for embedding in (photo, sketch):
        torch.testing.assert_close(embedding.norm(dim=1), torch.ones(3))


def test_alone_it_needs_pairs(teachers: Teachers) -> None:
    with pytest.raises(InputError, match=r"model\.pairs: must be named; SavedPairs \(data-free\) or RealPairs"):
        encoding(teachers).latent_dim  # noqa: B018 - the look-up is the point


def test_encoders_observe_the_pairs_of_each_step_before_they_are_embedded(teachers: Teachers) -> None:
    """With the outputs of the teachers, which are known; a critic lets nobody observe anything."""
    events: list[object] = []

    class Watching(Fixed):
        def observe(self, images: Tensor, teacher: TeacherOutput | None) -> None:
            events.append((self.modality, images, teacher))

        def embed(self, images: Tensor, teacher: TeacherOutput | None) -> Embedding:
            events.append("embed")
            return super().embed(images, teacher)

    module = EncoderModule(
        *teachers, Watching, {"seen": EncodingTerm(Seen())}, optimizer=SGD, photo_augmentation=Augment(flip=1.0)
    )
    pairs = pairs_of(module, [([1, 0], [1, 0]), ([0, 1], [1, 0])])
    module.step(pairs, Progress(0))
    of_photo, of_sketch = ("photo", pairs.photo, pairs.photo_teacher), ("sketch", pairs.sketch, pairs.sketch_teacher)
    assert events == [of_photo, of_sketch, "embed", "embed"]
    events.clear()
    module.criticise(pairs)
    module.encode(pairs.photo, "photo")
    assert events == ["embed"] * 3


def test_learns_from_fixed_pairs(teachers: Teachers) -> None:
    """Sketches come to lie nearer to photos of their class: the objective goes down, and the step is what lowers it."""
    whole = joint(teachers)
    stream = LatentDataset(0, whole.latent_dim, 1)
    pairs = whole.sample(stack([stream[i] for i in range(16)]))
    module = encoding(teachers, optimizer=partial(torch.optim.Adam, lr=0.01))
    optimizer = module.make_optimizer(module.parameters_to_train())
    losses: list[float] = []
    for done in range(15):
        output = module.step(pairs, Progress(done))
        optimizer.zero_grad()
        output.loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(output.loss))
    assert losses[-1] < losses[0] - 0.1


def test_objectives_and_critics_take_the_part_that_training_can_move(teachers: Teachers) -> None:
    module = encoding(teachers, kind="composite", critic=DistanceCritic())
    pairs = module.teachers(torch.rand(6, 3, SIZE, SIZE), torch.rand(6, 3, SIZE, SIZE))
    x = module.embed(pairs)
    for found, whole in (
        (x.photo, module.encode(pairs.photo, "photo")),
        (x.sketch, module.encode(pairs.sketch, "sketch")),
    ):
        torch.testing.assert_close(found, F.normalize(whole[:, -4:], dim=1))
    torch.testing.assert_close(module.criticise(pairs).hardness, (1 - (x.photo * x.sketch).sum(1)) / 2)


def test_critics_know_that_posteriors_have_no_negative_cosine(teachers: Teachers) -> None:
    module = encoding(teachers, kind="student", critic=DistanceCritic())
    pairs = module.teachers(torch.rand(6, 3, SIZE, SIZE), torch.rand(6, 3, SIZE, SIZE))
    x = module.embed(pairs)
    torch.testing.assert_close(module.criticise(pairs).hardness, 1 - (x.photo * x.sketch).sum(1))


def test_networks_of_teacher_encoders_learn_at_their_share_of_the_rate(teachers: Teachers) -> None:
    factories = [partial(TeacherEncoder, dim=4, hidden=0, network_rate=share) for share in (0.1, 0.5)]
    terms = {"supcon": EncodingTerm(SupConLoss())}
    module = EncoderModule(*teachers, factories[0], terms, factories[1], optimizer=SGD)
    photo, sketch = module.photo_encoder, module.sketch_encoder
    assert isinstance(photo, TeacherEncoder)
    assert isinstance(sketch, TeacherEncoder)
    optimizer = module.optimizer_and_schedule(None)["optimizer"]
    rate = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    full = rate[id(photo.head[0].weight)]
    for made, share in ((photo, 0.1), (sketch, 0.5)):
        assert {rate[id(p)] for p in made.network.parameters()} == {full * share}
        assert {rate[id(p)] for p in made.head.parameters()} == {full}
    assert len(rate) == len(list(module.parameters_to_train()))


def test_true_labels_take_the_place_of_the_teachers_posteriors(teachers: Teachers) -> None:
    """Both posteriors are sure of the pair's class; embeddings are as before."""
    images = [torch.rand(6, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(i)) for i in (0, 1)]
    labels = partial(RealPairs, true_labels=True)
    soft, true = encoding(teachers, pairs=RealPairs), encoding(teachers, pairs=labels)
    target = torch.tensor([3, 0, 0, 9, 5, 1])
    x, y = (module.embed(module.teachers(*images, target)) for module in (soft, true))
    assert torch.equal(x.photo, y.photo)
    for posterior in (y.photo_posterior, y.sketch_posterior):
        assert torch.equal(posterior, F.one_hot(target, 10).float())
    assert not torch.equal(x.photo_class, target)
    with pytest.raises(InputError, match=r"^judge_views: must be false beside pairs\.true_labels"):
        encoding(teachers, pairs=labels, judge_views=True, photo_augmentation=Augment())
