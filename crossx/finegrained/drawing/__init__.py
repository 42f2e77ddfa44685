"""Drawings of photos: the photo-to-sketch generator of "More Photos are All You Need" (arXiv 2103.13990)."""
