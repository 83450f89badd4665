"""Automatic differentiation: backward, grad, Function, grad modes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from math import prod
from typing import Any

from ..absent import lacks
from ..backends.base import DTYPE_OF
from ..settings import warn_once
from ..size import Size
from . import engine
from . import grad_mode as grad_mode
from . import graph as graph
from .anomaly_mode import detect_anomaly as detect_anomaly
from .anomaly_mode import set_detect_anomaly as set_detect_anomaly
from .function import Function as Function
from .function import once_differentiable as once_differentiable
from .graph import GradientEdge
from .modes import enable_grad as enable_grad
from .modes import inference_mode as inference_mode
from .modes import is_grad_enabled as is_grad_enabled
from .modes import mode as mode
from .modes import no_grad as no_grad
from .modes import set_grad_enabled as set_grad_enabled
from .modes import set_multithreading_enabled as set_multithreading_enabled
from .node import AccumulateGrad
from .variable import Variable as Variable


def _tuple(x: Any) -> tuple[Any, ...]:
    return (x,) if hasattr(x, "_fn") or isinstance(x, GradientEdge) else tuple(x)


def _grads(x: Any, length: int) -> tuple[Any, ...]:
    return (None,) * length if x is None else _tuple(x)


def _edge(t: Any) -> tuple[Any, int]:
    """The node (or leaf) that a tensor or GradientEdge stands for, and which output of it."""
    if isinstance(t, GradientEdge):
        node = t.node
        return (node.variable, 0) if isinstance(node, AccumulateGrad) else (node, t.output_nr)
    return (t._fn if t._fn is None or t._fn.is_node else t), t._nr


def _like(t: Any) -> tuple[Any, Any, Any]:
    """Shape, array dtype and device of an output."""
    if isinstance(t, GradientEdge):
        if isinstance(t.node, AccumulateGrad):
            t = t.node.variable
        else:
            token = t.ownership_token
            if token is None:
                raise RuntimeError("a GradientEdge as output must come from get_gradient_edge")
            return token.shape, token.dtype, token.device
    return t._a.shape, t._a.dtype, t._dev


def _roots(outputs: Sequence[Any], grads: Sequence[Any], create: bool) -> list[tuple[Any, int, Any]]:
    if len(outputs) != len(grads):
        raise RuntimeError(f"got {len(outputs)} tensors and {len(grads)} gradients")
    made: list[Any] = []
    for i, (t, g) in enumerate(zip(outputs, grads, strict=True)):
        shape, dtype, dev = _like(t)
        if g is None:
            if _edge(t)[0] is not None:
                if prod(shape) != 1:
                    raise RuntimeError("grad can be implicitly created only for scalar outputs")
                if dtype.kind == "c":
                    raise RuntimeError(
                        f"grad can be implicitly created only for real scalar outputs but got {DTYPE_OF[dtype]}"
                    )
                backend = dev.backend
                g = backend.scalar(1, dtype) if not shape else backend.full(shape, 1, dtype)
                if create:
                    g = engine.wrap(g, dev)
        elif not hasattr(g, "_fn"):
            raise TypeError("gradients can be either Tensors or None, but got " + type(g).__name__)
        else:
            if g._a.shape != shape:
                raise RuntimeError(
                    f"Mismatch in shape: grad_output[{i}] has a shape of {g.shape} and output[{i}] has a shape of "
                    f"{Size(shape)}."
                )
            if (g._a.dtype.kind == "c") != (dtype.kind == "c"):
                raise RuntimeError(
                    "For complex Tensors, both grad_output and output are required to have the same dtype. Mismatch in "
                    f"dtype: grad_output[{i}] has a dtype of {g.dtype} and output[{i}] has a dtype of {DTYPE_OF[dtype]}."
                )
            if g._dev != dev and shape:
                raise RuntimeError(f"invalid gradient at index {i} - expected device {dev} but got {g._dev}")
            if g._a.dtype != dtype or g._dev != dev:
                g = g.to(dev, DTYPE_OF[dtype])
            if not create:
                g = g._a
        made.append(g)
    roots = []
    for i, (t, g) in enumerate(zip(outputs, made, strict=True)):
        fn, nr = _edge(t)
        if fn is None:
            raise RuntimeError(f"element {i} of tensors does not require grad and does not have a grad_fn")
        roots.append((fn, nr, g))
    return roots


def _slot(fn: Any, nr: int) -> tuple[Any, int]:
    return (fn, nr) if fn.is_node else (id(fn), -1)


def _targets(inputs: Sequence[Any]) -> dict[Any, Any]:
    targets: dict[Any, Any] = {}
    for t in inputs:
        fn, nr = _edge(t)
        if fn is None:
            raise RuntimeError("One of the differentiated Tensors does not require grad")
        targets.setdefault(_slot(fn, nr), [None])
    return targets


def _inputs(inputs: Any, name: str) -> tuple[Any, ...]:
    if type(inputs) is dict:
        inputs = tuple(inputs.values())
    elif isinstance(inputs, Mapping):
        raise TypeError(
            f"`inputs` argument to `{name}()` must be a dict, not {type(inputs).__name__}. Other Mapping types are not "
            "supported."
        )
    xs = _tuple(inputs)
    if not xs:
        raise RuntimeError(f"`inputs` argument to `{name}()` cannot be empty.")
    return xs


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Add the gradients of `tensors` into the .grad of the graph's leaves, or of `inputs` only.

    `grad_tensors`: one for each of `tensors` (None for a scalar). `create_graph` records the gradients themselves;
    `retain_graph` keeps what was saved for another pass. Source: torch.autograd.backward.
    """
    if grad_variables is not None:
        warnings.warn("`grad_variables` is deprecated. Use `grad_tensors` instead.", FutureWarning, stacklevel=2)
        if grad_tensors is not None:
            raise RuntimeError(
                "`grad_tensors` and `grad_variables` (deprecated) arguments both passed to `backward()`. Please only "
                "use `grad_tensors`."
            )
        grad_tensors = grad_variables
    targets = None
    if inputs is not None:
        inputs = _inputs(inputs, "backward")
    outputs = _tuple(tensors)
    grads = _grads(grad_tensors, len(outputs))
    retain = create_graph if retain_graph is None else retain_graph
    if create_graph:
        warn_once(
            "Using backward() with create_graph=True will create a reference cycle between the parameter and its gradient which "
            "can cause a memory leak. We recommend using autograd.grad when creating the graph to avoid this. If you have to use "
            "this function, make sure to reset the .grad fields of your parameters to None after use to break the cycle and "
            "avoid the leak.",
            3,
        )
    roots = _roots(outputs, grads, create_graph)
    if inputs is not None:
        for t in inputs:
            if not isinstance(t, GradientEdge):
                t.retain_grad()
        targets = _targets(inputs)
    engine.run(roots, retain, create_graph, targets, True)


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
) -> Any:
    """The gradients of `outputs` with respect to `inputs`: a tuple, or a dict where `inputs` is one.

    An input that was not used is an error, None with `allow_unused`, zeros with `materialize_grads`. With
    `is_grads_batched` the first dimension of each of `grad_outputs` counts passes. Source: torch.autograd.grad.
    """
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False."
        )
    if allow_unused is None:
        allow_unused = materialize_grads
    outputs = _tuple(outputs)
    if not all(hasattr(t, "_fn") or isinstance(t, GradientEdge) for t in outputs):
        raise AssertionError("Expected output to be a torch.Tensor")
    xs = _inputs(inputs, "grad")
    if not only_inputs:
        warnings.warn(
            "only_inputs argument is deprecated and is ignored now (defaults to True). To accumulate gradient for other "
            "parts of the graph, please use torch.autograd.backward.",
            FutureWarning,
            stacklevel=2,
        )
    grads = _grads(grad_outputs, len(outputs))
    retain = mode.rows_left or (create_graph if retain_graph is None else retain_graph)
    if is_grads_batched:
        result = _batched(outputs, xs, grads, retain, create_graph, allow_unused)
    else:
        result = _run(outputs, xs, grads, retain, create_graph, allow_unused)
    if materialize_grads:
        from ..ops.creation import zeros_like

        if any(g is None and isinstance(t, GradientEdge) for g, t in zip(result, xs, strict=True)):
            raise RuntimeError("materialize_grads cannot be used when the given input is a GradientEdge")
        result = tuple(
            zeros_like(t, requires_grad=create_graph) if g is None else g for g, t in zip(result, xs, strict=True)
        )
    return dict(zip(inputs, result, strict=True)) if type(inputs) is dict else result


def _run(outputs: Any, xs: Any, grads: Any, retain: bool, create: bool, allow_unused: bool) -> tuple[Any, ...]:
    roots = _roots(outputs, grads, create)
    targets = _targets(xs)
    engine.run(roots, retain, create, targets, False)
    result = []
    for i, t in enumerate(xs):
        g = targets[_slot(*_edge(t))][0]
        if g is None and not allow_unused:
            raise RuntimeError(
                f"The differentiated Tensor at index {i} appears to not have been used in the graph. Set allow_unused=True "
                "if this is the desired behavior."
            )
        result.append(g)
    return tuple(result)


def _batched(outputs: Any, xs: Any, grads: Any, retain: bool, create: bool, allow_unused: bool) -> tuple[Any, ...]:
    """One pass per element of the first dimension of `grads`, stacked."""
    from ..ops.joining import stack

    for i, (t, g) in enumerate(zip(outputs, grads, strict=True)):
        if isinstance(t, GradientEdge):
            raise RuntimeError("Batched grads are not supported with GradientEdge")
        if g is not None and g.shape[1:] != t.shape:
            raise RuntimeError(
                "If `is_grads_batched=True`, we interpret the first dimension of each grad_output as the batch "
                "dimension. The sizes of the remaining dimensions are expected to match the shape of corresponding "
                f"output, but a mismatch was detected: grad_output[{i}] has a shape of {Size(g.shape[2:])} and "
                f"output[{i}] has a shape of {t.shape}. If you only want some tensors in `grad_output` to be considered batched, consider "
                "using vmap."
            )
    sizes = [g.shape[0] for g in grads if g is not None]
    if not sizes:
        raise ValueError(
            "vmap(vjp, in_dims=0, ...)(<inputs>): Got in_dim=0 for some input, but that input is a Tensor of dimensionality 0 "
            "so expected in_dim to satisfy 0 <= in_dim < 0."
        )
    if len(set(sizes)) > 1:
        raise ValueError(
            f"vmap: Expected all tensors to have the same size in the mapped dimension, got sizes {sizes} for the mapped "
            "dimension"
        )
    rows = [
        _run(
            outputs, xs, [None if g is None else g[k] for g in grads], retain or k < sizes[0] - 1, create, allow_unused
        )
        for k in range(sizes[0])
    ]
    return tuple(None if c[0] is None else stack(c) for c in zip(*rows, strict=True))


def variable(*args: Any, **kwargs: Any) -> Any:
    raise RuntimeError("torch.autograd.variable(...) is deprecated, use torch.tensor(...) instead")


_LAZY = ("functional", "forward_ad", "profiler")


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return import_module(f"{__name__}.{name}")
    raise lacks(__name__, name)
