"""torch._dynamo: what programs set and mark for a compiler. Accepted without effect: functions run as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..compiler import (
    allow_in_graph,
    assume_constant_result,
    check,
    disable,
    is_compiling,
    list_backends,
    register_backend,
    reset,
)  # fmt: skip
from ..settings import compile as _compile
from . import config, eval_frame, exc, utils
from .eval_frame import OptimizedModule

__all__ = ["OptimizedModule", "allow_in_graph", "assume_constant_result", "config", "disable", "disallow_in_graph",
           "eval_frame", "exc", "forbid_in_graph", "graph_break", "is_compiling", "list_backends", "mark_dynamic", "mark_static",
           "mark_static_address", "maybe_mark_dynamic", "optimize",
           "register_backend", "reset", "run", "utils"]  # fmt: skip


def graph_break(msg: str = "") -> None:
    """There is no graph to break."""


def mark_dynamic(t: Any, index: Any = None, **hints: Any) -> None:
    """Every size may change from call to call."""


mark_static = mark_static_address = maybe_mark_dynamic = mark_dynamic


forbid_in_graph = disallow_in_graph = allow_in_graph
run = disable


def optimize(backend: Any = "inductor", **options: Any) -> Callable[[Any], Any]:
    """torch.compile's older form: a decorator that returns its argument."""
    check(backend, None, None)
    return _compile(backend=backend)  # type: ignore[no-any-return]
