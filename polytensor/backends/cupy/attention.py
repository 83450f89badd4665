"""Attention on CUDA in one kernel forward and up to three backward: scores live in a block's shared memory alone.

A block takes a tile of queries and goes over the keys, with the running maximum and sum of each row (forward); or it makes
the weights of a tile anew from the logarithms of the sums (backward), over queries for the gradients of keys and values,
over keys for that of the queries. Each sum has a fixed order. Source: Dao, FlashAttention-2, 2023 (arXiv:2307.08691).
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, ClassVar

import numpy as np

from .gemm import MOST_DIMS, flat, merged, steps
from .launch import CTYPES, I32, I64, NAMES, floats, i64, kernel, register
from .strided import stance

__all__ = ["CudaAttentionKernels"]

Array = Any
Ints = tuple[int, ...]
WIDEST = 128  # size of a head
TYPES = {"float32": 1, "float64": 2, "float16": 1, "bfloat16": 1}  # and how often a tile must be halved to fit
MOST_SHARED = 99 << 10  # bytes in a block: all cards since compute capability 8.0 have them
SUMS = {"float64": np.float64}  # float32 for all others

COMMON = r"""
#define STEPS(a) i64 a##_0, i64 a##_1, i64 a##_2, i64 a##_3, i64 a##_row, i64 a##_col
#define AT(a) (i0 * a##_0 + i1 * a##_1 + i2 * a##_2 + i3 * a##_3)
#define INDICES(i) i64 i3 = (i) % n3, i2 = (i) / n3 % n2, i1 = (i) / n3 / n2 % n1, i0 = (i) / n3 / n2 / n1

template <typename A> __device__ __forceinline__ A infinity() { return (A)__int_as_float(0x7f800000); }

// Rows first .. first + TILE - 1 of a matrix, times `factor`, into shared memory; zeros below its end.
template <int TILE, typename T>
__device__ void fill(const T* from, i64 row, i64 col, i64 first, i64 rows, int width, acc_t<T>* to, int pitch,
                     acc_t<T> factor) {
    const int R = TILE / 16;
    int y = threadIdx.x / 16;
    from += (first + y) * row;
    to += y * pitch;
#pragma unroll 1
    for (int e = threadIdx.x % 16; e < width; e += 16) {
        acc_t<T> v[R];
#pragma unroll
        for (int i = 0; i < R; ++i)
            v[i] = first + y + 16 * i < rows ? load(from + 16 * i * row + e * col) * factor : (acc_t<T>)0;
#pragma unroll
        for (int i = 0; i < R; ++i) to[16 * i * pitch + e] = v[i];
    }
}

// The products of a thread's rows (y + 16 i) of `left` with its rows (x + 16 j) of `right`.
template <int R, typename A>
__device__ void pairs(const A* left, int left_pitch, const A* right, int right_pitch, int width, A (&s)[R][R]) {
    int x = threadIdx.x % 16, y = threadIdx.x / 16;
#pragma unroll
    for (int i = 0; i < R; ++i)
#pragma unroll
        for (int j = 0; j < R; ++j) s[i][j] = 0;
#pragma unroll 2
    for (int e = 0; e < width; ++e) {
        A a[R], b[R];
#pragma unroll
        for (int i = 0; i < R; ++i) a[i] = left[(y + 16 * i) * left_pitch + e];
#pragma unroll
        for (int j = 0; j < R; ++j) b[j] = right[(x + 16 * j) * right_pitch + e];
#pragma unroll
        for (int i = 0; i < R; ++i)
#pragma unroll
            for (int j = 0; j < R; ++j) s[i][j] += a[i] * b[j];
    }
}

// sum[i][j] += sum over n of weight(y + 16 i, n) * value(n, x + 16 j); weight(r, n) is weights[r * down + n * across].
template <int TILE, int R, int COLS, typename A>
__device__ void mix(const A* weights, int down, int across, const A* values, int pitch, int width, A (&sum)[R][COLS]) {
    int x = threadIdx.x % 16, y = threadIdx.x / 16, cols = (width - x + 15) / 16;
#pragma unroll 2
    for (int n = 0; n < TILE; ++n) {
        A a[R];
#pragma unroll
        for (int i = 0; i < R; ++i) a[i] = weights[(y + 16 * i) * down + n * across];
#pragma unroll
        for (int j = 0; j < COLS; ++j)
            if (j < cols) {
                A b = values[n * pitch + x + 16 * j];
#pragma unroll
                for (int i = 0; i < R; ++i) sum[i][j] += a[i] * b;
            }
    }
}

// Adds the mask to a score. kind: 0 none, 1 of bool, 2 of T; false for a key that the mask takes out.
template <typename T>
__device__ __forceinline__ bool masked(acc_t<T>& s, const void* mask, int kind, i64 at) {
    if (kind == 1 && !static_cast<const bool*>(mask)[at]) {
        s = -infinity<acc_t<T>>();
        return false;
    }
    if (kind == 2) {
        acc_t<T> m = load(static_cast<const T*>(mask) + at);
        s += m;
        return m != -infinity<acc_t<T>>();
    }
    return true;
}
"""

FORWARD = r"""
template <typename T, int TILE, int COLS>
__global__ void __launch_bounds__(256, 2)
attend(const T* q, const T* k, const T* v, const void* mask, T* out, acc_t<T>* logs, i64 batch, i64 length, i64 sources,
       int width, int depth, acc_t<T> scale, int kind, int causal, i64 n1, i64 n2, i64 n3, STEPS(q), STEPS(k), STEPS(v),
       STEPS(m)) {
    typedef acc_t<T> A;
    const int R = TILE / 16, pitch = width | 1, deep = depth | 1, wide = pitch > deep ? pitch : deep;
    SHARED(A, queries);
    A* keys = queries + TILE * pitch;  // and then values
    A* weights = keys + TILE * wide;
    int x = threadIdx.x % 16, y = threadIdx.x / 16;
    i64 down = (length + TILE - 1) / TILE;
    for (i64 job = blockIdx.x; job < batch * down; job += gridDim.x) {
        i64 item = job / down, first = job % down * TILE;
        INDICES(item);
        A sum[R][COLS], top[R], whole[R];
        int alive[R];
#pragma unroll
        for (int i = 0; i < R; ++i) {
            top[i] = -infinity<A>();
            whole[i] = 0;
            alive[i] = 0;
#pragma unroll
            for (int j = 0; j < COLS; ++j) sum[i][j] = 0;
        }
        fill<TILE>(q + AT(q), q_row, q_col, first, length, width, queries, pitch, scale);
        i64 end = causal && first + TILE < sources ? first + TILE : sources;
        for (i64 start = 0; start < end; start += TILE) {
            fill<TILE>(k + AT(k), k_row, k_col, start, sources, width, keys, pitch, (A)1);
            __syncthreads();
            A s[R][R];
            pairs<R>(queries, pitch, keys, pitch, width, s);
#pragma unroll
            for (int i = 0; i < R; ++i) {
                i64 row = first + y + 16 * i;
                A best = top[i];
#pragma unroll
                for (int j = 0; j < R; ++j) {
                    i64 col = start + x + 16 * j;
                    if (row >= length || col >= sources || (causal && col > row)) s[i][j] = -infinity<A>();
                    else alive[i] |= masked<T>(s[i][j], mask, kind, AT(m) + row * m_row + col * m_col);
                    best = Max()(best, s[i][j]);
                }
                for (int lane = 8; lane > 0; lane >>= 1) best = Max()(best, shuffle_xor(best, lane));
                A from = best == -infinity<A>() ? (A)0 : best;  // a row of nothing but -inf so far
                A shrink = exp(top[i] - from), part = 0;
                top[i] = best;
#pragma unroll
                for (int j = 0; j < R; ++j) {
                    A p = exp(s[i][j] - from);
                    part += p;
                    weights[(y + 16 * i) * (TILE + 1) + x + 16 * j] = p;
                }
                for (int lane = 8; lane > 0; lane >>= 1) part += shuffle_xor(part, lane);
                whole[i] = whole[i] * shrink + part;
#pragma unroll
                for (int j = 0; j < COLS; ++j) sum[i][j] *= shrink;
            }
            __syncthreads();
            fill<TILE>(v + AT(v), v_row, v_col, start, sources, depth, keys, deep, (A)1);
            __syncthreads();
            mix<TILE>(weights, TILE + 1, 1, keys, deep, depth, sum);
            __syncthreads();
        }
#pragma unroll
        for (int i = 0; i < R; ++i) {
            i64 row = first + y + 16 * i;
            for (int lane = 8; lane > 0; lane >>= 1) alive[i] |= __shfl_xor_sync(0xffffffffu, alive[i], lane);
            if (row >= length) continue;
            i64 at = item * length + row;
            A from = top[i] == -infinity<A>() ? (A)0 : top[i];
            if (x == 0) logs[at] = !alive[i] ? (A)0 : whole[i] == 0 ? (A)NAN : from + log(whole[i]);
#pragma unroll
            for (int j = 0; j < COLS; ++j)
                if (x + 16 * j < depth) store(out + at * depth + x + 16 * j, alive[i] ? sum[i][j] / whole[i] : (A)0);
        }
    }
}
"""

INNER = r"""
// inner[row] = sum of g * out over a row; a warp to a row, both C-contiguous.
template <typename T>
__global__ void attend_inner(const T* g, const T* out, acc_t<T>* inner, i64 rows, int depth) {
    int lane = threadIdx.x % 32;
    i64 warps = (i64)gridDim.x * blockDim.x / 32;
    for (i64 row = (blockIdx.x * (i64)blockDim.x + threadIdx.x) / 32; row < rows; row += warps) {
        acc_t<T> sum = 0;
        for (int e = lane; e < depth; e += 32) sum += load(g + row * depth + e) * load(out + row * depth + e);
        sum = warp_sum(sum);
        if (lane == 0) inner[row] = sum;
    }
}
"""

BACKWARD = r"""
// Weights of a tile and the gradients of its scores, from products of queries and keys and of gradients and values.
template <typename T, int R>
__device__ void weigh(acc_t<T> (&s)[R][R], acc_t<T> (&d)[R][R], const void* mask, int kind, int causal, i64 at, i64 m_row,
                      i64 m_col, i64 first, i64 start, i64 length, i64 sources, const acc_t<T>* logs,
                      const acc_t<T>* inner) {
    int x = threadIdx.x % 16, y = threadIdx.x / 16;
#pragma unroll
    for (int i = 0; i < R; ++i) {
        i64 row = first + y + 16 * i;
#pragma unroll
        for (int j = 0; j < R; ++j) {
            i64 col = start + x + 16 * j;
            if (row >= length || col >= sources || (causal && col > row)) {
                s[i][j] = d[i][j] = 0;
                continue;
            }
            masked<T>(s[i][j], mask, kind, at + row * m_row + col * m_col);
            s[i][j] = exp(s[i][j] - logs[row]);
            d[i][j] = (d[i][j] - inner[row]) * s[i][j];
        }
    }
}

// The gradients of keys and values: a block has a tile of keys and goes over the queries.
template <typename T, int TILE, int COLS>
__global__ void __launch_bounds__(256, 2)
attend_grad_keys(const T* q, const T* k, const T* v, const void* mask, const T* g, const acc_t<T>* logs,
                 const acc_t<T>* inner, T* dk, T* dv, i64 batch, i64 length, i64 sources, int width, int depth,
                 acc_t<T> scale, int kind, int causal, i64 n1, i64 n2, i64 n3, STEPS(q), STEPS(k), STEPS(v), STEPS(m)) {
    typedef acc_t<T> A;
    const int R = TILE / 16, pitch = width | 1, deep = depth | 1;
    SHARED(A, keys);
    A* values = keys + TILE * pitch;
    A* queries = values + TILE * deep;
    A* seen = queries + TILE * pitch;
    A* weights = seen + TILE * deep;
    A* scores = weights + TILE * (TILE + 1);
    int x = threadIdx.x % 16, y = threadIdx.x / 16;
    i64 down = (sources + TILE - 1) / TILE;
    for (i64 job = blockIdx.x; job < batch * down; job += gridDim.x) {
        i64 item = job / down, start = job % down * TILE;
        INDICES(item);
        A to_keys[R][COLS], to_values[R][COLS];
#pragma unroll
        for (int i = 0; i < R; ++i)
#pragma unroll
            for (int j = 0; j < COLS; ++j) to_keys[i][j] = to_values[i][j] = 0;
        fill<TILE>(k + AT(k), k_row, k_col, start, sources, width, keys, pitch, (A)1);
        fill<TILE>(v + AT(v), v_row, v_col, start, sources, depth, values, deep, (A)1);
        for (i64 first = causal ? start / TILE * TILE : 0; first < length; first += TILE) {
            fill<TILE>(q + AT(q), q_row, q_col, first, length, width, queries, pitch, scale);
            fill<TILE>(g + item * length * depth, (i64)depth, (i64)1, first, length, depth, seen, deep, (A)1);
            __syncthreads();
            A s[R][R], d[R][R];
            pairs<R>(queries, pitch, keys, pitch, width, s);
            pairs<R>(seen, deep, values, deep, depth, d);
            weigh<T, R>(s, d, mask, kind, causal, AT(m), m_row, m_col, first, start, length, sources,
                        logs + item * length, inner + item * length);
#pragma unroll
            for (int i = 0; i < R; ++i)
#pragma unroll
                for (int j = 0; j < R; ++j) {
                    int at = (y + 16 * i) * (TILE + 1) + x + 16 * j;
                    weights[at] = s[i][j];
                    scores[at] = d[i][j];
                }
            __syncthreads();
            mix<TILE>(weights, 1, TILE + 1, seen, deep, depth, to_values);
            mix<TILE>(scores, 1, TILE + 1, queries, pitch, width, to_keys);
            __syncthreads();
        }
#pragma unroll
        for (int i = 0; i < R; ++i) {
            i64 row = start + y + 16 * i;
            if (row >= sources) continue;
#pragma unroll
            for (int j = 0; j < COLS; ++j) {
                int col = x + 16 * j;
                if (col < width) store(dk + (item * sources + row) * width + col, to_keys[i][j]);
                if (col < depth) store(dv + (item * sources + row) * depth + col, to_values[i][j]);
            }
        }
        __syncthreads();
    }
}

// The gradient of the queries: a block has a tile of them and goes over the keys.
template <typename T, int TILE, int COLS>
__global__ void __launch_bounds__(256, 2)
attend_grad_queries(const T* q, const T* k, const T* v, const void* mask, const T* g, const acc_t<T>* logs,
                    const acc_t<T>* inner, T* dq, i64 batch, i64 length, i64 sources, int width, int depth,
                    acc_t<T> scale, int kind, int causal, i64 n1, i64 n2, i64 n3, STEPS(q), STEPS(k), STEPS(v),
                    STEPS(m)) {
    typedef acc_t<T> A;
    const int R = TILE / 16, pitch = width | 1, deep = depth | 1;
    SHARED(A, queries);
    A* seen = queries + TILE * pitch;
    A* keys = seen + TILE * deep;
    A* values = keys + TILE * pitch;
    A* scores = values + TILE * deep;
    int x = threadIdx.x % 16, y = threadIdx.x / 16;
    i64 down = (length + TILE - 1) / TILE;
    for (i64 job = blockIdx.x; job < batch * down; job += gridDim.x) {
        i64 item = job / down, first = job % down * TILE;
        INDICES(item);
        A sum[R][COLS];
#pragma unroll
        for (int i = 0; i < R; ++i)
#pragma unroll
            for (int j = 0; j < COLS; ++j) sum[i][j] = 0;
        fill<TILE>(q + AT(q), q_row, q_col, first, length, width, queries, pitch, scale);
        fill<TILE>(g + item * length * depth, (i64)depth, (i64)1, first, length, depth, seen, deep, (A)1);
        i64 end = causal && first + TILE < sources ? first + TILE : sources;
        for (i64 start = 0; start < end; start += TILE) {
            fill<TILE>(k + AT(k), k_row, k_col, start, sources, width, keys, pitch, (A)1);
            fill<TILE>(v + AT(v), v_row, v_col, start, sources, depth, values, deep, (A)1);
            __syncthreads();
            A s[R][R], d[R][R];
            pairs<R>(queries, pitch, keys, pitch, width, s);
            pairs<R>(seen, deep, values, deep, depth, d);
            weigh<T, R>(s, d, mask, kind, causal, AT(m), m_row, m_col, first, start, length, sources,
                        logs + item * length, inner + item * length);
#pragma unroll
            for (int i = 0; i < R; ++i)
#pragma unroll
                for (int j = 0; j < R; ++j) scores[(y + 16 * i) * (TILE + 1) + x + 16 * j] = d[i][j];
            __syncthreads();
            mix<TILE>(scores, TILE + 1, 1, keys, pitch, width, sum);
            __syncthreads();
        }
#pragma unroll
        for (int i = 0; i < R; ++i) {
            i64 row = first + y + 16 * i;
            if (row >= length) continue;
#pragma unroll
            for (int j = 0; j < COLS; ++j)
                if (x + 16 * j < width) store(dq + (item * length + row) * width + x + 16 * j, sum[i][j] * scale);
        }
        __syncthreads();
    }
}
"""


def forward_tile(name: str, size: int) -> tuple[int, int]:
    """(rows of a tile, columns of a result for each thread): what fits shared memory and registers."""
    return 64 // TYPES[name], 4 if size <= 64 else 8


def backward_tile(name: str, size: int) -> tuple[int, int]:
    return (
        (64, 4)
        if size <= 64 and TYPES[name] == 1
        else (32 // (1 if size <= 64 else TYPES[name]), 4 if size <= 64 else 8)
    )


@lru_cache(4096)
def reading(lead: Ints, *arrays: tuple[Ints, Ints, int]) -> tuple[Any, ...] | None:
    """The arguments for arrays of (shape, strides, bytes of an element): sizes of the leading dimensions but the first, and
    each array's strides in elements. None where too many dimensions are left."""
    ways = zip(lead, *(steps(shape, strides, lead) for shape, strides, _ in arrays), strict=True)
    dims = merged([(n, tuple([s // a[2] for s, a in zip(w, arrays, strict=True)])) for n, *w in ways])
    if len(dims) > MOST_DIMS:
        return None
    sizes, found = flat(tuple([(n, *s) for n, s in dims]), len(arrays))
    rest = [
        s
        for (_, strides, size), of in zip(arrays, found, strict=True)
        for s in (*of, *[t // size for t in strides[-2:]])
    ]
    return i64(*sizes[1:], *rest)


@lru_cache(4096)
def shared_size(kernel: str, dtype: str, rows: int, sizes: Ints) -> int:
    """Bytes of shared memory of a block, for heads of those sizes."""
    width, depth = (n | 1 for n in sizes)
    scores = (rows + 1) * (2 if kernel == "attend_grad_keys" else 1)
    tiles = width + max(width, depth) if kernel == "attend" else 2 * (width + depth)
    return rows * (tiles + scores) * np.dtype(SUMS.get(dtype, np.float32)).itemsize


def _instances(tile: Any) -> list[tuple[str, ...]]:
    return [(CTYPES[d], *map(str, tile(d, size))) for d in TYPES for size in (64, 128)]


register("attend", COMMON + FORWARD, _instances(forward_tile))
register("attend_inner", INNER, [(CTYPES[d],) for d in TYPES])
register("attend_grad_keys", COMMON + BACKWARD, _instances(backward_tile))
register("attend_grad_queries", COMMON + BACKWARD, _instances(backward_tile))


class CudaAttentionKernels:
    """Mixed into CupyBackend; see AttentionKernels for the contract. Heads of more than 128, and older cards, take its tiles."""

    xp: Any
    contiguous: Any
    _rooms: ClassVar[dict[int, int]] = {}

    def _shared_room(self) -> int:
        """Bytes of shared memory that a block of the current device may have."""
        device = self.xp.cuda.Device()
        if device.id not in self._rooms:
            self._rooms[device.id] = device.attributes["MaxSharedMemoryPerBlockOptin"]
        return self._rooms[device.id]

    def _attention(
        self, q: Array, k: Array, v: Array, mask: Array, scale: float, causal: bool
    ) -> tuple[tuple[Array, ...], tuple[Any, ...]] | None:
        """(q, k, v and the mask, the kernels' arguments behind the arrays), or None where the kernels do not fit."""
        xp, name, lead = self.xp, NAMES[q.dtype], q.shape[:-2]
        (length, width), (sources, depth) = q.shape[-2:], v.shape[-2:]
        of_bool = mask.dtype.kind == "b"
        if name not in TYPES or max(width, depth) > WIDEST or not (of_bool or mask.dtype == q.dtype):
            return None
        if self._shared_room() < MOST_SHARED:
            return None
        sums = np.dtype(SUMS.get(name, np.float32))
        arrays = [q, k, v, xp.broadcast_to(mask, (*lead, length, sources)) if mask.size else q]
        places = reading(lead, *[stance(a) for a in arrays])
        if places is None:
            arrays = [self.contiguous(a) for a in arrays]
            places = reading(lead, *[stance(a) for a in arrays])
            assert places is not None  # the leading dimensions of whole arrays are one
        kind = 0 if not mask.size else 1 if of_bool else 2
        numbers = (I32[width], I32[depth], floats(sums)[scale], I32[kind], I32[causal])
        return tuple(arrays), (*i64(prod(lead), length, sources), *numbers, *places)

    def _attention_launch(self, name: str, q: Array, tile: tuple[int, int], sizes: Ints, rows: int, args: Any) -> None:
        """sizes: of heads of keys and of values."""
        space, most = (shared_size(name, NAMES[q.dtype], tile[0], n) for n in (sizes, (16 * tile[1],) * 2))
        made = kernel(name, CTYPES[NAMES[q.dtype]], *map(str, tile), shared_mem=most)
        blocks = prod(q.shape[:-2]) * -(-rows // tile[0])
        made((min(blocks, 2**31 - 1),), (256,), args, shared_mem=space)

    def attend(self, q: Array, k: Array, v: Array, mask: Array, scale: float, causal: bool) -> tuple[Array, Array]:
        found = self._attention(q, k, v, mask, scale, causal)
        if found is None:
            return super().attend(q, k, v, mask, scale, causal)  # type: ignore[misc,no-any-return]
        arrays, numbers = found
        width, depth, name = q.shape[-1], v.shape[-1], NAMES[q.dtype]
        out = self.xp.empty((*q.shape[:-1], depth), q.dtype)
        logs = self.xp.empty(q.shape[:-1], SUMS.get(name, np.float32))
        tile = forward_tile(name, max(width, depth))
        self._attention_launch("attend", q, tile, (width, depth), q.shape[-2], (*arrays, out, logs, *numbers))
        return out, logs

    def attend_backward(
        self, g: Array, need: Any, q: Array, k: Array, v: Array, mask: Array, out: Array, logs: Array, scale: float,
        causal: bool,
    ) -> list[Array | None]:  # fmt: skip
        found = self._attention(q, k, v, mask, scale, causal)
        if found is None:
            return super().attend_backward(g, need, q, k, v, mask, out, logs, scale, causal)  # type: ignore[misc,no-any-return]
        arrays, numbers = found
        xp, (length, width), (sources, depth) = self.xp, q.shape[-2:], v.shape[-2:]
        g, out, logs = self.contiguous(g), self.contiguous(out), self.contiguous(logs)
        inner = xp.empty(logs.shape, logs.dtype)
        warps = min(-(-logs.size // 8), 65535)
        args = (g, out, inner, I64[logs.size], I32[depth])
        kernel("attend_inner", CTYPES[NAMES[q.dtype]])((warps,), (256,), args)
        tile = backward_tile(NAMES[q.dtype], max(width, depth))
        dq = dk = dv = None
        if need[1] or need[2]:
            dk, dv = (xp.empty(x.shape, x.dtype) for x in (k, v))
            args = (*arrays, g, logs, inner, dk, dv, *numbers)
            self._attention_launch("attend_grad_keys", q, tile, (width, depth), sources, args)
        if need[0]:
            dq = xp.empty(q.shape, q.dtype)
            args = (*arrays, g, logs, inner, dq, *numbers)
            self._attention_launch("attend_grad_queries", q, tile, (width, depth), length, args)
        return [dq, dk if need[1] else None, dv if need[2] else None, None]
