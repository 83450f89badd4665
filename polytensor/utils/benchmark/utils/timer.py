"""Times of Python statements. Source: torch.utils.benchmark.utils.timer."""

from __future__ import annotations

import enum
import statistics
import sys
import timeit
from collections.abc import Callable
from textwrap import dedent
from typing import Any

from .common import Measurement, TaskSpec, set_torch_threads

__all__ = ["Language", "Timer", "timer"]


def timer() -> float:
    """Seconds, after what CUDA has been asked to do."""
    from .... import cuda

    if cuda.is_available() and cuda.is_initialized():
        cuda.synchronize()
    return timeit.default_timer()


class Language(enum.Enum):
    PYTHON = 0
    CPP = 1


class Timer:
    """Times `stmt` after `setup`, both Python's text, with `globals` and `torch`, on `num_threads` threads (default: 1).

    label, sub_label, description and env name the result in tables. Source: torch.utils.benchmark.Timer.
    """

    _timer_cls = timeit.Timer

    def __init__(
        self, stmt: str = "pass", setup: str = "pass", global_setup: str = "", timer: Callable[[], float] = timer,
        globals: dict[str, Any] | None = None, label: str | None = None, sub_label: str | None = None,
        description: str | None = None, env: str | None = None, num_threads: int = 1,
        language: Language | str = Language.PYTHON,
    ) -> None:  # fmt: skip
        if not isinstance(stmt, str):
            raise ValueError("Currently only a `str` stmt is supported.")
        if language in (Language.CPP, "cpp", "c++"):
            raise NotImplementedError("PolyTensor times Python statements only: language=Language.CPP is not there")
        if language not in (Language.PYTHON, "py", "python"):
            raise ValueError(f"Invalid language `{language}`.")
        if global_setup:
            raise ValueError(
                f"global_setup is C++ only, got `{global_setup}`. Most likely this code can simply be moved to `setup`."
            )
        self._globals = {**(globals or {})}
        self._globals.setdefault("torch", sys.modules[__name__.partition(".")[0]])
        stmt, setup = _plain(stmt), _plain(setup)
        self._task_spec = TaskSpec(stmt, setup, "", label, sub_label, description, env, num_threads)
        self._timer = self._timer_cls(stmt=stmt, setup=setup, timer=timer, globals=self._globals)

    def _timeit(self, number: int) -> float:
        return max(self._timer.timeit(number), 1e-9)

    def _measured(self, number: int, times: list[float]) -> Measurement:
        return Measurement(number, times, self._task_spec)

    def timeit(self, number: int = 1000000) -> Measurement:
        """One Measurement of `number` runs, after a warm-up of a hundredth."""
        with set_torch_threads(self._task_spec.num_threads):
            self._timeit(max(int(number // 100), 2))
            return self._measured(number, [self._timeit(number)])

    def repeat(self, repeat: int = -1, number: int = -1) -> None:
        raise NotImplementedError("See `Timer.blocked_autorange.`")

    def autorange(self, callback: Any = None) -> None:
        raise NotImplementedError("See `Timer.blocked_autorange.`")

    def _block(self, min_run_time: float) -> int:
        """How many runs make the clock's own time negligible; a warm-up too."""
        overhead = statistics.median(self._timeit(0) for _ in range(5))
        number = 1
        while True:
            taken = self._timeit(number)
            enough = overhead / taken <= 1e-4 and taken >= min_run_time / 1000
            if enough or taken > min_run_time or number * 10 > 2147483647:
                return number
            number *= 10

    def _loop(self, number: int, callback: Any, least: float, most: float | None, done: Any) -> Measurement:
        times: list[float] = []
        while sum(times) < least or not done(times):
            times.append(self._timeit(number))
            if callback:
                callback(number, times[-1])
            if most and sum(times) > most:
                break
        return self._measured(number, times)

    def blocked_autorange(
        self, callback: Callable[[int, float], Any] | None = None, min_run_time: float = 0.2
    ) -> Measurement:
        """Blocks of runs, as many as fill `min_run_time` seconds."""
        with set_torch_threads(self._task_spec.num_threads):
            return self._loop(self._block(min_run_time), callback, min_run_time, None, bool)

    def adaptive_autorange(
        self, threshold: float = 0.1, *, min_run_time: float = 0.01, max_run_time: float = 10.0,
        callback: Callable[[int, float], Any] | None = None,
    ) -> Measurement:  # fmt: skip
        """Blocks of runs until their spread is below `threshold`, or `max_run_time` seconds are over."""
        with set_torch_threads(self._task_spec.num_threads):
            number = self._block(0.05)

            def done(times: list[float]) -> bool:
                return len(times) > 3 and self._measured(number, times).meets_confidence(threshold)

            return self._loop(number, callback, min_run_time, max_run_time, done)

    def collect_callgrind(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("PolyTensor counts no instructions: Timer.blocked_autorange() measures times")


def _plain(text: str) -> str:
    """A block of code that may be indented as a whole, and may start on the line after its quotes."""
    text = dedent(text)
    while text and text[0] == "\n":
        text = text[1:]
    return text.rstrip()
