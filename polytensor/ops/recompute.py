"""Derivatives of derivatives of primitives whose backward is a kernel: those of the same function in other ops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..tensor import Tensor
from .table import F

__all__: list[str] = []


def gradients(
    composite: Callable[..., Any], g: Any, need: Any, inputs: tuple[Tensor, ...], attrs: tuple[Any, ...]
) -> list[Any]:
    """Differentiable gradients: those of the composite, whose inputs are cut off from each other."""
    from ..autograd import grad

    fresh = [F.alias(x) if wanted else x for x, wanted in zip(inputs, need, strict=True)]
    outs = composite(*fresh, *attrs)
    pairs = [(y, gy) for y, gy in zip(outs, g, strict=False) if gy is not None and y.requires_grad]
    wanted = [x for x, w in zip(fresh, need, strict=True) if w]
    if not pairs:
        return [None] * len(inputs)
    found = iter(grad([y for y, _ in pairs], wanted, [gy for _, gy in pairs], create_graph=True, allow_unused=True))
    return [next(found) if w else None for w in need]
