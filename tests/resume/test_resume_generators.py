"""Averages, restarts and meta-weights of generators survive a resume bit for bit."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from support.commands import config, edit, encoders, generators, joint_config, part, run, terms
from support.runs import Teachers, changed, data, encoding, reconstruction, trainer

from crossx.augmentation import Augment
from crossx.core.errors import InputError
from crossx.cotraining.module import CoTrainingModule
from crossx.reconstruction.generators import load_generators
from crossx.training.schedule import Schedule

STEPS = 12
KINDS: dict[str, dict[str, Any]] = {
    "drawn_anew": {"ema_decay": 0.8, "reinitialise_every": 3},
    "first_layers": {"ema_decay": 0.8, "reinitialise_every": 2, "reinitialise": "first"},
    "meta_learnt": {"ema_decay": 0.8, "meta_every": 3, "meta_rate": 0.4},
}


def state(path: Path) -> dict[str, object]:
    """Weights, optimisers and schedules by their places."""
    checkpoint = torch.load(path, weights_only=True)
    places: dict[str, object] = {}

    def place(value: object, name: str) -> None:
        if isinstance(value, dict | list):
            for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
                place(inner, f"{name}.{key}")
        else:
            places[name] = value

    for key in ("state_dict", "optimizer_states", "lr_schedulers"):
        place(checkpoint[key], key)
    return places


def different(a: dict[str, object], b: dict[str, object]) -> set[str]:
    """Names of what differs, or is missing."""
    both = {name: (a[name], b[name]) for name in a.keys() & b.keys()}
    same = {
        n for n, (x, y) in both.items() if (torch.equal(x, y) if torch.is_tensor(x) and torch.is_tensor(y) else x == y)
    }
    return {*a, *b} - same


def fit(teachers: Teachers, folder: Path, kind: str, joint: bool, ckpt_path: Path | None = None) -> None:
    """Train to step 12, and keep a checkpoint a step."""
    views: dict[str, Any] = {
        "photo_augmentation": Augment(flip=0.5),
        "sketch_augmentation": Augment(rotation=20, padding="white"),
    }
    module = reconstruction(teachers, "batch", optimizer=torch.optim.Adam, **views, **KINDS[kind])
    root = CoTrainingModule(module, encoding(teachers, "batch", **views), Schedule(1, 2, 1)) if joint else module
    save = ModelCheckpoint(folder, filename="{step}", every_n_train_steps=1, save_top_k=-1)
    run = trainer(folder, STEPS, [save], enable_checkpointing=True, limit_val_batches=0)
    run.fit(root, datamodule=data(teachers), ckpt_path=ckpt_path)
    assert run.global_step == STEPS


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_resumed_run_is_the_straight_run(teachers: Teachers, tmp_path: Path, kind: str, joint: bool) -> None:
    fit(teachers, tmp_path / "straight", kind, joint)
    expected = state(tmp_path / f"straight/step={STEPS}.ckpt")
    kept = "meta" if kind == "meta_learnt" else "average"
    assert [name for name in expected if f"{kept}.module" in name and name.endswith("weight")]
    for step in (3, 5):  # at a round's end, and at an epoch's
        fit(teachers, tmp_path / f"{step}", kind, joint, tmp_path / f"straight/step={step}.ckpt")
        found = state(tmp_path / f"{step}/step={STEPS}.ckpt")
        assert different(expected, found) == set(), step


def command_line(teachers: Teachers, folder: Path, kind: str, steps: int) -> dict[str, Any]:
    """A joint run on live pairs with views on both sides, of which the encoders' are pasted and judged."""
    flip, turn = part("Augment", flip=0.5, colour=0.2), part("Augment", rotation=20, padding="white")
    content = joint_config(teachers, folder)
    edit(content, "model.pairs", part("LivePairs"))
    for side in ("reconstruction", "encoding"):
        edit(content, f"model.{side}.photo_augmentation", flip)
        edit(content, f"model.{side}.sketch_augmentation", turn)
    for side, view, background in (("photo", flip, "DeadLeaves"), ("sketch", turn, "Scribbles")):
        views = part(
            "Compose", augmentations=[view, part("PasteOnto", backgrounds=part(background), num_backgrounds=8)]
        )
        edit(content, f"model.encoding.{side}_augmentation", views)
    edit(content, "model.encoding.judge_views", True)
    for name, value in KINDS[kind].items():
        edit(content, f"model.reconstruction.{name}", value)
    deep = {"size": 32, "latent_dim": 8, "width": 8, "doublings": 3, "classes": 10, "mixture": 0.3}
    for side, channels in (("photo", 3), ("sketch", 1)):
        generator = part("DeepUpsamplingGenerator", channels=channels, **deep)
        edit(content, f"model.reconstruction.{side}_generator", generator)
    edit(content, "trainer.max_steps", steps)
    edit(content, "data.dataset", None)
    edit(content, "data.batches_per_epoch", 4)
    content["pair_sheets"] = {"every_n_epochs": 100}
    return content


@pytest.mark.parametrize("kind", ["first_layers", "meta_learnt"])
def test_command_line_resumes_it(teachers: Teachers, tmp_path: Path, kind: str) -> None:
    """After five batches of four an epoch: within an epoch and within a round."""
    for name, steps, words in (
        ("straight", 9, []),
        ("begun", 5, []),
        ("resumed", 9, ["--ckpt_path", str(tmp_path / "begun/run/version_0/checkpoints/last.ckpt")]),
    ):
        content = command_line(teachers, tmp_path / name, kind, steps)
        assert run("fit", tmp_path / name / "config.yaml", content, *words).trainer.global_step == steps
    expected, found = (state(tmp_path / n / "run/version_0/checkpoints/last.ckpt") for n in ("straight", "resumed"))
    assert different(expected, found) == set()
    module = CoTrainingModule.load_from_checkpoint(tmp_path / "straight/run/version_0/checkpoints/last.ckpt")
    assert different(expected, {f"state_dict.{name}": tensor for name, tensor in module.state_dict().items()}) == {
        name for name in expected if not name.startswith("state_dict.")
    }
    assert different(state(tmp_path / "begun/run/version_0/checkpoints/last.ckpt"), found)


def test_command_line_saves_the_average_and_reads_it_again(teachers: Teachers, tmp_path: Path) -> None:
    """Stage-wise training sees the average, and a checkpoint of an average is not one without."""
    arguments = {**generators(), "terms": terms(one_hot="OneHotLoss")}
    model = part("ReconstructionModule", **arguments, ema_decay=0.5)
    cli: Any = run("fit", tmp_path / "first/config.yaml", config(teachers, tmp_path / "first", model))
    folder = tmp_path / "first/run/version_0"
    saved, _ = load_generators(str(folder / "generators.safetensors"), "generators")
    assert changed(saved.state_dict(), cli.model.generators.state_dict())
    assert not changed(saved.state_dict(), cli.model.sampled.state_dict())
    pairs = part("SavedPairs", generators=str(folder / "generators.safetensors"))
    flip = part("Augment", flip=0.5)
    views = {"photo_augmentation": flip, "sketch_augmentation": flip}
    model = part("EncoderModule", **encoders(), terms=terms(sup_con="SupConLoss"), pairs=pairs, **views)
    cli = run("fit", tmp_path / "second/config.yaml", config(teachers, tmp_path / "second", model))
    assert cli.trainer.global_step == 4
    without = config(teachers, tmp_path / "third", part("ReconstructionModule", **arguments))
    words = ["--ckpt_path", str(folder / "checkpoints/last.ckpt"), "--model.ema_decay", "null"]
    with pytest.raises(InputError, match=r"holds another model than the config names: .* 'average\."):
        run("fit", tmp_path / "third/config.yaml", without, *words)
