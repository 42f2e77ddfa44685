"""The embedded data set: procedural photos and sketches of ten objects."""

from crossx.data.shapes.dataset import ShapesDataset

__all__ = ["ShapesDataset"]
