"""Normalisation of channels on CUDA: batch norm, by partial sums in a fixed order, and batch norm with the relu behind it."""

from __future__ import annotations

from math import prod
from typing import Any

from . import launch
from .rows import CTYPE, FLOATS, ROWS, SINGLE, VECTOR, wide, width

Array = Any

Ints = tuple[int, ...]

CHUNK = 8192  # elements of a channel to a block
PARTS = 256  # blocks to a channel

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

_SPANS = [(c, *form) for c in FLOATS for form in ((str(VECTOR[c]), "false"), ("1", "false"), ("1", "true"))]
_PACKS = [(c, str(v)) for c in FLOATS for v in (VECTOR[c], 1)]
launch.register("channel_stats", ROWS + CHANNELS + CHANNEL_STATS, _SPANS)
launch.register("merge_stats", MERGE_STATS, [(c,) for c in SINGLE])
launch.register("channel_sums", ROWS + CHANNELS + CHANNEL_SUMS, _SPANS)
launch.register("channel_apply", CHANNEL_APPLY, _PACKS)
launch.register("channel_apply_backward", CHANNEL_APPLY_BACKWARD, _PACKS)


def _batch_type(x: Array, alike: list[Array | None], small: list[Array]) -> str | None:
    """The C type of x, whose dtype `alike` have; `small` are of what it is computed in."""
    found, kind = CTYPE.get(x.dtype), wide(x.dtype)
    if found not in FLOATS or not x.size or any([t.dtype != kind for t in small]):
        return None
    return None if any([t is not None and (t.dtype != x.dtype or t.shape != x.shape) for t in alike]) else found


def channels(shape: Ints, dims: Ints) -> tuple[int, int, int] | None:
    """(a, c, n) for a reduction over all but the second axis, else None."""
    if len(shape) < 2 or [i for i in range(len(shape)) if i not in dims] != [1]:
        return None
    return shape[0], shape[1], prod(shape[2:])


def _packed(c: int, n: int, ctype: str) -> int:
    """What the elements of a pack must divide, for packs of (a, c, n) in at most two channels, or over channels."""
    return c if n == 1 else 0 if n >= VECTOR[ctype] else 1


class CudaChannels:
    """Mixed into CupyBackend."""

    batches_half = True
    xp: Any
    contiguous: Any
    empty: Any
    _small: Any
    _add_parts: Any

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
        parts = self.empty((blocks[1], 2, form[1]), wide(x.dtype))
        flags = (launch.BOOL[mean is not None], launch.BOOL[made is not None])
        args = (g, x, g if made is None else made, g if mean is None else mean, parts, *launch.i64(*form, size), *flags)
        launch.kernel("channel_sums", *types)(blocks, (256,), args)
        return self._add_parts(parts)

    def _batch_norm(self, x: Array, w: Array, b: Array, dims: Ints, eps: float, relu: bool) -> Any:
        """The result (its relu), the mean and the variance; None where the kernels do not take the arrays."""
        form, ctype, kind = channels(x.shape, dims), _batch_type(x, [], [w, b]), wide(x.dtype)
        if form is None or ctype is None or not w.size == b.size == form[1]:
            return None
        x, w, b = self.contiguous(x), self.contiguous(w), self.contiguous(b)
        a, c, n = form
        y, mean, var = self.empty(x.shape, x.dtype), self._small(x, dims, kind), self._small(x, dims, kind)
        size, blocks, types = self._chunks(form, x)
        parts = self.empty((blocks[1], 2, c), kind)
        launch.kernel("channel_stats", *types)(blocks, (256,), (x, parts, *launch.i64(*form, size)))
        launch.kernel("merge_stats", CTYPE[parts.dtype]).over(
            32 * c, (parts, mean, var, *launch.i64(blocks[1], c, size, a * n))
        )
        v = width(_packed(c, n, ctype), ctype, x, y)
        args = (x, w, b, mean, var, y, *launch.i64(x.size, c, n), launch.floats(kind)[eps], launch.BOOL[relu])
        launch.kernel("channel_apply", ctype, str(v)).over(x.size, args, v)
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
        launch.kernel("channel_apply_backward", ctype, str(v)).over(x.size, args, v)
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
        launch.kernel("channel_apply", ctype, str(v)).over(x.size, args, v)
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
