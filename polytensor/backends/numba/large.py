"""What large arrays gain by: copies, choices, order, running sums, random numbers."""

from __future__ import annotations

from importlib import import_module
from math import prod
from typing import Any

import numpy as np

from ..numpy import NumpyBackend, dense

Array = Any
F4, F8 = np.dtype("f4"), np.dtype("f8")
TINY = 512  # elements up to which the price of a call is what counts
LEAST = 16384  # elements from which these kernels beat NumPy
MANY = 1 << 19  # and that are worth threads for what NumPy does as fast on one
FEWEST = 2048  # and from which order and running sums do
_cumsum = NumpyBackend.cumsum  # super() costs a tenth of a small op


def fits(x: Array) -> bool:
    """Whether kernels take x. (`carray`: C-contiguous, aligned and writeable; others would compile anew.)"""
    return x.dtype.char in "fd" and x.flags.carray and x.size > 0


class LargeKernels(NumpyBackend):
    """Mixed into NumbaBackend."""

    def __init__(self) -> None:
        super().__init__()
        for module in ("threads", "copies", "scan", "sort", "random", "ufuncs", "spread", "halves"):
            setattr(self, "_" + module, import_module("." + module, __package__))
        self._small_first()
        for name, ufunc in self._spread.spread().items():
            setattr(self, "power" if name == "pow" else name, ufunc)

    _threads: Any
    _copies: Any
    _scan: Any
    _sort: Any
    _random: Any
    _ufuncs: Any
    _spread: Any
    _halves: Any

    def cast(self, x: Array, dtype: Any) -> Array:
        if x.size >= FEWEST and (dtype.itemsize == 2 or x.itemsize == 2) and x.flags.carray:
            found = self._halves.cast(x, np.dtype(dtype))
            if found is not None:
                return found
        return NumpyBackend.cast(self, x, dtype)

    # ---- copies -----------------------------------------------------------------------------------------------
    def contiguous(self, x: Array) -> Array:
        if x.flags.c_contiguous:
            return x
        found = self._copies.turned(x) if x.size >= LEAST else None
        return dense(x) if found is None else found

    def copy(self, a: Array) -> Array:
        found = self._copies.turned(a) if a.size >= LEAST and not a.flags.c_contiguous else None
        return dense(a) if found is None else found

    def clone(self, x: Array, order: tuple[int, ...] | None) -> Array:
        return self.copy(x) if order is None else NumpyBackend.clone(self, x, order)

    def _small_first(self) -> None:
        """`where` and `index` as functions of this object: a method's binding costs a twentieth of a small op."""
        copies, threads, ufuncs, usual, ndarray = self._copies, self._threads, self._ufuncs, np.where, np.ndarray

        def full(x: Array, shape: tuple[int, ...]) -> Array:
            whole = x.shape == shape and x.flags.carray
            return x if whole else np.array(np.broadcast_to(x, shape), order="C", copy=True)

        def where(mask: Array, a: Array, b: Array) -> Array:
            if mask.size <= TINY:
                try:
                    if a.dtype is F4 or a.dtype is F8:
                        return ufuncs.where(mask, a, b)
                except (AttributeError, TypeError):  # a number, dtypes that it does not take
                    pass
            if mask.size < LEAST or mask.dtype.char != "?" or a.__class__ is not ndarray or b.__class__ is not ndarray:
                return usual(mask, a, b)  # kernels of the base backend pass numbers too
            if a.dtype != b.dtype or a.itemsize not in (4, 8) or a.dtype.kind not in "fiu" or a.size == b.size == 1:
                return usual(mask, a, b)
            shape = mask.shape
            if not all(x.shape == shape or (x.size == 1 and x.ndim <= mask.ndim) for x in (a, b)):
                shape = np.broadcast_shapes(shape, a.shape, b.shape)
            if 0 in shape:
                return usual(mask, a, b)
            return copies.select(full(mask, shape), *(x if x.size == 1 else full(x, shape) for x in (a, b)))

        def index(x: Array, places: tuple[Any, ...]) -> Array:
            i = places[0]
            if len(places) > 1 or i.__class__ is not ndarray or i.dtype.char != "l":
                return NumpyBackend.index(self, x, places)
            if (
                x.size < LEAST
                or x.itemsize not in (4, 8)
                or x.dtype.kind not in "fiu"
                or threads.get_num_threads() == 1
            ):
                return x.take(i, 0)
            n = i.size * (x.size // len(x))
            if n >= MANY and n >= 16 * i.size and i.flags.carray and x.flags.carray:
                if -len(x) <= i.min() and i.max() < len(x):
                    return copies.take_rows(x, i)
            return x.take(i, 0)

        self.where, self.index = where, index  # type: ignore[method-assign, assignment]

    # ---- order and running sums -------------------------------------------------------------------------------
    def argsort(self, x: Array, dim: int, descending: bool) -> Array:
        n = x.shape[dim] if x.size >= FEWEST else 0
        alone = x.dtype.char != "d" and self._threads.get_num_threads() == 1
        if alone or n < self._sort.SHORTEST or x.dtype.char not in "fdilq" or n >= 2**31:
            return NumpyBackend.argsort(self, x, dim, descending)
        if dim in (-1, x.ndim - 1):
            return self._sort.argsort(self._writeable(x), descending)
        found = self._sort.argsort(self._writeable(x.swapaxes(dim, -1)), descending)
        return self.contiguous(found.swapaxes(dim, -1))

    def cumsum(self, x: Array, dim: int) -> Array:
        if x.size < FEWEST or x.dtype.char not in "fd" or x.shape[dim] < 32 or dim not in (-1, x.ndim - 1):
            return _cumsum(self, x, dim)
        return self._scan.cumsum(self._writeable(x))

    def _extremes(self, x: Array, dim: int, minimum: bool) -> tuple[Array, Array] | None:
        if x.size < FEWEST or x.dtype.char not in "fdlq":
            return None
        last = dim in (-1, x.ndim - 1)
        found = self._scan.extremes(self._writeable(x if last else x.swapaxes(dim, -1)), minimum)
        return found if last else tuple(self.contiguous(a.swapaxes(dim, -1)) for a in found)  # type: ignore[return-value]

    def cummax(self, x: Array, dim: int) -> tuple[Array, Array]:
        return self._extremes(x, dim, False) or NumpyBackend.cummax(self, x, dim)

    def cummin(self, x: Array, dim: int) -> tuple[Array, Array]:
        return self._extremes(x, dim, True) or NumpyBackend.cummin(self, x, dim)

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
