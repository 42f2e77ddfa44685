"""`crossx quickstart`: the whole story on the embedded data set, in two runs one after the other."""

import argparse
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from crossx.core.errors import InputError
from crossx.core.seeding import check_seed
from crossx.reports.run.summary import print_table, read_results

INTERRUPTED = 130
"""Exit status of a run that ended by Ctrl-C."""
RUNS = {"data-free": "quickstart.yaml", "with data": "quickstart_with_data.yaml"}


def quickstart(argv: Sequence[str]) -> int:
    """Train data-free from the two shipped teachers, train the comparison with data, and show both.

    Args:
        argv: The command line, starting with `quickstart`.

    Returns:
        The exit status.

    Raises:
        InputError: When the seed is out of range or the output folder cannot be used.
    """
    parser = argparse.ArgumentParser(
        "crossx quickstart",
        description="Two small frozen classifiers, shipped with crossx, become a sketch-to-photo retrieval model "
        "without any training image; then the same model is trained with images for comparison. "
        "Takes about five minutes on two cores and downloads nothing.",
    )
    parser.add_argument("--output", default="crossx-quickstart", help="folder for both runs (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of both runs (default: %(default)s)")
    arguments = parser.parse_args(argv[1:])
    check_seed(arguments.seed, "--seed")

    folder = _unused(Path(arguments.output))
    folders = {name: folder / name.replace(" ", "_").replace("-", "_") for name in RUNS}
    for name, config in RUNS.items():
        print(f"\n== {name}: crossx fit --config {config} --seed_everything {arguments.seed}", flush=True)  # noqa: T201
        logger = "--trainer.logger.init_args"
        where = [f"{logger}.save_dir={folder}", f"{logger}.name={folders[name].name}", f"{logger}.version="]
        command = [sys.executable, "-m", "crossx", "fit", "--config", config, "--seed_everything", str(arguments.seed)]
        with interruptions_left_to_the_run():
            status = subprocess.run([*command, *where], check=False).returncode  # noqa: S603 - our own command
        if status == INTERRUPTED:  # the run has said how to go on
            return status
        if status:
            print(f"crossx: error: the run '{name}' ended with status {status}; see above", file=sys.stderr)  # noqa: T201
            return status
    _show(folders)
    return 0


@contextmanager
def interruptions_left_to_the_run() -> Iterator[None]:
    """Wait for a run that ends by Ctrl-C, which a terminal sends to both processes."""
    before = signal.signal(signal.SIGINT, lambda *_: None)  # unlike SIG_IGN, the run does not inherit it
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _unused(folder: Path) -> Path:
    """The folder itself, or with the next free number where an earlier quickstart has left its files."""
    if folder.is_file():
        raise InputError(f"--output: {str(folder)!r} is a file; name a folder")
    candidate, number = folder, 1
    while candidate.exists() and any(candidate.iterdir()):
        number += 1
        candidate = folder.resolve().with_name(f"{folder.resolve().name}-{number}")
    return candidate


def _show(folders: dict[str, Path]) -> None:
    results = {name: read_results(path / "results.json", "quickstart") for name, path in folders.items()}
    free = results["data-free"]
    runs = {
        "data-free": free["metrics"],
        "at step 0": free["at_start"],
        "posterior": free["baselines"].get("posterior", {}),
        "features": free["baselines"].get("features", {}),
        "with data": results["with data"]["metrics"],
    }
    print()  # noqa: T201
    print_table(f"sketch-to-photo retrieval on {free['split']} images that no run was trained on", runs)
    pairs, retrieval = (sorted((folders["data-free"] / kind).glob("*.png")) for kind in ("pairs", "retrieval"))
    print("pictures to open:")  # noqa: T201
    for what, pictures in (("synthetic pairs, photo over sketch", pairs), ("sketches and what they find", retrieval)):
        if pictures:
            print(f"  {what}: {pictures[-1].resolve()}")  # noqa: T201
    print(f"seconds: data-free {free['seconds']:.0f}, with data {results['with data']['seconds']:.0f}")  # noqa: T201
