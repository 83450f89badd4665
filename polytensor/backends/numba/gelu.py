"""The derivative of GELU, block by block in cache."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange

from ..activations import ROOT_HALF
from ..special import ERFC64
from .pointwise import LIMIT, SMALL, F, fast_exp, gauss, mills, span
from .threads import Kernel

BLOCK = 2048
COST = 1.0  # nanoseconds an element
TABLE = np.array(ERFC64)


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


def _gelu_backward_single(g: Any, x: Any, out: Any) -> None:
    """The same of float32, in one pass: see _normal_cdf in pointwise.py."""
    top = F(0.3989422804014327 * SMALL)  # 1 / sqrt(2 pi)
    for b in prange((x.size + BLOCK - 1) // BLOCK):
        s = span(b, x.size, BLOCK)
        xs, gs, o = x[s], g[s], out[s]
        for i in range(o.size):
            v = xs[i]
            a = abs(v)
            a = LIMIT if a > LIMIT else a
            y = (mills(a) - a * top) * gauss(a)
            o[i] = gs[i] * (F(1) - y if v > F(0) else y)


backward_kernel = Kernel(_gelu_backward)
single_kernel = Kernel(_gelu_backward_single)


def gelu_backward(g: Any, x: Any) -> Any:
    out = np.empty(x.shape, x.dtype)
    if x.itemsize == 4:
        single_kernel(COST / 2 * x.size, g.reshape(-1), x.reshape(-1), out.reshape(-1))
        return out
    backward_kernel(COST * x.size, g.reshape(-1), x.reshape(-1), TABLE, out.reshape(-1))
    return out
