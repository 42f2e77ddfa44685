"""Pseudo sketches: what stands for the missing sketches of unlabelled photos, one file each."""

from crossx.finegrained.pseudo.base import PseudoPairs, PseudoSketches
from crossx.finegrained.pseudo.edges import EdgeMaps
from crossx.finegrained.pseudo.own_views import GreyViews, OwnViews
from crossx.finegrained.pseudo.traced_edges import TracedEdges
from crossx.finegrained.pseudo.true_sketches import TrueSketches

__all__ = ["EdgeMaps", "GreyViews", "OwnViews", "PseudoPairs", "PseudoSketches", "TracedEdges", "TrueSketches"]
