"""Operations whose result the host has to see, for which a GPU is waited for."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

_aten = torch.ops.aten
_READS = {
    _aten._local_scalar_dense.default,  # int(), float(), bool(), .item(), .tolist()
    _aten.nonzero.default,  # and everything else whose shape depends on values
    _aten.masked_select.default,
    _aten._unique2.default,
    _aten.unique_consecutive.default,
    _aten.bincount.default,
    _aten.repeat_interleave.Tensor,
    _aten.equal.default,
}


class _Forbidding(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own
    def __init__(self, on_host: Tensor | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's own
        self._on_host = None if on_host is None else on_host.untyped_storage().data_ptr()

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401 - torch's signature
        types: Any,  # noqa: ANN401
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        masks = func in (_aten.index.Tensor, _aten.index_put_.default) and any(
            index is not None and index.dtype == torch.bool for index in args[1]
        )
        if (func in _READS or masks) and args[0].untyped_storage().data_ptr() != self._on_host:
            raise AssertionError(f"the host reads a tensor in {func}")
        return func(*args, **(kwargs or {}))


@contextmanager
def no_host_reads(on_host: Tensor | None = None) -> Iterator[None]:
    """Fail where the host reads a tensor, except one that stays on the host. What a kernel does inside is not seen."""
    with _Forbidding(on_host):
        yield
