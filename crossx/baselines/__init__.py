"""The baselines of the published table, the published method and posterior matching, a file each.

The paper (CrossX-DFL, arXiv 2303.07775) gives the baselines' names and figures and not their definitions: what is here
is our reading of the names. Each is chosen in YAML like anything else, but for posterior matching, which is measured
beside every encoder; `configs/baselines/` holds a config for each.
"""

from crossx.baselines.alternative_data import AlternativePairs
from crossx.baselines.averaging_weights import AveragedWeights
from crossx.baselines.classifier_only import ClassifierOnly
from crossx.baselines.gaussian_prior import GaussianPairs
from crossx.baselines.meta_data import ActivationMomentsLoss, record_activations
from crossx.baselines.uni_modal_distillation import UniModalDistillationLoss, UniModalStudent

__all__ = [
    "ActivationMomentsLoss",
    "AlternativePairs",
    "AveragedWeights",
    "ClassifierOnly",
    "GaussianPairs",
    "UniModalDistillationLoss",
    "UniModalStudent",
    "record_activations",
]
