"""The derivative of GELU, block by block in cache."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange

from ..activations import ERFC32, ERFC64, ROOT_HALF
from .pointwise import fast_exp, span
from .threads import Kernel

BLOCK = 2048
COST = 1.0  # nanoseconds an element
TABLE = {4: np.array(ERFC32, np.float32), 8: np.array(ERFC64, np.float64)}


@njit(inline="always", error_model="numpy")
def polynomial(x: Any, c: Any, u: Any, p: Any) -> None:
    """u = 2 t - 1 with t = 3 / (3 + |x| / sqrt(2)), and p the polynomial of u with the coefficients c."""
    one, three, root = x.dtype.type(1), x.dtype.type(3), x.dtype.type(ROOT_HALF)
    last = c[c.size - 1]
    for i in range(p.size):
        t = three / (abs(x[i]) * root + three)
        u[i] = t + t - one
    for i in range(p.size):
        p[i] = last
    for k in range(c.size - 2, -1, -1):
        ck = c[k]
        for i in range(p.size):
            p[i] = p[i] * u[i] + ck


def _gelu_backward(g: Any, x: Any, c: Any, out: Any) -> None:
    one, half, top = x.dtype.type(1), x.dtype.type(0.5), x.dtype.type(0.3989422804014327)  # 1 / sqrt(2 pi)
    for b in prange((x.size + BLOCK - 1) // BLOCK):
        s = span(b, x.size, BLOCK)
        xs, gs, o = x[s], g[s], out[s]
        u, p = np.empty(xs.size, x.dtype), np.empty(xs.size, x.dtype)
        polynomial(xs, c, u, p)
        for i in range(o.size):
            v = xs[i]
            e = fast_exp(-(v * v * half))
            tail = half * half * (u[i] + one) * p[i] * e
            o[i] = (one - tail if v > 0 else tail) + v * e * top
        for i in range(o.size):
            o[i] *= gs[i]


backward_kernel = Kernel(_gelu_backward)


def gelu_backward(g: Any, x: Any) -> Any:
    out = np.empty(x.shape, x.dtype)
    backward_kernel(COST * x.size, g.reshape(-1), x.reshape(-1), TABLE[x.itemsize], out.reshape(-1))
    return out
