"""How long the kernels of ops take. Source: torch.autograd.profiler.

While a `profile` is open, the kernels of the current backend are timed one by one, forward and backward, under their
names in PolyTensor's table (aten::add); time in Python around them is not seen. Nothing is paid when none is open.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import sys
import threading
from collections.abc import Callable
from functools import wraps
from time import perf_counter
from typing import Any

from .. import devices
from ..absent import refuse_class
from .flops import around, flops

__all__ = ["EventList", "FunctionEvent", "emit_itt", "emit_nvtx", "profile", "record_function"]

_open: list[profile] = []
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class FunctionEvent:
    """One call, or all calls of one name (key_averages): times in microseconds, memory of results in bytes."""

    def __init__(
        self, name: str, start: float, total: float, own: float, thread: int, count: int = 1, shapes: Any = None,
        memory: tuple[int, int] = (0, 0), flops: int = 0, stack: Any = None,
    ) -> None:  # fmt: skip
        self.name = self.key = name
        self.start, self.cpu_time_total, self.self_cpu_time_total = start, total, own
        self.thread, self.count = thread, count
        self.input_shapes: list[list[int]] = shapes or []
        self.cpu_memory_usage, self.self_cpu_memory_usage = memory
        self.flops = flops
        self.stack: list[str] = stack or []  # the innermost function first

    @property
    def cpu_time(self) -> float:
        return self.cpu_time_total / self.count

    def __repr__(self) -> str:
        return f"<FunctionEvent name={self.name} cpu_time={self.cpu_time:.3f}us count={self.count}>"


ELSEWHERE = re.compile("(self_)?(cuda|xpu|device)_(time(_total)?|memory_usage)")  # nothing is timed there


class EventList(list[FunctionEvent]):
    """Events in the order of their starts; which columns a table has."""

    shapes = memory = flops = stacks = False

    @property
    def self_cpu_time_total(self) -> float:
        return sum(e.self_cpu_time_total for e in self)

    def table(
        self, sort_by: str | None = None, row_limit: int = 100, max_src_column_width: int = 75,
        max_name_column_width: int = 55, max_shapes_column_width: int = 80, header: str | None = None,
        top_level_events_only: bool = False, time_unit: str | None = None,
    ) -> str:  # fmt: skip
        """A table of text; `sort_by`: cpu_time_total, self_cpu_time_total, cpu_time, count, cpu_memory_usage, ..."""
        rows = list(self)
        if sort_by is not None and not ELSEWHERE.fullmatch(sort_by):
            rows.sort(key=lambda e: -getattr(e, sort_by))
        rows = rows[:row_limit] if row_limit >= 0 else rows
        total = self.self_cpu_time_total or 1.0
        titles = ["Name", "Self CPU %", "Self CPU", "CPU total %", "CPU total", "CPU time avg"]
        titles += ["CPU Mem", "Self CPU Mem"] * self.memory + ["# of Calls"] + ["Input Shapes"] * self.shapes
        counts = [e.flops for e in self if e.flops and self.flops]
        power = min(len(str(min(counts))) - 1, 15) // 3 if counts else 0
        places = self.stacks and any(e.stack for e in self)
        titles += ["Source Location"] * places + [f"Total {' KMGTP'[power].strip()}FLOPs"] * bool(counts)
        cells = []
        for e in rows:
            memory = [_bytes(e.cpu_memory_usage), _bytes(e.self_cpu_memory_usage)] * self.memory
            cells.append([
                _short(e.key, max_name_column_width), f"{e.self_cpu_time_total / total:.2%}", _time(e.self_cpu_time_total),
                f"{e.cpu_time_total / total:.2%}", _time(e.cpu_time_total), _time(e.cpu_time), *memory, str(e.count),
                *[_short(str(e.input_shapes), max_shapes_column_width)] * self.shapes,
                *[_short("".join(e.stack[:1]), max_src_column_width)] * places,
                *[f"{e.flops / 1000**power:.3f}" if e.flops else "--"] * bool(counts),
            ])  # fmt: skip
            at = len(titles) - 1 - bool(counts)
            further = [_short(line, max_src_column_width) for line in [*e.stack[1:], ""]] if places else []
            cells += [[line if i == at else "" for i in range(len(titles))] for line in further]
        widths = [12] * len(titles)
        wide = [i for i, title in enumerate(titles) if title in ("Name", "Input Shapes", "Source Location")]
        for at in wide:
            widths[at] = max([len(row[at]) for row in cells] + [len(titles[at])]) + 4
        rule = "".join("-" * w + "  " for w in widths)
        sides = "".join("<" if title == "Source Location" else ">" for title in titles)
        lines = [rule]
        lines += [
            "".join(f"{c:{s}{w}}  " for c, s, w in zip(row, sides, widths, strict=True)) for row in (titles, *cells)
        ]
        lines.insert(2, rule)
        top = ["=" * (len(rule) - 2), header] if header is not None else []
        return "\n".join([*top, *lines, rule, f"Self CPU time total: {_time(self.self_cpu_time_total)}", ""])

    def key_averages(
        self, group_by_input_shape: bool = False, group_by_stack_n: int = 0, group_by_overload_name: bool = False
    ) -> EventList:
        """All calls of a name, or of a name and its inputs' shapes and its `group_by_stack_n` innermost functions, as one event."""
        groups: dict[Any, FunctionEvent] = {}
        for e in self:
            shapes = e.input_shapes if group_by_input_shape else []
            stack = e.stack[:group_by_stack_n]
            g = groups.get((e.key, str(shapes), *stack))
            if g is None:
                g = FunctionEvent(e.key, e.start, 0.0, 0.0, e.thread, 0, shapes, stack=stack)
                groups[e.key, str(shapes), *stack] = g
            g.count += 1
            g.cpu_time_total += e.cpu_time_total
            g.self_cpu_time_total += e.self_cpu_time_total
            g.cpu_memory_usage += e.cpu_memory_usage
            g.self_cpu_memory_usage += e.self_cpu_memory_usage
            g.flops += e.flops
        result = EventList(groups.values())
        result.flops, result.stacks = self.flops, self.stacks
        result.memory, result.shapes = self.memory, self.shapes and group_by_input_shape
        return result

    def export_stacks(self, path: str, metric: str) -> None:
        """Write a line for each event with a stack, the outermost function first, and its time: for a flame graph."""
        if metric not in _METRICS:
            raise ValueError(f"metric should be one of: {_METRICS}")
        with open(path, "w") as f:
            for e in self:
                time = int(getattr(e, metric, 0))
                if e.stack and time:
                    f.write(";".join(s.translate(_MARKS) for s in reversed(e.stack)) + f" {time}\n")

    def total_average(self) -> FunctionEvent:
        """All events as one."""
        return FunctionEvent(
            "Total", 0.0, sum(e.cpu_time_total for e in self), self.self_cpu_time_total, 0, sum(e.count for e in self)
        )

    def export_chrome_trace(self, path: str) -> None:
        """Write the events as JSON that chrome://tracing reads; compressed if the path ends in .gz."""
        with gzip.open(path, "wt") if str(path).endswith(".gz") else open(path, "w") as f:
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


_METRICS = ["self_cpu_time_total", "self_cuda_time_total", "self_xpu_time_total", "self_privateuse1_time_total"]
_MARKS = str.maketrans(" ;\t\n", "____")


def _time(us: float) -> str:
    return f"{us / 1e6:.3f}s" if us >= 1e6 else f"{us / 1e3:.3f}ms" if us >= 1e3 else f"{us:.3f}us"


def _bytes(n: int) -> str:
    for unit, size in (("GB", 2**30), ("MB", 2**20), ("KB", 2**10)):
        if abs(n) >= size:
            return f"{n / size:.2f} {unit}"
    return f"{n} B"


def _short(text: str, width: int | None) -> str:
    return text if not width or len(text) <= width else text[: width - 3] + "..."


class _Stack(threading.local):
    """[time, bytes] of the calls within the open ones, innermost last."""

    def __init__(self) -> None:
        self.inner: list[list[Any]] = []


_stack = _Stack()


def _begin() -> float:
    _stack.inner.append([0.0, 0])
    return perf_counter()


def _end(
    name: str, start: float, args: Any = (), result: Any = None, kernel: bool = False, outermost: bool = False
) -> None:
    total = perf_counter() - start
    inner, within = _stack.inner.pop()
    made = _made(result) if kernel else within
    if _stack.inner:
        _stack.inner[-1][0] += total
        _stack.inner[-1][1] += made
    for p in _open:
        shapes = [list(getattr(x, "shape", ())) for x in args] if p.events.shapes else None
        times = (start - p.started) * 1e6, total * 1e6, (total - inner) * 1e6
        count = flops(name[6:], args, result) if outermost and p.events.flops and result is not None else 0
        stack = _where() if p.events.stacks else None
        bytes_ = (made, made - within)
        p.events.append(FunctionEvent(name, *times, threading.get_ident(), 1, shapes, bytes_, count, stack))


def _where() -> list[str]:
    """The functions that are open, but for those of the package: 'file(line): name', up to the script itself."""
    found: list[str] = []
    frame: Any = sys._getframe(2)
    while frame is not None:
        code = frame.f_code
        if not code.co_filename.startswith(_PACKAGE) and code.co_filename[0] != "<":
            paths = [p for p in sys.path if p and code.co_filename.startswith(p + os.sep)]
            path = code.co_filename[len(max(paths, key=len)) + 1 :] if paths else code.co_filename
            found.append(f"{path}({code.co_firstlineno}): {code.co_name}")
        if code.co_name == "<module>" and frame.f_globals.get("__name__") == "__main__":
            break
        frame = frame.f_back
    return found


def _made(result: Any) -> int:
    """Bytes of new arrays: those that are no views."""
    results = result if isinstance(result, (tuple, list)) else (result,)
    return sum(r.nbytes for r in results if getattr(r, "base", True) is None)


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


def _timed(name: str, start: float, args: Any, result: Any, outermost: bool) -> None:
    _end(f"aten::{name}", start, args, result, True, outermost)


OPTIONS = frozenset(
    "with_modules experimental_config execution_trace_observer acc_events use_cuda use_device use_kineto "
    "use_cpu custom_trace_id_callback post_processing_timeout_s activity_filters".split()
)


def check_options(options: dict[str, Any]) -> None:
    """TypeError for options that PyTorch's profilers do not have either; those that they have change nothing here."""
    unknown = sorted(options.keys() - OPTIONS)
    if unknown:
        raise TypeError(f"profile.__init__() got an unexpected keyword argument '{unknown[0]}'")


class profile:
    """Times what runs inside; afterwards `key_averages().table()` shows it. Other options of PyTorch's are accepted.

    record_shapes: shapes of the kernels' arguments; profile_memory: bytes of the arrays that they make; with_flops: operations
    of products and convolutions, elements of add and mul; with_stack: the Python functions around.
    """

    def __init__(
        self, enabled: bool = True, *, record_shapes: bool = False, profile_memory: bool = False, with_flops: bool = False,
        with_stack: bool = False, **options: Any,
    ) -> None:  # fmt: skip
        check_options(options)
        self.enabled = enabled
        self.events = EventList()
        self.events.shapes, self.events.memory = record_shapes, profile_memory
        self.events.flops, self.events.stacks = with_flops, with_stack
        self.started = 0.0
        self._restore: Callable[[], None] | None = None

    def __enter__(self) -> profile:
        if self.enabled:
            self.started = perf_counter()
            if not _open:
                from ..ops.rows import ROWS

                self._restore = around(devices.current_device().backend, ROWS, _timed, _begin)
            _open.append(self)
        return self

    def __exit__(self, *exc: object) -> None:
        if self.enabled:
            _open.remove(self)
            self.events.sort(key=lambda e: (e.start, -e.cpu_time_total))
            if self._restore is not None:
                self._restore()

    @property
    def function_events(self) -> EventList:
        return self.events

    @property
    def self_cpu_time_total(self) -> float:
        return self.events.self_cpu_time_total

    def key_averages(self, *args: Any, **kwargs: Any) -> EventList:
        return self.events.key_averages(*args, **kwargs)

    def total_average(self) -> FunctionEvent:
        return self.events.total_average()

    def table(self, sort_by: str | None = None, row_limit: int = 100, **kwargs: Any) -> str:
        return self.events.table(sort_by, row_limit, **kwargs)

    def export_stacks(self, path: str, metric: str = "self_cpu_time_total") -> None:
        assert self.events.stacks, "export_stacks() requires with_stack=True"
        self.events.export_stacks(path, metric)

    def export_chrome_trace(self, path: str) -> None:
        self.events.export_chrome_trace(path)

    def __repr__(self) -> str:
        return self.table() if self.events else "<unfinished torch.autograd.profile>"


emit_nvtx = refuse_class("torch.autograd.profiler.emit_nvtx", "use torch.cuda.nvtx or torch.profiler")
emit_itt = refuse_class("torch.autograd.profiler.emit_itt", "use torch.profiler")


def kineto_available() -> bool:
    """False: times are taken here, not by that library."""
    return False
