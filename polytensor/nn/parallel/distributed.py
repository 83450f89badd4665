"""DistributedDataParallel is not here. Source: torch.nn.parallel.distributed."""

from __future__ import annotations

from typing import Any

from ...tensor import Tensor
from ..module import Module

__all__ = ["DistributedDataParallel"]


def _find_tensors(obj: Any) -> list[Any]:
    """The Tensors in `obj` and the lists, tuples and dicts in it."""
    if isinstance(obj, Tensor):
        return [obj]
    parts = obj.values() if isinstance(obj, dict) else obj if isinstance(obj, (list, tuple)) else ()
    return [t for part in parts for t in _find_tensors(part)]


class DistributedDataParallel(Module):
    """RuntimeError: there are no process groups; DataParallel uses the devices of one machine."""

    def __init__(self, module: Module, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError(
            "DistributedDataParallel needs a process group, and PolyTensor has none: use nn.DataParallel for "
            "several devices of one machine, or the module itself"
        )
