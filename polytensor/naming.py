"""Names by which pickle finds functions again: one that was made by another would bear its maker's."""

from __future__ import annotations

from sys import modules
from types import FunctionType
from typing import Any

__all__ = ["name_functions"]


def _leads_to(fn: Any) -> bool:
    found: Any = modules.get(fn.__module__)
    for part in fn.__qualname__.split("."):
        found = getattr(found, "__dict__", {}).get(part)
    return found is fn


def name_functions(space: Any, module: str, prefix: str = "") -> None:
    """Call the public functions of a module or class what they are found by there, unless their own names lead to them."""
    for name, fn in list(vars(space).items()):
        if fn.__class__ is FunctionType and name[0] != "_" and not _leads_to(fn):
            fn.__module__, fn.__qualname__ = module, prefix + name
