"""Names of files for people."""

import os
import unicodedata
from urllib.parse import quote, unquote_to_bytes

_JOINERS = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"
"""Invisible, and part of emoji and of Persian words."""


def printable(path: str) -> str:
    """A path as text: bytes that are no UTF-8, and characters that are invisible or turn the text, are replaced."""
    text = os.fsencode(path).decode("utf-8", "replace")
    return "".join("\N{REPLACEMENT CHARACTER}" if _is_hidden(character) else character for character in text)


def escaped_folder(path: str) -> str:
    """A folder as text that names it exactly: percent signs, and what `printable` replaces, are percent-escaped."""
    return "".join(quote(os.fsencode(c), safe="") if c == "%" or _is_unshown(c) else c for c in path)


def folder_of(text: str) -> str:
    """The folder that `escaped_folder` names; a text without percent signs is a folder's name itself."""
    return os.fsdecode(unquote_to_bytes(text))


def _is_unshown(character: str) -> bool:
    return "\udc80" <= character <= "\udcff" or _is_hidden(character)


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf") and character not in _JOINERS
