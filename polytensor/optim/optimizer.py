"""Optimizer: parameter groups, state, closures, hooks. Source: torch.optim.Optimizer."""

from __future__ import annotations

import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from functools import wraps
from itertools import chain
from typing import Any, TypeAlias

from .. import dtypes, ops
from ..autograd import enable_grad, no_grad, set_grad_enabled
from ..autograd.modes import mode
from ..autograd.node import Handle, add_to
from ..ops.fused import scale_many, update, update_many
from ..tensor import Parameter, Tensor


class _Required:
    """The default of an argument that must be given, in optimizers that were written for old PyTorch."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()
ParamsT: TypeAlias = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]
_global_pre_hooks: OrderedDict[int, Any] = OrderedDict()
_global_post_hooks: OrderedDict[int, Any] = OrderedDict()
HOOKS = (
    "_optimizer_step_pre_hooks", "_optimizer_step_post_hooks", "_optimizer_state_dict_pre_hooks",
    "_optimizer_state_dict_post_hooks", "_optimizer_load_state_dict_pre_hooks", "_optimizer_load_state_dict_post_hooks",
)  # fmt: skip
CAPTURABLE = ["cuda", "xpu", "hpu", "privateuseone", "xla"]


def _add(table: OrderedDict[int, Any], hook: Any, prepend: bool = False) -> Handle:
    handle = add_to(table, hook)
    if prepend:
        table.move_to_end(handle.id, last=False)
    return handle


def register_optimizer_step_pre_hook(hook: Callable[..., Any]) -> Handle:
    """Call hook(optimizer, args, kwargs) before every optimizer's step."""
    return _add(_global_pre_hooks, hook)


def register_optimizer_step_post_hook(hook: Callable[..., Any]) -> Handle:
    """Call hook(optimizer, args, kwargs) after every optimizer's step."""
    return _add(_global_post_hooks, hook)


def _hooked(step: Callable[..., Any]) -> Callable[..., Any]:
    """`step` with the hooks around it."""

    @wraps(step)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        if "_optimizer_step_pre_hooks" not in self.__dict__:  # a wrapper of another one, made without our __init__
            return step(self, *args, **kwargs)
        if not (
            self._optimizer_step_pre_hooks or self._optimizer_step_post_hooks or _global_pre_hooks or _global_post_hooks
        ):
            return step(self, *args, **kwargs)
        for hook in chain(_global_pre_hooks.values(), self._optimizer_step_pre_hooks.values()):
            result = hook(self, (self, *args), kwargs)
            if result is not None:
                if not isinstance(result, tuple) or len(result) != 2:
                    raise RuntimeError(
                        f"{step} must return None or a tuple of (new_args, new_kwargs), but got {result}."
                    )
                (_, *args), kwargs = result
        out = step(self, *args, **kwargs)
        for hook in chain(self._optimizer_step_post_hooks.values(), _global_post_hooks.values()):
            hook(self, (self, *args), kwargs)
        return out

    return run


def _use_grad_for_differentiable(step: Callable[..., Any]) -> Callable[..., Any]:
    """A step whose ops are recorded if the optimizer was made with differentiable=True, and only then."""

    @wraps(step)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        with set_grad_enabled(bool(self.defaults.get("differentiable"))):
            return step(self, *args, **kwargs)

    return run


def _default_to_fused_or_foreach(
    params: list[Tensor], differentiable: bool, use_fused: bool = False
) -> tuple[bool, bool]:
    """(fused, foreach) where the user said neither: foreach on CUDA alone."""
    plain = all(p is None or type(p) in (Tensor, Parameter) and p.device.type == "cuda" for p in params)
    return False, plain and not differentiable


def _get_capturable_supported_devices(supports_xla: bool = True) -> list[str]:
    return CAPTURABLE if supports_xla else CAPTURABLE[:-1]


class Optimizer:
    """Base of all optimizers; subclasses define `_update(group)`, or `step` as a whole."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step = _hooked(cls.step)  # type: ignore[method-assign]

    @staticmethod
    def _group_tensors_by_device_and_dtype(
        tensorlistlist: list[list[Any]], with_indices: bool = False
    ) -> dict[Any, Any]:
        """The rows of these columns by device and dtype of the first: {(device, dtype): (columns, indices)}."""
        groups: dict[Any, tuple[list[list[Any]], list[int]]] = {}
        for i, row in enumerate(zip(*tensorlistlist, strict=True)):
            columns, indices = groups.setdefault((row[0].device, row[0].dtype), ([[] for _ in tensorlistlist], []))
            indices.append(i)
            for column, x in zip(columns, row, strict=True):
                column.append(x)
        return groups

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self._add_hook_tables()
        if isinstance(params, Tensor):
            raise TypeError(
                f"params argument given to the optimizer should be an iterable of Tensors or dicts, but got {params.type()}"
            )
        self.state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def _add_hook_tables(self) -> None:
        for name in HOOKS:
            self.__dict__.setdefault(name, OrderedDict())

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._add_hook_tables()
        self.defaults.setdefault("differentiable", False)

    # ---- groups -------------------------------------------------------------------------------------------------
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
        names = [p[0] for p in params if isinstance(p, tuple)]
        params = [p[1] if isinstance(p, tuple) else p for p in params]
        if names:
            if len(names) != len(params):
                raise ValueError("all optimizer params should be with/without names. Some param names are missing")
            param_group["param_names"] = names
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {type(p).__name__}")
            if not self.defaults.get("differentiable") and not (p.is_leaf or p.retains_grad):
                raise ValueError("can't optimize a non-leaf Tensor")
        for name, value in self.defaults.items():
            param_group.setdefault(name, value)
        if len({id(p) for p in params}) != len(params):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; in future, this will cause an error; see "
                "github.com/pytorch/pytorch/issues/40967 for more information",
                UserWarning,
                stacklevel=3,
            )
        for group in self.param_groups:
            if ("param_names" in param_group) != ("param_names" in group):
                kind = "with names" if names else "without names"
                raise ValueError(
                    f"all optimizer param groups should be with/without names. cannot add param group {kind} to the optimizer"
                )
        seen = {id(p) for g in self.param_groups for p in g["params"]}
        if any(id(p) in seen for p in params):
            raise ValueError("some parameters appear in more than one parameter group")
        param_group["params"] = params
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

    # ---- the step -----------------------------------------------------------------------------------------------
    def step(self, closure: Any = None) -> Any:
        """Update the parameters; `closure`, if given, computes the loss again and is called first."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        before = mode.grad
        mode.grad = bool(self.defaults.get("differentiable"))
        try:
            if self.grad_scale is not None:
                self._unscale()
            found = self.found_inf
            self._found = found if found is not None and self._leaves_out() else None
            if found is None or self._found is not None or not bool(found):
                for group in self.param_groups:
                    self._update(group)
        finally:
            mode.grad, self._found = before, None
        return loss

    step = _hooked(step)

    def _update(self, group: dict[str, Any]) -> None:
        raise NotImplementedError

    # set by a GradScaler for the time of a step
    grad_scale: Any = None  # what the gradients are to be divided by
    found_inf: Any = None  # not 0 where a gradient is not finite: nothing is to change then
    _found: Any = None  # found_inf for the kernels of _update, or None where the host has decided

    def _unscale(self) -> None:
        grads: dict[Any, list[Tensor]] = {}
        for group in self.param_groups:
            for _, g in self._with_grad(group):
                grads.setdefault(g._dev, []).append(g)
        inverse = self.grad_scale.double().reciprocal().float()
        for dev, here in grads.items():
            scale_many(here, inverse.to(dev))

    def _leaves_out(self) -> bool:
        """Whether _update sees to found_inf on the device, so that the host need not wait to know it."""
        return False

    def _with_grad(self, group: dict[str, Any]) -> list[tuple[Tensor, Tensor]]:
        pairs = [(p, p._x.grad) for p in group["params"] if p._x is not None and p._x.grad is not None]
        if group.get("capturable") and any(p._dev.type not in CAPTURABLE for p, _ in pairs):
            raise AssertionError(
                f"If capturable=True, params and state_steps must be on supported devices: {CAPTURABLE}."
            )
        if pairs and pairs[0][0]._dev.backend.capturing:
            self._check_captured(group)
        return pairs

    on_device = False  # whether capturable=True keeps all that changes from step to step on the device

    def _check_captured(self, group: dict[str, Any]) -> None:
        """RuntimeError where a CUDA graph would repeat this very step, with the numbers that it has now."""
        name = type(self).__name__
        if not group.get("capturable", True):
            raise RuntimeError(
                f"Attempting CUDA graph capture of step() for an instance of {name} but param_groups' capturable is False."
            )
        if not self.on_device:
            raise RuntimeError(f"step() of {name} cannot be part of a CUDA graph: it computes with numbers of the host")

    def _rate_on_device(self, group: dict[str, Any]) -> Any:
        """The learning rate: a tensor as it is, or as a number where the host has it."""
        lr = group["lr"]
        if isinstance(lr, Tensor):
            return lr.item() if lr.is_cpu else lr.reshape(())
        return lr

    def _lr(self, group: dict[str, Any]) -> Any:
        """The learning rate as a number; a Tensor as it is where a differentiable step may want its gradient."""
        lr = group["lr"]
        if isinstance(lr, Tensor):
            return lr.reshape(()) if group.get("differentiable") else lr.item()
        return lr

    # ---- state --------------------------------------------------------------------------------------------------
    def register_step_pre_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call hook(optimizer, args, kwargs) before each step; it may return new (args, kwargs)."""
        return _add(self._optimizer_step_pre_hooks, hook)  # type: ignore[attr-defined]

    def register_step_post_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call hook(optimizer, args, kwargs) after each step."""
        return _add(self._optimizer_step_post_hooks, hook)  # type: ignore[attr-defined]

    def register_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> Handle:
        """Call hook(optimizer) before state_dict()."""
        return _add(self._optimizer_state_dict_pre_hooks, hook, prepend)  # type: ignore[attr-defined]

    def register_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> Handle:
        """Call hook(optimizer, state_dict) on the result of state_dict(); it may return another."""
        return _add(self._optimizer_state_dict_post_hooks, hook, prepend)  # type: ignore[attr-defined]

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> Handle:
        """Call hook(optimizer, state_dict) before load_state_dict(); it may return another state_dict."""
        return _add(self._optimizer_load_state_dict_pre_hooks, hook, prepend)  # type: ignore[attr-defined]

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> Handle:
        """Call hook(optimizer) after load_state_dict()."""
        return _add(self._optimizer_load_state_dict_post_hooks, hook, prepend)  # type: ignore[attr-defined]

    def state_dict(self) -> dict[str, Any]:
        """Parameters by number, in PyTorch's layout."""
        for hook in self._optimizer_state_dict_pre_hooks.values():  # type: ignore[attr-defined]
            hook(self)
        number: dict[int, int] = {}
        groups = []
        for group in self.param_groups:
            for p in group["params"]:
                number.setdefault(id(p), len(number))
            packed = {k: v for k, v in group.items() if k != "params"}
            packed["params"] = [number[id(p)] for p in group["params"]]
            groups.append(packed)
        state = {number.get(id(p), p): s for p, s in self.state.items() if s or not isinstance(p, Tensor)}
        result = {"state": state, "param_groups": groups}
        for hook in self._optimizer_state_dict_post_hooks.values():  # type: ignore[attr-defined]
            changed = hook(self, result)
            result = result if changed is None else changed
        return result

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state_dict(); groups must match in number and length (ValueError). Tensors are copied."""
        state_dict = dict(state_dict)
        for hook in self._optimizer_load_state_dict_pre_hooks.values():  # type: ignore[attr-defined]
            changed = hook(self, state_dict)
            state_dict = state_dict if changed is None else changed
        groups, saved = self.param_groups, deepcopy(state_dict["param_groups"])
        if len(groups) != len(saved):
            raise ValueError("loaded state dict has a different number of parameter groups")
        if any(len(g["params"]) != len(s["params"]) for g, s in zip(groups, saved, strict=True)):
            raise ValueError(
                "loaded state dict contains a parameter group that doesn't match the size of optimizer's group"
            )
        owner = {
            i: (p, self.on_device and bool(s.get("capturable") or s.get("fused")))
            for g, s in zip(groups, saved, strict=True)
            for i, p in zip(s["params"], g["params"], strict=True)
        }
        state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        with no_grad():
            for i, s in state_dict["state"].items():
                state[owner[i][0] if i in owner else i] = self._own(None, s, *owner[i]) if i in owner else s
        for g, s in zip(groups, saved, strict=True):
            s["params"] = g["params"]
            if "param_names" in g:
                s.setdefault("param_names", g["param_names"])
        self.__setstate__({"state": state, "param_groups": saved})
        for hook in self._optimizer_load_state_dict_post_hooks.values():  # type: ignore[attr-defined]
            hook(self)

    def _own(self, key: Any, value: Any, p: Tensor, here: bool) -> Any:
        """A loaded value as this parameter's: tensors in its dtype and place; counters keep theirs, unless they count `here`."""
        if isinstance(value, dict):
            return {k: self._own(k, v, p, here) for k, v in value.items()}
        if hasattr(value, "__array__") and not isinstance(value, Tensor):
            value = ops.as_tensor(value.__array__())
        if isinstance(value, Tensor):
            if key in self.counters:
                return value.detach().to(p.device).clone() if here else value.detach().clone()
            return value.to(device=p.device, dtype=p.dtype if p.is_floating_point() else None).clone()
        if key == "step" and isinstance(value, (int, float)) and "step" in self.counters:
            return scalar(float(value))  # state of old versions
        if isinstance(value, Iterable) and not isinstance(value, str):
            return type(value)(self._own(None, v, p, here) for v in value)  # type: ignore[call-arg]
        return value

    counters: tuple[str, ...] = ("step",)

    def __repr__(self) -> str:
        text = type(self).__name__ + " ("
        for i, group in enumerate(self.param_groups):
            text += f"\nParameter Group {i}\n"
            text += "".join(f"    {key}: {group[key]}\n" for key in sorted(group) if key != "params")
        return text + ")"


class RuleOptimizer(Optimizer):
    """An optimizer with one update expression.

    `rule(F, p, g, state, lr, group, *numbers)` updates p and the tensors of `state` in place; g comes with maximize and
    weight decay in it. `_start` makes a parameter's state, `_numbers` what a step computes from counters alone.
    """

    rule: Callable[..., None]

    def _start(self, p: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        raise NotImplementedError

    def _numbers(self, s: dict[str, Any], t: float, lr: Any, group: dict[str, Any]) -> tuple[Any, ...]:
        return (t,)

    def _update(self, group: dict[str, Any]) -> None:
        lr = self._lr(group)
        differentiable = bool(group.get("differentiable"))
        alike: dict[Any, list[Any]] = {}
        for p, g in self._with_grad(group):
            s = self.state[p]
            if not s:
                s.update({"step": scalar(0.0), **self._start(p, group)})
            count = s["step"]._a
            count += 1
            numbers = self._numbers(s, count.item(), lr, group)
            tensors = {k: v for k, v in s.items() if k not in self.counters}
            if differentiable:
                update(self._whole, p, g, tensors, True, lr, group, *numbers)
                s.update(tensors)
            else:
                alike.setdefault(numbers, []).append((p, g, tensors))
        for numbers, many in alike.items():
            update_many(self._whole, many, lr, group, *numbers)

    def _whole(self, F: Any, p: Any, g: Any, s: dict[str, Any], lr: Any, group: dict[str, Any], *numbers: Any) -> None:
        if group["maximize"]:
            g = -g
        decay = group.get("weight_decay")
        if decay:
            if group.get("decoupled_weight_decay"):
                p *= 1 - lr * decay
            else:
                g = g + decay * p
        self.rule(F, p, g, s, lr, group, *numbers)


def scalar(value: float, device: Any = "cpu") -> Tensor:
    """A counter: 0-dim, float64 where that is the default dtype, else float32."""
    dtype = dtypes.float64 if dtypes.get_default_dtype() is dtypes.float64 else dtypes.float32
    return ops.full((), value, dtype=dtype, device=device)


def check_common(lr: Any, foreach: Any = None, fused: Any = None, differentiable: bool = False) -> None:
    """The checks that all optimizers share."""
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    not_negative("learning rate", lr)
    if fused and differentiable:
        raise RuntimeError("`fused` does not support `differentiable`")
    if foreach and fused:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")


def not_negative(name: str, value: Any) -> None:
    """ValueError unless value >= 0 (NaN is refused too)."""
    if not value >= 0.0:
        raise ValueError(f"Invalid {name}: {value}")


def check_betas(betas: Any) -> None:
    """ValueError unless each is in [0, 1)."""
    for i, beta in enumerate(betas):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {beta}")
