"""Short names of classes, where a class of somebody else has the same name."""

from crossx.cli.short_names import qualify
from crossx.networks import SmallResNet as Ours


class SmallResNet(Ours):
    """Somebody's own, which has ours as its base."""


def test_a_short_name_stays_a_class_of_crossx() -> None:
    config = {
        "model": {"encoder": {"class_path": "StudentEncoder", "init_args": {"network": "SmallResNet"}}},
        "parts": [{"class_path": "SmallResNet", "init_args": {"widths": [8]}}],
        "logger": {"name": "SmallResNet"},
    }
    ours = f"{Ours.__module__}.SmallResNet"
    assert SmallResNet.__module__ != Ours.__module__
    assert qualify(config) == {
        "model": {"encoder": {"class_path": "StudentEncoder", "init_args": {"network": ours}}},
        "parts": [{"class_path": ours, "init_args": {"widths": [8]}}],
        "logger": {"name": "SmallResNet"},
    }
