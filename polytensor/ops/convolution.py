"""Convolutions in one, two and three dimensions. Source: torch.nn.functional."""

from __future__ import annotations

from typing import Any

from ..tensor import Tensor
from . import pointwise as pw
from .halves import widened
from .operands import several
from .padding import constant_pad
from .shape import reshape, squeeze, unsqueeze
from .table import F, check_tensor, cpp_name, primitive, renamed, same_device, type_name

__all__ = [
    "conv1d", "conv2d", "conv3d", "conv_tbc", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
]  # fmt: skip
ATTRS = "stride padding dilation groups"


def _rows(kernel: str) -> tuple[Any, Any]:
    """The rows of a family of kernels: forward and its two gradients are each other's derivatives."""
    plain, to_input, to_weight = f"{kernel}_", f"{kernel}_grad_input", f"{kernel}_grad_weight"

    def grad_input(F: Any, g: Any, w: Any, shape: Any, *attrs: Any) -> Any:
        return getattr(F, to_input)(g, F.conj(w), shape, *attrs)

    def grad_weight(F: Any, g: Any, x: Any, shape: Any, *attrs: Any) -> Any:
        return getattr(F, to_weight)(g, F.conj(x), shape, *attrs)

    forward = primitive(
        plain,
        "x w",
        (
            lambda F, g, w, x_shape, stride, padding, dilation, groups: grad_input(
                F, g, w, x_shape, stride, padding, dilation, groups
            ),
            lambda F, g, x, w_shape, stride, padding, dilation, groups: grad_weight(
                F, g, x, w_shape, stride, padding, dilation, groups
            ),
        ),
        ATTRS,
        node="ConvolutionBackward0",
    )
    primitive(
        to_input,
        "g w",
        (
            lambda F, u, w, stride, padding, dilation, groups: getattr(F, plain)(
                u, F.conj(w), stride, padding, dilation, groups
            ),
            lambda F, u, g, w_shape, stride, padding, dilation, groups: getattr(F, to_weight)(
                F.conj(g), u, w_shape, stride, padding, dilation, groups
            ),
        ),
        f"shape {ATTRS}",
        node="ConvolutionBackwardBackward0",
    )
    primitive(
        to_weight,
        "g x",
        (
            lambda F, u, x, stride, padding, dilation, groups: getattr(F, plain)(
                F.conj(x), u, stride, padding, dilation, groups
            ),
            lambda F, u, g, x_shape, stride, padding, dilation, groups: getattr(F, to_input)(
                F.conj(g), u, x_shape, stride, padding, dilation, groups
            ),
        ),
        f"shape {ATTRS}",
        node="ConvolutionBackwardBackward0",
    )

    def bias_rule(
        F: Any, g: Any, need: Any, x: Any, w: Any, x_shape: Any, w_shape: Any, stride: Any, padding: Any, dilation: Any,
        groups: Any,
    ) -> Any:  # fmt: skip
        attrs = (stride, padding, dilation, groups)
        return [
            grad_input(F, g, w, x_shape, *attrs) if need[0] else None,
            grad_weight(F, g, x, w_shape, *attrs) if need[1] else None,
            F.sum(g, (0, *range(2, len(x_shape))), False) if need[2] else None,
        ]

    return forward, primitive(kernel, "x w b", bias_rule, ATTRS, node="ConvolutionBackward0")


CONV2D, CONVND = _rows("conv2d"), _rows("convnd")


def ntuple(v: Any, n: int, what: str = "") -> tuple[int, ...]:
    """An int, or a sequence of one or n ints, as n ints."""
    if not isinstance(v, (tuple, list)):
        v = several(v)
    if len(v) == n:
        return tuple(map(int, v))
    if len(v) == 1:
        return (int(v[0]),) * n
    raise RuntimeError(
        f"expected {what or 'argument'} to be a single integer value or a list of {n} values, but got {list(v)}"
    )


def _checked(op: str, n: int, input: Any, weight: Any, bias: Any) -> tuple[Tensor, Tensor, bool]:
    """The operands, input with a batch dimension, and whether it came without one."""
    x, w = check_tensor(input, op), check_tensor(weight, op, "weight")
    if x._a.ndim not in (n + 1, n + 2):
        raise RuntimeError(
            f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to {op}, but got input of size: {list(x._a.shape)}"
        )
    if x._a.dtype != w._a.dtype:
        if bias is None or bias._a.dtype == x._a.dtype:
            raise RuntimeError(f"expected scalar type {type_name(x)} but found {type_name(w)}")
        raise _mixed(x, bias)
    if w._a.ndim != n + 2:
        raise RuntimeError(
            f"Given weight of size {list(w._a.shape)}, expected it to be {n + 2}-dimensional for an input of size "
            f"{list(x._a.shape)}"
        )
    if x._dev is not w._dev:
        same_device(op, x, w)
    alone = x._a.ndim == n + 1
    return (unsqueeze(x, 0) if alone else x), w, alone


def _positive(stride: Any, dilation: Any, groups: int) -> None:
    if groups <= 0:
        raise RuntimeError("non-positive groups is not supported")
    if min(stride) <= 0:
        raise RuntimeError("non-positive stride is not supported")
    if min(dilation) <= 0:
        raise RuntimeError(f"dilation should be greater than zero, but got {list(dilation)}")


def _conv(
    n: int, op: str, input: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> Tensor:
    x, w, alone = _checked(op, n, input, weight, bias)
    stride, dilation = ntuple(stride, n, "stride"), ntuple(dilation, n, "dilation")
    kernel = w._a.shape[2:]
    _positive(stride, dilation, groups)
    if padding == "same":
        if max(stride) != 1:
            raise RuntimeError("padding='same' is not supported for strided convolutions")
        total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        odd = [t % 2 for t in total]
        if any(odd):  # one more on the far side
            x = constant_pad(x, [w for o in reversed(odd) for w in (0, o)], 0)
        padding = tuple([t // 2 for t in total])
    elif padding == "valid":
        padding = (0,) * n
    elif isinstance(padding, str):
        raise RuntimeError(f"Invalid padding string: {padding!r}")
    else:
        padding = ntuple(padding, n, "padding")
    if min(padding) < 0:
        raise RuntimeError("negative padding is not supported")
    shape, outs = x._a.shape, w._a.shape[0]
    if shape[1] != w._a.shape[1] * groups or outs % groups:
        raise RuntimeError(
            f"Given groups={groups}, weight of size {list(w._a.shape)}, expected input{list(shape)} to have "
            f"{w._a.shape[1] * groups} channels, but got {shape[1]} channels instead"
        )
    for i in range(n):
        if shape[2 + i] + 2 * padding[i] < dilation[i] * (kernel[i] - 1) + 1:
            sizes = " x ".join(str(m + 2 * p) for m, p in zip(shape[2:], padding, strict=True))
            kernels = " x ".join(str(d * (k - 1) + 1) for d, k in zip(dilation, kernel, strict=True))
            raise RuntimeError(
                f"Calculated padded input size per channel: ({sizes}). Kernel size: ({kernels}). Kernel size can't be "
                "greater than actual input size"
            )
    _check_bias(bias, w, outs, x)
    _check_empty(x, kernel)
    half = x._a.dtype.itemsize == 2 and not x._dev.backend.takes_half
    if half:
        x, w, bias = widened(x), widened(w), widened(bias)
    plain, with_bias = CONV2D if n == 2 else CONVND
    if bias is None:
        r = plain(x, w, stride, padding, dilation, groups)
    else:
        r = with_bias(x, w, bias, stride, padding, dilation, groups)
    if half:
        r = F.cast(r, input._a.dtype)
    return squeeze(r, 0) if alone else r  # type: ignore[no-any-return]


def _check_empty(x: Tensor, kernel: Any) -> None:
    if 0 in kernel:
        raise RuntimeError(f"kernel size should be greater than zero, but got {list(kernel)}")
    shape = x._a.shape
    if 0 in shape[2:] and 0 not in shape[:2]:
        raise RuntimeError(f"Only zero batch or zero channel inputs are supported, but got input shape: {list(shape)}")


def _check_bias(bias: Any, w: Tensor, outs: int, x: Tensor) -> None:
    if bias is None:
        return
    if bias._a.shape != (outs,):
        raise RuntimeError(
            f"Given weight of size {list(w._a.shape)}, expected bias to be 1-dimensional with {outs} elements, but got bias "
            f"of size {list(bias._a.shape)} instead"
        )
    if bias._a.dtype != x._a.dtype:
        raise _mixed(x, bias)


def _mixed(x: Tensor, bias: Tensor) -> RuntimeError:
    return RuntimeError(f"Input type ({cpp_name(x)}) and bias type ({cpp_name(bias)}) should be the same")


def conv1d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Tensor:  # fmt: skip
    """input (N, C, L) or (C, L), weight (O, C/groups, k). Source: torch.nn.functional.conv1d."""
    return _conv(1, "conv1d", input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Tensor:  # fmt: skip
    """input (N, C, H, W) or (C, H, W), weight (O, C/groups, kh, kw). Source: torch.nn.functional.conv2d."""
    return _conv(2, "conv2d", input, weight, bias, stride, padding, dilation, groups)


def conv3d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Tensor:  # fmt: skip
    """input (N, C, D, H, W) or (C, D, H, W), weight (O, C/groups, kd, kh, kw). Source: torch.nn.functional.conv3d."""
    return _conv(3, "conv3d", input, weight, bias, stride, padding, dilation, groups)


def _transposed(
    n: int, op: str, input: Any, weight: Any, bias: Any, stride: Any, padding: Any, output_padding: Any, groups: int,
    dilation: Any,
) -> Tensor:  # fmt: skip
    x, w, alone = _checked(op, n, input, weight, None)
    stride, dilation = ntuple(stride, n, "stride"), ntuple(dilation, n, "dilation")
    padding, extra = ntuple(padding, n, "padding"), ntuple(output_padding, n, "output_padding")
    _positive(stride, dilation, groups)
    if min(padding) < 0:
        raise RuntimeError("negative padding is not supported")
    if min(extra) < 0:
        raise RuntimeError("negative output_padding is not supported")
    if x._a.shape[1] != w._a.shape[0] or w._a.shape[0] % groups:
        raise RuntimeError(
            f"Given transposed=1, weight of size {list(w._a.shape)}, expected input{list(x._a.shape)} to have "
            f"{w._a.shape[0]} channels, but got {x._a.shape[1]} channels instead"
        )
    for e, s, d in zip(extra, stride, dilation, strict=True):
        if e >= max(s, d):
            raise RuntimeError(
                f"output padding must be smaller than either stride or dilation, but got output_padding: {list(extra)} "
                f"stride: {list(stride)} dilation: {list(dilation)}"
            )
    if any(e >= s for e, s in zip(extra, stride, strict=True)):  # whole steps of it are zeros after the input
        whole = [e // s for e, s in zip(extra, stride, strict=True)]
        x = constant_pad(x, [v for m in reversed(whole) for v in (0, m)], 0)
        extra = tuple([e % s for e, s in zip(extra, stride, strict=True)])
    outs = w._a.shape[1] * groups
    size = [
        (m - 1) * s - 2 * p + d * (k - 1) + e + 1
        for m, s, p, d, k, e in zip(x._a.shape[2:], stride, padding, dilation, w._a.shape[2:], extra, strict=True)
    ]
    if min(size) < 0 or (min(size) == 0 and x._a.shape[0]):
        raise RuntimeError(
            f"Given input size per channel: ({' x '.join(map(str, x._a.shape[2:]))}). Calculated output size per channel: "
            f"({' x '.join(map(str, size))}). Output size is too small"
        )
    _check_bias(bias, w, outs, x)
    _check_empty(x, w._a.shape[2:])
    half = x._a.dtype.itemsize == 2 and (bias is not None or not x._dev.backend.takes_half)
    if half:
        x, w, bias = widened(x), widened(w), widened(bias)
    kernel = F.conv2d_grad_input if n == 2 else F.convnd_grad_input
    r = renamed(kernel(x, w, (x._a.shape[0], outs, *size), stride, padding, dilation, groups), "ConvolutionBackward0")
    if bias is not None:
        r = pw.add(r, reshape(bias, (-1,) + (1,) * n))
    if half:
        r = F.cast(r, input._a.dtype)
    return squeeze(r, 0) if alone else r


def conv_transpose1d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
    groups: int = 1, dilation: Any = 1,
) -> Tensor:  # fmt: skip
    """The adjoint of conv1d; input (N, C, L), weight (C, O/groups, k). Source: torch.nn.functional.conv_transpose1d."""
    return _transposed(
        1, "conv_transpose1d", input, weight, bias, stride, padding, output_padding, groups, dilation
    )  # fmt: skip


def conv_transpose2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
    groups: int = 1, dilation: Any = 1,
) -> Tensor:  # fmt: skip
    """The adjoint of conv2d; weight (C, O/groups, kh, kw). Source: torch.nn.functional.conv_transpose2d."""
    return _transposed(
        2, "conv_transpose2d", input, weight, bias, stride, padding, output_padding, groups, dilation
    )  # fmt: skip


def conv_transpose3d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
    groups: int = 1, dilation: Any = 1,
) -> Tensor:  # fmt: skip
    """The adjoint of conv3d; weight (C, O/groups, kd, kh, kw). Source: torch.nn.functional.conv_transpose3d."""
    return _transposed(
        3, "conv_transpose3d", input, weight, bias, stride, padding, output_padding, groups, dilation
    )  # fmt: skip


def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Tensor:
    """Convolution over time of input (T, N, C) with weight (k, C, O). Source: torch.nn.functional.conv_tbc."""
    y = conv1d(input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, padding=pad)
    return y.permute(2, 0, 1).contiguous()  # type: ignore[no-any-return]
