"""Pairs of photos and sketches: latents, where pairs come from, and the data module that serves them."""
