import json
import os
from pathlib import Path

import pytest

from benchmarks import search
from crossx.core.errors import InputError

SMALL = ("--photos", "3000", "--exact-photos", "1500", "--dim", "16", "--queries", "50", "--index", "ivf")


def test_small_galleries_are_measured_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (0.1, 0.1, 0.1))
    out = tmp_path / "figures.json"
    search.main([*SMALL, "--folder", str(tmp_path), "--out", str(out)])
    figures = json.loads(out.read_text())
    exact, ivf = figures["galleries"]
    assert (exact["kind"], exact["photos"], exact["recall@10"]) == ("exact", 1500, 1.0)
    assert (ivf["kind"], ivf["photos"]) == ("ivf", 3000)
    assert 0.9 <= ivf["recall@10"] <= 1
    assert 0 < ivf["ms, median"] <= ivf["ms, 99th percentile"]
    assert ivf["build, CPU s"] > 0
    assert figures["machine"]["load average"] == 0.1
    assert [file.name for file in tmp_path.iterdir()] == ["figures.json"]


def test_no_document_is_written_on_a_busy_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (0.6, 0.1, 0.1))
    with pytest.raises(InputError, match=r"--out: must be written on an idle machine .*, got 0.60"):
        search.main([*SMALL, "--out", str(tmp_path / "figures.json")])
    assert not list(tmp_path.iterdir())
