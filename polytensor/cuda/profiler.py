"""Tell NVIDIA's profilers when to collect. Source: torch.cuda.profiler."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from . import _runtime

__all__ = ["profile", "start", "stop"]


def start() -> None:
    """Let the profiler begin to collect."""
    _runtime().profile(True)


def stop() -> None:
    """Let the profiler end to collect."""
    _runtime().profile(False)


@contextmanager
def profile() -> Iterator[None]:
    """Within the block a profiler collects."""
    try:
        start()
        yield
    finally:
        stop()
