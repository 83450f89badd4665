"""Streams, events, memory counts and device properties for ``polytensor.cuda``. Imported only where CUDA is usable."""

from __future__ import annotations

from collections import OrderedDict
from types import SimpleNamespace
from typing import Any

import cupy

_peak: dict[int, int] = {}


def use(index: int) -> None:
    """Make a device the current one of this thread."""
    cupy.cuda.Device(index).use()


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
    )


def version() -> str:
    """The CUDA runtime's version, as '13.0'."""
    number = cupy.cuda.runtime.runtimeGetVersion()
    return f"{number // 1000}.{number % 1000 // 10}"


def memory(index: int) -> OrderedDict[str, int]:
    """Bytes in use and held by the pool; the peak is the largest value that a call has seen."""
    with cupy.cuda.Device(index):
        pool = cupy.get_default_memory_pool()
        used, held = int(pool.used_bytes()), int(pool.total_bytes())
    _peak[index] = max(_peak.get(index, 0), used)
    return OrderedDict(
        {
            "allocated_bytes.all.current": used,
            "allocated_bytes.all.peak": _peak[index],
            "reserved_bytes.all.current": held,
            "reserved_bytes.all.peak": held,
        }
    )


def reset_peak(index: int) -> None:
    _peak.pop(index, None)


class Stream:
    """A queue of work (``torch.cuda.Stream``); a context manager that makes it the current one."""

    def __init__(self, device: Any = None, priority: int = 0, *, base: Any = None) -> None:
        self.base = cupy.cuda.Stream(non_blocking=True, priority=priority) if base is None else base

    @property
    def cuda_stream(self) -> int:
        return int(self.base.ptr)

    def synchronize(self) -> None:
        self.base.synchronize()

    def query(self) -> bool:
        """Whether all queued work is done."""
        return bool(self.base.done)

    def record_event(self, event: Event | None = None) -> Event:
        event = Event() if event is None else event
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        self.base.wait_event(event.base)

    def wait_stream(self, stream: Stream) -> None:
        self.wait_event(stream.record_event())

    def __enter__(self) -> Stream:
        self.base.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self.base.__exit__(*exc)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and self.cuda_stream == other.cuda_stream

    def __hash__(self) -> int:
        return hash(self.cuda_stream)

    def __repr__(self) -> str:
        return f"<torch.cuda.Stream cuda_stream={self.cuda_stream:#x}>"


class Event:
    """A mark in a stream (``torch.cuda.Event``)."""

    def __init__(self, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False) -> None:
        self.base = cupy.cuda.Event(block=blocking, disable_timing=not enable_timing, interprocess=interprocess)

    def record(self, stream: Stream | None = None) -> None:
        self.base.record(None if stream is None else stream.base)

    def wait(self, stream: Stream | None = None) -> None:
        (current_stream() if stream is None else stream).wait_event(self)

    def query(self) -> bool:
        return bool(self.base.done)

    def synchronize(self) -> None:
        self.base.synchronize()

    def elapsed_time(self, end_event: Event) -> float:
        """Milliseconds up to another event."""
        return float(cupy.cuda.get_elapsed_time(self.base, end_event.base))


def current_stream() -> Stream:
    return Stream(base=cupy.cuda.get_current_stream())


def default_stream() -> Stream:
    return Stream(base=cupy.cuda.Stream.null)


def can_access_peer(device: int, peer: int) -> bool:
    return bool(cupy.cuda.runtime.deviceCanAccessPeer(device, peer))
