"""torch.library: functions of one's own as ops: a kernel per device, a derivative, a name under torch.ops.

Ops of PyTorch itself are Python functions here and take no other kernels. Source: torch.library.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .absent import missing, refuse
from .autograd import Function
from .autograd.modes import is_grad_enabled, no_grad
from .autograd.pytree import tree_leaves
from .tensor import Tensor

__all__ = ["CustomOpDef", "custom_op", "register_autograd", "register_fake", "register_kernel", "register_vmap"]

OPS: dict[str, dict[str, CustomOpDef]] = {}


class CustomOpDef:
    """An op that custom_op made. Calling it runs the kernel for the device of its first tensor, without recording."""

    def __init__(self, name: str, fn: Callable[..., Any], device_types: Any) -> None:
        self._qualname, self._init_fn = name, fn
        self.__name__, self.__doc__ = name.rpartition("::")[2], fn.__doc__
        self._kernels: dict[str | None, Callable[..., Any]] = {}
        self._backward: Any = None
        self._setup: Any = None
        self.register_kernel(device_types)(fn)

    def __repr__(self) -> str:
        return f"<CustomOpDef({self._qualname})>"

    @property
    def default(self) -> CustomOpDef:
        return self

    def register_kernel(self, device_types: Any, fn: Any = None, /) -> Any:
        """The kernel for a type of device, a list of them, or all (None)."""

        def register(kernel: Any) -> Any:
            types = (device_types,) if device_types is None or isinstance(device_types, str) else device_types
            self._kernels.update(dict.fromkeys(types, kernel))
            return kernel

        return register if fn is None else register(fn)

    def register_fake(self, fn: Any, /) -> Any:
        """Taken and not used: nothing is traced."""
        return fn

    def register_vmap(self, func: Any = None) -> Any:
        """Taken and not used: vmap runs the kernel once for each sample."""
        return self.register_vmap if func is None else func

    def register_autograd(self, backward: Any, /, *, setup_context: Any = None) -> None:
        """backward(ctx, *grads) gives one gradient per input; setup_context(ctx, inputs, output) keeps what it needs."""
        self._backward, self._setup = backward, setup_context

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        kind = next((x.device.type for x in tree_leaves([args, kwargs]) if isinstance(x, Tensor)), "cpu")
        kernel = self._kernels.get(kind) or self._kernels.get(None)
        if kernel is None:
            raise NotImplementedError(
                f"Could not run '{self._qualname}' with arguments from the '{kind.upper()}' backend. There are kernels for "
                f"{', '.join(str(k) for k in self._kernels)}."
            )
        with no_grad():
            return kernel(*args, **kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not is_grad_enabled() or not any(
            isinstance(x, Tensor) and x.requires_grad for x in tree_leaves([args, kwargs])
        ):
            return self._run(*args, **kwargs)
        return _function(self, kwargs).apply(*args)


def _function(op: CustomOpDef, kwargs: Any) -> Any:
    """An autograd.Function around one call."""

    class Generated(Function):
        @staticmethod
        def forward(ctx: Any, *args: Any) -> Any:
            output = op._run(*args, **kwargs)
            if op._setup is not None:
                more = {"keyword_only_inputs": kwargs} if kwargs else {}
                op._setup(ctx, args, output, **more)
            return output

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            if op._backward is None:
                raise RuntimeError(f"Trying to backward through {op._qualname}.default but no autograd formula was registered. "
                                   "Please use register_autograd to add one.")  # fmt: skip
            return op._backward(ctx, *grads)

    Generated.__name__ = Generated.__qualname__ = op.__name__
    return Generated


def custom_op(
    name: str, fn: Any = None, /, *, mutates_args: Any, device_types: Any = None, schema: str | None = None, tags: Any = None
) -> Any:  # fmt: skip
    """An op NAMESPACE::NAME from a function; found again as torch.ops.NAMESPACE.NAME. ValueError for a name without ::.

    mutates_args, schema and tags speak to a tracer and are not used.
    """
    if "::" not in name:
        raise ValueError(f"expected a name as namespace::op, got {name}")

    def register(fn: Any) -> CustomOpDef:
        space, _, own = name.partition("::")
        made = OPS.setdefault(space, {})[own] = CustomOpDef(name, fn, device_types)
        return made

    return register if fn is None else register(fn)


def _find(op: Any) -> CustomOpDef:
    if isinstance(op, CustomOpDef):
        return op
    space, _, own = str(op).partition("::")
    try:
        return OPS[space][own.partition(".")[0]]
    except KeyError:
        raise RuntimeError(f"operator {op} does not exist: torch.library.custom_op makes one") from None


def register_fake(op: Any, func: Any = None, /, *, lib: Any = None, **kwargs: Any) -> Any:
    """Taken and not used: nothing is traced."""
    _find(op)
    return (lambda fn: fn) if func is None else func


def register_kernel(op: Any, device_types: Any, func: Any = None, /, *, lib: Any = None) -> Any:
    """The kernel of an op for types of device."""
    return _find(op).register_kernel(device_types, func)


def register_autograd(op: Any, backward: Any, /, *, setup_context: Any = None, lib: Any = None) -> None:
    """The derivative of an op."""
    _find(op).register_autograd(backward, setup_context=setup_context)


def register_vmap(op: Any, func: Any = None, /, *, lib: Any = None) -> Any:
    """Taken and not used: vmap runs the kernel once for each sample."""
    return _find(op).register_vmap(func)


_INSTEAD = "torch.library.custom_op makes an op of a Python function"
define = refuse("torch.library.define", _INSTEAD)
impl = refuse("torch.library.impl", _INSTEAD)
Library = refuse("torch.library.Library", _INSTEAD)
__getattr__ = missing("torch.library", _INSTEAD)
