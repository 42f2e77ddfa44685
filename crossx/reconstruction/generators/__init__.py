"""Generators (estimators in the paper): one latent gives a photo and a sketch."""

from crossx.reconstruction.generators.base import Generator, GeneratorFactory
from crossx.reconstruction.generators.files import load_generators, load_weights, save_generators
from crossx.reconstruction.generators.pair import GeneratorPair, make_pairs, sample_pairs
from crossx.reconstruction.generators.upsampling import DeepUpsamplingGenerator, UpsamplingGenerator

__all__ = [
    "DeepUpsamplingGenerator",
    "Generator",
    "GeneratorFactory",
    "GeneratorPair",
    "UpsamplingGenerator",
    "load_generators",
    "load_weights",
    "make_pairs",
    "sample_pairs",
    "save_generators",
]
