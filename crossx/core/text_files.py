"""Text files that users write."""

from pathlib import Path


def read_text(path: Path) -> str:
    """Read a text in UTF-8; a byte order mark, which editors of Windows put first, is no part of it.

    Args:
        path: The file.

    Raises:
        OSError: When the file cannot be read.
        UnicodeDecodeError: When it is not UTF-8.
    """
    return path.read_text(encoding="utf-8-sig")
