"""Convolution and pooling kernels over an array namespace: im2col with one GEMM per image and group."""

from __future__ import annotations

from typing import Any

Array = Any
Pair = tuple[int, ...]  # of two
Ints = tuple[int, ...]


def out_size(n: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool = False) -> int:
    """Windows along an axis of length `n`. In ceil mode the last one must start inside the input or left padding."""
    span = n + 2 * padding - dilation * (kernel - 1) - 1
    size = (-(-span // stride) if ceil_mode else span // stride) + 1
    if ceil_mode and (size - 1) * stride >= n + padding:
        size -= 1
    return size


SHORT = 8  # outputs in a row, below which padding in the columns costs more than their copies in short runs


class ConvKernels:
    """Mixed into Backend."""

    xp: Any
    workspace = 1 << 24  # elements of columns made at a time

    def _pad(self, x: Array, padding: Pair, value: Any, extra: Pair = (0, 0)) -> Array:
        (ph, pw), (eh, ew) = padding, extra
        if not (ph or pw or eh or ew):
            return x
        n, c, h, w = x.shape
        out = self.xp.full((n, c, h + 2 * ph + eh, w + 2 * pw + ew), value, x.dtype)
        out[:, :, ph : ph + h, pw : pw + w] = x
        return out

    def _taps(self, x: Array, kernel: Pair, stride: Pair, dilation: Pair, size: Pair) -> Any:
        """For each kernel position (i, j): the strided view of x that it reads, in row-major order."""
        (sh, sw), (dh, dw), (oh, ow) = stride, dilation, size
        for i in range(kernel[0]):
            for j in range(kernel[1]):
                yield x[:, :, i * dh : i * dh + (oh - 1) * sh + 1 : sh, j * dw : j * dw + (ow - 1) * sw + 1 : sw]

    def _im2col(self, x: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int) -> Array:
        """(N, groups, C/groups * kh * kw, OH * OW)"""
        n, c, h, w = x.shape
        oh = out_size(h, kernel[0], stride[0], padding[0], dilation[0])
        ow = out_size(w, kernel[1], stride[1], padding[1], dilation[1])
        cols = self.xp.empty((n, c, kernel[0] * kernel[1], oh, ow), x.dtype)
        for k, tap in enumerate(self._taps(self._pad(x, padding, 0), kernel, stride, dilation, (oh, ow))):
            cols[:, :, k] = tap
        return cols.reshape(n, groups, c // groups * kernel[0] * kernel[1], oh * ow)

    def _columns(
        self, x: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int, exact: bool = False
    ) -> tuple[Array, int]:
        """The columns (N, groups, C/groups * kh * kw, OH * width) of a product, and the width of their rows.

        Without a stride, rows keep the padding (unless `exact`): a column is then one run of a padded plane, and what is
        beyond OW in a row belongs to no window. A 1 x 1 kernel reads x itself.
        """
        n, c, h, w = x.shape
        if (*kernel, *stride, *padding) == (1, 1, 1, 1, 0, 0):
            return x.reshape(n, groups, c // groups, h * w), w
        oh, ow = (out_size(*a) for a in zip((h, w), kernel, stride, padding, dilation, strict=True))
        if stride != (1, 1) or ow < SHORT or exact:
            return self._im2col(x, kernel, stride, padding, dilation, groups), ow
        wide = w + 2 * padding[1]
        planes = self._pad(x, padding, 0, (1, 0)).reshape(n, c, (h + 2 * padding[0] + 1) * wide)
        cols = self.xp.empty((n, c, kernel[0] * kernel[1], oh * wide), x.dtype)
        for k in range(kernel[0] * kernel[1]):
            start = k // kernel[1] * dilation[0] * wide + k % kernel[1] * dilation[1]
            cols[:, :, k] = planes[:, :, start : start + oh * wide]
        return cols.reshape(n, groups, c // groups * kernel[0] * kernel[1], oh * wide), wide

    def _parts(self, x: Array, area: int) -> list[Array]:
        """x in batches whose columns (`area` elements per channel) fit the workspace; at least one."""
        step = max(1, self.workspace // max(1, x.shape[1] * area))
        return [x] if step >= x.shape[0] else [x[i : i + step] for i in range(0, x.shape[0], step)]

    def conv2d(
        self, x: Array, w: Array, b: Array | None, stride: Pair, padding: Pair, dilation: Pair, groups: int
    ) -> Array:
        """x: (N, C, H, W), w: (O, C/groups, kh, kw), b: (O,) -> (N, O, OH, OW). Source: torch.conv2d."""
        o, _, kh, kw = w.shape
        oh = out_size(x.shape[2], kh, stride[0], padding[0], dilation[0])
        ow = out_size(x.shape[3], kw, stride[1], padding[1], dilation[1])
        wm = w.reshape(groups, o // groups, w.shape[1] * kh * kw)
        y, start = None, 0
        for part in self._parts(x, kh * kw * oh * ow):
            m = len(part)
            cols, wide = self._columns(part, (kh, kw), stride, padding, dilation, groups)
            made = self.matmul(wm, cols).reshape(m, o, oh, wide)  # type: ignore[attr-defined]
            if m == len(x) and wide == ow:
                y = made
                break
            y = self.xp.empty((len(x), o, oh, ow), made.dtype) if y is None else y
            y[start : start + m] = made[..., :ow]
            start += m
        if b is not None:
            y += b[:, None, None]
        return y

    def conv2d_(self, x: Array, w: Array, stride: Pair, padding: Pair, dilation: Pair, groups: int) -> Array:
        return self.conv2d(x, w, None, stride, padding, dilation, groups)

    def conv2d_grad_input(
        self, g: Array, w: Array, shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
    ) -> Array:
        """The gradient of conv2d with respect to an input of `shape`, given that of its output."""
        n, c, h, width = shape
        o, _, kh, kw = w.shape
        size = (g.shape[2], g.shape[3])
        if stride == (1, 1) != (kh, kw) and width >= SHORT and o <= 2 * c:  # unless there would be many columns
            around = tuple(d * (k - 1) - p for d, k, p in zip(dilation, (kh, kw), padding, strict=True))
            back = [m + 2 * a - d * (k - 1) for m, a, d, k in zip(size, around, dilation, (kh, kw), strict=True)]
            if min(around) >= 0 and back == [h, width]:  # the convolution of g with the kernel turned
                wt = w.reshape(groups, o // groups, c // groups, kh, kw).swapaxes(1, 2)[..., ::-1, ::-1]
                wt = self.xp.ascontiguousarray(wt).reshape(c, o // groups, kh, kw)
                return ConvKernels.conv2d(self, g, wt, None, stride, around, dilation, groups)
        wt = w.reshape(groups, o // groups, w.shape[1] * kh * kw).swapaxes(1, 2)
        # a last window may reach past the padding where a transposed convolution asks for more room
        reach = [(m - 1) * s + d * (k - 1) + 1 for m, s, d, k in zip(size, stride, dilation, (kh, kw), strict=True)]
        room = (max(h + 2 * padding[0], reach[0]), max(width + 2 * padding[1], reach[1]))
        out = self.xp.zeros((n, c, *room), g.dtype)
        depthwise = c == o == groups
        start = 0
        for part in self._parts(g, kh * kw * size[0] * size[1] * c // max(1, o)):
            m = part.shape[0]
            if depthwise:  # products of one row and one column: as they are added, none is kept
                cols = (part * w[:, 0, i, j, None, None] for i in range(kh) for j in range(kw))
            else:
                cols = self.matmul(wt, part.reshape(m, groups, o // groups, size[0] * size[1]))  # type: ignore[attr-defined]
                cols = cols.reshape(m, c, kh * kw, *size).swapaxes(0, 2).swapaxes(1, 2)
            for tap, col in zip(
                self._taps(out[start : start + m], (kh, kw), stride, dilation, size), cols, strict=True
            ):
                tap += col
            start += m
        return self.xp.ascontiguousarray(out[:, :, padding[0] : padding[0] + h, padding[1] : padding[1] + width])

    def conv2d_grad_weight(
        self, g: Array, x: Array, shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
    ) -> Array:
        """The gradient of conv2d with respect to a weight of `shape`."""
        if g.shape[0] == 0:
            return self.xp.zeros(shape, g.dtype)
        padded = stride == (1, 1) != shape[2:] and g.shape[3] >= SHORT  # whether columns may keep the padding
        exact = not padded or self.asynchronous  # type: ignore[attr-defined]
        dw = self._weight_products(g, x, shape, stride, padding, dilation, groups, exact)
        # rows with padding meet 0, which is not nothing where x is infinite
        if not exact and not self.xp.isfinite(dw).all():
            dw = self._weight_products(g, x, shape, stride, padding, dilation, groups, True)
        return dw

    def _weight_products(
        self,
        g: Array,
        x: Array,
        shape: tuple[int, ...],
        stride: Pair,
        padding: Pair,
        dilation: Pair,
        groups: int,
        exact: bool,
    ) -> Array:
        o, _, kh, kw = shape
        # windows of exactly g's size: an output size that the stride does not divide leaves some input unread
        total, start = None, 0
        for part in self._parts(x, kh * kw * g.shape[2] * g.shape[3]):
            cols, wide = self._columns(part, (kh, kw), stride, padding, dilation, groups, exact)
            gs = self._pad(g[start : start + part.shape[0]], (0, 0), 0, (0, wide - g.shape[3]))
            gs = gs.reshape(part.shape[0], groups, o // groups, gs.shape[2] * gs.shape[3])
            if (
                gs.shape[3] < o // groups
            ):  # one product over all images: a sum of large products of short rows takes longer
                gs, cols = (v.swapaxes(0, 1).swapaxes(1, 2) for v in (gs, cols))
                gs, cols = (v.reshape(*v.shape[:2], v.shape[2] * v.shape[3]) for v in (gs, cols))
                product = self.matmul(gs, cols.swapaxes(1, 2))  # type: ignore[attr-defined]
            else:
                product = self.matmul(gs, cols.swapaxes(2, 3)).sum(0)  # type: ignore[attr-defined]
            total = product if total is None else total + product
            start += part.shape[0]
        return total.reshape(shape)  # type: ignore[union-attr]

    def unfold_windows(self, x: Array, kernel: Pair, dilation: Pair, padding: Pair, stride: Pair) -> Array:
        """(N, C, H, W) to (N, C * kh * kw, windows)"""
        cols = self._im2col(x, kernel, stride, padding, dilation, 1)
        return cols.reshape(x.shape[0], *cols.shape[2:])

    def fold_windows(
        self, x: Array, shape: Ints, kernel: Pair, dilation: Pair, padding: Pair, stride: Pair
    ) -> Array:  # fmt: skip
        """The adjoint: add each column into its window of an output of `shape`."""
        n, c, h, w = shape
        size = [out_size(*a) for a in zip(shape[2:], kernel, stride, padding, dilation, strict=True)]
        cols = x.reshape(n, c, kernel[0] * kernel[1], *size)
        out = self.xp.zeros((n, c, h + 2 * padding[0], w + 2 * padding[1]), x.dtype)
        for k, tap in enumerate(self._taps(out, kernel, stride, dilation, (size[0], size[1]))):
            tap += cols[:, :, k]
        return self.xp.ascontiguousarray(out[:, :, padding[0] : padding[0] + h, padding[1] : padding[1] + w])

    # ---- one and three dimensions over the two-dimensional kernels -----------------------------------------------
    def convnd(
        self, x: Array, w: Array, b: Array | None, stride: Ints, padding: Ints, dilation: Ints, groups: int
    ) -> Array:
        """x: (N, C, L) or (N, C, D, H, W); a depth of the kernel at a time, frames as the batch of conv2d."""
        if x.ndim == 3:
            attrs = (1, *stride), (0, *padding), (1, *dilation), groups
            return self.conv2d(x[:, :, None], w[:, :, None], b, *attrs)[:, :, 0]
        size = [out_size(*a) for a in zip(x.shape[2:], w.shape[2:], stride, padding, dilation, strict=True)]
        y = self.xp.zeros((x.shape[0], w.shape[0], *size), x.dtype)
        for k, reads, fills in (
            self._depths(x.shape[2], w.shape[2], size[0], stride, padding, dilation) if y.size else ()
        ):
            part = self.conv2d(_frames(x[:, :, reads]), w[:, :, k], None, stride[1:], padding[1:], dilation[1:], groups)
            y[:, :, fills] += _unframe(part, x.shape[0])
        if b is not None:
            y += b[:, None, None, None]
        return y

    def convnd_(self, x: Array, w: Array, stride: Ints, padding: Ints, dilation: Ints, groups: int) -> Array:
        return self.convnd(x, w, None, stride, padding, dilation, groups)

    def _depths(self, n: int, kernel: int, size: int, stride: Ints, padding: Ints, dilation: Ints) -> Any:
        """(position in the kernel, slice of the input's depth, slice of the output's depth) where they meet."""
        s, p = stride[0], padding[0]
        for k in range(kernel):
            offset = k * dilation[0] - p
            first, last = max(0, -(offset // s)), min(size - 1, (n - 1 - offset) // s)
            if first <= last:
                start = first * s + offset
                yield k, slice(start, start + (last - first) * s + 1, s), slice(first, last + 1)

    def convnd_grad_input(
        self, g: Array, w: Array, shape: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int
    ) -> Array:
        if g.ndim == 3:
            attrs = (*shape[:2], 1, shape[2]), (1, *stride), (0, *padding), (1, *dilation), groups
            return self.conv2d_grad_input(g[:, :, None], w[:, :, None], *attrs)[:, :, 0]
        out = self.xp.zeros(shape, g.dtype)
        for k, reads, fills in (
            self._depths(shape[2], w.shape[2], g.shape[2], stride, padding, dilation) if g.size else ()
        ):
            frames = _frames(g[:, :, fills])
            to = (len(frames), shape[1], *shape[3:])
            part = self.conv2d_grad_input(frames, w[:, :, k], to, stride[1:], padding[1:], dilation[1:], groups)
            out[:, :, reads] += _unframe(part, shape[0])
        return out

    def convnd_grad_weight(
        self, g: Array, x: Array, shape: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int
    ) -> Array:
        if g.ndim == 3:
            attrs = (*shape[:2], 1, shape[2]), (1, *stride), (0, *padding), (1, *dilation), groups
            return self.conv2d_grad_weight(g[:, :, None], x[:, :, None], *attrs)[:, :, 0]
        out = self.xp.zeros(shape, g.dtype)
        for k, reads, fills in (
            self._depths(x.shape[2], shape[2], g.shape[2], stride, padding, dilation) if g.size else ()
        ):
            args = (*shape[:2], *shape[3:]), stride[1:], padding[1:], dilation[1:], groups
            out[:, :, k] = self.conv2d_grad_weight(_frames(g[:, :, fills]), _frames(x[:, :, reads]), *args)
        return out

    def max_pool2d(
        self, x: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool
    ) -> tuple[Array, Array]:
        """x: (N, C, H, W) -> values and int64 flat indices into H * W. The first maximum wins; NaN is one."""
        n, c, h, w = x.shape
        oh = out_size(h, kernel[0], stride[0], padding[0], dilation[0], ceil_mode)
        ow = out_size(w, kernel[1], stride[1], padding[1], dilation[1], ceil_mode)
        lowest = -self.xp.inf if x.dtype.kind not in "biu" else self.xp.iinfo(x.dtype).min
        extra = (
            max(0, (oh - 1) * stride[0] + dilation[0] * (kernel[0] - 1) + 1 - h - 2 * padding[0]),
            max(0, (ow - 1) * stride[1] + dilation[1] * (kernel[1] - 1) + 1 - w - 2 * padding[1]),
        )
        padded = self._pad(x, padding, lowest, extra)
        y, taps = self.xp.full((n, c, oh, ow), lowest, x.dtype), kernel[0] * kernel[1]
        best = self.xp.full((n, c, oh, ow), -1, "int8" if taps < 128 else "int32")
        for k, tap in enumerate(self._taps(padded, kernel, stride, dilation, (oh, ow))):
            tap = self.xp.ascontiguousarray(tap)
            better = tap > y
            if x.dtype.kind not in "biu":
                better |= (tap != tap) & (y == y)
            best ^= (best ^ k) & -better.astype(
                best.dtype
            )  # k where it is better: a choice would be a branch an element
            y = self.xp.maximum(y, tap)
        rows = self.xp.arange(oh)[:, None] * stride[0] - padding[0]
        columns = self.xp.arange(ow) * stride[1] - padding[1]
        # a window of nothing but -inf keeps its first element inside the input
        first = self.xp.maximum(-(rows // dilation[0]), 0) * kernel[1] + self.xp.maximum(-(columns // dilation[1]), 0)
        best = self.xp.where(best < 0, first.astype(best.dtype), best)
        k = self.xp.arange(taps)
        return y, rows * w + columns + (k // kernel[1] * (dilation[0] * w) + k % kernel[1] * dilation[1]).take(best)

    def max_pool2d_grad(self, g: Array, index: Array, shape: tuple[int, ...], window: Any = None) -> Array:
        """Add each gradient to the element that its window took its value from.

        window: (kernel, stride, padding, dilation) of the max_pool2d that gave `index`; None: from any place of the plane.
        """
        n, c, h, w = shape
        out = self.xp.zeros((n * c * h * w,), g.dtype)
        flat = index.reshape(n * c, index.shape[2] * index.shape[3]) + self.xp.arange(n * c)[:, None] * (h * w)
        self._at("add", out, flat.ravel(), g.ravel())  # type: ignore[attr-defined]
        return out.reshape(shape)

    def max_pool2d_gather(self, u: Array, index: Array) -> Array:
        """The elements of `u` (N, C, H, W) at the pooled positions; the adjoint of max_pool2d_grad."""
        n, c = u.shape[:2]
        flat = index.reshape(n, c, index.shape[2] * index.shape[3])
        flat = self.xp.take_along_axis(u.reshape(n, c, u.shape[2] * u.shape[3]), flat, 2)
        return flat.reshape(index.shape)


def _frames(x: Array) -> Array:
    """(N, C, D, H, W) to (N * D, C, H, W)"""
    x = x.swapaxes(1, 2)
    return x.reshape(x.shape[0] * x.shape[1], *x.shape[2:])


def _unframe(x: Array, n: int) -> Array:
    return x.reshape(n, x.shape[0] // max(n, 1), *x.shape[1:]).swapaxes(1, 2)
