"""Pairs from an exponential moving average of the generators."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import CSVLogger
from support.runs import Teachers, changed, data, encoding, reconstruction, trainer, weights
from torch import Tensor

from crossx.core.batches import stack
from crossx.core.errors import InputError
from crossx.cotraining.module import CoTrainingModule
from crossx.pairs.latents import LatentDataset
from crossx.reconstruction.generators import load_generators, sample_pairs
from crossx.reconstruction.module import ReconstructionModule
from crossx.training.schedule import Schedule
from crossx.types import LatentBatch

DECAY = 0.7


def latents(count: int = 8) -> LatentBatch:
    stream = LatentDataset(0, 8, 1)
    return stack([stream[i] for i in range(count)])


class Keep(Callback):
    """Writes down the generators' weights after each batch."""

    def __init__(self, module: ReconstructionModule) -> None:
        self.module = module
        self.kept = [weights(module.generators)]

    def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Lightning's arguments
        self.kept.append(weights(self.module.generators))


def averaged(kept: list[dict[str, Tensor]], decay: float) -> dict[str, np.ndarray[Any, Any]]:
    """The average in numpy; of a buffer, the last one."""
    result = {name: tensor.double().numpy() for name, tensor in kept[0].items()}
    for present in kept[1:]:
        for name, tensor in present.items():
            share = 0.0 if "running" in name or "tracked" in name else decay
            result[name] = share * result[name] + (1 - share) * tensor.double().numpy()
    return result


@pytest.mark.parametrize("joint", [False, True])
def test_average_is_that_of_numpy(teachers: Teachers, tmp_path: Path, joint: bool) -> None:
    generators = reconstruction(teachers, norm="batch", ema_decay=DECAY)
    schedule = Schedule(warmup=2, encoder_steps=2)
    module = CoTrainingModule(generators, encoding(teachers), schedule) if joint else generators
    keep = Keep(generators)
    trainer(tmp_path, 9, [keep], limit_val_batches=0).fit(module, datamodule=data(teachers))
    steps = [changed(a, b) != set() for a, b in zip(keep.kept, keep.kept[1:], strict=False)]
    assert steps == ([True, True, True, False, False, True, False, False, True] if joint else [True] * 9)
    stepped = [keep.kept[0], *(w for w, moved in zip(keep.kept[1:], steps, strict=True) if moved)]
    assert generators.average is not None
    found = generators.average.generators.state_dict()
    for name, expected in averaged(stepped, DECAY).items():
        np.testing.assert_allclose(found[name].numpy(), expected, rtol=1e-4, atol=1e-6, err_msg=name)
    parameters = {name for name, _ in generators.generators.named_parameters()}
    assert changed(weights(generators.generators), found) & parameters


def test_pairs_come_from_the_average_and_leave_it_alone(teachers: Teachers) -> None:
    module = reconstruction(teachers, norm="batch", ema_decay=DECAY)
    assert module.average is not None
    with torch.no_grad():
        for parameter in module.generators.parameters():
            parameter.add_(torch.randn_like(parameter))
    before = weights(module)
    pairs = module.sample(latents())
    assert not changed(before, weights(module))
    average, own = (sample_pairs(g, module.teachers, latents()) for g in (module.sampled, module.generators))
    assert module.sampled is module.average.generators
    assert torch.equal(pairs.photo, average.photo)
    assert torch.equal(pairs.sketch_teacher.logits, average.sketch_teacher.logits)
    assert not torch.allclose(pairs.photo, own.photo, atol=1e-2)
    module.after_step()
    assert not torch.allclose(module.sample(latents()).photo, pairs.photo, atol=1e-3)


def test_without_it_pairs_come_from_the_generators(teachers: Teachers) -> None:
    module = reconstruction(teachers)
    assert module.sampled is module.generators
    assert not [name for name in module.state_dict() if name.startswith(("average", "meta"))]


def test_average_is_saved_and_nothing_that_learns(teachers: Teachers, tmp_path: Path) -> None:
    module = reconstruction(teachers, norm="batch", ema_decay=DECAY)
    assert module.average is not None
    run = trainer(tmp_path, 4, logger=CSVLogger(tmp_path, version=0), limit_val_batches=0)
    run.fit(module, datamodule=data(teachers))
    found, _ = load_generators(str(Path(run.log_dir or "") / "generators.safetensors"), "generators")
    assert not changed(weights(module.average.generators), found.state_dict())
    assert changed(weights(module.generators), found.state_dict())
    assert not any(p.requires_grad for p in module.average.parameters())
    trained = {id(p) for p in module.parameters_to_train()}
    assert trained == {id(p) for p in module.generators.parameters()}


def test_accumulated_batches_are_one_step(teachers: Teachers, tmp_path: Path) -> None:
    """Of two batches that are one optimiser step the average sees one set of weights."""
    module = reconstruction(teachers, ema_decay=DECAY)
    keep = Keep(module)
    run = trainer(tmp_path, 3, [keep], limit_val_batches=0, accumulate_grad_batches=2)
    run.fit(module, datamodule=data(teachers, batches_per_epoch=6))
    stepped = [keep.kept[0], *(b for a, b in zip(keep.kept, keep.kept[1:], strict=False) if changed(a, b))]
    assert len(stepped) == 4
    assert module.average is not None
    for name, expected in averaged(stepped, DECAY).items():
        found = module.average.generators.state_dict()[name]
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("decay", [0.0, 1.0, -0.5, float("nan")])
def test_decay_is_a_share(teachers: Teachers, decay: float) -> None:
    with pytest.raises(InputError, match=rf"^ema_decay: {decay} is not legal; above 0 and below 1, or null"):
        reconstruction(teachers, ema_decay=decay)
