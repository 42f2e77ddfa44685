"""Drawings as stroke sequences: simplification, normalisation, curves, an imprecise hand, and a rasteriser."""
