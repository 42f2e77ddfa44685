from pathlib import Path

import pytest

from crossx.core.text_files import read_text


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_byte_order_mark_is_no_part_of_the_text(mark: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(mark + "naïve\n".encode())
    assert read_text(tmp_path / "x") == "naïve\n"


def test_another_encoding_is_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("naïve", encoding="utf-16")
    with pytest.raises(UnicodeDecodeError):
        read_text(tmp_path / "x")
