"""torch._dynamo: there is no compiler. Marks and settings for it are taken, and change nothing."""

from __future__ import annotations

from typing import Any

from ..compiler import allow_in_graph as allow_in_graph
from ..compiler import assume_constant_result as assume_constant_result
from ..compiler import disable as disable
from ..compiler import is_compiling as is_compiling
from ..compiler import reset as reset
from . import config as config
from . import eval_frame as eval_frame
from .eval_frame import OptimizedModule as OptimizedModule

__all__ = ["OptimizedModule", "allow_in_graph", "assume_constant_result", "config", "disable", "disallow_in_graph",
           "eval_frame", "graph_break", "is_compiling", "mark_dynamic", "mark_static", "mark_static_address",
           "maybe_mark_dynamic", "reset"]  # fmt: skip


def disallow_in_graph(fn: Any) -> Any:
    """The function itself."""
    return fn


def graph_break(msg: str = "") -> None:
    """Nothing: no graph is built."""


def mark_dynamic(t: Any, index: Any, **kwargs: Any) -> None:
    """Nothing: no graph is built."""


maybe_mark_dynamic = mark_dynamic


def mark_static(t: Any, index: Any = None, **kwargs: Any) -> None:
    """Nothing: no graph is built."""


def mark_static_address(t: Any, guard: bool = True) -> None:
    """Nothing: no graph is built."""
