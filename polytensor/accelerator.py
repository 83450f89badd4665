"""torch.accelerator: CUDA, where it is usable."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any

from . import cuda, devices, dtypes
from .backends import MISSING

__all__ = [
    "current_accelerator", "current_device_idx", "current_device_index", "current_stream", "device_count", "device_index",
    "empty_cache", "empty_host_cache", "get_device_capability", "get_memory_info", "is_available", "max_memory_allocated",
    "max_memory_reserved", "memory_allocated", "memory_reserved", "memory_stats", "reset_accumulated_memory_stats",
    "reset_peak_memory_stats", "set_device_idx", "set_device_index", "set_stream", "synchronize",
]  # fmt: skip


def _need() -> None:
    if not cuda.is_available():
        raise RuntimeError("Cannot access accelerator device when none is available.")


def _deprecated(now: str) -> None:
    warnings.warn(f"Use `{now}` instead.", FutureWarning, stacklevel=3)


def is_available() -> bool:
    return cuda.is_available()


def device_count() -> int:
    return cuda.device_count()


def current_accelerator(check_available: bool = False) -> Any:
    """device('cuda') or None."""
    return devices.resolve("cuda") if cuda.is_available() else None


def current_device_index() -> int:
    """The number of the current device. RuntimeError, as all that follow, where none is usable."""
    _need()
    return cuda.current_device()


def current_device_idx() -> int:
    """current_device_index by its older name."""
    _deprecated("current_device_index")
    return current_device_index()


def set_device_index(device: Any, /) -> None:
    _need()
    cuda.set_device(device)


def set_device_idx(device: Any, /) -> None:
    """set_device_index by its older name."""
    _deprecated("set_device_index")
    set_device_index(device)


class device_index(cuda.device):
    """A context in which another device is the current one; None: nothing changes."""

    def __init__(self, device: int | None, /) -> None:
        super().__init__(device)

    def __enter__(self) -> None:
        if self.idx is not None:
            _need()
        super().__enter__()


def get_device_capability(device: Any = None, /) -> dict[str, Any]:
    """{"supported_dtypes": the dtypes of a device's tensors}."""
    _need()
    backend = devices.resolve("cuda", cuda._index(device)).backend
    return {"supported_dtypes": {d for d in dtypes.ALL if not backend.capability(d).startswith(MISSING)}}


def _there(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of torch.cuda, where an accelerator is usable; RuntimeError where none is."""

    @wraps(function)
    def checked(*args: Any) -> Any:
        _need()
        return function(*args)

    return checked


current_stream, set_stream, synchronize = map(_there, (cuda.current_stream, cuda.set_stream, cuda.synchronize))
empty_cache, empty_host_cache = _there(cuda.empty_cache), _there(cuda.memory.empty_host_cache)
get_memory_info, memory_stats = _there(cuda.mem_get_info), _there(cuda.memory_stats)
memory_allocated, max_memory_allocated = _there(cuda.memory_allocated), _there(cuda.max_memory_allocated)
memory_reserved, max_memory_reserved = _there(cuda.memory_reserved), _there(cuda.max_memory_reserved)
reset_accumulated_memory_stats = _there(cuda.reset_accumulated_memory_stats)
reset_peak_memory_stats = _there(cuda.reset_peak_memory_stats)
