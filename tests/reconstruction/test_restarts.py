"""Rounds of generator steps: weights that are drawn anew, and meta-learnt ones."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from support.runs import SIZE, Teachers, changed, data, encoding, reconstruction, trainer, weights
from torch import Tensor, nn

from crossx.core.batches import stack
from crossx.core.errors import InputError
from crossx.cotraining.module import CoTrainingModule
from crossx.pairs.latents import LatentDataset
from crossx.reconstruction.generators import DeepUpsamplingGenerator, Generator, GeneratorPair, UpsamplingGenerator
from crossx.reconstruction.losses import OneHotLoss
from crossx.reconstruction.losses.base import ReconstructionTerm
from crossx.reconstruction.module import ReconstructionModule
from crossx.reconstruction.restarts import draw_anew, reset_optimizer
from crossx.training.schedule import Schedule
from crossx.types import LatentBatch

STEPS = 7
EVERY = 3


def pair(norm: Any = "batch", classes: int = 3) -> GeneratorPair:  # noqa: ANN401 - a norm
    torch.manual_seed(0)
    return GeneratorPair(
        UpsamplingGenerator(SIZE, 8, 8, 3, norm, classes), DeepUpsamplingGenerator(32, 8, 8, 1, norm, classes)
    )


def named(generators: GeneratorPair, parameters: list[nn.Parameter]) -> set[str]:
    drawn = {id(p) for p in parameters}
    return {name for name, p in generators.named_parameters() if id(p) in drawn}


class Keep(Callback):
    """Writes down, generator step by generator step, weights before the step's forward and after it."""

    def __init__(self, module: ReconstructionModule) -> None:
        self.before: list[dict[str, Tensor]] = []
        self.after: list[dict[str, Tensor]] = []
        self.module = module
        module.generators.photo.register_forward_pre_hook(self.note)

    def note(self, *args: object) -> None:
        if torch.is_grad_enabled():
            self.before.append(weights(self.module.generators))

    def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Lightning's arguments
        self.after.append(weights(self.module.generators))


def far(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    return max(float((a[name] - b[name]).abs().max()) for name in a if name.endswith("weight"))


@pytest.mark.parametrize("part", ["first", "all"])
def test_what_is_drawn(part: Any) -> None:  # noqa: ANN401 - a literal
    generators = pair()
    generators(torch.randn(4, 8), torch.zeros(4).long())  # running statistics move
    before = weights(generators)
    state = torch.get_rng_state()
    drawn = named(generators, draw_anew(generators, part, 12))
    assert torch.equal(torch.get_rng_state(), state)
    first = {f"{side}.start.0.{kind}" for side in ("photo", "sketch") for kind in ("weight", "bias")}
    assert drawn == (first if part == "first" else {name for name, _ in generators.named_parameters()})
    moved = changed(before, weights(generators))
    assert first <= moved
    if part == "first":
        assert moved == first
    else:  # norms begin at 1 and 0 again, and so do their running statistics
        means = [tensor for name, tensor in generators.state_dict().items() if name.endswith("running_mean")]
        assert means
        assert all(not mean.any() for mean in means)


def test_draw_is_a_function_of_seed_and_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn(steps: int, seed: int = 0) -> dict[str, Tensor]:
        monkeypatch.setenv("PL_GLOBAL_SEED", str(seed))
        generators = pair()
        torch.manual_seed(steps + 99)
        draw_anew(generators, "all", steps)
        return weights(generators)

    assert not changed(drawn(3), drawn(3))
    for other in (drawn(4), drawn(3, seed=1)):
        assert {"photo.start.0.weight", "sketch.body.1.weight", "photo.embed.weight"} <= changed(drawn(3), other)
    weight = drawn(3)["photo.start.0.weight"]
    assert weight.abs().max() == pytest.approx(1 / 8**0.5, rel=0.01)  # the range of nn.Linear's own start


@pytest.mark.parametrize(
    "make",
    [
        partial(torch.optim.Adam, lr=0.1),
        partial(torch.optim.SGD, lr=0.1, momentum=0.9),
        partial(torch.optim.Adagrad, lr=0.1),  # has a state before its first step
        partial(torch.optim.RMSprop, lr=0.1),
    ],
)
def test_optimiser_forgets_what_was_drawn_and_nothing_else(make: Callable[..., torch.optim.Optimizer]) -> None:
    kept, drawn = (nn.Parameter(torch.ones(3)) for _ in range(2))
    optimizer = make([kept, drawn])
    optimizer.param_groups[0]["lr"] = 0.02

    def step() -> None:
        kept.grad, drawn.grad = torch.tensor([1.0, 2, 3]), torch.tensor([1.0, 2, 3])
        optimizer.step()

    for _ in range(3):
        step()
    history = {name: torch.as_tensor(value).clone() for name, value in optimizer.state[kept].items()}
    reset_optimizer(optimizer, make, [drawn])
    assert history
    assert all(torch.equal(torch.as_tensor(optimizer.state[kept][name]), value) for name, value in history.items())
    twin = nn.Parameter(drawn.detach().clone())
    fresh = make([twin])
    fresh.param_groups[0]["lr"] = 0.02
    step()
    twin.grad = drawn.grad
    fresh.step()
    assert torch.equal(drawn, twin)
    assert optimizer.param_groups[0]["lr"] == 0.02


@pytest.mark.parametrize("part", ["first", "all"])
@pytest.mark.parametrize("joint", [False, True])
def test_a_round_begins_with_the_step_and_not_before(
    teachers: Teachers,
    tmp_path: Path,
    joint: bool,
    part: Any,  # noqa: ANN401 - a literal
) -> None:
    """Pairs between two rounds come from generators that have learnt for a whole round."""
    module = reconstruction(teachers, reinitialise_every=EVERY, reinitialise=part, optimizer=torch.optim.Adam)
    keep = Keep(module)
    root = CoTrainingModule(module, encoding(teachers), Schedule(0, EVERY, 2)) if joint else module
    steps = 2 * EVERY + 1
    run = trainer(tmp_path, steps + 4 * joint, [keep], limit_val_batches=0)
    run.fit(root, datamodule=data(teachers))
    assert len(keep.before) == steps
    begins = [far(keep.before[i], keep.before[i - 1]) > 0.02 for i in range(1, steps)]
    assert begins == [i % EVERY == 0 for i in range(1, steps)]
    if joint:  # batches 3 and 4, and 8 and 9, train the encoders
        for batch in (3, 4, 8, 9):
            assert not changed(keep.after[2 if batch < 5 else 7], keep.after[batch])
    redrawn = changed(keep.before[EVERY], keep.after[EVERY - 1])
    assert ("photo.body.2.weight" in redrawn) == (part == "all")
    expected = reconstruction(teachers).generators
    expected.load_state_dict(keep.after[EVERY - 1])
    draw_anew(expected, part, EVERY)
    assert not changed(weights(expected), keep.before[EVERY])
    moments = [state["step"].item() for state in run.optimizers[0].state.values()]
    assert set(moments) == ({1.0} if part == "all" else {1.0, float(steps)})


def test_average_begins_again_with_what_is_drawn(teachers: Teachers) -> None:
    module = reconstruction(teachers, ema_decay=0.9, reinitialise_every=EVERY)
    optimizer = module.make_optimizer(module.parameters_to_train())
    with torch.no_grad():
        for parameter in module.generators.parameters():
            parameter.add_(1)
    module.before_step(optimizer, EVERY)
    assert not changed(weights(module.generators), weights(module.sampled))
    assert module.sampled is not module.generators


def test_first_step_and_steps_within_a_round_change_nothing(teachers: Teachers) -> None:
    kinds: list[dict[str, Any]] = [{"reinitialise_every": EVERY}, {"meta_every": EVERY}]
    for arguments in kinds:
        module = reconstruction(teachers, **arguments)
        optimizer = module.make_optimizer(module.parameters_to_train())
        before = weights(module)
        for steps in (0, 1, 2, 4, 5):
            module.before_step(optimizer, steps)
            assert not changed(before, weights(module)), steps


@pytest.mark.parametrize("joint", [False, True])
def test_meta_weights_are_those_of_numpy(teachers: Teachers, tmp_path: Path, joint: bool) -> None:
    module = reconstruction(teachers, "batch", meta_every=EVERY, meta_rate=0.3, optimizer=torch.optim.Adam)
    keep = Keep(module)
    root = CoTrainingModule(module, encoding(teachers), Schedule(0, EVERY, 2)) if joint else module
    run = trainer(tmp_path, STEPS + 4 * joint, [keep], limit_val_batches=0)
    start = weights(module.generators)
    run.fit(root, datamodule=data(teachers))
    after = [keep.after[i] for i in ((2, 7) if joint else (2, 5))]  # at the ends of the two rounds
    names = [name for name, _ in module.generators.named_parameters()]
    slow = {name: start[name].double().numpy() for name in names}
    for i, end in enumerate(after, start=1):
        slow = {name: 0.7 * slow[name] + 0.3 * end[name].double().numpy() for name in names}
        for name in names:
            np.testing.assert_allclose(keep.before[EVERY * i][name].numpy(), slow[name], rtol=1e-4, atol=1e-6)
    assert module.meta is not None
    found = module.meta.generators.state_dict()
    for name in names:
        np.testing.assert_allclose(found[name].numpy(), slow[name], rtol=1e-4, atol=1e-6)
    assert {state["step"].item() for state in run.optimizers[0].state.values()} == {1.0}  # new in every round
    assert not any(p.requires_grad for p in module.meta.parameters())


def test_few_steps_lead_further_from_meta_learnt_weights(teachers: Teachers) -> None:
    """After 30 rounds of 5 steps, 5 steps from the meta-weights are worth more than 5 steps from the start."""
    stream = LatentDataset(0, 8, 1)

    def batch(start: int) -> LatentBatch:
        return stack([stream[start + i] for i in range(16)])

    terms = {"one_hot": ReconstructionTerm(OneHotLoss())}
    torch.manual_seed(0)
    photo, sketch = UpsamplingGenerator(SIZE, 8, 8, 3), UpsamplingGenerator(SIZE, 8, 8, 1)
    module = ReconstructionModule(*teachers, photo, sketch, terms, meta_every=5, meta_rate=0.5)

    def train(first: int, steps: int) -> float:
        optimizer = torch.optim.Adam(module.generators.parameters(), 0.003)
        for done in range(first, first + steps):
            module.before_step(optimizer, done)
            optimizer.zero_grad()
            module.step(batch(16 * done), done).loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        with torch.no_grad():
            return float(module.step(batch(10**6), 0).loss)

    at_first = train(0, 5)
    train(5, 145)
    learnt = train(150, 5)
    assert learnt < at_first - 0.1


@pytest.mark.parametrize("kind", ["reinitialise_every", "meta_every"])
def test_batches_of_one_accumulated_step_begin_one_round(teachers: Teachers, kind: str) -> None:
    """Each of them asks for the round that begins with their step, and the first one alone changes anything."""
    module = reconstruction(teachers, "group", ema_decay=0.9, **{kind: EVERY})
    optimizer = module.make_optimizer(module.parameters_to_train())
    with torch.no_grad():
        for parameter in module.generators.parameters():
            parameter.add_(torch.randn_like(parameter))
    before = weights(module.generators)
    module.before_step(optimizer, EVERY)
    once = weights(module)
    assert changed(before, weights(module.generators))
    module.before_step(optimizer, EVERY)
    assert changed(once, weights(module)) <= {"meta.n_averaged"}


class Plain(Generator):
    """Says nothing about its layers."""

    def __init__(self, latent_dim: int = 8) -> None:
        super().__init__(latent_dim)
        self.colour = nn.Parameter(torch.rand(3))

    def forward(self, noise: Tensor, target: Tensor) -> Tensor:
        return self.colour.sigmoid().view(1, 3, 1, 1).expand(len(noise), -1, SIZE, SIZE)


def test_first_layers_must_be_known(teachers: Teachers) -> None:
    terms = {"one_hot": ReconstructionTerm(OneHotLoss())}
    with pytest.raises(InputError, match=r"^reinitialise: first is not legal with Plain, which names no first_layers"):
        ReconstructionModule(*teachers, Plain(), Plain(), terms, reinitialise_every=2, reinitialise="first")
    module = ReconstructionModule(*teachers, Plain(), Plain(), terms, reinitialise_every=2)
    before = weights(module.generators)
    module.before_step(module.make_optimizer(module.parameters_to_train()), 2)
    assert changed(before, weights(module.generators)) == {"photo.colour", "sketch.colour"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"reinitialise_every": 0}, "^reinitialise_every: 0 is not legal; at least 1, or null for never$"),
        ({"meta_every": -1}, "^meta_every: -1 is not legal; at least 1, or null for never$"),
        ({"meta_rate": 0.0}, r"^meta_rate: 0\.0 is not legal; above 0, at most 1$"),
        ({"meta_rate": 1.1}, r"^meta_rate: 1\.1 is not legal; above 0, at most 1$"),
        ({"reinitialise": "last"}, "^reinitialise: 'last' is not legal; first or all$"),
        (
            {"reinitialise_every": 2, "meta_every": 3},
            "^meta_every: 3 is not legal beside reinitialise_every = 2: one of them",
        ),
    ],
)
def test_numbers_out_of_range(teachers: Teachers, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        reconstruction(teachers, **arguments)
