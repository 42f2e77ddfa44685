import os
from pathlib import Path

import pytest
import yaml

from crossx.core import yaml_files
from crossx.core.errors import InputError
from crossx.core.yaml_files import dump_yaml, parse_yaml, plain_yaml, read_yaml


def test_values_are_plain(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfa: 1e-3\nb: [1, x]\n")
    assert read_yaml(tmp_path / "a.yaml", "a") == {"a": 0.001, "b": [1, "x"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "mine: line 1, column 5: not YAML: while parsing a flow node: expected the node content"),
        ("a: 1\n b: 2", "mine: line 2, column 3: not YAML: mapping values are not allowed here"),
        ("a: 1\na: 2", "mine: line 2, column 1: not YAML: the key 'a' stands twice"),
        ("a: \x00", "mine: somewhere: not YAML: unacceptable character #x0000: special characters are not allowed"),
        ("a: !!python/name:os.system", "mine: line 1, column 4: not YAML: could not determine a constructor"),
        ("a: 2024-13-01", "mine: not YAML: month must be in 1..12"),
        ("? [a]\n: 1", "mine: line 1, column 3: not YAML: while constructing a mapping: found unhashable key"),
        ("--- 1\n--- 2", "mine: line 2, column 1: not YAML: expected a single document"),
        ("[" * 10_000, "mine: not YAML: "),
    ],
)
def test_mistakes_are_one_line_with_the_place(text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        parse_yaml(text, "mine")
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
    assert "<unicode" not in str(error.value)


def test_what_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"^mine: not a text file$"):
        read_yaml(tmp_path / "a.yaml", "mine")


def test_names_of_files_that_are_no_text_come_back() -> None:
    """libyaml refuses surrogates, which stand for bytes that are no UTF-8."""
    value = {"folder": os.fsdecode(b"/x/\xff")}
    assert plain_yaml(dump_yaml(value)) == value
    with pytest.raises(yaml.YAMLError):  # as PyYAML refuses it
        plain_yaml(f"folder: {value['folder']}")


def test_a_class_that_pyyaml_has_been_told_of_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own:
        pass

    monkeypatch.setattr(yaml.SafeDumper, "yaml_representers", dict(yaml.SafeDumper.yaml_representers))
    yaml.SafeDumper.add_representer(Own, lambda dumper, _: dumper.represent_data("own"))
    assert plain_yaml(dump_yaml({"a": Own()})) == {"a": "own"}


def test_libyaml_reads_and_writes_what_the_plain_parser_does(monkeypatch: pytest.MonkeyPatch) -> None:
    value: dict[str, object] = {"a": [1, 1e-3, True, None, "yes", "1e3", "ü", {"b": []}], "c": "two words: and a colon"}
    fast = dump_yaml(value)
    monkeypatch.setattr(yaml_files, "_FAST_DUMPER", yaml.SafeDumper)
    monkeypatch.setattr(yaml_files, "_FAST_LOADER", yaml.SafeLoader)
    assert dump_yaml(value) == fast
    assert plain_yaml(fast) == value
