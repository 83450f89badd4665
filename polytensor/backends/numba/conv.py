"""Convolution: im2col in parallel over planes, then one GEMM per image and group (BLAS owns the threads there)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from ..conv import out_size
from .threads import Kernel

Pair = tuple[int, int]
WORKSPACE = 1 << 18  # elements of columns held at a time: they should stay in the cache


def _im2col(
    x: Any, h: int, w: int, oh: int, ow: int, kh: int, kw: int, sh: int, sw: int, ph: int, pw: int, dh: int, dw: int,
    cols: Any,
) -> None:  # fmt: skip
    """For each plane of x: kh * kw rows of oh * ow elements, zero where the window leaves the plane."""
    planes = x.size // (h * w)
    xs, cs = x.reshape(planes, h, w), cols.reshape(planes * kh * kw, oh, ow)
    for plane in prange(planes):
        for k in range(kh * kw):
            row = np.uint64(plane * kh * kw + k)  # unsigned indices cannot wrap: the inner loops are plain copies
            top, left = k // kw * dh - ph, k % kw * dw - pw
            # output columns whose input column lies inside: 0 <= j * sw + left < w
            first = min(ow, max(0, (sw - 1 - left) // sw))
            last = max(first, min(ow, (w - 1 - left) // sw + 1))
            for i in range(oh):
                r = i * sh + top
                if r < 0 or r >= h:
                    for j in range(ow):
                        cs[row, i, j] = 0
                    continue
                for j in range(first):
                    cs[row, i, j] = 0
                for j in range(last, ow):
                    cs[row, i, j] = 0
                if sw == 1:
                    for j in range(np.uint64(first), np.uint64(last)):
                        cs[row, np.uint64(i), j] = xs[plane, np.uint64(r), np.uint64(j + np.uint64(left))]
                else:
                    for j in range(first, last):
                        cs[row, i, j] = xs[plane, r, j * sw + left]


def _col2im(
    cols: Any, h: int, w: int, oh: int, ow: int, kh: int, kw: int, sh: int, sw: int, ph: int, pw: int, dh: int, dw: int,
    x: Any,
) -> None:  # fmt: skip
    """The adjoint of _im2col: x is overwritten with the sums."""
    planes = x.size // (h * w)
    xs, cs = x.reshape(planes, h, w), cols.reshape(planes * kh * kw, oh, ow)
    for plane in prange(planes):
        xs[plane] = 0
        for k in range(kh * kw):
            row = np.uint64(plane * kh * kw + k)
            top, left = k // kw * dh - ph, k % kw * dw - pw
            first = min(ow, max(0, (sw - 1 - left) // sw))
            last = max(first, min(ow, (w - 1 - left) // sw + 1))
            for i in range(oh):
                r = i * sh + top
                if r < 0 or r >= h:
                    continue
                if sw == 1:
                    for j in range(np.uint64(first), np.uint64(last)):
                        xs[plane, np.uint64(r), np.uint64(j + np.uint64(left))] += cs[row, np.uint64(i), j]
                else:
                    for j in range(first, last):
                        xs[plane, r, j * sw + left] += cs[row, i, j]


def _add_bias(y: Any, b: Any, area: int) -> None:
    for plane in prange(y.size // area):
        ys = y[plane * area : (plane + 1) * area]
        v = b[plane % b.size]
        for i in range(ys.size):
            ys[i] += v


im2col_kernel = Kernel(_im2col)
col2im_kernel = Kernel(_col2im)
add_bias_kernel = Kernel(_add_bias)


class Windows:
    """The geometry of one convolution: x (N, C, H, W) read through (kh, kw) windows, oh * ow of them."""

    def __init__(
        self, shape: tuple[int, ...], kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int
    ) -> None:
        self.n, self.c, self.h, self.w = shape
        self.oh = out_size(self.h, kernel[0], stride[0], padding[0], dilation[0])
        self.ow = out_size(self.w, kernel[1], stride[1], padding[1], dilation[1])
        self.groups = groups
        self.rows = self.c // groups * kernel[0] * kernel[1]
        self.area = self.oh * self.ow
        self.attrs = (self.h, self.w, self.oh, self.ow, *kernel, *stride, *padding, *dilation)
        # a 1 x 1 convolution reads x itself
        self.plain = kernel == stride == (1, 1) and padding == (0, 0)
        self.images = max(1, min(self.n, WORKSPACE // max(1, self.rows * groups * self.area)))

    def empty(self, dtype: Any) -> Any:
        """Columns of as many images as are done at a time."""
        return np.empty((self.images, self.groups, self.rows, self.area), dtype)

    def chunks(self) -> Any:
        """The images, a workspace at a time."""
        for start in range(0, self.n, self.images):
            yield slice(start, min(self.n, start + self.images))

    def columns(self, x: Any, cols: Any) -> Any:
        """x's columns (images, groups, rows, area), in `cols`."""
        if self.plain:
            return x.reshape(len(x), self.groups, self.rows, self.area)
        cols = cols[: len(x)]
        im2col_kernel(0.3 * cols.size, x.reshape(-1), *self.attrs, cols.reshape(-1))
        return cols


def conv2d(
    x: Any, w: Any, b: Any, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Any:
    """The contract's conv2d for contiguous arrays with elements."""
    o = w.shape[0]
    win = Windows(x.shape, w.shape[2:], stride, padding, dilation, groups)
    y = np.empty((win.n, o, win.oh, win.ow), x.dtype)
    ys = y.reshape(win.n, groups, o // groups, win.area)
    wm = w.reshape(groups, o // groups, win.rows)
    cols = None if win.plain else win.empty(x.dtype)
    for s in win.chunks():
        np.matmul(wm, win.columns(x[s], cols), out=ys[s])
    if b is not None:
        add_bias_kernel(0.05 * y.size, y.reshape(-1), b, win.area)
    return y


def conv2d_grad_input(
    g: Any, w: Any, shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Any:
    o = w.shape[0]
    win = Windows(shape, w.shape[2:], stride, padding, dilation, groups)
    dx = np.empty(shape, g.dtype)
    gs = g.reshape(win.n, groups, o // groups, win.area)
    wt = w.reshape(groups, o // groups, win.rows).swapaxes(1, 2)
    if win.plain:
        np.matmul(wt, gs, out=dx.reshape(win.n, groups, win.rows, win.area))
        return dx
    buffer = win.empty(g.dtype)
    for s in win.chunks():
        cols = buffer[: s.stop - s.start]
        np.matmul(wt, gs[s], out=cols)
        col2im_kernel(0.4 * cols.size, cols.reshape(-1), *win.attrs, dx[s].reshape(-1))
    return dx


def conv2d_grad_weight(
    g: Any, x: Any, shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Any:
    o = shape[0]
    win = Windows(x.shape, shape[2:], stride, padding, dilation, groups)
    dw = np.zeros(shape, g.dtype)
    total = dw.reshape(groups, o // groups, win.rows)
    gs = g.reshape(win.n, groups, o // groups, win.area)
    cols = None if win.plain else win.empty(g.dtype)
    for s in win.chunks():
        parts = np.matmul(win.columns(x[s], cols), gs[s].swapaxes(2, 3))  # the other way round is slower
        total += parts.sum(0).swapaxes(1, 2)
    return dw
