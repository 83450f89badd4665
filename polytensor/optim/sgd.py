"""Stochastic gradient descent with momentum."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..ops.fused import sgd_step
from .optimizer import Optimizer, check_common, not_negative


class SGD(Optimizer):
    """p -= lr * d. With momentum, d is the running sum of gradients (Sutskever et al., 2013). Source: torch.optim.SGD."""

    def __init__(
        self, params: Any, lr: float = 1e-3, momentum: float = 0, dampening: float = 0, weight_decay: float = 0,
        nesterov: bool = False, *, maximize: bool = False, foreach: bool | None = None, differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:  # fmt: skip
        check_common("SGD", lr, foreach, fused, differentiable)
        not_negative("momentum value", momentum)
        not_negative("weight_decay value", weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults = dict(
            lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov, maximize=maximize,
            foreach=foreach, differentiable=differentiable, fused=fused,
        )  # fmt: skip
        super().__init__(params, defaults)

    def _update(self, group: dict[str, Any]) -> None:
        pairs = self._with_grad(group)
        lr, momentum, dampening = float(group["lr"]), group["momentum"], group["dampening"]
        rest = (lr, momentum, dampening, group["weight_decay"], group["nesterov"], group["maximize"])
        if not momentum:
            sgd_step([p for p, _ in pairs], [g for _, g in pairs], None, *rest, False)
            return
        state = self.state
        old: list[Any] = []
        fresh: list[Any] = []
        for pair in pairs:
            (fresh if state[pair[0]].get("momentum_buffer") is None else old).append(pair)
        for p, g in fresh:
            state[p]["momentum_buffer"] = ops.empty_like(g)
        for part, first in ((old, False), (fresh, True)):
            buffers = [state[p]["momentum_buffer"] for p, _ in part]
            sgd_step([p for p, _ in part], [g for _, g in part], buffers, *rest, first)
