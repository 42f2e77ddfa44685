"""CrossX-DFL as published (arXiv 2303.07775), as far as slides and code tell; the reading is ours.

Two independent teachers; generators that are guided by a discriminator of photos and sketches, aligned in classes, and
driven by the teachers' last layers over the encoders' raw features; encoders that start at random and learn by InfoNCE
with a queue. The whole of it is a config, `configs/baselines/crossx_dfl.yaml`; here is what only it uses, apart from
losses that crossx has in common with it.

Slides and code disagree. Of the two published scripts the one for independent teachers has no adversary, and the one
with an adversary has a single teacher of both modalities, and learns by proxies in place of InfoNCE.
Otherwise than published are:

- the queue, which is fed (that of the code keeps its random start), and keys of the query's own class, which are no
  negatives;
- the teachers' input, normalised as their cards say, and the encoders' BatchNorm, which a generator's step leaves
  alone;
- steps: after a start of generators alone, five of both encoders to one of the generators, where the code has one to
  five hundred; optimisers and the encoders' rate are those of the rows beside it;
- in `configs/baselines/crossx_dfl.yaml`, the networks, which are small and for images of 32 pixels.
"""

from crossx.encoding.critics import LastLayerCritic
from crossx.encoding.losses import InfoNCELoss
from crossx.reconstruction.losses import DiscriminatorGuidanceLoss, OneSidedAlignmentLoss

__all__ = ["DiscriminatorGuidanceLoss", "InfoNCELoss", "LastLayerCritic", "OneSidedAlignmentLoss"]
"""The parts of the published method that crossx's own recipes do without."""
