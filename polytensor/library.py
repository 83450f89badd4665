"""torch.library: functions of one's own as ops: a kernel per device, a derivative, a name under torch.ops.

Ops of PyTorch itself are Python functions here and take no other kernels. Source: torch.library.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

from .absent import missing, refuse, refuse_class
from .autograd import Function
from .autograd.modes import is_grad_enabled, no_grad
from .autograd.pytree import tree_leaves, tree_map
from .ops.elementwise import allclose
from .tensor import Tensor

__all__ = [
    "CustomOpDef",
    "OpCheckError",
    "custom_op",
    "opcheck",
    "register_autograd",
    "register_fake",
    "register_kernel",
    "register_vmap",
]

OPS: dict[str, dict[str, CustomOpDef]] = {}


class CustomOpDef:
    """An op that custom_op made. Calling it runs the kernel for the device of its first tensor, without recording."""

    def __init__(self, name: str, fn: Callable[..., Any], device_types: Any, mutates_args: Any = ()) -> None:
        self._qualname, self._init_fn, self._mutates = name, fn, mutates_args
        self._fake: Any = None
        self.__name__, self.__doc__ = name.rpartition("::")[2], fn.__doc__
        self._kernels: dict[str | None, Callable[..., Any]] = {}
        self._signature = signature(fn)
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
        """What stands for the kernel on device 'meta': it makes empty results of the right shapes."""
        self._fake = fn
        return fn

    def register_vmap(self, func: Any = None) -> Any:
        """Taken and not used: vmap runs the kernel once for each sample."""
        return self.register_vmap if func is None else func

    def register_autograd(self, backward: Any, /, *, setup_context: Any = None) -> None:
        """backward(ctx, *grads) gives one gradient per input; setup_context(ctx, inputs, output) keeps what it needs."""
        self._backward, self._setup = backward, setup_context

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        kind = next((x.device.type for x in tree_leaves([args, kwargs]) if isinstance(x, Tensor)), "cpu")
        kernel = self._fake if kind == "meta" else self._kernels.get(kind) or self._kernels.get(None)
        if kernel is None and kind == "meta":
            raise RuntimeError(
                f"There was no fake impl registered for {self!r}. This is necessary for torch.compile/export/fx tracing to "
                f"work. Please use `{self._init_fn.__name__}.register_fake` to add an fake impl."
            )
        if kernel is None:
            raise NotImplementedError(
                f"Could not run '{self._qualname}' with arguments from the '{kind.upper()}' backend. There are kernels for "
                f"{', '.join(str(k) for k in self._kernels)}."
            )
        with no_grad():
            return kernel(*args, **kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise RuntimeError(f"{self._qualname}() {error}") from None
        bound.apply_defaults()
        args, kwargs = bound.args, bound.kwargs
        if is_grad_enabled() and any(isinstance(x, Tensor) and x.requires_grad for x in tree_leaves(args)):
            return _recorded(self, args, kwargs)
        return self._run(*args, **kwargs)


def _regroup(flat: Any, sizes: list[int | None]) -> tuple[Any, ...]:
    """One argument for each of `sizes`: None takes one value, n a list of n."""
    rest = iter(flat)
    return tuple(next(rest) if n is None else [next(rest) for _ in range(n)] for n in sizes)


def _recorded(op: CustomOpDef, args: Any, kwargs: Any) -> Any:
    """One call as an autograd.Function, to which the Tensors of lists are arguments of their own."""
    sizes = [len(a) if isinstance(a, (list, tuple)) else None for a in args]
    listed = False

    class Generated(Function):
        @staticmethod
        def forward(ctx: Any, *flat: Any) -> Any:
            nonlocal listed
            inputs = _regroup(flat, sizes)
            output = op._run(*inputs, **kwargs)
            if op._setup is not None:
                more = {"keyword_only_inputs": kwargs} if kwargs else {}
                op._setup(ctx=ctx, inputs=inputs, output=output, **more)
            listed = isinstance(output, list)
            return tuple(output) if listed else output

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            if op._backward is None:
                raise RuntimeError(f"Trying to backward through {op._qualname}.default but no autograd formula was registered. "
                                   "Please use register_autograd to add one.")  # fmt: skip
            ctx.needs_input_grad = _regroup(ctx.needs_input_grad, sizes)
            found = op._backward(ctx, list(grads)) if listed else op._backward(ctx, *grads)
            found = found if isinstance(found, tuple) else (found,)
            if len(found) != len(sizes) or any(
                n is not None and g is not None and not (isinstance(g, (list, tuple)) and len(g) == n)
                for g, n in zip(found, sizes, strict=True)
            ):
                raise RuntimeError(
                    f"Expected the return from backward to be of the same structure as the inputs: {op._qualname} takes "
                    f"{len(sizes)}, of which lists have gradients in lists of the same length"
                )
            pairs = zip(found, sizes, strict=True)
            return tuple(g for one, n in pairs for g in ([one] if n is None else [None] * n if one is None else one))

    Generated.__name__ = Generated.__qualname__ = op.__name__
    flat = [x for a, n in zip(args, sizes, strict=True) for x in ([a] if n is None else a)]
    result = Generated.apply(*flat)
    return list(result) if listed else result


def custom_op(
    name: str, fn: Any = None, /, *, mutates_args: Any, device_types: Any = None, schema: str | None = None, tags: Any = None
) -> Any:  # fmt: skip
    """An op NAMESPACE::NAME from a function; found again as torch.ops.NAMESPACE.NAME. ValueError for a name without ::.

    mutates_args: names of the arguments that it writes to, for opcheck. schema and tags speak to a tracer.
    """
    if "::" not in name:
        raise ValueError(f"expected a name as namespace::op, got {name}")

    def register(fn: Any) -> CustomOpDef:
        space, _, own = name.partition("::")
        made = OPS.setdefault(space, {})[own] = CustomOpDef(name, fn, device_types, mutates_args)
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
    """What stands for the kernel on device 'meta'."""
    return _find(op).register_fake if func is None else _find(op).register_fake(func)


def register_kernel(op: Any, device_types: Any, func: Any = None, /, *, lib: Any = None) -> Any:
    """The kernel of an op for types of device."""
    return _find(op).register_kernel(device_types, func)


def register_autograd(op: Any, backward: Any, /, *, setup_context: Any = None, lib: Any = None) -> None:
    """The derivative of an op."""
    _find(op).register_autograd(backward, setup_context=setup_context)


def register_vmap(op: Any, func: Any = None, /, *, lib: Any = None) -> Any:
    """Taken and not used: vmap runs the kernel once for each sample."""
    return _find(op).register_vmap(func)


class OpCheckError(Exception):
    """Raised by opcheck."""


_TESTS = ("test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_dynamic")


def opcheck(
    op: Any, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None, *,
    test_utils: Any = _TESTS,
    raise_exception: bool = True, atol: float | None = None, rtol: float | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Whether an op of custom_op does what it says, with these arguments: writes to what it may write to, gives no input
    back (test_schema), and makes the same shapes and dtypes on device 'meta' (test_faketensor). {test: "SUCCESS"}, or the
    error where `raise_exception` is False. Gradients are for gradcheck. Source: torch.library.opcheck.
    """
    found, results = _find(op), {}
    kwargs = kwargs or {}
    tests = (test_utils,) if isinstance(test_utils, str) else tuple(test_utils)
    if not {*tests} <= {*_TESTS}:
        raise ValueError(f"opcheck(op, ..., test_utils={tests}), expected test_utils to be subset of {_TESTS}")
    for test in tests:
        try:
            if test == "test_schema":
                _check_writes(found, args, kwargs)
            elif test == "test_faketensor":
                _check_fake(found, args, kwargs)
            results[test] = "SUCCESS"
        except Exception as error:
            if raise_exception:
                raise OpCheckError(
                    f"opcheck(op, ...): {test} failed with {error} (scroll up for stack trace)"
                ) from error
            results[test] = error
    return results


def _copied(tree: Any, **to: Any) -> Any:
    return tree_map(lambda x: x.detach().clone().to(**to) if isinstance(x, Tensor) else x, tree)


def _check_writes(op: CustomOpDef, args: Any, kwargs: Any) -> None:
    args, kwargs = _copied((tuple(args), kwargs))
    bound = signature(op._init_fn).bind(*args, **kwargs).arguments
    before = _copied(dict(bound))
    given = [x for x in tree_leaves(bound) if isinstance(x, Tensor)]
    outputs = [x for x in tree_leaves(op._run(*args, **kwargs)) if isinstance(x, Tensor)]
    if any(
        y.untyped_storage().data_ptr() == x.untyped_storage().data_ptr() for y in outputs for x in given if x.numel()
    ):
        raise RuntimeError(f"{op.__name__}: an output is an input, or shares its memory: return a clone() of it")
    for name, value in bound.items():
        pairs = zip(tree_leaves(value), tree_leaves(before[name]), strict=True)
        changed = any(isinstance(x, Tensor) and not allclose(x, y, 0, 0, equal_nan=True) for x, y in pairs)
        if changed and op._mutates != "unknown" and name not in op._mutates:
            raise RuntimeError(f"Argument {name} is not defined as mutable but was mutated")


def _check_fake(op: CustomOpDef, args: Any, kwargs: Any) -> None:
    args, kwargs = _copied((tuple(args), kwargs))
    fake_args, fake_kwargs = _copied((args, kwargs), device="meta")
    real = op._run(*args, **kwargs)
    fake = None if real is None else op._run(*fake_args, **fake_kwargs)  # an op that only writes needs none
    for x, y in zip(tree_leaves(real), tree_leaves(fake), strict=True):
        for what in ("shape", "dtype"):
            if isinstance(x, Tensor) and getattr(x, what) != getattr(y, what):
                raise RuntimeError(
                    f"When comparing the output of {op._qualname.replace('::', '.')}.default on FakeTensor and concrete "
                    f"Tensors, found mismatched tensor metadata: {what.capitalize()}s {getattr(x, what)} and "
                    f"{getattr(y, what)} are not equal!"
                )


_INSTEAD = "torch.library.custom_op makes an op of a Python function"
define = refuse("torch.library.define", _INSTEAD)
impl = refuse("torch.library.impl", _INSTEAD)
Library = refuse_class("torch.library.Library", _INSTEAD)
__getattr__ = missing("torch.library", _INSTEAD)
