"""Optimizer steps over lists of arrays, in place. The rules run on Tensors as well (F is then ops.table.F).

A step on float16 or bfloat16 computes in float32 and rounds what it writes once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

Array = Any


def sgd_rule(
    F: Any, p: Any, g: Any, buf: Any, lr: Any, momentum: float, dampening: float, weight_decay: float, nesterov: bool,
    maximize: bool, first: bool,
) -> Any:  # fmt: skip
    """p -= lr * d with d the (momentum) direction; on the `first` step the buffer takes the gradient itself.

    Hands the buffer back.
    """
    if maximize:
        g = -g
    if weight_decay:
        g = g + weight_decay * p
    if buf is not None:
        if first:
            buf = F.assign(buf, F.detached(g))
        else:
            buf *= momentum
            buf += g if dampening == 0 else (1 - dampening) * g
        g = g + momentum * buf if nesterov else buf
    p -= lr * g
    return buf


def adam_rule(
    F: Any, p: Any, g: Any, m: Any, v: Any, top: Any, step: int, lr: Any, beta1: float, beta2: float, eps: float,
    weight_decay: float, decoupled: bool, maximize: bool,
) -> Any:  # fmt: skip
    """Adam (Kingma and Ba, 2015) and, with `decoupled`, AdamW (Loshchilov and Hutter, 2019); `top` for AMSGrad.

    Hands back the average of squares that it divided by: with AMSGrad, the new `top`.
    """
    if maximize:
        g = -g
    if weight_decay:
        if decoupled:
            p *= 1 - lr * weight_decay
        else:
            g = g + weight_decay * p
    m += (1 - beta1) * (g - m)
    v *= beta2
    v += (1 - beta2) * (g * g)
    if top is not None:
        v = F.assign(top, F.maximum(top, v))
    d = F.sqrt(v) * (1 / (1 - beta2**step) ** 0.5) + eps
    p -= (lr / (1 - beta1**step)) * (m / d)
    return v


class OptimKernels:
    """Mixed into Backend."""

    def real_view(self, x: Array) -> Array:
        """Complex memory as pairs of reals in a last dimension."""
        return x[..., None].view(x.real.dtype)

    def assign(self, x: Array, value: Array) -> Array:
        """`x` with `value` in its memory. On Tensors the value itself: what others saved of `x` must stay."""
        x[...] = value
        return x

    def detached(self, x: Array) -> Array:
        """`x` as a constant."""
        return x

    def scale_many(self, arrays: list[Array], factor: Array, found: Array | None) -> list[int]:
        """Multiply arrays by a 0-d one in place, where one launch does it for many; the numbers of those left to the caller.

        `found` (float32, 0-d) becomes 1 where an element of the others was not finite before.
        """
        return list(range(len(arrays)))

    def rule_many(
        self, rule: Callable[..., Any], params: list[Array], grads: list[Array], states: list[dict[str, Array]],
        rest: tuple[Any, ...],
    ) -> list[int]:  # fmt: skip
        """rule(F, p, g, state, *rest) for many parameters at once; the numbers of those left to the caller."""
        return list(range(len(params)))

    def norm_many(self, arrays: list[Array], ord: float) -> Array | None:
        """The norm of arrays of one dtype as one vector, where few launches make it, or None."""
        return None

    def widened(self: Any, *arrays: Array) -> Iterator[Any]:
        """The arrays (or None), once; 16-bit floats in float32, and written back after that: but for the second, the gradient."""
        wide = [a if a is None or a.dtype.itemsize != 2 else self.cast(a, np.dtype(np.float32)) for a in arrays]
        yield wide
        for i, (a, w) in enumerate(zip(arrays, wide, strict=True)):
            if w is not a and i != 1:
                a[...] = self.cast(w, a.dtype)

    def pieces(self, *arrays: Array) -> Iterable[Any]:
        """Views of arrays of one shape (or None) that together cover them, where parts are faster than the whole; see widened."""
        if arrays[0].dtype.itemsize > 2:
            return (arrays,)
        return (part for wide in self.widened(*arrays) for part in self.pieces(*wide))

    def sgd_rule(self: Any, p: Array, g: Array, buf: Any, lr: Array, *rest: Any) -> None:
        """sgd_rule with a learning rate that is an array."""
        for q, d, b in self.pieces(p, g, buf):
            sgd_rule(self, q, d, b, lr if p.dtype.kind == "c" else self.cast(lr, q.dtype), *rest)

    def sgd_step(
        self, params: list[Array], grads: list[Array], bufs: list[Array] | None, lr: float, momentum: float,
        dampening: float, weight_decay: float, nesterov: bool, maximize: bool, first: bool,
    ) -> None:  # fmt: skip
        """sgd_rule for each parameter."""
        if bufs is None and not (weight_decay or maximize):
            for whole, grad in zip(params, grads, strict=True):
                for p, g in self.pieces(whole, grad):
                    p -= g * (self.scalar(lr, p.dtype) if p.dtype.kind == "f" else lr)  # type: ignore[attr-defined]
            return
        for i, arrays in enumerate(zip(params, grads, strict=True)):
            for p, g, buf in self.pieces(*arrays, None if bufs is None else bufs[i]):
                sgd_rule(self, p, g, buf, lr, momentum, dampening, weight_decay, nesterov, maximize, first)

    @contextmanager
    def unless(self: Any, found: Array | None, arrays: list[Array]) -> Iterator[None]:
        """Within the block `arrays` are written to; where `found` (0-d) is not 0 they hold after it what they held before."""
        before = [] if found is None else [self.copy(a) for a in arrays]
        yield
        for a, old in zip(arrays, before, strict=False):
            a[...] = self.xp.where(found != 0, old, a)

    def sgd_step_unless(
        self: Any, found: Array, params: list[Array], grads: list[Array], bufs: Any, *rest: Any
    ) -> None:
        """sgd_step, which changes nothing where `found` (float32, 0-d) is not 0."""
        with self.unless(found, [*params, *(bufs or ())]):
            self.sgd_step(params, grads, bufs, *rest)

    def update_scale(
        self: Any, scale: Array, tracker: Array, found: Array, growth: float, backoff: float, interval: int
    ) -> None:
        """The scale of losses (float32, 0-d) after a step: smaller where `found` is not 0, larger after `interval` good ones."""
        xp, wide = self.xp, scale.astype(np.float64)
        bad, counted = found != 0, tracker + 1
        grown, ripe = (wide * growth).astype(scale.dtype), counted == interval
        kept = xp.where(ripe & xp.isfinite(grown), grown, scale)
        scale[...] = xp.where(bad, (wide * backoff).astype(scale.dtype), kept)
        tracker[...] = xp.where(bad | ripe, tracker.dtype.type(0), counted)

    def adam_step_on_device(
        self: Any, params: list[Array], grads: list[Array], ms: list[Array], vs: list[Array], vmaxs: list[Array] | None,
        steps: list[Array], lr: Any, beta1: float, beta2: float, eps: float, weight_decay: float, decoupled: bool,
        maximize: bool, found: Array | None = None,
    ) -> None:  # fmt: skip
        """Adam with counters that are arrays (0-d, float) and are raised here; lr: a number or such an array.

        Where `found` (float32, 0-d) is not 0 nothing changes.
        """
        rest = (lr, beta1, beta2, eps, weight_decay, decoupled, maximize)
        with self.unless(found, [*params, *ms, *vs, *(vmaxs or ()), *steps]):
            self._adam_with_counters(params, grads, ms, vs, vmaxs, steps, *rest)

    def _adam_with_counters(
        self: Any, params: list[Array], grads: list[Array], ms: list[Array], vs: list[Array], vmaxs: list[Array] | None,
        steps: list[Array], lr: Any, beta1: float, beta2: float, eps: float, weight_decay: float, decoupled: bool,
        maximize: bool,
    ) -> None:  # fmt: skip
        on_device = hasattr(lr, "dtype")
        lr = lr.astype(np.float64) if on_device else lr
        for i, (*arrays, step) in enumerate(zip(params, grads, ms, vs, steps, strict=True)):
            step += 1
            # 1 - beta ** step, without the digits that the difference, or a counter of float32, would lose
            t = step.astype(np.float64)
            left1, left2 = (-self.xp.expm1(t * math.log(b)) if b else 1.0 + 0 * t for b in (beta1, beta2))
            for p, g, m, v, top in self.widened(*arrays, None if vmaxs is None else vmaxs[i]):
                scale, size = (1 / self.xp.sqrt(left2)).astype(p.dtype), (lr / left1).astype(p.dtype)
                if maximize:
                    g = -g
                if weight_decay and decoupled:
                    p *= (1 - lr * weight_decay).astype(p.dtype) if on_device else 1 - lr * weight_decay
                elif weight_decay:
                    g = g + weight_decay * p
                m += (1 - beta1) * (g - m)
                v *= beta2
                v += (1 - beta2) * (g * g)
                squares = v if top is None else self.assign(top, self.xp.maximum(top, v))
                p -= size * (m / (self.xp.sqrt(squares) * scale + eps))

    def adam_step(
        self, params: list[Array], grads: list[Array], ms: list[Array], vs: list[Array], vmaxs: list[Array] | None,
        step: int, lr: float, beta1: float, beta2: float, eps: float, weight_decay: float, decoupled: bool,
        maximize: bool,
    ) -> None:  # fmt: skip
        """adam_rule for each parameter."""
        for i, arrays in enumerate(zip(params, grads, ms, vs, strict=True)):
            for p, g, m, v, top in self.pieces(*arrays, None if vmaxs is None else vmaxs[i]):
                adam_rule(self, p, g, m, v, top, step, lr, beta1, beta2, eps, weight_decay, decoupled, maximize)
