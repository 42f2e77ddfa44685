"""Where the class probabilities are in an encoder's vectors, so that a class can be asked for by its name."""

import numpy as np

from crossx.core.errors import InputError
from crossx.search.predictor import REFERENCE, Predictor

_LEAST = 0.9
"""Correlation from which coordinates are the posterior; a mirrored encoder's are those of two images."""


def first_class_axis(predictor: Predictor) -> int | None:
    """First coordinate of the posterior in an encoder's vectors; the other classes follow it.

    A posterior's vector has one coordinate a class and then one a modality, and the card tells where the latter are,
    because photo queries exchange them. The export's reference sketches prove it.

    Args:
        predictor: The encoder.

    Returns:
        The coordinate; None where the vectors hold no posterior, or the encoder knows no classes.

    Raises:
        InputError: When the reference cannot be read.
    """
    card = predictor.card
    try:
        with np.load(predictor.folder / REFERENCE, allow_pickle=False) as stored:
            embedded = predictor.embed(stored["sketch_images"], "sketch")
    except (OSError, ValueError, KeyError, EOFError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{predictor.folder / REFERENCE}: must be what `crossx export` writes: {error}") from error
    posterior = embedded.posterior
    if posterior is None:
        return None
    for own, _ in card.photo_query or ():
        first = own - len(card.classes)
        if first < 0:
            continue
        held = embedded.vectors[:, first:own]
        if np.corrcoef(held.ravel(), posterior.ravel())[0, 1] >= _LEAST:
            return first
    return None
