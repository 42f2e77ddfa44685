"""Arguments of classes, read out of source files: to import a class of crossx takes ten seconds, for torch."""

import ast
import importlib.util
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import crossx

_CLASS = re.compile(r"^class (\w+)", re.MULTILINE)
_WITHOUT_ARGUMENTS = {"ABC", "Module", "Protocol"}
_TRAINER = "Trainer"


@dataclass(frozen=True)
class Signature:
    """What a config may say to a class.

    Attributes:
        annotations: Argument to annotation, in their order.
        is_dataclass: Whether a config may give the arguments without the class.
    """

    annotations: dict[str, ast.expr | None]
    is_dataclass: bool


@cache
def signature(name: str) -> Signature | None:
    """The arguments of a class of crossx, or of Lightning's `Trainer`; None where the source does not tell them.

    Args:
        name: The class: a bare name, or a path in crossx.
    """
    if "." in name and not name.startswith("crossx."):
        return None
    found = _definition(name.rpartition(".")[2])
    if found is None:
        return None
    own = _constructor(found)
    if own is not None:
        return None if own.args.kwarg or own.args.vararg else Signature(_annotations(own.args), False)
    if any(_called(decorator) == "dataclass" for decorator in found.decorator_list):
        return _of_dataclass(found)
    inherited = [signature(base) for base in map(_called, found.bases) if base not in _WITHOUT_ARGUMENTS]
    return inherited[0] if len(inherited) == 1 else None


@dataclass(frozen=True)
class Inside:
    """The class of what stands at an argument, where its annotation names one class of crossx.

    Attributes:
        name: The class.
        is_mapping: Whether names stand between the argument and the class, as under `terms`.
    """

    name: str
    is_mapping: bool = False


def inside(annotation: ast.expr | None) -> Inside | None:
    """The class of crossx that an annotation names; None where it names another type, or several.

    Args:
        annotation: As in `Signature.annotations`.
    """
    parts = [part for part in _alternatives(annotation) if isinstance(part, ast.Name | ast.Subscript)]
    found = [name for part in parts if (name := _class_in(part))]
    return found[0] if len(found) == 1 else None


def _class_in(part: ast.Name | ast.Subscript) -> Inside | None:
    if isinstance(part, ast.Name):
        return Inside(part.id) if part.id in _files() else None
    if _called(part) in ("dict", "Mapping") and isinstance(part.slice, ast.Tuple):
        value = inside(part.slice.elts[-1])
        return None if value is None else Inside(value.name, is_mapping=True)
    return None


def _alternatives(annotation: ast.expr | None) -> Iterator[ast.expr]:
    if isinstance(annotation, ast.BinOp):
        yield from _alternatives(annotation.left)
        yield from _alternatives(annotation.right)
    elif annotation is not None:
        yield annotation


@cache
def _files() -> dict[str, Path]:
    """The file of each class of crossx, and of Lightning's `Trainer`, as far as its name is defined once."""
    found: dict[str, list[Path]] = {}
    for path in Path(crossx.__file__).parent.rglob("*.py"):
        for name in _CLASS.findall(path.read_text(encoding="utf-8")):
            found.setdefault(name, []).append(path)
    lightning = importlib.util.find_spec("lightning")
    if lightning is not None and lightning.origin is not None:
        found[_TRAINER] = [Path(lightning.origin).parent / "pytorch/trainer/trainer.py"]
    return {name: paths[0] for name, paths in found.items() if len(paths) == 1 and paths[0].is_file()}


@cache
def _definition(name: str) -> ast.ClassDef | None:
    path = _files().get(name)
    if path is None:
        return None
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return next((node for node in body if isinstance(node, ast.ClassDef) and node.name == name), None)


def _constructor(definition: ast.ClassDef) -> ast.FunctionDef | None:
    functions = (node for node in definition.body if isinstance(node, ast.FunctionDef))
    return next((node for node in functions if node.name == "__init__"), None)


def _of_dataclass(definition: ast.ClassDef) -> Signature | None:
    fields: dict[str, ast.expr | None] = {}
    for base in map(_called, definition.bases):
        below = signature(base)
        if below is None and base not in {*_WITHOUT_ARGUMENTS, "Generic"}:
            return None
        fields.update(below.annotations if below else {})
    for node in definition.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            fields[node.target.id] = node.annotation
    return Signature(fields, True)


def _annotations(arguments: ast.arguments) -> dict[str, ast.expr | None]:
    found = [argument for argument in (*arguments.args, *arguments.kwonlyargs) if argument.arg != "self"]
    return {argument.arg: argument.annotation for argument in found}


def _called(node: ast.expr) -> str:
    """The last name of `a.b`, `a.b[c]` or `a.b(c)`."""
    if isinstance(node, ast.Subscript):
        return _called(node.value)
    if isinstance(node, ast.Call):
        return _called(node.func)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
