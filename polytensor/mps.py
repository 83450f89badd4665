"""torch.mps: there is no Metal backend."""

from __future__ import annotations

from typing import Any

from .absent import lacks


def is_available() -> bool:
    return False


def device_count() -> int:
    return 0


def __getattr__(name: str) -> Any:
    names = (
        "compile_shader", "current_allocated_memory", "driver_allocated_memory", "empty_cache", "get_rng_state",
        "manual_seed", "recommended_max_memory", "seed", "set_per_process_memory_fraction", "set_rng_state", "synchronize",
    )  # fmt: skip
    if name not in names:
        raise lacks(__name__, name)

    def missing(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(f"Cannot execute torch.mps.{name}() without MPS backend.")

    return missing
