"""Random numbers for the transforms: from PolyTensor's default Generator, so manual_seed fixes them all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import polytensor as torch

__all__ = ["below", "choice", "dirichlet", "gamma", "order", "uniform", "unit"]


def unit() -> float:
    """A number in [0, 1)."""
    return torch.rand(1, device="cpu").item()  # type: ignore[no-any-return]


def uniform(low: float, high: float) -> float:
    """A number in [low, high)."""
    return torch.empty(1, device="cpu").uniform_(float(low), float(high)).item()  # type: ignore[no-any-return]


def below(high: int, low: int = 0) -> int:
    """An integer in [low, high)."""
    return int(torch.randint(low, high, (1,), device="cpu").item())


def order(n: int) -> list[int]:
    """0 to n - 1, shuffled."""
    return torch.randperm(n, device="cpu").tolist()  # type: ignore[no-any-return]


def choice(items: Sequence[Any], weights: Any = None) -> Any:
    """One of the items, by weight."""
    if weights is None:
        return items[below(len(items))]
    index = torch.multinomial(torch.tensor([float(w) for w in weights], device="cpu"), 1)
    return items[int(index)]


def gamma(alpha: float) -> float:
    """A number of the gamma distribution of shape alpha (Marsaglia and Tsang 2000)."""
    if alpha < 1.0:
        return gamma(alpha + 1.0) * (1.0 - unit()) ** (1.0 / alpha)
    d = alpha - 1.0 / 3.0
    while True:
        x = torch.randn(1, device="cpu").item()
        v = (1.0 + x / math.sqrt(9.0 * d)) ** 3
        if v > 0.0 and math.log(1.0 - unit()) < 0.5 * x * x + d - d * v + d * math.log(v):
            return d * v  # type: ignore[no-any-return]


def dirichlet(alphas: Sequence[float]) -> list[float]:
    """Random shares that sum to 1; two of them are a beta distribution."""
    draws = [gamma(a) for a in alphas]
    total = sum(draws) or 1.0  # tiny alphas can underflow
    return [d / total for d in draws]
