"""Command lines that are small enough for a test, run in this process."""

import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from crossx.cli.training import CrossxCLI, train
from support.runs import CLASSES, SIZE, Teachers

Config = dict[str, Any]
Refuse = Callable[..., str]
"""Fits a config with further words, which must be refused, and returns the message."""


def part(class_path: str, **init_args: Any) -> Config:  # noqa: ANN401 - any argument of the class
    """A class of a config."""
    return {"class_path": class_path, "init_args": init_args}


def generators(**init_args: Any) -> Config:  # noqa: ANN401
    return {"generator": part("UpsamplingGenerator", size=SIZE, latent_dim=8, width=8, **init_args)}


def encoders() -> Config:
    return {"encoder": part("TeacherHeadEncoder", dim=4, hidden=0)}


def terms(**losses: str) -> Config:
    return {name: {"loss": part(loss)} for name, loss in losses.items()}


RECONSTRUCTION = part(
    "ReconstructionModule",
    **generators(),
    terms=terms(one_hot="OneHotLoss", entropy="InformationEntropyLoss", statistics="BatchNormStatisticsLoss"),
)
ENCODING = part("EncoderModule", **encoders(), terms=terms(sup_con="SupConLoss"))


def config(teachers: Teachers, folder: Path, model: Mapping[str, Any]) -> Config:
    """A run of a model: 4 batches of 8, 2 an epoch, with 20 photos and sketches each to validate and to test on."""
    dataset = part("ShapesDataset", size=SIZE, train=2, validation=2, test=2)
    return copy.deepcopy(
        {
            "teachers": teachers._asdict(),
            "model": model,
            "data": part("SyntheticPairsDataModule", dataset=dataset, batch_size=8, batches_per_epoch=2),
            "trainer": {
                "accelerator": "cpu",
                "max_steps": 4,
                "max_epochs": -1,
                "num_sanity_val_steps": -1,
                "enable_progress_bar": False,
                "enable_model_summary": False,
                "log_every_n_steps": 1,
                "logger": part("lightning.pytorch.loggers.CSVLogger", save_dir=str(folder), name="run", version=0),
            },
        }
    )


def joint_config(teachers: Teachers, folder: Path) -> Config:
    """Joint training with replay, of pairs that are to agree."""
    replay = part("Replay", size=40)
    schedule = {"warmup": 1, "generator_steps": 1, "encoder_steps": 1}
    model = part("CoTrainingModule", reconstruction=RECONSTRUCTION, encoding=ENCODING, schedule=schedule, replay=replay)
    content = config(teachers, folder, model)
    edit(content, "model.reconstruction.terms.one_hot.loss", part("OneHotLoss", labels="agreed"))
    return content


def folder_dataset(folder: Path) -> Config:
    """Image files of two classes, two of each for every part: `data/photo/<class>/<n>.jpg`, `data/sketch/...png`."""
    names = CLASSES[:2]
    lines = ["modality\tfolder\timages\ttrain\tvalidation\ttest"]
    for modality, suffix in (("photo", "jpg"), ("sketch", "png")):
        for red, name in enumerate(names):
            lines.append(f"{modality}\t{name}\t6\t0:2\t2:4\t4:6")
            for i in range(6):
                path = folder / "data" / modality / name / f"{i}.{suffix}"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (20, 20), (200 * red, 40 * i, 0)).save(path)
    (folder / "split.tsv").write_text("\n".join(lines) + "\n")
    classes = {name: {"photo": [name], "sketch": [name]} for name in names}
    (folder / "map.json").write_text(json.dumps({"classes": classes}))
    return part(
        "JoinedData",
        name="tiny",
        size=SIZE,
        photos=part("ImageFolder", root=str(folder / "data/photo"), modality="photo"),
        sketches=part("ImageFolder", root=str(folder / "data/sketch"), modality="sketch"),
        class_map=str(folder / "map.json"),
        split=str(folder / "split.tsv"),
    )


def edit(content: Config, place: str, value: object) -> None:
    """Set a value; the `init_args` on the way are found by themselves."""
    *path, name = place.split(".")
    for step in path:
        content = content[step]
        content = content.get("init_args", content)
    content[name] = value


def write(path: Path, content: Mapping[str, Any]) -> str:
    """Write a config, and return its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(dict(content)))
    return str(path)


def run(verb: str, path: Path, content: Mapping[str, Any], *words: str) -> CrossxCLI:
    """Run a verb on a config, which is written to a file."""
    return train([verb, "--config", write(path, content), *words])
