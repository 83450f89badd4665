"""Primitives behind layers: pooling, softmax, losses, dropout."""

from __future__ import annotations

from typing import Any

from ..backends.conv import out_size
from ..tensor import Tensor, check_dim, wrap
from . import pointwise as pw
from .halves import rounded_once
from .rows import raw, together
from .shape import broadcast_tensors
from .table import FLOAT32, F, attach, check_tensor, guard, no_kernel, primitive


def _pair(v: Any, what: str) -> tuple[int, int]:
    if isinstance(v, (tuple, list)):
        if len(v) not in (1, 2):
            raise RuntimeError(
                f"max_pool2d: {what} must either be a single int, or a tuple of two ints, but got {list(v)}"
            )
        return int(v[0]), int(v[-1])
    return (int(v), int(v))


# ---- pooling -----------------------------------------------------------------------------------------------------------
def _pool_rule(
    F: Any, g: Any, need: Any, x_shape: Any, out1: Any, kernel: Any, stride: Any, padding: Any, dilation: Any
) -> Any:
    window = (kernel, stride, padding, dilation)
    return [F.max_pool2d_grad(g[0], raw(out1), x_shape, window)]


_pool = primitive(
    "max_pool2d",
    "x",
    _pool_rule,
    "kernel stride padding dilation ceil_mode",
    outs=2,
    node="MaxPool2DWithIndicesBackward0",
)
primitive("max_pool2d_grad", "g", (lambda F, u, index: F.max_pool2d_gather(u, index),), "index shape window")
primitive("max_pool2d_gather", "x", (lambda F, u, x_shape, index: F.max_pool2d_grad(u, index, x_shape, None),), "index")


def pool_size(x: Tensor, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> tuple[int, ...]:
    """The size of a pool's output, after the checks that all pools share."""
    if min(kernel) <= 0:
        raise RuntimeError(f"kernel size should be greater than zero, but got {list(kernel)}")
    if 0 in stride:
        raise RuntimeError("stride should not be zero")
    if min(stride) < 0:
        raise RuntimeError(f"stride should be greater than zero, but got {list(stride)}")
    if min(dilation) <= 0:
        raise RuntimeError(f"dilation should be greater than zero, but got {list(dilation)}")
    if min(padding) < 0:
        raise RuntimeError(f"pad must be non-negative, but got pad: {min(padding)}")
    if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
        raise RuntimeError(
            f"pad should be at most half of effective kernel size, but got pad={max(padding)}, kernel_size={max(kernel)} "
            f"and dilation={max(dilation)}"
        )
    size = tuple(
        [
            out_size(n, k, s, p, d, ceil_mode)
            for n, k, s, p, d in zip(x._a.shape[2:], kernel, stride, padding, dilation, strict=True)
        ]
    )
    if min(size) < 1:
        raise RuntimeError(
            f"Given input size: ({'x'.join(map(str, x._a.shape[1:]))}). Calculated output size: "
            f"({x._a.shape[1]}x{'x'.join(map(str, size))}). Output size is too small"
        )
    return size


def max_pool2d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:  # fmt: skip
    """Maximum over windows of (N, C, H, W) or (C, H, W); indices are flat in H * W. Source: F.max_pool2d."""
    x = check_tensor(input, "max_pool2d")
    if x._a.ndim == 3 and 0 not in x._a.shape:
        r = max_pool2d(x.unsqueeze(0), kernel_size, stride, padding, dilation, ceil_mode, True)  # type: ignore[attr-defined]
        return tuple(t.squeeze(0) for t in r) if return_indices else r[0].squeeze(0)
    if x._a.ndim != 4 or 0 in x._a.shape[1:]:
        if x._a.ndim in (3, 4):
            raise RuntimeError(
                "Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but got:"
                f"{list(x._a.shape)}"
            )
        raise RuntimeError(
            f"non-empty 3D or 4D (batch mode) tensor expected for input, but max_pool2d() got {list(x._a.shape)}"
        )
    if x._a.dtype.kind in "bc":
        raise no_kernel("max_pool2d", x)
    kernel = _pair(kernel_size, "kernel_size")
    given = stride is not None and not (isinstance(stride, (tuple, list)) and not stride)
    stride = _pair(stride, "stride") if given else kernel
    padding, dilation = _pair(padding, "padding"), _pair(dilation, "dilation")
    pool_size(x, kernel, stride, padding, dilation, ceil_mode)
    values, indices = _pool(x, kernel, stride, padding, dilation, ceil_mode)
    return (values, indices) if return_indices else values


# ---- softmax -----------------------------------------------------------------------------------------------------------
_softmax = primitive("softmax", "x", (lambda F, g, out, dim: F.softmax_backward(g, out, dim),), "dim")
_log_softmax = primitive("log_softmax", "x", (lambda F, g, out, dim: F.log_softmax_backward(g, out, dim),), "dim")


def _softmax_backward(g: Tensor, y: Tensor, dim: int) -> Tensor:
    gy = pw.mul(g, y)
    return pw.sub(gy, pw.mul(y, F.sum(gy, (dim,), True)))


def _log_softmax_backward(g: Tensor, y: Tensor, dim: int) -> Tensor:
    return pw.sub(g, pw.mul(pw.exp(y), F.sum(g, (dim,), True)))


F.softmax_backward, F.log_softmax_backward = rounded_once(_softmax_backward), rounded_once(_log_softmax_backward)


def _soft(name: str, row: Any, method: bool = False) -> Any:
    def op(input: Tensor, dim: int | None = None, dtype: Any = None, _stacklevel: int = 3) -> Tensor:
        if dtype is None and dim.__class__ is int and isinstance(input, Tensor):
            a = input._a
            if 0 <= dim < a.ndim and a.dtype is FLOAT32:  # type: ignore[operator]
                return row(input, dim)  # type: ignore[no-any-return]
        x = check_tensor(input, name)
        if dtype is not None and x._a.dtype != dtype.array:
            x = F.cast(x, dtype.array)
        if x._a.dtype.kind in "biuc" and x._a.size:
            raise no_kernel(f"{name}_lastdim_kernel_impl", x)
        if dim is None:
            if method:
                raise TypeError(f'{name}() missing 1 required positional arguments: "dim"')
            import warnings

            warnings.warn(
                f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.",
                UserWarning,
                stacklevel=_stacklevel - 1,
            )
            dim = 0 if x._a.ndim in (0, 1, 3) else 1
        d = check_dim(dim, x._a.ndim)
        if x._a.ndim == 0:
            return row(x.reshape(1), 0).reshape(())  # type: ignore[attr-defined, no-any-return]
        return row(x, d)  # type: ignore[no-any-return]

    op.__name__ = name
    op.__doc__ = f"{name} along `dim`. Source: torch.nn.functional.{name}."
    return op


softmax = _soft("softmax", _softmax)
log_softmax = _soft("log_softmax", _log_softmax)

# ---- losses ------------------------------------------------------------------------------------------------------------


def _cross_entropy_rule(F: Any, g: Any, need: Any, out1: Any, t: Any, ignore_index: int, reduction: int) -> Any:
    """Gradients may come for the loss and, in a derivative of a derivative, for the log-probabilities."""
    dx = None if g[0] is None else F.cross_entropy_backward(g[0], out1, t, ignore_index, reduction)
    if g[1] is not None:
        through = F.log_softmax_backward(g[1], out1, 1)
        dx = through if dx is None else F.add(dx, through)
    return [dx]


_cross_entropy = primitive(
    "cross_entropy", "x", _cross_entropy_rule, "t ignore_index reduction", outs=2, node="NllLossBackward0"
)


def _cross_entropy_backward(g: Tensor, logp: Tensor, t: Any, ignore_index: int, reduction: int) -> Tensor:
    """(softmax - onehot) * g, zero where ignored."""
    dev = logp._dev
    onehot = wrap(dev.backend.one_hot(t, logp._a.shape[1], logp._a.dtype), dev)
    scale = F.cast(pw.ne(wrap(t, dev), ignore_index), logp._a.dtype)
    if reduction == 1:
        scale = pw.div(scale, F.sum(scale, None, False))
    return pw.mul(pw.sub(pw.exp(logp), onehot), pw.mul(scale, g).unsqueeze(1))  # type: ignore[attr-defined, no-any-return]


F.cross_entropy_backward = _cross_entropy_backward


def cross_entropy_index(input: Tensor, target: Tensor, ignore_index: int = -100, reduction: int = 1) -> Tensor:
    """input (N, C), target (N,) int64; reduction 0 none, 1 mean, 2 sum. One fused pass forward, one backward."""
    if target._dev is not input._dev:
        together("cross_entropy", input, target)
    loss, _ = _cross_entropy(input, target._a, ignore_index, reduction)
    return loss if loss._fn is None else guard(loss, target)  # type: ignore[no-any-return]


def _mse_rule(F: Any, g: Any, need: Any, x: Any, t: Any, reduction: int) -> Any:
    dx = F.mse_loss_backward(g, x, t, reduction)
    return [dx if need[0] else None, F.neg(dx) if need[1] else None]


_mse = primitive("mse_loss", "x t", _mse_rule, "reduction")


def _mse_backward(g: Tensor, x: Tensor, t: Tensor, reduction: int) -> Tensor:
    return pw.mul(pw.sub(x, t), pw.mul(g, 2 / max(x._a.size, 1) if reduction == 1 else 2))


F.mse_loss_backward = _mse_backward


def mse_loss(input: Tensor, target: Tensor, reduction: int = 1) -> Tensor:
    """Squared error, broadcast; reduction 0 none, 1 mean, 2 sum."""
    if input._a.shape != target._a.shape:
        input, target = broadcast_tensors(input, target)
    return _mse(input, target, reduction)  # type: ignore[no-any-return]


attach("softmax", _soft("softmax", _softmax, True))
attach("log_softmax", _soft("log_softmax", _log_softmax, True))
Tensor.relu = pw.relu  # type: ignore[attr-defined]
