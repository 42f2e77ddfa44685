"""Weights in several files, as large models have them, and the line of Python that joins the files."""

import json
import re
from pathlib import Path

from crossx.core.errors import InputError
from crossx.core.file_kinds import beside

_SHARD = re.compile(r"(?P<stem>.+-)(?P<number>\d{1,6})(?P<of>-of-(?P<count>\d{1,6})\.(?P<ending>\w+))")
_INDEX = ".index.json"


def refuse_shard(path: Path) -> None:
    """Refuse one of several files that hold the weights together, or the index of such files.

    Args:
        path: An existing path.

    Raises:
        InputError: When the file is such a one, with the line of Python that joins them all.
    """
    name, what = (
        (_indexed(path), "the index of weights") if path.name.endswith(_INDEX) else (path.name, "a part of weights")
    )
    shard = _SHARD.fullmatch(name)
    if shard is None or int(shard["count"]) < 2:
        return
    count, width = int(shard["count"]), len(shard["number"])
    names = [f"{shard['stem']}{i:0{width}}{shard['of']}" for i in range(1, count + 1)]
    missing = [other for other in names if not path.with_name(other).is_file()]
    pattern = str(path.with_name(shard["stem"])).replace("%", "%%") + f"%0{width}d" + shard["of"].replace("%", "%%")
    safe = shard["ending"] == "safetensors"
    imports = "import torch; from safetensors.torch import load_file; " if safe else "import torch; "
    part = f"load_file({pattern!r} % i)" if safe else f"torch.load({pattern!r} % i, weights_only=True)"
    joined = f"{{k: v for i in range(1, {count + 1}) for k, v in {part}.items()}}"
    raise InputError(
        f"{path}: is {what} in {count} files"
        + (f", of which {missing[:3]} are missing here" if missing else "")
        + f"; join them: {imports}torch.save({joined}, {str(beside(path))!r})"
    )


def _indexed(path: Path) -> str:
    """Name of one of the files that an index names, empty where it is no such index."""
    try:
        files = json.loads(path.read_text(encoding="utf-8"))["weight_map"].values()
        return next(name for name in files if isinstance(name, str) and Path(name).name == name)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, StopIteration):
        return ""
