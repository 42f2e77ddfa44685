"""Critics: values against numpy, gradients, bounds, and proxies that survive a resume and several processes."""

import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from lightning.pytorch.callbacks import ModelCheckpoint
from support.embedded import rows
from support.processes import run_processes
from support.runs import CLASSES, SGD, SIZE, Teachers, data, encoding, reconstruction, save_teachers, trainer, weights
from torch import Tensor, nn

from crossx.core.batches import stack
from crossx.core.errors import InputError
from crossx.cotraining.module import CoTrainingModule
from crossx.encoding.critics import (
    DistanceCritic,
    LastLayerCritic,
    MarginCritic,
    PairCritic,
    Prototypes,
    Proxies,
    ProxyCritic,
)
from crossx.encoding.critics.distance import relative_distance
from crossx.encoding.critics.margin import distances, nearest_wrong
from crossx.encoding.critics.proxies import class_means
from crossx.encoding.critics.proxy import posterior_divergence, proxy_log_posterior
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
from crossx.types import Criticism, LatentBatch, Modality

Array = npt.NDArray[np.float64]
TRAINED = Teachers("crossx:assets/shapes_photo.safetensors", "crossx:assets/shapes_sketch.safetensors")
"""Teachers that see many classes in the images of young generators, and the same ones in some pairs."""
UNION = len(CLASSES)
DIM = 4


def random_embeddings(size: int = 8, seed: int = 0, classes: int = UNION) -> PairEmbeddings:
    generator = torch.Generator().manual_seed(seed)
    photo, sketch = F.normalize(torch.randn(2, size, DIM, generator=generator), dim=2)
    photo_posterior, sketch_posterior = torch.randn(2, size, classes, generator=generator).mul(3).softmax(dim=2)
    return PairEmbeddings(photo, sketch, photo_posterior, sketch_posterior, torch.zeros(size).long())


def array(x: Tensor) -> Array:
    return x.detach().numpy().astype(np.float64)


class FixedProxies(Proxies):
    """Given vectors, the same for both modalities; the first class has none."""

    def __init__(self) -> None:
        super().__init__()
        self.vectors = torch.randn(UNION, DIM, generator=torch.Generator().manual_seed(7)) * 3
        self.present = torch.arange(UNION) > 0

    def start_from(self, teachers: TeacherPair, dim: int) -> None:
        pass

    def of(self, modality: Modality) -> tuple[Tensor, Tensor]:
        return self.vectors, self.present


def critics(teachers: Teachers) -> list[PairCritic]:
    """Every critic, ready to judge."""
    pair = TeacherPair(*teachers)
    made = [DistanceCritic(), MarginCritic(), ProxyCritic(), ProxyCritic(FixedProxies(), 0.3)]
    for critic in made:
        critic.start_from(pair, DIM)
        critic.observe(random_embeddings(64, seed=9))
    return made


def surprise(criticism: Criticism) -> Tensor:
    assert criticism.surprise is not None
    return criticism.surprise


# --- numpy references, by loops and from the definitions ---


def test_distance_is_a_quarter_of_the_squared_euclidean_distance() -> None:
    x = random_embeddings()
    expected = [float(((p - s) ** 2).sum()) / 4 for p, s in zip(array(x.photo), array(x.sketch), strict=True)]
    criticism = DistanceCritic()(x)
    np.testing.assert_allclose(criticism.disagreement.numpy(), expected, rtol=1e-5)
    assert criticism.surprise is None


def test_margin_matches_numpy() -> None:
    x = random_embeddings()
    photo, sketch = array(x.photo), array(x.sketch)
    photo_class, sketch_class = array(x.photo_posterior).argmax(1), array(x.sketch_posterior).argmax(1)
    expected = []
    for i in range(8):
        own = (1 - photo[i] @ sketch[i]) / 2
        of_sketch = min((1 - sketch[i] @ photo[j]) / 2 for j in range(8) if photo_class[j] != sketch_class[i])
        of_photo = min((1 - photo[i] @ sketch[j]) / 2 for j in range(8) if sketch_class[j] != photo_class[i])
        expected.append(((1 + own - of_sketch) / 2 + (1 + own - of_photo) / 2) / 2)
    np.testing.assert_allclose(MarginCritic()(x).disagreement.numpy(), expected, rtol=1e-5)


def test_proxy_critic_matches_numpy() -> None:
    x, temperature, proxies = random_embeddings(16), 0.3, FixedProxies()
    ways = array(proxies.vectors) / np.linalg.norm(array(proxies.vectors), axis=1, keepdims=True)
    disagreement, cross_entropy = np.zeros(16), np.zeros(16)
    for embedding, posterior in ((x.photo, x.photo_posterior), (x.sketch, x.sketch_posterior)):
        for i, (e, p) in enumerate(zip(array(embedding), array(posterior), strict=True)):
            label = int(p.argmax())
            if label == 0:  # no proxy, no opinion
                continue
            q = np.zeros(UNION)
            q[1:] = np.exp(ways[1:] @ e / temperature)
            q /= q.sum()
            middle = (p + q) / 2
            of_p = float((p * np.log2(p / middle)).sum())
            of_q = float((q[1:] * np.log2(q[1:] / middle[1:])).sum())
            disagreement[i] += (of_p + of_q) / 4
            cross_entropy[i] -= math.log(q[label]) / 2
    criticism = ProxyCritic(proxies, temperature)(x)
    np.testing.assert_allclose(criticism.disagreement.numpy(), disagreement, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(surprise(criticism).numpy(), cross_entropy, rtol=1e-4, atol=1e-6)


def test_prototypes_match_numpy(teachers: Teachers) -> None:
    proxies = Prototypes(momentum=0.8)
    proxies.start_from(TeacherPair(*teachers), DIM)
    expected: dict[str, dict[int, Array]] = {"photo": {}, "sketch": {}}
    for step in range(4):
        x = random_embeddings(6, seed=step)
        proxies.observe(x)
        for side, embedding, posterior in (
            ("photo", x.photo, x.photo_posterior),
            ("sketch", x.sketch, x.sketch_posterior),
        ):
            labels = array(posterior).argmax(1)
            for label in set(labels.tolist()):
                mean = array(embedding)[labels == label].mean(axis=0)
                known = expected[side]
                known[label] = 0.8 * known[label] + 0.2 * mean if label in known else mean
    for side, known in expected.items():
        vectors, seen = proxies.of(side)  # type: ignore[arg-type]
        assert seen.nonzero().flatten().tolist() == sorted(known)
        for label, vector in known.items():
            np.testing.assert_allclose(vectors[label].numpy(), vector, rtol=1e-5, atol=1e-6)
        assert vectors[~seen].abs().sum() == 0


def test_published_form_is_the_negative_cross_entropy_of_all_pairs(teachers: Teachers) -> None:
    """As in the official code (unified_classifier.py:48-51), in our convention of a mean over the modalities."""
    module = joint(teachers, LastLayerCritic(), dim=8, form="published")
    latents = some_latents(module)
    with torch.no_grad():
        pairs = module.sample(latents)
        with eval_mode(module.encoding):
            photo = module.encoding.photo_encoder.embed(pairs.photo, pairs.photo_teacher)
            sketch = module.encoding.sketch_encoder.embed(pairs.sketch, pairs.sketch_teacher)
        output = module.reconstruction.step(latents, 0, module._critic)
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
    """It sees how long an embedding is, and each teacher's own classes alone."""
    classes: dict[Modality, list[str]] = {"photo": list(CLASSES[:4]), "sketch": [*CLASSES[3:1:-1], CLASSES[6]]}
    pair = TeacherPair(*save_teachers(tmp_path, classes=classes))
    critic = LastLayerCritic()
    critic.start_from(pair, dim=8)
    photo, sketch = pair.photo(torch.rand(6, 3, SIZE, SIZE)), pair.sketch(torch.rand(6, 3, SIZE, SIZE))
    photo_posterior = pair.vocabulary.union_posterior(photo.logits, "photo")
    sketch_posterior = pair.vocabulary.union_posterior(sketch.logits, "sketch")
    target = torch.zeros(6).long()
    told = PairEmbeddings(photo.features, sketch.features, photo_posterior, sketch_posterior, target)
    agreed = critic(told)
    torch.testing.assert_close(agreed.disagreement, torch.zeros(6), atol=1e-4, rtol=0)
    opposed = critic(replace(told, photo=-photo.features, sketch=-sketch.features))
    further = critic(replace(told, photo=-1000 * photo.features, sketch=-1000 * sketch.features))
    assert (surprise(further) > 100 * surprise(opposed)).any()
    assert (further.disagreement <= 1).all()
    assert critic.state_dict() == {}


# --- bounds, gradients, precision ---


def test_disagreement_is_bounded_and_finite_in_extreme_places(teachers: Teachers) -> None:
    one = torch.eye(DIM)[[0, 0, 0, 1]]
    sure = torch.eye(UNION)[[1, 1, 2, 3]]
    for critic in critics(teachers):
        for sketch, posterior in ((one, sure), (-one, sure), (one, sure.flip(0)), (one, torch.ones_like(sure) / UNION)):
            photo, teacher = one.clone().requires_grad_(), sure.clone().requires_grad_()
            criticism = critic(PairEmbeddings(photo, sketch, teacher, posterior, torch.zeros(4).long()))
            assert criticism.disagreement.shape == (4,)
            assert ((criticism.disagreement >= 0) & (criticism.disagreement <= 1)).all()
            gradients = torch.autograd.grad(criticism.disagreement.sum(), (photo, teacher), allow_unused=True)
            assert all(g is None or g.isfinite().all() for g in gradients)


def test_divergence_is_0_for_the_same_and_1_for_disjoint_distributions() -> None:
    p = torch.tensor([[1.0, 0, 0], [0.2, 0.5, 0.3], [0, 1.0, 0]])
    q = torch.tensor([[0, 0.5, 0.5], [0.2, 0.5, 0.3], [0.5, 0.5, 0]])
    divergence = posterior_divergence(p, q)
    assert divergence[:2].tolist() == pytest.approx([1, 0], abs=1e-6)
    assert 0 < divergence[2].item() < 1
    torch.testing.assert_close(divergence, posterior_divergence(q, p))


def test_a_photo_in_the_place_of_a_wrong_sketch_is_harder_than_half() -> None:
    directions, classes = torch.eye(DIM), torch.eye(UNION)
    right = PairEmbeddings(directions[[0, 1]], directions[[0, 1]], classes[:2], classes[:2], torch.zeros(2).long())
    wrong = PairEmbeddings(directions[[0, 1]], directions[[1, 0]], classes[:2], classes[:2], torch.zeros(2).long())
    assert MarginCritic()(right).disagreement.tolist() == [0.25, 0.25]
    assert MarginCritic()(wrong).disagreement.tolist() == [0.75, 0.75]
    alone = PairEmbeddings(directions[:1], directions[:1], classes[:1], classes[:1], torch.zeros(1).long())
    assert MarginCritic()(alone).disagreement.tolist() == [0]


def test_gradients_are_those_of_the_values() -> None:
    generator = torch.Generator().manual_seed(1)
    a, b, c = (torch.randn(5, 4, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(3))
    classes, present = torch.tensor([0, 1, 1, 2, 0]), torch.tensor([1, 0, 1, 1, 1]).bool()

    def unit(x: Tensor) -> Tensor:
        return F.normalize(x, dim=1)

    def divergence(x: Tensor, proxies: Tensor, teacher: Tensor) -> Tensor:
        scores = proxy_log_posterior(x, proxies, present, 0.5)
        return posterior_divergence(F.pad(teacher.softmax(dim=1), (0, 1)), scores.exp())

    assert torch.autograd.gradcheck(lambda x, y: relative_distance((unit(x) * unit(y)).sum(1), -1.0), (a, b))
    assert torch.autograd.gradcheck(
        lambda x, y: nearest_wrong(distances(unit(x), unit(y), -1.0), classes, classes), (a, b)
    )
    assert torch.autograd.gradcheck(divergence, (a, b, c))
    assert torch.autograd.gradcheck(lambda x, y: proxy_log_posterior(x, y, present, 0.5)[:, present], (a, b))
    counts = torch.tensor([1, 0, 1, 1, 1]).bool()
    assert torch.autograd.gradcheck(lambda x: adversarial(x[:, 0].exp(), counts), (a,))


@pytest.mark.parametrize("critic", [DistanceCritic(), MarginCritic()])
def test_disagreement_reaches_its_bounds_where_no_cosine_is_negative(critic: PairCritic) -> None:
    """Posteriors that have nothing in common are as far apart as posteriors can be."""
    classes = torch.eye(3, dtype=torch.float64)
    order = [1, 2, 0]
    x = PairEmbeddings(classes, classes[order], classes, classes, torch.zeros(3).long(), least_cosine=0.0)
    alike = PairEmbeddings(classes, classes, classes, classes, torch.zeros(3).long(), least_cosine=0.0)
    torch.testing.assert_close(critic(x).disagreement, torch.ones(3, dtype=torch.float64))
    torch.testing.assert_close(critic(alike).disagreement, torch.zeros(3, dtype=torch.float64))


def test_autocast_does_not_change_the_values(teachers: Teachers) -> None:
    x = random_embeddings()
    for critic in critics(teachers):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            value = critic(x)
        assert value.disagreement.dtype == torch.float32
        assert torch.equal(value.disagreement, critic(x).disagreement)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        means, _ = class_means(x.photo, x.photo_posterior.argmax(1), UNION)
    assert torch.equal(means, class_means(x.photo, x.photo_posterior.argmax(1), UNION)[0])


def test_the_order_of_pairs_does_not_matter(teachers: Teachers) -> None:
    x, order = random_embeddings(), [3, 1, 7, 0, 2, 6, 5, 4]
    for critic in critics(teachers):
        torch.testing.assert_close(critic(rows(x, order)).disagreement, critic(x).disagreement[order])


# --- proxies ---


def test_without_prototypes_a_pair_counts_nothing(teachers: Teachers) -> None:
    critic = ProxyCritic()
    critic.start_from(TeacherPair(*teachers), DIM)
    x = random_embeddings()
    x.photo.requires_grad_()
    criticism = critic(x)
    assert criticism.disagreement.tolist() == surprise(criticism).tolist() == [0] * 8
    (gradient,) = torch.autograd.grad((criticism.disagreement + surprise(criticism)).sum(), x.photo)
    assert gradient.abs().sum() == 0
    critic.observe(x)
    assert critic(x).disagreement.min() > 0


def test_prototypes_get_no_gradient(teachers: Teachers) -> None:
    critic = ProxyCritic()
    critic.start_from(TeacherPair(*teachers), DIM)
    x = random_embeddings()
    x.photo.requires_grad_()
    critic.observe(x)
    critic(x).disagreement.sum().backward()
    assert list(critic.parameters()) == []
    assert not any(buffer.requires_grad for buffer in critic.buffers())


def test_last_layer_reads_linear_classifiers_only() -> None:
    network = SmallResNet(3, (8, 8)).eval()
    weight = last_layer(network)
    assert weight is not None
    torch.testing.assert_close(weight, network.get_parameter("head.weight"), rtol=1e-4, atol=1e-5)
    network.head = nn.Sequential(nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, 3))  # type: ignore[assignment]
    assert last_layer(network) is None


# --- mistakes ---


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_the_temperature_is_positive(temperature: float) -> None:
    with pytest.raises(InputError, match=r"critic\.temperature: .* is not legal; a positive number"):
        ProxyCritic(temperature=temperature)


@pytest.mark.parametrize("momentum", [-0.1, 1.0, math.nan])
def test_the_momentum_is_a_share(momentum: float) -> None:
    with pytest.raises(InputError, match=r"proxies\.momentum: .* is not legal; from 0, below 1"):
        Prototypes(momentum)


def test_last_layers_need_equal_widths(teachers: Teachers) -> None:
    with pytest.raises(InputError, match=r"length 4 beside a photo teacher with 8 features; give embed"):
        encoding(teachers, critic=LastLayerCritic())


def test_last_layers_need_an_embedding_that_is_learned(teachers: Teachers) -> None:
    with pytest.raises(InputError, match="critic: LastLayerCritic is not legal beside PosteriorEncoder"):
        encoding(teachers, kind="posterior", critic=LastLayerCritic())


def test_the_form_is_checked() -> None:
    with pytest.raises(InputError, match="form: 'raw' is none of bounded, published"):
        AdversarialLoss(form="raw")  # type: ignore[arg-type]


@pytest.mark.parametrize("critic", [None, MarginCritic()])
def test_published_form_needs_class_scores(teachers: Teachers, critic: PairCritic | None) -> None:
    message = r"terms\.adversarial: form: published is not legal beside encoding\.critic = \w+, which scores no classes"
    with pytest.raises(InputError, match=message):
        joint(teachers, critic, form="published")


def test_published_form_without_any_critic_is_zero(teachers: Teachers) -> None:
    module = joint(teachers, ProxyCritic(), form="published").reconstruction
    assert module.step(some_latents(module), 0).logs["recon/adversarial"] == 0


# --- behaviour ---


def joint(
    teachers: Teachers,
    critic: PairCritic | None,
    dim: int = DIM,
    form: Any = "bounded",  # noqa: ANN401 - wrong ones too
) -> CoTrainingModule:
    """A joint module whose generators have nothing but the adversary."""
    generators = reconstruction(teachers).generators
    terms = {"adversarial": ReconstructionTerm(AdversarialLoss(form=form))}
    torch.manual_seed(1)
    photo, sketch = (NetworkEncoder(SmallResNet(0, (8, 8), norm="group"), SIZE, dim=dim) for _ in range(2))
    objective = {"sup_con": EncodingTerm(SupConLoss(0.2))}
    return CoTrainingModule(
        ReconstructionModule(*teachers, generators.photo, generators.sketch, terms, optimizer=SGD),
        EncoderModule(*teachers, photo, sketch, objective, critic=critic, optimizer=SGD),
    )


def some_latents(module: Any, count: int = 32) -> LatentBatch:  # noqa: ANN401 - any module with a latent_dim
    stream = LatentDataset(0, module.latent_dim, 1)
    return stack([stream[i] for i in range(count)])


CRITICS = [
    (DistanceCritic(), "bounded"),
    (MarginCritic(), "bounded"),
    (ProxyCritic(), "bounded"),
    (ProxyCritic(), "published"),
]


@pytest.mark.parametrize(("critic", "form"), CRITICS, ids=lambda x: x if isinstance(x, str) else type(x).__name__)
def test_a_generator_step_makes_pairs_harder(critic: PairCritic, form: str) -> None:
    """One step of gradient descent and ten: the adversary gets what it wants, and encoders and proxies stay."""
    module = joint(TRAINED, critic, form=form)
    latents = some_latents(module)
    module.encoding.step(module.sample(latents), 0)  # what prototypes start from
    before = weights(module.encoding)
    frozen = list(module.encoding.parameters())
    for parameter in frozen:
        parameter.requires_grad_(False)
    optimizer = torch.optim.SGD(module.reconstruction.parameters_to_train(), lr=0.0005)
    values = []
    for _ in range(11):
        loss = module.reconstruction.step(latents, 0, module._critic).loss
        values.append(-loss.item())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert 0 < values[0] < values[1]
    assert values[-1] > values[0] + 0.1
    assert all(p.grad is None for p in frozen)
    assert {n for n, x in weights(module.encoding).items() if not torch.equal(x, before[n])} == set()


def test_prototypes_move_in_encoder_steps_only_and_are_kept(teachers: Teachers, tmp_path: Path) -> None:
    """A resumed run has the prototypes of the straight one, to the bit."""

    def fit(folder: Path, steps: int, ckpt_path: Path | None = None) -> dict[str, Tensor]:
        module = joint(teachers, ProxyCritic(Prototypes(0.5)))
        save = ModelCheckpoint(folder, filename="{step}", every_n_train_steps=1, save_top_k=-1)
        run = trainer(folder, steps, [save], enable_checkpointing=True, limit_val_batches=0)
        run.fit(module, datamodule=data(teachers, batch_size=8), ckpt_path=ckpt_path)
        return weights(module)

    straight = fit(tmp_path / "straight", 6)
    resumed = fit(tmp_path / "resumed", 6, tmp_path / "straight/step=3.ckpt")
    names = [name for name in straight if ".critic." in name]
    assert len(names) == 4
    assert [name for name in straight if not torch.equal(straight[name], resumed[name])] == []
    kept = [
        torch.load(tmp_path / f"straight/step={step}.ckpt", weights_only=True)["state_dict"] for step in (1, 2, 3, 4)
    ]
    vectors = [torch.cat([state[name].flatten() for name in names]) for state in kept]
    assert vectors[0].abs().sum() == 0  # a generator step
    assert vectors[1].abs().sum() > 0
    assert torch.equal(vectors[1], vectors[2])
    assert not torch.equal(vectors[2], vectors[3])


# --- two processes ---


def on_parts(teachers: Teachers, inputs: Tensor, posteriors: Tensor) -> dict[str, Any]:
    """Prototypes after some steps, and the adversarial gradient of each critic, on this process's part of the batch."""
    world, rank = (dist.get_world_size(), dist.get_rank()) if dist.is_initialized() else (1, 0)

    def embeddings(batch: Tensor, posterior: Tensor, weight: Tensor) -> PairEmbeddings:
        photo, sketch = F.normalize(batch.chunk(world)[rank].view(-1, 2, 5) @ weight, dim=2).unbind(dim=1)
        photo_posterior, sketch_posterior = posterior.chunk(world)[rank].unbind(dim=1)
        return PairEmbeddings(photo, sketch, photo_posterior, sketch_posterior, torch.zeros(len(photo)).long())

    weight = torch.linspace(-1, 1, 5 * DIM).view(5, DIM).sin().requires_grad_()
    results: dict[str, Any] = {}
    for critic in (MarginCritic(), ProxyCritic()):
        critic.start_from(TeacherPair(*teachers), DIM)
        for batch, posterior in zip(inputs, posteriors, strict=True):
            critic.observe(embeddings(batch, posterior, weight))
        disagreement = critic(embeddings(inputs[0], posteriors[0], weight)).disagreement
        loss = adversarial(disagreement, torch.ones(len(disagreement)).bool(), "global")
        (gradient,) = torch.autograd.grad(loss, weight)
        if world > 1:
            dist.all_reduce(gradient)
        results[type(critic).__name__] = [loss.detach(), gradient / world, *critic.buffers()]
    return results


def test_two_processes_have_the_same_prototypes_and_equal_one(teachers: Teachers) -> None:
    generator = torch.Generator().manual_seed(2)
    inputs = torch.randn(3, 8, 10, generator=generator)
    posteriors = torch.randn(3, 8, 2, UNION, generator=generator).mul(3).softmax(dim=3)
    expected = on_parts(teachers, inputs, posteriors)
    first, second = run_processes(2, partial(on_parts, teachers), inputs, posteriors)
    for name, values in expected.items():
        assert values[1].abs().max() > 0.01
        for one, other in zip(first[name], second[name], strict=True):
            assert torch.equal(one, other)
        for one, reference in zip(first[name], values, strict=True):
            torch.testing.assert_close(one, reference, rtol=1e-4, atol=1e-5)
    assert len(expected["ProxyCritic"]) == 6
