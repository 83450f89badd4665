"""torch.cuda.nvtx: ranges for NVIDIA's profilers, which are not there."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name not in ("mark", "range", "range_end", "range_pop", "range_push", "range_start"):
        raise AttributeError(f"module 'torch.cuda.nvtx' has no attribute {name!r}")

    def missing(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(f"NVTX functions not installed: PolyTensor has no torch.cuda.nvtx.{name}")

    return missing
