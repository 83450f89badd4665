"""Batch normalisation: x as (N, C, L), a mean and a variance for each of C, in two reading passes and a writing one.

The sums run in vectors, by runs of at most RUN elements, and these are added in float64.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, prange
from numba.core import cgutils

from .threads import Kernel
from .vectors import I32, I64, Emit, routine

Array = Any
Ints = tuple[int, ...]

RUN = 4096  # elements
AHEAD = 4  # vectors at a time: additions wait for the ones before
SHORTEST = 16  # elements to a plane that are worth a loop of their own
COST = 0.2  # nanoseconds an element


def sums(backward: bool) -> Any:
    """OUT[0] += the sum of d, OUT[1] += that of d * d, where d is x - M[m0]; backward the sums of g and g * d."""

    @routine("G g0 X x0 n M m0 OUT")
    def body(e: Emit, G: Any, g0: Any, X: Any, x0: Any, n: Any, M: Any, m0: Any, OUT: Any) -> None:
        b, lanes = e.b, e.lanes
        zero = ir.Constant(e.vector(lanes), None)
        mean = e.splat(b.load(b.gep(M, [m0])), lanes)
        plain, product = ([cgutils.alloca_once_value(b, zero) for _ in range(AHEAD)] for _ in range(2))
        step = I64(AHEAD * lanes)
        whole = b.sdiv(n, step)

        def add(k: int, g: Any, x: Any) -> None:
            d = b.fsub(x, mean)
            g = g if backward else d
            b.store(b.fadd(b.load(plain[k]), g), plain[k])
            b.store(e.fma(g, d, b.load(product[k])), product[k])

        with cgutils.for_range(b, whole) as loop:
            for k in range(AHEAD):
                i = b.add(b.mul(loop.index, step), I64(k * lanes))
                add(k, e.load(G, b.add(g0, i), lanes) if backward else None, e.load(X, b.add(x0, i), lanes))
        start = b.mul(whole, step)
        with cgutils.for_range(b, b.sdiv(b.add(b.sub(n, start), I64(lanes - 1)), I64(lanes))) as loop:
            i = b.add(start, b.mul(loop.index, I64(lanes)))
            m = e.mask(b.sub(n, i), lanes)
            x = b.select(m, e.masked_load(X, b.add(x0, i), m, lanes), mean)
            add(0, e.masked_load(G, b.add(g0, i), m, lanes) if backward else None, x)
        for j, parts in enumerate((plain, product)):
            s, t, u, v = (b.load(p) for p in parts)
            one = b.extract_element(e.totals([b.fadd(b.fadd(s, t), b.fadd(u, v))]), I32(0))
            p = b.gep(OUT, [I64(j)])
            b.store(b.fadd(b.load(p), one if e.size == 8 else b.fpext(one, ir.DoubleType())), p)

    return body


forward_sums, backward_sums = sums(False), sums(True)


@njit(error_model="numpy")
def all_sums(g: Any, x: Any, a: int, c: int, n: int, k: int, m: Any, backward: bool, out: Any) -> None:
    """The sums over channel k of `c`, in out."""
    out[:] = 0
    for j in range(a):
        start = (j * c + k) * n
        for i in range(start, start + n, RUN):
            size = min(RUN, start + n - i)
            if backward:
                backward_sums(g, i, x, i, size, m, 0, out)
            else:
                forward_sums(x, i, x, i, size, m, 0, out)


def _batch_norm(x: Any, a: int, n: int, eps: Any, w: Any, bias: Any, clip: bool, mean: Any, var: Any, y: Any) -> None:
    """y: the normalised x, with `clip` relu of that."""
    c, kind = mean.size, x.dtype.type
    zero = kind(0)
    for k in prange(c):
        s, m = np.empty(2), np.zeros(1, x.dtype)
        all_sums(x, x, a, c, n, k, m, False, s)
        m[0] = s[0] / (a * n)
        all_sums(x, x, a, c, n, k, m, False, s)
        v = kind(s[1] / (a * n))
        mean[k], var[k] = m[0], v
        centre, scale, shift = m[0], w[k] / np.sqrt(v + eps), bias[k]
        for j in range(a):
            start = (j * c + k) * n
            xs, o = x[start : start + n], y[start : start + n]
            if clip:
                for i in range(o.size):
                    u = (xs[i] - centre) * scale + shift
                    o[i] = zero if u <= zero else u  # NaN stays
            else:
                for i in range(o.size):
                    o[i] = (xs[i] - centre) * scale + shift


def _batch_norm_backward(
    g: Any, x: Any, y: Any, a: int, n: int, eps: Any, w: Any, mean: Any, var: Any, dx: Any, dw: Any, db: Any
) -> None:
    """dx = (g - mean(g) - d * mean(g * d) / (var + eps)) * w / sqrt(var + eps), where d is x - mean.

    If y has elements, it is relu of the normalised x, and what passes it lies in dx while g stands for that.
    """
    c, kind = mean.size, x.dtype.type
    zero, clip = kind(0), y.size > 0
    for k in prange(c):
        s, m = np.empty(2), mean[k : k + 1]
        if clip:
            for j in range(a):
                start = (j * c + k) * n
                gs, ys, o = g[start : start + n], y[start : start + n], dx[start : start + n]
                for i in range(o.size):
                    o[i] = zero if ys[i] <= zero else gs[i]  # NaN passes the gradient, as in PyTorch
            all_sums(dx, x, a, c, n, k, m, True, s)
        else:
            all_sums(g, x, a, c, n, k, m, True, s)
        root = np.sqrt(np.float64(var[k]) + eps)
        db[k], dw[k] = s[0], s[1] / root
        centre, shift, slope = m[0], kind(s[0] / (a * n)), kind(s[1] / (a * n) / (root * root))
        scale = kind(w[k] / root)
        for j in range(a):
            start = (j * c + k) * n
            gs, xs, o = g[start : start + n], x[start : start + n], dx[start : start + n]
            if clip:
                for i in range(o.size):
                    o[i] = (o[i] - ((xs[i] - centre) * slope + shift)) * scale
            else:
                for i in range(o.size):
                    o[i] = (gs[i] - ((xs[i] - centre) * slope + shift)) * scale


batch_norm_kernel = Kernel(_batch_norm)
batch_norm_backward_kernel = Kernel(_batch_norm_backward)


def takes(shape: Ints, dims: Ints, w: Array) -> bool:
    """Whether the reduction is over all but the second dimension, with a weight for each of that."""
    kept = [i for i in range(len(shape)) if i not in dims]
    return kept == [1] and prod(shape[2:]) >= SHORTEST and w.size == shape[1]


def batch_norm(x: Array, w: Array, b: Array, eps: float, clip: bool = False) -> tuple[Array, Array, Array]:
    c = x.shape[1]
    small = (1, c, *[1] * (x.ndim - 2))
    y, mean, var = np.empty(x.shape, x.dtype), np.empty(small, x.dtype), np.empty(small, x.dtype)
    sizes = (x.shape[0], prod(x.shape[2:]), x.dtype.type(eps), w.reshape(-1), b.reshape(-1), clip)
    batch_norm_kernel(COST * x.size, x.reshape(-1), *sizes, mean.reshape(-1), var.reshape(-1), y.reshape(-1))
    return y, mean, var


def batch_norm_backward(
    g: Array, x: Array, w: Array, mean: Array, var: Array, eps: float, y: Array | None = None
) -> tuple[Any, Any, Any]:
    """`y`: the result, where relu was taken of it."""
    dx, dw, db = np.empty(x.shape, x.dtype), np.empty(w.shape, x.dtype), np.empty(w.shape, x.dtype)
    sizes = (x.shape[0], prod(x.shape[2:]), x.dtype.type(eps), w.reshape(-1), mean.reshape(-1), var.reshape(-1))
    flat = (dx.reshape(-1), dw.reshape(-1), db.reshape(-1))
    batch_norm_backward_kernel(
        1.5 * COST * x.size,
        g.reshape(-1),
        x.reshape(-1),
        x.reshape(-1)[:0] if y is None else y.reshape(-1),
        *sizes,
        *flat,
    )
    return dx, dw, db
