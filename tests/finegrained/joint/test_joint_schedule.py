"""Whose turn a batch of the joint run is."""

import pytest

from crossx.core.errors import InputError
from crossx.finegrained.joint.schedule import JointSchedule


def turns(schedule: JointSchedule, batches: int) -> str:
    rotation = schedule.rotation()
    return "".join("gdr"[rotation.player(done)] for done in range(batches))


def test_warm_ups_come_one_after_the_other() -> None:
    assert turns(JointSchedule(3, 2, 1, 1, 4), 14) == "gggdd" + "gdrrrr" + "gdr"
    assert turns(JointSchedule(0, 2, 0, 0, 1), 4) == "ddrr"
    assert turns(JointSchedule(2, 0, 0, 1, 2), 6) == "ggdrrd"


@pytest.mark.parametrize("schedule", [JointSchedule(3, 2, 1, 1, 4), JointSchedule(0, 4, 2, 0, 1), JointSchedule(5, 0)])
def test_batches_of_counts_turns(schedule: JointSchedule) -> None:
    rotation = schedule.rotation()
    for done in range(30):
        so_far = turns(schedule, done)
        assert [rotation.batches_of(i, done) for i in range(3)] == [so_far.count(player) for player in "gdr"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"retrieval_steps": 0}, r"schedule\.retrieval_steps: must be at least 1, got 0"),
        ({"warmup_generator": -1}, r"schedule\.warmup_generator: must be at least 0, got -1"),
        ({"discriminator_steps": -2}, r"schedule\.discriminator_steps: must be at least 0, got -2"),
    ],
)
def test_mistakes(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        JointSchedule(**arguments)
