"""Python numbers beside float16 and bfloat16: which of them a dtype does not hold, and the ops that keep those wide.

As on PyTorch's CPU, products, quotients and lerp take the number in float32 and round once; sums round the number first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from math import copysign, inf
from struct import pack, unpack
from typing import Any

from .. import dtypes
from ..backends.base import DTYPE_OF
from ..tensor import Tensor
from .rows import F, primitive, raw_dtype

FLOAT32 = dtypes.float32.array  # by identity: the usual dtype, tested before anything that costs more
WIDE = {"mul", "div", "div_floor", "div_trunc", "floor_divide"}  # they keep numbers beside 16-bit floats as they are


def is_half(dtype: Any) -> bool:
    """Whether an array dtype is float16 or bfloat16."""
    return dtype.itemsize == 2 and dtype.kind in "fV"


@lru_cache(1024)
def single(value: float) -> float:
    """A number in float32."""
    try:
        return float(unpack("f", pack("f", value))[0])
    except OverflowError:
        return copysign(inf, value)


@lru_cache(1024)
def nearest(value: float, dtype: Any) -> float:
    """A number in float16 or bfloat16, by way of float32."""
    value = single(value)
    if value != value or value in (inf, -inf):
        return value
    if dtype.kind == "f":
        try:
            return float(unpack("e", pack("e", value))[0])
        except OverflowError:
            return copysign(inf, value)
    bits = unpack("I", pack("f", value))[0]
    return float(unpack("f", pack("I", (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000))[0])


def held(value: float, dtype: Any) -> bool:
    """Whether float16 or bfloat16 holds a number as float32 does."""
    return value != value or nearest(value, dtype) == single(value)


def wide_number(x: Tensor, y: Any) -> float | None:
    """The number that PyTorch takes in float32 beside 16-bit floats x: one that their dtype does not hold.

    That is a Python number or what a tensor on the CPU holds that has no dimensions and does not change the dtype.
    """
    dtype = x._a.dtype
    if isinstance(y, (bool, complex)):
        return None
    if isinstance(y, Tensor):
        b = y._a
        if b.ndim or b.dtype == dtype or b.dtype.kind in "bc" or y._dev.type != "cpu":
            return None
        if not x._a.ndim and dtypes.promote_types(DTYPE_OF[dtype], DTYPE_OF[b.dtype]) is not DTYPE_OF[dtype]:
            return None
        y = y.item()  # type: ignore[attr-defined]
    return None if held(y, dtype) else y  # type: ignore[no-any-return]


def widened(x: Any) -> Any:
    """A Tensor of 16-bit floats in float32, so that several steps round once; what is none as it is."""
    return F.cast(x, FLOAT32) if isinstance(x, Tensor) and is_half(x._a.dtype) else x


def scaled(F: Any, g: Any, value: float) -> Any:
    """A derivative's rule: g * value, also of 16-bit g, with the number as it is."""
    dtype = raw_dtype(g)
    return F.mul_number(g, value) if dtype is not FLOAT32 and is_half(dtype) else F.mul(g, value)


def rounded_once(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator of a function of Tensors: those of one 16-bit dtype compute in float32, and the result has their dtype."""

    @wraps(fn)
    def call(x: Any, *rest: Any) -> Any:
        dtype = x._a.dtype
        if dtype is FLOAT32 or not is_half(dtype) or any(isinstance(y, Tensor) and y._a.dtype != dtype for y in rest):
            return fn(x, *rest)
        r = fn(*map(widened, (x, *rest)))
        return tuple([F.cast(v, dtype) for v in r]) if isinstance(r, tuple) else F.cast(r, dtype)

    return call


mul_number = primitive("mul_number", "x", (lambda F, g, value: F.mul_number(g, value),), "value", node="MulBackward0")
div_number = primitive("div_number", "x", (lambda F, g, value: F.div_number(g, value),), "value", node="DivBackward0")
add_scaled = primitive(
    "add_scaled", "x y", (lambda F, g: g, lambda F, g, alpha: F.mul_number(g, alpha)), "alpha", node="AddBackward0",
    broadcast=True,
)  # fmt: skip
lerp_number = primitive(
    "lerp_number", "x y",
    (lambda F, g, weight: F.mul_number(g, 1 - weight), lambda F, g, weight: F.mul_number(g, weight)),
    "weight", node="LerpBackward0", broadcast=True,
)  # fmt: skip
