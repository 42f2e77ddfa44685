"""A parsed config as plain values, and how jsonargparse writes YAML."""

from typing import Any

from jsonargparse import ArgumentParser, Namespace, set_dumper

from crossx.core.yaml_files import dump_yaml, plain_yaml


def _write(value: object) -> str:
    """Write YAML as jsonargparse does, but by libyaml: it writes each nested class once, to read it at once again."""
    return dump_yaml(value, default_flow_style=False, allow_unicode=True)


set_dumper("yaml", _write)  # for all parsers of the process: the text means the same


def resolved(parser: ArgumentParser, arguments: Namespace) -> dict[str, Any]:
    """Return a parsed config as plain values, without the places that other arguments fill.

    Args:
        parser: The parser.
        arguments: What it has parsed.
    """
    # Without validation: the config was checked when it was parsed, and to check it again takes half a second.
    text = parser.dump(arguments, skip_link_targets=True, skip_none=False, skip_validation=True, format="yaml")
    plain: dict[str, Any] = plain_yaml(text)
    return plain
