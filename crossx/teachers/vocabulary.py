"""Class lists of two teachers: union, shared classes, and the mapping between them.

Classes are identified by name and never by index: two teachers may have the same classes in another order, with other
spellings, or share only some of them. Alignment acts on the shared part, a pair's class is one of the union.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from torch import BoolTensor, Tensor

from crossx.core.checks import did_you_mean, some
from crossx.core.errors import InputError
from crossx.core.tables import Table
from crossx.teachers.lookalikes import lookalikes
from crossx.types import MODALITIES, Modality

_CPU = torch.device("cpu")


class Vocabulary:
    """Union and shared part of the classes of a photo and a sketch teacher.

    Args:
        photo_classes: Class names of the photo teacher, in the order of its logits.
        sketch_classes: Class names of the sketch teacher, in the order of its logits.
        aliases: Alias to name, for a class that the two lists, or a data set, spell differently, such as
            `{"automobile": "car (sedan)"}`. The name must be a class of a teacher; it replaces the alias.

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
            alike = lookalikes(photo, sketch)
            hint = f", such as {{{alike[0][1]!r}: {alike[0][0]!r}}}" if alike else ""
            raise InputError(
                f"photo and sketch teacher share no class: photo knows {some(photo)}; sketch knows {some(sketch)}; "
                f"give aliases (other name: name) for classes that are spelled differently{hint}"
            )
        self._place = {name: i for i, name in enumerate(self.union)}
        classes: dict[Modality, list[str]] = {"photo": photo, "sketch": sketch}
        # Teacher index to union index (K,); union index to teacher index or -1 (U,); the shared classes in it (S,).
        to_union = {m: torch.tensor([self._place[name] for name in names]) for m, names in classes.items()}
        from_union = {m: torch.full((len(self.union),), -1) for m in classes}
        for m, index in to_union.items():
            from_union[m][index] = torch.arange(len(index))
        shared = {m: torch.tensor([names.index(name) for name in self.shared]) for m, names in classes.items()}
        self._to_union, self._from_union, self._shared = (
            {m: Table(index) for m, index in tables.items()} for tables in (to_union, from_union, shared)
        )
        self._known = {m: Table(index.ge(0)) for m, index in from_union.items()}

    def __len__(self) -> int:
        return len(self.union)

    def canonical(self, name: str) -> str:
        """Name of a class in the union, from its name or an alias."""
        return self._aliases.get(name, name)

    def index(self, name: str) -> int:
        """Index of a class in the union, by its name or an alias.

        Raises:
            InputError: When no teacher has the class.
        """
        name = self.canonical(name)
        if name not in self._place:
            raise InputError(
                f"class {name!r} is known to no teacher; the classes are {some(map(repr, self.union))}"
                f"{did_you_mean(name, self.union)}"
            )
        return self._place[name]

    def union_posterior(self, logits: Tensor, modality: Modality, temperature: float = 1.0) -> Tensor:
        """Posterior of one teacher over the union, 0 for classes that the teacher does not have.

        Args:
            logits: (B, K) of the teacher of `modality`.
            modality: Modality of the teacher.
            temperature: Divides the logits; values above 1 soften the posterior.

        Returns:
            (B, U) float32, rows sum to 1, differentiable.
        """
        posterior = torch.softmax(logits.float() / temperature, dim=1)
        # `len(posterior)` would fix the batch of an exported graph.
        zeros = posterior.new_zeros(posterior.shape[0], len(self.union))
        return zeros.index_copy(1, self._to_union[modality].on(logits.device), posterior)

    def most_likely(self, photo_logits: Tensor, sketch_logits: Tensor) -> Tensor:
        """Most likely class of each pair by both teachers together; see `agreed_class`.

        Args:
            photo_logits: (B, K) of the photo teacher.
            sketch_logits: (B, K) of the sketch teacher.

        Returns:
            (B,) int64 index into the union.
        """
        posteriors = (self.union_posterior(photo_logits, "photo"), self.union_posterior(sketch_logits, "sketch"))
        return self.most_likely_of(*posteriors)

    def most_likely_of(self, photo_posterior: Tensor, sketch_posterior: Tensor) -> Tensor:
        """Most likely class of each pair by both posteriors over the union, (B, U) each; see `agreed_class`."""
        known = (self._known[m].on(photo_posterior.device) for m in MODALITIES)
        return agreed_class(photo_posterior, sketch_posterior, *known)

    def shared_logits(self, logits: Tensor, modality: Modality) -> Tensor:
        """Select the logits of the shared classes, (B, S) in the order of `shared`, from a teacher's logits, (B, K)."""
        return logits.index_select(1, self._shared[modality].on(logits.device))

    def known(self, modality: Modality) -> BoolTensor:
        """Mask of the classes of the union that the teacher of a modality has, (U,) bool."""
        return self._known[modality].on(_CPU).clone()  # type: ignore[return-value]  # torch types every result as Tensor

    def is_shared(self, modality: Modality) -> BoolTensor:
        """Mask of a teacher's classes, in the order of its logits, that the other teacher has as well, (K,) bool."""
        return self.known_to_both[self._to_union[modality].on(_CPU)]  # type: ignore[return-value]  # as above

    @property
    def known_to_both(self) -> BoolTensor:
        """Mask of the classes of the union that both teachers have, (U,) bool."""
        return self.known("photo") & self.known("sketch")  # type: ignore[return-value]  # as above

    def teacher_target(self, target: Tensor, modality: Modality) -> Tensor:
        """Map classes of the union, (B,), to classes of one teacher, (B,) int64; -1 where there is none."""
        return self._from_union[modality].on(target.device)[target]


def agreed_class(
    photo_posterior: Tensor, sketch_posterior: Tensor, photo_known: Tensor, sketch_known: Tensor
) -> Tensor:
    """Most likely class of each pair: the argmax of the product of both posteriors.

    For a class that a teacher does not have, its posterior counts as uniform, 1 / K. Such a class wins where the other
    teacher is confident of it and this teacher is not confident of any other class.

    Args:
        photo_posterior: (B, U), 0 for unknown classes.
        sketch_posterior: (B, U), 0 for unknown classes.
        photo_known: Mask of the classes that the photo teacher has, (U,) bool.
        sketch_known: Mask of the classes that the sketch teacher has, (U,) bool.

    Returns:
        (B,) int64, index into the union.
    """
    score = torch.zeros_like(photo_posterior)
    for posterior, known in ((photo_posterior, photo_known), (sketch_posterior, sketch_known)):
        # Logarithms, because the product of two confident, contradicting posteriors underflows to 0 for every class.
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
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise InputError(
            f"aliases: class names of the {modality} teacher must differ, got {twice} more than once with {aliases}"
        )
    return names
