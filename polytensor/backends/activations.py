"""Activation kernels over an array namespace. float16 and bfloat16 do not reach them: the front widens."""

from __future__ import annotations

from typing import Any

from .special import ON_GPU, SPAN

Array = Any
# erfc(z) = t exp(-z^2) p(2t - 1) with t = 3 / (3 + z), z >= 0: polynomials fitted at Chebyshev points; the relative
# error is 9e-9 (for float32) and 5e-15
ERFC32 = (
    0.3580023041693937, 0.29446481728053786, 0.1967426553349005, 0.10348911926337763, 0.03984412559695549,
    0.008942033506617264, -0.0004108609182935654, -0.001009694562426944, -0.00016920325992468105,
    8.88782575903709e-05, 2.257789131476784e-05, -6.751377668479108e-06,
)  # fmt: skip
ERFC64 = (
    0.3580023023627795, 0.2944648177232715, 0.19674278570148793, 0.10348908730197415, 0.03984258709138296,
    0.008942411501476275, -0.0004041388155356895, -0.0010113535886585113, -0.00018277031486702139,
    9.225694465787678e-05, 3.585549022853912e-05, -1.0124705904801933e-05, -5.827562599016475e-06,
    1.5657278174605084e-06, 9.279753552092602e-07, -3.089795566782031e-07, -1.4194534748811066e-07,
    5.7046798787668884e-08, 1.8923107149585507e-08, -6.229837358886929e-09, -1.6480344637551011e-09,
)  # fmt: skip
TANH_GELU = 0.044715
ROOT_2_OVER_PI = 0.7978845608028654
ROOT_HALF = 0.7071067811865476


class ActivationKernels:
    """Mixed into Backend."""

    xp: Any
    device_type: str

    def normal_cdf(self, x: Array) -> Array:
        """The probability that a standard normal number is below x: erfc(-x / sqrt(2)) / 2, exact in the tails."""
        span = ON_GPU if self.device_type == "cuda" else SPAN
        if x.size <= span or not x.flags.c_contiguous:
            return self._normal_cdf(x)
        flat, out = x.reshape(-1), self.xp.empty(x.size, x.dtype)
        for i in range(0, x.size, span):
            out[i : i + span] = self._normal_cdf(flat[i : i + span])
        return out.reshape(x.shape)

    def _normal_cdf(self, x: Array) -> Array:
        xp = self.xp
        z = xp.absolute(x) * ROOT_HALF
        t = 3 / (z + 3)
        u = 2 * t - 1
        coefficients = ERFC32 if x.dtype.itemsize == 4 else ERFC64
        p = xp.full_like(u, coefficients[-1])
        for c in coefficients[-2::-1]:
            p *= u
            p += c
        tail = 0.5 * t * p * xp.exp(-z * z)
        return xp.where(x > 0, 1 - tail, tail)

    def gelu(self, x: Array) -> Array:
        return x * self.normal_cdf(x)

    def gelu_backward(self, g: Array, x: Array) -> Array:
        density = self.xp.exp(x * x * -0.5) * 0.3989422804014327  # 1 / sqrt(2 pi)
        return g * (self.normal_cdf(x) + x * density)

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

    def elu(self, x: Array, alpha: float, scale: float, input_scale: float) -> Array:
        low = self.xp.expm1(x * input_scale) * (alpha * scale)
        return self.xp.where(x <= 0, low, x * scale if scale != 1 else x)

    def leaky_relu(self, x: Array, slope: float) -> Array:
        return self.xp.where(x > 0, x, x * slope)

    def prelu_(self, x: Array, w: Array) -> Array:
        return self.xp.where(x > 0, x, x * w)

    def softplus(self, x: Array, beta: float, threshold: float) -> Array:
        z = x * beta
        return self.xp.where(z > threshold, x, self.xp.log1p(self.xp.exp(z)) / beta)

    def log_sigmoid(self, x: Array) -> Array:
        return self.xp.minimum(x, 0) - self.xp.log1p(self.xp.exp(-self.xp.absolute(x)))

    def silu(self, x: Array) -> Array:
        return x / (1 + self.xp.exp(-x))

    def mish(self, x: Array) -> Array:
        return x * self.xp.tanh(self.xp.logaddexp(x, 0))

    def hardtanh(self, x: Array, lo: float, hi: float) -> Array:
        return self.xp.minimum(self.xp.maximum(x, lo), hi)

    def hardsigmoid(self, x: Array) -> Array:
        return self.xp.minimum(self.xp.maximum(x + 3, 0), 6) / 6

    def hardswish(self, x: Array) -> Array:
        return x * self.xp.minimum(self.xp.maximum(x + 3, 0), 6) / 6

    def hardshrink(self, x: Array, lambd: float) -> Array:
        return self.xp.where((x >= -lambd) & (x <= lambd), self.xp.zeros_like(x), x)

    def softshrink(self, x: Array, lambd: float) -> Array:
        return self.xp.where(x > lambd, x - lambd, self.xp.where(x < -lambd, x + lambd, x * 0))

    def threshold_(self, x: Array, limit: float, value: float) -> Array:
        return self.xp.where(x <= limit, self.xp.full_like(x, value), x)
