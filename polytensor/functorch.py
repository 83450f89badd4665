"""functorch: torch.func under its first name, and what only that one has: modules as functions. Source: functorch."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from .func import *  # noqa: F403
from .func import __all__ as _transforms
from .func import functional_call
from .ops.joining import stack
from .tensor import Tensor

if TYPE_CHECKING:
    from .nn import Module

__all__ = [*_transforms, "combine_state_for_ensemble", "make_functional", "make_functional_with_buffers"]  # noqa: PLE0604


class FunctionalModuleWithBuffers:
    """A module without its tensors: called with parameters, buffers and the module's own arguments."""

    def __init__(self, module: Module) -> None:
        self.stateless_model = module
        self.param_names = [name for name, _ in module.named_parameters()]
        self.buffer_names = [name for name, _ in module.named_buffers()]

    def __call__(self, params: Any, buffers: Any, *args: Any, **kwargs: Any) -> Any:
        tensors = dict(zip((*self.param_names, *self.buffer_names), (*params, *buffers), strict=True))
        return functional_call(self.stateless_model, tensors, args, kwargs)


class FunctionalModule(FunctionalModuleWithBuffers):
    """A module without its parameters, and it has no buffers."""

    def __call__(self, params: Any, *args: Any, **kwargs: Any) -> Any:
        return super().__call__(params, (), *args, **kwargs)


def _tensors(module: Module, untracked: bool) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    params = tuple(module.parameters())
    return tuple(p.detach() for p in params) if untracked else params, tuple(module.buffers())


def make_functional(model: Module, disable_autograd_tracking: bool = False) -> Any:
    """(function of parameters and arguments, copies of the parameters). RuntimeError if the model has buffers."""
    if next(model.buffers(), None) is not None:
        raise RuntimeError(
            "make_functional(model): `model` has buffers. Please use make_functional_with_buffers(model) instead."
        )
    copy = deepcopy(model)
    return FunctionalModule(copy), _tensors(copy, disable_autograd_tracking)[0]


def make_functional_with_buffers(model: Module, disable_autograd_tracking: bool = False) -> Any:
    """(function of parameters, buffers and arguments, copies of the parameters, copies of the buffers)."""
    copy = deepcopy(model)
    return FunctionalModuleWithBuffers(copy), *_tensors(copy, disable_autograd_tracking)


def combine_state_for_ensemble(models: list[Module]) -> Any:
    """The same for several models of one architecture: their tensors are stacked along a first dimension, for vmap."""
    if not models:
        raise RuntimeError("combine_state_for_ensemble: Expected at least one model, got 0.")
    if not (all(m.training for m in models) or all(not m.training for m in models)):
        raise RuntimeError("combine_state_for_ensemble: Expected all models to have the same training/eval mode.")
    if len({type(m) for m in models}) > 1:
        raise RuntimeError("combine_state_for_ensemble: Expected all models to be of the same class.")
    functions, params, buffers = zip(*(make_functional_with_buffers(m) for m in models), strict=True)
    stacked = [tuple(stack(each).detach() for each in zip(*some, strict=True)) for some in (params, buffers)]  # type: ignore[attr-defined]
    return functions[0], *stacked
