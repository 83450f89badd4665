"""Normalisation of rows on CUDA (layer, RMS, group and instance norm), in the registers of a warp or a block.

The gradients of weights are sums over many rows: blocks leave partial sums, which one more launch adds up in order.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, ClassVar

import numpy as np

from . import launch
from .launch import BOOL, I64, i64
from .reduce import left
from .rows import CTYPE, FLOATS, HALVES, ROWS, SINGLE, VECTOR, forms, spread, wide, width

Array = Any

Ints = tuple[int, ...]

TOGETHER = 4  # rows at least to a row of threads that leaves a partial sum of a layer norm

NORM_ROWS = r"""
// y = (x - mean) / sqrt(var + eps) of rows of n, and with `affine` out = y * w, and + b if it is `biased`. Without `centred`
// the mean is 0 and var the mean square; y is left out unless it is kept, mean and var unless they are `told`. Row r has the
// weights (r % groups) * each + i / area, where
// each * area = n; area is 1 or a multiple of V.
template <typename T, int V, int K>
__global__ void __launch_bounds__(512, sizeof(T) == 8 ? 1 : 2)
norm_rows(const T* x, const T* w, const T* b, T* y, T* out, acc_t<T>* mean, acc_t<T>* var, i64 rows, i64 n, i64 groups,
          i64 each, i64 area, acc_t<T> eps, bool centred, bool affine, bool biased, bool kept, bool told) {
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
        if (told && threadIdx.x == 0 && count) {
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

launch.register("norm_rows", ROWS + NORM_ROWS, forms(FLOATS))
launch.register(
    "norm_rows_backward",
    ROWS + NORM_ROWS_BACKWARD,
    [*forms(FLOATS), *[(c, str(VECTOR[c]), "2") for c in HALVES]],
)
launch.register("add_parts", ADD_PARTS, [("float", "float"), ("double", "double"), *[("float", h) for h in HALVES]])


def _type(*arrays: Array) -> str | None:
    """The C type of arrays of one dtype that the kernels take, and have elements."""
    found = CTYPE.get(arrays[0].dtype)
    if found not in SINGLE or any([a.dtype != arrays[0].dtype or not a.size for a in arrays]):
        return None
    return found


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


@lru_cache(4096)
def trailing(shape: Ints, dims: Ints) -> tuple[int, int] | None:
    """(rows, n) for a reduction over the last axes, else None."""
    kept = len(shape) - len(dims)
    if not dims or sorted(dims) != list(range(kept, len(shape))):
        return None
    return prod(shape[:kept]), prod(shape[kept:])


@lru_cache(4096)
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


@lru_cache(4096)
def norm_launch(rows: int, n: int, of: Ints, ctype: str, odd: int, eps: float, flags: tuple[bool, ...]) -> Any:
    """(kernel, grid, block, arguments behind the arrays) of norm_rows. odd: 0 if all arrays begin at multiples of 16 bytes."""
    v = 1 if odd or (n if of[2] == 1 else of[2]) % VECTOR[ctype] else VECTOR[ctype]
    held, blocks, threads = spread(rows, n, v)
    kind = launch.F64 if ctype == "double" else launch.F32
    return (
        ("norm_rows", ctype, str(v), held),
        blocks,
        threads,
        (*i64(rows, n, *of), kind[eps], *map(BOOL.__getitem__, flags)),
    )


class CudaNorms:
    """Mixed into CupyBackend."""

    remakes_norms = True
    xp: Any
    contiguous: Any
    empty: Any
    nothing: Any

    _counted: ClassVar[dict[int, int]] = {}

    def _processors(self) -> int:
        """Multiprocessors of the current device."""
        device = self.xp.cuda.Device()
        if device.id not in self._counted:
            self._counted[device.id] = device.attributes["MultiProcessorCount"]
        return self._counted[device.id]

    def _small(self, x: Array, dims: Ints, dtype: Any = None) -> Array:
        return self.empty(left(x.shape, dims, True), dtype or x.dtype)

    # ---- rows -------------------------------------------------------------------------------------------------------
    def _norm_rows(
        self, x: Array, dims: Ints, eps: float, form: tuple[int, int], centred: bool, w: Array = None, b: Array = None,
        of: Ints = (1, 1, 1), kept: bool = True, told: bool = True,
    ) -> tuple[Array, Array, Array, Array]:  # fmt: skip
        """(y * w + b or y, y where it is kept, mean, var, where they are told)."""
        x, (rows, n), kind = self.contiguous(x), form, wide(x.dtype)
        y, var = self.empty(x.shape, x.dtype) if kept else x, self._small(x, dims, kind) if told else self.nothing(kind)
        mean = self._small(x, dims, kind) if centred and told else var
        out = y if w is None else self.empty(x.shape, x.dtype)
        ctype = CTYPE[x.dtype]
        biased, w = b is not None, x if w is None else self.contiguous(w)
        b = self.contiguous(b) if biased else w
        places = x.data.ptr | y.data.ptr | out.data.ptr | w.data.ptr | b.data.ptr
        flags = (centred, out is not y, biased, kept, told)
        key, blocks, threads, numbers = norm_launch(rows, n, of, ctype, places & 15, eps, flags)
        launch.ready[key](blocks, threads, (x, w, b, y, out, mean, var, *numbers))
        return out, y, mean, var

    def _norm_rows_backward(
        self, g: Array, y: Array, var: Array, eps: float, form: tuple[int, int], centred: bool, w: Array = None,
        of: Ints = (1, 1, 1), mean: Array = None, raw: bool = False,
    ) -> tuple[Array, Array | None]:  # fmt: skip
        """dx, and the partial sums of g * y and g where the weights are those of a row. raw: y is x."""
        g, y, var, (rows, n) = self.contiguous(g), self.contiguous(y), self.contiguous(var), form
        dx, kind = self.empty(y.shape, y.dtype), wide(y.dtype)
        w, affine = (y, False) if w is None else (self.contiguous(w), True)
        v = width(n if of[2] == 1 else of[2], CTYPE[y.dtype], g, y, dx, w)
        held, blocks, threads = spread(rows, n, v, True)
        sums = affine and of[0] == of[2] == 1 and held != "0"
        parts = None
        if sums:
            count = one_wave(rows, threads, self._processors() * max(1, resident(v, held, kind) // prod(threads)))
            blocks = (count,)
            parts = self.empty((count * (1 if threads[1] == 1 else prod(threads) // 32), 2, n), var.dtype)
        flags = (launch.floats(kind)[eps], BOOL[centred], BOOL[affine], BOOL[raw], BOOL[sums])
        arrays = (g, w, y, var if mean is None else self.contiguous(mean), var, dx, var if parts is None else parts)
        args = (*arrays, *i64(rows, n, *of), *flags)
        launch.ready["norm_rows_backward", CTYPE[y.dtype], str(v), held](blocks, threads, args)
        return dx, parts

    def _add_parts(self, parts: Array, dtype: Any = None) -> Array:
        """The sum over the first axis."""
        dtype = parts.dtype if dtype is None else dtype
        if len(parts) == 1 and dtype == parts.dtype:
            return parts[0]
        n = parts.size // len(parts)
        out = self.empty(parts.shape[1:], dtype)
        kernel = launch.kernel("add_parts", CTYPE[parts.dtype], CTYPE[dtype])
        kernel((min(-(-n // 32), 65535),), (1024,), (parts, out, I64[len(parts)], I64[n]))
        return out

    def _layer(self, x: Array, w: Array, dims: Ints) -> tuple[int, int] | None:
        """(rows, n) where the kernels take x with weights like w over the last axes."""
        fits = x.size and CTYPE.get(x.dtype) in FLOATS and w.dtype == x.dtype and w.shape == x.shape[dims[0] :]
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
        g, x, w = self.contiguous(g), self.contiguous(x), self.contiguous(w)
        if form is None or not _held(form[1], x, g, w):
            return super().rows_rms_backward(g, x, w, square, dims, eps)  # type: ignore[misc, no-any-return]
        dx, parts = self._norm_rows_backward(g, x, square, eps, form, False, w, (1, form[1], 1), None, True)
        return dx, self._add_parts(parts, w.dtype)[0].reshape(w.shape)

    def layer_normalize(self, x: Array, w: Array, b: Array, dims: Ints, eps: float) -> Array:
        form = self._layer(x, w, dims) if w.dtype == b.dtype and w.shape == b.shape else None
        if form is None:
            return super().layer_normalize(x, w, b, dims, eps)  # type: ignore[misc]
        return self._norm_rows(x, dims, eps, form, True, w, b, (1, form[1], 1), False, False)[0]

    def rows_normalize_backward(
        self, g: Array, x: Array, w: Array, mean: Array, var: Array, dims: Ints, eps: float
    ) -> tuple[Array, Array, Array]:
        form = self._layer(x, w, dims) if g.dtype == x.dtype and g.shape == x.shape else None
        g, x, w = self.contiguous(g), self.contiguous(x), self.contiguous(w)
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
