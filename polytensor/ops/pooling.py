"""Pools in one, two and three dimensions. Source: torch.nn.functional."""

from __future__ import annotations

import builtins
from math import inf, prod
from typing import Any

from .. import dtypes
from ..backends.resample import adaptive_plan, average_plan, dilated_plan
from ..tensor import Tensor, wrap
from . import pointwise as pw
from .convolution import ntuple
from .halves import is_half, widened
from .layers import max_pool2d, pool_size
from .random_ops import rand
from .shape import contiguous, reshape, squeeze, unsqueeze
from .table import F, check_tensor, fresh, guard, no_kernel, renamed

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_max_pool1d",
    "avg_pool1d",
    "max_pool1d",
    "max_pool1d_with_indices",
    "max_pool3d",
]


def _batched(op: str, n: int, input: Any, channels: bool = True) -> tuple[Tensor, bool]:
    """The input with a batch dimension, and whether it came without; `channels`: there must be some."""
    x = check_tensor(input, op)
    if x._a.ndim not in (n + 1, n + 2):
        if n == 1:
            raise RuntimeError(
                f"Expected 2 to 3 dimensions, but got {x._a.ndim}-dimensional tensor for argument #1 'self' (while checking "
                f"arguments for {op}): Expected 2D or 3D (batch mode) tensor, got {list(x._a.shape)}"
            )
        raise RuntimeError(
            f"non-empty {n + 1}D or {n + 2}D (batch mode) tensor expected for input: {op}(): Expected {n + 1}D or {n + 2}D "
            f"input tensor, but got {list(x._a.shape)}"
        )
    if x._a.dtype.kind == "c":
        _floating(op, x)
    if 0 in x._a.shape[x._a.ndim - n - 1 if channels else 1 :]:
        raise RuntimeError(
            f"{op}(): Expected {n + 1}D or {n + 2}D (batch mode) tensor with optional 0 dim batch size for input, but got: "
            f"{list(x._a.shape)}"
        )
    return (unsqueeze(x, 0), True) if x._a.ndim == n + 1 else (x, False)


def _strides(kernel: tuple[int, ...], stride: Any, n: int) -> tuple[int, ...]:
    return (
        kernel if stride is None or (isinstance(stride, (tuple, list)) and not stride) else ntuple(stride, n, "stride")
    )


def _floating(op: str, x: Tensor) -> None:
    if x._a.dtype.kind in "biuc":
        raise no_kernel(op, x)


def _along(x: Tensor, plans: Any) -> Tensor:
    """Apply a plan to each dimension from the third on; half types in float32, rounded once."""
    dtype = x._a.dtype
    x = widened(x)
    for i, plan in reversed(list(enumerate(plans))):
        x = F.resample(x, 2 + i, plan)
    return F.cast(x, dtype) if is_half(dtype) else x  # type: ignore[no-any-return]


# ---- averages ----------------------------------------------------------------------------------------------------------
def _avg_pool(
    n: int, input: Any, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool, count_include_pad: bool,
    divisor_override: int | None,
) -> Tensor:  # fmt: skip
    op = f"avg_pool{n}d"
    if n == 2 and check_tensor(input, op)._a.ndim < 3:
        n_dims = max(input._a.ndim, 1)
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-n_dims}, {n_dims - 1}], but got -3): avg_pool2d(): Expected "
            f"3D or 4D input tensor, but got {list(input._a.shape)}"
        )
    x, alone = _batched(op, n, input)
    kernel = ntuple(kernel_size, n, "kernel_size")
    stride, padding = _strides(kernel, stride, n), ntuple(padding, n, "padding")
    if divisor_override == 0:
        raise RuntimeError("divisor must be not zero")
    size = pool_size(x, kernel, stride, padding, (1,) * n, ceil_mode)
    if n == 3 and builtins.any(m < k for m, k in zip(x._a.shape[2:], kernel, strict=True)):
        t, k = x._a.shape[2:], kernel
        raise RuntimeError(
            f"input image (T: {t[0]} H: {t[1]} W: {t[2]}) smaller than kernel size (kT: {k[0]} kH: {k[1]} kW: {k[2]})"
        )
    integer = x._a.dtype.kind in "iu"
    if x._a.dtype.kind == "b" or (integer and x.dtype is not dtypes.int64):
        _floating(op, x)
    divide = divisor_override is None
    if integer and divide:  # sums first, one division that rounds towards zero
        counts = [
            average_plan(*a, count_include_pad, True)
            for a in zip(x._a.shape[2:], size, kernel, stride, padding, strict=True)
        ]
        if builtins.any(p.scale == 1.0 and k > 1 for p, k in zip(counts, kernel, strict=True)):
            r = _along(F.cast(x, dtypes.float64.array), counts)
            r = F.cast(pw.add(r, pw.mul(pw.sign(r), 1e-9)), x._a.dtype)  # a quotient rounded below a whole number
            return squeeze(r, 0) if alone else r
        divide, divisor_override = False, prod(kernel)
    plans = [
        average_plan(*a, count_include_pad, divide)
        for a in zip(x._a.shape[2:], size, kernel, stride, padding, strict=True)
    ]
    r = _along(x, plans)
    if divisor_override is not None:
        r = pw.div(r, divisor_override, rounding_mode="trunc") if integer else pw.div(r, divisor_override)
    return renamed(fresh(squeeze(r, 0)) if alone else r, "SqueezeBackward1" if n == 1 else f"AvgPool{n}DBackward0")


def avg_pool1d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:  # fmt: skip
    """Means over windows of (N, C, L) or (C, L)."""
    return _avg_pool(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """Means over windows of (N, C, H, W) or (C, H, W)."""
    return _avg_pool(2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def avg_pool3d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """Means over windows of (N, C, D, H, W) or (C, D, H, W)."""
    return _avg_pool(3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def _target(op: str, x: Tensor, output_size: Any, n: int) -> tuple[int, ...]:
    """An adaptive pool's output size; None keeps the input's."""
    sizes = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size,) * n
    if len(sizes) != n:
        raise RuntimeError(f"{op}: internal error: output_size.size() == {n} expected, but got {len(sizes)}")
    sizes = tuple([m if s is None else int(s) for s, m in zip(sizes, x._a.shape[2:], strict=True)])
    if min(sizes) < 0:
        raise RuntimeError(
            f"{op}: elements of output_size must be greater than or equal to 0 but received {list(sizes)}"
        )
    return sizes


def _ones(output_size: Any, n: int) -> bool:
    return output_size == 1 or (isinstance(output_size, (tuple, list)) and tuple(output_size) == (1,) * n)


def _adaptive_avg(n: int, input: Any, output_size: Any) -> Tensor:
    op = f"adaptive_avg_pool{n}d"
    if n > 1 and isinstance(output_size, (tuple, list)) and check_tensor(input, op)._a.ndim <= len(output_size):
        raise ValueError(f"Input dimension should be at least {len(output_size) + 1}")
    if n < 3 and _ones(output_size, n) and check_tensor(input, op)._a.ndim > n:  # a mean takes more
        _floating(op, input)
        r = contiguous(F.mean(input, tuple(range(input._a.ndim - n, input._a.ndim)), True))
        return renamed(r, "SqueezeBackward1" if n == 1 else "MeanBackward1")
    x, alone = _batched(op, n, input, False)
    size = _target(op, x, output_size, n)
    _floating(op, x)
    if size == (1,) * n:
        r = contiguous(F.mean(x, tuple(range(2, 2 + n)), True))
    else:
        r = _along(x, [adaptive_plan(m, s, True) for m, s in zip(x._a.shape[2:], size, strict=True)])
    r = fresh(squeeze(r, 0)) if alone else r
    made = "SqueezeBackward1" if n == 1 else "MeanBackward1" if size == (1,) * n else f"AdaptiveAvgPool{n}DBackward0"
    return renamed(r, made)


def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """Means over windows such that the output has `output_size`."""
    return _adaptive_avg(1, input, output_size)


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """Means over windows such that the output has `output_size`; None keeps a dimension."""
    return _adaptive_avg(2, input, output_size)


def adaptive_avg_pool3d(input: Tensor, output_size: Any) -> Tensor:
    """Means over windows such that the output has `output_size`; None keeps a dimension."""
    return _adaptive_avg(3, input, output_size)


def _lp(n: int, input: Tensor, norm_type: float, kernel_size: Any, stride: Any, ceil_mode: bool) -> Tensor:
    """(sum of x ** p over each window) ** (1 / p), of the absolute value, with the sum's sign; inf: the largest |x|."""
    kernel = ntuple(kernel_size, n, "kernel_size")
    if norm_type in (inf, -inf):
        sign, pool = (1 if norm_type > 0 else -1), (max_pool1d, max_pool2d, max_pool3d)[n - 1]
        return pw.mul(pool(pw.mul(pw.abs(input), sign), kernel, stride, ceil_mode=ceil_mode), sign)
    mean = _avg_pool(n, pw.pow(input, norm_type), kernel, stride, 0, ceil_mode, True, None)
    return pw.pow(pw.mul(pw.mul(pw.sign(mean), pw.relu(pw.abs(mean))), prod(kernel)), 1.0 / norm_type)


def lp_pool1d(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """The p-norm of each window, p = norm_type."""
    return _lp(1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """The p-norm of each window, p = norm_type."""
    return _lp(2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """The p-norm of each window, p = norm_type."""
    return _lp(3, input, norm_type, kernel_size, stride, ceil_mode)


# ---- maxima ------------------------------------------------------------------------------------------------------------
def _take(x: Tensor, index: Tensor) -> Tensor:
    """The elements of x (N, C, ...) at flat positions (N, C, ...)."""
    n, c = x._a.shape[:2]
    at = x._dev.backend.reshape(index._a, (n, c, 1, prod(index._a.shape[2:])))
    return reshape(F.max_pool2d_gather(reshape(x, (n, c, 1, prod(x._a.shape[2:]))), at), tuple(index._a.shape))


def _maxima(x: Tensor, index: Tensor, return_indices: bool, alone: bool) -> Any:
    """The elements at `index`, and where it is asked for `index`; `alone`: without the batch dimension."""
    r = _take(x, index)
    if not return_indices:
        return squeeze(r, 0) if alone else r
    r = guard(r, index)
    return (squeeze(r, 0), squeeze(index, 0)) if alone else (r, index)


def _largest(x: Tensor, plans: Any, return_indices: bool, alone: bool) -> Any:
    n = len(plans)
    at = x._dev.backend.window_argmax(x._a, tuple(range(2, 2 + n)), tuple(plans))
    return _maxima(x, wrap(at, x._dev), return_indices, alone)


def max_pool1d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:  # fmt: skip
    """Maxima over windows of (N, C, L) or (C, L); indices are positions in L."""
    x, alone = _batched("max_pool1d", 1, input)
    kernel = ntuple(kernel_size, 1, "kernel_size")
    stride, padding, dilation = _strides(kernel, stride, 1), ntuple(padding, 1), ntuple(dilation, 1)
    values = max_pool2d(
        unsqueeze(x, 2), (1, *kernel), (1, *stride), (0, *padding), (1, *dilation), ceil_mode, return_indices
    )
    if not return_indices:
        return squeeze(squeeze(values, 2), 0) if alone else squeeze(values, 2)
    r = [squeeze(v, 2) for v in values]
    return tuple([squeeze(v, 0) for v in r]) if alone else tuple(r)


def max_pool3d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:  # fmt: skip
    """Maxima over windows of (N, C, D, H, W) or (C, D, H, W); indices are flat in D * H * W."""
    x, alone = _batched("max_pool3d", 3, input)
    kernel = ntuple(kernel_size, 3, "kernel_size")
    stride, padding, dilation = _strides(kernel, stride, 3), ntuple(padding, 3), ntuple(dilation, 3)
    size = pool_size(x, kernel, stride, padding, dilation, ceil_mode)
    plans = [
        dilated_plan(*a) for a in zip(x._a.shape[2:], size, kernel, stride, padding, dilation, strict=True)
    ]  # fmt: skip
    return _largest(x, plans, return_indices, alone)


def _adaptive_max(n: int, input: Any, output_size: Any, return_indices: bool) -> Any:
    op = f"adaptive_max_pool{n}d"
    if n > 1 and isinstance(output_size, (tuple, list)) and check_tensor(input, op)._a.ndim <= len(output_size):
        raise ValueError(f"Input dimension should be at least {len(output_size) + 1}")
    x, alone = _batched(op, n, input, False)
    size = _target(op, x, output_size, n)
    _floating(op, x)
    shape = x._a.shape[2:]
    if n == 2 and min(size) and 0 not in x._a.shape and not (shape[0] % size[0] or shape[1] % size[1]):
        kernel = (shape[0] // size[0], shape[1] // size[1])
        r = max_pool2d(x, kernel, kernel, return_indices=return_indices)
        if not alone:
            return r
        return tuple([squeeze(v, 0) for v in r]) if return_indices else squeeze(r, 0)
    return _largest(x, [adaptive_plan(m, s, False) for m, s in zip(shape, size, strict=True)], return_indices, alone)


def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Maxima over windows such that the output has `output_size`."""
    return _adaptive_max(1, input, output_size, return_indices)


def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Maxima over windows such that the output has `output_size`; None keeps a dimension."""
    return _adaptive_max(2, input, output_size, return_indices)


def adaptive_max_pool3d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Maxima over windows such that the output has `output_size`; None keeps a dimension."""
    return _adaptive_max(3, input, output_size, return_indices)


# ---- fractional pools --------------------------------------------------------------------------------------------------
def _fractional(
    n: int, input: Any, kernel_size: Any, output_size: Any, output_ratio: Any, return_indices: bool, samples: Any
) -> Any:
    op = f"fractional_max_pool{n}d"
    if output_size is None and output_ratio is None:
        raise ValueError(f"{op} requires specifying either an output_size or an output_ratio")
    if n == 2 and check_tensor(input, op)._a.ndim < 3:
        raise IndexError(f"{op}(): Expected 3D or 4D input tensor, but got {list(input._a.shape)}")
    x, alone = _batched(op, n, input, False)
    kernel, shape = ntuple(kernel_size, n, "kernel_size"), x._a.shape[2:]
    if output_size is None:
        if len(output_ratio) != n:
            raise ValueError(f"{op} requires output_ratio to either be a single Int or tuple of Ints.")
        output_size = [int(m * r) for m, r in zip(shape, output_ratio, strict=True)]
    size = ntuple(output_size, n, "output_size")
    for m, k, s in zip(shape, kernel, size, strict=True):
        if s + k - 1 > m - (n == 3):  # PyTorch's 3-d pool asks for one more
            raise RuntimeError(f"{op}(): pool size {k} too large relative to input size {m} (output {s})")
    batch, channels = x._a.shape[:2]
    if samples is None:
        samples = rand(batch, channels, n, dtype=x.dtype, device=x._dev)
    elif samples._a.dtype != x._a.dtype:
        raise RuntimeError(f"Expect _random_samples to have the same dtype as input ({samples.dtype}, {x.dtype})")
    else:
        shown = f"(samples {list(samples._a.shape)}, input {list(x._a.shape)})"
        if samples._a.ndim != 3 or samples._a.shape[0] < batch:
            raise RuntimeError(f"Expect _random_samples.size(0) no less then input batch size. {shown}")
        if samples._a.shape[1] != channels:
            raise RuntimeError(f"Expect _random_samples.size(1) equals to input channel size. {shown}")
        if samples._a.shape[2] != n:
            raise RuntimeError(f"Expect _random_samples.size(2) equals to {n}; got {samples._a.shape[2]}. {shown}")
        samples = samples[:batch]
    dev = x._dev
    at: Any = None
    for i, (m, k, s) in enumerate(zip(shape, kernel, size, strict=True)):
        k_th = 1 - i if n == 2 else i  # PyTorch's order of the samples: W before H, but D before H before W
        u = F.cast(samples, dtypes.float64.array)[..., k_th : k_th + 1]
        steps = wrap(dev.backend.arange(s, 0, 1, dtypes.float64.array), dev)
        if s > 1:
            alpha = (m - k) / (s - 1)
            starts = pw.sub(pw.floor(pw.mul(pw.add(steps, u), alpha)), pw.floor(pw.mul(u, alpha)))
            starts = pw.where(pw.eq(steps, s - 1), float(m - k), starts)
        else:
            starts = pw.add(pw.mul(pw.add(steps, u), 0), m - k)
        taps = wrap(dev.backend.arange(k, 0, 1, dtypes.int64.array), dev)
        reads = pw.add(F.cast(starts, dtypes.int64.array).unsqueeze(-1), taps)  # (N, C, s, k)
        here = [1] * (2 * n)
        here[i], here[n + i] = s, k
        reads = reshape(reads, (batch, channels, *here))
        at = reads if at is None else pw.add(pw.mul(at, m), reads)
    flat = reshape(at, (batch, channels, prod(size), prod(kernel)))
    with_values = _take(x.detach(), flat)
    best = with_values.max(-1, keepdim=True)[1]
    index = reshape(flat.gather(-1, best), (batch, channels, *size))
    return _maxima(x, index, return_indices, alone)


def fractional_max_pool2d(
    input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None, return_indices: bool = False,
    _random_samples: Any = None,
) -> Any:  # fmt: skip
    """Maxima over windows whose places are random (Graham, 2015)."""
    return _fractional(2, input, kernel_size, output_size, output_ratio, return_indices, _random_samples)


def fractional_max_pool3d(
    input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None, return_indices: bool = False,
    _random_samples: Any = None,
) -> Any:  # fmt: skip
    """Maxima over windows whose places are random (Graham, 2015)."""
    return _fractional(3, input, kernel_size, output_size, output_ratio, return_indices, _random_samples)


# ---- back to where the maxima were -------------------------------------------------------------------------------------
def _unpool(
    n: int, input: Any, indices: Tensor, kernel_size: Any, stride: Any, padding: Any, output_size: Any
) -> Tensor:
    op = f"max_unpool{n}d"
    x = check_tensor(input, op)
    kernel = ntuple(kernel_size, n, "kernel_size")
    stride, padding = _strides(kernel, stride, n), ntuple(padding, n, "padding")
    if x._a.ndim not in (n + 1, n + 2):
        raise RuntimeError(
            f"Input to max_unpooling{n}d should be a {n + 1}d or {n + 2}d Tensor, but got a tensor with {x._a.ndim} dimensions: "
            f"{list(x._a.shape)}"
        )
    _floating(op, x)
    if n > 1 and 0 in x._a.shape[1:]:
        raise RuntimeError(
            f"{op}(): Expected input to have non-zero size for non-batch dimensions, but got {list(x._a.shape)}"
        )
    default = [
        (m - 1) * s + k - 2 * p for m, s, k, p in zip(x._a.shape[-n:], stride, kernel, padding, strict=True)
    ]  # fmt: skip
    if output_size is None:
        size = default
    else:
        size = list(output_size)
        if len(size) == n + 2:
            size = size[2:]
        if len(size) != n:
            raise ValueError(
                f"output_size should be a sequence containing {n} or {n + 2} elements, but it has a length of '{len(size)}'"
            )
        for d in range(n):
            low, high = default[d] - stride[d], default[d] + stride[d]
            if not low < size[d] < high:
                raise ValueError(f'invalid output_size "{output_size}" (dim {d} must be between {low} and {high})')
    if indices._a.shape != x._a.shape:
        raise RuntimeError(
            f"Expected shape of indices to be same as that of the input tensor ({list(x._a.shape)}) but got indices tensor "
            f"with shape: {list(indices._a.shape)}"
        )
    if indices.dtype is not dtypes.int64:
        raise RuntimeError(f"elements in indices should be type int64 but got: {indices.dtype}")
    lead, area = x._a.shape[:-n], prod(size)
    text = f"Found an invalid max index outside of the output's size {size}"
    indices._dev.backend.require_range(indices._a, 0, area, RuntimeError, text)
    flat = reshape(indices, (*lead, prod(x._a.shape[-n:])))
    zeros = wrap(x._dev.backend.zeros((*lead, area), x._a.dtype), x._dev)
    r = zeros.scatter(len(lead), flat, reshape(x, tuple(flat._a.shape)))
    return reshape(r, (*lead, *size))


def max_unpool1d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Tensor:
    """Values back at the indices that max_pool1d gave, zeros elsewhere."""
    return _unpool(1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Tensor:
    """Values back at the indices that max_pool2d gave, zeros elsewhere."""
    return _unpool(2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Tensor:
    """Values back at the indices that max_pool3d gave, zeros elsewhere."""
    return _unpool(3, input, indices, kernel_size, stride, padding, output_size)


def _always(fn: Any, name: str) -> Any:
    def op(*args: Any, **kwargs: Any) -> Any:
        return fn(*args, **{**kwargs, "return_indices": True})

    op.__name__ = name
    op.__doc__ = f"{fn.__name__} and, always, the indices."
    return op


max_pool1d_with_indices = _always(max_pool1d, "max_pool1d_with_indices")
max_pool3d_with_indices = _always(max_pool3d, "max_pool3d_with_indices")
adaptive_max_pool1d_with_indices = _always(adaptive_max_pool1d, "adaptive_max_pool1d_with_indices")
adaptive_max_pool2d_with_indices = _always(adaptive_max_pool2d, "adaptive_max_pool2d_with_indices")
adaptive_max_pool3d_with_indices = _always(adaptive_max_pool3d, "adaptive_max_pool3d_with_indices")
fractional_max_pool2d_with_indices = _always(fractional_max_pool2d, "fractional_max_pool2d_with_indices")
fractional_max_pool3d_with_indices = _always(fractional_max_pool3d, "fractional_max_pool3d_with_indices")
