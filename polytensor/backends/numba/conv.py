"""Convolution: Winograd's or the direct one where they win; else im2col in parallel over planes, then one GEMM per image and
group (BLAS owns the threads there)."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from llvmlite import ir
from numba import prange, types
from numba.extending import intrinsic

from ..conv import out_size
from . import winograd
from .direct import inside
from .directly import correlate, weight_gradient
from .threads import Kernel, team

Pair = tuple[int, ...]  # of two
WORKSPACE = 1 << 20  # elements of columns held at a time: they should stay in the cache
PIECES = 8  # at least so many for a batch: threads share them out


@intrinsic
def copy64(ctx: Any, dst: Any, i: Any, src: Any, j: Any) -> Any:
    """Copy 64 bytes from src[j:] to dst[i:] in one vector move; a loop would be checked for overlap each time."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = signature.args[0]
        single = kind.dtype == types.float32
        vector = ir.VectorType(ir.FloatType() if single else ir.DoubleType(), 16 if single else 8).as_pointer()
        to, source = (
            context.make_array(t)(context, builder, a).data for t, a in zip((kind, kind), args[::2], strict=True)
        )
        value = builder.load(builder.bitcast(builder.gep(source, [args[3]]), vector), align=4)
        builder.store(value, builder.bitcast(builder.gep(to, [args[1]]), vector), align=4)
        return context.get_dummy_value()

    return types.void(dst, types.uint64, src, types.uint64), generate


def _im2col(
    x: Any, h: int, w: int, oh: int, ow: int, kh: int, kw: int, sh: int, sw: int, ph: int, pw: int, dh: int, dw: int,
    cols: Any,
) -> None:  # fmt: skip
    """For each plane of x: kh * kw rows of oh * ow elements, zero where the window leaves the plane.

    Short rows are copied whole vectors at a time: what that writes too much is overwritten by the rows after.
    """
    area = oh * ow
    size = kh * kw * area
    lanes = 64 // x.itemsize
    room = (ow + lanes - 1) // lanes * lanes
    step, down = np.uint64(ow), np.uint64(sh * w)  # unsigned indices cannot wrap, so loops become plain copies
    for plane in prange(x.size // (h * w)):
        cs = cols[plane * size : (plane + 1) * size]
        start = 0
        for ki in range(kh):
            top = ki * dh - ph
            low, high = inside(h, oh, sh, top)
            rows = high - low
            for kj in range(kw):
                left = kj * dw - pw
                first, last = inside(w, ow, sw, left)
                n = last - first
                to = start + low * ow + first
                source = (plane * h + low * sh + top) * w + first * sw + left
                short = sw == 1 and n == ow and rows > 0 and ow <= 4 * lanes
                short = short and to + (rows - 1) * ow + room <= size
                short = short and source + (rows - 1) * sh * w + room <= x.size
                a, b = np.uint64(to), np.uint64(source)
                if short:
                    for _ in range(rows):
                        copy64(cs, a, x, b)
                        for j in range(lanes, room, lanes):
                            copy64(cs, a + np.uint64(j), x, b + np.uint64(j))
                        a += step
                        b += down
                    if rows < oh:
                        cs[start : start + low * ow] = 0
                        cs[start + high * ow : start + area] = 0
                else:
                    if n < ow or rows < oh:
                        cs[start : start + area] = 0
                    for _ in range(rows):
                        if sw == 1:
                            for j in range(np.uint64(n)):
                                cs[a + j] = x[b + j]
                        else:
                            for j in range(np.uint64(n)):
                                cs[a + j] = x[b + np.uint64(j * np.uint64(sw))]
                        a += step
                        b += down
                start += area


def _col2im(
    cols: Any, h: int, w: int, oh: int, ow: int, kh: int, kw: int, sh: int, sw: int, ph: int, pw: int, dh: int, dw: int,
    x: Any,
) -> None:  # fmt: skip
    """The adjoint of _im2col: x is overwritten with the sums."""
    area = oh * ow
    step, down = np.uint64(ow), np.uint64(sh * w)
    for plane in prange(x.size // (h * w)):
        x[plane * h * w : (plane + 1) * h * w] = 0
        start = plane * kh * kw * area
        for ki in range(kh):
            top = ki * dh - ph
            low, high = inside(h, oh, sh, top)
            for kj in range(kw):
                left = kj * dw - pw
                first, last = inside(w, ow, sw, left)
                n = np.uint64(last - first)
                a = np.uint64(start + low * ow + first)
                b = np.uint64((plane * h + low * sh + top) * w + first * sw + left)
                for _ in range(high - low):
                    if sw == 1:
                        for j in range(n):
                            x[b + j] += cols[a + j]
                    else:
                        for j in range(n):
                            x[b + np.uint64(j * np.uint64(sw))] += cols[a + j]
                    a += step
                    b += down
                start += area


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
        self.images = max(1, min(-(-self.n // PIECES), WORKSPACE // max(1, self.rows * groups * self.area)))

    def empty(self, dtype: Any) -> Any:
        """Columns of as many images as are done at a time."""
        return np.empty((self.images, self.groups, self.rows, self.area), dtype)

    def each(self, outs: int, body: Any) -> list[Any]:
        """[body(images, alone)] for the images, a workspace at a time, on several threads where that pays."""
        pieces = [slice(i, min(self.n, i + self.images)) for i in range(0, self.n, self.images)]
        work = 0.02 * self.n * self.groups * self.rows * self.area * (outs // self.groups + 20)
        return team.run(work, body, pieces)

    def columns(self, x: Any, cols: Any, alone: bool) -> Any:
        """x's columns (images, groups, rows, area), in `cols`."""
        if self.plain:
            return x.reshape(len(x), self.groups, self.rows, self.area)
        cols = cols[: len(x)]
        run = partial(im2col_kernel, 0.3 * cols.size) if alone else im2col_kernel.serial
        run(x.reshape(-1), *self.attrs, cols.reshape(-1))
        return cols

    def workspace(self, dtype: Any) -> Any:
        """A function of `alone`: one buffer of columns for all pieces, or a new one for each."""
        if self.plain:
            return lambda alone: None
        shared = []

        def get(alone: bool) -> Any:
            if not alone:
                return self.empty(dtype)
            if not shared:
                shared.append(self.empty(dtype))
            return shared[0]

        return get


def _by_winograd(x: Any, kernel: Pair, stride: Pair, dilation: Pair, groups: int) -> bool:
    return kernel in ((3, 3), (5, 5)) and stride == dilation == (1, 1) and groups == 1 and x.dtype.char == "f"


def conv2d(x: Any, w: Any, b: Any, stride: Pair, padding: Pair, dilation: Pair, groups: int) -> Any:
    """The contract's conv2d for contiguous arrays with elements."""
    if _by_winograd(x, w.shape[2:], stride, dilation, groups):
        y = winograd.correlate(x, w, b, padding, False)
        if y is not None:
            return y
    o = w.shape[0]
    size = [out_size(*a) for a in zip(x.shape[2:], w.shape[2:], stride, padding, dilation, strict=True)]
    found = correlate("forward", x, w, b, tuple(size), stride, padding, dilation, groups)
    if found is not None:
        return found
    win = Windows(x.shape, w.shape[2:], stride, padding, dilation, groups)
    y = np.empty((win.n, o, win.oh, win.ow), x.dtype)
    ys = y.reshape(win.n, groups, o // groups, win.area)
    wm = w.reshape(groups, o // groups, win.rows)
    space = win.workspace(x.dtype)

    def body(s: slice, alone: bool) -> None:
        np.matmul(wm, win.columns(x[s], space(alone), alone), out=ys[s])

    win.each(o, body)
    if b is not None:
        add_bias_kernel(0.05 * y.size, y.reshape(-1), b, win.area)
    return y


def conv2d_grad_input(
    g: Any, w: Any, shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Any:
    if _by_winograd(g, w.shape[2:], stride, dilation, groups):
        dx = winograd.correlate(g, w, None, padding, True)
        if dx is not None:
            return dx
    found = correlate("input", g, w, None, shape[2:], stride, padding, dilation, groups)
    if found is not None:
        return found
    o = w.shape[0]
    win = Windows(shape, w.shape[2:], stride, padding, dilation, groups)
    dx = np.empty(shape, g.dtype)
    gs = g.reshape(win.n, groups, o // groups, win.area)
    wt = w.reshape(groups, o // groups, win.rows).swapaxes(1, 2)
    space = win.workspace(g.dtype)
    plain = dx.reshape(win.n, groups, win.rows, win.area) if win.plain else None

    def body(s: slice, alone: bool) -> None:
        if plain is not None:
            np.matmul(wt, gs[s], out=plain[s])
            return
        cols = space(alone)[: s.stop - s.start]
        np.matmul(wt, gs[s], out=cols)
        run = partial(col2im_kernel, 0.4 * cols.size) if alone else col2im_kernel.serial
        run(cols.reshape(-1), *win.attrs, dx[s].reshape(-1))

    win.each(o, body)
    return dx


def conv2d_grad_weight(
    g: Any, x: Any, shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Any:
    if _by_winograd(g, shape[2:], stride, dilation, groups):
        dw = winograd.weight_gradient(g, x, padding, shape[2])
        if dw is not None:
            return dw
    found = weight_gradient(g, x, shape, stride, padding, dilation, groups)
    if found is not None:
        return found
    o = shape[0]
    win = Windows(x.shape, shape[2:], stride, padding, dilation, groups)
    gs = g.reshape(win.n, groups, o // groups, win.area)
    space = win.workspace(g.dtype)

    def body(s: slice, alone: bool) -> Any:
        cols = win.columns(x[s], space(alone), alone)
        if (
            win.area < o // groups
        ):  # one product over all images: a sum of large products of short rows takes far longer
            cols, rows = (v.swapaxes(0, 1).swapaxes(1, 2) for v in (cols, gs[s]))
            cols, rows = cols.reshape(*cols.shape[:2], -1), rows.reshape(*rows.shape[:2], -1)
            return np.matmul(rows, cols.swapaxes(1, 2)).swapaxes(1, 2)
        return np.matmul(cols, gs[s].swapaxes(2, 3)).sum(0)  # the other way round is slower

    total: Any = sum(win.each(o, body))  # in the order of the pieces
    dw = np.empty(shape, g.dtype)
    dw.reshape(groups, o // groups, win.rows)[...] = total.swapaxes(1, 2)
    return dw
