"""QMUL Shoe, Chair and Handbag V1."""

from crossx.data.pair_folders import PairFolders
from crossx.types import Modality


class QMULV1(PairFolders):
    """QMUL Shoe, Chair and Handbag V1: sketches and the edge maps of their photos, `<set>/{train,test}/{sketch,edge}/`.

    The three sets are the categories `shoes`, `chairs` and `handbags`, with 304 + 115, 200 + 97 and 400 + 168 pairs;
    each number is one pair. The edge map stands for the photo. Each set is a gallery of its own.

    "Sketch Me That Shoe", Yu et al., CVPR 2016, and "Deep Spatial-Semantic Attention for Fine-Grained Sketch-Based
    Image Retrieval", Song et al., ICCV 2017 (handbags).

    Args:
        modality: Modality to read.
        root: Folder that holds the three sets; relative to the data root, or absolute.
    """

    def __init__(self, modality: Modality, root: str = "qmul_v1") -> None:
        super().__init__(modality, root, photo="edge")
