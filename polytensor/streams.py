"""torch.Stream and torch.Event: those of CUDA by their general names; on the CPU, where work is done when an op returns, empty.

Source: torch.Stream, torch.Event.
"""

from __future__ import annotations

from typing import Any

from . import devices

__all__ = ["Event", "Stream"]


def _on(device: Any) -> Any:
    """The device meant; None: CUDA where it is usable, else the CPU. RuntimeError for one that is not here."""
    if device is None:
        return devices.resolve("cuda") if devices.cuda_allowed() else devices.cpu_device()
    dev = devices.resolve(device)
    if not devices.usable(dev):
        raise RuntimeError(f"PyTorch is not linked with support for {dev.type} devices")
    return dev


def _no_events() -> RuntimeError:
    return RuntimeError("cpu backend doesn't support events.")


class Stream:
    """A queue of work on a device: torch.cuda.Stream there. Source: torch.Stream."""

    device: Any
    device_index, device_type, stream_id = -1, 0, 0

    def __new__(cls, device: Any = None, *, priority: int = 0, **kwargs: Any) -> Any:
        dev = _on(device)
        if dev.type == "cuda":
            from .cuda.streams import Stream as CudaStream

            return CudaStream(dev, priority)
        self = object.__new__(cls)
        self.device = dev
        return self

    def query(self) -> bool:
        return True

    def synchronize(self) -> None:
        """Nothing to wait for."""

    def record_event(self, event: Any = None) -> Any:
        """RuntimeError: the CPU has no events."""
        raise _no_events()

    wait_stream = record_event

    def wait_event(self, event: Any) -> None:
        """Nothing to wait for."""

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing changes."""

    def __eq__(self, other: object) -> bool:
        return type(other) is Stream

    def __hash__(self) -> int:
        return hash(Stream)

    def __repr__(self) -> str:
        return "torch.Stream device_type=cpu, device_index=-1, stream_id=0"


class Event:
    """A mark in a stream: torch.cuda.Event for CUDA. Source: torch.Event."""

    device: Any
    event_id = 0
    _timed: bool

    def __new__(
        cls, device: Any = None, *, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False
    ) -> Any:
        dev = _on(device)
        if dev.type == "cuda":
            from .cuda.streams import Event as CudaEvent

            return CudaEvent(enable_timing, blocking, interprocess)
        self = object.__new__(cls)
        self.device, self._timed = dev, bool(enable_timing)
        return self

    def record(self, stream: Any = None) -> None:
        """RuntimeError: the CPU has no events."""
        raise _no_events()

    def wait(self, stream: Any = None) -> None:
        """Nothing to wait for."""

    def query(self) -> bool:
        return True

    def synchronize(self) -> None:
        """Nothing to wait for."""

    def elapsed_time(self, end_event: Any) -> float:
        """ValueError: nothing was recorded."""
        if not (self._timed and end_event._timed):
            raise ValueError("Both events must be created with argument 'enable_timing=True'.")
        raise ValueError("Both events must be recorded before calculating elapsed time.")

    def __repr__(self) -> str:
        return f"torch.Event device_type=cpu, device_index=-1, event_flag={int(self._timed)}, event_id=0"
