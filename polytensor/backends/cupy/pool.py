"""Pools, and the sparse maps along an axis that averages, paddings and interpolation are: one thread per result.

No result is added to by two threads: gradients look for the windows that took their element, in a fixed order.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from ..conv import Pair, out_size
from ..resample import Plan
from .launch import CTYPES, I32, I64, NAMES, kernel, register

MAX_POOL2D = r"""
// The first maximum wins, and so does the first NaN.
template <typename T>
__global__ void max_pool2d(const T* x, T* y, i64* index, i64 total, int H, int W, int OH, int OW, int KH, int KW,
                           int SH, int SW, int PH, int PW, int DH, int DW) {
    #pragma unroll 1
    for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < total; i += (i64)gridDim.x * blockDim.x) {
        Split column = split(i, OW), row = split(column.quotient, OH);
        const T* plane = x + row.quotient * H * W;
        i64 top = row.rest * SH - PH, left = column.rest * SW - PW, where = -1;
        T best{};
        for (int a = 0; a < KH; ++a) {
            i64 h = top + (i64)a * DH;
            if (h < 0 || h >= H) continue;
            for (int b = 0; b < KW; ++b) {
                i64 w = left + (i64)b * DW;
                if (w < 0 || w >= W) continue;
                T v = plane[h * W + w];
                if (where < 0 || greater(v, best)) { best = v; where = h * W + w; }
            }
        }
        y[i] = best;
        index[i] = where;
    }
}
"""

MAX_POOL2D_GRAD = r"""
// One thread per element of the input adds the gradients of the windows that took it.
template <typename T>
__global__ void max_pool2d_grad(const T* g, const i64* index, T* out, i64 total, int H, int W, int OH, int OW, int KH,
                                int KW, int SH, int SW, int PH, int PW, int DH, int DW) {
    #pragma unroll 1
    for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < total; i += (i64)gridDim.x * blockDim.x) {
        Split column = split(i, W), row = split(column.quotient, H);
        i64 h = row.rest + PH, w = column.rest + PW, here = row.rest * W + column.rest;
        i64 top = h - (i64)(KH - 1) * DH, left = w - (i64)(KW - 1) * DW;
        int first = top > 0 ? (int)((top + SH - 1) / SH) : 0, last = (int)min(h / SH, (i64)OH - 1);
        int from = left > 0 ? (int)((left + SW - 1) / SW) : 0, to = (int)min(w / SW, (i64)OW - 1);
        acc_t<T> sum = 0;
        for (int a = first; a <= last; ++a)
            for (int b = from; b <= to; ++b) {
                i64 k = (row.quotient * OH + a) * OW + b;
                if (index[k] == here) sum += load(g + k);
            }
        store(out + i, sum);
    }
}
"""

GREATER = r"""
template <typename T> __device__ __forceinline__ bool greater(T v, T best) {
    acc_t<T> a = to_acc(v), b = to_acc(best);
    return a > b || (a != a && b == b);
}
"""

PLANE_GATHER = r"""
// out[p, k] = x[p, index[p, k]] for planes p of `area` elements and `size` results.
template <typename T>
__global__ void plane_gather(const T* x, const i64* index, T* out, i64 total, i64 area, i64 size) {
    #pragma unroll 1
    for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < total; i += (i64)gridDim.x * blockDim.x) {
        i64 k = index[i];
        out[i] = k < 0 || k >= area ? T{} : x[split(i, size).quotient * area + k];
    }
}
"""

WINDOW_ARGMAX = r"""
// The flat position of the first maximum over windows in three dimensions of n0 * n1 * n2. Along dimension d output o reads
// the inputs ins[starts[o]] .. ins[starts[o + 1] - 1].
template <typename T>
__global__ void window_argmax(const T* x, i64* at, i64 total, i64 n0, i64 n1, i64 n2, i64 m0, i64 m1, i64 m2,
                              const int* starts0, const int* ins0, const int* starts1, const int* ins1,
                              const int* starts2, const int* ins2) {
    #pragma unroll 1
    for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < total; i += (i64)gridDim.x * blockDim.x) {
        Split c = split(i, m2), b = split(c.quotient, m1), a = split(b.quotient, m0);
        const T* volume = x + a.quotient * n0 * n1 * n2;
        T best{};
        i64 where = -1;
        for (int p = starts0[a.rest]; p < starts0[a.rest + 1]; ++p)
            for (int q = starts1[b.rest]; q < starts1[b.rest + 1]; ++q)
                for (int r = starts2[c.rest]; r < starts2[c.rest + 1]; ++r) {
                    i64 k = ((i64)ins0[p] * n1 + ins1[q]) * n2 + ins2[r];
                    T v = volume[k];
                    if (where < 0 || greater(v, best)) { best = v; where = k; }
                }
        at[i] = where < 0 ? 0 : where;
    }
}
"""

RESAMPLE = r"""
// y[o, m, i] = scale * sum over the entries k of output m of weights[k] * x[o, ins[k], i].
template <typename T>
__global__ void resample(const T* x, T* y, const int* starts, const int* ins, const acc_t<T>* weights, acc_t<T> scale,
                         i64 total, i64 n, i64 size, i64 inner) {
    #pragma unroll 1
    for (i64 t = blockIdx.x * (i64)blockDim.x + threadIdx.x; t < total; t += (i64)gridDim.x * blockDim.x) {
        Split i = split(t, inner), m = split(i.quotient, size);
        const T* from = x + m.quotient * n * inner + i.rest;
        acc_t<T> sum = 0;
        for (int k = starts[m.rest]; k < starts[m.rest + 1]; ++k) sum += weights[k] * load(from + ins[k] * inner);
        store(y + t, (acc_t<T>)(sum * scale));
    }
}
"""

FLOATS = ("float32", "float64", "float16", "bfloat16")
REAL = (*FLOATS, "int32", "int64")
MAPPED = (*REAL, "uint8")
register("max_pool2d", GREATER + MAX_POOL2D, [(CTYPES[d],) for d in REAL])
register("max_pool2d_grad", MAX_POOL2D_GRAD, [(CTYPES[d],) for d in REAL])
register("plane_gather", PLANE_GATHER, [(CTYPES[d],) for d in REAL])
register("window_argmax", GREATER + WINDOW_ARGMAX, [(CTYPES[d],) for d in REAL])
register("resample", RESAMPLE, [(CTYPES[d],) for d in MAPPED])
WIDE = {"float16": np.float32, "bfloat16": np.float32}  # what is computed in, where it is not the dtype itself
ONE = Plan(1, 1, np.zeros(1, int), np.zeros(1, int))


class PoolKernels:
    """Mixed into CupyBackend, before Backend."""

    xp: Any

    def max_pool2d(
        self: Any, x: Any, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool
    ) -> tuple[Any, Any]:
        if NAMES[x.dtype] not in REAL:
            return super().max_pool2d(x, kernel_size, stride, padding, dilation, ceil_mode)  # type: ignore[misc, no-any-return]
        window = (kernel_size, stride, padding, dilation)
        size = tuple([out_size(*a, ceil_mode) for a in zip(x.shape[2:], *window, strict=True)])
        y = self.xp.empty((*x.shape[:2], *size), x.dtype)
        index = self.xp.empty(y.shape, np.int64)
        if y.size:
            args = (self.contiguous(x), y, index, I64[y.size], *_sizes(x.shape, size, window))
            kernel("max_pool2d", CTYPES[NAMES[x.dtype]]).over(y.size, args)
        return y, index

    def max_pool2d_grad(self: Any, g: Any, index: Any, shape: tuple[int, ...], window: Any = None) -> Any:
        if window is None or NAMES[g.dtype] not in REAL or not g.size:
            return super().max_pool2d_grad(g, index, shape, window)  # type: ignore[misc]
        out = self.xp.empty(shape, g.dtype)
        args = (
            self.contiguous(g),
            self.contiguous(index),
            out,
            I64[out.size],
            *_sizes(shape, g.shape[2:], window),
        )
        kernel("max_pool2d_grad", CTYPES[NAMES[g.dtype]]).over(out.size, args)
        return out

    def max_pool2d_gather(self: Any, u: Any, index: Any) -> Any:
        if NAMES[u.dtype] not in REAL or not index.size:
            return super().max_pool2d_gather(u, index)  # type: ignore[misc]
        out = self.xp.empty(index.shape, u.dtype)
        area, size = (I64[a.shape[2] * a.shape[3]] for a in (u, index))
        args = (self.contiguous(u), self.contiguous(index), out, I64[out.size], area, size)
        kernel("plane_gather", CTYPES[NAMES[u.dtype]]).over(out.size, args)
        return out

    def window_argmax(self: Any, x: Any, dims: tuple[int, ...], plans: tuple[Plan, ...]) -> Any:
        shape = (*x.shape[: dims[0]], *(p.size for p in plans))
        if NAMES[x.dtype] not in REAL or not x.size or 0 in shape:
            return super().window_argmax(x, dims, plans)  # type: ignore[misc]
        at = self.xp.empty(shape, np.int64)
        plans = (ONE,) * (3 - len(plans)) + tuple(plans)
        sizes = [I64[v] for v in (at.size, *(p.n for p in plans), *(p.size for p in plans))]
        tables = [t for p in plans for t in self._table(p, np.dtype(np.float32))[:2]]
        kernel("window_argmax", CTYPES[NAMES[x.dtype]]).over(at.size, (self.contiguous(x), at, *sizes, *tables))
        return at

    def resample(self: Any, x: Any, dim: int, plan: Plan) -> Any:
        shape = (*x.shape[:dim], plan.size, *x.shape[dim + 1 :])
        if NAMES[x.dtype] not in MAPPED or (plan.scale != 1 and x.dtype.kind in "iu") or not x.size:
            return super().resample(x, dim, plan)  # type: ignore[misc]
        y = self.xp.empty(shape, x.dtype)
        if y.size:
            wide = np.dtype(WIDE.get(NAMES[x.dtype], x.dtype))
            sizes = [I64[v] for v in (y.size, plan.n, plan.size, prod(shape[dim + 1 :]))]
            args = (self.contiguous(x), y, *self._table(plan, wide), wide.type(plan.scale), *sizes)
            kernel("resample", CTYPES[NAMES[x.dtype]]).over(y.size, args)
        return y

    def _table(self: Any, plan: Plan, dtype: Any) -> Any:
        """Plan.rows on the device and the stream that are current, the weights in a dtype."""
        key = (self.name, self._place(), dtype)
        found = plan.tables.get(key)
        if found is None:
            starts, ins, weights = plan.rows()
            found = plan.tables[key] = tuple(
                [self.asarray(a) for a in (starts.astype(np.int32), ins.astype(np.int32), weights.astype(dtype))]
            )
        return self.hold(found)


@lru_cache(4096)
def _sizes(shape: tuple[int, ...], size: Pair, window: tuple[Pair, ...]) -> list[Any]:
    """The arguments after `total` of the kernels of max_pool2d."""
    return [I32[v] for v in (*shape[2:], *size, *(n for pair in window for n in pair))]
