"""A student of random weights: its embedding, the features that it predicts, and the loss of the prediction."""

from functools import partial
from pathlib import Path

import pytest
import torch
from support.commands import Config, edit, joint_config, part, run, write
from support.embedded import random_embeddings
from support.runs import MODALITIES, SIZE, Teachers, joint
from torch import Tensor

from crossx.cli import main
from crossx.core.batches import stack
from crossx.core.errors import InputError
from crossx.encoding.embeddings import FeaturePair
from crossx.encoding.encoders import StudentEncoder
from crossx.encoding.losses import FeatureDistillationLoss, PosteriorMatchingLoss
from crossx.encoding.losses.base import EncodingTerm
from crossx.encoding.module import EncoderModule
from crossx.networks.small_resnet import SmallResNet
from crossx.pairs.latents import LatentDataset
from crossx.teachers.pair import TeacherPair
from crossx.types import Modality, PairBatch, Progress


@pytest.fixture
def pair(teachers: Teachers) -> TeacherPair:
    return TeacherPair(*teachers)


NETWORK = partial(SmallResNet, widths=(8, 8), norm="group")


def built(pair: TeacherPair, modality: Modality, seed: int = 0) -> StudentEncoder:
    torch.manual_seed(seed)
    return StudentEncoder(pair, modality, NETWORK)


def images() -> Tensor:
    return torch.rand(6, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def distillation(predicted: Tensor, features: Tensor) -> Tensor:
    x = random_embeddings()
    x.features = (FeaturePair(predicted, features),)
    value: Tensor = FeatureDistillationLoss()(x)
    return value


def test_embedding_is_the_posterior_of_the_predicted_features(pair: TeacherPair) -> None:
    posteriors, vectors = {}, {}
    for modality in MODALITIES:
        student = built(pair, modality)
        embedding = student.embed(images(), None)
        vectors[modality], predicted = embedding.unit, embedding.features
        assert predicted is not None
        assert predicted.shape == pair.of(modality)(images()).features.shape
        posteriors[modality] = pair.vocabulary.union_posterior(pair.of(modality).network.classify(predicted), modality)
        torch.testing.assert_close(vectors[modality], student(images()))
        assert student.dim == vectors[modality].shape[1] == len(pair.vocabulary) + 2
    cosine = vectors["sketch"] @ vectors["photo"].T
    torch.testing.assert_close(cosine, posteriors["sketch"] @ posteriors["photo"].T)


def test_a_right_prediction_is_posterior_matching(pair: TeacherPair, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = {}
    for modality in MODALITIES:
        student = built(pair, modality)
        features = pair.of(modality)(images()).features
        monkeypatch.setattr(student, "predict_features", lambda _, features=features: features)
        vectors[modality] = student(images())
    logits = {m: pair.of(m)(images()).logits for m in MODALITIES}
    photo, sketch = (pair.vocabulary.union_posterior(logits[m], m) for m in MODALITIES)
    torch.testing.assert_close(vectors["sketch"] @ vectors["photo"].T, sketch @ photo.T)


def test_starts_at_random_and_keeps_no_teacher(pair: TeacherPair) -> None:
    first, second = built(pair, "photo", seed=0).state_dict(), built(pair, "photo", seed=1).state_dict()
    assert {name.partition(".")[0] for name in first} == {"network", "map"}
    for name in ("network.stem.0.weight", "map.weight"):
        assert not torch.equal(first[name], second[name])


def test_autocast_leaves_the_posterior_alone(pair: TeacherPair, monkeypatch: pytest.MonkeyPatch) -> None:
    student = built(pair, "photo")
    predicted = student.predict_features(images()).detach()
    monkeypatch.setattr(student, "predict_features", lambda _: predicted)  # its own forward is in half precision
    plain = student(images())
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(student(images()), plain)


def test_a_network_with_a_classifier_is_refused(pair: TeacherPair) -> None:
    with pytest.raises(InputError, match=r"^encoder\.network\.num_classes: must be 0, got 10; "):
        StudentEncoder(pair, "photo", partial(SmallResNet, 10, (8,)))


def test_it_is_complete_after_its_constructor(pair: TeacherPair) -> None:
    student = built(pair, "sketch")
    assert student.map.weight.shape == (pair.sketch.network.num_features, student.network.num_features)
    assert student.dim == len(pair.vocabulary) + 2
    assert (student.preprocessing.size, student.modality) == (SIZE, "sketch")


def test_value_of_the_loss() -> None:
    features = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)).abs()
    assert distillation(features, features) == 0
    torch.testing.assert_close(distillation(torch.zeros(5, 3), features), torch.tensor(1.0))
    torch.testing.assert_close(distillation(torch.zeros(5, 3), 100 * features), torch.tensor(1.0))
    torch.testing.assert_close(distillation(features / 2, features), torch.tensor(0.25))
    torch.testing.assert_close(distillation(features[:1] / 2, features[:1]), torch.tensor(0.25))
    assert distillation(features, torch.zeros(5, 3)).isfinite()


def test_loss_is_the_mean_of_both_modalities() -> None:
    features = torch.rand(5, 3, generator=torch.Generator().manual_seed(0))
    x = random_embeddings()
    x.features = (FeaturePair(features, features), FeaturePair(torch.zeros(5, 3), features))
    torch.testing.assert_close(FeatureDistillationLoss()(x), torch.tensor(0.5))


def test_teachers_features_get_no_gradient() -> None:
    predicted, features = torch.rand(2, 5, 3).unbind()
    distillation(predicted.requires_grad_(), features.requires_grad_()).backward()  # type: ignore[no-untyped-call]
    assert features.grad is None
    assert predicted.grad is not None
    assert predicted.grad.abs().sum() > 0


@pytest.fixture
def pairs(teachers: Teachers) -> PairBatch:
    whole = joint(teachers)
    stream = LatentDataset(0, whole.latent_dim, 1)
    return whole.sample(stack([stream[i] for i in range(16)]))


def test_learns_what_its_teachers_predict(teachers: Teachers, pairs: PairBatch) -> None:
    terms = {"features": EncodingTerm(FeatureDistillationLoss()), "matching": EncodingTerm(PosteriorMatchingLoss())}
    torch.manual_seed(0)
    encoder = partial(StudentEncoder, network=NETWORK)
    module = EncoderModule(*teachers, encoder, terms, optimizer=partial(torch.optim.Adam, lr=0.01))
    optimizer = module.make_optimizer(module.parameters_to_train())
    values: list[dict[str, Tensor]] = []
    for done in range(30):
        output = module.step(pairs, Progress(done))
        optimizer.zero_grad()
        output.loss.backward()  # type: ignore[no-untyped-call]
        if done == 0:
            assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters_to_train())
        optimizer.step()
        values.append(output.logs)
    assert values[-1]["encode/features"] < 0.8 * values[0]["encode/features"]
    assert values[-1]["encode/matching"] < values[0]["encode/matching"]


def test_a_resumed_run_is_the_straight_one(teachers: Teachers, tmp_path: Path) -> None:
    content = student_config(teachers, tmp_path)
    run("fit", tmp_path / "four.yaml", content)
    folder = tmp_path / "run"
    assert (folder / "version_0/encoders.safetensors").exists()
    edit(content, "trainer.max_steps", 6)
    for version, words in ((1, ()), (2, ("--ckpt_path", str(folder / "version_0/checkpoints/last.ckpt")))):
        edit(content, "trainer.logger.version", version)
        run("fit", tmp_path / f"{version}.yaml", content, *words)
    four, straight, resumed = (
        torch.load(path / "checkpoints/last.ckpt", weights_only=True)["state_dict"] for path in sorted(folder.iterdir())
    )
    for name, tensor in straight.items():
        assert torch.equal(resumed[name], tensor), name
    name = "encoding.photo_encoder.network.stem.0.weight"
    assert not torch.equal(four[name], straight[name])


def student_config(teachers: Teachers, folder: Path) -> Config:
    """Students without replay: with it a resumed run is not the straight one."""
    content = joint_config(teachers, folder)
    network = part("SmallResNet", num_classes=0, widths=[8, 8], norm="group")
    edit(content, "model.encoding.encoder", part("StudentEncoder", network=network, input_size=SIZE))
    terms = {"features": {"loss": part("FeatureDistillationLoss")}, "matching": {"loss": part("PosteriorMatchingLoss")}}
    edit(content, "model.encoding.terms", terms)
    edit(content, "model.replay", None)
    content["seed_everything"] = 1
    return content


@pytest.mark.parametrize("side", MODALITIES)
def test_the_loss_needs_encoders_that_predict_features(
    teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str], side: Modality
) -> None:
    content = student_config(teachers, tmp_path)
    network = part("SmallResNet", num_classes=0, widths=[8, 8], norm="group")
    if side == "photo":
        edit(
            content, "model.encoding.sketch_encoder", content["model"]["init_args"]["encoding"]["init_args"]["encoder"]
        )
    place = {"photo": "encoder", "sketch": "sketch_encoder"}[side]
    edit(content, f"model.encoding.{place}", part("NetworkEncoder", network=network, input_size=SIZE, dim=12))
    assert main(["fit", "--config", write(tmp_path / "config.yaml", content)]) == 2
    err = capsys.readouterr().err
    expected = (
        "terms.features: FeatureDistillationLoss needs an encoder that predicts teacher features (StudentEncoder), "
    )
    expected += f"got NetworkEncoder for {side}"
    assert expected in err
    assert "Traceback" not in err
    assert not (tmp_path / "run").exists()
    edit(content, "model.encoding.terms", {"matching": {"loss": part("PosteriorMatchingLoss")}})
    run("fit", tmp_path / "without.yaml", content)
