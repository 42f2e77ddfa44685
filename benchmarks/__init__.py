"""Measurements of crossx; each prints a table and writes JSON."""
