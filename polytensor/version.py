"""torch.version: this package's version, and CUDA's where it is usable."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
debug = False
git_version = "unknown"
hip = rocm = xpu = None


def __getattr__(name: str) -> Any:
    if name == "cuda":
        from . import devices

        return import_module("polytensor.backends.cupy.runtime").version() if devices.cuda_allowed() else None
    raise AttributeError(f"module 'torch.version' has no attribute {name!r}")
