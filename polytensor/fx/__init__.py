"""torch.fx: nothing is traced symbolically. Marks for a tracer are taken; tracing raises NotImplementedError."""

from __future__ import annotations

from typing import Any

from ..absent import missing, refuse, refuse_class

_INSTEAD = "PolyTensor runs eagerly and records no graph of the code; call the function or module as it is"


def wrap(fn_or_name: Any) -> Any:
    """The function (or its name) itself: a mark that a tracer should not look inside. Source: torch.fx.wrap."""
    if not callable(fn_or_name) and not isinstance(fn_or_name, str):
        raise RuntimeError("Unsupported type for global function! Must be either a callable or string name")
    return fn_or_name


def has_side_effect(fn: Any) -> Any:
    """The function itself. Source: torch.fx.has_side_effect."""
    return fn


Graph, GraphModule, Interpreter, Node, Proxy, Tracer = (
    refuse_class(f"torch.fx.{_name}", _INSTEAD)
    for _name in ("Graph", "GraphModule", "Interpreter", "Node", "Proxy", "Tracer")
)
Transformer = refuse_class("torch.fx.Transformer", _INSTEAD, Interpreter)
symbolic_trace = refuse("torch.fx.symbolic_trace", _INSTEAD)
replace_pattern = refuse("torch.fx.replace_pattern", _INSTEAD)
__getattr__ = missing("torch.fx", _INSTEAD)
