"""What kernels over rows share: a row is spread over the threads of a warp or of a block, in packs of 16 bytes.

A row that fits is held in registers and read once; a longer one is read again at each pass, mostly from the caches.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ... import dtypes
from .launch import CTYPES, i64

Array = Any

CTYPE = {d.array: CTYPES[d.name] for d in dtypes.ALL if d.array is not None and d.name in CTYPES}  # str(dtype) is slow

SINGLE, HALVES = ("float", "double"), ("__half", "__nv_bfloat16")
FLOATS = (*SINGLE, *HALVES)
INDEX = np.dtype(np.int64)
DOUBLE = np.dtype(np.float64)
VECTOR = {"float": 4, "double": 2, "__half": 8, "__nv_bfloat16": 8}  # elements in 16 bytes
LONGEST = 512  # threads to a row, in the __launch_bounds__ of the kernels over rows
TOGETHER = 128  # threads to a block where a warp has whole rows
BLOCKS = 1 << 20

ROWS = r"""
// Elements [i, i + V) of a row are a pack; pack k of a thread begins at (k * blockDim.x + threadIdx.x) * V.
template <typename T, int V> __device__ __forceinline__ void get(const T* p, acc_t<T>* v) {
    Pack<T, V> pack = fetch<T, V>(p);
    #pragma unroll
    for (int j = 0; j < V; ++j) v[j] = to_acc(pack.v[j]);
}
template <typename T, int V> __device__ __forceinline__ void put(T* p, const acc_t<T>* v) {
    Pack<T, V> pack;
    #pragma unroll
    for (int j = 0; j < V; ++j) pack.v[j] = from_acc<T>(v[j]);
    if constexpr (V == 1) *p = pack.v[0];
    else deposit<T, V>(p, pack);
}
// Packs stay as they are in memory: registers are what limits how much of it is asked for at a time.
template <typename T, int V, int K> struct Row {
    typedef acc_t<T> A;
    typedef typename Word<sizeof(T) * V>::type W;
    W held[K > 0 ? K : 1];
    const T* from;
    __device__ __forceinline__ Row(const T* p, i64 n) : from(p) {
        if constexpr (K > 0) {
            #pragma unroll
            for (int k = 0; k < K; ++k) {
                int i = (k * blockDim.x + threadIdx.x) * V;
                if (i < (int)n) held[k] = *reinterpret_cast<const W*>(p + i);
            }
        }
    }
    __device__ __forceinline__ void pack(int k, i64 i, A* v) const {
        if constexpr (K > 0) {
            Pack<T, V> pack = unpacked<T, V>(held[k]);
            #pragma unroll
            for (int j = 0; j < V; ++j) v[j] = to_acc(pack.v[j]);
        } else {
            get<T, V>(from + i, v);
        }
    }
};
// f(k, i) for each pack of this thread; with K > 0 a row is short, so places in it have 32 bits.
template <int V, int K, typename F> __device__ __forceinline__ void sweep(i64 n, F f) {
    if constexpr (K > 0) {
        #pragma unroll
        for (int k = 0; k < K; ++k) {
            int i = (k * blockDim.x + threadIdx.x) * V;
            if (i < (int)n) f(k, i);
        }
    } else {
        for (i64 i = (i64)threadIdx.x * V; i < n; i += (i64)blockDim.x * V) f(0, i);
    }
}
// Over the threads of a row, a power of 2 in a warp; all threads of the warp must call it.
template <typename A, typename Op> __device__ __forceinline__ A row_reduce(A v, Op op) {
    if (blockDim.x >= 32) return block_reduce(v, op);
    for (int lane = blockDim.x >> 1; lane > 0; lane >>= 1) v = op(v, shuffle_xor(v, lane));
    return v;
}
__device__ __forceinline__ float lowest(float) { return -3.402823466e+38f; }
__device__ __forceinline__ double lowest(double) { return -1.7976931348623157e+308; }
// Division is several times cheaper in 32 bits.
__device__ __forceinline__ i64 quotient(i64 a, i64 b) {
    return ((a | b) >> 32) == 0 ? (i64)((unsigned)a / (unsigned)b) : a / b;
}
"""


def wide(dtype: Any) -> Any:
    """What arrays of a floating dtype are computed in."""
    return np.float64 if dtype == DOUBLE else np.float32


def forms(ctypes: Any) -> list[tuple[str, ...]]:
    """The template arguments (type, elements to a pack, packs that a thread holds; 0: none) of a kernel over rows."""
    return [(c, str(v), str(k)) for c in ctypes for v in (VECTOR[c], 1) for k in ((0, 1, 4) if v > 1 else (0, 8))]


@lru_cache(4096)
def along(shape: tuple[int, ...], dim: int, ctype: str, whole: bool) -> tuple[tuple[str, ...], Any, Any, Any] | None:
    """How a kernel over the rows of a last dimension is launched: (its types, grid, block, the arguments rows and n); None for
    another dimension. whole: the arrays begin at multiples of 16 bytes."""
    outer, n, inner = split(shape, dim % len(shape))
    if inner != 1:
        return None
    v = VECTOR[ctype] if whole and n % VECTOR[ctype] == 0 else 1
    held, blocks, threads = spread(outer, n, v)
    return (ctype, str(v), held), blocks, threads, i64(outer, n)


def width(n: int, ctype: str, *arrays: Array) -> int:
    """Elements to a pack for rows of n."""
    v = VECTOR[ctype]
    if n % v:
        return 1
    for a in arrays:
        if a.data.ptr & 15:
            return 1
    return v


@lru_cache(4096)
def spread(rows: int, n: int, v: int, wide: bool = False) -> tuple[str, tuple[int], tuple[int, int]]:
    """(packs that a thread holds, blocks, threads: those of a row by rows). wide: as many threads to a row as can be, for
    kernels that hold several rows in registers."""
    packs = -(-n // v)
    per_thread = 4 if v > 1 else 8
    if packs > per_thread * LONGEST:
        threads, held = LONGEST, 0
    elif v > 1 and packs <= 32:  # a warp has several rows
        threads, held = _power(packs), 1
    elif v > 1 and wide and packs <= (LONGEST if v < 8 else LONGEST // 2):
        threads, held = -(-packs // 32) * 32, 1
    elif wide and v == 8 and packs <= 2 * LONGEST:
        threads, held = -(-packs // 64) * 32, 2
    else:
        threads, held = -(-packs // per_thread), per_thread
        threads = _power(threads) if threads <= 32 else -(-threads // 32) * 32
    together = TOGETHER // threads if threads <= 32 else 1
    return str(held), (max(1, min(-(-rows // together), BLOCKS)),), (threads, together)


def _power(n: int) -> int:
    return 1 << (n - 1).bit_length()


@lru_cache(4096)
def split(shape: tuple[int, ...], dim: int) -> tuple[int, int, int]:
    """The elements before, along and after a dimension."""
    outer, inner = 1, 1
    for n in shape[:dim]:
        outer *= n
    for n in shape[dim + 1 :]:
        inner *= n
    return outer, shape[dim], inner
