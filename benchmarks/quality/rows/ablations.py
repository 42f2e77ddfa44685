"""What the parts of the data-free objective do."""

import json
from dataclasses import replace

from benchmarks.quality.rows.objectives import data_free
from benchmarks.quality.rows.published import HEAD, TERMS
from benchmarks.quality.shared_generators import ENCODER_STEPS
from benchmarks.quality.types import Row, Table


def _without(name: str, title: str, *argv: str) -> Row:
    """`head` without a part of its encoders' side, from the generators of `head`."""
    return replace(HEAD, name=f"without_{name}", title=f"without {title}", argv=argv)


def _weightless(*terms: str) -> tuple[str, ...]:
    return tuple(f"{TERMS}.{term}.weight=0" for term in terms)


def _without_term(name: str, title: str) -> Row:
    """Measured also where its generators collapse, which is what the term may be for."""
    return _own_generators(_without(name, title, *_weightless(name), "--reports.health.stop_on_collapse=false"))


def _with(name: str, title: str, *argv: str) -> Row:
    return replace(HEAD, name=f"with_{name}", title=f"with {title}", argv=argv)


def _own_generators(row: Row) -> Row:
    return replace(row, shared_generators=False)


def _term(name: str, loss: str, weight: float, **arguments: object) -> str:
    spec = {"loss": {"class_path": loss, "init_args": arguments}, "weight": weight}
    return f"{TERMS}.{name}={json.dumps(spec)}"


# The given generators learn on while encoders do, as in the published method; encoders have as many steps as in `head`.
_IN_TURN = (
    "--model.schedule.generator_steps=1",
    "--model.schedule.encoder_steps=5",
    f"--trainer.max_steps={ENCODER_STEPS * 6 // 5}",
)

ABLATIONS = Table(
    "ablations",
    "Ablations",
    "`head` with one part removed: a negative difference says that the part helps. `head_other_seed` is trained again "
    "from the same teachers with another seed, its generators too, which shows the randomness of a fit. Rows with "
    "something more show what the recipe leaves out: there a positive difference says that it would help. For InfoNCE, "
    "which takes pairs for positives, the images of a batch are paired anew by the posteriors (`pair_by_class`). Rows "
    "whose generators are those of `head` are given them; other generators are trained in the row's own fit, with as "
    "many steps. The columns on synthetic pairs are means over the last logged batches of the generators: the share of "
    "pairs that both teachers assign to one class, and how diverse the images are compared with real ones.",
    (
        HEAD,
        _own_generators(
            replace(HEAD, name="head_other_seed", title="the same with another seed", argv=("--seed_everything=100",))
        ),
        _without_term("one_hot", "one-hot term"),
        _without_term("entropy", "entropy term"),
        _without_term("activation", "activation term"),
        _without_term("statistics", "BatchNorm statistics"),
        _without("replay", "replay", "--model.init_args.replay=null"),
        _without(
            "posterior", "the posterior as an input", "--model.encoding.init_args.encoder.init_args.posterior=false"
        ),
        _without("sharpness", "sharpness", "--model.encoding.init_args.terms.sup_con.loss.init_args.sharpness=1"),
        _with("alternation", "generators that learn on in turn", *_IN_TURN),
        replace(
            _with(
                "adversary",
                "generators that learn on in turn, against the encoders (bounded adversary)",
                *_IN_TURN,
                _term("adversarial", "AdversarialLoss", 0.5),
            ),
            against="with_alternation",
        ),
        _own_generators(
            _with(
                "alignment",
                "class alignment and the preference for agreed classes",
                _term("alignment", "ClassAlignmentLoss", 20.0),
                f"{TERMS}.one_hot.loss.init_args.labels=agreed",
            )
        ),
        _own_generators(_with("guidance", "modality guidance", _term("modality", "StatisticsGuidanceLoss", 1.0))),
        data_free("info_nce", "InfoNCE"),
    ),
    reference="head",
    seeds=1,
    shows_pairs=True,
    pictures=("differences", "pairs"),
)
