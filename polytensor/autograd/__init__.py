"""Automatic differentiation: backward, grad, Function, grad modes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import engine
from .function import Function as Function
from .function import once_differentiable as once_differentiable
from .modes import enable_grad as enable_grad
from .modes import inference_mode as inference_mode
from .modes import is_grad_enabled as is_grad_enabled
from .modes import mode as mode
from .modes import no_grad as no_grad
from .modes import set_grad_enabled as set_grad_enabled


def _tuple(x: Any) -> tuple[Any, ...]:
    return tuple(x) if isinstance(x, (tuple, list)) else (x,)


def _roots(outputs: Sequence[Any], grads: Sequence[Any], create: bool) -> list[tuple[Any, int, Any]]:
    if len(outputs) != len(grads):
        raise RuntimeError(f"got {len(outputs)} tensors and {len(grads)} gradients")
    roots = []
    for i, (t, g) in enumerate(zip(outputs, grads, strict=True)):
        fn = t._fn
        if fn is None:
            raise RuntimeError(f"element {i} of tensors does not require grad and does not have a grad_fn")
        a = t._a
        if g is None:
            if a.size != 1:
                raise RuntimeError("grad can be implicitly created only for scalar outputs")
            if a.dtype.kind == "c":
                raise RuntimeError(f"grad can be implicitly created only for real scalar outputs but got {t.dtype}")
            backend = t._dev.backend
            g = backend.scalar(1, a.dtype) if a.ndim == 0 else backend.full(a.shape, 1, a.dtype)
            if create:
                g = engine.wrap(g, t._dev)
        else:
            if g._a.shape != a.shape:
                raise RuntimeError(
                    f"Mismatch in shape: grad_output[{i}] has a shape of {g.shape} and output[{i}] has a shape of {t.shape}."
                )
            if g._a.dtype != a.dtype:
                g = g.to(t.dtype)
            if not create:
                g = g._a
        roots.append((fn if fn.is_node else t, t._nr, g))
    return roots


def _targets(inputs: Sequence[Any]) -> dict[Any, Any]:
    targets: dict[Any, Any] = {}
    for t in inputs:
        if t._fn is None:
            raise RuntimeError("One of the differentiated Tensors does not require grad")
        targets.setdefault((t._fn, t._nr) if t._fn.is_node else (id(t), -1), [None])
    return targets


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Add the gradients of `tensors` into the .grad of the graph's leaves. Source: torch.autograd.backward."""
    outputs = _tuple(tensors)
    grads = (None,) * len(outputs) if grad_tensors is None else _tuple(grad_tensors)
    retain = create_graph if retain_graph is None else retain_graph
    if inputs is None:
        engine.run(_roots(outputs, grads, create_graph), retain, create_graph, None, True)
        return
    inputs = _tuple(inputs)
    if not inputs:
        raise RuntimeError("'inputs' argument to backward() cannot be empty.")
    targets = _targets(inputs)
    engine.run(_roots(outputs, grads, create_graph), retain, create_graph, targets, True)
    for t in inputs:
        if t._fn.is_node:
            g = targets[t._fn, t._nr][0]
            if g is not None:
                extras = t._extras()
                extras.grad = g if extras.grad is None else extras.grad + g


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """The gradients of `outputs` with respect to `inputs`, as a tuple. Source: torch.autograd.grad."""
    outputs, inputs = _tuple(outputs), _tuple(inputs)
    grads = (None,) * len(outputs) if grad_outputs is None else _tuple(grad_outputs)
    retain = create_graph if retain_graph is None else retain_graph
    if is_grads_batched:
        raise NotImplementedError("is_grads_batched needs vmap, which PolyTensor does not have yet")
    targets = _targets(inputs)
    engine.run(_roots(outputs, grads, create_graph), retain, create_graph, targets, False)
    result = []
    for t in inputs:
        g = targets[(t._fn, t._nr) if t._fn.is_node else (id(t), -1)][0]
        if g is None and materialize_grads:
            from ..ops.creation import zeros_like

            g = zeros_like(t)
        if g is None and not allow_unused:
            raise RuntimeError(
                "One of the differentiated Tensors appears to not have been used in the graph. Set allow_unused=True if "
                "this is the desired behavior."
            )
        result.append(g)
    return tuple(result)


def __getattr__(name: str) -> Any:
    if name in ("gradcheck", "gradgradcheck"):
        from . import gradcheck as module

        return getattr(module, name)
    if name == "Variable":
        from ..tensor import Tensor

        return Tensor
    raise AttributeError(f"module 'polytensor.autograd' has no attribute {name!r}")
