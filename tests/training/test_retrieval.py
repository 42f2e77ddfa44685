"""A subclass that overrides what one stage does is tested and predicted in its way, too."""

from pathlib import Path
from typing import Any

from support.runs import SIZE, Teachers, data, encoding, trainer

from crossx.classification.module import ClassifierModule
from crossx.encoding.module import EncoderModule
from crossx.pairs.datamodule import SyntheticPairsDataModule


def test_test_follows_an_overridden_validation(teachers: Teachers, tmp_path: Path) -> None:
    class Counting(EncoderModule):
        batches = 0

        def validation_step(self, *batch: Any) -> None:  # noqa: ANN401 - Lightning's arguments
            self.batches += 1
            super().validation_step(*batch)

    module = encoding(teachers)
    module.__class__ = Counting
    trainer(tmp_path).test(module, data(teachers, evaluated=True), verbose=False)
    assert module.batches == 2

    class Deaf(ClassifierModule):
        batches = 0

        def validation_step(self, batch: Any) -> None:  # noqa: ANN401 - nothing is done with it
            self.batches += 1

    classifier = Deaf(str(tmp_path / "t.safetensors"), SIZE)
    classifier.test_step(None)  # type: ignore[arg-type]  # as above
    assert classifier.batches == 1


def test_prediction_follows_overridden_test_images() -> None:
    class Own(SyntheticPairsDataModule):
        def test_dataloader(self) -> list[Any]:
            return ["mine"]

    images: list[Any] = Own(None).predict_dataloader()
    assert images == ["mine"]
