"""Between the start and the end of a data-free fit nothing but validation opens an image."""

import json
import os
import subprocess
import sys
from pathlib import Path

from support.commands import ENCODING, Config, config, edit, folder_dataset, joint_config, part, write
from support.runs import Teachers


def watched(content: Config, dataset: Config) -> Config:
    edit(content, "data.dataset", dataset)
    edit(content, "trainer.callbacks", [part("image_opens.Watch")])
    return content


def test_only_validation_opens_images(teachers: Teachers, tmp_path: Path) -> None:
    dataset = folder_dataset(tmp_path)
    free = watched(joint_config(teachers, tmp_path / "free"), dataset)
    with_data = watched(config(teachers, tmp_path / "with_data", ENCODING), dataset)
    edit(with_data, "model.pairs", part("RealPairs"))
    words = ["fit", "--config", write(tmp_path / "free.yaml", free), "--", "fit", "--config"]
    words.append(write(tmp_path / "with_data.yaml", with_data))
    subprocess.run(
        [sys.executable, str(Path(__file__).with_name("image_opens.py")), str(tmp_path / "opened.json"), *words],
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    found, caught = json.loads((tmp_path / "opened.json").read_text())
    assert found["status"] == caught["status"] == 0
    in_validation = sorted({name for phase, name in found["opened"] if phase == "validating"})
    assert in_validation == ["2.jpg", "2.png", "3.jpg", "3.png"], "validation reads its part: the probe can see"
    assert [name for phase, name in found["opened"] if phase != "validating"] == []
    in_training = {name for phase, name in caught["opened"] if phase == "training"}
    assert in_training == {"0.jpg", "0.png", "1.jpg", "1.png"}, "a run with data reads the training part"
