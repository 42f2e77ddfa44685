"""Sheets of the pairs whose two embeddings lie farthest apart, with the classes by teachers and encoders."""

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

from crossx.core.batches import concatenate, take
from crossx.core.checks import must_be_in
from crossx.encoding.prototypes import class_means, prototype_log_posterior
from crossx.networks.batch_norm import eval_mode
from crossx.reports.lookup import seeks_agreement
from crossx.reports.pictures.sheets import AGREE, DISAGREE, RIGHT, WRONG, Sheet
from crossx.reports.run.tables import write_csv
from crossx.reports.validations import AfterValidation, step_name
from crossx.training.guided import GuidedRetrievalModule
from crossx.types import MODALITIES, PairBatch

_COLUMNS = ["rank", "hardness", "image", "predicted_by", "first", "first_percent", "second", "second_percent"]


class HardestPairs(AfterValidation):
    """Writes `hardest/step_<n>.png` and `.csv`: the recent pairs whose two embeddings lie farthest apart.

    Where photos and sketches are generated independently of each other, pairs of two classes are meant to lie apart,
    and only those that both teachers assign to one class are shown.

    Below each image stand the two most likely classes of its teacher and of its encoder, in per cent. An encoder has no
    classes of its own: its scores are a softmax of cosines to class prototypes, the mean embeddings of the recent pairs
    (both modalities) by the class that the image's teacher predicts. `=` and a green frame mark pairs for which both
    teachers predict one class.

    With several processes, the pairs are those of the first process.

    Args:
        pairs: Pairs on a sheet, in [1, recent].
        recent: Pairs of the latest batches that the sheet is chosen from, and that prototypes are made of.
        temperature: Divides the cosines before the softmax, above 0; it sharpens the encoder's scores, and changes no
            order.

    Raises:
        InputError: When a number is out of range.
    """

    def __init__(self, pairs: int = 8, recent: int = 256, temperature: float = 0.1) -> None:
        super().__init__()
        must_be_in("hardest.pairs", pairs, f"[1, {recent}]")
        must_be_in("hardest.temperature", temperature, "(0, inf)")
        self.pairs = pairs
        self.recent = recent
        self.temperature = temperature
        self._batches: deque[PairBatch] = deque()

    def forget(self) -> None:
        """Keep no pairs of another module."""
        self._batches.clear()

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's signature
        batch: Any,  # noqa: ANN401 - Lightning's signature
        batch_idx: int,
    ) -> None:
        """Keep the newest pairs: references, no copies."""
        if isinstance(batch, PairBatch):
            self._batches.append(batch)
            while sum(len(b.photo) for b in self._batches) - len(self._batches[0].photo) >= self.recent:
                self._batches.popleft()

    @torch.no_grad()
    def show(self, trainer: pl.Trainer, module: pl.LightningModule, folder: Path) -> None:
        """Write sheet and table; nothing before the encoders were trained on pairs."""
        if not self._batches or not isinstance(module, GuidedRetrievalModule):
            return
        recent = different(take(concatenate(list(self._batches)), slice(-self.recent, None)))
        judged, which = judge(recent, module, self.temperature), "recent pairs"
        if not seeks_agreement(module):
            judged, which = take(judged, judged.agree.nonzero().flatten()), "recent pairs that agree"
        if not len(judged.hardness):
            return
        hardest, names = rank(judged, self.pairs), module.teachers.vocabulary.union
        title = f"step {trainer.global_step}: hardest of {len(judged.hardness)} {which}, photo over sketch"
        path = folder / "hardest" / step_name(trainer)
        draw(hardest, names, title).save(path.with_suffix(".png"))
        write_csv(path.with_suffix(".csv"), _COLUMNS, tabulate(hardest, names))


@dataclass
class JudgedPairs:
    """Pairs with the classes by teachers and encoders.

    Attributes:
        pairs: B pairs.
        hardness: Half the cosine distance of the two embeddings of each pair, (B,) in [0, 1].
        photo_teacher: Posterior of the photo teacher, (B, U).
        sketch_teacher: Posterior of the sketch teacher, (B, U).
        photo_encoder: Class scores of the photo embedding, (B, U).
        sketch_encoder: Class scores of the sketch embedding, (B, U).
    """

    pairs: PairBatch
    hardness: Tensor
    photo_teacher: Tensor
    sketch_teacher: Tensor
    photo_encoder: Tensor
    sketch_encoder: Tensor

    @property
    def agree(self) -> Tensor:
        """Whether both teachers predict one class for a pair, (B,) bool."""
        return self.photo_teacher.argmax(1) == self.sketch_teacher.argmax(1)

    def sides(self) -> tuple[tuple[Tensor, dict[str, Tensor]], tuple[Tensor, dict[str, Tensor]]]:
        """Images and posteriors by judge, of the photos and of the sketches."""
        return (
            (self.pairs.photo, {"encoder": self.photo_encoder, "teacher": self.photo_teacher}),
            (self.pairs.sketch, {"encoder": self.sketch_encoder, "teacher": self.sketch_teacher}),
        )


def different(pairs: PairBatch) -> PairBatch:
    """Keep each pair once: replay brings a pair several times, with the very same logits."""
    logits = torch.cat([pairs.photo_teacher.logits, pairs.sketch_teacher.logits], dim=1)
    groups = logits.unique(dim=0, return_inverse=True)[1].tolist()  # type: ignore[no-untyped-call]
    first = {group: row for row, group in reversed(list(enumerate(groups)))}
    return take(pairs, torch.tensor(sorted(first.values()), device=logits.device))


def judge(pairs: PairBatch, module: GuidedRetrievalModule, temperature: float) -> JudgedPairs:
    """Embed pairs in float32, and compare the embeddings with prototypes of the classes that the teachers predict."""
    vocabulary = module.teachers.vocabulary
    with eval_mode(module), torch.autocast(pairs.photo.device.type, enabled=False):
        embeddings = [module.encode(pairs.photo, "photo").float(), module.encode(pairs.sketch, "sketch").float()]
    logits = (pairs.photo_teacher.logits, pairs.sketch_teacher.logits)
    teachers = [vocabulary.union_posterior(x, m) for x, m in zip(logits, MODALITIES, strict=True)]
    predicted = torch.cat([posterior.argmax(1) for posterior in teachers])
    prototypes, present = class_means(torch.cat(embeddings), predicted, len(vocabulary.union))
    encoders = [prototype_log_posterior(e, prototypes, present, temperature).exp() for e in embeddings]
    hardness = (1 - (embeddings[0] * embeddings[1]).sum(1)) / 2
    return JudgedPairs(pairs, hardness, *teachers, *encoders)


def rank(judged: JudgedPairs, count: int) -> JudgedPairs:
    """The pairs with the largest hardness, the largest first."""
    return take(judged, judged.hardness.argsort(descending=True)[:count])


def draw(judged: JudgedPairs, names: tuple[str, ...], title: str) -> Sheet:
    """Draw a column a pair, photo over sketch."""
    count = len(judged.hardness)
    title = f"{title} ({AGREE} green: teachers agree)"
    sheet = Sheet(2, count, side=192, lines=5, title=title)
    for column in range(count):
        frame, sign = (RIGHT, AGREE) if judged.agree[column] else (WRONG, DISAGREE)
        for row, (images, posteriors) in enumerate(judged.sides()):
            text = []
            for before, who in ((f"{sign} teacher:", "teacher"), ("encoder:", "encoder")):
                best = top_two(posteriors[who][column], names)
                for word, (name, p) in zip((before, "then"), best, strict=False):  # there may be no second one
                    text += sheet.caption(f"{word} {name}", f"{100 * p:.0f} %")
            if row == 1:
                text.append(f"hardness {float(judged.hardness[column]):.2f}")
            sheet.place(row, column, images[column], frame, text)
    return sheet


def tabulate(judged: JudgedPairs, names: tuple[str, ...]) -> list[list[object]]:
    """List rank, hardness and both most likely classes, a row for each image and judge."""
    rows: list[list[object]] = []
    for place, hardness in enumerate(judged.hardness.tolist()):
        for modality, (_, posteriors) in zip(MODALITIES, judged.sides(), strict=True):
            for who, posterior in posteriors.items():
                best = [v for name, p in top_two(posterior[place], names) for v in (name, f"{100 * p:.1f}")]
                rows.append([place + 1, f"{hardness:.4f}", modality, who, *best])
    return rows


def top_two(posterior: Tensor, names: tuple[str, ...]) -> list[tuple[str, float]]:
    """The two most likely classes of a posterior, (U,), with their probabilities; one where there is no second."""
    best = posterior.topk(2)
    pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    return [(names[place], value) for place, value in pairs if value > 0]
