"""Certainty: how far a drawing of an unlabelled photo can be trusted."""
