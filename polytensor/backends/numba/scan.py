"""Running sums and extremes over contiguous rows; the sums in float64, by short segments side by side.

A running sum waits for the last addition at each element. Eight segments at once wait eight times less; the sum before
a segment is added to it afterwards, so that the result grows wherever its terms are positive.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange

from . import threads
from .threads import Kernel

SEGMENT = 128
BLOCK = 8 * SEGMENT
GROUP = 16  # blocks to a task
Array = Any


@njit(error_model="numpy", forceinline=True)
def segments(x: Any, room: Any) -> None:
    """The running sums of x within each segment."""
    n = x.size
    if n == BLOCK:
        a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = 0.0
        for i in range(SEGMENT):
            a0 += x[i]
            a1 += x[i + SEGMENT]
            a2 += x[i + 2 * SEGMENT]
            a3 += x[i + 3 * SEGMENT]
            a4 += x[i + 4 * SEGMENT]
            a5 += x[i + 5 * SEGMENT]
            a6 += x[i + 6 * SEGMENT]
            a7 += x[i + 7 * SEGMENT]
            room[i] = a0
            room[i + SEGMENT] = a1
            room[i + 2 * SEGMENT] = a2
            room[i + 3 * SEGMENT] = a3
            room[i + 4 * SEGMENT] = a4
            room[i + 5 * SEGMENT] = a5
            room[i + 6 * SEGMENT] = a6
            room[i + 7 * SEGMENT] = a7
        return
    whole = 0.0
    for i in range(n):
        if i % SEGMENT == 0:
            whole = 0.0
        whole += x[i]
        room[i] = whole


@njit(error_model="numpy", forceinline=True)
def block(x: Any, before: Any, room: Any, out: Any) -> Any:
    """The running sums of x after `before`, into out; the last one is returned."""
    segments(x, room)
    for first in range(0, x.size, SEGMENT):
        last = min(x.size, first + SEGMENT)
        o, r = out[first:last], room[first:last]
        for i in range(o.size):
            o[i] = before + r[i]
        before += r[r.size - 1]
    return before


def _rows(x: Any, n: int, out: Any) -> None:
    """Rows of n elements, one after the other."""
    per = max(1, GROUP * BLOCK // n)
    rows = x.size // n
    for task in prange((rows + per - 1) // per):
        room = np.empty(BLOCK, np.float64)
        for r in range(task * per, min(rows, task * per + per)):
            before = 0.0
            for i in range(r * n, r * n + n, BLOCK):
                last = min(i + BLOCK, r * n + n)
                before = block(x[i:last], before, room, out[i:last])


def _lasts(x: Any, out: Any) -> None:
    """The sum of each segment."""
    size = GROUP * BLOCK
    for task in prange((x.size + size - 1) // size):
        room = np.empty(BLOCK, np.float64)
        for i in range(task * size, min(x.size, task * size + size), BLOCK):
            xs = x[i : min(i + BLOCK, x.size)]
            segments(xs, room)
            for k in range((xs.size + SEGMENT - 1) // SEGMENT):
                out[i // SEGMENT + k] = room[min(k * SEGMENT + SEGMENT, xs.size) - 1]


def _spread(x: Any, before: Any, out: Any) -> None:
    """The running sums, given what comes before each segment."""
    size = GROUP * BLOCK
    for task in prange((x.size + size - 1) // size):
        room = np.empty(BLOCK, np.float64)
        for i in range(task * size, min(x.size, task * size + size), BLOCK):
            last = min(i + BLOCK, x.size)
            block(x[i:last], before[i // SEGMENT], room, out[i:last])


def _extremes(x: Any, n: int, minimum: bool, values: Any, places: Any) -> None:
    """The extreme so far and its last place in each row of n elements; NaN wins."""
    for r in prange(x.size // n):
        xs, vs, ps = x[r * n : r * n + n], values[r * n : r * n + n], places[r * n : r * n + n]
        at = 0
        while at < n:  # from one record to the next: a choice at each element would wait for the one before
            best, i = xs[at], at + 1
            if best != best:
                while i < n and xs[i] == xs[i]:
                    i += 1
            elif minimum:
                while i < n and xs[i] > best:
                    i += 1
            else:
                while i < n and xs[i] < best:
                    i += 1
            vs[at:i] = best
            ps[at:i] = at
            at = i


rows_kernel = Kernel(_rows)
extremes_kernel = Kernel(_extremes)
lasts_kernel = Kernel(_lasts)
spread_kernel = Kernel(_spread)


def cumsum(x: Array) -> Array:
    """Along the last axis."""
    out = np.empty(x.shape, x.dtype)
    n = x.shape[-1]
    flat, o = x.reshape(-1), out.reshape(-1)
    cost = 0.4 * x.size
    if n != x.size or cost < threads.PARALLEL_NS or threads.get_num_threads() == 1:
        rows_kernel(cost, flat, n, o)
        return out
    sums = np.zeros(-(-n // SEGMENT) + 1)
    lasts_kernel(cost, flat, sums[1:])
    spread_kernel(cost, flat, np.add.accumulate(sums), o)
    return out


def extremes(x: Array, minimum: bool) -> tuple[Array, Array]:
    """Running extremes along the last axis, and the places they come from."""
    values, places = np.empty(x.shape, x.dtype), np.empty(x.shape, np.int64)
    extremes_kernel(0.6 * x.size, x.reshape(-1), x.shape[-1], minimum, values.reshape(-1), places.reshape(-1))
    return values, places
