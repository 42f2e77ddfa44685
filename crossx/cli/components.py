"""Every class that a config may name by its short name, imported in one place.

A class of another package is named by its full path (`class_path: mypackage.MyModule`) and needs no entry here.
"""
# ruff: noqa: F401 - imported for the classes that they define

import crossx.augmentation
import crossx.baselines
import crossx.classification.data
import crossx.classification.module
import crossx.data.joined
import crossx.data.quickdraw
import crossx.data.restyled
import crossx.data.shapes.dataset
import crossx.data.sketchy
import crossx.data.tuberlin
import crossx.encoding.critics
import crossx.encoding.encoders
import crossx.encoding.losses
import crossx.pairs.datamodule
import crossx.pairs.replay
import crossx.pairs.sources
import crossx.reconstruction.generators
import crossx.reconstruction.losses
import crossx.reconstruction.saved
import crossx.training.rates
