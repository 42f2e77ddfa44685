"""What `crossx export` exports: encoders, and the data set that calibrates their scores."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser

import crossx.cli.components  # noqa: F401 - makes every class of crossx known, so that configs may use short names
from crossx.cli.configs import read_layers
from crossx.cli.imports import take_imports
from crossx.core.errors import InputError
from crossx.core.paths import looked_up_in_former
from crossx.core.untrusted import as_paths, former_folders, read_checkpoint, refuse_imports
from crossx.core.yaml_files import parse_yaml, read_yaml
from crossx.data.base import RetrievalData
from crossx.search.from_teachers import encoders_of_teachers
from crossx.search.stored import StoredEncoders, load_encoders


def encoders_and_data(arguments: Namespace) -> tuple[StoredEncoders, RetrievalData | None]:
    """Build what the command line names.

    Args:
        arguments: The options.

    Raises:
        InputError: When encoders or data cannot be read.
    """
    take_imports([], arguments.imports)
    if arguments.teachers is not None:
        photo, sketch = arguments.teachers
        encoders = encoders_of_teachers(photo, sketch, _aliases(arguments.aliases))
    elif arguments.aliases is not None:
        raise InputError("--aliases: must be used with --teachers; a run has aliases of its own")
    else:
        encoders = load_encoders(arguments.run)
    if arguments.data is not None:
        return encoders, _named_data(arguments.data)
    return encoders, None if arguments.run is None else _data_of_run(Path(arguments.run))


def _aliases(text: str | None) -> dict[str, str] | None:
    found = None if text is None else parse_yaml(text, "--aliases")
    if found is not None and not (
        isinstance(found, dict) and all(isinstance(name, str) for name in (*found, *found.values()))
    ):
        raise InputError(f"--aliases: must map names to names, such as {{automobile: car}}, got {text}")
    return found


def _named_data(name: str) -> RetrievalData:
    spec: Any = None
    for layer in read_layers(name):
        data = layer.content.get("data", layer.content)
        spec = data.get("init_args", data).get("dataset", spec)
    if spec is None:
        raise InputError(f"--data: must be a config with a dataset, such as data/shapes.yaml, got {name!r}")
    return _built(spec, f"--data: {name}")


def _data_of_run(run: Path) -> RetrievalData | None:
    """Data set of a run; None, with a word about it, where there is none or its files are gone."""
    folders: list[str] = []
    if run.suffix == ".ckpt":
        checkpoint = read_checkpoint(run, "--run")
        config, folders = checkpoint["crossx"]["config"], former_folders(checkpoint)
    else:
        path = (run if run.is_dir() else run.parent) / "config.yaml"
        config = read_yaml(path, str(path)) if path.is_file() else {}
    spec = ((config.get("data") or {}).get("init_args") or {}).get("dataset")
    if spec is None:
        return None
    try:
        with looked_up_in_former(folders):
            data = _built(spec, "--run")
            for modality in ("photo", "sketch"):
                data.images(modality, "validation")
    except InputError as error:
        print(f"crossx: warning: scores are not calibrated: {error}", file=sys.stderr)  # noqa: T201
        return None
    return data


def _built(spec: Any, source: str) -> RetrievalData:  # noqa: ANN401 - from YAML
    safe = as_paths(spec)
    if source == "--run":
        refuse_imports(safe, source)
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--dataset", type=RetrievalData)
    try:
        built: RetrievalData = parser.instantiate_classes(parser.parse_object({"dataset": safe})).dataset
    except (ArgumentError, TypeError) as error:
        raise InputError(f"{source}: dataset: cannot be built: {str(error).strip().splitlines()[0]}") from error
    return built
