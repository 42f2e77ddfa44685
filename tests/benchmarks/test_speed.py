import dataclasses
import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from support.runs import Teachers, encoding, reconstruction

import benchmarks.speed.__main__ as speed
from benchmarks.speed import document, gate, loops
from benchmarks.speed.beside import BARE, CROSSX, ENCODERS, GENERATORS, PUBLISHED, PUBLISHED_SAME
from benchmarks.speed.effort import Effort
from benchmarks.speed.loops import BareLoop, PublishedLoop
from benchmarks.speed.parts import evaluation, joint, pairs
from benchmarks.speed.runs import QUICKSTART
from benchmarks.speed.timing import Row, Times, in_turn, times
from crossx.core.errors import WorkError
from crossx.cotraining.module import CoTrainingModule
from crossx.cotraining.schedule import Schedule
from crossx.encoding.losses import SupConLoss
from crossx.encoding.losses.base import EncodingTerm
from crossx.evaluation.functional import retrieval_scores
from crossx.evaluation.ranking import cosine_scores
from crossx.pairs.latents import LatentDataset
from crossx.reconstruction.losses import ActivationLoss, BatchNormStatisticsLoss, InformationEntropyLoss, OneHotLoss
from crossx.reconstruction.losses.base import ReconstructionTerm
from crossx.types import Progress

LITTLE = Effort(rounds=1, queries=20, photos=60, largest=1000)
ONE = Times(1.0, 1.0, 1.0, 1.0, 1)


@pytest.fixture
def joint_run(teachers: Teachers) -> CoTrainingModule:
    """A small run with the terms of `model/joint.yaml` and heads."""
    objective = {
        "one_hot": ReconstructionTerm(OneHotLoss(), 4.0),
        "entropy": ReconstructionTerm(InformationEntropyLoss(), 15.0),
        "activation": ReconstructionTerm(ActivationLoss(), 0.1),
        "statistics": ReconstructionTerm(BatchNormStatisticsLoss()),
    }
    contrast = {"sup_con": EncodingTerm(SupConLoss(0.1, soft=True, sharpness=3))}
    sides = (reconstruction(teachers, terms=objective), encoding(teachers, kind="head", terms=contrast))
    return CoTrainingModule(*sides, Schedule())


@pytest.mark.parametrize("loop", [BareLoop, PublishedLoop])
def test_yardsticks_have_the_mathematics_of_crossx(joint_run: CoTrainingModule, loop: type[BareLoop]) -> None:
    """A yardstick that computes something else would measure nothing."""
    side = joint_run.reconstruction
    latents = LatentDataset(0, side.latent_dim, 1).__getitems__(list(range(8)))
    bare = loop(joint_run, 8, bfloat16=False)
    expected = side.step(latents, Progress(0, 100))
    expected.loss.backward()  # type: ignore[no-untyped-call]  # torch's own
    torch.testing.assert_close(bare.generator_step(latents.noise), expected.loss.detach(), rtol=1e-4, atol=1e-5)
    for bare_side, mine in zip(bare.sides, (side.generators.photo, side.generators.sketch), strict=True):
        for theirs, ours in zip(bare_side.generator.parameters(), mine.parameters(), strict=True):
            assert theirs.grad is not None
            assert ours.grad is not None
            torch.testing.assert_close(theirs.grad, ours.grad, rtol=1e-3, atol=1e-5)
    new = side.sample(latents)
    outputs = [(teacher.logits, teacher.features) for teacher in (new.photo_teacher, new.sketch_teacher)]
    loss = joint_run.encoding.step(new, Progress(0, 100)).loss
    torch.testing.assert_close(bare.encoders_learn(outputs), loss.detach(), rtol=1e-4, atol=1e-5)


def test_published_procedure_gives_gradients_to_frozen_weights(joint_run: CoTrainingModule) -> None:
    bare, published = (kind(joint_run, 8, bfloat16=False) for kind in (BareLoop, PublishedLoop))
    for loop, wanted in ((bare, False), (published, True)):
        loop.generator_step()
        weights = [p for side in loop.sides for p in side.teacher.parameters()]
        assert all((p.grad is not None) == wanted for p in weights)
    assert not any(p.requires_grad for p in joint_run.teachers.photo.parameters())


def test_bare_pool_fills_and_wraps(joint_run: CoTrainingModule, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.speed.loops._POOL", 12)
    loop = BareLoop(joint_run, 8, bfloat16=False)
    losses = [float(loop.encoder_step()) for _ in range(5)]
    assert loop._place == 8 + 4 * 2
    assert all(loss > 0 for loss in losses)
    assert loop._pool[0][0].abs().sum(1).min() > 0


def test_ways_take_turns_and_first_rounds_do_not_count() -> None:
    order: list[str] = []
    found = in_turn({"a": partial(order.append, "a"), "b": partial(order.append, "b")}, rounds=2, skipped=1)
    assert order == ["a", "b"] * 3
    assert [found[way].count for way in "ab"] == [2, 2]


def test_times() -> None:
    assert times([3.0, 1.0, 2.0]) == Times(2.0, 2.0, 1.0, 3.0, 3)
    assert times([float(i) for i in range(21)]) == Times(10.0, 10.0, 2.0, 18.0, 21)


def test_ways_to_measure_retrieval_agree() -> None:
    queries, gallery, labels, gallery_labels = evaluation.drawn(30, 400)
    summary = retrieval_scores(cosine_scores(queries, gallery), labels, gallery_labels).summary()
    exact = summary["map_all"]
    arrays = (x.numpy() for x in (queries, gallery, labels, gallery_labels))
    assert evaluation.numpy_loop(*arrays) == pytest.approx(exact, abs=1e-6)
    for loop in (evaluation.torchmetrics_map, evaluation.python_loop):
        assert loop(queries, gallery, labels, gallery_labels) == pytest.approx(exact, abs=1e-6)
    found = evaluation.torchmetrics_all(queries, gallery, labels, gallery_labels)
    same = {"map_all", "acc_at_1", *(f"prec_at_{k}" for k in (50, 100, 200))}
    assert {name: found[name] for name in same} == pytest.approx({name: summary[name] for name in same}, abs=1e-6)
    assert found.keys() == summary.keys() - {"map_all_macro"}


def test_yardsticks_have_the_numbers_of_the_recipe() -> None:
    recipe = yaml.safe_load(Path("configs/model/joint.yaml").read_text())["model"]["init_args"]
    terms = recipe["reconstruction"]["init_args"]["terms"]
    weights = [terms[name]["weight"] for name in ("one_hot", "entropy", "activation", "statistics")]
    assert weights == [loops._ONE_HOT, loops._ENTROPY, loops._ACTIVATION, 1]
    contrast = recipe["encoding"]["init_args"]["terms"]["sup_con"]["loss"]["init_args"]
    assert (contrast["temperature"], contrast["sharpness"]) == (loops._TEMPERATURE, loops._SHARPNESS)
    assert recipe["replay"]["init_args"] == {"share": loops._REPLAYED, "size": loops._POOL}
    rates = [recipe[side]["init_args"]["optimizer"]["init_args"]["lr"] for side in ("reconstruction", "encoding")]
    assert rates == [loops.GENERATOR_RATE, loops.ENCODER_RATE]
    steps = yaml.safe_load(Path("configs/model/joint.yaml").read_text())["trainer"]["max_steps"]
    assert sum(joint._STEPS.values()) == steps
    assert joint._STEPS[GENERATORS] == round(recipe["schedule"]["warmup"] * steps)


def test_joint_run_is_timed_beside_its_yardsticks() -> None:
    rows = joint.of_run(dataclasses.replace(QUICKSTART, batch=4), LITTLE)
    assert [row.what.partition(": ")[2] for row in rows] == [
        f"{GENERATORS}, B = 4",
        f"{ENCODERS}, B = 4",
        joint.TOGETHER,
    ]
    for row in rows:
        assert set(row.seconds) == {CROSSX, BARE, PUBLISHED, PUBLISHED_SAME}
        assert all(0 < t.low <= t.median <= t.high for t in row.seconds.values())
    generators, encoders, together = (row.seconds[CROSSX].mean for row in rows)
    assert together == pytest.approx(240 * generators + 1200 * encoders)
    assert rows[0].figures["GFLOP"] > 0.1


def test_peak_of_memory_is_that_of_the_process_alone() -> None:
    """A child of a large process must not seem as large."""
    held = torch.zeros(400 * 2**20, dtype=torch.uint8).fill_(1)
    script = "import benchmarks.speed.point as p; import sys; print(p.peak()); sys.exit(0)"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    before = int(done.stdout)
    del held
    after = int(subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout)
    assert before == pytest.approx(after, rel=0.1)
    assert after > 50 * 2**20


def test_latents_and_replay_are_timed() -> None:
    latents, replay = pairs.measure(LITTLE)
    assert set(latents.seconds) == {"crossx", "torch.randn"}
    assert set(replay.seconds) == {"written", "drawn", "drawn, bare"}


def test_unknown_part_names_the_known_ones() -> None:
    with pytest.raises(Exception, match=r"^--parts: must be one of joint, .*; got 'jiont' \(did you mean 'joint'\?\)"):
        speed.main(["--parts", "jiont"])
    with pytest.raises(Exception, match=r"^--rounds: must be at least 1, got 0"):
        speed.main(["--rounds", "0"])


def test_interrupted_benchmark_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: Effort) -> list[Row]:
        raise KeyboardInterrupt

    monkeypatch.setitem(speed.PARTS, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        speed.main(["--parts", "evaluation", "start", "--rounds", "1", "--out", str(tmp_path / "speed.json")])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("load", "busy"), [(0.1, False), (0.6, True)])
def test_table_and_file_say_whether_the_machine_was_busy(
    load: float, busy: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (load, 0, 0))
    monkeypatch.setitem(speed.PARTS, "start", lambda _: [Row("start", {"imports alone": ONE}, figures={"MB": 5})])
    out = tmp_path / "speed.json"
    speed.main(["--parts", "start", "--out", str(out)])
    printed = capsys.readouterr().out
    assert ("busy: load average 0.6; these are no figures for a document" in printed) == busy
    assert "imports alone" in printed
    found = json.loads(out.read_text())
    assert (found["machine"]["busy"], found["machine"]["load average"]) == (busy, load)
    assert found["parts"]["start"][0]["seconds"]["imports alone"]["median"] == 1


def test_parts_that_were_measured_earlier_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (0.1, 0, 0))
    monkeypatch.setitem(speed.PARTS, "start", lambda _: [Row("start", {"way": ONE})])
    monkeypatch.setitem(speed.PARTS, "pairs", lambda _: [Row("pairs", {"way": ONE})])
    out = tmp_path / "speed.json"
    for commit, parts in (("aaaaaaa", ["start", "pairs"]), ("bbbbbbb", ["pairs"])):
        monkeypatch.setattr(speed, "commit", partial(str, commit))
        speed.main(["--parts", *parts, "--out", str(out)])
    found = json.loads(out.read_text())
    assert found["commits"] == {"start": "aaaaaaa", "pairs": "bbbbbbb"}
    assert [found["parts"][part][0]["what"] for part in ("start", "pairs")] == ["start", "pairs"]
    before = out.read_bytes()
    with pytest.raises(Exception, match=r"^--out: must be a new file where rounds is 2, got one with 30"):
        speed.main(["--parts", "start", "--rounds", "2", "--out", str(out)])
    out.write_text(json.dumps({key: value for key, value in found.items() if key != "commits"}))
    with pytest.raises(Exception, match=r"^--out: must be a new file, or one of this version"):
        speed.main(["--parts", "start", "--out", str(out)])
    speed.main(["--parts", "start", "pairs", "--rounds", "2", "--out", str(out)])
    assert json.loads(out.read_text())["effort"]["rounds"] == 2, "nothing of the earlier figures stays"
    assert before != out.read_bytes()


def test_the_page_is_that_of_the_figures() -> None:
    assert document.PAGE.read_text() == document.page(json.loads(document.FIGURES.read_text()))


def figures(busy: bool = False) -> dict[str, Any]:
    """Figures of all parts, in which all took a second."""

    def row(what: str, *ways: str, **others: float) -> dict[str, Any]:
        return dataclasses.asdict(Row(what, dict.fromkeys(ways, ONE), figures=others))

    parts = {name: [row(name, CROSSX)] for name in speed.PARTS}
    parts["joint"] = [row(f"quickstart.yaml: {joint.TOGETHER}", CROSSX, BARE, PUBLISHED, PUBLISHED_SAME)]
    ways = (evaluation.TORCHMETRICS, evaluation.ALL_TORCHMETRICS, evaluation.PYTHON)
    parts["evaluation"] = [row("all", evaluation.CROSSX, evaluation.NUMPY, *ways)]
    parts["embedding"] = [row("all", "onnxruntime alone", "crossx, onnxruntime", "torch alone", "crossx, torch")]
    parts["start"] = [row("all", "crossx fit, to the first batch", "imports alone")]
    parts["growth"] = [row("one", CROSSX), row("two", CROSSX, photos=10), row("three", CROSSX, photos=1000)]
    about = {"load average": 0.9 if busy else 0.1, "busy": busy}
    return {"machine": about, "effort": {}, "commits": dict.fromkeys(parts, "1234567"), "parts": parts}


def test_page_is_made_of_the_figures(tmp_path: Path) -> None:
    source, page = tmp_path / "speed.json", tmp_path / "performance.md"
    source.write_text(json.dumps(figures()))
    document.main([str(source), "--page", str(page)])
    text = page.read_text()
    assert "| quickstart.yaml: all training steps | crossx | 1 s | | |" in text, "it has no deciles"
    assert "1.00 times the bare loop" in text
    assert "Measured at 1234567 (joint, classifier, pairs" in text
    assert "c = 10000 ns" in text, "one second for 100 queries of 1,000 photos"
    assert all(f"## {title}\n" in text for title in document._TITLES.values())


def test_page_is_refused_where_the_machine_was_busy_or_a_part_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"must be of an idle machine \(load average at most 0.5\), got 0.9"):
        document.page(figures(busy=True))
    content = figures()
    del content["parts"]["start"]
    with pytest.raises(Exception, match="must have all parts, got none of start; leave out --parts"):
        document.page(content)
    with pytest.raises(Exception, match=r"^figures: must be a file of python -m benchmarks\.speed, got 'nothing.json'"):
        document.main(["nothing.json", "--page", str(tmp_path / "page.md")])


@pytest.mark.parametrize(
    ("factors", "slow"), [((1.2, 1.9, 1.4), 0), ((1.3, 1, 1), 1), ((1, 2.1, 1), 1), ((1, 1, 1.6), 1), ((9, 9, 9), 3)]
)
def test_gate_fails_where_something_is_slower_than_its_margin_twice(
    factors: tuple[float, ...], slow: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = [Times(factor, factor, factor, factor, 5) for factor in factors]
    steps = [Row(f"run: {s}", {CROSSX: t, BARE: ONE}) for s, t in zip((GENERATORS, ENCODERS), ours, strict=False)]
    measures = Row("all", {evaluation.CROSSX: ours[2], evaluation.NUMPY: ONE})
    monkeypatch.setattr(joint, "of_run", lambda *_: steps)
    monkeypatch.setattr(evaluation, "beside_numpy", lambda _: measures)
    assert gate.main() == (slow > 0)
    printed = capsys.readouterr().out
    assert printed.count("must be at most") == (6 if slow else 3)
    assert printed.count("TOO SLOW") == 2 * slow


def test_gate_measures_what_it_judges() -> None:
    measures = evaluation.beside_numpy(LITTLE)
    steps = joint.of_run(dataclasses.replace(QUICKSTART, batch=4), LITTLE)
    with pytest.raises(WorkError, match="must have one row for the encoder step, got 0"):
        gate.verdicts(steps[:1], measures)
    assert [what for what, _, _ in gate.verdicts(steps, measures)] == [
        f"{GENERATORS}, crossx / bare loop",
        f"{ENCODERS}, crossx / bare loop",
        "measures, crossx / numpy loop",
    ]
