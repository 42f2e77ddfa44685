"""Exact retrieval evaluation: how well sketches find the photos of their class, and what two teachers alone can do.

`functional` holds the definitions and imports no Lightning; `metric` is the same for several processes.
"""
