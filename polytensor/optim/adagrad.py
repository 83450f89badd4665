"""Steps divided by the root of accumulated squares: Adagrad, Adadelta, RMSprop."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..tensor import Tensor
from .optimizer import RuleOptimizer, check_common, not_negative, scalar


class Adagrad(RuleOptimizer):
    """The squares of all gradients, summed (Duchi et al., 2011). Source: torch.optim.Adagrad."""

    def __init__(
        self, params: Any, lr: Any = 1e-2, lr_decay: float = 0, weight_decay: float = 0,
        initial_accumulator_value: float = 0, eps: float = 1e-10, foreach: bool | None = None, *, maximize: bool = False,
        differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        check_common(lr, foreach, fused, differentiable)
        not_negative("lr_decay value", lr_decay)
        not_negative("weight_decay value", weight_decay)
        not_negative("initial_accumulator_value value", initial_accumulator_value)
        not_negative("epsilon value", eps)
        defaults = dict(
            lr=lr, lr_decay=lr_decay, eps=eps, weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value, foreach=foreach, maximize=maximize,
            differentiable=differentiable, fused=fused,
        )  # fmt: skip
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p] = {"step": scalar(0.0), **self._start(p, group)}

    def share_memory(self) -> None:
        """Move the sums of squares to memory that processes share."""
        for state in self.state.values():
            state["sum"].share_memory_()

    def _start(self, p: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        value = self.defaults["initial_accumulator_value"]
        return {"sum": ops.full_like(p, complex(value, value) if p.is_complex() else value)}

    @staticmethod
    def rule(F: Any, p: Any, g: Any, s: dict[str, Any], lr: Any, group: dict[str, Any], t: float) -> None:
        """The learning rate decays as 1 / (1 + (t - 1) * lr_decay)."""
        total = s["sum"]
        total += g * g
        p -= (lr / (1 + (t - 1) * group["lr_decay"])) * (g / (F.sqrt(total) + group["eps"]))


class Adadelta(RuleOptimizer):
    """Steps scaled by the ratio of past steps to past gradients (Zeiler, 2012). Source: torch.optim.Adadelta."""

    def __init__(
        self, params: Any, lr: Any = 1.0, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0,
        foreach: bool | None = None, *, capturable: bool = False, maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_common(lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        not_negative("epsilon value", eps)
        not_negative("weight_decay value", weight_decay)
        defaults = dict(
            lr=lr, rho=rho, eps=eps, weight_decay=weight_decay, maximize=maximize, capturable=capturable,
            foreach=foreach, differentiable=differentiable,
        )  # fmt: skip
        super().__init__(params, defaults)

    def _start(self, p: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        return {"square_avg": ops.zeros_like(p), "acc_delta": ops.zeros_like(p)}

    @staticmethod
    def rule(F: Any, p: Any, g: Any, s: dict[str, Any], lr: Any, group: dict[str, Any], t: float) -> None:
        """Both averages decay with rho."""
        v, steps, rho, eps = s["square_avg"], s["acc_delta"], group["rho"], group["eps"]
        v *= rho
        v += (1 - rho) * (g * g)
        d = F.sqrt(steps + eps) / F.sqrt(v + eps) * g
        steps *= rho
        steps += (1 - rho) * (d * d)
        p -= lr * d


class RMSprop(RuleOptimizer):
    """A moving average of squares (Hinton); centered: of the variance (Graves, 2013). Source: torch.optim.RMSprop."""

    def __init__(
        self, params: Any, lr: Any = 1e-2, alpha: float = 0.99, eps: float = 1e-8, weight_decay: float = 0,
        momentum: float = 0, centered: bool = False, capturable: bool = False, foreach: bool | None = None,
        maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_common(lr)
        not_negative("epsilon value", eps)
        not_negative("momentum value", momentum)
        not_negative("weight_decay value", weight_decay)
        not_negative("alpha value", alpha)
        defaults = dict(
            lr=lr, momentum=momentum, alpha=alpha, eps=eps, centered=centered, weight_decay=weight_decay,
            capturable=capturable, foreach=foreach, maximize=maximize, differentiable=differentiable,
        )  # fmt: skip
        super().__init__(params, defaults)

    def _start(self, p: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        names = ["square_avg"]
        names += ["momentum_buffer"] if group["momentum"] > 0 else []
        names += ["grad_avg"] if group["centered"] else []
        return {name: ops.zeros_like(p) for name in names}

    @staticmethod
    def rule(F: Any, p: Any, g: Any, s: dict[str, Any], lr: Any, group: dict[str, Any], t: float) -> None:
        """g over the root of its averaged square, or that summed up with momentum."""
        v, alpha = s["square_avg"], group["alpha"]
        v *= alpha
        v += (1 - alpha) * (g * g)
        if group["centered"]:
            mean = s["grad_avg"]
            mean += (1 - alpha) * (g - mean)
            v = v - mean * mean
        d = g / (F.sqrt(v) + group["eps"])
        if group["momentum"] > 0:
            buf = s["momentum_buffer"]
            buf *= group["momentum"]
            buf += d
            d = buf
        p -= lr * d
