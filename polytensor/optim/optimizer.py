"""Optimizer: parameter groups, state, closures. Source: torch.optim.Optimizer."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from ..autograd import enable_grad, no_grad
from ..dtypes import float32
from ..ops.creation import tensor
from ..tensor import Tensor


class Optimizer:
    """Base of all optimizers; subclasses define `_update(group)`."""

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError(
                f"params argument given to the optimizer should be an iterable of Tensors or dicts, but got {type(params)}"
            )
        self.defaults = defaults
        self.state: dict[Any, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(dict(group))

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with options of their own."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        params = param_group["params"]
        if isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets will "
                "change between runs. Please use a list instead."
            )
        params = [params] if isinstance(params, Tensor) else list(params)
        names = None
        if any(isinstance(p, tuple) for p in params):
            if not all(isinstance(p, tuple) for p in params):
                raise ValueError("all optimizer params should be with/without names. Some param names are missing")
            names, params = [n for n, _ in params], [p for _, p in params]
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {type(p).__name__}")
            if not p.is_leaf:
                raise ValueError("can't optimize a non-leaf Tensor")
        seen = {id(p) for g in self.param_groups for p in g["params"]}
        if any(id(p) in seen for p in params):
            raise ValueError("some parameters appear in more than one parameter group")
        param_group["params"] = params
        if names is not None:
            param_group["param_names"] = names
        for name, value in self.defaults.items():
            param_group.setdefault(name, value)
        self.param_groups.append(param_group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop (or zero) the gradients of all parameters."""
        for group in self.param_groups:
            for p in group["params"]:
                x = p._x
                if x is not None and x.grad is not None:
                    if set_to_none:
                        x.grad = None
                    else:
                        g = x.grad
                        g.requires_grad_(False) if g.grad_fn is None else g.detach_()
                        g.zero_()

    def step(self, closure: Any = None) -> Any:
        """Update the parameters; `closure`, if given, computes the loss again and is called first."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._update(group)
        return loss

    def _update(self, group: dict[str, Any]) -> None:
        raise NotImplementedError

    def _with_grad(self, group: dict[str, Any]) -> list[tuple[Tensor, Tensor]]:
        return [(p, p._x.grad) for p in group["params"] if p._x is not None and p._x.grad is not None]

    def state_dict(self) -> dict[str, Any]:
        """Parameters by number, in PyTorch's layout."""
        number: dict[int, int] = {}
        groups = []
        for group in self.param_groups:
            for p in group["params"]:
                number.setdefault(id(p), len(number))
            packed = {k: v for k, v in group.items() if k != "params"}
            packed["params"] = [number[id(p)] for p in group["params"]]
            groups.append(packed)
        state = {number[id(p)]: dict(s) for p, s in self.state.items() if s}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state_dict(); groups must match in number and length (ValueError)."""
        groups, saved = self.param_groups, state_dict["param_groups"]
        if len(groups) != len(saved):
            raise ValueError("loaded state dict has a different number of parameter groups")
        if any(len(g["params"]) != len(s["params"]) for g, s in zip(groups, saved, strict=True)):
            raise ValueError(
                "loaded state dict contains a parameter group that doesn't match the size of optimizer's group"
            )
        owner = {
            i: p for g, s in zip(groups, saved, strict=True) for i, p in zip(s["params"], g["params"], strict=True)
        }
        self.state.clear()
        with no_grad():
            for i, s in state_dict["state"].items():
                p = owner[i]
                self.state[p] = {k: self._own(k, v, p) for k, v in s.items()}
        for g, s in zip(groups, saved, strict=True):
            g.update({k: v for k, v in s.items() if k not in ("params", "param_names")})

    def _own(self, key: str, value: Any, p: Tensor) -> Any:
        if not isinstance(value, Tensor):
            return tensor(float(value), dtype=float32, device="cpu") if key == "step" else value
        if key == "step":
            return value.detach().to(device="cpu", dtype=float32).clone()  # type: ignore[attr-defined]
        return value.to(device=p.device, dtype=p.dtype).clone()  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        text = type(self).__name__ + " ("
        for i, group in enumerate(self.param_groups):
            text += f"\nParameter Group {i}\n"
            text += "".join(f"    {key}: {group[key]}\n" for key in sorted(group) if key != "params")
        return text + ")"


def check_common(kind: str, lr: Any, foreach: Any, fused: Any, differentiable: bool) -> None:
    """The checks that all optimizers share; refuses what is not there yet, rather than ignore it."""
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    not_negative("learning rate", lr)
    if foreach and fused:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
    if differentiable:
        raise NotImplementedError(f"{kind}: differentiable=True is not there yet")


def not_negative(name: str, value: Any) -> None:
    """ValueError unless value >= 0 (NaN is refused too)."""
    if not value >= 0.0:
        raise ValueError(f"Invalid {name}: {value}")
