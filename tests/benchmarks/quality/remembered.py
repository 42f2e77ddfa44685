"""Runs of crossx that tests make once: the same command with the same files fills its folder alike."""

import hashlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

_Key = tuple[tuple[str, str], ...]
_MADE: dict[_Key, tuple[str, Path]] = {}
"""Key of a run that ended well -> its log, and a copy of its folder."""


def remembered(run: Callable[[Sequence[str]], int], words: Sequence[str], log: Path, home: Path, kept: Path) -> int:
    """Run a command, or take over what the same one did in an earlier test; returns the exit status.

    Args:
        run: Runs the command, whose output goes to the log.
        words: The command.
        log: Its log, beside the folder that it fills.
        home: Folder of the test; two tests' commands are the same but for it.
        kept: Folder for copies, which outlives the test.
    """
    folder = log.with_suffix("")
    key = tuple((word.replace(str(home), "@"), _content(word, home)) for word in words)
    if key in _MADE:
        text, copy = _MADE[key]
        shutil.copytree(copy, folder, dirs_exist_ok=True)
        log.write_text(text.replace("@", str(home)))
        return 0
    status = run(words)
    if status:  # a failure may be the test's own doing
        return status
    copy = kept / str(len(_MADE))
    shutil.copytree(folder, copy) if folder.is_dir() else copy.mkdir(parents=True)
    _MADE[key] = log.read_text().replace(str(home), "@"), copy
    return 0


def _content(word: str, home: Path) -> str:
    """Digest of the file that a word names, without the test's own folder; nothing where it names none."""
    path = Path(word.rpartition("=")[2])
    if len(str(path)) > 1000 or not path.is_file():
        return ""
    return hashlib.sha256(path.read_bytes().replace(str(home).encode(), b"@")).hexdigest()
