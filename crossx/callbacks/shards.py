"""Shards of a gallery from `crossx predict`: each process writes its own part."""

import hashlib
import os
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
from lightning.pytorch.callbacks import Callback
from PIL import Image
from torch import Tensor

from crossx.core.errors import InputError
from crossx.core.paths import resolve
from crossx.pixels.decode import DECODER_ERRORS, upright_size
from crossx.reports.lookup import data_module
from crossx.search.gallery.rows import F32, Photo
from crossx.search.opening import identity
from crossx.search.predictor import Predictor
from crossx.search.shards.files import SHARD_ROWS, About, close_part, shards_in, write_shard
from crossx.types import ImageBatch

_TOLERANCE = 1e-4
"""Largest difference of a coordinate between the run and the exported encoder."""


class ShardWriter(Callback):
    """Writes the photos' embeddings of `crossx predict` as the shards that `crossx index --from-embeddings` takes.

    Process r of W writes part r + 1 of W. Photos that a sampler repeats to give every process as many are left out. For
    a folder of photos without a data set, and to go on after a kill, there is `crossx embed`.

    Args:
        out: Folder of the shards, new or without shards, the same for all processes.
        encoder: Folder that `crossx export --run` has written of the same run.
        photos: Folder that the names of the data set's photos begin at; absolute, or relative to the data root.

    Raises:
        InputError: When the encoder cannot be used.
    """

    def __init__(self, out: str, encoder: str, photos: str) -> None:
        self.out, self.encoder, self.photos = Path(out), encoder, photos
        self._photos: list[Photo] = []
        self._about: About | None = None
        self._names: list[str] = []
        self._root = Path()
        self._number = 0
        self._predictor = Predictor(encoder)

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at the folders.

        Raises:
            InputError: When there is no data set, the photos are not there, or the folder has shards already.
        """
        data = data_module(trainer)
        if data is None:
            raise InputError("ShardWriter: must be in a run of a data set with photos, got a run without one")
        self._root = resolve(self.photos, "ShardWriter.photos").resolve()
        self._names = data.images("test")[0].names
        part, parts = trainer.global_rank + 1, trainer.world_size
        self.out.mkdir(parents=True, exist_ok=True)
        if shards_in(self.out, part):
            raise InputError(f"ShardWriter.out: must hold no shards of part {part}, got some in {str(self.out)!r}")
        folder = os.path.realpath(self._predictor.folder)
        self._about = About(identity(self._predictor.card), folder, str(self._root), part, parts)
        self._photos, self._number = [], 0

    def on_predict_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's signature
        batch: ImageBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the photos of a batch, and write a shard where there are enough.

        Raises:
            InputError: When the run's encoder is not the exported one, or a photo is not a file.
        """
        if not isinstance(outputs, Tensor) or batch.modality != "photo":
            return
        vectors = outputs.detach().float().cpu().numpy()
        if not self._photos and self._number == 0:
            self._check(batch, vectors)
        for index, vector in zip(batch.index.tolist(), vectors, strict=True):
            if index % trainer.world_size == trainer.global_rank:  # else it stands in for a photo of another process
                self._photos.append(self._photo(self._names[index], vector))
        if len(self._photos) >= SHARD_ROWS:
            self._write()

    def on_predict_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the last shard, and close the part."""
        self._write()
        if self._about is not None:
            close_part(self.out, self._about, self._number)
            print(f"shards: part {self._about.part} of {self._about.parts} in {self.out.resolve()}", flush=True)  # noqa: T201

    def _write(self) -> None:
        if self._photos and self._about is not None:
            write_shard(self.out, self._number, self._about, self._photos, [])
            self._number += 1
            self._photos = []

    def _check(self, batch: ImageBatch, vectors: F32) -> None:
        pixels = (batch.image * 255).round().byte().cpu().numpy()
        size = self._predictor.card.photo.size
        if pixels.shape[-1] != size:
            raise InputError(f"ShardWriter.encoder: must be of images of {pixels.shape[-1]} pixels, got {size}")
        exported = self._predictor.embed_photos(pixels)
        difference = float(np.abs(exported - vectors).max()) if exported.shape == vectors.shape else np.inf
        if not difference <= _TOLERANCE:
            raise InputError(
                "ShardWriter.encoder: must be what `crossx export --run` has written of this run, got another, whose "
                f"vectors differ by {difference:.2g}"
            )

    def _photo(self, name: str, vector: F32) -> Photo:
        path = self._root / name
        try:
            status, content = path.stat(), path.read_bytes()
            with Image.open(path) as image:
                width, height = upright_size(image)
        except DECODER_ERRORS as error:
            raise InputError(
                f"ShardWriter.photos: must hold the data set's photo {name!r} as a file, got {type(error).__name__}"
            ) from error
        sha256 = hashlib.sha256(content).digest()
        return Photo(
            str(self._root), os.path.normpath(name), status.st_size, status.st_mtime_ns, sha256, width, height, vector
        )
