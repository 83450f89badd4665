"""Normalisation: rows in the registers of a warp or a block, channels by partial sums in a fixed order.

The gradients of weights are sums over many rows: blocks leave partial sums, which one more launch adds up in order.
"""

from __future__ import annotations

from math import prod
from typing import Any, ClassVar

import numpy as np

from . import launch
from .rows import CTYPE, ROWS, VECTOR, forms, spread, width

Array = Any

DOUBLE = np.dtype(np.float64)
Ints = tuple[int, ...]

FLOATS, HALVES = ("float", "double"), ("__half", "__nv_bfloat16")
CHUNK = 8192  # elements of a channel to a block
PARTS = 256  # blocks to a channel
TOGETHER = 4  # rows at least to a row of threads that leaves a partial sum of a layer norm

NORM_ROWS = r"""
// y = (x - mean) / sqrt(var + eps) of rows of n, and with `affine` out = y * w, and + b if it is `biased`. Without `centred` the mean is 0 and
// var the mean square; y is left out unless it is kept. Row r has the weights (r % groups) * each + i / area, where
// each * area = n; area is 1 or a multiple of V.
template <typename T, int V, int K>
__global__ void __launch_bounds__(512, sizeof(T) == 8 ? 1 : 2)
norm_rows(const T* x, const T* w, const T* b, T* y, T* out, acc_t<T>* mean, acc_t<T>* var, i64 rows, i64 n, i64 groups,
          i64 each, i64 area, acc_t<T> eps, bool centred, bool affine, bool biased, bool kept) {
    typedef acc_t<T> A;
    for (i64 base = blockIdx.x * (i64)blockDim.y; base < rows; base += (i64)gridDim.x * blockDim.y) {
        i64 r = base + threadIdx.y, count = r < rows ? n : 0;
        Row<T, V, K> row(x + r * n, count);
        A m = 0, part = 0;
        if (centred) {
            sweep<V, K>(count, [&](int k, i64 i) {
                A v[V];
                row.pack(k, i, v);
                #pragma unroll
                for (int j = 0; j < V; ++j) part += v[j];
            });
            m = row_reduce(part, Sum()) / (A)n;
            part = 0;
        }
        sweep<V, K>(count, [&](int k, i64 i) {
            A v[V];
            row.pack(k, i, v);
            #pragma unroll
            for (int j = 0; j < V; ++j) part += (v[j] - m) * (v[j] - m);
        });
        A square = row_reduce(part, Sum()) / (A)n, scale = 1 / sqrt(square + eps);
        if (threadIdx.x == 0 && count) {
            if (centred) mean[r] = m;
            var[r] = square;
        }
        i64 first = groups == 1 ? 0 : (r % groups) * each;
        sweep<V, K>(count, [&](int k, i64 i) {
            A v[V];
            row.pack(k, i, v);
            #pragma unroll
            for (int j = 0; j < V; ++j) v[j] = (v[j] - m) * scale;
            if (kept) put<T, V>(y + r * n + i, v);
            if (!affine) return;
            if (area == 1) {
                A s[V], t[V];
                get<T, V>(w + first + i, s);
                #pragma unroll
                for (int j = 0; j < V; ++j) t[j] = 0;
                if (biased) get<T, V>(b + first + i, t);
                #pragma unroll
                for (int j = 0; j < V; ++j) v[j] = v[j] * s[j] + t[j];
            } else {
                i64 c = first + quotient(i, area);
                A s = load(w + c), t = biased ? load(b + c) : (A)0;
                #pragma unroll
                for (int j = 0; j < V; ++j) v[j] = v[j] * s + t;
            }
            put<T, V>(out + r * n + i, v);
        });
    }
}
"""

NORM_ROWS_BACKWARD = r"""
// dx = (d - y * mean(d * y) - mean(d)) / sqrt(var + eps) with d = g, or g * w with `affine`; no mean(d) unless `centred`.
// y comes as it is, or with `raw` as (x - mean) / sqrt(var + eps). With `sums` (for weights of one row, in registers) each
// warp, or the block where it takes a row at a time, leaves the sums of its rows of g * y and of g in parts.
template <typename T, int V, int K>
__global__ void __launch_bounds__(V == 8 && K == 1 ? 256 : 512, sizeof(T) == 8 ? 1 : V * K <= 4 ? 2 : V == 8 && K == 1 ? 3 : 1)
norm_rows_backward(const T* g, const T* w, const T* y, const acc_t<T>* mean, const acc_t<T>* var, T* dx, acc_t<T>* parts,
                   i64 rows, i64 n, i64 groups, i64 each, i64 area, acc_t<T> eps, bool centred, bool affine, bool raw,
                   bool sums) {
    typedef acc_t<T> A;
    const int held = K > 0 ? K * V : 1;
    A dw[held], db[held];
    #pragma unroll
    for (int j = 0; j < held; ++j) dw[j] = db[j] = 0;
    for (i64 base = blockIdx.x * (i64)blockDim.y; base < rows; base += (i64)gridDim.x * blockDim.y) {
        i64 r = base + threadIdx.y, count = r < rows ? n : 0;
        Row<T, V, K> gs(g + r * n, count), ys(y + r * n, count);
        i64 first = groups == 1 ? 0 : (r % groups) * each;
        A scale = count ? 1 / sqrt(var[r] + eps) : (A)0, m = raw && centred && count ? mean[r] : (A)0, stretch = raw ? scale : (A)1;
        // u: g and d, v: y
        auto packs = [&](int k, i64 i, A (&u)[V], A (&d)[V], A (&v)[V]) {
            gs.pack(k, i, u);
            ys.pack(k, i, v);
            if (affine && area == 1) {
                get<T, V>(w + first + i, d);
            } else {
                A s = affine ? load(w + first + quotient(i, area)) : (A)1;
                #pragma unroll
                for (int j = 0; j < V; ++j) d[j] = s;
            }
            #pragma unroll
            for (int j = 0; j < V; ++j) {
                d[j] *= u[j];
                v[j] = (v[j] - m) * stretch;
            }
        };
        A slope = 0, shift = 0;
        sweep<V, K>(count, [&](int k, i64 i) {
            A u[V], d[V], v[V];
            packs(k, i, u, d, v);
            #pragma unroll
            for (int j = 0; j < V; ++j) {
                slope += d[j] * v[j];
                shift += d[j];
                if constexpr (K > 0) {
                    dw[k * V + j] += u[j] * v[j];
                    db[k * V + j] += u[j];
                }
            }
        });
        slope = row_reduce(slope, Sum()) / (A)n;
        shift = centred ? row_reduce(shift, Sum()) / (A)n : (A)0;
        sweep<V, K>(count, [&](int k, i64 i) {
            A u[V], d[V], v[V];
            packs(k, i, u, d, v);
            #pragma unroll
            for (int j = 0; j < V; ++j) v[j] = (d[j] - (v[j] * slope + shift)) * scale;
            put<T, V>(dx + r * n + i, v);
        });
    }
    if constexpr (K > 0) {
        if (!sums) return;
        for (int lane = blockDim.x; lane < 32; lane <<= 1) {  // rows that share a warp
            #pragma unroll
            for (int j = 0; j < held; ++j) {
                dw[j] += shuffle_xor(dw[j], lane);
                db[j] += shuffle_xor(db[j], lane);
            }
        }
        int t = threadIdx.y * blockDim.x + threadIdx.x;
        if (blockDim.x < 32 && t % 32 >= blockDim.x) return;
        int slots = blockDim.y == 1 ? 1 : blockDim.x * blockDim.y / 32, slot = blockDim.y == 1 ? 0 : t / 32;
        A* mine = parts + (blockIdx.x * (i64)slots + slot) * 2 * n;
        sweep<V, K>(n, [&](int k, i64 i) {
            #pragma unroll
            for (int j = 0; j < V; ++j) {
                mine[i + j] = dw[k * V + j];
                mine[n + i + j] = db[k * V + j];
            }
        });
    }
}
"""

ADD_PARTS = r"""
// out[i] = the sum of parts[p][i] over p, in a fixed order; a block of 1024 threads takes 32 columns.
template <typename A, typename T>
__global__ void __launch_bounds__(1024) add_parts(const A* parts, T* out, i64 count, i64 n) {
    __shared__ A sums[32][32];
    int lane = threadIdx.x & 31, part = threadIdx.x >> 5;
    for (i64 first = blockIdx.x * (i64)32; first < n; first += gridDim.x * (i64)32) {
        i64 i = first + lane;
        A mine = 0;
        if (i < n) for (i64 p = part; p < count; p += 32) mine += parts[p * n + i];
        __syncthreads();
        sums[part][lane] = mine;
        __syncthreads();
        if (part == 0 && i < n) {
            for (int j = 1; j < 32; ++j) mine += sums[j][lane];
            store(out + i, mine);
        }
    }
}
"""

CHANNELS = r"""
// x as (a, c, n): the elements of channel k are j = 0 .. a * n - 1, at (j / n * c + k) * n + j % n. A block takes a chunk
// of one channel's elements, V at a time; for n = 1 ("columns") the chunk is one of 32 channels, a warp takes every eighth row.
template <int V, bool COLUMNS> struct Chunk {
    i64 k, first, last, j, end, step;  // j: the next element of this thread
    i64 place, rest, n, jump, more, wrap;  // where that is; its number in the plane, which goes on by `more`
    bool live;
    __device__ __forceinline__ Chunk(i64 a, i64 c, i64 n, i64 size) : n(n) {
        k = COLUMNS ? blockIdx.x * (i64)32 + (threadIdx.x & 31) : (i64)blockIdx.x;
        live = k < c;
        first = blockIdx.y * size;
        last = first + size < a * n ? first + size : a * n;
        step = COLUMNS ? blockDim.x >> 5 : (i64)blockDim.x * V;
        j = first + (COLUMNS ? threadIdx.x >> 5 : threadIdx.x * V);
        end = live ? last : 0;
        i64 q = COLUMNS ? j : quotient(j, n), by = COLUMNS ? step : quotient(step, n);
        rest = j - q * n;
        more = step - by * n;
        place = (q * c + k) * n + rest;
        jump = by * c * n + more;
        wrap = (c - 1) * n;
    }
    // Without a division, of which one an element would take longer than the memory.
    __device__ __forceinline__ void advance() {
        j += step;
        place += jump;
        rest += more;
        if (!COLUMNS && rest >= n) {
            rest -= n;
            place += wrap;
        }
    }
    // Whether this thread writes the channel's results.
    __device__ __forceinline__ bool writes() const { return live && (COLUMNS ? threadIdx.x < 32 : threadIdx.x == 0); }
};
// The sum over the threads of one channel; the block has 256 threads.
template <bool COLUMNS, typename A> __device__ A channel_sum(A v) {
    if constexpr (COLUMNS) {
        __shared__ A sums[8][32];
        __syncthreads();
        sums[threadIdx.x >> 5][threadIdx.x & 31] = v;
        __syncthreads();
        v = sums[0][threadIdx.x & 31];
        for (int j = 1; j < 8; ++j) v += sums[j][threadIdx.x & 31];
        return v;
    } else {
        return block_sum(v);
    }
}
"""

CHANNEL_STATS = r"""
// Each chunk's mean and sum of squares about it, in parts[chunk][0 and 1][c]. Of a chunk some elements to a thread are held in
// registers at a time, and what was found is merged (Chan, Golub and LeVeque, 1979).
template <typename T, int V, bool COLUMNS>
__global__ void channel_stats(const T* x, acc_t<T>* parts, i64 a, i64 c, i64 n, i64 size) {
    typedef acc_t<T> A;
    typedef typename Word<sizeof(T) * V>::type W;
    const int K = V == 1 ? 16 : 32 / V;
    Chunk<V, COLUMNS> chunk(a, c, n, size);
    i64 span = COLUMNS ? K * (blockDim.x >> 5) : (i64)K * V * blockDim.x;
    A seen = 0, mean = 0, squares = 0;
    for (i64 first = chunk.first; first < chunk.last; first += span) {
        W held[K];
        int mine = chunk.j < chunk.end ? (chunk.end - chunk.j + chunk.step - 1) / chunk.step : 0;
        #pragma unroll
        for (int k = 0; k < K; ++k) {
            if (k < mine) held[k] = *reinterpret_cast<const W*>(x + chunk.place);
            chunk.advance();
        }
        A part = 0, here = chunk.last - first < span ? chunk.last - first : span;
        #pragma unroll
        for (int k = 0; k < K; ++k) {
            if (k >= mine) continue;
            Pack<T, V> pack = unpacked<T, V>(held[k]);
            #pragma unroll
            for (int q = 0; q < V; ++q) part += to_acc(pack.v[q]);
        }
        A m = channel_sum<COLUMNS>(part) / here;
        part = 0;
        #pragma unroll
        for (int k = 0; k < K; ++k) {
            if (k >= mine) continue;
            Pack<T, V> pack = unpacked<T, V>(held[k]);
            #pragma unroll
            for (int q = 0; q < V; ++q) part += (to_acc(pack.v[q]) - m) * (to_acc(pack.v[q]) - m);
        }
        A d = m - mean, all = seen + here;
        squares += channel_sum<COLUMNS>(part) + d * d * (seen * here / all);
        mean += d * (here / all);
        seen = all;
    }
    if (chunk.writes()) {
        parts[2 * blockIdx.y * c + chunk.k] = mean;
        parts[(2 * blockIdx.y + 1) * c + chunk.k] = squares;
    }
}
"""

MERGE_STATS = r"""
// The mean and the biased variance of all chunks of a channel (Chan, Golub and LeVeque, 1979), by a warp. total: its elements.
struct Seen {
    double count, mean, squares;
    __device__ __forceinline__ void add(double more, double there, double about) {
        double d = there - mean, all = count + more;
        if (all == 0) return;
        mean += d * (more / all);
        squares += about + d * d * (count * more / all);
        count = all;
    }
};
template <typename T>
__global__ void merge_stats(const T* parts, T* mean, T* var, i64 count, i64 c, i64 size, i64 total) {
    int lane = threadIdx.x & 31, warps = blockDim.x >> 5;
    for (i64 k = blockIdx.x * (i64)warps + (threadIdx.x >> 5); k < c; k += (i64)gridDim.x * warps) {
        Seen seen = {0, 0, 0};
        for (i64 p = lane; p < count; p += 32)
            seen.add(p + 1 < count ? size : total - p * size, parts[2 * p * c + k], parts[(2 * p + 1) * c + k]);
        for (int by = 1; by < 32; by <<= 1) {
            double count = shuffle_xor(seen.count, by), mean = shuffle_xor(seen.mean, by), squares = shuffle_xor(seen.squares, by);
            Seen low = seen, high = {count, mean, squares};
            if (lane & by) { low = high; high = seen; }  // both lanes add in the same order
            low.add(high.count, high.mean, high.squares);
            seen = low;
        }
        if (lane == 0) {
            mean[k] = (T)seen.mean;
            var[k] = (T)(seen.squares / seen.count);
        }
    }
}
"""

CHANNEL_SUMS = r"""
// Each chunk's sums of g * (x - mean) and of g, in parts[chunk][0 and 1][c]. Without `centred` the mean is 0. With `rectified`
// g goes through the relu that made `made`.
template <typename T, int V, bool COLUMNS>
__global__ void channel_sums(const T* g, const T* x, const T* made, const acc_t<T>* mean, acc_t<T>* parts, i64 a, i64 c,
                             i64 n, i64 size, bool centred, bool rectified) {
    typedef acc_t<T> A;
    Chunk<V, COLUMNS> chunk(a, c, n, size);
    A m = centred && chunk.live ? mean[chunk.k] : (A)0, slope = 0, shift = 0;
    for (; chunk.j < chunk.end; chunk.advance()) {
        i64 at = chunk.place;
        A u[V], v[V];
        get<T, V>(g + at, u);
        if (rectified) {
            get<T, V>(made + at, v);
            #pragma unroll
            for (int q = 0; q < V; ++q) u[q] = v[q] <= 0 ? (A)0 : u[q];
        }
        get<T, V>(x + at, v);
        #pragma unroll
        for (int q = 0; q < V; ++q) {
            slope += u[q] * (v[q] - m);
            shift += u[q];
        }
    }
    slope = channel_sum<COLUMNS>(slope);
    shift = channel_sum<COLUMNS>(shift);
    if (chunk.writes()) {
        parts[2 * blockIdx.y * c + chunk.k] = slope;
        parts[(2 * blockIdx.y + 1) * c + chunk.k] = shift;
    }
}
"""

EACH_PACK = (
    ROWS
    + r"""
template <int N> struct Width { static const int value = N; };
// f(elements, first element, its channel, the next channel, how many elements are of the first) for packs of x (a, c, n), and
// for the single elements that are left.
template <typename T, int V, typename F> __device__ __forceinline__ void each_pack(i64 total, i64 c, i64 n, F f) {
    i64 start = blockIdx.x * (i64)blockDim.x + threadIdx.x, stride = (i64)gridDim.x * blockDim.x, packs = total / V;
    auto at = [&](auto width, i64 i) {
        i64 plane = n == 1 ? i : quotient(i, n), k = plane - quotient(plane, c) * c;
        f(width, i, k, k + 1 == c ? 0 : k + 1, n - (i - plane * n));
    };
    #pragma unroll 1
    for (i64 p = start; p < packs; p += stride) at(Width<V>(), p * V);
    #pragma unroll 1
    for (i64 i = packs * V + start; i < total; i += stride) at(Width<1>(), i);
}
"""
)

CHANNEL_APPLY = (
    EACH_PACK
    + r"""
// y = (x - mean) * w / sqrt(var + eps) + b for x (a, c, n), and its relu if it is `rectified`; n = 1, where V divides c, or
// n >= V, where a pack lies in at most two channels.
template <typename T, int V>
__global__ void channel_apply(const T* x, const acc_t<T>* w, const acc_t<T>* b, const acc_t<T>* mean, const acc_t<T>* var,
                              T* y, i64 total, i64 c, i64 n, acc_t<T> eps, bool rectified) {
    typedef acc_t<T> A;
    each_pack<T, V>(total, c, n, [&](auto width, i64 i, i64 k, i64 after, i64 left) {
        const int N = decltype(width)::value;
        A v[N];
        get<T, N>(x + i, v);
        if (n == 1) {
            #pragma unroll
            for (int j = 0; j < N; ++j)
                v[j] = (v[j] - mean[k + j]) * (w[k + j] / sqrt(var[k + j] + eps)) + b[k + j];
        } else {  // one root and one division, not one for each element
            A m = mean[k], scale = w[k] / sqrt(var[k] + eps), shift = b[k], m1 = m, scale1 = scale, shift1 = shift;
            if (left < N) {
                m1 = mean[after];
                scale1 = w[after] / sqrt(var[after] + eps);
                shift1 = b[after];
            }
            #pragma unroll
            for (int j = 0; j < N; ++j)
                v[j] = j < left ? (v[j] - m) * scale + shift : (v[j] - m1) * scale1 + shift1;
        }
        #pragma unroll
        for (int j = 0; j < N; ++j) v[j] = rectified && v[j] <= 0 ? (A)0 : v[j];
        put<T, N>(y + i, v);
    });
}
"""
)

CHANNEL_APPLY_BACKWARD = (
    EACH_PACK
    + r"""
template <typename A> struct Slope {  // what one channel's elements need
    A mean, scale, slope, shift, stretch;
    __device__ __forceinline__ Slope(A mean, A var, A w, A slope, A shift, A share, A eps)
        : mean(mean), scale(1 / sqrt(var + eps)), shift(shift * share) {
        this->slope = slope * scale * share;
        stretch = w * scale;
    }
    __device__ __forceinline__ A operator()(A g, A x) const {
        return (g - ((x - mean) * scale * slope + shift)) * stretch;
    }
};
// dx = (g - mean(g) - d * mean(g * d) / (var + eps)) * w / sqrt(var + eps) with d = x - mean, given sums of g * d and of g
// over the `count` elements of each channel; dw and db too. With `rectified` g goes through the relu that made `made`.
template <typename T, int V>
__global__ void channel_apply_backward(const T* g, const T* x, const T* made, const acc_t<T>* w, const acc_t<T>* mean,
                                       const acc_t<T>* var, const acc_t<T>* sums, T* dx, acc_t<T>* dw, acc_t<T>* db,
                                       i64 total, i64 c, i64 n, i64 count, acc_t<T> eps, bool rectified) {
    typedef acc_t<T> A;
    i64 start = blockIdx.x * (i64)blockDim.x + threadIdx.x, stride = (i64)gridDim.x * blockDim.x;
    #pragma unroll 1
    for (i64 k = start; k < c; k += stride) {
        dw[k] = sums[k] / sqrt(var[k] + eps);
        db[k] = sums[c + k];
    }
    A share = (A)1 / (A)count;
    each_pack<T, V>(total, c, n, [&](auto width, i64 i, i64 k, i64 after, i64 left) {
        const int N = decltype(width)::value;
        A u[N], v[N];
        get<T, N>(g + i, u);
        if (rectified) {
            get<T, N>(made + i, v);
            #pragma unroll
            for (int j = 0; j < N; ++j) u[j] = v[j] <= 0 ? (A)0 : u[j];
        }
        get<T, N>(x + i, v);
        auto of = [&](A g, A x, i64 k) {
            A scale = 1 / sqrt(var[k] + eps), d = (x - mean[k]) * scale;
            return (g - (d * (sums[k] * scale * share) + sums[c + k] * share)) * (w[k] * scale);
        };
        if (n == 1) {
            #pragma unroll
            for (int j = 0; j < N; ++j) v[j] = of(u[j], v[j], k + j);
        } else {
            Slope<A> here(mean[k], var[k], w[k], sums[k], sums[c + k], share, eps), there = here;
            if (left < N) there = Slope<A>(mean[after], var[after], w[after], sums[after], sums[c + after], share, eps);
            #pragma unroll
            for (int j = 0; j < N; ++j) v[j] = j < left ? here(u[j], v[j]) : there(u[j], v[j]);
        }
        put<T, N>(dx + i, v);
    });
}
"""
)

_SPANS = [(c, *form) for c in (*FLOATS, *HALVES) for form in ((str(VECTOR[c]), "false"), ("1", "false"), ("1", "true"))]
_PACKS = [(c, str(v)) for c in (*FLOATS, *HALVES) for v in (VECTOR[c], 1)]
launch.register("norm_rows", ROWS + NORM_ROWS, forms((*FLOATS, *HALVES)))
launch.register(
    "norm_rows_backward",
    ROWS + NORM_ROWS_BACKWARD,
    [*forms((*FLOATS, *HALVES)), *[(c, str(VECTOR[c]), "2") for c in HALVES]],
)
launch.register("add_parts", ADD_PARTS, [("float", "float"), ("double", "double"), *[("float", h) for h in HALVES]])
launch.register("channel_stats", ROWS + CHANNELS + CHANNEL_STATS, _SPANS)
launch.register("merge_stats", MERGE_STATS, [(c,) for c in FLOATS])
launch.register("channel_sums", ROWS + CHANNELS + CHANNEL_SUMS, _SPANS)
launch.register("channel_apply", CHANNEL_APPLY, _PACKS)
launch.register("channel_apply_backward", CHANNEL_APPLY_BACKWARD, _PACKS)


def _type(*arrays: Array) -> str | None:
    """The C type of arrays of one dtype that the kernels take, and have elements."""
    found = CTYPE.get(arrays[0].dtype)
    if found not in FLOATS or any([a.dtype != arrays[0].dtype or not a.size for a in arrays]):
        return None
    return found


def _batch_type(x: Array, alike: list[Array | None], small: list[Array]) -> str | None:
    """The C type of x, whose dtype `alike` have; `small` are of what it is computed in."""
    found, kind = CTYPE.get(x.dtype), _wide(x)
    if found not in (*FLOATS, *HALVES) or not x.size or any([t.dtype != kind for t in small]):
        return None
    return None if any([t is not None and (t.dtype != x.dtype or t.shape != x.shape) for t in alike]) else found


def _wide(x: Array) -> Any:
    """What an array is computed in."""
    return np.float64 if x.dtype == DOUBLE else np.float32


def _held(n: int, *arrays: Array) -> bool:
    """Whether rows of n are kept in registers, and with them the sums over rows."""
    return spread(1, n, width(n, CTYPE[arrays[0].dtype], *arrays), True)[0] != "0"


def resident(v: int, held: str, kind: Any) -> int:
    """Threads of norm_rows_backward that a multiprocessor has registers for (a test compares this with the machine code)."""
    if kind is np.float64:
        return 512
    return 1024 if v * int(held) <= 4 else 768 if held == "1" else 512


def one_wave(rows: int, threads: tuple[int, int], most: int) -> int:
    """Blocks that share rows evenly, at most as many as run at a time: a few more would double the time."""
    together = threads[1]
    blocks = max(1, min(most, -(-rows // (TOGETHER * together))))
    turns = -(-rows // (blocks * together))
    return -(-rows // (turns * together))


def trailing(shape: Ints, dims: Ints) -> tuple[int, int] | None:
    """(rows, n) for a reduction over the last axes, else None."""
    kept = len(shape) - len(dims)
    if not dims or sorted(dims) != list(range(kept, len(shape))):
        return None
    return prod(shape[:kept]), prod(shape[kept:])


def channels(shape: Ints, dims: Ints) -> tuple[int, int, int] | None:
    """(a, c, n) for a reduction over all but the second axis, else None."""
    if len(shape) < 2 or [i for i in range(len(shape)) if i not in dims] != [1]:
        return None
    return shape[0], shape[1], prod(shape[2:])


def weights(shape: Ints, kept: int, w_shape: Ints) -> tuple[int, int, int] | None:
    """(groups, each, area): row r's element i has the weight (r % groups) * each + i / area. None for other forms.

    w_shape broadcasts to shape, whose first `kept` axes are rows.
    """
    full = (1,) * (len(shape) - len(w_shape)) + tuple(w_shape)
    axes = [i for i, n in enumerate(full) if n != 1]
    if not axes:
        return 1, 1, prod(shape[kept:])
    if any(full[i] != shape[i] for i in range(axes[0], axes[-1] + 1)):
        return None
    if axes[0] < kept and any(shape[i] != 1 for i in range(axes[-1] + 1, kept)):
        return None  # the weight stays for several rows
    groups, each = prod(full[:kept]), prod(full[kept:])
    if axes[0] > kept and any(shape[i] != 1 for i in range(kept, axes[0])):
        return None  # it comes again within a row
    return groups, each, prod(shape[kept:]) // each


def _packed(c: int, n: int, ctype: str) -> int:
    """What the elements of a pack must divide, for packs of (a, c, n) in at most two channels, or over channels."""
    return c if n == 1 else 0 if n >= VECTOR[ctype] else 1


class CudaNorms:
    """Mixed into CupyBackend."""

    remakes_norms = True
    batches_half = True
    xp: Any
    contiguous: Any
    empty: Any

    _counted: ClassVar[dict[int, int]] = {}

    def _processors(self) -> int:
        """Multiprocessors of the current device."""
        device = self.xp.cuda.Device()
        if device.id not in self._counted:
            self._counted[device.id] = device.attributes["MultiProcessorCount"]
        return self._counted[device.id]

    def _small(self, x: Array, dims: Ints, dtype: Any = None) -> Array:
        return self.empty(tuple([1 if i in dims else n for i, n in enumerate(x.shape)]), dtype or x.dtype)

    # ---- rows -------------------------------------------------------------------------------------------------------
    def _norm_rows(
        self, x: Array, dims: Ints, eps: float, form: tuple[int, int], centred: bool, w: Array = None, b: Array = None,
        of: Ints = (1, 1, 1), kept: bool = True,
    ) -> tuple[Array, Array, Array, Array]:  # fmt: skip
        """(y * w + b or y, y where it is kept, mean, var)."""
        x, (rows, n), kind = self.contiguous(x), form, _wide(x)
        y, var = self.empty(x.shape, x.dtype) if kept else x, self._small(x, dims, kind)
        mean = self._small(x, dims, kind) if centred else var
        out = y if w is None else self.empty(x.shape, x.dtype)
        ctype = CTYPE[x.dtype]
        biased, w = b is not None, x if w is None else self.contiguous(w)
        b = self.contiguous(b) if biased else w
        v = width(n if of[2] == 1 else of[2], ctype, x, y, out, w, b)
        held, blocks, threads = spread(rows, n, v)
        flags = (
            launch.floats(kind)[eps],
            launch.BOOL[centred],
            launch.BOOL[out is not y],
            launch.BOOL[biased],
            launch.BOOL[kept],
        )
        launch.kernel("norm_rows", ctype, str(v), held)(
            blocks, threads, (x, w, b, y, out, mean, var, *launch.i64(rows, n, *of), *flags)
        )
        return out, y, mean, var

    def _norm_rows_backward(
        self, g: Array, y: Array, var: Array, eps: float, form: tuple[int, int], centred: bool, w: Array = None,
        of: Ints = (1, 1, 1), mean: Array = None, raw: bool = False,
    ) -> tuple[Array, Array | None]:  # fmt: skip
        """dx, and the partial sums of g * y and g where the weights are those of a row. raw: y is x."""
        g, y, var, (rows, n) = self.contiguous(g), self.contiguous(y), self.contiguous(var), form
        dx, kind = self.empty(y.shape, y.dtype), _wide(y)
        w, affine = (y, False) if w is None else (self.contiguous(w), True)
        v = width(n if of[2] == 1 else of[2], CTYPE[y.dtype], g, y, dx, w)
        held, blocks, threads = spread(rows, n, v, True)
        sums = affine and of[0] == of[2] == 1 and held != "0"
        parts = None
        if sums:
            count = one_wave(rows, threads, self._processors() * max(1, resident(v, held, kind) // prod(threads)))
            blocks = (count,)
            parts = self.empty((count * (1 if threads[1] == 1 else prod(threads) // 32), 2, n), var.dtype)
        flags = (
            launch.floats(kind)[eps],
            launch.BOOL[centred],
            launch.BOOL[affine],
            launch.BOOL[raw],
            launch.BOOL[sums],
        )
        arrays = (g, w, y, var if mean is None else self.contiguous(mean), var, dx, var if parts is None else parts)
        launch.kernel("norm_rows_backward", CTYPE[y.dtype], str(v), held)(
            blocks, threads, (*arrays, *launch.i64(rows, n, *of), *flags)
        )
        return dx, parts

    def _add_parts(self, parts: Array, dtype: Any = None) -> Array:
        """The sum over the first axis."""
        dtype = parts.dtype if dtype is None else dtype
        if len(parts) == 1 and dtype == parts.dtype:
            return parts[0]
        n = parts.size // len(parts)
        out = self.empty(parts.shape[1:], dtype)
        kernel = launch.kernel("add_parts", CTYPE[parts.dtype], CTYPE[dtype])
        kernel(*launch.grid(n * 32, 1024), (parts, out, *launch.i64(len(parts), n)))
        return out

    def _layer(self, x: Array, w: Array, dims: Ints) -> tuple[int, int] | None:
        """(rows, n) where the kernels take x with weights like w over the last axes."""
        fits = (
            x.size and CTYPE.get(x.dtype) in (*FLOATS, *HALVES) and w.dtype == x.dtype and w.shape == x.shape[dims[0] :]
        )
        return trailing(x.shape, dims) if fits else None

    def rows_normalize(self, x: Array, w: Array, b: Array, dims: Ints, eps: float) -> tuple[Array, Array, Array]:
        form = self._layer(x, w, dims) if w.dtype == b.dtype and w.shape == b.shape else None
        if form is None:
            return super().rows_normalize(x, w, b, dims, eps)  # type: ignore[misc, no-any-return]
        out, _, mean, var = self._norm_rows(x, dims, eps, form, True, w, b, (1, form[1], 1), False)
        return out, mean, var

    def rows_rms(self, x: Array, w: Array, dims: Ints, eps: float) -> tuple[Array, Array]:
        form = self._layer(x, w, dims)
        if form is None:
            return super().rows_rms(x, w, dims, eps)  # type: ignore[misc, no-any-return]
        out, _, _, square = self._norm_rows(x, dims, eps, form, False, w, None, (1, form[1], 1), False)
        return out, square

    def rows_rms_backward(
        self, g: Array, x: Array, w: Array, square: Array, dims: Ints, eps: float
    ) -> tuple[Array, Array]:
        form = self._layer(x, w, dims) if g.dtype == x.dtype and g.shape == x.shape else None
        g, x, w = (self.contiguous(a) for a in (g, x, w))
        if form is None or not _held(form[1], x, g, w):
            return super().rows_rms_backward(g, x, w, square, dims, eps)  # type: ignore[misc, no-any-return]
        dx, parts = self._norm_rows_backward(g, x, square, eps, form, False, w, (1, form[1], 1), None, True)
        return dx, self._add_parts(parts, w.dtype)[0].reshape(w.shape)

    def layer_normalize(self, x: Array, w: Array, b: Array, dims: Ints, eps: float) -> Array:
        form = trailing(x.shape, dims) if _type(x, w, b) and w.shape == b.shape else None
        of = None if form is None else weights(x.shape, x.ndim - len(dims), w.shape)
        if form is None or of is None:
            return super().layer_normalize(x, w, b, dims, eps)  # type: ignore[misc]
        return self._norm_rows(x, dims, eps, form, True, w, b, of, False)[0]

    def rows_normalize_backward(
        self, g: Array, x: Array, w: Array, mean: Array, var: Array, dims: Ints, eps: float
    ) -> tuple[Array, Array, Array]:
        form = self._layer(x, w, dims) if g.dtype == x.dtype and g.shape == x.shape else None
        g, x, w = (self.contiguous(a) for a in (g, x, w))
        if form is None or not _held(form[1], x, g, w):
            return super().rows_normalize_backward(g, x, w, mean, var, dims, eps)  # type: ignore[misc, no-any-return]
        dx, parts = self._norm_rows_backward(g, x, var, eps, form, True, w, (1, form[1], 1), mean, True)
        sums = self._add_parts(parts, w.dtype)
        return dx, sums[0].reshape(w.shape), sums[1].reshape(w.shape)

    def normalize(self, x: Array, dims: Ints, eps: float) -> tuple[Array, Array, Array]:
        form = trailing(x.shape, dims) if _type(x) else None
        if form is not None:
            return self._norm_rows(x, dims, eps, form, True)[1:]
        return super().normalize(x, dims, eps)  # type: ignore[misc, no-any-return]

    def normalize_affine(
        self, x: Array, w: Array, b: Array, dims: Ints, eps: float
    ) -> tuple[Array, Array, Array, Array]:
        form = trailing(x.shape, dims) if _type(x, w, b) and w.shape == b.shape else None
        of = None if form is None else weights(x.shape, x.ndim - len(dims), w.shape)
        if form is None or of is None:
            return super().normalize_affine(x, w, b, dims, eps)  # type: ignore[misc, no-any-return]
        return self._norm_rows(x, dims, eps, form, True, w, b, of)

    def normalize_backward(self, g: Array, y: Array, var: Array, dims: Ints, eps: float) -> Array:
        form = trailing(y.shape, dims) if _type(y, g, var) and g.shape == y.shape else None
        if form is None:
            return super().normalize_backward(g, y, var, dims, eps)  # type: ignore[misc]
        return self._norm_rows_backward(g, y, var, eps, form, True)[0]

    def normalize_affine_backward(
        self, g: Array, w: Array, y: Array, var: Array, dims: Ints, eps: float
    ) -> tuple[Array, Array, Array]:
        form = trailing(y.shape, dims) if _type(y, g, w, var) and g.shape == y.shape else None
        of = None if form is None else weights(y.shape, y.ndim - len(dims), w.shape)
        if form is None or of is None:
            return super().normalize_affine_backward(g, w, y, var, dims, eps)  # type: ignore[misc, no-any-return]
        g, y = self.contiguous(g), self.contiguous(y)
        dx, parts = self._norm_rows_backward(g, y, var, eps, form, True, w, of)
        if parts is not None:
            sums = self._add_parts(parts)
        else:  # as a sum for each channel
            c = of[0] * of[1]
            sums = self._channel_sums(g, y, None, (y.size // (c * of[2]), c, of[2]))
        return dx, sums[0].reshape(w.shape), sums[1].reshape(w.shape)

    def rms_normalize(self, x: Array, dims: Ints, eps: float) -> tuple[Array, Array]:
        form = trailing(x.shape, dims) if _type(x) else None
        if form is None:
            return super().rms_normalize(x, dims, eps)  # type: ignore[misc, no-any-return]
        _, y, _, square = self._norm_rows(x, dims, eps, form, False)
        return y, square

    def rms_backward(self, g: Array, y: Array, square: Array, dims: Ints, eps: float) -> Array:
        form = trailing(y.shape, dims) if _type(y, g, square) and g.shape == y.shape else None
        if form is None:
            return super().rms_backward(g, y, square, dims, eps)  # type: ignore[misc]
        return self._norm_rows_backward(g, y, square, eps, form, False)[0]

    # ---- channels ---------------------------------------------------------------------------------------------------
    def _chunks(self, form: tuple[int, int, int], *arrays: Array) -> tuple[int, tuple[int, int], tuple[str, str, str]]:
        """(elements to a chunk, the grid, the kernels' types)."""
        a, c, n = form
        columns, ctype = n == 1, CTYPE[arrays[0].dtype]
        size = max(CHUNK // 32 if columns else CHUNK, -(-a * n // PARTS))
        size = -(-size // 8) * 8  # whole packs
        v = 1 if columns else width(n, ctype, *arrays)
        grid = (-(-c // 32) if columns else c, -(-a * n // size))
        return size, grid, (ctype, str(v), "true" if columns else "false")

    def _channel_sums(
        self, g: Array, x: Array, mean: Array | None, form: tuple[int, int, int], made: Array | None = None
    ) -> Array:
        """(2, c): the sums of g * (x - mean) and of g; `made`: the result of a relu that g goes through."""
        size, blocks, types = self._chunks(form, g, x, g if made is None else made)
        parts = self.empty((blocks[1], 2, form[1]), _wide(x))
        flags = (launch.BOOL[mean is not None], launch.BOOL[made is not None])
        args = (g, x, g if made is None else made, g if mean is None else mean, parts, *launch.i64(*form, size), *flags)
        launch.kernel("channel_sums", *types)(blocks, (256,), args)
        return self._add_parts(parts)

    def _batch_norm(self, x: Array, w: Array, b: Array, dims: Ints, eps: float, relu: bool) -> Any:
        """The result (its relu), the mean and the variance; None where the kernels do not take the arrays."""
        form, ctype, kind = channels(x.shape, dims), _batch_type(x, [], [w, b]), _wide(x)
        if form is None or ctype is None or not w.size == b.size == form[1]:
            return None
        x, w, b = self.contiguous(x), self.contiguous(w), self.contiguous(b)
        a, c, n = form
        y, mean, var = self.empty(x.shape, x.dtype), self._small(x, dims, kind), self._small(x, dims, kind)
        size, blocks, types = self._chunks(form, x)
        parts = self.empty((blocks[1], 2, c), kind)
        launch.kernel("channel_stats", *types)(blocks, (256,), (x, parts, *launch.i64(*form, size)))
        launch.kernel("merge_stats", CTYPE[parts.dtype])(
            *launch.grid(32 * c), (parts, mean, var, *launch.i64(blocks[1], c, size, a * n))
        )
        v = width(_packed(c, n, ctype), ctype, x, y)
        args = (x, w, b, mean, var, y, *launch.i64(x.size, c, n), launch.floats(kind)[eps], launch.BOOL[relu])
        launch.kernel("channel_apply", ctype, str(v))(*launch.grid(x.size, each=v), args)
        return y, mean, var

    def _batch_norm_backward(
        self, g: Array, x: Array, w: Array, mean: Array, var: Array, dims: Ints, eps: float, made: Array | None
    ) -> Any:
        """The gradients of x, w and b; None where the kernels do not take the arrays. made: the result of a relu."""
        form, ctype = channels(x.shape, dims), _batch_type(x, [g, made], [w, mean, var])
        if form is None or ctype is None or not w.size == mean.size == var.size == form[1]:
            return None
        g, x, w, mean, var = (self.contiguous(t) for t in (g, x, w, mean, var))
        made = None if made is None else self.contiguous(made)
        a, c, n = form
        sums = self._channel_sums(g, x, mean, form, made)
        dx, dw, db = self.empty(x.shape, x.dtype), self.empty(w.shape, w.dtype), self.empty(w.shape, w.dtype)
        rectified = launch.BOOL[made is not None]
        made = g if made is None else made
        v = width(_packed(c, n, ctype), ctype, g, x, made, dx)
        args = (
            g,
            x,
            made,
            w,
            mean,
            var,
            sums,
            dx,
            dw,
            db,
            *launch.i64(x.size, c, n, a * n),
            launch.floats(x.dtype)[eps],
            rectified,
        )
        launch.kernel("channel_apply_backward", ctype, str(v))(*launch.grid(x.size, each=v), args)
        return dx, dw, db

    def batch_normalize(self, x: Array, w: Array, b: Array, dims: Ints, eps: float) -> tuple[Array, Array, Array]:
        found = self._batch_norm(x, w, b, dims, eps, False)
        return super().batch_normalize(x, w, b, dims, eps) if found is None else found  # type: ignore[misc, no-any-return]

    def batch_normalize_backward(
        self, g: Array, x: Array, w: Array, mean: Array, var: Array, dims: Ints, eps: float
    ) -> tuple[Array, Array, Array]:
        found = self._batch_norm_backward(g, x, w, mean, var, dims, eps, None)
        if found is None:
            return super().batch_normalize_backward(g, x, w, mean, var, dims, eps)  # type: ignore[misc, no-any-return]
        return found  # type: ignore[no-any-return]

    def normalize_by(self, x: Array, mean: Array, var: Array, w: Array | None, b: Array | None, eps: float) -> Array:
        form = (x.shape[0], x.shape[1], prod(x.shape[2:]))
        arrays = [mean, var] if w is None or b is None else [mean, var, w, b]
        ctype = _batch_type(x, [], arrays)
        if ctype is None or w is None or b is None or any([t.size != form[1] for t in arrays]):
            return super().normalize_by(x, mean, var, w, b, eps)  # type: ignore[misc]
        x, arrays = self.contiguous(x), [self.contiguous(t) for t in (w, b, mean, var)]
        y, (_, c, n) = self.empty(x.shape, x.dtype), form
        v = width(_packed(c, n, ctype), ctype, x, y)
        args = (x, *arrays, y, *launch.i64(x.size, c, n), launch.floats(x.dtype)[eps], launch.BOOL[False])
        launch.kernel("channel_apply", ctype, str(v))(*launch.grid(x.size, each=v), args)
        return y

    def batch_normalize_relu(self, x: Array, w: Array, b: Array, dims: Ints, eps: float) -> tuple[Array, Array, Array]:
        found = self._batch_norm(x, w, b, dims, eps, True)
        return super().batch_normalize_relu(x, w, b, dims, eps) if found is None else found  # type: ignore[misc, no-any-return]

    def batch_normalize_relu_backward(
        self, g: Array, x: Array, w: Array, y: Array, mean: Array, var: Array, dims: Ints, eps: float
    ) -> tuple[Array, Array, Array]:
        found = self._batch_norm_backward(g, x, w, mean, var, dims, eps, y)
        if found is None:
            return super().batch_normalize_relu_backward(g, x, w, y, mean, var, dims, eps)  # type: ignore[misc, no-any-return]
        return found  # type: ignore[no-any-return]
