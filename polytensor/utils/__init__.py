"""torch.utils: data, checkpoint and others, each imported at its first use (data brings multiprocessing)."""

from importlib import import_module
from typing import Any

__all__ = ["_pytree", "checkpoint", "data", "deterministic", "dlpack", "hooks", "model_zoo", "progress", "snapshots"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module 'torch.utils' has no attribute {name!r}: PolyTensor does not have it")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
