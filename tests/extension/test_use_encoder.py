"""The page on trained encoders: its five lines give the embeddings that `crossx predict` writes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from support.commands import edit, folder_dataset, joint_config, run
from support.runs import Teachers

HERE = Path(__file__).parent
LINES = "use_encoder.py"


def test_page_shows_the_file() -> None:
    page = (HERE.parents[1] / "docs/how-to/encoders.md").read_text()
    assert f'--8<-- "{LINES}:3:"' in page  # without its docstring


def test_it_is_short() -> None:
    lines = (HERE / LINES).read_text().splitlines()
    imports = [line for line in lines if line.startswith(("import ", "from "))]
    assert len(imports) <= 4
    assert len([line for line in lines[1:] if line and line not in imports]) <= 5


@pytest.fixture(scope="module")
def folder(teachers: Teachers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained run, and with test images of the run under the names of the page."""
    folder = tmp_path_factory.mktemp("user")
    content = joint_config(teachers, folder / "runs")
    dataset = folder_dataset(folder)
    dataset["init_args"]["size"] = 32
    edit(content, "data.dataset", dataset)
    edit(content, "trainer.logger.name", "quickstart")
    run("fit", folder / "config.yaml", content)
    checkpoint = folder / "runs/quickstart/version_0/checkpoints/last.ckpt"
    edit(content, "trainer.logger.name", "predicted")
    run("predict", folder / "predict.yaml", content, "--ckpt_path", str(checkpoint))
    return folder


def test_five_lines_give_what_predict_writes(folder: Path) -> None:
    (written,) = folder.rglob("embeddings.safetensors")
    with safe_open(written, "pt") as file:
        header = file.metadata()
        embeddings = {name: file.get_tensor(name) for name in ("photo", "sketch")}
    names = {side: json.loads(header[side]) for side in embeddings}
    (folder / "photos").mkdir()
    for i, name in enumerate(names["photo"]):
        shutil.copy(folder / "data/photo" / name, folder / "photos" / f"{i}.jpg")
    shutil.copy(folder / "data/sketch" / names["sketch"][1], folder / "my_sketch.png")

    script = (HERE / LINES).read_text() + "\nprint(scores.tolist())\n"
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    scores = torch.tensor(json.loads(done.stdout.splitlines()[-1]))
    expected = embeddings["sketch"][1:2] @ embeddings["photo"].T
    assert expected.std() > 1e-4, "images that look alike to the encoders would match in any order"
    torch.testing.assert_close(scores, expected, rtol=0, atol=1e-5)
