"""torch.mps: there is no Metal backend."""

from __future__ import annotations

from .absent import raising


def is_available() -> bool:
    return False


def device_count() -> int:
    return 0


globals().update(
    {
        name: raising(name, RuntimeError, f"Cannot execute torch.mps.{name}() without MPS backend.", "no MPS backend")
        for name in (
            "compile_shader", "current_allocated_memory", "driver_allocated_memory", "empty_cache", "get_rng_state",
            "manual_seed", "recommended_max_memory", "seed", "set_per_process_memory_fraction", "set_rng_state", "synchronize",
        )
    }
)  # fmt: skip
