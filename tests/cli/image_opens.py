"""Runs command lines and writes down which image files are opened during training, and what the trainer did then.

`python image_opens.py OUT.json WORDS [-- WORDS ...]`. The hook sees every file that this process opens, whoever does.
"""

import json
import sys
from pathlib import Path

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback

from crossx.cli import main

opened: list[tuple[str, str]] = []
"""What the trainer did, and the name of the image file, between the start and the end of each fit."""

running: list[pl.Trainer] = []


class Watch(Callback):
    """Knows when a fit starts and ends."""

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage == "fit":
            running.append(trainer)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage == "fit":
            running.remove(trainer)


def hook(event: str, arguments: tuple[object, ...]) -> None:
    if event != "open" or not running:
        return
    path = Path(str(arguments[0]))
    if path.suffix in (".jpg", ".png") and arguments[1] in ("r", "rb"):
        trainer = running[-1]
        opened.append(("validating" if trainer.validating or trainer.sanity_checking else "training", path.name))


def run(out: str, *words: str) -> None:
    found = []
    for line in " ".join(words).split(" -- "):
        status = main(line.split())
        found.append({"status": status, "opened": opened[:]})
        opened.clear()
    Path(out).write_text(json.dumps(found))


if __name__ == "__main__":
    import image_opens  # the config names `image_opens.Watch`: its state is that of this module, not of __main__

    sys.addaudithook(image_opens.hook)
    image_opens.run(*sys.argv[1:])
