"""autograd.Function: an op of the user's, with its own backward. Source: torch.autograd.Function."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from .modes import mode
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

    def save_for_backward(self, *tensors: Any) -> None:
        self._saved = tensors

    def mark_dirty(self, *tensors: Any) -> None:
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Any) -> None:
        self._no_grad = tensors

    def set_materialize_grads(self, value: bool) -> None:
        self._materialize = value

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
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
            now = 0 if t._s is None else t._s[0]
            if now != version:
                raise modified(t._a, node.name(), now, version)
            result.append(t if nr is None else t._alias(node, nr))
        return tuple(result)


class FunctionNode(Node):
    __slots__ = ("ctx", "function", "like", "outputs", "positions")
    outputs: int

    def run(self, g: Any, tensors: bool, wanted: Any) -> Any:
        from ..tensor import wrap

        ctx = self.ctx
        if self.saved is None:
            raise RuntimeError(FREED)
        gs = [g] if self.outputs == 1 else list(g)
        for i, x in enumerate(gs):
            if x is None:
                if ctx._materialize:
                    shape, dtype = self.like[i]
                    gs[i] = wrap(self.dev.backend.zeros(shape, dtype), self.dev)
            elif not tensors:
                gs[i] = wrap(x, self.dev)
        result = self.function.backward(ctx, *gs)
        result = result if isinstance(result, tuple) else (result,)
        count = len(ctx.needs_input_grad)
        if len(result) > count and any(r is not None for r in result[count:]) or len(result) < count:
            raise RuntimeError(
                f"function {self.name()} returned an incorrect number of gradients (expected {count}, got {len(result)})"
            )
        grads: list[Any] = []
        for i, e in zip(self.positions, self.edges, strict=True):
            r = result[i]
            if r is None or e is None:
                grads.append(None)
                continue
            shape = self.shapes[len(grads)]
            if tuple(r.shape) != shape:
                raise RuntimeError(
                    f"Function {self.name()} returned an invalid gradient at index {i} - got {list(r.shape)} but expected "
                    f"shape compatible with {list(shape)}"
                )
            grads.append(r if tensors else r._a)
        return grads


class Function:
    """Subclass with static forward(ctx, *args) and backward(ctx, *grads), and call `apply`."""

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it with "
            "backward mode AD."
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        from ..tensor import LEAF, Tensor

        ctx = FunctionCtx()
        positions = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
        ctx.needs_input_grad = tuple(isinstance(a, Tensor) and a._fn is not None for a in args)
        recording = mode.grad and any(ctx.needs_input_grad)
        before, mode.grad = mode.grad, False
        try:
            if "setup_context" in _attributes(cls):
                outs = cls.forward(*args, **kwargs)
                cls.setup_context(ctx, args, outs)  # type: ignore[attr-defined]
            else:
                outs = cls.forward(ctx, *args, **kwargs)
        finally:
            mode.grad = before
        if not recording:
            return outs
        single = not isinstance(outs, tuple)
        results = [outs] if single else list(outs)
        node_type = cls.__dict__.get("_node_type")
        if node_type is None:
            node_type = type(cls.__name__ + "Backward", (FunctionNode,), {"__slots__": ()})
            cls._node_type = node_type  # type: ignore[attr-defined]
        node = object.__new__(node_type)
        tensors = [args[i] for i in positions]
        node.edges = tuple(t if t._fn is LEAF else t._fn for t in tensors)
        node.nrs = tuple(t._nr for t in tensors)
        node.shapes = [tuple(t._a.shape) for t in tensors]
        node.hooks = node.vers = None
        node.ctx, node.function, node.positions = ctx, cls, positions
        node.dev = tensors[0]._dev
        node.outputs = len(results)
        node.like = [(tuple(r._a.shape), r._a.dtype) if isinstance(r, Tensor) else None for r in results]
        given = {id(t) for t in tensors}
        originals = list(results)
        for nr, r in enumerate(results):
            if not isinstance(r, Tensor) or r._a.dtype.kind in "biu" or any(r is t for t in ctx._no_grad):
                continue
            if any(r is t for t in ctx._dirty):
                r._check_inplace()
                r._fn, r._nr = node, nr
                continue
            if id(r) in given or r._fn is not None:
                r = r._alias(None, 0)
            r._fn, r._nr = node, nr
            results[nr] = r
        saved: list[Any] = []
        for t in ctx._saved:
            out = next((nr for nr, r in enumerate(originals) if t is r), None)
            if t is None:
                saved.append((None, 0, None))
            elif out is not None and id(t) not in given:
                t._cell()
                saved.append((t._alias(None, 0), t._s[0], out))
            else:
                saved.append((t, 0 if t._s is None else t._s[0], None))
        node.saved = tuple(saved)
        ctx._saved, ctx._node = (), _NodeRef(node)
        return results[0] if single else tuple(results)


class _NodeRef:
    """A context knows its node weakly, so that a dropped graph is freed by reference counts alone."""

    __slots__ = ("_ref",)

    def __init__(self, node: Any) -> None:
        from weakref import ref

        self._ref = ref(node)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ref(), name)


def _attributes(cls: type) -> set[str]:
    return {name for base in cls.__mro__ for name in base.__dict__}


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
