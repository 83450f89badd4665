"""Errors for the parts of PyTorch that are not here, by the name that a program asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def missing(module: str, instead: str) -> Callable[[str], Any]:
    """A module's __getattr__: AttributeError that says what is not there and what to use."""

    def getattr_(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        raise AttributeError(f"{module}.{name}: PolyTensor has no {module}; {instead}")

    return getattr_


def refuse(what: str, instead: str) -> Callable[..., Any]:
    """A function whose call raises NotImplementedError."""

    def refused(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"PolyTensor has no {what}: {instead}")

    refused.__name__ = refused.__qualname__ = what.rpartition(".")[2]
    refused.__doc__ = f"NotImplementedError: {instead}."
    return refused
