"""torch.profiler: the kernels' times, step by step. Source: torch.profiler.

`profile` stands on autograd.profiler; activities of other devices are accepted and not recorded.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import Enum
from socket import gethostname
from time import time_ns
from typing import Any

from .autograd.profiler import EventList, check_options
from .autograd.profiler import kineto_available as kineto_available
from .autograd.profiler import profile as _Timer
from .autograd.profiler import record_function as record_function

__all__ = [
    "ProfilerAction", "ProfilerActivity", "profile", "record_function", "schedule", "supported_activities",
    "tensorboard_trace_handler",
]  # fmt: skip


class ProfilerActivity(Enum):
    CPU = 0
    XPU = 1
    CUDA = 3


class ProfilerAction(Enum):
    """What the profiler does in one step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


def supported_activities() -> set[ProfilerActivity]:
    return {ProfilerActivity.CPU}


def schedule(
    *, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0, skip_first_wait: int = 0
) -> Callable[[int], ProfilerAction]:
    """What to do at which step: cycles of wait, warmup and active, `repeat` times (0: always), after `skip_first` steps.

    Source: torch.profiler.schedule.
    """
    if min(wait, warmup, repeat, skip_first) < 0 or active <= 0:
        raise AssertionError("Invalid profiler schedule arguments")

    def action(step: int) -> ProfilerAction:
        if step < 0:
            raise AssertionError(f"Step must be non-negative. Got {step}.")
        if step < skip_first:
            return ProfilerAction.NONE
        step -= skip_first
        if skip_first_wait:
            step += wait
        cycle = wait + warmup + active
        if repeat and step // cycle >= repeat:
            return ProfilerAction.NONE
        k = step % cycle
        if k < wait:
            return ProfilerAction.NONE
        if k < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD if k < cycle - 1 else ProfilerAction.RECORD_AND_SAVE

    return action


def tensorboard_trace_handler(
    dir_name: str, worker_name: str | None = None, use_gzip: bool = False
) -> Callable[[profile], None]:
    """An on_trace_ready that writes a Chrome trace into a folder. Source: torch.profiler.tensorboard_trace_handler."""

    def write(prof: profile) -> None:
        os.makedirs(dir_name, exist_ok=True)
        name = f"{worker_name or f'{gethostname()}_{os.getpid()}'}.{time_ns()}.pt.trace.json" + ".gz" * use_gzip
        prof.export_chrome_trace(os.path.join(dir_name, name))

    return write


class profile:
    """Times kernels inside; with a `schedule`, in the steps (prof.step()) that it picks. Source: torch.profiler.profile."""

    def __init__(
        self,
        *,
        activities: Any = None,
        schedule: Callable[[int], ProfilerAction] | None = None,
        on_trace_ready: Callable[[profile], Any] | None = None,
        record_shapes: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_flops: bool = False,
        **options: Any,
    ) -> None:
        check_options(options)
        self._options = {"record_shapes": record_shapes, "profile_memory": profile_memory}
        self._options |= {"with_stack": with_stack, "with_flops": with_flops}
        self._plan = schedule or (lambda step: ProfilerAction.RECORD)
        self._ready = on_trace_ready
        self.step_num = 0
        self._timer: _Timer | None = None
        self._last = EventList()

    def _enter(self) -> None:
        recording = self._plan(self.step_num) in (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)
        if recording and self._timer is None:
            self._timer = _Timer(**self._options)
            self._timer.__enter__()

    def _leave(self) -> None:
        if self._timer is not None:
            self._timer.__exit__()
            self._last, self._timer = self._timer.events, None
            if self._ready is not None:
                self._ready(self)

    def start(self) -> None:
        self._enter()

    def stop(self) -> None:
        self._leave()

    def step(self) -> None:
        """One step of the program is over."""
        done = self._plan(self.step_num) is ProfilerAction.RECORD_AND_SAVE
        self.step_num += 1
        if done:
            self._leave()
        self._enter()

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def events(self) -> EventList:
        return self._last if self._timer is None else self._timer.events

    def key_averages(self, *args: Any, **kwargs: Any) -> EventList:
        return self.events().key_averages(*args, **kwargs)

    def export_stacks(self, path: str, metric: str = "self_cpu_time_total") -> None:
        assert self._options["with_stack"], "export_stacks() requires with_stack=True"
        self.events().export_stacks(path, metric)

    def export_chrome_trace(self, path: str) -> None:
        self.events().export_chrome_trace(path)
