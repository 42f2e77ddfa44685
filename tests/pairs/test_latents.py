import numpy as np
import pytest
import torch
from lightning.fabric.utilities import move_data_to_device
from numpy.typing import NDArray
from torch.utils.data import DataLoader

import crossx.pairs.latents
from crossx.core.batches import stack
from crossx.pairs.latents import LatentDataset, LatentSampler, collate
from crossx.types import LatentBatch


def same(a: LatentBatch, b: LatentBatch) -> bool:
    return torch.equal(a.index, b.index) and torch.equal(a.noise, b.noise) and torch.equal(a.uniform, b.uniform)


def indices(replicas: int, rank: int, batch_size: int, length: int, done: int = 0) -> list[int]:
    return list(LatentSampler(LatentDataset(0, 1, length), replicas, rank, batch_size, lambda: done))


def test_latent_is_a_function_of_seed_and_index_alone() -> None:
    first = LatentDataset(seed=3, latent_dim=5, length=10)[7]
    torch.manual_seed(99)
    np.random.default_rng(99).random()
    again = LatentDataset(seed=3, latent_dim=5, length=1000)
    _ = [again[i] for i in range(6)]
    assert same(first, again[7])
    assert first.index == 7
    assert not same(first, LatentDataset(4, 5, 10)[7])
    others = [LatentDataset(3, 5, 10)[i] for i in range(7)]
    assert all(not torch.equal(first.noise, other.noise) and first.uniform != other.uniform for other in others)


def test_longer_noise_begins_like_shorter_noise() -> None:
    assert torch.equal(LatentDataset(0, 8, 1)[0].noise[:3], LatentDataset(0, 3, 1)[0].noise)


def test_stream_has_no_end() -> None:
    item = LatentDataset(0, 2, length=4)[10**15]
    assert item.index.item() == 10**15
    assert item.index.dtype == torch.int64


def test_distributions() -> None:
    latents = LatentDataset(0, 16, 2000)
    batch = latents.__getitems__(list(range(2000)))
    assert batch.noise.dtype == batch.uniform.dtype == torch.float32
    assert batch.noise.mean().item() == pytest.approx(0, abs=0.02)
    assert batch.noise.std().item() == pytest.approx(1, abs=0.02)
    assert torch.histc(batch.uniform, 10, 0, 1).sub(200).abs().max() < 60  # 4.5 standard deviations
    correlation = torch.corrcoef(torch.cat([batch.noise, batch.uniform[:, None]], 1).T) - torch.eye(17)
    assert correlation.abs().max() < 0.1


def test_uniform_number_never_reaches_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A float64 just below 1 is 1.0 when it is rounded to float32: once in 30 million latents."""

    class Draw:
        def standard_normal(self, size: tuple[int, int], dtype: type[np.float32]) -> NDArray[np.float32]:
            return np.zeros(size, dtype)

        def random(self, size: int) -> NDArray[np.float64]:
            return np.full(size, 1 - 1e-12)

    monkeypatch.setattr(crossx.pairs.latents, "philox", lambda *_: Draw())
    assert LatentDataset(0, 2, 1)[0].uniform < 1


@pytest.mark.parametrize("indices", [[0], [5, 3, 5], [63, 64], [10**9, 2, 130, 1]])
def test_batch_holds_the_latents_one_by_one(indices: list[int]) -> None:
    """Also across the blocks that one generator draws, in any order, and twice the same."""
    latents = LatentDataset(7, 4, 1)
    batch = latents.__getitems__(indices)
    assert same(batch, stack([latents[i] for i in indices]))
    assert batch.index.tolist() == indices


def test_no_copy_to_a_gpu_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []

    def to(self: torch.Tensor, device: torch.device, non_blocking: bool) -> torch.Tensor:
        asked.append((device.type, non_blocking))
        return self

    monkeypatch.setattr(torch.Tensor, "to", to)
    move_data_to_device(LatentDataset(0, 4, 1).__getitems__([3, 4]), torch.device("cuda", 0))
    assert asked == [("cuda", True)] * 2


def test_places_stay_on_the_cpu() -> None:
    latents = LatentDataset(0, 4, 1).__getitems__([3, 4])
    for moved in (latents.to(torch.device("meta")), move_data_to_device(latents, torch.device("meta"))):
        assert (moved.noise.device.type, moved.uniform.device.type) == ("meta", "meta")
        assert moved.index.tolist() == [3, 4]
        assert moved.photo is None
    assert same(latents, LatentDataset(0, 4, 1).__getitems__([3, 4])), "the batch itself stays what it is"


@pytest.mark.parametrize("done", [0, 3])
@pytest.mark.parametrize("replicas", [1, 2, 3])
def test_batches_of_all_ranks_are_the_batch_of_one(replicas: int, done: int) -> None:
    size, batches = 4, 5
    length = size * replicas * batches
    one = indices(1, 0, size * replicas, length, done)
    assert one == list(range(done * size * replicas, done * size * replicas + length))
    ranks = [indices(replicas, rank, size, length, done) for rank in range(replicas)]
    for i in range(batches):
        together = sorted(index for rank in ranks for index in rank[i * size : (i + 1) * size])
        assert together == one[i * size * replicas : (i + 1) * size * replicas]
    assert [rank[:2] for rank in ranks] == [[one[r], one[r + replicas]] for r in range(replicas)]


def test_sampler_asks_anew_where_to_start() -> None:
    done = 0
    sampler = LatentSampler(LatentDataset(0, 1, 8), 1, 0, 2, lambda: done)
    assert list(sampler) == list(range(8))
    done = 4
    assert list(sampler) == list(range(8, 16))
    sampler.set_epoch(5)  # what Lightning does at each epoch's start; the stream has no epochs
    assert list(sampler) == list(range(8, 16))
    assert len(sampler) == 8


def test_workers_read_the_same_latents() -> None:
    latents = LatentDataset(1, 3, 12)
    batches = [list(DataLoader(latents, 4, num_workers=workers, collate_fn=collate)) for workers in (0, 1)]
    assert all(same(a, b) for a, b in zip(*batches, strict=True))
    assert same(batches[0][1], latents.__getitems__([4, 5, 6, 7]))
