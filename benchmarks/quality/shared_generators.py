"""The generators that all rows of a teacher pair share whose recipes differ in their encoders alone."""

from pathlib import Path

import yaml

from crossx.cli.configs import shipped_configs

RECIPE = "model/generators.yaml"
"""The config that trains them behind a benchmark's; a test compares it with the generators of `model/joint.yaml`."""
FILE = "generators.safetensors"
"""What its run writes."""


def _steps(recipe: str) -> int:
    return int(yaml.safe_load((shipped_configs() / recipe).read_text())["trainer"]["max_steps"])


ENCODER_STEPS = _steps("model/joint.yaml") - _steps(RECIPE)
"""Steps of the joint recipe that train its encoders."""


def given(generators: Path) -> list[str]:
    """Overrides of a joint recipe that leave out the part of the run in which generators learn alone.

    Args:
        generators: What the generators start with.
    """
    start = f"--model.reconstruction.init_args.start={generators}"
    return [start, "--model.schedule.warmup=0", f"--trainer.max_steps={ENCODER_STEPS}"]
