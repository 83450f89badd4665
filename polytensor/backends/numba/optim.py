"""Optimizer updates, each in one pass over a parameter and its state."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from .blas import LARGE, axpy
from .pointwise import BLOCK, span
from .threads import Kernel, get_num_threads


def _sgd(p: Any, g: Any, lr: Any, sign: Any, decay: Any) -> None:
    for b in prange((p.size + BLOCK - 1) // BLOCK):
        s = span(b, p.size, BLOCK)
        ps, gs = p[s], g[s]
        for i in range(ps.size):
            d = sign * gs[i]
            if decay != 0:  # 0 * inf would be NaN
                d += decay * ps[i]
            ps[i] -= lr * d


def _sgd_momentum(
    p: Any, g: Any, buf: Any, lr: Any, momentum: Any, keep: Any, sign: Any, decay: Any, nesterov: bool
) -> None:
    """buf = momentum * buf + keep * d; p -= lr * (d + momentum * buf with nesterov, else buf)."""
    for b in prange((p.size + BLOCK - 1) // BLOCK):
        s = span(b, p.size, BLOCK)
        ps, gs, bs = p[s], g[s], buf[s]
        for i in range(ps.size):
            d = sign * gs[i]
            if decay != 0:
                d += decay * ps[i]
            v = momentum * bs[i] + keep * d
            bs[i] = v
            ps[i] -= lr * (d + momentum * v if nesterov else v)


def _adam(
    p: Any, g: Any, m: Any, v: Any, sign: Any, decay: Any, shrink: Any, one1: Any, beta2: Any, one2: Any, scale: Any,
    size: Any, eps: Any,
) -> None:  # fmt: skip
    """The bias corrections come in as `scale` (of the root) and `size` (of the step): one root, one division."""
    for b in prange((p.size + BLOCK - 1) // BLOCK):
        s = span(b, p.size, BLOCK)
        ps, gs, ms, vs = p[s], g[s], m[s], v[s]
        for i in range(ps.size):
            d = sign * gs[i]
            if decay != 0:
                d += decay * ps[i]
            first = ms[i] + one1 * (d - ms[i])
            second = beta2 * vs[i] + one2 * (d * d)
            ms[i] = first
            vs[i] = second
            ps[i] = ps[i] * shrink - size * (first / (np.sqrt(second) * scale + eps))


def _amsgrad(
    p: Any, g: Any, m: Any, v: Any, top: Any, sign: Any, decay: Any, shrink: Any, one1: Any, beta2: Any, one2: Any,
    scale: Any, size: Any, eps: Any,
) -> None:  # fmt: skip
    for b in prange((p.size + BLOCK - 1) // BLOCK):
        s = span(b, p.size, BLOCK)
        ps, gs, ms, vs, ts = p[s], g[s], m[s], v[s], top[s]
        for i in range(ps.size):
            d = sign * gs[i]
            if decay != 0:
                d += decay * ps[i]
            first = ms[i] + one1 * (d - ms[i])
            second = beta2 * vs[i] + one2 * (d * d)
            ms[i] = first
            vs[i] = second
            high = second if second > ts[i] or second != second else ts[i]
            ts[i] = high
            ps[i] = ps[i] * shrink - size * (first / (np.sqrt(high) * scale + eps))


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


def adam(
    p: Any, g: Any, m: Any, v: Any, top: Any, step: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float, decoupled: bool, maximize: bool,
) -> None:  # fmt: skip
    """The contract's adam_step for one contiguous parameter."""
    f = p.dtype.type
    common = (
        f(-1 if maximize else 1), f(0 if decoupled else weight_decay), f(1 - lr * weight_decay if decoupled else 1),
        f(1 - beta1), f(beta2), f(1 - beta2), f(1 / (1 - beta2**step) ** 0.5), f(lr / (1 - beta1**step)), f(eps),
    )  # fmt: skip
    arrays = (flat(p), flat(g), flat(m), flat(v))
    if top is None:
        adam_kernel(1.0 * p.size, *arrays, *common)
    else:
        amsgrad_kernel(1.0 * p.size, *arrays, flat(top), *common)
