from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from support.runs import CLASSES, Teachers, data, encoding, reconstruction, trainer
from torch import Tensor
from torch.utils.data import Dataset

from crossx.core.errors import InputError
from crossx.cotraining.module import CoTrainingModule
from crossx.cotraining.schedule import Schedule
from crossx.pairs.latents import LatentDataset
from crossx.pairs.replay import Replay, rings
from crossx.pairs.sources import LivePairs
from crossx.types import LatentBatch, PairBatch, PairSource, TeacherOutput

U = len(CLASSES)


class Numbered(PairSource):
    """Pairs that show their latents' indices, in images, logits and features."""

    latent_dim = 2
    num_classes = U

    def __init__(self, label: Callable[[Tensor], Tensor] = lambda index: index % U) -> None:
        self.label = label
        self.asked: list[int] = []

    def sample(self, latents: LatentBatch) -> PairBatch:
        index = latents.index
        self.asked.append(len(index))
        photo = (index % 256 / 255)[:, None, None, None].expand(-1, 3, 4, 4)
        of_photo = TeacherOutput(index[:, None].float().expand(-1, U), index[:, None].float().expand(-1, 3))
        of_sketch = TeacherOutput(-of_photo.logits, -of_photo.features)
        return PairBatch(photo, 1 - photo, of_photo, of_sketch, self.label(index))


def batch(first: int, count: int) -> LatentBatch:
    index = torch.arange(first, first + count)
    return LatentBatch(index, torch.zeros(count, 2), torch.zeros(count))


def numbers(pairs: PairBatch) -> list[int]:
    return [int(row) for row in pairs.photo_teacher.logits[:, 0]]


def replayed(source: Numbered | None = None, share: float = 0.5, size: int = 4 * U) -> Replay:
    return Replay(source or Numbered(), share, size)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, 1.5, float("nan")])
def test_share_out_of_range(share: float) -> None:
    with pytest.raises(InputError, match=rf"^replay\.share: must be in \(0, 1\), got {share}$"):
        Replay(Numbered(), share=share)


def test_size_out_of_range() -> None:
    with pytest.raises(InputError, match=r"^replay\.size: must be at least 1, got 0$"):
        Replay(Numbered(), size=0)
    with pytest.raises(InputError, match=rf"^replay\.size: must be at least {U}, one pair a class, got {U - 1}$"):
        replayed(size=U - 1)
    replayed(size=U)


def test_pool_that_can_never_hold_a_share_is_refused() -> None:
    """It would never be used, and nobody would know."""
    replay, count = replayed(share=0.5, size=2 * U + 1), 4 * U + 2
    message = (
        rf"^replay\.size: must hold the {2 * U + 1} pairs that a batch of {count} replays, got {2 * U + 1}, "
        rf"which is {2 * U} in equal parts for {U} classes$"
    )
    for use in (lambda: replay.sample(batch(0, count)), lambda: replay.check_batch(count)):
        with pytest.raises(InputError, match=message):
            use()
    replay.check_batch(4 * U)
    replay.sample(batch(0, 4 * U))


def test_source_checks_the_batch_too() -> None:
    class Choosy(Numbered):
        def check_batch(self, size: int) -> None:
            raise InputError(f"source: {size}")

    with pytest.raises(InputError, match="source: 3"):
        Replay(Choosy()).check_batch(3)
    Replay(Numbered()).check_batch(3)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_share_is_honoured_once_there_are_enough(share: float) -> None:
    source = Numbered()
    replay = replayed(source, share, size=8 * U)
    count = round(share * 2 * U)
    for step in range(5):
        first = step * 2 * U
        found = numbers(replay.sample(batch(first, 2 * U)))
        old = 0 if step == 0 else count
        assert source.asked[-1] == 2 * U - old
        assert found[: 2 * U - old] == list(range(first, first + 2 * U - old))
        assert len(found) == 2 * U
        assert all(number < first for number in found[2 * U - old :])


def test_a_new_pool_is_empty() -> None:
    source = Numbered()
    replay = replayed(source)
    assert len(replay) == 0
    replay.sample(batch(0, U))
    assert len(replay) == U
    replay = replayed(source)
    assert len(replay) == 0
    assert numbers(replay.sample(batch(50, 4))) == [50, 51, 52, 53]


def test_pool_is_bounded_and_forgets_the_oldest() -> None:
    """Each batch is of one class, and its new pairs take all four places of that class."""
    size = 4 * U + 3  # the places that cannot be shared equally are not used
    replay = replayed(Numbered(lambda index: index // U % U), size=size)
    sizes: list[int] = []
    for step in range(4 * U):
        found = numbers(replay.sample(batch(step * U, U)))
        sizes.append(len(replay))
        assert min(found) >= (step - U) * U
    assert sizes == sorted(sizes)
    assert sizes[U - 1] == sizes[-1] == 4 * U


def test_ring_of_a_class_keeps_its_newest_pairs() -> None:
    replay = replayed(Numbered(torch.zeros_like), share=0.5, size=4 * U)
    seen: list[int] = []
    for step in range(100):
        found = numbers(replay.sample(batch(10 * step, 3)))
        new = found if step == 0 else found[:1]  # a batch of three replays two once there are two
        assert set(found[len(new) :]) <= set(seen[-4:])
        seen += new
    assert len(replay) == 4


def test_recall_is_balanced_over_the_classes_there_are() -> None:
    """Nine of ten pairs are of class 0, the rest of class 3: half of what comes back is of each."""
    replay = replayed(Numbered(lambda index: (index % 10 == 9) * 3), size=1000 * U)
    counts: Counter[int] = Counter()
    for step in range(100):
        found = replay.sample(batch(step * 20, 20))
        if step >= 2:
            counts.update(found.target[10:].tolist())
    assert set(counts) == {0, 3}
    assert counts[3] / counts.total() == pytest.approx(0.5, abs=0.07)  # 4 standard deviations


def test_shared_classes_have_half_of_the_pool_where_they_are_few() -> None:
    """Two of ten classes are shared; pairs come from all classes alike."""
    source = Numbered()
    source.shared = torch.arange(U) % 5 == 4
    replay = Replay(source, size=40)
    counts: Counter[int] = Counter()
    for step in range(100):
        counts.update(replay.sample(batch(step * 20, 20)).target[10:].tolist() if step else [])
    assert set(counts) == set(range(U)), "the others are replayed, too"
    assert (counts[4] + counts[9]) / counts.total() == pytest.approx(0.5, abs=0.06)
    assert Replay(source, size=4).sample(batch(0, 3)).target.tolist() == [0, 1, 2]
    with pytest.raises(InputError, match=r"^replay\.size: must be at least 4, one pair a class, got 3$"):
        Replay(source, size=3)


@pytest.mark.parametrize("shared", [[1, 1, 1, 1, 1], [0, 1, 1, 0, 1]])
def test_each_class_has_a_ring_of_its_own_where_half_of_them_are_shared(shared: list[int]) -> None:
    assert rings(5, torch.tensor(shared).bool()).tolist() == rings(5).tolist() == [0, 1, 2, 3, 4]


def test_other_classes_have_as_many_rings_as_shared_ones() -> None:
    shared = torch.tensor([0, 1, 0, 0, 1, 0, 0]).bool()
    assert rings(7, shared).tolist() == [2, 0, 3, 2, 1, 3, 2]


def test_rows_stay_together() -> None:
    """Image, both teachers' outputs and the class of an old pair are those of one latent."""
    replay = replayed(size=20 * U)
    for step in range(8):
        found = replay.sample(batch(step * 20, 20))
    number = found.photo_teacher.logits[:, 0]
    assert found.target.tolist() == (number % U).tolist()
    torch.testing.assert_close(found.photo[:, 1, 2, 3] * 255, number)
    torch.testing.assert_close(found.sketch[:, 0, 0, 0], 1 - number / 255)
    assert torch.equal(found.sketch_teacher.features[:, 2], -number)


def test_images_come_back_within_half_a_grey_level(teachers: Teachers) -> None:
    """Replayed pairs of real generators, whose images are no multiples of 1/255."""
    module = reconstruction(teachers)
    replay = Replay(LivePairs(module, U), size=8 * U)
    latents = LatentDataset(0, module.latent_dim, 100)
    first = replay.sample(stacked(latents, 0, 16))
    second = replay.sample(stacked(latents, 16, 8))
    for image, logits in zip(second.photo[4:], second.photo_teacher.logits[4:], strict=True):
        source = (first.photo_teacher.logits == logits).all(1).nonzero()[0, 0]
        assert (first.photo[source] - image).abs().max() <= 0.5 / 255 + 1e-6
    assert second.photo.dtype == torch.float32
    assert second.photo.min() >= 0
    assert second.photo.max() <= 1


def stacked(latents: LatentDataset, first: int, count: int) -> LatentBatch:
    items = [latents[i] for i in range(first, first + count)]
    return LatentBatch(
        *(torch.stack([getattr(item, name) for item in items]) for name in ("index", "noise", "uniform"))
    )


def test_same_seed_recalls_the_same_and_another_seed_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(seed: str) -> list[list[int]]:
        monkeypatch.setenv("PL_GLOBAL_SEED", seed)
        replay = replayed(size=20 * U)
        return [numbers(replay.sample(batch(step * 20, 20))) for step in range(6)]

    runs = [run(seed) for seed in ("1", "1", "2")]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
    assert runs[0][:1] == runs[2][:1]


@pytest.mark.parametrize(("share", "count", "old"), [(0.9, 1, 0), (0.9, 2, 1), (0.99, 3, 2), (0.01, 4, 0)])
def test_tiny_batches_always_ask_for_something_new(share: float, count: int, old: int) -> None:
    source = Numbered()
    replay = replayed(source, share)
    for step in range(5):
        assert len(replay.sample(batch(step * count, count)).target) == count
    assert source.asked == [count] + [count - old] * 4


def test_source_is_asked_for_everything_else(teachers: Teachers) -> None:
    class Labelled(Numbered):
        real = true_labels = True

        def loaded(self, latents: Dataset[LatentBatch], data: object) -> Dataset[LatentBatch]:
            read.append((latents, data))
            return others

    latents, others, images = LatentDataset(0, 2, 8), LatentDataset(1, 2, 8), object()
    read: list[object] = []
    plain, replay = Replay(Numbered()), Replay(Labelled())
    assert (replay.latent_dim, replay.num_classes) == (2, U)
    assert (plain.real, plain.true_labels, replay.real, replay.true_labels) == (False, False, True, True)
    assert plain.loaded(latents, None) is latents
    assert replay.loaded(latents, images) is others  # type: ignore[arg-type]  # handed on as it is
    assert read == [(latents, images)]
    assert Replay(LivePairs(reconstruction(teachers), U)).latent_dim == 8


def test_joint_run_with_replay_mixes_old_and_new(teachers: Teachers, tmp_path: Path) -> None:
    replay = partial(Replay, share=0.5, size=4 * U)
    module = CoTrainingModule(reconstruction(teachers), encoding(teachers), Schedule(warmup=1), replay)
    trainer(tmp_path, 6, limit_val_batches=0).fit(module, datamodule=data(teachers))
    pool = module.pair_source
    assert isinstance(pool, Replay)
    assert 0 < len(pool) <= 4 * U
    assert not [name for name in module.state_dict() if "pool" in name or "pairs" in name]
