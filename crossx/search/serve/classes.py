"""Queries for whole classes, so that a class can be asked for by its name: by keyboard, and without a drawing."""

import numpy as np

from crossx.core.errors import InputError
from crossx.search.card import F32
from crossx.search.predictor import REFERENCE, Predictor

_LEAST = 0.9
"""Correlation from which coordinates are a posterior; not 1, because a mirrored or softened one is another."""


def class_queries(predictor: Predictor) -> F32 | None:
    """Vectors as of sketches that show a class beyond doubt.

    A posterior within a vector has one coordinate a class and then one for each modality. The card tells where the
    latter are, because photo queries exchange them; the export's reference sketches prove that classes stand before.

    Args:
        predictor: The encoder.

    Returns:
        (U, D), rows of length 1; None where the vectors hold no posterior.

    Raises:
        InputError: When the reference cannot be read.
    """
    path, card = predictor.folder / REFERENCE, predictor.card
    try:
        with np.load(path, allow_pickle=False) as stored:
            images = stored["sketch_images"]
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise InputError(f"{path}: must hold the images that `crossx export` writes: {error}") from error
    vectors, posterior = predictor.embed(images, "sketch")
    if posterior is None:
        return None
    number = len(card.classes)
    queries = np.zeros((number, card.dim), np.float32)
    for pair in card.photo_query or ():
        end = min(pair)
        held = vectors[:, max(0, end - number) : end]
        if held.shape == posterior.shape and np.corrcoef(held.ravel(), posterior.ravel())[0, 1] >= _LEAST:
            length = np.linalg.norm(vectors[:, end - number : end + len(pair)], axis=1).mean()
            queries[:, end - number : end] = length * np.eye(number, dtype=np.float32)
    lengths = np.linalg.norm(queries, axis=1, keepdims=True)
    return queries / lengths if (lengths > 0).all() else None
