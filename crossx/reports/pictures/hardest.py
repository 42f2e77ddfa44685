"""The pairs on which the encoders disagree most, with what teachers and encoders see in them."""

from collections import deque
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

from crossx.core.batches import concatenate, take
from crossx.core.errors import InputError
from crossx.encoding.prototypes import class_means, proxy_log_posterior
from crossx.networks.batch_norm import eval_mode
from crossx.reports.pictures.sheets import RIGHT, WRONG, Sheet
from crossx.reports.pictures.validations import AfterValidation, step_name
from crossx.reports.run.tables import write_csv
from crossx.training.guided import GuidedRetrievalModule
from crossx.types import MODALITIES, PairBatch

_LONGEST = 12
"""Letters of a class name, so that two of them fit below an image."""


class HardestPairs(AfterValidation):
    """Writes `hardest/step_<n>.png` and `.csv`: the recent pairs whose two embeddings lie farthest apart.

    Below each image stand the two most likely classes of its teacher and of its encoder, in per cent. An encoder has no
    classes of its own: its scores are a softmax of cosines to class prototypes, the mean embeddings of the recent pairs
    (both modalities) by the class that the image's teacher sees.

    With several processes, the pairs are those of the first one.

    Args:
        pairs: Pairs a sheet.
        recent: Pairs of the latest batches that they are chosen among, and that prototypes are made of.
        temperature: Divides the cosines before the softmax; it sharpens what the encoder says, and changes no order.

    Raises:
        InputError: When a number is out of range.
    """

    def __init__(self, pairs: int = 8, recent: int = 256, temperature: float = 0.1) -> None:
        super().__init__()
        if not 1 <= pairs <= recent:
            raise InputError(f"hardest.pairs: {pairs} is not legal beside recent: {recent}; from 1 to as many as that")
        if not temperature > 0:
            raise InputError(f"hardest.temperature: {temperature} is not legal; a positive number")
        self.pairs = pairs
        self.recent = recent
        self.temperature = temperature
        self._batches: deque[PairBatch] = deque()

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
        """Write sheet and table; nothing before the encoders have seen pairs."""
        if not self._batches or not isinstance(module, GuidedRetrievalModule):
            return
        pairs = _different(take(concatenate(list(self._batches)), slice(-self.recent, None)))
        vocabulary = module.teachers.vocabulary
        with eval_mode(module), trainer.precision_plugin.forward_context():
            embeddings = [module.encode(pairs.photo, "photo").float(), module.encode(pairs.sketch, "sketch").float()]
        logits = (pairs.photo_teacher.logits, pairs.sketch_teacher.logits)
        teachers = [vocabulary.union_posterior(x, m) for x, m in zip(logits, MODALITIES, strict=True)]
        seen = torch.cat([posterior.argmax(1) for posterior in teachers])
        prototypes, present = class_means(torch.cat(embeddings), seen, len(vocabulary.union))
        encoders = [proxy_log_posterior(e, prototypes, present, self.temperature).exp() for e in embeddings]

        disagreement = (1 - (embeddings[0] * embeddings[1]).sum(1)) / 2
        chosen = disagreement.argsort(descending=True)[: self.pairs].tolist()
        title = (
            f"step {trainer.global_step}: hardest of {len(pairs.photo)} recent pairs, photo over sketch "
            "(green: both teachers see the same class)"
        )
        sheet = Sheet(2, len(chosen), side=192, lines=3, title=title)
        rows: list[list[object]] = []
        for column, pair in enumerate(chosen):
            frame = RIGHT if teachers[0][pair].argmax() == teachers[1][pair].argmax() else WRONG
            for row, images in enumerate((pairs.photo, pairs.sketch)):
                text = [] if row == 0 else [f"disagreement {float(disagreement[pair]):.2f}"]
                for who, posteriors in (("encoder", encoders[row]), ("teacher", teachers[row])):
                    best = top_two(posteriors[pair], vocabulary.union)
                    text.insert(0, f"{who}: " + ", ".join(f"{_short(name)} {100 * p:.0f} %" for name, p in best))
                    flat = [value for name, p in best for value in (name, f"{100 * p:.1f}")]
                    rows.append([column + 1, f"{float(disagreement[pair]):.4f}", MODALITIES[row], who, *flat])
                sheet.place(row, column, images[pair], frame, text)
        name = step_name(trainer)
        sheet.save(folder / "hardest" / f"{name}.png")
        columns = ["rank", "disagreement", "image", "seen_by", "first", "first_percent", "second", "second_percent"]
        write_csv(folder / "hardest" / f"{name}.csv", columns, rows)


def top_two(posterior: Tensor, names: tuple[str, ...]) -> list[tuple[str, float]]:
    """The two most likely classes of a posterior, (U,), with their probabilities; one where there is no second."""
    best = posterior.topk(2)
    pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    return [(names[place], value) for place, value in pairs if value > 0]


def _different(pairs: PairBatch) -> PairBatch:
    """Each pair once: replay brings a pair several times, with the very same logits."""
    logits = torch.cat([pairs.photo_teacher.logits, pairs.sketch_teacher.logits], dim=1)
    groups = logits.unique(dim=0, return_inverse=True)[1].tolist()  # type: ignore[no-untyped-call]
    first = {group: row for row, group in reversed(list(enumerate(groups)))}
    return take(pairs, torch.tensor(sorted(first.values()), device=logits.device))


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
