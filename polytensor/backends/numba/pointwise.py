"""Pointwise kernels that fuse what NumPy does in several passes, and exp as a branch-free polynomial."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange, types
from numba.extending import overload

from ..activations import ROOT_2_OVER_PI, TAIL32, TANH_GELU
from .intrinsics import fma
from .threads import Kernel

TAIL = tuple(np.float32(c) for c in TAIL32[::-1])  # half of erfc's polynomial, of t - 1/2
MIDDLE = np.float32(3 * 2**0.5)  # t = 3 / (3 + |x| / sqrt(2))
# (exp(r) - 1 - r) / r**2 for |r| <= log(2) / 2, fitted to 3e-9 of exp
GAUSS = tuple(np.float32(c) for c in (0.49999994, 0.1666651964, 0.0416684002, 0.0083688563, 0.0013814308))
FARTHEST = np.float32(15)  # beyond it exp(-x*x/2) is 0
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
    """exp(-a*a/2) of a float32 with 0 <= a <= FARTHEST: fast_exp without what such a number does not need.

    The power of two is applied 2**64 too large, then cut, so that small results are rounded once.
    """
    y = a * a * np.float32(-0.5)
    t = fma(y, np.float32(1.4426950408889634), np.float32(12582912.0))
    f = t - np.float32(12582912.0)
    r = fma(f, np.float32(-0.693359375), y)
    r = fma(f, np.float32(2.12194440e-4), r)
    p = fma(fma(fma(fma(GAUSS[4], r, GAUSS[3]), r, GAUSS[2]), r, GAUSS[1]), r, GAUSS[0])
    p = fma(p * r, r, r) + np.float32(1)
    power = np.int32(np.int32(np.float32(t).view(np.int32) << np.int32(23)) + np.int32((127 + 64) << 23))
    return (p * power.view(np.float32)) * np.float32(2.0**-64)


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


def _normal_cdf(x: Any, times: bool, out: Any) -> None:
    """The base backend's normal_cdf, of float32; with `times` x times that, which is gelu."""
    zero, half, one = np.float32(0), np.float32(0.5), np.float32(1)
    c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11 = TAIL
    for b in prange((x.size + BLOCK - 1) // BLOCK):
        s = span(b, x.size, BLOCK)
        xs, o = x[s], out[s]
        for i in range(o.size):
            v = xs[i]
            a = abs(v)
            a = FARTHEST if a > FARTHEST else a
            t = MIDDLE / (a + MIDDLE)
            u = t - half
            p = fma(fma(fma(fma(fma(c11, u, c10), u, c9), u, c8), u, c7), u, c6)
            p = fma(fma(fma(fma(fma(fma(p, u, c5), u, c4), u, c3), u, c2), u, c1), u, c0)
            tail = t * p * gauss(a)
            y = one - tail if v > zero else tail
            o[i] = v * y if times else y


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
silu_kernel = Kernel(_silu)
gelu_tanh_kernel = Kernel(_gelu_tanh)
normal_cdf_kernel = Kernel(_normal_cdf)
sigmoid_kernel = Kernel(_sigmoid)
relu_backward_kernel = Kernel(_relu_backward)
sigmoid_backward_kernel = Kernel(_sigmoid_backward)
tanh_backward_kernel = Kernel(_tanh_backward)
mse_backward_kernel = Kernel(_mse_backward)


def unary(k: Kernel, cost: float, x: Any) -> Any:
    """Run a kernel of one array; `cost` in nanoseconds an element."""
    out = np.empty(x.shape, x.dtype)
    k(cost * x.size, x.reshape(-1), out.reshape(-1))
    return out


def normal_cdf(x: Any, times: bool) -> Any:
    out = np.empty(x.shape, x.dtype)
    normal_cdf_kernel(0.5 * x.size, x.reshape(-1), times, out.reshape(-1))
    return out


def backward(k: Kernel, g: Any, y: Any) -> Any:
    """Run a kernel of a gradient and a saved array of the same shape."""
    out = np.empty(y.shape, y.dtype)
    k(0.1 * y.size, g.reshape(-1), y.reshape(-1), out.reshape(-1))
    return out


def mse_backward(g: Any, x: Any, t: Any, scale: float) -> Any:
    out = np.empty(x.shape, x.dtype)
    k = x.dtype.type(scale)
    mse_backward_kernel(0.1 * x.size, g.reshape(-1), x.reshape(-1), t.reshape(-1), k, out.reshape(-1))
    return out
