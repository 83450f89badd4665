"""Streams and events of CUDA devices. Source: torch.cuda.streams."""

from __future__ import annotations

import ctypes
from typing import Any

from .. import devices, streams
from . import _index, _runtime, current_device, is_available

__all__ = [
    "Event", "ExternalStream", "Stream", "StreamContext", "current_stream", "default_stream", "get_stream_from_external",
    "is_current_stream_capturing", "set_stream", "stream",
]  # fmt: skip


def _place(device: Any) -> int:
    """The index of a device; None and negative numbers mean the current one."""
    return current_device() if device is None or isinstance(device, int) and device < 0 else _index(device)


class Stream(streams.Stream):
    """A queue of work on one device; lower priorities come first. A context in which it is the current one.

    RuntimeError where no device is usable. Source: torch.cuda.Stream.
    """

    base: Any  # CuPy's stream
    device_index: int
    _outer: list[StreamContext]

    def __new__(cls, device: Any = None, priority: int = 0, **kwargs: Any) -> Stream:
        if not is_available():
            raise RuntimeError("torch.cuda.Stream requires CUDA support")
        if "stream_id" in kwargs:  # what another Stream tells of itself
            index, address = kwargs.get("device_index", 0), kwargs["stream_id"]
            return cls._of(_runtime().external_stream(address, index) if address else _runtime().null_stream(), index)
        index = _place(device)
        return cls._of(_runtime().new_stream(index, priority), index)

    @classmethod
    def _of(cls, base: Any, index: int) -> Stream:
        """The stream that CuPy knows as `base`."""
        self = object.__new__(cls)
        self.base, self.device_index, self._outer = base, index, []
        return self

    @property
    def device(self) -> Any:
        return devices.resolve("cuda", self.device_index)

    @property
    def device_type(self) -> int:
        return 1

    @property
    def cuda_stream(self) -> int:
        """The address of the stream, 0 for the default one."""
        return int(self.base.ptr)

    stream_id = cuda_stream

    @property
    def _as_parameter_(self) -> Any:
        return ctypes.c_void_p(self.cuda_stream)

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self.cuda_stream

    @property
    def priority(self) -> int:
        with _runtime().on(self.device_index):
            return int(self.base.priority)

    @staticmethod
    def priority_range() -> tuple[int, int]:
        """The least and the greatest priority."""
        return 0, -5

    def synchronize(self) -> None:
        """Wait for all work that is queued here."""
        with _runtime().on(self.device_index):  # every device has a default stream of this address
            self.base.synchronize()
        self.device.backend.waited()

    def query(self) -> bool:
        """Whether all queued work is done."""
        with _runtime().on(self.device_index):
            return bool(self.base.done)

    def record_event(self, event: Event | None = None) -> Event:
        """A mark (a new one by default) behind the work that is queued here."""
        event = Event() if event is None else event
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """Let work that is queued here from now on wait for an event."""
        event.wait(self)

    def wait_stream(self, stream: Stream) -> None:
        """Let work that is queued here from now on wait for what is queued there now."""
        self.wait_event(stream.record_event())

    def __enter__(self) -> Stream:
        context = StreamContext(self)
        context.__enter__()
        self._outer.append(context)
        return self

    def __exit__(self, *exc: object) -> None:
        self._outer.pop().__exit__(*exc)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Stream)
            and self.device_index == other.device_index
            and self.cuda_stream == other.cuda_stream
        )

    def __hash__(self) -> int:
        return hash((self.cuda_stream, self.device_index))

    def __repr__(self) -> str:
        return f"<torch.cuda.Stream device=cuda:{self.device_index} cuda_stream={self.cuda_stream:#x}>"


class ExternalStream(Stream):
    """A stream of another library by its address; that library keeps it alive. Source: torch.cuda.ExternalStream."""

    def __new__(cls, stream_ptr: int, device: Any = None, **kwargs: Any) -> ExternalStream:
        if not is_available():
            raise RuntimeError("torch.cuda.ExternalStream requires CUDA support")
        index = _place(device)
        return cls._of(_runtime().external_stream(int(stream_ptr), index), index)  # type: ignore[return-value]


class Event(streams.Event):
    """A mark in a stream, made on the device of the stream that records it first. Source: torch.cuda.Event.

    RuntimeError where no device is usable.
    """

    base: Any  # CuPy's event, None until it is recorded
    _options: tuple[bool, bool, bool]
    _device: int | None

    def __new__(
        cls, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False, external: bool = False
    ) -> Event:
        if not is_available():
            raise RuntimeError("torch.cuda.Event requires CUDA support")
        self = object.__new__(cls)
        self.base, self._device, self._options = None, None, (bool(enable_timing), bool(blocking), bool(interprocess))
        return self

    @property
    def cuda_event(self) -> int:
        return 0 if self.base is None else int(self.base.ptr)

    @property
    def device(self) -> Any:
        return None if self._device is None else devices.resolve("cuda", self._device)

    @property
    def _as_parameter_(self) -> Any:
        return ctypes.c_void_p(self.cuda_event)

    def record(self, stream: Stream | None = None) -> None:
        """Put the mark behind what is queued in a stream (the current one)."""
        stream = current_stream() if stream is None else stream
        runtime, index = _runtime(), stream.device_index
        if self.base is None:
            self.base, self._device = runtime.new_event(index, *self._options), index
        elif self._device != index:
            raise RuntimeError(
                f"Event device cuda:{self._device} does not match recording stream's device cuda:{index}."
            )
        with runtime.on(index):
            self.base.record(stream.base)

    def wait(self, stream: Stream | None = None) -> None:
        """Let work that is queued in a stream (the current one) from now on wait for this mark."""
        stream = current_stream() if stream is None else stream
        if self.base is not None:
            with _runtime().on(stream.device_index):
                stream.base.wait_event(self.base)

    def query(self) -> bool:
        """Whether the work before the mark is done; True for one never recorded."""
        return self.base is None or bool(self.base.done)

    def synchronize(self) -> None:
        """Wait for the work before the mark."""
        if self.base is not None:
            self.base.synchronize()
            self.device.backend.waited()

    def elapsed_time(self, end_event: Event) -> float:
        """Milliseconds up to another event. ValueError unless both measure time and were recorded."""
        if not (self._options[0] and end_event._options[0]):
            raise ValueError("Both events must be created with argument 'enable_timing=True'.")
        if self.base is None or end_event.base is None:
            raise ValueError("Both events must be recorded before calculating elapsed time.")
        return float(_runtime().elapsed(self.base, end_event.base))

    def __repr__(self) -> str:
        return (
            f"<torch.cuda.Event {self.cuda_event:#x}>" if self.base is not None else "<torch.cuda.Event uninitialized>"
        )


class StreamContext:
    """A context in which a stream, and its device, are the current ones; None: nothing changes."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self._before: list[Any] = []

    def __enter__(self) -> None:
        if self.stream is not None:
            self._before = [current_stream(), current_stream(self.stream.device_index)]
            set_stream(self.stream)

    def __exit__(self, *exc: object) -> None:
        if self.stream is not None:
            here, there = self._before
            set_stream(there)
            set_stream(here)


def stream(stream: Any) -> StreamContext:
    """A context in which `stream` is the current one. Source: torch.cuda.stream."""
    return StreamContext(stream)


def set_stream(stream: Any) -> None:
    """Make a stream the current one of this thread, and its device too. None: nothing changes."""
    if stream is None:
        return
    runtime = _runtime()
    if stream.device_index != current_device():
        runtime.use(stream.device_index)
    runtime.use_stream(stream.base, stream.device_index)


def current_stream(device: Any = None) -> Stream:
    """The stream of this thread on a device (the current one)."""
    index = _place(device)
    return Stream._of(_runtime().current_stream(index), index)


def default_stream(device: Any = None) -> Stream:
    """The default stream of a device (the current one)."""
    index = _place(device)
    return Stream._of(_runtime().null_stream(), index)


def get_stream_from_external(data_ptr: int, device: Any = None) -> Stream:
    """A stream of another library by its address. Source: torch.cuda.get_stream_from_external."""
    _runtime()
    return ExternalStream(data_ptr, device)


def is_current_stream_capturing() -> bool:
    """Whether the current stream records a graph; False where no device is usable."""
    return bool(is_available() and _runtime().capturing())
