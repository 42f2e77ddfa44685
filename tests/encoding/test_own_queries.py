"""Statistics of the unlabelled queries in a reading of sketches: where they come from, and where they must not go."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from support.commands import Config, Refuse, edit, joint_config, part, run
from support.processes import run_processes
from support.runs import SGD, SIZE, Teachers, data, reconstruction, save_teachers, trainer
from torch import Tensor

from crossx.cli import main
from crossx.core.distributed import world_size
from crossx.core.tensor_files import read_safetensors
from crossx.cotraining.module import CoTrainingModule
from crossx.data.shapes.dataset import ShapesDataset
from crossx.encoding.encoders import CompletedPosteriorEncoder, CompositeEncoder, ReadingEncoder, TeacherHeadEncoder
from crossx.encoding.encoders.composite import Part
from crossx.encoding.losses import SupConLoss
from crossx.encoding.losses.base import EncodingTerm
from crossx.encoding.module import EncoderModule
from crossx.pairs.datamodule import SyntheticPairsDataModule
from crossx.teachers.pair import TeacherPair

CHECKPOINT = "run/version_0/checkpoints/last.ckpt"
SHORT = "--model.encoding.encoder.parts.reading.encoder.own_queries=true"
FLAG = "--model.encoding.init_args.encoder.init_args.parts.reading.encoder.init_args.own_queries=true"
COUNT = 40
"""Sketches of a split."""


def content(teachers: Teachers, folder: Path) -> Config:
    """A joint run of a head, beside readings that weigh enough to be seen."""
    made = joint_config(teachers, folder)
    parts = {
        "head": {"encoder": part("TeacherHeadEncoder", dim=4, hidden=0)},
        "reading": {"encoder": "ReadingEncoder"},
    }
    edit(made, "model.encoding.encoder", part("CompositeEncoder", parts=parts))
    for split in ("validation", "test"):
        edit(made, f"data.dataset.{split}", 4)
    return made


@pytest.fixture(scope="module")
def fitted(teachers: Teachers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fit that knows nothing of its queries."""
    folder = tmp_path_factory.mktemp("own_queries")
    run("fit", folder / "config.yaml", content(teachers, folder))
    return folder


def images(count: int = 3) -> Tensor:
    return torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def state_of(folder: Path) -> dict[str, Tensor]:
    state: dict[str, Tensor] = torch.load(folder / CHECKPOINT, weights_only=True)["state_dict"]
    return state


def results(folder: Path) -> dict[str, Any]:
    (path,) = folder.rglob("results.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def measure(verb: str, checkpoint: Path, folder: Path, *words: str) -> Path:
    log = [f"--trainer.logger.init_args.save_dir={folder}", "--trainer.accelerator", "cpu"]
    assert main([verb, "--ckpt_path", str(checkpoint / CHECKPOINT), *words, *log]) == 0
    return folder


@pytest.mark.parametrize("verb", ["test", "validate"])
def test_the_flag_alone_changes_a_measurement(
    fitted: Path, tmp_path: Path, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the checkpoint of a fit without it; what is printed says so, and the same set gives the same figures."""
    before = (fitted / CHECKPOINT).read_bytes()
    said = f"adapted to the {COUNT} unlabelled queries; not comparable"
    plain = results(measure(verb, fitted, tmp_path / "plain"))
    assert said not in " ".join(capsys.readouterr().out.split())
    own = results(measure(verb, fitted, tmp_path / "own", FLAG))
    assert said in " ".join(capsys.readouterr().out.split())
    assert (plain["measured"]["adapted_to"], own["measured"]["adapted_to"]) == (0, COUNT)
    assert own["metrics"] != plain["metrics"]
    assert own["baselines"] == plain["baselines"]
    again = results(measure(verb, fitted, tmp_path / "again", FLAG))
    assert again["ap_all"] == own["ap_all"]
    assert (fitted / CHECKPOINT).read_bytes() == before


def test_predicted_embeddings_are_those_of_an_encoder_that_was_shown_the_queries(
    fitted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, own = (
        read_safetensors(next(measure("predict", fitted, tmp_path / name, *words).rglob("*.safetensors")), "embeddings")
        for name, words in (("plain", ()), ("own", (SHORT,)))
    )
    assert f"adapted to the {COUNT} unlabelled queries" in capsys.readouterr().out
    assert [json.loads(header["adapted_to"]) for _, header in (plain, own)] == [0, COUNT]
    assert torch.equal(own[0]["photo"], plain[0]["photo"])
    assert not torch.allclose(own[0]["sketch"], plain[0]["sketch"], atol=1e-3)
    module = CoTrainingModule.load_from_checkpoint(fitted / CHECKPOINT, map_location="cpu").eval()
    reading = ReadingEncoder(module.teachers, "sketch", own_queries=True)
    sketches = ShapesDataset(size=SIZE, train=2, validation=4, test=4).images("sketch", "test")
    queries = torch.stack([sketches[i].image for i in range(COUNT)])
    assert reading.adapt(queries) == COUNT
    torch.testing.assert_close(own[0]["sketch"][:, 4:], reading(queries) * 0.5**0.5, rtol=1e-4, atol=1e-5)


def test_a_fit_keeps_nothing_of_its_queries(fitted: Path, teachers: Teachers, tmp_path: Path) -> None:
    """It trains, saves and exports what a fit without them does, and its own validation has their statistics."""
    run("fit", tmp_path / "config.yaml", content(teachers, tmp_path), FLAG)
    own, plain = state_of(tmp_path), state_of(fitted)
    assert plain["encoding.sketch_encoder.parts.reading.reader.adapted"]
    assert own.keys() == plain.keys()
    assert all(torch.equal(own[name], plain[name]) for name in plain)
    exported = [read_safetensors(f / "run/version_0/encoders.safetensors", "e")[0] for f in (tmp_path, fitted)]
    assert all(torch.equal(exported[0][name], exported[1][name]) for name in exported[1])
    found = results(tmp_path)
    assert found["measured"]["adapted_to"] == COUNT
    before = json.loads((fitted / "run/version_0/results.json").read_text())
    assert before["measured"]["adapted_to"] == 0
    assert all(found[name]["map_all"] != before[name]["map_all"] for name in ("at_start", "metrics"))


def test_an_earlier_measurement_without_them_is_not_compared(fitted: Path, teachers: Teachers, tmp_path: Path) -> None:
    made = content(teachers, tmp_path)
    made["trainer"]["max_steps"] = 6
    run("fit", tmp_path / "same.yaml", made, "--ckpt_path", str(fitted / CHECKPOINT))
    assert results(tmp_path)["at_start"]
    made["trainer"]["logger"]["init_args"]["save_dir"] = str(tmp_path / "own")
    with pytest.warns(UserWarning, match=r"encoders that adapt to them\): `at step 0` is left out"):
        run("fit", tmp_path / "own.yaml", made, FLAG, "--ckpt_path", str(fitted / CHECKPOINT))
    assert not results(tmp_path / "own")["at_start"]


def test_few_queries_are_refused(refuse: Refuse, teachers: Teachers, tmp_path: Path) -> None:
    made = content(teachers, tmp_path)
    edit(made, "data.dataset.validation", 2)
    assert refuse(made, FLAG) == (
        "encoder.own_queries: must be false with fewer than 30 queries, too few to take statistics of, got 20 queries"
    )


def test_classes_that_a_teacher_does_not_know_are_estimated_with_them(tmp_path: Path) -> None:
    """By the same reader, in a `CompletedPosteriorEncoder`."""
    classes = ShapesDataset.classes
    pair = TeacherPair(*save_teachers(tmp_path, classes={"photo": classes[:7], "sketch": classes[3:]}))
    plain, own = (
        CompletedPosteriorEncoder(pair, "sketch", reading_weight=1.0, own_queries=flag) for flag in (False, True)
    )
    queries = images(COUNT)
    before = plain(queries)
    torch.testing.assert_close(own(queries), before)
    assert (plain.adapt(queries), own.adapt(queries)) == (0, COUNT)
    assert torch.equal(plain(queries), before)
    assert not torch.allclose(own(queries), before, atol=1e-3)
    assert own.state_dict().keys() == plain.state_dict().keys()
    photo = CompletedPosteriorEncoder(pair, "photo", reading_weight=1.0, own_queries=True)
    assert photo.adapt(queries) == 0


def test_they_need_a_reading(refuse: Refuse, teachers: Teachers, tmp_path: Path) -> None:
    made = content(teachers, tmp_path)
    place = "--model.encoding.init_args.encoder.init_args.parts.reading.encoder"
    message = refuse(made, f"{place}=CompletedPosteriorEncoder", f"{place}.init_args.own_queries=true")
    assert message.endswith("encoder.own_queries: must be false where reading_weight is 0, got true; no sketch is read")


def encoding_of(teachers: Teachers) -> EncoderModule:
    reading = Part(partial(ReadingEncoder, own_queries=True))
    parts = {"reading": reading, "head": Part(partial(TeacherHeadEncoder, dim=4, hidden=0))}
    terms = {"sup_con": EncodingTerm(SupConLoss())}
    torch.manual_seed(0)
    return EncoderModule(*teachers, partial(CompositeEncoder, parts=parts), terms, optimizer=SGD)


def measured(teachers: Teachers, folder: Path) -> list[float]:
    """Metrics of the test, as a process reckons them."""
    dataset = SyntheticPairsDataModule(ShapesDataset(size=SIZE, train=2, validation=4, test=5), eval_batch_size=7)
    module = encoding_of(teachers)
    run = trainer(folder, devices=world_size(), strategy="ddp" if world_size() > 1 else "auto")
    run.test(module, dataset, verbose=False)
    assert module.adapted_to == 50
    # What is embedded next is read as by a new module.
    assert torch.equal(module.encode(images(), "sketch"), encoding_of(teachers).encode(images(), "sketch"))
    return [float(value) for value in run.callback_metrics.values()]


def test_each_process_has_the_statistics_of_all_queries(teachers: Teachers, tmp_path: Path) -> None:
    expected = measured(teachers, tmp_path)
    for found in run_processes(2, measured, teachers, tmp_path):
        assert found == pytest.approx(expected, abs=1e-6)


def test_training_never_has_them(teachers: Teachers, tmp_path: Path) -> None:
    """Not even those that an interrupted measurement has left."""
    module = CoTrainingModule(reconstruction(teachers), encoding_of(teachers))
    seen = images(COUNT)
    before = module.encode(seen, "sketch")
    assert module.adapt(seen) == COUNT
    assert not torch.allclose(module.encode(seen, "sketch"), before, atol=1e-3)
    trainer(tmp_path, max_steps=1, limit_val_batches=0).fit(module, datamodule=data(teachers))
    width = module.encoding.sketch_encoder.dim - 4
    assert torch.equal(module.encode(seen, "sketch")[:, :width], before[:, :width])
