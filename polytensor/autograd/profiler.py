"""How long the kernels of ops take. Source: torch.autograd.profiler.

While a `profile` is open, the kernels of the current backend are timed one by one, forward and backward, under their
names in PolyTensor's table (aten::add); time in Python around them is not seen. Nothing is paid when none is open.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from functools import wraps
from time import perf_counter
from typing import Any

from .. import devices

__all__ = ["EventList", "FunctionEvent", "profile", "record_function"]

_open: list[profile] = []


class FunctionEvent:
    """One call, or all calls of one name (key_averages): times in microseconds."""

    def __init__(self, name: str, start: float, total: float, own: float, thread: int, count: int = 1) -> None:
        self.name = self.key = name
        self.start, self.cpu_time_total, self.self_cpu_time_total = start, total, own
        self.thread, self.count = thread, count

    @property
    def cpu_time(self) -> float:
        return self.cpu_time_total / self.count

    def __repr__(self) -> str:
        return f"<FunctionEvent name={self.name} cpu_time={self.cpu_time:.3f}us count={self.count}>"


class EventList(list[FunctionEvent]):
    """Events in the order of their ends."""

    @property
    def self_cpu_time_total(self) -> float:
        return sum(e.self_cpu_time_total for e in self)

    def table(self, sort_by: str | None = None, row_limit: int = 100, **kwargs: Any) -> str:
        """A table of text; `sort_by`: cpu_time_total, self_cpu_time_total, cpu_time, count."""
        rows = sorted(self, key=lambda e: -getattr(e, sort_by)) if sort_by else list(self)
        total = self.self_cpu_time_total or 1.0
        width = max([len(e.key) for e in rows[:row_limit]] + [20]) + 2
        titles = ("Self CPU %", "Self CPU", "CPU total %", "CPU total", "CPU time avg", "# of Calls")
        rule = "-" * width + "  " + "  ".join("-" * 12 for _ in titles)
        lines = [rule, " " * (width - 4) + "Name  " + "  ".join(f"{t:>12}" for t in titles), rule]
        for e in rows[:row_limit]:
            cells = (
                f"{e.self_cpu_time_total / total:.2%}", _time(e.self_cpu_time_total), f"{e.cpu_time_total / total:.2%}",
                _time(e.cpu_time_total), _time(e.cpu_time), str(e.count),
            )  # fmt: skip
            lines.append(f"{e.key:>{width}}  " + "  ".join(f"{c:>12}" for c in cells))
        return "\n".join([*lines, rule, f"Self CPU time total: {_time(self.self_cpu_time_total)}", ""])

    def key_averages(self, *args: Any, **kwargs: Any) -> EventList:
        """All calls of a name as one event."""
        groups: dict[str, FunctionEvent] = {}
        for e in self:
            g = groups.setdefault(e.key, FunctionEvent(e.key, e.start, 0.0, 0.0, e.thread, 0))
            g.count += 1
            g.cpu_time_total += e.cpu_time_total
            g.self_cpu_time_total += e.self_cpu_time_total
        return EventList(groups.values())

    def total_average(self) -> FunctionEvent:
        """All events as one."""
        return FunctionEvent(
            "Total", 0.0, sum(e.cpu_time_total for e in self), self.self_cpu_time_total, 0, sum(e.count for e in self)
        )

    def export_chrome_trace(self, path: str) -> None:
        """Write the events as JSON that chrome://tracing reads."""
        with open(path, "w") as f:
            json.dump(
                [
                    {
                        "name": e.name,
                        "ph": "X",
                        "ts": e.start,
                        "dur": e.cpu_time_total,
                        "tid": e.thread,
                        "pid": "CPU functions",
                    }
                    for e in self
                ],
                f,
            )


def _time(us: float) -> str:
    return f"{us / 1e6:.3f}s" if us >= 1e6 else f"{us / 1e3:.3f}ms" if us >= 1e3 else f"{us:.3f}us"


class _Stack(threading.local):
    """Time spent in the calls within the open ones, innermost last."""

    def __init__(self) -> None:
        self.inner: list[float] = []


_stack = _Stack()


def _begin() -> float:
    _stack.inner.append(0.0)
    return perf_counter()


def _end(name: str, start: float) -> None:
    total = perf_counter() - start
    own = total - _stack.inner.pop()
    if _stack.inner:
        _stack.inner[-1] += total
    for p in _open:
        p.events.append(FunctionEvent(name, (start - p.started) * 1e6, total * 1e6, own * 1e6, threading.get_ident()))


class record_function:
    """A name for a piece of code in the profile; a context manager and decorator."""

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name

    def __enter__(self) -> record_function:
        self._start = _begin()
        return self

    def __exit__(self, *exc: object) -> None:
        _end(self.name, self._start)

    def __call__(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(fn)
        def named(*args: Any, **kwargs: Any) -> Any:
            with record_function(self.name):
                return fn(*args, **kwargs)

        return named


class profile:
    """Times what runs inside; afterwards `key_averages().table()` shows it. Other options of PyTorch's are accepted."""

    def __init__(self, enabled: bool = True, **options: Any) -> None:
        self.enabled = enabled
        self.events = EventList()
        self.started = 0.0
        self._restore: Callable[[], None] | None = None

    def __enter__(self) -> profile:
        if self.enabled:
            self.started = perf_counter()
            if not _open:
                self._restore = _time_kernels(devices.current_device().backend)
            _open.append(self)
        return self

    def __exit__(self, *exc: object) -> None:
        if self.enabled:
            _open.remove(self)
            if self._restore is not None:
                self._restore()

    @property
    def function_events(self) -> EventList:
        return self.events

    @property
    def self_cpu_time_total(self) -> float:
        return self.events.self_cpu_time_total

    def key_averages(self, *args: Any, **kwargs: Any) -> EventList:
        return self.events.key_averages()

    def total_average(self) -> FunctionEvent:
        return self.events.total_average()

    def table(self, sort_by: str | None = None, row_limit: int = 100, **kwargs: Any) -> str:
        return self.events.table(sort_by, row_limit)

    def export_chrome_trace(self, path: str) -> None:
        self.events.export_chrome_trace(path)

    def __repr__(self) -> str:
        return self.table() if self.events else "<unfinished torch.autograd.profile>"


def _time_kernels(backend: Any) -> Callable[[], None]:
    """Put a timed kernel in the place of each; gives the function that puts them back."""
    from ..ops.table import ROWS

    own = dict(backend.__dict__)

    def timed(name: str, kernel: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            start = _begin()
            try:
                return kernel(*args, **kwargs)
            finally:
                _end(f"aten::{name}", start)

        return call

    names = [name for name in ROWS if hasattr(backend, name)]
    for name in names:
        setattr(backend, name, timed(name, getattr(backend, name)))

    def restore() -> None:
        for name in names:
            if name in own:
                setattr(backend, name, own[name])
            else:
                delattr(backend, name)

    return restore
