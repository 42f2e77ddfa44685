"""Callbacks that join a run to the search, which itself knows nothing of Lightning."""

from crossx.callbacks.shards import ShardWriter

__all__ = ["ShardWriter"]
