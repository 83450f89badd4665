"""Gradients clipped by norm or by value. Source: torch.nn.utils.clip_grad."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from types import GeneratorType
from typing import Any

from ...autograd.modes import no_grad
from ...linalg import vector_norm
from ...ops import clamp, stack, tensor
from ...ops.fused import clamp_many, norm_many, scale_many
from ...tensor import Tensor

__all__ = ["clip_grad_norm", "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"]


def _list(tensors: Any, said: str = "") -> list[Tensor]:
    if isinstance(tensors, Tensor):
        return [tensors]
    result = list(tensors)
    if said and isinstance(tensors, GeneratorType) and not result:
        warnings.warn(said, stacklevel=3)
    return result


@no_grad()
def get_total_norm(
    tensors: Any, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Tensor:
    """The norm of all tensors as one vector. RuntimeError for one that is not finite, if asked for."""
    norm_type = float(norm_type)
    listed = _list(tensors)
    if not listed:
        return tensor(0.0)
    total: Any = norm_many(listed, norm_type)
    if total is None:
        norms: Any = [vector_norm(t, norm_type) for t in listed]
        total = vector_norm(stack([n.to(norms[0].device) for n in norms]), norm_type)
    if error_if_nonfinite and not total.isfinite():
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it cannot be clipped. To "
            "disable this error and scale the gradients by the non-finite norm anyway, set `error_if_nonfinite=False`"
        )
    return total  # type: ignore[no-any-return]


@no_grad()
def clip_grads_with_norm_(parameters: Any, max_norm: float, total_norm: Tensor, foreach: bool | None = None) -> None:
    """Scale the gradients in place by max_norm / total_norm where that is under 1."""
    factor: Any = clamp(float(max_norm) / (total_norm + 1e-6), max=1.0)
    grads: dict[Any, list[Any]] = {}
    for p in _list(parameters):
        if p.grad is not None:
            grads.setdefault(p.grad.device, []).append(p.grad)
    for dev, here in grads.items():
        scale_many(here, factor.to(dev))


@no_grad()
def clip_grad_norm_(
    parameters: Any, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:  # fmt: skip
    """Scale the gradients in place so that their norm, as one vector, is at most `max_norm`; the norm before."""
    params = _list(parameters, "`parameters` is an empty generator, no gradient clipping will occur.")
    total = get_total_norm([p.grad for p in params if p.grad is not None], norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(params, max_norm, total, foreach)
    return total  # type: ignore[no-any-return]


def clip_grad_norm(
    parameters: Any, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:  # fmt: skip
    """clip_grad_norm_ by its deprecated name."""
    warnings.warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of `torch.nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)  # type: ignore[no-any-return]


@no_grad()
def clip_grad_value_(parameters: Iterable[Tensor] | Tensor, clip_value: float, foreach: bool | None = None) -> None:
    """Clamp each gradient element in place to [-clip_value, clip_value]."""
    clip_value = float(clip_value)
    clamp_many([p.grad for p in _list(parameters) if p.grad is not None], -clip_value, clip_value)
