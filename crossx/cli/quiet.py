"""Warnings of Lightning and torch that are expected in every run of crossx, and are silenced."""

import logging
import warnings

_EXPECTED = (
    "LightningCLI's args parameter is intended",  # the words are rewritten before they are parsed
    r"You have overridden `on_before_batch_transfer` in `LightningModule`",  # module seeds, data module makes pairs
    r"Found \d+ module\(s\) in eval mode at the start of training",  # the frozen teachers
    r".*does not have many workers",  # the workers carry numbers; there is nothing to speed up
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",  # inside Lightning 2.6
    r".*is not supported by the model summary",
    r"The number of training batches .* is smaller than the logging interval",  # few images
    r"Experiment logs directory .* exists and is not empty",  # a resumed run keeps its table
    r"(?s).*`tensorboardX` has been removed as a dependency",  # a run without a logger
    r".*your dataloader is not resumable",  # the data stream is a function of the step; a resumed run says its step
)


def hush_expected() -> None:
    """Silence the expected warnings, and Lightning's tips for other products."""
    for message in _EXPECTED:
        warnings.filterwarnings("ignore", message)
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(lambda record: "Tip:" not in str(record.msg))
