"""Class maps: the folders of two data sets that belong to the same class."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

from crossx.core.checks import did_you_mean, some
from crossx.core.errors import InputError
from crossx.core.text_files import read_text
from crossx.types import MODALITIES, Modality


@dataclass(frozen=True)
class ClassMap:
    """Folders of each class in both modalities, and named groups of classes.

    Attributes:
        folders: Class name -> modality -> folders; a folder belongs to one class.
        groups: Group name -> class names, such as the unseen classes.
    """

    folders: dict[str, dict[Modality, tuple[str, ...]]]
    groups: dict[str, tuple[str, ...]]

    def select(self, classes: str | Sequence[str] | None) -> tuple[str, ...]:
        """Class names in the map's order: all of them, a group's, or those listed.

        Raises:
            InputError: When the group or a class does not exist, or no class is left.
        """
        if classes is None:
            return tuple(self.folders)
        if isinstance(classes, str):
            if classes not in self.groups:
                raise InputError(
                    f"classes: must be class names or one of the groups {some(self.groups, classes) or '(none)'}; got "
                    f"{classes!r}{did_you_mean(classes, self.groups)}"
                )
            classes = self.groups[classes]
        unknown = [name for name in classes if name not in self.folders]
        if unknown or not classes:
            raise InputError(
                f"classes: must be one or more of {some(self.folders, next(iter(unknown), None))}; got "
                f"{_listed(unknown) if unknown else 'an empty list'}"
                f"{did_you_mean(unknown[0], self.folders) if unknown else ''}"
            )
        return tuple(name for name in self.folders if name in classes)


def read_class_map(path: Path) -> ClassMap:
    """Read a class map: `{"classes": {name: {"photo": [folder, ...], "sketch": [...]}}, "groups": {name: [...]}}`.

    `groups` may be left out.

    Raises:
        InputError: When the file is not such JSON, has an unknown key, puts a folder into two classes,
            or names a folder outside of the data set.
    """
    try:
        content = json.loads(read_text(path))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: must be a JSON file ({error})") from error
    _check_keys(path, "top level", content, required=["classes"], optional=["groups"])
    classes = _check_object(path, "classes", content["classes"])
    folders: dict[str, dict[Modality, tuple[str, ...]]] = {}
    owner: dict[tuple[Modality, str], str] = {}
    for name, entry in classes.items():
        _check_keys(path, f"class {name!r}", entry, required=MODALITIES)
        folders[name] = {m: _strings(path, f"class {name!r}, {m}", entry[m]) for m in MODALITIES}
        for modality in MODALITIES:
            for folder in folders[name][modality]:
                check_folder(folder, f"{path}: class {name!r}")
                if (modality, folder) in owner:
                    raise InputError(
                        f"{path}: {modality} folder {folder!r} is in class {owner[modality, folder]!r} "
                        f"and in {name!r}; a folder belongs to one class"
                    )
                owner[modality, folder] = name
    groups = {
        group: _strings(path, f"group {group!r}", names)
        for group, names in _check_object(path, "groups", content.get("groups", {})).items()
    }
    for group, names in groups.items():
        if unknown := [name for name in names if name not in folders]:
            hint = did_you_mean(unknown[0], folders)
            raise InputError(f"{path}: group {group!r} names unknown classes {_listed(unknown)}{hint}")
    return ClassMap(folders, groups)


def check_folder(folder: str, where: str) -> None:
    """Refuse a folder name that points outside of the data set.

    Raises:
        InputError: When the name is empty, absolute, has a part `..`, or is not in its shortest form with `/`.
    """
    path = PureWindowsPath(folder)  # the rules of Windows are stricter, and a file must mean the same everywhere
    if folder != path.as_posix() or path.anchor or not path.parts or ".." in path.parts or "\0" in folder:
        raise InputError(f"{where}: folder: must be a plain relative path with '/' and without '..', got {folder!r}")


def _check_object(path: Path, where: str, value: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever JSON holds
    if not isinstance(value, dict):
        raise InputError(f"{path}: {where}: must be an object, got {value!r}")
    return value


def _check_keys(
    path: Path,
    where: str,
    value: Any,  # noqa: ANN401 - whatever JSON holds
    required: Collection[str],
    optional: Collection[str] = (),
) -> None:
    keys = set(_check_object(path, where, value))
    legal = {*required, *optional}
    if keys - legal or set(required) - keys:
        raise InputError(
            f"{path}: {where} has the keys {_listed(sorted(keys))}: unknown {_listed(sorted(keys - legal))}, "
            f"missing {_listed(sorted(set(required) - keys))}"
        )


def _listed(names: Iterable[str]) -> str:
    return f"[{some(map(repr, names))}]"


def _strings(path: Path, where: str, value: Any) -> tuple[str, ...]:  # noqa: ANN401 - whatever JSON holds
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InputError(f"{path}: {where}: must be a list of names, got {value!r}")
    return tuple(value)
