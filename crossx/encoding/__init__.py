"""Encoder training: from pairs to a space in which a sketch lies beside the photos of its class."""
