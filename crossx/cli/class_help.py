"""`--model.encoding.help EncoderModule`: the options of a class at any place of a config.

The parser knows such an option only behind the class that the place belongs to, and then prints the options without
their place.
"""

import importlib
import inspect
import sys
from collections.abc import Sequence

from jsonargparse import ArgumentParser

from crossx.core.checks import did_you_mean
from crossx.core.errors import InputError


def asked_for_class(argv: Sequence[str]) -> tuple[str, str] | None:
    """The place and the class of a `--PLACE.help CLASS` that the parser itself does not know, or None.

    Args:
        argv: Command line, starting with the verb.
    """
    for word, following in zip(argv, [*argv[1:], ""], strict=True):
        option, equals, value = word.partition("=")
        name = value if equals else following
        if option.startswith("--") and option.endswith(".help") and option.count(".") > 1 and name:
            return option.removeprefix("--").removesuffix(".help"), name
    return None


def print_class_help(place: str, name: str) -> None:
    """Print the options of a class as those of a place, and end.

    Args:
        place: Path in a config, such as `model.encoding`.
        name: The class, with its full path or as crossx's classes are named.

    Raises:
        InputError: When there is no such class.
    """
    parser = ArgumentParser(prog="crossx", usage=f"--{place} {name.rpartition('.')[2]} [options of the class]")
    parser.add_class_arguments(_find(place, name), place, fail_untyped=False)
    parser.print_help()
    sys.exit(0)


def _find(place: str, name: str) -> type:
    module, _, attribute = name.rpartition(".")
    try:
        homes = [importlib.import_module(module)] if module else _modules_of_crossx()
    except ImportError as error:
        raise InputError(
            f"{place}.help: must be a class of crossx or the full path of another, got {name!r} ({error})"
        ) from error
    classes = {n: c for home in homes for n, c in vars(home).items() if inspect.isclass(c)}
    if attribute not in classes:
        raise InputError(
            f"{place}.help: must be a class of crossx or the full path of another, got {name!r}"
            f"{did_you_mean(attribute, classes)}"
        )
    return classes[attribute]


def _modules_of_crossx() -> list[object]:
    return [module for name, module in sys.modules.items() if name.partition(".")[0] == "crossx"]
