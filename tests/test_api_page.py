"""docs/api.md has every class that a config may name or a user may subclass, new classes by themselves."""

import inspect
import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from support.exported import defined, exported

import crossx
from crossx.encoding import critics, encoders, losses
from crossx.reconstruction import generators
from crossx.reconstruction import losses as generator_losses

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/api.md").read_text()


def modules() -> list[ModuleType]:
    names = [info.name for info in pkgutil.walk_packages(crossx.__path__, "crossx.")]
    return [import_module(name) for name in names if name != "crossx.__main__"]


def public(module: ModuleType) -> list[object]:
    """What an entry of the page shows of a module: what `__all__` names, else what the module itself defines."""
    found = vars(module)
    names = getattr(module, "__all__", None)
    if names is not None:
        return [getattr(module, name) for name in names]
    own = [value for name, value in found.items() if not name.startswith("_")]
    return [value for value in own if getattr(value, "__module__", None) == module.__name__]


def shown() -> list[object]:
    found: list[object] = []
    for name in re.findall(r"^::: (\S+)$", PAGE, re.MULTILINE):
        module, _, last = name.rpartition(".")
        found += [getattr(import_module(module), last)] if last[0].isupper() else public(import_module(name))
    return found


def classes() -> Iterator[type]:
    for module in modules():
        for name, value in vars(module).items():
            if inspect.isclass(value) and value.__module__ == module.__name__ and not name.startswith("_"):
                yield value


def test_every_exported_class_is_on_the_page() -> None:
    packages = [module for module in modules() if hasattr(module, "__all__")]
    assert len(packages) >= 6
    wanted = {value for package in packages for value in public(package) if inspect.isclass(value)}
    missing = sorted(f"{value.__module__}.{value.__name__}" for value in wanted - set(shown()))
    assert missing == []


def test_every_class_that_a_user_may_subclass_is_on_the_page() -> None:
    """Abstract classes, and what is made of them: each is a place where a class of one's own fits."""
    everything = list(classes())
    bases = [value for value in everything if inspect.isabstract(value)]
    assert {"EncodingLoss", "ReconstructionLoss", "PairSource", "Encoder", "Generator"} <= {b.__name__ for b in bases}
    wanted = {value for value in everything if issubclass(value, tuple(bases))}
    missing = sorted(f"{value.__module__}.{value.__name__}" for value in wanted - set(shown()))
    assert missing == []


@pytest.mark.parametrize(
    ("package", "base"),
    [
        (losses, "EncodingLoss"),
        (generator_losses, "ReconstructionLoss"),
        (encoders, "Encoder"),
        (critics, "PairCritic"),
        (generators, "Generator"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_one_line_in_the_package_makes_a_class_known(
    package: ModuleType, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A class in `__all__` is on the page and in the tests of its kind; and none that a file defines is left out."""
    kind = getattr(package, base)
    before = exported(package, kind)
    assert defined(package, kind) <= before.keys()
    assert before
    sibling = next(iter(before.values()))
    new = type(f"New{base}", (sibling,), {})
    monkeypatch.setattr(package, new.__name__, new, raising=False)
    monkeypatch.setattr(package, "__all__", [*package.__all__, new.__name__])
    assert exported(package, kind) == {**before, new.__name__: new}
    assert new in shown()
