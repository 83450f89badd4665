"""torch.utils.module_tracker: which modules run. Source: torch.utils.module_tracker."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from ..autograd.graph import register_multi_grad_hook
from ..autograd.modes import mode
from ..nn.hooks import register_module_forward_hook, register_module_forward_pre_hook
from ..tensor import Tensor

__all__ = ["ModuleTracker"]


class ModuleTracker:
    """While it is entered, `parents` holds the names of the modules that run, forward or backward, and 'Global'."""

    def __init__(self) -> None:
        self._names: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
        self._open: list[str] = []
        self._behind: tuple[Any, set[str]] = (None, set())  # a backward pass, and the modules it is in
        self._handles: list[Any] = []

    @property
    def is_bw(self) -> bool:
        """Whether a backward pass runs."""
        return mode.task is not None

    @property
    def parents(self) -> set[str]:
        return {"Global", *self._open, *(self._backward() if self.is_bw else ())}

    def _backward(self) -> set[str]:
        if self._behind[0] is not mode.task:
            self._behind = (mode.task, set())
        return self._behind[1]

    def _name(self, module: Any) -> str:
        if module not in self._names:
            for name, m in module.named_modules(prefix=type(module).__name__):
                self._names.setdefault(m, name)
        return self._names[module]

    def _hook(self, values: Any, fn: Any, how: str) -> None:
        values = values if isinstance(values, (tuple, list)) else (values,)
        tensors = [t for t in values if isinstance(t, Tensor) and t.requires_grad]
        if tensors and mode.grad:
            self._handles.append(register_multi_grad_hook(tensors, fn, mode=how))

    def _before(self, module: Any, args: Any) -> None:
        name = self._name(module)
        self._open.append(name)
        self._hook(args, lambda _: self._backward().discard(name), "all")

    def _after(self, module: Any, args: Any, result: Any) -> None:
        name = self._open.pop()
        self._hook(result, lambda _: self._backward().add(name), "any")

    def __enter__(self) -> ModuleTracker:
        self._handles = [register_module_forward_pre_hook(self._before)]
        self._handles.append(register_module_forward_hook(self._after, always_call=True))
        return self

    def __exit__(self, *exc: object) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles, self._open, self._behind = [], [], (None, set())
