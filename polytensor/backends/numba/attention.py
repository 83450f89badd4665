"""The rows of attention's tiles: scale, mask, softmax and its derivative in place, one pass over each row in cache."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from .pointwise import fast_exp
from .reduce import BLOCK, block_sum, key_value, order_key
from .softmax import FLIP
from .threads import Kernel, team

PRODUCT = 0.02  # nanoseconds a product
SCORE = 1.0  # and a score


def _weigh(x: Any, n: int, height: int, start: int, causal: bool, dead: Any, flip: Any, logs: Any) -> None:
    """Softmax of rows of n; row r is query start + r % height, which sees keys up to its own number if `causal`."""
    for r in prange(x.size // n):
        row = x[r * n : r * n + n]
        seen = min(n, start + r % height + 1) if causal else n
        if dead.size and dead[r]:
            row[:] = 0
            logs[r] = 0
            continue
        xs = row[:seen]
        best = order_key(xs[0], flip)
        for i in range(xs.size):
            best = max(best, order_key(xs[i], flip))
        top = key_value(best, flip, x.dtype)
        for i in range(xs.size):
            xs[i] = fast_exp(xs[i] - top)
        part = np.empty(BLOCK // 16, x.dtype)
        whole = 0.0
        for first in range(0, seen, BLOCK):
            whole += block_sum(x, r * n + first, min(BLOCK, seen - first), part)
        inverse = x.dtype.type(1 / whole)
        for i in range(xs.size):
            xs[i] *= inverse
        row[seen:] = 0
        logs[r] = top + x.dtype.type(np.log(whole))


def _weigh_back(
    w: Any, n: int, height: int, start: int, causal: bool, dead: Any, logs: Any, s: Any, inner: Any
) -> None:
    """Scores to weights, in w; gradients of weights to those of scores, in s (of no elements: not wanted)."""
    for r in prange(w.size // n):
        row = w[r * n : r * n + n]
        seen = min(n, start + r % height + 1) if causal else n
        if dead.size and dead[r]:
            seen = 0
        ws, log = row[:seen], logs[r]
        for i in range(ws.size):
            ws[i] = fast_exp(ws[i] - log)
        row[seen:] = 0
        if s.size:
            grads, d = s[r * n : r * n + n], inner[r]
            gs = grads[:seen]
            for i in range(gs.size):
                gs[i] = (gs[i] - d) * ws[i]
            grads[seen:] = 0


weigh_kernel, weigh_back_kernel = Kernel(_weigh), Kernel(_weigh_back)


def weigh(scores: Any, start: int, causal: bool, dead: Any) -> Any:
    """Softmax in place of contiguous scores (*, rows, keys). Returns the logarithms of the sums (*, rows)."""
    logs = np.empty(scores.shape[:-1], scores.dtype)
    weigh_kernel.serial(
        scores.reshape(-1), scores.shape[-1], scores.shape[-2], start, causal, dead, FLIP[scores.itemsize], logs.reshape(-1)
    )  # fmt: skip
    return logs


def weigh_back(weights: Any, start: int, causal: bool, dead: Any, logs: Any, scores: Any, inner: Any) -> None:
    """The contract's _weigh_back for contiguous arrays, masked already."""
    weigh_back_kernel.serial(
        weights.reshape(-1), weights.shape[-1], weights.shape[-2], start, causal, dead, logs.reshape(-1), scores.reshape(-1),
        inner.reshape(-1),
    )  # fmt: skip


def run(parts: list[Any], body: Any, products: int, scores: int) -> None:
    """body(part, alone) for every part, on several threads where that pays."""
    team.run(PRODUCT * products + SCORE * scores, body, parts)
