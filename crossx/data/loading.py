"""The loader of images that are read in their order: galleries and queries of a validation or test."""

from typing import TypeVar

from torch.utils.data import DataLoader, Dataset, DistributedSampler

from crossx.core.batches import stack
from crossx.core.distributed import rank, world_size
from crossx.types import ImageBatch

Item = TypeVar("Item", bound=ImageBatch)


def in_order(images: Dataset[Item], batch_size: int, workers: int) -> DataLoader[Item]:
    """Batches of this process, every n-th image of n processes.

    Args:
        images: The images.
        batch_size: Images in each batch of one process.
        workers: Loader processes.
    """
    sampler: DistributedSampler[Item] | None = None
    if world_size() > 1:  # our own, so that Lightning does not warn: metrics drop the images that pad the last batch
        sampler = DistributedSampler(images, world_size(), rank(), shuffle=False)
    return DataLoader(
        images,
        batch_size=batch_size,  # by name: Lightning makes loaders anew for `predict`, with its own value
        sampler=sampler,
        num_workers=workers,
        persistent_workers=workers > 0,  # they keep decoded images
        collate_fn=stack,
    )
