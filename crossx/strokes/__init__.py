"""Drawings as stroke sequences: simplification, normalisation and rasterisation."""
