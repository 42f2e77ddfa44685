"""What the page on generators shows is a config."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.commands import edit, joint_config, run
from support.runs import MODALITIES, Teachers

PAGE = Path(__file__).parents[2] / "docs/how-to/generators.md"
SNIPPETS: list[dict[str, Any]] = [
    yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.S)
]


def test_there_are_snippets() -> None:
    assert len(SNIPPETS) == 2


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda snippet: next(iter(snippet)))
def test_snippet_is_built(teachers: Teachers, tmp_path: Path, snippet: dict[str, Any]) -> None:
    content = joint_config(teachers, tmp_path)
    for name, value in snippet.items():
        edit(content, f"model.reconstruction.{name}", value)
    edit(content, "trainer.max_steps", 0)
    edit(content, "data.dataset", None)
    cli: Any = run("fit", tmp_path / "config.yaml", content)
    built = cli.model.reconstruction
    for name, value in snippet.items():
        if name == "generator":
            for modality in MODALITIES:
                generator = built.generators.get_submodule(modality)
                assert type(generator).__name__ == value["class_path"]
                assert generator.arguments().items() >= value["init_args"].items()
        elif name == "terms":
            assert built.objective.terms.keys() == value.keys()
