"""What the command lines of the benchmarks have in common: options, legal overrides, and how a command ends."""

import argparse
import signal
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import torch

from crossx.cli.parsed_once import parsed_once
from crossx.core.errors import InputError

_OURS = ("--config", "--teachers", "--seed_everything", "--ckpt_path", "--trainer.logger")
"""Options that a benchmark sets for each run."""


def options(name: str, description: str | None, benchmarks: Collection[str]) -> argparse.ArgumentParser:
    """Parser of the options that all benchmarks have.

    Args:
        name: Name of the benchmark's package.
        description: What the command does.
        benchmarks: Names of its benchmarks.
    """
    parser = argparse.ArgumentParser(f"python -m {name}", description=description, allow_abbrev=False)
    parser.add_argument("--benchmark", required=True, help=f"one of {', '.join(benchmarks)}")
    parser.add_argument("--rows", nargs="+", default=[], metavar="ROW", help="(default: all)")
    parser.add_argument(
        "--seeds", nargs="+", type=int, default=[], metavar="SEED", help="(default: those of the tables, from 0)"
    )
    parser.add_argument("--split", choices=["validation", "test"], default="test", help="(default: %(default)s)")
    parser.add_argument(
        "--output", type=Path, default=Path("runs") / name.rpartition(".")[2], help="(default: %(default)s)"
    )
    parser.add_argument(
        "--jobs", type=int, default=2, help="runs at a time, a thread each; 0 only prints (default: %(default)s)"
    )
    return parser


def must_not_be_ours(overrides: Sequence[str]) -> None:
    """Refuse an override of what the command sets itself.

    Raises:
        InputError: For the first such override.
    """
    for word in overrides:
        if word.startswith(_OURS):
            raise InputError(f"{word}: must not be given here, because the command sets it for each run")


def exit_status(name: str, run: Callable[[], int]) -> int:
    """Exit status of a command: its own, 2 for a user's mistake, and 130 when it was interrupted.

    Args:
        name: Name of the benchmark's package.
        run: The command.
    """
    torch.set_num_threads(1)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a request to end is an interrupt, with status 130
    try:
        with parsed_once():  # rows are small changes of one config
            return run()
    except InputError as error:
        print(f"{name}: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted: finished runs are kept, and the same command goes on", file=sys.stderr)
        return 130
