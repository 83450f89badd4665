"""Rows of a table: the gradient of an embedding."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from .threads import Kernel

COLUMNS = 64  # of a task


def _add_rows(x: Any, index: Any, skip: int, n: int, out: Any) -> None:
    """out[index[r]] += x[r] for rows of n, in order; rows whose index is `skip` are left out."""
    for task in prange((n + COLUMNS - 1) // COLUMNS):
        first = task * COLUMNS
        width = min(n - first, COLUMNS)
        for r in range(index.size):
            k = index[r]
            if k != skip:
                o, xs = out[k * n + first : k * n + first + width], x[r * n + first : r * n + first + width]
                for i in range(o.size):
                    o[i] += xs[i]


add_rows_kernel = Kernel(_add_rows)


def embedding_sum(x: Any, count: int, index: Any, skip: int, n: int) -> Any:
    out = np.zeros((count, n), x.dtype)
    add_rows_kernel(0.5 * x.size, x.reshape(-1), index.reshape(-1), skip, n, out.reshape(-1))
    return out
