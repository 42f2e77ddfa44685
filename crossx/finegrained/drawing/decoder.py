"""Decoder of strokes: an LSTM that looks at the photo's map while it draws."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crossx.core.checks import must_be_in, must_be_one_of
from crossx.finegrained.drawing.mixture import Mixture, MixtureHead

State = tuple[Tensor, Tensor]
"""Output and cell of the LSTM, (1, B, hidden) each."""


@dataclass
class Seen:
    """A photo as the decoder looks at it.

    Attributes:
        map: (B, C, h, w).
        cells: The same cell by cell, (B, hw, C).
        keys: What the attention compares with, (B, hw, A).
        latent: (B, Z).
    """

    map: Tensor
    cells: Tensor
    keys: Tensor
    latent: Tensor


class StrokeDecoder(nn.Module):
    """LSTM over rows with a mixture head and additive attention over the photo's map.

    With `attention: input` the attended features enter the cell, as in "More Photos are All You Need"
    (arXiv 2103.13990): the rows of a drawing are computed one after the other. With `output` the cell reads the map
    under the pen, and its states look at the map afterwards: all rows of a training drawing are computed at once.

    Args:
        channels: Channels C of the map; filled in by the generator.
        latent: Length Z of the latent; filled in by the generator.
        hidden: Width of the LSTM, at least 1.
        components: Number M of Gaussians in the mixture, at least 1.
        attention: Where the attended features go.
        width: Width A of the attention, at least 1.
        dropout: Share of the LSTM's inputs and outputs that is dropped in training, in [0, 1).

    Raises:
        InputError: When an argument is out of its range.
    """

    def __init__(
        self,
        channels: int,
        latent: int,
        hidden: int = 512,
        components: int = 20,
        attention: Literal["input", "output"] = "input",
        width: int = 128,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        must_be_in("decoder.hidden", hidden, "[1, inf)")
        must_be_in("decoder.width", width, "[1, inf)")
        must_be_in("decoder.dropout", dropout, "[0, 1)")
        must_be_one_of("decoder.attention", attention, ("input", "output"))
        self.hidden, self.attention, self.width, self.dropout = hidden, attention, width, dropout
        self.mixture = MixtureHead(components)
        self.start = nn.Linear(latent, 2 * hidden)
        # Rows and pen position first, so that the columns of a published decoder without context are the first five.
        self.lstm = nn.LSTM(7 + channels + latent, hidden, batch_first=True)
        self.query = nn.Linear(hidden, width)
        self.key = nn.Conv2d(channels, width, 3, padding=1)
        self.score = nn.Linear(width, 1, bias=False)
        self.head = nn.Linear(hidden, self.mixture.numbers)
        if attention == "output":
            self.look = nn.Sequential(nn.Linear(hidden + channels, hidden), nn.Tanh())
            self.correction = nn.Linear(hidden, self.mixture.numbers)
            nn.init.zeros_(self.correction.weight)
            nn.init.zeros_(self.correction.bias)

    def arguments(self) -> dict[str, Any]:
        """Arguments that build a decoder of the same form, without those that the generator fills in."""
        return {
            "hidden": self.hidden,
            "components": self.mixture.components,
            "attention": self.attention,
            "width": self.width,
            "dropout": self.dropout,
        }

    def see(self, features: Tensor, latent: Tensor) -> Seen:
        """Prepare a photo's map, (B, C, h, w), and its latent, (B, Z), once for all rows."""
        return Seen(features, _by_cell(features), _by_cell(self.key(features)), latent)

    def first_state(self, seen: Seen) -> State:
        """State before the first row."""
        output, cell = self.start(seen.latent).tanh()[None].chunk(2, -1)
        return output.contiguous(), cell.contiguous()

    def forward(self, seen: Seen, rows: Tensor, pen: Tensor, state: State) -> tuple[Mixture, Tensor, State]:
        """Distribution of the next row after each of T rows.

        Args:
            seen: The photos.
            rows: The rows before, (B, T, 5).
            pen: Where the pen stands after each of them, (B, T, 2), in sides of the unit square.
            state: State before the first of them.

        Returns:
            A mixture whose places are (B, T), the attention, (B, T, h, w), and the state after the last row.
        """
        if self.attention == "output":
            states, state = self._run(seen, rows, pen, under_pen(seen.map, pen), state)
            context, weights = self._attend(seen, states)
            looked = self.look(torch.cat([states, context], -1))
            numbers = self.head(states) + self.correction(looked)
        else:
            steps: list[Tensor] = []
            looks: list[Tensor] = []
            for row, place in zip(torch.split(rows, 1, 1), torch.split(pen, 1, 1), strict=True):
                context, look = self._attend(seen, state[0].transpose(0, 1))
                output, state = self._run(seen, row, place, context, state)
                steps.append(output)
                looks.append(look)
            numbers, weights = self.head(torch.cat(steps, 1)), torch.cat(looks, 1)
        return self.mixture(numbers), weights.reshape(*weights.shape[:2], *seen.map.shape[-2:]), state

    def _run(self, seen: Seen, rows: Tensor, pen: Tensor, context: Tensor, state: State) -> tuple[Tensor, State]:
        latent = seen.latent[:, None].expand(-1, rows.shape[1], -1)
        inputs = torch.cat([rows, pen - 0.5, context, latent], -1)
        # torch has no LSTM in bfloat16 for every CPU; and an error in a state would be carried through all later rows.
        with torch.autocast(inputs.device.type, enabled=False):
            outputs, state = self.lstm(F.dropout(inputs.float(), self.dropout, self.training), _float(state))
        return F.dropout(outputs, self.dropout, self.training), state

    def _attend(self, seen: Seen, states: Tensor) -> tuple[Tensor, Tensor]:
        """Attended features, (B, T, C), and weights, (B, T, hw), of states, (B, T, hidden)."""
        energy = (self.query(states)[:, :, None] + seen.keys[:, None]).tanh()
        weights = self.score(energy).squeeze(-1).float().softmax(-1)
        return weights.to(seen.cells.dtype) @ seen.cells, weights


def _float(state: State) -> State:
    return state[0].float(), state[1].float()


def _by_cell(features: Tensor) -> Tensor:
    return features.flatten(2).transpose(1, 2)


def under_pen(features: Tensor, pen: Tensor) -> Tensor:
    """Features of a map, (B, C, h, w), at places in the unit square, (B, T, 2), as (B, T, C).

    Interpolated between cells; a place outside of the map has the features of the nearest place of its edge.
    """
    grid = (2 * pen - 1)[:, :, None].to(features.dtype)
    found = F.grid_sample(features, grid, padding_mode="border", align_corners=False)
    return found.squeeze(-1).transpose(1, 2)


def start_row(batch: int, like: Tensor) -> Tensor:
    """The row before the first one, (B, 1, 5): no offset, the pen on the paper, as the published decoders have it."""
    row: Sequence[float] = (0, 0, 1, 0, 0)
    return like.new_tensor(row).expand(batch, 1, 5)
