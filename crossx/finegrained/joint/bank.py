"""The bank of drawings: what the generator drew of unlabelled photos, as a part of the training's state."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.finegrained.types import FiveBatch

STEP = 2.0**-13
"""Unit of the stored positions in sides of the unit square: four steps a pixel at 2,048 pixels."""
_FARTHEST = 2**14
"""Largest stored offset in steps, two sides: what is farther lies outside of every picture."""


@dataclass
class CodedDrawings:
    """B drawings in few bytes, padded.

    Attributes:
        offset: Offsets of the points in steps, (B, P, 2) int16.
        lift: Whether a point ends a stroke, (B, P) uint8.
        length: Points of each drawing, (B,) int64.
        certainty: How far each drawing can be trusted, (B,) float32.
    """

    offset: Tensor
    lift: Tensor
    length: Tensor
    certainty: Tensor

    def packed(self, points: int) -> Tensor:
        """All as one matrix, (B, 3 * points + 2) float64, which holds each number exactly; P must not exceed points."""
        room = (0, points - self.lift.shape[1])
        offset = pad(self.offset.double(), (0, 0, *room)).flatten(1)
        numbers = torch.stack([self.length.double(), self.certainty.double()], 1)
        return torch.cat([offset, pad(self.lift.double(), room), numbers], 1)

    @classmethod
    def unpacked(cls, packed: Tensor) -> "CodedDrawings":
        """Undo `packed`."""
        points = (packed.shape[1] - 2) // 3
        return cls(
            packed[:, : 2 * points].reshape(-1, points, 2).to(torch.int16),
            packed[:, 2 * points : -2].to(torch.uint8),
            packed[:, -2].long(),
            packed[:, -1].float(),
        )


def encode_drawings(rows: Tensor, length: Tensor, certainty: Tensor, scale: float) -> CodedDrawings:
    """Code drawings; positions, and not offsets, are rounded, so that errors do not add up along a drawing.

    Args:
        rows: (B, L, 5) as in `FiveBatch`.
        length: Rows before the end row, (B,).
        certainty: (B,).
        scale: Length that counts as 1 in the rows, in sides of the unit square.
    """
    counts = torch.arange(rows.shape[1], device=rows.device) < length[:, None]
    offset = (rows[..., :2] * counts[..., None]).double() * scale
    place = (offset.clamp(-_FARTHEST * STEP, _FARTHEST * STEP).cumsum(1) / STEP).round()
    coded = torch.diff(place, dim=1, prepend=torch.zeros_like(place[:, :1])).clamp(-_FARTHEST, _FARTHEST)
    lift = (rows[..., 2:].argmax(-1) == 1) & counts
    return CodedDrawings(coded.to(torch.int16), lift.to(torch.uint8), length, certainty.float())


def decode_drawings(coded: CodedDrawings, scale: float) -> FiveBatch:
    """Rows of coded drawings, padded with end rows; one row more than the coded points."""
    counts = torch.arange(coded.offset.shape[1], device=coded.offset.device) < coded.length[:, None]
    lift = coded.lift.bool() & counts
    pen = torch.stack([counts & ~lift, lift, ~counts], -1)
    rows = torch.cat([coded.offset.float() * (STEP / scale) * counts[..., None], pen.float()], -1)
    end = rows.new_tensor([0.0, 0.0, 0.0, 0.0, 1.0]).expand(len(rows), 1, 5)
    return FiveBatch(torch.cat([rows, end], 1), coded.length, scale)


class SketchBank:
    """Drawings of unlabelled photos by the photos' places in the list of training photos.

    A photo is drawn when it comes along and has no drawing of the present round. The weights that drew it are gone by
    the time of a resume, so the drawings are in the checkpoint: 5 bytes a point, about 5 MB for 20,000 photos.

    A plain object and no buffers: DDP would send all of it at each step.

    Args:
        refresh: Batches a round, at least 1.

    Raises:
        InputError: When `refresh` is below 1.
    """

    def __init__(self, refresh: int = 200) -> None:
        must_be_in("bank.refresh", refresh, "[1, inf)")
        self.refresh = refresh
        self._drawings: dict[int, _Stored] = {}

    def __len__(self) -> int:
        return len(self._drawings)

    def round_of(self, done: int) -> int:
        """Number of the round after `done` batches, from 0."""
        return done // self.refresh

    def due(self, instance: Tensor, done: int) -> Tensor:
        """Which photos have no drawing of the present round, (F,) bool on the CPU."""
        now = self.round_of(done)
        stored = (self._drawings.get(i) for i in instance.tolist())
        return torch.tensor([drawing is None or drawing.round < now for drawing in stored], dtype=torch.bool)

    def put(self, instance: Tensor, coded: CodedDrawings, done: int) -> None:
        """Keep drawings of the present round.

        Args:
            instance: Places of the photos, (F,) int64.
            coded: Their drawings.
            done: Batches done.
        """
        offset, lift = coded.offset.cpu().numpy(), coded.lift.cpu().numpy()
        numbers = zip(instance.tolist(), coded.length.tolist(), coded.certainty.tolist(), strict=True)
        for row, (i, length, certainty) in enumerate(numbers):
            kept = offset[row, :length].copy(), lift[row, :length].copy()
            self._drawings[i] = _Stored(self.round_of(done), *kept, certainty)

    def get(self, instance: Tensor) -> CodedDrawings:
        """Return the drawings of photos, (F,), on their device.

        Raises:
            KeyError: When a photo has no drawing; `put` comes first.
        """
        found = [self._drawings[i] for i in instance.tolist()]
        most = max(len(drawing.lift) for drawing in found)
        offset, lift = np.zeros((len(found), most, 2), np.int16), np.zeros((len(found), most), np.uint8)
        for row, drawing in enumerate(found):
            offset[row, : len(drawing.lift)], lift[row, : len(drawing.lift)] = drawing.offset, drawing.lift
        device = instance.device
        return CodedDrawings(
            torch.from_numpy(offset).to(device),
            torch.from_numpy(lift).to(device),
            torch.tensor([len(drawing.lift) for drawing in found], device=device),
            torch.tensor([drawing.certainty for drawing in found], device=device),
        )

    def state_dict(self) -> dict[str, Tensor]:
        """All drawings as a few tensors, for a checkpoint."""
        stored = list(self._drawings.values())
        empty = _Stored(0, np.zeros((0, 2), np.int16), np.zeros(0, np.uint8), 0.0)
        return {
            "instance": torch.tensor(list(self._drawings), dtype=torch.int64),
            "round": torch.tensor([drawing.round for drawing in stored], dtype=torch.int64),
            "length": torch.tensor([len(drawing.lift) for drawing in stored], dtype=torch.int64),
            "certainty": torch.tensor([drawing.certainty for drawing in stored], dtype=torch.float64),
            "offset": torch.from_numpy(np.concatenate([drawing.offset for drawing in [*stored, empty]])),
            "lift": torch.from_numpy(np.concatenate([drawing.lift for drawing in [*stored, empty]])),
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take up the drawings of a checkpoint in place of those that there are.

        Raises:
            InputError: When the tensors do not make a bank.
        """
        lengths = state["length"].tolist() if "length" in state else None
        if lengths is None or state.keys() != self.state_dict().keys() or sum(lengths) != len(state["offset"]):
            raise InputError("--ckpt_path: must hold a whole bank of drawings, got other tensors; train from the start")
        offsets, lifts = (torch.split(state[name], lengths) for name in ("offset", "lift"))
        columns = (state["instance"].tolist(), state["round"].tolist(), offsets, lifts, state["certainty"].tolist())
        self._drawings = {
            i: _Stored(number, offset.numpy().copy(), lift.numpy().copy(), certainty)
            for i, number, offset, lift, certainty in zip(*columns, strict=True)
        }


@dataclass
class _Stored:
    """One drawing: the round in which it was drawn, offsets (P, 2) int16, ends of strokes (P,) uint8, certainty."""

    round: int
    offset: "np.ndarray[tuple[int, int], np.dtype[np.int16]]"
    lift: "np.ndarray[tuple[int], np.dtype[np.uint8]]"
    certainty: float
