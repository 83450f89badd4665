"""Layers whose parameters take their shapes from the first input. Source: torch.nn.modules.lazy."""

from __future__ import annotations

from typing import Any

from ..autograd.modes import no_grad
from .parameter import is_lazy as is_lazy

__all__ = ["LazyModuleMixin"]


class LazyModuleMixin:
    """Stands before a Module class among the bases; `initialize_parameters(*input)` materializes.

    At the first call (or where a state_dict tells the shapes) parameters get their shapes, and the module becomes a
    `cls_to_become` if that is set. Source: torch.nn.modules.lazy.LazyModuleMixin.
    """

    cls_to_become: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        me: Any = self
        self._load_hook = me._register_load_state_dict_pre_hook(self._lazy_load_hook)
        self._initialize_hook = me.register_forward_pre_hook(self._infer_parameters, with_kwargs=True)

    def _own(self) -> list[tuple[str, Any]]:
        me: Any = self
        return [*me._parameters.items(), *me._buffers.items()]

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        me: Any = self
        for name, value in self._own():
            if value is not None and name not in me._non_persistent_buffers_set:
                destination[prefix + name] = value if keep_vars or is_lazy(value) else value.detach()

    def _lazy_load_hook(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        """Before loading: take the shapes from the state_dict."""
        for name, value in self._own():
            given = state_dict.get(prefix + name)
            if given is not None and is_lazy(value) and not is_lazy(given):
                with no_grad():
                    value.materialize(given.shape)

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Materialize the parameters for these inputs of forward. To be overridden."""
        raise NotImplementedError(f"initialize_parameters is not implemented for {type(self).__name__}")

    def has_uninitialized_params(self) -> bool:
        """Whether a parameter or buffer of this very module has no shape yet."""
        return any(is_lazy(value) for _, value in self._own())

    def _infer_parameters(self, module: Any, args: Any, kwargs: Any = None) -> None:
        """The forward pre-hook: initialize, then be an ordinary module."""
        module.initialize_parameters(*args, **(kwargs or {}))
        if module.has_uninitialized_params():
            raise RuntimeError(f"module {module._get_name()} has not been fully initialized")
        module._initialize_hook.remove()
        module._load_hook.remove()
        del module._initialize_hook, module._load_hook
        if module.cls_to_become is not None:
            module.__class__ = module.cls_to_become

    def _replicate_for_data_parallel(self) -> Any:
        raise RuntimeError(
            "Modules with uninitialized parameters can't be used with `DataParallel`. Run a dummy forward pass to correctly "
            "initialize the modules"
        )
