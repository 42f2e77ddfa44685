import pytest
import torch
import torch.distributed as dist
from support.processes import run_processes
from torch import Tensor

from crossx.core.errors import InputError
from crossx.evaluation.instance_metric import InstanceMetric
from crossx.evaluation.instances import instance_scores
from crossx.evaluation.ranking import cosine_scores
from crossx.types import Modality

Batch = tuple[Modality, list[int]]
PHOTOS, SKETCHES = 23, 31


def own() -> Tensor:
    return torch.arange(SKETCHES) * 7 % PHOTOS


def embeddings(modality: Modality) -> Tensor:
    """Embeddings of all images; some photos are equal, so that there are ties."""
    g = torch.Generator().manual_seed(0)
    photos = torch.randn(PHOTOS, 4, generator=g)
    photos[4::5] = photos[3::5][: len(photos[4::5])]
    return photos if modality == "photo" else photos[own()] + torch.randn(SKETCHES, 4, generator=g)


def feed(metric: InstanceMetric, batches: list[Batch]) -> None:
    for modality, places in batches:
        i = torch.tensor(places)
        photo = i if modality == "photo" else own()[i]
        metric.update(embeddings(modality)[i], photo % 3, i, modality, instances=photo, galleries=photo % 3 // 2)


def everything() -> list[Batch]:
    return [("photo", list(range(PHOTOS))), ("sketch", list(range(SKETCHES)))]


def expected() -> dict[str, float]:
    """The measures without any metric object, rounded to what float32 holds."""
    photo, mine = torch.arange(PHOTOS), own()
    scores = cosine_scores(embeddings("sketch"), embeddings("photo"))
    found = instance_scores(scores, mine, mine % 3, photo % 3, mine % 3 // 2, photo % 3 // 2).summary()
    return {name: float(torch.tensor(value)) for name, value in {**found, "map_all": found["mrr"]}.items()}


def computed(metric: InstanceMetric) -> dict[str, float]:
    return {name: float(value) for name, value in metric.compute().items()}


def test_the_measures_are_those_of_the_function() -> None:
    metric = InstanceMetric()
    feed(metric, everything())
    assert computed(metric) == expected()
    assert metric.by_sketch is not None
    assert metric.by_query is not None
    torch.testing.assert_close(metric.by_query.ap_all, 1 / metric.by_sketch.ranks.double())
    assert torch.equal(metric.by_query.label, own() % 3)
    assert torch.equal(metric.by_sketch.own, own())


def test_order_chunks_and_duplicates_do_not_matter_and_reset_forgets() -> None:
    metric = InstanceMetric(chunk_size=4)
    feed(metric, [("photo", [0, 1])])
    metric.reset()
    parts: list[Batch] = [
        ("sketch", list(range(20, SKETCHES))),
        ("photo", [*range(9, PHOTOS), 9]),
        ("sketch", [*range(20), 3]),
        ("photo", list(range(9))),
    ]
    feed(metric, parts)
    assert computed(metric) == expected()


def test_sketches_whose_photo_was_not_measured_are_left_out_and_counted() -> None:
    metric = InstanceMetric()
    few = [4, 8, 11, 15, 20]
    feed(metric, [("photo", few), ("sketch", list(range(SKETCHES)))])
    values = computed(metric)
    counted = [i for i in range(SKETCHES) if int(own()[i]) in few]
    assert values["queries_without_relevant"] == SKETCHES - len(counted)
    assert metric.by_sketch is not None
    assert torch.equal(torch.tensor(few)[metric.by_sketch.own], own()[counted])
    assert metric.by_query is not None
    assert int(metric.by_query.ap_all.isnan().sum()) == SKETCHES - len(counted)


def in_a_process() -> dict[str, float]:
    rank, metric = dist.get_rank(), InstanceMetric()
    photos, sketches = list(range(PHOTOS)), list(range(SKETCHES))
    # Padded as a distributed sampler does.
    feed(metric, [("photo", (photos + photos[:1])[rank::2]), ("sketch", (sketches + sketches[:1])[rank::2])])
    return computed(metric)


def test_two_processes_give_the_measures_of_one() -> None:
    assert run_processes(2, in_a_process) == [expected()] * 2


def test_mistakes() -> None:
    metric = InstanceMetric()
    i = torch.arange(2)
    with pytest.raises(InputError, match=r"^instances: must have the shape \(2,\), got None$"):
        metric.update(torch.ones(2, 3), i, i, "photo")
    feed(metric, [("photo", [0, 1]), ("sketch", [1])])  # sketch 1 belongs to photo 7
    with pytest.raises(InputError, match="must measure the photo of at least one sketch"):
        metric.compute()
    metric.update(torch.ones(1, 4), torch.tensor([0]), torch.tensor([2]), "photo", torch.tensor([0]))
    with pytest.raises(InputError, match="photos must have a number each, got 0 for two photos"):
        metric.compute()
