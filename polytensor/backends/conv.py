"""Convolution and pooling kernels over an array namespace: im2col with one GEMM per image and group."""

from __future__ import annotations

from typing import Any

Array = Any
Pair = tuple[int, int]


def out_size(n: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool = False) -> int:
    """Windows along an axis of length `n`. In ceil mode the last one must start inside the input or left padding."""
    span = n + 2 * padding - dilation * (kernel - 1) - 1
    size = (-(-span // stride) if ceil_mode else span // stride) + 1
    if ceil_mode and (size - 1) * stride >= n + padding:
        size -= 1
    return size


class ConvKernels:
    """Mixed into Backend."""

    xp: Any

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

    def conv2d(
        self, x: Array, w: Array, b: Array | None, stride: Pair, padding: Pair, dilation: Pair, groups: int
    ) -> Array:
        """x: (N, C, H, W), w: (O, C/groups, kh, kw), b: (O,) -> (N, O, OH, OW). Source: torch.conv2d."""
        o, _, kh, kw = w.shape
        oh = out_size(x.shape[2], kh, stride[0], padding[0], dilation[0])
        ow = out_size(x.shape[3], kw, stride[1], padding[1], dilation[1])
        cols = self._im2col(x, (kh, kw), stride, padding, dilation, groups)
        y = self.matmul(w.reshape(groups, o // groups, w.shape[1] * kh * kw), cols).reshape(x.shape[0], o, oh, ow)  # type: ignore[attr-defined]
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
        wt = w.reshape(groups, o // groups, w.shape[1] * kh * kw).swapaxes(1, 2)
        cols = self.matmul(wt, g.reshape(n, groups, o // groups, size[0] * size[1])).reshape(n, c, kh * kw, *size)  # type: ignore[attr-defined]
        out = self.xp.zeros((n, c, h + 2 * padding[0], width + 2 * padding[1]), g.dtype)
        for k, tap in enumerate(self._taps(out, (kh, kw), stride, dilation, size)):
            tap += cols[:, :, k]
        return out[:, :, padding[0] : padding[0] + h, padding[1] : padding[1] + width]

    def conv2d_grad_weight(
        self, g: Array, x: Array, shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
    ) -> Array:
        """The gradient of conv2d with respect to a weight of `shape`."""
        o, _, kh, kw = shape
        if g.shape[0] == 0:
            return self.xp.zeros(shape, g.dtype)
        # windows of exactly g's size: an output size that the stride does not divide leaves some input unread
        cols = self._im2col(x, (kh, kw), stride, padding, dilation, groups)
        parts = self.matmul(g.reshape(g.shape[0], groups, o // groups, -1), cols.swapaxes(2, 3))  # type: ignore[attr-defined]
        return parts.sum(0).reshape(shape)

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
        y = self.xp.full((n, c, oh, ow), lowest, x.dtype)
        best = self.xp.full((n, c, oh, ow), -1, "int64")
        for k, tap in enumerate(self._taps(padded, kernel, stride, dilation, (oh, ow))):
            better = tap > y
            if x.dtype.kind not in "biu":
                better |= (tap != tap) & (y == y)
            self.xp.copyto(y, tap, where=better)
            self.xp.copyto(best, k, where=better)
        rows = self.xp.arange(oh)[:, None] * stride[0] - padding[0]
        columns = self.xp.arange(ow) * stride[1] - padding[1]
        # a window of nothing but -inf keeps its first element inside the input
        first = self.xp.maximum(-(rows // dilation[0]), 0) * kernel[1] + self.xp.maximum(-(columns // dilation[1]), 0)
        best = self.xp.where(best < 0, first, best)
        rows = rows + best // kernel[1] * dilation[0]
        columns = columns + best % kernel[1] * dilation[1]
        return y, rows * w + columns

    def max_pool2d_grad(self, g: Array, index: Array, shape: tuple[int, ...]) -> Array:
        """Add each gradient to the element that its window took its value from."""
        n, c, h, w = shape
        out = self.xp.zeros((n * c * h * w,), g.dtype)
        flat = index.reshape(n * c, -1) + self.xp.arange(n * c)[:, None] * (h * w)
        self.xp.add.at(out, flat.ravel(), g.ravel())
        return out.reshape(shape)

    def max_pool2d_gather(self, u: Array, index: Array) -> Array:
        """The elements of `u` (N, C, H, W) at the pooled positions; the adjoint of max_pool2d_grad."""
        n, c = u.shape[:2]
        flat = self.xp.take_along_axis(u.reshape(n, c, -1), index.reshape(n, c, -1), 2)
        return flat.reshape(index.shape)
