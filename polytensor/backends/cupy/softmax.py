"""Softmax, log-softmax and cross-entropy: each row once through the registers of a warp or a block."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import launch
from .rows import CTYPE, ROWS, forms, split, spread, width

Array = Any

FLOATS = ("float", "double", "__half", "__nv_bfloat16")
SOME = 2048  # targets to a block
MOST = 256  # blocks that count targets
FEW = 1024  # targets that every block may count: a launch costs more

SOFTMAX = (
    ROWS
    + r"""
// The largest element m so far and the sum s of exp(x - m). NaN, and inf less inf, make the sum NaN.
template <typename A> struct Mass {
    A m, s;
    __device__ __forceinline__ Mass() : m(lowest(A())), s(0) {}
    __device__ __forceinline__ void raise(A top) {
        if (top > m) { s *= exp(m - top); m = top; }
    }
    __device__ __forceinline__ void add(A x) { raise(x); s += exp(x - m); }
};
"""
)

SOFTMAX_ROWS = r"""
// y = exp(x - max) / sum, or with `logs` its logarithm; rows of n.
template <typename T, int V, int K>
__global__ void __launch_bounds__(512, sizeof(T) == 8 ? 1 : V * K > 16 ? 2 : 3)
softmax_rows(const T* x, T* y, i64 rows, i64 n, bool logs) {
    typedef acc_t<T> A;
    for (i64 r = blockIdx.x * (i64)blockDim.y + threadIdx.y; r < rows; r += (i64)gridDim.x * blockDim.y) {
        Row<T, V, K> row(x + r * n, n);
        Mass<A> mass;
        sweep<V, K>(n, [&](int k, i64 i) {
            A v[V];
            row.pack(k, i, v);
            A top = v[0];
            #pragma unroll
            for (int j = 1; j < V; ++j) top = v[j] > top ? v[j] : top;
            mass.raise(top);
            #pragma unroll
            for (int j = 0; j < V; ++j) mass.s += exp(v[j] - mass.m);
        });
        A m = block_max(mass.m), whole = block_sum(mass.s * exp(mass.m - m));
        A shift = log(whole), scale = 1 / whole;
        T* out = y + r * n;
        sweep<V, K>(n, [&](int k, i64 i) {
            A v[V];
            row.pack(k, i, v);
            #pragma unroll
            for (int j = 0; j < V; ++j) v[j] = logs ? (v[j] - m) - shift : exp(v[j] - m) * scale;
            put<T, V>(out + i, v);
        });
    }
}
"""

SOFTMAX_ROWS_BACKWARD = r"""
// y * (g - sum(g * y)), or with `logs` g - exp(y) * sum(g).
template <typename T, int V, int K>
__global__ void __launch_bounds__(512, sizeof(T) == 8 ? 1 : 2)
softmax_rows_backward(const T* g, const T* y, T* dx, i64 rows, i64 n, bool logs) {
    typedef acc_t<T> A;
    for (i64 r = blockIdx.x * (i64)blockDim.y + threadIdx.y; r < rows; r += (i64)gridDim.x * blockDim.y) {
        Row<T, V, K> gs(g + r * n, n), ys(y + r * n, n);
        A part = 0;
        sweep<V, K>(n, [&](int k, i64 i) {
            A u[V], v[V];
            gs.pack(k, i, u);
            ys.pack(k, i, v);
            #pragma unroll
            for (int j = 0; j < V; ++j) part += logs ? u[j] : u[j] * v[j];
        });
        A whole = block_sum(part);
        T* out = dx + r * n;
        sweep<V, K>(n, [&](int k, i64 i) {
            A u[V], v[V];
            gs.pack(k, i, u);
            ys.pack(k, i, v);
            #pragma unroll
            for (int j = 0; j < V; ++j) v[j] = logs ? u[j] - exp(v[j]) * whole : v[j] * (u[j] - whole);
            put<T, V>(out + i, v);
        });
    }
}
"""

COLUMNS = r"""
// Columns of n elements, `inner` apart: a block takes 32 beside each other, a warp every eighth element of each.
"""

SOFTMAX_COLUMNS = (
    COLUMNS
    + r"""
template <typename T>
__global__ void softmax_columns(const T* x, T* y, i64 columns, i64 n, i64 inner, bool logs) {
    typedef acc_t<T> A;
    __shared__ A tops[8][32], sums[8][32];
    int lane = threadIdx.x & 31, part = threadIdx.x >> 5;
    for (i64 first = blockIdx.x * (i64)32; first < columns; first += gridDim.x * (i64)32) {
        i64 column = first + lane, o = quotient(column, inner), at = o * n * inner + (column - o * inner);
        i64 count = column < columns ? n : 0;
        Mass<A> mass;
        for (i64 i = part; i < count; i += 8) mass.add(load(x + at + i * inner));
        __syncthreads();
        tops[part][lane] = mass.m;
        sums[part][lane] = mass.s;
        __syncthreads();
        A m = tops[0][lane], whole = 0;
        for (int j = 1; j < 8; ++j) m = tops[j][lane] > m ? tops[j][lane] : m;
        for (int j = 0; j < 8; ++j) whole += sums[j][lane] * exp(tops[j][lane] - m);
        A shift = log(whole), scale = 1 / whole;
        for (i64 i = part; i < count; i += 8) {
            A v = load(x + at + i * inner) - m;
            store(y + at + i * inner, logs ? v - shift : exp(v) * scale);
        }
    }
}
"""
)

SOFTMAX_COLUMNS_BACKWARD = (
    COLUMNS
    + r"""
template <typename T>
__global__ void softmax_columns_backward(const T* g, const T* y, T* dx, i64 columns, i64 n, i64 inner, bool logs) {
    typedef acc_t<T> A;
    __shared__ A sums[8][32];
    int lane = threadIdx.x & 31, part = threadIdx.x >> 5;
    for (i64 first = blockIdx.x * (i64)32; first < columns; first += gridDim.x * (i64)32) {
        i64 column = first + lane, o = quotient(column, inner), at = o * n * inner + (column - o * inner);
        i64 count = column < columns ? n : 0;
        A mine = 0;
        for (i64 i = part; i < count; i += 8) {
            A u = load(g + at + i * inner);
            mine += logs ? u : u * load(y + at + i * inner);
        }
        __syncthreads();
        sums[part][lane] = mine;
        __syncthreads();
        A whole = 0;
        for (int j = 0; j < 8; ++j) whole += sums[j][lane];
        for (i64 i = part; i < count; i += 8) {
            A u = load(g + at + i * inner), v = load(y + at + i * inner);
            store(dx + at + i * inner, logs ? u - exp(v) * whole : v * (u - whole));
        }
    }
}
"""
)

NLL = r"""
// -logp[row, t[row]], 0 where t is `ignore`: into losses (reduction 0), or each block's sum and number of kept rows into
// sums and counts; a block alone gives the mean (1) or the sum (2) at once. A target out of range raises the flag `fault`.
template <typename T>
__global__ void nll(const T* logp, const i64* t, T* losses, double* sums, i64* counts, i64 rows, i64 n, i64 ignore,
                    int reduction, unsigned int* fault) {
    double sum = 0;
    i64 kept = 0;
    for (i64 r = blockIdx.x * (i64)blockDim.x + threadIdx.x; r < rows; r += (i64)gridDim.x * blockDim.x) {
        i64 c = t[r];
        acc_t<T> loss = 0;
        if (c != ignore) {
            if (c < 0 || c >= n) {
                *fault = 1;
            } else {
                loss = -load(logp + r * n + c);
            }
            sum += loss;
            ++kept;
        }
        if (reduction == 0) store(losses + r, loss);
    }
    if (reduction == 0) return;
    sum = block_sum(sum);
    kept = block_sum(kept);
    if (threadIdx.x != 0) return;
    if (gridDim.x == 1) {
        store(losses, (acc_t<T>)(reduction == 1 ? sum / (double)kept : sum));
    } else {
        sums[blockIdx.x] = sum;
        counts[blockIdx.x] = kept;
    }
}
"""

NLL_TOTAL = r"""
// The sum (reduction 2) or the mean (1) of what the blocks of nll left.
template <typename T>
__global__ void nll_total(const double* sums, const i64* counts, T* loss, i64 parts, int reduction) {
    double sum = 0;
    i64 kept = 0;
    for (i64 i = threadIdx.x; i < parts; i += blockDim.x) { sum += sums[i]; kept += counts[i]; }
    sum = block_sum(sum);
    kept = block_sum(kept);
    if (threadIdx.x == 0) store(loss, (acc_t<T>)(reduction == 1 ? sum / (double)kept : sum));
}
"""

NLL_COUNT = r"""
// How many targets are kept, at least 1.
__global__ void __launch_bounds__(1024) nll_count(const i64* t, i64* count, i64 rows, i64 ignore) {
    i64 kept = 0;
    for (i64 r = threadIdx.x; r < rows; r += blockDim.x) kept += t[r] != ignore;
    kept = block_sum(kept);
    if (threadIdx.x == 0) *count = kept > 1 ? kept : 1;
}
"""

NLL_BACKWARD = (
    ROWS
    + r"""
// (exp(logp) - onehot(t)) * g / count; zero where t is `ignore`. g: one number, or one a row. With `counting` each block
// counts the targets that are kept.
template <typename T, int V>
__global__ void nll_backward(const T* g, const T* logp, const i64* t, const i64* count, T* dx, i64 rows, i64 n,
                             i64 ignore, int reduction, bool counting) {
    typedef acc_t<T> A;
    i64 packs = n / V, total = rows * packs, kept = 0;
    if (counting) {
        for (i64 r = threadIdx.x; r < rows; r += blockDim.x) kept += t[r] != ignore;
        kept = block_sum(kept);
        if (kept < 1) kept = 1;
    } else if (reduction == 1) {
        kept = *count;
    }
    for (i64 p = blockIdx.x * (i64)blockDim.x + threadIdx.x; p < total; p += (i64)gridDim.x * blockDim.x) {
        i64 r = quotient(p, packs), i = (p - r * packs) * V, c = t[r];
        A v[V], k = load(g + (reduction == 0 ? r : 0));
        if (reduction == 1) k /= (A)kept;
        get<T, V>(logp + r * n + i, v);
        #pragma unroll
        for (int j = 0; j < V; ++j) v[j] = c == ignore ? (A)0 : (exp(v[j]) - (A)(c == i + j)) * k;
        put<T, V>(dx + r * n + i, v);
    }
}
"""
)

launch.register("softmax_rows", SOFTMAX + SOFTMAX_ROWS, forms(FLOATS))
launch.register("softmax_rows_backward", SOFTMAX + SOFTMAX_ROWS_BACKWARD, forms(FLOATS))
launch.register("softmax_columns", SOFTMAX + SOFTMAX_COLUMNS, [(c,) for c in FLOATS])
launch.register("softmax_columns_backward", SOFTMAX + SOFTMAX_COLUMNS_BACKWARD, [(c,) for c in FLOATS])
launch.register("nll", NLL, [(c,) for c in FLOATS])
launch.register("nll_total", NLL_TOTAL, [(c,) for c in FLOATS])
launch.register("nll_count", NLL_COUNT)
launch.register("nll_backward", NLL_BACKWARD, sorted({form[:2] for form in forms(FLOATS)}))


def _type(x: Array) -> str | None:
    found = CTYPE.get(x.dtype)
    return found if found in FLOATS else None


class CudaSoftmax:
    """Mixed into CupyBackend."""

    xp: Any
    contiguous: Any
    faults: Any

    # ---- softmax ----------------------------------------------------------------------------------------------------
    def _soft(self, x: Array, dim: int, logs: bool) -> Array:
        ctype: Any = _type(x)
        y = self.xp.empty(x.shape, x.dtype)
        if x.size == 0:
            return y
        x = self.contiguous(x)
        outer, n, inner = split(x.shape, dim % x.ndim)
        if inner == 1:
            v = width(n, ctype, x, y)
            held, blocks, threads = spread(outer, n, v)
            args = (x, y, *launch.i64(outer, n), launch.BOOL[logs])
            launch.kernel("softmax_rows", ctype, str(v), held)(blocks, threads, args)
        else:
            args = (x, y, *launch.i64(outer * inner, n, inner), launch.BOOL[logs])
            launch.kernel("softmax_columns", ctype)(*launch.grid(outer * inner * 8, 256), args)
        return y

    def _soft_backward(self, g: Array, y: Array, dim: int, logs: bool) -> Array:
        ctype: Any = _type(y)
        dx = self.xp.empty(y.shape, y.dtype)
        if y.size == 0:
            return dx
        g, y = self.contiguous(g), self.contiguous(y)
        outer, n, inner = split(y.shape, dim % y.ndim)
        if inner == 1:
            v = width(n, ctype, g, y, dx)
            held, blocks, threads = spread(outer, n, v)
            args = (g, y, dx, *launch.i64(outer, n), launch.BOOL[logs])
            launch.kernel("softmax_rows_backward", ctype, str(v), held)(blocks, threads, args)
        else:
            args = (g, y, dx, *launch.i64(outer * inner, n, inner), launch.BOOL[logs])
            launch.kernel("softmax_columns_backward", ctype)(*launch.grid(outer * inner * 8, 256), args)
        return dx

    def softmax(self, x: Array, dim: int) -> Array:
        return self._soft(x, dim, False) if _type(x) else super().softmax(x, dim)  # type: ignore[misc]

    def log_softmax(self, x: Array, dim: int) -> Array:
        return self._soft(x, dim, True) if _type(x) else super().log_softmax(x, dim)  # type: ignore[misc]

    def softmax_backward(self, g: Array, y: Array, dim: int) -> Array:
        if _type(y) is None or g.dtype != y.dtype or g.shape != y.shape:
            return super().softmax_backward(g, y, dim)  # type: ignore[misc]
        return self._soft_backward(g, y, dim, False)

    def log_softmax_backward(self, g: Array, y: Array, dim: int) -> Array:
        if _type(y) is None or g.dtype != y.dtype or g.shape != y.shape:
            return super().log_softmax_backward(g, y, dim)  # type: ignore[misc]
        return self._soft_backward(g, y, dim, True)

    # ---- cross-entropy ----------------------------------------------------------------------------------------------
    def cross_entropy(self, x: Array, t: Array, ignore_index: int, reduction: int) -> tuple[Array, Array]:
        ctype = _type(x)
        if ctype is None or t.dtype != np.int64 or not x.size:
            return super().cross_entropy(x, t, ignore_index, reduction)  # type: ignore[misc, no-any-return]
        rows, n = x.shape
        fault = self.faults.flag(IndexError, "Target is out of bounds.")
        logp, t = self.log_softmax(x, 1), self.contiguous(t)
        blocks = max(1, min(-(-rows // SOME), MOST)) if reduction else launch.grid(rows)[0][0]
        loss = self.xp.empty(() if reduction else (rows,), x.dtype)
        sums, counts = (self.xp.empty(blocks if reduction else 0, kind) for kind in (np.float64, np.int64))
        args = (logp, t, loss, sums, counts, *launch.i64(rows, n, ignore_index), launch.I32[reduction], fault)
        launch.kernel("nll", ctype)((blocks,), (256,), args)
        if reduction and blocks > 1:
            launch.kernel("nll_total", ctype)(
                (1,), (256,), (sums, counts, loss, *launch.i64(blocks), launch.I32[reduction])
            )
        return loss, logp

    def cross_entropy_backward(self, g: Array, logp: Array, t: Array, ignore_index: int, reduction: int) -> Array:
        ctype = _type(logp)
        if ctype is None or t.dtype != np.int64 or g.dtype != logp.dtype or not logp.size:
            return super().cross_entropy_backward(g, logp, t, ignore_index, reduction)  # type: ignore[misc]
        g, logp, t = (self.contiguous(a) for a in (g, logp, t))
        rows, n = logp.shape
        dx, count = self.xp.empty(logp.shape, logp.dtype), self.xp.empty(1, np.int64)
        counting = reduction == 1 and rows <= FEW
        if reduction == 1 and not counting:
            launch.kernel("nll_count")((1,), (1024,), (t, count, *launch.i64(rows, ignore_index)))
        v = width(n, ctype, logp, dx)
        args = (g, logp, t, count, dx, *launch.i64(rows, n, ignore_index), launch.I32[reduction], launch.BOOL[counting])
        launch.kernel("nll_backward", ctype, str(v))(*launch.grid(rows * n // v), args)
        return dx
