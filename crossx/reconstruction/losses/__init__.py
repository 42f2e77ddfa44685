"""Losses of the generators, one file each."""

from crossx.reconstruction.losses.activation import ActivationLoss
from crossx.reconstruction.losses.adversarial import AdversarialLoss
from crossx.reconstruction.losses.base import Reconstruction, ReconstructionLoss, ReconstructionTerm
from crossx.reconstruction.losses.batch_norm_statistics import BatchNormStatisticsLoss
from crossx.reconstruction.losses.class_alignment import ClassAlignmentLoss
from crossx.reconstruction.losses.discriminator_guidance import DiscriminatorGuidanceLoss
from crossx.reconstruction.losses.information_entropy import InformationEntropyLoss
from crossx.reconstruction.losses.one_hot import OneHotLoss
from crossx.reconstruction.losses.one_sided_alignment import OneSidedAlignmentLoss
from crossx.reconstruction.losses.statistics_guidance import StatisticsGuidanceLoss

__all__ = [
    "ActivationLoss",
    "AdversarialLoss",
    "BatchNormStatisticsLoss",
    "ClassAlignmentLoss",
    "DiscriminatorGuidanceLoss",
    "InformationEntropyLoss",
    "OneHotLoss",
    "OneSidedAlignmentLoss",
    "Reconstruction",
    "ReconstructionLoss",
    "ReconstructionTerm",
    "StatisticsGuidanceLoss",
]
