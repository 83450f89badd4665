"""Normalisation over one or two blocks of axes: x as (A, C, L), a mean and a variance for each of C.

Layer, group, instance and RMS norm reduce over the last axes (A is 1); batch norm over all but the second one.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numba import njit, prange

from .reduce import BLOCK, block_dot, block_squares, block_sum
from .threads import Kernel

TASK = 8192  # elements to a task
ROWS = 16  # to a task at least, where sums over rows come out
COST = 0.6  # nanoseconds an element
SHORTEST = 64  # runs of batch norm that are worth a loop of their own

Array = Any
Ints = tuple[int, ...]


@njit(error_model="numpy", forceinline=True)
def dot(x: Any, y: Any, first: Any, n: Any, t: Any) -> Any:
    """The sum of x * y over n elements in float64, by blocks; t is room for the streams of one."""
    whole = 0.0
    for b in range(0, n, BLOCK):
        whole += block_dot(x, y, first + b, min(BLOCK, n - b), t)
    return whole


@njit(error_model="numpy", forceinline=True)
def squares(x: Any, mean: Any, first: Any, n: Any, t: Any) -> Any:
    whole = 0.0
    for b in range(0, n, BLOCK):
        whole += block_squares(x, mean, first + b, min(BLOCK, n - b), t)
    return whole


@njit(error_model="numpy", forceinline=True)
def total(x: Any, first: Any, n: Any, t: Any) -> Any:
    whole = 0.0
    for b in range(0, n, BLOCK):
        whole += block_sum(x, first + b, min(BLOCK, n - b), t)
    return whole


def _normalize(x: Any, a: int, n: int, eps: Any, w: Any, bias: Any, y: Any, out: Any, mean: Any, var: Any) -> None:
    """y = (x - mean) / sqrt(var + eps), and out = y * w + bias where w has elements; without y where that has none."""
    c, one, affine, plain = mean.size, x.dtype.type(1), w.size > 0, y.size > 0
    per = max(1, TASK // (a * n))
    for task in prange((c + per - 1) // per):
        t = np.empty(BLOCK // 8, x.dtype)
        for k in range(task * per, min(c, task * per + per)):
            whole = 0.0
            for j in range(a):
                whole += total(x, (j * c + k) * n, n, t)
            m = x.dtype.type(whole / (a * n))
            whole = 0.0
            for j in range(a):
                whole += squares(x, m, (j * c + k) * n, n, t)
            v = x.dtype.type(whole / (a * n))
            mean[k], var[k] = m, v
            scale = one / np.sqrt(v + eps)
            for j in range(a):
                first = (j * c + k) * n
                xs, o = x[first : first + n], y[first : first + n]
                if affine and not plain:
                    z = out[first : first + n]
                    for i in range(z.size):
                        z[i] = (xs[i] - m) * scale * w[i] + bias[i]
                elif affine:
                    z = out[first : first + n]
                    for i in range(z.size):
                        u = (xs[i] - m) * scale
                        o[i] = u
                        z[i] = u * w[i] + bias[i]
                else:
                    for i in range(o.size):
                        o[i] = (xs[i] - m) * scale


def _normalize_backward(g: Any, y: Any, var: Any, a: int, n: int, eps: Any, centred: bool, out: Any) -> None:
    """(g - y * mean(g * y) - mean(g)) / sqrt(var + eps); without the mean of g unless `centred`."""
    c, one = var.size, y.dtype.type(1)
    per = max(1, TASK // (a * n))
    for task in prange((c + per - 1) // per):
        t = np.empty(BLOCK // 8, y.dtype)
        for k in range(task * per, min(c, task * per + per)):
            whole, plain = 0.0, 0.0
            for j in range(a):
                whole += dot(g, y, (j * c + k) * n, n, t)
                if centred:
                    plain += total(g, (j * c + k) * n, n, t)
            slope, shift = y.dtype.type(whole / (a * n)), y.dtype.type(plain / (a * n))
            scale = one / np.sqrt(var[k] + eps)
            for j in range(a):
                gs, ys = g[(j * c + k) * n : (j * c + k) * n + n], y[(j * c + k) * n : (j * c + k) * n + n]
                o = out[(j * c + k) * n : (j * c + k) * n + n]
                for i in range(o.size):
                    o[i] = (gs[i] - (ys[i] * slope + shift)) * scale


def _affine_backward(g: Any, w: Any, y: Any, var: Any, n: int, per: int, eps: Any, out: Any, dw: Any, db: Any) -> None:
    """_normalize_backward of g * w, rows of n; of each `per` rows, the sums of g * y into dw and of g into db."""
    rows, one = var.size, y.dtype.type(1)
    for task in prange((rows + per - 1) // per):
        t, gw = np.empty(BLOCK // 8, y.dtype), np.empty(n, y.dtype)
        ws, bs = dw[task * n : task * n + n], db[task * n : task * n + n]
        ws[:] = 0
        bs[:] = 0
        for k in range(task * per, min(rows, task * per + per)):
            gs, ys, o = g[k * n : k * n + n], y[k * n : k * n + n], out[k * n : k * n + n]
            for i in range(gw.size):
                gw[i] = gs[i] * w[i]
            slope = y.dtype.type(dot(gw, ys, 0, n, t) / n)
            shift = y.dtype.type(total(gw, 0, n, t) / n)
            scale = one / np.sqrt(var[k] + eps)
            for i in range(o.size):
                o[i] = (gw[i] - (ys[i] * slope + shift)) * scale
            for i in range(ws.size):
                ws[i] += gs[i] * ys[i]
            for i in range(bs.size):
                bs[i] += gs[i]


def _rms(x: Any, n: int, eps: Any, y: Any, square: Any) -> None:
    """y = x / sqrt(mean(x^2) + eps)."""
    rows, one = square.size, x.dtype.type(1)
    per = max(1, TASK // n)
    for task in prange((rows + per - 1) // per):
        t = np.empty(BLOCK // 8, x.dtype)
        for k in range(task * per, min(rows, task * per + per)):
            xs, o = x[k * n : k * n + n], y[k * n : k * n + n]
            v = x.dtype.type(dot(x, x, k * n, n, t) / n)
            square[k] = v
            scale = one / np.sqrt(v + eps)
            for i in range(o.size):
                o[i] = xs[i] * scale


normalize_kernel = Kernel(_normalize)
normalize_backward_kernel = Kernel(_normalize_backward)
affine_backward_kernel = Kernel(_affine_backward)
rms_kernel = Kernel(_rms)


def blocks(shape: Ints, dims: Ints) -> tuple[int, int] | None:
    """(A, L) for a reduction over `dims`; None if the kernels do not have that form."""
    rank = len(shape)
    kept = [i for i in range(rank) if i not in dims]
    if not dims:
        return None
    if kept == list(range(len(kept))):
        return 1, prod(shape[len(kept) :])
    if kept == [1]:
        length = prod(shape[2:])
        return (shape[0], length) if length >= SHORTEST else None
    return None


def _small(x: Array, dims: Ints) -> Array:
    return np.empty(tuple([1 if i in dims else n for i, n in enumerate(x.shape)]), x.dtype)


def normalize(
    x: Array, dims: Ints, form: tuple[int, int], eps: float, w: Array | None = None, b: Any = None, plain: bool = True
) -> Any:
    """(out or y, y, mean, variance); y is empty if w is given and nobody asks for the `plain` result."""
    mean, var = _small(x, dims), _small(x, dims)
    y = np.empty(x.shape if plain else 0, x.dtype)
    none = mean[:0].reshape(-1)
    out = y if w is None else np.empty(x.shape, x.dtype)
    scale, shift = (none, none) if w is None else (w.reshape(-1), b.reshape(-1))
    flat = (y.reshape(-1), out.reshape(-1), mean.reshape(-1), var.reshape(-1))
    normalize_kernel(COST * x.size, x.reshape(-1), *form, x.dtype.type(eps), scale, shift, *flat)
    return out, y, mean, var


def backward(g: Array, y: Array, var: Array, form: tuple[int, int], eps: float, centred: bool) -> Array:
    out = np.empty(y.shape, y.dtype)
    flat = (g.reshape(-1), y.reshape(-1), var.reshape(-1))
    normalize_backward_kernel(COST * y.size, *flat, *form, y.dtype.type(eps), centred, out.reshape(-1))
    return out


def affine_backward(g: Array, w: Array, y: Array, var: Array, eps: float) -> tuple[Array, Array, Array]:
    """The contract's normalize_affine_backward over the last axes, those of w."""
    n = w.size
    per = max(ROWS, TASK // n)
    out, parts = np.empty(y.shape, y.dtype), np.empty((2, -(-var.size // per), n), y.dtype)
    affine_backward_kernel(
        COST * y.size, g.reshape(-1), w.reshape(-1), y.reshape(-1), var.reshape(-1), n, per, y.dtype.type(eps), out.reshape(-1),
        parts[0].reshape(-1), parts[1].reshape(-1),
    )  # fmt: skip
    dw, db = np.add.reduce(parts, axis=1, dtype=np.float64).astype(y.dtype)
    return out, dw.reshape(w.shape), db.reshape(w.shape)


def rms(x: Array, dims: Ints, n: int, eps: float) -> tuple[Array, Array]:
    y, square = np.empty(x.shape, x.dtype), _small(x, dims)
    rms_kernel(COST * x.size, x.reshape(-1), n, x.dtype.type(eps), y.reshape(-1), square.reshape(-1))
    return y, square
