"""The NumPy backend: the CPU reference."""

from __future__ import annotations

import ctypes
import os
import threading
from math import gcd, isqrt, prod
from typing import Any

import numpy as np

from . import streams
from .base import BITS, BLOCK, FLOAT16, IMPORTED_BY, REST, Backend
from .memory import keep_freed_memory

_add, _max, _min = np.add.reduce, np.maximum.reduce, np.minimum.reduce
_F4 = np.dtype("f4")
PIECE = 1 << 16  # elements that an optimizer updates at once
FEW = 256  # elements that BLAS adds up as exactly as pairs do
LARGE = 1 << 15  # elements from which an order of their own pays for copies of transposed arrays
# the nearest cache: bytes of a line, bytes after which lines share a set, lines of a set
LINE, SETS, WAYS = 64, 4096, 12
RUN = 8192  # elements of a row of one number
RUN_SUM = 1024  # elements added in float32 without a sum of their own
SORTED = 1024  # elements from which a sort of keys beats one of places
TURNS = 32  # rows that go to one place, up to which each turn is a sum of its own
LEAST_SUM = 32768  # elements from which such sums beat np.add.reduce
_LAST = (1,)
_ZERO: Any = np.zeros((), _F4)


def _limit_forked(found: Any) -> None:
    """One thread for the BLAS libraries of a forked child.

    OpenBLAS's own switch starts its threads first, which a fork has ended: they spin for 30 ms each, on cores that other
    workers need. The number that the switch stores is a symbol of the library.
    """
    for library in found.select(user_api="blas").lib_controllers:
        try:
            if library.internal_api != "openblas" or library.threading_layer != "pthreads":
                raise ValueError
            ctypes.c_int.in_dll(library.dynlib, "blas_cpu_number").value = 1
        except (AttributeError, ValueError):
            library.set_num_threads(1)


def select(mask: Any, a: Any, b: Any) -> Any:
    """np.where; by bits for large arrays, since a branch for each element costs ten times as much where masks are random."""
    if (
        mask.size <= 8192 or not (mask.__class__ is a.__class__ is b.__class__ is np.ndarray)
        or mask.dtype.char != "?" or not mask.flags.c_contiguous
        or a.dtype != b.dtype or a.dtype.kind not in "fiu" or a.itemsize not in BITS
        or not all(  # of one element, or of mask's layout, or expanded
            x.size == 1 and x.ndim <= mask.ndim or x.shape == mask.shape and (x.flags.c_contiguous or 0 in x.strides)
            for x in (a, b)
        )
    ):  # fmt: skip
        return np.where(mask, a, b)
    bits = BITS[a.itemsize]
    ones: Any = mask.astype(bits)
    np.negative(ones, out=ones)
    first: Any = a.view(bits)
    second: Any = b.view(bits)
    ones &= first ^ second
    ones ^= second
    return ones.view(a.dtype)


def dense(x: Any) -> Any:
    """A C-contiguous copy. NumPy goes along the last axis; where that touches more lines than the nearest cache holds
    before it comes back to the first of them, a few elements of it at a time are copied for all places of the others."""
    n, step = (x.shape[-1], abs(x.strides[-1])) if x.ndim > 1 else (0, 0)
    apart = max(step & -step, LINE)  # lines that far from each other fall on SETS / apart sets
    few = x.size < max(LARGE, FEW * n) or n * apart <= SETS * WAYS
    if few or step < LINE or min(x.strides[:-1]) >= LINE:
        return np.array(x, order="C", copy=True)
    out, wide = np.empty(x.shape, x.dtype), 8 if apart >= SETS else 16
    for i in range(0, n, wide):
        out[..., i : i + wide] = x[..., i : i + wide]
    return out


def run_sums(x: Any, n: int) -> Any:
    """The sums of runs of n elements of a contiguous array, or None where that does not pay.

    np.einsum adds in vectors, np.add.reduce eight numbers at a time. What it adds in one go is short enough to be as exact as pairs.
    """
    short = n if n <= RUN_SUM else gcd(n, RUN_SUM)
    if short < RUN_SUM >> 4 and short < n:
        whole = n // RUN_SUM * RUN_SUM
        if n != x.size:
            return None
        flat = x.reshape(-1)
        return run_sums(flat[:whole], whole) + np.add.reduce(flat[whole:])
    sums = np.einsum("ij->i", x.reshape(-1, short))
    return sums if short == n else np.add.reduce(sums.reshape(-1, n // short), 1)


def accumulated(ufunc: Any, x: Any, dim: int, dtype: Any) -> Any:
    """ufunc.accumulate along dim, for an associative ufunc.

    NumPy waits at each element for the store of the one before it. Large arrays go by lines across dim, whose elements
    are independent, one long row in parts side by side; rows that share a set of the cache are kept a line apart.
    """
    n, last, ahead = x.shape[dim], x.shape[-1], dim % x.ndim < x.ndim - 1
    if x.size < LARGE or (dtype.kind in "iu" and ufunc is not np.maximum and not ahead):
        return ufunc.accumulate(x, dim, dtype)
    if n == x.size:
        row, k = x.reshape(-1), isqrt(n)
        whole = n // k * k
        parts = accumulated(ufunc, row[:whole].reshape(k, -1), 1, dtype)
        before = ufunc.accumulate(parts[:, -1])
        ufunc(before[:-1, None], parts[1:], out=parts[1:])
        rest = ufunc(before[-1], ufunc.accumulate(row[whole:], dtype=dtype))
        return np.concatenate((parts.reshape(-1), rest)).reshape(x.shape)
    if x.size < FEW * n:
        return ufunc.accumulate(x, dim, dtype)
    apart = LINE // dtype.itemsize if last * dtype.itemsize % (SETS // 8) == 0 and not ahead else 0
    y: Any = np.empty((*x.shape[:-1], last + apart), dtype)[..., :last]
    y[...] = x
    lines = np.moveaxis(y, dim, 0)
    before = lines[0]
    for line in lines[1:]:
        ufunc(before, line, out=line)
        before = line
    return y


def product_of_rows(x: Any) -> Any:
    """The products of the rows of a matrix: halves by each other, since np.multiply.reduce waits for each product."""
    n = x.shape[1]
    while n > 32:
        half = n >> 1
        y = x[:, :half] * x[:, half : 2 * half]
        if n & 1:
            y[:, 0] *= x[:, -1]
        x, n = y, half
    return np.multiply.reduce(x, 1)


def order_keys(x: Any) -> Any:
    """Numbers of 32 bits, as int64, that are ordered as x is, NaN last; None for an x that has too many values."""
    if x.dtype.kind in "fV":
        if x.itemsize == 8:
            return None
        x = x.astype(_F4) + _ZERO  # -0.0 is 0.0
        bits = x.view(np.int32)
        keys = (bits >> 31) & 0x7FFFFFFF
        keys ^= bits
        if (nan := x != x).any():
            keys[nan] = 0x7FFFFFFF
        return keys.astype(np.int64)
    if x.itemsize < 4:
        return x.astype(np.int64)
    low, high = int(x.min()), int(x.max())
    if high - low >= 2**32 or high >= 2**63 - 2**31:
        return None
    return x.astype(np.int64) - (low + 2**31)


class _Zeros(dict[Any, Any]):
    """dtype -> 0-d zero."""

    def __missing__(self, dtype: Any) -> Any:
        zero = self[dtype] = np.zeros((), dtype)
        return zero


class NumpyBackend(Backend):
    """`base` over NumPy, plus the stream of random words in C."""

    name = "numpy"
    xp = np
    workspace = 1 << 20  # columns should stay in the cache

    def __init__(self) -> None:
        super().__init__()
        keep_freed_memory()
        self._local = threading.local()
        self._blas: tuple[int, Any] | None = None
        self._zeros = _Zeros()
        ones: dict[Any, Any] = {np.dtype(t): np.ones(FEW, t) for t in ("f4", "f8")}
        self.where = select
        self._ones: dict[Any, list[Any]] = {d: [x[:n] for n in range(FEW + 1)] for d, x in ones.items()}  # by length

    def to_numpy(self, a: Any) -> Any:
        return a

    def from_numpy(self, a: Any) -> Any:
        return a

    def copy(self, a: Any) -> Any:
        return dense(a)

    def contiguous(self, x: Any) -> Any:
        return x if x.flags.c_contiguous else dense(x)

    def expand(self, x: Any, shape: tuple[int, ...]) -> Any:
        # np.broadcast_to costs ten times as much
        if not x.flags.c_contiguous or x.__class__ is not np.ndarray or x.size == 0:
            return super().expand(x, shape)
        extra = len(shape) - x.ndim
        have = x.strides
        strides = [0] * extra + [0 if n == 1 else have[i] for i, n in enumerate(x.shape)]
        return np.ndarray(shape, x.dtype, x, 0, strides)

    def pow_scalar(self, x: Any, p: float) -> Any:
        # np.power takes a hundred times as long for negative numbers to integers other than 2
        if x.dtype.kind != "f" or x.dtype.itemsize == 2 or p in (2, 0, 1) or p % 1 or not -1000 < p < 1000:
            return super().pow_scalar(x, p)
        if p == 3:
            return x * x * x
        if p == -1:
            return 1 / x
        if p == -2:
            return 1 / (x * x)
        size = super().pow_scalar(np.abs(x), p)
        return np.copysign(size, x) if p % 2 else size

    power: Any = np.power  # Numba has one for several threads

    def pow(self, x: Any, y: Any) -> Any:
        # slow in the same way: powers of the sizes, then the signs of odd powers, and NaN for what has no root
        if x.dtype != y.dtype or x.dtype.kind != "f" or x.dtype.itemsize == 2 or max(x.size, y.size) < FEW:
            return self.power(x, y)
        below = x < 0
        if not below.any():
            return self.power(x, y)
        size = self.power(np.abs(x), y)
        whole, half = np.rint(y) == y, y * 0.5
        odd = whole & (np.rint(half) != half)
        size = self.where(odd, np.copysign(size, x), size)
        lost = np.greater(below & (x > -np.inf), whole)
        return self.where(lost, np.full((), np.nan, x.dtype), size) if lost.any() else size

    def floor_divide(self, x: Any, y: Any) -> Any:
        # quotients of float32 that float64 does not round to a whole number, see _rest; np.floor_divide takes 20 times as long
        if x.dtype.char == "f" and y.dtype.char == "f" and max(x.size, y.size) >= FEW and x.size and y.size:
            q = np.floor(x / y.astype("f8"))
            if np.abs(q).max() < 2.0**24 and not np.isinf(y).any():  # 1 // -inf is -1
                return q.astype("f4")
        return super().floor_divide(x, y)

    div_floor = floor_divide

    def randperm(self, seed: int, counter: int, n: int) -> Any:
        # the words' high bits and the places below them are sorted as one number, many times as fast, if no two words agree there
        bits = max(n - 1, 1).bit_length()
        words = streams.words(self, seed, counter, n) >> bits << bits
        words |= np.arange(n, dtype=np.uint64)
        words.sort()
        if (words[1:] >> bits == words[:-1] >> bits).any():
            return super().randperm(seed, counter, n)
        return (words & ((1 << bits) - 1)).astype(np.int64)

    def remainder(self, x: Any, y: Any) -> Any:
        self._no_zero(x, y)
        return self._signed(self._rest(np.remainder, np.floor, x, y), x)

    def fmod(self, x: Any, y: Any) -> Any:
        self._no_zero(x, y)
        return self._signed(self._rest(np.fmod, np.trunc, x, y), x)

    def _signed(self, r: Any, x: Any) -> Any:
        """Zeros with the sign of x, as PyTorch has them; NumPy's remainder gives them that of the divisor."""
        if x.dtype.kind == "f" and (zero := r == 0).any():
            return np.copysign(r, x, out=r, where=zero) if r.__class__ is np.ndarray else np.copysign(r, x)
        return r

    def _rest(self, ufunc: Any, rounding: Any, x: Any, y: Any) -> Any:
        """ufunc(x, y), to the bit but for the sign of zeros, as x - y rounding(x / y).

        In float64 the product and the difference of float32 numbers are exact while the quotient is below 2**28, and no
        quotient that is not whole is rounded to one; what goes beyond, and what is not finite, is left to ufunc.
        """
        if x.dtype.char != "f" or y.dtype.char != "f" or max(x.size, y.size) < FEW or not x.size or not y.size:
            return ufunc(x, y)

        def rest(x: Any, y: Any) -> Any:
            wide = y.astype("f8")
            times = rounding(x / wide)
            if not np.abs(times).max() < 2.0**28:
                return ufunc(x, y)
            times *= wide
            r = np.subtract(x, times, out=times).astype("f4")
            return ufunc(x, y) if np.isnan(r).any() else r  # where y is infinite

        if y.size == 1 and y.ndim <= x.ndim:
            number = y.reshape(())
            return self.in_spans(lambda x: rest(x, number), x, itemsize=8)
        return self.in_spans(rest, x, y, itemsize=8)

    def pieces(self, *arrays: Any) -> Any:
        # temporary arrays of the whole size would leave the caches, and the largest come from the system page by page
        p = arrays[0]
        if p.dtype.itemsize == 2:
            return super().pieces(*arrays)
        if p.size <= 2 * PIECE or not all(a is None or a.flags.c_contiguous for a in arrays):
            return (arrays,)
        flat = [None if a is None else a.reshape(-1) for a in arrays]
        return (tuple(None if a is None else a[i : i + PIECE] for a in flat) for i in range(0, p.size, PIECE))

    def _cholesky(self, x: Any) -> Any:
        """By columns, as PyTorch keeps it: the upper factor turned over, without a copy if real."""
        return np.linalg.cholesky(x.swapaxes(-1, -2).conj(), upper=True).swapaxes(-1, -2).conj()

    def storage(self, x: Any) -> Any:
        owner, base = x, x.base
        while base is not None:
            if isinstance(base, np.ndarray):
                owner = base
            base = getattr(base, "base", None)
        if owner.flags.c_contiguous:
            return np.ndarray((owner.nbytes,), np.uint8, owner)
        return np.ndarray((owner.nbytes,), np.uint8, owner.T) if owner.flags.f_contiguous else super().storage(x)

    def _restride(self, x: Any, shape: tuple[int, ...], strides: tuple[int, ...]) -> Any:
        # np.lib.stride_tricks costs five times as much
        if x.flags.c_contiguous and x.size and 0 not in shape:
            return np.ndarray(shape, x.dtype, x, 0, strides)
        return super()._restride(x, shape, strides)

    # small arrays: one ufunc call, positional arguments
    def cat(self, xs: list[Any], dim: int) -> Any:
        if xs[0].ndim > 3:
            return super().cat(xs, dim)
        out = np.concatenate(xs, dim)
        return out if out.flags.c_contiguous else np.ascontiguousarray(out)

    def sum(self, x: Any, dim: Any, keepdim: bool) -> Any:
        n = x.size
        if n <= FEW and not keepdim and n:
            ones = self._ones.get(x.dtype)
            if ones is not None:  # a product with ones costs half of a reduction
                if dim is None:
                    return x.ravel().dot(ones[n])
                if x.ndim == 2 and dim == _LAST and x.flags.c_contiguous:
                    return x.dot(ones[x.shape[1]])
        if n <= BLOCK and x.dtype.char in "fd":
            return _add(x, dim, None, None, keepdim)
        if dim is None and x.dtype.char == "?":
            return np.full((1,) * (x.ndim if keepdim else 0), np.count_nonzero(x))
        return super().sum(x, dim, keepdim)

    def _trailing(self, x: Any, dim: Any) -> tuple[tuple[int, ...], int]:
        """(the reduced dimensions, sorted; how many of them close x's shape)."""
        if dim.__class__ is int:
            dim = (dim,)
        dims = tuple(range(x.ndim)) if dim is None else tuple(sorted(d % x.ndim for d in dim))
        k = 0
        while k < len(dims) and dims[-1 - k] == x.ndim - 1 - k:
            k += 1
        return dims, k

    def _shape(self, x: Any, dims: tuple[int, ...], keepdim: bool) -> tuple[int, ...]:
        if keepdim:
            return tuple(1 if i in dims else n for i, n in enumerate(x.shape))
        return tuple(n for i, n in enumerate(x.shape) if i not in dims)

    def _reduce_add(self, x: Any, dim: Any, keepdim: bool) -> Any:
        if x.size < LEAST_SUM or x.dtype.char not in "fd" or not x.flags.c_contiguous:
            return super()._reduce_add(x, dim, keepdim)
        dims, k = self._trailing(x, dim)
        sums = run_sums(x, prod(x.shape[x.ndim - k :])) if k else None
        if sums is None:
            return super()._reduce_add(x, dim, keepdim)
        if len(dims) > k:
            sums = self._reduce_add(sums.reshape(x.shape[: x.ndim - k]), dims[:-k], False)
        return sums.reshape(self._shape(x, dims, keepdim))

    def prod(self, x: Any, dim: Any, keepdim: bool) -> Any:
        if x.size < LEAST_SUM or x.dtype.kind not in "iufc" or x.dtype.itemsize < 4 or not x.flags.c_contiguous:
            return super().prod(x, dim, keepdim)
        dims, k = self._trailing(x, dim)
        n = prod(x.shape[x.ndim - k :])
        if n < 64:
            return super().prod(x, dim, keepdim)
        y = product_of_rows(x.reshape(-1, n)).reshape(x.shape[: x.ndim - k])
        return np.multiply.reduce(y, dims[: len(dims) - k]).reshape(self._shape(x, dims, keepdim))

    def mean(self, x: Any, dim: Any, keepdim: bool) -> Any:
        if dim is None and 0 < x.size <= FEW and not keepdim and x.dtype in self._ones:
            return x.ravel().dot(self._ones[x.dtype][x.size]) / x.size
        return super().mean(x, dim, keepdim)

    def amax(self, x: Any, dim: Any, keepdim: bool) -> Any:
        return _max(x, dim, None, None, keepdim)

    def amin(self, x: Any, dim: Any, keepdim: bool) -> Any:
        return _min(x, dim, None, None, keepdim)

    def max_all(self, x: Any, dim: Any, keepdim: bool) -> Any:
        # finding the place (the first NaN, if there is one) takes half the time of a reduction
        return x.ravel()[x.argmax()] if x.size <= BLOCK else self.amax(x, None, False)

    def min_all(self, x: Any, dim: Any, keepdim: bool) -> Any:
        return x.ravel()[x.argmin()] if x.size <= BLOCK else self.amin(x, None, False)

    def softmax(self, x: Any, dim: int) -> Any:
        if x.size > BLOCK or x.dtype.char not in "fd" or x.size == 0 or not x.flags.c_contiguous:
            return super().softmax(x, dim)
        y = np.subtract(x, _max(x, dim, None, None, True))
        if y.__class__ is not np.ndarray:
            return np.ones((), x.dtype) * (y == y)
        np.exp(y, y)
        return np.divide(y, _add(y, dim, None, None, True), y)

    def matmul(self, a: Any, b: Any) -> Any:
        if a.ndim < 3 and b.ndim < 3 and (a.dtype is _F4 or a.dtype.char in "dFD"):
            return a.dot(b)  # BLAS either way, but np.matmul takes three times as long to come to it
        if a.dtype.kind in "iu" and a.size >= FEW and b.size >= FEW and a.ndim > 1 < b.ndim:
            most = [max(abs(int(x.min())), abs(int(x.max()))) for x in (a, b)]
            if a.shape[-1] * most[0] * most[1] < 2**53:  # float64 holds every sum, and BLAS takes it
                return np.matmul(a.astype("f8"), b.astype("f8")).astype("i8").astype(a.dtype, copy=False)
        return super().matmul(a, b)

    mv = dot = matmul

    def linear(self, x: Any, w: Any, b: Any) -> Any:
        if x.ndim != 2 or w.ndim != 2 or x.dtype.char not in "fdFD":
            return super().linear(x, w, b)
        y = x.dot(w.T)
        return y if b is None else np.add(y, b, y)

    def slice(self, x: Any, index: tuple[Any, ...]) -> Any:
        return x[index] if len(index) < x.ndim else x[index + REST]

    select = slice

    def relu(self, x: Any) -> Any:
        zero = _ZERO if x.dtype is _F4 else self._zeros[x.dtype]
        return np.maximum(x, zero) if x.size < LARGE else self.clamp(x, 0, None)

    def relu_within(self, x: Any) -> None:
        if x.dtype.char in "fd":
            x.clip(0, np.inf, out=x)
        else:
            super().relu_within(x)

    def clamp(self, x: Any, lo: Any, hi: Any) -> Any:
        # clip goes once and in vectors over the elements, which maximum and minimum with a number do not
        d = x.dtype
        if d.kind not in "fiu" or x.size < LARGE and (lo is None or hi is None):
            return super().clamp(x, lo, hi)
        ends = (-np.inf, np.inf) if d.kind == "f" else (np.iinfo(d).min, np.iinfo(d).max)
        return x.clip(self.scalar(ends[0] if lo is None else lo, d), self.scalar(ends[1] if hi is None else hi, d))

    def sigmoid(self, x: Any) -> Any:
        if x.dtype is not _F4 and x.dtype in FLOAT16:
            return super().sigmoid(x)
        y = np.exp(np.negative(x))
        if y.__class__ is not np.ndarray:
            return 1 / (1 + y)
        np.add(y, self.scalar(1, y.dtype), y)
        return np.reciprocal(y, y)

    def _running(self, op: Any, x: Any, dim: int) -> Any:
        if not isinstance(op, np.ufunc):
            return super()._running(op, x, dim)
        return np.ascontiguousarray(accumulated(op, x, dim, x.dtype))

    def argsort(self, x: Any, dim: int, descending: bool) -> Any:
        # NumPy sorts whole numbers in vectors, ten times as fast as it finds a stable order: so an order that fits the
        # high half of a word is sorted with the place in the low half
        if x.size < SORTED or x.shape[dim] < 32 or x.shape[dim] >= 2**31 or x.dtype.kind not in "fiubV":
            return super().argsort(x, dim, descending)
        x = self.contiguous(x.swapaxes(dim, -1))
        keys, places = order_keys(x), np.arange(x.shape[-1])
        if keys is None:
            places = np.argsort(x, -1)
            y = np.take_along_axis(x, places, -1)
            differs = y[..., 1:] != y[..., :-1]
            if x.dtype.kind == "f":
                differs &= y[..., :-1] == y[..., :-1]  # NaN comes last
            keys = np.zeros(x.shape, np.int64)
            np.cumsum(differs, -1, out=keys[..., 1:])
        if descending:
            np.invert(keys, out=keys)
        keys <<= 32
        keys |= places
        keys.sort(-1)
        keys &= 0xFFFFFFFF
        return self.contiguous(keys.swapaxes(dim, -1))

    def argselect(self, x: Any, k: int, dim: int, largest: bool) -> Any:
        return x.argmax(dim, keepdims=True) if k == 1 and largest else super().argselect(x, k, dim, largest)

    def _add_by_turns(self, out: Any, places: Any, rows: Any) -> bool:
        """Rows of 16 and more elements: first those that come first for their place, then the second ones, and so on."""
        if rows.shape[1] < 16 or rows.size < RUN or rows.itemsize < 4 or np.bincount(places).max() > TURNS:
            return False
        order = np.argsort(places, kind="stable")
        there = places[order]
        starts = np.flatnonzero(np.concatenate(([True], there[1:] != there[:-1])))
        turn = np.arange(len(there)) - np.repeat(starts, np.diff(starts, append=len(there)))
        order, ends = order[np.argsort(turn, kind="stable")], np.cumsum(np.bincount(turn)).tolist()
        for first, last in zip([0, *ends], ends, strict=False):
            now = order[first:last]
            out[places[now]] += rows[now]
        return True

    def cumsum(self, x: Any, dim: int) -> Any:
        return self._narrow(accumulated(np.add, x, dim, np.dtype(self._summing(x))), x)

    def cumprod(self, x: Any, dim: int) -> Any:
        return self._narrow(accumulated(np.multiply, x, dim, np.dtype(self._summing(x))), x)

    def set_num_threads(self, n: int) -> None:
        # others may have been loaded since, but in a forked child the search's 5 ms count
        if self._blas is None or self._blas[0] == os.getpid():
            self.find_blas()
        if self._blas is None:
            return
        if n == 1 and os.getpid() != IMPORTED_BY:
            _limit_forked(self._blas[1])
        else:
            self._blas[1].limit(limits=n, user_api="blas")

    def find_blas(self) -> None:
        try:
            from threadpoolctl import ThreadpoolController
        except ImportError:  # without it only OMP_NUM_THREADS and its kin, set before the start, limit BLAS
            return
        self._blas = (os.getpid(), ThreadpoolController())

    def random_words(self, seed: int, counter: int, nblocks: int) -> Any:
        bits = getattr(self._local, "bits", None)
        if bits is None:  # constructing a Philox costs 8 us: keep one and set its state
            bits = self._local.bits = np.random.Philox(0)
            self._local.next = None
        if self._local.next != (seed, counter):  # else it stands where the last draw left it
            mask = 2**64 - 1
            key = np.array([seed & mask, (seed >> 64) & mask], np.uint64)
            # random_raw steps the counter before each block
            before = (counter - 1) & (2**256 - 1)
            words = np.array([(before >> s) & mask for s in (0, 64, 128, 192)], np.uint64)
            bits.state = {
                "bit_generator": "Philox", "state": {"counter": words, "key": key},
                "buffer": np.zeros(4, np.uint64), "buffer_pos": 4, "has_uint32": 0, "uinteger": 0,
            }  # fmt: skip
        self._local.next = None  # until it is known that the draw was finished
        found = bits.random_raw(4 * nblocks)
        self._local.next = seed, counter + nblocks
        return found

    def memory_info(self) -> dict[str, int]:
        page = os.sysconf("SC_PAGE_SIZE")
        return {"free": page * os.sysconf("SC_AVPHYS_PAGES"), "total": page * os.sysconf("SC_PHYS_PAGES")}
