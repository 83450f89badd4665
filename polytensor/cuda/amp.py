"""torch.cuda.amp: autocast and GradScaler for CUDA, from ``polytensor.amp``."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_NAMES = ("GradScaler", "autocast", "custom_bwd", "custom_fwd")


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module 'torch.cuda.amp' has no attribute {name!r}")
    try:
        amp = import_module("polytensor.amp")
    except ModuleNotFoundError:
        raise AttributeError(f"torch.cuda.amp.{name}: this PolyTensor has no amp") from None
    return getattr(amp, name)
