"""Critics: values against numpy, gradients, bounds."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F
from support.embedded import rows
from support.runs import CLASSES, SGD, SIZE, Teachers, encoding, generator, save_teachers, weights
from torch import Tensor, nn

from crossx.core.batches import stack
from crossx.core.errors import InputError
from crossx.cotraining.module import CoTrainingModule
from crossx.encoding.critics import DistanceCritic, LastLayerCritic, PairCritic
from crossx.encoding.critics.distance import relative_distance
from crossx.encoding.critics.last_layer import posterior_divergence
from crossx.encoding.embeddings import EmbeddingSpace
from crossx.encoding.encoders import NetworkEncoder
from crossx.encoding.losses import EncodingTerm, PairEmbeddings, SupConLoss
from crossx.encoding.module import EncoderModule
from crossx.networks.base import last_layer
from crossx.networks.batch_norm import eval_mode
from crossx.networks.small_resnet import SmallResNet
from crossx.pairs.latents import LatentDataset
from crossx.reconstruction.losses import AdversarialLoss
from crossx.reconstruction.losses.adversarial import adversarial
from crossx.reconstruction.losses.base import ReconstructionTerm
from crossx.reconstruction.module import ReconstructionModule
from crossx.teachers.pair import TeacherPair
from crossx.types import MODALITIES, CriticOutput, LatentBatch, Modality, Progress

Array = npt.NDArray[np.float64]
TRAINED = Teachers("crossx:assets/shapes_photo.safetensors", "crossx:assets/shapes_sketch.safetensors")
"""Teachers that find many classes in the images of young generators, and the same ones in some pairs."""
UNION = len(CLASSES)
MakeCritic = Callable[[EmbeddingSpace], PairCritic]
DIM = 8
"""The teachers' features are as long."""


def random_embeddings(size: int = 8, seed: int = 0, classes: int = UNION) -> PairEmbeddings:
    generator = torch.Generator().manual_seed(seed)
    photo, sketch = F.normalize(torch.randn(2, size, DIM, generator=generator), dim=2)
    photo_posterior, sketch_posterior = torch.randn(2, size, classes, generator=generator).mul(3).softmax(dim=2)
    return PairEmbeddings(photo, sketch, photo_posterior, sketch_posterior, torch.zeros(size).long())


def array(x: Tensor) -> Array:
    return x.detach().numpy().astype(np.float64)


def critics(teachers: Teachers) -> list[PairCritic]:
    """Every critic."""
    return [DistanceCritic(), LastLayerCritic(EmbeddingSpace(TeacherPair(*teachers), DIM))]


def class_nll(output: CriticOutput) -> Tensor:
    assert output.class_nll is not None
    return output.class_nll


# --- numpy references, by loops and from the definitions ---


def test_distance_is_a_quarter_of_the_squared_euclidean_distance() -> None:
    x = random_embeddings()
    expected = [float(((p - s) ** 2).sum()) / 4 for p, s in zip(array(x.photo), array(x.sketch), strict=True)]
    output = DistanceCritic()(x)
    np.testing.assert_allclose(output.hardness.numpy(), expected, rtol=1e-5)
    assert output.class_nll is None


def test_published_form_is_the_negative_cross_entropy_of_all_pairs(teachers: Teachers) -> None:
    """As in the official code (unified_classifier.py:48-51), in our convention of a mean over the modalities."""
    module = joint(teachers, LastLayerCritic, dim=8, form="published")
    latents = some_latents(module)
    with torch.no_grad():
        pairs = module.sample(latents)
        with eval_mode(module.encoding):
            photo = module.encoding.photo_encoder.embed(pairs.photo, pairs.photo_teacher).vector
            sketch = module.encoding.sketch_encoder.embed(pairs.sketch, pairs.sketch_teacher).vector
        output = module.reconstruction.step(latents, Progress(0), module._critic)
    expected = []
    for raw, teacher, frozen in (
        (photo, pairs.photo_teacher, module.teachers.photo),
        (sketch, pairs.sketch_teacher, module.teachers.sketch),
    ):
        weight, bias = (frozen.network.get_parameter(f"head.{name}") for name in ("weight", "bias"))
        expected.append(F.cross_entropy(raw @ weight.T + bias, teacher.logits.argmax(1)).item())
    assert float(output.logs["recon/adversarial"]) == pytest.approx(-np.mean(expected), rel=1e-4)
    assert np.mean(expected) > 1  # beyond the bounded form's reach


def test_last_layer_critic_has_no_bound(tmp_path: Path) -> None:
    """It depends on the length of an embedding, and on each teacher's own classes alone."""
    classes: dict[Modality, list[str]] = {"photo": list(CLASSES[:4]), "sketch": [*CLASSES[3:1:-1], CLASSES[6]]}
    pair = TeacherPair(*save_teachers(tmp_path, classes=classes))
    critic = LastLayerCritic(EmbeddingSpace(pair, dim=8))
    photo, sketch = pair.photo(torch.rand(6, 3, SIZE, SIZE)), pair.sketch(torch.rand(6, 3, SIZE, SIZE))
    photo_posterior = pair.vocabulary.union_posterior(photo.logits, "photo")
    sketch_posterior = pair.vocabulary.union_posterior(sketch.logits, "sketch")
    target = torch.zeros(6).long()
    same = PairEmbeddings(photo.features, sketch.features, photo_posterior, sketch_posterior, target)
    agreed = critic(same)
    torch.testing.assert_close(agreed.hardness, torch.zeros(6), atol=1e-4, rtol=0)
    opposed = critic(replace(same, photo=-photo.features, sketch=-sketch.features))
    further = critic(replace(same, photo=-1000 * photo.features, sketch=-1000 * sketch.features))
    assert (class_nll(further) > 100 * class_nll(opposed)).any()
    assert (further.hardness <= 1).all()
    assert critic.state_dict() == {}


# --- bounds, gradients, precision ---


def test_hardness_is_bounded_and_finite_in_extreme_places(teachers: Teachers) -> None:
    one = torch.eye(DIM)[[0, 0, 0, 1]]
    sure = torch.eye(UNION)[[1, 1, 2, 3]]
    for critic in critics(teachers):
        for sketch, posterior in ((one, sure), (-one, sure), (one, sure.flip(0)), (one, torch.ones_like(sure) / UNION)):
            photo, teacher = one.clone().requires_grad_(), sure.clone().requires_grad_()
            output = critic(PairEmbeddings(photo, sketch, teacher, posterior, torch.zeros(4).long()))
            assert output.hardness.shape == (4,)
            assert ((output.hardness >= 0) & (output.hardness <= 1)).all()
            gradients = torch.autograd.grad(output.hardness.sum(), (photo, teacher), allow_unused=True)
            assert all(g is None or g.isfinite().all() for g in gradients)


def test_divergence_is_0_for_the_same_and_1_for_disjoint_distributions() -> None:
    p = torch.tensor([[1.0, 0, 0], [0.2, 0.5, 0.3], [0, 1.0, 0]])
    q = torch.tensor([[0, 0.5, 0.5], [0.2, 0.5, 0.3], [0.5, 0.5, 0]])
    divergence = posterior_divergence(p, q)
    assert divergence[:2].tolist() == pytest.approx([1, 0], abs=1e-6)
    assert 0 < divergence[2].item() < 1
    torch.testing.assert_close(divergence, posterior_divergence(q, p))


def test_gradients_are_those_of_the_values() -> None:
    generator = torch.Generator().manual_seed(1)
    a, b = (torch.randn(5, 4, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(2))

    def unit(x: Tensor) -> Tensor:
        return F.normalize(x, dim=1)

    def divergence(x: Tensor, teacher: Tensor) -> Tensor:
        return posterior_divergence(F.pad(teacher.softmax(dim=1), (0, 1)), F.pad(x.softmax(dim=1), (1, 0)))

    assert torch.autograd.gradcheck(lambda x, y: relative_distance((unit(x) * unit(y)).sum(1), -1.0), (a, b))
    assert torch.autograd.gradcheck(divergence, (a, b))
    counts = torch.tensor([1, 0, 1, 1, 1]).bool()
    assert torch.autograd.gradcheck(lambda x: adversarial(x[:, 0].exp(), counts), (a,))


def test_hardness_reaches_its_bounds_where_no_cosine_is_negative() -> None:
    """Posteriors that have nothing in common are as far apart as posteriors can be."""
    critic = DistanceCritic()
    classes = torch.eye(3, dtype=torch.float64)
    order = [1, 2, 0]
    x = PairEmbeddings(classes, classes[order], classes, classes, torch.zeros(3).long(), least_cosine=0.0)
    alike = PairEmbeddings(classes, classes, classes, classes, torch.zeros(3).long(), least_cosine=0.0)
    torch.testing.assert_close(critic(x).hardness, torch.ones(3, dtype=torch.float64))
    torch.testing.assert_close(critic(alike).hardness, torch.zeros(3, dtype=torch.float64))


def test_autocast_does_not_change_the_values(teachers: Teachers) -> None:
    x = random_embeddings()
    for critic in critics(teachers):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            value = critic(x)
        assert value.hardness.dtype == torch.float32
        assert torch.equal(value.hardness, critic(x).hardness)


def test_the_order_of_pairs_does_not_matter(teachers: Teachers) -> None:
    x, order = random_embeddings(), [3, 1, 7, 0, 2, 6, 5, 4]
    for critic in critics(teachers):
        torch.testing.assert_close(critic(rows(x, order)).hardness, critic(x).hardness[order])


def test_last_layer_reads_linear_classifiers_only() -> None:
    network = SmallResNet(3, (8, 8)).eval()
    weight = last_layer(network)
    assert weight is not None
    torch.testing.assert_close(weight, network.get_parameter("head.weight"), rtol=1e-4, atol=1e-5)
    network.head = nn.Sequential(nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, 3))  # type: ignore[assignment]
    assert last_layer(network) is None


# --- mistakes ---


def test_last_layers_need_equal_widths(teachers: Teachers) -> None:
    with pytest.raises(
        InputError, match=r"critic: LastLayerCritic needs embeddings as long as the 8 features .* got 4"
    ):
        encoding(teachers, critic=LastLayerCritic)


def test_last_layers_need_a_part_that_trains_as_wide(tmp_path: Path) -> None:
    """The width of a whole embedding does not count."""
    wide = save_teachers(tmp_path, classes=dict.fromkeys(MODALITIES, CLASSES[:2]))  # 4 + 2 + 2 are 8, as the features
    with pytest.raises(
        InputError, match=r"^critic: LastLayerCritic needs embeddings as long as the 8 features .* got 4"
    ):
        encoding(wide, kind="composite", critic=LastLayerCritic)


def test_the_form_is_checked() -> None:
    with pytest.raises(InputError, match="form: must be one of bounded, published; got 'raw'"):
        AdversarialLoss(form="raw")  # type: ignore[arg-type]


@pytest.mark.parametrize("critic", [None, DistanceCritic()])
def test_published_form_needs_class_scores(teachers: Teachers, critic: PairCritic | None) -> None:
    message = r"terms\.adversarial: form published needs an encoding\.critic that scores classes .*, got DistanceCritic"
    with pytest.raises(InputError, match=message):
        joint(teachers, critic, form="published")


def test_published_form_without_any_critic_is_zero(teachers: Teachers) -> None:
    module = joint(teachers, LastLayerCritic, form="published").reconstruction
    assert module.step(some_latents(module), Progress(0)).logs["recon/adversarial"] == 0


# --- behaviour ---


def joint(
    teachers: Teachers,
    critic: MakeCritic | PairCritic | None,
    dim: int = DIM,
    form: Any = "bounded",  # noqa: ANN401 - wrong ones too
) -> CoTrainingModule:
    """A joint module whose generators have nothing but the adversary."""
    torch.manual_seed(0)
    terms = {"adversarial": ReconstructionTerm(AdversarialLoss(form=form))}
    generators = ReconstructionModule(*teachers, generator, terms, optimizer=SGD)
    torch.manual_seed(1)
    network = partial(SmallResNet, widths=(8, 8), norm="group")
    encoder = partial(NetworkEncoder, network=network, input_size=SIZE, dim=dim)
    objective = {"sup_con": EncodingTerm(SupConLoss(0.2))}
    return CoTrainingModule(generators, EncoderModule(*teachers, encoder, objective, critic=critic, optimizer=SGD))


def some_latents(module: Any, count: int = 32) -> LatentBatch:  # noqa: ANN401 - any module with a latent_dim
    stream = LatentDataset(0, module.latent_dim, 1)
    return stack([stream[i] for i in range(count)])


CRITICS = [
    (DistanceCritic, "bounded"),
    (LastLayerCritic, "bounded"),
    (LastLayerCritic, "published"),
]


@pytest.mark.parametrize(("critic", "form"), CRITICS, ids=lambda x: x if isinstance(x, str) else x.__name__)
def test_a_generator_step_makes_pairs_harder(critic: type[DistanceCritic | LastLayerCritic], form: str) -> None:
    """One step of gradient descent and ten: pairs get harder, and encoders stay."""
    space_free = critic is DistanceCritic
    dim = 4 if space_free else 64  # these teachers' features are as wide
    module = joint(TRAINED, DistanceCritic() if space_free else critic, dim, form)
    latents = some_latents(module)
    before = weights(module.encoding)
    frozen = list(module.encoding.parameters())
    for parameter in frozen:
        parameter.requires_grad_(False)
    optimizer = torch.optim.SGD(module.reconstruction.parameters_to_train(), lr=0.0005)
    values = []
    for _ in range(11):
        loss = module.reconstruction.step(latents, Progress(0), module._critic).loss
        values.append(-loss.item())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert 0 < values[0] < values[1]
    assert values[-1] > values[0] + 0.1
    assert all(p.grad is None for p in frozen)
    assert {n for n, x in weights(module.encoding).items() if not torch.equal(x, before[n])} == set()
