"""Parts are instances, or factories that a module completes."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from jsonargparse import ArgumentParser
from torch import nn

from crossx.core.errors import InputError
from crossx.core.factories import complete, plain_factory


class Part:
    """What a field asks for."""


class Free(Part):
    """Needs nothing of the module."""

    def __init__(self, margin: float = 1.0) -> None:
        if margin > 2:
            raise InputError(f"margin: must be at most 2, got {margin}")
        self.margin = margin


class Bound(Part):
    """Needs the first of what the module knows."""

    def __init__(self, space: int, width: int, margin: float = 1.0) -> None:
        self.space, self.width, self.margin = space, width, margin


def parsed(value: object, annotation: object) -> Any:  # noqa: ANN401 - whatever the annotation allows
    """An argument out of a config, as the command line builds it."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--part", type=annotation)
    return parser.instantiate(parser.parse_object({"part": value})).part


def spec(kind: type[Part], **init_args: Any) -> dict[str, Any]:  # noqa: ANN401 - any argument of the class
    return {"class_path": f"{__name__}.{kind.__name__}", "init_args": init_args}


EITHER = Part | Callable[[int], Part]


def test_an_instance_passes_through() -> None:
    part = Free()
    assert complete("part", part, Part, space=3) is part


def test_a_class_is_a_factory() -> None:
    class Wide(Bound):
        def __init__(self, space: int) -> None:
            super().__init__(space, width=7)

    built = complete("part", Wide, Part, space=3)
    assert isinstance(built, Wide)
    assert (built.space, built.width) == (3, 7)


def test_a_partial_is_a_factory() -> None:
    built = complete("part", partial(Bound, width=2, margin=0.5), Part, space=3, unused="more of the context")
    assert isinstance(built, Bound)
    assert (built.space, built.width, built.margin) == (3, 2, 0.5)


def test_a_function_is_a_factory() -> None:
    built = complete("part", lambda space: Bound(space, 9), Part, space=3)
    assert isinstance(built, Bound)
    assert (built.space, built.width) == (3, 9)


@pytest.mark.parametrize("annotation", [EITHER, Callable[[int], Part]])
def test_a_config_gives_a_factory_of_a_part_that_needs_context(annotation: object) -> None:
    factory = parsed(spec(Bound, width=2), annotation)
    assert not isinstance(factory, Part)
    plain = plain_factory(factory)
    assert isinstance(plain, partial)
    assert plain.func is Bound
    first, second = (complete("part", factory, Part, space=space) for space in (3, 4))
    assert isinstance(first, Bound)
    assert isinstance(second, Bound)
    assert (first.space, second.space, first.width, first.margin) == (3, 4, 2, 1.0)


def test_a_config_gives_a_part_that_needs_nothing() -> None:
    part = parsed(spec(Free, margin=0.5), EITHER)
    assert isinstance(part, Free)
    assert complete("part", part, Part, space=3) is part


def test_the_constructor_s_own_message_reaches_the_user() -> None:
    """jsonargparse takes a part whose constructor refuses an argument for a factory."""
    part = parsed(spec(Free, margin=3), EITHER)
    with pytest.raises(InputError, match=r"^margin: must be at most 2, got 3"):
        complete("part", part, Part, space=3)


def test_a_partial_with_a_class_among_its_arguments_is_the_user_s_own() -> None:
    def wrap(inner: type[Part], space: int) -> Part:
        assert inner is Free
        return Bound(space, 11)

    built = complete("part", partial(wrap, Free), Part, space=3)
    assert isinstance(built, Bound)
    assert built.width == 11


def test_a_module_of_another_kind_is_no_factory() -> None:
    with pytest.raises(InputError, match=r"^loss: must be or build an instance of Part, got CrossEntropyLoss$"):
        complete("loss", nn.CrossEntropyLoss(), Part, space=3)


def test_plain_factory_leaves_others_alone() -> None:
    made = partial(Bound, width=2)
    for factory in (Bound, made, spec):
        assert plain_factory(factory) is factory


@pytest.mark.parametrize("factory", [Bound, partial(Bound, margin=2)])
def test_missing_arguments_are_named(factory: Callable[..., Part]) -> None:
    with pytest.raises(InputError, match=r"^terms\.own\.loss: Bound: missing .*; init_args must name width$"):
        complete("terms.own.loss", factory, Part, space=3)


def test_all_missing_arguments_are_named() -> None:
    with pytest.raises(InputError, match=r"^part: Bound: missing .*; init_args must name space, width$") as raised:
        complete("part", Bound, Part, teachers=3)
    assert "\n" not in str(raised.value)


def test_an_argument_that_a_factory_does_not_take_is_named() -> None:
    with pytest.raises(
        InputError, match=r"^part: must build an instance of Part, got Free \(.*width=2.* incorrect arguments\)$"
    ):
        complete("part", partial(Free, width=2), Part)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (3, r"^part: must be or build an instance of Part, got int$"),
        ("Free", r"^part: must be or build an instance of Part, got str$"),
        (dict, r"^part: must build an instance of Part, got dict \(no signature .*\)$"),
        (lambda: 3, r"^part: must build an instance of Part, got int from <lambda>$"),
        (partial(str), r"^part: must build an instance of Part, got str \(no signature .*\)$"),
    ],
)
def test_another_kind_is_refused(part: Any, message: str) -> None:  # noqa: ANN401 - of any type
    with pytest.raises(InputError, match=message):
        complete("part", part, Part)
