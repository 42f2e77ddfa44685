import warnings
from pathlib import Path

import pytest

import crossx
from crossx.cli.quiet import hush_expected

OWN = str(Path(crossx.__file__).parent / "data/left_out.py")


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)


def test_warnings_of_crossx_are_one_line() -> None:
    hush_expected()
    assert warnings.formatwarning("two files", UserWarning, OWN, 3) == "crossx: warning: two files\n"


def test_warnings_of_others_keep_their_place() -> None:
    hush_expected()
    assert "mine.py:3" in warnings.formatwarning("two files", UserWarning, "/home/me/mine.py", 3)
