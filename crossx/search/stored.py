"""Encoders in files: those of an encoder folder, of a run's `encoders.safetensors` and of a checkpoint."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from crossx.core.errors import InputError
from crossx.core.paths import looked_up_in_former
from crossx.core.tensor_files import read_safetensors
from crossx.core.untrusted import check_version, former_folders, read_checkpoint
from crossx.encoding.encoders import Encoder
from crossx.encoding.specs import build_encoders, encoder_specs
from crossx.search.card import CARD, EncoderCard
from crossx.search.predictor import check_hash
from crossx.teachers.pair import TeacherPair
from crossx.types import MODALITIES, Modality

SPECS = "crossx_encoders"
"""Key of the encoders' classes and arguments in the metadata of an encoder folder's safetensors files."""
_FIELD = "encoders"


@dataclass(frozen=True)
class StoredEncoders:
    """Both encoders, in eval mode and without gradient, and what they were built from.

    Attributes:
        photo: Encoder of photos.
        sketch: Encoder of sketches; the same object where one encoder embeds both.
        teachers: The teachers; None for encoders that were trained without.
        specs: Classes and arguments of the encoders, as `encoder_specs` returns them; empty for encoders that were
            built in Python, which only their own code can build again.
        aliases: Other spellings of class names.
    """

    photo: Encoder
    sketch: Encoder
    teachers: TeacherPair | None
    specs: dict[str, Any]
    aliases: dict[str, str] | None = None

    def of(self, modality: Modality) -> Encoder:
        """The encoder of a modality."""
        return self.photo if modality == "photo" else self.sketch


def load_encoders(path: str | Path) -> StoredEncoders:
    """Load both encoders as torch modules, in eval mode and without gradient; needs no Lightning.

    Args:
        path: A folder that `crossx export` has written; `encoders.safetensors` of a run, or the folder of the run; or a
            checkpoint. The last three name the files of the teachers, which must still be there.

    Raises:
        InputError: When the path is none of these, a file is damaged, names what is not loaded, or belongs to other
            teachers.
    """
    path = Path(path)
    if (path / CARD).is_file():
        return _of_folder(path)
    file = path / "encoders.safetensors" if path.is_dir() else path
    if not file.is_file():
        raise InputError(
            f"{_FIELD}: must be a folder of `crossx export`, a run folder with encoders.safetensors, or a checkpoint, "
            f"got {str(path)!r}"
        )
    return _of_checkpoint(file) if file.suffix == ".ckpt" else _of_run(file)


def _of_folder(folder: Path) -> StoredEncoders:
    card = EncoderCard.read(folder)
    tensors: dict[Modality, dict[str, Tensor]] = {}
    header: dict[str, str] = {}
    for modality in MODALITIES:
        file = folder / f"{modality}.safetensors"
        check_hash(file, card.side(modality).weights)
        tensors[modality], header = read_safetensors(file, _FIELD)
    stored = _json(header, SPECS, folder)
    names: dict[str, str] = (
        {} if card.teachers is None else {m: str(folder / f"{m}_teacher.safetensors") for m in MODALITIES}
    )
    files = {**names, "aliases": stored.get("aliases")}
    return _loaded(stored.get("specs", {}), files, card.teachers or {}, tensors, str(folder))


def _of_run(file: Path) -> StoredEncoders:
    tensors, header = read_safetensors(file, _FIELD)
    check_version({"version": header.get("version")}, f"{_FIELD}: {file}")
    specs, files, hashes = (_json(header, key, file) for key in ("config", "files", "teachers"))
    with looked_up_in_former(json.loads(header.get("folders", "[]"))):
        return _loaded(specs, files, hashes, _split(tensors), str(file))


def _of_checkpoint(file: Path) -> StoredEncoders:
    checkpoint = read_checkpoint(file, _FIELD)
    about = checkpoint.get("crossx")
    about = about if isinstance(about, dict) else {}
    config = about.get("config")
    if not isinstance(config, dict) or not isinstance(config.get("model"), dict):
        raise InputError(f"{_FIELD}: {file} holds no config; must be a checkpoint that the command line has written")
    with looked_up_in_former(former_folders(checkpoint)):
        return _loaded(
            encoder_specs(config["model"]),
            config.get("teachers") or {},
            about.get("teachers") or {},
            _split(checkpoint["state_dict"]),
            str(file),
        )


def _split(tensors: Mapping[str, Tensor]) -> dict[Modality, dict[str, Tensor]]:
    """Tensors of both encoders, whatever stands before `photo_encoder.` and `sketch_encoder.` in their names."""
    found: dict[Modality, dict[str, Tensor]] = {"photo": {}, "sketch": {}}
    for name, tensor in tensors.items():
        for modality in MODALITIES:
            before, mark, own = name.partition(f"{modality}_encoder.")
            if mark and before in ("", "encoding."):
                found[modality][own] = tensor
    return found


def _loaded(
    specs: Mapping[str, Any],
    files: Mapping[str, Any],
    hashes: Mapping[str, str],
    tensors: Mapping[Modality, Mapping[str, Tensor]],
    source: str,
) -> StoredEncoders:
    if not specs:
        raise InputError(
            f"{_FIELD}: {source} does not say how its encoders are built; must be of a run of the command line; "
            "encoders from Python go to crossx.search.export.export_encoders"
        )
    teachers = None
    if files.get("photo") is not None and files.get("sketch") is not None:
        teachers = TeacherPair(files["photo"], files["sketch"], files.get("aliases"))
        for modality in MODALITIES:
            if hashes.get(modality) not in (None, teachers.of(modality).hash):
                raise InputError(
                    f"{_FIELD}: {source}: must find the {modality} teacher {hashes[modality][:12]}, got "
                    f"{teachers.of(modality).hash[:12]} in {files[modality]!r}"
                )
    encoders = build_encoders(specs, teachers, source)
    for modality in MODALITIES:
        try:
            encoders[modality].load_state_dict(dict(tensors[modality]))
        except RuntimeError as error:
            raise InputError(f"{_FIELD}: {source}: tensors of the {modality} encoder do not fit: {error}") from error
        encoders[modality].requires_grad_(False)
    return StoredEncoders(encoders["photo"], encoders["sketch"], teachers, dict(specs), files.get("aliases"))


def _json(header: Mapping[str, str], key: str, source: Path) -> dict[str, Any]:
    try:
        values = json.loads(header.get(key, "null"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{_FIELD}: {source}: {key}: must be JSON: {error}") from error
    if values is not None and not isinstance(values, dict):
        raise InputError(f"{_FIELD}: {source}: {key}: must be a mapping, got {type(values).__name__}")
    return values or {}
