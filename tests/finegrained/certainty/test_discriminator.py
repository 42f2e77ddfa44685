"""The discriminator of pairs: what it learns, and what its certainty is."""

from functools import partial

import pytest
import torch
from torch import Tensor

from crossx.core.errors import InputError
from crossx.encoding.encoders import NetworkEncoder
from crossx.finegrained.certainty.discriminator import JudgedPairs, PairDiscriminator, another_instance
from crossx.finegrained.certainty.measures import area_under_curve
from crossx.finegrained.certainty.networks import PairNetworkFactory, SharedFeatures, TwoTowers
from crossx.finegrained.retrieval.encoders import build_encoder
from crossx.finegrained.retrieval.frozen import FrozenEncoders
from crossx.networks.small_resnet import SmallResNet

SIZE = 16


def frozen() -> FrozenEncoders:
    """Untrained encoders of 8 numbers."""
    torch.manual_seed(0)
    factory = partial(
        NetworkEncoder,
        network=partial(SmallResNet, widths=(8, 8)),
        dim=8,
        input_size=SIZE,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
    )
    return FrozenEncoders(*(build_encoder("encoder", factory, None, m) for m in ("photo", "sketch")))


def squares(corner: Tensor) -> tuple[Tensor, Tensor]:
    """Photos of a grey square in one of four corners, and its outlines."""
    photo, sketch = torch.rand(len(corner), 3, SIZE, SIZE) * 0.3, torch.ones(len(corner), 3, SIZE, SIZE)
    for i, place in enumerate(corner.tolist()):
        y, x = 1 + 8 * (place // 2), 1 + 8 * (place % 2)
        photo[i, :, y : y + 6, x : x + 6] += 0.5
        sketch[i, :, y : y + 6, x : x + 6] = 0
        sketch[i, :, y + 1 : y + 5, x + 1 : x + 5] = 1
    return photo, sketch


def pairs(batch: int) -> JudgedPairs:
    """Drawings are outlines in another corner: style tells nothing."""
    corner = torch.randint(4, (batch,))
    photo, sketch = squares(corner)
    return JudgedPairs(photo, sketch, squares((corner + torch.randint(1, 4, (batch,))) % 4)[1], corner)


def test_two_towers_tell_true_pairs_from_others() -> None:
    torch.manual_seed(0)
    module = PairDiscriminator(frozen(), TwoTowers((8, 16)))
    optimizer = torch.optim.Adam(module.parameters_to_train(), lr=5e-3)
    for _ in range(60):
        optimizer.zero_grad()
        module.step(pairs(16)).loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    held_out = pairs(100)
    real = module.certainty(held_out.photo, held_out.sketch)
    generated = module.certainty(held_out.photo, held_out.drawing)
    assert area_under_curve(real, generated) > 0.95
    # Sketches of other photos are no better than drawings that do not fit.
    wrong = module.certainty(held_out.photo[another_instance(held_out.instance)], held_out.sketch)
    assert area_under_curve(real, wrong) > 0.9


@pytest.mark.parametrize("network", [TwoTowers, SharedFeatures])
def test_certainty_is_detached_and_leaves_the_module_as_it_is(network: PairNetworkFactory) -> None:
    module = PairDiscriminator(frozen(), network)
    module.train()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    photo, sketch = squares(torch.arange(4))
    certainty = module.certainty(photo, sketch)
    assert certainty.shape == (4,)
    assert not certainty.requires_grad
    assert ((certainty > 0) & (certainty < 1)).all()
    assert module.training
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())


@pytest.mark.parametrize("network", [TwoTowers, SharedFeatures])
def test_probability_has_a_gradient_to_the_sketch(network: PairNetworkFactory) -> None:
    module = PairDiscriminator(frozen(), network)
    photo, sketch = squares(torch.arange(4))
    module.probability(photo, sketch.requires_grad_()).sum().backward()  # type: ignore[no-untyped-call]
    assert sketch.grad is not None
    assert sketch.grad.abs().max() > 0


def test_shared_features_train_the_head_alone() -> None:
    module = PairDiscriminator(frozen(), partial(SharedFeatures, hidden=4))
    assert {name.split(".")[1] for name, _ in module.named_parameters() if _.requires_grad} == {"head"}
    assert not [name for name in module.state_dict() if "teacher" in name]


def test_calibration_divides_the_logits() -> None:
    module = PairDiscriminator(frozen())
    photo, sketch = squares(torch.arange(4))
    plain = module.logits(photo, sketch)
    real, generated = torch.tensor([9.0, 9.0, -9.0, 9.0]), torch.tensor([-9.0, -9.0, 9.0, -9.0])
    module.calibrate(real, generated)
    # Three of four are right, so that sigmoid(9 / temperature) must be 3/4.
    assert float(module.temperature) == pytest.approx(9 / torch.log(torch.tensor(3.0)).item(), rel=1e-3)
    torch.testing.assert_close(module.certainty(photo, sketch), torch.sigmoid(plain / module.temperature).detach())
    assert "temperature" in module.state_dict()


def test_loss_by_hand() -> None:
    """Logits of 0 cost log 2 whatever the smoothing, and rows without another instance add nothing for wrong photos."""
    module = PairDiscriminator(frozen())
    torch.nn.init.zeros_(module.get_parameter("network.last.weight"))
    torch.nn.init.zeros_(module.get_parameter("network.last.bias"))
    photo, sketch = squares(torch.arange(3))
    loss = module.step(JudgedPairs(photo, sketch, sketch, torch.tensor([0, 1, 1]))).loss
    assert float(loss.detach()) == pytest.approx(0.693147, abs=1e-5)
    same = module.step(JudgedPairs(photo, sketch, sketch, torch.tensor([1, 1, 1]))).loss
    assert float(same.detach()) == pytest.approx(0.693147 * 2 / 2.5, abs=1e-5)


def test_another_instance() -> None:
    assert another_instance(torch.tensor([7, 7, 3, 7])).tolist() == [2, 2, 3, 2]
    assert another_instance(torch.tensor([5, 5])).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"smoothing": 1.0}, r"discriminator\.smoothing: must be in \[0, 1\), got 1\.0"),
        ({"wrong_photo": -1.0}, r"discriminator\.wrong_photo: must be at least 0, got -1\.0"),
        (
            {"network": partial(TwoTowers, widths=(6,))},
            r"TwoTowers\.widths: must be positive multiples of 4, got \[6\]",
        ),
        ({"network": partial(SharedFeatures, hidden=0)}, r"SharedFeatures\.hidden: must be at least 1, got 0"),
    ],
)
def test_mistakes(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        PairDiscriminator(frozen(), **arguments)  # type: ignore[arg-type]  # mistakes
