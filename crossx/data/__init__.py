"""Data sets and the readers of their images."""

from crossx.data.base import LabelledImages, RetrievalData
from crossx.data.drawn_photos import DrawnPhotos
from crossx.data.folders import ImageFolder
from crossx.data.instances import InstanceData
from crossx.data.joined import JoinedData
from crossx.data.pair_folders import PairFolders
from crossx.data.paired import PairedData
from crossx.data.qmul_v1 import QMULV1
from crossx.data.qmul_v2 import QMULV2
from crossx.data.quickdraw import QuickDrawStrokes
from crossx.data.quickdraw_drawings import QuickDrawDrawings
from crossx.data.reader import ImageReader
from crossx.data.shapes.dataset import ShapesDataset
from crossx.data.sketchy import Sketchy, SketchyExtended
from crossx.data.traced_strokes import TracedStrokes
from crossx.data.tuberlin import TUBerlin, TUBerlinPhotos

__all__ = [
    "QMULV1",
    "QMULV2",
    "DrawnPhotos",
    "ImageFolder",
    "ImageReader",
    "InstanceData",
    "JoinedData",
    "LabelledImages",
    "PairFolders",
    "PairedData",
    "QuickDrawDrawings",
    "QuickDrawStrokes",
    "RetrievalData",
    "ShapesDataset",
    "Sketchy",
    "SketchyExtended",
    "TUBerlin",
    "TUBerlinPhotos",
    "TracedStrokes",
]
