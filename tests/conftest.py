import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from jsonargparse import _typehints as parser
from support.commands import Config, Refuse, joint_config, run, write
from support.drawn import drawn_once
from support.runs import SKETCHES, Teachers, save_teachers

from crossx.cli import main
from crossx.cli.parsed_once import parsed_once
from crossx.data.shapes.dataset import ShapesImages
from crossx.teachers import sketch_reader

LONG = (
    "cli/test_shipped_configs.py",
    "benchmarks/quality/test_runner.py",
    "search/test_encoder_folder.py",
    "cli/test_demo.py",
    "cli/test_devices.py",
    "reports/test_health.py",
    "benchmarks/quality/test_runs.py",
    "benchmarks/quality/test_full_scale_rows.py",
    "search/serve/",
    "cli/test_long_lists.py",
    "extension/",
    "training/test_rates.py",
    "cli/test_data_free.py",
    "cli/test_own_teachers.py",
    "search/gallery/test_kills.py",
)
"""Where the files are that take 20 seconds or more, or folders with such files."""
SEEDS = ("PL_GLOBAL_SEED", "CROSSX_DERIVED_SEED")
"""Where a run leaves its seed in the environment."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the long files, so that no process waits at the end for another one."""
    here = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        name = item.path.relative_to(here).as_posix() if item.path.is_relative_to(here) else ""
        return next((i for i, start in enumerate(LONG) if name.startswith(start)), len(LONG))

    items.sort(key=place)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tiny networks are faster on one core, and sums in one order give the same bits in every run.

    The processes that tests start, too: beside a second process of tests there is no core left for more threads.
    """
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture(scope="session", autouse=True)
def few_procedural_sketches() -> Iterator[None]:
    """Statistics of fewer sketches are taken in less time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sketch_reader, "SKETCHES", SKETCHES)
        yield


@pytest.fixture(autouse=True)
def shapes_drawn_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw an image of the embedded data set once for all tests, but for those of data sets."""
    if "data" not in request.path.parts[len(request.config.rootpath.parts) :]:
        monkeypatch.setattr(ShapesImages, "read", drawn_once)


@pytest.fixture(scope="session", autouse=True)
def parsed_once_for_all() -> Iterator[None]:
    """Parse the same class with the same arguments once in all tests; `parsed_anew` is for those that change one."""
    with parsed_once():
        yield


@pytest.fixture
def parsed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parse as a process of its own does: classes or their defaults are others than in other tests."""
    if hasattr(parser.adapt_class_type, "plain"):  # not for a version of the parser that is left alone
        monkeypatch.setattr(parser, "adapt_class_type", parser.adapt_class_type.plain)


@pytest.fixture(scope="module", autouse=True)
def clean_seed() -> Iterator[None]:
    """A run of a module's own fixture leaves its seed behind, too, where no test's environment ends."""
    for name in SEEDS:
        os.environ.pop(name, None)
    yield
    for name in SEEDS:
        os.environ.pop(name, None)


@pytest.fixture(autouse=True)
def clean_environment() -> Iterator[None]:
    """Give each test the environment that it would have alone: a run leaves its seed there, for its workers."""
    before = dict(os.environ)
    for name in SEEDS:
        os.environ.pop(name, None)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def teachers(tmp_path_factory: pytest.TempPathFactory) -> Teachers:
    """Teachers with BatchNorm."""
    return save_teachers(tmp_path_factory.mktemp("teachers"))


@pytest.fixture(scope="session")
def plain_teachers(tmp_path_factory: pytest.TempPathFactory) -> Teachers:
    """Teachers without BatchNorm."""
    return save_teachers(tmp_path_factory.mktemp("plain_teachers"), norm="group")


@pytest.fixture(scope="session")
def joint_run(teachers: Teachers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a joint fit through the command line; read it, and leave it as it is."""
    folder = tmp_path_factory.mktemp("joint_run")
    run("fit", folder / "config.yaml", joint_config(teachers, folder))
    return folder / "run/version_0"


@pytest.fixture(scope="module")
def offline_wandb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """W&B without network, key, or files outside of the test's folder."""
    folder = tmp_path_factory.mktemp("wandb")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("WANDB_")]:
            patch.delenv(name)
        for name in ("DATA_DIR", "CACHE_DIR", "CONFIG_DIR", "ARTIFACT_DIR"):
            patch.setenv(f"WANDB_{name}", str(folder / name))
        patch.setenv("WANDB_MODE", "offline")
        patch.setenv("WANDB_SILENT", "true")
        patch.setenv("WANDB_ERROR_REPORTING", "false")
        import wandb

        wandb.teardown()  # so that it reads the environment anew
        yield
        wandb.teardown()


@pytest.fixture
def refuse(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Refuse:
    """Fit a config with further words; must be refused; returns the message."""
    monkeypatch.chdir(tmp_path)

    def refuse(content: Config, *words: str) -> str:
        path = write(tmp_path / "config.yaml", content)
        assert main(["fit", "--config", path, *words]) == 2
        err = capsys.readouterr().err
        assert err.count("crossx: error: ") == 1
        message: str = err.partition("crossx: error: ")[2].strip()
        assert "\n" not in message
        assert "Traceback" not in err
        left = [file.name for file in tmp_path.rglob("*") if file.is_file()]
        assert not [name for name in left if name.startswith(".") or name in ("results.json", "last.ckpt")]
        return message

    return refuse
