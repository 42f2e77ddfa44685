"""Retrieval of instances: encoders that learn from labelled pairs and from pseudo pairs of unlabelled photos."""
