"""The command `crossx`: a dispatcher that answers at once and loads torch only when something is to be computed."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from crossx.cli.verbs import VERBS
from crossx.core.checks import did_you_mean
from crossx.core.errors import InputError, TrainingError, WorkError
from crossx.core.version import __version__

DESCRIPTION = """\
Sketch-to-photo retrieval without training data: two frozen classifiers in, a retrieval model out.

commands:
{verbs}

`crossx fit --help` lists the options of a command, `crossx fit --model.help EncoderModule` those of a class.
A config is a file of yours or the name of a shipped one; the command line wins over it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line.

    Args:
        argv: The arguments after `crossx`; None takes them from the process.

    Returns:
        The exit status: 0, 1 when the work went wrong, or 2 for a user's mistake (argparse's own exits use 2 as well).
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        "crossx",
        description=DESCRIPTION.format(verbs="\n".join(f"  {name:<10}  {verb.help}" for name, verb in VERBS.items())),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="crossx COMMAND [options]",
    )
    parser.add_argument("--version", action="version", version=f"crossx {__version__}")
    parser.add_argument("command", help=argparse.SUPPRESS)
    command = parser.parse_args(argv[:1] or ["--help"]).command
    if command not in VERBS:
        hint = did_you_mean(command, VERBS)
        parser.exit(2, f"crossx: error: invalid choice: {command!r} (choose from {', '.join(VERBS)}){hint}\n")
    verb = VERBS[command]

    try:
        status: int = getattr(import_module(verb.module), verb.function)(argv)
    except (TrainingError, WorkError) as error:
        print(f"crossx: error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except InputError as error:
        # An error out of a loader's worker carries that worker's traceback; its last line is the message.
        print(f"crossx: error: {str(error).strip().rpartition('InputError: ')[2]}", file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt as error:  # with the way to go on, where a fit was interrupted
        print(f"crossx: interrupted{error}", file=sys.stderr)  # noqa: T201
        return 130  # as shells have it
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it ends
        return 141  # as shells have it
    except OSError as error:  # a folder that cannot be written, a full disk
        if error.filename is None:
            raise
        print(f"crossx: error: {error.filename}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 2
    return status
