"""Lengths and distances of drawings, and the shipped generator."""

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance

from crossx.core.paths import resolve
from crossx.finegrained.drawing.files import load_generator
from crossx.finegrained.drawing.measures import DrawingMeasures, stroke_counts, strokes_of, wasserstein
from crossx.finegrained.types import Drawing


def test_wasserstein_against_scipy() -> None:
    rng = np.random.default_rng(0)
    for first, second in ((rng.integers(0, 50, 30), rng.integers(10, 90, 77)), (np.array([3]), np.array([5, 9]))):
        found = wasserstein(torch.tensor(first), torch.tensor(second))
        assert float(found) == pytest.approx(wasserstein_distance(first, second), rel=1e-5)


def test_measures_by_hand() -> None:
    measures = DrawingMeasures()
    index = torch.tensor([0, 1, 1])  # a distributed sampler repeats the last one
    lengths = torch.tensor([[10, 2], [20, 4], [20, 4]])
    measures.update(index, lengths, torch.tensor([True, False, False]), torch.tensor([True, True, True]))
    measures.update(torch.tensor([0, 1]), torch.tensor([[20, 2], [20, 2]]))
    found = {name: float(value) for name, value in measures.compute().items()}
    assert found == pytest.approx(
        {
            "ended": 0.5,
            "points": 15,
            "points_distance": 0.25,
            "strokes": 3,
            "strokes_distance": 0.5,
            "named_right": 1.0,
        }
    )


def test_a_cut_drawing_counts_its_open_stroke() -> None:
    rows = torch.zeros(2, 3, 5)
    rows[0, :, 2:] = torch.tensor([[0.0, 1, 0], [1, 0, 0], [1, 0, 0]])
    rows[1, :, 4] = 1
    empty = torch.zeros(2)
    drawing = Drawing(rows, torch.tensor([3, 0]), torch.tensor([False, True]), empty, empty)
    assert stroke_counts(drawing).tolist() == [2, 0]
    assert [len(strokes) for strokes in strokes_of(drawing, 0.1)] == [2, 0]


def test_the_shipped_generator_is_small_and_draws() -> None:
    file = "crossx:assets/shapes_generator.safetensors"
    assert resolve(file, "file").stat().st_size <= 1_500_000
    drawing = load_generator(file).draw(torch.rand(4, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    assert (drawing.length > 3).all()
