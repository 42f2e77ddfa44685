"""Sheets of queries with the photos that they find."""

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from crossx.core.checks import must_be_in
from crossx.evaluation.results import RetrievalResults
from crossx.reports.lookup import RetrievalDataModule, data_module
from crossx.reports.pictures.sheets import AGREE, DISAGREE, NEUTRAL, RIGHT, WRONG, Sheet
from crossx.reports.validations import at_end
from crossx.training.lightning_state import run_folder
from crossx.training.retrieval import RetrievalModule
from crossx.types import Split


class RetrievalSheets(Callback):
    """Writes `retrieval/<split>_step_<n>.png`: queries with their first ten photos.

    Photos of the query's class have `=` and a green frame, others `x` and a red one. The queries are spread over all
    classes; below them stand the worst queries of the run. `retrieval/<split>.csv` has the ranked lists of all queries,
    with the names of the images; `RetrievalResults.to_csv` lists its columns.

    Args:
        queries: Queries on a sheet, at least 1.
        worst: Worst queries below them, at least 0; queries that are on the sheet already are not repeated.

    Attributes:
        every: A sheet is written after every so many validations, and always at the end of a fit.

    Raises:
        InputError: When a number is out of range.
    """

    def __init__(self, queries: int = 10, worst: int = 2) -> None:
        must_be_in("retrieval.queries", queries, "[1, inf)")
        must_be_in("retrieval.worst", worst, "[0, inf)")
        self.queries = queries
        self.worst = worst
        self.every = 1
        self._validations = 0

    # Epoch ends of callbacks come before that of the module, which then deletes the embeddings.
    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the sheet of the validation split."""
        if not trainer.sanity_checking:
            self._validations += 1
            if self._validations % self.every == 0 or at_end(trainer):
                self._write(trainer, pl_module, "validation")

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the sheet of the test split."""
        self._write(trainer, pl_module, "test")

    def _write(self, trainer: pl.Trainer, module: pl.LightningModule, split: Split) -> None:
        folder, data = run_folder(trainer), data_module(trainer)
        if folder is None or not isinstance(module, RetrievalModule) or data is None:
            return
        with module.retrieval.sync_context():  # every process takes part, the first one draws
            photos, sketches = module.retrieval.images("photo"), module.retrieval.images("sketch")
            if not trainer.is_global_zero:
                return
            results = RetrievalResults.from_embeddings(
                sketches.embeddings, photos.embeddings, sketches.labels, photos.labels
            )
            gallery_index, query_index = photos.indices.cpu(), sketches.indices.cpu()
        title = f"{split}, step {trainer.global_step}"
        sheet = self._draw(results, data, split, gallery_index, query_index, title)
        name = f"{split}_step_{trainer.global_step:07d}.png" if split == "validation" else f"{split}.png"
        sheet.save(folder / "retrieval" / name)
        shown = zip(data.images(split), (gallery_index, query_index), strict=True)
        gallery, queries = ([images.names[i] for i in index.tolist()] for images, index in shown)
        results.to_csv(folder / "retrieval" / f"{split}.csv", queries, gallery)

    def _draw(
        self,
        results: RetrievalResults,
        data: RetrievalDataModule,
        split: Split,
        gallery_index: Tensor,
        query_index: Tensor,
        title: str,
    ) -> Sheet:
        gallery, queries = data.images(split)
        spread = torch.linspace(0, len(query_index) - 1, min(self.queries, len(query_index))).round().long().tolist()
        worst = [query for query in results.worst_queries(self.worst).tolist() if query not in spread]
        rows = [*spread, *worst]
        k = results.gallery.shape[1]
        last = f"; worst queries in the last rows: {len(worst)}" if worst else ""
        title = f"{title}: query and its first {k} photos ({AGREE} green: of the query's class){last}"
        sheet = Sheet(len(rows), k + 1, side=72, lines=1, title=title)
        for row, query in enumerate(rows):
            item = queries[int(query_index[query])]
            sheet.place(row, 0, item.image, NEUTRAL, [queries.classes[int(item.label)]])
            for place in range(k):
                photo = gallery[int(gallery_index[results.gallery[query, place]])]
                frame, sign = (RIGHT, AGREE) if results.right[query, place] else (WRONG, DISAGREE)
                sheet.place(row, place + 1, photo.image, frame, [f"{sign} {gallery.classes[int(photo.label)]}"])
        return sheet
