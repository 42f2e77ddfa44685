"""What a resumed fit takes from its checkpoint whatever the config says."""

from collections.abc import Iterator, Mapping

_KEPT = ("optimizer", "scheduler")
"""Parts whose numbers are in the training's state, which a checkpoint restores."""
_TAKEN = ("pct_start",)
"""Numbers that a resumed schedule takes from the config: `OneCycle` lays out its cycle anew."""


def overruled(stored: object, given: object, place: str = "model") -> Iterator[str]:
    """Settings of optimisers and schedules that a config gives and a checkpoint overrules, one message each.

    Args:
        stored: The model's config in the checkpoint.
        given: That of the run.
        place: Where both stand in a config.
    """
    if not isinstance(stored, Mapping) or not isinstance(given, Mapping):
        return
    for name in stored.keys() & given.keys():
        here = place if name == "init_args" else f"{place}.{name}"
        if name not in _KEPT:
            yield from overruled(stored[name], given[name], here)
        elif isinstance(old := stored[name], Mapping) and isinstance(new := given[name], Mapping):
            before, now = (part.get("init_args") or {} for part in (old, new))
            for argument in sorted((before.keys() & now.keys()) - set(_TAKEN)):
                if before[argument] != now[argument]:
                    yield (
                        f"{here}.{argument}: the fit goes on with {before[argument]} of its checkpoint, whose training "
                        f"state includes it; the {now[argument]} of the config is not used"
                    )
