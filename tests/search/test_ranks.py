"""Metric, exact search, an index at all probes, onnxruntime and torch rank photos alike."""

from pathlib import Path

import numpy as np
import pytest
import torch
from support.galleries import content

from crossx.data.shapes.dataset import ShapesDataset
from crossx.evaluation.ranking import cosine_scores, first_photos, scored_chunks
from crossx.search.gallery.local import LocalGallery
from crossx.search.gallery.rows import F32, Photo
from crossx.search.opening import identity
from crossx.search.predictor import Predictor

pytest_plugins = ["support.serving"]
EACH, FIRST, TIE = 30, 10, 1e-6


@pytest.fixture(scope="module")
def images() -> dict[str, np.ndarray]:
    data = ShapesDataset(train=0, validation=0, test=EACH)
    sides = {modality: data.images(modality, "test") for modality in ("photo", "sketch")}
    return {name: torch.stack([side.image(i) for i in range(len(side))]).numpy() for name, side in sides.items()}


@pytest.fixture(scope="module")
def gallery(predictor: Predictor, images: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of shapes; ids are their places and one more."""
    folder = tmp_path_factory.mktemp("ranks") / "g"
    vectors = predictor.embed_photos(images["photo"])
    rows = [Photo("/p", f"{i:04}", 1, 1, content(0, i), 32, 32, vector) for i, vector in enumerate(vectors)]
    with LocalGallery(folder, write=True, encoder=identity(predictor.card)) as opened:
        assert opened.add(rows) == list(range(1, len(rows) + 1))
        opened.choose("ivf")
        opened.set_probes(predictor.embed_sketches(images["sketch"][:50]))
        assert opened.rebuild() is not None
    return folder


def found(gallery: LocalGallery, queries: F32) -> np.ndarray:
    return np.array([[hit.id - 1 for hit in hits] for hits in gallery.search(queries, FIRST, exact=True)])


def assert_same(places: np.ndarray, expected: np.ndarray, scores: np.ndarray) -> None:
    """The same photos at each place, unless their scores are a tie."""
    rows = np.arange(len(scores))[:, None]
    assert places.shape == expected.shape
    assert np.abs(scores[rows, places] - scores[rows, expected]).max() <= TIE
    assert (places == expected).mean() > 0.9  # and ties are few


def test_search_and_metric_rank_alike(predictor: Predictor, images: dict[str, np.ndarray], gallery: Path) -> None:
    queries, photos = predictor.embed_sketches(images["sketch"]), predictor.embed_photos(images["photo"])
    scores = queries.astype(np.float64) @ photos.T.astype(np.float64)
    labels = torch.arange(10).repeat_interleave(EACH)
    product = cosine_scores(torch.from_numpy(queries), torch.from_numpy(photos))
    chunks = scored_chunks(product, labels, labels, 64)
    by_metric = torch.cat([first_photos(chunk, FIRST).gallery for chunk in chunks]).numpy()
    with LocalGallery(gallery) as opened:
        assert opened.status().kind == "ivf"
        by_index = found(opened, queries)
    with LocalGallery(gallery, write=True) as writer:
        writer.choose("exact")
    with LocalGallery(gallery) as opened:
        assert opened.status().kind == "exact"
        by_search = found(opened, queries)
    with LocalGallery(gallery, write=True) as writer:
        writer.choose("ivf")
    by_torch = Predictor(predictor.folder, backend="torch")
    torch_queries, torch_photos = by_torch.embed_sketches(images["sketch"]), by_torch.embed_photos(images["photo"])
    assert np.array_equal(by_search, by_index)
    assert_same(by_search, by_metric, scores)
    assert_same(by_search, by_torch.rank(torch_queries, torch_photos, FIRST)[0], scores)


def test_photo_queries_are_better_with_the_modalities_exchanged(
    predictor: Predictor, images: dict[str, np.ndarray]
) -> None:
    vectors = predictor.embed_photos(images["photo"])
    labels = np.arange(10).repeat(EACH)

    def precision(queries: F32) -> float:
        scores = queries @ vectors.T
        np.fill_diagonal(scores, -np.inf)
        first = np.argsort(-scores, axis=1, kind="stable")[:, :FIRST]
        return float((labels[first] == labels[:, None]).mean())

    exchanged = precision(predictor.as_photo_query(vectors))
    assert exchanged >= precision(vectors)
    assert exchanged > 0.8
