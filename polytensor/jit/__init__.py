"""torch.jit as PyTorch has it with PYTORCH_JIT=0: what is scripted or traced stays the Python that it is.

Saving for and loading from PyTorch's own runtime raise NotImplementedError.
"""

from __future__ import annotations

import builtins
import typing
from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple
from typing import Final as Final

from ..absent import missing, refuse, refuse_class
from ..nn.module import Module
from ..settings import warn_once

_INSTEAD = "TorchScript compiles to PyTorch's own runtime; call the function or module as it is"


def is_scripting() -> bool:
    return False


def is_tracing() -> bool:
    return False


def ignore(fn: Any = None, **kwargs: Any) -> Any:
    """The function itself."""
    return (lambda f: f) if fn is None or not callable(fn) else fn


unused = export = script_if_tracing = ignore


def _as_it_is(what: str, obj: Any) -> Any:
    if isinstance(obj, Module):
        warn_once(f"torch.jit.{what} returns the module as it is: PolyTensor runs eagerly.", 3)
    return obj


def script(
    obj: Any, optimize: Any = None, _frames_up: int = 0, _rcb: Any = None, example_inputs: Any = None
) -> Any:  # fmt: skip
    """The function, class or module itself; one warning for modules. Source: torch.jit.script with PYTORCH_JIT=0."""
    return _as_it_is("script", obj)


def trace(func: Any, example_inputs: Any = None, *args: Any, **kwargs: Any) -> Any:
    """The function or module itself; one warning for modules. Unlike a trace, it keeps following its `if`s.

    Source: torch.jit.trace with PYTORCH_JIT=0.
    """
    return _as_it_is("trace", func)


def trace_module(mod: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
    """The module itself; one warning. Source: torch.jit.trace_module with PYTORCH_JIT=0."""
    return _as_it_is("trace_module", mod)


def freeze(mod: Any, preserved_attrs: Any = None, optimize_numerics: bool = True) -> Any:
    """The module itself; one warning."""
    return _as_it_is("freeze", mod)


def optimize_for_inference(mod: Any, other_methods: Any = None) -> Any:
    """The module itself; one warning."""
    return _as_it_is("optimize_for_inference", mod)


def annotate(the_type: Any, the_value: Any) -> Any:
    """The value. Source: torch.jit.annotate."""
    return the_value


class Attribute(NamedTuple):
    """A value and its type."""

    value: Any
    type: Any


def isinstance(obj: Any, target_type: Any) -> bool:  # noqa: A001
    """Whether a value has a type of typing: containers are looked into. Source: torch.jit.isinstance."""
    origin, args = typing.get_origin(target_type), typing.get_args(target_type)
    if builtins.isinstance(target_type, tuple):
        return any(isinstance(obj, t) for t in target_type)
    kind = target_type if origin is None else origin
    if kind in (list, dict, tuple) and not args and target_type not in (typing.Tuple[()], tuple[()]):  # noqa: UP006
        name = getattr(target_type, "_name", None) or target_type.__name__
        a, s, inner = ("", "s", "int, int") if kind is dict else ("a ", "", "int")
        raise RuntimeError(
            f"Attempted to use {name} without {a}contained type{s}. Please add {a}contained type{s}, e.g. {name}[{inner}]"
        )
    if origin is None:
        return target_type is Any or builtins.isinstance(obj, target_type)
    if not builtins.isinstance(origin, type) or origin.__module__ == "types":  # Union, Optional, X | Y
        return any(isinstance(obj, t) for t in args)
    if not builtins.isinstance(obj, origin):
        return False
    if origin is dict:
        return all(isinstance(k, args[0]) and isinstance(v, args[1]) for k, v in obj.items())
    if origin is tuple:
        return len(obj) == len(args) and all(map(isinstance, obj, args))
    return all(isinstance(x, args[0]) for x in obj)


def interface(obj: Any) -> Any:
    """The class, method or function itself: a declaration for the compiler."""
    return obj


script_method = _overload = _overload_method = interface


@contextmanager
def optimized_execution(should_optimize: bool) -> typing.Iterator[None]:
    """Nothing: there is no optimizing executor."""
    yield


class strict_fusion(nullcontext[None]):  # noqa: N801
    """Nothing: no kernels are fused by a compiler."""


def set_fusion_strategy(strategy: Any) -> Any:
    """The strategy itself: no kernels are fused by a compiler."""
    return strategy


def fork(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """A future that is done: the function is called here and now. Source: torch.jit.fork in eager mode."""
    from ..futures import Future

    result = Future()
    result.set_result(func(*args, **kwargs))
    return result


def wait(future: Any) -> Any:
    return future.wait()


class TracerWarning(Warning):
    """Never given: nothing is traced."""


class Error(RuntimeError):
    """Never raised: nothing is compiled."""


save = refuse("torch.jit.save", "use torch.save with a state_dict")
load = refuse("torch.jit.load", "use torch.load with a state_dict")


class ScriptModule(Module):
    """No module is an instance of it but of classes that derive from it, which stay plain Modules."""


RecursiveScriptModule = refuse_class("torch.jit.RecursiveScriptModule", _INSTEAD, ScriptModule)
TracedModule = TopLevelTracedModule = RecursiveScriptModule

ScriptFunction = refuse_class("torch.jit.ScriptFunction", _INSTEAD)
CompilationUnit = refuse_class("torch.jit.CompilationUnit", _INSTEAD)
__getattr__ = missing("torch.jit", _INSTEAD)
