"""Losses of the encoders, one file each."""

from crossx.encoding.embeddings import EmbeddingSpace, PairEmbeddings
from crossx.encoding.losses.base import EncodingLoss, EncodingTerm
from crossx.encoding.losses.feature_distillation import FeatureDistillationLoss
from crossx.encoding.losses.info_nce import InfoNCELoss
from crossx.encoding.losses.matrices import similarity
from crossx.encoding.losses.mib import MIBLoss
from crossx.encoding.losses.posterior_matching import PosteriorMatchingLoss
from crossx.encoding.losses.siamese import SiameseLoss
from crossx.encoding.losses.sup_con import SupConLoss
from crossx.encoding.losses.triplet import TripletLoss

__all__ = [
    "EmbeddingSpace",
    "EncodingLoss",
    "EncodingTerm",
    "FeatureDistillationLoss",
    "InfoNCELoss",
    "MIBLoss",
    "PairEmbeddings",
    "PosteriorMatchingLoss",
    "SiameseLoss",
    "SupConLoss",
    "TripletLoss",
    "similarity",
]
