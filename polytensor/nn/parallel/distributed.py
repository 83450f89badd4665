"""DistributedDataParallel is not here. Source: torch.nn.parallel.distributed."""

from __future__ import annotations

from typing import Any

from ..module import Module

__all__ = ["DistributedDataParallel"]


class DistributedDataParallel(Module):
    """RuntimeError: there are no process groups; DataParallel uses the devices of one machine."""

    def __init__(self, module: Module, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError(
            "DistributedDataParallel needs a process group, and PolyTensor has none: use nn.DataParallel for "
            "several devices of one machine, or the module itself"
        )
