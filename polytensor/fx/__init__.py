"""torch.fx: nothing is traced symbolically. Marks for a tracer are taken; tracing raises NotImplementedError."""

from __future__ import annotations

from typing import Any

from ..absent import missing, refuse

_INSTEAD = "PolyTensor runs eagerly and records no graph of the code; call the function or module as it is"


def wrap(fn_or_name: Any) -> Any:
    """The function (or its name) itself: a mark that a tracer should not look inside. Source: torch.fx.wrap."""
    if not callable(fn_or_name) and not isinstance(fn_or_name, str):
        raise RuntimeError("Unsupported type for global function! Must be either a callable or string name")
    return fn_or_name


def has_side_effect(fn: Any) -> Any:
    """The function itself. Source: torch.fx.has_side_effect."""
    return fn


class _Absent:
    """A base of names that programs compare types with: nothing is an instance of them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        refuse(f"torch.fx.{type(self).__name__}", _INSTEAD)()


class Graph(_Absent):
    pass


class GraphModule(_Absent):
    pass


class Interpreter(_Absent):
    pass


class Node(_Absent):
    pass


class Proxy(_Absent):
    pass


class Tracer(_Absent):
    pass


class Transformer(Interpreter):
    pass


symbolic_trace = refuse("torch.fx.symbolic_trace", _INSTEAD)
replace_pattern = refuse("torch.fx.replace_pattern", _INSTEAD)
__getattr__ = missing("torch.fx", _INSTEAD)
