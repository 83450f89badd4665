"""Checks of values. On the CPU they raise at once; a backend that runs asynchronously raises when it is next waited for."""

from __future__ import annotations

from typing import Any

Array = Any


class CheckKernels:
    """Mixed into Backend."""

    asynchronous = False  # whether reading a value waits for a device

    @property
    def capturing(self) -> bool:
        """Whether this thread's work is recorded for a CUDA graph."""
        return False

    def require(self, good: Array, error: type[Exception], text: str) -> None:
        """`error` unless all of `good` (bool) hold."""
        if not good.all():
            raise error(text)

    def require_range(self, index: Array, low: int, high: int, error: type[Exception], text: str) -> None:
        """`error` unless low <= index < high (integers) everywhere."""
        if index.size and (int(index.min()) < low or int(index.max()) >= high):
            raise error(text)

    def may_hold(self, mask: Array) -> bool:
        """Whether any of `mask` (bool) holds, for shortcuts: True where asking would wait for the device."""
        return bool(mask.any())

    def item(self, x: Array) -> Any:
        """The one element as a Python number."""
        return x.item()

    def tolist(self, x: Array) -> Any:
        return x.tolist()
