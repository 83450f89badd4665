"""Ufuncs for arrays of few elements, where what counts is the price of a call.

A compiled ufunc of elements is called in 0.2 microseconds and one of rows in 0.55; NumPy needs several ufuncs for what
is one here. A jitted function that fills an array given to it is called in 0.15 (it would make one in 0.3, NumPy in 0.1).
Each is compiled, or loaded from Numba's cache, at its first use, for float32 and float64. Ufuncs take every layout and
broadcast; the jitted ones take C order, and raise TypeError for anything else.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import Any

import numpy as np
from numba import guvectorize, njit, types, vectorize
from numba.extending import overload

from .cache import building, lock_cache
from .pointwise import fast_exp
from .reduce import key_value, order_key


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


def _where(mask: Any, x: Any, y: Any) -> Any:
    return x if mask else y


def _relu(x: Any) -> Any:
    return 0.0 if x <= 0 else x  # NaN stays


def _relu_backward(g: Any, y: Any) -> Any:
    return 0.0 if y <= 0 else g  # also where g is inf or NaN


def _tanh_backward(g: Any, y: Any) -> Any:
    return g * (1 - y * y)


def _sigmoid_backward(g: Any, y: Any) -> Any:
    return g * ((1 - y) * y)


def _descend(p: Any, g: Any, rate: Any) -> Any:
    return p - g * rate


def _move(x: Any, y: Any, keep: Any, rate: Any) -> Any:
    return x * keep + y * rate


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


def _softmax_rows(x: Any, out: Any) -> None:
    """softmax of the rows of a matrix; a row with NaN is all NaN."""
    for r in range(x.shape[0]):
        xs, o = x[r], out[r]
        best = order_key(xs[0], 0)
        for i in range(xs.size):
            best = max(best, order_key(xs[i], 0))
        top = key_value(best, 0, x.dtype)
        for i in range(o.size):
            o[i] = fast_exp(xs[i] - top)
        whole = 0.0
        for i in range(o.size):
            whole += o[i]
        inverse = x.dtype.type(1 / whole)
        for i in range(o.size):
            o[i] *= inverse


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


ELEMENTWISE = {
    "sigmoid": "t", "clamp": "t, t, t", "relu": "t", "where": "b1, t, t", "relu_backward": "t, t", "tanh_backward": "t, t",
    "sigmoid_backward": "t, t", "descend": "t, t, t", "move": "t, t, t, t",
}  # fmt: skip
ROWS = {"softmax": 1, "log_softmax": 1, "softmax_backward": 2, "log_softmax_backward": 2}
JITTED = {"softmax_rows": (2, 2)}  # numbers of dimensions


def __getattr__(name: str) -> Any:
    """Compile the function `name` and keep it in the module. (NumPy's own ufunc: Numba's around it costs more.)"""
    body = globals().get("_" + name)
    with building(body) if name in ELEMENTWISE or name in ROWS else nullcontext():
        if name in ELEMENTWISE:
            signatures = [f"{t}({ELEMENTWISE[name].replace('t', t)})" for t in ("f4", "f8")]
            made = vectorize(signatures, cache=True)(body).ufunc
        elif name in ROWS:
            signatures = [f"void({', '.join([t + '[:]'] * (ROWS[name] + 1))})" for t in ("f4", "f8")]
            made = guvectorize(signatures, f"{','.join(['(n)'] * ROWS[name])}->(n)", cache=True)(body).ufunc
        elif name in JITTED:
            made = lock_cache(njit(error_model="numpy", cache=True)(body))
            for t in (types.float32, types.float64):
                made.compile(tuple(types.Array(t, ndim, "C") for ndim in JITTED[name]))
            made.disable_compile()
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = made
    return made
