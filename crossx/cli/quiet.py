"""Warnings on the terminal: those of crossx in one line, and none of others that are expected in every run."""

import logging
import warnings
from pathlib import Path

import crossx

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
    "Corrupt EXIF data",  # of photos, of which only the orientation is wanted
)
_PACKAGE = Path(crossx.__file__).parent
_usual_format = warnings.formatwarning


def hush_expected() -> None:
    """Silence the expected warnings, and Lightning's tips for other products; shorten the warnings of crossx."""
    warnings.formatwarning = _in_one_line
    for message in _EXPECTED:
        warnings.filterwarnings("ignore", message)
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(lambda record: "Tip:" not in str(record.msg))


def _in_one_line(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """A warning of crossx without the place in the code, which says nothing to its user."""
    if Path(filename).is_relative_to(_PACKAGE):
        return f"crossx: warning: {message}\n"
    return _usual_format(message, category, filename, lineno, line)
