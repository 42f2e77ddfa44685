"""What crossx 0.1.0 called differently, so that an old config gets one line that says how to go on.

The same table stands in CHANGELOG.md; a test compares them.
"""

from collections.abc import Iterator, Mapping

from crossx.core.errors import InputError

GONE = "gone"

CONFIGS = {
    "baselines/crossx.yaml": "model/posterior_head_sharp.yaml",
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

KEYS = {
    "photo_generator": "generator",
    "photo_encoder": "encoder",
    "pairs.source": "replay",
    "sketch_generator.channels": GONE,
    "photo_generator.channels": GONE,
    "reconstruction.ema_decay": GONE,
    "reconstruction.reinitialise": GONE,
    "reconstruction.reinitialise_every": GONE,
    "reconstruction.meta_every": GONE,
    "loss.reduce": GONE,
}
"""Keys of configs, old -> new; an old one is the end of a path whose `init_args` are left out."""

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

CLASSES = {
    "TotalVariationLoss": GONE,
    "IntraModalLoss": GONE,
    "DistillationLoss": GONE,
    "ProxyAnchorLoss": GONE,
    "MarginCritic": GONE,
    "ProxyCritic": GONE,
    "QuickDrawBitmaps": GONE,
}
"""Classes that a config may name, old -> new."""

_SEE = "CHANGELOG.md has the table of old and new names"


def refuse_old_names(config: Mapping[str, object], file: str) -> None:
    """Refuse a config that was written for crossx 0.1.0.

    Args:
        config: The content of one file.
        file: Its name, for the message.

    Raises:
        InputError: For the first old name.
    """
    for place, value in _places(config):
        if message := renamed_key(place) or _renamed_class(value):
            raise InputError(f"{file}: {place}: {message}")


def renamed_config(name: str) -> str | None:
    """What to say about the name of a shipped config of 0.1.0, or None."""
    new = CONFIGS.get(name if name.endswith(".yaml") else f"{name}.yaml")
    return None if new is None else f"this config is of crossx 0.1.0, and is {new} now; {_SEE}"


def renamed_key(place: str) -> str | None:
    """What to say about a key of 0.1.0, or None for any other.

    Args:
        place: Path of the key, such as `model.encoding.photo_encoder`.
    """
    if place in SECTIONS:
        return _say(place, SECTIONS[place])
    return next(
        (_say(old.rpartition(".")[2], new) for old, new in KEYS.items() if f".{place}".endswith(f".{old}")), None
    )


def _renamed_class(value: object) -> str | None:
    name = value.rpartition(".")[2] if isinstance(value, str) else ""
    return _say(name, CLASSES[name]) if name in CLASSES else None


def _say(old: str, new: str) -> str:
    how = "went in 0.2.0; leave it out" if new == GONE else f"is `{new}` now"
    return f"this is of crossx 0.1.0: `{old}` {how}; {_SEE}"


def _places(value: object, place: str = "") -> Iterator[tuple[str, object]]:
    """Every key with its value, outer ones first."""
    if isinstance(value, Mapping):
        for key, child in value.items():
            here = place if key in ("init_args", "class_path") else ".".join(filter(None, (place, str(key))))
            yield here, child
            yield from _places(child, here)
    elif isinstance(value, list):
        for child in value:
            yield place, child
            yield from _places(child, place)
