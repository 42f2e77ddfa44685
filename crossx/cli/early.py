"""The first look at a command line, without torch: a mistyped name is answered at once, and not after ten seconds.

What this look does not know, such as a class of a user's own, passes; the parser looks at everything again.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import dropwhile, zip_longest
from pathlib import Path
from typing import Any

import yaml

from crossx.cli.checkpoints import run_folder_of
from crossx.cli.composing import CommandLine, merge_layers, read_command, with_dataset
from crossx.cli.configs import read_layers
from crossx.cli.merging import Layer
from crossx.cli.renamed import renamed_argument, renamed_option
from crossx.cli.signatures import Inside, inside, signature
from crossx.core.checks import did_you_mean
from crossx.core.errors import InputError
from crossx.core.paths import nearest_file, resolve
from crossx.core.yaml_files import plain_yaml

GROUPS = {"trainer": "Trainer", "reports": "Reports", "teachers": "Teachers"}
"""Options at the top that hold the arguments of one class."""
OPTIONS = (
    *GROUPS,
    "model",
    "data",
    "dataset",
    "seed_everything",
    "ckpt_path",
    "config",
    "print_config",
    "imports",
    "help",
)
"""All options at the top."""
_OTHERS = ("print_shtab", "c", "h")  # of the parser's own; short forms
_FILES = ("root", "class_map", "split")
"""Arguments of crossx's data sets that name a file or folder which must exist."""
_CONTEXT = ("teachers", "modality", "space", "source", "optimizer", "steps")
"""Leading arguments of the parts of a model, which their module fills in."""
_ASKS = ("help", "print_config", "print_shtab")


def run(argv: Sequence[str]) -> int:
    """Run `fit`, `validate`, `test` or `predict` after a first look; returns the exit status.

    Args:
        argv: Command line, starting with the verb.

    Raises:
        InputError: For a user's mistake.
    """
    check(argv)
    from crossx.cli.training import run as run_verb  # loads torch

    return run_verb(argv)


def check(argv: Sequence[str]) -> None:
    """Refuse names of configs, options and files that cannot be meant.

    Args:
        argv: Command line, starting with the verb.

    Raises:
        InputError: For the first mistake, with the nearest legal names.
    """
    command = read_command(argv)
    if command.checkpoint is not None and not command.checkpoint.is_file():
        raise InputError(f"--ckpt_path: {str(command.checkpoint)!r} is not a file{nearest_file(command.checkpoint)}")
    given = list(_assignments(command.options))
    options = [Layer("command line", {place.partition(".")[0]: _nested(place, value)}) for place, value in given]
    for layer in command.layers:
        _check_groups(layer)
    for layer in (*command.layers, *options):
        _check_parts(layer)
    run = _of_run(command)
    if command.checkpoint is None or run:  # else configs and options change what only the checkpoint names
        options = [*run, *command.layers, *options]
    config = with_dataset(merge_layers(options).config)
    asks = any(word.partition("=")[0].rpartition(".")[2].lstrip("-") in _ASKS for word in command.options)
    _Look(command.verb, config, files=not asks and command.checkpoint is None).names()
    if command.checkpoint is None and "model" not in config and not asks and "-h" not in argv:
        raise InputError(f"model: must be named; `crossx {command.verb} --config quickstart.yaml` has one")


def _of_run(command: CommandLine) -> list[Layer]:
    """The config that a run has written beside its checkpoint; none where it has names that are not known here."""
    if command.checkpoint is None:
        return []
    path = run_folder_of(command.checkpoint) / "config.yaml"
    try:
        layers = read_layers(str(path.resolve()))
        _Look(command.verb, with_dataset(merge_layers(layers).config), files=False).names()
    except InputError:
        return []
    return layers


def not_an_option(options: Sequence[str], legal: str) -> str:
    """Message about options that do not exist.

    Args:
        options: Their names.
        legal: What is legal.
    """
    return f"{' and '.join(map(repr, options))} {'are not options' if options[1:] else 'is not an option'}; {legal}"


class _Look:
    """One look at a merged config.

    Args:
        verb: The command.
        config: The config.
        files: Whether the files that it names must exist.
    """

    def __init__(self, verb: str, config: Mapping[str, Any], files: bool) -> None:
        self.verb, self.config, self.files = verb, config, files

    def names(self) -> None:
        unknown = [key for key in self.config if key not in (*OPTIONS, *_OTHERS)]
        if unknown:
            for key in unknown:
                self.refuse_renamed(str(key), "")
            options = [".".join((str(key), *_only_keys(self.config[key]))) for key in unknown]
            raise InputError(not_an_option(options, self.listed(str(unknown[0]), OPTIONS, _nearest_inside(options[0]))))
        for group, name in GROUPS.items():
            value = self.config.get(group)
            if isinstance(value, Mapping):
                self.arguments(value, name, "", (group,))
        teachers = self.config.get("teachers")
        for side in ("photo", "sketch"):
            path = teachers.get(side) if self.files and isinstance(teachers, Mapping) else None
            if isinstance(path, str) and not path.startswith("timm:"):
                resolve(path, f"teachers.{side}")
        for root in ("model", "data"):
            self.value(self.config.get(root), None, root, ())

    def value(self, value: object, kind: Inside | None, base: str, way: Sequence[str]) -> None:
        """Look at the value of an argument.

        Args:
            value: The value.
            kind: What the annotation of the argument tells of the value.
            base: Place of the innermost class around the value.
            way: Keys from there.
        """
        place = ".".join((base, *way)).strip(".")
        if isinstance(value, list):
            for child in value:
                self.value(child, kind, base, way)
        if isinstance(value, str) and kind is not None and not kind.is_mapping and not Path(value).is_file():
            self.refuse_text(value, kind, place)
        if not isinstance(value, Mapping):
            return
        if isinstance(value.get("class_path"), str):
            arguments = value.get("init_args", {})
            if isinstance(arguments, Mapping):
                self.arguments(arguments, value["class_path"], place, ())
        elif kind is not None and kind.is_mapping:
            for name, child in value.items():
                self.value(child, Inside(kind.name), f"{place}.{name}", ())
        elif kind is not None and (known := signature(kind.name)) and (known.is_dataclass or not base):
            self.arguments(value, kind.name, base, way)

    def refuse_text(self, value: str, kind: Inside, place: str) -> None:
        known = signature(kind.name)
        if known is not None and known.is_dataclass:
            raise InputError(f"{place}: must be a mapping with keys of {', '.join(known.annotations)}, got {value!r}")

    def arguments(self, arguments: Mapping[str, Any], owner: str, base: str, way: Sequence[str]) -> None:
        known = signature(owner)
        if known is None:
            return
        for key, child in arguments.items():
            here = ".".join((base, *way, str(key))).strip(".")
            if key not in known.annotations:
                self.refuse_renamed(here, key if isinstance(key, str) else "", owner)
                option = ".".join((*way, str(key), *_only_keys(child)))
                names = list(dropwhile(lambda n: base.startswith("model") and n in _CONTEXT, known.annotations))
                legal = f"legal for {owner.rpartition('.')[2]}: {', '.join(names)}{did_you_mean(str(key), names)}"
                if not base:
                    legal = self.listed(".".join((*way, str(key))), [".".join((*way, name)) for name in names])
                raise InputError(f"{base}: {not_an_option([option], legal)}".removeprefix(": "))
            if self.files and key in _FILES and here.startswith("data.") and isinstance(child, str):
                resolve(child, here)
            self.value(child, inside(known.annotations[key]), base, (*way, key))

    def refuse_renamed(self, place: str, key: str, owner: str = "") -> None:
        if old := renamed_option(place, self.config) or renamed_argument(key, owner):
            raise InputError(f"{place}: {old}")

    def listed(self, option: str, legal: Sequence[str], hint: str = "") -> str:
        return f"`crossx {self.verb} --help` lists the legal ones{did_you_mean(option, legal) or hint}"


def _nearest_inside(option: str) -> str:
    """Hint at an option that a name at the top is the end or the beginning of, such as `max_steps` and `seed`."""
    trainer = signature(GROUPS["trainer"])
    longer = [name for name in OPTIONS if len(option) > 2 and name.startswith(f"{option}_")]
    if trainer is not None and option in trainer.annotations:
        longer.insert(0, f"trainer.{option}")
    return f" (did you mean {longer[0]!r}?)" if longer else ""


def _check_groups(layer: Layer) -> None:
    """Refuse a number or a list where options stand; a text may be the name of a file with them."""
    reports = layer.content.get("reports")
    runs = {"reports.run": reports["run"]} if isinstance(reports, Mapping) and "run" in reports else {}
    groups = {group: layer.content[group] for group in GROUPS if group in layer.content}
    for place, value in {**groups, **runs}.items():
        if not isinstance(value, Mapping) and not (isinstance(value, str) and Path(value).is_file()):
            raise InputError(f"{layer.name}: {place}: must be a mapping of options to values, got {value!r}")


def _check_parts(layer: Layer) -> None:
    """Refuse a number where a class stands."""
    for root in ("model", "data", "dataset"):
        _check_classes(layer.content.get(root), f"{layer.name}: {root}", True)


def _check_classes(value: object, place: str, is_part: bool = False) -> None:
    """Refuse a number where a class stands, at any depth."""
    if is_part and not isinstance(value, Mapping | str | None):
        raise InputError(f"{place}: must be the name of a class, or a mapping with class_path, got {value!r}")
    if isinstance(value, Mapping):
        if not isinstance(value.get("class_path", ""), str):
            raise InputError(f"{place}.class_path: must be the name of a class, got {value['class_path']!r}")
        for key, child in value.items():
            _check_classes(child, f"{place}.{key}".replace(".init_args", ""))
    elif isinstance(value, list):
        for child in value:
            _check_classes(child, place)


def _assignments(options: Sequence[str]) -> Iterator[tuple[str, object]]:
    """Place and value of each option that sets a value."""
    for word, following in zip_longest(options, options[1:], fillvalue=""):
        name, equals, text = word.partition("=")
        place = name.removeprefix("--").replace(".init_args", "")
        if name.startswith("--") and place and place.rpartition(".")[2] not in _ASKS:
            yield place, _read(text if equals else "" if following.startswith("--") else following)


def _read(text: str) -> object:
    try:
        return plain_yaml(text)
    except yaml.YAMLError:
        return text


def _nested(place: str, value: object) -> object:
    """What a config has at the first key of a place."""
    for key in reversed(place.split(".")[1:]):
        value = {key: value}
    return value


def _only_keys(value: object) -> Iterator[str]:
    """The keys inside a value as long as each is the only one."""
    while isinstance(value, Mapping) and len(value) == 1:
        key, value = next(iter(value.items()))
        yield str(key)
