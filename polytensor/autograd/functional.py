"""Jacobians, Hessians and products with them, of functions of Tensors. Source: torch.autograd.functional."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..ops.creation import zeros_like
from ..ops.shape import stack
from ..tensor import Tensor
from . import grad as _grad
from .modes import enable_grad, is_grad_enabled, set_grad_enabled

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

Function = Callable[..., Any]
Tensors = tuple[Any, ...]
OUTPUTS = "outputs of the user-provided function"


def _as_tuple(x: Any, what: str, name: str) -> tuple[bool, Tensors]:
    is_tuple = isinstance(x, tuple)
    xs = x if is_tuple else (x,)
    for i, t in enumerate(xs):
        if not isinstance(t, Tensor):
            where = f"value at index {i}" if is_tuple else f"given {what}"
            raise TypeError(
                f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but the {where} has type "
                f"{type(t)}."
            )
    return is_tuple, xs


def _prepared(xs: Tensors, create_graph: bool, need: bool) -> Tensors:
    """New Tensors to differentiate by: joined to the given ones' history with `create_graph`, else cut off."""
    return tuple(x.view_as(x) if create_graph and x.requires_grad else x.detach().requires_grad_(need) for x in xs)


def _finished(x: Any, create_graph: bool) -> Any:
    if isinstance(x, Tensor):
        return x if create_graph else x.detach()
    return tuple(_finished(t, create_graph) for t in x)


def _check_v(v: Tensors, other: Tensors, is_tuple: bool) -> None:
    if len(v) != len(other):
        if is_tuple:
            raise RuntimeError(f"v is a tuple of invalid length: should be {len(other)} but got {len(v)}.")
        raise RuntimeError("The given v should contain a single Tensor.")
    for i, (a, b) in enumerate(zip(v, other, strict=True)):
        if a.shape != b.shape:
            entry = f"Entry {i} in " if is_tuple else ""
            raise RuntimeError(f"{entry}v has invalid size: should be {b.size()} but got {a.size()}.")


NEEDS_GRAD = {
    "hessian": "The hessian of the user-provided function with respect to input {i} is independent of the input. This is "
    "not allowed in strict mode. You should ensure that your function is thrice differentiable and that the hessian "
    "depends on the inputs.",
    "jacobian": "While computing the hessian, found that the jacobian of the user-provided function with respect to input "
    "{i} is independent of the input. This is not allowed in strict mode. You should ensure that your function is twice "
    "differentiable and that the jacobian depends on the inputs (this would be violated by a linear function for "
    "example).",
    "grad_inputs": "The gradient with respect to input {i} is independent of the inputs of the user-provided function. "
    "This is not allowed in strict mode.",
    "outputs": "Output {i} of the user-provided function does not require gradients. The outputs must be computed in a "
    "differentiable manner from the input when running in strict mode.",
}
UNUSED = {
    "back": "The output of the user-provided function is independent of input {i}. This is not allowed in strict mode.",
    "back_trick": "The gradient with respect to the input is independent of entry {i} in the grad_outputs when using the "
    "double backward trick to compute forward mode gradients. This is not allowed in strict mode.",
    "double_back": "The jacobian of the user-provided function is independent of input {i}. This is not allowed in strict "
    "mode.",
    "double_back_trick": "The hessian of the user-provided function is independent of entry {i} in the grad_jacobian. "
    "This is not allowed in strict mode as it prevents from using the double backward trick to replace forward mode AD.",
}


def _require(xs: Tensors, kind: str, strict: bool) -> None:
    if not strict:
        return
    for i, x in enumerate(xs):
        if x is None:
            raise RuntimeError(UNUSED["back"].format(i=i))
        if not x.requires_grad:
            raise RuntimeError(NEEDS_GRAD[kind].format(i=i))


def _gradients(outs: Tensors, xs: Tensors, v: Tensors | None = None, create_graph: bool = False, **kw: Any) -> Tensors:
    """autograd.grad that skips outputs without history and gives None where nothing leads."""
    v = (None,) * len(outs) if v is None else v
    pairs = [(y, g) for y, g in zip(outs, v, strict=True) if y is not None and y.requires_grad]
    if not pairs:
        return (None,) * len(xs)
    ys, gs = zip(*pairs, strict=True)
    result: Tensors = _grad(ys, xs, gs, allow_unused=True, create_graph=create_graph, **kw)
    return result


def _filled(grads: Tensors, like: Tensors, strict: bool, create_graph: bool, stage: str) -> Tensors:
    """Zeros for None; with `strict`, an error there and where create_graph is in vain."""
    result = []
    for i, g in enumerate(grads):
        if g is None:
            if strict:
                raise RuntimeError(UNUSED[stage].format(i=i))
            g = zeros_like(like[i])
        elif strict and create_graph and not g.requires_grad:
            what = "hessian" if "double" in stage else "jacobian"
            raise RuntimeError(
                f"The {what} of the user-provided function is independent of input {i}. This is not allowed in strict mode "
                "when create_graph=True."
            )
        result.append(g)
    return tuple(result)


def vjp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """(outputs, v times the Jacobian of `func` at `inputs`). `v` as the outputs; None if they are one number.

    Source: torch.autograd.functional.vjp.
    """
    with enable_grad():
        several, xs = _as_tuple(inputs, "inputs", "vjp")
        xs = _prepared(xs, create_graph, True)
        several_out, outs = _as_tuple(func(*xs), OUTPUTS, "vjp")
        _require(outs, "outputs", strict)
        if v is not None:
            v = _prepared(_as_tuple(v, "v", "vjp")[1], create_graph, False)
            _check_v(v, outs, several_out)
        elif len(outs) != 1 or outs[0].nelement() != 1:
            raise RuntimeError(
                "The vector v can only be None if the user-provided function returns a single Tensor with a single element."
            )
    with set_grad_enabled(create_graph or is_grad_enabled()):
        result = _filled(_gradients(outs, xs, v, create_graph), xs, strict, create_graph, "back")
    outs, result = _finished(outs, create_graph), _finished(result, create_graph)
    return outs if several_out else outs[0], result if several else result[0]


def jvp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """(outputs, the Jacobian of `func` at `inputs` times v), by two backward passes. Source: torch.autograd.functional.jvp."""
    with enable_grad():
        several, xs = _as_tuple(inputs, "inputs", "jvp")
        xs = _prepared(xs, create_graph, True)
        if v is not None:
            v = _prepared(_as_tuple(v, "v", "jvp")[1], create_graph, False)
            _check_v(v, xs, several)
        elif len(xs) != 1 or xs[0].nelement() != 1:
            raise RuntimeError(
                "The vector v can only be None if the input to the user-provided function is a single Tensor with a single "
                "element."
            )
        several_out, outs = _as_tuple(func(*xs), OUTPUTS, "jvp")
        _require(outs, "outputs", strict)
        # the backward pass is linear in these, so their values do not matter
        dummies = tuple(zeros_like(y).requires_grad_() for y in outs)
        grads = _gradients(outs, xs, dummies, create_graph=True)
        _require(grads, "grad_inputs", strict)
    with set_grad_enabled(create_graph or is_grad_enabled()):
        result = _filled(_gradients(grads, dummies, v, create_graph), outs, strict, create_graph, "back_trick")
    outs, result = _finished(outs, create_graph), _finished(result, create_graph)
    return (outs, result) if several_out else (outs[0], result[0])


def _forward_jacobian(func: Function, inputs: Any, strict: bool, vectorize: bool) -> Any:
    if strict:
        raise RuntimeError(
            'torch.autograd.functional.jacobian: `strict=True` and `strategy="forward-mode"` are not supported together '
            '(yet). Please either set `strict=False` or `strategy="reverse-mode"`.'
        )
    if not vectorize:
        raise NotImplementedError(
            "Computing Jacobian using forward-AD or forward-over-reverse Hessian isonly implemented for `vectorize=True`."
        )
    from ..func import jacfwd

    several, xs = _as_tuple(inputs, "inputs", "jacobian")
    shape: list[bool] = []

    def tuples(*args: Any) -> Any:
        is_tuple, outs = _as_tuple(func(*args), "outputs", "jacobian")
        shape.append(is_tuple)
        return outs

    result = jacfwd(tuples, argnums=tuple(range(len(xs))))(*xs)
    return _shaped(result, shape[0], several)


def _shaped(rows: Any, several_out: bool, several: bool) -> Any:
    rows = tuple(tuple(r) if several else r[0] for r in rows)
    return rows if several_out else rows[0]


def jacobian(
    func: Function, inputs: Any, create_graph: bool = False, strict: bool = False, vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:  # fmt: skip
    """The Jacobian of `func` at `inputs`: for each output and each input a Tensor of shape output.shape + input.shape.

    `vectorize` is accepted; `strategy` 'forward-mode' goes input by input. Source: torch.autograd.functional.jacobian.
    """
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your function has more outputs than '
            'inputs, "forward-mode" tends to be more performant. Otherwise, prefer to use "reverse-mode".'
        )
    if strategy == "forward-mode":
        if create_graph:
            raise NotImplementedError(
                'torch.autograd.functional.jacobian: `create_graph=True` and `strategy="forward-mode"` are not supported '
                'together (yet). Please either set `create_graph=False` or `strategy="reverse-mode"`.'
            )
        return _forward_jacobian(func, inputs, strict, vectorize)
    with enable_grad():
        several, xs = _as_tuple(inputs, "inputs", "jacobian")
        xs = _prepared(xs, create_graph, True)
        several_out, outs = _as_tuple(func(*xs), OUTPUTS, "jacobian")
        _require(outs, "outputs", strict)
        if vectorize and strict:
            raise RuntimeError(
                "torch.autograd.functional.jacobian: `strict=True` and `vectorized=True` are not supported together. Please "
                "either set `strict=False` or `vectorize=False`."
            )
        result = []
        for i, y in enumerate(outs):
            rows: list[list[Any]] = [[] for _ in xs]
            flat = y.reshape(-1)
            for k in range(y.nelement()):
                grads = _gradients((flat[k],), xs, None, create_graph, retain_graph=True)
                for at, (row, g, x) in enumerate(zip(rows, grads, xs, strict=True)):
                    if g is None:
                        if strict:
                            raise RuntimeError(
                                f"Output {i} of the user-provided function is independent of input {at}. This is not allowed "
                                "in strict mode."
                            )
                        g = zeros_like(x)
                    elif strict and create_graph and not g.requires_grad:
                        raise RuntimeError(
                            f"The jacobian of the user-provided function is independent of input {i}. This is not allowed in "
                            "strict mode when create_graph=True."
                        )
                    row.append(g)
            result.append(
                tuple(
                    stack(row).view(y.size() + x.size()) if row else x.new_zeros(y.size() + x.size())
                    for row, x in zip(rows, xs, strict=True)
                )
            )
        return _shaped(_finished(tuple(result), create_graph), several_out, several)


def _one_number(out: Any, several: bool, name: str) -> None:
    if several:
        raise RuntimeError(f"The function given to {name} should return a single Tensor")
    if out.nelement() != 1:
        raise RuntimeError(f"The Tensor returned by the function given to {name} should contain a single element")


def hessian(
    func: Function, inputs: Any, create_graph: bool = False, strict: bool = False, vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:  # fmt: skip
    """Second derivatives of `func` (one number) at `inputs`. Source: torch.autograd.functional.hessian."""
    several, xs = _as_tuple(inputs, "inputs", "hessian")
    if outer_jacobian_strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError('Expected strategy to be either "forward-mode" or "reverse-mode".')

    def single(*args: Any) -> Any:
        out = func(*args)
        is_tuple, outs = _as_tuple(out, OUTPUTS, "hessian")
        _require(outs, "outputs", strict)
        _one_number(outs[0], is_tuple, "hessian")
        return out.squeeze()

    def first(*args: Any) -> Any:
        if outer_jacobian_strategy == "forward-mode":
            args = tuple(t.requires_grad_() for t in args)
        rows = jacobian(single, args, create_graph=True)
        _require(rows, "jacobian", strict)
        return rows

    rows = jacobian(first, xs, create_graph, strict, vectorize, outer_jacobian_strategy)
    return rows if several else rows[0][0]


def _first_order(func: Function, inputs: Any, v: Any, create_graph: bool, strict: bool, name: str) -> Any:
    """What vhp and hvp share: (several, inputs, v, outputs, gradient with a graph)."""
    several, xs = _as_tuple(inputs, "inputs", name)
    xs = _prepared(xs, create_graph, True)
    if v is not None:
        v = _prepared(_as_tuple(v, "v", name)[1], create_graph, False)
        _check_v(v, xs, several)
    elif len(xs) != 1 or xs[0].nelement() != 1:
        raise RuntimeError(
            "The vector v can only be None if the input to the user-provided function is a single Tensor with a single "
            "element."
        )
    several_out, outs = _as_tuple(func(*xs), OUTPUTS, name)
    _require(outs, "outputs", strict)
    _one_number(outs[0], several_out, name)
    first = _gradients(outs, xs, create_graph=True)
    _require(first, "jacobian", strict)
    return several, xs, v, outs, first


def vhp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """(output, v times the Hessian of `func` at `inputs`). Source: torch.autograd.functional.vhp."""
    with enable_grad():
        several, xs, v, outs, first = _first_order(func, inputs, v, create_graph, strict, "vhp")
    with set_grad_enabled(create_graph or is_grad_enabled()):
        result = _filled(_gradients(first, xs, v, create_graph), xs, strict, create_graph, "double_back")
    outs, result = _finished(outs, create_graph), _finished(result, create_graph)
    return outs[0], result if several else result[0]


def hvp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """(output, the Hessian of `func` at `inputs` times v), by the double backward trick.

    Source: torch.autograd.functional.hvp.
    """
    with enable_grad():
        several, xs, v, outs, first = _first_order(func, inputs, v, create_graph, strict, "hvp")
        dummies = tuple(zeros_like(x).requires_grad_() for x in xs)
        twice = _gradients(first, xs, dummies, create_graph=True)
        _require(first, "hessian", strict)
    with set_grad_enabled(create_graph or is_grad_enabled()):
        result = _filled(_gradients(twice, dummies, v, create_graph), xs, strict, create_graph, "double_back_trick")
    outs, result = _finished(outs, create_graph), _finished(result, create_graph)
    return outs[0], result if several else result[0]
