"""Chains of pointwise operations in one pass over their operands."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from .pointwise import BLOCK, span
from .random import _start, fill
from .threads import Kernel

BLOCKS = 256  # of four random words, to a task
SMALLEST = 2048  # elements from which this beats NumPy's
Array = Any


def _dropout(x: Any, counter: Any, k0: Any, k1: Any, limit: Any, scale: Any, out: Any, mask: Any) -> None:
    """Element i stays where 24 bits of half word i are below the limit."""
    zero, size = x.dtype.type(0), BLOCKS * 8
    for task in prange((x.size + size - 1) // size):
        words = np.empty(BLOCKS * 4, np.uint64)
        last = min(x.size, task * size + size)
        fill(counter, np.uint64(task * BLOCKS), (last - task * size + 7) // 8, k0, k1, words)
        halves = words.view(np.uint32)
        xs, o, m = x[task * size : last], out[task * size : last], mask[task * size : last]
        for i in range(o.size):
            keep = np.uint32(halves[i] >> np.uint32(8)) < limit
            m[i] = keep
            o[i] = xs[i] * (scale if keep else zero)


def _masked_scale(x: Any, mask: Any, scale: Any, out: Any) -> None:
    zero = x.dtype.type(0)
    for b in prange((x.size + BLOCK - 1) // BLOCK):
        s = span(b, x.size, BLOCK)
        xs, m, o = x[s], mask[s], out[s]
        for i in range(o.size):
            o[i] = xs[i] * (scale if m[i] else zero)


dropout_kernel = Kernel(_dropout)
masked_scale_kernel = Kernel(_masked_scale)


def dropout(x: Array, seed: int, counter: int, p: float) -> tuple[Array, Array]:
    """The contract's dropout, of a C-contiguous array."""
    out, mask = np.empty(x.shape, x.dtype), np.empty(x.shape, bool)
    limit = np.uint32(-(-((1.0 - p) * 2.0**24) // 1))
    start, scale = _start(seed, counter), x.dtype.type(1.0 / (1.0 - p))
    dropout_kernel(0.9 * x.size, x.reshape(-1), *start, limit, scale, out.reshape(-1), mask.reshape(-1))
    return out, mask


def masked_scale(x: Array, mask: Array, scale: float) -> Array:
    out = np.empty(x.shape, x.dtype)
    masked_scale_kernel(0.1 * x.size, x.reshape(-1), mask.reshape(-1), x.dtype.type(scale), out.reshape(-1))
    return out
