"""Utilities without knowledge of the domain: errors, checks, files, paths, seeds, processes, precision."""
