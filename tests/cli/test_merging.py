"""How configs merge."""

import copy
from typing import Any

import pytest

from crossx.cli.merging import Layer, Merged, merge
from crossx.core.errors import InputError

BASE: dict[str, Any] = {
    "model": {
        "class_path": "EncoderModule",
        "init_args": {
            "encoder": {"class_path": "PosteriorEncoder", "init_args": {"share": 0.97, "dim": 64}},
            "terms": {
                "matching": {"loss": {"class_path": "PosteriorMatchingLoss", "init_args": {"temperature": 0.2}}},
                "entropy": {"loss": "InformationEntropyLoss", "weight": 5.0},
            },
            "lr": [1, 2],
        },
    },
    "trainer": {"max_steps": 920, "logger": {"class_path": "CSVLogger", "init_args": {"name": "a"}}},
}


def merged(*contents: dict[str, Any]) -> Merged:
    before = copy.deepcopy(contents)
    found = merge(Layer(f"{chr(97 + i)}.yaml", content) for i, content in enumerate(contents))
    assert contents == before, "layers stay as they are"
    return found


def model(**arguments: object) -> dict[str, Any]:
    return {"model": {"init_args": arguments}}


def arguments(found: Merged) -> dict[str, Any]:
    inner: dict[str, Any] = found.config["model"]["init_args"]
    return inner


def test_mappings_merge_and_the_rest_replaces() -> None:
    found = merged(BASE, {"trainer": {"max_steps": 10, "devices": None}, **model(lr=[3]), "seed": 1}, {"seed": None})
    assert found.config["trainer"] == {**BASE["trainer"], "max_steps": 10, "devices": None}
    assert arguments(found) == {**BASE["model"]["init_args"], "lr": [3]}
    assert found.config["seed"] is None
    assert found.changes == []


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        ("HeadEncoder", "HeadEncoder"),
        ({"class_path": "HeadEncoder"}, {"class_path": "HeadEncoder"}),
        (
            {"class_path": "own.PosteriorEncoder"},
            {"class_path": "own.PosteriorEncoder"},
        ),  # a short name is one of crossx
        ("PosteriorEncoder", {"share": 0.97, "dim": 64}),
        ({"class_path": "crossx.encoding.PosteriorEncoder", "init_args": {"dim": 8}}, {"share": 0.97, "dim": 8}),
        ({"init_args": {"dim": 8}}, {"share": 0.97, "dim": 8}),
        ({"dim": 8}, {"share": 0.97, "dim": 8}),
        (None, None),
    ],
)
def test_another_class_replaces_the_part_and_the_same_one_merges(over: object, expected: object) -> None:
    found = arguments(merged(BASE, model(encoder=over)))["encoder"]
    if isinstance(expected, dict) and "class_path" not in expected:
        found = found["init_args"]
    elif isinstance(expected, str):
        found = found["class_path"] if isinstance(found, dict) else found
    assert found == expected


@pytest.mark.parametrize(
    ("below", "above", "same"),
    [
        ("crossx.CoTrainingModule", "crossx.cotraining.module.CoTrainingModule", True),
        ("crossx.networks.SmallResNet", "mylab.SmallResNet", False),
        ("SmallResNet", "SmallResNets", False),
    ],
)
def test_names_of_one_class(below: str, above: str, same: bool) -> None:
    found = merged({"x": {"class_path": below, "init_args": {"a": 1}}}, {"x": {"class_path": above}})
    assert ("init_args" in found.config["x"]) is same


def test_short_form_takes_arguments() -> None:
    entropy = {"loss": {"class_path": "InformationEntropyLoss", "init_args": {"a": 1}}}
    found = merged(BASE, model(terms={"entropy": entropy}), model(terms={"entropy": {"loss": {"b": 2}}}))
    loss = {"class_path": "InformationEntropyLoss", "init_args": {"a": 1, "b": 2}}
    assert arguments(found)["terms"]["entropy"] == {"loss": loss, "weight": 5.0}


def test_plus_appends() -> None:
    first = BASE["trainer"]["logger"]
    found = merged(BASE, {"trainer": {"logger+": "A", "callbacks+": "C"}}, {"trainer": {"logger+": ["B"]}})
    assert found.config["trainer"]["logger"] == [first, "A", "B"]
    assert found.config["trainer"]["callbacks"] == ["C"]


def test_a_data_set_is_stated_whole() -> None:
    known = {"class_path": "JoinedData", "init_args": {"name": "a", "classes": "known"}}
    other = {"class_path": "JoinedData", "init_args": {"name": "b"}}
    assert merged({"dataset": known}, {"dataset": other}).config["dataset"] == other
    found = merged({"dataset": known}, {"dataset": {"name": "b"}}).config["dataset"]
    assert found["init_args"] == {"name": "b", "classes": "known"}


def test_terms_merge_by_name_and_changes_are_told() -> None:
    over = model(terms={"l2": {"loss": "L2"}, "entropy": {"weight": 2.0}, "matching": None})
    found = merged(BASE, over, model(terms={"entropy": {"loss": "Other", "weight": 2.0}}))
    assert arguments(found)["terms"] == {"l2": {"loss": "L2"}, "entropy": {"loss": "Other", "weight": 2.0}}
    assert found.changes == [
        "terms: b.yaml adds l2, changes entropy (weight 5.0 -> 2.0), removes matching",
        "terms: c.yaml changes entropy (loss InformationEntropyLoss -> Other)",
    ]


def test_terms_that_say_the_same_are_no_change() -> None:
    full = {"loss": {"class_path": "crossx.InformationEntropyLoss", "init_args": {}}, "weight": 5.0, "ramp": None}
    found = merged(
        model(terms={"entropy": full}), model(terms={"entropy": {"loss": "InformationEntropyLoss", "weight": 5}})
    )
    assert arguments(found)["terms"] == {"entropy": full}
    assert found.changes == []


def test_argument_of_a_loss_is_named() -> None:
    found = merged(
        BASE, model(terms={"matching": {"loss": {"init_args": {"temperature": 1, "new": True}}, "ramp": [0, 1]}})
    )
    (line,) = found.changes
    assert line == (
        "terms: b.yaml changes matching (loss.temperature 0.2 -> 1, loss.new default -> True, ramp default -> [0, 1])"
    )


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ([1], r"^b\.yaml: model\.terms: must be a mapping of names to terms, got \[1\]$"),
        (None, r"^b\.yaml: model\.terms: must be a mapping of names to terms, got None$"),
        ({"matching": 3}, r"^b\.yaml: model\.terms\.matching: must be a mapping with loss, weight and ramp, or null"),
        (
            {"matchin": None},
            r"^b\.yaml: model\.terms\.matchin: null removes a term, and there is none of this name; the terms are "
            r"matching, entropy \(did you mean 'matching'\?\)$",
        ),
    ],
)
def test_terms_that_cannot_be_merged(terms: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        merged(BASE, model(terms=terms))
    with pytest.raises(InputError, match="the terms are none"):
        merged(model(terms={"matching": None}))


@pytest.mark.parametrize(
    ("below", "above"), [("my_pkg.SmallResNet", "SmallResNet"), ("SmallResNet", "my_pkg.SmallResNet")]
)
def test_a_class_of_ones_own_is_not_ours_of_the_same_name(below: str, above: str) -> None:
    """Neither gives the other its arguments."""
    layers = [
        Layer("a.yaml", {"model": {"network": {"class_path": below, "init_args": {"widths": [8]}}}}),
        Layer("b.yaml", {"model": {"network": above}}),
    ]
    network = merge(layers).config["model"]["network"]
    assert (network if isinstance(network, str) else network["class_path"]) == above
    assert isinstance(network, str) or not network.get("init_args")


def test_changes_of_a_term_that_a_higher_layer_takes_away_are_not_told() -> None:
    added, changed = model(terms={"l2": {"loss": "L2", "weight": 1}}), model(terms={"l2": {"weight": 2}})
    assert merged(BASE, added, changed).changes == [
        "terms: b.yaml adds l2",
        "terms: c.yaml changes l2 (weight 1 -> 2)",
    ]
    assert merged(BASE, added, changed, model(terms={"l2": None})).changes == ["terms: d.yaml removes l2"]
    other = {"model": {"class_path": "ReconstructionModule", "init_args": {}}}
    assert merged(BASE, added, changed, other).changes == []
