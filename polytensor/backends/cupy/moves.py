"""Copies of bytes between arrays that fill their memory in C order: clones, writes, concatenation, and rows by number."""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate
from math import copysign, prod
from operator import itemgetter
from typing import Any

from ...layouts import memory_order
from . import launch
from .launch import I64, i64, register
from .rows import INDEX
from .strided import WORDS, route, word

Array = Any

FEW = 8  # operands of cat() that are ours
SIDES = 4  # of them that one launch takes
SMALL = 1 << 20  # bytes that a launch of their own would take longer to begin than to copy

MOVE = r"""
template <typename W> __global__ void move(const void* from, void* to, i64 n) {
    const W* x = reinterpret_cast<const W*>(from);
    W* y = reinterpret_cast<W*>(to);
    for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < n; i += (i64)gridDim.x * blockDim.x) y[i] = x[i];
}
"""
CAT = r"""
// Arrays of `rows` rows each side by side from word `first` on of rows of `step` words; their rows end at e0, e1, ... from there.
template <typename W>
__global__ void cat_rows(const void* x0, const void* x1, const void* x2, const void* x3, void* to, i64 rows, i64 first,
                         i64 step, i64 e0, i64 e1, i64 e2, i64 e3) {
    W* y = reinterpret_cast<W*>(to) + first;
    i64 n = rows * e3;
    for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < n; i += (i64)gridDim.x * blockDim.x) {
        Split at = split(i, e3);
        i64 c = at.rest, start = c < e0 ? 0 : c < e1 ? e0 : c < e2 ? e1 : e2;
        const void* x = c < e0 ? x0 : c < e1 ? x1 : c < e2 ? x2 : x3;
        i64 width = (c < e0 ? e0 : c < e1 ? e1 : c < e2 ? e2 : e3) - start;
        y[at.quotient * step + c] = reinterpret_cast<const W*>(x)[at.quotient * width + c - start];
    }
}
"""
TAKE = r"""
// The rows that `index` names, of `rows`; from the end where it is negative. Those out of [low, rows) put `number` into a flag
// that is 0.
template <typename W>
__global__ void take_rows(const void* from, const i64* index, void* to, i64 count, i64 low, i64 rows, i64 width,
                          i64 number, unsigned int* flag) {
    const W* x = reinterpret_cast<const W*>(from);
    W* y = reinterpret_cast<W*>(to);
    i64 n = count * width;
    for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < n; i += (i64)gridDim.x * blockDim.x) {
        Split at = split(i, width);
        i64 row = index[at.quotient];
        if (row < low || row >= rows) {
            if (*flag == 0) *flag = (unsigned int)number;
            row = 0;
        }
        y[i] = x[(row < 0 ? row + rows : row) * width + at.rest];
    }
}
"""
register("move", MOVE, [(w,) for w in WORDS.values()])
register("cat_rows", CAT, [(w,) for w in WORDS.values()])
register("take_rows", TAKE, [(w,) for w in WORDS.values()])


@lru_cache(4096)
def joined(shapes: tuple[tuple[int, ...], ...], dim: int, itemsize: int, most: int) -> Any:
    """What cat() makes of arrays whose addresses are multiples of `most`: its shape, and launches as (kernel, words, which
    arrays, numbers). None where they do not fit."""
    shape = shapes[0]
    if not -len(shape) <= dim < len(shape):
        return None
    dim %= len(shape)
    before, after = shape[:dim], shape[dim + 1 :]
    if any(len(s) != len(shape) or s[:dim] != before or s[dim + 1 :] != after for s in shapes):
        return None
    shape, rows = (*before, sum(s[dim] for s in shapes), *after), prod(before)
    widths = [s[dim] * prod(after) * itemsize for s in shapes]
    step, at, todo = sum(widths), 0, []
    alone = word(most, *widths) < 16 and rows * step >= SMALL  # some may have larger words
    for k in range(0, len(shapes), 1 if alone else SIDES):
        which = [*range(k, k + 1 if alone else min(k + SIDES, len(shapes)))]
        ends = list(accumulate([widths[i] for i in which]))
        size = word(most, at, step, *ends)
        which, ends = which + which[-1:] * (SIDES - len(which)), ends + ends[-1:] * (SIDES - len(ends))
        if n := rows * ends[-1]:
            numbers = i64(rows, *[v // size for v in (at, step, *ends)])
            todo.append((("cat_rows", WORDS[size]), n // size, itemgetter(*which), numbers))
        at += ends[-1]
    return shape, todo


def loses_sign(value: Any, made: Array) -> bool:
    """Whether CuPy, which fills memory with zero bytes, made 0.0 of -0.0."""
    return made.dtype.kind in "fV" and value == 0 and copysign(1, value) < 0


class MoveKernels:
    """Mixed into CupyBackend, before Backend."""

    checks_rows = True
    xp: Any
    empty: Any
    faults: Any
    require_range: Any
    neg: Any

    def full(self, shape: tuple[int, ...], value: Any, dtype: Any) -> Array:
        out = super().full(shape, value, dtype)  # type: ignore[misc]
        return self.neg(out) if loses_sign(value, out) else out

    def fill(self, x: Array, value: Any) -> Array:
        out = super().fill(x, value)  # type: ignore[misc]
        return self.neg(out) if loses_sign(value, out) else out

    def from_numpy(self, a: Any) -> Array:
        out = super().from_numpy(a)  # type: ignore[misc]
        return self.neg(out) if not a.ndim and loses_sign(a, out) else out

    def contiguous(self, x: Array) -> Array:
        return x if x._c_contiguous else self.copy(x)

    def _move(self, x: Array, out: Array) -> None:
        """All of x, as it lies in memory, into `out`."""
        n = x.nbytes
        if n:
            bits = x.data.ptr | out.data.ptr | n | 16
            size = bits & -bits
            launch.ready["move", WORDS[size]].over(n // size, (x, out, I64[n // size]))

    def copy(self, a: Array) -> Array:
        out = self.empty(a.shape, a.dtype)
        if a._c_contiguous:
            self._move(a, out)
        elif a.size and not self._moved(a, out):
            out[...] = a
        return out

    def _moved(self, x: Array, out: Array) -> bool:
        """Whether x was written into `out`, of its shape and dtype. They may overlap: then it is not."""
        from_, to = x.data.ptr, out.data.ptr
        if x._c_contiguous and out._c_contiguous:
            if abs(to - from_) < x.nbytes:
                return False
            self._move(x, out)
            return True
        found = route(x.shape, x.strides, out.strides, x.dtype.itemsize, word(from_, to))
        if found is None or -found[3][1] < to - from_ < found[3][0]:
            return False
        launch.ready[found[0]].over(found[1], (x, out, *found[2]))
        return True

    def copy_like(self, a: Array) -> Array:
        order = None if a._c_contiguous or not a.size else memory_order(a.shape, a.strides)
        if order is None:
            return self.copy(a)
        return self.copy(a.transpose(order)).transpose([order.index(i) for i in range(a.ndim)])

    def write(self, x: Array, value: Array) -> None:
        if value.shape != x.shape:
            value = self.xp.broadcast_to(value, x.shape)
        if value.dtype is not x.dtype or x.size and not self._moved(value, x):
            x[...] = value

    def cat(self, xs: list[Array], dim: int) -> Array:
        dtype, shapes, places = xs[0].dtype, [], 16
        for x in xs:
            if not x._c_contiguous or x.dtype is not dtype:
                return super().cat(xs, dim)  # type: ignore[misc]
            shapes.append(x.shape)
            places |= x.data.ptr
        found = joined(tuple(shapes), dim, dtype.itemsize, word(places)) if len(xs) <= FEW else None
        if found is None:
            return super().cat(xs, dim)  # type: ignore[misc]
        shape, todo = found
        out = self.empty(shape, dtype)
        for key, n, which, numbers in todo:
            launch.ready[key].over(n, (*which(xs), out, *numbers))
        return out

    def index(self, x: Array, index: tuple[Any, ...]) -> Array:
        i = index[0]
        if (
            len(index) > 1
            or i.__class__ is slice
            or i.dtype != INDEX
            or not (x.size and i._c_contiguous and x._c_contiguous)
        ):
            return super().index(x, index)  # type: ignore[misc]
        return self.take_rows(x, i, f"index is out of bounds for dimension 0 with size {x.shape[0]}")

    def embedding_rows(self, x: Array, index: Array, skip: int, by_frequency: bool) -> Array:
        text = f"index out of range in self: an index is not in [0, {x.shape[0]})"
        if index.dtype != INDEX or not (x.size and index._c_contiguous and x._c_contiguous):
            self.require_range(index, 0, x.shape[0], IndexError, text)
            return super().embedding_rows(x, index, skip, by_frequency)  # type: ignore[misc]
        return self.take_rows(x, index, text, 0)

    def take_rows(self, x: Array, index: Array, text: str, low: int | None = None) -> Array:
        """x[index] for int64 numbers of its first dimension, from `low` on (None: from the end where they are negative);
        IndexError(text), later, where one is out of its range."""
        shape = x.shape
        out, count = self.empty(index.shape + shape[1:], x.dtype), index.size
        if out.size:
            width = x.nbytes // shape[0]
            size = word(x.data.ptr, out.data.ptr, width)
            faults = self.faults
            rows, words = shape[0], width // size
            numbers = (I64[count], I64[-rows if low is None else low], I64[rows], I64[words], faults.number())
            args = (x, index, out, *numbers, faults.flag(IndexError, text))
            launch.ready["take_rows", WORDS[size]].over(count * words, args)
        return out
