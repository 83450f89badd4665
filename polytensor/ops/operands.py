"""What functions and operators make of their arguments: Tensors and numbers, or what has a `__torch_function__` of its own."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from inspect import CO_VARARGS, CO_VARKEYWORDS, signature, unwrap
from typing import Any

from ..backends.base import SCALARS
from ..tensor import Tensor
from .rows import written


def check_tensor(x: Any, op: str, name: str = "input") -> Tensor:
    if not isinstance(x, Tensor):
        raise TypeError(f"{op}(): argument '{name}' must be Tensor, not {type(x).__name__}{overrides_hint(x)}")
    return x


def check_tensors(xs: Any) -> None:
    """TypeError unless all of a function's *tensors are Tensors."""
    for i, x in enumerate(xs):
        if not isinstance(x, Tensor):
            raise TypeError(
                f"expected Tensor as element {i} in argument 0, but got {type(x).__name__}{overrides_hint(x)}"
            )


def overrides_hint(x: Any) -> str:
    """What an error says more about an argument that functions would have to ask (overrides.py) and do not yet."""
    wants = hasattr(type(x), "__torch_function__") and "_entry" not in (Tensor.dim.__kwdefaults__ or ())
    return " (its __torch_function__ is asked after torch.overrides.enable())" if wants else ""


def asked(fn: Any, given: dict[str, Any], error: Exception) -> Any:
    """What fn(**given), which failed with `error`, gives once functions ask arguments for a __torch_function__.

    They do from the first subclass of Tensor on (overrides.py), or else from the first call that ends here with an argument
    that has one and is no Tensor.
    """
    if isinstance(error, AttributeError):
        first = next(iter(given.values()), None)
        if not isinstance(first, (Tensor, tuple, list)) and not hasattr(type(first), "__torch_function__"):
            name = next(iter(given))
            error = TypeError(f"{fn.__name__}(): argument '{name}' must be Tensor, not {type(first).__name__}")
    values = [y for x in given.values() for y in (x if isinstance(x, (tuple, list)) else (x,))]
    if not any(hasattr(type(x), "__torch_function__") for x in values if not isinstance(x, Tensor)):
        raise error
    from ..overrides import enable

    if not enable():
        raise error
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    skipped = False
    for name, p in signature(fn).parameters.items():
        value = given.get(name, p.default)
        if p.kind == p.VAR_POSITIONAL:
            args += given.get(name, ())
        elif p.kind == p.VAR_KEYWORD:
            kwargs |= given.get(name, {})
        elif p.kind == p.POSITIONAL_OR_KEYWORD and not skipped and value is not p.default:
            args.append(value)
        else:
            skipped = True
            if value is not p.default:
                kwargs[name] = value
    return fn(*args, **kwargs)


def several(v: Any) -> tuple[Any, ...]:
    """A whole number, NumPy's too, or a sequence of them, as a tuple."""
    return (v.__index__(),) if hasattr(v, "__index__") and not getattr(v, "ndim", 0) else tuple(v)


def plain(x: Any) -> Any:
    """A NumPy scalar or a tensor without dimensions as the Python number that rules and kernels take; else `x` itself."""
    return x.item() if x.__class__ in SCALARS or isinstance(x, Tensor) and not x._a.ndim else x


def operand(x: Any, op: str) -> Any:
    """A Tensor or a Python number; NumPy scalars and arrays are taken too."""
    if isinstance(x, (Tensor, bool, int, float, complex)):
        return x
    if hasattr(x, "__array__") and hasattr(x, "dtype"):
        if x.__class__ in SCALARS:
            return x.item()
        from .from_data import as_tensor

        return as_tensor(x)
    raise NoOperandError(f"{op}(): argument must be Tensor or Number, not {type(x).__name__}{overrides_hint(x)}")


class NoOperandError(TypeError):
    """An operand that is neither a tensor nor a number."""


SYMBOLS = {
    "add": ("add", "+"), "sub": ("sub", "-"), "mul": ("mul", "*"), "div": ("truediv", "/"), "floor_divide": ("floordiv", "//"),
    "remainder": ("mod", "%"), "pow": ("pow", "** or pow()"), "matmul": ("matmul", "@"), "bitwise_and": ("and", "&"),
    "bitwise_or": ("or", "|"), "bitwise_xor": ("xor", "^"), "bitwise_left_shift": ("lshift", "<<"),
    "bitwise_right_shift": ("rshift", ">>"),
}  # fmt: skip


def foreign(op: str, x: Any, y: Any, error: TypeError) -> Any:
    """The operator of an op with something that is no operand: what its class makes of it, or Python's TypeError.

    Operators are the functions themselves, so this stands in for the NotImplemented that they would return.
    """
    for z in (x, y):
        if not isinstance(z, Tensor) and hasattr(type(z), "__torch_function__"):
            import polytensor

            fn = getattr(polytensor, op)
            return asked(fn, dict(zip(signature(fn).parameters, (x, y), strict=False)), error)
    if op not in SYMBOLS or not isinstance(error, NoOperandError):
        raise error
    method, symbol = SYMBOLS[op]
    if isinstance(x, Tensor) and type(y).__module__ != "builtins":
        reflected = f"__r{method}__"
        has = any(reflected in vars(c) for c in type(y).__mro__)  # classes themselves have __ror__
        r = getattr(type(y), reflected)(y, x) if has else NotImplemented
        if r is not NotImplemented:
            return r
    raise TypeError(
        f"unsupported operand type(s) for {symbol}: '{type(x).__name__}' and '{type(y).__name__}'"
    ) from None


def warn_of_order(name: str, level: int) -> None:
    """The warning of a call with its factors before what they scale."""
    warnings.warn(
        f"This overload of {name} is deprecated: factors stand before what they scale. Give them by name, as alpha= (and "
        "beta=), after the tensors.",
        UserWarning,
        stacklevel=level + 1,
    )


def factors_first(fn: Callable[..., Any]) -> Callable[..., Any]:
    """fn(input, x, y, *, beta, alpha) that also takes the order of old programs: (beta, input, alpha, x, y), without alpha
    too, and as a method input.fn(beta, alpha, x, y)."""

    @wraps(fn)
    def op(*args: Any, **kwargs: Any) -> Any:
        if len(args) > 3:
            where = tuple(i for i, x in enumerate(args) if isinstance(x, (int, float, complex)))
            if where in ((0,), (1,), (0, 2), (1, 2)) and len(args) == 3 + len(where):
                warn_of_order(fn.__name__, 2)
                kwargs |= zip(("beta", "alpha"), (args[i] for i in where), strict=False)
                args = tuple(x for i, x in enumerate(args) if i not in where)
        return fn(*args, **kwargs)

    return op


NUMPY_NAMES = {"axis": "dim", "keepdims": "keepdim", "x": "input"}


def numpy_names(fn: Callable[..., Any]) -> Callable[..., Any]:
    """`fn` that also takes NumPy's names of arguments, as PyTorch's own functions do."""

    code = unwrap(fn).__code__
    own = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    aliases = {k: v for k, v in NUMPY_NAMES.items() if k not in own}
    if not code.co_flags & CO_VARKEYWORDS and not any(v in own for v in aliases.values()):
        return fn  # nothing that it takes has another name

    @wraps(fn)
    def op(*args: Any, **kwargs: Any) -> Any:
        return fn(*args, **{aliases.get(k, k): v for k, v in kwargs.items()} if kwargs else kwargs)

    if code.co_flags & (CO_VARARGS | CO_VARKEYWORDS):
        return op

    def renaming(given: dict[str, Any], names: dict[str, Any]) -> Any:
        for name, value in names.items():
            target = aliases.get(name)
            if target not in given or given[target] is not defaults.get(f"default_{target}"):
                raise TypeError(f"{fn.__name__}() got an unexpected keyword argument '{name}'")
            given[target] = value
        try:
            return fn(**{k: v for k, v in given.items() if v is not missing})
        except (AttributeError, TypeError) as error:
            return asked(call, given, error)

    def text() -> list[str]:
        # with fn's own arguments: packing and unpacking them costs twice as much as the call
        found = signature(fn).parameters
        named = [k for k, p in found.items() if p.kind == p.KEYWORD_ONLY]
        plain = [k for k in found if k not in named]
        needed = [k for k, p in found.items() if p.default is p.empty]
        defaults.update((f"default_{k}", missing if k in needed else p.default) for k, p in found.items())
        taken = [f"{k}=default_{k}" for k in plain] + (["*"] if named else []) + [f"{k}=default_{k}" for k in named]
        return [
            f"def call({', '.join([*taken, '**names'])}):",
            f" if {' or '.join(['names', *[f'{k} is missing' for k in needed]])}:",
            f"  return renaming(dict({', '.join(f'{k}={k}' for k in found)}), names)",
            " try:",
            f"  if {' and '.join(f'{k} is default_{k}' for k in named) or 'True'}: return fn({', '.join(plain)})",
            f"  return fn({', '.join([*plain, *[f'{k}={k}' for k in named]])})",
            f" except (AttributeError, TypeError) as error: return asked(call, dict({', '.join(f'{k}={k}' for k in found)}), error)",
        ]

    missing = object()
    call = written("call", text, {"fn": fn, "renaming": renaming, "missing": missing})
    call.__globals__.update(asked=asked, call=call)
    defaults = call.__globals__
    return wraps(fn)(call)
