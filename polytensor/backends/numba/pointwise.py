"""Pointwise kernels that fuse what NumPy does in several passes, and exp as a branch-free polynomial."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange, types
from numba.extending import overload

from ..activations import ROOT_2_OVER_PI, TANH_GELU
from ..special import ERF32, FARTHEST, MILLS_D, MILLS_N
from .intrinsics import fma
from .threads import Kernel

F = np.float32
# 2**r on [-1/2, 1/2], a minimax polynomial: 2e-9 (tests/test_fits.py)
POWER = tuple(map(F, (0.0001534581242594868, 0.0013399930903688073, 0.009618489071726799, 0.05550328642129898,
                      0.24022646248340607, 0.6931471824645996, 1.0)))  # fmt: skip
LOG2E = F(-0.7213475204444817)  # half of log2(e), negative
ROUND = F(1.5 * 2**23)  # added to a small number it leaves the nearest whole one in the low bits
SMALL = 2.0**-64  # mills is that much too small and gauss too large, so that tiny products are rounded once
RATIO_N, RATIO_D = tuple(F(c * SMALL) for c in MILLS_N), tuple(map(F, MILLS_D))
NEAR = tuple(map(F, ERF32))
LIMIT = F(FARTHEST)
BLOCK = 8192  # elements; a slice of its own lets LLVM see that indices do not wrap, and vectorise


def _exp_for(dtype: Any, integer: Any, bits: int, bias: int, lo: float, hi: float, degree: int) -> Any:
    """exp by Cody and Waite's reduction and a Taylor polynomial; relative error below 2 units in the last place.

    Neither Numba nor LLVM vectorises libm's exp. Adding 1.5 * 2**bits rounds x / ln 2 to an integer in the low bits.
    The power of two is applied in two halves, so that overflow gives inf and underflow denormals. NaN passes through.
    """
    magic = dtype(1.5 * 2.0**bits)
    offset = magic.view(integer)
    log2e = dtype(1.4426950408889634)
    minus_hi = dtype(-0.693359375) if bits == 23 else dtype(-6.93147180369123816490e-01)
    minus_lo = dtype(2.12194440e-4) if bits == 23 else dtype(-1.90821492927058770002e-10)
    low, high, one = dtype(lo), dtype(hi), dtype(1)
    c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13 = (
        dtype(1 / float(np.prod(np.arange(1.0, k + 1)))) for k in range(3, 14)
    )
    half = dtype(0.5)
    shift, unit = integer(bits), integer(bias)
    single = degree == 7

    def impl(x: Any) -> Any:
        y = low if x < low else x
        y = high if y > high else y
        t = fma(y, log2e, magic)
        f = t - magic
        r = fma(f, minus_hi, y)
        r = fma(f, minus_lo, r)
        n = integer(dtype(t).view(integer) - offset)  # Numba lifts int32 arithmetic to int64
        first = integer(n >> integer(1))
        second = integer(n - first)
        if single:
            p = c7
        else:
            p = fma(fma(fma(fma(fma(fma(c13, r, c12), r, c11), r, c10), r, c9), r, c8), r, c7)
        p = fma(fma(fma(fma(fma(p, r, c6), r, c5), r, c4), r, c3), r, half)
        p = fma(p * r, r, r) + one
        a = integer((first + unit) << shift).view(dtype)
        b = integer((second + unit) << shift).view(dtype)
        return (p * a) * b

    return impl


_exp32 = _exp_for(np.float32, np.int32, 23, 127, -104.0, 89.0, 7)
_exp64 = _exp_for(np.float64, np.int64, 52, 1023, -746.0, 710.0, 13)


def fast_exp(x: Any) -> Any:
    """exp of one float32 or float64; inside kernels it is the polynomial."""
    return np.exp(x)


@overload(fast_exp, jit_options={"error_model": "numpy"})
def _fast_exp(x: Any) -> Any:
    return _exp32 if x == types.float32 else _exp64


@njit(inline="always", error_model="numpy")
def gauss(a: Any) -> Any:
    """exp(-a*a/2) / SMALL of a float32 with 0 <= a <= LIMIT."""
    s = a * a
    t = fma(s, LOG2E, ROUND)
    r = fma(s, LOG2E, ROUND - t)
    p = fma(
        fma(fma(fma(fma(fma(POWER[0], r, POWER[1]), r, POWER[2]), r, POWER[3]), r, POWER[4]), r, POWER[5]), r, POWER[6]
    )
    power = np.int32(np.int32(F(t).view(np.int32) << np.int32(23)) + np.int32((127 + 64) << 23))
    return p * power.view(np.float32)


@njit(inline="always", error_model="numpy")
def mills(a: Any) -> Any:
    """The base backend's mills of such a number, times SMALL."""
    n = fma(fma(fma(RATIO_N[0], a, RATIO_N[1]), a, RATIO_N[2]), a, RATIO_N[3])
    return n / fma(fma(fma(a + RATIO_D[1], a, RATIO_D[2]), a, RATIO_D[3]), a, RATIO_D[4])


@njit(inline="always")
def span(b: Any, size: Any, block: Any) -> Any:
    """The slice of block number `b`."""
    return slice(b * block, min(size, (b + 1) * block))


def _relu(x: Any, out: Any) -> None:
    zero = x.dtype.type(0)
    for b in prange((x.size + BLOCK - 1) // BLOCK):
        s = span(b, x.size, BLOCK)
        xs, o = x[s], out[s]
        for i in range(o.size):
            v = xs[i]
            o[i] = zero if v <= zero else v  # NaN stays


def _relu_within(x: Any) -> None:
    """relu over its own input: as _relu(x, x) it would not run in vectors, which want arrays that do not overlap."""
    zero = x.dtype.type(0)
    for b in prange((x.size + BLOCK - 1) // BLOCK):
        xs = x[span(b, x.size, BLOCK)]
        for i in range(xs.size):
            v = xs[i]
            xs[i] = zero if v <= zero else v


def _clamp(x: Any, low: Any, high: Any, out: Any) -> None:
    for b in prange((x.size + BLOCK - 1) // BLOCK):
        s = span(b, x.size, BLOCK)
        xs, o = x[s], out[s]
        for i in range(o.size):
            v = xs[i]
            v = low if v < low else v  # NaN stays
            o[i] = high if v > high else v


def _leaky_relu(x: Any, slope: Any, out: Any) -> None:
    zero = x.dtype.type(0)
    for b in prange((x.size + BLOCK - 1) // BLOCK):
        s = span(b, x.size, BLOCK)
        xs, o = x[s], out[s]
        for i in range(o.size):
            v = xs[i]
            o[i] = v if v > zero else v * slope


def _relu_backward(g: Any, y: Any, out: Any) -> None:
    zero = y.dtype.type(0)
    for b in prange((y.size + BLOCK - 1) // BLOCK):
        s = span(b, y.size, BLOCK)
        gs, ys, o = g[s], y[s], out[s]
        for i in range(o.size):
            o[i] = zero if ys[i] <= zero else gs[i]  # NaN passes the gradient, as in PyTorch


def _sigmoid(x: Any, out: Any) -> None:
    one = x.dtype.type(1)
    for b in prange((x.size + BLOCK - 1) // BLOCK):
        s = span(b, x.size, BLOCK)
        xs, o = x[s], out[s]
        for i in range(o.size):
            o[i] = one / (one + fast_exp(-xs[i]))


def _sigmoid_backward(g: Any, y: Any, out: Any) -> None:
    one = y.dtype.type(1)
    for b in prange((y.size + BLOCK - 1) // BLOCK):
        s = span(b, y.size, BLOCK)
        gs, ys, o = g[s], y[s], out[s]
        for i in range(o.size):
            o[i] = gs[i] * ((one - ys[i]) * ys[i])


def _tanh_backward(g: Any, y: Any, out: Any) -> None:
    one = y.dtype.type(1)
    for b in prange((y.size + BLOCK - 1) // BLOCK):
        s = span(b, y.size, BLOCK)
        gs, ys, o = g[s], y[s], out[s]
        for i in range(o.size):
            o[i] = gs[i] * (one - ys[i] * ys[i])


def _silu(x: Any, out: Any) -> None:
    one = x.dtype.type(1)
    for b in prange((x.size + BLOCK - 1) // BLOCK):
        s = span(b, x.size, BLOCK)
        xs, o = x[s], out[s]
        for i in range(o.size):
            o[i] = xs[i] / (one + fast_exp(-xs[i]))


def _gelu_tanh(x: Any, out: Any) -> None:
    """(1 + tanh(u)) / 2 is a sigmoid of 2 u."""
    one = x.dtype.type(1)
    linear, cubic = x.dtype.type(-2 * ROOT_2_OVER_PI), x.dtype.type(-2 * ROOT_2_OVER_PI * TANH_GELU)
    for b in prange((x.size + BLOCK - 1) // BLOCK):
        s = span(b, x.size, BLOCK)
        xs, o = x[s], out[s]
        for i in range(o.size):
            v = xs[i]
            o[i] = v / (one + fast_exp(v * (linear + cubic * (v * v))))


def _silu_backward(g: Any, x: Any, out: Any) -> None:
    one = x.dtype.type(1)
    for b in prange((x.size + BLOCK - 1) // BLOCK):
        s = span(b, x.size, BLOCK)
        gs, xs, o = g[s], x[s], out[s]
        for i in range(o.size):
            y = one / (one + fast_exp(-xs[i]))
            o[i] = gs[i] * (y * (xs[i] * (one - y) + one))


def _leaky_relu_backward(g: Any, x: Any, slope: Any, out: Any) -> None:
    zero = x.dtype.type(0)
    for b in prange((x.size + BLOCK - 1) // BLOCK):
        s = span(b, x.size, BLOCK)
        gs, xs, o = g[s], x[s], out[s]
        for i in range(o.size):
            o[i] = gs[i] if xs[i] > zero else gs[i] * slope


def _between(g: Any, x: Any, low: Any, high: Any, out: Any) -> None:
    """g where low < x < high, else 0."""
    zero = x.dtype.type(0)
    for b in prange((x.size + BLOCK - 1) // BLOCK):
        s = span(b, x.size, BLOCK)
        gs, xs, o = g[s], x[s], out[s]
        for i in range(o.size):
            o[i] = gs[i] if (xs[i] > low) & (xs[i] < high) else zero


def _hardswish(x: Any, out: Any) -> None:
    zero, three, six = x.dtype.type(0), x.dtype.type(3), x.dtype.type(6)
    for b in prange((x.size + BLOCK - 1) // BLOCK):
        s = span(b, x.size, BLOCK)
        xs, o = x[s], out[s]
        for i in range(o.size):
            v = xs[i] + three
            v = zero if v < zero else v  # NaN stays
            v = six if v > six else v
            o[i] = v * xs[i] / six


def _hardswish_backward(g: Any, x: Any, third: Any, out: Any) -> None:
    zero, half, three = x.dtype.type(0), x.dtype.type(0.5), x.dtype.type(3)
    for b in prange((x.size + BLOCK - 1) // BLOCK):
        s = span(b, x.size, BLOCK)
        gs, xs, o = g[s], x[s], out[s]
        for i in range(o.size):
            middle = gs[i] * (xs[i] * third + half)
            inside = middle if xs[i] > -three else zero
            o[i] = inside if xs[i] < three else gs[i]


def _smooth_l1(d: Any, beta: Any, out: Any) -> None:
    half = d.dtype.type(0.5)
    for b in prange((d.size + BLOCK - 1) // BLOCK):
        s = span(b, d.size, BLOCK)
        ds, o = d[s], out[s]
        for i in range(o.size):
            a = abs(ds[i])
            low = beta if a > beta else a
            o[i] = (a - half * low) * low / beta


def _scale_planes(x: Any, scale: Any, shift: Any, length: int, out: Any) -> None:
    """x * scale + shift, one of each for a plane of `length` elements."""
    for plane in prange(x.size // length):
        k, c = scale[plane % scale.size], shift[plane % scale.size]
        xs, o = x[plane * length : (plane + 1) * length], out[plane * length : (plane + 1) * length]
        for i in range(o.size):
            o[i] = xs[i] * k + c


def _normal_cdf(x: Any, times: bool, out: Any) -> None:
    """The base backend's normal_cdf, of float32; with `times` x times that, which is gelu."""
    for b in prange((x.size + BLOCK - 1) // BLOCK):
        s = span(b, x.size, BLOCK)
        xs, o = x[s], out[s]
        for i in range(o.size):
            v = xs[i]
            a = abs(v)
            a = LIMIT if a > LIMIT else a
            tail = mills(a) * gauss(a)
            y = F(1) - tail if v > F(0) else tail
            o[i] = v * y if times else y


def _erf(x: Any, out: Any) -> None:
    """The base backend's erf, of float32."""
    c0, c1, c2, c3, c4, c5, c6, c7 = NEAR
    for b in prange((x.size + BLOCK - 1) // BLOCK):
        s = span(b, x.size, BLOCK)
        xs, o = x[s], out[s]
        for i in range(o.size):
            v = xs[i]
            a = abs(v)
            z = a * a
            near = fma(fma(fma(fma(fma(fma(fma(c0, z, c1), z, c2), z, c3), z, c4), z, c5), z, c6), z, c7)
            near = fma(near, v, v)
            a *= F(1.4142135623730951)
            a = LIMIT if a > LIMIT else a
            far = F(1) - F(2) * (mills(a) * gauss(a))
            far = far if v > F(0) else -far
            o[i] = near if z < F(1) else far


def _mse_backward(g: Any, x: Any, t: Any, scale: Any, out: Any) -> None:
    for b in prange((x.size + BLOCK - 1) // BLOCK):
        s = span(b, x.size, BLOCK)
        xs, ts, o = x[s], t[s], out[s]
        if g.size == 1:
            k = g[0] * scale
            for i in range(o.size):
                o[i] = (xs[i] - ts[i]) * k
        else:
            gs = g[s]
            for i in range(o.size):
                o[i] = (xs[i] - ts[i]) * (gs[i] * scale)


relu_kernel = Kernel(_relu)
relu_within_kernel = Kernel(_relu_within)
clamp_kernel = Kernel(_clamp)
leaky_relu_kernel = Kernel(_leaky_relu)
silu_kernel = Kernel(_silu)
gelu_tanh_kernel = Kernel(_gelu_tanh)
normal_cdf_kernel = Kernel(_normal_cdf)
erf_kernel = Kernel(_erf)
sigmoid_kernel = Kernel(_sigmoid)
relu_backward_kernel = Kernel(_relu_backward)
sigmoid_backward_kernel = Kernel(_sigmoid_backward)
tanh_backward_kernel = Kernel(_tanh_backward)
mse_backward_kernel = Kernel(_mse_backward)
silu_backward_kernel = Kernel(_silu_backward)
leaky_relu_backward_kernel = Kernel(_leaky_relu_backward)
between_kernel = Kernel(_between)
hardswish_kernel = Kernel(_hardswish)
hardswish_backward_kernel = Kernel(_hardswish_backward)
smooth_l1_kernel = Kernel(_smooth_l1)
scale_planes_kernel = Kernel(_scale_planes)


def unary(k: Kernel, cost: float, x: Any, *numbers: Any) -> Any:
    """Run a kernel of one array and numbers; `cost` in nanoseconds an element."""
    out = np.empty(x.shape, x.dtype)
    k(cost * x.size, x.reshape(-1), *numbers, out.reshape(-1))
    return out


def backward(k: Kernel, g: Any, y: Any, *numbers: float, cost: float = 0.1) -> Any:
    """Run a kernel of a gradient, a saved array of the same shape and numbers."""
    out = np.empty(y.shape, y.dtype)
    k(cost * y.size, g.reshape(-1), y.reshape(-1), *map(y.dtype.type, numbers), out.reshape(-1))
    return out


def scale_planes(x: Any, scale: Any, shift: Any) -> Any:
    out = np.empty(x.shape, x.dtype)
    scale_planes_kernel(0.1 * x.size, x.reshape(-1), scale, shift, x.size // (x.shape[0] * x.shape[1]), out.reshape(-1))
    return out


def mse_backward(g: Any, x: Any, t: Any, scale: float) -> Any:
    out = np.empty(x.shape, x.dtype)
    k = x.dtype.type(scale)
    mse_backward_kernel(0.1 * x.size, g.reshape(-1), x.reshape(-1), t.reshape(-1), k, out.reshape(-1))
    return out
