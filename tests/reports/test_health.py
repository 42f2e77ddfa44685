"""Each fault, made to happen in a short run, and its finding; none in a healthy one.

Over 300 lines, because all detectors are tried on the same runs.
"""

import json
import math
import warnings
from collections.abc import Mapping, Sequence
from functools import cache, partial
from inspect import signature
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import Callback
from support.commands import config, edit, joint_config, part, run, write
from support.runs import Teachers, data, trainer
from torch import Tensor, nn

from crossx.cli import main
from crossx.core.errors import InputError, TrainingError
from crossx.cotraining.module import CoTrainingModule
from crossx.cotraining.schedule import Schedule
from crossx.data.shapes.dataset import ShapesDataset
from crossx.encoding.critics import LastLayerCritic
from crossx.encoding.critics.base import CriticFactory
from crossx.encoding.embeddings import Embedding
from crossx.encoding.encoders import (
    CompositeEncoder,
    Encoder,
    EncoderFactory,
    NetworkEncoder,
    PosteriorEncoder,
    StudentEncoder,
    TeacherHeadEncoder,
)
from crossx.encoding.encoders.composite import Part
from crossx.encoding.losses import SupConLoss
from crossx.encoding.losses.base import EncodingTerm
from crossx.encoding.module import EncoderModule
from crossx.networks.base import last_layer
from crossx.networks.small_resnet import SmallResNet
from crossx.pairs.sources import LivePairs
from crossx.reconstruction.generators import Generator, GeneratorFactory, UpsamplingGenerator
from crossx.reconstruction.losses import (
    ActivationLoss,
    AdversarialLoss,
    BatchNormStatisticsLoss,
    ClassAlignmentLoss,
    InformationEntropyLoss,
    OneHotLoss,
)
from crossx.reconstruction.losses.base import Reconstruction, ReconstructionLoss, ReconstructionTerm
from crossx.reconstruction.module import ReconstructionModule
from crossx.reports.health.detectors import (
    AdversaryDetector,
    AgreementDetector,
    CollapseDetector,
    Detector,
    GradientDetector,
    ImbalanceDetector,
)
from crossx.reports.health.diversity import Diversity
from crossx.reports.health.monitor import HealthMonitor
from crossx.reports.health.phase import Phase
from crossx.reports.run.checkpoint import LastCheckpoint
from crossx.reports.settings import Reports, callbacks
from crossx.teachers.pair import TeacherPair
from crossx.teachers.teacher import load_teacher
from crossx.types import MODALITIES, LatentBatch, Modality, PairBatch, TeacherOutput

SHIPPED = Teachers("crossx:assets/shapes_photo.safetensors", "crossx:assets/shapes_sketch.safetensors")
CLASSES = len(ShapesDataset.classes)
SGD = partial(torch.optim.SGD, lr=0.01)
HEAD = partial(TeacherHeadEncoder, dim=8, hidden=0)
WIDTH = load_teacher(SHIPPED.photo).network.num_features
NETWORK = partial(NetworkEncoder, network=partial(SmallResNet, widths=(8,)), dim=WIDTH, hidden=0)
"""Encoders whose embeddings the teachers' last layers can classify."""


@cache
def pictures(modality: Modality) -> Tensor:
    """Real images by class, (U, N, 3, S, S)."""
    images = ShapesDataset(size=32, train=8, validation=1, test=1).images(modality, "train")
    rows = [[i for i in range(len(images)) if int(images.labels[i]) == c] for c in range(CLASSES)]
    return torch.stack([torch.stack([images[i].image for i in row]) for row in rows])


class Album(Generator):
    """A perfect generator: real images of a class that the latent names, a little brighter or darker as it learns.

    Args:
        modality: Whose images.
        likes: The class that it makes in nine of ten cases; None for the one that the latent names.
        copies: Make one image a class.
        moves: Whether its parameter changes anything.
    """

    def __init__(self, modality: Modality, likes: int | None = None, copies: bool = False, moves: bool = True) -> None:
        super().__init__(modality, latent_dim=3)
        self.register_buffer("images", pictures(modality).clone())
        self.likes, self.copies, self.moves = likes, copies, moves
        self.light = nn.Parameter(torch.zeros(3))

    def forward(self, noise: Tensor) -> Tensor:
        images: Tensor = self.get_buffer("images")
        uniform = torch.special.ndtr(noise)
        target = (uniform[:, 2] * CLASSES).long().clamp(max=CLASSES - 1)
        choice = (uniform[:, 0] * images.shape[1]).long().clamp(max=images.shape[1] - 1)
        if self.copies:
            choice = choice * 0
        if self.likes is not None:
            target = torch.where(uniform[:, 1] < 0.9, self.likes, target)
        light = self.light if self.moves else self.light * 0
        return (images[target, choice] + light[:, None, None]).clamp(0.001, 0.999)


class Constant(Encoder):
    """Everything lies at one place, and photos where `places` says."""

    def __init__(self, teachers: TeacherPair, modality: Modality, places: tuple[float, float]) -> None:
        super().__init__(modality, dim=4)
        self.place = places[MODALITIES.index(modality)]
        self.scale = nn.Parameter(torch.ones(()))

    def embed(self, images: Tensor, teacher: TeacherOutput | None) -> Embedding:
        return Embedding(F.normalize((self.place * self.scale.abs()).expand(len(images), 4), dim=1))


class SureHead(TeacherHeadEncoder):
    """A head whose vector is the same for every photo, and the opposite for every sketch."""

    def __init__(self, teachers: TeacherPair, modality: Modality) -> None:
        super().__init__(teachers, modality, dim=4, hidden=0)
        with torch.no_grad():
            for name, parameter in self.head[-1].named_parameters():
                parameter.fill_((1.0 if modality == "photo" else -1.0) if name == "bias" else 0)


SURE_PART = partial(CompositeEncoder, parts={"posterior": Part(PosteriorEncoder), "head": Part(SureHead)})
"""Photos and sketches that cannot lie opposite: the posteriors' part has no negative cosine."""


class SureStudent(StudentEncoder):
    """A student who predicts one class for every photo, and another one for every sketch."""

    def __init__(self, teachers: TeacherPair, modality: Modality) -> None:
        super().__init__(teachers, modality, partial(SmallResNet, widths=(8,)), 32)
        rows = last_layer(teachers.of(modality).network)
        assert rows is not None
        with torch.no_grad():
            self.map.weight.zero_()
            self.map.bias.copy_(100 * F.normalize(rows[MODALITIES.index(modality)] - rows.mean(0), dim=0))


class Mixed(LivePairs):
    """Each photo with the sketch of another latent."""

    def sample(self, latents: LatentBatch) -> PairBatch:
        pairs = super().sample(latents)
        pairs.sketch = pairs.sketch.roll(1, 0)
        of_sketch = pairs.sketch_teacher
        pairs.sketch_teacher = TeacherOutput(of_sketch.logits.roll(1, 0), of_sketch.features.roll(1, 0))
        return pairs


def terms(**weights: float) -> dict[str, ReconstructionTerm]:
    losses: dict[str, ReconstructionLoss] = {
        "one_hot": OneHotLoss("agreed"),
        "entropy": InformationEntropyLoss(),
        "adversarial": AdversarialLoss(),
    }
    weights = {"one_hot": 1, "entropy": 1, "adversarial": 0.1, **weights}
    return {name: ReconstructionTerm(losses[name], weight) for name, weight in weights.items()}


def joint(
    generator: GeneratorFactory = Album,
    encoder: EncoderFactory = HEAD,
    objective: Mapping[str, ReconstructionTerm] | None = None,
    pairs: type[LivePairs] | None = None,
    schedule: Schedule | None = None,
    optimizer: Any = SGD,  # noqa: ANN401 - Lightning's type
    sketch_generator: GeneratorFactory | None = None,
    **encoding: Any,  # noqa: ANN401 - any argument of the encoders' side
) -> CoTrainingModule:
    """Healthy, but for what is named."""
    torch.manual_seed(0)
    side = ReconstructionModule(
        *SHIPPED, generator, dict(objective or terms()), sketch_generator=sketch_generator, optimizer=optimizer
    )
    other = EncoderModule(*SHIPPED, encoder, {"sup_con": EncodingTerm(SupConLoss(0.2))}, optimizer=SGD, **encoding)
    replay = None if pairs is None else lambda source: pairs(side, source.num_classes)
    return CoTrainingModule(side, other, schedule or Schedule(0, 1, 1), replay)


def detectors(window: int = 6, settle: int = 8, agreement_window: int = 12, **thresholds: float) -> list[Detector]:
    """All detectors with windows that a short run fills.

    Args:
        window: Steps that are judged together.
        settle: Steps before the first judgement.
        agreement_window: Steps over which agreement is judged.
        thresholds: Arguments of the detectors by their names.
    """
    kinds = (CollapseDetector, ImbalanceDetector, AdversaryDetector, GradientDetector)
    own = [{n: v for n, v in thresholds.items() if n in signature(kind).parameters} for kind in kinds]
    found: list[Detector] = [
        kind(window=window, settle=settle, **values) for kind, values in zip(kinds, own, strict=True)
    ]
    return [*found, AgreementDetector(window=agreement_window, settle=2 * agreement_window)]


def fit(
    module: pl.LightningModule,
    folder: Path,
    steps: int = 20,
    callbacks: Sequence[Callback] = (),
    batch_size: int = 16,
    **options: Any,  # noqa: ANN401 - of `detectors`
) -> HealthMonitor:
    """Train, and return the monitor; its warnings are those that Python has shown."""
    monitor = HealthMonitor(detectors(**options))
    quiet = trainer(folder, steps, [monitor, *callbacks], enable_checkpointing=any(callbacks), logger=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        quiet.fit(module, datamodule=data(batch_size=batch_size, batches_per_epoch=10))
    said = [str(w.message) for w in caught if str(w.message).startswith("health, step")]
    assert monitor.findings is not None
    assert said == [f["message"] for f in monitor.findings]
    assert len(names(monitor)) == len(monitor.findings), "each warning once"
    return monitor


def names(monitor: HealthMonitor) -> set[str]:
    assert monitor.findings is not None
    return {found["name"] for found in monitor.findings}


def message(monitor: HealthMonitor) -> str:
    assert monitor.findings is not None
    return str(monitor.findings[0]["message"])


def test_healthy_pairs_raise_no_warning(tmp_path: Path) -> None:
    monitor = fit(joint(), tmp_path, steps=50)
    assert monitor.findings == []


def quickstart(**weights: float) -> dict[str, ReconstructionTerm]:
    """The objective of quickstart.yaml with other weights."""
    losses: dict[str, ReconstructionLoss] = {
        "one_hot": OneHotLoss("agreed"),
        "entropy": InformationEntropyLoss(),
        "activation": ActivationLoss(),
        "alignment": ClassAlignmentLoss(),
        "statistics": BatchNormStatisticsLoss(),
        "adversarial": AdversarialLoss(),
    }
    usual = {"one_hot": 1, "entropy": 5, "activation": 0.1, "alignment": 1, "statistics": 1, "adversarial": 0.5}
    return {name: ReconstructionTerm(losses[name], weight) for name, weight in {**usual, **weights}.items()}


def test_generators_that_learn_as_in_the_quickstart_raise_no_warning(tmp_path: Path) -> None:
    adam = partial(torch.optim.Adam, lr=0.002, betas=(0.5, 0.999))
    generator = partial(UpsamplingGenerator, size=32, width=8)
    module = joint(generator, objective=quickstart(), schedule=Schedule(60, 1, 1), optimizer=adam)
    monitor = fit(module, tmp_path, steps=76, batch_size=24, agreement_window=120, window=20, settle=60)
    assert monitor.findings == []


def test_one_image_a_class_is_mode_collapse(tmp_path: Path) -> None:
    monitor = fit(joint(sketch_generator=partial(Album, copies=True)), tmp_path)
    assert names(monitor) == {"mode_collapse"}
    assert "two sketch images of one class lie only 0.0" in message(monitor)
    assert "below 0.1" in message(monitor)
    assert "Usually helps: a lower weight of the one-hot term" in message(monitor)


def test_one_image_is_mode_collapse_of_one_class(tmp_path: Path) -> None:
    album = partial(Album, likes=0, copies=True)
    # Teachers that are sure give no gradient to the other terms; and nobody learns to tell one image from itself.
    objective = {**terms(), "statistics": ReconstructionTerm(BatchNormStatisticsLoss())}
    # Of features alone: the rounding of a posterior beside them would be a gradient of 1e-7.
    module = joint(album, partial(HEAD, posterior=False), objective=objective)
    for one in (module.reconstruction.generators.photo, module.reconstruction.generators.sketch):
        one.get_buffer("images")[:] = one.get_buffer("images")[:1, :1].clone()
    monitor = fit(module, tmp_path)
    assert names(monitor) == {"mode_collapse", "class_imbalance", "dying_gradients"}
    assert monitor.findings is not None
    assert all(
        "of the encoders" in found["message"] for found in monitor.findings if found["name"] == "dying_gradients"
    )


def test_a_favourite_class_is_imbalance(tmp_path: Path) -> None:
    album = partial(Album, likes=3)
    monitor = fit(joint(album), tmp_path)
    assert names(monitor) == {"class_imbalance"}
    assert "below 0.7" in message(monitor)
    assert "% of the images are of one class. Usually helps: raise the weight of the entropy term" in message(monitor)
    assert fit(joint(album), tmp_path, least_class_use=0.1).findings == []


def test_photos_with_other_sketches_have_lost_their_agreement(tmp_path: Path) -> None:
    monitor = fit(joint(pairs=Mixed), tmp_path, steps=50)
    assert names(monitor) == {"lost_agreement"}
    assert "over the last 12 steps of the encoders both teachers gave one class to" in message(monitor)
    assert "Usually helps: raise the weight of the alignment term" in message(monitor)


def test_pairs_may_disagree_where_no_loss_wants_agreement(tmp_path: Path) -> None:
    objective = {**terms(), "one_hot": ReconstructionTerm(OneHotLoss("predicted"))}
    assert fit(joint(pairs=Mixed, objective=objective), tmp_path, steps=50).findings == []


@pytest.mark.parametrize(
    ("places", "says"), [((1, -1), "a hardness of 1.000"), ((1, 1), "adversarial term has 0.000 of its gradient left")]
)
def test_constant_encoders_saturate_the_adversary(tmp_path: Path, places: tuple[float, float], says: str) -> None:
    monitor = fit(joint(encoder=partial(Constant, places=places)), tmp_path)
    assert "saturated_adversary" in names(monitor)
    assert names(monitor) <= {"saturated_adversary", "dying_gradients"}, "constants have no gradient either"
    assert monitor.findings is not None
    assert any(says in found["message"] for found in monitor.findings)


@pytest.mark.parametrize("encoder", [SURE_PART, SureStudent])
def test_encoders_that_cannot_lie_opposite_saturate_too(tmp_path: Path, encoder: EncoderFactory) -> None:
    monitor = fit(joint(encoder=encoder), tmp_path)
    assert "saturated_adversary" in names(monitor)
    assert monitor.findings is not None
    assert any("a hardness of 1.000" in found["message"] for found in monitor.findings)


def test_without_an_adversarial_term_nothing_saturates(tmp_path: Path) -> None:
    constants = partial(Constant, places=(1, -1))
    monitor = fit(joint(encoder=constants, objective=terms(adversarial=0)), tmp_path)
    assert names(monitor) == {"dying_gradients"}


def test_an_adversary_that_wins_is_saturated(tmp_path: Path) -> None:
    """Encoders that stand still, and generators whose only aim is that they disagree."""
    torch.manual_seed(0)
    generator = partial(UpsamplingGenerator, size=32, width=8, latent_dim=8)
    heads = partial(TeacherHeadEncoder, dim=2, hidden=0)
    objective = quickstart(**{**dict.fromkeys(quickstart(), 0.0), "adversarial": 100.0, "alignment": 10.0})
    adam = partial(torch.optim.Adam, lr=0.005)
    module = joint(generator, heads, objective, schedule=Schedule(100, 1, 1), optimizer=adam)
    monitor = fit(module, tmp_path, 70, (), 8, least_class_use=0, least_spread=0, agreement_window=200)
    assert names(monitor) == {"saturated_adversary"}


def test_a_learning_rate_of_0_is_told(tmp_path: Path) -> None:
    monitor = fit(joint(optimizer=partial(torch.optim.SGD, lr=0.0)), tmp_path)
    assert names(monitor) == {"dying_gradients"}
    assert "of the generators the learning rate was 0" in message(monitor)


def test_a_gradient_of_0_is_told(tmp_path: Path) -> None:
    monitor = fit(joint(partial(Album, moves=False)), tmp_path)
    assert names(monitor) == {"dying_gradients"}
    assert "root mean square of at most 0.0e+00, below 1e-08" in message(monitor)


def test_a_gradient_that_explodes_is_told(tmp_path: Path) -> None:
    objective = terms()
    objective["late"] = ReconstructionTerm(InformationEntropyLoss(), 1e6, ramp=(25, 26))
    monitor = fit(joint(objective=objective, optimizer=partial(torch.optim.SGD, lr=1e-9)), tmp_path, steps=45)
    assert names(monitor) == {"exploding_gradients"}
    assert "times that of the phase's first steps, above 100" in message(monitor)


class Undefined(ReconstructionLoss):
    """A loss that has no value from the given call on.

    Args:
        start: The first call that has none.
        of_gradient: Only the gradient has none.
    """

    def __init__(self, start: int = 6, of_gradient: bool = False) -> None:
        super().__init__()
        self.start, self.of_gradient, self.calls = start, of_gradient, 0

    def forward(self, reconstruction: Reconstruction) -> Tensor:
        self.calls += 1
        level = reconstruction.pairs.photo.mean()
        if self.calls < self.start:
            return level
        return (level * 0).sqrt() if self.of_gradient else level * math.nan


class Poison(Callback):
    """Puts a NaN into a weight after a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *rest: object) -> None:
        if trainer.global_step == self.step:
            nn.init.constant_(pl_module.get_parameter("reconstruction.generators.photo.light"), math.nan)


def ill(folder: Path, module: CoTrainingModule, *callbacks: Callback, every: int = 1) -> tuple[str, dict[str, Any]]:
    """The error of a run that saves every few steps, and what is in its last checkpoint."""
    save = LastCheckpoint(every_n_steps=every)
    save.dirpath = str(folder)
    with pytest.raises(TrainingError) as error:
        fit(module, folder, callbacks=[*callbacks, save])
    checkpoint: dict[str, Any] = torch.load(folder / "last.ckpt", weights_only=True)
    assert all(tensor.isfinite().all() for tensor in checkpoint["state_dict"].values())
    return str(error.value), checkpoint


def undefined(**options: Any) -> dict[str, ReconstructionTerm]:  # noqa: ANN401 - the loss's
    return {**terms(), "mine": ReconstructionTerm(Undefined(**options))}


def test_nan_of_a_term_ends_the_run_and_is_not_saved(tmp_path: Path) -> None:
    said, checkpoint = ill(tmp_path, joint(objective=undefined()))
    assert said.startswith("in step 11 recon/mine is not finite; training has stopped, and the last checkpoint")
    assert "Usually helps: a lower learning rate, clip_norm" in said
    assert checkpoint["global_step"] == 10


def test_nan_of_a_gradient_ends_the_run_and_is_not_saved(tmp_path: Path) -> None:
    said, checkpoint = ill(tmp_path, joint(objective=undefined(of_gradient=True)))
    assert said.startswith("in step 11 the gradient of the generators is not finite, though the loss is (recon/one_hot")
    assert "recon/mine 0" in said
    assert checkpoint["global_step"] == 10


def test_nan_of_a_weight_is_not_saved(tmp_path: Path) -> None:
    said, checkpoint = ill(tmp_path, joint(), Poison(7))
    assert said.startswith("after step 7 the weight 'reconstruction.generators.photo.light' is not finite")
    assert checkpoint["global_step"] == 6


def test_nan_of_a_weight_is_told_by_the_terms_where_nothing_is_saved_in_between(tmp_path: Path) -> None:
    said, checkpoint = ill(tmp_path, joint(), Poison(14), every=10)
    assert said.startswith("in step 15 recon/one_hot, recon/entropy")
    assert checkpoint["global_step"] == 10


def test_without_the_monitor_nothing_is_measured_or_refused(tmp_path: Path) -> None:
    watched, unwatched = (callbacks(Reports(health=on, pictures=False)) for on in (True, False))
    assert any(isinstance(callback, HealthMonitor) for callback in watched)
    assert not any(isinstance(callback, HealthMonitor | Diversity) for callback in unwatched)
    save = LastCheckpoint()
    save.dirpath = str(tmp_path)
    quiet = trainer(tmp_path, 12, [Poison(3), save], enable_checkpointing=True)
    quiet.fit(joint(), datamodule=data(batch_size=8))
    assert (tmp_path / "last.ckpt").exists()


def test_leaves_no_hook_behind(tmp_path: Path) -> None:
    def hooks(module: nn.Module) -> int:
        return sum(len(m._forward_hooks) for m in module.modules())

    module = joint()
    fit(module, tmp_path, steps=4)
    assert hooks(module) == 0
    broken = joint()
    broken.reconstruction.objective.losses["one_hot"].forward = None  # type: ignore[assignment]
    with pytest.raises(TypeError):
        fit(broken, tmp_path, steps=4)
    assert hooks(broken) == 0


def test_a_resumed_run_keeps_the_warnings_and_says_again_what_is_still_wrong(tmp_path: Path) -> None:
    album = partial(Album, likes=3)
    save = LastCheckpoint()
    save.dirpath = str(tmp_path)
    first = fit(joint(album), tmp_path, callbacks=[save])
    monitor = HealthMonitor(detectors())
    quiet = trainer(tmp_path, 40, [monitor])
    with pytest.warns(UserWarning, match="entropy of the classes"):
        quiet.fit(
            joint(album),
            datamodule=data(batch_size=16, batches_per_epoch=10),
            ckpt_path=tmp_path / "last.ckpt",
        )
    assert first.findings is not None
    assert monitor.findings is not None
    assert monitor.findings[:1] == first.findings
    assert [found["name"] for found in monitor.findings] == ["class_imbalance", "class_imbalance"]
    assert monitor.findings[1]["step"] > 20


def test_findings_of_one_module_are_not_those_of_the_next(tmp_path: Path) -> None:
    monitor = HealthMonitor(detectors())
    quiet = trainer(tmp_path, 20, [monitor])
    images = data(batch_size=16, batches_per_epoch=10)
    with pytest.warns(UserWarning, match="entropy of the classes"):
        quiet.fit(ill_one := joint(partial(Album, likes=3)), datamodule=images)
    assert names(monitor) == {"class_imbalance"}
    quiet.validate(ill_one, datamodule=images)
    assert names(monitor) == {"class_imbalance"}, "of the module that is measured"
    quiet.fit_loop.epoch_loop.max_steps = 40
    quiet.fit(joint(), datamodule=images)
    assert monitor.findings == []
    assert monitor.section(None) == {"health": []}
    quiet.fit_loop.epoch_loop.max_steps = 60
    with pytest.warns(UserWarning, match="entropy of the classes"):  # said again: it is another run
        quiet.fit(ill_one, datamodule=images)
    assert [found["name"] for found in monitor.findings] == ["class_imbalance"]


def results(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "run/version_0/results.json").read_text())
    return loaded


def test_results_and_logs_of_a_fit_have_it(teachers: Teachers, tmp_path: Path) -> None:
    content = joint_config(teachers, tmp_path)
    edit(content, "trainer.max_steps", 20)
    collapse = part("CollapseDetector", settle=0, window=2, least_spread=1e6)
    watched = {"detectors": [collapse, part("GradientDetector")], "stop_on_collapse": False}
    content["reports"] = {"health": watched}
    with pytest.warns(UserWarning, match=r"health, step 2: over the last 2 steps of the generators two photo images"):
        run("fit", tmp_path / "c.yaml", content)
    found = results(tmp_path)["health"]
    assert ("mode_collapse", 2) in {(entry["name"], entry["step"]) for entry in found}
    assert all(set(entry) == {"name", "step", "message"} for entry in found)
    header = (tmp_path / "run/version_0/metrics.csv").read_text().splitlines()[0].split(",")
    assert {"health/recon_gradient", "health/encode_gradient", "health/recon_spread_photo"} <= set(header)
    assert {"health/recon_correlation", "health/encode_agreement"} <= set(header)


def test_results_of_a_healthy_fit_and_of_one_that_nobody_watched(
    joint_run: Path, teachers: Teachers, tmp_path: Path
) -> None:
    assert json.loads((joint_run / "results.json").read_text())["health"] == []
    run("fit", tmp_path / "c.yaml", joint_config(teachers, tmp_path), "--reports.health", "false")
    assert results(tmp_path)["health"] is None
    words = ["--ckpt_path", str(joint_run / "checkpoints/last.ckpt")]
    words += ["--trainer.logger.init_args.save_dir", str(tmp_path / "tested")]
    run("test", tmp_path / "d.yaml", joint_config(teachers, tmp_path / "tested"), *words)
    assert results(tmp_path / "tested")["health"] == [], "what the fit has found"


def test_reconstruction_alone_is_watched_and_its_table_is_not_wider(teachers: Teachers, tmp_path: Path) -> None:
    generator = part("UpsamplingGenerator", size=16, latent_dim=8, width=8)
    objective = {"mine": {"loss": part(f"{__name__}.Undefined", start=100)}}
    content = config(teachers, tmp_path, part("ReconstructionModule", generator=generator, terms=objective))
    edit(content, "trainer.max_steps", 10)
    run("fit", tmp_path / "c.yaml", content)
    assert "health/recon_gradient" in (tmp_path / "run/version_0/metrics.csv").read_text()
    assert not [name for name in results(tmp_path)["metrics"] if name.startswith("health/")]


def test_nan_ends_the_command_with_a_message(
    teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = joint_config(teachers, tmp_path)
    edit(content, "trainer.max_steps", 8)
    content["model"]["init_args"]["reconstruction"]["init_args"]["terms"]["mine"] = {
        "loss": part(f"{__name__}.Undefined", start=4)
    }
    assert main(["fit", "--config", write(tmp_path / "c.yaml", content)]) == 1
    err = capsys.readouterr().err
    assert "crossx: error: in step 6 recon/mine is not finite; training has stopped" in err
    assert "Traceback" not in err
    checkpoint = torch.load(tmp_path / "run/version_0/checkpoints/last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == 4, "an epoch has two steps, and the third one failed"
    assert all(tensor.isfinite().all() for tensor in checkpoint["state_dict"].values())
    assert not (tmp_path / "run/version_0/results.json").exists()


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (CollapseDetector, "window", 1),
        (AgreementDetector, "window", 0),
        (GradientDetector, "settle", -1),
        (CollapseDetector, "least_spread", -0.1),
        (CollapseDetector, "least_spread", math.nan),
        (ImbalanceDetector, "least_class_use", 1.1),
        (AdversaryDetector, "most_hardness", -0.1),
        (AdversaryDetector, "least_gradient_factor", 2.0),
        (GradientDetector, "least_gradient", -1.0),
        (CollapseDetector, "least_spread", math.inf),
        (AgreementDetector, "least_agreement", math.nan),
        (GradientDetector, "most_growth", 1.0),
        (GradientDetector, "most_growth", math.inf),
    ],
)
def test_numbers_out_of_range_are_refused(kind: Any, name: str, value: Any) -> None:  # noqa: ANN401 - of the field's type
    with pytest.raises(InputError, match=rf"^health\.detectors\.{kind.__name__}\.{name}: must be .*, got {value}$"):
        kind(**{name: value})


def published() -> dict[str, ReconstructionTerm]:
    """The published adversary, which reads the critic's cross-entropy and not its hardness."""
    return {**terms(), "adversarial": ReconstructionTerm(AdversarialLoss("published"), 0.1)}


def test_the_published_adversary_is_not_told_to_be_saturated(tmp_path: Path) -> None:
    monitor = fit(joint(encoder=NETWORK, objective=published(), critic=LastLayerCritic), tmp_path, steps=40)
    assert "saturated_adversary" not in names(monitor)


@pytest.mark.parametrize(
    ("encoder", "critic", "measured"),
    [(HEAD, None, True), (SureStudent, None, False), (NETWORK, LastLayerCritic, False)],
)
def test_the_gradient_factor_is_measured_only_where_its_formula_holds(
    tmp_path: Path,
    encoder: EncoderFactory,
    critic: CriticFactory | None,
    measured: bool,
) -> None:
    monitor = fit(joint(encoder=encoder, critic=critic), tmp_path, steps=4)
    phase = monitor._phases["recon"]
    assert (phase.last("gradient_factor", 1) is not None) == measured
    assert phase.last("adversarial_pairs", 1) is not None
    assert phase.last("hardness", 1) is not None


def test_a_critic_that_no_image_moves_is_told_truly() -> None:
    phase = Phase("generators", 10)
    for _ in range(10):
        phase.add({"hardness": np.array(0.4), "adversarial_pairs": np.array(0.0)})
    (finding,) = AdversaryDetector(window=5, settle=5).findings(phase)
    assert finding.name == "saturated_adversary"
    assert "the adversarial term has no gradient: the critic's output does not depend on the images" in finding.message
    assert "opposite" not in finding.message
    phase.add({"hardness": np.array(0.4), "adversarial_pairs": np.array(0.1)})
    assert list(AdversaryDetector(window=5, settle=5).findings(phase)) == []
