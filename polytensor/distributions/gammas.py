"""Gamma and Dirichlet numbers, with gradients in their concentrations."""

from __future__ import annotations

from typing import Any

from .. import dtypes, ops
from ..autograd import Function
from ..autograd.modes import no_grad

__all__ = ["sample_dirichlet", "standard_gamma"]


def _log_gamma_numbers(a: Any) -> Any:
    """log of gamma numbers of float64 concentrations `a`, by Marsaglia and Tsang's rejection from a cubed normal.

    For a < 1 those of a + 1 are used, times U^(1 / a); the log keeps what would be 0.
    """
    small = a < 1
    d = ops.where(small, a + 1, a) - 1 / 3
    c = 1 / (9 * d).sqrt()
    result, pending = ops.zeros_like(a), a > 0
    while pending.any():
        x = ops.randn(a.shape, dtype=a.dtype, device=a.device)
        u = ops.rand(a.shape, dtype=a.dtype, device=a.device)
        v = (1 + c * x).clamp(min=1e-300) ** 3
        ok = pending & (ops.log1p(-u) < 0.5 * x * x + d - d * v + d * v.log())
        result = ops.where(ok, d.log() + v.log(), result)
        pending = pending & ~ok
    boost = ops.log1p(-ops.rand(a.shape, dtype=a.dtype, device=a.device)) / a
    return ops.where(a > 0, ops.where(small, result + boost, result), float("nan"))


def _gradient(a: Any, x: Any) -> Any:
    """d x / d a of gamma numbers x at constant probability: -(d P(a, x) / d a) / density, in float64.

    P's slope is a difference of fourth order, of P or of 1 - P, whichever is the smaller.
    """
    h = 0.01 * ops.minimum(a, a.sqrt())
    upper = x > a

    def slope(p: Any) -> Any:
        return (p(a - 2 * h, x) - p(a + 2 * h, x) + 8 * (p(a + h, x) - p(a - h, x))) / (12 * h)

    change = ops.where(upper, -slope(ops.igammac), slope(ops.igamma))
    return -change * ops.exp(x + ops.lgamma(a) - ops.xlogy(a - 1, x))


class _StandardGamma(Function):
    @staticmethod
    def forward(ctx: Any, concentration: Any) -> Any:
        value = _log_gamma_numbers(concentration.double()).exp().to(concentration.dtype)
        value = value.clamp(min=dtypes.finfo(value.dtype).tiny)
        ctx.save_for_backward(concentration, value)
        return value

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        a, x = (t.double() for t in ctx.saved_tensors)
        return (g * _gradient(a, x)).to(g.dtype)


class _Dirichlet(Function):
    """Normalized gamma numbers; their gradients follow from those of the gamma numbers."""

    @staticmethod
    def forward(ctx: Any, concentration: Any) -> Any:
        log = _log_gamma_numbers(concentration.double())
        value = ops.softmax(log, -1)
        ctx.save_for_backward(concentration, log, value)
        return value.to(concentration.dtype)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        a, log, value = ctx.saved_tensors
        x = log.exp().clamp(min=1e-300)
        relative = _gradient(a.double(), x) / x  # of log x
        g = g.double()
        return (value * (g - (g * value).sum(-1, keepdim=True)) * relative).to(a.dtype)


def standard_gamma(concentration: Any) -> Any:
    """Gamma numbers of rate 1, differentiable in the concentration."""
    if concentration.requires_grad:
        return _StandardGamma.apply(concentration)
    with no_grad():
        value = _log_gamma_numbers(concentration.double()).exp().to(concentration.dtype)
        return value.clamp(min=dtypes.finfo(value.dtype).tiny)


def sample_dirichlet(concentration: Any) -> Any:
    """Points of a simplex, differentiable in the concentration."""
    if concentration.requires_grad:
        return _Dirichlet.apply(concentration)
    with no_grad():
        return ops.softmax(_log_gamma_numbers(concentration.double()), -1).to(concentration.dtype)
