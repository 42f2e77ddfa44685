"""The one interface between a report and `results.json`."""

from typing import Any, Protocol, runtime_checkable

from crossx.types import Split


@runtime_checkable
class Section(Protocol):
    """A callback that contributes to `results.json`; the run report merges the contributions of all callbacks."""

    def section(self, split: Split | None) -> dict[str, Any]:
        """Return top-level entries of `results.json` as plain values.

        Args:
            split: The split that the results are of; None for a fit that was measured on no split.
        """
        ...
