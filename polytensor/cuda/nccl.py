"""NCCL is not here: nn.parallel copies between the devices of one process by itself. Source: torch.cuda.nccl."""

from __future__ import annotations

import warnings
from typing import Any

from ..absent import refuse

__all__ = [
    "all_gather",
    "all_reduce",
    "broadcast",
    "init_rank",
    "is_available",
    "reduce",
    "reduce_scatter",
    "unique_id",
    "version",
]

SUM = 0


def is_available(tensors: Any) -> bool:
    """False, with a warning."""
    warnings.warn("PyTorch is not compiled with NCCL support", stacklevel=2)
    return False


_INSTEAD = "torch.cuda.comm copies and sums between devices, nn.DataParallel trains on several"
all_gather, all_reduce, broadcast, init_rank, reduce, reduce_scatter, unique_id, version = (
    refuse(f"torch.cuda.nccl.{name}", _INSTEAD)
    for name in (
        "all_gather",
        "all_reduce",
        "broadcast",
        "init_rank",
        "reduce",
        "reduce_scatter",
        "unique_id",
        "version",
    )
)
