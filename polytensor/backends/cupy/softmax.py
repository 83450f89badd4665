"""Softmax, log-softmax and cross-entropy: each row once through the registers of a warp or a block."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import launch
from .launch import BOOL, I32, I64
from .rows import CTYPE, FLOATS, INDEX, ROWS, VECTOR, along, forms, split, width

Array = Any


SOME = 2048  # targets to a block
MOST = 256  # blocks that count targets
FEW = 1024  # targets that every block may count, if there are few blocks: a launch costs more
LITTLE = 1 << 20  # elements

SOFTMAX = (
    ROWS
    + r"""
// A row of n elements of N arrays, K packs of it to a thread at a time, or with K = 0 as many pieces as it takes.
template <typename T, int V, int K, int N> struct Piece {
    typedef acc_t<T> A;
    typedef typename Word<sizeof(T) * V>::type W;
    static const int HELD = K > 0 ? K : (V > 1 ? 4 : 8) / N;
    W held[N][HELD];
    const i64 n;
    i64 first = 0;  // where the piece begins
    int size;
    __device__ __forceinline__ Piece(i64 n) : n(n) {}
    __device__ __forceinline__ i64 span() const { return HELD * V * (i64)blockDim.x; }
    __device__ __forceinline__ int at(int k) const { return (k * blockDim.x + threadIdx.x) * V; }
    __device__ __forceinline__ void load(const T* const (&rows)[N]) {
        size = K > 0 || n - first < span() ? n - first : span();
        #pragma unroll
        for (int a = 0; a < N; ++a)
            #pragma unroll
            for (int k = 0; k < HELD; ++k)
                if (at(k) < size) held[a][k] = *reinterpret_cast<const W*>(rows[a] + first + at(k));
    }
    // Go to the next piece, or to the one before, if there is one.
    __device__ __forceinline__ bool next() {
        if (K > 0 || first + span() >= n) return false;
        first += span();
        return true;
    }
    __device__ __forceinline__ bool back() {
        if (K > 0 || first == 0) return false;
        first -= span();
        return true;
    }
    // f(place in the row, elements of each array) for each pack
    template <typename F> __device__ __forceinline__ void each(F f) const {
        #pragma unroll
        for (int k = 0; k < HELD; ++k) {
            if (at(k) >= size) continue;
            A v[N][V];
            #pragma unroll
            for (int a = 0; a < N; ++a) {
                Pack<T, V> pack = unpacked<T, V>(held[a][k]);
                #pragma unroll
                for (int j = 0; j < V; ++j) v[a][j] = to_acc(pack.v[j]);
            }
            f(first + at(k), v);
        }
    }
};
// exp for elements of T: for 16 bits by three instructions instead of eight, or they would take longer than the memory.
template <typename T> __device__ __forceinline__ acc_t<T> power(acc_t<T> x) {
    if constexpr (sizeof(T) == 2) return exp2f(x * 1.4426950408889634f);
    else return exp(x);
}
// The largest element m so far and the sum s of exp(x - m). NaN, and inf less inf, make the sum NaN.
template <typename A> struct Mass {
    A m, s;
    __device__ __forceinline__ Mass() : m(lowest(A())), s(0) {}
    __device__ __forceinline__ void raise(A top) {
        if (top > m) { s *= exp(m - top); m = top; }
    }
};
"""
)

SOFTMAX_ROWS = r"""
// y = exp(x - max) / sum, or with `logs` its logarithm; rows of n.
template <typename T, int V, int K>
__global__ void __launch_bounds__(512, sizeof(T) == 8 ? 1 : 2)
softmax_rows(const T* x, T* y, i64 rows, i64 n, bool logs) {
    typedef acc_t<T> A;
    for (i64 base = blockIdx.x * (i64)blockDim.y; base < rows; base += (i64)gridDim.x * blockDim.y) {
        i64 r = base + threadIdx.y;
        const T* rows_of[] = {x + r * n};
        Piece<T, V, K, 1> piece(r < rows ? n : 0);
        Mass<A> mass;
        do {
            piece.load(rows_of);
            piece.each([&](i64, A (&v)[1][V]) {
                A top = v[0][0];
                #pragma unroll
                for (int j = 1; j < V; ++j) top = v[0][j] > top ? v[0][j] : top;
                mass.raise(top);
                #pragma unroll
                for (int j = 0; j < V; ++j) mass.s += power<T>(v[0][j] - mass.m);
            });
        } while (piece.next());
        A m = row_reduce(mass.m, Max()), whole = row_reduce(mass.s * exp(mass.m - m), Sum());
        A shift = log(whole), scale = 1 / whole;
        T* out = y + r * n;
        while (true) {  // the last piece is still there
            piece.each([&](i64 i, A (&v)[1][V]) {
                #pragma unroll
                for (int j = 0; j < V; ++j) v[0][j] = logs ? (v[0][j] - m) - shift : power<T>(v[0][j] - m) * scale;
                put<T, V>(out + i, v[0]);
            });
            if (!piece.back()) break;
            piece.load(rows_of);
        }
    }
}
"""

SOFTMAX_ROWS_BACKWARD = r"""
// y * (g - sum(g * y)), or with `logs` g - exp(y) * sum(g).
template <typename T, int V, int K>
__global__ void __launch_bounds__(512, sizeof(T) == 8 || V == 1 ? 1 : 2)
softmax_rows_backward(const T* g, const T* y, T* dx, i64 rows, i64 n, bool logs) {
    typedef acc_t<T> A;
    for (i64 base = blockIdx.x * (i64)blockDim.y; base < rows; base += (i64)gridDim.x * blockDim.y) {
        i64 r = base + threadIdx.y;
        const T* rows_of[] = {g + r * n, y + r * n};
        Piece<T, V, K, 2> piece(r < rows ? n : 0);
        A part = 0;
        do {
            piece.load(rows_of);
            piece.each([&](i64, A (&v)[2][V]) {
                #pragma unroll
                for (int j = 0; j < V; ++j) part += logs ? v[0][j] : v[0][j] * v[1][j];
            });
        } while (piece.next());
        A whole = row_reduce(part, Sum());
        T* out = dx + r * n;
        while (true) {
            piece.each([&](i64 i, A (&v)[2][V]) {
                #pragma unroll
                for (int j = 0; j < V; ++j)
                    v[1][j] = logs ? v[0][j] - power<T>(v[1][j]) * whole : v[1][j] * (v[0][j] - whole);
                put<T, V>(out + i, v[1]);
            });
            if (!piece.back()) break;
            piece.load(rows_of);
        }
    }
}
"""

COLUMNS = r"""
// Columns of n elements, `inner` apart: a block takes 32 beside each other, a warp every eighth element of each. A thread holds
// AHEAD of its elements at a time, of which the last are still there when the results are written.
const int AHEAD = 8;
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
        A v[AHEAD];
        i64 i = part;
        while (true) {
            A top = -(A)INFINITY;
            #pragma unroll
            for (int j = 0; j < AHEAD; ++j)
                v[j] = i + 8 * j < count ? load(x + at + (i + 8 * j) * inner) : -(A)INFINITY;
            #pragma unroll
            for (int j = 0; j < AHEAD; ++j) top = v[j] > top ? v[j] : top;
            mass.raise(top);
            #pragma unroll
            for (int j = 0; j < AHEAD; ++j) mass.s += power<T>(v[j] - mass.m);
            if (i + 8 * AHEAD >= count) break;
            i += 8 * AHEAD;
        }
        __syncthreads();
        tops[part][lane] = mass.m;
        sums[part][lane] = mass.s;
        __syncthreads();
        A m = tops[0][lane], whole = 0;
        for (int j = 1; j < 8; ++j) m = tops[j][lane] > m ? tops[j][lane] : m;
        for (int j = 0; j < 8; ++j) whole += sums[j][lane] * exp(tops[j][lane] - m);
        A shift = log(whole), scale = 1 / whole;
        while (true) {
            #pragma unroll
            for (int j = 0; j < AHEAD; ++j)
                if (i + 8 * j < count)
                    store(y + at + (i + 8 * j) * inner, logs ? (v[j] - m) - shift : power<T>(v[j] - m) * scale);
            if (i < 8) break;
            i -= 8 * AHEAD;
            #pragma unroll
            for (int j = 0; j < AHEAD; ++j) v[j] = load(x + at + (i + 8 * j) * inner);
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
        A mine = 0, u[AHEAD], v[AHEAD];
        i64 i = part;
        while (true) {
            #pragma unroll
            for (int j = 0; j < AHEAD; ++j) {
                bool here = i + 8 * j < count;
                u[j] = here ? load(g + at + (i + 8 * j) * inner) : (A)0;
                v[j] = here ? load(y + at + (i + 8 * j) * inner) : (A)0;
            }
            #pragma unroll
            for (int j = 0; j < AHEAD; ++j) mine += logs ? u[j] : u[j] * v[j];
            if (i + 8 * AHEAD >= count) break;
            i += 8 * AHEAD;
        }
        __syncthreads();
        sums[part][lane] = mine;
        __syncthreads();
        A whole = 0;
        for (int j = 0; j < 8; ++j) whole += sums[j][lane];
        while (true) {
            #pragma unroll
            for (int j = 0; j < AHEAD; ++j)
                if (i + 8 * j < count)
                    store(dx + at + (i + 8 * j) * inner, logs ? u[j] - power<T>(v[j]) * whole : v[j] * (u[j] - whole));
            if (i < 8) break;
            i -= 8 * AHEAD;
            #pragma unroll
            for (int j = 0; j < AHEAD; ++j) {
                u[j] = load(g + at + (i + 8 * j) * inner);
                v[j] = load(y + at + (i + 8 * j) * inner);
            }
        }
    }
}
"""
)

NLL = r"""
// -logp[row, t[row]], 0 where t is `ignore`: into losses (reduction 0), or each block's sum and number of kept rows as
// two of `parts`; a block alone gives the mean (1) or the sum (2) at once. A target out of range raises the flag `fault`.
template <typename T>
__global__ void nll(const T* logp, const i64* t, T* losses, double* parts, i64 rows, i64 n, i64 ignore, int reduction,
                    unsigned int* fault) {
    double sum = 0;
    i64 kept = 0;
    #pragma unroll 1
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
        parts[2 * blockIdx.x] = sum;
        parts[2 * blockIdx.x + 1] = (double)kept;
    }
}
"""

NLL_TOTAL = r"""
// The sum (reduction 2) or the mean (1) of what the blocks of nll left.
template <typename T>
__global__ void nll_total(const double* parts, T* loss, i64 blocks, int reduction) {
    double sum = 0, kept = 0;
    for (i64 i = threadIdx.x; i < blocks; i += blockDim.x) { sum += parts[2 * i]; kept += parts[2 * i + 1]; }
    sum = block_sum(sum);
    kept = block_sum(kept);
    if (threadIdx.x == 0) store(loss, (acc_t<T>)(reduction == 1 ? sum / kept : sum));
}
"""

NLL_COUNT = r"""
// How many targets are kept, at least 1, by one block; of several blocks each leaves its own number, and a second launch adds
// them up (`given`).
__global__ void __launch_bounds__(1024) nll_count(const i64* t, i64* count, i64 rows, i64 ignore, bool given) {
    i64 kept = 0;
    for (i64 r = blockIdx.x * (i64)blockDim.x + threadIdx.x; r < rows; r += (i64)gridDim.x * blockDim.x)
        kept += given ? t[r] : t[r] != ignore;
    kept = block_sum(kept);
    if (threadIdx.x == 0) count[blockIdx.x] = kept > 0 || gridDim.x > 1 ? kept : 1;
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
    i64 total = rows * n, packs = total / V, kept = 0;
    if (counting) {
        for (i64 r = threadIdx.x; r < rows; r += blockDim.x) kept += t[r] != ignore;
        kept = block_sum(kept);
        if (kept < 1) kept = 1;
    } else if (reduction == 1) {
        kept = *count;
    }
    A one = reduction == 0 ? (A)0 : load(g);
    if (reduction == 1) one /= (A)kept;
    auto slope = [&](A x, i64 c, i64 i, A k) { return c == ignore ? (A)0 : (exp(x) - (A)(c == i)) * k; };
    i64 start = blockIdx.x * (i64)blockDim.x + threadIdx.x, stride = (i64)gridDim.x * blockDim.x;
    #pragma unroll 1
    for (i64 p = start; p < packs; p += stride) {
        i64 r = quotient(p * V, n), i = p * V - r * n;
        A v[V];
        get<T, V>(logp + p * V, v);
        if (i + V <= n) {
            i64 c = t[r];
            A k = reduction == 0 ? load(g + r) : one;
            #pragma unroll
            for (int j = 0; j < V; ++j) v[j] = slope(v[j], c, i + j, k);
        } else {  // the pack goes on in the next rows
            #pragma unroll
            for (int j = 0; j < V; ++j) {
                v[j] = slope(v[j], t[r], i, reduction == 0 ? load(g + r) : one);
                if (++i == n) { i = 0; ++r; }
            }
        }
        put<T, V>(dx + p * V, v);
    }
    #pragma unroll 1
    for (i64 e = packs * V + start; e < total; e += stride) {
        i64 r = quotient(e, n);
        store(dx + e, slope(load(logp + e), t[r], e - r * n, reduction == 0 ? load(g + r) : one));
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

    contiguous: Any
    empty: Any
    faults: Any
    nothing: Any

    # ---- softmax ----------------------------------------------------------------------------------------------------
    def _soft(self, dim: int, logs: bool, *arrays: Array) -> Array:
        """softmax of one array, or its derivative of two alike."""
        x = arrays[0]
        out, ctype, places, back = self.empty(x.shape, x.dtype), CTYPE[x.dtype], 0, "_backward" * (len(arrays) - 1)
        if x.size == 0:
            return out
        for a in arrays:
            if not a._c_contiguous:
                return self._soft(dim, logs, *[self.contiguous(b) for b in arrays])
            places |= a.data.ptr
        found = along(x.shape, dim, ctype, not places & 15)
        if found is not None:
            types, blocks, threads, numbers = found
            launch.ready["softmax_rows" + back, *types](blocks, threads, (*arrays, out, *numbers, BOOL[logs]))
        else:
            outer, n, inner = split(x.shape, dim % x.ndim)
            args = (*arrays, out, I64[outer * inner], I64[n], I64[inner], BOOL[logs])
            launch.ready["softmax_columns" + back, ctype].over(outer * inner * 8, args)
        return out

    def softmax(self, x: Array, dim: int) -> Array:
        return self._soft(dim, False, x) if _type(x) else super().softmax(x, dim)  # type: ignore[misc]

    def log_softmax(self, x: Array, dim: int) -> Array:
        return self._soft(dim, True, x) if _type(x) else super().log_softmax(x, dim)  # type: ignore[misc]

    def softmax_backward(self, g: Array, y: Array, dim: int) -> Array:
        if _type(y) is None or g.dtype != y.dtype or g.shape != y.shape:
            return super().softmax_backward(g, y, dim)  # type: ignore[misc]
        return self._soft(dim, False, g, y)

    def log_softmax_backward(self, g: Array, y: Array, dim: int) -> Array:
        if _type(y) is None or g.dtype != y.dtype or g.shape != y.shape:
            return super().log_softmax_backward(g, y, dim)  # type: ignore[misc]
        return self._soft(dim, True, g, y)

    # ---- cross-entropy ----------------------------------------------------------------------------------------------
    def cross_entropy(self, x: Array, t: Array, ignore_index: int, reduction: int) -> tuple[Array, Array]:
        ctype = _type(x)
        if ctype is None or t.dtype != INDEX or not x.size:
            return super().cross_entropy(x, t, ignore_index, reduction)  # type: ignore[misc, no-any-return]
        rows, n = x.shape
        fault = self.faults.flag(IndexError, "Target is out of bounds.")
        logp, t = self.log_softmax(x, 1), self.contiguous(t)
        blocks = max(1, min(-(-rows // SOME), MOST)) if reduction else min(-(-rows // 256), 65535)
        loss = self.empty(() if reduction else (rows,), x.dtype)
        several = reduction and blocks > 1
        parts = self.empty(2 * blocks, np.float64) if several else self.nothing(np.float64)
        args = (logp, t, loss, parts, I64[rows], I64[n], I64[ignore_index], I32[reduction], fault)
        launch.ready["nll", ctype]((blocks,), (256,), args)
        if several:
            launch.ready["nll_total", ctype]((1,), (256,), (parts, loss, I64[blocks], I32[reduction]))
        return loss, logp

    def cross_entropy_backward(self, g: Array, logp: Array, t: Array, ignore_index: int, reduction: int) -> Array:
        ctype = _type(logp)
        if ctype is None or t.dtype != INDEX or g.dtype != logp.dtype or not logp.size:
            return super().cross_entropy_backward(g, logp, t, ignore_index, reduction)  # type: ignore[misc]
        g, logp, t = self.contiguous(g), self.contiguous(logp), self.contiguous(t)
        rows, n = logp.shape
        dx, count = self.empty(logp.shape, logp.dtype), self.nothing(np.int64)
        counting = reduction == 1 and rows <= FEW and rows * n <= LITTLE
        if reduction == 1 and not counting:
            blocks, run, count = min(-(-rows // (8 * FEW)), MOST), launch.ready["nll_count",], self.empty(1, np.int64)
            parts = count if blocks == 1 else self.empty(blocks, np.int64)
            run((blocks,), (1024,), (t, parts, I64[rows], I64[ignore_index], BOOL[False]))
            if blocks > 1:
                run((1,), (1024,), (parts, count, I64[blocks], I64[ignore_index], BOOL[True]))
        v = width(VECTOR[ctype], ctype, logp, dx)  # packs may span rows
        args = (g, logp, t, count, dx, I64[rows], I64[n], I64[ignore_index], I32[reduction], BOOL[counting])
        launch.ready["nll_backward", ctype, str(v)].over(rows * n, args, v)
        return dx
