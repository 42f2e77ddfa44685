"""Pictures in the run folder: what the generators make, and what the encoders find."""

from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback

from crossx.core.batches import take
from crossx.core.errors import InputError
from crossx.evaluation.results import RetrievalResults
from crossx.pairs.datamodule import SyntheticPairsDataModule
from crossx.reports.pictures.fixed import sample_fixed
from crossx.reports.pictures.sheets import NEUTRAL, RIGHT, WRONG, Sheet
from crossx.teachers.pair import TeacherPair
from crossx.training.lightning_state import run_folder
from crossx.training.retrieval import RetrievalModule
from crossx.types import PairBatch, Split


class PairSheets(Callback):
    """Writes `pairs/step_<n>.png`: photos over sketches, each with its teacher's class and confidence.

    Generators are shown on the same latents every time, so that the sheets of a run make a film.

    Args:
        pairs: Pairs a sheet.
        every_n_epochs: A sheet after every so many epochs.

    Raises:
        InputError: When a number is below 1.
    """

    def __init__(self, pairs: int = 12, every_n_epochs: int = 1) -> None:
        for name, value in (("pairs", pairs), ("every_n_epochs", every_n_epochs)):
            if value < 1:
                raise InputError(f"{name}: {value} is not legal; at least 1")
        self.pairs = pairs
        self.every_n_epochs = every_n_epochs
        self._last: PairBatch | None = None

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's signature
        batch: Any,  # noqa: ANN401
        batch_idx: int,
    ) -> None:
        """Keep the newest pairs."""
        if isinstance(batch, PairBatch):
            self._last = batch

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write a sheet."""
        folder = run_folder(trainer)
        if folder is None or not trainer.is_global_zero or (trainer.current_epoch + 1) % self.every_n_epochs:
            return
        batch_size = getattr(getattr(trainer, "datamodule", None), "batch_size", self.pairs)
        pairs = self._sample(pl_module, batch_size)
        if pairs is not None:
            teachers: Any = pl_module.teachers
            sheet = pair_sheet(pairs, teachers, self.pairs, f"step {trainer.global_step}: photo over sketch")
            sheet.save(folder / "pairs" / f"step_{trainer.global_step:07d}.png")

    def _sample(self, module: Any, batch_size: int) -> PairBatch | None:  # noqa: ANN401 - modules with generators can sample
        if not hasattr(module, "sample"):
            return self._last
        return sample_fixed(module, batch_size)


def pair_sheet(pairs: PairBatch, teachers: TeacherPair, count: int, title: str) -> Sheet:
    """Draw pairs: green where both teachers see the same class, red where they do not."""
    vocabulary = teachers.vocabulary
    pairs = take(pairs, slice(count))
    photo = vocabulary.union_posterior(pairs.photo_teacher.logits, "photo").max(1)
    sketch = vocabulary.union_posterior(pairs.sketch_teacher.logits, "sketch").max(1)
    sheet = Sheet(2, len(pairs.photo), side=96, lines=1, title=f"{title} (green: both teachers see the same class)")
    for column in range(len(pairs.photo)):
        frame = RIGHT if photo.indices[column] == sketch.indices[column] else WRONG
        for row, images, seen in ((0, pairs.photo, photo), (1, pairs.sketch, sketch)):
            name = vocabulary.union[int(seen.indices[column])]
            sheet.place(row, column, images[column], frame, [f"{name} {100 * float(seen.values[column]):.0f} %"])
    return sheet


class RetrievalSheets(Callback):
    """Writes `retrieval/<split>_step_<n>.png`: queries with their first ten photos, right ones green, wrong ones red.

    The queries are spread over all classes; below them stand the worst ones of the run. `retrieval/<split>.csv` has
    the ranked lists of all queries.

    Args:
        queries: Queries a sheet.
        worst: Worst queries below them.

    Raises:
        InputError: When a number is out of range.
    """

    def __init__(self, queries: int = 10, worst: int = 2) -> None:
        if queries < 1 or worst < 0:
            raise InputError(f"queries {queries} and worst {worst} are not legal; queries from 1, worst from 0")
        self.queries = queries
        self.worst = worst

    # Callbacks' epoch ends come before the module's, which forgets the embeddings.
    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the sheet of the validation split."""
        if not trainer.sanity_checking:
            self._write(trainer, pl_module, "validation")

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the sheet of the test split."""
        self._write(trainer, pl_module, "test")

    def _write(self, trainer: pl.Trainer, module: pl.LightningModule, split: Split) -> None:
        folder = run_folder(trainer)
        data = getattr(trainer, "datamodule", None)
        if folder is None or not isinstance(module, RetrievalModule) or not isinstance(data, SyntheticPairsDataModule):
            return
        with module.retrieval.sync_context():  # every process takes part, the first one draws
            photos, sketches = module.retrieval.images("photo"), module.retrieval.images("sketch")
            if not trainer.is_global_zero:
                return
            results = RetrievalResults.from_embeddings(
                sketches.embeddings, photos.embeddings, sketches.labels, photos.labels
            )
            gallery_index, query_index = photos.indices.cpu(), sketches.indices.cpu()
        gallery, queries = data.images(split)
        spread = torch.linspace(0, len(query_index) - 1, min(self.queries, len(query_index))).round().long()
        rows = torch.cat([spread, results.worst_queries(self.worst)]).tolist()
        k = results.gallery.shape[1]
        step = trainer.global_step
        title = (
            f"{split}, step {step}: query and its first {k} photos; the last {self.worst} rows are the worst queries"
        )
        sheet = Sheet(len(rows), k + 1, side=72, lines=1, title=title)
        for row, query in enumerate(rows):
            item = queries[int(query_index[query])]
            sheet.place(row, 0, item.image, NEUTRAL, [queries.classes[int(item.label)]])
            for place in range(k):
                photo = gallery[int(gallery_index[results.gallery[query, place]])]
                frame = RIGHT if results.right[query, place] else WRONG
                sheet.place(row, place + 1, photo.image, frame, [gallery.classes[int(photo.label)]])
        name = f"{split}_step_{step:07d}.png" if split == "validation" else f"{split}.png"
        sheet.save(folder / "retrieval" / name)
        results.to_csv(folder / "retrieval" / f"{split}.csv")
