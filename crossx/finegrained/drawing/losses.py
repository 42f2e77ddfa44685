"""Losses of the generator: offsets, pen with the end row, and the latent's divergence with a floor."""

import torch
from torch import Tensor

from crossx.finegrained.drawing.mixture import Mixture

KL_FLOOR = 0.2
"""Divergence below which the latent is left alone, in nats a dimension (sketch-rnn, arXiv 1704.03477)."""


def counts(length: Tensor, rows: int) -> tuple[Tensor, Tensor]:
    """Masks of the rows that count, (B, L) each: those with a point, and those and the end row.

    Args:
        length: Points of each drawing, (B,).
        rows: Number L of rows, more than the largest length.
    """
    place = torch.arange(rows, device=length.device)
    return place < length[:, None], place <= length[:, None]


def drawing_loss(mixture: Mixture, rows: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
    """Negative log-likelihoods of drawings: of an offset a point, and of the pen a row.

    The pen's mean counts the end row, so that a generator learns to stop; the published code masks the end row and
    takes the length from the true sketch.

    Args:
        mixture: Distribution of each row, given those before it; its places are (B, L).
        rows: Drawings, (B, L, 5), L above the largest length.
        length: Points of each drawing, (B,).

    Returns:
        L_off and L_pen, scalars with gradient, in nats.
    """
    points, and_end = counts(length, rows.shape[1])
    offset = mixture.offset_log_prob(rows[..., :2])
    pen = mixture.pen_log_prob(rows[..., 2:])
    return -offset[points].sum() / points.sum().clamp(min=1), -pen[and_end].mean()


def drawing_log_prob(mixture: Mixture, rows: Tensor, length: Tensor, ended: Tensor | None = None) -> Tensor:
    """Log-probability of each drawing with its end row, (B,); rows behind the end count nothing.

    Args:
        mixture: As in `drawing_loss`.
        rows: As in `drawing_loss`.
        length: As in `drawing_loss`.
        ended: Whether the generator ended each drawing by itself, (B,) bool; the end row of one that was cut does not
            count. None stands for all.
    """
    points, and_end = counts(length, rows.shape[1])
    pen_counts = and_end if ended is None else torch.where(ended[:, None], and_end, points)
    offset, pen = mixture.offset_log_prob(rows[..., :2]), mixture.pen_log_prob(rows[..., 2:])
    # `where`, because the density of a row behind the end may be anything.
    return (torch.where(points, offset, 0.0) + torch.where(pen_counts, pen, 0.0)).sum(1)


def kl_divergence(mean: Tensor, log_var: Tensor) -> Tensor:
    """Divergence of the latent's distribution from a standard normal one, the mean over (B, Z), in nats a dimension."""
    return 0.5 * (mean.square() + log_var.exp() - log_var - 1).mean()


def with_floor(divergence: Tensor, floor: float = KL_FLOOR) -> Tensor:
    """The divergence, or the floor without gradient where the divergence is below it."""
    return torch.where(divergence > floor, divergence, torch.full_like(divergence, floor))
