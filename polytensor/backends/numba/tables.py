"""Rows of a table: the gradients of an embedding and of chosen rows."""

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
                to, at = (
                    np.uint64(k * n + first),
                    np.uint64(r * n + first),
                )  # no slices: they cost more than a short row
                for i in range(np.uint64(width)):
                    out[to + i] += x[at + i]


add_rows_kernel = Kernel(_add_rows)


def add_rows(out: Any, x: Any, index: Any, skip: int, n: int) -> None:
    """Add rows of n elements of x into those of `out` that `index` names; where it is `skip` they are left out."""
    add_rows_kernel(0.5 * x.size, x.reshape(-1), index.reshape(-1), skip, n, out.reshape(-1))
