"""How much memory CUDA devices use. Source: torch.cuda.memory.

Bytes "in use" are those of arrays, "reserved" those that CuPy's pool has from the driver. Without a usable device counts are
0 and empty, as in CPU-only PyTorch.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any
from weakref import WeakValueDictionary

from .. import devices
from ..absent import refuse
from . import _index, _runtime, device_count, is_available

__all__ = [
    "MemPool", "empty_cache", "get_allocator_backend", "get_per_process_memory_fraction", "host_memory_stats",
    "host_memory_stats_as_nested_dict", "ipc_collect", "max_memory_allocated", "max_memory_cached", "max_memory_reserved", "mem_get_info",
    "memory_allocated", "memory_cached", "memory_reserved", "memory_snapshot", "memory_stats", "memory_stats_as_nested_dict", "memory_summary",
    "reset_accumulated_host_memory_stats", "reset_accumulated_memory_stats", "reset_max_memory_allocated",
    "reset_max_memory_cached", "reset_peak_host_memory_stats", "reset_peak_memory_stats",
    "set_per_process_memory_fraction", "use_mem_pool",
]  # fmt: skip


def memory_stats(device: Any = None) -> OrderedDict[str, int]:
    """Counts by PyTorch's names, those that CuPy's pool can tell: active, allocated and reserved bytes, failures.

    Source: torch.cuda.memory_stats.
    """
    return _runtime().memory(_index(device)) if is_available() else OrderedDict()  # type: ignore[no-any-return]


def memory_stats_as_nested_dict(device: Any = None) -> dict[str, Any]:
    """memory_stats, with a dict for each part of the names."""
    result: dict[str, Any] = {}
    for name, value in memory_stats(device).items():
        *path, last = name.split(".")
        place = result
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return result


def memory_allocated(device: Any = None) -> int:
    """Bytes in use."""
    return memory_stats(device).get("allocated_bytes.all.current", 0)


def max_memory_allocated(device: Any = None) -> int:
    """The most bytes in use since the start or reset_peak_memory_stats."""
    return memory_stats(device).get("allocated_bytes.all.peak", 0)


def memory_reserved(device: Any = None) -> int:
    """Bytes that the pool holds."""
    return memory_stats(device).get("reserved_bytes.all.current", 0)


def max_memory_reserved(device: Any = None) -> int:
    """The most bytes that the pool held since the start or reset_peak_memory_stats.

    What the pool itself gave back to make room for a block that did not fit is not seen.
    """
    return memory_stats(device).get("reserved_bytes.all.peak", 0)


def _renamed(old: str, new: Callable[..., Any]) -> Callable[..., Any]:
    def call(device: Any = None) -> Any:
        warnings.warn(
            f"`torch.cuda.{old}` has been renamed to `torch.cuda.{new.__name__}`", FutureWarning, stacklevel=2
        )
        return new(device)

    call.__name__ = old
    call.__doc__ = f"{new.__name__} by its older name."
    return call


memory_cached = _renamed("memory_cached", memory_reserved)
max_memory_cached = _renamed("max_memory_cached", max_memory_reserved)


def memory_summary(device: Any = None, abbreviated: bool = False) -> str:
    """memory_stats as a table. Source: torch.cuda.memory_summary."""
    index = _index(device)
    stats = _runtime().memory(index)
    lines = ["=" * 59, f"{f'PolyTensor CUDA memory, device {index}':^59}", "=" * 59]
    lines.append(f" CUDA OOMs: {stats['num_ooms']:<10}")
    lines += ["-" * 59, f" {'':<22}|{'current':^17}|{'peak':^17}", "-" * 59]
    names = {"allocated_bytes": "in use by arrays", "active_bytes": "active", "reserved_bytes": "held by the pool"}
    for name, title in list(names.items())[:: 2 if abbreviated else 1]:
        now, most = stats[f"{name}.all.current"], stats[f"{name}.all.peak"]
        lines.append(f" {title:<22}|{now:>16,} |{most:>16,}")
    free, total = mem_get_info(index)
    return "\n".join(
        [*lines, "-" * 59, f" {'free on the device':<22}|{free:>16,} |{'of':>3}{total:>13,}", "=" * 59, ""]
    )


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """Free and total bytes of a device, as the driver says. Source: torch.cuda.mem_get_info."""
    return _runtime().memory_info(_index(device))  # type: ignore[no-any-return]


def reset_peak_memory_stats(device: Any = None) -> None:
    """Let peaks start again from what is in use now. RuntimeError where no device is usable."""
    if not is_available():
        raise RuntimeError("invalid argument to reset_peak_memory_stats: there is no CUDA device")
    _runtime().reset_peak(_index(device))


def _resetting(old: str) -> Callable[..., Any]:
    def call(device: Any = None) -> None:
        warnings.warn(
            f"torch.cuda.{old} now calls torch.cuda.reset_peak_memory_stats, which resets /all/ peak memory stats.",
            FutureWarning,
            stacklevel=2,
        )
        reset_peak_memory_stats(device)

    call.__name__ = old
    call.__doc__ = "reset_peak_memory_stats by an older name."
    return call


reset_max_memory_allocated = _resetting("reset_max_memory_allocated")
reset_max_memory_cached = _resetting("reset_max_memory_cached")


def reset_accumulated_memory_stats(device: Any = None) -> None:
    """Nothing is accumulated here. RuntimeError where no device is usable."""
    if not is_available():
        raise RuntimeError("invalid argument to reset_accumulated_memory_stats: there is no CUDA device")
    _index(device)


def empty_cache() -> None:
    """Give cached blocks back to the driver."""
    for index in range(device_count()):
        devices.resolve("cuda", index).backend.empty_cache()


def ipc_collect() -> None:
    """Nothing is shared between processes here."""
    _runtime()


def empty_host_cache() -> None:
    """Give cached blocks of page-locked memory back to the system."""
    if is_available():
        _runtime().empty_host_cache()


class MemPool:
    """Memory that only those use who ask for it, by use_mem_pool. Source: torch.cuda.MemPool."""

    _ids = count(1)
    _known: WeakValueDictionary[tuple[int, int], MemPool] = WeakValueDictionary()

    def __init__(self, allocator: Any = None, use_on_oom: bool = False, no_split: bool = False) -> None:
        if allocator is not None or use_on_oom or no_split:
            raise NotImplementedError("PolyTensor's MemPool takes neither an allocator nor use_on_oom nor no_split")
        if not is_available():
            raise RuntimeError("torch.cuda.MemPool requires CUDA support")
        self.base = _runtime().PrivatePool()
        self.id = (0, next(self._ids))
        self._known[self.id] = self


@contextmanager
def use_mem_pool(pool: MemPool, device: Any = None) -> Iterator[None]:
    """Within the block this thread's arrays take their memory from `pool`. Source: torch.cuda.use_mem_pool."""
    with _runtime().allocating_from(pool.base):
        yield


def _checked_fraction(fraction: Any) -> float:
    if not isinstance(fraction, float):
        raise TypeError("Invalid type for fraction argument, must be `float`")
    if not 0 <= fraction <= 1:
        raise ValueError(f"Invalid fraction value: {fraction}. Allowed range: 0~1")
    return fraction


def set_per_process_memory_fraction(fraction: float, device: Any = None) -> None:
    """Let this process hold at most that part of a device's memory: more raises OutOfMemoryError. 1.0: all of it."""
    runtime = _runtime()
    runtime.set_memory_limit(_checked_fraction(fraction), _index(device))


def get_per_process_memory_fraction(device: Any = None) -> float:
    """The part of a device's memory that this process may hold."""
    runtime = _runtime()
    return float(runtime.memory_limit(_index(device)))


def get_allocator_backend() -> str:
    """ "native": CuPy's pool, which keeps freed blocks as PyTorch's own allocator does."""
    _runtime()
    return "native"


def host_memory_stats() -> OrderedDict[str, int]:
    """Empty: CuPy's pool of page-locked memory keeps no counts."""
    return OrderedDict()


def host_memory_stats_as_nested_dict() -> dict[str, Any]:
    """Empty, as host_memory_stats."""
    return {}


def reset_peak_host_memory_stats() -> None:
    """Nothing to do, as host_memory_stats is empty."""


def reset_accumulated_host_memory_stats() -> None:
    """Nothing to do, as host_memory_stats is empty."""


_BLOCKS = "CuPy's pool tells sums, not its blocks; torch.cuda.memory_summary() and memory_stats() have them"
memory_snapshot, _snapshot, _dump_snapshot, _record_memory_history, _save_segment_usage, _save_memory_usage = (
    refuse(f"torch.cuda.memory.{name}", _BLOCKS)
    for name in (
        "memory_snapshot", "_snapshot", "_dump_snapshot", "_record_memory_history", "_save_segment_usage", "_save_memory_usage",
    )
)  # fmt: skip
_POOLS = "cupy.cuda.set_allocator sets the one that is used"
CUDAPluggableAllocator, change_current_allocator, caching_allocator_alloc, caching_allocator_delete = (
    refuse(f"torch.cuda.memory.{name}", _POOLS)
    for name in (
        "CUDAPluggableAllocator",
        "change_current_allocator",
        "caching_allocator_alloc",
        "caching_allocator_delete",
    )
)
