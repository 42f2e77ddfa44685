"""Every class that a config may name by its short name, imported in one place.

A class of another package is named by its full path (`class_path: mypackage.MyModule`) and needs no entry here.
"""

import crossx.augmentation
import crossx.baselines
import crossx.data.joined
import crossx.data.labelled
import crossx.data.quickdraw
import crossx.data.replay
import crossx.data.restyled
import crossx.data.shapes
import crossx.data.sketchy
import crossx.data.sources
import crossx.data.synthetic
import crossx.data.tuberlin
import crossx.encoding.critics
import crossx.encoding.encoders
import crossx.encoding.losses
import crossx.reconstruction.generators
import crossx.reconstruction.losses
import crossx.reconstruction.saved
import crossx.teachers.module  # noqa: F401
