"""Copies: transposed arrays by tiles, choices between two arrays, and rows of a table."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from .intrinsics import turn_tile
from .pointwise import BLOCK, span
from .threads import Kernel

LINE = 64  # bytes of a tile's side
WORDS = {4: np.uint32, 8: np.uint64}  # bits are moved, not numbers

Array = Any


def _turn(x: Any, count: int, apart: int, m: int, n: int, stride: int, side: int, out: Any) -> None:
    """out[b, i, j] = x[b * apart + i + j * stride], for (count, m, n)."""
    bands = (m + side - 1) // side
    for task in prange(count * bands):
        b, i0 = task // bands, task % bands * side
        high = min(side, m - i0)
        first, place = b * apart + i0, (b * m + i0) * n
        whole = n // side * side if high == side else 0
        for j in range(0, whole, side):
            turn_tile(x, np.int64(first + j * stride), np.int64(stride), out, np.int64(place + j), np.int64(n))
        for i in range(high):
            for j in range(whole, n):
                out[place + i * n + j] = x[first + i + j * stride]


def _select(mask: Any, a: Any, b: Any, out: Any) -> None:
    """Reads both and keeps one: no branch to guess. a or b may be one number."""
    for k in prange((out.size + BLOCK - 1) // BLOCK):
        s = span(k, out.size, BLOCK)
        m, o = mask[s], out[s]
        if a.size == 1:
            one, bs = a[0], b[s]
            for i in range(o.size):
                y = bs[i]
                o[i] = one if m[i] != 0 else y
        elif b.size == 1:
            one, xs = b[0], a[s]
            for i in range(o.size):
                x = xs[i]
                o[i] = x if m[i] != 0 else one
        else:
            xs, ys = a[s], b[s]
            for i in range(o.size):
                x, y = xs[i], ys[i]
                o[i] = x if m[i] != 0 else y


def _take_rows(x: Any, index: Any, n: int, out: Any) -> None:
    """out[r] = x[index[r]] for rows of n; an index out of range has been refused."""
    count = x.size // n
    per = max(1, BLOCK // n)
    for task in prange((index.size + per - 1) // per):
        for r in range(task * per, min(index.size, task * per + per)):
            k = index[r]
            if k < 0:
                k += count
            o, xs = out[r * n : r * n + n], x[k * n : k * n + n]
            for i in range(o.size):
                o[i] = xs[i]


turn_kernel = Kernel(_turn)
select_kernel = Kernel(_select)
take_rows_kernel = Kernel(_take_rows)


def collapse(x: Array) -> list[tuple[int, int]]:
    """(length, stride in elements) of x's dimensions, those that are one run in memory made one, without those of 1."""
    dims: list[tuple[int, int]] = []
    for n, s in zip(x.shape, x.strides, strict=True):
        s //= x.itemsize
        if n == 1:
            continue
        if dims and dims[-1][1] == s * n:
            dims[-1] = (dims[-1][0] * n, s)
        else:
            dims.append((n, s))
    return dims


def turned(x: Array) -> Array | None:
    """A C-contiguous copy of x where it is a stack of transposed matrices, else None."""
    if x.itemsize not in WORDS or not x.flags.writeable or not x.flags.aligned or x.dtype.hasobject:
        return None
    dims = collapse(x)
    if len(dims) == 2:
        dims.insert(0, (1, 0))
    if len(dims) != 3:
        return None
    (count, apart), (m, one), (n, stride) = dims
    if one != 1 or stride < m or apart < 0 or min(m, n) < LINE // x.itemsize:
        return None
    reach = (count - 1) * apart + m + (n - 1) * stride
    flat = np.lib.stride_tricks.as_strided(x, (reach,), (x.itemsize,)).view(WORDS[x.itemsize])
    out = np.empty(x.shape, x.dtype)
    words = out.reshape(-1).view(WORDS[x.itemsize])
    turn_kernel(0.3 * x.size, flat, count, apart, m, n, stride, LINE // x.itemsize, words)
    return out


def select(mask: Array, a: Array, b: Array) -> Array:
    """where(mask, a, b) for contiguous arrays of one shape and dtype; a or b may have one element."""
    out = np.empty(mask.shape, a.dtype)
    kind = WORDS[a.itemsize]
    flat = (
        mask.reshape(-1).view(np.uint8),
        *(np.array(x).reshape(-1).view(kind) if x.size == 1 else x.reshape(-1).view(kind) for x in (a, b)),
    )
    select_kernel(0.12 * out.size, *flat, out.reshape(-1).view(kind))
    return out


def take_rows(x: Array, index: Array) -> Array:
    """x[index] for contiguous x and int64 index within its range."""
    out = np.empty((*index.shape, *x.shape[1:]), x.dtype)
    kind = WORDS[x.itemsize]
    n = x.size // len(x)
    take_rows_kernel(0.1 * out.size, x.reshape(-1).view(kind), index.reshape(-1), n, out.reshape(-1).view(kind))
    return out
