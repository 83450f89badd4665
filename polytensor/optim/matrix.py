"""Optimizers that treat a parameter as a matrix: Adafactor and Muon."""

from __future__ import annotations

import math
from typing import Any

from .. import dtypes, ops
from ..ops.fused import update
from ..tensor import Tensor
from .optimizer import Optimizer, RuleOptimizer, check_common


def _no_complex(name: str, params: Any) -> None:
    if any(p.is_complex() for p in params):
        raise RuntimeError(f"{name} does not support complex parameters")


class Adafactor(RuleOptimizer):
    """Second moments kept as one row and one column (Shazeer and Stern, 2018). Source: torch.optim.Adafactor."""

    def __init__(
        self, params: Any, lr: Any = 1e-2, beta2_decay: float = -0.8, eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0, weight_decay: float = 0.0, *, foreach: bool | None = None, maximize: bool = False,
    ) -> None:  # fmt: skip
        if isinstance(lr, Tensor):
            check_common(lr)
        for ok, text, value in (
            (lr >= 0.0, "Learning rate should be >= 0", lr),
            (beta2_decay <= 0.0, "beta2_decay should be <= 0", beta2_decay),
            (eps[0] is None or eps[0] >= 0.0, "epsilon1 should be >= 0", eps[0]),
            (eps[1] >= 0.0, "epsilon2 should be >= 0", eps[1]),
            (d >= 1.0, "Clipping threshold d should be >= 1", d),
            (weight_decay >= 0.0, "weight_decay should be >= 0", weight_decay),
        ):
            if not ok:
                raise ValueError(f"{text} but is: {value}")
        defaults = dict(
            lr=lr, beta2_decay=beta2_decay, eps=eps, d=d, weight_decay=weight_decay, foreach=foreach, maximize=maximize
        )
        super().__init__(params, defaults)

    def _update(self, group: dict[str, Any]) -> None:
        _no_complex("Adafactor", [p for p, _ in self._with_grad(group)])
        super()._update(group)

    def _start(self, p: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        if p.dim() < 2:
            return {"variance": ops.zeros_like(p)}
        shape = list(p.shape)
        return {"row_var": p.new_zeros([*shape[:-1], 1]), "col_var": p.new_zeros([*shape[:-2], 1, shape[-1]])}

    def _numbers(self, s: dict[str, Any], t: float, lr: Any, group: dict[str, Any]) -> tuple[Any, ...]:
        var = next(v for k, v in s.items() if k != "step")
        eps = group["eps"][0]
        return t, dtypes.finfo(var.dtype).eps if eps is None else eps

    def _whole(self, F: Any, p: Any, g: Any, s: dict[str, Any], lr: Any, group: dict[str, Any], *numbers: Any) -> None:
        self.rule(F, p, -g if group["maximize"] else g, s, lr, group, *numbers)

    @staticmethod
    def rule(F: Any, p: Any, g: Any, s: dict[str, Any], lr: Any, group: dict[str, Any], t: float, tiny: float) -> None:
        """The step is relative to the size of p, and clipped where it would be larger than usual."""

        def rms(x: Any) -> float:
            return (float(F.sum(x * x, None, False)) / max(x.size, 1)) ** 0.5

        def average(v: Any, square: Any) -> None:
            v += (square - v) * t ** group["beta2_decay"]

        step = max(group["eps"][1], rms(p)) * min(lr, t**-0.5)
        if group["weight_decay"]:
            p *= 1 - lr * group["weight_decay"]
        if "row_var" in s:
            row, column, last = s["row_var"], s["col_var"], g.ndim - 1
            average(row, F.mean(g * g, (last,), True))
            average(column, F.mean(g * g, (last - 1,), True))
            v = row * column / F.clamp(F.mean(row, (last - 1,), True), tiny, None)
        else:
            v = s["variance"]
            average(v, g * g)
        u = g / F.sqrt(F.clamp(v, tiny * tiny, None))
        p -= (step / max(1.0, rms(u) / group["d"])) * u


class Muon(Optimizer):
    """Momentum made orthogonal by Newton-Schulz steps in bfloat16 (Jordan et al., 2024). Source: torch.optim.Muon.

    For matrices only. Without the extra `bf16` the steps are in float32.
    """

    def __init__(
        self, params: Any, lr: Any = 1e-3, weight_decay: float = 0.1, momentum: float = 0.95, nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315), eps: float = 1e-7, ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:  # fmt: skip
        if isinstance(lr, Tensor):
            check_common(lr)
        for text, value in (("Learning rate", lr), ("momentum", momentum), ("weight decay", weight_decay)):
            if not value >= 0.0:
                raise ValueError(f"{text} should be >= 0 but is: {value}")
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        defaults = dict(
            lr=lr, weight_decay=weight_decay, momentum=momentum, nesterov=nesterov, ns_coefficients=ns_coefficients,
            eps=eps, ns_steps=ns_steps, adjust_lr_fn=adjust_lr_fn,
        )  # fmt: skip
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                if p.ndim != 2:
                    raise ValueError(
                        f"Muon only supports 2D parameters whereas we found a parameter with size: {p.size()}"
                    )

    def _update(self, group: dict[str, Any]) -> None:
        pairs = self._with_grad(group)
        _no_complex("Muon", [p for p, _ in pairs])
        if group["ns_steps"] >= 100:
            raise ValueError("Number of steps must be less than 100 for computational efficiency")
        if len(group["ns_coefficients"]) != 3:
            raise ValueError("Coefficients must be a tuple of exactly 3 values")
        lr = self._lr(group)
        for p, g in pairs:
            s = self.state[p]
            if "momentum_buffer" not in s:
                s["momentum_buffer"] = ops.zeros_like(g)
            a, b = p.shape
            ratio = math.sqrt(max(1, a / b))
            if group["adjust_lr_fn"] == "match_rms_adamw":
                ratio = 0.2 * math.sqrt(max(a, b))
            update(self.rule, p, g, s, False, lr, group, lr * ratio)

    @staticmethod
    def rule(F: Any, p: Any, g: Any, s: dict[str, Any], lr: Any, group: dict[str, Any], step: float) -> None:
        """p -= step * orthogonal(momentum)."""
        buf, momentum = s["momentum_buffer"], group["momentum"]
        buf += (1 - momentum) * (g - buf)
        u = g + momentum * (buf - g) if group["nesterov"] else buf
        p *= 1 - lr * group["weight_decay"]
        p -= F.cast(orthogonal(F, u, group["ns_coefficients"], group["ns_steps"], group["eps"]), p.dtype) * step


def orthogonal(F: Any, x: Any, coefficients: tuple[float, float, float], steps: int, eps: float) -> Any:
    """The nearest matrix with singular values near 1: a quintic Newton-Schulz iteration, each product rounded to bfloat16."""
    half, single = dtypes.bfloat16.array, dtypes.float32.array

    def rounded(x: Any) -> Any:
        return F.cast(x if half is None else F.cast(x, half), single)

    a, b, c = coefficients
    tall = x.shape[0] > x.shape[1]
    x = rounded(F.t(x) if tall else x)
    x = rounded(x / max(float(rounded(F.sqrt(F.sum(x * x, None, True)))[0, 0]), eps))
    for _ in range(steps):
        gram = rounded(F.matmul(x, F.t(x)))
        x = rounded(a * x + F.matmul(rounded(b * gram + c * F.matmul(gram, gram)), x))
    return F.t(x) if tall else x
