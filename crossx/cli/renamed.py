"""Names of crossx 0.1.0 that are others now, so that an old config gets one line that tells how to go on.

A name is refused where it can only be crossx's: a class by its bare name or its path in crossx, and an argument below
such a class. CHANGELOG.md has the same tables; a test compares them.
"""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

from crossx.core.errors import InputError

CONFIGS = {
    "baselines/crossx.yaml": "model/composite.yaml",
    "baselines/heads.yaml": "model/head.yaml",
    "baselines/heads_with_data.yaml": "model/head_with_data.yaml",
    "baselines/crossx_dfl.yaml": "model/published.yaml",
    "baselines/alternative_data.yaml": "model/alternative_data.yaml",
    "baselines/averaging_weights.yaml": "model/averaging_weights.yaml",
    "baselines/classifier_only.yaml": "model/classifier_only.yaml",
    "baselines/gaussian_prior.yaml": "model/gaussian_prior.yaml",
    "baselines/meta_data.yaml": "model/meta_data.yaml",
    "baselines/uni_modal_distillation.yaml": "model/uni_modal_distillation.yaml",
}
"""Shipped configs, old name -> new name."""

ARGUMENTS = {
    "CoTrainingModule.pairs": "replay",
    "ReconstructionModule.photo_generator": "generator",
    "EncoderModule.photo_encoder": "encoder",
    "CompletedPosteriorEncoder.offset": "prior_logit",
    "CompletedPosteriorEncoder.slope": "similarity_weight",
    "CompletedPosteriorEncoder.reading": "reading_weight",
    "PasteOnto.canvas": "backgrounds",
    "PasteOnto.stock": "num_backgrounds",
}
"""Arguments of classes, old -> new; `*` stands for any beginning of a class's name."""

SECTIONS = {
    "scalars": "reports.run",
    "baselines": "reports.run.baselines",
    "report": "reports.run",
    "checkpoint": "reports.run",
    "encoders": "reports.run",
    "embeddings": "reports.run",
    "health": "reports.health",
    "diversity": "reports.health.diversity",
    "pair_sheets": "reports.pictures.pairs",
    "retrieval_sheets": "reports.pictures.retrieval",
    "histograms": "reports.pictures.histograms",
    "hardest": "reports.pictures.hardest",
    "filmstrip": "reports.pictures.filmstrip",
    "wandb": "reports.wandb",
}
"""Keys at the top of a config, old -> new."""

CLASSES = {"Collage": "PasteOnto"}
"""Classes that a config may name, old -> new."""

REMOVED_ARGUMENTS = {
    "*PosteriorEncoder.share": "use `CompositeEncoder`, whose parts have weights",
    "*PosteriorEncoder.dim": "use `CompositeEncoder` with a `TeacherHeadEncoder` as a part",
    "*PosteriorEncoder.hidden": "use `CompositeEncoder` with a `TeacherHeadEncoder` as a part",
    "*Loss.reduce": "leave it out; batches of all processes count together",
    "Replay.source": "leave it out; `replay` mixes into the pairs of its module",
    "*Generator.channels": "leave it out; the sketch generator has one channel",
    "*Generator.classes": "leave it out; `OneHotLoss(labels=agreed)` makes pairs of one class",
    "*Generator.mixture": "leave it out; `OneHotLoss(labels=agreed)` makes pairs of one class",
    "ReconstructionModule.photo_augmentation": "use `photo_augmentation` of `EncoderModule`",
    "ReconstructionModule.sketch_augmentation": "use `sketch_augmentation` of `EncoderModule`",
    "ReconstructionModule.ema_decay": "leave it out; `Replay` keeps earlier pairs",
    "ReconstructionModule.reinitialise": "leave it out; `Replay` keeps earlier pairs",
    "ReconstructionModule.reinitialise_every": "leave it out; `Replay` keeps earlier pairs",
    "ReconstructionModule.meta_every": "leave it out; generators train straight through",
    "ReconstructionModule.meta_rate": "leave it out; generators train straight through",
    "BatchNormStatisticsLoss.momentum": "leave it out; use a larger batch",
}
"""Arguments that are gone, and what to do instead."""

REMOVED_CLASSES = {
    "TotalVariationLoss": "use `BatchNormStatisticsLoss`",
    "IntraModalLoss": "use `SupConLoss` or `PosteriorMatchingLoss`",
    "DistillationLoss": "use `UniModalDistillationLoss` or `PosteriorMatchingLoss`",
    "ProxyAnchorLoss": "use `SupConLoss`",
    "MarginCritic": "use `DistanceCritic`",
    "ProxyCritic": "use `DistanceCritic` or `LastLayerCritic`",
    "Restyled": "name its reader alone, and give the style as `data.pen`, widths as shares of the side",
    "QuickDrawBitmaps": "use `QuickDrawStrokes`",
}
"""Classes that are gone, and what to use instead."""

_SEE = "CHANGELOG.md has the table of old and new names"
_PARTS = {
    *("model", "data", "reconstruction", "encoding", "pairs", "source", "replay", "scheduler", "optimizer"),
    *("loss", "critic", "encoder", "photo_encoder", "sketch_encoder", "network"),
    *("generator", "photo_generator", "sketch_generator"),
    *("dataset", "photos", "sketches", "reader"),
    *("augmentation", "photo_augmentation", "sketch_augmentation", "augmentations", "canvas", "backgrounds"),
}
"""Keys whose text is the short form of a part; elsewhere, as at `name`, a text is a text."""
_USUAL = {
    "reconstruction": "ReconstructionModule",
    "encoding": "EncoderModule",
    "photo_generator": "UpsamplingGenerator",
    "sketch_generator": "UpsamplingGenerator",
}
"""The class that is meant at a key where a config changes arguments and names none."""


class _Entry(NamedTuple):
    """A key of a config, with its value and the class that it is an argument of."""

    place: str
    key: str
    value: object
    owner: str


def refuse_old_names(config: Mapping[str, object], file: str) -> None:
    """Refuse a config that was written for crossx 0.1.0.

    Args:
        config: Content of one file.
        file: Name of the file, for the message.

    Raises:
        InputError: For the first old name.
    """
    for entry in _entries(config):
        message = (
            renamed_section(entry.place) or renamed_argument(entry.key, entry.owner) or _renamed_class(_class_of(entry))
        )
        if message:
            raise InputError(f"{file}: {entry.place}: {message}")


def renamed_config(name: str) -> str | None:
    """Message about the name of a shipped config of 0.1.0, or None for any other name."""
    new = CONFIGS.get(name if name.endswith(".yaml") else f"{name}.yaml")
    return None if new is None else f"this config is of crossx 0.1.0, and is {new} now; {_SEE}"


def renamed_section(key: str) -> str | None:
    """Message about a top-level key of 0.1.0, or None for any other key."""
    return _renamed(key, SECTIONS[key]) if key in SECTIONS else None


def renamed_argument(key: str, owner: str) -> str | None:
    """Message about an argument of 0.1.0, or None for any other argument.

    Args:
        key: Name of the argument.
        owner: Class that it is an argument of: a bare name, or a path.
    """
    if not _is_crossx(owner):
        return None
    name = f"{owner.rpartition('.')[2]}.{key}"
    for old, new in ARGUMENTS.items():
        if fnmatchcase(name, old):
            return _renamed(key, new)
    for old, instead in REMOVED_ARGUMENTS.items():
        if fnmatchcase(name, old):
            return _removed(key, instead)
    return None


def renamed_option(option: str, config: Mapping[str, object]) -> str | None:
    """Message about an option of 0.1.0 such as `model.encoding.photo_encoder.dim`, or None for any other option.

    Args:
        option: Path of the option.
        config: The config that it changes, which tells the classes on the way.
    """
    place, owner, value = "", "", config
    for key in (key for key in option.split(".") if key != "init_args"):
        place = ".".join(filter(None, (place, key)))
        if message := renamed_section(place) or renamed_argument(key, owner):
            return message
        inner = _arguments(value).get(key)
        owner, value = _owner(inner, key, owner), inner if isinstance(inner, Mapping) else {}
    return None


def _renamed_class(path: str) -> str | None:
    name = path.rpartition(".")[2]
    if not _is_crossx(path):
        return None
    if name in CLASSES:
        return _renamed(name, CLASSES[name])
    return _removed(name, REMOVED_CLASSES[name]) if name in REMOVED_CLASSES else None


def _is_crossx(path: str) -> bool:
    return path.startswith("crossx.") or "." not in path


def _renamed(old: str, new: str) -> str:
    return f"this is of crossx 0.1.0: `{old}` is `{new}` now; {_SEE}"


def _removed(old: str, instead: str) -> str:
    return f"this is of crossx 0.1.0: `{old}` went in 0.2.0: {instead}; {_SEE}"


def _class_of(entry: _Entry) -> str:
    """The class that an entry names, or an empty text."""
    is_part = entry.key == "class_path" or entry.key in _PARTS
    return entry.value if is_part and isinstance(entry.value, str) else ""


def _entries(value: object, place: str = "", key: str = "", owner: str = "") -> Iterator[_Entry]:
    """Every key inside the value of a key, outer ones first."""
    if isinstance(value, list):
        for child in value:
            yield _Entry(place, key, child, owner)
            yield from _entries(child, place, key, owner)
    elif isinstance(value, Mapping):
        here = _owner(value, key, owner)
        yield _Entry(place, "class_path", value.get("class_path"), owner)
        for inner, child in _arguments(value).items():
            there = ".".join(filter(None, (place, inner)))
            yield _Entry(there, inner, child, here)
            yield from _entries(child, there, inner, here)


def _arguments(part: Mapping[str, object]) -> dict[str, object]:
    """Arguments of a part, with `init_args` or without."""
    inner = part.get("init_args")
    outer = {str(key): child for key, child in part.items() if key not in ("class_path", "init_args")}
    return {**outer, **({str(key): child for key, child in inner.items()} if isinstance(inner, Mapping) else {})}


def _owner(value: object, key: str, outer: str) -> str:
    """Class of the value of a key: the named one, else a user's own around it, else the usual one."""
    named = value.get("class_path") if isinstance(value, Mapping) else value if key in _PARTS else None
    if isinstance(named, str):
        return named
    return _USUAL.get(key, "") if _is_crossx(outer) else outer
