import pytest
import torch
import torch.distributed as dist
from support.processes import run_processes
from torch import Tensor

from crossx.core.errors import InputError
from crossx.evaluation.functional import embedding_scores
from crossx.evaluation.metric import RetrievalMetric
from crossx.types import Modality

Batch = tuple[Modality, list[int]]
"""A modality and the places of its images."""

PHOTOS, SKETCHES, CLASSES = 31, 13, 3


def images(modality: Modality) -> tuple[Tensor, Tensor]:
    """Embeddings and labels of all images of a modality; every fifth photo equals its neighbour."""
    g = torch.Generator().manual_seed(0 if modality == "photo" else 1)
    n = PHOTOS if modality == "photo" else SKETCHES
    embeddings = torch.randn(n, 8, generator=g)
    embeddings[4::5] = embeddings[3::5][: len(embeddings[4::5])]
    return embeddings, torch.randint(CLASSES, (n,), generator=g)


def feed(metric: RetrievalMetric, batches: list[Batch]) -> None:
    for modality, places in batches:
        embeddings, labels = images(modality)
        indices = torch.tensor(places)
        metric.update(embeddings[indices], labels[indices], indices, modality)


def everything() -> list[Batch]:
    return [("photo", list(range(PHOTOS))), ("sketch", list(range(SKETCHES)))]


def expected() -> dict[str, float]:
    """The measures without any metric object, rounded to what float32 holds."""
    (photos, photo_labels), (sketches, sketch_labels) = images("photo"), images("sketch")
    summary = embedding_scores(sketches, photos, sketch_labels, photo_labels).summary()
    return {name: float(torch.tensor(value)) for name, value in summary.items()}


def computed(metric: RetrievalMetric) -> dict[str, float]:
    return {name: float(value) for name, value in metric.compute().items()}


def test_one_process_gives_what_the_function_gives() -> None:
    metric = RetrievalMetric()
    feed(metric, everything())
    values = metric.compute()
    assert all(value.dtype == torch.float32 and value.ndim == 0 for value in values.values())
    assert computed(metric) == expected()


def test_order_of_arrival_and_duplicates_do_not_matter() -> None:
    metric = RetrievalMetric(chunk_size=4)
    feed(
        metric,
        [
            ("photo", list(range(PHOTOS - 1, 10, -1))),
            ("sketch", [5, 3, 3]),
            ("photo", [0, 12, *range(11)]),
            ("sketch", [i for i in range(SKETCHES) if i != 3]),
        ],
    )
    assert computed(metric) == expected()


def test_reset_forgets_and_the_metric_can_be_used_again() -> None:
    metric = RetrievalMetric()
    feed(metric, [("photo", [0, 1]), ("sketch", [0])])
    metric.compute()
    metric.reset()
    feed(metric, everything())
    assert computed(metric) == expected()


def test_use_in_inference_mode_and_after_it() -> None:
    metric = RetrievalMetric()
    with torch.inference_mode():
        metric.reset()
        feed(metric, everything()[:1])
    feed(metric, everything()[1:])
    assert computed(metric) == expected()


def test_low_precision_embeddings_are_ranked_in_full_precision() -> None:
    metric = RetrievalMetric(prec_at=(1,))
    metric.update(torch.eye(2, dtype=torch.bfloat16), torch.tensor([0, 1]), torch.tensor([0, 1]), "photo")
    metric.update(torch.eye(2, dtype=torch.bfloat16), torch.tensor([0, 1]), torch.tensor([0, 1]), "sketch")
    assert computed(metric)["prec_at_1"] == 1.0


def test_images_come_in_the_order_of_their_indices() -> None:
    metric = RetrievalMetric()
    feed(metric, [("sketch", [4, 2, 2, 9])])
    embeddings, labels, indices = metric.images("sketch")
    assert indices.tolist() == [2, 4, 9]
    assert torch.equal(embeddings, images("sketch")[0][indices])
    assert torch.equal(labels, images("sketch")[1][indices])


def test_mistakes_are_named() -> None:
    x, label, index = torch.eye(2), torch.tensor([0, 1]), torch.tensor([0, 1])
    metric = RetrievalMetric()
    with pytest.raises(InputError, match="modality: must be one of photo, sketch; got 'drawing'"):
        metric.update(x, label, index, "drawing")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="embeddings, labels, indices: must have the shapes"):
        metric.update(x, label[:1], index, "photo")
    metric.update(x, label, index, "photo")
    with pytest.raises(InputError, match="width 3"):
        metric.update(torch.eye(3), torch.arange(3), torch.arange(3), "photo")
    with pytest.raises(InputError, match="queries"):
        metric.compute()  # no sketch
    metric.update(x, label, index, "sketch")
    metric.update(x, label.flip(0), index, "sketch")
    with pytest.raises(InputError, match="got sketch 0 with two labels"):
        metric.compute()


# Several processes. What each of them sees, by the number of processes:

SHARDS: dict[int, dict[str, list[list[Batch]]]] = {
    2: {
        "uneven": [
            [("photo", list(range(20))), ("sketch", list(range(10)))],
            [("photo", list(range(20, PHOTOS))), ("sketch", list(range(10, SKETCHES)))],
        ],
        "strided_and_padded": [
            [("photo", list(range(0, PHOTOS, 2))), ("sketch", list(range(0, SKETCHES, 2)))],
            [("photo", [*range(1, PHOTOS, 2), 0]), ("sketch", [*range(1, SKETCHES, 2), 0])],
        ],
        "photos_here_sketches_there": [everything()[1:], everything()[:1]],
    },
    3: {
        "first_sees_nothing": [
            [],
            [("photo", [4, 3]), ("sketch", list(range(SKETCHES)))],
            [("photo", list(range(PHOTOS)))],
        ],
        "last_sees_nothing": [everything(), [("sketch", [1])], []],
    },
}


def compute_shards(world: int) -> dict[str, dict[str, float]]:
    results = {}
    for name, shards in SHARDS[world].items():
        metric = RetrievalMetric(chunk_size=3)
        feed(metric, shards[dist.get_rank()])
        results[name] = computed(metric)
    return results


@pytest.mark.parametrize("world", SHARDS)
def test_several_processes_give_what_one_gives(world: int) -> None:
    for results in run_processes(world, compute_shards, world):
        assert results == dict.fromkeys(SHARDS[world], expected())
