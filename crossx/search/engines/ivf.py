"""An inverted file of FAISS: vectors in lists around k-means centres, of which a search looks into a few.

Of the engines, this one is not hurt by photos that are nearly alike, deletes truly, and its recall rises to 1 with one
number; a graph (HNSW) levels off for sketches, which lie off the cloud of the photos.
"""

import math
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from crossx.core.errors import InputError
from crossx.search.gallery.rows import F32, I64

_ITERATIONS = 10
_POINTS_PER_LIST = 64
"""k-means on more points, or for longer, halves the speed of building and finds no more."""
_SEED = 1234


class IVFEngine:
    """An index of unit vectors by inner product.

    Args:
        index: A FAISS index with ids.
        probes: Lists that a search looks into.
    """

    def __init__(self, index: Any, probes: int) -> None:  # noqa: ANN401 - FAISS has no types
        self._index, self.probes = index, probes

    @classmethod
    def trained(cls, sample: F32, expected: int) -> "IVFEngine":
        """An empty index for vectors like those of a sample.

        Args:
            sample: (n, D) vectors, drawn from all.
            expected: Number of vectors that will come.
        """
        faiss = _faiss()
        lists = min(1 << math.ceil(math.log2(math.sqrt(expected))), len(sample))
        dim = sample.shape[1]
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(dim), dim, lists, faiss.METRIC_INNER_PRODUCT)
        index.cp.niter, index.cp.seed = _ITERATIONS, _SEED
        index.cp.max_points_per_centroid, index.cp.min_points_per_centroid = _POINTS_PER_LIST, 1
        index.train(np.ascontiguousarray(sample))
        return cls(index, lists)

    @staticmethod
    def sample_size(expected: int) -> int:
        """Number of vectors from which an index for so many is trained."""
        return min(expected, _POINTS_PER_LIST << math.ceil(math.log2(math.sqrt(expected))))

    @classmethod
    def read(cls, path: Path, probes: int) -> "IVFEngine":
        """Read an index; RuntimeError of FAISS when the file is none."""
        return cls(_faiss().read_index(str(path)), probes)

    def write(self, path: Path) -> None:
        """Write the index; not atomic."""
        _faiss().write_index(self._index, str(path))

    def add(self, ids: I64, matrix: F32) -> None:
        """Add vectors (n, D) with their ids."""
        self._index.add_with_ids(np.ascontiguousarray(matrix), ids)

    def __len__(self) -> int:
        """Number of vectors, removed ones included."""
        return int(self._index.ntotal)

    @property
    def lists(self) -> int:
        """Number of lists."""
        return int(self._index.nlist)

    @property
    def dim(self) -> int:
        """Length D of the vectors."""
        return int(self._index.d)

    def nearest(
        self, queries: F32, n: int, probes: int, permitted: npt.NDArray[np.uint8] | None = None
    ) -> tuple[F32, I64]:
        """Similarities and ids, both (Q, n); where too few are found, the ids are -1.

        Args:
            queries: (Q, D) unit vectors.
            n: Number of vectors.
            probes: Lists to look into.
            permitted: A bit an id, lowest first (`numpy.packbits(..., bitorder="little")`); None for all.
        """
        faiss = _faiss()
        parameters = faiss.SearchParametersIVF(nprobe=probes)
        if permitted is not None:
            selector = faiss.IDSelectorBitmap(permitted)
            parameters.sel = selector
        scores, ids = self._index.search(np.ascontiguousarray(queries), n, params=parameters)
        return scores, ids


def _faiss() -> ModuleType:
    try:
        import faiss
    except ImportError as error:
        raise InputError("an index needs FAISS: pip install 'crossx[search]', or choose --index exact") from error
    module: ModuleType = faiss
    return module
