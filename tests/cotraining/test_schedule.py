import pytest

from crossx.core.errors import InputError
from crossx.cotraining.schedule import Schedule


@pytest.mark.parametrize(
    ("schedule", "phases"),
    [
        (Schedule(), "GEGEGEGEGE"),
        (Schedule(warmup=3), "GGGGEGEGEG"),
        (Schedule(warmup=2, generator_steps=1, encoder_steps=3), "GGGEEEGEEE"),
        (Schedule(warmup=0, generator_steps=2, encoder_steps=1), "GGEGGEGGEG"),
        (Schedule(warmup=4, generator_steps=0, encoder_steps=2), "GGGGEEEEEE"),
    ],
)
def test_phase_of_each_batch(schedule: Schedule, phases: str) -> None:
    rotation = schedule.rotation(None)
    assert "".join("GE"[rotation.player(done)] for done in range(len(phases))) == phases


@pytest.mark.parametrize(("field", "value"), [("warmup", -1), ("generator_steps", -1), ("encoder_steps", 0)])
def test_impossible_numbers_are_refused_by_name(field: str, value: int) -> None:
    with pytest.raises(InputError, match=rf"^schedule\.{field}: must be at least [01], got {value}$"):
        Schedule(**{field: value})


def test_warmup_is_a_share_of_the_run() -> None:
    assert [Schedule(warmup=0.25).rotation(total).warmup for total in (8, 400, 401)] == [2, 100, 100]
    with pytest.raises(InputError, match=r"^schedule\.warmup: 0\.25 is a share of the run, whose length is not known"):
        Schedule(warmup=0.25).rotation(None)
    with pytest.raises(InputError, match=r"^schedule\.warmup \(a share of the run\): must be in \[0, 1\], got 1\.5$"):
        Schedule(warmup=1.5)
