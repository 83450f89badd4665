"""Draws of the standard gamma distribution, and how they change with its parameter."""

from __future__ import annotations

import math
from typing import Any

import polytensor as torch
from polytensor import Tensor

__all__ = ["standard_gamma"]


def _draw(alpha: Tensor) -> Tensor:
    """By Marsaglia and Tsang: a cubed normal, accepted where a uniform says so; below 1 from alpha + 1."""
    flat = alpha.double().flatten()
    small = flat < 1
    a = torch.where(small, flat + 1, flat)
    d = a - 1 / 3
    c = 1 / (9 * d).sqrt()
    result = torch.empty_like(a)
    left = torch.arange(a.numel(), device=a.device)
    while left.numel():  # some 96 of 100 are taken in each round
        x, u = torch.randn_like(d), torch.rand_like(d)
        v = (1 + c * x) ** 3
        good = (v > 0) & (torch.log(u) < 0.5 * x * x + d - d * v + d * torch.log(v.clamp(min=1e-300)))
        result[left[good]] = (d * v)[good]
        left, d, c = left[~good], d[~good], c[~good]
    boost = torch.rand_like(flat).pow(1 / flat)
    result = torch.where(small, result * boost, result)
    return result.reshape(alpha.shape).to(alpha.dtype)


def _slope(alpha: Tensor, x: Tensor) -> Tensor:
    """dx/dalpha of a draw at a fixed place of the distribution: -(dP/dalpha) / (dP/dx), P the lower incomplete gamma.

    dP/dalpha is a difference quotient in float64, of the tail that is smaller; near 0 P is x^alpha / gamma(alpha + 1).
    """
    a, x = alpha.double(), x.double().clamp(min=1e-300)
    h = 1e-4 * torch.minimum(a, a.sqrt())

    def quotient(f: Any) -> Tensor:  # of fourth order
        near, far = f(a + h, x) - f(a - h, x), f(a + 2 * h, x) - f(a - 2 * h, x)
        return (8 * near - far) / (12 * h)  # type: ignore[no-any-return]

    special = torch.special
    dp = torch.where(x < a, quotient(special.gammainc), -quotient(special.gammaincc))
    log_density = (a - 1) * torch.log(x) - x - torch.lgamma(a)
    series = -x / a * (torch.log(x) - torch.digamma(a + 1))
    return torch.where(x < 1e-5 * (a + 1), series, -dp * torch.exp(-log_density))


class _StandardGamma(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, alpha: Tensor) -> Tensor:  # type: ignore[override]
        x = _draw(alpha)
        ctx.save_for_backward(alpha, x)
        return x

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, g: Tensor) -> Tensor:  # type: ignore[override]
        alpha, x = ctx.saved_tensors
        return g * _slope(alpha, x).to(g.dtype)


def standard_gamma(alpha: Tensor) -> Tensor:
    """One draw of gamma(alpha, 1) for each alpha, with gradients of first order; never 0.

    Source: torch._standard_gamma. Draws are made on the device, in float64.
    """
    tiny = math.ldexp(torch.finfo(alpha.dtype).tiny, 0)
    return _StandardGamma.apply(alpha).clamp(min=tiny)  # type: ignore[no-any-return]
