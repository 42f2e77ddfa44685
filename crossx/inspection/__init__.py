"""Inspection of a teacher without training: its card, its predictions on images, and the pen that suits it."""
