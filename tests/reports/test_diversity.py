"""How varied generated images are, against real ones."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.runs import CLASSES, Teachers, data, encoding, joint, save_teachers, trainer
from test_histograms import KeepingLogger

from crossx.core.batches import concatenate
from crossx.core.errors import InputError
from crossx.reports.fixed import sample_fixed
from crossx.reports.health.diversity import Diversity
from crossx.reports.health.measures import within_class_distance
from crossx.reports.run.baselines import TeacherBaselines


def mean_distance(features: torch.Tensor, classes: torch.Tensor) -> float:
    """The same by numpy, pair by pair."""
    x, labels = features.double().numpy(), classes.numpy()
    means = []
    for c in np.unique(labels):
        mine = x[labels == c]
        pairs = [np.linalg.norm(a - b) for i, a in enumerate(mine) for b in mine[:i]]
        if pairs:
            means.append(np.mean(pairs))
    return float(np.mean(means))


def test_distance_within_classes() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(20, 5, generator=generator)
    classes = torch.tensor([0] * 9 + [3] * 10 + [4])
    assert float(within_class_distance(features, classes)) == pytest.approx(mean_distance(features, classes), rel=1e-5)
    assert float(within_class_distance(torch.ones(4, 5), torch.zeros(4, dtype=torch.int64))) == 0
    assert within_class_distance(features[:2], torch.tensor([0, 1])).isnan()


def test_a_fit_logs_the_share_of_real_images_distance(tmp_path: Path) -> None:
    teachers = save_teachers(tmp_path, classes={"photo": CLASSES[:8], "sketch": CLASSES[5:]})  # three are shared
    module, logger, baselines = joint(teachers), KeepingLogger(), TeacherBaselines()
    images = data(teachers, evaluated=True, unknown_classes=True)
    quiet = trainer(tmp_path, 4, [baselines, Diversity(baselines, batches=3)], logger=logger, check_val_every_n_epoch=1)
    quiet.fit(module, datamodule=images)
    quiet.validate(module, datamodule=images, verbose=False)
    found: dict[str, Any] = {}
    for _, logged in logger.logged:
        found.update({name: value for name, value in logged.items() if name.endswith("_diversity")})
    assert set(found) == {"recon/photo_diversity", "recon/sketch_diversity"}
    pairs = concatenate([sample_fixed(module, images.batch_size, batch) for batch in range(3)])
    real, _ = images.images("validation")
    seen = module.teachers.photo(torch.stack([real[i].image for i in range(len(real))]))
    with torch.no_grad():
        made, true = (
            mean_distance(x.features, module.teachers.vocabulary.shared_logits(x.logits, "photo").argmax(1))
            for x in (pairs.photo_teacher, seen)
        )
    expected = made / true
    assert found["recon/photo_diversity"] == pytest.approx(expected, rel=1e-3)


def test_without_generators_there_is_nothing_to_say(teachers: Teachers, tmp_path: Path) -> None:
    baselines = TeacherBaselines()
    baselines.distances = {"photo": 1.0, "sketch": 1.0}
    callback = Diversity(baselines)
    quiet: Any = trainer(tmp_path, callbacks=[callback, baselines], logger=KeepingLogger())
    callback.show(quiet, encoding(teachers), tmp_path)
    assert quiet.logger.logged == []


def test_number_of_batches() -> None:
    with pytest.raises(InputError, match=r"^diversity\.batches: must be at least 1, got 0$"):
        Diversity(TeacherBaselines(), batches=0)
