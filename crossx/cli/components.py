"""Every class that a config may name by its short name, imported in one place.

A class of another package is named by its full path (`class_path: mypackage.MyModule`) and needs no entry here.
"""
# ruff: noqa: F401 - imported for the classes that they define

import crossx.augmentation
import crossx.baselines
import crossx.classification.data
import crossx.classification.module
import crossx.cotraining.module  # with all generators, encoders, critics and losses
import crossx.data
import crossx.finegrained.data
import crossx.finegrained.drawing.module
import crossx.finegrained.drawing.rates
import crossx.finegrained.joint.module  # with discriminator and refinement
import crossx.finegrained.retrieval.module
import crossx.pairs.datamodule
import crossx.pairs.replay
import crossx.reconstruction.saved
