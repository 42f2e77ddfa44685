"""Files of generators: written, read, started from, and those that do not fit."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from support.drawing import drawing_generator, photos

from crossx.core.errors import InputError
from crossx.core.tensor_files import read_safetensors
from crossx.finegrained.drawing.files import load_generator, load_start, save_generator

KEY = "crossx_drawing_generator"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "generator.safetensors"
    save_generator(path, drawing_generator())
    return path


def changed(file: Path, **about: object) -> str:
    """Write the file with other metadata, and tensors for which `about` has a number."""
    _, metadata = read_safetensors(file, "file")
    tensors = load_file(file)
    stated = json.loads(metadata[KEY])
    for name, value in about.items():
        if name in tensors:
            tensors[name] = torch.tensor(value)
        else:
            stated[name] = value
    save_file(tensors, file, {KEY: json.dumps(stated)})
    return str(file)


def test_a_read_generator_draws_the_same(file: Path) -> None:
    generator = load_generator(file)
    first, second = (one.eval().draw(photos(), generator=_source()) for one in (drawing_generator(), generator))
    assert torch.equal(first.rows, second.rows)
    assert not any(parameter.requires_grad for parameter in generator.parameters())
    assert not generator.training


def _source() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_half_the_size_keeps_scale_and_running_statistics(file: Path, tmp_path: Path) -> None:
    save_generator(tmp_path / "half.safetensors", drawing_generator(), half=True)
    assert (tmp_path / "half.safetensors").stat().st_size < 0.65 * file.stat().st_size
    full, half = load_generator(file), load_generator(tmp_path / "half.safetensors")
    assert float(half.scale) == float(full.scale)
    for name, tensor in half.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.allclose(tensor, full.state_dict()[name], rtol=1e-3, atol=1e-4), name


def test_a_start_brings_weights_and_scale(file: Path) -> None:
    other = drawing_generator(seed=1, max_points=7)
    other.scale.fill_(0.0)
    load_start(other, str(file), "start")
    saved = load_generator(file).state_dict()
    assert all(torch.equal(value, saved[name]) for name, value in other.state_dict().items())
    assert other.max_points == 7, "where drawings are cut is the config's"
    assert all(parameter.requires_grad for parameter in other.parameters())


def test_a_start_of_another_form_is_refused(file: Path) -> None:
    with pytest.raises(InputError, match=r"^start: must hold a generator as .*, got decoder\.hidden 24 in .*: 16\)$"):
        load_start(drawing_generator(hidden=16), str(file), "start")
    with pytest.raises(InputError, match=r"got decoder\.attention 'output' in .* \(stated: 'input'\)$"):
        load_start(drawing_generator(attention="input"), str(file), "start")


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"format": 2}, "must have format 1, got 2 of another version"),
        ({"scale": 0.0}, r"must have a scale in \(0, 1\), got 0\.0"),
        ({"scale": 1.5}, r"must have a scale in \(0, 1\), got 1\.5"),
        ({"scale": float("nan")}, r"must have a scale in \(0, 1\), got nan"),
        ({"arguments": {}}, "does not hold a generator of drawings saved by crossx"),
        ({"arguments": []}, "does not hold a generator of drawings saved by crossx"),
    ],
)
def test_files_that_do_not_fit_are_refused(file: Path, about: dict[str, object], message: str) -> None:
    path = changed(file, **about)
    with pytest.raises(InputError, match=rf"^start: {path} {message}"):
        load_generator(path, "start")


def test_a_generator_that_never_saw_a_drawing_is_not_written(tmp_path: Path) -> None:
    generator = drawing_generator()
    generator.scale.fill_(0.0)
    with pytest.raises(InputError, match=r"^generator: must have a scale, which the first drawings tell"):
        save_generator(tmp_path / "generator.safetensors", generator)
    assert list(tmp_path.iterdir()) == []
