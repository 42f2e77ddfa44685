"""The bank of drawings: what is put in comes out, and comes back from a checkpoint."""

from pathlib import Path

import pytest
import torch

from crossx.core.errors import InputError
from crossx.finegrained.joint.bank import STEP, CodedDrawings, SketchBank, decode_drawings, encode_drawings

SCALE = 0.1


def drawings(batch: int = 5, most: int = 100) -> tuple[torch.Tensor, torch.Tensor]:
    """Random drawings of different lengths, the first without a point."""
    torch.manual_seed(0)
    length = torch.tensor([0, 1, 7, most - 1, most][:batch])
    rows = torch.zeros(batch, most, 5)
    for i, points in enumerate(length.tolist()):
        rows[i, :points, :2] = torch.randn(points, 2)
        lifts = torch.rand(points) < 0.2
        rows[i, :points, 2], rows[i, :points, 3] = (~lifts).float(), lifts.float()
        rows[i, points:, 4] = 1
    return rows, length


def coded(certainty: float = 0.5) -> CodedDrawings:
    rows, length = drawings()
    return encode_drawings(rows, length, torch.full((5,), certainty), SCALE)


def test_places_are_kept_to_half_a_step_however_long_the_drawing_is() -> None:
    rows, length = drawings()
    found = decode_drawings(coded(), SCALE)
    counts = torch.arange(rows.shape[1]) < length[:, None]
    expected, places = ((x[:, :100, :2].double() * SCALE).cumsum(1) for x in (rows, found.rows))
    assert (places - expected).abs()[counts].max() <= 0.51 * STEP
    assert torch.equal(found.rows[:, :100, 2:], rows[..., 2:])
    assert torch.equal(found.length, length)
    assert torch.equal(found.rows[:, -1], torch.tensor([0.0, 0, 0, 0, 1]).expand(5, 5))


def test_offsets_beyond_the_canvas_are_cut_and_do_not_wrap() -> None:
    rows = torch.tensor([[[1e6, -1e6, 1.0, 0, 0], [0, 0, 0, 1, 0]]])
    found = decode_drawings(encode_drawings(rows, torch.tensor([2]), torch.ones(1), SCALE), SCALE)
    assert torch.allclose(found.rows[0, :2, :2] * SCALE, torch.tensor([[2.0, -2.0], [0, 0]]))


def test_drawings_come_back_in_any_order() -> None:
    bank = SketchBank(refresh=10)
    bank.put(torch.tensor([3, 1, 4, 15, 9]), coded(), done=0)
    found = bank.get(torch.tensor([9, 3, 9]))
    assert found.length.tolist() == [100, 0, 100]
    assert torch.equal(found.offset[0], coded().offset[4])
    assert torch.equal(found.offset[0], found.offset[2])


def test_a_drawing_is_due_once_a_round() -> None:
    bank = SketchBank(refresh=10)
    photos = torch.tensor([3, 1, 4, 15, 9])
    assert bank.due(photos, 0).all()
    bank.put(photos, coded(), done=4)
    assert not bank.due(photos, 9).any()
    assert bank.due(torch.tensor([3, 2]), 9).tolist() == [False, True]
    assert bank.due(photos, 10).all()
    bank.put(photos[:2], CodedDrawings(*(column[:2] for column in vars(coded(0.9)).values())), 10)
    assert bank.due(photos, 19).tolist() == [False, False, True, True, True]
    assert bank.get(photos).certainty.tolist() == pytest.approx([0.9, 0.9, 0.5, 0.5, 0.5])


def test_checkpoint_holds_the_bank_in_few_bytes(tmp_path: Path) -> None:
    bank, again = SketchBank(refresh=10), SketchBank(refresh=10)
    bank.put(torch.tensor([3, 1, 4, 15, 9]), coded(0.3), done=17)
    torch.save(bank.state_dict(), tmp_path / "bank.pt")
    state = torch.load(tmp_path / "bank.pt", weights_only=True)
    again.load_state_dict(state)
    photos = torch.tensor([4, 15, 3, 9, 1])
    for name in ("offset", "lift", "length", "certainty"):
        assert torch.equal(getattr(bank.get(photos), name), getattr(again.get(photos), name))
    assert torch.equal(bank.due(photos, 19), again.due(photos, 19))
    assert bank.due(photos, 20).all()
    points = sum(drawings()[1].tolist())
    assert state["offset"].nbytes + state["lift"].nbytes == 5 * points


def test_an_empty_bank_is_a_bank() -> None:
    bank = SketchBank(refresh=1)
    bank.load_state_dict(SketchBank(refresh=1).state_dict())
    assert len(bank) == 0
    assert bank.due(torch.tensor([0]), 0).all()


def test_mistakes() -> None:
    with pytest.raises(InputError, match=r"bank\.refresh: must be at least 1, got 0"):
        SketchBank(refresh=0)
    bank = SketchBank(refresh=1)
    bank.put(torch.tensor([3, 1, 4, 15, 9]), coded(), done=0)
    broken = {**bank.state_dict(), "length": torch.tensor([1, 2, 3, 4, 5])}
    with pytest.raises(InputError, match="--ckpt_path: must hold a whole bank of drawings"):
        bank.load_state_dict(broken)
