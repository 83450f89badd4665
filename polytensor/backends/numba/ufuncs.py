"""Ufuncs for arrays of few elements, where what counts is the price of a call.

A compiled ufunc is called in a third of a microsecond, a jitted function in half of one (for one array; more for each
further), and NumPy needs several ufuncs for what is one here. Each is compiled, or loaded from Numba's cache, at its
first use. They take every layout and broadcast, in float32 and float64.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import guvectorize, types, vectorize
from numba.extending import overload

from .cache import building
from .pointwise import fast_exp


def one_like(x: Any) -> Any:
    """1 in the type of x; the literal is an integer, and with it float32 would become float64."""


@overload(one_like)
def _one_like(x: Any) -> Any:
    one = np.float32(1) if x == types.float32 else np.float64(1)

    def impl(x: Any) -> Any:
        return one

    return impl


def _sigmoid(x: Any) -> Any:
    one = one_like(x)
    return one / (one + fast_exp(-x))  # without a branch, so that LLVM makes vectors of it


def _clamp(x: Any, lo: Any, hi: Any) -> Any:
    y = x if x >= lo or x != x else lo  # a bound that is NaN counts
    return y if y <= hi or y != y else hi


def _relu_backward(g: Any, y: Any) -> Any:
    return 0.0 if y <= 0 else g  # also where g is inf or NaN


def _tanh_backward(g: Any, y: Any) -> Any:
    return g * (1 - y * y)


def _sigmoid_backward(g: Any, y: Any) -> Any:
    return g * ((1 - y) * y)


def _softmax(x: Any, out: Any) -> None:
    top = x[0]
    for i in range(1, x.size):
        if x[i] > top or x[i] != x[i]:
            top = x[i]
    whole = 0.0
    for i in range(x.size):
        e = math.exp(x[i] - top)
        out[i] = e
        whole += e
    for i in range(x.size):
        out[i] /= whole


def _log_softmax(x: Any, out: Any) -> None:
    top = x[0]
    for i in range(1, x.size):
        if x[i] > top or x[i] != x[i]:
            top = x[i]
    whole = 0.0
    for i in range(x.size):
        whole += math.exp(x[i] - top)
    shift = math.log(whole)
    for i in range(x.size):
        out[i] = (x[i] - top) - shift


def _softmax_backward(g: Any, y: Any, out: Any) -> None:
    whole = 0.0
    for i in range(y.size):
        whole += g[i] * y[i]
    for i in range(y.size):
        out[i] = y[i] * (g[i] - whole)


def _log_softmax_backward(g: Any, y: Any, out: Any) -> None:
    whole = 0.0
    for i in range(y.size):
        whole += g[i]
    for i in range(y.size):
        out[i] = g[i] - math.exp(y[i]) * whole


ELEMENTWISE = {"sigmoid": 1, "clamp": 3, "relu_backward": 2, "tanh_backward": 2, "sigmoid_backward": 2}
ROWS = {"softmax": 1, "log_softmax": 1, "softmax_backward": 2, "log_softmax_backward": 2}


def __getattr__(name: str) -> Any:
    """Compile the ufunc `name` and keep it in the module. (NumPy's own object: Numba's around it costs more.)"""
    n = ELEMENTWISE.get(name, ROWS.get(name))
    if n is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    body = globals()["_" + name]
    with building(body):
        if name in ELEMENTWISE:
            made = vectorize([f"{t}({', '.join([t] * n)})" for t in ("f4", "f8")], cache=True)(body)
        else:
            signatures = [f"void({', '.join([t + '[:]'] * (n + 1))})" for t in ("f4", "f8")]
            made = guvectorize(signatures, f"{','.join(['(n)'] * n)}->(n)", cache=True)(body)
    globals()[name] = made.ufunc
    return made.ufunc
