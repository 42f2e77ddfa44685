import sys
import types
from collections.abc import Callable
from typing import Any

import pytest

from crossx.core.errors import InputError
from crossx.core.specs import build, class_name, find_class, loaded_subclasses, to_spec
from crossx.networks.base import Network
from crossx.networks.small_resnet import SmallResNet
from crossx.networks.timm_network import TimmNetwork


class Part:
    def __init__(
        self, teachers: object = None, number: int = 1, inner: "Part | None" = None, other: object = None
    ) -> None:
        if number < 0:
            raise InputError("number: negative")
        self.teachers, self.number, self.inner, self.other = teachers, number + 1, inner, other


class Leaf(Part):
    pass


class Branch(Part):
    pass


def test_a_bare_name_is_a_class_of_crossx_and_a_dotted_one_any_class() -> None:
    assert class_name(SmallResNet) == "SmallResNet"
    assert class_name(Leaf) == f"{__name__}.Leaf"
    assert find_class("SmallResNet", Network) is SmallResNet  # type: ignore[type-abstract]
    assert find_class(class_name(Leaf), Part) is Leaf


def test_the_paths_of_configs_are_found_where_a_package_exports_its_classes() -> None:
    for path in ("crossx.networks.SmallResNet", "crossx.networks.small_resnet.SmallResNet"):
        assert find_class(path, Network) is SmallResNet  # type: ignore[type-abstract]


def test_an_unknown_name_gets_the_legal_and_the_nearest_one() -> None:
    with pytest.raises(
        InputError,
        match=r"^Network 'SmalResNet' is not loaded; loaded are .*SmallResNet.* \(did you mean 'SmallResNet'\?",
    ):
        find_class("SmalResNet", Network)  # type: ignore[type-abstract]


def test_an_unknown_package_must_be_imported_first() -> None:
    with pytest.raises(
        InputError, match=r"'mylab\.nets\.Net' is not loaded.*'mylab\.nets' must be imported first"
    ) as error:
        find_class("mylab.nets.Net", Network)  # type: ignore[type-abstract]
    for way in ("`imports: [mylab.nets]`", "`--imports mylab.nets`", "`import mylab.nets`"):
        assert way in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["os.system", "crossx.networks.base.Network", "torch.nn.Linear", "Leaf", "", "."])
def test_only_concrete_subclasses_are_found(name: str) -> None:
    with pytest.raises(InputError, match="is not loaded"):
        find_class(name, Network)  # type: ignore[type-abstract]


def test_nothing_is_imported_not_even_by_a_module_that_imports_late(monkeypatch: pytest.MonkeyPatch) -> None:
    lazy = types.ModuleType("lazy")

    def load(name: str) -> object:
        raise AssertionError(f"{name} was imported")

    monkeypatch.setattr(lazy, "__getattr__", load, raising=False)
    monkeypatch.setitem(sys.modules, "lazy", lazy)
    with pytest.raises(InputError, match="is not loaded"):
        find_class("lazy.Net", Part)


def test_of_a_class_that_is_defined_again_the_newest_is_found() -> None:
    def define() -> type[Part]:
        class Again(Part):
            pass

        return Again

    first, second = define(), define()
    assert first is not second
    assert find_class(class_name(second), Part) is second


def test_bare_names_of_crossx_are_unique() -> None:
    found = [cls for cls in loaded_subclasses(Network) if cls.__module__.startswith("crossx.")]  # type: ignore[type-abstract]
    assert {SmallResNet, TimmNetwork} <= set(found)
    assert len({cls.__name__ for cls in found}) == len(found)


def test_a_spec_is_built_again_with_the_specs_inside_and_what_the_file_does_not_hold() -> None:
    spec = to_spec(Branch, {"number": 3, "inner": to_spec(Leaf, {"number": 4}), "other": {"class_path": 1}})
    branch = build(spec, Part, teachers="both")
    assert type(branch) is Branch
    assert (branch.teachers, branch.number, branch.other) == ("both", 4, {"class_path": 1})
    assert type(branch.inner) is Leaf
    assert branch.inner.number == 5
    assert spec["init_args"]["inner"] == {"class_path": class_name(Leaf), "init_args": {"number": 4}}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (None, r"^Part: must be a mapping with class_path and init_args, got None"),
        ({"class_path": 3}, "must be a mapping"),
        ({"class_path": "a.B", "init_args": {}, "evil": 1}, "must be a mapping"),
        (lambda: to_spec(Leaf, {"depth": 1}), r"Leaf: the arguments \{'depth': 1\} do not fit: .*unexpected keyword"),
        (lambda: to_spec(Leaf, {"number": "x"}), "do not fit"),
        (lambda: to_spec(Leaf, {"number": -1}), "^number: negative"),
        (lambda: to_spec(Leaf, {"inner": to_spec(SmallResNet, {})}), "^Part 'SmallResNet' is not loaded"),
        (
            lambda: to_spec(Leaf, {"number": to_spec(Leaf, {})}),
            r"Leaf\.number: must be a plain value, got a class_path",
        ),
        (lambda: to_spec(Leaf, {"other": to_spec(Leaf, {})}), r"Leaf\.other: must be a plain value, got a class_path"),
    ],
)
def test_a_spec_that_cannot_be_built(spec: object | Callable[[], dict[str, Any]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(spec() if callable(spec) else spec, Part)
