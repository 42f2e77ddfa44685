"""The command `crossx`: a dispatcher that answers at once and loads torch only when something is to be computed."""

import argparse
import sys
from collections.abc import Sequence

from crossx.core.version import __version__

TRAINER_VERBS = {
    "fit": "train: crossx fit --config sketchy.yaml",
    "validate": "measure retrieval on the validation split: crossx validate --ckpt_path last.ckpt",
    "test": "measure retrieval on the test split: crossx test --ckpt_path last.ckpt",
    "predict": "write the embeddings of the test images: crossx predict --ckpt_path last.ckpt",
}

DESCRIPTION = """\
Sketch-to-photo retrieval without training data: two frozen classifiers in, a retrieval model out.

commands:
  quickstart  the whole story in about four minutes, with nothing to download: crossx quickstart
{verbs}

`crossx fit --help` lists the options of a command, `crossx fit --model.help EncoderModule` those of a class.
A config is a file of yours or the name of a shipped one; the command line wins over it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line.

    Args:
        argv: The words after `crossx`; None takes them from the process.

    Returns:
        The exit status: 0, 1 when training went wrong, or 2 for a user's mistake (argparse's own exits use 2 as well).
    """
    words = list(sys.argv[1:] if argv is None else argv)
    verbs = "\n".join(f"  {verb:<10}  {text}" for verb, text in TRAINER_VERBS.items())
    parser = argparse.ArgumentParser(
        "crossx",
        description=DESCRIPTION.format(verbs=verbs),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="crossx COMMAND [options]",
    )
    parser.add_argument("--version", action="version", version=f"crossx {__version__}")
    parser.add_argument("command", choices=["quickstart", *TRAINER_VERBS], help=argparse.SUPPRESS)
    command = parser.parse_args(words[:1] or ["--help"]).command

    from crossx.core.errors import InputError, TrainingError

    try:
        if command == "quickstart":
            from crossx.cli.quickstart import quickstart

            return quickstart(words[1:])
        from crossx.cli.training import train

        train(words)
    except TrainingError as error:
        print(f"crossx: error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except InputError as error:
        # An error out of a loader's worker carries that worker's traceback; its last line is the message.
        print(f"crossx: error: {str(error).strip().rpartition('InputError: ')[2]}", file=sys.stderr)  # noqa: T201
        return 2
    except OSError as error:  # a folder that cannot be written, a full disk
        if error.filename is None:
            raise
        print(f"crossx: error: {error.filename}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 2
    return 0
