"""Normalisation kernels over an array namespace."""

from __future__ import annotations

from math import prod
from typing import Any

Array = Any
Ints = tuple[int, ...]


class NormKernels:
    """Mixed into Backend. float16 and bfloat16 do not reach it: the front widens."""

    xp: Any

    def normalize(self, x: Array, dims: Ints, eps: float) -> tuple[Array, Array, Array]:
        """(x - mean) / sqrt(var + eps) over `dims`, the mean and the biased variance, both kept as dimensions of 1."""
        mean = self.mean(x, dims, True)  # type: ignore[attr-defined]
        y = self.xp.ascontiguousarray(x - mean)
        var = self.mean(y * y, dims, True)  # type: ignore[attr-defined]
        y *= 1 / self.xp.sqrt(var + eps)
        return y, mean, var

    def normalize_affine(
        self, x: Array, w: Array, b: Array, dims: Ints, eps: float
    ) -> tuple[Array, Array, Array, Array]:
        """The same times w plus b, which broadcast to x; then the plain result, mean and variance."""
        y, mean, var = self.normalize(x, dims, eps)
        out = y * w
        out += b
        return out, y, mean, var

    def layer_normalize(self, x: Array, w: Array, b: Array, dims: Ints, eps: float) -> Array:
        """The first result of normalize_affine alone, for whom wants no gradient."""
        return self.normalize_affine(x, w, b, dims, eps)[0]

    def normalize_backward(self, g: Array, y: Array, var: Array, dims: Ints, eps: float) -> Array:
        """The gradient of an input given that of the normalised y."""
        gy = g * y
        d = y * self.mean(gy, dims, True)  # type: ignore[attr-defined]
        d += self.mean(g, dims, True)  # type: ignore[attr-defined]
        self.xp.subtract(g, d, out=d)
        d *= 1 / self.xp.sqrt(var + eps)
        return d

    def normalize_affine_backward(
        self, g: Array, w: Array, y: Array, var: Array, dims: Ints, eps: float
    ) -> tuple[Array, Array, Array]:
        """The gradients of x, and of w and b of one shape; y: the plain result."""
        dx = self.normalize_backward(g * w, y, var, dims, eps)
        return dx, self.sum_to(g * y, w.shape), self.sum_to(g, w.shape)  # type: ignore[attr-defined]

    def rows_normalize(self, x: Array, w: Array, b: Array, dims: Ints, eps: float) -> tuple[Array, Array, Array]:
        """normalize_affine over the last axes, without the plain result, which backward makes anew from x.

        Takes float16 and bfloat16: they compute in float32, the dtype of the mean and the variance.
        """
        out, _, mean, var = self.normalize_affine(_wide(x), _wide(w), _wide(b), dims, eps)
        return out.astype(x.dtype), mean, var

    def rows_normalize_backward(
        self, g: Array, x: Array, w: Array, mean: Array, var: Array, dims: Ints, eps: float
    ) -> tuple[Array, Array, Array]:
        """The gradients of x, and of w and b in the dtype of w."""
        y = (_wide(x) - mean) * (1 / self.xp.sqrt(var + eps))
        dx, dw, db = self.normalize_affine_backward(_wide(g), _wide(w), y, var, dims, eps)
        return dx.astype(x.dtype), dw.astype(w.dtype), db.astype(w.dtype)

    def rows_rms(self, x: Array, w: Array, dims: Ints, eps: float) -> tuple[Array, Array]:
        """rms_normalize over the last axes times w, and the mean square; 16-bit floats as in rows_normalize."""
        y, square = self.rms_normalize(_wide(x), dims, eps)
        y *= _wide(w)
        return y.astype(x.dtype), square

    def rows_rms_backward(
        self, g: Array, x: Array, w: Array, square: Array, dims: Ints, eps: float
    ) -> tuple[Array, Array]:
        """The gradients of x and w."""
        y, g = _wide(x) * (1 / self.xp.sqrt(square + eps)), _wide(g)
        dx, dw = self.rms_backward(g * _wide(w), y, square, dims, eps), self.sum_to(g * y, w.shape)  # type: ignore[attr-defined]
        return dx.astype(x.dtype), dw.astype(w.dtype)

    def batch_normalize(self, x: Array, w: Array, b: Array, dims: Ints, eps: float) -> tuple[Array, Array, Array]:
        """normalize_affine without the plain result, which backward makes anew from x; w and b have an element for each mean."""
        y, mean, var = self.normalize(x, dims, eps)
        y *= w.reshape(mean.shape)
        y += b.reshape(mean.shape)
        return y, mean, var

    def batch_normalize_backward(
        self, g: Array, x: Array, w: Array, mean: Array, var: Array, dims: Ints, eps: float
    ) -> tuple[Array, Array, Array]:
        """The gradients of x, and of w and b in the shape of w."""
        y = x - mean
        y *= 1 / self.xp.sqrt(var + eps)
        dx = self.normalize_backward(g * w.reshape(mean.shape), y, var, dims, eps)
        y *= g
        dw, db = (self.sum_to(p, mean.shape).reshape(w.shape) for p in (y, g))  # type: ignore[attr-defined]
        return dx, dw, db

    def normalize_by(self, x: Array, mean: Array, var: Array, w: Array | None, b: Array | None, eps: float) -> Array:
        """(x - mean) / sqrt(var + eps) * w + b with one of each for each channel of x (N, C, *): a product and a sum."""
        scale = self.rsqrt(var + eps)  # type: ignore[attr-defined]
        scale = scale if w is None else scale * w
        shift = -(mean * scale) if b is None else b - mean * scale
        return self.scale_channels(x, scale, shift)

    def scale_channels(self, x: Array, scale: Array, shift: Array) -> Array:
        """x (N, C, *) * scale + shift, one of each for each channel."""
        small = (-1, *[1] * (x.ndim - 2))
        y = x * scale.reshape(small)
        y += shift.reshape(small)
        return y

    def move_average(self, running: Array, value: Array, keep: float, rate: float) -> None:
        """running = running * keep + value * rate, for a value of that shape."""
        running *= self.scalar(keep, running.dtype)  # type: ignore[attr-defined]
        running += value * self.scalar(rate, running.dtype)  # type: ignore[attr-defined]

    def rms_normalize(self, x: Array, dims: Ints, eps: float) -> tuple[Array, Array]:
        """x / sqrt(mean(x^2) + eps) over `dims`, and the mean square."""
        square = self.mean(x * x, dims, True)  # type: ignore[attr-defined]
        return x * (1 / self.xp.sqrt(square + eps)), square

    def rms_backward(self, g: Array, y: Array, square: Array, dims: Ints, eps: float) -> Array:
        d = y * self.mean(g * y, dims, True)  # type: ignore[attr-defined]
        self.xp.subtract(g, d, out=d)
        d *= 1 / self.xp.sqrt(square + eps)
        return d


def count(shape: Ints, dims: Ints) -> int:
    return prod(shape[d] for d in dims)


def _wide(x: Array) -> Array:
    return x.astype("float32") if x.dtype.itemsize == 2 else x
