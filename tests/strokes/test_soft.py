"""The differentiable rasteriser against the exact one, against brute force, and its gradients."""

import math
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from crossx.core.errors import InputError
from crossx.data.quickdraw import QuickDrawStrokes
from crossx.data.shapes import ShapesDataset
from crossx.finegrained.sequences import five_batch, points_of
from crossx.strokes.five import fit_points, to_five
from crossx.strokes.raster import rasterise_batch
from crossx.strokes.sequence import Strokes, fit_unit_square
from crossx.strokes.soft import soft_rasterise


def soft_images(drawings: list[Strokes], size: int, width: float) -> Tensor:
    batch = five_batch([to_five(drawing, 0.1) for drawing in drawings], 0.1)
    return soft_rasterise(*points_of(batch.rows, batch.length, batch.scale), size, width)[:, 0]


def quickdraw() -> list[Strokes]:
    reader = QuickDrawStrokes()
    names = [name for word in ("cat", "bicycle", "house", "ladder") for name in reader.names(word)[:15]]
    return [fit_unit_square(reader.strokes(name)) for name in names]


def shapes() -> list[Strokes]:
    data = ShapesDataset()
    return [fit_points(data.strokes("test", i), 0.015, 100) for i in range(0, 600, 20)]


@pytest.mark.parametrize("drawings", [quickdraw, shapes], ids=lambda source: source.__name__)
@pytest.mark.parametrize(("size", "most"), [(64, 0.016), (32, 0.027)])
def test_it_agrees_with_the_rasteriser_that_teachers_know(
    drawings: Callable[[], list[Strokes]], size: int, most: float
) -> None:
    found = drawings()
    hard = torch.from_numpy(rasterise_batch(found, size, 2.2)).float() / 255
    assert (soft_images(found, size, 2.2) - hard).abs().mean() <= most
    others = soft_images(found[1:] + found[:1], size, 2.2)
    assert (others - hard).abs().mean() > 4 * most  # which other drawings do not


def test_dots_are_drawn_as_the_rasteriser_draws_them() -> None:
    dots: list[Strokes] = [[np.array([[0.3, 0.3]], np.float32), np.array([[0.7, 0.6]], np.float32)]]
    hard = torch.from_numpy(rasterise_batch(dots, 32, 4)).float() / 255
    assert hard.min() == 0
    assert (soft_images(dots, 32, 4) - hard).abs().mean() < 0.01


def brute_force(points: Tensor, down: Tensor, size: int, width: float, softness: float) -> Tensor:
    """One image by loops over pixels and lines, from the definition."""
    image = torch.empty(size, size, dtype=points.dtype)
    for row in range(size):
        for column in range(size):
            least = math.inf
            for i in range(len(points)):
                (ax, ay), (bx, by) = (points[max(i - 1, 0)] * size).tolist(), (points[i] * size).tolist()
                x, y, dx, dy = column + 0.5 - ax, row + 0.5 - ay, bx - ax, by - ay
                length = dx * dx + dy * dy
                t = min(max((x * dx + y * dy) / length, 0), 1) if length else 0
                least = min(least, math.hypot(x - t * dx, y - t * dy) + (1 - float(down[i])) * 2 * size)
            image[row, column] = 1 - 1 / (1 + math.exp(min((least - width / 2) / softness, 700)))
    return image


def test_images_against_loops_over_pixels_and_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    points, down = torch.rand(3, 7, 2, dtype=torch.float64), torch.tensor([0, 1, 1, 0, 1, 0.999, 0.0]).repeat(3, 1)
    points[:, 3] = points[:, 2]  # a line without length
    expected = torch.stack([brute_force(p, d, 9, 1.5, 0.4) for p, d in zip(points, down, strict=True)])[:, None]
    for at_once in (2**20, 500, 1):  # one chunk, some, and one for each line
        monkeypatch.setattr("crossx.strokes.soft._AT_ONCE", at_once)
        torch.testing.assert_close(soft_rasterise(points, down, 9, 1.5, 0.4), expected, rtol=0, atol=1e-9)


def test_nothing_is_drawn_where_the_pen_is_up() -> None:
    assert (soft_rasterise(torch.rand(2, 5, 2), torch.zeros(2, 5), 16, 2) == 1).all()


def test_gradients_are_those_of_finite_differences() -> None:
    torch.manual_seed(1)
    points = torch.rand(2, 4, 2, dtype=torch.float64, requires_grad=True)
    down = torch.tensor([[0, 0.999, 0.998, 1.0]] * 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda p, d: soft_rasterise(p, d, 8, 2.0, 0.7), (points, down))


def test_gradients_are_finite_where_a_line_has_no_length_and_a_pixel_lies_on_it() -> None:
    points = torch.full((1, 3, 2), 0.5 + 1 / 16, requires_grad=True)  # the centre of a pixel
    soft_rasterise(points, torch.ones(1, 3), 8, 2.0).sum().backward()  # type: ignore[no-untyped-call]
    assert points.grad is not None
    assert torch.isfinite(points.grad).all()


def test_a_line_is_moved_by_gradient_descent_to_its_target() -> None:
    target = torch.tensor([[[0.3, 0.25], [0.7, 0.8]]])
    points = torch.tensor([[[0.2, 0.4], [0.75, 0.65]]], requires_grad=True)
    down = torch.tensor([[0.0, 1.0]])
    wanted = soft_rasterise(target, down, 32, 3.0, 1.5)
    optimizer = torch.optim.Adam([points], 0.01)
    for _ in range(150):
        optimizer.zero_grad()
        (soft_rasterise(points, down, 32, 3.0, 1.5) - wanted).square().mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    torch.testing.assert_close(points.detach(), target, rtol=0, atol=0.005)


def test_half_precision_is_drawn_in_float32() -> None:
    points, down = torch.rand(1, 5, 2).bfloat16(), torch.ones(1, 5).bfloat16()
    image = soft_rasterise(points, down, 64, 2)
    assert image.dtype == torch.float32
    torch.testing.assert_close(image, soft_rasterise(points.float(), down.float(), 64, 2))


MEMORY = """
import resource, torch
from crossx.strokes.soft import soft_rasterise
torch.set_num_threads(1)
torch.manual_seed(0)
points = torch.rand(64, 100, 2, requires_grad=True)
soft_rasterise(points[:2], torch.ones(2, 100), 8, 2.2).mean().backward()  # what torch loads at the first use
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
soft_rasterise(points, torch.ones(64, 100), 64, 2.2).mean().backward()
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**10)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux alone")
def test_memory_does_not_grow_with_the_number_of_lines() -> None:
    """64 drawings of 100 points at 64 px: all distances at once would be 105 MB, and several copies of them."""
    found = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    assert float(found.stdout) < 150  # MiB; a 1 GiB machine has room


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, r"^size: must be at least 1, got 0$"),
        ({"width": 0}, r"^width: must be above 0, got 0$"),
        ({"softness": 0}, r"^softness: must be above 0, got 0$"),
        ({"down": torch.ones(2, 3)}, r"^points: must have the shape \(B, P, 2\) with P >= 1, and down \(B, P\), got"),
        ({"points": torch.ones(2, 0, 2), "down": torch.ones(2, 0)}, r"^points: must have the shape"),
    ],
)
def test_bad_arguments(arguments: dict[str, object], message: str) -> None:
    legal: dict[str, object] = {"points": torch.rand(2, 4, 2), "down": torch.ones(2, 4), "size": 8, "width": 2}
    with pytest.raises(InputError, match=message):
        soft_rasterise(**{**legal, **arguments})  # type: ignore[arg-type]
