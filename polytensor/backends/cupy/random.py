"""Random draws: each thread makes one block of the Philox stream and what the base backend makes of it, in one pass.

Words, uniform numbers and masks are the same bits as on the CPU; normal numbers differ by CUDA's log, sine and cosine.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from . import launch
from .rows import CTYPE, FLOATS, ROWS

Array = Any

DIGITS = {"float": 24, "double": 53, "__half": 11, "__nv_bfloat16": 8}  # of a uniform draw
MASK = 2**64 - 1

PHILOX = r"""
// Philox4x64-10 (Salmon et al., 2011): block i of the stream, as numpy.random.Philox gives it. The counter has four words.
struct Stream { u64 k0, k1, c0, c1, c2, c3; };
// where: 0, or the address of (key, first block) in a captured graph: a replay sets them, and the counter is from there on.
__device__ __forceinline__ Stream stream(u64 k0, u64 k1, u64 c0, u64 c1, u64 c2, u64 c3, u64 where) {
    Stream s = {k0, k1, c0, c1, c2, c3};
    if (where) {
        u64 first = ((const u64*)where)[1];
        s.k0 = ((const u64*)where)[0];
        s.c0 += first;
        if (s.c0 < first && ++s.c1 == 0 && ++s.c2 == 0) ++s.c3;
    }
    return s;
}
__device__ __forceinline__ void philox(const Stream& s, u64 i, u64 (&out)[4]) {
    u64 c0 = s.c0 + i, c1 = s.c1, c2 = s.c2, c3 = s.c3, k0 = s.k0, k1 = s.k1;
    if (c0 < i && ++c1 == 0 && ++c2 == 0) ++c3;
    #pragma unroll
    for (int round = 0; round < 10; ++round) {
        u64 hi0 = __umul64hi(0xD2E7470EE14C6C93ULL, c0), lo0 = 0xD2E7470EE14C6C93ULL * c0;
        u64 hi1 = __umul64hi(0xCA5A826395121157ULL, c2), lo1 = 0xCA5A826395121157ULL * c2;
        c0 = hi1 ^ c1 ^ k0; c1 = lo1; c2 = hi0 ^ c3 ^ k1; c3 = lo0;
        k0 += 0x9E3779B97F4A7C15ULL; k1 += 0xBB67AE8584CAA73BULL;
    }
    out[0] = c0; out[1] = c1; out[2] = c2; out[3] = c3;
}
// Half word j of a block, low half of each word first.
__device__ __forceinline__ unsigned half_word(const u64 (&w)[4], int j) { return (unsigned)(w[j >> 1] >> (32 * (j & 1))); }
// f(first element, the block) for blocks of N elements each, up to element n.
template <int N, typename F> __device__ __forceinline__ void each_block(const Stream& s, i64 n, F f) {
    i64 blocks = (n + N - 1) / N;
    #pragma unroll 1
    for (i64 b = blockIdx.x * (i64)blockDim.x + threadIdx.x; b < blocks; b += (i64)gridDim.x * blockDim.x) {
        u64 w[4];
        philox(s, b, w);
        f(b * N, w);
    }
}
// Elements [i, i + N) of n, in packs of 16 bytes where they are whole.
template <typename T, int N> __device__ __forceinline__ void take(const T* from, i64 i, i64 n, acc_t<T> (&v)[N]) {
    const int V = N * sizeof(T) > 16 ? 16 / sizeof(T) : N;
    if (i + N <= n && ((u64)(from + i) & (V * sizeof(T) - 1)) == 0) {
        #pragma unroll
        for (int j = 0; j < N; j += V) get<T, V>(from + i + j, v + j);
    } else {
        #pragma unroll
        for (int j = 0; j < N; ++j) v[j] = i + j < n ? load(from + i + j) : (acc_t<T>)0;
    }
}
template <typename T, int N> __device__ __forceinline__ void leave(T* out, i64 i, i64 n, const acc_t<T> (&v)[N]) {
    const int V = N * sizeof(T) > 16 ? 16 / sizeof(T) : N;
    if (i + N <= n && ((u64)(out + i) & (V * sizeof(T) - 1)) == 0) {
        #pragma unroll
        for (int j = 0; j < N; j += V) put<T, V>(out + i + j, v + j);
    } else {
        #pragma unroll
        for (int j = 0; j < N; ++j) if (i + j < n) store(out + i + j, v[j]);
    }
}
// Rounded after each operation, as on the CPU: no fused multiply and add.
__device__ __forceinline__ float times(float a, float b) { return __fmul_rn(a, b); }
__device__ __forceinline__ double times(double a, double b) { return __dmul_rn(a, b); }
__device__ __forceinline__ float plus(float a, float b) { return __fadd_rn(a, b); }
__device__ __forceinline__ double plus(double a, double b) { return __dadd_rn(a, b); }
// Number j of a block in [0, 1), from the highest `digits` bits of its half word; float64 from 53 bits of a word.
template <typename A> struct Unit;
template <> struct Unit<float> {
    static const int each = 8;
    static __device__ __forceinline__ float of(const u64 (&w)[4], int j, int digits) {
        return (float)(half_word(w, j) >> (32 - digits)) * (1.0f / (float)(1 << digits));
    }
    static __device__ __forceinline__ float tiny() { return 1.0f / 16777216.0f; }
};
template <> struct Unit<double> {
    static const int each = 4;
    static __device__ __forceinline__ double of(const u64 (&w)[4], int j, int) {
        return (double)(w[j] >> 11) * (1.0 / 9007199254740992.0);
    }
    static __device__ __forceinline__ double tiny() { return 1.0 / 9007199254740992.0; }
};
"""

STREAM = "u64 k0, u64 k1, u64 c0, u64 c1, u64 c2, u64 c3, u64 where"

WORDS = r"""
__global__ void philox_words(STREAM, u64* out, i64 n) {
    each_block<4>(stream(k0, k1, c0, c1, c2, c3, where), n, [=](i64 i, const u64 (&w)[4]) { leave<u64, 4>(out, i, n, w); });
}
"""

UNIFORM = r"""
template <typename T>
__global__ void philox_uniform(STREAM, T* out, i64 n, int digits, acc_t<T> range, acc_t<T> low, bool plain) {
    typedef acc_t<T> A;
    const int N = Unit<A>::each;
    each_block<N>(stream(k0, k1, c0, c1, c2, c3, where), n, [=](i64 i, const u64 (&w)[4]) {
        A v[N];
        #pragma unroll
        for (int j = 0; j < N; ++j) {
            v[j] = Unit<A>::of(w, j, digits);
            if (!plain) v[j] = plus(times(v[j], range), low);
        }
        leave<T, N>(out, i, n, v);
    });
}
"""

NORMAL = r"""
// Box and Muller's transform: elements 2k and 2k + 1 come from numbers 2k and 2k + 1.
template <typename T>
__global__ void philox_normal(STREAM, T* out, i64 n, acc_t<T> mean, acc_t<T> std, bool plain) {
    typedef acc_t<T> A;
    const int N = Unit<A>::each;
    each_block<N>(stream(k0, k1, c0, c1, c2, c3, where), n, [=](i64 i, const u64 (&w)[4]) {
        A v[N];
        #pragma unroll
        for (int j = 0; j < N; j += 2) {
            A radius = sqrt((A)-2 * log(plus(Unit<A>::of(w, j, 24), Unit<A>::tiny())));
            A sine, cosine;
            sincospi(2 * Unit<A>::of(w, j + 1, 24), &sine, &cosine);  // no large angles to take care of
            v[j] = radius * cosine;
            v[j + 1] = radius * sine;
        }
        #pragma unroll
        for (int j = 0; j < N; ++j) if (!plain) v[j] = plus(times(v[j], std), mean);
        leave<T, N>(out, i, n, v);
    });
}
"""

BERNOULLI = r"""
__global__ void philox_bernoulli(STREAM, bool* out, i64 n, unsigned below) {
    each_block<8>(stream(k0, k1, c0, c1, c2, c3, where), n, [=](i64 i, const u64 (&w)[4]) {
        bool v[8];
        #pragma unroll
        for (int j = 0; j < 8; ++j) v[j] = (half_word(w, j) >> 8) < below;
        leave<bool, 8>(out, i, n, v);
    });
}
"""

DROPOUT = r"""
// y = x * scale with probability p, else x * 0; `below` is p of 2^24.
template <typename T>
__global__ void philox_dropout(STREAM, const T* x, T* y, bool* mask, i64 n, unsigned below, acc_t<T> scale) {
    each_block<8>(stream(k0, k1, c0, c1, c2, c3, where), n, [=](i64 i, const u64 (&w)[4]) {
        bool keep[8];
        acc_t<T> v[8];
        take<T, 8>(x, i, n, v);
        #pragma unroll
        for (int j = 0; j < 8; ++j) {
            keep[j] = (half_word(w, j) >> 8) < below;
            v[j] *= keep[j] ? scale : (acc_t<T>)0;
        }
        leave<bool, 8>(mask, i, n, keep);
        leave<T, 8>(y, i, n, v);
    });
}
"""

INTEGERS = r"""
__global__ void philox_integers(STREAM, i64* out, i64 n, u64 range, i64 low) {
    each_block<4>(stream(k0, k1, c0, c1, c2, c3, where), n, [=](i64 i, const u64 (&w)[4]) {
        i64 v[4];
        #pragma unroll
        for (int j = 0; j < 4; ++j) v[j] = (i64)((u64)low + __umul64hi(w[j], range));
        leave<i64, 4>(out, i, n, v);
    });
}
"""

for _name, _text, _types in (
    ("philox_words", WORDS, [()]), ("philox_uniform", UNIFORM, [(c,) for c in FLOATS]),
    ("philox_normal", NORMAL, [(c,) for c in FLOATS]), ("philox_bernoulli", BERNOULLI, [()]),
    ("philox_dropout", DROPOUT, [(c,) for c in FLOATS]), ("philox_integers", INTEGERS, [()]),
):  # fmt: skip
    launch.register(_name, ROWS + PHILOX + _text.replace("STREAM", STREAM), _types)


def _below(p: float) -> Any:
    """The smallest number of 24 bits that is not taken with probability p."""
    return launch.U32[int(-(-(p * 2.0**24) // 1))]


@lru_cache(4096)
def _odds(p: float, dtype: Any) -> tuple[Any, Any]:
    """What dropout's kernel takes of p: the words that keep an element, and what it is multiplied by."""
    return _below(1.0 - p), launch.floats(dtype)[dtype.type(1.0 / (1.0 - p))]


def _stream(seed: int, counter: int, where: int) -> tuple[Any, ...]:
    """The key and the counter, in words, and where a graph finds more."""
    if 0 <= seed <= MASK and 0 <= counter <= MASK >> 1:
        zero = launch.U64[0]
        return launch.U64[seed], zero, counter, zero, zero, zero, launch.U64[where]
    words = [np.uint64(v >> s & MASK) for v, s in [(seed, 0), (seed, 64), *[(counter, 64 * k) for k in range(4)]]]
    return (*words, np.uint64(where))


class CudaRandom:
    """Mixed into CupyBackend. float16 and bfloat16 are computed in float32, as on the CPU."""

    empty: Any
    contiguous: Any
    draw_words: Any

    def _words(self, seed: int, counter: int) -> tuple[Any, ...]:
        where, counter = self.draw_words(counter)
        return _stream(seed, counter, where)

    def _draw(
        self, kernel: str, types: tuple[str, ...], seed: int, counter: int, out: Array, each: int, *args: Any
    ) -> Array:
        """Fill `out`, `each` elements to a block of the stream."""
        if out.size:
            run = launch.ready[kernel, *types]
            run.over(-(-out.size // each), (*self._words(seed, counter), out, launch.I64[out.size], *args))
        return out

    def random_words(self, seed: int, counter: int, nblocks: int) -> Array:
        return self._draw("philox_words", (), seed, counter, self.empty(4 * nblocks, np.uint64), 4)

    def uniform(
        self, seed: int, counter: int, shape: tuple[int, ...], dtype: Any, lo: float = 0.0, hi: float = 1.0
    ) -> Array:
        ctype = CTYPE.get(dtype)
        if ctype not in FLOATS:
            return super().uniform(seed, counter, shape, dtype, lo, hi)  # type: ignore[misc]
        kind = launch.floats(dtype)
        args = (launch.I32[DIGITS[ctype]], kind[hi - lo], kind[lo], launch.BOOL[lo == 0.0 and hi == 1.0])
        out = self.empty(tuple(shape), dtype)
        return self._draw("philox_uniform", (ctype,), seed, counter, out, 4 if ctype == "double" else 8, *args)

    def normal(
        self, seed: int, counter: int, shape: tuple[int, ...], dtype: Any, mean: float = 0.0, std: float = 1.0
    ) -> Array:
        ctype = CTYPE.get(dtype)
        if ctype not in FLOATS or hasattr(mean, "dtype") or hasattr(std, "dtype"):
            return super().normal(seed, counter, shape, dtype, mean, std)  # type: ignore[misc]
        kind = launch.floats(dtype)
        args = (kind[mean], kind[std], launch.BOOL[mean == 0.0 and std == 1.0])
        out = self.empty(tuple(shape), dtype)
        return self._draw("philox_normal", (ctype,), seed, counter, out, 4 if ctype == "double" else 8, *args)

    def bernoulli(self, seed: int, counter: int, shape: tuple[int, ...], p: Any) -> Array:
        if hasattr(p, "dtype"):
            return super().bernoulli(seed, counter, shape, p)  # type: ignore[misc]
        return self._draw("philox_bernoulli", (), seed, counter, self.empty(tuple(shape), np.bool_), 8, _below(p))

    def dropout(self, x: Array, seed: int, counter: int, p: float) -> tuple[Array, Array]:
        ctype = CTYPE.get(x.dtype)
        if ctype not in FLOATS:
            return super().dropout(x, seed, counter, p)  # type: ignore[misc, no-any-return]
        x = self.contiguous(x)
        y, mask = self.empty(x.shape, x.dtype), self.empty(x.shape, np.bool_)
        if x.size:
            args = (*self._words(seed, counter), x, y, mask, launch.I64[x.size], *_odds(p, x.dtype))
            launch.ready["philox_dropout", ctype].over(-(-x.size // 8), args)
        return y, mask

    def randint(self, seed: int, counter: int, shape: tuple[int, ...], dtype: Any, low: int, high: int) -> Array:
        out = self.empty(tuple(shape), np.int64)
        self._draw("philox_integers", (), seed, counter, out, 4, launch.U64[high - low], *launch.i64(low))
        return out if out.dtype == dtype else out.astype(dtype)
