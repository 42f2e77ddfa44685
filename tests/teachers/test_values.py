"""Numbers of weights: which types are read as which, and what no network takes."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor, nn

from crossx.core.errors import InputError
from crossx.networks.base import Network
from crossx.teachers.card import TeacherCard
from crossx.teachers.teacher import FrozenTeacher, load_teacher, save_teacher

NAME = f"{__name__}.Indexed"
CARD: dict[str, Any] = {
    "modality": "sketch",
    "network": NAME,
    "classes": ["a", "b"],
    "input_size": 4,
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
}


class Indexed(Network):
    """A network with buffers of whole numbers, of truth values, and of complex numbers, as transformers have them."""

    num_features = 3
    order: Tensor
    mask: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.head = nn.Linear(3, num_classes)
        self.register_buffer("order", torch.tensor([2, 0, 1], dtype=torch.int32))
        self.register_buffer("mask", torch.tensor([True, False, True]))
        self.register_buffer("waves", torch.ones(2, dtype=torch.complex64))
        self.register_buffer("running_var", torch.ones(3))

    def pooled(self, x: Tensor) -> Tensor:
        """Features, (B, 3)."""
        features: Tensor = (x.mean((2, 3)) * self.mask)[:, self.order]
        return features

    def classify(self, features: Tensor) -> Tensor:
        """Logits, (B, 2)."""
        logits: Tensor = self.head(features)
        return logits


def load(folder: Path, **changes: Tensor) -> FrozenTeacher:
    torch.save(
        {**Indexed(2).state_dict(), **{name.replace("_weight", ".weight"): t for name, t in changes.items()}},
        folder / "w.pt",
    )
    (folder / "card.yaml").write_text(yaml.safe_dump({**CARD, "weights": "w.pt"}))
    return load_teacher(folder / "card.yaml")


def test_what_is_saved_with_its_card_is_loaded(tmp_path: Path) -> None:
    network = Indexed(2)
    network.order = torch.tensor([1, 2, 0], dtype=torch.int32)
    save_teacher(tmp_path / "t.safetensors", network, TeacherCard.from_mapping(CARD, "f"))
    found = load_teacher(tmp_path / "t.safetensors").network.state_dict()
    for name, tensor in network.state_dict().items():
        assert torch.equal(found[name], tensor)
        assert found[name].dtype == tensor.dtype


@pytest.mark.parametrize(
    "changes",
    [
        {"order": torch.tensor([1, 2, 0])},
        {"order": torch.tensor([1, 2, 0], dtype=torch.uint8)},
        {"mask": torch.tensor([0, 1, 0], dtype=torch.uint8)},
        {"head_weight": torch.ones(2, 3, dtype=torch.float8_e5m2)},
        {"head_weight": torch.full((2, 3), 0.1, dtype=torch.float64)},
        {"waves": torch.ones(2, dtype=torch.complex128)},
    ],
)
def test_other_types_of_the_same_kind_are_read(changes: dict[str, Tensor], tmp_path: Path) -> None:
    network = load(tmp_path, **changes).network
    ((name, tensor),) = changes.items()
    found = network.state_dict()[name.replace("_weight", ".weight")]
    assert found.dtype == Indexed(2).state_dict()[name.replace("_weight", ".weight")].dtype
    assert torch.equal(found, tensor.to(found.dtype))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"head_weight": torch.ones(2, 3, dtype=torch.int64)},
            r"head\.weight: must be dense floating-point numbers, got",
        ),
        ({"head_weight": torch.ones(2, 3, dtype=torch.bool)}, "floating-point numbers, got torch.bool"),
        ({"head_weight": torch.ones(2, 3, dtype=torch.complex64)}, "floating-point numbers, got torch.complex64"),
        ({"head_weight": torch.ones(2, 3).to_sparse()}, "must be dense floating-point .* torch.sparse_coo"),
        ({"head_weight": torch.ones(2, 3, device="meta")}, "must be dense floating-point .* on meta"),
        (
            {"head_weight": torch.full((2, 3), 1e300, dtype=torch.float64)},
            "must be finite in torch.float32, got .* 6 of 6",
        ),
        ({"order": torch.tensor([1.0, 2.0, 0.0])}, "order: must be dense whole numbers, got torch.float32"),
        ({"order": torch.tensor([1, 2, 2**40])}, "order: must have numbers that torch.int32 can hold"),
        ({"mask": torch.tensor([1, 2, 0])}, "mask: must have numbers that torch.bool can hold"),
        ({"order": torch.ones(3, dtype=torch.int64).to_sparse()}, "order: must be dense whole numbers"),
        ({"waves": torch.full((2,), float("nan"), dtype=torch.complex64)}, "waves: must be finite"),
        ({"running_var": torch.full((3,), -1.0, dtype=torch.float64)}, "no negative variance, got -1"),
    ],
)
def test_what_no_training_leaves_is_refused(changes: dict[str, Tensor], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"w\.pt: .*{message}") as error:
        load(tmp_path, **changes)
    assert "\n" not in str(error.value)


@pytest.mark.filterwarnings("ignore:.*[qQ]uantiz")  # deprecated, and people have such files
@pytest.mark.parametrize(("name", "kind"), [("order", torch.qint32), ("running_var", torch.quint8)])
def test_quantised_tensors_are_refused(name: str, kind: torch.dtype, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"tensor {name}: must be dense .*, got {kind}"):
        load(tmp_path, **{name: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, kind)})


@pytest.mark.parametrize("other", [torch.ones(2, 3).to_sparse(), torch.ones(2, 3, device="meta")])
def test_a_second_state_dict_in_a_form_that_cannot_be_compared_is_named(other: Tensor, tmp_path: Path) -> None:
    tensors = Indexed(2).state_dict()
    torch.save({"model": tensors, "ema": {**tensors, "head.weight": other}}, tmp_path / "w.pt")
    (tmp_path / "card.yaml").write_text(yaml.safe_dump({**CARD, "weights": "w.pt"}))
    with pytest.raises(InputError, match="got two that differ, 'model' and 'ema'"):
        load_teacher(tmp_path / "card.yaml")
