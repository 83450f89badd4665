"""torch.cpu: one device, with nothing to wait for."""

from __future__ import annotations

from typing import Any

from . import amp as amp


class Stream:
    """Here so that code for any device runs: CPU work is done when an op returns. Source: torch.cpu.Stream."""

    def __init__(self, priority: int = -1) -> None:
        self.priority = priority

    def wait_stream(self, stream: Any) -> None:
        """Nothing to wait for."""

    def record_event(self) -> None:
        """No mark."""

    def wait_event(self, event: Any) -> None:
        """Nothing to wait for."""


class Event:
    """A mark that was always reached. Source: torch.cpu.Event."""

    def query(self) -> bool:
        return True

    def record(self, stream: Any = None) -> None:
        """No mark."""

    def synchronize(self) -> None:
        """Nothing to wait for."""

    def wait(self, stream: Any = None) -> None:
        """Nothing to wait for."""


class StreamContext:
    """A context in which `stream` is the current one. Source: torch.cpu.StreamContext."""

    def __init__(self, stream: Any) -> None:
        self.stream, self.before = stream, _default

    def __enter__(self) -> None:
        global _current
        if self.stream is not None:
            self.before, _current = _current, self.stream

    def __exit__(self, *exc: object) -> None:
        global _current
        if self.stream is not None:
            _current = self.before


_default = _current = Stream()


def stream(stream: Any) -> StreamContext:
    """A context in which `stream` is the current one."""
    return StreamContext(stream)


def current_stream(device: Any = None) -> Stream:
    return _current


def set_device(device: Any) -> None:
    """Nothing: there is one CPU device."""


def is_available() -> bool:
    return True


def is_initialized() -> bool:
    return True


def device_count() -> int:
    return 1


def current_device() -> str:
    return "cpu"


def synchronize(device: Any = None) -> None:
    """Nothing: CPU work is done when an op returns."""
