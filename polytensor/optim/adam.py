"""Adam and its kin: moving averages of the gradient and of its square."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..ops.fused import adam_rule, adam_step, adam_step_on_device, update
from ..tensor import Tensor
from .optimizer import Optimizer, RuleOptimizer, check_betas, check_common, not_negative, scalar


class Adam(Optimizer):
    """Adaptive moments (Kingma and Ba, 2015; amsgrad: Reddi et al., 2018). Source: torch.optim.Adam."""

    on_device = True

    def __init__(
        self, params: Any, lr: Any = 1e-3, betas: tuple[Any, Any] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, amsgrad: bool = False, *, foreach: bool | None = None, maximize: bool = False,
        capturable: bool = False, differentiable: bool = False, fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:  # fmt: skip
        if isinstance(lr, Tensor) and foreach and not capturable:
            raise ValueError("lr as a Tensor is not supported for capturable=False and foreach=True")
        check_common(lr, foreach, fused, differentiable)
        not_negative("epsilon value", eps)
        not_negative("weight_decay value", weight_decay)
        check_betas(betas)
        betas = tuple(b.item() if isinstance(b, Tensor) else b for b in betas)  # type: ignore[assignment]
        defaults = dict(
            lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad, maximize=maximize, foreach=foreach,
            capturable=capturable, differentiable=differentiable, fused=fused, decoupled_weight_decay=decoupled_weight_decay,
        )  # fmt: skip
        super().__init__(params, defaults)
        if fused:
            self._step_supports_amp_scaling = True

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            for name in ("amsgrad", "maximize", "capturable", "differentiable"):
                group.setdefault(name, False)
            group.setdefault("decoupled_weight_decay", isinstance(self, AdamW))

    def _update(self, group: dict[str, Any]) -> None:
        by_step: dict[int, list[Any]] = {}
        pairs = self._with_grad(group)
        if group["capturable"] or group.get("fused"):
            self._update_on_device([pair for pair in pairs if self._counts_there(pair[0], group)], group)
            pairs = [pair for pair in pairs if not self._counts_there(pair[0], group)]
            if not pairs:
                return
        for p, g in pairs:
            s = self._started(p, group)
            count = s["step"]._a
            step = int(count.item()) + 1
            count.fill(step)
            by_step.setdefault(step, []).append((p, g, s))
        beta1, beta2 = group["betas"]
        rest = (group["eps"], group["weight_decay"], group["decoupled_weight_decay"], group["maximize"])
        lr = self._lr(group)
        for step, items in by_step.items():
            if group["differentiable"]:
                for p, g, s in items:
                    tensors = {k: v for k, v in s.items() if k != "step"}
                    update(_recorded, p, g, tensors, True, step, lr, beta1, beta2, *rest)
                    s.update(tensors)
                continue
            adam_step(*_columns(items, group), step, lr, beta1, beta2, *rest)

    def _started(self, p: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        """The state of a parameter, from its first step on."""
        s = self.state[p]
        if not s:
            names = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")[: 3 if group["amsgrad"] else 2]
            step = scalar(0.0, p.device if self._counts_there(p, group) else "cpu")
            s.update({"step": step, **{name: ops.zeros_like(p) for name in names}})  # all or, without memory, nothing
        return s

    @staticmethod
    def _counts_there(p: Tensor, group: dict[str, Any]) -> bool:
        """Whether the steps of a parameter are counted on its device."""
        there = group["capturable"] or (group.get("fused") and p._dev.backend.asynchronous)
        return bool(there) and not group["differentiable"]

    def _leaves_out(self) -> bool:
        return type(self)._update is Adam._update and all(
            p.grad is None or self._counts_there(p, group) for group in self.param_groups for p in group["params"]
        )

    def _update_on_device(self, pairs: list[Any], group: dict[str, Any]) -> None:
        """As a CUDA graph can repeat it: the steps are counted on the device, and a learning rate may be a tensor there."""
        items = [(p, g, self._started(p, group)) for p, g in pairs]
        adam_step_on_device(
            *_columns(items, group), [s["step"] for _, _, s in items], self._rate_on_device(group), *group["betas"],
            group["eps"], group["weight_decay"], group["decoupled_weight_decay"], group["maximize"], found=self._found,
        )  # fmt: skip


def _columns(items: list[Any], group: dict[str, Any]) -> list[Any]:
    """(parameter, gradient, state) of many as the lists that a step takes."""
    names = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")[: 3 if group["amsgrad"] else 2]
    lists = [[p for p, _, _ in items], [g for _, g, _ in items], *([s[name] for _, _, s in items] for name in names)]
    return lists if group["amsgrad"] else [*lists, None]


def _recorded(F: Any, p: Any, g: Any, s: dict[str, Any], *rest: Any) -> None:
    top = s.get("max_exp_avg_sq")
    squares = adam_rule(F, p, g, s["exp_avg"], s["exp_avg_sq"], top, *rest)
    if top is not None:
        s["max_exp_avg_sq"] = squares


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019). Source: torch.optim.AdamW."""

    def __init__(
        self, params: Any, lr: Any = 1e-3, betas: tuple[Any, Any] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 1e-2, amsgrad: bool = False, *, maximize: bool = False, foreach: bool | None = None,
        capturable: bool = False, differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach, maximize=maximize, capturable=capturable,
            differentiable=differentiable, fused=fused, decoupled_weight_decay=True,
        )  # fmt: skip


class _Moments(RuleOptimizer):
    """What NAdam, RAdam and Adamax share."""

    second = "exp_avg_sq"

    def _check(self, lr: Any, betas: Any, eps: float, weight_decay: float) -> None:
        check_common(lr)
        not_negative("epsilon value", eps)
        check_betas(betas)
        not_negative("weight_decay value", weight_decay)

    def _start(self, p: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        return {"exp_avg": ops.zeros_like(p), self.second: ops.zeros_like(p)}

    @staticmethod
    def moments(g: Any, s: dict[str, Any], group: dict[str, Any]) -> tuple[Any, Any]:
        """The averages of g and g * g, updated."""
        m, v = s["exp_avg"], s["exp_avg_sq"]
        beta1, beta2 = group["betas"]
        m += (1 - beta1) * (g - m)
        v *= beta2
        v += (1 - beta2) * (g * g)
        return m, v


class NAdam(_Moments):
    """Adam with Nesterov momentum (Dozat, 2016). Source: torch.optim.NAdam."""

    counters = ("step", "mu_product")

    def __init__(
        self, params: Any, lr: Any = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, momentum_decay: float = 4e-3, decoupled_weight_decay: bool = False, *,
        foreach: bool | None = None, maximize: bool = False, capturable: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        self._check(lr, betas, eps, weight_decay)
        not_negative("momentum_decay value", momentum_decay)
        defaults = dict(
            lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay,
            decoupled_weight_decay=decoupled_weight_decay, maximize=maximize, foreach=foreach, capturable=capturable,
            differentiable=differentiable,
        )  # fmt: skip
        super().__init__(params, defaults)

    def _start(self, p: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        return {"mu_product": scalar(1.0), **super()._start(p, group)}

    def _numbers(self, s: dict[str, Any], t: float, lr: Any, group: dict[str, Any]) -> tuple[Any, ...]:
        beta1, decay = group["betas"][0], group["momentum_decay"]
        mu, after = (beta1 * (1.0 - 0.5 * 0.96 ** (n * decay)) for n in (t, t + 1))
        product = s["mu_product"]._a
        product *= mu
        return t, lr * (1.0 - mu) / (1.0 - product.item()), lr * after / (1.0 - product.item() * after)

    @staticmethod
    def rule(
        F: Any, p: Any, g: Any, s: dict[str, Any], lr: Any, group: dict[str, Any], t: float, now: Any, ahead: Any
    ) -> None:
        """One share of the step goes along g, one along its average."""
        m, v = _Moments.moments(g, s, group)
        d = F.sqrt(v / (1 - group["betas"][1] ** t)) + group["eps"]
        p -= now * (g / d)
        p -= ahead * (m / d)


class RAdam(_Moments):
    """Adam that waits until the variance of its step is known (Liu et al., 2020). Source: torch.optim.RAdam."""

    def __init__(
        self, params: Any, lr: Any = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, decoupled_weight_decay: bool = False, *, foreach: bool | None = None,
        maximize: bool = False, capturable: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        self._check(lr, betas, eps, weight_decay)
        defaults = dict(
            lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, maximize=maximize, foreach=foreach,
            capturable=capturable, decoupled_weight_decay=decoupled_weight_decay, differentiable=differentiable,
        )  # fmt: skip
        super().__init__(params, defaults)

    @staticmethod
    def rule(F: Any, p: Any, g: Any, s: dict[str, Any], lr: Any, group: dict[str, Any], t: float) -> None:
        """Momentum alone while the averaged variance spans too few steps (rho <= 5)."""
        m, v = _Moments.moments(g, s, group)
        beta1, beta2 = group["betas"]
        left = 1 - beta2**t
        longest = 2 / (1 - beta2) - 1
        rho = longest - 2 * t * beta2**t / left
        step = (m / (1 - beta1**t)) * lr
        if rho > 5.0:
            rect = ((rho - 4) * (rho - 2) * longest / ((longest - 4) * (longest - 2) * rho)) ** 0.5
            step = step * (left**0.5 / (F.sqrt(v) + group["eps"])) * rect
        p -= step


class Adamax(_Moments):
    """Adam in the infinity norm (Kingma and Ba, 2015). Source: torch.optim.Adamax."""

    second = "exp_inf"

    def __init__(
        self, params: Any, lr: Any = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, foreach: bool | None = None, *, maximize: bool = False, differentiable: bool = False,
        capturable: bool = False,
    ) -> None:  # fmt: skip
        self._check(lr, betas, eps, weight_decay)
        defaults = dict(
            lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, foreach=foreach, maximize=maximize,
            differentiable=differentiable, capturable=capturable,
        )  # fmt: skip
        super().__init__(params, defaults)

    @staticmethod
    def rule(F: Any, p: Any, g: Any, s: dict[str, Any], lr: Any, group: dict[str, Any], t: float) -> None:
        """The step is the average over the decayed largest |g|."""
        m, top = s["exp_avg"], s["exp_inf"]
        beta1, beta2 = group["betas"]
        m += (1 - beta1) * (g - m)
        s["exp_inf"] = top = F.assign(top, F.maximum(top * beta2, abs(g) + group["eps"]))
        p -= (lr / (1 - beta1**t)) * (m / top)
