"""Data sets and the readers of their images."""

from crossx.data.base import LabelledImages, RetrievalData
from crossx.data.drawn_photos import DrawnPhotos
from crossx.data.folders import ImageFolder
from crossx.data.instances import InstanceData
from crossx.data.joined import JoinedData
from crossx.data.quickdraw import QuickDrawStrokes
from crossx.data.quickdraw_drawings import QuickDrawDrawings
from crossx.data.reader import ImageReader
from crossx.data.shapes.dataset import ShapesDataset
from crossx.data.sketchy import Sketchy, SketchyExtended
from crossx.data.tuberlin import TUBerlin, TUBerlinPhotos

__all__ = [
<<<<<<< HEAD
    "QMULV2",
=======
    "QMULV1",
>>>>>>> b3ee9fa9fa910110ab96d66c1d6bd57d4b7539b0
    "DrawnPhotos",
    "ImageFolder",
    "ImageReader",
    "InstanceData",
    "JoinedData",
    "LabelledImages",
<<<<<<< HEAD
=======
    "PairFolders",
    "PairedData",
>>>>>>> b3ee9fa9fa910110ab96d66c1d6bd57d4b7539b0
    "QuickDrawDrawings",
    "QuickDrawStrokes",
    "RetrievalData",
    "ShapesDataset",
    "Sketchy",
    "SketchyExtended",
    "TUBerlin",
    "TUBerlinPhotos",
]
