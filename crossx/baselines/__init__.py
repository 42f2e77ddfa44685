"""The baselines of the published table, a file each.

The paper (CrossX-DFL, arXiv 2303.07775) gives the baselines' names and figures and not their definitions: what is here
is our reading of the names. Each is chosen in YAML like any other part; `configs/model/` holds a config for each, and
one for the published method (`published.yaml`), whose parts stand with the other losses and critics. Posterior
matching, a baseline of ours with nothing trained, is not an encoder that a config names: it is measured beside every
encoder, and its code stands with the metrics (`crossx.evaluation.posterior`).
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
