"""Which module a report belongs to, where one trainer runs several modules one after the other."""

from weakref import ref

import lightning.pytorch as pl


class PresentModule:
    """The module that a report looked at last; a report forgets all it knows of one when another comes."""

    def __init__(self) -> None:
        self._known: ref[pl.LightningModule] | None = None

    def is_another(self, module: pl.LightningModule) -> bool:
        """Whether a module is not the one of the last call, which it is from now on."""
        another = self._known is None or self._known() is not module
        self._known = ref(module)
        return another
