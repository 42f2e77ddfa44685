"""Ctrl-C during a run: how far a fit has come, and the command that goes on from its checkpoint."""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import lightning.pytorch as pl
from lightning.pytorch.callbacks import ModelCheckpoint

from crossx.core.untrusted import read_checkpoint


@contextmanager
def resumption_told(argv: Sequence[str], trainer: pl.Trainer, resumed_from: Path | None) -> Iterator[None]:
    """Make the interruption of a run say how to go on.

    Args:
        argv: Command line of the run, starting with the verb.
        trainer: Its trainer.
        resumed_from: The checkpoint that it names, or None.

    Raises:
        KeyboardInterrupt: In place of Lightning's `SystemExit`, with the rest of the line that the command prints.
    """
    try:
        yield
    except SystemExit as stop:
        if not isinstance(stop.__context__, KeyboardInterrupt) or not trainer.is_global_zero:
            raise
        raise KeyboardInterrupt(_how_to_go_on(argv, trainer, resumed_from)) from None


def _how_to_go_on(argv: Sequence[str], trainer: pl.Trainer, resumed_from: Path | None) -> str:
    if argv[0] != "fit":
        return ""
    at = f" at step {trainer.global_step}"
    callbacks = [c for c in trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint)]
    written = [Path(path) for c in callbacks for path in (c.last_model_path, c.best_model_path) if path]
    there = [path for path in written if path.is_file()]
    checkpoint = max(there, key=lambda path: path.stat().st_mtime, default=resumed_from)
    if checkpoint is None:
        return (
            f"{at}; no checkpoint is written yet: the same command starts again, and "
            "--reports.run.checkpoint_every_n_steps writes one earlier"
        )
    if checkpoint.is_relative_to(Path.cwd()):
        checkpoint = checkpoint.relative_to(Path.cwd())
    step = read_checkpoint(checkpoint, "--ckpt_path")["global_step"]
    command = shlex.join(["crossx", *_without_checkpoint(argv), "--ckpt_path", str(checkpoint)])
    return f"{at}; {checkpoint} holds step {step}, and this command goes on from it: {command}"


def _without_checkpoint(argv: Sequence[str]) -> Iterator[str]:
    words = iter(argv)
    for word in words:
        if word == "--ckpt_path":
            next(words, None)
        elif not word.startswith("--ckpt_path="):
            yield word
