"""Adam and AdamW."""

from __future__ import annotations

from typing import Any

from .. import dtypes, ops
from ..ops.fused import adam_step
from .optimizer import Optimizer, check_common, not_negative


class Adam(Optimizer):
    """Adaptive moments (Kingma and Ba, 2015; amsgrad: Reddi et al., 2018). Source: torch.optim.Adam."""

    def __init__(
        self, params: Any, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, amsgrad: bool = False, *, foreach: bool | None = None, maximize: bool = False,
        capturable: bool = False, differentiable: bool = False, fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:  # fmt: skip
        check_common(type(self).__name__, lr, foreach, fused, differentiable)
        not_negative("epsilon value", eps)
        not_negative("weight_decay value", weight_decay)
        for i, beta in enumerate(betas):
            if not 0.0 <= beta < 1.0:
                raise ValueError(f"Invalid beta parameter at index {i}: {beta}")
        defaults = dict(
            lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad, maximize=maximize, foreach=foreach,
            capturable=capturable, differentiable=differentiable, fused=fused, decoupled_weight_decay=decoupled_weight_decay,
        )  # fmt: skip
        super().__init__(params, defaults)

    def _update(self, group: dict[str, Any]) -> None:
        by_step: dict[int, list[Any]] = {}
        for p, g in self._with_grad(group):
            s = self.state[p]
            if not s:
                s["step"] = ops.zeros((), dtype=dtypes.float32, device="cpu")
                s["exp_avg"] = ops.zeros_like(p)
                s["exp_avg_sq"] = ops.zeros_like(p)
                if group["amsgrad"]:
                    s["max_exp_avg_sq"] = ops.zeros_like(p)
            s["step"]._a += 1
            by_step.setdefault(int(s["step"]._a.item()), []).append((p, g, s))
        beta1, beta2 = group["betas"]
        for step, items in by_step.items():
            params, grads, states = zip(*items, strict=True)
            adam_step(
                list(params), list(grads), [s["exp_avg"] for s in states], [s["exp_avg_sq"] for s in states],
                [s["max_exp_avg_sq"] for s in states] if group["amsgrad"] else None, step, float(group["lr"]), beta1, beta2,
                group["eps"], group["weight_decay"], group["decoupled_weight_decay"], group["maximize"],
            )  # fmt: skip


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019). Source: torch.optim.AdamW."""

    def __init__(
        self, params: Any, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 1e-2, amsgrad: bool = False, *, maximize: bool = False, foreach: bool | None = None,
        capturable: bool = False, differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach, maximize=maximize, capturable=capturable,
            differentiable=differentiable, fused=fused, decoupled_weight_decay=True,
        )  # fmt: skip
