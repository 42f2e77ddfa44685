"""Frozen classifiers of one modality: their cards, their class names, and the module that trains them."""
