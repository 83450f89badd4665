"""autograd.Function: an op of the user's, with its own backward. Source: torch.autograd.Function."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from copy import copy
from functools import wraps
from inspect import signature
from typing import Any

from .modes import ANOMALY, mode
from .node import FREED, Node, modified


class FunctionCtx:
    """What forward hands to backward: `ctx.save_for_backward(...)`, then `ctx.saved_tensors`; attributes at will."""

    def __init__(self) -> None:
        self._saved: tuple[Any, ...] = ()
        self._node: Any = None
        self.needs_input_grad: tuple[bool, ...] = ()
        self._dirty: tuple[Any, ...] = ()
        self._no_grad: tuple[Any, ...] = ()
        self._materialize = True
        self._forward = False  # jvp runs

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep inputs and outputs (Tensors or None) for backward, with a check that nobody wrote to them since."""
        self._saved = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        """Keep tensors for jvp, where ctx.saved_tensors gives them."""
        for t in tensors:
            if t is not None and not hasattr(t, "_fn"):
                raise AssertionError(
                    "save_for_forward expects all arguments to be tensors; you should save non-tensors as attributes on "
                    "ctx."
                )
        self.saved_for_forward = tensors

    def mark_dirty(self, *tensors: Any) -> None:
        """Say which inputs forward has written to in place; each must also be an output."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """Say which outputs have no gradient."""
        self._no_grad = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """With False, backward gets None instead of zeros for an output that has no gradient."""
        self._materialize = value

    @property
    def saved_variables(self) -> tuple[Any, ...]:
        """saved_tensors by its old name; warns."""
        warnings.warn("'saved_variables' is deprecated; use 'saved_tensors'", DeprecationWarning, stacklevel=2)
        return self.saved_tensors

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        if self._forward:
            return self.saved_for_forward
        node = self._node
        if node is None:
            return self._saved
        if node.saved is None:
            raise RuntimeError(FREED)
        result: list[Any] = []
        for t, version, nr in node.saved:
            if t is None:
                result.append(None)
                continue
            s = t._s
            now = 0 if s is None else s[0]
            if version is not None and now != version:
                fn = node._ref() if nr is not None else t._fn
                raise modified(t._a, (fn if fn is not None and fn.is_node else None, t._nr), now, version)
            result.append(t if nr is None else nr(t, node._ref()))
        return tuple(result)


class FunctionNode(Node):
    __slots__ = ("ctx", "function", "like", "outputs", "positions")
    outputs: int
    ctx: Any

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "ctx":
            raise AttributeError(name)
        return getattr(self.ctx, name)  # PyTorch's ctx is the node itself

    def __repr__(self) -> str:
        return super().__repr__().replace("<", "<torch.autograd.function.", 1)

    def run(self, g: Any, tensors: bool, wanted: Any) -> Any:
        from ..tensor import Tensor, wrap

        ctx = self.ctx
        gs = [g] if self.outputs == 1 else list(g)
        for i, x in enumerate(gs):
            if x is None:
                if ctx._materialize and self.like[i] is not None:
                    shape, dtype = self.like[i]
                    gs[i] = wrap(self.dev.backend.zeros(shape, dtype), self.dev)
            elif not tensors:
                gs[i] = wrap(x, self.dev)
        if mode.pulling and self.function.jvp is not Function.jvp:
            result = _forward_rule(self, gs)
        else:
            result = _backward_of(self.function)(ctx, *gs)
        result = result if isinstance(result, tuple) else (result,)
        count = len(ctx.needs_input_grad)
        if len(result) > count and any(r is not None for r in result[count:]) or len(result) < count:
            raise RuntimeError(
                f"function {self.name()} returned an incorrect number of gradients (expected {count}, got {len(result)})"
            )
        for i, r in enumerate(result[:count]):
            if r is None:
                continue
            if i not in self.positions:
                raise RuntimeError(
                    f"function {self.name()} returned a gradient different than None at position {i + 1}, but the "
                    "corresponding forward input was not a Variable"
                )
            if not isinstance(r, Tensor):
                raise RuntimeError(f"expected Variable or None (got {type(r).__name__})")
        return [
            None if result[i] is None or e is None else self._fit(k, result[i], tensors)
            for k, (i, e) in enumerate(zip(self.positions, self.edges, strict=True))
        ]

    def _fit(self, k: int, r: Any, tensors: bool) -> Any:
        """A gradient in the shape and dtype of input `k`: summed if it broadcasts from there, cast, else refused."""
        from ..ops.table import DTYPE_OF, F

        shape, dtype = self.shapes[k]
        have = tuple(r._a.shape)
        if have != shape:
            tail = have[len(have) - len(shape) :]
            if len(have) < len(shape) or any(n not in (1, m) for n, m in zip(shape, tail, strict=True)):
                raise RuntimeError(
                    f"Function {self.name()} returned an invalid gradient at index {k} - got {list(have)} but expected "
                    f"shape compatible with {list(shape)}"
                )
            r = F.sum_to(r, shape)
        if r._a.dtype != dtype:
            if r._a.dtype.kind == "c" and dtype.kind != "c":
                r = r.real
            r = r.to(DTYPE_OF[dtype])
        return r if tensors else r._a


def _backward_of(cls: Any) -> Any:
    if cls.vjp is not Function.vjp:
        if cls.backward is not Function.backward:
            raise RuntimeError(
                "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. You should only implement "
                "one of them."
            )
        return cls.vjp
    return cls.backward


class FunctionMeta(type):
    """Gives each Function the type of its Node."""

    def __init__(cls, name: str, bases: Any, attrs: Any) -> None:
        super().__init__(name, bases, attrs)
        cls._backward_cls = type(name + "Backward", (FunctionNode,), {"__slots__": ()})


class Function(metaclass=FunctionMeta):
    """Subclass with static forward(ctx, *args) and backward(ctx, *grads), and call `apply`.

    Or forward(*args) and setup_context(ctx, inputs, output). `vjp` is another name of backward. `jvp`, if there, is
    what forward mode uses (else backward and its derivative). `vmap` is not called: PolyTensor's runs forward.
    """

    generate_vmap_rule = False
    clear_saved_tensors_on_access = False
    boxed_grads_call = False
    _backward_cls: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        warnings.warn(
            f"{self.__class__} should not be instantiated. Methods on autograd functions are all static, so you should "
            "invoke them on the class itself. Instantiating an autograd function will raise an error in a future version "
            "of PyTorch.",
            DeprecationWarning,
            stacklevel=2,
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(
            "Legacy autograd function with non-static forward method is deprecated. Please use new-style autograd "
            "function with static forward method. (Example: "
            "https://pytorch.org/docs/stable/autograd.html#torch.autograd.Function)"
        )

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it with "
            "backward mode AD."
        )

    vjp = backward

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        raise NotImplementedError(
            "You must implement the jvp function for custom autograd.Function to use it with forward mode AD."
        )

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> Any:
        raise NotImplementedError(
            "To use autograd.Function with vmap, you must either override the vmap staticmethod or set "
            "generate_vmap_rule=True."
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run forward without recording, and record one Node for it."""
        from ..tensor import Tensor

        ctx = FunctionCtx()
        separate = cls.setup_context is not Function.setup_context
        if separate:
            bound = signature(cls.forward).bind(*args, **kwargs)
            bound.apply_defaults()
            args, kwargs = bound.args, bound.kwargs
        elif kwargs:  # by name is by position, as far as that goes
            bound = signature(cls.forward).bind(ctx, *args, **kwargs)
            args, kwargs = bound.args[1:], bound.kwargs
        ctx.needs_input_grad = tuple(isinstance(a, Tensor) and a._fn is not None for a in args)
        recording = mode.grad and any(ctx.needs_input_grad)
        before, mode.grad = mode.grad, False
        try:
            if separate:
                outs = cls.forward(*args, **kwargs)
                cls.setup_context(ctx, args, outs)
            else:
                outs = cls.forward(ctx, *args, **kwargs)
        finally:
            mode.grad = before
        single = not isinstance(outs, tuple)
        results = [outs] if single else list(outs)
        dirty = {id(t) for t in ctx._dirty}
        if not dirty <= {id(r) for r in results}:
            raise RuntimeError(
                "Some elements marked as dirty during the forward method were not returned as output. The inputs that "
                "are modified inplace must all be outputs of the Function."
            )
        given = {id(a) for a in args if isinstance(a, Tensor)}
        if recording:
            _record(cls, ctx, args, results, given, dirty)
        else:
            for i, r in enumerate(results):
                if id(r) in given and id(r) not in dirty:
                    results[i] = r.view_as(r)
        return results[0] if single else tuple(results)


def _record(cls: Any, ctx: Any, args: Any, results: list[Any], given: set[int], dirty: set[int]) -> None:
    """Make the Node of a call and hang it on `results`, in place where they are dirty inputs."""
    from ..tensor import LEAF, Tensor, rebase

    positions = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
    tensors = [args[i] for i in positions]
    node: Any = object.__new__(cls._backward_cls)
    node.edges = tuple(t if t._fn is LEAF else t._fn for t in tensors)
    node.nrs = tuple(t._nr for t in tensors)
    node.shapes = [(tuple(t._a.shape), t._a.dtype) for t in tensors]
    node.hooks = node.vers = None
    node.ctx, node.function, node.positions = ctx, cls, positions
    node.dev = tensors[0]._dev
    node.outputs = len(results)
    node.like = [(tuple(r._a.shape), r._a.dtype) if isinstance(r, Tensor) else None for r in results]
    originals = list(results)
    plain = {id(t) for t in ctx._no_grad}
    for nr, r in enumerate(results):
        if not isinstance(r, Tensor):
            continue
        if id(r) in dirty:
            if r._fn is LEAF:
                raise RuntimeError("a leaf Variable that requires grad has been used in an in-place operation.")
            r._check_inplace()
            r._bump()
            made = r._alias(node, nr)
            rebase(r, made)
        elif id(r) in plain or r._a.dtype.kind in "biu":
            if id(r) in given:
                results[nr] = r.detach()
        else:
            if id(r) in given:
                x, r = r, r._alias(None, 0)
                x._cell()
                r._s, r._v = x._s, (x if x._v is None else x._v[0], (), "custom")
            elif r._fn is not None and (r._v is None or r._v[2:] != ("no_grad",)):
                r = r._alias(None, 0)
            elif r._v is not None:
                r._v = (*r._v[:2], "custom")
            r._fn, r._nr = node, nr
            results[nr] = r
    node.saved = tuple(_save(t, originals, given, dirty, i) for i, t in enumerate(ctx._saved))
    ctx._saved, ctx._node = (), _NodeRef(node)
    if ANOMALY["on"]:
        from .watch import stamp

        stamp(node)


def _save(t: Any, outs: list[Any], given: set[int], dirty: set[int], i: int) -> tuple[Any, Any, Any]:
    """What is kept of a saved tensor: itself, its version, and how it gets its history back."""
    if t is None:
        return None, 0, None
    if not hasattr(t, "_fn"):
        raise TypeError(f"save_for_backward can only save variables, but argument {i} is of type {type(t).__name__}")
    out = next((nr for nr, r in enumerate(outs) if t is r), None)
    own = out is not None and (id(t) not in given or id(t) in dirty)
    fn, nr = (None, 0) if own else (t._fn, t._nr)
    if own:
        restore: Any = lambda s, node: s._alias(node, out)
    elif mode.saved_hooks:
        from .node import joined

        edge = t if fn is not None and not fn.is_node else fn
        restore = lambda s, node: joined(s, edge, nr)
    else:
        restore = None
    if mode.saved_hooks:
        from .watch import pack

        return pack(t, mode.saved_hooks[-1]), None, restore
    if not own:
        return t, 0 if t._s is None else t._s[0], None
    t._cell()
    return t._alias(None, 0), t._s[0], restore


class _NodeRef:
    """A context knows its node weakly, so that a dropped graph is freed by reference counts alone."""

    __slots__ = ("_ref",)

    def __init__(self, node: Any) -> None:
        from weakref import ref

        self._ref = ref(node)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ref(), name, None)  # None: the node is gone, and what it saved


class InplaceFunction(Function):
    """A Function with a flag `inplace`. Source: torch.autograd.function.InplaceFunction."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace


def once_differentiable(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a backward as not differentiable itself."""

    @wraps(fn)
    def wrapper(ctx: Any, *grads: Any) -> Any:
        recording = mode.grad and any(hasattr(g, "_fn") and g._fn is not None for g in grads)
        before, mode.grad = mode.grad, False
        try:
            result = fn(ctx, *grads)
        finally:
            mode.grad = before
        if not recording:
            return result

        class Refuse(Function):
            @staticmethod
            def forward(ctx: Any, r: Any, *gs: Any) -> Any:
                return r.clone()

            @staticmethod
            def backward(ctx: Any, *gs: Any) -> Any:
                raise RuntimeError("trying to differentiate twice a function that was marked with @once_differentiable")

        outs = result if isinstance(result, tuple) else (result,)
        outs = tuple(Refuse.apply(r, *grads) if r is not None else None for r in outs)
        return outs if isinstance(result, tuple) else outs[0]

    return wrapper


class _Tangents(Function):
    """What forward mode's backward pass takes from a Function with a jvp: a map from `gs` to the gradients of the inputs
    whose own derivative is jvp. Only that derivative is asked for, so the values are zeros."""

    @staticmethod
    def forward(ctx: Any, node: FunctionNode, *gs: Any) -> Any:
        from ..tensor import wrap

        ctx.node, ctx.given = node, [g is not None for g in gs]
        return tuple(wrap(node.dev.backend.zeros(shape, dtype), node.dev) for shape, dtype in node.shapes)

    @staticmethod
    def backward(ctx: Any, *tangents: Any) -> Any:
        node = ctx.node
        inner = copy(node.ctx)  # jvp may drop what it finds there, and may be asked again
        inner._forward = hasattr(inner, "saved_for_forward")
        args: list[Any] = [None] * len(inner.needs_input_grad)
        for i, t in zip(node.positions, tangents, strict=True):
            args[i] = t
        outs = node.function.jvp(inner, *args)
        outs = outs if isinstance(outs, tuple) else (outs,)
        return (None, *(o if given else None for o, given in zip(outs, ctx.given, strict=True)))


def _forward_rule(node: FunctionNode, gs: list[Any]) -> tuple[Any, ...]:
    result: list[Any] = [None] * len(node.ctx.needs_input_grad)
    for i, r in zip(node.positions, _Tangents.apply(node, *gs), strict=True):
        result[i] = r
    return tuple(result)
