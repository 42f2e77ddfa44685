"""Texts in pictures: whole, or shortened with an ellipsis; never cut off by the next cell or by the edge."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import ImageDraw, ImageFont

from crossx.inspection.sheet import save_sheet
from crossx.reports.pictures.captions import caption, shorten, wrap
from crossx.reports.pictures.charts import bar_chart, curve_chart
from crossx.reports.pictures.filmstrip import Filmstrip
from crossx.reports.pictures.hardest import JudgedPairs, draw
from crossx.reports.pictures.sheets import NEUTRAL, Sheet
from crossx.types import PairBatch, TeacherOutput

FONT = ImageFont.load_default(size=11)
NAMES = (
    "computer keyboard, keypad",
    "hippopotamus",
    "American Staffordshire terrier, Staffordshire terrier, American pit bull terrier, pit bull terrier",
    "parking_meter_with_underscores_and_no_space",
    "cup",
)
Drawn = list[tuple[float, float, str]]


@pytest.mark.parametrize("text", [*NAMES, "x cup", "a b c d e f g h i j k l m n o p q r s t u v w x y z"])
@pytest.mark.parametrize(("width", "lines"), [(62, 1), (62, 2), (102, 1), (198, 1), (5000, 1)])
@pytest.mark.parametrize("end", ["", "100 %"])
def test_captions_fit_and_keep_their_end(text: str, width: int, lines: int, end: str) -> None:
    found = caption(text, FONT, width, lines, end)
    assert 1 <= len(found) <= lines
    assert all(FONT.getlength(line) <= width for line in found)
    shown = " ".join(found)
    assert shown.endswith(end)
    name = shown.removesuffix(end).strip()
    if "…" not in name:
        assert name == text
    else:
        assert name[-1] == "…"
        assert text.startswith(name[:-1])
        # No longer beginning of the text would fit.
        assert len(wrap(f"{text} {end}", FONT, width)) > lines or FONT.getlength(max(text.split(), key=len)) > width


def test_a_text_that_fits_is_whole() -> None:
    assert caption("= cup", FONT, 102, 1, "100 %") == ["= cup 100 %"]
    assert caption("= hot air balloon", FONT, 62, 2) == ["= hot air", "balloon"]
    assert caption("= hot air balloon", FONT, 62) == ["= hot air b…"]
    assert caption("computer keyboard, keypad", FONT, 120) == ["computer keyboard…"], "no comma before the ellipsis"
    assert caption("", FONT, 62) == []
    assert shorten("cup", FONT, 62) == "cup"


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """Left edge, right edge and text of everything that is drawn."""
    found: Drawn = []
    original: Callable[..., None] = ImageDraw.ImageDraw.text

    def text(self: ImageDraw.ImageDraw, xy: tuple[float, float], text: str, *rest: object, **options: object) -> None:
        anchor, font = options.get("anchor"), options["font"]
        left, _, right, _ = self.textbbox(xy, text, font=font, anchor=anchor)  # type: ignore[arg-type]
        found.append((left, right, text))
        original(self, xy, text, *rest, **options)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", text)
    return found


def pairs_of(count: int) -> PairBatch:
    images, logits = torch.rand(2, count, 3, 8, 8), torch.randn(2, count, len(NAMES))
    outputs = [TeacherOutput(x, torch.ones(count, 2)) for x in logits]
    return PairBatch(images[0], images[1], outputs[0], outputs[1], torch.zeros(count).long())


@pytest.mark.parametrize("count", [1, 4])
def test_hardest_pairs_name_both_classes_of_each_judge(drawn: Drawn, count: int) -> None:
    posteriors = torch.randn(4, count, len(NAMES)).softmax(2)
    judged = JudgedPairs(pairs_of(count), torch.rand(count), *posteriors)
    sheet = draw(judged, NAMES, "step 1234567: hardest of 256 recent pairs, photo over sketch")
    assert all(right <= sheet.picture.width for _, right, _ in drawn)
    texts = [text for _, _, text in drawn]
    assert " ".join(texts).startswith(
        "step 1234567: hardest of 256 recent pairs, photo over sketch (= green: teachers agree)"
    )
    classes = [text for text in texts if text.endswith(" %")]
    assert len(classes) == 2 * count * 2 * 2, "rows, columns, judges and places"
    for left, right, text in drawn:
        if text in classes:
            assert right - left <= 200
            name = text.rpartition(" ")[0].rpartition(" ")[0].split(": ", 1)[-1].removeprefix("then ")
            assert name in NAMES or any(n.startswith(name.removesuffix("…")) for n in NAMES if name[-1] == "…")


def test_filmstrip_names_classes_on_two_lines_and_the_last_step(drawn: Drawn) -> None:
    strip, images = Filmstrip(latents=5), torch.zeros(5, 3, 56, 56, dtype=torch.uint8)
    names = {"photo_classes": list(NAMES), "sketch_classes": list(NAMES)}
    frame = {"step": 1234567, "photo": images, "sketch": images, **names}
    strip.load_state_dict({"times": 1, "every": 1, "frames": [frame], "curve": [(1234567, 0.25)], "images": {}})
    strip._draw(marked=True)
    texts = [text for _, _, text in drawn]
    assert texts[:6] == ["1234567", "= computer", "keyboard…", "= computer", "keyboard…", "="]
    assert texts.count("= cup") == 2
    assert "1234567" in texts[-6:], "below the curve"
    assert all(right <= 360 for _, right, _ in drawn[-7:]), "the chart, which is drawn apart"


def test_curve_has_its_last_step_inside(drawn: Drawn) -> None:
    picture = curve_chart([(0, 0.1), (12345678, 0.3)], 360, 200, "val/map_all " * 20)
    assert all(left >= 0 and right <= picture.width for left, right, _ in drawn)
    assert drawn[0][2].endswith("…")
    assert [text for _, _, text in drawn if text.isdecimal()] == ["0", "6172839", "12345678"]


def test_bars_have_names_beside_them_and_a_whole_title(drawn: Drawn) -> None:
    title = "step 1234567: classes of 123456 pairs in per cent, 100 % agree (40 of 1000 classes, the line is a share)"
    bar_chart(dict.fromkeys(NAMES, (0.1, 1.0)), ("photo", "sketch"), 0.1, title)
    assert drawn[0][2] == title
    assert all(right <= 630 for _, right, _ in drawn)
    names = [(right, text) for left, right, text in drawn if left <= 8][1:]
    assert [text for _, text in names if text[-1] != "…"] == ["hippopotamus", "cup"]
    assert len(names) == len(NAMES)
    assert all(right < 150 for right, _ in names)


def test_other_sheets_keep_the_percentage(drawn: Drawn, tmp_path: Path) -> None:
    logits = 9 * torch.eye(len(NAMES))
    save_sheet(tmp_path / "s.png", torch.rand(5, 3, 8, 8), logits, torch.arange(5), NAMES, "title")
    below = [text for _, _, text in drawn if text.endswith("1.00")]
    assert ["…" in text for text in below] == [True, True, True, True, False]
    assert below[4] == "= cup 1.00"
    sheet = Sheet(1, 1, side=40, lines=1, title="a title that is much wider than one small image")
    sheet.place(0, 0, torch.zeros(3, 4, 4), NEUTRAL, [NAMES[0]])
    assert drawn[-1][2].endswith("…")
    assert sheet.top > 24, "the title has more than one line"
    assert all(right <= sheet.picture.width for _, right, _ in drawn[-6:])
