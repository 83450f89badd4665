"""Devices, streams, events and libraries of CUDA for ``polytensor.cuda``. Imported only where CUDA is usable."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import cupy

from .memory import PrivatePool as PrivatePool
from .memory import accounts as accounts
from .memory import hold_for as hold_for
from .memory import info as memory_info
from .memory import limit as memory_limit
from .memory import reset_peak as reset_peak
from .memory import set_limit as set_memory_limit
from .memory import stats as memory
from .placement import Placement

__all__ = [
    "PrivatePool", "accounts", "allocating_from", "bus_id", "can_access_peer", "capturing", "current_stream", "cusolver_handle",
    "elapsed", "empty_host_cache", "external_stream", "hold_for", "libraries", "memory", "memory_info",
    "memory_limit", "new_event", "new_stream", "null_stream", "nvtx", "on", "profile", "properties", "reset_peak",
    "set_memory_limit", "sync_debug", "synchronize", "use", "use_stream", "version",
]  # fmt: skip


def use(index: int) -> None:
    """Make a device the current one of this thread."""
    cupy.cuda.Device(index).use()


def on(index: int) -> Any:
    """A context in which a device is the current one."""
    return cupy.cuda.Device(index)


def properties(index: int) -> SimpleNamespace:
    """Name, compute capability, memory and processors of a device."""
    p = cupy.cuda.runtime.getDeviceProperties(index)
    return SimpleNamespace(
        name=p["name"].decode(),
        major=int(p["major"]),
        minor=int(p["minor"]),
        total_memory=int(p["totalGlobalMem"]),
        multi_processor_count=int(p["multiProcessorCount"]),
        warp_size=int(p["warpSize"]),
        max_threads_per_multi_processor=int(p["maxThreadsPerMultiProcessor"]),
        max_threads_per_block=int(p["maxThreadsPerBlock"]),
        shared_memory_per_block=int(p["sharedMemPerBlock"]),
        regs_per_multiprocessor=int(p["regsPerMultiprocessor"]),
        L2_cache_size=int(p["l2CacheSize"]),
        is_integrated=int(p["integrated"]),
        is_multi_gpu_board=int(p["isMultiGpuBoard"]),
        pci_bus_id=int(p["pciBusID"]),
        pci_device_id=int(p["pciDeviceID"]),
        pci_domain_id=int(p["pciDomainID"]),
    )


def bus_id(index: int) -> str:
    """Where a device is on the PCI bus, as 0000:01:00.0."""
    return str(cupy.cuda.Device(index).pci_bus_id)


def _dotted(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def version() -> str:
    """The CUDA runtime's version, as '13.0'."""
    return _dotted(cupy.cuda.runtime.runtimeGetVersion())


def libraries() -> dict[str, str]:
    """The CUDA libraries in use and their versions, or why one cannot be used. Answers without a device too."""

    def blas() -> str:
        from cupy_backends.cuda.libs import cublas

        number = int(cublas.getVersion(cupy.cuda.get_cublas_handle()))
        return f"{number // 10000}.{number % 10000 // 100}.{number % 100}"

    def driver() -> str:
        number = cupy.cuda.runtime.driverGetVersion()
        return _dotted(number) if number else "not installed"

    def nvrtc() -> str:
        return ".".join(str(n) for n in cupy.cuda.nvrtc.getVersion())

    result = {"CuPy": str(cupy.__version__)}
    for name, ask in (("driver", driver), ("runtime", version), ("NVRTC", nvrtc), ("cuBLAS", blas)):
        try:
            result[name] = ask()
        except (ImportError, OSError, RuntimeError) as error:
            result[name] = "not usable: " + (str(error).strip().splitlines() or [type(error).__name__])[0]
    return result


def cusolver_handle() -> int:
    return int(cupy.cuda.device.get_cusolver_handle())


def synchronize(index: int) -> None:
    """Wait for the work of all streams of a device."""
    cupy.cuda.Device(index).synchronize()


def can_access_peer(device: int, peer: int) -> bool:
    return bool(cupy.cuda.runtime.deviceCanAccessPeer(device, peer))


def allocating_from(pool: Any) -> Any:
    """A context in which arrays of this thread take their memory from a pool."""
    return cupy.cuda.using_allocator(pool.malloc)


def empty_host_cache() -> None:
    """Give cached blocks of page-locked memory back to the system."""
    accounts().release()
    cupy.get_default_pinned_memory_pool().free_all_blocks()


def sync_debug(mode: int | None = None) -> int:
    """What waits for a device do: 0 nothing, 1 a warning, 2 an error; with an argument it is set."""
    if mode is not None:
        Placement.sync_debug = mode
    return Placement.sync_debug


def profile(start: bool) -> None:
    """Let a profiler that waits for it begin or end to collect."""
    (cupy.cuda.profiler.start if start else cupy.cuda.profiler.stop)()


def nvtx() -> Any:
    """CuPy's marks for profilers; None where NVTX cannot be loaded."""
    from cupy.cuda import nvtx

    return nvtx if nvtx.available else None


# ---- streams and events: CuPy's own objects ----------------------------------------------------------------------------
def new_stream(index: int, priority: int) -> Any:
    """A stream beside the default one, which does not wait for it."""
    with cupy.cuda.Device(index):
        return cupy.cuda.Stream(non_blocking=True, priority=priority)


def external_stream(address: int, index: int) -> Any:
    """A stream that another library made and keeps."""
    with cupy.cuda.Device(index):
        return cupy.cuda.Stream.from_external(SimpleNamespace(__cuda_stream__=lambda: (0, address)))


def current_stream(index: int) -> Any:
    """The stream of this thread on a device."""
    return cupy.cuda.get_current_stream(index)


def null_stream() -> Any:
    """The default stream of every device."""
    return cupy.cuda.Stream.null


def use_stream(stream: Any, index: int) -> None:
    """Make a stream the one of this thread on its device."""
    with cupy.cuda.Device(index):
        stream.use()


def capturing() -> bool:
    """Whether the current stream records a graph."""
    return bool(cupy.cuda.get_current_stream().is_capturing())


def new_event(index: int, timing: bool, blocking: bool, interprocess: bool) -> Any:
    with cupy.cuda.Device(index):
        return cupy.cuda.Event(block=blocking, disable_timing=not timing, interprocess=interprocess)


def elapsed(start: Any, end: Any) -> float:
    """Milliseconds between two events."""
    return float(cupy.cuda.get_elapsed_time(start, end))
