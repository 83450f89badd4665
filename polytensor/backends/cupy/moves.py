"""Copies of bytes between arrays that fill their memory in C order: clones, writes, concatenation, and rows by number."""

from __future__ import annotations

from math import copysign, prod
from typing import Any

import numpy as np

from .launch import I64, kernel, register
from .rows import INDEX

Array = Any

# by their alignment
WORDS = {1: "unsigned char", 2: "unsigned short", 4: "unsigned int", 8: "uint2", 16: "uint4"}
FEW = 8  # operands of cat() that are copied one by one

MOVE = r"""
// `rows` rows of `width` words, which begin `step` words apart in `to`.
template <typename W>
__global__ void move_rows(const void* from, void* to, i64 first, i64 rows, i64 width, i64 step) {
    const W* x = reinterpret_cast<const W*>(from);
    W* y = reinterpret_cast<W*>(to) + first;
    i64 n = rows * width;
    for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < n; i += (i64)gridDim.x * blockDim.x) {
        if (width == step) {
            y[i] = x[i];
        } else {
            Split at = split(i, width);
            y[at.quotient * step + at.rest] = x[i];
        }
    }
}
"""
TAKE = r"""
// The rows that `index` names, of `rows`; from the end where it is negative. Others put `number` into a flag that is 0.
template <typename W>
__global__ void take_rows(const void* from, const i64* index, void* to, i64 count, i64 rows, i64 width, unsigned int number,
                          unsigned int* flag) {
    const W* x = reinterpret_cast<const W*>(from);
    W* y = reinterpret_cast<W*>(to);
    i64 n = count * width;
    for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < n; i += (i64)gridDim.x * blockDim.x) {
        Split at = split(i, width);
        i64 row = index[at.quotient];
        if (row < -rows || row >= rows) {
            if (*flag == 0) *flag = number;
            row = 0;
        }
        y[i] = x[(row < 0 ? row + rows : row) * width + at.rest];
    }
}
"""
register("move_rows", MOVE, [(w,) for w in WORDS.values()])
register("take_rows", TAKE, [(w,) for w in WORDS.values()])


def word(*places: int) -> int:
    """The most bytes, up to 16, by which addresses and lengths can be counted."""
    bits = 16
    for place in places:
        bits |= place
    return bits & -bits


def loses_sign(value: Any, made: Array) -> bool:
    """Whether CuPy, which fills memory with zero bytes, made 0.0 of -0.0."""
    return made.dtype.kind in "fV" and value == 0 and copysign(1, value) < 0


class MoveKernels:
    """Mixed into CupyBackend, before Backend."""

    empty: Any
    faults: Any
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
        return x if x._c_contiguous else super().contiguous(x)  # type: ignore[misc]

    def _move(self, x: Array, out: Array, first: int, rows: int, step: int) -> None:
        """All of x as `rows` rows, `step` bytes apart in `out` from byte `first` on."""
        width = x.nbytes // rows
        size = word(x.data.ptr, out.data.ptr, first, width, step)
        n = x.nbytes // size
        args = (x, out, I64[first // size], I64[rows], I64[width // size], I64[step // size])
        kernel("move_rows", WORDS[size]).over(n, args)

    def copy(self, a: Array) -> Array:
        if not a._c_contiguous:
            return super().copy(a)  # type: ignore[misc]
        out, size = self.empty(a.shape, a.dtype), a.nbytes
        if size:
            self._move(a, out, 0, 1, size)
        return out

    def copy_like(self, a: Array) -> Array:
        return self.copy(a) if a._c_contiguous else super().copy_like(a)  # type: ignore[misc]

    def write(self, x: Array, value: Array) -> None:
        fits = x._c_contiguous and getattr(value, "_c_contiguous", False) and value.dtype is x.dtype
        if not fits or value.shape != x.shape or abs(value.data.ptr - x.data.ptr) < x.nbytes:  # they overlap
            x[...] = value
        elif x.size:
            self._move(value, x, 0, 1, x.nbytes)

    def cat(self, xs: list[Array], dim: int) -> Array:
        first, shapes = xs[0], [x.shape for x in xs]
        shape = shapes[0]
        if len(xs) > FEW or not -len(shape) <= dim < len(shape):
            return super().cat(xs, dim)  # type: ignore[misc]
        dim %= len(shape)
        before, after = shape[:dim], shape[dim + 1 :]
        fits = [len(s) == len(shape) and s[:dim] == before and s[dim + 1 :] == after for s in shapes]
        if not all(fits) or not all([x._c_contiguous and x.dtype is first.dtype for x in xs]):
            return super().cat(xs, dim)  # type: ignore[misc]
        lengths = [s[dim] for s in shapes]
        out = self.empty((*before, sum(lengths), *after), first.dtype)
        rows, each = prod(before), prod(after) * first.dtype.itemsize
        at, step = 0, sum(lengths) * each
        for x, n in zip(xs, lengths, strict=True):
            if x.size:
                self._move(x, out, at, rows, step)
            at += n * each
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

    def take_rows(self, x: Array, index: Array, text: str) -> Array:
        """x[index] for int64 numbers of its first dimension; IndexError(text), later, where one is out of its range."""
        shape = x.shape
        out, count = self.empty(index.shape + shape[1:], x.dtype), index.size
        if out.size:
            width = x.nbytes // shape[0]
            size = word(x.data.ptr, out.data.ptr, width)
            faults = self.faults
            args = (x, index, out, I64[count], I64[shape[0]], I64[width // size], np.uint32(faults.number()))
            kernel("take_rows", WORDS[size]).over(count * width // size, (*args, faults.flag(IndexError, text)))
        return out
