"""Max pooling over planes."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import prange
from numba.core import cgutils

from ..conv import out_size
from .threads import Kernel
from .vectors import I64, Emit, routine

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


@routine("X x0 w Y y0 n IDX at")
def pool_row(e: Emit, X: Any, x0: Any, w: Any, Y: Any, y0: Any, n: Any, IDX: Any, at: Any) -> None:
    """n windows of 2 x 2 side by side: the maxima from Y[y0] on, and their indices, if that of the first element is `at`."""
    b, lanes = e.b, e.lanes
    wide = ir.VectorType(I64, lanes)
    steps = ir.Constant(wide, list(range(0, 2 * lanes, 2)))

    def better(y: Any, x: Any) -> Any:
        """Where y takes the place of x, which comes first: NaN wins over numbers."""
        nan = b.and_(b.fcmp_unordered("uno", y, y), b.fcmp_ordered("ord", x, x))
        return b.or_(b.fcmp_ordered(">", y, x), nan)

    with cgutils.for_range(b, b.sdiv(b.add(n, I64(lanes - 1)), I64(lanes))) as loop:
        i = b.mul(loop.index, I64(lanes))
        left = b.sub(n, i)
        masks = [e.mask(b.sub(b.mul(left, I64(2)), I64(h * lanes)), lanes) for h in (0, 1)]
        rows = []
        for r in (0, 1):
            start = b.add(b.add(x0, b.mul(w, I64(r))), b.mul(i, I64(2)))
            halves = [e.masked_load(X, b.add(start, I64(h * lanes)), masks[h], lanes) for h in (0, 1)]
            first, second = (b.shuffle_vector(*halves, e.constant(range(o, 2 * lanes, 2))) for o in (0, 1))
            right = better(second, first)
            rows.append((b.select(right, second, first), b.zext(right, wide)))
        (above, place), (below, under) = rows
        lower = better(below, above)
        place = b.select(lower, b.add(under, e.splat(w, lanes)), place)
        place = b.add(b.add(place, steps), e.splat(b.add(at, b.mul(i, I64(2))), lanes))
        used = e.mask(left, lanes)
        e.masked_store(b.select(lower, below, above), Y, b.add(y0, i), used, lanes)
        e.masked_store(place, IDX, b.add(y0, i), used, lanes)


def _max_pool_2x2(x: Any, h: int, w: int, oh: int, ow: int, y: Any, idx: Any) -> None:
    """Windows of 2 x 2 side by side, without branches."""
    for plane in prange(y.size // (oh * ow)):
        for i in range(oh):
            pool_row(x, plane * h * w + 2 * i * w, w, y, (plane * oh + i) * ow, ow, idx, 2 * i * w)


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
        max_pool_2x2_kernel(0.7 * y.size, flat, h, w, oh, ow, ys, ks)
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
