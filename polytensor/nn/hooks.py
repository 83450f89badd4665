"""Full backward hooks of modules. Source: torch.utils.hooks.BackwardHook."""

from __future__ import annotations

from typing import Any

from ..autograd import Function, is_grad_enabled
from ..tensor import Tensor


class _Watch(Function):
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
    """Pass the tensors among values through a _Watch; says where they are, or None if nothing is to be watched."""
    at = [i for i, x in enumerate(values) if isinstance(x, Tensor)]
    if not is_grad_enabled() or not any(values[i].requires_grad for i in at):
        return values, None
    result = list(values)
    for i, x in zip(at, _Watch.apply(see, materialize, *(values[i] for i in at)), strict=True):
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
