"""Errors for the parts of PyTorch that are not here, by the name that a program asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def missing(module: str, instead: str) -> Callable[[str], Any]:
    """A module's __getattr__: AttributeError that says what is not there and what to use."""

    def getattr_(name: str) -> Any:
        if name == "__path__":  # each import within a function asks for it
            raise AttributeError(name)
        if name.startswith("__"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        raise AttributeError(f"{module}.{name}: PolyTensor has no {module}; {instead}")

    return getattr_


def raising(name: str, error: type[Exception], text: str, doc: str = "") -> Callable[..., Any]:
    """A function whose call raises error(text)."""

    def raises(*args: Any, **kwargs: Any) -> Any:
        raise error(text)

    raises.__name__ = raises.__qualname__ = name
    raises.__doc__ = f"{error.__name__}: {doc or text}."
    return raises


def lacks(module: str, name: str) -> AttributeError:
    """The error of a name that a module does not have."""
    said = "" if name.startswith("__") else ": PolyTensor does not have it"
    for ours, theirs in (("vision", "torchvision"), ("data", "torch.utils.data"), ("", "torch")):
        if module.startswith(f"{__package__}.{ours}".rstrip(".")):
            module = theirs + module[len(f"{__package__}.{ours}".rstrip(".")) :]
    return AttributeError(f"module {module!r} has no attribute {name!r}{said}")


def explain(module: Any) -> None:
    """Let a module without a __getattr__ of its own say what it lacks."""

    def getattr_(name: str) -> Any:
        if name == "__path__":  # each import within a function asks for it
            raise AttributeError(name)
        raise lacks(module.__name__, name)

    module.__dict__.setdefault("__getattr__", getattr_)


class Lack:
    """A method that PyTorch has: AttributeError with words where it is asked for, of the class or of an instance."""

    def __init__(self, name: str, why: str) -> None:
        self.name, self.why = name, why

    def __get__(self, instance: Any, owner: type) -> Any:
        raise AttributeError(f"{owner.__name__!r} object has no attribute {self.name!r}: PolyTensor has no {self.why}")


def refuse(what: str, instead: str) -> Callable[..., Any]:
    """A function whose call raises NotImplementedError."""
    return raising(what.rpartition(".")[2], NotImplementedError, f"PolyTensor has no {what}: {instead}", instead)


def refuse_class(what: str, instead: str, base: type = object, **how: Any) -> Any:
    """A class for isinstance and issubclass: making an instance raises NotImplementedError. `how` goes to its metaclass."""
    made, module = refuse(what, instead), f"{__package__}{what.rpartition('.')[0].removeprefix('torch')}"
    names = {"__new__": made, "__doc__": f"No instances: {instead}.", "__module__": module}
    return type(base)(made.__name__, (base,), names, **how)
