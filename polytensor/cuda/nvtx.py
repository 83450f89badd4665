"""Marks and ranges for NVIDIA's profilers, where NVTX can be loaded. Source: torch.cuda.nvtx."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from . import _runtime, is_available

__all__ = ["mark", "range", "range_end", "range_pop", "range_push", "range_start"]

_open = 0  # ranges of this process that were pushed and not popped


def _nvtx() -> Any:
    found = _runtime().nvtx() if is_available() else None
    if found is None:
        raise RuntimeError("NVTX functions not installed. Are you sure you have a CUDA build?")
    return found


def range_push(msg: str) -> int:
    """Begin a range within those that are open; how many were open before."""
    global _open
    _nvtx().RangePush(msg)
    _open += 1
    return _open - 1


def range_pop() -> int:
    """End the innermost range; how many are open now."""
    global _open
    _nvtx().RangePop()
    _open -= 1
    return _open


def range_start(msg: str) -> int:
    """Begin a range that may end in another order and thread; its number, for range_end."""
    return int(_nvtx().RangeStart(msg))


def range_end(range_id: int) -> None:
    """End a range of range_start."""
    _nvtx().RangeEnd(range_id)


def mark(msg: str) -> None:
    """A mark at this time."""
    _nvtx().Mark(msg)


@contextmanager
def range(msg: str, *args: Any, **kwargs: Any) -> Iterator[None]:
    """A range around a block; `msg` is formatted with the arguments."""
    range_push(msg.format(*args, **kwargs))
    try:
        yield
    finally:
        range_pop()
