"""Exact retrieval evaluation of encoders and of the two teachers alone.

`functional` holds the definitions and imports no Lightning; `metric` computes them in several processes.
"""
