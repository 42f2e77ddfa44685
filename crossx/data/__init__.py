"""Data sets, the stream of latents, and where pairs come from."""
