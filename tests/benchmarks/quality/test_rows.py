"""The rows of the shipped benchmarks: what is named exists, and what stands behind a benchmark resolves."""

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.quality.__main__ import grouped
from benchmarks.quality.configs import resolved_config
from benchmarks.quality.plan import OTHER_START, Measurement
from benchmarks.quality.registry import BENCHMARKS, chosen
from benchmarks.quality.rows.elsewhere import QUICKDRAW, SKETCHY
from benchmarks.quality.rows.full_scale import FULL_SCALE
from benchmarks.quality.rows.method import METHOD
from benchmarks.quality.shared_generators import ENCODER_STEPS
from benchmarks.quality.store import Result
from benchmarks.quality.tables import markdown
from benchmarks.quality.types import Benchmark, Row, Table
from crossx.cli.configs import shipped_configs
from crossx.core.errors import InputError
from crossx.pixels.pen import Pen
from crossx.training.run_length import in_batches


@pytest.mark.parametrize("benchmark", BENCHMARKS.values(), ids=lambda b: b.name)
def test_tables_are_whole(benchmark: Benchmark) -> None:
    names: dict[str, Row] = {}
    for table in benchmark.tables:
        assert table.reference in {row.name for row in table.rows}
        for row in table.rows:
            bare = replace(row, paper={})
            assert names.setdefault(row.name, bare) == bare  # one name, one row, in all tables
    assert len({table.name for table in benchmark.tables}) == len(benchmark.tables)


@pytest.mark.parametrize("benchmark", BENCHMARKS.values(), ids=lambda b: b.name)
def test_classifier_only_warns_of_a_common_start_in_every_table(benchmark: Benchmark) -> None:
    """Whatever a table says of itself: the warning is made from the rows."""
    warned: list[str] = []
    # The teachers of the paper's data sets all start from ImageNet's weights.
    with_common_start = "classifier_only" if benchmark in FULL_SCALE else "classifier_only_common_start"
    for table in benchmark.tables:
        results = {row.name: [Result(benchmark.name, row.name, 0, "test", "", failed="not run")] for row in table.rows}
        notes = [line for line in markdown(benchmark, table, results).splitlines() if line.startswith("† ")]
        alike = [row.name for row in table.rows if row.name == with_common_start]
        named = [name for note in notes for name in re.findall(r"`(\w+)`", note)]
        assert named == alike, table.name
        warned += alike
    assert warned


@pytest.mark.parametrize("name", ["cifar-tuberlin", "tinyimagenet-tuberlin"])
def test_teachers_are_as_strangers_trained_them(name: str, tmp_path: Path) -> None:
    """Different starts, but where a row would say nothing without a common one."""
    benchmark = BENCHMARKS[name]
    common = {row.name for row in benchmark.rows.values() if row.shared_start}
    assert common == {"classifier_only_common_start", "averaging_weights"}
    own, alike = (
        Measurement(benchmark, benchmark.rows[row], 2, "test", tmp_path).teachers
        for row in ("classifier_only", "averaging_weights")
    )
    assert [seed for _, seed in own.values()] == [2, 2 + OTHER_START]
    assert [seed for _, seed in alike.values()] == [2, 2]


@pytest.mark.parametrize("name", ["cifar-tuberlin", "tinyimagenet-tuberlin"])
def test_rows_that_change_no_generator_share_them(name: str, tmp_path: Path) -> None:
    """One job for all of them; the others train their own, and so do all with overrides, which may be of generators."""
    benchmark = BENCHMARKS[name]
    measurements = [Measurement(benchmark, row, 0, "test", tmp_path) for row in benchmark.rows.values()]
    (shared,) = {job for m in measurements for job in m.generator_jobs.values()}
    assert not any(replace(m, overrides=("--trainer.max_steps=9",)).generator_jobs for m in measurements)
    (fit,) = (m.fit_job for m in measurements if m.row.name == "head")
    assert fit is not None
    assert f"--model.reconstruction.init_args.start={shared.output}" in fit.argv
    assert fit.inputs["generators"] == shared.output
    own = {row.name for row in benchmark.rows.values() if row.trains and not row.shared_generators}
    data = {row.name for row in benchmark.rows.values() if row.training_images}
    expected = {"gaussian_prior", "student"}
    if name.startswith("tinyimagenet"):
        expected |= {"head_other_seed", "with_alignment", "with_guidance"}
        expected |= {f"without_{term}" for term in ("one_hot", "entropy", "activation", "statistics")}
    assert {row for row in own - data if not row.startswith("overlap")} == expected


def test_the_published_method_differs_in_the_start_of_its_networks_alone() -> None:
    rows = {row.name: row for row in METHOD.rows}
    free, started = (
        resolved_config(["fit", *_configs(rows[name]), *rows[name].argv])
        for name in ("published", "published_from_teachers")
    )
    assert free["trainer"]["max_steps"] == 2860
    encoders = [c["model"]["init_args"]["encoding"]["init_args"].pop("encoder") for c in (free, started)]
    assert [encoder["class_path"].rpartition(".")[2] for encoder in encoders] == ["NetworkEncoder", "TeacherEncoder"]
    assert free == started


def test_shared_generators_are_those_of_the_joint_recipe() -> None:
    """Trained by the same objective with the same optimiser for as many steps; encoders have the rest of the steps."""
    alone, joint = (
        resolved_config(["fit", *_words("benchmarks/shapes.yaml", f"model/{name}.yaml")])
        for name in ("generators", "head")
    )
    whole = joint["model"]["init_args"]
    assert alone["model"] == whole["reconstruction"]
    steps = joint["trainer"]["max_steps"]
    warmup = in_batches("schedule.warmup", whole["schedule"]["warmup"], steps)
    assert alone["trainer"]["max_steps"] == warmup
    assert steps - warmup == ENCODER_STEPS
    assert whole["schedule"]["generator_steps"] == 0, "and they stay as they are"


def named_configs() -> set[str]:
    """All configs that a benchmark, a row or a teacher names."""
    found: set[str] = set()
    for benchmark in BENCHMARKS.values():
        teachers = [benchmark.photo, benchmark.sketch, benchmark.modality]
        found |= set(benchmark.configs)
        argv: list[str] = []
        for row in benchmark.rows.values():
            found |= set(row.configs)
            teachers += [row.photo, row.sketch]
            argv += [*row.argv, *row.measured_argv]
        for teacher in filter(None, teachers):
            found.add(teacher.config)
            argv += teacher.argv
        found |= {name for option, name in pairwise(argv) if option == "--config"}
    return found


@pytest.mark.parametrize("name", sorted(named_configs()))
def test_named_configs_exist(name: str) -> None:
    assert (shipped_configs() / name).is_file()


KINDS = {
    "cifar-tuberlin": "head meta_data student fine_tuned",
    "tinyimagenet-tuberlin": "overlap6_completed overlap6_not_completed sketchy_composite_as_drawn unseen_composite "
    "head_siamese_with_data with_guidance with_adversary published_from_teachers",
    "sketchy": "head_with_data fine_tuned",
    "tuberlin-extended": "gaussian_prior fine_tuned",
}
"""A few of each benchmark: `python -m benchmarks.quality.publish --check` reads the configs of all measured rows."""


@pytest.mark.parametrize("name", KINDS)
def test_rows_resolve_and_differ(name: str, tmp_path: Path) -> None:
    """A row of each kind: a config that does not parse, or an override that says nothing, would show here."""
    benchmark = BENCHMARKS[name]
    rows = [benchmark.rows[kind] for kind in KINDS[name].split()]
    digests = [Measurement(benchmark, row, 0, "test", tmp_path).digest() for row in rows]
    assert len(set(digests)) == len(rows)
    again = Measurement(benchmark, rows[0], 1, "validation", tmp_path / "elsewhere")
    assert again.digest() != digests[0]  # another seed


def test_a_row_has_as_many_pairs_as_a_table_wants() -> None:
    benchmark = BENCHMARKS["tinyimagenet-tuberlin"]
    head = benchmark.rows["head"]
    assert benchmark.seeds(head) == 3
    assert benchmark.seeds(head, ["ablations"]) == 1
    assert benchmark.seeds(head, ["ablations", "published"]) == 3
    assert benchmark.seeds(benchmark.rows["without_replay"], ["published"]) == 1  # named as a row beside the table
    assert benchmark.seeds(benchmark.rows["gaussian_prior"], ["published"]) == 1, "as the row says"


def test_what_measures_one_fit_is_one_job(tmp_path: Path) -> None:
    """Also before the fit is there: two jobs would remove each other's folder."""
    benchmark = BENCHMARKS["tinyimagenet-tuberlin"]
    names = ["composite", "unseen_composite", "unseen_composite_for_unseen", "head"]
    rows = [benchmark.rows[name] for name in names]
    measurements = [Measurement(benchmark, row, 0, "test", tmp_path) for row in rows]
    assert [[m.row.name for m in group] for group in grouped(measurements, [])] == [names[:3], names[3:]]
    assert len(grouped(measurements, measurements)) == 4  # each fails by itself


def test_a_teacher_s_recipe_counts(tmp_path: Path) -> None:
    benchmark = BENCHMARKS["cifar-tuberlin"]
    row = benchmark.rows["classifier_only"]
    known = Measurement(benchmark, row, 0, "test", tmp_path).digest()
    longer = replace(benchmark, photo=replace(benchmark.photo, argv=("--trainer.max_steps=2000",)))
    common_start = benchmark.rows["classifier_only_common_start"]
    assert Measurement(longer, row, 0, "test", tmp_path).digest() != known
    assert Measurement(benchmark, common_start, 0, "test", tmp_path).digest() != known


def test_rows_are_chosen_by_name_and_table() -> None:
    benchmark = BENCHMARKS["tinyimagenet-tuberlin"]
    assert [row.name for row in chosen(["composite", "meta_data"], [], benchmark)] == [
        "meta_data",
        "composite",
    ]
    assert chosen([], [], benchmark) == list(benchmark.rows.values())
    ablations = chosen([], ["ablations"], benchmark)
    assert {row.name for row in ablations} >= {"head", "without_replay"}
    assert len(chosen(["composite"], ["ablations"], benchmark)) == len(ablations) + 1
    with pytest.raises(InputError, match=r"--rows: must be one of classifier_only, .*; got 'nothing'"):
        chosen(["composite", "nothing"], [], benchmark)
    with pytest.raises(InputError, match=r"--tables: must be one of published, common_start, .*; got 'nothing'"):
        chosen([], ["nothing"], benchmark)


@pytest.mark.parametrize("table", [SKETCHY, QUICKDRAW], ids=lambda table: table.name)
def test_only_rows_as_drawn_leave_the_lines_alone(table: Table) -> None:
    for row in table.rows:
        config = resolved_config(["test", *_configs(row), *row.measured_argv])
        assert (Pen(**config["data"]["init_args"]["pen"]) == Pen()) == row.name.endswith("as_drawn")


def _configs(row: Row) -> list[str]:
    return _words("benchmarks/tinyimagenet_tuberlin.yaml", *row.configs)


def _words(*names: str) -> list[str]:
    return [word for name in names for word in ("--config", name)]
