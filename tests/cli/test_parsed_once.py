"""The faster parse gives what jsonargparse gives, and counts what it saves."""

from collections.abc import Callable
from contextlib import nullcontext

import pytest
from jsonargparse import ArgumentParser
from jsonargparse import _typehints as parser
from lightning.pytorch.cli import OptimizerCallable

from crossx.cli import parsed_once, training
from crossx.core.errors import InputError

pytestmark = pytest.mark.usefixtures("parsed_anew")
CONFIGS = (
    ["quickstart.yaml"],
    ["fg_joint.yaml"],
    ["tinyimagenet_tuberlin.yaml", "model/composite.yaml"],
    ["quickstart.yaml", "--model.encoding.init_args.optimizer", "{class_path: SGD, init_args: {lr: 0.1}}"],
    ["quickstart.yaml", "--model.encoding.init_args.optimizer=SGD", "--model.encoding.init_args.optimizer.lr=0.2"],
)


def words(configs: list[str]) -> list[str]:
    names = [word for name in configs if name.endswith("yaml") for word in ("--config", name)]
    return ["fit", *names, *(word for word in configs if not word.endswith("yaml"))]


@pytest.mark.parametrize("configs", CONFIGS, ids=["joint", "fine-grained", "two configs", "class", "options"])
def test_the_config_is_that_of_a_plain_parse(configs: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    inner: Callable[..., object] = parser.adapt_class_type
    calls = [0, 0]

    def counted(*arguments: object, **named: object) -> object:
        calls[0] += 1
        return inner(*arguments, **named)

    monkeypatch.setattr(parser, "adapt_class_type", counted)
    found = training.parse(words(configs))
    assert parser.adapt_class_type is counted, "nothing is left behind"
    monkeypatch.setattr(training, "parsed_once", nullcontext)
    calls.reverse()
    assert training.parse(words(configs)) == found
    assert 0 < calls[1] < 0.7 * calls[0]


def test_a_mistake_deep_inside_is_the_same_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    argv = words(["quickstart.yaml", "--model.encoding.init_args.encoder.init_args.dim=many"])
    with pytest.raises(InputError) as fast:
        training.parse(argv)
    monkeypatch.setattr(training, "parsed_once", nullcontext)
    with pytest.raises(InputError) as plain:
        training.parse(argv)
    assert str(fast.value) == str(plain.value)
    assert "dim" in str(plain.value)


def test_another_version_of_the_parser_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsed_once, "_KNOWN", False)
    before = parser.adapt_class_type
    with parsed_once.parsed_once():
        assert parser.adapt_class_type is before


def test_a_block_around_several_parses_remembers_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    inner: Callable[..., object] = parser.adapt_class_type
    calls = []

    def counted(*arguments: object, **named: object) -> object:
        calls.append(1)
        return inner(*arguments, **named)

    monkeypatch.setattr(parser, "adapt_class_type", counted)
    with parsed_once.parsed_once():
        first = training.parse(words(["quickstart.yaml"]))
        once = len(calls)
        assert training.parse(words(["quickstart.yaml"])) == first
        assert len(calls) < 1.1 * once
        other = training.parse(words(["quickstart.yaml", "--model.encoding.init_args.optimizer=SGD"]))
        assert other != first
    assert parser.adapt_class_type is counted


def test_values_are_left_out_as_each_dump_asks() -> None:
    class_with_nothing = {"class_path": "torch.optim.Adam", "init_args": {"foreach": None}}
    maker = ArgumentParser(exit_on_error=False)
    maker.add_argument("--optimizer", type=OptimizerCallable)
    parsed = maker.parse_object({"optimizer": class_with_nothing})
    with parsed_once.parsed_once():
        whole, short = (maker.dump(parsed, skip_none=skip, skip_validation=True) for skip in (False, True))
    assert "foreach" in whole
    assert "foreach" not in short
