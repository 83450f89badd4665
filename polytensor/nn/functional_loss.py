"""The losses of torch.nn.functional, with PyTorch's reductions, warnings and errors."""

from __future__ import annotations

import math
import warnings
from typing import Any

from .. import ops
from ..autograd import is_grad_enabled, no_grad
from ..dtypes import int64, uint8
from ..ops import losses as rows
from ..ops.halves import rounded_once
from ..ops.layers import cross_entropy_index, log_softmax
from ..ops.layers import mse_loss as _mse_loss
from ..ops.products import linear
from ..ops.rows import together
from ..ops.table import PROMOTE, check_tensor, guard, named, no_cast, no_kernel, prepare, type_name
from ..tensor import Tensor
from ._reduction import REDUCTIONS, chosen, get_enum

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "gaussian_nll_loss", "huber_loss",
    "kl_div", "l1_loss", "linear_cross_entropy", "mse_loss", "multilabel_soft_margin_loss", "nll_loss",
    "poisson_nll_loss", "smooth_l1_loss",
]  # fmt: skip


# ---- reductions ---------------------------------------------------------------------------------------------------------
def _kind(size_average: Any, reduce: Any, reduction: str) -> int:
    return get_enum(chosen(size_average, reduce, reduction))


def _refuse(x: Tensor, kinds: str, kernel: str) -> None:
    """NotImplementedError for these kinds of dtype, by PyTorch's name of the kernel."""
    if x._a.dtype.kind in kinds:
        raise no_kernel(kernel, x)


def _floats(loss: str, input: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Both in their common dtype, which must be of floating point."""
    if input._a.dtype == target._a.dtype and input._a.dtype.char in "fd":
        return input, target
    x, t = prepare(f"{loss}_loss", PROMOTE, input, target)
    _refuse(x, "biuc", f"{loss}_cpu")
    return x, t


def _reduced(loss: Any, kind: int) -> Tensor:
    return loss if kind == 0 else loss.mean() if kind == 1 else loss.sum()


def _scaled(loss: Any, weight: Any, dtype: Any) -> Tensor:
    """loss * weight in `dtype`, as PyTorch's product in place gives it."""
    loss = loss if weight is None else loss * weight
    return loss if loss.dtype is dtype else loss.to(dtype)  # type: ignore[no-any-return]


def _weighted(loss: Any, weight: Any, reduction: str, by_weight: bool) -> Tensor:
    """The reduction of loss * weight; the mean over the weights, or over the elements."""
    loss = loss * weight
    if reduction == "mean":
        return loss.sum() / weight.sum() if by_weight else loss.mean()
    if reduction not in REDUCTIONS:
        raise ValueError(f"Invalid reduction mode: {reduction}. Expected one of 'none', 'mean', 'sum'.")
    return loss.sum() if reduction == "sum" else loss


def _warn_of_size(input: Tensor, target: Tensor) -> None:
    if input._a.shape != target._a.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). This will likely lead "
            "to incorrect results due to broadcasting. Please ensure they have the same size.",
            UserWarning,
            stacklevel=3,
        )


# ---- classification -----------------------------------------------------------------------------------------------------
@named("NllLossBackward0")
def nll_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: Any = None, ignore_index: int = -100,
    reduce: Any = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """-weight[t] * input[t]; input (N, C), (C,) or (N, C, d1, ...). The mean is weighted. Source: F.nll_loss."""
    kind = _kind(size_average, reduce, reduction)
    check_tensor(target, "nll_loss_nd", "target")
    if not input.dim():
        raise ValueError("Expected 1 or more dimensions (got 0)")
    return _nll(input, _class_indices(input, target), weight, ignore_index, kind)


def _class_indices(input: Tensor, target: Tensor) -> Tensor:
    """The target as int64, after a look at dtype and shape."""
    if input._a.ndim > 1 and (not target._a.ndim or input._a.shape[0] != target._a.shape[0]):
        got = target.shape[0] if target._a.ndim else 1
        raise ValueError(f"Expected input batch_size ({input.shape[0]}) to match target batch_size ({got}).")
    if input._a.ndim == 2 and target._a.ndim > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if input._a.ndim > 1 and input._a.shape[2:] != target._a.shape[1:]:
        raise RuntimeError(
            f"Expected target size {[input.shape[0], *input.shape[2:]]}, got {list(target.shape)} (input {list(input.shape)})"
        )
    if input._a.ndim == 1 and target.numel() != 1:
        raise ValueError(f"For 1D input, 1D target must have size 1, but got target size: {target.numel()}")
    if target.dtype is uint8:
        return target.to(int64)
    if target.dtype is not int64:
        raise RuntimeError(f"expected target dtype to be Long or Byte, but got {type_name(target)}")
    return target


def _check_weight(weight: Tensor | None, classes: int) -> None:
    if weight is not None and tuple(weight.shape) != (classes,):
        raise RuntimeError(
            f"weight tensor should be defined either for all {classes} classes or no classes but got weight tensor of "
            f"shape: {list(weight.shape)}"
        )


def _nll(input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, kind: int) -> Tensor:
    if input.dim() == 1:
        loss = _nll(input.unsqueeze(0), target.reshape(1), weight, ignore_index, kind)
        return loss.reshape(()) if kind or target.dim() == 0 else loss
    _check_weight(weight, input.shape[1])
    _refuse(input, "biu", "nll_loss_out_frame")
    given = (target,) if weight is None else (target, weight)
    together("nll_loss", input, *given)
    if weight is not None and weight.dtype is not input.dtype:
        raise RuntimeError(f"expected scalar type {type_name(input)} but found {type_name(weight)}")
    if weight is not None and weight.requires_grad and is_grad_enabled():
        raise RuntimeError(
            "The function 'nll_loss_forward' is not differentiable with respect to argument 'weight'. This input cannot have "
            "requires_grad True."
        )
    loss = rows.nll(input, target._a, None if weight is None else weight._a, ignore_index, kind)
    return loss if loss._fn is None else guard(loss, *given)  # type: ignore[no-any-return]


def _averaged(total: Any, count: Any) -> Tensor:
    """total / count; with nothing to count NaN, and no gradient."""
    if count._dev.backend.asynchronous:
        empty = count == 0
        return ops.where(empty, total * 0 + math.nan, total / count.masked_fill(empty, 1))
    return total / count if count else total * 0 + math.nan


def cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: Any = None, ignore_index: int = -100,
    reduce: Any = None, reduction: str = "mean", label_smoothing: float = 0.0,
) -> Tensor:  # fmt: skip
    """log_softmax and nll_loss; target: class indices, or probabilities of input's shape. Source: F.cross_entropy."""
    check_tensor(target, "cross_entropy_loss", "target")
    kind = _kind(size_average, reduce, reduction)
    if (
        weight is None and label_smoothing == 0.0 and input.ndim == 2 and target.ndim == 1 and target._a.dtype == int64.array
        and input._a.dtype.kind == "f"
    ):  # fmt: skip
        if input._a.shape[0] != target._a.shape[0]:
            raise ValueError(
                f"Expected input batch_size ({input._a.shape[0]}) to match target batch_size ({target._a.shape[0]})."
            )
        return cross_entropy_index(input, target, ignore_index, kind)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    probabilities = target.shape == input.shape
    if probabilities and not target.is_floating_point():
        raise RuntimeError(f"Expected floating point type for target with class probabilities, got {type_name(target)}")
    dim = 0 if input.dim() == 1 else 1
    if not input.dim():
        raise IndexError("Dimension specified as 1 but tensor has no dimensions")
    _check_weight(weight, input.shape[dim])
    classes = input.shape[dim] or 1  # to divide by
    per_class = None if weight is None else weight.reshape([-1 if i == dim else 1 for i in range(input.dim())])
    if not probabilities:
        target = _class_indices(input, target)
    elif ignore_index >= 0:
        raise RuntimeError("ignore_index is not supported for floating point target")
    logp = log_softmax(input, dim)
    if probabilities:
        if label_smoothing:
            target = target * (1 - label_smoothing) + label_smoothing / classes
        terms = logp * target if per_class is None else logp * target * per_class
        loss = -terms.sum(dim)
        return loss if kind == 0 else loss.sum() if kind == 2 else loss.sum() / (input.numel() / classes)
    loss = _nll(logp, target, weight, ignore_index, kind)
    if not label_smoothing:
        return loss
    kept = target != ignore_index
    spread = -(logp if per_class is None else logp * per_class).sum(dim)
    smooth = spread.masked_fill(~kept, 0)
    if kind == 1:
        count = kept if weight is None else weight[target.masked_fill(~kept, 0)] * kept
        smooth = _averaged(smooth.sum(), count.sum())
    elif kind == 2:
        smooth = smooth.sum()
    return loss * (1 - label_smoothing) + smooth * (label_smoothing / classes)


def linear_cross_entropy(
    input: Tensor, linear_weight: Tensor, target: Tensor, *, linear_bias: Tensor | None = None, weight: Tensor | None = None,
    reduction: str = "mean", ignore_index: int | None = None, label_smoothing: float = 0.0, options: Any = None,
) -> Tensor:  # fmt: skip
    """cross_entropy of linear(input, linear_weight, linear_bias). Source: F.linear_cross_entropy.

    `options` (nn.LinearCrossEntropyOptions): the logits are computed in chunks of rows.
    """
    if not 1 <= input.dim() <= 2:
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {input.dim()}")
    if linear_weight.dim() < 2:
        raise RuntimeError(f"expected linear_weight with dimensionality at least 2, got {linear_weight.dim()}")
    if input.shape[-1] != linear_weight.shape[-1]:
        raise RuntimeError(
            "expected equal input and linear_weight last dimensions (in_features), got "
            f"{input.shape[-1]} and {linear_weight.shape[-1]}, respectively"
        )
    out_shape, out_features = tuple(linear_weight.shape[:-1]), tuple(linear_weight.shape[1:-1])
    if linear_bias is not None and tuple(linear_bias.shape) != out_shape:
        raise RuntimeError(f"expected linear_bias shape {out_shape}, got {tuple(linear_bias.shape)}")
    if out_features and input.dim() == 1:
        raise RuntimeError(
            f"K-dimensional loss defined by linear_weight shape {tuple(linear_weight.shape)} requires batched input, "
            f"(N, {input.shape[-1]}), got unbatched input with shape {tuple(input.shape)}"
        )
    shape = (*input.shape[:-1], *out_shape)
    if tuple(target.shape) == shape and ignore_index is not None:
        raise RuntimeError("ignore_index cannot be specified when target contains probabilities")
    if out_features:
        linear_weight = linear_weight.reshape(-1, input.shape[-1])
        linear_bias = None if linear_bias is None else linear_bias.reshape(-1)
    ignored = -100 if ignore_index is None else ignore_index
    if options is not None:
        if input.dim() == 2 and not out_features and target.dtype is int64 and label_smoothing == 0:
            return options.loss(input, linear_weight, linear_bias, target, weight, reduction, ignored)  # type: ignore[no-any-return]
        warnings.warn(
            "linear_cross_entropy: ``options`` ignored; chunked path needs label_smoothing == 0, target.dtype == int64, "
            f"out_features == (). Got {label_smoothing=}, {target.dtype=}, {out_features=}.",
            UserWarning,
            stacklevel=2,
        )
    logits = linear(input, linear_weight, linear_bias).reshape(shape)
    return cross_entropy(
        logits, target, weight, reduction=reduction, ignore_index=ignored, label_smoothing=label_smoothing
    )


@named("BinaryCrossEntropyWithLogitsBackward0")
def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean", pos_weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Binary cross-entropy of sigmoid(input), without overflow. Source: F.binary_cross_entropy_with_logits."""
    kind = _kind(size_average, reduce, reduction)
    if target.shape != input.shape:
        raise ValueError(f"Target size ({target.shape}) must be the same as input size ({input.shape})")
    _refuse(input, "biu", "log_sigmoid_cpu")
    if not target.is_floating_point():
        raise no_cast(input, target)
    if pos_weight is None:
        loss = rows.bce_logits(*prepare("binary_cross_entropy_with_logits", PROMOTE, input, target))
    else:
        loss = (1 - target) * input + ((pos_weight - 1) * target + 1) * rows.soft_hinge(input)
    return _reduced(_scaled(loss, weight, target.dtype), kind)  # PyTorch computes into 1 - target


@named("BinaryCrossEntropyBackward0")
def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """-(t log p + (1 - t) log(1 - p)), logarithms cut at -100. Source: F.binary_cross_entropy."""
    kind = _kind(size_average, reduce, reduction)
    if target.shape != input.shape:
        raise ValueError(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}) is deprecated. Please "
            "ensure they have the same size."
        )
    if target._a.dtype != input._a.dtype:
        raise RuntimeError(f"Found dtype {type_name(target)} but expected {type_name(input)}")
    for x, name in ((input, "input"), (target, "target")):
        text = f"all elements of {name} should be between 0 and 1"
        x._dev.backend.require(((x >= 0) & (x <= 1))._a, RuntimeError, text)
    if weight is not None:
        weight = weight.expand(ops.broadcast_shapes(target.shape, weight.shape))
    return _reduced(_scaled(rows.binary_cross_entropy(input, target), weight, input.dtype), kind)


def kl_div(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:  # fmt: skip
    """target * (log target - input); with log_target the target is a logarithm too. Source: F.kl_div."""
    batchmean = reduction == "batchmean"
    if size_average is not None or reduce is not None:
        kind = _kind(size_average, reduce, reduction)
    else:
        if reduction == "mean":
            warnings.warn(
                "reduction: 'mean' divides the total loss by both the batch size and the support size.'batchmean' divides only "
                "by the batch size, and aligns with the KL div math definition.'mean' will be changed to behave the same as "
                "'batchmean' in the next major release.",
                UserWarning,
                stacklevel=2,
            )
        kind = 2 if batchmean else get_enum(reduction)
    check_tensor(target, "kl_div", "target")
    if input._a.dtype.kind in "biu" or target._a.dtype.kind in "biu":
        raise RuntimeError("kl_div: Integral inputs not supported.")
    if log_target:
        loss = target.exp() * (target - input)
    else:
        loss = ops.xlogy(target, target) - target * input
    loss = _reduced(loss, kind)
    return loss / input.shape[0] if batchmean and input.dim() else loss


def multilabel_soft_margin_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Binary cross-entropy of logits, averaged over the classes. Source: F.multilabel_soft_margin_loss."""
    reduction = chosen(size_average, reduce, reduction)
    _refuse(input, "biu", "log_sigmoid_cpu")
    loss = target * rows.soft_hinge(input) + (1 - target) * rows.soft_hinge(-input)
    if weight is not None:
        loss = loss * weight
    loss = loss.sum(input.dim() - 1) / input.shape[input.dim() - 1]
    if reduction not in REDUCTIONS:
        raise ValueError(reduction + " is not valid")
    return _reduced(loss, REDUCTIONS[reduction])


# ---- regression ---------------------------------------------------------------------------------------------------------
def mse_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """(input - target) ** 2; warns where the shapes differ. Source: F.mse_loss."""
    _warn_of_size(input, target)
    reduction = chosen(size_average, reduce, reduction)
    if weight is not None:
        if weight.shape != input.shape:
            raise ValueError("Inputs and weight must have the same size.")
        return _weighted((input - target) ** 2, weight, reduction, True)
    kind = get_enum(reduction)
    return _mse_loss(*_floats("mse", input, target), kind)


def l1_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """|input - target|; warns where the shapes differ. Source: F.l1_loss."""
    _warn_of_size(input, target)
    reduction = chosen(size_average, reduce, reduction)
    loss = (input - target).abs()
    if weight is None:
        return _reduced(loss, get_enum(reduction))
    if weight.shape != input.shape:
        raise ValueError("Inputs and weight must have the same size.")
    return _weighted(loss, weight, reduction, True)


@rounded_once
def _smooth_l1(input: Tensor, target: Tensor, beta: float, scale: float = 1) -> Tensor:
    loss = rows.smooth_l1(input - target, beta)
    return loss if scale == 1 else loss * scale


@named("SmoothL1LossBackward0")
def smooth_l1_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean", beta: float = 1.0
) -> Tensor:  # fmt: skip
    """d ** 2 / (2 beta) where |d| < beta, else |d| - beta / 2. Source: F.smooth_l1_loss."""
    _warn_of_size(input, target)
    kind = _kind(size_average, reduce, reduction)
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    return _reduced(
        (input - target).abs() if beta == 0 else _smooth_l1(*_floats("smooth_l1", input, target), beta), kind
    )


@named("HuberLossBackward0")
def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """delta * smooth_l1_loss with beta = delta. Source: F.huber_loss."""
    _warn_of_size(input, target)
    if weight is None:
        kind = get_enum(reduction)
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    loss = _smooth_l1(*_floats("huber", input, target), delta, delta)
    if weight is None:
        return _reduced(loss, kind)
    if weight.shape != input.shape:
        raise ValueError("Weights and input must have the same size.")
    return _weighted(loss, weight, reduction, False)


def poisson_nll_loss(
    input: Tensor, target: Tensor, log_input: bool = True, full: bool = False, size_average: Any = None, eps: float = 1e-8,
    reduce: Any = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """exp(input) - target * input; `full` adds Stirling's term where target > 1. Source: F.poisson_nll_loss."""
    kind = _kind(size_average, reduce, reduction)
    loss = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        loss = loss + stirling.masked_fill(target <= 1, 0)
    return _reduced(loss, kind)


def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Tensor | float, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """(log var + (input - target) ** 2 / var) / 2, var at least eps. Source: F.gaussian_nll_loss."""
    if isinstance(var, float):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = var * ops.ones_like(input)
    else:
        var._dev.backend.require((~(var < 0))._a, ValueError, "var has negative entry/entries")
    if var.shape != input.shape:
        if input.shape[:-1] == var.shape:
            var = var.unsqueeze(-1)
        elif input.ndim != var.ndim or sum(y for x, y in zip(input.shape, var.shape, strict=True) if x != y) != 1:
            raise ValueError("var is of incorrect size")
    if reduction not in REDUCTIONS:
        raise ValueError(reduction + " is not valid")
    var = var.clone()
    with no_grad():
        var.clamp_(min=eps)
    loss = 0.5 * (var.log() + (input - target) ** 2 / var)
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return _reduced(loss, REDUCTIONS[reduction])
