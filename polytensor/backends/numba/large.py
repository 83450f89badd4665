"""What large arrays gain by: copies, choices, order, running sums, random numbers."""

from __future__ import annotations

from importlib import import_module
from math import prod
from typing import Any

import numpy as np

from ..numpy import NumpyBackend

Array = Any
LEAST = 16384  # elements from which these kernels beat NumPy
MANY = 1 << 19  # and that are worth threads for what NumPy does as fast on one
_where = np.where


class LargeKernels(NumpyBackend):
    """Mixed into NumbaBackend."""

    def __init__(self) -> None:
        super().__init__()
        for module in ("copies", "scan", "sort", "random"):
            setattr(self, "_" + module, import_module("." + module, __package__))

    _threads: Any
    _copies: Any
    _scan: Any
    _sort: Any
    _random: Any

    # ---- copies -----------------------------------------------------------------------------------------------
    def contiguous(self, x: Array) -> Array:
        if x.flags.c_contiguous:
            return x
        found = self._copies.turned(x) if x.size >= LEAST else None
        return np.ascontiguousarray(x) if found is None else found

    def copy(self, a: Array) -> Array:
        found = self._copies.turned(a) if a.size >= LEAST and not a.flags.c_contiguous else None
        return np.array(a, order="C", copy=True) if found is None else found

    def clone(self, x: Array, order: tuple[int, ...] | None) -> Array:
        return self.copy(x) if order is None else NumpyBackend.clone(self, x, order)

    def where(self, mask: Array, a: Array, b: Array) -> Array:
        if mask.size >= LEAST and mask.dtype.char == "?" and a.dtype == b.dtype and a.itemsize in (4, 8):
            if (
                mask.flags.carray
                and mask.shape in (a.shape, b.shape)
                and all(x.size == 1 or x.shape == mask.shape for x in (a, b))
            ):
                if a.flags.carray and b.flags.carray and a.dtype.kind in "fiu" and a.ndim <= mask.ndim >= b.ndim:
                    return self._copies.select(mask, a, b)
        return _where(mask, a, b)

    def index(self, x: Array, index: tuple[Any, ...]) -> Array:
        i = index[0]
        if len(index) == 1 and i.__class__ is not slice and i.size * x.size >= MANY and x.ndim and x.itemsize in (4, 8):
            n = i.size * (x.size // max(len(x), 1))
            worth = n >= MANY and n >= 16 * i.size and self._threads.get_num_threads() > 1
            if worth and i.dtype == np.int64 and i.flags.carray and x.flags.carray and x.dtype.kind in "fiu":
                if -len(x) <= i.min() and i.max() < len(x):
                    return self._copies.take_rows(x, i)
        return NumpyBackend.index(self, x, index)

    # ---- order and running sums -------------------------------------------------------------------------------
    def argsort(self, x: Array, dim: int, descending: bool) -> Array:
        n = x.shape[dim] if x.ndim else 0
        if n < self._sort.SHORTEST or x.size < 2048 or x.dtype.char not in "fdilq" or n >= 2**31:
            return NumpyBackend.argsort(self, x, dim, descending)
        if dim in (-1, x.ndim - 1):
            return self._sort.argsort(self._writeable(x), descending)
        found = self._sort.argsort(self._writeable(x.swapaxes(dim, -1)), descending)
        return self.contiguous(found.swapaxes(dim, -1))

    def cumsum(self, x: Array, dim: int) -> Array:
        n = x.shape[dim] if x.ndim else 0
        if x.size < 2048 or n < 32 or x.dtype.char not in "fd" or dim not in (-1, x.ndim - 1):
            return super().cumsum(x, dim)
        return self._scan.cumsum(self._writeable(x))

    def _writeable(self, x: Array) -> Array:
        """x as kernels take it."""
        x = self.contiguous(x)
        return x if x.flags.carray else np.array(x, order="C")

    # ---- random numbers ---------------------------------------------------------------------------------------
    def random_words(self, seed: int, counter: int, nblocks: int) -> Array:
        if 4 * nblocks < self._random.SMALLEST:
            return super().random_words(seed, counter, nblocks)
        return self._random.random_words(seed, counter, nblocks)

    def normal(
        self, seed: int, counter: int, shape: tuple[int, ...], dtype: Any, mean: float = 0.0, std: float = 1.0
    ) -> Array:
        if dtype.char == "f" and prod(shape) >= self._random.SMALLEST:
            return self._random.normal(seed, counter, shape, mean, std)
        return super().normal(seed, counter, shape, dtype, mean, std)
