"""Frozen classifiers of one modality: cards, files, class names, and the pair of both teachers."""
