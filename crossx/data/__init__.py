"""Data sets and the readers of their images."""

from crossx.data.base import LabelledImages, RetrievalData
from crossx.data.folders import ImageFolder
from crossx.data.instances import InstanceData
from crossx.data.joined import JoinedData
    "QMULV2",
