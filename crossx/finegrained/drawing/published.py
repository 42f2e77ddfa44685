"""Published decoders of sketch-rnn, as the files of its JavaScript models hold them."""

import base64
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from crossx.core.errors import InputError
from crossx.core.paths import resolve
from crossx.finegrained.drawing.decoder import StrokeDecoder

ENDING = ".gen.json"
HIDDEN, COMPONENTS = 512, 20
"""Width of the LSTM and number of Gaussians of all published decoders."""
_SHAPES = [[HIDDEN, 6 * COMPONENTS + 3], [6 * COMPONENTS + 3], [5, 4 * HIDDEN], [HIDDEN, 4 * HIDDEN], [4 * HIDDEN]]
_STEP = 10 / 32767
"""Worth of 1 in a stored integer."""
_MOST_BYTES = 20_000_000
"""Size above which a file is none of them; they have 3 MB."""


class SketchRNNWeights:
    """Decoder of sketch-rnn without encoder ("A Neural Representation of Sketch Drawings", arXiv 1704.03477).

    An LSTM over rows, whose gates stand in the order input, new, forget and output, with 1 added to the forget gate,
    and one linear layer to the numbers of `MixtureHead`.

    Args:
        path: A `*.gen.json` of the sketch-rnn models for JavaScript; relative to the data root, or absolute.
        field: Where the user named it, for messages.

    Raises:
        InputError: When the file is missing or is none of them.
    """

    def __init__(self, path: str | Path, field: str = "start") -> None:
        file = resolve(path, field)
        try:
            if file.stat().st_size > _MOST_BYTES:
                raise ValueError(f"it has {file.stat().st_size} bytes")
            _, shapes, tensors = json.loads(file.read_bytes())
            if shapes != _SHAPES:
                raise ValueError(f"its tensors have the shapes {shapes}")
            output, bias, rows, states, gates = (
                _tensor(text, shape) for text, shape in zip(tensors, shapes, strict=True)
            )
        except (ValueError, TypeError, KeyError, OSError, RecursionError) as error:
            raise InputError(
                f"{field}: {file} must be a published decoder of sketch-rnn (*{ENDING}), and is none ({error})"
            ) from error
        gates[2 * HIDDEN : 3 * HIDDEN] += 1
        self._lstm = {
            "weight_ih_l0": _gates(rows.T),
            "weight_hh_l0": _gates(states.T),
            "bias_ih_l0": _gates(gates),
            "bias_hh_l0": torch.zeros_like(gates),
        }
        self._head = {"weight": output.T.contiguous(), "bias": bias}

    @torch.no_grad()
    def start(self, decoder: StrokeDecoder, field: str = "decoder") -> None:
        """Give a decoder these weights: it then draws as the published one, whatever photo it sees.

        What the published decoder does not have (pen position, context, latent) starts with weight 0.

        Raises:
            InputError: When the decoder has another width or number of Gaussians.
        """
        for name, found, wanted in (
            ("hidden", decoder.hidden, HIDDEN),
            ("components", decoder.mixture.components, COMPONENTS),
        ):
            if found != wanted:
                raise InputError(f"{field}.{name}: must be {wanted} to start from a published decoder, got {found}")
        for layer, weights in ((decoder.lstm, self._lstm), (decoder.head, self._head)):
            for name, tensor in weights.items():
                parameter = layer.get_parameter(name)
                parameter.zero_()
                parameter[..., : tensor.shape[-1]] = tensor
        torch.nn.init.zeros_(decoder.start.weight)
        torch.nn.init.zeros_(decoder.start.bias)


def _tensor(text: str, shape: list[int]) -> Tensor:
    numbers = np.frombuffer(base64.b64decode(text, validate=True), dtype="<i2")
    return torch.from_numpy((numbers.astype(np.float32) * np.float32(_STEP)).reshape(shape))


def _gates(tensor: Tensor) -> Tensor:
    """Order the gates as torch does: input, forget, new, output."""
    given, new, forget, output = tensor.chunk(4, 0)
    return torch.cat([given, forget, new, output], 0).contiguous()
