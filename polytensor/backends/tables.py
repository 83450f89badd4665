"""Kernels for rows of a table by index."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

Array = Any


class TableKernels:
    """Mixed into Backend."""

    xp: Any
    checks_rows = False  # whether embedding_rows refuses what is not in [0, len(x))

    def embedding_rows(self, x: Array, index: Array, skip: int, by_frequency: bool) -> Array:
        """x[index]; `skip` and `by_frequency` concern the gradient."""
        return x.take(index, 0)

    def embedding_take(self, x: Array, index: Array, skip: int, by_frequency: bool) -> Array:
        """The adjoint of embedding_sum: zero where the index is `skip`, over its count with by_frequency."""
        y = x.take(index, 0)
        if skip >= 0:
            y[index == skip] = 0
        if by_frequency:
            y /= self.counts(index.ravel(), None, x.shape[0])[index][..., None].astype(x.dtype)
        return y

    def embedding_sum(self, x: Array, count: int, index: Array, skip: int, by_frequency: bool) -> Array:
        """Add the rows of x (*index.shape, ...) into `count` rows; those at index `skip` are left out."""
        tail = x.shape[index.ndim :]
        flat, rows = index.reshape(-1), x.reshape(index.size, prod(tail))
        if skip >= 0:
            keep = self.xp.nonzero(flat != skip)[0]
            flat, rows = flat[keep], rows[keep]
        out = self.xp.zeros((count, rows.shape[1]), x.dtype)
        if flat.size and rows.size and (by_frequency or not self._add_by_turns(out, flat, rows)):  # type: ignore[attr-defined]
            order = self.argsort(flat, 0, False)  # type: ignore[attr-defined]
            flat = flat[order]
            first = self.xp.concatenate((self.asarray(np.array([True])), flat[1:] != flat[:-1]))  # type: ignore[attr-defined]
            starts = self.xp.nonzero(first)[0]
            wide = rows[order] if x.dtype.itemsize > 2 else rows[order].astype(np.float32)
            sums = self._sum_runs(wide, starts)  # type: ignore[attr-defined]
            if by_frequency:
                ends = self.xp.concatenate((starts[1:], self.asarray(np.array([flat.size]))))  # type: ignore[attr-defined]
                sums = sums / (ends - starts)[:, None].astype(sums.dtype)
            out[flat[starts]] = sums
        return out.reshape(count, *tail)

    def unique_rows(self, index: Array) -> Array:
        return self.xp.unique(index)

    def bags_of(self, starts: Array, index: Array, skip: int) -> tuple[Array, Array, Array]:
        """For each index that is not `skip`: its bag and its place there; and the bags' lengths without those."""
        n, bags = index.shape[0], starts.shape[0]
        marks = self.counts(starts, None, n + 1)[:n] if n else self.xp.zeros(0, np.int64)
        bag = self.xp.cumsum(marks) - 1
        if skip >= 0:
            bag = bag[index != skip]
        lengths = self.counts(bag, None, bags)[:bags] if bags else self.xp.zeros(0, np.int64)
        before = self.xp.cumsum(lengths) - lengths
        return bag, self.xp.arange(bag.shape[0]) - before[bag], lengths
