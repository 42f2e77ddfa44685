from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from support.runs import CLASSES, Teachers, data, encoding, reconstruction, trainer
from torch import Tensor

from crossx.core.errors import InputError
from crossx.cotraining.module import CoTrainingModule
from crossx.pairs.latents import LatentDataset
from crossx.pairs.replay import Replay
from crossx.pairs.sources import LivePairs, Pairs
from crossx.teachers.pair import TeacherPair
from crossx.training.schedule import Schedule
from crossx.types import LatentBatch, PairBatch, PairSource, TeacherOutput

U = len(CLASSES)


class Numbered(Pairs):
    """Pairs that show their latents' indices, in images, logits and features."""

    latent_dim = 2

    def __init__(self, label: Callable[[Tensor], Tensor] = lambda index: index % U) -> None:
        self.label = label
        self.asked: list[int] = []
        self.live: PairSource | None = None

    def attach(self, teachers: TeacherPair, live: PairSource | None) -> None:
        self.live = live

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


@pytest.fixture
def pair(teachers: Teachers) -> TeacherPair:
    return TeacherPair(*teachers)


def attached(pair: TeacherPair, source: Numbered | None = None, share: float = 0.5, size: int = 4 * U) -> Replay:
    replay = Replay(source or Numbered(), share, size)
    replay.attach(pair, live=None)
    return replay


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, 1.5, float("nan")])
def test_share_out_of_range(share: float) -> None:
    with pytest.raises(InputError, match=rf"^share: {share} is not legal"):
        Replay(LivePairs(), share=share)


def test_size_out_of_range(pair: TeacherPair) -> None:
    with pytest.raises(InputError, match=r"^size: 0 is not legal"):
        Replay(LivePairs(), size=0)
    with pytest.raises(InputError, match=f"^size: {U - 1} is not legal; at least one pair for each of the {U} classes"):
        attached(pair, size=U - 1)
    attached(pair, size=U)


def test_pool_that_can_never_hold_a_share_is_refused(pair: TeacherPair) -> None:
    """It would never be used, and nobody would know."""
    replay = attached(pair, share=0.5, size=2 * U)
    with pytest.raises(InputError, match=f"^size: {2 * U} is not legal; .* replays {2 * U + 1} pairs"):
        replay.sample(batch(0, 4 * U + 2))
    replay.sample(batch(0, 4 * U))


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_share_is_honoured_once_there_are_enough(pair: TeacherPair, share: float) -> None:
    source = Numbered()
    replay = attached(pair, source, share, size=8 * U)
    replayed = round(share * 2 * U)
    for step in range(5):
        first = step * 2 * U
        found = numbers(replay.sample(batch(first, 2 * U)))
        old = 0 if step == 0 else replayed
        assert source.asked[-1] == 2 * U - old
        assert found[: 2 * U - old] == list(range(first, first + 2 * U - old))
        assert len(found) == 2 * U
        assert all(number < first for number in found[2 * U - old :])


def test_a_new_pool_is_empty_and_so_is_an_attached_one(pair: TeacherPair) -> None:
    assert len(Replay(LivePairs())) == 0
    replay = attached(pair)
    replay.sample(batch(0, U))
    assert len(replay) == U
    replay.attach(pair, live=None)
    assert len(replay) == 0
    assert numbers(replay.sample(batch(50, 4))) == [50, 51, 52, 53]


def test_pool_is_bounded_and_forgets_the_oldest(pair: TeacherPair) -> None:
    """Each batch is of one class, and its new pairs take all four places of that class."""
    size = 4 * U + 3  # the places that cannot be shared equally are not used
    replay = attached(pair, Numbered(lambda index: index // U % U), size=size)
    sizes: list[int] = []
    for step in range(4 * U):
        found = numbers(replay.sample(batch(step * U, U)))
        sizes.append(len(replay))
        assert min(found) >= (step - U) * U
    assert sizes == sorted(sizes)
    assert sizes[U - 1] == sizes[-1] == 4 * U


def test_ring_of_a_class_keeps_its_newest_pairs(pair: TeacherPair) -> None:
    replay = attached(pair, Numbered(torch.zeros_like), share=0.5, size=4 * U)
    for step in range(3):
        replay.sample(batch(10 * step, 3))  # one old and two new, or three new ones
    assert len(replay) == 4
    recalled = {number for i in range(50) for number in numbers(replay._recall(4, place=i))}
    new = [0, 1, 2, 10, 20]  # a batch of three replays two once there are two
    assert recalled == set(new[-4:])


def test_recall_is_balanced_over_the_classes_there_are(pair: TeacherPair) -> None:
    """Nine of ten pairs are of class 0, the rest of class 3: half of what comes back is of each."""
    replay = attached(pair, Numbered(lambda index: (index % 10 == 9) * 3), size=1000 * U)
    counts: Counter[int] = Counter()
    for step in range(100):
        found = replay.sample(batch(step * 20, 20))
        if step >= 2:
            counts.update(found.target[10:].tolist())
    assert set(counts) == {0, 3}
    assert counts[3] / counts.total() == pytest.approx(0.5, abs=0.07)  # 4 standard deviations


def test_rows_stay_together(pair: TeacherPair) -> None:
    """Image, both teachers' outputs and the class of an old pair are those of one latent."""
    replay = attached(pair, size=20 * U)
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
    replay = Replay(LivePairs(), size=8 * U)
    replay.attach(module.teachers, live=module)
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


def test_same_seed_recalls_the_same_and_another_seed_does_not(
    pair: TeacherPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(seed: str) -> list[list[int]]:
        monkeypatch.setenv("PL_GLOBAL_SEED", seed)
        replay = attached(pair, size=20 * U)
        return [numbers(replay.sample(batch(step * 20, 20))) for step in range(6)]

    runs = [run(seed) for seed in ("1", "1", "2")]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
    assert runs[0][:1] == runs[2][:1]


@pytest.mark.parametrize(("share", "count", "replayed"), [(0.9, 1, 0), (0.9, 2, 1), (0.99, 3, 2), (0.01, 4, 0)])
def test_tiny_batches_always_ask_for_something_new(pair: TeacherPair, share: float, count: int, replayed: int) -> None:
    source = Numbered()
    replay = attached(pair, source, share)
    for step in range(5):
        assert len(replay.sample(batch(step * count, count)).target) == count
    assert source.asked == [count] + [count - replayed] * 4


def test_what_is_recalled_is_a_copy(pair: TeacherPair) -> None:
    replay = attached(pair)
    replay.sample(batch(0, U))
    replay._recall(U, place=0).photo_teacher.logits.fill_(-1)
    assert min(numbers(replay._recall(U, place=0))) >= 0


def test_source_is_asked_for_everything_else(teachers: Teachers, pair: TeacherPair) -> None:
    source, live = Numbered(), reconstruction(teachers)
    replay = Replay(source)
    assert replay.latent_dim == 2
    replay.attach(pair, live)
    assert source.live is live
    latents = LatentDataset(0, 2, 8)
    assert replay.loaded(latents, None) is latents
    with pytest.raises(InputError, match="LivePairs needs generators"):
        attached(pair, source=LivePairs())  # type: ignore[arg-type]


def test_joint_run_with_replay_mixes_old_and_new(teachers: Teachers, tmp_path: Path) -> None:
    replay = Replay(LivePairs(), share=0.5, size=4 * U)
    module = CoTrainingModule(reconstruction(teachers), encoding(teachers), Schedule(warmup=1), replay)
    trainer(tmp_path, 6, limit_val_batches=0).fit(module, datamodule=data(teachers))
    assert 0 < len(replay) <= 4 * U
    assert not [name for name in module.state_dict() if "pool" in name or "pairs" in name]
