"""Losses of the baselines: recorded activations, and distillation within a modality."""

from pathlib import Path

import pytest
import torch
from support.runs import SIZE, Teachers, reconstruction

from crossx.baselines import ActivationMomentsLoss, UniModalDistillationLoss, record_activations
from crossx.baselines.meta_data import moments_distance
from crossx.core.batches import stack
from crossx.core.errors import InputError
from crossx.core.tensor_files import read_safetensors, write_safetensors
from crossx.encoding.embeddings import EmbeddingSpace, PairEmbeddings
from crossx.pairs.latents import LatentDataset
from crossx.reconstruction.losses.base import Reconstruction
from crossx.teachers.pair import TeacherPair
from crossx.types import MODALITIES


def recorded(teachers: Teachers, folder: Path) -> dict[str, str]:
    pair, images = TeacherPair(*teachers), torch.rand(40, 3, SIZE, SIZE)
    for modality in MODALITIES:
        record_activations(pair.of(modality), torch.split(images, 16), folder / f"{modality}.safetensors")
    return {modality: str(folder / f"{modality}.safetensors") for modality in MODALITIES}


def test_record_holds_the_moments_of_the_features(teachers: Teachers, tmp_path: Path) -> None:
    teacher, images = TeacherPair(*teachers).photo, torch.rand(40, 3, SIZE, SIZE)
    record_activations(teacher, torch.split(images, 16), tmp_path / "r.safetensors")
    tensors, _ = read_safetensors(tmp_path / "r.safetensors", "records")
    features = teacher(images).features
    torch.testing.assert_close(tensors["mean"], features.mean(0), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(tensors["covariance"], torch.cov(features.T), rtol=1e-3, atol=1e-4)


def test_distance_is_of_mean_and_covariance() -> None:
    torch.manual_seed(0)
    features = torch.randn(500, 3)
    mean, covariance = features.mean(0), torch.cov(features.T)
    assert moments_distance(features, mean, covariance) == pytest.approx(0, abs=1e-6)
    # A shift by one standard deviation in each direction costs 1; twice the spread is three times the covariance more.
    shifted = features + covariance.diagonal().sqrt()
    assert moments_distance(shifted, mean, covariance) == pytest.approx(1, abs=1e-4)
    wide = mean + 2 * (features - mean)
    assert moments_distance(wide, mean, covariance) == pytest.approx(9, abs=1e-3)


def test_generated_images_are_compared_with_the_records(teachers: Teachers, tmp_path: Path) -> None:
    pair = TeacherPair(*teachers)
    loss = ActivationMomentsLoss(pair, **recorded(teachers, tmp_path))
    assert not loss.state_dict()
    stream = LatentDataset(0, 8, 1)
    photo, sketch = reconstruction(teachers).generators(stack([stream[i] for i in range(12)]).noise)
    reconstructed = Reconstruction(pair(photo, sketch), pair.vocabulary)
    value = loss(reconstructed)
    wanted = [
        moments_distance(
            reconstructed.teachers[m].features, loss.get_buffer(f"{m}_mean"), loss.get_buffer(f"{m}_covariance")
        )
        for m in MODALITIES
    ]
    torch.testing.assert_close(value, (wanted[0] + wanted[1]) / 2)
    assert value.requires_grad


def test_record_belongs_to_its_teacher(teachers: Teachers, tmp_path: Path) -> None:
    pair, files = TeacherPair(*teachers), recorded(teachers, tmp_path)
    with pytest.raises(
        InputError, match=r"records\.photo: .* was recorded with the teacher \w{12}, the run names \w{12}"
    ):
        ActivationMomentsLoss(pair, files["sketch"], files["photo"])
    write_safetensors(tmp_path / "other.safetensors", {"mean": torch.zeros(3)}, {})
    with pytest.raises(InputError, match=r"records\.sketch: .*other\.safetensors holds .* must be mean \(8,\)"):
        ActivationMomentsLoss(pair, files["photo"], str(tmp_path / "other.safetensors"))
    with pytest.raises(InputError, match=r"records\.photo"):
        ActivationMomentsLoss(pair, "nowhere.safetensors", files["sketch"])


def test_students_learn_nothing_of_each_other(teachers: Teachers) -> None:
    torch.manual_seed(0)
    pair = TeacherPair(*teachers)
    loss = UniModalDistillationLoss(EmbeddingSpace(pair, 4), scale=8)
    classes = len(pair.vocabulary)

    def embeddings(photo: torch.Tensor, sketch: torch.Tensor) -> PairEmbeddings:
        posteriors = torch.eye(classes)[:6]
        return PairEmbeddings(photo, sketch, posteriors, posteriors.flip(0), torch.zeros(6, dtype=torch.int64))

    photo, sketch, other = (torch.nn.functional.normalize(torch.randn(6, 4), dim=1) for _ in range(3))
    photo.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(embeddings(photo, sketch)), photo)
    (again,) = torch.autograd.grad(loss(embeddings(photo, other)), photo)
    assert torch.equal(gradient, again)
    optimizer = torch.optim.Adam(loss.parameters(), 0.1)
    first = loss(embeddings(photo, sketch)).item()
    for _ in range(60):
        optimizer.zero_grad()
        value = loss(embeddings(photo, sketch))
        value.backward()
        optimizer.step()
    assert 0 <= value.item() < first / 4
