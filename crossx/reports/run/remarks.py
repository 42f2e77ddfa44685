"""What is said of a result beside its table; imports nothing heavy."""

from collections.abc import Mapping
from typing import Any

_PLURALS = {"photo": "photos", "sketch": "sketches", "batches": "batches"}


def title(results: dict[str, Any]) -> str:
    """Title of the table of a result.

    Args:
        results: Content of `results.json`.
    """
    if results["split"] is None:
        return f"step {results['step']}, not measured on any split"
    part = "a part of " if (results["measured"] or {}).get("partial") else ""
    return f"step {results['step']}, measured on {part}the {results['split']} split"


def remarks(results: dict[str, Any]) -> list[str]:
    """Lines below the table: what was measured, where it is not simply the split, and what the teachers know of it.

    Args:
        results: Content of `results.json`.
    """
    about = results["measured"] or {"partial": False, "queries_without_relevant": 0, "gallery_too_small_for": []}
    lines = []
    if about["partial"]:
        counts = [f"{i['measured']} of {i['there']} {_PLURALS[name]}" for name, i in about["images"].items()]
        lines.append(f"partial: {' and '.join(counts)}; not comparable with whole splits")
    if queries := about.get("adapted_to"):
        lines.append(adapted(queries))
    if about["queries_without_relevant"]:
        queries = f"{about['queries_without_relevant']} of {about['images']['sketch']['measured']} queries"
        lines.append(f"{queries} have no relevant photo and are left out of the means")
    if about["gallery_too_small_for"]:
        photos = about["images"]["photo"]["measured"]
        lines.append(f"{', '.join(about['gallery_too_small_for'])}: the gallery has only {photos} photos")
    if pen := about.get("pen"):
        lines.append(f"sketches redrawn with the pen {', '.join(f'{name} {value}' for name, value in pen.items())}")
    accuracies = [
        f"{modality} {found['accuracy']:.3f}{' (at chance)' if found['at_chance'] else ''}"
        for modality, found in results["teacher_accuracy"].items()
    ]
    if accuracies:
        lines.append(f"accuracy of the teachers: {', '.join(accuracies)}")
    posterior, origin = results["posterior"], results["posterior_origin"]
    if origin is not None:
        chosen, fixed = origin["chosen_on"], origin["fixed_because"]
        because = f"fixed and not chosen: {fixed}" if chosen is None else f"chosen on {chosen}, by its labels"
        lines.append(f"posterior matching: {matching(posterior)}, {because}")
    return lines


def adapted(queries: int) -> str:
    """Say that encoders had the statistics of the queries.

    Args:
        queries: Number of queries, the entry `adapted_to` of `results.json`.
    """
    return f"adapted to the {queries} unlabelled queries; not comparable with encoders that see each query by itself"


def matching(posterior: Mapping[str, Any]) -> str:
    """Form and temperatures of posterior matching in words, such as `dot at 1 for photos and 0.5 for sketches`.

    Args:
        posterior: The entry `posterior` of `results.json`.
    """
    form, photo, sketch = (posterior[name] for name in ("form", "photo_temperature", "sketch_temperature"))
    return str(form) if form == "logit_cosine" else f"{form} at {photo:g} for photos and {sketch:g} for sketches"
