"""Reductions over contiguous runs.

Sums go by fixed blocks, in streams side by side (as fast as vectors go, and the same bits however it is compiled);
the sums of blocks are added in float64 and rounded once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, prange, types
from numba.core import cgutils
from numba.extending import overload

from .pointwise import span
from .threads import Kernel
from .vectors import I64, Emit, routine

BLOCK, SHORT = 2048, 256
GROUP = 16  # blocks to a task
COLUMNS, ROWS = 1024, 64  # a part of a sum over rows


@njit(error_model="numpy", forceinline=True)
def lane_sum(x: Any, first: Any, n: Any) -> Any:
    """The sum of n elements of x from `first` on, few, in eight lanes, as NumPy does it.

    (No slices: one that reaches into a call costs more than a short row. Unsigned indices: they cannot wrap.)
    """
    a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = x.dtype.type(0)
    start, n, eight = np.uint64(first), np.uint64(n), np.uint64(8)
    for j in range(n // eight):
        i = start + np.uint64(j) * eight
        a0 += x[i]
        a1 += x[i + np.uint64(1)]
        a2 += x[i + np.uint64(2)]
        a3 += x[i + np.uint64(3)]
        a4 += x[i + np.uint64(4)]
        a5 += x[i + np.uint64(5)]
        a6 += x[i + np.uint64(6)]
        a7 += x[i + np.uint64(7)]
    total = ((a0 + a4) + (a2 + a6)) + ((a1 + a5) + (a3 + a7))
    for i in range(n // eight * eight, n):
        total += x[start + i]
    return total


@routine("X x0 count T")
def streams(e: Emit, X: Any, x0: Any, count: Any, T: Any) -> None:
    """`count` vectors of 64 bytes from x0 on, added up as eight streams of them, into T's first 64 bytes."""
    b, n = e.b, 64 // e.size
    sums = [cgutils.alloca_once_value(b, ir.Constant(e.vector(n), None)) for _ in range(8)]
    rounds = b.lshr(count, I64(3))
    with cgutils.for_range(b, rounds) as loop:
        start = b.add(x0, b.mul(loop.index, I64(8 * n)))
        for v, total in enumerate(sums):
            b.store(b.fadd(b.load(total), e.load(X, b.add(start, I64(v * n)), n)), total)
    rest = b.add(x0, b.mul(rounds, I64(8 * n)))
    with cgutils.for_range(b, b.and_(count, I64(7))) as loop:
        b.store(b.fadd(b.load(sums[0]), e.load(X, b.add(rest, b.mul(loop.index, I64(n))), n)), sums[0])
    xs = [b.load(total) for total in sums]
    while len(xs) > 1:
        xs = [b.fadd(xs[i], xs[i + len(xs) // 2]) for i in range(len(xs) // 2)]
    e.store(xs[0], T, I64(0), n)


@njit(error_model="numpy", forceinline=True)
def block_sum(x: Any, first: Any, n: Any, t: Any) -> Any:
    """The sum of n elements, at most BLOCK, as 128 streams side by side (64 of float64); t is room for 16."""
    lanes = np.uint64(64 // x.itemsize)
    start, n = np.uint64(first), np.uint64(n)
    count = n // lanes if n > SHORT else np.uint64(0)
    streams(x, start, count, t)
    done = count * lanes
    return lane_sum(t, 0, lanes) + lane_sum(x, start + done, n - done)


@njit(error_model="numpy", forceinline=True)
def block_dot(x: Any, y: Any, first: Any, n: Any, t: Any) -> Any:
    """The sum of x * y over n elements, at most BLOCK, as 8 streams; t is room for an eighth of them."""
    start, h = np.uint64(first), np.uint64(n) // np.uint64(8)
    h2, h3, h4 = np.uint64(2) * h, np.uint64(3) * h, np.uint64(4) * h
    for k in range(h):
        i = start + np.uint64(k)
        a = (x[i] * y[i] + x[i + h] * y[i + h]) + (x[i + h2] * y[i + h2] + x[i + h3] * y[i + h3])
        j = i + h4
        b = (x[j] * y[j] + x[j + h] * y[j + h]) + (x[j + h2] * y[j + h2] + x[j + h3] * y[j + h3])
        t[k] = a + b
    total = lane_sum(t, 0, h)
    for k in range(h4 + h4, np.uint64(n)):
        total += x[start + k] * y[start + k]
    return total


@njit(error_model="numpy", forceinline=True)
def block_squares(x: Any, mean: Any, first: Any, n: Any, t: Any) -> Any:
    """The sum of (x - mean)**2 over n elements, at most BLOCK, as 8 streams; t is room for an eighth of them."""
    start, h = np.uint64(first), np.uint64(n) // np.uint64(8)
    h2, h3, h4 = np.uint64(2) * h, np.uint64(3) * h, np.uint64(4) * h
    for k in range(h):
        i = start + np.uint64(k)
        a, b, c, d = x[i] - mean, x[i + h] - mean, x[i + h2] - mean, x[i + h3] - mean
        j = i + h4
        e, f, g, q = x[j] - mean, x[j + h] - mean, x[j + h2] - mean, x[j + h3] - mean
        t[k] = ((a * a + b * b) + (c * c + d * d)) + ((e * e + f * f) + (g * g + q * q))
    total = lane_sum(t, 0, h)
    for k in range(h4 + h4, np.uint64(n)):
        a = x[start + k] - mean
        total += a * a
    return total


def _sum_flat(x: Any, out: Any) -> None:
    """The sum of each block of x, into out."""
    for group in prange((out.size + GROUP - 1) // GROUP):
        t = np.empty(16, x.dtype)
        for b in range(group * GROUP, min(out.size, group * GROUP + GROUP)):
            out[b] = block_sum(x, b * BLOCK, min(BLOCK, x.size - b * BLOCK), t)


def _sum_rows(x: Any, n: int, out: Any) -> None:
    """The sum of each row of n elements."""
    per = max(1, GROUP * BLOCK // n)
    for task in prange((out.size + per - 1) // per):
        t = np.empty(16, x.dtype)
        for r in range(task * per, min(out.size, task * per + per)):
            if n <= SHORT:
                out[r] = lane_sum(x, r * n, n)
                continue
            whole = 0.0
            for b in range(0, n, BLOCK):
                whole += block_sum(x, r * n + b, min(BLOCK, n - b), t)
            out[r] = whole


def _sum_columns(x: Any, n: int, out: Any) -> None:
    """The sum over n rows of out.size elements."""
    width = out.size
    for task in prange((width + COLUMNS - 1) // COLUMNS):
        s = span(task, width, COLUMNS)
        o = out[s]
        total = np.zeros(o.size, np.float64)
        part = np.empty(o.size, out.dtype)
        for start in range(0, n, ROWS):
            part[:] = 0
            for r in range(start, min(n, start + ROWS)):
                xs = x[r * width : r * width + width][s]
                for i in range(part.size):
                    part[i] += xs[i]
            for i in range(part.size):
                total[i] += part[i]
        for i in range(o.size):
            o[i] = total[i]


def _squares_flat(x: Any, mean: Any, out: Any) -> None:
    """The sum of (x - mean)**2 of each block."""
    for group in prange((out.size + GROUP - 1) // GROUP):
        t = np.empty(BLOCK // 8, x.dtype)
        for b in range(group * GROUP, min(out.size, group * GROUP + GROUP)):
            out[b] = block_squares(x, mean, b * BLOCK, min(BLOCK, x.size - b * BLOCK), t)


def _squares_rows(x: Any, n: int, mean: Any, out: Any) -> None:
    """The sum of (x - mean[row])**2 of each row of n elements."""
    per = max(1, GROUP * BLOCK // n)
    for task in prange((out.size + per - 1) // per):
        t = np.empty(BLOCK // 8, x.dtype)
        for r in range(task * per, min(out.size, task * per + per)):
            whole = 0.0
            for b in range(0, n, BLOCK):
                whole += block_squares(x, mean[r], r * n + b, min(BLOCK, n - b), t)
            out[r] = whole


def _mse_flat(x: Any, t: Any, out: Any) -> None:
    """The sum of (x - t)**2 of each block."""
    for group in prange((out.size + GROUP - 1) // GROUP):
        room = np.empty(BLOCK, x.dtype)
        part = np.empty(16, x.dtype)
        for b in range(group * GROUP, min(out.size, group * GROUP + GROUP)):
            s = span(b, x.size, BLOCK)
            xs, ts = x[s], t[s]
            for i in range(xs.size):
                d = xs[i] - ts[i]
                room[i] = d * d
            out[b] = block_sum(room, 0, xs.size, part)


def order_key(x: Any, flip: Any) -> Any:
    """A float's bits as an integer in the same order (flip 0) or the opposite one (flip -1).

    Integer maxima vectorise; float ones do not while NaN counts.
    """


def key_value(k: Any, flip: Any, dtype: Any) -> Any:
    """The float of a key."""


def _keys(x: Any) -> Any:
    return (np.float32, np.int32, 31) if x == types.float32 else (np.float64, np.int64, 63)


@overload(order_key, jit_options={"error_model": "numpy"})
def _order_key(x: Any, flip: Any) -> Any:
    dtype, integer, bits = _keys(x)
    shift, mask = integer(bits), integer(2**bits - 1)

    def impl(x: Any, flip: Any) -> Any:
        b = dtype(x).view(integer)
        return integer(integer(b ^ integer(integer(b >> shift) & mask)) ^ flip)

    return impl


@overload(key_value, jit_options={"error_model": "numpy"})
def _key_value(k: Any, flip: Any, dtype: Any) -> Any:
    real, integer, bits = (np.float32, np.int32, 31) if k == types.int32 else (np.float64, np.int64, 63)
    shift, mask = integer(bits), integer(2**bits - 1)

    def impl(k: Any, flip: Any, dtype: Any) -> Any:
        b = integer(k ^ flip)
        return integer(b ^ integer(integer(b >> shift) & mask)).view(real)

    return impl


def _extreme_rows(x: Any, n: int, flip: Any, out: Any) -> None:
    """The maximum (flip 0) or minimum (flip -1) of each row of n elements; NaN wins."""
    per = max(1, GROUP * BLOCK // n)
    for task in prange((out.size + per - 1) // per):
        for r in range(task * per, min(out.size, task * per + per)):
            row = x[r * n : r * n + n]
            best = order_key(row[0], flip)
            nan = False
            for i in range(row.size):
                best = max(best, order_key(row[i], flip))
                nan |= row[i] != row[i]
            out[r] = x.dtype.type(np.nan) if nan else key_value(best, flip, x.dtype)


sum_flat_kernel = Kernel(_sum_flat)
sum_rows_kernel = Kernel(_sum_rows)
sum_columns_kernel = Kernel(_sum_columns)
squares_flat_kernel = Kernel(_squares_flat)
squares_rows_kernel = Kernel(_squares_rows)
mse_flat_kernel = Kernel(_mse_flat)
extreme_rows_kernel = Kernel(_extreme_rows)


def _total(parts: Any, dtype: Any) -> Any:
    return dtype.type(np.add.reduce(parts))


def _blocks(x: Any) -> Any:
    return np.empty(-(-x.size // BLOCK), np.float64)


def sum_all(x: Any) -> Any:
    """The sum of all elements, as a scalar of x's dtype."""
    parts = _blocks(x)
    sum_flat_kernel(0.08 * x.size, x.reshape(-1), parts)
    return _total(parts, x.dtype)


def mse_sum(x: Any, t: Any) -> Any:
    """The sum of (x - t)**2."""
    parts = _blocks(x)
    mse_flat_kernel(0.1 * x.size, x.reshape(-1), t.reshape(-1), parts)
    return _total(parts, x.dtype)


def squares_all(x: Any, mean: Any) -> Any:
    """The sum of (x - mean)**2 of all elements."""
    parts = _blocks(x)
    squares_flat_kernel(0.1 * x.size, x.reshape(-1), x.dtype.type(mean), parts)
    return _total(parts, x.dtype)


def sum_rows(x: Any, n: int, shape: tuple[int, ...]) -> Any:
    """Sums of runs of n elements, as an array of `shape`."""
    out = np.empty(shape, x.dtype)
    sum_rows_kernel(0.08 * x.size, x.reshape(-1), n, out.reshape(-1))
    return out


def squares_rows(x: Any, n: int, mean: Any, shape: tuple[int, ...]) -> Any:
    out = np.empty(shape, x.dtype)
    squares_rows_kernel(0.1 * x.size, x.reshape(-1), n, mean.reshape(-1), out.reshape(-1))
    return out


def sum_columns(x: Any, n: int, shape: tuple[int, ...]) -> Any:
    """Sums over n rows, as an array of `shape`."""
    out = np.empty(shape, x.dtype)
    sum_columns_kernel(0.1 * x.size, x.reshape(-1), n, out.reshape(-1))
    return out


def extreme(x: Any, n: int, minimum: bool, shape: tuple[int, ...]) -> Any:
    """Maxima or minima of runs of n elements, as an array of `shape`."""
    flip = (np.int32 if x.itemsize == 4 else np.int64)(-1 if minimum else 0)
    out = np.empty(shape, x.dtype)
    extreme_rows_kernel(0.1 * x.size, x.reshape(-1), n, flip, out.reshape(-1))
    return out
