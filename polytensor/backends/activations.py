"""Activation kernels over an array namespace. float16 and bfloat16 do not reach them: the front widens."""

from __future__ import annotations

from typing import Any

from .special import FARTHEST

Array = Any
TANH_GELU = 0.044715
ROOT_2_OVER_PI = 0.7978845608028654
ROOT_HALF = 0.7071067811865476


class ActivationKernels:
    """Mixed into Backend."""

    xp: Any

    def normal_cdf(self, x: Array) -> Array:
        """The probability that a standard normal number is below x: erfc(-x / sqrt(2)) / 2, exact in the tails."""
        return self.in_spans(self._normal_cdf, x)  # type: ignore[attr-defined, no-any-return]

    def _to_mills(self, x: Array) -> Array:
        """|x| as `mills` takes it."""
        a = self.xp.absolute(x)
        return self.clamp(a, None, FARTHEST) if x.dtype.itemsize == 4 else a  # type: ignore[attr-defined]

    def _normal_cdf(self, x: Array) -> Array:
        tail = self.upper_tail(self._to_mills(x))  # type: ignore[attr-defined]
        return self.xp.absolute((x > 0).astype(x.dtype) - tail)  # `where` guesses a branch an element

    def gelu(self, x: Array) -> Array:
        return self.in_spans(lambda x: x * self._normal_cdf(x), x)  # type: ignore[attr-defined, no-any-return]

    def gelu_backward(self, g: Array, x: Array) -> Array:
        return self.in_spans(self._gelu_backward, g, x)  # type: ignore[attr-defined, no-any-return]

    def _gelu_backward(self, g: Array, x: Array) -> Array:
        a = self._to_mills(x)
        y = a * a
        y *= -0.5
        a, r = a * 0.3989422804014327, self.mills(a)  # type: ignore[attr-defined]
        r -= a  # a / sqrt(2 pi)
        y = self.xp.exp(y) * r  # the derivative below 0, and 1 less it above
        above = (x > 0).astype(x.dtype)
        y -= above
        above *= -2
        above += 1
        y *= above
        return g * y

    def gelu_tanh(self, x: Array) -> Array:
        y = x * x
        y *= TANH_GELU * ROOT_2_OVER_PI
        y += ROOT_2_OVER_PI
        y *= x
        y = self.xp.tanh(y)
        y += 1
        y *= x
        y *= 0.5
        return y

    def gelu_tanh_backward(self, g: Array, x: Array) -> Array:
        square = x * x
        t = self.xp.tanh(x * (square * TANH_GELU + 1) * ROOT_2_OVER_PI)
        slope = x * (1 - t * t) * ((square * (3 * TANH_GELU) + 1) * ROOT_2_OVER_PI)
        return g * 0.5 * (t + 1 + slope)

    def elu(self, x: Array, alpha: float, scale: float, input_scale: float) -> Array:
        low = self.xp.expm1(x * input_scale) * (alpha * scale)
        return self.where(x <= 0, low, x * scale if scale != 1 else x)

    def leaky_relu(self, x: Array, slope: float) -> Array:
        if 0 < slope <= 1:
            return self.xp.maximum(x, x * slope)
        return self.where(x > 0, x, x * slope)

    def leaky_relu_backward(self, g: Array, x: Array, slope: float) -> Array:
        return self.where(x > 0, g, g * slope)

    def between(self, g: Array, x: Array, lo: float, hi: float) -> Array:
        """g where lo < x < hi, else 0."""
        return self.keep(g, (x > lo) & (x < hi))  # type: ignore[attr-defined, no-any-return]

    def prelu_(self, x: Array, w: Array) -> Array:
        return self.where(x > 0, x, x * w)

    def softplus(self, x: Array, beta: float, threshold: float) -> Array:
        z = x * beta
        return self.where(z > threshold, x, self.xp.log1p(self.xp.exp(z)) / beta)

    def log_sigmoid(self, x: Array) -> Array:
        return self.xp.minimum(x, 0) - self.xp.log1p(self.xp.exp(-self.xp.absolute(x)))

    def silu(self, x: Array) -> Array:
        return x / (1 + self.xp.exp(-x))

    def silu_backward(self, g: Array, x: Array) -> Array:
        s = self.sigmoid(x)  # type: ignore[attr-defined]
        return g * (s * (x * (1 - s) + 1))

    def mish(self, x: Array) -> Array:
        y = self.xp.exp(self.clamp(x, None, 20.0))  # type: ignore[attr-defined]
        y = y * (y + 2)  # tanh(log(1 + e)) = (e * e + 2 e) / (e * e + 2 e + 2), which is 1 from 20 on
        return x * (y / (y + 2))

    def hardtanh(self, x: Array, lo: float, hi: float) -> Array:
        return self.clamp(x, lo, hi)  # type: ignore[attr-defined, no-any-return]

    def hardsigmoid(self, x: Array) -> Array:
        y = self.hardtanh(x + 3, 0, 6)
        y /= 6
        return y

    def hardswish(self, x: Array) -> Array:
        y = self.hardtanh(x + 3, 0, 6)
        y *= x
        y /= 6
        return y

    def hardswish_backward(self, g: Array, x: Array) -> Array:
        middle = x * (1 / 3)
        middle += 0.5
        middle *= g
        return self.where(x < 3, self.keep(middle, x > -3), g)  # type: ignore[attr-defined]

    def hardshrink(self, x: Array, lambd: float) -> Array:
        return self.where((x >= -lambd) & (x <= lambd), self.xp.zeros_like(x), x)

    def softshrink(self, x: Array, lambd: float) -> Array:
        return x - self.clamp(x, -lambd, lambd)  # type: ignore[attr-defined, no-any-return]

    def threshold_(self, x: Array, limit: float, value: float) -> Array:
        return self.where(x <= limit, self.xp.full_like(x, value), x)
