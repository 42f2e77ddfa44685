"""What the parts of the data-free objective do."""

from dataclasses import replace

from benchmarks.quality.rows.objectives import data_free
from benchmarks.quality.rows.published import DFL_HEADS, HEADS
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
_INFO_NCE = replace(data_free("info_nce", "InfoNCE"), title="with InfoNCE for an objective")

ABLATIONS = Table(
    "ablations",
    "Ablations",
    "`heads` with one part taken away, or two that do alike: a negative difference says that they help. The "
    "row with another seed says what a fit's chance makes of the same teachers. The "
    "adversary's weight in `heads` is small; one row raises it instead of taking it away, so there a negative "
    "difference says that more of it hurts. InfoNCE, which the published "
    "objective has too, takes each pair for a positive; the other objectives ask what the teachers say of each image. "
    "Rows with it are also compared with a counterpart of their own. The columns on synthetic pairs are of the "
    "last logged batches: the share that both teachers call the same, and how diverse images are beside real ones.",
    (
        HEADS,
        Row("heads_again", "nothing: the same with another seed", HEADS.configs, ("--seed_everything=100",)),
        _without("semantics", "semantic consistency", *_weightless("one_hot", "entropy", "activation")),
        _without("alignment", "class alignment and the preference for agreed classes", *_MISMATCHED),
        _INFO_NCE,
        replace(
            _INFO_NCE,
            name="info_nce_without_alignment",
            title="InfoNCE, without class alignment and the preference for agreed classes",
            words=(*_INFO_NCE.words, *_MISMATCHED),
            against=_INFO_NCE.name,
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
        # As in the published script for two teachers; its adversary is in the one for a single teacher of both.
        replace(
            DFL_HEADS,
            name="crossx_dfl_heads_without_adversary",
            title="CrossX-DFL's objective, heads on the frozen teachers, without adversary",
            words=(*DFL_HEADS.words, *_weightless("adversarial")),
            against=DFL_HEADS.name,
        ),
    ),
    reference="heads",
    seeds=2,
    shows_pairs=True,
    pictures=("differences", "pairs"),
)
