"""torch._foreach_*: one op on each tensor of a list; a tuple of results, or the list itself where it is written in place.

RuntimeError for an empty list and for lists of unequal lengths. Source: torch._foreach_add and its family.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

from . import ops
from .linalg import vector_norm
from .tensor import Tensor

_UNARY = (
    "abs", "acos", "asin", "atan", "ceil", "cos", "cosh", "erf", "erfc", "exp", "expm1", "floor", "frac", "lgamma", "log",
    "log10", "log1p", "log2", "neg", "reciprocal", "round", "rsqrt", "sigmoid", "sign", "sin", "sinh", "sqrt", "tan", "tanh",
    "trunc", "zero",
)  # fmt: skip
_BINARY = ("add", "clamp_max", "clamp_min", "div", "maximum", "minimum", "mul", "pow", "sub")
_TERNARY = ("addcdiv", "addcmul")


def _column(values: Any, n: int, what: str = "scalar") -> list[Any]:
    """One operand for each of n tensors: those of a list, or the same for all."""
    if not isinstance(values, (list, tuple)):
        return [values] * n
    if len(values) != n:
        if builtins.any(isinstance(v, Tensor) for v in values):
            raise RuntimeError(f"Tensor lists must have the same number of tensors, got {n} and {len(values)}")
        raise RuntimeError(f"Tensor list must have same number of elements as {what} list.")
    return list(values)


def _checked(tensors: Any, name: str) -> Any:
    if not isinstance(tensors, (list, tuple)):
        raise TypeError(
            f"_foreach_{name}(): argument 'self' (position 1) must be tuple of Tensors, not {type(tensors).__name__}"
        )
    if not tensors:
        raise RuntimeError("Tensor list must have at least one tensor.")
    return tensors


def _pair(name: str, method: str) -> Callable[..., Any]:
    """x.method(other), where the other may be a number though the method takes tensors alone."""
    if name not in ("maximum", "minimum"):
        return lambda x, y, **kwargs: getattr(x, method)(y, **kwargs)
    clamp = ("clamp_min" if name == "maximum" else "clamp_max") + method[len(name) :]
    return lambda x, y: getattr(x, method)(y) if isinstance(y, Tensor) and method == name else getattr(x, clamp)(y)


def _make(name: str, inplace: bool) -> Callable[..., Any]:
    method = name + "_" * inplace
    give: Callable[[Any, list[Any]], Any] = (lambda xs, made: xs) if inplace else (lambda xs, made: tuple(made))

    def unary(self: Any) -> Any:
        return give(self, [getattr(x, method)() for x in _checked(self, method)])

    pair = _pair(name, method)

    def binary(self: Any, other: Any, **kwargs: Any) -> Any:
        if name == "pow" and not isinstance(self, (list, tuple)):
            return tuple(ops.pow(self, y) for y in _checked(other, method))
        ys = _column(other, len(_checked(self, method)))
        return give(self, [pair(x, y, **kwargs) for x, y in zip(self, ys, strict=True)])

    def ternary(self: Any, tensor1: Any, tensor2: Any, value: Any = 1) -> Any:
        n = len(_checked(self, method))
        values = _column(value.tolist() if isinstance(value, Tensor) else value, n)
        rows = zip(self, _column(tensor1, n), _column(tensor2, n), values, strict=True)
        return give(self, [getattr(x, method)(y, z, value=v) for x, y, z, v in rows])

    def lerp(self: Any, tensors1: Any, weight: Any) -> Any:
        n = len(_checked(self, method))
        rows = zip(self, _column(tensors1, n), _column(weight, n), strict=True)
        return give(self, [getattr(x, method)(y, w) for x, y, w in rows])

    made = lerp if name == "lerp" else unary if name in _UNARY else binary if name in _BINARY else ternary
    made.__name__ = made.__qualname__ = f"_foreach_{method}"
    return made


def _foreach_clone(self: Any, *, memory_format: Any = None) -> Any:
    how = {} if memory_format is None else {"memory_format": memory_format}
    return tuple(x.clone(**how) for x in _checked(self, "clone"))


def _foreach_copy_(self: Any, src: Any, non_blocking: bool = False) -> Any:
    for x, y in zip(self, _column(src, len(_checked(self, "copy_"))), strict=True):
        x.copy_(y, non_blocking)
    return self


def _foreach_max(self: Any) -> Any:
    return tuple(x.max() for x in _checked(self, "max"))


def _foreach_norm(self: Any, ord: Any = 2, dtype: Any = None) -> Any:
    return tuple(vector_norm(x, ord, dtype=dtype) for x in _checked(self, "norm"))


def _foreach_powsum(self: Any, ord: Any = 2, dtype: Any = None) -> Any:
    return tuple(x.abs().pow(ord).sum(dtype=dtype) for x in _checked(self, "powsum"))


def _foreach_mm(self: Any, mat2: Any) -> Any:
    return tuple(x.mm(y) for x, y in zip(self, _column(mat2, len(_checked(self, "mm"))), strict=True))


for _name in (*_UNARY, *_BINARY, *_TERNARY, "lerp"):
    globals()[f"_foreach_{_name}"], globals()[f"_foreach_{_name}_"] = _make(_name, False), _make(_name, True)

del globals()["_foreach_zero"]  # PyTorch has it in place alone

__all__ = [_n for _n in list(globals()) if _n.startswith("_foreach_")]
