"""Two class lists seen as one: their union, their shared part, and how to get from one to the other.

Classes are names, never indices: two teachers may order the same classes differently, call them differently, or know
only some of each other's classes. Alignment acts on the shared part, a pair's class is one of the union.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import BoolTensor, Tensor

from crossx.core.errors import InputError
from crossx.types import MODALITIES, Modality


class Vocabulary:
    """Union and shared part of the classes of a photo and a sketch teacher.

    Args:
        photo_classes: Class names of the photo teacher, in the order of its logits.
        sketch_classes: Class names of the sketch teacher, in the order of its logits.
        aliases: Other name -> name, for a class that the two lists, or a data set, spell differently, such as
            `{"automobile": "car (sedan)"}`. The second one must be a class of a teacher and is used from then on.

    Attributes:
        union: All class names, (U): the photo teacher's in its order, then those that only the sketch teacher knows.
        shared: The names that both teachers know, (S), in the order of the union.

    Raises:
        InputError: When nothing is shared, a list repeats a name, an alias names an unknown class or another alias, or
            aliases give two classes of one teacher the same name.
    """

    union: tuple[str, ...]
    shared: tuple[str, ...]

    def __init__(
        self,
        photo_classes: Sequence[str],
        sketch_classes: Sequence[str],
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        self._aliases = dict(aliases or {})
        _check_aliases(self._aliases, {*photo_classes, *sketch_classes})
        photo = _rename(photo_classes, self._aliases, "photo")
        sketch = _rename(sketch_classes, self._aliases, "sketch")
        self.union = tuple(dict.fromkeys([*photo, *sketch]))
        self.shared = tuple(name for name in photo if name in set(sketch))
        if not self.shared:
            raise InputError(
                f"photo and sketch teacher share no class: photo knows {photo}, sketch knows {sketch}; "
                "give aliases (other name: name) for classes that are spelled differently"
            )
        self._place = {name: i for i, name in enumerate(self.union)}
        classes: dict[Modality, list[str]] = {"photo": photo, "sketch": sketch}
        # Teacher index to union index (K,); union index to teacher index or -1 (U,); the shared classes in it (S,).
        self._to_union = {m: torch.tensor([self._place[name] for name in names]) for m, names in classes.items()}
        self._from_union = {m: torch.full((len(self.union),), -1) for m in classes}
        for m, index in self._to_union.items():
            self._from_union[m][index] = torch.arange(len(index))
        self._shared = {m: torch.tensor([names.index(name) for name in self.shared]) for m, names in classes.items()}

    def __len__(self) -> int:
        return len(self.union)

    def canonical(self, name: str) -> str:
        """A class's name in the union, from that name or an alias of it."""
        return self._aliases.get(name, name)

    def index(self, name: str) -> int:
        """Index of a class, by its name or an alias, in the union.

        Raises:
            InputError: When no teacher knows the class.
        """
        name = self.canonical(name)
        if name not in self._place:
            raise InputError(f"class {name!r} is known to no teacher; the classes are {list(self.union)}")
        return self._place[name]

    def union_posterior(self, logits: Tensor, modality: Modality, temperature: float = 1.0) -> Tensor:
        """Posterior of one teacher over the union: 0 for the classes that it does not know.

        Args:
            logits: (B, K) of the teacher of `modality`.
            modality: Whose logits they are.
            temperature: Divides the logits; above 1 it softens.

        Returns:
            (B, U) float32, rows sum to 1, differentiable.
        """
        posterior = torch.softmax(logits.float() / temperature, dim=1)
        zeros = posterior.new_zeros(len(posterior), len(self.union))
        return zeros.index_copy(1, self._to_union[modality].to(logits.device), posterior)

    def most_likely(self, photo_logits: Tensor, sketch_logits: Tensor) -> Tensor:
        """The class of a pair, as both teachers together see it; see `agreed_class`.

        Args:
            photo_logits: (B, K) of the photo teacher.
            sketch_logits: (B, K) of the sketch teacher.

        Returns:
            (B,) int64 index into the union.
        """
        posteriors = (self.union_posterior(photo_logits, "photo"), self.union_posterior(sketch_logits, "sketch"))
        known = (self.known(m).to(photo_logits.device) for m in MODALITIES)
        return agreed_class(*posteriors, *known)

    def shared_logits(self, logits: Tensor, modality: Modality) -> Tensor:
        """Logits of one teacher, (B, K), for the shared classes only, (B, S), in the order of `shared`."""
        return logits.index_select(1, self._shared[modality].to(logits.device))

    def known(self, modality: Modality) -> BoolTensor:
        """Which classes of the union the teacher of a modality knows, (U,) bool."""
        return self._from_union[modality].ge(0)  # type: ignore[return-value]  # torch types every result as Tensor

    def teacher_target(self, target: Tensor, modality: Modality) -> Tensor:
        """Classes of the union, (B,), as classes of one teacher, (B,) int64; -1 where it does not know the class."""
        return self._from_union[modality].to(target.device)[target]


def agreed_class(
    photo_posterior: Tensor, sketch_posterior: Tensor, photo_known: Tensor, sketch_known: Tensor
) -> Tensor:
    """A pair's most likely common class: the argmax of the product of both posteriors.

    A teacher has no opinion on a class that it does not know, which counts as the uniform probability 1 / K: such a
    class wins where the other teacher is sure of it and this one sees nothing that it knows well.

    Args:
        photo_posterior: (B, U), 0 for unknown classes.
        sketch_posterior: (B, U), 0 for unknown classes.
        photo_known: Which classes the photo teacher knows, (U,) bool.
        sketch_known: Which classes the sketch teacher knows, (U,) bool.

    Returns:
        (B,) int64, index into the union.
    """
    score = torch.zeros_like(photo_posterior)
    for posterior, known in ((photo_posterior, photo_known), (sketch_posterior, sketch_known)):
        # Logarithms, because the product of two sure and contradicting posteriors underflows to 0 for every class.
        score = (
            score + torch.where(known, posterior, 1 / known.sum()).clamp_min(torch.finfo(posterior.dtype).tiny).log()
        )
    return score.argmax(dim=1)


def _check_aliases(aliases: dict[str, str], classes: set[str]) -> None:
    for other, name in aliases.items():
        if name not in classes:
            raise InputError(f"aliases: {other!r}: {name!r} names {name!r}, which no teacher knows")
        if name in aliases:
            raise InputError(f"aliases: {other!r} points to {name!r}, which is an alias itself")


def _rename(classes: Sequence[str], aliases: dict[str, str], modality: Modality) -> list[str]:
    names = [aliases.get(name, name) for name in classes]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"the {modality} teacher has more than one class named {twice} (aliases: {aliases})")
    return names
