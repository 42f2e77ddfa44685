"""Options of commands that read no config: a mistake is one line, with the nearest legal name."""

import argparse
from collections.abc import Sequence
from typing import NoReturn

from crossx.core.checks import did_you_mean
from crossx.core.errors import InputError


class OptionParser(argparse.ArgumentParser):
    """Parser of one command.

    Args:
        verb: Name of the command.
        description: What it does, for `--help`.
    """

    def __init__(self, verb: str, description: str) -> None:
        super().__init__(f"crossx {verb}", description=description, allow_abbrev=False)

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """Read the words after the command, in any order: files may stand behind options.

        Raises:
            InputError: When an option does not exist, or a value cannot be meant.
        """
        arguments, rest = self.parse_known_intermixed_args(words)
        if rest:
            legal = [name for action in self._actions for name in action.option_strings]
            name = next((word for word in rest if word.startswith("-")), rest[0]).partition("=")[0]
            self.error(f"{name!r} is not an option{did_you_mean(name, legal)}")
        return arguments

    def error(self, message: str) -> NoReturn:
        """Refuse a command line."""
        raise InputError(f"{message.removeprefix('argument ')}; `{self.prog} --help` lists the options")
