"""Detectors: each one recognises one fault of a training by the measures of its last steps."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from crossx.core.checks import must_be_in
from crossx.reports.health.measures import chance_agreement, class_use, mean_and_error
from crossx.reports.health.phase import Phase
from crossx.types import MODALITIES


@dataclass(frozen=True)
class Finding:
    """A fault of a training.

    Attributes:
        name: Identifier in `results.json`; a run reports each name once.
        message: What was measured, the threshold, and what usually helps.
    """

    name: str
    message: str


class Detector(ABC):
    """Base of detectors.

    Args:
        window: Steps of a phase that are judged together, at least 2, so that no single batch decides.
        settle: Steps of a phase before the first judgement, at least 0. Untrained generators make few classes, all
            alike; those of the shipped configs do so for about 30 steps.

    Raises:
        InputError: When a number is out of range.
    """

    def __init__(self, window: int = 40, settle: int = 60) -> None:
        self.must_be_in("window", window, "[2, inf)")
        self.must_be_in("settle", settle, "[0, inf)")
        self.window, self.settle = window, settle

    def must_be_in(self, name: str, value: float, interval: str) -> None:
        """Refuse an argument of this detector that is out of range, as `crossx.core.checks.must_be_in`."""
        must_be_in(f"health.detectors.{type(self).__name__}.{name}", value, interval)

    def findings(self, phase: Phase) -> Iterator[Finding]:
        """Judge a phase, once it has settled."""
        if phase.steps >= self.settle:
            yield from self.judge(phase, f"over the last {self.window} steps of the {phase.trains}")

    @abstractmethod
    def judge(self, phase: Phase, over: str) -> Iterator[Finding]:
        """Judge the last `window` steps of a phase.

        Args:
            phase: The measures.
            over: Beginning of the messages, which names window and phase.
        """


class CollapseDetector(Detector):
    """`mode_collapse`: generated images of one class are copies of one another.

    Args:
        least_spread: Distance of two images of one class in their teacher's features, in units of the distance between
            classes, at least 0. Real images of the shapes have 0.8, the quickstart's generators 1.2, copies of one
            image 0; with 1 % of noise, copies of a sketch have 0.01, but those of a photo, whose texture the teacher
            reads, 0.3.
        window: See `Detector`.
        settle: See `Detector`.

    Raises:
        InputError: When a number is out of range.
    """

    def __init__(self, least_spread: float = 0.1, window: int = 40, settle: int = 60) -> None:
        super().__init__(window, settle)
        self.must_be_in("least_spread", least_spread, "[0, inf)")
        self.least_spread = least_spread

    def judge(self, phase: Phase, over: str) -> Iterator[Finding]:
        """Compare the mean spread of each modality with the threshold."""
        for modality in MODALITIES:
            spread = phase.last(f"spread_{modality}", self.window)
            if spread is not None and not np.isnan(spread).all() and np.nanmean(spread) < self.least_spread:
                yield Finding(
                    "mode_collapse",
                    f"{over} two {modality} images of one class lie only {np.nanmean(spread):.3f} times as far apart "
                    f"in the teacher's features as two classes do, below {self.least_spread:g}: they are copies of "
                    "one another. Usually helps: a lower weight of the one-hot term, a higher one of the BatchNorm "
                    "statistics term, a larger latent_dim, a lower learning rate",
                )


class ImbalanceDetector(Detector):
    """`class_imbalance`: some classes are hardly generated.

    Args:
        least_class_use: Entropy of the predicted classes as a share of its maximum, in [0, 1]; where less than half of
            a teacher's classes are shared, relative to a prior that gives these half. The shipped generators have 0.99;
            0.7 is what 5 of 10 classes give, or one class with six tenths of all images.
        window: See `Detector`.
        settle: See `Detector`.

    Raises:
        InputError: When a number is out of range.
    """

    def __init__(self, least_class_use: float = 0.7, window: int = 40, settle: int = 60) -> None:
        super().__init__(window, settle)
        self.must_be_in("least_class_use", least_class_use, "[0, 1]")
        self.least_class_use = least_class_use

    def judge(self, phase: Phase, over: str) -> Iterator[Finding]:
        """Compare the entropy of each modality's classes with the threshold."""
        for modality in MODALITIES:
            counts, known = phase.last(f"counts_{modality}", self.window), phase.last(f"known_{modality}", self.window)
            if counts is None or known is None:
                continue
            total, shared = counts.sum(0), phase.last("shared", 1)
            use = class_use(total, int(known[-1]), None if shared is None else shared[-1].astype(bool))
            if use < self.least_class_use:
                yield Finding(
                    "class_imbalance",
                    f"{over} the entropy of the classes that the {modality} teacher predicts is {use:.2f} of its "
                    f"maximum, below {self.least_class_use:g}: {total.max() / total.sum():.0%} of the images are of "
                    "one class. Usually helps: raise the weight of the entropy term",
                )


class AgreementDetector(Detector):
    """`lost_agreement`: photo and sketch of a pair agree no more than photos and sketches of different pairs.

    Judged only where a loss wants agreement (`wants_agreement`): soft labels need no pairs that agree.

    Args:
        least_agreement: Correlation between the two teachers' log-posteriors, in its standard errors over the steps.
            At random it is above 1 in a sixth of all windows; generators of pairs that agree reach 7 after 120 steps.
        window: See `Detector`.
        settle: See `Detector`. Unconditional generators learn to agree late and little: after 200 steps the shipped
            ones give one class to 0.12 of the pairs where chance gives 0.10.

    Raises:
        InputError: When a number is out of range.
    """

    def __init__(self, least_agreement: float = 1.0, window: int = 120, settle: int = 240) -> None:
        super().__init__(window, settle)
        self.must_be_in("least_agreement", least_agreement, "[-1e6, 1e6]")
        self.least_agreement = least_agreement

    def judge(self, phase: Phase, over: str) -> Iterator[Finding]:
        """Compare the mean correlation with the threshold."""
        names = ("correlation", "agreement", "counts_photo", "counts_sketch")
        correlation, agreement, photo, sketch = (phase.last(name, self.window) for name in names)
        if correlation is None or agreement is None or photo is None or sketch is None:
            return
        wanted = phase.last("wants_agreement", self.window)
        if wanted is None or not wanted.all():  # photos and sketches are independent of each other on purpose
            return
        mean, error = mean_and_error(correlation)
        # Without any variation there is nothing to agree on, and the collapse is a finding of its own.
        if error > 0 and mean < self.least_agreement * error:
            yield Finding(
                "lost_agreement",
                f"{over} both teachers gave one class to {agreement.mean():.1%} of the pairs, where photos and "
                f"sketches of different pairs would give {chance_agreement(photo.sum(0), sketch.sum(0)):.1%}; their "
                f"outputs correlate by {mean / error:.1f} standard errors, below {self.least_agreement:g}: a photo "
                "predicts nothing of its sketch. Usually helps: raise the weight of the alignment term, OneHotLoss "
                "with labels: agreed, more steps of the generators; objectives whose positives are the pairs "
                "themselves cannot learn from such pairs",
            )


class AdversaryDetector(Detector):
    """`saturated_adversary`: the hardness of the pairs is at its bound, or the adversarial term has no gradient.

    Args:
        most_hardness: Mean hardness by the critic, in [0, 1], where 1 is the largest that the encoders can reach. For
            cosines with a least value of -1, unrelated vectors have 0.5, and 0.95 is an angle of 154 degrees. The
            cross-entropy of `AdversarialLoss(form: published)` has no bound and is not compared.
        least_gradient_factor: Gradient that the hardness leaves the adversarial term, in [0, 1]: 1 at a hardness of
            0.5 and 0 at the bounds; 0.1 is a hardness of 0.0025 or 0.9975. It is 0, too, when no pair counts.
            Measured for `DistanceCritic` and encoders with a least cosine of -1, where the formula holds.
        window: See `Detector`.
        settle: See `Detector`.

    Raises:
        InputError: When a number is out of range.
    """

    def __init__(
        self,
        most_hardness: float = 0.95,
        least_gradient_factor: float = 0.1,
        window: int = 40,
        settle: int = 60,
    ) -> None:
        super().__init__(window, settle)
        self.must_be_in("most_hardness", most_hardness, "[0, 1]")
        self.must_be_in("least_gradient_factor", least_gradient_factor, "[0, 1]")
        self.most_hardness, self.least_gradient_factor = most_hardness, least_gradient_factor

    def judge(self, phase: Phase, over: str) -> Iterator[Finding]:
        """Compare hardness and gradient with the thresholds."""
        names = ("hardness", "gradient_factor", "adversarial_pairs")
        hardness, factor, pairs = (phase.last(name, self.window) for name in names)
        helps = (
            "Usually helps: a lower weight of the adversarial term, more encoder steps, a higher weight of the "
            "alignment term"
        )
        if hardness is not None and hardness.mean() > self.most_hardness:
            yield Finding(
                "saturated_adversary",
                f"{over} the pairs have a hardness of {hardness.mean():.3f} on a scale from 0 to 1, above "
                f"{self.most_hardness:g}: the generators have won, and their pairs teach the encoders nothing. "
                "Usually helps: lower the weight of the adversarial term, or ramp it later",
            )
        elif factor is not None and factor.mean() < self.least_gradient_factor:
            yield Finding(
                "saturated_adversary",
                f"{over} the adversarial term has {factor.mean():.3f} of its gradient left, below "
                f"{self.least_gradient_factor:g}: every pair's embeddings are equal or opposite, or no pair counts "
                f"because the teachers agree on none. {helps}",
            )
        elif pairs is not None and pairs.max() == 0:
            yield Finding(
                "saturated_adversary",
                f"{over} the adversarial term has no gradient: the critic's output does not depend on the images, or "
                f"no pair counts because the teachers agree on none. {helps}",
            )


class GradientDetector(Detector):
    """`dying_gradients` and `exploding_gradients`: the gradient of a phase is too small or too large to learn by.

    Args:
        least_gradient: Root mean square of the gradient's elements, at least 0. Adam adds 1e-8 to it before dividing,
            so below that its steps vanish.
        most_growth: Factor of the gradient to that of the phase's first window, above 1; high, because ramps add terms.
        window: See `Detector`.
        settle: See `Detector`.

    Raises:
        InputError: When a number is out of range.
    """

    def __init__(
        self, least_gradient: float = 1e-8, most_growth: float = 100.0, window: int = 40, settle: int = 60
    ) -> None:
        super().__init__(window, settle)
        self.must_be_in("least_gradient", least_gradient, "[0, inf)")
        self.must_be_in("most_growth", most_growth, "(1, inf)")
        self.least_gradient, self.most_growth = least_gradient, most_growth

    def judge(self, phase: Phase, over: str) -> Iterator[Finding]:
        """Compare gradient and learning rate with the thresholds."""
        gradient, rate = phase.last("gradient", self.window), phase.last("rate", self.window)
        if rate is not None and rate.max() == 0:
            yield Finding(
                "dying_gradients",
                f"{over} the learning rate was 0, so nothing is learned. Usually helps: a schedule that lasts as long "
                "as the run, or an end above 0",
            )
        if gradient is None:
            return
        if gradient.max() < self.least_gradient:
            yield Finding(
                "dying_gradients",
                f"{over} the gradient's elements have a root mean square of at most {gradient.max():.1e}, below "
                f"{self.least_gradient:g}: nothing is learned. Usually helps: check that the terms have a weight and "
                "depend on what is trained, a higher temperature of the contrastive term, another initialisation",
            )
        first = phase.first_median("gradient", self.window)
        if first and gradient.min() > self.most_growth * first:
            yield Finding(
                "exploding_gradients",
                f"{over} the gradient was at least {gradient.min() / first:.0f} times that of the phase's first steps, "
                f"above {self.most_growth:g}. Usually helps: a lower learning rate, clip_norm, a lower weight of the "
                "adversarial or the activation term",
            )


def default_detectors() -> list[Detector]:
    """All detectors with their usual thresholds."""
    return [CollapseDetector(), ImbalanceDetector(), AgreementDetector(), AdversaryDetector(), GradientDetector()]
