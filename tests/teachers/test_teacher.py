import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from crossx.core.specs import class_name
from crossx.networks.base import Network
from crossx.networks.build import build_network
from crossx.networks.small_resnet import SmallResNet
from crossx.teachers.card import TeacherCard
from crossx.teachers.teacher import FrozenTeacher, load_teacher, save_teacher


def make_teacher(seed: int = 0, network: str = "SmallResNet", size: int = 16, **arguments: object) -> FrozenTeacher:
    torch.manual_seed(seed)
    if network == "SmallResNet":
        arguments = {"widths": [4, 6], **arguments}
    card = TeacherCard("photo", network, ("cat", "dog", "car"), size, (0.4, 0.5, 0.6), (0.2, 0.3, 0.4), arguments)
    net = build_network(network, arguments, 3)
    with torch.no_grad():  # running statistics and affine parameters that are not 0 and 1
        for tensor in net.state_dict().values():
            if tensor.is_floating_point() and tensor.ndim == 1:
                tensor.add_(torch.rand_like(tensor))
    return FrozenTeacher(net, card)


class Holder(nn.Module):
    def __init__(self, teacher: FrozenTeacher) -> None:
        super().__init__()
        self.own = nn.Linear(2, 2)
        self.deep = nn.ModuleDict({"teacher": teacher, "again": teacher})


def test_image_gets_gradient_and_the_teacher_none() -> None:
    teacher = make_teacher()
    x = torch.rand(2, 3, 16, 16, requires_grad=True)
    output = teacher(x)
    (output.logits.sum() + output.features.sum()).backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    assert all(p.grad is None and not p.requires_grad for p in teacher.parameters())
    assert output.statistics == []


def test_output_is_that_of_the_network_on_the_normalised_image() -> None:
    teacher = make_teacher()
    x = torch.rand(2, 3, 16, 16)
    normalised = (x - torch.tensor([0.4, 0.5, 0.6])[:, None, None]) / torch.tensor([0.2, 0.3, 0.4])[:, None, None]
    output = teacher(x)
    torch.testing.assert_close(output.logits, teacher.network(normalised))
    torch.testing.assert_close(output.features, teacher.network.pooled(normalised))


def test_other_sizes_are_resized_differentiably() -> None:
    teacher = make_teacher()
    x = torch.rand(2, 3, 40, 24, requires_grad=True)
    teacher(x).logits.sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    assert x.grad.abs().sum() > 0


def test_a_holder_does_not_save_it_and_loads_strictly() -> None:
    teacher = make_teacher()
    holder = Holder(teacher)
    saved = holder.state_dict()
    assert sorted(saved) == ["own.bias", "own.weight"]
    assert teacher.state_dict() == {}
    holder.load_state_dict(saved, strict=True)
    nn.Sequential(nn.Sequential(holder)).load_state_dict({f"0.0.{k}": v for k, v in saved.items()}, strict=True)
    with pytest.raises(RuntimeError, match=r"own\.bias"):  # what is the holder's own is still missed
        holder.load_state_dict({"own.weight": saved["own.weight"]}, strict=True)
    assert teacher.fingerprint() == teacher.hash


@pytest.mark.parametrize("strict", [True, False])
def test_a_state_dict_cannot_replace_its_weights(strict: bool) -> None:
    teacher = make_teacher()
    holder = Holder(teacher)
    smuggled = {f"deep.teacher.network.{k}": torch.zeros_like(v) for k, v in teacher.network.state_dict().items()}
    state = {**holder.state_dict(), **smuggled}
    if strict:
        with pytest.raises(RuntimeError, match=r"Unexpected key.*deep\.teacher\.network\.stem"):
            holder.load_state_dict(state)
    else:
        holder.load_state_dict(state, strict=False)
    assert teacher.fingerprint() == teacher.hash
    assert set(state) > set(smuggled)  # the caller's dict is left as it was
    with pytest.raises(RuntimeError, match="own file"):
        teacher.load_state_dict(smuggled)


def test_it_survives_training_of_its_holder() -> None:
    teacher = make_teacher()
    holder = Holder(teacher).train()
    assert holder.own.training
    assert not any(m.training for m in teacher.modules())
    for _ in range(2):
        teacher(torch.rand(4, 3, 16, 16), statistics=True)
    assert teacher.fingerprint() == teacher.hash


def test_hash_sees_every_tensor_and_the_card() -> None:
    assert make_teacher().hash == make_teacher().hash
    assert make_teacher(1).hash != make_teacher().hash
    assert make_teacher(size=17).hash != make_teacher().hash
    for name in make_teacher().network.state_dict():
        teacher = make_teacher()
        teacher.network.state_dict()[name].add_(1)
        assert teacher.fingerprint() != teacher.hash, name


def test_copies_of_a_holder_share_it() -> None:
    holder = Holder(make_teacher())
    twin = copy.deepcopy(holder)
    assert twin.own is not holder.own
    assert twin.deep["teacher"] is holder.deep["teacher"]


@pytest.mark.parametrize(("network", "size"), [("SmallResNet", 16), ("timm:efficientnet_b0", 32)])
def test_statistics_are_the_moments_of_what_each_batch_norm_sees(network: str, size: int) -> None:
    teacher = make_teacher(network=network, size=size)
    layers = [m for m in teacher.modules() if isinstance(m, nn.BatchNorm2d)]
    seen: list[Tensor] = []
    handles = [m.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0])) for m in layers]
    x = torch.rand(5, 3, size, size, requires_grad=True)
    output = teacher(x, statistics=True)
    for handle in handles:
        handle.remove()
    assert len(output.statistics) == len(layers) > 0
    for inputs, found in zip(seen, output.statistics, strict=True):
        rows = inputs.detach().double().movedim(1, 0).flatten(1)
        torch.testing.assert_close(found.mean.double(), rows.mean(1), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(found.var.double(), rows.var(1, correction=0), rtol=1e-4, atol=1e-5)
    assert output.statistics[0].running_mean is layers[0].running_mean
    sum(s.mean.sum() + s.var.sum() for s in output.statistics).backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


def test_statistics_are_fp32_under_autocast() -> None:
    teacher = make_teacher()
    with torch.autocast("cpu", torch.bfloat16):
        output = teacher(torch.rand(2, 3, 16, 16), statistics=True)
    assert output.logits.dtype == torch.bfloat16
    assert {s.mean.dtype for s in output.statistics} | {s.var.dtype for s in output.statistics} == {torch.float32}


def test_hooks_are_gone_afterwards_also_after_an_exception() -> None:
    teacher = make_teacher()

    def hooks() -> int:
        return sum(len(m._forward_pre_hooks) for m in teacher.modules())

    teacher(torch.rand(2, 3, 16, 16), statistics=True)
    assert hooks() == 0
    with pytest.raises(RuntimeError):
        teacher(torch.rand(2, 5, 16, 16), statistics=True)
    assert hooks() == 0
    assert teacher(torch.rand(2, 3, 16, 16)).statistics == []


def test_without_batch_norm_there_are_no_statistics() -> None:
    for norm in ("group", "none"):
        output = make_teacher(norm=norm)(torch.rand(2, 3, 16, 16), statistics=True)
        assert output.statistics == []
        assert output.logits.shape == (2, 3)


def test_two_askers_get_one_object_until_the_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.safetensors"
    first = make_teacher()
    save_teacher(path, first.network, first.card)
    teacher = load_teacher(str(path))
    monkeypatch.chdir(tmp_path)
    assert load_teacher("t.safetensors", "photo_teacher") is teacher
    assert teacher.hash == first.hash
    second = make_teacher(seed=1, widths=[4, 7])
    save_teacher(path, second.network, second.card)
    assert load_teacher(path).hash == second.hash


def test_a_network_of_ones_own_needs_only_to_be_loaded(tmp_path: Path) -> None:
    class Mine(Network):
        def __init__(self, num_classes: int) -> None:
            super().__init__()
            self.num_features, self.num_classes = 3, num_classes
            self.linear = nn.Linear(3, num_classes)

        def pooled(self, x: Tensor) -> Tensor:
            return x.mean((2, 3))

        def classify(self, features: Tensor) -> Tensor:
            logits: Tensor = self.linear(features)
            return logits

    card = TeacherCard("sketch", class_name(Mine), ("a", "b"), 8, (0.0,) * 3, (1.0,) * 3)
    save_teacher(tmp_path / "mine.safetensors", Mine(2), card)
    teacher = load_teacher(tmp_path / "mine.safetensors")
    assert isinstance(teacher.network, Mine)
    assert not isinstance(teacher.network, SmallResNet)
    assert teacher(torch.rand(2, 3, 9, 9)).features.shape == (2, 3)
