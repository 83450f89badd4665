"""Rows of one array added to rows of another by index, and other combinations of equal places.

Sums of float32, float64 and whole numbers add atomically, in no order, and of several writes to one place any may stay.
Under use_deterministic_algorithms, and for other dtypes and combinations, the places are sorted first (stably), and one
thread takes each run of equal places in its order; of several writes the last stays, as on the CPU.
Nothing is compacted, so that nothing waits for the device.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ...settings import are_deterministic_algorithms_enabled
from ..base import FLOAT16
from .launch import BOOL, CTYPES, I32, I64, NAMES, kernel, register

ADD_ROWS = r"""
__device__ void atomic_add(float* p, float v) { atomicAdd(p, v); }
__device__ void atomic_add(double* p, double v) { atomicAdd(p, v); }
__device__ void atomic_add(int* p, int v) { atomicAdd(p, v); }
__device__ void atomic_add(i64* p, i64 v) { atomicAdd(reinterpret_cast<u64*>(p), (u64)v); }

// x[index[k], c] += value[k, c] for rows of `width`; an index that is `skip` or out of range is left out.
template <typename T, typename V>
__global__ void add_rows(T* x, const i64* index, const V* value, i64 total, i64 width, i64 rows, i64 skip) {
    #pragma unroll 1
    for (i64 t = blockIdx.x * (i64)blockDim.x + threadIdx.x; t < total; t += (i64)gridDim.x * blockDim.x) {
        Split s = split(t, width);
        i64 row = index[s.quotient];
        if (row < 0 || row >= rows || row == skip) continue;
        atomic_add(x + row * width + s.rest, (T)to_acc(value[t]));
    }
}
"""

RUNS = r"""
// The places are sorted: `rows` holds them, order[k] is where the k-th came from. A run is cut where a multiple of CHUNK is,
// so that no thread has a long one alone; heads[j] is the sum of the piece at the start of chunk j.
const i64 CHUNK = 128;

template <typename T>
__global__ void run_heads(const i64* order, const i64* rows, const T* value, acc_t<T>* heads, i64 n, i64 total, i64 width) {
    #pragma unroll 1
    for (i64 t = blockIdx.x * (i64)blockDim.x + threadIdx.x; t < total; t += (i64)gridDim.x * blockDim.x) {
        Split s = split(t, width);
        i64 k = s.quotient * CHUNK, end = min(n, k + CHUNK), row = rows[k];
        if (k == 0 || rows[k - 1] != row) continue;
        acc_t<T> sum = 0;
        for (; k < end && rows[k] == row; ++k) sum += load(value + order[k] * width + s.rest);
        heads[t] = sum;
    }
}
"""

ADD_RUNS = (
    RUNS
    + r"""
// x[row, c] += the run's values, over their number with `mean`.
template <typename T>
__global__ void add_runs(T* x, const i64* order, const i64* rows, const T* value, const acc_t<T>* heads, i64 n, i64 total,
                         i64 width, i64 limit, i64 skip, bool mean) {
    #pragma unroll 1
    for (i64 t = blockIdx.x * (i64)blockDim.x + threadIdx.x; t < total; t += (i64)gridDim.x * blockDim.x) {
        Split s = split(t, width);
        i64 k = s.quotient, row = rows[k];
        if ((k > 0 && rows[k - 1] == row) || row < 0 || row >= limit || row == skip) continue;
        i64 chunk = k / CHUNK, end = min(n, (chunk + 1) * CHUNK), m = k;
        acc_t<T> sum = 0;
        for (; m < end && rows[m] == row; ++m) sum += load(value + order[m] * width + s.rest);
        if (m == end)
            for (++chunk; chunk * CHUNK < n && rows[chunk * CHUNK] == row; ++chunk) sum += heads[chunk * width + s.rest];
        if (mean) {
            i64 low = k, high = n;  // the run ends at the first place that is greater
            while (low < high) {
                i64 middle = (low + high) / 2;
                if (rows[middle] > row) high = middle; else low = middle + 1;
            }
            sum /= low - k;
        }
        T* p = x + row * width + s.rest;
        store(p, load(p) + sum);
    }
}
"""
)

COMBINE_RUNS = r"""
// One thread for each run of equal places combines its values in their order: 0 product, 1 maximum, 2 minimum. NaN stays.
template <typename T> __device__ T combine(T a, T b, int op) {
    if (op == 0) return a * b;
    if (a != a || b != b) return a != a ? a : b;
    return op == 1 ? (b > a ? b : a) : (b < a ? b : a);
}
template <typename T> __device__ Complex<T> combine(Complex<T> a, Complex<T> b, int op) { return a * b; }
template <typename T>
__global__ void combine_runs(T* x, const i64* order, const i64* rows, const T* value, i64 n, i64 limit, int op) {
    #pragma unroll 1
    for (i64 k = blockIdx.x * (i64)blockDim.x + threadIdx.x; k < n; k += (i64)gridDim.x * blockDim.x) {
        i64 row = rows[k];
        if ((k > 0 && rows[k - 1] == row) || row < 0 || row >= limit) continue;
        T total = x[row];
        for (i64 m = k; m < n && rows[m] == row; ++m) total = combine(total, value[order[m]], op);
        x[row] = total;
    }
}
"""

WRITE_ROWS = r"""
// x[row, c] = the last value of each run
template <typename T>
__global__ void write_rows(T* x, const i64* order, const i64* rows, const T* value, i64 n, i64 total, i64 width, i64 limit) {
    #pragma unroll 1
    for (i64 t = blockIdx.x * (i64)blockDim.x + threadIdx.x; t < total; t += (i64)gridDim.x * blockDim.x) {
        Split s = split(t, width);
        i64 k = s.quotient, row = rows[k];
        if ((k + 1 < n && rows[k + 1] == row) || row < 0 || row >= limit) continue;
        x[row * width + s.rest] = value[order[k] * width + s.rest];
    }
}
"""

CHUNK = 128
RUN_OPS = {"multiply": 0, "maximum": 1, "minimum": 2}
ATOMIC = ("float32", "float64", "int32", "int64")
SUMMED = ("float32", "float64", "float16", "bfloat16")
NARROW = {
    "float16": "float32",
    "bfloat16": "float32",
    **dict.fromkeys(("bool", "int8", "int16", "uint8", "uint16"), "int32"),
}
register("add_rows", ADD_ROWS, [(CTYPES[w], CTYPES[d]) for d, w in (*((d, d) for d in ATOMIC), *NARROW.items())])
register("run_heads", RUNS, [(CTYPES[d],) for d in SUMMED])
register("add_runs", ADD_RUNS, [(CTYPES[d],) for d in SUMMED])
register("combine_runs", COMBINE_RUNS, [(CTYPES[d],) for d in (*ATOMIC, "complex64", "complex128")])
WORDS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64, 16: np.uint64}  # by item size: bits are copied
register("write_rows", WRITE_ROWS, [(CTYPES[d],) for d in ("uint8", "uint16", "uint32", "uint64")])
SIGNED = {"uint32": np.int32, "uint64": np.int64}  # sums wrap alike


class ScatterKernels:
    """Mixed into CupyBackend, before Backend."""

    xp: Any

    def _add_to_rows(self, x: Any, index: Any, value: Any, width: int, skip: int = -1, mean: bool = False) -> None:
        """Add rows of `value` to those of x (contiguous), both of `width` elements, that `index` names; but not to `skip`.

        Rows of 8 or 16 bits may be added to an x of NARROW's dtype.
        """
        xp, kind = self.xp, x.dtype
        if not value.size or not x.size:
            return
        sort = mean or (kind.kind in "fV" and are_deterministic_algorithms_enabled())
        narrow = not sort and NARROW.get(NAMES[value.dtype]) == NAMES[kind]
        value, index = xp.ascontiguousarray(value, None if narrow else kind), xp.ascontiguousarray(index, np.int64)
        if kind.kind == "c":
            self._add_to_rows(x.view(x.real.dtype), index, value.view(x.real.dtype), 2 * width, skip, mean)
            return
        name = NAMES[kind]
        if name in SIGNED:
            x, value, name = x.view(SIGNED[name]), value.view(SIGNED[name]), SIGNED[name].__name__
        if kind.itemsize <= 2 and not (sort and kind.kind in "fV"):
            out = x.astype(NARROW[name])
            self._add_to_rows(out, index, value, width, skip, mean)
            x[...] = out.astype(kind)
            return
        n, rows, total = index.size, x.size // width, index.size * width
        if not sort:
            args = (x, index, value, I64[total], I64[width], I64[rows], I64[skip])
            kernel("add_rows", CTYPES[name], CTYPES[NAMES[value.dtype]]).over(total, args)
            return
        order, places = self._sorted_places(index)
        chunks = -(-n // CHUNK) * width
        heads = xp.empty(chunks, np.float64 if name == "float64" else np.float32)
        sizes = (I64[n], I64[chunks], I64[width])
        if n > CHUNK:
            kernel("run_heads", CTYPES[name]).over(chunks, (order, places, value, heads, *sizes))
        last = (I64[n], I64[total], I64[width], I64[rows], I64[skip], BOOL[mean])
        kernel("add_runs", CTYPES[name]).over(total, (x, order, places, value, heads, *last))

    def _sorted_places(self, index: Any) -> tuple[Any, Any]:
        """The order that sorts `index`, equal ones as they come, and index in it."""
        order = self.xp.argsort(index, kind="stable").astype(np.int64, copy=False)
        return order, index[order]

    def _at(self, ufunc: str, x: Any, index: Any, value: Any) -> None:
        # CuPy's atomics know few dtypes; those for the maximum of floats drop NaN and round float64 to float32
        xp, kind = self.xp, x.dtype
        if not value.size:
            return
        out = x if x.flags.c_contiguous else xp.ascontiguousarray(x)
        if ufunc == "add":
            self._add_to_rows(out, index, value, 1)
        elif kind.itemsize <= 2:
            wide = np.dtype(np.int32 if kind.kind in "biu" else np.float32)
            out = x.astype(wide)
            self._at(ufunc, out, index, value.astype(wide))
        else:
            order, rows = self._sorted_places(xp.ascontiguousarray(index, np.int64))
            args = (out, order, rows, xp.ascontiguousarray(value), I64[index.size], I64[x.size],
                    I32[RUN_OPS[ufunc]])  # fmt: skip
            kernel("combine_runs", CTYPES[NAMES[kind]]).over(index.size, args)
        if out is not x:
            x[...] = out.astype(kind)

    def _add_at_rows(self, target: Any, n: int, flat: Any, value: Any) -> None:
        width = prod(target.shape[n:])
        if target.dtype in FLOAT16:  # each place's sum is rounded before it is added
            sums = self.xp.zeros(target.shape, np.float32)
            self._add_to_rows(sums, flat, value, width)
            target += sums.astype(target.dtype)
            return
        out = target if target.flags.c_contiguous else self.xp.ascontiguousarray(target)
        self._add_to_rows(out, flat, value, width)
        if out is not target:
            target[...] = out

    def index_put(self: Any, x: Any, index: tuple[Any, ...], value: Any, accumulate: bool) -> None:
        whole = any(hasattr(i, "dtype") and i.dtype.kind != "b" for i in index)
        if accumulate or not whole or not are_deterministic_algorithms_enabled():
            super().index_put(x, index, value, accumulate)  # type: ignore[misc]
            return
        self.check_index(index, x.shape)
        target, n, flat, value = self._by_rows(x, index, value)
        self._write_to_rows(target, flat, value, prod(target.shape[n:]))

    def scatter(self: Any, x: Any, dim: int, index: Any, src: Any) -> None:
        if not are_deterministic_algorithms_enabled():
            super().scatter(x, dim, index, src)  # type: ignore[misc]
            return
        src = self.xp.broadcast_to(src, index.shape)
        self._write_to_rows(x, self._flat_along(index, dim, x.shape), src, 1)

    def _write_to_rows(self, x: Any, index: Any, value: Any, width: int) -> None:
        """Write rows of `value` over those of x that `index` names; the last of equal ones stays."""
        xp, word = self.xp, WORDS[x.dtype.itemsize]
        if not value.size or not x.size:
            return
        out, value = (xp.ascontiguousarray(a) for a in (x, value))
        n, wide = index.size, width * x.dtype.itemsize // np.dtype(word).itemsize
        order, places = self._sorted_places(xp.ascontiguousarray(index, np.int64))
        sizes = [I64[v] for v in (n, n * wide, wide, x.size // width)]
        args = (out.view(word), order, places, value.reshape(-1).view(word), *sizes)
        kernel("write_rows", CTYPES[np.dtype(word).name]).over(n * wide, args)
        if out is not x:
            x[...] = out

    def embedding_sum(self, x: Any, count: int, index: Any, skip: int, by_frequency: bool) -> Any:
        tail, half = x.shape[index.ndim :], x.dtype in FLOAT16
        out = self.xp.zeros((count, *tail), np.float32 if half else x.dtype)
        self._add_to_rows(out, index.reshape(-1), x, prod(tail), skip, by_frequency)
        return out.astype(x.dtype) if half else out

    def counts(self, x: Any, weights: Any, n: int) -> Any:
        # CuPy's bincount reads the largest and the smallest value
        out = self.xp.zeros((n,), np.int64 if weights is None else np.float64)
        self._at("add", out, x, self.xp.ones(x.shape, np.int64) if weights is None else weights.astype(np.float64))
        return out

    def unique_rows(self, index: Any) -> Any:
        return index.reshape(-1)  # rows that come twice are written twice, with the same values
