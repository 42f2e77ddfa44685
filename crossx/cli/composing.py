"""One config out of a command line: checkpoint < configs with what they include < command line.

The parser gets the merged config as one, because its own merging replaces all terms of a config by those of the next.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from crossx.cli.checkpoints import checkpoint_config, find_checkpoint, run_folder_of
from crossx.cli.configs import read_layers
from crossx.cli.imports import take_imports
from crossx.cli.merging import Layer, merge
from crossx.cli.short_names import qualify
from crossx.core.untrusted import texts

_LOGGER = "lightning.pytorch.loggers.CSVLogger"
DEFAULTS = Layer(
    "defaults",
    {
        "data": {"class_path": "SyntheticPairsDataModule"},
        "trainer": {"logger": {"class_path": _LOGGER, "init_args": {"save_dir": "runs", "name": "unnamed"}}},
    },
)
"""The lowest layer: what a config need not name."""


@dataclass
class Composition:
    """A command line with its configs merged into one.

    Attributes:
        argv: The command line for the parser, starting with the verb.
        config: The merged config, which `argv` holds as text.
        checkpoint: The checkpoint that it names.
        notes: Lines for the user: which config changed which terms, and where a measurement is written.
    """

    argv: list[str]
    config: Mapping[str, Any]
    checkpoint: Path | None = None
    notes: list[str] = field(default_factory=list)


def compose(argv: Sequence[str]) -> Composition:
    """Merge all that a command line names.

    Args:
        argv: Command line, starting with the verb.

    Raises:
        InputError: When a config, the checkpoint or a module of `imports` cannot be read, or terms cannot be merged.
    """
    verb, *options = ["--data." + word[2:] if _names_dataset(word) else word for word in argv]
    names = [value for _, _, value in _values(options, "--config", "-c")]
    layers = [layer for name in names for layer in read_layers(name)]
    layers, imports = take_imports(layers, [value for _, _, value in _values(options, "--imports")])
    for start, count, _ in reversed(list(_values(options, "--config", "-c", "--imports"))):
        del options[start : start + count]

    checkpoint, notes = None, []
    given = [value for _, _, value in _values(options, "--ckpt_path") if value != "null"]
    if given:
        logger = merge([DEFAULTS, *layers]).config["trainer"]["logger"]
        checkpoint = find_checkpoint(given[-1], _with_options(logger, options))
        layers.insert(0, Layer(str(checkpoint), checkpoint_config(checkpoint, _named(layers, argv))))
        options += ["--ckpt_path", str(checkpoint)]  # the last one counts
    merged = merge([_hoisted(layer) for layer in (DEFAULTS, *layers)])
    config = merged.config
    if checkpoint is not None and verb != "fit" and _own_logger(config) and not _values_of_logger(options):
        place = run_folder_of(checkpoint)
        config["trainer"]["logger"] = {"class_path": _LOGGER, "init_args": {"save_dir": str(place), "name": verb}}
        notes.append(f"{verb}: writes into {place / verb}, beside the run of the checkpoint")
    if "dataset" in config:
        _push(config)
    config = qualify(config)
    if imports:  # imported by now; stays in the run's config.yaml, so that it can be run again
        config["imports"] = imports
    text = yaml.safe_dump(config, sort_keys=False, width=1 << 20)
    return Composition([verb, "--config", text, *options], config, checkpoint, [*merged.changes, *notes])


def _values(words: Sequence[str], *options: str) -> Iterator[tuple[int, int, str]]:
    """Each use of an option: (place of its first word, number of words, value)."""
    for i, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in options and equals:
            yield i, 1, value
        elif word in options and i + 1 < len(words):
            yield i, 2, words[i + 1]


def _names_dataset(word: str) -> bool:
    return word.partition("=")[0].partition(".")[0] == "--dataset"


def _named(layers: Sequence[Layer], argv: Sequence[str]) -> set[str]:
    """All texts on a command line and in its configs."""
    return {
        *texts([dict(layer.content) for layer in layers]),
        *(part for word in argv for part in word.split("=", 1)),
    }


def _hoisted(layer: Layer) -> Layer:
    """Move the data set of a layer to the top, where it is stated whole and survives another data module."""
    data = layer.content.get("data")
    if not isinstance(data, Mapping):
        return layer
    arguments = data.get("init_args", data)
    if not isinstance(arguments, Mapping) or "dataset" not in arguments:
        return layer
    rest = {key: value for key, value in arguments.items() if key != "dataset"}
    data = {**data, "init_args": rest} if "init_args" in data else rest
    return Layer(layer.name, {**layer.content, "data": data, "dataset": arguments["dataset"]})


def _push(config: dict[str, Any]) -> None:
    """Give the data set to the data module."""
    data = config["data"] if isinstance(config["data"], Mapping) else {"class_path": config["data"]}
    arguments = {**data.get("init_args", {}), "dataset": config.pop("dataset")}
    config["data"] = {**data, "init_args": arguments}


def _own_logger(config: Mapping[str, Any]) -> bool:
    """Whether a config writes into a run folder and nowhere else."""
    logger = config["trainer"].get("logger")
    return isinstance(logger, Mapping) and str(logger.get("class_path", "")).rpartition(".")[2] == "CSVLogger"


def _values_of_logger(options: Sequence[str]) -> dict[str, str]:
    """Arguments of the logger that the command line sets."""
    found = {}
    for name in ("save_dir", "name", "version", ""):
        for inner in ("init_args.", ""):
            for _, _, value in _values(options, f"--trainer.logger.{inner}{name}" if name else "--trainer.logger"):
                found[name] = value
    return found


def _with_options(logger: object, options: Sequence[str]) -> object:
    given = _values_of_logger(options)
    given.pop("", None)
    if isinstance(logger, Mapping) and given:
        return {**logger, "init_args": {**logger.get("init_args", {}), **given}}
    return logger
