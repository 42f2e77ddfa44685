import ast
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from lightning.pytorch import seed_everything

import crossx
from crossx.core.seeding import Stream, philox, run_seed


def test_seed_of_the_run_is_the_one_that_lightning_sets() -> None:
    assert run_seed() == 0
    seed_everything(7, verbose=False)
    assert run_seed() == 7


def test_draws_are_a_pure_function_of_the_arguments() -> None:
    philox(0, 1, Stream.LATENTS).random(100)
    assert np.array_equal(philox(3, 5, Stream.REPLAY).random(4), philox(3, 5, Stream.REPLAY).random(4))


@pytest.mark.parametrize("other", [(4, 5, Stream.REPLAY), (3, 6, Stream.REPLAY), (3, 5, Stream.REAL_PAIRS)])
def test_each_argument_counts(other: tuple[int, int, Stream]) -> None:
    assert not np.isin(philox(3, 5, Stream.REPLAY).random(1000), philox(*other).random(1000)).any()


def test_streams_of_one_place_are_independent() -> None:
    a, b = (philox(0, 9, stream).standard_normal(20_000) for stream in (Stream.LATENTS, Stream.REAL_PAIRS))
    assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(20_000)


def test_streams_have_numbers_of_their_own() -> None:
    assert len({int(stream) for stream in Stream.__members__.values()}) == len(Stream.__members__)


_DRAWERS = {"philox": 3, "shuffled": 4}
"""Functions that draw from a stream, their last argument, and how many arguments they take."""


def test_each_stream_is_drawn_from_for_one_purpose_and_by_its_name() -> None:
    """No caller passes a number or takes a default, and no two places draw from one stream."""
    streams = []
    for path in Path(crossx.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _DRAWERS:
                assert len(node.args) == _DRAWERS[node.func.id], f"{path}: {ast.unparse(node)}"
                streams.append(ast.unparse(node.args[-1]))
    streams.remove("stream")  # of `shuffled`, whose callers name theirs
    assert Counter(streams) == dict.fromkeys((f"Stream.{name}" for name in Stream.__members__), 1)
