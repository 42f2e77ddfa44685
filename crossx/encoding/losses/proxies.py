"""Where proxies start: a class's row in the teachers' last layers, brought into the embeddings' space."""

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from crossx.core.errors import InputError
from crossx.networks.base import last_layer
from crossx.teachers.pair import TeacherPair
from crossx.teachers.teacher import FrozenTeacher
from crossx.types import MODALITIES

ProxyStart = Literal["teachers", "random"]
"""`teachers`: each teacher's last layer, projected to D. `random`: directions drawn at random, to be learned."""


def check_start(start: ProxyStart) -> None:
    """Refuse an unknown start.

    Raises:
        InputError: With the legal ones.
    """
    if start not in get_args(ProxyStart):
        raise InputError(f"start: {start!r} is not legal; one of {', '.join(get_args(ProxyStart))}")


def class_rows(teacher: FrozenTeacher) -> Tensor:
    """The weights of a teacher's last layer, one row a class, (K, F) float32.

    Raises:
        InputError: When its classifier is not one linear layer.
    """
    weight = last_layer(teacher.network)
    if weight is None:
        raise InputError(
            f"start: the last layer of teacher {teacher.card.name!r} is not linear, so it has no vector a class; "
            "use start: random"
        )
    return weight


def class_geometry(weight: Tensor, dim: int) -> Tensor:
    """Rows projected on their leading D principal directions, as unit vectors.

    Args:
        weight: Last layer, (K, F).
        dim: D; where there are fewer directions, the rest of the columns is 0.

    Returns:
        (K, D). Cosines are those of the centred rows, as far as D directions can tell.
    """
    # Softmax ignores what all rows have in common, and so should their angles.
    left, scale, _ = torch.linalg.svd(weight - weight.mean(dim=0), full_matrices=False)
    rows = (left * scale)[:, :dim]
    return F.normalize(F.pad(rows, (0, dim - rows.shape[1])), dim=1)


def start_proxies(teachers: TeacherPair, dim: int, start: ProxyStart) -> tuple[Tensor, Tensor]:
    """Photo and sketch proxies to start from.

    From the teachers, the sketch proxies are turned (orthogonal Procrustes) so that shared classes lie as near as they
    can to their photo proxies; a class that one teacher does not know starts in the other one's place.

    Args:
        teachers: Both teachers and their vocabulary.
        dim: D.
        start: Where from.

    Returns:
        Two sets of unit vectors, (U, D) each.

    Raises:
        InputError: When a teacher's last layer is not linear.
    """
    vocabulary = teachers.vocabulary
    if start == "random":
        photo, sketch = F.normalize(torch.randn(2, len(vocabulary), dim), dim=2)
        return photo, sketch
    photo_known, sketch_known = (vocabulary.known(modality).cpu() for modality in MODALITIES)
    sets = []
    for teacher, modality in ((teachers.photo, MODALITIES[0]), (teachers.sketch, MODALITIES[1])):
        rows = class_geometry(class_rows(teacher).cpu(), dim)
        place = vocabulary.teacher_target(torch.arange(len(vocabulary)), modality)
        sets.append(torch.where((place >= 0)[:, None], rows[place.clamp_min(0)], torch.zeros(())))
    photo, sketch = sets
    shared = photo_known & sketch_known
    left, _, right = torch.linalg.svd(sketch[shared].T @ photo[shared])
    sketch = sketch @ left @ right
    return (
        torch.where(photo_known[:, None], photo, sketch),
        torch.where(sketch_known[:, None], sketch, photo),
    )
