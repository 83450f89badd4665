"""Hooks of modules: handles, hooks on all modules, calls with hooks, backward hooks. Source: torch.nn.modules.module."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from typing import Any

from ..autograd import Function, is_grad_enabled
from ..autograd.node import Handle
from ..tensor import Tensor

__all__ = [
    "register_module_backward_hook", "register_module_buffer_registration_hook", "register_module_forward_hook",
    "register_module_forward_pre_hook", "register_module_full_backward_hook", "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook", "register_module_parameter_registration_hook",
]  # fmt: skip


class HookHandle(Handle):
    """Removes a hook, and what is noted of it beside its table."""

    def __init__(self, table: Any, *notes: Any) -> None:
        super().__init__(table)
        self.notes = notes

    def remove(self) -> None:
        super().remove()
        for note in self.notes:
            note.pop(self.id, None)


def add(table: Any, hook: Any, prepend: bool = False, notes: dict[str, Any] | None = None, **flags: bool) -> HookHandle:
    """Put a hook into `table` (first if `prepend`); flags that are set are noted in tables of their own."""
    notes = notes or {}
    handle = HookHandle(table, *notes.values())
    table[handle.id] = hook
    for name, on in flags.items():
        if on:
            notes[name][handle.id] = True
    if prepend:
        table.move_to_end(handle.id, last=False)
    return handle


class _Global:
    """The hooks that hold for every module."""

    def __init__(self) -> None:
        self.pre: Any = OrderedDict()
        self.forward: Any = OrderedDict()
        self.with_kwargs: Any = OrderedDict()
        self.always: Any = OrderedDict()
        self.backward_pre: Any = OrderedDict()
        self.backward: Any = OrderedDict()
        self.full: bool | None = None
        self.registration: dict[str, Any] = {
            "buffer": OrderedDict(),
            "module": OrderedDict(),
            "parameter": OrderedDict(),
        }

    def calls(self) -> bool:
        return bool(self.pre or self.forward or self.backward or self.backward_pre)

    def registered(self, kind: str, module: Any, name: str, value: Any) -> Any:
        """What the registration hooks make of `value`."""
        for hook in self.registration[kind].values():
            result = hook(module, name, value)
            if result is not None:
                value = result
        return value


GLOBAL = _Global()
HOOKED: list[Any] = []  # not empty: calls of all modules look for hooks


def _everywhere(handle: HookHandle) -> HookHandle:
    HOOKED[:] = [True]
    return handle


def register_module_forward_pre_hook(hook: Any) -> HookHandle:
    """Call hook(module, args) before the forward of every module, ahead of its own hooks."""
    return _everywhere(add(GLOBAL.pre, hook))


def register_module_forward_hook(hook: Any, *, with_kwargs: bool = False, always_call: bool = False) -> HookHandle:
    """Call hook(module, args, output) after the forward of every module, ahead of its own hooks."""
    notes = {"kw": GLOBAL.with_kwargs, "always": GLOBAL.always}
    return _everywhere(add(GLOBAL.forward, hook, notes=notes, kw=with_kwargs, always=always_call))


def _global_backward(hook: Any, full: bool) -> HookHandle:
    if GLOBAL.full is (not full):
        raise RuntimeError(
            "Cannot use both regular backward hooks and full backward hooks as a global Module hook. Please use only one "
            "of them."
        )
    GLOBAL.full = full
    return _everywhere(add(GLOBAL.backward, hook))


def register_module_backward_hook(hook: Any) -> HookHandle:
    """As register_backward_hook, for every module."""
    return _global_backward(hook, False)


def register_module_full_backward_hook(hook: Any) -> HookHandle:
    """As register_full_backward_hook, for every module."""
    return _global_backward(hook, True)


def register_module_full_backward_pre_hook(hook: Any) -> HookHandle:
    """As register_full_backward_pre_hook, for every module."""
    return _everywhere(add(GLOBAL.backward_pre, hook))


def register_module_buffer_registration_hook(hook: Any) -> HookHandle:
    """Call hook(module, name, buffer) where a buffer is registered; a result replaces it."""
    return add(GLOBAL.registration["buffer"], hook)


def register_module_module_registration_hook(hook: Any) -> HookHandle:
    """Call hook(module, name, child) where a child is registered; a result replaces it."""
    return add(GLOBAL.registration["module"], hook)


def register_module_parameter_registration_hook(hook: Any) -> HookHandle:
    """Call hook(module, name, parameter) where a parameter is registered; a result replaces it."""
    return add(GLOBAL.registration["parameter"], hook)


# ---- a call with hooks ------------------------------------------------------------------------------------------------
def call_with_hooks(module: Any, args: Any, kwargs: Any) -> Any:
    """module.forward with all hooks around it."""
    if not GLOBAL.calls():
        HOOKED.clear()
        if not (
            module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks
        ):
            module.__dict__["_hooked"] = False
            return module.forward(*args, **kwargs)
    called: set[int] = set()
    result = None
    try:
        pre_kwargs = module._forward_pre_hooks_with_kwargs
        for key, hook in (*GLOBAL.pre.items(), *module._forward_pre_hooks.items()):
            if key in pre_kwargs:
                new = hook(module, args, kwargs)
                if new is None:
                    continue
                if not isinstance(new, tuple) or len(new) != 2:
                    raise RuntimeError(
                        f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {new}."
                    )
                args, kwargs = new
            else:
                new = hook(module, args)
                if new is not None:
                    args = new if isinstance(new, tuple) else (new,)
        full, plain = _backward_hooks(module)
        before = [*GLOBAL.backward_pre.values(), *module._backward_pre_hooks.values()]
        watch = BackwardWatch(module, full, before) if full or before else None
        if watch is not None:
            args = watch.watch_inputs(args)
        result = module.forward(*args, **kwargs)
        for key, hook in (*GLOBAL.forward.items(), *module._forward_hooks.items()):
            called.add(key)
            if key in module._forward_hooks_with_kwargs or key in GLOBAL.with_kwargs:
                new = hook(module, args, kwargs, result)
            else:
                new = hook(module, args, result)
            if new is not None:
                result = new
        if watch is not None:
            if not isinstance(result, (Tensor, tuple)):
                warnings.warn(
                    "For backward hooks to be called, module output should be a Tensor or a tuple of Tensors but received "
                    f"{type(result)}",
                    stacklevel=3,
                )
            result = watch.watch_outputs(result)
        if plain:
            _hook_node(module, plain, args, result)
        return result
    except Exception:
        _call_always(module, called, args, kwargs, result)
        raise


def _backward_hooks(module: Any) -> tuple[list[Any], list[Any]]:
    """The full backward hooks of a call and the plain ones."""
    full, plain = [], []
    for is_full, hooks in ((GLOBAL.full, GLOBAL.backward), (module._is_full_backward_hook, module._backward_hooks)):
        (full if is_full else plain).extend(hooks.values())
    return full, plain


def _call_always(module: Any, called: set[int], args: Any, kwargs: Any, result: Any) -> None:
    """After an error: the hooks with always_call that have not run yet; what they raise is only warned of."""
    for kind, hooks, always, with_kwargs in (
        ("global module", GLOBAL.forward, GLOBAL.always, GLOBAL.with_kwargs),
        ("module", module._forward_hooks, module._forward_hooks_always_called, module._forward_hooks_with_kwargs),
    ):
        for key, hook in list(hooks.items()):
            if key in always and key not in called:
                try:
                    if key in with_kwargs:
                        new = hook(module, args, kwargs, result)
                    else:
                        new = hook(module, args, result)
                    result = new if new is not None else result
                except Exception as error:
                    warnings.warn(
                        f"{kind} forward hook with ``always_call=True`` raised an exception that was silenced as another "
                        f"error was raised in forward: {error!s}",
                        stacklevel=4,
                    )


def _hook_node(module: Any, hooks: list[Any], args: Any, result: Any) -> None:
    """Plain backward hooks see one Node: that of the (first) output."""
    var = result
    while not isinstance(var, Tensor):
        if not isinstance(var, (dict, list, tuple)) or not var:
            return
        var = next((v for v in var.values() if isinstance(v, Tensor)), None) if isinstance(var, dict) else var[0]
    node = var.grad_fn
    if node is None:
        return
    for hook in hooks:
        node.register_hook(lambda gi, go, hook=hook: hook(module, gi, go))
    outs = result if isinstance(result, tuple) else (result,)
    if not all(isinstance(r, Tensor) for r in outs) or not all(isinstance(a, Tensor) for a in args):
        which = "return" if not all(isinstance(r, Tensor) for r in outs) else "take as input"
        what = "grad_output" if which == "return" else "grad_input"
        warnings.warn(
            f"Using non-full backward hooks on a Module that does not {which} a single Tensor or a tuple of Tensors is "
            f"deprecated and will be removed in future versions. This hook will be missing some of the {what}. Please use "
            "register_full_backward_hook to get the documented behavior.",
            FutureWarning,
            stacklevel=4,
        )
    elif len({r.grad_fn for r in outs if r.grad_fn is not None}) > 1:
        _warn_plain("outputs are generated by different autograd Nodes", "grad_output")
    elif {a.grad_fn for a in args if a.grad_fn is not None} != {n for n, _ in node.next_functions}:
        _warn_plain("the forward contains multiple autograd Nodes", "grad_input")


def _warn_plain(when: str, what: str) -> None:
    warnings.warn(
        f"Using a non-full backward hook when {when} is deprecated and will be removed in future versions. This hook will "
        f"be missing some {what}. Please use register_full_backward_hook to get the documented behavior.",
        FutureWarning,
        stacklevel=5,
    )


# ---- backward hooks ---------------------------------------------------------------------------------------------------
class BackwardHookFunction(Function):
    """An identity whose backward passes its gradients through `see`."""

    @staticmethod
    def forward(ctx: Any, see: Any, materialize: bool, *xs: Tensor) -> Any:
        ctx.see = see
        ctx.set_materialize_grads(materialize)
        outs = tuple(x.view_as(x) for x in xs)  # type: ignore[attr-defined]
        ctx.mark_non_differentiable(*(y for x, y in zip(xs, outs, strict=True) if not x.requires_grad))
        return outs

    @staticmethod
    def backward(ctx: Any, *gs: Any) -> Any:
        return (None, None, *ctx.see(gs))


class BackwardWatch:
    """Watches one call of a module: the gradients of its outputs come first, then those of its inputs."""

    def __init__(self, module: Any, hooks: list[Any], pre_hooks: list[Any]) -> None:
        self.module, self.hooks, self.pre_hooks = module, hooks, pre_hooks
        self.grad_out: Any = None
        self.inputs = 0
        self.input_at: list[int] | None = None  # where the inputs are tensors; None: none of them needs a gradient

    def watch_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        self.inputs = len(args)
        args, self.input_at = _through(args, self._see_inputs, True)
        return args

    def watch_outputs(self, out: Any) -> Any:
        if not isinstance(out, tuple):
            return self.watch_outputs((out,))[0]
        at = [i for i, x in enumerate(out) if isinstance(x, Tensor)]
        seen, _ = _through(out, lambda gs: self._see_outputs(gs, at, len(out)), False)
        return seen if type(out) is tuple else type(out)(*seen)

    def _see_outputs(self, gs: Any, at: list[int], count: int) -> Any:
        grads = _spread(gs, at, count)
        for fn in self.pre_hooks:
            grads = _replaced(fn(self.module, grads), grads, "pre hook", "grad_output")
        if self.input_at is None:
            for fn in self.hooks:
                result = fn(self.module, (None,) * self.inputs, grads)
                if result is not None and not (isinstance(result, tuple) and all(r is None for r in result)):
                    raise RuntimeError(
                        "Backward hook for Modules where no input requires gradient should always return None or None "
                        "for all gradients."
                    )
        else:
            self.grad_out = grads
        return tuple(grads[i] for i in at)

    def _see_inputs(self, gs: Any) -> Any:
        assert self.input_at is not None
        if self.grad_out is None:  # this gradient did not come through the outputs (double backward)
            return gs
        grads = _spread(gs, self.input_at, self.inputs)
        for fn in self.hooks:
            grads = _replaced(fn(self.module, grads, self.grad_out), grads, "hook", "grad_input")
        self.grad_out = None
        return tuple(grads[i] for i in self.input_at)


def _through(values: tuple[Any, ...], see: Any, materialize: bool) -> tuple[tuple[Any, ...], list[int] | None]:
    """Pass the tensors among values through a BackwardHookFunction; says where they are, or None if nothing is to be watched."""
    at = [i for i, x in enumerate(values) if isinstance(x, Tensor)]
    if not is_grad_enabled() or not any(values[i].requires_grad for i in at):
        return values, None
    result = list(values)
    for i, x in zip(at, BackwardHookFunction.apply(see, materialize, *(values[i] for i in at)), strict=True):
        result[i] = x
    return tuple(result), at


def _spread(gs: Any, at: list[int], count: int) -> tuple[Any, ...]:
    full = [None] * count
    for i, g in zip(at, gs, strict=True):
        full[i] = g
    return tuple(full)


def _replaced(new: Any, old: tuple[Any, ...], kind: str, what: str) -> tuple[Any, ...]:
    if new is None:
        return old
    new = new if isinstance(new, tuple) else (new,)
    if len(new) != len(old):
        raise RuntimeError(
            f"Backward {kind} returned an invalid number of {what}, got {len(new)}, but expected {len(old)}"
        )
    return new
