"""Losses of fine-grained retrieval, one file each."""

from crossx.finegrained.retrieval.losses.base import InstanceLoss, InstanceTerm
from crossx.finegrained.retrieval.losses.nce import InstanceNCE
from crossx.finegrained.retrieval.losses.photo_contrast import PhotoContrast
from crossx.finegrained.retrieval.losses.photo_relation import PhotoRelation
from crossx.finegrained.retrieval.losses.relation import RelationDistillation
from crossx.finegrained.retrieval.losses.triplet import InstanceTriplet

__all__ = [
    "InstanceLoss",
    "InstanceNCE",
    "InstanceTerm",
    "InstanceTriplet",
    "PhotoContrast",
    "PhotoRelation",
    "RelationDistillation",
]
