"""Stochastic gradient descent: plain or with momentum, averaged, and by the gradient's sign alone."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..ops.fused import sgd_rule, sgd_step, update
from ..tensor import Tensor
from .optimizer import Optimizer, RuleOptimizer, check_common, not_negative, scalar


class SGD(Optimizer):
    """p -= lr * d. With momentum, d is the running sum of gradients (Sutskever et al., 2013). Source: torch.optim.SGD."""

    on_device = True

    def __init__(
        self, params: Any, lr: Any = 1e-3, momentum: float = 0, dampening: float = 0, weight_decay: float = 0,
        nesterov: bool = False, *, maximize: bool = False, foreach: bool | None = None, differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:  # fmt: skip
        check_common(lr, foreach, fused, differentiable)
        not_negative("momentum value", momentum)
        not_negative("weight_decay value", weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults = dict(
            lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov, maximize=maximize,
            foreach=foreach, differentiable=differentiable, fused=fused,
        )  # fmt: skip
        super().__init__(params, defaults)
        if fused:
            self._step_supports_amp_scaling = True

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            for name in ("nesterov", "maximize", "differentiable"):
                group.setdefault(name, False)

    def _leaves_out(self) -> bool:
        if type(self)._update is not SGD._update:
            return False
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                if group["differentiable"] or not p._dev.backend.asynchronous:
                    return False
                # a first step takes the gradient as it is, which zeros in the buffer give too if nothing is dampened
                if group["momentum"] and group["dampening"] and self.state[p].get("momentum_buffer") is None:
                    return False
        return True

    def _update(self, group: dict[str, Any]) -> None:
        pairs, found = self._with_grad(group), self._found
        momentum, differentiable = group["momentum"], group["differentiable"]
        captured = bool(pairs) and pairs[0][0]._dev.backend.capturing
        lr = self._rate_on_device(group) if captured else self._lr(group)
        rest = (lr, momentum, group["dampening"], group["weight_decay"], group["nesterov"], group["maximize"])
        state = self.state
        if differentiable:
            for p, g in pairs:
                fresh = momentum and "momentum_buffer" not in state[p]
                if fresh:
                    state[p]["momentum_buffer"] = g.detach()
                update(_recorded, p, g, state[p], True, *rest, fresh)
            return
        if not momentum:
            sgd_step([p for p, _ in pairs], [g for _, g in pairs], None, *rest, False, found)
            return
        old: list[Any] = []
        new: list[Any] = []
        for pair in pairs:
            (new if state[pair[0]].get("momentum_buffer") is None else old).append(pair)
        if new and captured:
            raise RuntimeError("SGD with momentum cannot start within a CUDA graph: run a step before the capture")
        for p, g in new:
            state[p]["momentum_buffer"] = ops.empty_like(g) if found is None else ops.zeros_like(g)
        for part, first in ((old, False), (new, found is None)):
            buffers = [state[p]["momentum_buffer"] for p, _ in part]
            sgd_step([p for p, _ in part], [g for _, g in part], buffers, *rest, first, found)


def _recorded(F: Any, p: Any, g: Any, s: dict[str, Any], *rest: Any) -> None:
    buf = sgd_rule(F, p, g, s.get("momentum_buffer"), *rest)
    if buf is not None:
        s["momentum_buffer"] = buf


class ASGD(RuleOptimizer):
    """SGD and, beside it, the average of its parameters (Polyak and Juditsky, 1992). Source: torch.optim.ASGD."""

    counters = ("step", "eta", "mu")

    def __init__(
        self, params: Any, lr: Any = 1e-2, lambd: float = 1e-4, alpha: float = 0.75, t0: float = 1e6,
        weight_decay: float = 0, foreach: bool | None = None, maximize: bool = False, differentiable: bool = False,
        capturable: bool = False,
    ) -> None:  # fmt: skip
        check_common(lr)
        not_negative("weight_decay value", weight_decay)
        defaults = dict(
            lr=lr, lambd=lambd, alpha=alpha, t0=t0, weight_decay=weight_decay, foreach=foreach, maximize=maximize,
            differentiable=differentiable, capturable=capturable,
        )  # fmt: skip
        super().__init__(params, defaults)

    def _start(self, p: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        return {"eta": scalar(float(group["lr"])), "mu": scalar(1.0), "ax": ops.zeros_like(p)}

    def _numbers(self, s: dict[str, Any], t: float, lr: Any, group: dict[str, Any]) -> tuple[Any, ...]:
        eta, mu = s["eta"]._a.item(), s["mu"]._a.item()
        s["eta"]._a[...] = float(lr / (1 + group["lambd"] * lr * t) ** group["alpha"])
        s["mu"]._a[...] = 1 / max(1, t - group["t0"])
        return eta, mu

    @staticmethod
    def rule(F: Any, p: Any, g: Any, s: dict[str, Any], lr: Any, group: dict[str, Any], eta: float, mu: float) -> None:
        """The average `ax` follows p exactly until step t0."""
        p *= 1 - group["lambd"] * eta
        p -= eta * g
        ax = s["ax"]
        if mu != 1:
            ax += (p - ax) * mu
        else:
            s["ax"] = F.assign(ax, F.copy(p))  # a copy: on Tensors the value itself is kept


class Rprop(RuleOptimizer):
    """A step size per element, which grows while the gradient keeps its sign (Riedmiller and Braun, 1993).

    Source: torch.optim.Rprop.
    """

    def __init__(
        self, params: Any, lr: Any = 1e-2, etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50), *, capturable: bool = False, foreach: bool | None = None,
        maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_common(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults = dict(
            lr=lr, etas=etas, step_sizes=step_sizes, foreach=foreach, maximize=maximize, differentiable=differentiable,
            capturable=capturable,
        )  # fmt: skip
        super().__init__(params, defaults)

    def _start(self, p: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        lr = float(group["lr"])
        return {"prev": ops.zeros_like(p), "step_size": ops.full_like(p, complex(lr, lr) if p.is_complex() else lr)}

    @staticmethod
    def rule(F: Any, p: Any, g: Any, s: dict[str, Any], lr: Any, group: dict[str, Any], t: float) -> None:
        """Where the sign turned, the size shrinks and the element rests for a step."""
        prev, size = s["prev"], s["step_size"]
        less, more = group["etas"]
        sign = F.sign(g * prev)
        turned = sign < 0
        factor = F.where(sign > 0, F.fill(size, more), F.where(turned, F.fill(size, less), F.fill(size, 1.0)))
        s["step_size"] = size = F.assign(size, F.clamp(size * factor, *group["step_sizes"]))
        g = F.where(turned, F.fill(size, 0.0), g)
        p -= F.sign(g) * size
        s["prev"] = F.assign(prev, g)
