"""Optimizer updates, each in one pass over a parameter and its state."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange

from .blas import LARGE, axpy
from .pointwise import BLOCK, span
from .threads import Kernel, get_num_threads


@njit(error_model="numpy", forceinline=True)
def sgd_one(p: Any, g: Any, lr: Any, sign: Any, decay: Any) -> None:
    for i in range(p.size):
        d = sign * g[i]
        if decay != 0:  # 0 * inf would be NaN
            d += decay * p[i]
        p[i] -= lr * d


@njit(error_model="numpy", forceinline=True)
def sgd_momentum_one(
    p: Any, g: Any, buf: Any, lr: Any, momentum: Any, keep: Any, sign: Any, decay: Any, nesterov: bool
) -> None:
    """buf = momentum * buf + keep * d; p -= lr * (d + momentum * buf with nesterov, else buf)."""
    for i in range(p.size):
        d = sign * g[i]
        if decay != 0:
            d += decay * p[i]
        v = momentum * buf[i] + keep * d
        buf[i] = v
        p[i] -= lr * (d + momentum * v if nesterov else v)


@njit(error_model="numpy", forceinline=True)
def adam_one(
    p: Any, g: Any, m: Any, v: Any, sign: Any, decay: Any, shrink: Any, one1: Any, beta2: Any, one2: Any, scale: Any,
    size: Any, eps: Any,
) -> None:  # fmt: skip
    """The bias corrections come in as `scale` (of the root) and `size` (of the step): one root, one division."""
    for i in range(p.size):
        d = sign * g[i]
        if decay != 0:
            d += decay * p[i]
        first = m[i] + one1 * (d - m[i])
        second = beta2 * v[i] + one2 * (d * d)
        m[i] = first
        v[i] = second
        p[i] = p[i] * shrink - size * (first / (np.sqrt(second) * scale + eps))


@njit(error_model="numpy", forceinline=True)
def amsgrad_one(
    p: Any, g: Any, m: Any, v: Any, top: Any, sign: Any, decay: Any, shrink: Any, one1: Any, beta2: Any, one2: Any,
    scale: Any, size: Any, eps: Any,
) -> None:  # fmt: skip
    for i in range(p.size):
        d = sign * g[i]
        if decay != 0:
            d += decay * p[i]
        first = m[i] + one1 * (d - m[i])
        second = beta2 * v[i] + one2 * (d * d)
        m[i] = first
        v[i] = second
        high = second if second > top[i] or second != second else top[i]
        top[i] = high
        p[i] = p[i] * shrink - size * (first / (np.sqrt(high) * scale + eps))


def _sgd(p: Any, g: Any, lr: Any, sign: Any, decay: Any) -> None:
    for b in prange((p.size + BLOCK - 1) // BLOCK):
        s = span(b, p.size, BLOCK)
        sgd_one(p[s], g[s], lr, sign, decay)


def _sgd_momentum(
    p: Any, g: Any, buf: Any, lr: Any, momentum: Any, keep: Any, sign: Any, decay: Any, nesterov: bool
) -> None:
    for b in prange((p.size + BLOCK - 1) // BLOCK):
        s = span(b, p.size, BLOCK)
        sgd_momentum_one(p[s], g[s], buf[s], lr, momentum, keep, sign, decay, nesterov)


def _adam(
    p: Any, g: Any, m: Any, v: Any, sign: Any, decay: Any, shrink: Any, one1: Any, beta2: Any, one2: Any, scale: Any,
    size: Any, eps: Any,
) -> None:  # fmt: skip
    for b in prange((p.size + BLOCK - 1) // BLOCK):
        s = span(b, p.size, BLOCK)
        adam_one(p[s], g[s], m[s], v[s], sign, decay, shrink, one1, beta2, one2, scale, size, eps)


def _amsgrad(
    p: Any, g: Any, m: Any, v: Any, top: Any, sign: Any, decay: Any, shrink: Any, one1: Any, beta2: Any, one2: Any,
    scale: Any, size: Any, eps: Any,
) -> None:  # fmt: skip
    for b in prange((p.size + BLOCK - 1) // BLOCK):
        s = span(b, p.size, BLOCK)
        amsgrad_one(p[s], g[s], m[s], v[s], top[s], sign, decay, shrink, one1, beta2, one2, scale, size, eps)


sgd_kernel = Kernel(_sgd)
sgd_momentum_kernel = Kernel(_sgd_momentum)
adam_kernel = Kernel(_adam)
amsgrad_kernel = Kernel(_amsgrad)


def flat(x: Any) -> Any:
    return x if x.ndim == 1 else x.reshape(-1)


def sgd(
    p: Any, g: Any, buf: Any, lr: float, momentum: float, dampening: float, weight_decay: float, nesterov: bool,
    maximize: bool, first: bool,
) -> None:  # fmt: skip
    """The contract's sgd_step for one contiguous parameter."""
    f = p.dtype.type
    sign = f(-1 if maximize else 1)
    if buf is None:
        if p.size >= LARGE and weight_decay == 0 and lr != 0 and get_num_threads() > 1:
            add = axpy(p.dtype.char)
            if add is not None:
                add(p, g, lr if maximize else -lr)
                return
        sgd_kernel(0.4 * p.size, flat(p), flat(g), f(lr), sign, f(weight_decay))
        return
    if first:
        buf[...] = 0  # then momentum * buf + g is g
    sgd_momentum_kernel(
        0.6 * p.size, flat(p), flat(g), flat(buf), f(lr), f(momentum), f(1 if first else 1 - dampening), sign,
        f(weight_decay), nesterov,
    )  # fmt: skip


def adam_numbers(
    dtype: Any, step: int, lr: float, beta1: float, beta2: float, eps: float, weight_decay: float, decoupled: bool,
    maximize: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """The kernels' numbers from sign to eps."""
    f = dtype.type
    return (
        f(-1 if maximize else 1), f(0 if decoupled else weight_decay), f(1 - lr * weight_decay if decoupled else 1),
        f(1 - beta1), f(beta2), f(1 - beta2), f(1 / (1 - beta2**step) ** 0.5), f(lr / (1 - beta1**step)), f(eps),
    )  # fmt: skip


def adam(
    p: Any, g: Any, m: Any, v: Any, top: Any, step: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float, decoupled: bool, maximize: bool,
) -> None:  # fmt: skip
    """The contract's adam_step for one contiguous parameter."""
    common = adam_numbers(p.dtype, step, lr, beta1, beta2, eps, weight_decay, decoupled, maximize)
    arrays = (flat(p), flat(g), flat(m), flat(v))
    if top is None:
        adam_kernel(1.0 * p.size, *arrays, *common)
    else:
        amsgrad_kernel(1.0 * p.size, *arrays, flat(top), *common)
