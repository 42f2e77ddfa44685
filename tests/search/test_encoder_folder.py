"""Encoder folders: every encoder class, batches of every size, both backends, and nothing left where it fails."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from support.exported import exported
from support.runs import CLASSES, MODALITIES, SIZE, Teachers, save_teachers

from crossx import Predictor, load_encoders
from crossx.cli import main
from crossx.cli.configs import shipped_configs
from crossx.core.errors import InputError
from crossx.cotraining.module import CoTrainingModule
from crossx.encoding import encoders as package
from crossx.encoding.encoders import Encoder, PosteriorEncoder, TeacherHeadEncoder
from crossx.encoding.encoders.composite import Part
from crossx.networks.small_resnet import SmallResNet
from crossx.search import from_teachers, parity
from crossx.search.export import export_encoders
from crossx.search.from_teachers import encoders_of_teachers
from crossx.search.graph import write_onnx
from crossx.search.onnx_run import onnx_run
from crossx.search.stored import StoredEncoders
from crossx.teachers.pair import TeacherPair
from crossx.types import Modality

NETWORK = {"network": partial(SmallResNet, widths=(8, 8))}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "NetworkEncoder": {**NETWORK, "dim": 4},
    "StudentEncoder": NETWORK,
    "CompletedPosteriorEncoder": {"reading_weight": 1.0},
    "CompositeEncoder": {
        "parts": {"a": Part(PosteriorEncoder), "b": Part(TeacherHeadEncoder), "off": Part(PosteriorEncoder, 0.0)},
        "mirrored": True,
    },
}
"""Of the classes that need some."""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> TeacherPair:
    """Teachers of which each knows a class that the other does not."""
    classes: dict[Modality, tuple[str, ...]] = {"photo": CLASSES[:-1], "sketch": CLASSES[1:]}
    return TeacherPair(*save_teachers(tmp_path_factory.mktemp("overlapping"), classes=classes))


@pytest.mark.parametrize("name", exported(package, Encoder))  # type: ignore[type-abstract]  # of its subclasses
def test_every_encoder_takes_batches_that_were_not_traced(name: str, pair: TeacherPair, tmp_path: Path) -> None:
    """Of sketches, for which encoders do more; the fixture below exports one for photos."""
    images = parity.examples_of("sketch", SIZE, None).images
    torch.manual_seed(0)
    make: Callable[..., Encoder] = getattr(package, name)
    encoder = make(pair, "sketch", **ARGUMENTS.get(name, {})).eval()
    expected = parity.torch_embed(encoder, images)
    path = tmp_path / "sketch.onnx"
    write_onnx(encoder, SIZE, path)
    run = onnx_run(path, threads=1)
    for batch in (1, 7, 64):
        found = run(images[:batch])
        assert np.abs(found.vectors - expected.vectors[:batch]).max() <= 1e-5
        assert (found.posterior is None) == (expected.posterior is None)
    assert b"/" + b"crossx/" not in path.read_bytes(), "a file names no folder of the machine that wrote it"


@pytest.fixture(scope="module")
def folder(teachers: Teachers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "encoder"
    assert main(["export", "--teachers", *teachers, "--out", str(folder)]) == 0
    return folder


def test_encoder_of_two_teachers_is_the_composite_one_without_what_trains() -> None:
    content = yaml.safe_load((shipped_configs() / "model/composite.yaml").read_text())["model"]["encoding"]
    for modality in MODALITIES:
        shipped = content["encoder" if modality == "photo" else "sketch_encoder"]["init_args"]
        own = from_teachers.SPECS[f"{modality}_encoder"]["init_args"]  # type: ignore[index]  # plain values
        assert own["mirrored"] == shipped["mirrored"]
        assert list(own["parts"]) == [name for name in shipped["parts"] if name != "head"]
        for name, part in own["parts"].items():
            stated = shipped["parts"][name]
            assert part["weight"] == stated["weight"]
            stated = stated["encoder"]
            arguments = {} if isinstance(stated, str) else stated["init_args"]
            assert part["encoder"]["class_path"].endswith(stated if isinstance(stated, str) else stated["class_path"])
            assert {"temperature": 1.0, **part["encoder"].get("init_args", {})} == {"temperature": 1.0, **arguments}


def test_onnx_and_torch_rank_alike(folder: Path) -> None:
    onnx, eager = Predictor(folder), Predictor(folder, "torch")
    assert (onnx.backend, eager.backend) == ("onnx", "torch")
    photos, sketches = (parity.examples_of(m, SIZE, None).images for m in MODALITIES)
    ranked = [p.rank(p.embed_sketches(sketches), p.embed_photos(photos), 10) for p in (onnx, eager)]
    np.testing.assert_allclose(ranked[0][1], ranked[1][1], atol=1e-6)
    apart = np.diff(ranked[1][1], axis=1) < -2e-6  # ties may change places
    clear = np.pad(apart, ((0, 0), (1, 0)), constant_values=True)[:, :9] & apart
    assert clear.mean() > 0.5
    assert np.array_equal(ranked[0][0][:, :9][clear], ranked[1][0][:, :9][clear])
    assert onnx.classes_of(sketches[:1])[0][0][0] == eager.classes_of(sketches[:1])[0][0][0]
    assert onnx.embed_photos(photos[:0]).shape == (0, onnx.card.dim)
    with pytest.raises(InputError, match=rf"must be uint8 of the shape \(B, 3, {SIZE}, {SIZE}\)"):
        onnx.embed_photos(photos.astype(np.float32))


def test_a_changed_file_is_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--verify", str(folder)]) == 0
    assert capsys.readouterr().out.count("verified") == 2
    for name in ("photo.onnx", "sketch.safetensors"):
        copied = tmp_path / name.replace(".", "_")
        copied.mkdir()
        for file in folder.iterdir():
            (copied / file.name).write_bytes(file.read_bytes())
        content = bytearray((copied / name).read_bytes())
        content[-5] ^= 1
        (copied / name).write_bytes(content)
        assert main(["export", "--verify", str(copied)]) == 2
        assert "must be the file that its card names" in capsys.readouterr().err


def test_broken_parity_leaves_nothing(teachers: Teachers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parity, "MOST_DIFFERENCE", -1.0)
    with pytest.raises(InputError, match=r"must differ by at most -1 from torch.*nothing is written"):
        export_encoders(encoders_of_teachers(*teachers), tmp_path / "encoder")
    assert list(tmp_path.iterdir()) == []


def test_a_run_and_its_checkpoint_are_loaded_without_lightning(joint_run: Path) -> None:
    module = CoTrainingModule.load_from_checkpoint(joint_run / "checkpoints/last.ckpt", map_location="cpu").eval()
    images = torch.rand(3, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    for path in (joint_run, joint_run / "encoders.safetensors", joint_run / "checkpoints/last.ckpt"):
        found = load_encoders(path)
        with torch.no_grad():
            for modality in MODALITIES:
                assert torch.equal(found.of(modality)(images), module.encode(images, modality)), path


def test_export_of_a_run_is_calibrated_on_its_data(joint_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "encoder"
    assert main(["export", "--run", str(joint_run), "--out", str(out), "--formats", "safetensors"]) == 0
    card = json.loads((out / "encoder.json").read_text())
    assert card["calibration"]["data"] == card["metrics"]["data"] == "shapes"
    found, stored = load_encoders(joint_run), load_encoders(out)
    for name, tensor in found.photo.state_dict().items():
        assert torch.equal(tensor, stored.photo.state_dict()[name])


def test_mistakes(tmp_path: Path, teachers: Teachers, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("x")
    for words, message in (
        ([], "--run, --teachers, --verify: must be exactly one of them, got none"),
        (["--run", "x"], "--out: must name the folder"),
        (["--run", str(tmp_path / "gone"), "--out", str(tmp_path / "o")], "a run folder with encoders.safetensors"),
        (["--run", "x", "--out", "o", "--formats", "onxx"], "--formats: must be one of"),
        (["--teachers", *teachers, "--out", str(tmp_path)], "--out: must be a new or empty folder"),
        (["--teachers", *teachers, "--out", "o", "--size", "2"], "--size: must be in [16, 4096], got 2"),
        (["--verify", str(tmp_path)], "encoder: must be a folder that `crossx export` has written"),
    ):
        assert main(["export", *words]) == 2
        error = capsys.readouterr().err
        assert error.startswith("crossx: error: "), error
        assert message in error


def test_encoders_built_in_python_are_exported_as_onnx_alone(pair: TeacherPair, tmp_path: Path) -> None:
    built = StoredEncoders(PosteriorEncoder(pair, "photo").eval(), PosteriorEncoder(pair, "sketch").eval(), pair, {})
    with pytest.raises(InputError, match="--formats: must be onnx alone for encoders that were built in Python"):
        export_encoders(built, tmp_path / "encoder")
    card = export_encoders(built, tmp_path / "encoder", ["onnx"])
    assert card.photo_query == ((len(pair.vocabulary), len(pair.vocabulary) + 1),)
    assert card.photo.weights is None
