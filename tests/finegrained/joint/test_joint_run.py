"""The joint run: whose turn it is, what a turn touches, and that a resumed run is the straight one."""

from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from PIL import Image
from support.drawing_runs import instances, refinement, running, semi_supervised
from support.runs import trainer
from torch import Tensor

from crossx.finegrained.drawing.files import load_generator
from crossx.finegrained.joint.module import SemiSupervisedModule
from crossx.finegrained.joint.schedule import JointSchedule
from crossx.reports.pictures.drawings import DrawingSheets

STEPS = 12
SCHEDULE = JointSchedule(warmup_generator=2, warmup_discriminator=2, retrieval_steps=2)
TURNS = ["generator"] * 2 + ["discriminator"] * 2 + ["generator", "discriminator", "encoding", "encoding"] * 2


def fit(folder: Path, ckpt_path: Path | None = None) -> SemiSupervisedModule:
    """Train to step 12 with validations, and keep a checkpoint a step."""
    module = semi_supervised(folder, schedule=SCHEDULE, refinement=refinement(), refresh=5)
    seed_everything(5, verbose=False)  # behind the parts, which seed torch
    save = ModelCheckpoint(folder, filename="{step}", every_n_train_steps=1, save_top_k=-1)
    run = trainer(folder, STEPS, [save, DrawingSheets(2)], enable_checkpointing=True, num_sanity_val_steps=0)
    run.fit(module, datamodule=instances(), ckpt_path=ckpt_path)
    assert run.global_step == STEPS
    if ckpt_path is None:  # otherwise there may have been no validation
        assert 0 <= float(run.logged_metrics["val/ended"]) <= 1
    return module


def leaves(value: object, name: str = "") -> dict[str, object]:
    """The leaves of a checkpoint by their places."""
    if isinstance(value, dict | list):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        return {place: leaf for key, part in parts for place, leaf in leaves(part, f"{name}.{key}").items()}
    return {name: value}


def state(folder: Path, step: int, *keys: str) -> dict[str, object]:
    checkpoint = torch.load(folder / f"step={step}.ckpt", weights_only=True)
    assert checkpoint["global_step"] == step
    return leaves({key: checkpoint[key] for key in keys})


def differing(a: dict[str, object], b: dict[str, object]) -> list[str]:
    assert a.keys() == b.keys()
    same = (torch.equal(x, y) if isinstance(x, Tensor) else x == y for x, y in ((a[n], b[n]) for n in a))  # type: ignore[arg-type]  # two tensors
    return [name for name, equal in zip(a, same, strict=True) if not equal]


ALL = ("state_dict", "optimizer_states", "lr_schedulers", "sketch_bank")


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("straight")
    module = fit(folder)
    assert 0 < len(module.bank) <= 15
    return folder


@pytest.mark.parametrize("step", [1, 5, 7, 11])
def test_resumed_run_is_the_straight_run_with_its_bank(straight: Path, tmp_path: Path, step: int) -> None:
    """Within the warm-ups, at the end of an epoch, within a round of the bank, and behind its last refresh."""
    fit(tmp_path, straight / f"step={step}.ckpt")
    expected = state(straight, STEPS, *ALL)
    assert differing(expected, state(tmp_path, STEPS, *ALL)) == []
    assert len([name for name in expected if name.startswith(".sketch_bank")]) == 7


def test_a_validation_shows_what_the_generator_draws_now(straight: Path) -> None:
    with Image.open(straight / "drawings.png") as sheet:
        assert sheet.width > 7 * 96
        assert np.asarray(sheet.convert("L")).std() > 20


def test_the_files_hold_the_last_weights(straight: Path) -> None:
    trained = torch.load(straight / f"step={STEPS}.ckpt", weights_only=True)["state_dict"]
    written = load_generator(straight / "generator.safetensors").state_dict()
    assert all(torch.equal(written[name], trained[f"generator.generator.{name}"]) for name in written)


def test_a_turn_touches_nothing_of_the_other_players(straight: Path) -> None:
    """Weights, running statistics and optimisers of one player change in its turn; a round begins with the encoders'.

    The temperature of certainties is fitted when a new round of drawings begins.
    """
    players = ["generator", "discriminator", "encoding"]
    module = semi_supervised(straight)
    assert all(running(child) for child in (module.generator, module.encoding))
    for step in range(1, STEPS):
        before, after = (state(straight, s, "state_dict", "optimizer_states") for s in (step, step + 1))
        turn = TURNS[step]
        place = players.index(turn)
        grown = after.keys() - before.keys()  # an optimiser has no state before its first step
        moved = [*differing({n: before[n] for n in before if n in after}, {n: after[n] for n in before if n in after})]
        owners = {n.split(".")[2] for n in [*moved, *grown] if n.startswith(".state_dict.")}
        optimisers = {n.split(".")[2] for n in [*moved, *grown] if n.startswith(".optimizer_states.")}
        temperature = {".state_dict.discriminator.temperature"} & set(moved)
        assert bool(temperature) <= (turn == "encoding")
        assert {turn} <= owners <= {turn, *(["discriminator"] if temperature else [])}
        assert [n for n in moved if ".discriminator." in n and turn != "discriminator"] == list(temperature)
        assert optimisers == {str(place)}


def test_optimisers_take_the_steps_of_their_turns(straight: Path) -> None:
    states = torch.load(straight / f"step={STEPS}.ckpt", weights_only=True)["optimizer_states"]
    steps = [{int(p["step"]) for p in own["state"].values()} for own in states]
    counts = [TURNS.count(name) for name in ("generator", "discriminator", "encoding")]
    assert steps == [{count} for count in counts]


def test_the_bank_is_filled_by_the_encoders_turns_alone(straight: Path) -> None:
    sizes = [len(state(straight, s, "sketch_bank")[".sketch_bank.instance"]) for s in range(1, STEPS + 1)]  # type: ignore[arg-type]  # a tensor
    assert sizes[:6] == [0] * 6
    assert sizes[6] == 6
    rounds = state(straight, STEPS, "sketch_bank")[".sketch_bank.round"]
    assert set(rounds.tolist()) == {1, 2}  # type: ignore[attr-defined]  # a tensor
