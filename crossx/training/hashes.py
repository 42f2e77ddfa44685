"""Hashes of the frozen networks inside a module, by which a checkpoint knows the teachers it was trained with."""

from torch import nn

from crossx.networks.frozen import Frozen
from crossx.teachers.pair import TeacherPair


def teacher_hashes(module: nn.Module) -> dict[str, str]:
    """Hash of the photo and the sketch teacher inside a module; empty for a module without teachers."""
    pairs = [m for m in module.modules() if isinstance(m, TeacherPair)]
    return {"photo": pairs[0].photo.hash, "sketch": pairs[0].sketch.hash} if pairs else {}


def frozen_hashes(module: nn.Module) -> dict[str, str]:
    """Hash of every frozen network in a module: of both teachers, and of what losses hold, by its place."""
    hashes = teacher_hashes(module)
    pairs = [m for m in module.modules() if isinstance(m, TeacherPair)]
    known = {id(teacher) for pair in pairs for teacher in (pair.photo, pair.sketch)}
    others = {n: m for n, m in module.named_modules() if isinstance(m, Frozen) and id(m) not in known}
    return {**hashes, **{place: frozen.hash for place, frozen in others.items()}}
