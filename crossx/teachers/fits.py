"""Tensors of a file under the names of a network, and the line of Python that saves them alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crossx.core.file_kinds import beside

COUNTERS = ("total_ops", "total_params", "n_averaged")
"""What thop's profiler and torch's averaged models leave."""


@dataclass(frozen=True)
class Fit:
    """Tensors of one entry under the names of the network.

    Attributes:
        entry: Names of the mappings around the tensors, outermost first.
        names: Name in the network, without the network's own wrappers, to name in the file.
        missing: Names that the network needs and the entry lacks.
        misshapen: Names in the network of tensors that have another shape.
        unexpected: Names in the file that neither belong to the network nor may be left out.
    """

    entry: tuple[str, ...]
    names: Mapping[str, str]
    missing: list[str]
    misshapen: list[str]
    unexpected: list[str] = field(default_factory=list)

    @property
    def fits(self) -> bool:
        """Whether the tensors are those of the network, and all of them."""
        return not (self.missing or self.unexpected or self.misshapen)

    @property
    def prefix(self) -> str:
        """What stands before the names of the network, empty where it is not the same before all."""
        prefixes = {found.removesuffix(name) if found.endswith(name) else "" for name, found in self.names.items()}
        return prefixes.pop() if len(prefixes) == 1 else ""

    @property
    def title(self) -> str:
        """Where the tensors are, for messages: the entry, and the prefix of their names."""
        entry = ".".join(map(repr, self.entry)) or ("" if self.prefix else "the whole file")
        return f"{entry} {self.prefix}*".strip() if self.prefix else entry

    def saved_names(self) -> set[str]:
        """Names that the tensors have in the file of `saving_line`."""
        return {found.removeprefix(self.prefix) for found in self.names.values()}

    def expression(self, path: Path, content: Any) -> str:  # noqa: ANN401 - the content of any file
        """An expression of Python for the tensors alone, by their names without the prefix.

        Args:
            path: The file.
            content: Content of the file.
        """
        source, prefix, taken = f"read_weights({str(path)!r})", self.prefix, set(self.names.values())
        for name in self.entry:
            source, content = f"{source}[{name!r}]", content[name]
        rest = [name for name in content if name not in taken]
        texts = [name for name in rest if isinstance(name, str) and name.startswith(prefix)]
        heads, others = _heads([name for name in texts if name.rpartition(".")[2] not in COUNTERS], taken)
        conditions = [
            *(["isinstance(k, str)"] if any(not isinstance(name, str) for name in rest) else []),
            *([f"k.startswith({prefix!r})"] if prefix else []),
            *([f"not k.startswith({heads[0] if len(heads) == 1 else heads!r})"] if heads else []),
            *([f"k not in {others}"] if others else []),
        ]
        if not conditions:
            return source
        key = f"k.removeprefix({prefix!r})" if prefix else "k"
        return f"{{{key}: v for k, v in {source}.items() if {' and '.join(conditions)}}}"


def saving_line(path: Path, *expressions: str) -> str:
    """The line of Python that saves tensors of a weights file in a file of their own.

    Args:
        path: The weights file.
        expressions: Expressions of Python for the tensors; those of a later one replace those of an earlier one.
    """
    joined = expressions[0] if len(expressions) == 1 else f"{{{', '.join(f'**{one}' for one in expressions)}}}"
    imports = "import torch; from crossx.teachers.weights import read_weights"
    return f"{imports}; torch.save({joined}, {str(beside(path))!r})"


def _heads(names: list[str], taken: set[str]) -> tuple[tuple[str, ...], list[str]]:
    """First parts that names have and no taken one has, and the names that have no such part."""
    heads: dict[str, None] = {}
    others = []
    for name in names:
        parts = name.split(".")
        starts = (".".join(parts[:i]) + "." for i in range(1, len(parts)))
        head = next((start for start in starts if not any(other.startswith(start) for other in taken)), None)
        if head is None:
            others.append(name)
        else:
            heads[head] = None
    return tuple(heads), others
