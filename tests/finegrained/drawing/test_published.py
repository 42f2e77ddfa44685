"""Published decoders of sketch-rnn through our head, and files that are none."""

import json
from pathlib import Path

import pytest
import torch

from crossx.core.errors import InputError
from crossx.core.paths import resolve
from crossx.finegrained.drawing.decoder import StrokeDecoder, start_row
from crossx.finegrained.drawing.published import COMPONENTS, HIDDEN, SketchRNNWeights


def published_decoder(path: str) -> StrokeDecoder:
    """The published decoder as one of ours, for a map and a latent of one number each."""
    decoder = StrokeDecoder(1, 1, hidden=HIDDEN, components=COMPONENTS)
    SketchRNNWeights(path).start(decoder)
    return decoder


@pytest.mark.parametrize("word", ["bear", "bicycle"])
@torch.no_grad()
def test_its_numbers_are_a_distribution_and_its_drawings_end(word: str) -> None:
    decoder = published_decoder(f"sketchrnn/{word}.gen.json").eval()
    batch, source = 24, torch.Generator().manual_seed(0)
    seen = decoder.see(torch.zeros(batch, 1, 1, 1), torch.zeros(batch, 1))
    state, row = decoder.first_state(seen), start_row(batch, torch.zeros(1))
    pen = torch.full((batch, 1, 2), 0.5)
    ended = torch.zeros(batch, dtype=torch.bool)
    for _ in range(250):
        mixture, _, state = decoder(seen, row, pen, state)
        assert mixture.log_weight.exp().sum(-1).allclose(torch.ones(batch, 1), atol=1e-5)
        assert all(part.isfinite().all() for part in (mixture.pen, mixture.mean, mixture.log_sigma, mixture.rho))
        noise = torch.cat([torch.rand(batch, 1, 2, generator=source), torch.randn(batch, 1, 2, generator=source)], -1)
        row = mixture.draw(noise, 0.25)
        ended |= row[:, 0, 4] == 1
    assert ended.float().mean() >= 0.25


def test_one_step_by_hand() -> None:
    """The LSTM of the published code, gate by gate: input, new, forget with 1 added, output."""
    weights = SketchRNNWeights("sketchrnn/bear.gen.json")
    decoder = published_decoder("sketchrnn/bear.gen.json").eval()
    row = torch.tensor([0.5, -1.0, 0.0, 1.0, 0.0])
    given, forget, new, output = (weights._lstm["weight_ih_l0"] @ row + weights._lstm["bias_ih_l0"]).chunk(4)
    cell = given.sigmoid() * new.tanh()  # nothing to forget yet
    numbers = weights._head["weight"] @ (output.sigmoid() * cell.tanh()) + weights._head["bias"]
    seen = decoder.see(torch.zeros(1, 1, 1, 1), torch.zeros(1, 1))
    mixture, _, _ = decoder(seen, row.view(1, 1, 5), torch.full((1, 1, 2), 0.5), decoder.first_state(seen))
    torch.testing.assert_close(mixture.pen[0, 0], numbers[:3], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(mixture.mean[0, 0, :, 0], numbers[23:43], rtol=1e-4, atol=1e-5)
    assert len(forget) == 512


def test_a_decoder_of_another_width() -> None:
    with pytest.raises(InputError, match=r"decoder\.hidden: must be 512 to start from a published decoder, got 16"):
        SketchRNNWeights("sketchrnn/bear.gen.json").start(StrokeDecoder(1, 1, hidden=16))


@pytest.mark.parametrize("change", ["no json", "shapes", "base64", "short"])
def test_files_that_are_none(change: str, tmp_path: Path) -> None:
    about, shapes, tensors = json.loads(resolve("sketchrnn/bear.gen.json", "x").read_bytes())
    if change == "shapes":
        shapes[0] = [256, 123]
    elif change == "base64":
        tensors[1] = "%%%"
    elif change == "short":
        tensors[1] = tensors[1][:8]
    path = tmp_path / "x.gen.json"
    path.write_text("{" if change == "no json" else json.dumps([about, shapes, tensors]))
    with pytest.raises(InputError, match=r"start: .*x\.gen\.json must be a published decoder of sketch-rnn"):
        SketchRNNWeights(path)
