"""The photo-to-sketch generator: photo to a drawing, row by row."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.core.factories import complete
from crossx.finegrained.drawing.decoder import StrokeDecoder, start_row
from crossx.finegrained.drawing.losses import counts, drawing_log_prob
from crossx.finegrained.drawing.mixture import Mixture
from crossx.finegrained.drawing.photo_encoder import PhotoEncoder2D
from crossx.finegrained.types import Drawing, FiveBatch
from crossx.strokes.five import CENTRE, END

MOST_POINTS = 250
"""Largest number of points that a generator may be asked for."""


class Taught(NamedTuple):
    """What the generator says about given drawings.

    Attributes:
        mixture: Distribution of each row given the true ones before it; its places are (B, L).
        rows: The drawings in the generator's own scale, (B, L, 5).
        mean: Mean of the latent, (B, Z).
        log_var: Logarithm of the latent's variance, (B, Z).
    """

    mixture: Mixture
    rows: Tensor
    mean: Tensor
    log_var: Tensor


class DrawingGenerator(nn.Module):
    """Draws photos: an encoder of the photo, a latent, and a decoder of strokes (arXiv 2103.13990).

    Args:
        encoder: Encoder of the photo.
        decoder: Decoder of strokes, or a factory that takes `channels` and `latent`.
        latent: Length Z of the latent, at least 1.
        max_points: Number of points at which a drawing that does not end by itself is cut, in [1, 250].

    Attributes:
        scale: Length that counts as 1 in its rows, in sides of the unit square; 0 until the first drawings or a file
            have told it.

    Raises:
        InputError: When a number is out of range, or the decoder cannot be built.
    """

    scale: Tensor

    def __init__(
        self,
        encoder: PhotoEncoder2D,
        decoder: StrokeDecoder | Callable[[int, int], StrokeDecoder],
        latent: int = 128,
        max_points: int = 120,
    ) -> None:
        super().__init__()
        must_be_in("latent", latent, "[1, inf)")
        must_be_in("max_points", max_points, f"[1, {MOST_POINTS}]")
        self.encoder = encoder
        self.max_points = max_points
        self.mean = nn.Linear(encoder.channels, latent)
        self.log_var = nn.Linear(encoder.channels, latent)
        nn.init.zeros_(self.log_var.weight)  # the largest features are large, and the variance is their exponential
        nn.init.zeros_(self.log_var.bias)
        self.decoder = complete("decoder", decoder, StrokeDecoder, channels=encoder.channels, latent=latent)
        self.register_buffer("scale", torch.tensor(0.0))

    @property
    def latent(self) -> int:
        """Length Z of the latent."""
        return self.mean.out_features

    def forward(self, photos: Tensor, drawings: FiveBatch) -> Taught:
        """Say how likely each row of given drawings is, given the photo and the true rows before it.

        Args:
            photos: (B, 3, H, W) in [0, 1].
            drawings: One drawing a photo, each with its end row.
        """
        if float(self.scale) == 0:
            self.scale.fill_(drawings.scale)
        rows = self.own_rows(drawings)
        features, pooled = self.encoder(photos)
        mean, log_var = self.mean(pooled), self.log_var(pooled)
        latent = mean + (0.5 * log_var).exp() * torch.randn_like(mean) if self.training else mean
        return Taught(self._teach(features, latent, rows)[0], rows, mean.float(), log_var.float())

    def own_rows(self, drawings: FiveBatch) -> Tensor:
        """Rows in the generator's own scale, (B, L, 5), with an end row behind the longest drawing too."""
        rows = drawings.rows
        if int(drawings.length.max()) >= rows.shape[1]:
            rows = torch.cat([rows, rows.new_tensor([0, 0, 0, 0, 1]).expand(len(rows), 1, 5)], 1)
        return torch.cat([rows[..., :2] * (drawings.scale / self.scale), rows[..., 2:]], -1)

    def _teach(self, features: Tensor, latent: Tensor, rows: Tensor) -> tuple[Mixture, Tensor]:
        seen = self.decoder.see(features, latent)
        before = torch.cat([start_row(len(rows), rows), rows[:, :-1]], 1)
        pen = CENTRE + self.scale * before[..., :2].cumsum(1)
        mixture, attention, _ = self.decoder(seen, before, pen, self.decoder.first_state(seen))
        return mixture, attention

    def log_prob(self, photos: Tensor, rows: Tensor, length: Tensor, ended: Tensor | None = None) -> Drawing:
        """Log-probability, entropy and attention of drawings in the generator's own scale, with gradient.

        The distribution is the one that `draw` draws from at temperature 1: the latent is its mean, nothing is dropped,
        and normalisation uses running statistics.

        Args:
            photos: (B, 3, H, W) in [0, 1].
            rows: (B, L, 5); behind the length, whatever stands there.
            length: Points of each drawing, (B,), below L or equal to it.
            ended: See `drawing_log_prob`.

        Returns:
            A drawing with the given rows.
        """
        padded = self.own_rows(FiveBatch(rows, length, float(self.scale)))
        with as_it_draws(self):
            features, pooled = self.encoder(photos)
            mixture, attention = self._teach(features, self.mean(pooled), padded)
        log_prob = drawing_log_prob(mixture, padded, length, ended)
        points, and_end = counts(length, padded.shape[1])
        counted = and_end if ended is None else torch.where(ended[:, None], and_end, points)
        entropy = (mixture.pen_entropy() * counted).sum(1) / counted.sum(1).clamp(min=1)
        ended = torch.ones_like(length, dtype=torch.bool) if ended is None else ended
        return Drawing(rows, length, ended, log_prob, entropy, attention)

    @torch.no_grad()
    def draw(
        self,
        photos: Tensor,
        temperature: float = 0.3,
        generator: torch.Generator | None = None,
        greedy: bool = False,
        max_points: int | None = None,
        noise: Tensor | None = None,
    ) -> Drawing:
        """Draw photos, without gradient.

        Args:
            photos: (B, 3, H, W) in [0, 1].
            temperature: How varied the drawings are, in (0, inf); 1 draws from the distribution itself.
            generator: Source of the random numbers, on the CPU; None stands for torch's own.
            greedy: Take the most likely row in place of a drawn one.
            max_points: Points at which a drawing is cut, in [1, 250]; None for the generator's own number.
            noise: Random numbers of each drawing, (B, max_points, 4), as `drawing_noise` makes them, so that a
                photo's drawing does not depend on the photos beside it.

        Returns:
            Drawings with their attention; `log_prob` is that of temperature 1, `rows` are in the generator's own scale.

        Raises:
            InputError: When a number is out of range, or the generator has never seen a drawing.
        """
        must_be_in("temperature", temperature, "(0, inf)")
        most = self.max_points if max_points is None else max_points
        must_be_in("max_points", most, f"[1, {MOST_POINTS}]")
        if float(self.scale) == 0:
            raise InputError("generator: must be trained or read from a file before it draws")
        if noise is None:
            noise = _noise(len(photos), most, generator)
        noise = noise.to(photos.device)
        with as_it_draws(self):
            return self._draw(photos, noise, None if greedy else temperature, most)

    def _draw(self, photos: Tensor, noise: Tensor, temperature: float | None, most: int) -> Drawing:
        features, pooled = self.encoder(photos)
        seen = self.decoder.see(features, self.mean(pooled))
        state = self.decoder.first_state(seen)
        batch = len(photos)
        row = start_row(batch, photos)
        pen = photos.new_full((batch, 1, 2), CENTRE)
        alive = torch.ones(batch, dtype=torch.bool, device=photos.device)
        length, log_prob, entropy = (photos.new_zeros(batch) for _ in range(3))
        rows, looks = [], []
        for at in range(most):
            mixture, attention, state = self.decoder(seen, row, pen, state)
            row = mixture.most_likely() if temperature is None else mixture.draw(noise[:, at, None], temperature)
            row[~alive] = row.new_tensor([0, 0, 0, 0, 1])
            ends = row[:, 0, END] == 1
            offset = mixture.offset_log_prob(row[..., :2])[:, 0]
            log_prob += torch.where(alive, mixture.pen_log_prob(row[..., 2:])[:, 0], 0.0)
            log_prob += torch.where(ends, 0.0, offset)
            entropy += torch.where(alive, mixture.pen_entropy()[:, 0], 0.0)
            length += ~ends
            alive = alive & ~ends
            pen = pen + self.scale * row[..., :2]
            rows.append(row)
            looks.append(attention)
            if not alive.any():
                break
        drawn = torch.cat(rows, 1)
        counted = length + ~alive
        return Drawing(drawn, length.long(), ~alive, log_prob, entropy / counted, torch.cat(looks, 1))


def drawing_noise(sources: Sequence[np.random.Generator], max_points: int) -> Tensor:
    """Random numbers for `DrawingGenerator.draw`, (B, max_points, 4): those of a drawing depend on its source alone.

    Args:
        sources: One a drawing, such as `philox(seed, photo, stream)`.
        max_points: Largest number of points.
    """
    drawn = [np.concatenate([s.random((max_points, 2)), s.standard_normal((max_points, 2))], 1) for s in sources]
    return torch.from_numpy(np.stack(drawn).astype(np.float32))


def _noise(batch: int, most: int, generator: torch.Generator | None) -> Tensor:
    uniform = torch.rand(batch, most, 2, generator=generator)
    return torch.cat([uniform, torch.randn(batch, most, 2, generator=generator)], -1)


@contextmanager
def as_it_draws(module: nn.Module) -> Iterator[None]:
    """Switch dropout off and normalise by running statistics, for the length of the block.

    The LSTM itself, which has neither, stays in its mode: cuDNN computes no gradient of one in eval mode.
    """
    modes = {part: part.training for part in module.modules()}
    try:
        for part in modes:
            part.training = part.training and isinstance(part, nn.LSTM)
        yield
    finally:
        for part, training in modes.items():
            part.training = training
