"""Two processes are one process with the double batch, also for what a loss learns itself."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from support.embedded import built, random_embeddings, rows
from support.processes import run_processes
from support.runs import SGD, Kind, Teachers, data, encoder, reconstruction, trainer, weights
from torch import Tensor

from crossx.baselines import UniModalDistillationLoss
from crossx.core.distributed import rank, world_size
from crossx.encoding.embeddings import EmbeddingSpace
from crossx.encoding.losses import (
    EncodingLoss,
    EncodingTerm,
    FeatureDistillationLoss,
    MIBLoss,
    PairEmbeddings,
    PosteriorMatchingLoss,
    SiameseLoss,
    TripletLoss,
)
from crossx.encoding.module import EncoderModule
from crossx.reconstruction.generators import save_generators
from crossx.reconstruction.saved import SavedPairs

STEPS, BATCH = 4, 8

Results = dict[str, Tensor]


def losses() -> dict[str, EncodingLoss | Callable[[EmbeddingSpace], EncodingLoss]]:
    return {
        "siamese": SiameseLoss(1.0),
        "triplet_all": TripletLoss(1.0, "all"),
        "triplet_semi_hard": TripletLoss(1.0, "semi_hard"),
        "triplet_hard": TripletLoss(1.0, "hard"),
        "mib_nce": partial(MIBLoss, beta=0.1),
        "mib_js": partial(MIBLoss, beta=0.1, estimate="jensen_shannon"),
    }


def values_and_gradients(teachers: Teachers) -> Results:
    """Of each loss on this process's part of the batch: its value, and the gradients as DDP averages them."""
    results: Results = {}
    for name, wanted in losses().items():
        loss = built(wanted, teachers).eval()
        size = 8 // world_size()
        x = rows(random_embeddings(8, seed=5), list(range(8))[rank() * size :][:size])
        shared = torch.linspace(-1, 1, 25, dtype=torch.float64).view(5, 5).sin().requires_grad_()
        photo, sketch = (torch.nn.functional.normalize(e @ shared, dim=1) for e in (x.photo, x.sketch))
        value = loss(PairEmbeddings(photo, sketch, x.photo_posterior, x.sketch_posterior, x.target))
        value.backward()
        results[f"{name}.value"] = value.detach()
        for parameter, tensor in (("shared", shared), *loss.named_parameters()):
            gradient = torch.zeros_like(tensor) if tensor.grad is None else tensor.grad
            if world_size() > 1:
                dist.all_reduce(gradient)
            results[f"{name}.{parameter}"] = gradient / world_size()
    return results


def fit(teachers: Teachers, folder: Path, terms: dict[str, EncodingTerm], kind: Kind = "network") -> Results:
    """Train on batches of 8 in all, under plain DDP where there are two processes; everything that is kept."""
    torch.manual_seed(0)
    pairs = partial(SavedPairs, generators=str(folder / "generators.safetensors"))
    module = EncoderModule(*teachers, encoder(kind), terms, pairs=pairs, optimizer=SGD)
    before = weights(module)
    world = world_size()
    run = trainer(folder, STEPS, strategy="ddp" if world > 1 else "auto", devices=world, limit_val_batches=0)
    run.fit(module, datamodule=data(teachers, batch_size=BATCH // world))
    after = weights(module)
    own = [n for n in before if "objective" in n]
    moved = [n for n in own if not torch.equal(before[n], after[n])]
    return {**after, "own": torch.tensor(len(own)), "moved": torch.tensor(len(moved))}


def without_noise(teachers: Teachers, folder: Path) -> Results:
    """All objectives that draw nothing; the classifiers of one of them wait for its ramp."""
    terms = {name: EncodingTerm(loss) for name, loss in losses().items() if not name.startswith("mib")}
    terms["late"] = EncodingTerm(UniModalDistillationLoss, ramp=(1, 2))
    terms["never"] = EncodingTerm(UniModalDistillationLoss, weight=0)
    return fit(teachers, folder, terms)


def students(teachers: Teachers, folder: Path) -> Results:
    """Students whose features do not count at first: plain DDP waits for a gradient of every parameter."""
    features = EncodingTerm(FeatureDistillationLoss(), ramp=(1, 2))
    terms = {"matching": EncodingTerm(PosteriorMatchingLoss()), "features": features}
    return fit(teachers, folder, terms, "student")


def with_noise(teachers: Teachers, folder: Path) -> Results:
    return fit(teachers, folder, {"mib": EncodingTerm(partial(MIBLoss, beta=0.1))})


def run_checks(teachers: Teachers, folder: Path) -> dict[str, Results]:
    return {
        "values": values_and_gradients(teachers),
        "without_noise": without_noise(teachers, folder),
        "students": students(teachers, folder),
        "with_noise": with_noise(teachers, folder),
    }


@dataclass
class Everything:
    """What each check gave in one process, and in each of two."""

    one: dict[str, Results]
    two: list[dict[str, Results]]


@pytest.fixture(scope="module")
def everything(teachers: Teachers, tmp_path_factory: pytest.TempPathFactory) -> Everything:
    """All checks in one launch: starting processes takes longer than the checks."""
    folder = tmp_path_factory.mktemp("objectives")
    save_generators(folder / "generators.safetensors", reconstruction(teachers).generators)
    return Everything(run_checks(teachers, folder), run_processes(2, run_checks, teachers, folder))


def compare(found: Results, expected: Results, rtol: float, atol: float) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=rtol, atol=atol, msg=partial("{}: {}".format, name))


def test_values_and_gradients(everything: Everything) -> None:
    expected = everything.one["values"]
    assert all(tensor.abs().max() > 0 for tensor in expected.values() if tensor.ndim)
    for results in everything.two:
        compare(results["values"], expected, rtol=1e-6, atol=1e-9)


def test_a_fit(everything: Everything) -> None:
    expected = everything.one["without_noise"]
    # The term without weight is not built at all.
    assert (expected["own"].item(), expected["moved"].item()) == (4, 4)
    assert any(name.startswith("objective.losses.late.") for name in expected)
    assert not any(name.startswith("objective.losses.never.") for name in expected)
    for results in everything.two:
        compare(results["without_noise"], expected, rtol=1e-4, atol=1e-5)


def test_a_fit_of_students(everything: Everything) -> None:
    for results in everything.two:
        compare(results["students"], everything.one["students"], rtol=1e-4, atol=1e-5)


def test_processes_agree_on_what_noise_taught_them(everything: Everything) -> None:
    first, second = (results["with_noise"] for results in everything.two)
    assert (first["own"].item(), first["moved"].item()) == (4, 4)
    compare(first, second, rtol=0, atol=0)
