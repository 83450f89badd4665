"""What was timed, and what came of it. Source: torch.utils.benchmark.utils.common."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from textwrap import indent
from typing import Any

from ....threads import get_num_threads, set_num_threads

__all__ = ["Measurement", "TaskSpec", "ordered_unique", "select_unit", "set_torch_threads", "trim_sigfig",
           "unit_to_english"]  # fmt: skip

UNITS = {"ns": (1e-9, "nanosecond"), "us": (1e-6, "microsecond"), "ms": (1e-3, "millisecond"), "s": (1, "second")}
WARN, WARN_MORE = 0.1, 0.25  # interquartile range / median
PRECISION, MAX_DIGITS = 25e-9, 4


@dataclass(repr=False, frozen=True)
class TaskSpec:
    """A Timer without its globals."""

    stmt: str
    setup: str
    global_setup: str = ""
    label: str | None = None
    sub_label: str | None = None
    description: str | None = None
    env: str | None = None
    num_threads: int = 1

    @property
    def title(self) -> str:
        """The label, or the statement."""
        sub = self.sub_label
        if self.label is None and "\n" in self.stmt:
            return f"stmt:{f' ({sub})' if sub else ''}\n{indent(self.stmt, '  ')}"
        return (self.stmt if self.label is None else self.label) + (f": {sub}" if sub else "")

    def setup_str(self) -> str:
        if self.setup in ("", "pass"):
            return ""
        return f"setup:\n{indent(self.setup, '  ')}" if "\n" in self.setup else f"setup: {self.setup}"

    def summarize(self) -> str:
        """Title, description and setup, as far as they are there."""
        parts = [part for part in (self.title, self.description, self.setup_str()) if part]
        return "\n".join(part + "\n" if "\n" in part else part for part in parts)


_FIELDS = frozenset(field.name for field in fields(TaskSpec))


def quantile(ordered: Any, q: float) -> float:
    """Of ordered values, between neighbours in proportion."""
    at = q * (len(ordered) - 1)
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low] + (ordered[high] - ordered[low]) * (at - low))


@dataclass(repr=False)
class Measurement:
    """Times of one statement: `raw_times` of `number_per_run` runs each. The TaskSpec's fields are attributes too."""

    number_per_run: int
    raw_times: list[float]
    task_spec: TaskSpec
    metadata: dict[Any, Any] | None = None

    def __getattr__(self, name: str) -> Any:
        if name in _FIELDS:
            return getattr(self.task_spec, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def times(self) -> list[float]:
        """Seconds per run."""
        return [t / self.number_per_run for t in self.raw_times]

    @property
    def median(self) -> float:
        return quantile(sorted(self.times), 0.5) if self.raw_times else -1.0

    @property
    def mean(self) -> float:
        return statistics.fmean(self.times) if self.raw_times else -1.0

    def _quartiles(self) -> tuple[float, float]:
        times = sorted(self.times)
        return quantile(times, 0.25), quantile(times, 0.75)

    @property
    def iqr(self) -> float:
        """The interquartile range."""
        low, high = self._quartiles()
        return high - low

    @property
    def significant_figures(self) -> int:
        """How many digits of the median mean something, from 1 to 4: a rough estimate from the inner half."""
        times = sorted(self.times)
        inner = times[len(times) // 4 : math.ceil(3 * len(times) / 4)]
        error = max(1.645 * statistics.pstdev(inner) / math.sqrt(len(inner)), PRECISION)
        return min(max(math.floor(math.log10(self.median / error)), 1), MAX_DIGITS)

    def _warnings(self) -> list[str]:
        if not self.raw_times or self.meets_confidence(WARN):
            return []
        grave = not self.meets_confidence(WARN_MORE)
        why = (
            "This suggests significant environmental influence." if grave else "This could indicate system fluctuation."
        )
        share = self.iqr / self.median * 100
        return [f"  WARNING: Interquartile range is {share:.1f}% of the median measurement.\n           {why}"]

    @property
    def has_warnings(self) -> bool:
        return bool(self._warnings())

    def meets_confidence(self, threshold: float = WARN) -> bool:
        """Whether the interquartile range is under this share of the median."""
        return self.iqr / self.median < threshold

    @property
    def title(self) -> str:
        return self.task_spec.title

    @property
    def as_row_name(self) -> str:
        return self.sub_label or self.stmt or "[Unknown]"

    def __repr__(self) -> str:
        n, runs, threads = len(self.raw_times), self.number_per_run, self.num_threads
        unit, scale = select_unit(self.median)
        low, high = (t / scale for t in self._quartiles())
        several = n > 1
        counts = f"{n} measurement{'s' if several else ''}, {runs} runs {'per measurement,' if several else ','}"
        lines = [
            f"<torch.utils.benchmark.utils.common.Measurement object at {id(self):#x}>",
            self.task_spec.summarize(),
            f"  {'Median: ' if several else ''}{self.median / scale:.2f} {unit}",
            f"  IQR:    {high - low:.2f} {unit} ({low:.2f} to {high:.2f})" if n >= 4 else None,
            f"  {counts} {threads} thread{'s' if threads > 1 else ''}",
            *self._warnings(),
        ]
        return "\n".join(line for line in lines if line is not None)

    @staticmethod
    def merge(measurements: Iterable[Measurement]) -> list[Measurement]:
        """One Measurement per TaskSpec, of all times."""
        groups: dict[TaskSpec, list[float]] = {}
        for m in measurements:
            groups.setdefault(m.task_spec, []).extend(m.times)
        return [Measurement(1, times, spec) for spec, times in groups.items()]


def select_unit(t: float) -> tuple[str, float]:
    """The unit in which a time is between 1 and 1000, and its seconds."""
    unit = {-3: "ns", -2: "us", -1: "ms"}.get(math.floor(math.log10(t) / 3), "s")
    return unit, UNITS[unit][0]


def unit_to_english(u: str) -> str:
    return UNITS[u][1]


def trim_sigfig(x: float, n: int) -> float:
    """`x` with `n` significant figures: 3.14159, 2 gives 3.1."""
    if n != int(n):
        raise AssertionError("Number of significant figures must be an integer")
    scale = 10.0 ** (math.ceil(math.log10(abs(x))) - n)
    return float(round(x / scale) * scale)


def ordered_unique(elements: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(elements))


@contextmanager
def set_torch_threads(n: int) -> Iterator[None]:
    """`n` threads inside."""
    before = get_num_threads()
    try:
        set_num_threads(n)
        yield
    finally:
        set_num_threads(before)
