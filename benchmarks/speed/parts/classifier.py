"""Training of a teacher, and its checkpoint."""

import tempfile
from pathlib import Path

import torch

from benchmarks.speed.beside import CLASSIFIER, CROSSX, BesideClassifier
from benchmarks.speed.effort import Effort
from benchmarks.speed.runs import SKIPPED, fit
from benchmarks.speed.timing import Row, in_turn, times
from crossx.core.untrusted import read_checkpoint
from crossx.data.shapes.dataset import ShapesDataset


def measure(effort: Effort) -> list[Row]:
    """Time a step of `teachers/shapes_photo.yaml`, and saving and loading its checkpoint."""
    argv = ["fit", "--config", "teachers/shapes_photo.yaml", "--model.arguments.widths=[32,64,192,256]"]
    argv += ["--data.batch_size=128", "--trainer.callbacks+=benchmarks.speed.beside.BesideClassifier"]
    with tempfile.TemporaryDirectory() as folder:
        # Drawn before: drawing is no part of a step.
        ShapesDataset(cache_to_disk=folder).images("photo", "train").image(0)
        argv += [f"--data.dataset.cache_to_disk={folder}"]
        argv += [f"--model.output={folder}/teacher.safetensors", "--trainer.check_val_every_n_epoch=1000"]
        cli = fit(argv, SKIPPED + effort.rounds, effort.accelerator)
        (beside,) = (c for c in cli.trainer.callbacks if isinstance(c, BesideClassifier))  # type: ignore[attr-defined]
        taken = {way: times(values[SKIPPED:]) for way, values in beside.seconds[CLASSIFIER].items()}
        note = "1.6 M parameters, 32 px; crossx reads its images from a mapped file, the bare loop has them"
        ours, bare = Path(folder) / "ours.ckpt", Path(folder) / "bare.ckpt"
        state = {"model": cli.model.state_dict(), "optimizer": cli.trainer.optimizers[0].state_dict()}
        saved = in_turn(
            {CROSSX: lambda: cli.trainer.save_checkpoint(ours), "torch.save": lambda: torch.save(state, bare)},
            effort.rounds,
        )
        loaded = in_turn(
            {
                CROSSX: lambda: read_checkpoint(ours, "ckpt_path"),
                "torch.load": lambda: torch.load(bare, weights_only=True),
            },
            effort.rounds,
        )
        size = {"MB": ours.stat().st_size / 2**20}
    return [
        Row("classifier step, B = 128", taken, note),
        Row("checkpoint saved", saved, "weights and state of AdamW", size),
        Row("checkpoint read", loaded),
    ]
