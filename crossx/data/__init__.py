"""Data sets and the readers of their images."""

from crossx.data.base import LabelledImages, RetrievalData
from crossx.data.folders import ImageFolder
from crossx.data.instances import InstanceData
from crossx.data.joined import JoinedData
from crossx.data.qmul_v2 import QMULV2
from crossx.data.quickdraw import QuickDrawStrokes
from crossx.data.reader import ImageReader
from crossx.data.shapes.dataset import ShapesDataset
from crossx.data.sketchy import Sketchy, SketchyExtended
from crossx.data.tuberlin import TUBerlin, TUBerlinPhotos

__all__ = [
    "QMULV2",
    "ImageFolder",
    "ImageReader",
    "InstanceData",
    "JoinedData",
    "LabelledImages",
    "QuickDrawStrokes",
    "RetrievalData",
    "ShapesDataset",
    "Sketchy",
    "SketchyExtended",
    "TUBerlin",
    "TUBerlinPhotos",
]
