"""One config out of a command line: checkpoint < configs with what they include < command line.

The parser gets the merged config as one, because its own merging replaces all terms of a config by those of the next.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crossx.cli.checkpoints import checkpoint_config, find_checkpoint, folder_of_runs, run_folder_of
from crossx.cli.configs import read_layers
from crossx.cli.imports import take_imports
from crossx.cli.merging import Layer, Merged, merge
from crossx.cli.resets import take_resets
from crossx.core.untrusted import texts
from crossx.core.yaml_files import dump_yaml

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
        continues: The run folder of the checkpoint, where a fit goes on in it.
        notes: Lines for the user: which config changed which terms, and where a measurement is written.
    """

    argv: list[str]
    config: Mapping[str, Any]
    checkpoint: Path | None = None
    continues: Path | None = None
    notes: list[str] = field(default_factory=list)


@dataclass
class CommandLine:
    """What a command line names, before anything is merged.

    Attributes:
        verb: The command.
        options: The other words, without the configs.
        layers: The configs with what they include, the lowest first.
        checkpoint: The checkpoint that it names.
        imports: Values of `--imports`.
    """

    verb: str
    options: list[str]
    layers: list[Layer]
    checkpoint: Path | None
    imports: list[str]


def read_command(argv: Sequence[str]) -> CommandLine:
    """Read the configs that a command line names, and find its checkpoint.

    Args:
        argv: Command line, starting with the verb.

    Raises:
        InputError: When a config cannot be read, or there is no such checkpoint.
    """
    verb, *options = ["--data." + word[2:] if _names_dataset(word) else word for word in argv]
    names = [value for _, _, value in _values(options, "--config", "-c")]
    layers = [layer for name in names for layer in read_layers(name)]
    imports = [value for _, _, value in _values(options, "--imports")]
    for start, count, _ in reversed(list(_values(options, "--config", "-c", "--imports"))):
        del options[start : start + count]
    given = [value for _, _, value in _values(options, "--ckpt_path") if value != "null"]
    checkpoint = None
    if given:
        trainer = merge([DEFAULTS, *layers]).config["trainer"]
        logger = trainer.get("logger") if isinstance(trainer, Mapping) else None
        checkpoint = find_checkpoint(given[-1], _with_options(logger, options))
    return CommandLine(verb, options, layers, checkpoint, imports)


def merge_layers(layers: Sequence[Layer]) -> Merged:
    """Merge the configs of a command line into one, the lowest first; the data set stands beside the data module.

    Args:
        layers: The configs.

    Raises:
        InputError: When terms cannot be merged.
    """
    return merge([_hoisted(layer) for layer in (DEFAULTS, *layers)])


def compose(argv: Sequence[str]) -> Composition:
    """Merge all that a command line names.

    Args:
        argv: Command line, starting with the verb.

    Raises:
        InputError: When a config, the checkpoint or a module of `imports` cannot be read, or terms cannot be merged.
    """
    from crossx.cli.short_names import qualify  # loads torch, which a mistake need not wait for

    command = read_command(argv)
    verb, options, checkpoint = command.verb, command.options, command.checkpoint
    layers, imports = take_imports(command.layers, command.imports)
    notes = []
    if checkpoint is not None:
        stored = checkpoint_config(checkpoint, _named(layers, argv), resume=verb == "fit")
        layers = [Layer(str(checkpoint), stored), *layers]
        options = [*options, "--ckpt_path", str(checkpoint)]  # the last one counts
    merged = merge_layers(layers)
    config = merged.config
    continues = None
    if checkpoint is not None and _own_logger(config) and not _values_of_logger(options):
        place, logger = run_folder_of(checkpoint), config["trainer"]["logger"]
        if verb != "fit":
            config["trainer"]["logger"] = {"class_path": _LOGGER, "init_args": {"save_dir": str(place), "name": verb}}
            notes.append(f"{verb}: writes into {place / verb}, beside the run of the checkpoint")
        elif _is_run_of(place, logger):
            continues = place
    config = qualify(with_dataset(config))
    options = take_resets(config, options)
    if imports:  # imported by now; stays in the run's config.yaml, so that it can be run again
        config["imports"] = imports
    merged.config = config
    text = dump_yaml(config, width=1 << 20)
    return Composition([verb, "--config", text, *options], config, checkpoint, continues, [*merged.changes, *notes])


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


def with_dataset(config: dict[str, Any]) -> dict[str, Any]:
    """The config with its data set, which stands at the top, given to the data module."""
    if "dataset" not in config:
        return config
    data = config["data"] if isinstance(config["data"], Mapping) else {"class_path": config["data"]}
    arguments = {**data.get("init_args", {}), "dataset": config["dataset"]}
    rest = {key: value for key, value in config.items() if key != "dataset"}
    return {**rest, "data": {**data, "init_args": arguments}}


def _own_logger(config: Mapping[str, Any]) -> bool:
    """Whether a config writes into a run folder and nowhere else."""
    trainer = config["trainer"]
    logger = trainer.get("logger") if isinstance(trainer, Mapping) else None
    return isinstance(logger, Mapping) and str(logger.get("class_path", "")).rpartition(".")[2] == "CSVLogger"


def _is_run_of(folder: Path, logger: Mapping[str, Any]) -> bool:
    """Whether a run folder is among those that a config's logger numbers."""
    if not (folder / "config.yaml").is_file() or logger.get("init_args", {}).get("version") is not None:
        return False
    return folder.resolve().parent == folder_of_runs(logger).resolve()


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
