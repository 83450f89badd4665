"""Reductions of floats along any dimensions, in an order that hangs on the shape alone.

An array whose memory is dense is (outer, n, inner) for each group of neighbouring dimensions that go. Each line of n is cut
in pieces where there are few lines; their results, in the dtype that is computed in, are lines of the next launch.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ... import dtypes
from . import launch
from .launch import BOOL, CTYPES, F32, F64, I32, NAMES, i64, kernel, register

COMBINE = r"""
enum { SUM, LARGEST, SMALLEST };
template <typename A> __device__ __forceinline__ A combine(A a, A b, int op) {
    return op == SUM ? Sum()(a, b) : op == LARGEST ? Max()(a, b) : Min()(a, b);
}
template <typename A> __device__ __forceinline__ A neutral(int op) {
    return op == SUM ? A(0) : op == LARGEST ? -A(INFINITY) : A(INFINITY);
}
"""

LINES = r"""
const int AHEAD = 8;  // loads of a thread on their way
// y[o, p, i] from x[o, k, i] for k in piece p, which has `step` elements. A block has `across` lines and 256 / across threads
// for each of them; neighbouring threads are on one line where inner is 1, on neighbouring lines elsewhere.
template <typename T, typename O>
__global__ void reduce_lines(const T* x, O* y, i64 lines, i64 n, i64 inner, i64 pieces, i64 step, int across, int op,
                             acc_t<T> divisor) {
    __shared__ acc_t<T> parts[256];
    int along = 256 / across, t = threadIdx.x;
    int column = inner == 1 ? t / along : t % across, row = inner == 1 ? t % along : t / across;
    i64 tiles = (lines + across - 1) / across;
    for (i64 b = blockIdx.x; b < tiles * pieces; b += gridDim.x) {
        Split tile = split(b, pieces), place = split(tile.quotient * across + column, inner);
        bool inside = place.quotient * inner + place.rest < lines;
        acc_t<T> v = neutral<acc_t<T>>(op);
        if (inside) {
            i64 end = min(n, (tile.rest + 1) * step);
            i64 k = tile.rest * step + row, left = k < end ? split(end - k + along - 1, along).quotient : 0;
            const T* from = x + (place.quotient * n + k) * inner + place.rest;
            for (; left > 0; left -= AHEAD) {
                acc_t<T> e[AHEAD];
                #pragma unroll
                for (int j = 0; j < AHEAD; ++j, from += along * inner)
                    e[j] = j < left ? load(from) : neutral<acc_t<T>>(op);
                #pragma unroll
                for (int j = 0; j < AHEAD; ++j) v = combine(v, e[j], op);
            }
        }
        __syncthreads();  // parts may still be read
        parts[row * across + column] = v;
        __syncthreads();
        for (int half = along / 2; half > 0; half /= 2) {
            if (row < half) parts[row * across + column] = combine(
                parts[row * across + column], parts[(row + half) * across + column], op);
            __syncthreads();
        }
        if (row == 0 && inside) {
            v = parts[column];
            store(y + (place.quotient * pieces + tile.rest) * inner + place.rest, from_wide<O>(v, divisor));
        }
    }
}
"""

ROWS = r"""
const int AHEAD = 4;  // packs of a thread on their way
// y[o, p] from piece p of the contiguous row o; a block for each piece, 16 bytes at a time where they are aligned.
template <typename T, typename O>
__global__ void reduce_rows(const T* x, O* y, i64 rows, i64 n, i64 pieces, i64 step, int op, acc_t<T> divisor) {
    const int N = 16 / sizeof(T);
    for (i64 b = blockIdx.x; b < rows * pieces; b += gridDim.x) {
        Split s = split(b, pieces);
        const T* from = x + s.quotient * n + s.rest * step;
        i64 count = min(step, n - s.rest * step), k = 0;
        acc_t<T> v[N];
        #pragma unroll
        for (int j = 0; j < N; ++j) v[j] = neutral<acc_t<T>>(op);
        if (aligned16(from)) {
            k = count / N;
            for (i64 i = threadIdx.x; i < k; i += AHEAD * blockDim.x) {
                Pack<T, N> packs[AHEAD];
                #pragma unroll
                for (int a = 0; a < AHEAD; ++a)
                    if (i + a * blockDim.x < k) packs[a] = fetch<T, N>(from + (i + a * blockDim.x) * N);
                #pragma unroll
                for (int a = 0; a < AHEAD; ++a) {
                    if (i + a * blockDim.x >= k) continue;
                    #pragma unroll
                    for (int j = 0; j < N; ++j) v[j] = combine(v[j], to_acc(packs[a].v[j]), op);
                }
            }
            k *= N;
        }
        for (k += threadIdx.x; k < count; k += blockDim.x) v[0] = combine(v[0], load(from + k), op);
        #pragma unroll
        for (int j = 1; j < N; ++j) v[0] = combine(v[0], v[j], op);
        acc_t<T> all = op == SUM ? block_sum(v[0]) : op == LARGEST ? block_max(v[0]) : block_min(v[0]);
        if (threadIdx.x == 0) store(y + b, from_wide<O>(all, divisor));
    }
}
"""

DIVIDE = r"""
// v / divisor as a store of O takes it
template <typename O, typename A> __device__ __forceinline__ acc_t<O> from_wide(A v, A divisor) {
    return divisor == A(1) ? v : v / divisor;
}
"""

ARGUMENTS = r"""
const int AHEAD = 4;  // loads of a thread on their way
// Where the largest (smallest) element of each line is; the first of equal ones, and the first NaN before all others.
// As reduce_lines. With `indirect` the candidates of a line are at found[o, k, i], k < n, among `whole` elements of x; with
// `valued` the elements go to `values`.
template <typename T>
__global__ void arg_lines(const T* x, const i64* found, bool indirect, i64* y, T* values, bool valued, i64 whole,
                          i64 lines, i64 n, i64 inner, i64 pieces, i64 step, int across, bool smallest) {
    typedef acc_t<T> A;
    __shared__ A parts[256];
    __shared__ i64 places[256];
    int along = 256 / across, t = threadIdx.x;
    int column = inner == 1 ? t / along : t % across, row = inner == 1 ? t % along : t / across, slot = row * across + column;
    i64 tiles = (lines + across - 1) / across;
    for (i64 b = blockIdx.x; b < tiles * pieces; b += gridDim.x) {
        Split tile = split(b, pieces), place = split(tile.quotient * across + column, inner);
        bool inside = place.quotient * inner + place.rest < lines;
        A best = 0;
        i64 at = -1;
        if (inside) {
            i64 end = min(n, (tile.rest + 1) * step);
            const T* from = x + place.quotient * whole * inner + place.rest;
            for (i64 k = tile.rest * step + row; k < end; k += AHEAD * along) {
                A e[AHEAD];
                i64 places[AHEAD];
                #pragma unroll
                for (int j = 0; j < AHEAD; ++j) {
                    i64 i = k + j * along;
                    places[j] = i >= end ? -1 : indirect ? found[(place.quotient * n + i) * inner + place.rest] : i;
                    e[j] = places[j] < 0 ? (A)0 : load(from + places[j] * inner);
                }
                #pragma unroll
                for (int j = 0; j < AHEAD; ++j)
                    if (before(e[j], places[j], best, at, smallest)) { best = e[j]; at = places[j]; }
            }
        }
        __syncthreads();
        parts[slot] = best;
        places[slot] = at;
        __syncthreads();
        for (int half = along / 2; half > 0; half /= 2) {
            int other = slot + half * across;
            if (row < half && before(parts[other], places[other], parts[slot], places[slot], smallest)) {
                parts[slot] = parts[other];
                places[slot] = places[other];
            }
            __syncthreads();
        }
        if (row == 0 && inside) {
            i64 to = (place.quotient * pieces + tile.rest) * inner + place.rest;
            y[to] = places[column];
            if (valued) values[to] = x[(place.quotient * whole + places[column]) * inner + place.rest];
        }
    }
}
"""

BEFORE = r"""
template <typename A>
__device__ __forceinline__ bool before(A v, i64 i, A best, i64 at, bool smallest) {
    if (i < 0 || at < 0) return at < 0 && i >= 0;
    if (v != v) return best == best || i < at;
    if (best != best) return false;
    return (smallest ? v < best : v > best) || (v == best && i < at);
}
"""

FLOATS = ("float32", "float64", "float16", "bfloat16")
WIDE = {"float32": "float32", "float64": "float64", "float16": "float32", "bfloat16": "float32"}
HALVES = [("float16", "float32"), ("float32", "float16"), ("bfloat16", "float32"), ("float32", "bfloat16")]
ARRAYS = {d: getattr(dtypes, d).array for d in FLOATS}
PAIRS = [(CTYPES[a], CTYPES[b]) for a, b in [*((d, d) for d in FLOATS), *HALVES]]
register("reduce_lines", COMBINE + DIVIDE + LINES, PAIRS)
register("reduce_rows", COMBINE + DIVIDE + ROWS, PAIRS)
register("arg_lines", BEFORE + ARGUMENTS, [(CTYPES[d],) for d in FLOATS])
SUM, LARGEST, SMALLEST = range(3)
BLOCKS = 1024  # enough for the largest cards; pieces are made up to this number
LONG = 1024  # rows from this length on take 16 bytes at a time


class Stage(NamedTuple):
    """One launch: (outer, n, inner) to (outer, pieces, inner)."""

    outer: int
    n: int
    inner: int
    pieces: int
    step: int
    across: int  # lines in a block; 0: reduce_rows
    grid: tuple[int]

    @property
    def size(self) -> int:
        return self.outer * self.pieces * self.inner

    def sizes(self) -> tuple[Any, ...]:
        """The arguments that say all this."""
        if not self.across:
            return i64(self.outer, self.n, self.pieces, self.step)
        lines = self.outer * self.inner
        return (*i64(lines, self.n, self.inner, self.pieces, self.step), I32[self.across])


def _power(n: int) -> int:
    return 1 << max(n - 1, 0).bit_length()


@lru_cache(1024)
def stage(outer: int, n: int, inner: int, rows: bool) -> Stage:
    """How to reduce the middle dimension; `rows`: long rows by blocks of their own."""
    lines = outer * inner
    if rows and inner == 1 and n >= LONG:
        pieces = min(-(-n // 8192), max(BLOCKS // lines, -(-n // (1 << 20))))
        step = -(-n // pieces)
        step += -step % 16  # pieces begin where rows are aligned
        pieces = -(-n // step)
        return Stage(outer, n, 1, pieces, step, 0, (min(lines * pieces, 1 << 20),))
    if inner == 1:  # short lines share a block
        along = min(256, max(_power(-(-n // 8)), min(_power(n), 8)))
    else:
        along = min(256 // min(_power(inner), 32), _power(n))
    across = 256 // along
    tiles = -(-lines // across)
    pieces = max(1, min(-(-n // (along * 16)), max(BLOCKS // tiles, -(-n // (along * 2048)))))
    step = -(-n // pieces)
    pieces = -(-n // step)
    return Stage(outer, n, inner, pieces, step, across, (min(tiles * pieces, 1 << 20),))


@lru_cache(4096)
def launches(shape: tuple[int, ...], dims: tuple[int, ...], rows: bool = True) -> tuple[tuple[Any, ...], ...]:
    """(size of the result, whether it takes whole rows, the grid, the arguments) of each of the stages."""
    return tuple([(s.size, not s.across, s.grid, s.sizes()) for s in stages(shape, dims, rows)])


def stages(shape: tuple[int, ...], dims: tuple[int, ...], rows: bool = True) -> tuple[Stage, ...]:
    """What reduces `dims` of a contiguous array, the last group of neighbours first. Empty: there is nothing to reduce."""
    groups: list[list[Any]] = []  # [whether it goes, its size]
    for i, n in enumerate(shape):
        if n == 1:
            continue
        if groups and groups[-1][0] == (i in dims):
            groups[-1][1] *= n
        else:
            groups.append([i in dims, n])
    made = []
    for k in reversed(range(len(groups))):
        if groups[k][0]:
            outer, inner = (prod(g[1] for g in part) for part in (groups[:k], groups[k + 1 :]))
            n = groups[k][1]
            while n > 1:
                made.append(stage(outer, n, inner, rows))
                n = made[-1].pieces
            groups[k][1] = 1
    return tuple(made)


@lru_cache(4096)
def left(shape: tuple[int, ...], dims: tuple[int, ...], keepdim: bool) -> tuple[int, ...]:
    """The shape of a result."""
    return tuple([1 if i in dims else n for i, n in enumerate(shape) if keepdim or i not in dims])


@lru_cache(4096)
def scheme(shape: tuple[int, ...], dim: Any, keepdim: bool | None, name: str, op: int, mean: bool) -> Any:
    """The launches that reduce `dim` of a contiguous array: (kernel, grid, the shape and the dtype that they make, the
    arguments behind arrays). keepdim None: the result is flat."""
    ndim = len(shape)
    given = range(ndim) if dim is None else dim if isinstance(dim, tuple) else (dim,)
    dims = tuple([d % ndim for d in given])
    last, wide = name, WIDE[name] if op == SUM else name
    made, todo = [], launches(shape, dims)
    for k, (size, rows, blocks, sizes) in enumerate(todo):
        final = k + 1 == len(todo)
        to = last if final else wide
        by = (F64 if name == "float64" else F32)[prod([shape[d] for d in dims]) if mean and final else 1]
        key = ("reduce_rows" if rows else "reduce_lines", CTYPES[name], CTYPES[to])
        into = left(shape, dims, keepdim) if final and keepdim is not None else size
        made.append((key, blocks, into, ARRAYS[to], (*sizes, I32[op], by)))
        name = to
    return made


class ReduceKernels:
    """Mixed into CupyBackend, before Backend."""

    xp: Any
    empty: Any
    nothing: Any

    def _dense(self, x: Any, dim: Any) -> tuple[Any, tuple[int, ...], tuple[int, ...] | None] | None:
        """(x with its axes as memory has them, the dims that go there, that order or None); None where we take none of it."""
        if NAMES[x.dtype] not in FLOATS or x.size == 0:
            return None
        ndim = x.ndim
        dims = (
            tuple(range(ndim))
            if dim is None
            else tuple([d % ndim for d in (dim if isinstance(dim, tuple) else (dim,))])
        )
        if x._c_contiguous:
            return x, dims, None
        order = tuple(sorted(range(ndim), key=lambda i: (-x.strides[i], -x.shape[i])))
        x = x.transpose(order)
        return (x, tuple([order.index(d) for d in dims]), order) if x.flags.c_contiguous else None

    def _shaped(self, y: Any, shape: tuple[int, ...], dims: tuple[int, ...], order: Any, keepdim: bool) -> Any:
        """The flat results as an array, in the order of the original's axes."""
        kept = [i for i in range(len(shape)) if i not in dims]
        if keepdim:
            back = [order.index(i) for i in range(len(order))]
            return y.reshape([1 if i in dims else n for i, n in enumerate(shape)]).transpose(back)
        names = [order[i] for i in kept]
        return y.reshape([shape[i] for i in kept]).transpose([names.index(i) for i in sorted(names)])

    def _reduced(self, x: Any, dim: Any, keepdim: bool, op: int, mean: bool = False) -> Any:
        """None for what is left to CuPy."""
        name, shape, order = NAMES[x.dtype], x.shape, None
        if name not in FLOATS or x.size == 0:
            return None
        if not x._c_contiguous:
            found = self._dense(x, dim)
            if found is None:
                return None
            x, dim, order = found
            shape = x.shape
        y, todo = x, scheme(shape, dim, None if order else keepdim, name, op, mean)
        for key, blocks, made, dtype, numbers in todo:
            out = self.empty(made, dtype)
            launch.ready[key](blocks, (256,), (y, out, *numbers))
            y = out
        if not todo:
            return None
        return y if order is None else self._shaped(y, shape, dim, order, keepdim)

    def _found(self, x: Any, dim: Any, keepdim: bool, smallest: bool, valued: bool = False) -> Any:
        """(values, places), the values of no use if not `valued`; None for what is left to CuPy."""
        found = self._dense(x, dim)
        if found is None or (dim is None and found[2] is not None):  # a flat place counts in the array's own order
            if NAMES[x.dtype] not in FLOATS or x.size == 0:
                return None
            found = self._dense(self.xp.ascontiguousarray(x), dim)  # CuPy's own takes any NaN of several
            assert found is not None
        x, dims, order = found
        todo = launches(x.shape, dims, False)
        if not todo:
            return None
        run = kernel("arg_lines", CTYPES[NAMES[x.dtype]])
        y, whole = self.nothing(np.int64), todo[0][3][1]
        for k, (size, _, blocks, sizes) in enumerate(todo):
            final = k + 1 == len(todo)
            shape = left(x.shape, dims, keepdim) if final and order is None else size
            out = self.empty(shape, np.int64)
            values = self.empty(shape, x.dtype) if valued and final else self.nothing(x.dtype)
            run(blocks, (256,), (x, y, BOOL[k > 0], out, values, BOOL[valued and final], whole, *sizes, BOOL[smallest]))
            y = out
        if order is None:
            return values, y
        places = self._shaped(y, x.shape, dims, order, keepdim)
        return self._shaped(values, x.shape, dims, order, keepdim) if valued else None, places

    def _reduce_add(self, x: Any, dim: Any, keepdim: bool) -> Any:
        y = self._reduced(x, dim, keepdim, SUM)
        return self.xp.sum(x, axis=dim, keepdims=keepdim) if y is None else y  # CuPy adds in blocks on every axis

    def sum(self: Any, x: Any, dim: Any, keepdim: bool) -> Any:
        y = self._reduced(x, dim, keepdim, SUM)
        return super().sum(x, dim, keepdim) if y is None else y  # type: ignore[misc]

    def mean(self: Any, x: Any, dim: Any, keepdim: bool) -> Any:
        y = self._reduced(x, dim, keepdim, SUM, True)
        return super().mean(x, dim, keepdim) if y is None else y  # type: ignore[misc]

    def amax(self, x: Any, dim: Any, keepdim: bool) -> Any:
        y = self._reduced(x, dim, keepdim, LARGEST)
        return self.xp.amax(x, axis=dim, keepdims=keepdim) if y is None else y

    def amin(self, x: Any, dim: Any, keepdim: bool) -> Any:
        y = self._reduced(x, dim, keepdim, SMALLEST)
        return self.xp.amin(x, axis=dim, keepdims=keepdim) if y is None else y

    def argmax(self: Any, x: Any, dim: Any, keepdim: bool) -> Any:
        y = self._found(x, dim, keepdim, False)
        return super().argmax(x, dim, keepdim) if y is None else y[1]  # type: ignore[misc]

    def argmin(self: Any, x: Any, dim: Any, keepdim: bool) -> Any:
        y = self._found(x, dim, keepdim, True)
        return super().argmin(x, dim, keepdim) if y is None else y[1]  # type: ignore[misc]

    def max_dim(self: Any, x: Any, dim: int, keepdim: bool) -> tuple[Any, Any]:
        y = self._found(x, dim, keepdim, False, True)
        return super().max_dim(x, dim, keepdim) if y is None else y  # type: ignore[misc, no-any-return]

    def min_dim(self: Any, x: Any, dim: int, keepdim: bool) -> tuple[Any, Any]:
        y = self._found(x, dim, keepdim, True, True)
        return super().min_dim(x, dim, keepdim) if y is None else y  # type: ignore[misc, no-any-return]
