"""Pointwise functions and their derivatives: compiled ufuncs for few elements, kernels for many, NumPy's for other arrays."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from ..numpy import NumpyBackend
from .large import F4, F8, TINY, LargeKernels, fits

Array = Any
POINTWISE = 4096  # elements from which kernels beat NumPy
ZERO = np.zeros((), F4)
NONE: dict[Any, Any] = {}


class PointwiseKernels(LargeKernels):
    """Mixed into NumbaBackend."""

    _pointwise: Any
    _gelu: Any

    def _dense(self, g: Array) -> Array:
        """A gradient as kernels take it: that of a sum is one number, expanded."""
        return g if g.flags.carray else self.copy(g)

    def relu(self, x: Array) -> Array:
        if (x.dtype is F4 or x.dtype is F8) and x.size <= TINY:
            return self._ufuncs.relu(x)
        if x.size >= POINTWISE and fits(x):
            return self._pointwise.unary(self._pointwise.relu_kernel, 0.1, x)
        return np.maximum(x, ZERO if x.dtype is F4 else self._zeros[x.dtype])

    def relu_within(self, x: Array) -> None:
        if x.size >= POINTWISE and fits(x):
            self._pointwise.relu_within_kernel(0.05 * x.size, x.reshape(-1))
        else:
            super().relu_within(x)

    def clamp(self, x: Array, lo: Any, hi: Any) -> Array:
        d = x.dtype
        if (d is F4 or d is F8) and x.size <= TINY and lo is not None and hi is not None:
            low = high = None
            if (lo or lo.__class__ is int) and (hi or hi.__class__ is int):  # 0.0 and -0.0 are one key
                numbers = self._scalars.get(d, NONE)  # what `scalar` has made, without its two calls
                low, high = numbers.get(lo), numbers.get(hi)
            if low is None or high is None:
                low, high = self.scalar(lo, d), self.scalar(hi, d)
            return self._ufuncs.clamp(x, low, high)
        if x.size >= POINTWISE and fits(x) and lo == lo and hi == hi:
            low, high = -inf if lo is None else lo, inf if hi is None else hi
            return self._pointwise.unary(self._pointwise.clamp_kernel, 0.07, x, d.type(low), d.type(high))
        return NumpyBackend.clamp(self, x, lo, hi)

    def leaky_relu(self, x: Array, slope: float) -> Array:
        if x.size >= POINTWISE and fits(x):
            return self._pointwise.unary(self._pointwise.leaky_relu_kernel, 0.07, x, x.dtype.type(slope))
        return super().leaky_relu(x, slope)

    def sigmoid(self, x: Array) -> Array:
        if (x.dtype is F4 or x.dtype is F8) and x.size <= TINY:
            return self._ufuncs.sigmoid(x)
        if fits(x):
            return self._pointwise.unary(self._pointwise.sigmoid_kernel, 0.3, x)
        return super().sigmoid(x)

    def relu_backward(self, g: Array, y: Array) -> Array:
        if y.size <= TINY and y.dtype.char in "fd":
            return self._ufuncs.relu_backward(g, y)
        if fits(y) and g.shape == y.shape:
            return self._pointwise.backward(self._pointwise.relu_backward_kernel, self._dense(g), y)
        return NumpyBackend.relu_backward(self, g, y)

    def tanh_backward(self, g: Array, y: Array) -> Array:
        if y.size <= TINY and y.dtype.char in "fd":
            return self._ufuncs.tanh_backward(g, y)
        if fits(y) and g.shape == y.shape:
            return self._pointwise.backward(self._pointwise.tanh_backward_kernel, self._dense(g), y)
        return NumpyBackend.tanh_backward(self, g, y)

    def sigmoid_backward(self, g: Array, y: Array) -> Array:
        if y.size <= TINY and y.dtype.char in "fd":
            return self._ufuncs.sigmoid_backward(g, y)
        if fits(y) and g.shape == y.shape:
            return self._pointwise.backward(self._pointwise.sigmoid_backward_kernel, self._dense(g), y)
        return NumpyBackend.sigmoid_backward(self, g, y)

    def silu(self, x: Array) -> Array:
        if fits(x):
            return self._pointwise.unary(self._pointwise.silu_kernel, 0.3, x)
        return super().silu(x)

    def silu_backward(self, g: Array, x: Array) -> Array:
        if fits(x) and g.shape == x.shape:
            return self._pointwise.backward(self._pointwise.silu_backward_kernel, self._dense(g), x, cost=0.3)
        return super().silu_backward(g, x)

    def leaky_relu_backward(self, g: Array, x: Array, slope: float) -> Array:
        if fits(x) and g.shape == x.shape:
            return self._pointwise.backward(self._pointwise.leaky_relu_backward_kernel, self._dense(g), x, slope)
        return super().leaky_relu_backward(g, x, slope)

    def between(self, g: Array, x: Array, lo: float, hi: float) -> Array:
        if fits(x) and g.shape == x.shape:
            return self._pointwise.backward(self._pointwise.between_kernel, self._dense(g), x, lo, hi)
        return super().between(g, x, lo, hi)

    def hardswish(self, x: Array) -> Array:
        if x.size >= POINTWISE and fits(x):
            return self._pointwise.unary(self._pointwise.hardswish_kernel, 0.07, x)
        return super().hardswish(x)

    def hardswish_backward(self, g: Array, x: Array) -> Array:
        if fits(x) and g.shape == x.shape:
            return self._pointwise.backward(self._pointwise.hardswish_backward_kernel, self._dense(g), x, 1 / 3)
        return super().hardswish_backward(g, x)

    def smooth_l1(self, d: Array, beta: float) -> Array:
        if fits(d):
            return self._pointwise.unary(self._pointwise.smooth_l1_kernel, 0.1, d, d.dtype.type(beta))
        return super().smooth_l1(d, beta)

    def gelu_tanh(self, x: Array) -> Array:
        if fits(x):
            return self._pointwise.unary(self._pointwise.gelu_tanh_kernel, 0.4, x)
        return super().gelu_tanh(x)

    def gelu(self, x: Array) -> Array:
        single = x.dtype == np.float32 and fits(x)  # LLVM does not vectorise the longer polynomial of float64
        return self._pointwise.unary(self._pointwise.normal_cdf_kernel, 0.2, x, True) if single else super().gelu(x)

    def normal_cdf(self, x: Array) -> Array:
        single = x.dtype == np.float32 and fits(x)
        return (
            self._pointwise.unary(self._pointwise.normal_cdf_kernel, 0.2, x, False) if single else super().normal_cdf(x)
        )

    def erf(self, x: Array) -> Array:
        single = x.dtype == np.float32 and fits(x)
        return self._pointwise.unary(self._pointwise.erf_kernel, 0.3, x) if single else super().erf(x)

    def gelu_backward(self, g: Array, x: Array) -> Array:
        if fits(x) and g.shape == x.shape:
            return self._gelu.gelu_backward(self._dense(g), x)
        return super().gelu_backward(g, x)
