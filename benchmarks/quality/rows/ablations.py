"""What the parts of the data-free objective do."""

from dataclasses import replace

from benchmarks.quality.rows.objectives import OBJECTIVES
from benchmarks.quality.rows.published import HEADS
from benchmarks.quality.types import Row, Table


def _without(name: str, title: str, *words: str) -> Row:
    return Row(f"without_{name}", f"without {title}", ("baselines/heads.yaml",), words)


def _weightless(*terms: str) -> tuple[str, ...]:
    return tuple(f"--model.reconstruction.init_args.terms.{term}.weight=0" for term in terms)


# Pairs that agree are also what `labels: agreed` asks for.
_MISMATCHED = (
    *_weightless("alignment"),
    "--model.reconstruction.init_args.terms.one_hot.loss.init_args.labels=predicted",
)
(_TRIPLET,) = (row for row in OBJECTIVES.rows if row.name == "triplet_free")

ABLATIONS = Table(
    "ablations",
    "Ablations",
    "`heads` with one part taken away, or two that do alike: a negative difference says that they help. The "
    "adversary's weight in `heads` is small; one row raises it instead of taking it away, so there a negative "
    "difference says that more of it hurts. The triplet objective takes each pair for a positive; its counterpart is "
    "`triplet_free`, of the table above. The columns on pairs are of the last logged batches: the share that both "
    "teachers call the same, and how diverse images are beside real ones.",
    (
        HEADS,
        _without("semantics", "semantic consistency", *_weightless("one_hot", "entropy", "activation")),
        _without("alignment", "class alignment and the preference for agreed classes", *_MISMATCHED),
        replace(
            _TRIPLET,
            name="triplet_without_alignment",
            title="the triplet objective, without the same",
            words=(*_TRIPLET.words, *_MISMATCHED),
            against=_TRIPLET.name,
            paper="",
        ),
        _without("alignment_term", "class alignment", *_weightless("alignment")),
        _without("guidance", "modality guidance", *_weightless("modality")),
        _without("adversary", "adversary", *_weightless("adversarial")),
        Row(
            "strong_adversary",
            "with an adversary of weight 10, not 0.3",
            ("baselines/heads.yaml",),
            ("--model.reconstruction.init_args.terms.adversarial.weight=10",),
        ),
        _without("statistics_term", "BatchNorm statistics", *_weightless("statistics")),
        # The guidance reads the same statistics.
        _without("statistics", "BatchNorm statistics and guidance", *_weightless("statistics", "modality")),
        _without("replay", "replay", "--model.pairs=LivePairs"),
    ),
    reference="heads",
    seeds=2,
    shows_pairs=True,
    pictures=("bars", "pairs"),
)
