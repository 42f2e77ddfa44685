"""Losses of the encoders, one file each."""

from crossx.encoding.losses.base import EncodingLoss, EncodingTerm, PairEmbeddings
from crossx.encoding.losses.info_nce import InfoNCELoss
from crossx.encoding.losses.posterior_matching import PosteriorMatchingLoss
from crossx.encoding.losses.sup_con import SupConLoss

__all__ = ["EncodingLoss", "EncodingTerm", "InfoNCELoss", "PairEmbeddings", "PosteriorMatchingLoss", "SupConLoss"]
