"""What the parts of the data-free objective do."""

from dataclasses import replace

from benchmarks.quality.rows.objectives import data_free
from benchmarks.quality.rows.published import HEAD, PUBLISHED_HEAD, TERMS
from benchmarks.quality.types import Row, Table


def _without(name: str, title: str, *argv: str) -> Row:
    return Row(f"without_{name}", f"without {title}", HEAD.configs, argv)


def _weightless(*terms: str) -> tuple[str, ...]:
    return tuple(f"{TERMS}.{term}.weight=0" for term in terms)


# The label that both teachers agree on is another preference for pairs that agree.
_MISMATCHED = (*_weightless("alignment"), f"{TERMS}.one_hot.loss.init_args.labels=predicted")
_INFO_NCE = replace(data_free("info_nce", "InfoNCE"), title="with InfoNCE as the objective")

ABLATIONS = Table(
    "ablations",
    "Ablations",
    "`head` with one part removed, or two parts that have the same effect: a negative difference says that they help. "
    "`head_other_seed` is trained again from the same teachers with another seed, which shows the randomness of a fit."
    "  The adversary's weight in `head` is small; one row raises it, and there a negative difference says that more "
    "of it hurts. InfoNCE, which is part of the published objective, treats each pair as a positive; the other "
    "objectives use the teachers' posteriors of each image. Rows with InfoNCE are also compared with a counterpart of "
    "their own. The columns on synthetic pairs are means over the last logged batches: the share of pairs that both "
    "teachers assign to one class, and how diverse the images are compared with real ones.",
    (
        HEAD,
        Row("head_other_seed", "the same with another seed", HEAD.configs, ("--seed_everything=100",)),
        _without("semantics", "semantic consistency", *_weightless("one_hot", "entropy", "activation")),
        _without("alignment", "class alignment and the preference for agreed classes", *_MISMATCHED),
        _INFO_NCE,
        replace(
            _INFO_NCE,
            name="head_info_nce_without_alignment",
            title="InfoNCE, without class alignment and the preference for agreed classes",
            argv=(*_INFO_NCE.argv, *_MISMATCHED),
            against=_INFO_NCE.name,
        ),
        _without("alignment_term", "class alignment", *_weightless("alignment")),
        _without("guidance", "modality guidance", *_weightless("modality")),
        _without("adversary", "adversary", *_weightless("adversarial")),
        Row(
            "strong_adversary",
            "with an adversary of weight 10 instead of 0.3",
            HEAD.configs,
            (f"{TERMS}.adversarial.weight=10",),
        ),
        _without("statistics_term", "BatchNorm statistics", *_weightless("statistics")),
        # The guidance reads the same statistics.
        _without("statistics", "BatchNorm statistics and guidance", *_weightless("statistics", "modality")),
        _without("replay", "replay", "--model.init_args.replay=null"),
        # As in the published script for two teachers; the adversary is in the script for a single teacher of both.
        replace(
            PUBLISHED_HEAD,
            name="published_head_without_adversary",
            title=f"{PUBLISHED_HEAD.title}, without adversary",
            argv=(*PUBLISHED_HEAD.argv, *_weightless("adversarial")),
            against=PUBLISHED_HEAD.name,
        ),
    ),
    reference="head",
    seeds=2,
    shows_pairs=True,
    pictures=("differences", "pairs"),
)
