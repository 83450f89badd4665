"""Optimizer steps over lists of tensors, fused by the backend; they write in place and record nothing."""

from __future__ import annotations

from typing import Any

from ..tensor import Tensor


def _arrays(tensors: Any) -> list[Any]:
    return [t._a for t in tensors]


def _by_device(params: list[Tensor]) -> bool:
    dev = params[0]._dev
    return all(p._dev is dev for p in params)


def sgd_step(
    params: list[Tensor], grads: list[Tensor], bufs: list[Tensor] | None, lr: float, momentum: float, dampening: float,
    weight_decay: float, nesterov: bool, maximize: bool, first: bool,
) -> None:  # fmt: skip
    """One SGD step; see Backend.sgd_step."""
    if not params:
        return
    if not _by_device(params):
        for i, p in enumerate(params):
            one = None if bufs is None else [bufs[i]]
            sgd_step([p], [grads[i]], one, lr, momentum, dampening, weight_decay, nesterov, maximize, first)
        return
    params[0]._dev.backend.sgd_step(
        _arrays(params), _arrays(grads), None if bufs is None else _arrays(bufs), lr, momentum, dampening, weight_decay,
        nesterov, maximize, first,
    )  # fmt: skip
    for p in params:
        p._bump()


def adam_step(
    params: list[Tensor], grads: list[Tensor], ms: list[Tensor], vs: list[Tensor], vmaxs: list[Tensor] | None, step: int,
    lr: float, beta1: float, beta2: float, eps: float, weight_decay: float, decoupled: bool, maximize: bool,
) -> None:  # fmt: skip
    """One Adam or AdamW step; see Backend.adam_step."""
    if not params:
        return
    if not _by_device(params):
        for i, p in enumerate(params):
            top = None if vmaxs is None else [vmaxs[i]]
            adam_step(
                [p], [grads[i]], [ms[i]], [vs[i]], top, step, lr, beta1, beta2, eps, weight_decay, decoupled, maximize
            )
        return
    params[0]._dev.backend.adam_step(
        _arrays(params), _arrays(grads), _arrays(ms), _arrays(vs), None if vmaxs is None else _arrays(vmaxs), step, lr,
        beta1, beta2, eps, weight_decay, decoupled, maximize,
    )  # fmt: skip
    for p in params:
        p._bump()
