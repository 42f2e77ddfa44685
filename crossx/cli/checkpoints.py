"""Checkpoints on the command line: their config, their run folder, and the file behind `last`."""

from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

from crossx.core.errors import InputError
from crossx.core.untrusted import as_paths, check_resumable, former_folders, read_checkpoint, refuse_imports

FIELD = "--ckpt_path"


def find_checkpoint(name: str, logger: object) -> Path:
    """Find the file that `--ckpt_path` names.

    Args:
        name: A path, or `last` for the newest `last.ckpt` among the runs of the config's logger.
        logger: The config's `trainer.logger`.

    Raises:
        InputError: When there is no such file, or for `best`.
    """
    if name == "best":
        raise InputError(
            f"{FIELD}: best: crossx keeps the last weights of a run and chooses none by validation; "
            "must be a file, or last for the newest run"
        )
    if name != "last":
        return Path(name)
    runs = _runs(logger)
    found = sorted((_file(run) for run in runs if _file(run).is_file()), key=_changed)
    if not found:
        raise InputError(
            f"{FIELD}: last: there is no checkpoints/last.ckpt below {folder_of_runs(logger)}; must be a file"
        )
    later = [run for run in runs if not _file(run).is_file() and _changed(run / "config.yaml") > _changed(found[-1])]
    if later:
        raise InputError(
            f"{FIELD}: last: the newest run, {max(later, key=lambda run: _changed(run / 'config.yaml'))}, has no "
            f"checkpoints/last.ckpt; must be a file, such as {found[-1]} of the run before it"
        )
    return found[-1]


def _runs(logger: object) -> list[Path]:
    """Folders of the runs that a config's logger has numbered; runs of a longer name are none of them."""
    folder, arguments = folder_of_runs(logger), _arguments(logger)
    named = arguments.get("version")
    own = [] if named is None else [folder / (named if isinstance(named, str) else f"version_{named}")]
    numbered = folder.glob("*" if arguments.get("project") else "version_*")  # W&B gives names in place of numbers
    return [path for path in dict.fromkeys([*numbered, *own]) if path.is_dir()]


def _file(run: Path) -> Path:
    return run / "checkpoints/last.ckpt"


def _changed(path: Path) -> float:
    """Time of a file's last change; 0 where there is none."""
    return path.stat().st_mtime if path.is_file() else 0.0


def _arguments(logger: object) -> Mapping[str, Any]:
    loggers = logger if isinstance(logger, list) else [logger]
    arguments = loggers[0].get("init_args") if loggers and isinstance(loggers[0], Mapping) else None
    return arguments if isinstance(arguments, Mapping) else {}


def folder_of_runs(logger: object) -> Path:
    """The folder that a config's logger numbers its runs in."""
    arguments = _arguments(logger)
    return Path(arguments.get("save_dir") or ".") / str(arguments.get("project") or arguments.get("name") or "")


def run_folder_of(checkpoint: Path) -> Path:
    """The run folder that a checkpoint belongs to."""
    return checkpoint.parent.parent if checkpoint.parent.name == "checkpoints" else checkpoint.parent


def folders_of(checkpoint: Path | None) -> list[str]:
    """Folders in which the run of a checkpoint was started; none without a checkpoint."""
    return [] if checkpoint is None else former_folders(read_checkpoint(checkpoint, FIELD))


def checkpoint_config(path: Path, named: Set[str] = frozenset(), resume: bool = False) -> dict[str, Any]:
    """The config (model, data, teachers, seed) that a checkpoint keeps; empty for one made from Python.

    Args:
        path: The checkpoint.
        named: Names that the user gives too: those are not the checkpoint's choice.
        resume: Whether a training is to go on from the checkpoint.

    Raises:
        InputError: When the file cannot be read as plain tensors and values, is of another version of crossx, lacks
            what is needed, or names something that is not loaded.
    """
    checkpoint = read_checkpoint(path, FIELD)
    if resume:
        check_resumable(checkpoint, f"{FIELD}: {path}")
    stored = checkpoint.get("crossx", {})
    config = stored.get("config", {}) if isinstance(stored, dict) else None
    if not isinstance(config, dict) or not _is_teachers(config.get("teachers", {})):
        found = config.get("teachers") if isinstance(config, dict) else stored
        raise InputError(
            f"{FIELD}: {path} holds no config of crossx that can be read: must be a mapping whose teachers are names "
            f"of files, got {str(found)[:60]!r}"
        )
    parts = ("model", "data", "teachers", "seed_everything")
    if not isinstance(config.get("seed_everything", 0), int) or not config.keys() <= set(parts):
        raise InputError(
            f"{FIELD}: {path} holds no config of crossx that can be read: must have the keys {', '.join(parts)} and an "
            f"integer as seed, got {str(list(config))[:60]} and {str(config.get('seed_everything'))[:20]!r}"
        )
    # The teachers are names of files and nothing else.
    built = {part: as_paths(config[part], named) for part in ("model", "data") if part in config}
    refuse_imports(list(built.values()), f"{FIELD}: {path}", named)
    return {**config, **built}


def _is_teachers(value: object) -> bool:
    """Whether a value is two names of files and a mapping of class names, and can be nothing else."""
    if not isinstance(value, dict) or not value.keys() <= {"photo", "sketch", "aliases"}:
        return False
    aliases = value.get("aliases") or {}
    files = [value.get(side) for side in ("photo", "sketch")]
    texts = [*aliases, *aliases.values()] if isinstance(aliases, dict) else [None]
    return all(isinstance(t, str) for t in texts) and all(f is None or isinstance(f, str) for f in files)
