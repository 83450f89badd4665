"""float32 to float16 and bfloat16 and back, by their bits: rounded to the nearest, ties to even, as NumPy and ml_dtypes do."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from ... import dtypes
from .pointwise import BLOCK, span
from .threads import Kernel

U, F = np.uint32, np.float32
SIGN, REST, INF = U(0x80000000), U(0x7FFFFFFF), U(0x7F800000)
SHIFT, SIGN16, INF16, REST16 = U(16), U(0x8000), U(0x7C00), U(0x7FFF)
CUT, EXPONENT = U(13), U(112 << 23)  # bits of a fraction that float16 lacks; the difference of the exponents' biases
LEAST, TOO_LARGE = U(0x38800000), U(0x477FF000)  # the smallest normal number; what rounds to infinity
UP = F(2.0**112)
Array = Any


def _to_bfloat16(x: Any, out: Any) -> None:
    for b in prange((x.size + BLOCK - 1) // BLOCK):
        s = span(b, x.size, BLOCK)
        xs, o = x[s], out[s]
        for i in range(o.size):
            v = xs[i]
            y = U(U(v + U(0x7FFF)) + U(U(v >> SHIFT) & U(1))) >> SHIFT
            nan = U(U(v & SIGN) >> SHIFT) | U(0x7FC0)
            o[i] = nan if U(v & REST) > INF else y


def _from_bfloat16(x: Any, out: Any) -> None:
    for b in prange((x.size + BLOCK - 1) // BLOCK):
        s = span(b, x.size, BLOCK)
        xs, o = x[s], out[s]
        for i in range(o.size):
            o[i] = U(U(xs[i]) << SHIFT)


def _to_float16(x: Any, out: Any) -> None:
    half, base = F(0.5), F(0.5).view(np.uint32)
    for b in prange((x.size + BLOCK - 1) // BLOCK):
        s = span(b, x.size, BLOCK)
        xs, o = x[s], out[s]
        for i in range(o.size):
            v = xs[i]
            a = U(v & REST)
            normal = U(U(U(a - EXPONENT) + U(0xFFF)) + U(U(a >> CUT) & U(1))) >> CUT
            small = U(
                F(a.view(np.float32) + half).view(np.uint32) - base
            )  # a unit of 0.5's last place is one of float16
            y = small if a < LEAST else normal
            y = INF16 if a >= TOO_LARGE else y
            nan = U(INF16 | U(U(a >> CUT) & U(0x3FF))) | U(0x200)
            y = nan if a > INF else y
            o[i] = U(y | U(U(v & SIGN) >> SHIFT))


def _from_float16(x: Any, out: Any) -> None:
    for b in prange((x.size + BLOCK - 1) // BLOCK):
        s = span(b, x.size, BLOCK)
        xs, o = x[s], out[s]
        for i in range(o.size):
            v = U(xs[i])
            a = U(U(v & REST16) << CUT)
            y = F(a.view(np.float32) * UP).view(np.uint32)
            y = U(a | INF) if U(v & INF16) == INF16 else y
            o[i] = U(y | U(U(v & SIGN16) << SHIFT))


SINGLE, HALF, BRAIN = (d.array for d in (dtypes.float32, dtypes.float16, dtypes.bfloat16))
KERNELS = {
    (SINGLE, HALF): Kernel(_to_float16), (HALF, SINGLE): Kernel(_from_float16),
    (SINGLE, BRAIN): Kernel(_to_bfloat16), (BRAIN, SINGLE): Kernel(_from_bfloat16),
}  # fmt: skip


def cast(x: Array, dtype: Any) -> Array | None:
    """x as dtype, if it is one of these casts."""
    kernel = KERNELS.get((x.dtype, dtype))
    if kernel is None:
        return None
    out = np.empty(x.shape, dtype)
    bits = {2: np.uint16, 4: np.uint32}
    kernel(0.05 * x.size, x.reshape(-1).view(bits[x.itemsize]), out.reshape(-1).view(bits[dtype.itemsize]))
    return out
