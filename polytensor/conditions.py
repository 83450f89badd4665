"""torch._assert, _check and their family, and the sym_ functions, which are plain arithmetic on numbers here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .absent import refuse_class
from .dtypes import bool_
from .tensor import Tensor

__all__ = [
    "SymBool", "SymFloat", "SymInt",
    "_assert", "_assert_async", "_check", "_check_index", "_check_is_size", "_check_not_implemented", "_check_tensor_all",
    "_check_tensor_all_with", "_check_type", "_check_value", "_check_with", "sym_float", "sym_int", "sym_ite", "sym_max",
    "sym_min", "sym_not", "sym_sqrt", "sym_sum",
]  # fmt: skip

_INSTEAD = "sizes are plain numbers here, nothing is traced"

SymInt = refuse_class("torch.SymInt", _INSTEAD)
SymFloat = refuse_class("torch.SymFloat", _INSTEAD)
SymBool = refuse_class("torch.SymBool", _INSTEAD)
Message = Callable[[], Any] | None


def _assert(condition: Any, message: str) -> None:
    """AssertionError unless the condition holds. Source: torch._assert."""
    if not condition:
        raise AssertionError(message)


def _assert_async(condition: Tensor, assert_msg: str | None = None) -> None:
    """RuntimeError unless the one value is not zero; CUDA is waited for. Source: torch._assert_async."""
    if not condition:
        raise RuntimeError(assert_msg or "Expected Tensor with single nonzero value, but got zero")


def _check_with(error: type[Exception], cond: bool, message: Message = None) -> None:
    """The error, with what message() gives, unless `cond` (a bool) is True. Source: torch._check_with."""
    if not isinstance(cond, bool):
        if isinstance(cond, Tensor):
            raise TypeError(
                "cond must be a bool, but got a Tensor. For tensor conditions, use torch._check_tensor_all() to assert "
                "that all elements are true."
            )
        raise TypeError(f"cond must be a bool, but got {type(cond)}")
    if not cond:
        if message is not None and not callable(message):
            raise TypeError("message must be a callable")
        raise error("Expected cond to be True, but got False." if message is None else str(message()))


def _check(cond: bool, message: Message = None) -> None:
    _check_with(RuntimeError, cond, message)


def _check_index(cond: bool, message: Message = None) -> None:
    _check_with(IndexError, cond, message)


def _check_value(cond: bool, message: Message = None) -> None:
    _check_with(ValueError, cond, message)


def _check_type(cond: bool, message: Message = None) -> None:
    _check_with(TypeError, cond, message)


def _check_not_implemented(cond: bool, message: Message = None) -> None:
    _check_with(NotImplementedError, cond, message)


def _check_is_size(i: int, message: Message = None, *, max: int | None = None) -> None:
    _check(i >= 0 and (max is None or i <= max), message)


def _check_tensor_all_with(error: type[Exception], cond: Tensor, message: Message = None) -> None:
    if not isinstance(cond, Tensor):
        raise TypeError(f"cond must be a tensor, but got {type(cond)}")
    if cond.dtype is not bool_:
        raise TypeError(f"cond tensor must have dtype torch.bool, but got {cond.dtype}")
    _check_with(error, bool(cond.all()), message)  # type: ignore[attr-defined]


def _check_tensor_all(cond: Tensor, message: Message = None) -> None:
    _check_tensor_all_with(RuntimeError, cond, message)


def sym_float(a: Any) -> float:
    return float(a)


def sym_int(a: Any) -> int:
    return int(a)


def sym_not(a: Any) -> Any:
    return not a


def sym_max(a: Any, b: Any) -> Any:
    """The larger number; a float if either is. Source: torch.sym_max."""
    return float(max(a, b)) if isinstance(a, float) or isinstance(b, float) else max(a, b)


def sym_min(a: Any, b: Any) -> Any:
    """The smaller number; a float if either is. Source: torch.sym_min."""
    return float(min(a, b)) if isinstance(a, float) or isinstance(b, float) else min(a, b)


def sym_ite(b: bool, t: Any, f: Any) -> Any:
    return t if b else f


def sym_sqrt(a: Any) -> float:
    return float(a) ** 0.5


def sym_sum(args: Iterable[Any]) -> Any:
    return sum(args)
