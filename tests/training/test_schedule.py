import pytest

from crossx.core.errors import InputError
from crossx.training.schedule import Schedule


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
    assert "".join("E" if schedule.trains_encoders(done) else "G" for done in range(len(phases))) == phases


@pytest.mark.parametrize(("field", "value"), [("warmup", -1), ("generator_steps", -1), ("encoder_steps", 0)])
def test_impossible_numbers_are_refused_by_name(field: str, value: int) -> None:
    with pytest.raises(InputError, match=rf"schedule\.{field}: {value} .* at least"):
        Schedule(**{field: value})
