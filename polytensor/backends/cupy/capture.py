"""CUDA graphs: what a capture needs of the backend, and what a graph keeps alive.

A graph holds addresses. What is allocated under capture comes from a memory pool that nothing else uses; small arrays made
of host values are copied by another stream into memory of the usual pool, which the graph keeps. Anything that waits for the
device, and copies of a program's own data, are refused: the graph would repeat them with the values of the capture.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from .launch import kernel, register

WORDS = r"""
__global__ void put_words(u64* out, u64 a, u64 b) { out[0] = a; out[1] = b; }
"""
register("put_words", WORDS)
MAKERS = ("asarray", "array", "ascontiguousarray")
WAITS = (
    "a CUDA graph cannot be captured: {what} waits for the device, or brings data from the host, which a replay would not do "
    "again"
)


class CaptureError(RuntimeError):
    """What is asked for cannot be part of a graph."""


class Capture:
    """A capture under way: its thread, its stream, and what the graph needs later."""

    def __init__(self, stream: Any, pool: Any, outer: Any) -> None:
        self.thread, self.stream, self.pool, self.outer = threading.get_ident(), stream, pool, outer
        self.kept: list[Any] = []
        self.context: Any = None
        self.words: Any = None  # (seed, first block) of the random draws, on the device
        self.start = 0


class Executable:
    """A captured graph with all the memory that it reads and writes."""

    def __init__(self, graph: Any, capture: Capture) -> None:
        self.graph, self.pool, self.kept, self.words = graph, capture.pool, capture.kept, capture.words


class CaptureKernels:
    """Mixed into CupyBackend, before Backend."""

    xp: Any
    asarray: Any
    forget_workspaces: Any
    _small_tables: Any
    memory: Any
    sync_debug: int
    tell_wait: Any
    _capture: Capture | None = None

    @property
    def capturing(self) -> bool:
        """Whether this thread captures a graph."""
        return self._capture is not None and self._capture.thread == threading.get_ident()

    def refuse_captured(self, what: str) -> None:
        """CaptureError where this thread captures a graph."""
        if self._capture is not None and self.capturing:
            raise CaptureError(WAITS.format(what=what))
        if self.sync_debug:
            self.tell_wait(what)

    def hold(self, cached: Any) -> Any:
        """What a cache has, which a graph that is being captured keeps alive too."""
        if self._capture is not None and self.capturing:
            self._capture.kept.append(cached)
        return cached

    # ---- the driver's part ------------------------------------------------------------------------------------------
    def new_pool(self) -> Any:
        """A memory pool for graphs alone."""
        return self.memory().PrivatePool()

    def _current_stream(self) -> Any:
        return self.xp.cuda.get_current_stream()

    def _start(self, capture: Capture) -> None:
        cuda = self.xp.cuda
        capture.context = cuda.using_allocator(capture.pool.malloc)
        capture.context.__enter__()
        try:
            # relaxed: the pool may ask the driver for memory, and constants are copied beside the capture
            capture.stream.begin_capture(cuda.runtime.streamCaptureModeRelaxed)
        except BaseException:
            capture.context.__exit__(None, None, None)
            raise

    def _stop(self, capture: Capture) -> Any:
        try:
            return capture.stream.end_capture()
        finally:
            capture.context.__exit__(None, None, None)

    def launch_graph(self, graph: Any) -> None:
        graph.launch(self._current_stream())

    def _beside(self, capture: Capture, host: Any) -> Any:
        """A copy of a host array, made at once and outside of the capture."""
        cuda, here = self.xp.cuda, self._current_stream()
        side = cuda.Stream(non_blocking=True)
        side.use()
        try:
            with cuda.using_allocator(capture.outer):
                out = self.xp.ndarray(host.shape, host.dtype)
                out.set(host, stream=side)
        finally:
            here.use()  # `with side` would go back to the stream of the last `with`, not to the one in use
        side.synchronize()
        return out

    # ---- begin and end ----------------------------------------------------------------------------------------------
    def begin_capture(self, pool: Any, seed: int, start: int) -> None:
        """Record what this thread queues from now on. seed, start: where the random draws of the graph begin."""
        if self._capture is not None:
            raise RuntimeError("a CUDA graph is being captured already")
        stream = self._current_stream()
        if not stream.ptr:
            raise RuntimeError("CUDA graphs must be captured on a non-default stream.")
        kept = list(self.forget_workspaces())  # those of the graph must come from its pool
        capture = Capture(stream, pool, self._usual_allocator())
        del kept
        capture.words = self.xp.zeros(2, np.uint64)
        self.put_words(capture.words, seed, start)
        capture.start = start
        self.faults  # noqa: B018 its memory must not be made under capture
        self._start(capture)
        self._capture = capture
        self._small_tables().graph = capture.kept
        self._divert()

    def _usual_allocator(self) -> Any:
        self.memory().accounts()
        return self.xp.cuda.get_allocator()

    def end_capture(self) -> Executable:
        """The graph of what was queued since begin_capture."""
        capture = self._capture
        if capture is None:
            raise RuntimeError("no CUDA graph is being captured")
        self._capture = self._small_tables().graph = None
        for name, (home, made) in self._diverted.items():
            setattr(home, name.rpartition(".")[2], made)
        capture.kept += self.forget_workspaces()
        return Executable(self._stop(capture), capture)

    def put_words(self, words: Any, seed: int, start: int) -> None:
        kernel("put_words")((1,), (1,), (words, np.uint64(seed), np.uint64(start)))

    def draw_words(self, counter: int) -> tuple[int, int]:
        """(address of the words that a replay sets, the block counter as seen from there); (0, counter) outside."""
        if self._capture is None or not self.capturing:
            return 0, counter
        return int(self._capture.words.data.ptr), counter - self._capture.start

    def take(self, a: Any, source: Any, non_blocking: bool = False) -> Any:
        if source.device_type == "cpu":
            self.refuse_captured("a copy of a CPU tensor")
        return super().take(a, source, non_blocking)  # type: ignore[misc]

    # ---- values of the host -----------------------------------------------------------------------------------------
    def constant(self, host: Any) -> Any:
        """A NumPy array on the device; under capture a part of the graph that replays do not copy again."""
        capture = self._capture
        if capture is None or not self.capturing:
            return self.xp.asarray(host)
        out = self._beside(capture, np.ascontiguousarray(host).reshape(np.shape(host)))
        capture.kept.append(out)
        return out

    def _divert(self) -> None:
        """Let the functions that make arrays of host values do it beside the capture."""
        self._diverted: dict[str, tuple[Any, Any]] = {}
        for home, name in [(self.xp, n) for n in MAKERS] + [(self, "asarray")]:
            made = getattr(home, name)
            key = name if home is self.xp else f"self.{name}"
            self._diverted[key] = (home, made)
            setattr(home, name, self._beside_or(made))

    def _beside_or(self, made: Any) -> Any:
        array = self.xp.ndarray

        def make(obj: Any, dtype: Any = None, *args: Any, **kwargs: Any) -> Any:
            if isinstance(obj, array) or not self.capturing or holds(obj, array):
                return made(obj, dtype, *args, **kwargs) if dtype is not None else made(obj, *args, **kwargs)
            return self.constant(np.asarray(obj, dtype))

        return make


def holds(obj: Any, array: Any) -> bool:
    """Whether a list or tuple has arrays of the device in it."""
    return isinstance(obj, (list, tuple)) and any(isinstance(x, array) or holds(x, array) for x in obj)
