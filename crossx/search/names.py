"""Names of files for people."""

import os
import unicodedata

_JOINERS = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"
"""Invisible, and part of emoji and of Persian words."""


def printable(path: str) -> str:
    """A path as text: bytes that are no UTF-8, and characters that are invisible or turn the text, are replaced."""
    text = os.fsencode(path).decode("utf-8", "replace")
    return "".join("\N{REPLACEMENT CHARACTER}" if _is_hidden(character) else character for character in text)


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf") and character not in _JOINERS
