"""torch.compiler: marks for a compiler; torch.compile hands functions back as they are. Source: torch.compiler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .settings import compile as compile

__all__ = ["allow_in_graph", "assume_constant_result", "compile", "cudagraph_mark_step_begin", "disable", "is_compiling",
           "is_dynamo_compiling", "is_exporting", "list_backends", "reset"]  # fmt: skip


def disable(fn: Callable[..., Any] | None = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """The function itself: nothing is compiled. Source: torch.compiler.disable."""
    return (lambda f: f) if fn is None else fn


def allow_in_graph(fn: Any) -> Any:
    return fn


def assume_constant_result(fn: Any) -> Any:
    return fn


def is_compiling() -> bool:
    """False. Source: torch.compiler.is_compiling."""
    return False


is_dynamo_compiling = is_exporting = is_compiling


def reset() -> None:
    """Nothing is kept. Source: torch.compiler.reset."""


def cudagraph_mark_step_begin() -> None:
    """No CUDA graphs are recorded. Source: torch.compiler.cudagraph_mark_step_begin."""


def list_backends(exclude_tags: Any = ()) -> list[str]:
    """No compiler is there. Source: torch.compiler.list_backends."""
    return []
