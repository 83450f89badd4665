"""Normalisation: batch, layer, group, instance, RMS, local response. Source: torch.nn.functional."""

from __future__ import annotations

import builtins
from math import prod
from typing import Any

from .. import dtypes
from ..autograd import is_grad_enabled, no_grad
from ..autograd.modes import InferenceCell, mode
from ..backends.norms import count
from ..backends.resample import average_plan
from ..tensor import Tensor, wrap
from . import pointwise as pw
from .halves import is_half, widened
from .operands import plain
from .rows import raw_dtype, together
from .shape import contiguous, reshape
from .table import F, check_tensor, fresh, is_complex, named, no_kernel, primitive, type_name

__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm", "rms_norm"]

UNBATCHED = (
    "Batch norm got a batched tensor as input while the running_mean or running_var, which will be updated in place, were "
    "not batched.\nIf you are using a module and do not need eval mode, please set `track_running_stats` to be False. "
    "(torch.func.replace_all_batch_norm_modules_ does that for a model.)"
)


def _through(F: Any, g: Any, gmean: Any, gvar: Any, y: Any, var: Any, shape: Any, dims: Any, eps: float) -> Any:
    """The input's gradient from those of y, the mean and the variance (None where none came)."""
    dx = None if g is None else F.normalize_backward(g, y, var, dims, eps)
    n = count(shape, dims)
    if gmean is not None:
        part = F.expand(F.mul(gmean, 1 / n), shape)
        dx = part if dx is None else F.add(dx, part)
    if gvar is not None:  # x - mean = y * sqrt(var + eps)
        part = F.mul(F.mul(y, F.sqrt(F.add(var, eps))), F.mul(gvar, 2 / n))
        dx = part if dx is None else F.add(dx, part)
    return dx


def _plain_rule(F: Any, g: Any, need: Any, x: Any, out1: Any, out2: Any, x_shape: Any, dims: Any, eps: float) -> Any:
    """From x and not from the result, which a relu in place may have overwritten."""
    y = F.mul(F.sub(x, out1), F.rsqrt(F.add(out2, eps)))
    return [_through(F, g[0], g[1], g[2], y, out2, x_shape, dims, eps)]


def _affine_rule(
    F: Any,
    g: Any,
    need: Any,
    w: Any,
    out1: Any,
    out3: Any,
    x_shape: Any,
    w_shape: Any,
    b_shape: Any,
    dims: Any,
    eps: float,
) -> Any:
    if all(need) and g[0] is not None and w_shape == b_shape and not any(d is not None for d in g[1:]):
        return list(F.normalize_affine_backward(g[0], w, out1, out3, dims, eps))
    gy = None if g[0] is None else F.mul(g[0], w)
    if g[1] is not None:
        gy = g[1] if gy is None else F.add(gy, g[1])
    return [
        _through(F, gy, g[2], g[3], out1, out3, x_shape, dims, eps) if need[0] else None,
        F.sum_to(F.mul(g[0], out1), w_shape) if need[1] and g[0] is not None else None,
        F.sum_to(g[0], b_shape) if need[2] and g[0] is not None else None,
    ]


def _batch_rule(
    F: Any, g: Any, need: Any, x: Any, w: Any, out1: Any, out2: Any, x_shape: Any, dims: Any, eps: float
) -> Any:  # fmt: skip
    grads = [None] * 3
    if g[0] is not None:
        grads = list(F.batch_normalize_backward(g[0], x, w, out1, out2, dims, eps))
    if need[0] and (g[1] is not None or g[2] is not None):
        y = F.div(F.sub(x, out1), F.sqrt(F.add(out2, eps)))
        more = F.cast(_through(F, None, g[1], g[2], y, out2, x_shape, dims, eps), raw_dtype(x))
        grads[0] = more if grads[0] is None else F.add(grads[0], more)
    return [d if n else None for d, n in zip(grads, need, strict=True)]


def _layer_rule(
    F: Any, g: Any, need: Any, x: Any, w: Any, out1: Any, out2: Any, x_shape: Any, dims: Any, eps: float
) -> Any:  # fmt: skip
    grads = [None] * 3
    if g[0] is not None:
        grads = list(F.rows_normalize_backward(g[0], x, w, out1, out2, dims, eps))
    if need[0] and (g[1] is not None or g[2] is not None):
        y = F.div(F.sub(x, out1), F.sqrt(F.add(out2, eps)))
        more = F.cast(_through(F, None, g[1], g[2], y, out2, x_shape, dims, eps), raw_dtype(x))
        grads[0] = more if grads[0] is None else F.add(grads[0], more)
    return [d if n else None for d, n in zip(grads, need, strict=True)]


def _batch_relu_rule(
    F: Any, g: Any, need: Any, x: Any, w: Any, out0: Any, out1: Any, out2: Any, dims: Any, eps: float
) -> Any:  # fmt: skip
    if g[0] is None:
        return [None] * 3
    grads = F.batch_normalize_relu_backward(g[0], x, w, out0, out1, out2, dims, eps)
    return [d if n else None for d, n in zip(grads, need, strict=True)]


def _rows_rms_rule(F: Any, g: Any, need: Any, x: Any, w: Any, out1: Any, x_shape: Any, dims: Any, eps: float) -> Any:
    grads = [None] * 2
    if g[0] is not None:
        grads = list(F.rows_rms_backward(g[0], x, w, out1, dims, eps))
    if need[0] and g[1] is not None:
        more = F.cast(F.mul(x, F.mul(g[1], 2 / count(x_shape, dims))), raw_dtype(x))
        grads[0] = more if grads[0] is None else F.add(grads[0], more)
    return [d if n else None for d, n in zip(grads, need, strict=True)]


def _rms_rule(F: Any, g: Any, need: Any, x: Any, out1: Any, x_shape: Any, dims: Any, eps: float) -> Any:
    if is_complex(x):  # the mean of x * x is no modulus: its derivative is conjugated like any
        x, out1 = F.conj(x), F.conj(out1)
    y = F.div(x, F.sqrt(F.add(out1, eps)))
    dx = None if g[0] is None else F.rms_backward(g[0], y, out1, dims, eps)
    if g[1] is not None:
        part = F.mul(x, F.mul(g[1], 2 / count(x_shape, dims)))
        dx = part if dx is None else F.add(dx, part)
    return [dx]


_normalize = primitive("normalize", "x", _plain_rule, "dims eps", outs=3, node="NativeLayerNormBackward0")
_normalize_affine = primitive(
    "normalize_affine", "x w b", _affine_rule, "dims eps", outs=4, node="NativeLayerNormBackward0"
)
_batch_normalize = primitive(
    "batch_normalize", "x w b", _batch_rule, "dims eps", outs=3, node="NativeBatchNormBackward0"
)
_rows_normalize = primitive("rows_normalize", "x w b", _layer_rule, "dims eps", outs=3, node="NativeLayerNormBackward0")
_batch_normalize_relu = primitive(  # the mean and the variance are not handed out
    "batch_normalize_relu", "x w b", _batch_relu_rule, "dims eps", outs=3, node="ReluBackward0"
)
_rows_rms = primitive("rows_rms", "x w", _rows_rms_rule, "dims eps", outs=2, node="FusedRmsNormBackward0")
_rms = primitive("rms_normalize", "x", _rms_rule, "dims eps", outs=2, node="FusedRmsNormBackward0")


def _normalize_backward(g: Tensor, y: Tensor, var: Tensor, dims: Any, eps: float) -> Tensor:
    d = pw.add(F.mean(g, dims, True), pw.mul(y, F.mean(pw.mul(g, y), dims, True)))
    return pw.mul(pw.sub(g, d), pw.rsqrt(pw.add(var, eps)))


def _rms_backward(g: Tensor, y: Tensor, square: Tensor, dims: Any, eps: float) -> Tensor:
    return pw.mul(pw.sub(g, pw.mul(y, F.mean(pw.mul(g, y), dims, True))), pw.rsqrt(pw.add(square, eps)))


def _batch_normalize_backward(
    g: Tensor, x: Tensor, w: Tensor, mean: Tensor, var: Tensor, dims: Any, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    kind, x, g = x._a.dtype, widened(x), widened(g)
    y = pw.mul(pw.sub(x, mean), pw.rsqrt(pw.add(var, eps)))
    small, shape = mean._a.shape, w._a.shape
    dx = _normalize_backward(pw.mul(g, reshape(w, small)), y, var, dims, eps)
    dx = dx if dx._a.dtype == kind else F.cast(dx, kind)
    return dx, reshape(F.sum_to(pw.mul(g, y), small), shape), reshape(F.sum_to(g, small), shape)


def _normalize_affine_backward(
    g: Tensor, w: Tensor, y: Tensor, var: Tensor, dims: Any, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    dx = _normalize_backward(pw.mul(g, w), y, var, dims, eps)
    return dx, F.sum_to(pw.mul(g, y), w._a.shape), F.sum_to(g, w._a.shape)


def _rows_normalize_backward(
    g: Tensor, x: Tensor, w: Tensor, mean: Tensor, var: Tensor, dims: Any, eps: float
) -> tuple[Tensor, ...]:
    y = pw.mul(pw.sub(widened(x), mean), pw.rsqrt(pw.add(var, eps)))
    grads = _normalize_affine_backward(widened(g), widened(w), y, var, dims, eps)
    return tuple(F.cast(d, t._a.dtype) for d, t in zip(grads, (x, w, w), strict=True))


def _batch_normalize_relu_backward(
    g: Tensor, x: Tensor, w: Tensor, y: Tensor, mean: Tensor, var: Tensor, dims: Any, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """mean and var anew from x, to which their own derivatives lead."""
    wide = widened(x)
    mean = F.mean(wide, dims, True)
    d = pw.sub(wide, mean)
    return _batch_normalize_backward(F.relu_backward(g, y), x, w, mean, F.mean(pw.mul(d, d), dims, True), dims, eps)


F.batch_normalize_relu_backward = _batch_normalize_relu_backward


def _rows_rms_backward(g: Tensor, x: Tensor, w: Tensor, square: Tensor, dims: Any, eps: float) -> tuple[Tensor, Tensor]:
    g, y = widened(g), pw.mul(widened(x), pw.rsqrt(pw.add(square, eps)))
    dx = _rms_backward(pw.mul(g, widened(w)), y, square, dims, eps)
    return F.cast(dx, x._a.dtype), F.cast(F.sum_to(pw.mul(g, y), w._a.shape), w._a.dtype)


F.rows_rms_backward = _rows_rms_backward
F.rows_normalize_backward = _rows_normalize_backward
F.normalize_affine_backward = _normalize_affine_backward
F.normalize_backward, F.rms_backward = _normalize_backward, _rms_backward
F.batch_normalize_backward = _batch_normalize_backward


def _refuse_complex(x: Tensor) -> None:
    if x._a.dtype.kind == "c":
        raise NotImplementedError(f"the norm is not implemented for '{type_name(x)}'")


def _affine(
    x: Tensor, weight: Any, bias: Any, dims: Any, eps: float, constant: bool = False, clip: bool = False
) -> Any:
    """(result, mean, variance); weight and bias broadcast to x already, or are `constant` along `dims` and flat.

    `clip`: relu of the result, with such a weight.
    """
    _refuse_complex(x)
    if weight is None:
        y, mean, var = _normalize(x, dims, eps)
        if constant:
            bias = _channels(bias, x._a.ndim)
        return (y if bias is None else pw.add(y, bias)), mean, var
    if bias is None:
        bias = wrap(x._dev.backend.zeros(weight._a.shape, x._a.dtype), x._dev)
    if constant:
        return (_batch_normalize_relu if clip else _batch_normalize)(contiguous(x), weight, bias, dims, eps)
    y, _, mean, var = _normalize_affine(x, weight, bias, dims, eps)
    return y, mean, var


def layer_norm(
    input: Tensor, normalized_shape: Any, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-05,
    cudnn_enable: bool = True,
) -> Tensor:  # fmt: skip
    """Mean 0 and variance 1 over the last dimensions, which are `normalized_shape`; then times weight plus bias."""
    x, dims = _last("layer_norm", input, normalized_shape, weight, bias)
    eps = plain(eps)
    if x._dev.backend.remakes_norms and weight is not None and bias is not None and x._a.dtype.kind in "fV":
        if weight._a.dtype == bias._a.dtype == x._a.dtype:
            if x._a.size and (not mode.grad or x._fn is weight._fn is bias._fn is None):
                return wrap(x._dev.backend.layer_normalize(x._a, weight._a, bias._a, dims, eps), x._dev)
            return _rows_normalize(contiguous(x), weight, bias, dims, eps)[0]  # type: ignore[no-any-return]
    return _with_half(x, lambda x, w, b: _layer_norm(x, w, b, dims, eps), weight, bias)


def _layer_norm(x: Tensor, w: Any, b: Any, dims: Any, eps: float) -> Any:
    if (
        w is None
        or b is None
        or x._a.dtype.kind != "f"
        or mode.grad
        and not (x._fn is None and w._fn is None and b._fn is None)
    ):
        return _affine(x, w, b, dims, eps)[0]
    return wrap(x._dev.backend.layer_normalize(x._a, w._a, b._a, dims, eps), x._dev)


def _last(op: str, input: Any, normalized_shape: Any, *params: Any) -> tuple[Tensor, tuple[int, ...]]:
    x = check_tensor(input, op)
    shape = tuple(normalized_shape)
    if not shape:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got "
            "normalized_shape = []"
        )
    for name, p in zip(("weight", "bias"), params, strict=False):
        if p is not None and p._dev is not x._dev:
            together(op, x, p)
        if p is not None and p._a.shape != shape:
            raise RuntimeError(
                f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape {list(p._a.shape)} and "
                f"normalized_shape = {list(shape)}"
            )
    if x._a.shape[x._a.ndim - len(shape) :] != shape or x._a.ndim < len(shape):
        raise RuntimeError(
            f"Given normalized_shape={list(shape)}, expected input with shape [*, {', '.join(map(str, shape))}], but got input "
            f"of size{list(x._a.shape)}"
        )
    for p in params:
        if p is None or p._a.dtype == x._a.dtype or op == "rms_norm":
            continue
        if p.dtype is not dtypes.float32 or x.dtype is dtypes.float64:  # half inputs may have float32 parameters
            raise RuntimeError(
                f"mixed dtype (CPU): expect parameter to have scalar type of Float, or all inputs must share same datatype, "
                f"but got input {x.dtype} and parameter {p.dtype} (in {op})"
            )
    return x, tuple(range(x._a.ndim - len(shape), x._a.ndim))


KERNELS = {"layer_norm": "LayerNormKernelImpl", "group_norm": "GroupNormKernelImpl", "instance_norm": "batch_norm"}


def _with_half(x: Tensor, compute: Any, *params: Any) -> Tensor:
    """Run in float32 for half types, rounding once."""
    if is_half(x._a.dtype):
        return F.cast(compute(widened(x), *[widened(p) for p in params]), x._a.dtype)  # type: ignore[no-any-return]
    if x._a.dtype.kind in "biu":
        op = compute.__qualname__.split(".")[0].lstrip("_")
        raise no_kernel(KERNELS.get(op, op), x)
    return compute(x, *params)  # type: ignore[no-any-return]


def rms_norm(input: Tensor, normalized_shape: Any, weight: Tensor | None = None, eps: float | None = None) -> Tensor:
    """x / sqrt(mean(x^2) + eps) over the last dimensions, times weight; eps None: that of the dtype."""
    x, dims = check_tensor(input, "rms_norm"), len(tuple(normalized_shape))
    if x._a.ndim < dims:
        raise ValueError(f"Input tensor must have at least {dims} dimensions, but got {x._a.ndim}")
    x, dims = _last("rms_norm", x, normalized_shape, weight)
    e: float = 0.0 if eps is None else plain(eps)
    if eps is None and x._a.dtype.kind not in "biu":
        e = dtypes.float_limits(dtypes.float32 if is_half(x._a.dtype) else x.dtype).eps

    if (
        x._dev.backend.remakes_norms
        and weight is not None
        and weight._a.dtype == x._a.dtype
        and x._a.dtype.kind in "fV"
    ):
        return _rows_rms(contiguous(x), weight, dims, e)[0]  # type: ignore[no-any-return]

    def compute(x: Tensor, w: Any) -> Tensor:
        y = _rms(contiguous(x), dims, e)[0]
        if w is None:
            return y  # type: ignore[no-any-return]
        r = pw.mul(y, w)
        return r if r._a.dtype == x._a.dtype else F.cast(r, x._a.dtype)  # type: ignore[no-any-return]

    return _with_half(x, compute, weight)


def _channels(t: Any, ndim: int) -> Any:
    """(C,) as (1, C, 1, ...)"""
    return None if t is None else reshape(t, (1, -1) + (1,) * (ndim - 2))


def _check_channels(x: Tensor, **params: Any) -> None:
    for name, p in params.items():
        if p is not None and p._a.shape != (x._a.shape[1],):
            raise RuntimeError(
                f"{name} should contain {x._a.shape[1]} elements not {p._a.size} (input {list(x._a.shape)}, {name} "
                f"{list(p._a.shape)})"
            )


@named("NativeBatchNormBackward0")
def batch_norm(
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor | None = None,
    bias: Tensor | None = None, training: bool = False, momentum: float = 0.1, eps: float = 1e-05,
    cudnn_enabled: bool = True,
) -> Tensor:  # fmt: skip
    """Mean 0 and variance 1 per channel (dimension 1): of the batch in training, else the running ones.

    In training the running statistics move by `momentum` towards the batch's (the variance unbiased).
    """
    return _batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps, False)


@named("ReluBackward0")
def batch_norm_relu(
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor | None, bias: Tensor | None,
    training: bool, momentum: float, eps: float,
) -> Tensor:  # fmt: skip
    """relu(batch_norm(...)), in one pass where the statistics are the batch's."""
    clip = training and weight is not None and input._a.ndim > 1 and 0 not in input._a.shape
    if clip and is_half(input._a.dtype):
        clip = bias is not None and input._dev.backend.batches_half
    elif clip:
        clip = input._a.dtype.kind == "f"
    args = (input, running_mean, running_var, weight, bias, training, momentum, eps)
    return _batch_norm(*args, True) if clip else batch_norm(*args).relu_()  # type: ignore[attr-defined, no-any-return]


def _batch_norm(
    input: Tensor, running_mean: Any, running_var: Any, weight: Any, bias: Any, training: bool, momentum: float, eps: float,
    clip: bool,
) -> Tensor:  # fmt: skip
    x, momentum, eps = check_tensor(input, "batch_norm"), plain(momentum), plain(eps)
    shape = x._a.shape
    if training and x._a.ndim > 1 and prod(shape) == shape[1] and shape[1]:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {x.shape}")
    if eps <= 0 and (training or eps < 0):
        wanted = "positive during training" if training else "non-negative"
        raise ValueError(f"batch_norm eps must be {wanted}, but got {eps}")
    if not training and (running_mean is None or running_var is None):
        missing = "running_mean" if running_mean is None else "running_var"
        raise RuntimeError(f"{missing} must be defined in evaluation mode")
    if x._a.ndim < 2 and shape != (0,):
        raise RuntimeError(f"batch_norm expects an input of at least 2 dimensions, got {list(shape)}")
    if 0 in shape:  # nothing to check or to learn from
        y = x if weight is None else pw.mul(x, weight[0])
        return y.clone() if bias is None else pw.add(y, bias[0])  # type: ignore[attr-defined, no-any-return]
    _check_channels(x, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    _check_mixed(x, weight, bias, running_mean, running_var)
    ndim = x._a.ndim
    dims = (0, *range(2, ndim))

    def compute(x: Tensor, w: Any, b: Any, mean: Any, var: Any) -> Tensor:
        if not training:
            _refuse_complex(x)
            x = contiguous(x)
            given = [None if t is None else t._a for t in (mean, var, w, b)]
            if not is_grad_enabled() and all(a is None or a.dtype == x._a.dtype for a in given):
                return wrap(x._dev.backend.normalize_by(x._a, *given, eps), x._dev)
            w, b = _channels(w, ndim), _channels(b, ndim)
            scale, m = pw.rsqrt(pw.add(_channels(var, ndim), eps)), _channels(mean, ndim)
            if w is not None:
                scale = pw.mul(scale, w)
            if not is_grad_enabled():  # one product and one sum per element; a gradient of w would cancel
                shift = pw.mul(m, scale)
                return pw.add(pw.mul(x, scale), pw.neg(shift) if b is None else pw.sub(b, shift))
            y = pw.mul(pw.sub(x, m), scale)
            return y if b is None else pw.add(y, b)
        y, m, v = _affine(x, w, b, dims, eps, True, clip)
        n = prod(shape) // shape[1]
        if running_mean is not None:
            _move(running_mean, m, momentum)
        if running_var is not None:
            _move(running_var, v, momentum, n / max(n - 1, 1))
        return y  # type: ignore[no-any-return]

    if weight is not None and bias is not None and is_half(x._a.dtype) and x._dev.backend.batches_half:
        if training:
            return compute(x, widened(weight), widened(bias), None, None)
        if not is_grad_enabled():
            wide = [widened(t)._a for t in (running_mean, running_var, weight, bias)]
            if all(a.dtype.char == "f" for a in wide):
                return wrap(x._dev.backend.normalize_by(contiguous(x)._a, *wide, eps), x._dev)
    return _with_half(x, compute, weight, bias, running_mean, running_var)


def _check_mixed(x: Tensor, *given: Tensor | None) -> None:
    """RuntimeError unless all are of one dtype, or x of 16 bits and the parameters of float32."""
    dtype = x._a.dtype
    for wrong in given:
        if wrong is not None and wrong._a.dtype is not dtype and wrong._a.dtype != dtype:
            break
    else:
        return
    params = [t for t in given if t is not None]
    if dtype.kind in "biu":
        return  # refused by another check
    if wrong is not params[0]:
        raise RuntimeError(f"expected scalar type {type_name(x)} but found {type_name(wrong)}")
    if any(t._a.dtype.char != "f" for t in params):
        raise RuntimeError("mixed dtype (CPU): expect parameter to have scalar type of Float")
    if not is_half(x._a.dtype):
        raise RuntimeError("mixed dtype (CPU): all inputs must share same datatype.")


def _move(running: Tensor, value: Tensor, momentum: float, factor: float = 1.0) -> None:
    """running * (1 - momentum) + value * factor * momentum, in place.

    RuntimeError in vmap for what is no row of a mapped tensor: one for all examples.
    """
    if mode.levels > mode.gradients and running._v is None and id(running) not in mode.given:
        raise RuntimeError(UNBATCHED)
    a = running._a
    plain = running._fn is None and running._v is None and running._s.__class__ is not InferenceCell
    if plain and a.dtype is value._a.dtype and running._dev is value._dev and 0 not in a.strides:
        v = value._a
        running._dev.backend.move_average(
            a, v if v.shape == a.shape else v.reshape(a.shape), 1 - momentum, momentum * factor
        )
        running._bump()
        return
    with no_grad():
        _move_any(running, value, momentum, factor)


def _move_any(running: Tensor, value: Tensor, momentum: float, factor: float) -> None:
    value, wide = reshape(value.detach(), (-1,)), widened(running)
    if value._a.dtype != wide._a.dtype:
        value = F.cast(value, wide._a.dtype)
    running.copy_(wide.mul(1 - momentum).add_(value, alpha=momentum * factor))  # type: ignore[attr-defined]


@named("NativeGroupNormBackward0")
def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-05,
    cudnn_enabled: bool = True,
) -> Tensor:  # fmt: skip
    """Mean 0 and variance 1 per sample and group of channels; then times weight plus bias per channel."""
    x, num_groups, eps = check_tensor(input, "group_norm"), plain(num_groups), plain(eps)
    if x._a.ndim < 2:
        raise RuntimeError(f"Expected at least 2 dimensions for input tensor but received {x._a.ndim}")
    shape = x._a.shape
    n, c = shape[:2]
    if num_groups <= 0:
        raise RuntimeError(f"Expected num groups to be greater than 0, got {num_groups}")
    if c % num_groups:
        raise RuntimeError(
            f"Expected number of channels in input to be divisible by num_groups, but got input of shape {list(shape)} and "
            f"num_groups={num_groups}"
        )
    for name, p in (("weight", weight), ("bias", bias)):
        if p is not None and p._a.shape != (c,):
            raise RuntimeError(
                f"Expected {name} to be a vector of size equal to the number of channels in input, but got {name} of shape "
                f"{list(p._a.shape)} and input of shape {list(shape)}"
            )
    if prod(shape[2:]) * c // num_groups * n == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {list(shape)}")
    _check_mixed(x, weight, bias)
    area = prod(shape[2:])

    def compute(x: Tensor, w: Any, b: Any) -> Tensor:
        x = reshape(x, (n, num_groups, c // num_groups, area))
        w, b = [None if p is None else reshape(p, (1, num_groups, c // num_groups, 1)) for p in (w, b)]
        return fresh(reshape(_affine(x, w, b, (2, 3), eps)[0], shape))

    return _with_half(x, compute, weight, bias)


def instance_norm(
    input: Tensor, running_mean: Tensor | None = None, running_var: Tensor | None = None, weight: Tensor | None = None,
    bias: Tensor | None = None, use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-05,
    cudnn_enabled: bool = True,
) -> Tensor:  # fmt: skip
    """Mean 0 and variance 1 per sample and channel; running statistics are averages over the samples."""
    x, momentum, eps = check_tensor(input, "instance_norm"), plain(momentum), plain(eps)
    shape = x._a.shape
    if use_input_stats and prod(shape[2:]) == 1:
        raise ValueError(f"Expected more than 1 spatial element when training, got input size {x.shape}")
    if not use_input_stats:
        if running_mean is None or running_var is None:
            raise RuntimeError("Expected running_mean and running_var to be defined when use_input_stats is false")
        if not is_half(x._a.dtype):
            running_mean, running_var = running_mean.to(x.dtype), running_var.to(x.dtype)  # type: ignore[attr-defined]
        return batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
    _check_mixed(x, weight, bias)
    _check_channels(x, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    dims = tuple(range(2, x._a.ndim))

    def compute(x: Tensor, w: Any, b: Any) -> Tensor:
        y, m, v = _affine(x, _channels(w, x._a.ndim), _channels(b, x._a.ndim), dims, eps)
        area = prod(shape[2:])
        if running_mean is not None:
            _move(running_mean, F.mean(m.detach(), (0,), True), momentum)
        if running_var is not None:
            _move(running_var, F.mean(v.detach(), (0,), True), momentum, area / max(area - 1, 1))
        return y  # type: ignore[no-any-return]

    return _with_half(x, compute, weight, bias)


def local_response_norm(input: Tensor, size: int, alpha: float = 0.0001, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """x / (k + alpha * mean of squares over `size` neighbouring channels) ** beta."""
    x = check_tensor(input, "local_response_norm")
    if x._a.ndim < 3:
        raise ValueError(f"Expected 3D or higher dimensionality input (got {x._a.ndim} dimensions)")
    if builtins.any(n == 0 for n in x._a.shape):
        return x
    c = x._a.shape[1]
    if size <= 0:
        raise RuntimeError(f"local_response_norm: size should be greater than zero, but got {size}")
    squares = F.resample(pw.mul(x, x), 1, average_plan(c, c, size, 1, size // 2, True, False))
    return pw.div(x, pw.pow(pw.add(pw.mul(squares, alpha / size), k), beta))
