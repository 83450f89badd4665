"""Softmax, log-softmax and cross-entropy over contiguous rows, one pass over each row in cache."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from .pointwise import fast_exp
from .reduce import BLOCK, SHORT, block_dot, block_sum, key_value, lane_sum, order_key
from .threads import Kernel

TASK = 8192  # elements to a task
COST = 0.5  # nanoseconds an element


def _softmax(x: Any, n: int, flip: Any, log: bool, out: Any) -> None:
    """Rows of n: exp(x - max) / sum, or with `log` its logarithm. A row with NaN or of -inf alone is all NaN."""
    rows = x.size // n
    per = max(1, TASK // n)
    for task in prange((rows + per - 1) // per):
        part = np.empty(BLOCK // 16, x.dtype)
        for r in range(task * per, min(rows, task * per + per)):
            xs, o = x[r * n : r * n + n], out[r * n : r * n + n]
            best = order_key(xs[0], flip)
            for i in range(xs.size):
                best = max(best, order_key(xs[i], flip))
            top = key_value(best, flip, x.dtype)
            for i in range(o.size):
                o[i] = fast_exp(xs[i] - top)
            whole = 0.0
            if n <= SHORT:
                whole = lane_sum(out, r * n, n)
            for first in range(r * n if n > SHORT else r * n + n, r * n + n, BLOCK):
                whole += block_sum(out, first, min(BLOCK, r * n + n - first), part)
            if log:
                shift = x.dtype.type(np.log(whole))
                for i in range(o.size):
                    o[i] = (xs[i] - top) - shift
            else:
                inverse = x.dtype.type(1 / whole)
                for i in range(o.size):
                    o[i] *= inverse


def _softmax_backward(g: Any, y: Any, n: int, log: bool, out: Any) -> None:
    """y * (g - sum(g * y)), or with `log` g - exp(y) * sum(g)."""
    rows = y.size // n
    per = max(1, TASK // n)
    for task in prange((rows + per - 1) // per):
        part = np.empty(BLOCK // 8, y.dtype)
        for r in range(task * per, min(rows, task * per + per)):
            gs, ys, o = g[r * n : r * n + n], y[r * n : r * n + n], out[r * n : r * n + n]
            whole = 0.0
            for first in range(r * n, r * n + n, BLOCK):
                count = min(BLOCK, r * n + n - first)
                whole += block_sum(g, first, count, part) if log else block_dot(g, y, first, count, part)
            total = y.dtype.type(whole)
            if log:
                for i in range(o.size):
                    o[i] = gs[i] - fast_exp(ys[i]) * total
            else:
                for i in range(o.size):
                    o[i] = ys[i] * (gs[i] - total)


def _pick(logp: Any, t: Any, n: int, ignore: int, losses: Any) -> tuple[int, float]:
    """losses = -logp[row, t[row]]; zero where t is `ignore`. The number of rows kept (or -1 - a bad row), the sum."""
    kept, total = 0, 0.0
    for r in range(t.size):
        c = t[r]
        if c == ignore:
            losses[r] = 0
        elif c < 0 or c >= n:
            return -1 - r, total
        else:
            loss = -logp[r * n + c]
            losses[r] = loss
            total += loss
            kept += 1
    return kept, total


def _cross_entropy_backward(g: Any, logp: Any, t: Any, n: int, ignore: int, kept: int, out: Any) -> None:
    """(exp(logp) - onehot(t)) * g / kept; zero where t is `ignore`. g: one number, or one a row."""
    rows = t.size
    one = logp.dtype.type(1)
    share = one / logp.dtype.type(kept)
    per = max(1, TASK // n)
    for task in prange((rows + per - 1) // per):
        for r in range(task * per, min(rows, task * per + per)):
            xs, o = logp[r * n : r * n + n], out[r * n : r * n + n]
            k = (g[0] if g.size == 1 else g[r]) * share
            if t[r] == ignore:
                o[:] = 0
            else:
                for i in range(xs.size):
                    o[i] = fast_exp(xs[i]) * k
                o[t[r]] = (fast_exp(xs[t[r]]) - one) * k


softmax_kernel = Kernel(_softmax)
softmax_backward_kernel = Kernel(_softmax_backward)
pick_kernel = Kernel(_pick)
cross_entropy_backward_kernel = Kernel(_cross_entropy_backward)
FLIP = {4: np.int32(0), 8: np.int64(0)}


def softmax(x: Any, log: bool) -> Any:
    """Over the last axis."""
    out = np.empty(x.shape, x.dtype)
    softmax_kernel(COST * x.size, x.reshape(-1), x.shape[-1], FLIP[x.itemsize], log, out.reshape(-1))
    return out


def softmax_backward(g: Any, y: Any, log: bool) -> Any:
    out = np.empty(y.shape, y.dtype)
    softmax_backward_kernel(COST * y.size, g.reshape(-1), y.reshape(-1), y.shape[-1], log, out.reshape(-1))
    return out


def cross_entropy(x: Any, t: Any, ignore_index: int, reduction: int) -> tuple[Any, Any]:
    """The contract's cross_entropy for contiguous x (N, C) and t (N,) int64."""
    logp = softmax(x, True)
    losses = np.empty(t.shape, x.dtype)
    kept, total = pick_kernel.serial(logp.reshape(-1), t, x.shape[1], ignore_index, losses)
    if kept < 0:
        raise IndexError(f"Target {t[-1 - kept]} is out of bounds.")
    if reduction == 0:
        return losses, logp
    if reduction == 1:
        total = total / kept if kept else np.nan
    return np.array(total, x.dtype), logp


def cross_entropy_backward(g: Any, logp: Any, t: Any, ignore_index: int, reduction: int) -> Any:
    out = np.empty(logp.shape, logp.dtype)
    kept = t.size - np.count_nonzero(t == ignore_index) if reduction == 1 else 1
    cross_entropy_backward_kernel(
        COST * logp.size, g.reshape(-1), logp.reshape(-1), t, logp.shape[1], ignore_index, kept, out.reshape(-1)
    )
    return out
