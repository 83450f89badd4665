"""Max pooling over planes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from ..conv import out_size
from .threads import Kernel

Pair = tuple[int, ...]  # of two


def _max_pool(
    x: Any, h: int, w: int, oh: int, ow: int, kh: int, kw: int, sh: int, sw: int, ph: int, pw: int, dh: int, dw: int,
    y: Any, idx: Any,
) -> None:  # fmt: skip
    """Each window's maximum and its flat index in the plane; the first maximum wins, and NaN wins over numbers."""
    for plane in prange(y.size // (oh * ow)):
        xs = x[plane * h * w : (plane + 1) * h * w]
        ys = y[plane * oh * ow : (plane + 1) * oh * ow]
        ks = idx[plane * oh * ow : (plane + 1) * oh * ow]
        for i in range(oh):
            top = i * sh - ph
            while top < 0:
                top += dh
            bottom = min(h, i * sh - ph + (kh - 1) * dh + 1)
            for j in range(ow):
                left = j * sw - pw
                while left < 0:
                    left += dw
                right = min(w, j * sw - pw + (kw - 1) * dw + 1)
                at = top * w + left
                best = x.dtype.type(-np.inf)
                for r in range(top, bottom, dh):
                    for c in range(left, right, dw):
                        v = xs[r * w + c]
                        if v > best or (v != v and best == best):
                            best = v
                            at = r * w + c
                ys[i * ow + j] = best
                ks[i * ow + j] = at


def _max_pool_2x2(x: Any, h: int, w: int, oh: int, ow: int, y: Any, idx: Any) -> None:
    """Windows of 2 x 2 side by side, without branches (unsigned indices cannot wrap)."""
    one, two = np.uint64(1), np.uint64(2)
    for plane in prange(y.size // (oh * ow)):
        for i in range(oh):
            start = plane * h * w + 2 * i * w
            above, below = x[start : start + w], x[start + w : start + 2 * w]
            out = (plane * oh + i) * ow
            ys, ks = y[out : out + ow], idx[out : out + ow]
            for j in range(np.uint64(ow)):
                a, b, c, d = above[two * j], above[two * j + one], below[two * j], below[two * j + one]
                right_above = (b > a) | (np.isnan(b) & (a == a))
                right_below = (d > c) | (np.isnan(d) & (c == c))
                u = b if right_above else a
                v = d if right_below else c
                lower = (v > u) | (np.isnan(v) & (u == u))
                ys[j] = v if lower else u
                ks[j] = 2 * i * w + np.int64(two * j) + (w + right_below if lower else np.int64(right_above))


def _scatter(g: Any, idx: Any, size: int, area: int, out: Any) -> None:
    """Per plane: zero the `area` elements of out, then add `size` gradients at their indices."""
    for plane in prange(g.size // size):
        o = out[plane * area : (plane + 1) * area]
        gs, ks = g[plane * size : (plane + 1) * size], idx[plane * size : (plane + 1) * size]
        o[:] = 0
        for i in range(gs.size):
            o[ks[i]] += gs[i]


def _gather(u: Any, idx: Any, size: int, area: int, out: Any) -> None:
    for plane in prange(out.size // size):
        us, ks = u[plane * area : (plane + 1) * area], idx[plane * size : (plane + 1) * size]
        o = out[plane * size : (plane + 1) * size]
        for i in range(o.size):
            o[i] = us[ks[i]]


max_pool_kernel = Kernel(_max_pool)
max_pool_2x2_kernel = Kernel(_max_pool_2x2)
scatter_kernel = Kernel(_scatter)
gather_kernel = Kernel(_gather)


def max_pool2d(x: Any, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool) -> tuple[Any, Any]:
    n, c, h, w = x.shape
    oh = out_size(h, kernel[0], stride[0], padding[0], dilation[0], ceil_mode)
    ow = out_size(w, kernel[1], stride[1], padding[1], dilation[1], ceil_mode)
    y = np.empty((n, c, oh, ow), x.dtype)
    idx = np.empty((n, c, oh, ow), np.int64)
    flat, ys, ks = x.reshape(-1), y.reshape(-1), idx.reshape(-1)
    if kernel == stride == (2, 2) and padding == (0, 0) and dilation == (1, 1) and 2 * oh <= h and 2 * ow <= w:
        max_pool_2x2_kernel(5.0 * y.size, flat, h, w, oh, ow, ys, ks)
    else:
        work = 1.0 * y.size * kernel[0] * kernel[1]
        max_pool_kernel(work, flat, h, w, oh, ow, *kernel, *stride, *padding, *dilation, ys, ks)
    return y, idx


def max_pool2d_grad(g: Any, idx: Any, shape: tuple[int, ...]) -> Any:
    out = np.empty(shape, g.dtype)
    size, area = g.shape[2] * g.shape[3], shape[2] * shape[3]
    scatter_kernel(0.5 * g.size + 0.05 * out.size, g.reshape(-1), idx.reshape(-1), size, area, out.reshape(-1))
    return out


def max_pool2d_gather(u: Any, idx: Any) -> Any:
    out = np.empty(idx.shape, u.dtype)
    size, area = idx.shape[2] * idx.shape[3], u.shape[2] * u.shape[3]
    gather_kernel(0.5 * out.size, u.reshape(-1), idx.reshape(-1), size, area, out.reshape(-1))
    return out
