"""Posterior matching: how well the two teachers' class posteriors agree, with nothing trained.

The baseline is ours: the paper (arXiv 2303.07775) has none like it. A photo is as near to a sketch as it is likely that
both show one class, by the teachers' posteriors over the classes that both know. Form and temperature are the best on
validation images. It is measured beside every encoder, by `crossx validate`, `crossx test` and at the end of a fit, so
it is no encoder that a config names, and its code stands with the metrics.
"""

from crossx.evaluation.posterior import PosteriorChoice, best_posterior, posterior_scores

__all__ = ["PosteriorChoice", "best_posterior", "posterior_scores"]
"""What it is made of."""
