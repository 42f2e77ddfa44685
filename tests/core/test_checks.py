"""Messages about arguments."""

import pytest

from crossx.core.checks import must_be_in, must_be_one_of, some
from crossx.core.errors import InputError


@pytest.mark.parametrize(
    ("interval", "inside", "outside", "legal"),
    [
        ("(0, 1]", (1e-9, 1), (0, 1.1, -1, float("nan"), float("inf")), r"must be in \(0, 1\]"),
        ("[0, 1)", (0, 0.999), (-1e-9, 1), r"must be in \[0, 1\)"),
        ("(0, inf)", (1e-9, 1e9), (0, -3, float("nan")), "must be above 0"),
        ("[1, inf)", (1, 7), (0, -1), "must be at least 1"),
        ("(-inf, inf)", (-1e9, 0, 7), (float("nan"), float("inf"), -float("inf")), "must be finite"),
    ],
)
def test_bounds(interval: str, inside: tuple[float, ...], outside: tuple[float, ...], legal: str) -> None:
    for value in inside:
        must_be_in("share", value, interval)
    for value in outside:
        with pytest.raises(InputError, match=rf"^share: {legal}, got {value}$"):
            must_be_in("share", value, interval)


def test_infinity_is_not_below_infinity() -> None:
    with pytest.raises(InputError, match="must be above 0 and finite, got inf"):
        must_be_in("rate", float("inf"), "(0, inf)")


def test_choices_name_the_nearest() -> None:
    must_be_one_of("mining", "hard", ("all", "hard"))
    with pytest.raises(InputError, match=r"^mining: must be one of all, hard; got 'hrd' \(did you mean 'hard'\?\)$"):
        must_be_one_of("mining", "hrd", ("all", "hard"))
    with pytest.raises(InputError, match=r"got 'xyz'$"):
        must_be_one_of("mining", "xyz", ("all", "hard"))


def test_long_lists_are_cut_to_the_nearest_names() -> None:
    names = [f"class {i}" for i in range(300)]
    assert some(names[:12]) == ", ".join(names[:12])
    assert some(names) == "class 0, class 1, class 2, class 3, class 4 and 295 more"
    assert some([*names, "umbrella"], "umbrela").startswith("umbrella, ")
    assert some([]) == ""
