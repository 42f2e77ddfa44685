from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import timm
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn

from crossx.augmentation import Augment, DeadLeaves, PasteOnto
from crossx.classification.data import LabelledImagesDataModule
from crossx.classification.module import ClassifierModule
from crossx.core.errors import InputError
from crossx.data.base import LabelledImages, RetrievalData
from crossx.networks.preprocessing import InputFormat
from crossx.networks.timm_network import timm_format
from crossx.pixels.pen import Pen
from crossx.teachers.teacher import load_teacher
from crossx.types import Modality, Split


class Bars(LabelledImages):
    """Lying or standing bars at random places, with noise that makes some of them hard to tell."""

    def __init__(self, modality: Modality, seed: int, count: int, noise: float) -> None:
        super().__init__(modality, ("lying", "standing"), [i % 2 for i in range(count)], [str(i) for i in range(count)])
        self.seed, self.noise = seed, noise

    def read(self, i: int, scale: int = 1) -> Tensor:
        generator = torch.Generator().manual_seed(self.seed * 1000 + i)
        image = torch.rand(8, 8, generator=generator) * self.noise
        image[int(torch.randint(8, (), generator=generator))] += 0.6
        image = image if self.labels[i] == 0 else image.T
        return (image.clamp(0, 1) * 255).to(torch.uint8).expand(3, -1, -1)


class BarData(RetrievalData):
    name, classes, size, split_hash = "bars", ("lying", "standing"), 8, "abc123"

    def __init__(self, noise: float = 0.9) -> None:
        self.noise = noise

    def images(self, modality: Modality, split: Split) -> LabelledImages:
        seed, count = {"train": (0, 96), "validation": (1, 40), "test": (2, 40)}[split]
        return Bars(modality, seed, count, self.noise)


def make_module(output: Path, lr: float = 0.01, **arguments: Any) -> ClassifierModule:  # noqa: ANN401 - any argument
    torch.manual_seed(0)
    arguments = {
        "input_size": 8,
        "arguments": {"widths": [8, 8]},
        **arguments,
    }  # 4 channels crash torch 2.14 on CPUs without AVX-512
    return ClassifierModule(str(output), optimizer=partial(torch.optim.AdamW, lr=lr), **arguments)


def make_data(modality: Modality = "photo", **arguments: Any) -> LabelledImagesDataModule:  # noqa: ANN401 - any argument
    return LabelledImagesDataModule(BarData(), modality, batch_size=16, **arguments)


def make_trainer(folder: Path, **arguments: Any) -> pl.Trainer:  # noqa: ANN401 - any argument of the trainer
    arguments = {"enable_checkpointing": False, "max_steps": 6, "max_epochs": -1, **arguments}
    return pl.Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        **arguments,
    )


class Accuracies(pl.Callback):
    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.sanity_checking:
            self.seen.append(float(trainer.callback_metrics["val/accuracy"]))


def accuracy(path: Path, split: Split) -> float:
    """Counted by hand from the teacher file."""
    teacher, images = load_teacher(path), BarData().images("photo", split)
    right = [int(teacher(images[i].image[None]).logits.argmax() == images.labels[i]) for i in range(len(images))]
    return sum(right) / len(right)


def test_fit_writes_a_teacher_with_the_accuracy_of_its_card(tmp_path: Path) -> None:
    output, seen = tmp_path / "sub" / "bars.safetensors", Accuracies()
    module = make_module(output, augmentation=Augment(flip=0.5), label_smoothing=0.1)
    make_trainer(tmp_path, max_steps=48, callbacks=[seen]).fit(module, make_data())
    card = load_teacher(output).card
    assert card.classes == ("lying", "standing")
    assert (card.modality, card.network, card.input_size, card.name) == ("photo", "SmallResNet", 8, "bars-photo")
    assert card.split is not None
    assert "abc123" in card.split
    assert card.accuracy == pytest.approx(max(seen.seen))
    assert card.accuracy == pytest.approx(accuracy(output, "validation"))
    assert max(seen.seen) > 0.8
    assert [p.name for p in output.parent.iterdir()] == ["bars.safetensors"]


def test_the_best_epoch_is_kept_and_tested_not_the_last(tmp_path: Path) -> None:
    output, seen = tmp_path / "t.safetensors", Accuracies()

    class Ruined(ClassifierModule):
        def on_validation_epoch_start(self) -> None:
            if self.current_epoch == 4:
                with torch.no_grad():
                    self.network.head.weight.neg_()  # type: ignore[union-attr, operator]

    torch.manual_seed(0)
    module = Ruined(
        str(output), 8, arguments={"widths": [8, 8]}, optimizer=partial(torch.optim.AdamW, lr=0.01), half=True
    )
    trainer = make_trainer(tmp_path, max_steps=30, callbacks=[seen])
    trainer.fit(module, make_data())
    assert seen.seen[-1] < max(seen.seen) - 0.2
    assert module.best is not None
    assert module.best["accuracy"] == pytest.approx(max(seen.seen))
    assert load_teacher(output).card.accuracy == pytest.approx(max(seen.seen))
    (tested,) = trainer.test(module, make_data(), verbose=False)
    assert tested["test/accuracy"] == pytest.approx(accuracy(output, "test"), abs=0.03)


@pytest.mark.parametrize("steps", [9, 12])  # within an epoch and at the end of one
def test_resume_keeps_the_best_epoch_and_goes_the_same_way(steps: int, tmp_path: Path) -> None:
    straight = make_module(tmp_path / "straight.safetensors")
    make_trainer(tmp_path, max_steps=18).fit(straight, make_data())
    first = make_module(tmp_path / "first.safetensors")
    keep = ModelCheckpoint(tmp_path, filename="kept", every_n_train_steps=steps)
    make_trainer(tmp_path, max_steps=steps, enable_checkpointing=True, callbacks=[keep]).fit(first, make_data())
    checkpoint = tmp_path / "kept.ckpt"
    kept = torch.load(checkpoint, weights_only=True)["classifier"]["best"]
    assert kept["epoch"] == 0
    second = make_module(tmp_path / "second.safetensors")
    make_trainer(tmp_path, max_steps=18).fit(second, make_data(), ckpt_path=str(checkpoint))
    assert second.best is not None
    assert straight.best is not None
    assert second.best["accuracy"] == straight.best["accuracy"]
    assert second.best["epoch"] == straight.best["epoch"]
    for name, tensor in straight.best["weights"].items():
        assert torch.equal(tensor, second.best["weights"][name]), name


def test_a_checkpoint_builds_the_network_without_data(tmp_path: Path) -> None:
    module = make_module(tmp_path / "t.safetensors")
    trainer = make_trainer(tmp_path)
    trainer.fit(module, make_data())
    trainer.save_checkpoint(tmp_path / "c.ckpt")
    again = ClassifierModule.load_from_checkpoint(
        tmp_path / "c.ckpt", output="o.safetensors", input_size=8, arguments={"widths": [8, 8]}
    )
    x = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(again.eval()(x), module.eval()(x))
    (tested,) = make_trainer(tmp_path).test(again, make_data(), verbose=False)
    assert tested["test/accuracy"] == pytest.approx(accuracy(tmp_path / "t.safetensors", "test"))
    with pytest.raises(InputError, match="this checkpoint has 2 classes"):
        make_trainer(tmp_path).test(
            make_module(tmp_path / "t.safetensors"),
            make_data(classes=["standing", "lying"]),
            ckpt_path=str(tmp_path / "c.ckpt"),
        )


def test_fast_dev_run_leaves_the_file_alone(tmp_path: Path) -> None:
    output = tmp_path / "t.safetensors"
    make_trainer(tmp_path, fast_dev_run=True).fit(make_module(output), make_data())
    assert not output.exists()


def test_without_validation_the_last_weights_are_written(tmp_path: Path) -> None:
    output = tmp_path / "t.safetensors"
    make_trainer(tmp_path, limit_val_batches=0).fit(make_module(output), make_data("sketch"))
    card = load_teacher(output).card
    assert card.accuracy is None
    assert card.modality == "sketch"


def test_a_part_of_the_validation_images_gives_the_card_no_accuracy(tmp_path: Path) -> None:
    output = tmp_path / "t.safetensors"
    make_trainer(tmp_path, limit_val_batches=1).fit(make_module(output), make_data("sketch"))
    assert load_teacher(output).card.accuracy is None


def test_pretrained_weights_are_a_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create, asked = timm.create_model, []

    def without_weights(name: str, pretrained: bool, num_classes: int) -> nn.Module:
        asked.append(pretrained)
        return create(name, num_classes=num_classes)

    monkeypatch.setattr(timm, "create_model", without_weights)
    output, name = tmp_path / "t.safetensors", "timm:mobilenetv3_small_050"
    module = make_module(output, network=name, pretrained=True, arguments=None)
    make_trainer(tmp_path, max_steps=1, limit_val_batches=1).fit(module, make_data())
    assert load_teacher(output).card.network == name
    assert asked == [True, False]


def test_pretrained_weights_bring_their_own_preprocessing(tmp_path: Path) -> None:
    """Only where neither mean nor deviation are named, and not where the network starts at random."""
    name, output = "timm:vit_tiny_patch16_224.augreg_in21k_ft_in1k", str(tmp_path / "t.safetensors")
    usual = timm_format(name.removeprefix("timm:"), {})
    own = ClassifierModule(output, 32, name, pretrained=True).input_format
    assert own == usual._replace(size=32, crop=1.0)
    assert ClassifierModule(output, 32, "timm:resnet18", pretrained=True).input_format.mean == (0.485, 0.456, 0.406)
    assert ClassifierModule(output, 32, "timm:resnet18").input_format == InputFormat(32, (0.5,) * 3, (0.5,) * 3)
    named = ClassifierModule(output, 32, name, pretrained=True, mean=(0.4, 0.4, 0.4)).input_format
    assert named == InputFormat(32, (0.4,) * 3, (0.5,) * 3)


def test_a_classifier_of_one_grey_channel_and_another_height_is_trained(tmp_path: Path) -> None:
    output = tmp_path / "t.safetensors"
    module = make_module(
        output, network="timm:resnet18", arguments={"in_chans": 1}, input_size=(32, 40), mean=None, std=None
    )
    make_trainer(tmp_path, max_steps=1, limit_val_batches=1).fit(module, make_data())
    card = load_teacher(output).card
    assert (card.mean, card.std, card.input_size) == ((0.5,), (0.5,), (32, 40))


def test_the_scheduler_is_stepped_every_step(tmp_path: Path) -> None:
    module = make_module(tmp_path / "t.safetensors", scheduler=partial(torch.optim.lr_scheduler.StepLR, step_size=2))
    trainer = make_trainer(tmp_path)
    trainer.fit(module, make_data())
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.01 * 0.1**3)


def test_wrong_arguments_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"output: must be named \*\.safetensors, got 't\.pt'"):
        ClassifierModule("t.pt", 8)
    with pytest.raises(InputError, match=r"augmentation: must be an augmentation that keeps .*, got PasteOnto"):
        make_module(tmp_path / "t.safetensors", augmentation=PasteOnto(DeadLeaves()))
    with pytest.raises(InputError, match=r"label_smoothing: must be in \[0, 1\), got 1"):
        make_module(tmp_path / "t.safetensors", label_smoothing=1.0)
    with pytest.raises(InputError, match="Network 'Nothing' is not loaded"):
        make_trainer(tmp_path).fit(make_module(tmp_path / "t.safetensors", network="Nothing"), make_data())
    with pytest.raises(InputError, match="pretrained: must be false for network 'SmallResNet'"):
        make_trainer(tmp_path).fit(make_module(tmp_path / "t.safetensors", pretrained=True), make_data())
    with pytest.raises(InputError, match="card: std"):
        make_trainer(tmp_path).fit(make_module(tmp_path / "t.safetensors", std=(0.5, 0.5, 0.0)), make_data())
    with pytest.raises(InputError, match="data: must be a LabelledImagesDataModule for ClassifierModule, got NoneType"):
        make_trainer(tmp_path).fit(make_module(tmp_path / "t.safetensors"), make_data().train_dataloader())


@pytest.mark.parametrize("other", ["pen", "part", "size", "same"])
def test_a_best_epoch_is_not_compared_with_one_on_other_images(tmp_path: Path, other: str) -> None:
    """The checkpoint's best epoch claims an accuracy that no later epoch reaches."""
    first = make_trainer(tmp_path)
    first.fit(make_module(tmp_path / "first.safetensors"), make_data("sketch"))
    first.save_checkpoint(tmp_path / "c.ckpt")
    checkpoint = torch.load(tmp_path / "c.ckpt", weights_only=True)
    checkpoint["classifier"]["best"].update(accuracy=1.0, epoch=77)
    torch.save(checkpoint, tmp_path / "c.ckpt")
    data = make_data("sketch", pen=Pen(white_on_black=True) if other == "pen" else None)
    if other == "size":
        data.dataset.size = 16
    limits = {"limit_val_batches": 1} if other == "part" else {}
    module, output = make_module(tmp_path / "second.safetensors"), tmp_path / "second.safetensors"
    again = make_trainer(tmp_path, max_steps=12, **limits)
    if other == "same":
        again.fit(module, data, ckpt_path=str(tmp_path / "c.ckpt"))
    else:
        with pytest.warns(UserWarning, match="not those of the checkpoint"):
            again.fit(module, data, ckpt_path=str(tmp_path / "c.ckpt"))
    assert module.best is not None
    assert (module.best["epoch"] == 77) == (other == "same")
    accuracy_on_card = load_teacher(output).card.accuracy
    assert (accuracy_on_card is None) == (other == "part")


def test_a_best_epoch_on_a_part_gives_the_card_no_accuracy_after_a_resume(tmp_path: Path) -> None:
    first = make_trainer(tmp_path, limit_val_batches=1)
    first.fit(make_module(tmp_path / "first.safetensors"), make_data())
    first.save_checkpoint(tmp_path / "c.ckpt")
    output = tmp_path / "second.safetensors"
    whole = make_trainer(tmp_path)  # goes on for no step
    whole.fit(make_module(output), make_data(), ckpt_path=str(tmp_path / "c.ckpt"))
    assert load_teacher(output).card.accuracy is None
