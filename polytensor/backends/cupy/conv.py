"""Convolutions on CUDA where cuDNN is not used: columns and products in blocks, and kernels for depthwise ones.

One, two and three dimensions are the same kernels, over three dimensions of which the first may have length 1. Columns are
made for some images, or some positions of one image, at a time, so that they fit `conv_room`. Sums are of float32 for
float16 and bfloat16, in a fixed order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from ..conv import Ints, Pair, out_size
from .launch import CTYPES, I32, I64, NAMES, i64, kernel, register

__all__ = ["CudaConvKernels"]

Array = Any
TYPES = ("float32", "float64", "float16", "bfloat16", "complex64", "complex128")
WIDE = {"float16": "float32", "bfloat16": "float32"}  # what sums of a dtype are kept in
SMALL = 256  # positions below which images share one product

GEOMETRY = r"""
#define GEOMETRY int D, int H, int W, int KD, int KH, int KW, int OD, int OH, int OW, \
    int SD, int SH, int SW, int PD, int PH, int PW, int LD, int LH, int LW

// i / n and, in rest, i % n; by 32 bits where those do.
__device__ __forceinline__ i64 split(i64 i, i64 n, i64* rest) {
    if (((i | n) >> 32) == 0) {
        unsigned u = (unsigned)i, d = (unsigned)n;
        *rest = u % d;
        return u / d;
    }
    *rest = i % n;
    return i / n;
}

// The place that tap k of a window at position o reads, or -1 outside of 0 .. n - 1.
__device__ __forceinline__ int place(int o, int k, int stride, int padding, int dilation, int n) {
    int at = o * stride - padding + k * dilation;
    return at < n ? at : -1;
}

// The window whose tap k reads place i, or -1 if there is none among n.
__device__ __forceinline__ int window(int i, int k, int stride, int padding, int dilation, int n) {
    int at = i + padding - k * dilation;
    if (at < 0 || at % stride) return -1;
    at /= stride;
    return at < n ? at : -1;
}
"""

register(
    "im2col",
    GEOMETRY
    + r"""
// A thread takes one position of one channel of one image, and writes what all taps read there. Row c * taps + k of the
// columns is `row` elements from the last one, an image `image` elements. Positions first .. first + count - 1.
template <typename T>
__global__ void im2col(const T* x, T* cols, i64 total, i64 first, i64 count, i64 row, i64 image, i64 channels,
                       i64 xn, i64 xc, i64 xd, i64 xh, i64 xw, GEOMETRY) {
    #pragma unroll 1
    for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < total; i += (i64)gridDim.x * blockDim.x) {
        i64 p, c, ow, oh;
        i64 n = split(split(i, count, &p), channels, &c);
        int od = (int)split(split(first + p, OW, &ow), OH, &oh);
        const T* from = x + n * xn + c * xc;
        T* to = cols + n * image + c * KD * KH * KW * row + p;
        for (int a = 0; a < KD; ++a) {
            int d = place(od, a, SD, PD, LD, D);
            for (int b = 0; b < KH; ++b) {
                int h = place((int)oh, b, SH, PH, LH, H);
                for (int e = 0; e < KW; ++e) {
                    int w = place((int)ow, e, SW, PW, LW, W);
                    *to = (d | h | w) < 0 ? from_acc<T>(acc_t<T>{}) : from[d * xd + h * xh + w * xw];
                    to += row;
                }
            }
        }
    }
}
""",
    [(CTYPES[d],) for d in TYPES],
)

register(
    "col2im",
    GEOMETRY
    + r"""
// The adjoint of im2col: a thread gathers, in the order of the taps, what the windows over one place of x hold for it.
template <typename T, typename U>
__global__ void col2im(const U* cols, T* x, i64 total, i64 first, i64 count, i64 row, i64 image, i64 channels, int add,
                       GEOMETRY) {
    #pragma unroll 1
    for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < total; i += (i64)gridDim.x * blockDim.x) {
        i64 w, h, d, c;
        i64 n = split(split(split(split(i, W, &w), H, &h), D, &d), channels, &c);
        const U* from = cols + n * image + c * KD * KH * KW * row;
        acc_t<U> sum = acc_t<U>{};
        if (add) sum = load(x + i);
        for (int a = 0; a < KD; ++a) {
            int od = window((int)d, a, SD, PD, LD, OD);
            for (int b = 0; b < KH; ++b) {
                int oh = window((int)h, b, SH, PH, LH, OH);
                for (int e = 0; e < KW; ++e, from += row) {
                    int ow = window((int)w, e, SW, PW, LW, OW);
                    if ((od | oh | ow) < 0) continue;
                    i64 at = ((i64)od * OH + oh) * OW + ow - first;
                    if (at >= 0 && at < count) sum = sum + load(from + at);
                }
            }
        }
        store(x + i, sum);
    }
}
""",
    [
        *((CTYPES[d], CTYPES[WIDE.get(d, d)]) for d in TYPES),
        *((CTYPES[d], CTYPES[d]) for d in WIDE),
    ],
)

register(
    "depthwise",
    GEOMETRY
    + r"""
// Output channel o reads input channel o / times alone.
template <typename T>
__global__ void depthwise(const T* x, const T* weight, const T* bias, T* y, i64 total, int biased, i64 outs, int times,
                          i64 xn, i64 xc, i64 xd, i64 xh, i64 xw, GEOMETRY) {
    #pragma unroll 1
    for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < total; i += (i64)gridDim.x * blockDim.x) {
        i64 ow, oh, od, o;
        i64 n = split(split(split(split(i, OW, &ow), OH, &oh), OD, &od), outs, &o);
        const T* from = x + n * xn + o / times * xc;
        const T* factor = weight + o * KD * KH * KW;
        acc_t<T> sum = acc_t<T>{};
        for (int a = 0; a < KD; ++a) {
            int d = place((int)od, a, SD, PD, LD, D);
            for (int b = 0; b < KH; ++b) {
                int h = place((int)oh, b, SH, PH, LH, H);
                for (int e = 0; e < KW; ++e, ++factor) {
                    int w = place((int)ow, e, SW, PW, LW, W);
                    if ((d | h | w) >= 0) sum = sum + load(from + d * xd + h * xh + w * xw) * load(factor);
                }
            }
        }
        if (biased) sum = sum + load(bias + o);
        store(y + i, sum);
    }
}
""",
    [(CTYPES[d],) for d in TYPES],
)

register(
    "depthwise_grad_input",
    GEOMETRY
    + r"""
// A thread gathers the gradient of one place of x; g is C-contiguous.
template <typename T>
__global__ void depthwise_grad_input(const T* g, const T* weight, T* dx, i64 total, i64 channels, int times, GEOMETRY) {
    i64 area = (i64)OD * OH * OW;
    #pragma unroll 1
    for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < total; i += (i64)gridDim.x * blockDim.x) {
        i64 w, h, d;
        i64 plane = split(split(split(i, W, &w), H, &h), D, &d), c = plane % channels;  // plane: image * channels + c
        acc_t<T> sum = acc_t<T>{};
        for (int m = 0; m < times; ++m) {
            const T* from = g + (plane * times + m) * area;
            const T* factor = weight + (c * times + m) * KD * KH * KW;
            for (int a = 0; a < KD; ++a) {
                int od = window((int)d, a, SD, PD, LD, OD);
                for (int b = 0; b < KH; ++b) {
                    int oh = window((int)h, b, SH, PH, LH, OH);
                    for (int e = 0; e < KW; ++e, ++factor) {
                        int ow = window((int)w, e, SW, PW, LW, OW);
                        if ((od | oh | ow) >= 0)
                            sum = sum + load(from + ((i64)od * OH + oh) * OW + ow) * load(factor);
                    }
                }
            }
        }
        store(dx + i, sum);
    }
}
""",
    [(CTYPES[d],) for d in TYPES],
)

register(
    "depthwise_grad_weight",
    GEOMETRY
    + r"""
// A block adds up `each` of all (image, position) pairs for one tap of one output channel: parts[share][o * taps + k].
template <typename T>
__global__ void depthwise_grad_weight(const T* x, const T* g, acc_t<T>* parts, i64 pairs, i64 each, i64 shares, i64 outs,
                                      int times, i64 xn, i64 xc, i64 xd, i64 xh, i64 xw, GEOMETRY) {
    i64 area = (i64)OD * OH * OW, taps = KD * KH * KW;
    for (i64 job = blockIdx.x; job < shares * outs * taps; job += gridDim.x) {
        i64 k, o, e, b;
        i64 share = split(split(job, taps, &k), outs, &o);
        int a = (int)split(split(k, KW, &e), KH, &b);
        i64 end = (share + 1) * each < pairs ? (share + 1) * each : pairs;
        acc_t<T> sum = acc_t<T>{};
        for (i64 i = share * each + threadIdx.x; i < end; i += blockDim.x) {
            i64 p, ow, oh;
            i64 n = split(i, area, &p);
            int od = (int)split(split(p, OW, &ow), OH, &oh);
            int d = place(od, a, SD, PD, LD, D), h = place((int)oh, (int)b, SH, PH, LH, H),
                w = place((int)ow, (int)e, SW, PW, LW, W);
            if ((d | h | w) >= 0)
                sum = sum + load(g + (n * outs + o) * area + p) * load(x + n * xn + o / times * xc + d * xd + h * xh + w * xw);
        }
        sum = block_sum(sum);
        if (threadIdx.x == 0) parts[job / (outs * taps) * (outs * taps) + o * taps + k] = sum;
    }
}
""",
    [(CTYPES[d],) for d in TYPES],
)


def rounded() -> bool:
    """Whether float32 may be rounded to TF32, as cuDNN asks too."""
    from .. import cudnn as switches

    return bool(switches.allow_tf32)


@lru_cache(maxsize=1024)
def geometry(size: Ints, taps: Ints, out: Ints, stride: Ints, padding: Ints, dilation: Ints) -> tuple[Any, ...]:
    """The arguments GEOMETRY of a kernel."""
    front = 3 - len(size)
    parts = ((size, 1), (taps, 1), (out, 1), (stride, 1), (padding, 0), (dilation, 1))
    return tuple(I32[v] for values, missing in parts for v in (*(missing,) * front, *values))


def strides_of(x: Array) -> list[Any]:
    """Strides in elements: image, channel, depth, row, column."""
    found = [s // x.itemsize for s in x.strides]
    return [I64[s] for s in (*found[:2], *(0,) * (5 - x.ndim), *found[2:])]


def gathered(g: Array, groups: int) -> Array:
    """(images, channels, positions) as (groups, channels of a group, images * positions)."""
    m, c, area = g.shape
    return g.swapaxes(0, 1).reshape(groups, c // groups, m * area)


def prefer(owner: Any, name: str, mine: str, takes: Callable[[Array], bool]) -> None:
    """Give a class the kernel `name`: by its method `mine` where that takes the first array and answers, else by the next class."""

    def kernel(self: Any, x: Array, *args: Any) -> Array:
        y = getattr(self, mine)(x, *args) if takes(x) else None
        return getattr(super(owner, self), name)(x, *args) if y is None else y

    kernel.__name__ = name
    setattr(owner, name, kernel)


class CudaConvKernels:
    """Mixed into CupyBackend; see ConvKernels for what each kernel gives."""

    xp: Any
    product: Any
    contiguous: Any
    zeros: Any
    cast: Any
    conv_room = 1 << 28  # bytes of columns made at a time

    # ---- what Backend names ---------------------------------------------------------------------------------------------
    def unfold_windows(self, x: Array, kernel: Pair, dilation: Pair, padding: Pair, stride: Pair) -> Array:
        if NAMES[x.dtype] not in TYPES:
            return super().unfold_windows(x, kernel, dilation, padding, stride)  # type: ignore[misc]
        out = tuple(out_size(*a) for a in zip(x.shape[2:], kernel, stride, padding, dilation, strict=True))
        return self._to_columns(
            x, geometry(x.shape[2:], tuple(kernel), out, stride, padding, dilation), prod(kernel), prod(out)
        )

    def fold_windows(
        self, x: Array, shape: Ints, kernel: Pair, dilation: Pair, padding: Pair, stride: Pair
    ) -> Array:  # fmt: skip
        if NAMES[x.dtype] not in TYPES:
            return super().fold_windows(x, shape, kernel, dilation, padding, stride)  # type: ignore[misc]
        out = tuple(out_size(*a) for a in zip(shape[2:], kernel, stride, padding, dilation, strict=True))
        folded = self.xp.empty(shape, x.dtype)
        form = geometry(tuple(shape[2:]), tuple(kernel), out, stride, padding, dilation)
        self._from_columns(self.contiguous(x), folded, form, prod(kernel), prod(out))
        return folded

    # ---- columns --------------------------------------------------------------------------------------------------------
    def _to_columns(
        self, x: Array, form: tuple[Any, ...], taps: int, area: int, first: int = 0, count: int | None = None,
        together: bool = False,
    ) -> Array:  # fmt: skip
        """(images, channels * taps, count), or with `together` (channels * taps, images * count)."""
        count = area if count is None else count
        m, c = x.shape[:2]
        shape = (c * taps, m * count) if together else (m, c * taps, count)
        cols = self.xp.empty(shape, x.dtype)
        if cols.size:
            row, image = (m * count, count) if together else (count, c * taps * count)
            numbers = (m * c * count, first, count, row, image, c)
            args = (x, cols, *i64(*numbers), *strides_of(x), *form)
            kernel("im2col", CTYPES[NAMES[x.dtype]]).over(m * c * count, args)
        return cols

    def _from_columns(
        self, cols: Array, x: Array, form: tuple[Any, ...], taps: int, area: int, first: int = 0, count: int | None = None,
        together: bool = False,
    ) -> None:  # fmt: skip
        """Columns (as _to_columns gives them) into x, C-contiguous; added to it from the second block of an image on."""
        count = area if count is None else count
        m, c = x.shape[:2]
        if x.size:
            row, image = (m * count, count) if together else (count, c * taps * count)
            numbers = (x.size, first, count, row, image, c)
            args = (cols, x, *i64(*numbers), I32[first > 0], *form)
            kernel("col2im", CTYPES[NAMES[x.dtype]], CTYPES[NAMES[cols.dtype]]).over(x.size, args)

    def _blocks(self, n: int, rows: int, area: int, size: int) -> Iterator[tuple[int, int, int, int]]:
        """(first image, images, first position, positions) of blocks whose columns fit the room."""
        room = self.conv_room // size
        step = room // max(1, rows * area)
        if step:
            for i in range(0, n, step):
                yield i, min(step, n - i), 0, area
        else:
            width = max(1, room // max(1, rows))
            for i in range(n):
                for p in range(0, area, width):
                    yield i, 1, p, min(width, area - p)

    # ---- the three products ---------------------------------------------------------------------------------------------
    def _convolve(
        self, x: Array, w: Array, b: Array | None, stride: Ints, padding: Ints, dilation: Ints, groups: int
    ) -> Array:
        xp, (n, c), (o, cg), taps = self.xp, x.shape[:2], w.shape[:2], prod(w.shape[2:])
        spans = zip(x.shape[2:], w.shape[2:], stride, padding, dilation, strict=True)
        out = tuple([out_size(*a) for a in spans])
        y = xp.empty((n, o, *out), x.dtype)
        if y.size == 0:
            return y
        area, w = prod(out), self.contiguous(w)
        form = geometry(x.shape[2:], w.shape[2:], out, tuple(stride), tuple(padding), tuple(dilation))
        if groups == c > 1:
            args = (x, w, w if b is None else self.contiguous(b), y, I64[y.size], I32[b is not None])
            times = I64[o], I32[o // c]
            kernel("depthwise", CTYPES[NAMES[x.dtype]]).over(y.size, (*args, *times, *strides_of(x), *form))
            return y
        og = o // groups
        wm, ys = w.reshape(groups, og, cg * taps), y.reshape(n, groups, og, area)
        bias = None if b is None else b.reshape(groups, og, 1)
        if is_pointwise(w.shape[2:], stride, padding):
            if bias is not None:
                ys[...] = bias
            self.product(wm, x.reshape(n, groups, cg, area), ys, bias is not None, rounded())
            return y
        for i, m, first, count in self._blocks(n, c * taps, area, x.itemsize):
            together = m > 1 and (groups > 1 or area < SMALL)
            cols = self._to_columns(x[i : i + m], form, taps, area, first, count, together)
            if together:
                cols = cols.reshape(groups, cg * taps, m * area)
                part = xp.empty((groups, og, m * area), x.dtype)
            else:
                cols = cols.reshape(m, groups, cg * taps, count)
                part = ys[i : i + m, :, :, first : first + count]
            if bias is not None:
                part[...] = bias
            self.product(wm, cols, part, bias is not None, rounded())
            if together:
                ys[i : i + m] = part.reshape(groups, og, m, area).transpose(2, 0, 1, 3)
        return y

    def _to_input(
        self, g: Array, w: Array, shape: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int
    ) -> Array:
        xp, (n, c), o, taps, out = self.xp, shape[:2], w.shape[0], prod(w.shape[2:]), g.shape[2:]
        if g.size == 0 or w.size == 0:
            return self.zeros(shape, g.dtype)
        dx = xp.empty(shape, g.dtype)
        if dx.size == 0:
            return dx
        area, w, name = prod(out), self.contiguous(w), NAMES[g.dtype]
        form = geometry(tuple(shape[2:]), w.shape[2:], out, tuple(stride), tuple(padding), tuple(dilation))
        if groups == c > 1:
            args = (self.contiguous(g), w, dx, I64[dx.size], I64[c], I32[o // c], *form)
            kernel("depthwise_grad_input", CTYPES[name]).over(dx.size, args)
            return dx
        og, cg = o // groups, c // groups
        wt, gs = w.reshape(groups, og, cg * taps).swapaxes(1, 2), g.reshape(n, o, area)
        if is_pointwise(w.shape[2:], stride, padding) and tuple(shape[2:]) == out:
            self.product(wt, gs.reshape(n, groups, og, area), dx.reshape(n, groups, cg, area), tf32=rounded())
            return dx
        wide = np.dtype(WIDE.get(name, name))
        blocks = list(self._blocks(n, c * taps, area, wide.itemsize))
        total = xp.empty(shape, wide) if blocks[0][3] < area and wide != g.dtype else dx
        for i, m, first, count in blocks:
            together = m > 1 and (groups > 1 or area < SMALL)
            part = gs[i : i + m, :, first : first + count]
            part = gathered(part, groups) if together else part.reshape(m, groups, og, count)
            cols = xp.empty((*part.shape[:-2], cg * taps, part.shape[-1]), wide)
            self.product(wt, part, cols, tf32=rounded())
            self._from_columns(cols, total[i : i + m], form, taps, area, first, count, together)
        return total if total is dx else self.cast(total, g.dtype)

    def _to_weight(
        self, g: Array, x: Array, shape: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int
    ) -> Array:
        xp, (n, c), o, taps, out = self.xp, x.shape[:2], shape[0], prod(shape[2:]), g.shape[2:]
        if g.size == 0 or x.size == 0:
            return self.zeros(shape, g.dtype)
        area, name = prod(out), NAMES[g.dtype]
        wide, cg, og = np.dtype(WIDE.get(name, name)), c // groups, o // groups
        form = geometry(x.shape[2:], tuple(shape[2:]), out, tuple(stride), tuple(padding), tuple(dilation))
        if groups == c > 1:
            pairs = n * area
            shares = max(1, min(pairs // 4096, 2048 // (o * taps)))
            each = -(-pairs // shares)
            parts = xp.empty((shares, o * taps), wide)
            numbers = map(np.int64, (pairs, each, shares, o))
            args = (x, self.contiguous(g), parts, *numbers, I32[o // c], *strides_of(x), *form)
            kernel("depthwise_grad_weight", CTYPES[name]).over(parts.size * 256, args)
            dw = parts[0] if shares == 1 else parts.sum(axis=0)
            return self.cast(dw, g.dtype).reshape(shape)
        dw = xp.empty((groups, og, cg * taps), wide)
        gs = g.reshape(n, o, area)
        if is_pointwise(tuple(shape[2:]), stride, padding) and out == x.shape[2:]:
            xs = x.reshape(n, c, area)
            if n > 1 and area * (o + c) > 2 * og * c:  # a sum of products moves less memory than images side by side
                many = xp.empty((n, groups, og, cg), wide)
                gm, xm = gs.reshape(n, groups, og, area), xs.reshape(n, groups, cg, area).swapaxes(2, 3)
                self.product(gm, xm, many, tf32=rounded())
                dw = many.sum(axis=0)
            else:
                self.product(gathered(gs, groups), gathered(xs, groups).swapaxes(1, 2), dw, tf32=rounded())
            return self.cast(dw, g.dtype).reshape(shape)
        for i, m, first, count in self._blocks(n, c * taps, area, x.itemsize):
            cols = self._to_columns(x[i : i + m], form, taps, area, first, count, True).reshape(
                groups, cg * taps, m * count
            )
            part = gathered(gs[i : i + m, :, first : first + count], groups)
            self.product(part, cols.swapaxes(1, 2), dw, i + first > 0, rounded())
        return self.cast(dw, g.dtype).reshape(shape)


for _form in ("conv2d", "convnd"):  # of one dimension `base` makes two
    for _name, _mine in (("", "_convolve"), ("_grad_input", "_to_input"), ("_grad_weight", "_to_weight")):
        prefer(CudaConvKernels, _form + _name, _mine, lambda x: x.ndim != 3 and NAMES[x.dtype] in TYPES)


def is_pointwise(kernel: Ints, stride: Ints, padding: Ints) -> bool:
    return set(kernel) <= {1} and set(stride) <= {1} and not any(padding)
