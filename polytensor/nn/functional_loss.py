"""The losses of torch.nn.functional, with PyTorch's reductions, warnings and errors."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

from .. import ops
from ..autograd import no_grad
from ..dtypes import int32, int64, promote_types, uint8
from ..ops import losses as rows
from ..ops.layers import cross_entropy_index, log_softmax
from ..ops.layers import mse_loss as _mse_loss
from ..ops.products import linear
from ..ops.table import check_tensor, named
from ..tensor import Tensor

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cosine_embedding_loss", "cross_entropy", "ctc_loss",
    "gaussian_nll_loss", "hinge_embedding_loss", "huber_loss", "kl_div", "l1_loss", "linear_cross_entropy",
    "margin_ranking_loss", "mse_loss", "multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss",
    "nll_loss", "poisson_nll_loss", "smooth_l1_loss", "soft_margin_loss", "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]  # fmt: skip

REDUCTIONS = {"none": 0, "mean": 1, "sum": 2}


# ---- reductions ---------------------------------------------------------------------------------------------------------
def _reduction(name: str) -> int:
    if name == "elementwise_mean":
        warnings.warn(
            "reduction='elementwise_mean' is deprecated. Please use reduction='mean' instead.",
            UserWarning,
            stacklevel=3,
        )
        return 1
    if name not in REDUCTIONS:
        raise ValueError(f"{name} is not a valid value for reduction")
    return REDUCTIONS[name]


def legacy_reduction(size_average: Any, reduce: Any, reduction: str) -> str:
    """The reduction that the old arguments size_average and reduce stand for, if one is given; warns as PyTorch does."""
    if size_average is None and reduce is None:
        return reduction
    if reduce is not None and not reduce:
        new = "none"
    else:
        new = "mean" if size_average is None or size_average else "sum"
    warnings.warn(
        f"size_average and reduce args will be deprecated, please use reduction='{new}' instead.",
        UserWarning,
        stacklevel=3,
    )
    return new


def _kind(size_average: Any, reduce: Any, reduction: str) -> int:
    if size_average is not None or reduce is not None:
        reduction = legacy_reduction(size_average, reduce, reduction)
    return _reduction(reduction)


def _reduced(loss: Any, kind: int) -> Tensor:
    return loss if kind == 0 else loss.mean() if kind == 1 else loss.sum()


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
    return _nll(input, _class_indices(input, target), weight, ignore_index, kind)


def _class_indices(input: Tensor, target: Tensor) -> Tensor:
    """The target as int64, after a look at dtype and shape."""
    if input.dim() > 1 and (not target.dim() or input.shape[0] != target.shape[0]):
        got = target.shape[0] if target.dim() else 1
        raise ValueError(f"Expected input batch_size ({input.shape[0]}) to match target batch_size ({got}).")
    if input.dim() > 1 and input.shape[2:] != target.shape[1:]:
        raise RuntimeError(
            f"Expected target size {[input.shape[0], *input.shape[2:]]}, got {list(target.shape)} (input {list(input.shape)})"
        )
    if input.dim() == 1 and target.numel() != 1:
        raise ValueError(f"For 1D input, 1D target must have length 1, but got target length: {target.numel()}")
    if target.dtype is uint8:
        return target.to(int64)
    if target.dtype is not int64:
        raise RuntimeError(f"expected target dtype to be Long or Byte, but got {target.dtype}")
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
    classes = input.shape[1]
    _check_weight(weight, classes)
    keep = target != ignore_index
    safe = target.masked_fill(~keep, 0)
    wrong = (safe < 0) | (safe >= classes)
    if wrong.any():
        raise IndexError(f"Target {int(safe[wrong][0])} is out of bounds.")
    loss = -ops.gather(input, 1, safe.unsqueeze(1)).squeeze(1)
    scale = keep.to(input.dtype)
    if weight is not None:
        scale = scale * weight[safe]
    loss = (loss * scale).masked_fill(~keep, 0)
    return loss if kind == 0 else _averaged(loss.sum(), scale.sum()) if kind == 1 else loss.sum()


def _averaged(total: Any, count: Any) -> Tensor:
    """total / count; with nothing to count NaN, and no gradient."""
    return total / count if count else total * 0 + math.nan


def cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: Any = None, ignore_index: int = -100,
    reduce: Any = None, reduction: str = "mean", label_smoothing: float = 0.0,
) -> Tensor:  # fmt: skip
    """log_softmax and nll_loss; target: class indices, or probabilities of input's shape. Source: F.cross_entropy."""
    check_tensor(target, "cross_entropy_loss", "target")
    kind = _kind(size_average, reduce, reduction)
    if (
        weight is None and label_smoothing == 0.0 and input.ndim == 2 and target.ndim == 1 and target._a.dtype.name == "int64"
        and input._a.dtype.kind == "f"
    ):  # fmt: skip
        if input._a.shape[0] != target._a.shape[0]:
            raise ValueError(
                f"Expected input batch_size ({input._a.shape[0]}) to match target batch_size ({target._a.shape[0]})."
            )
        return cross_entropy_index(input, target, ignore_index, kind)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    dim = 0 if input.dim() == 1 else 1
    classes = input.shape[dim]
    _check_weight(weight, classes)
    per_class = None if weight is None else weight.reshape([-1 if i == dim else 1 for i in range(input.dim())])
    probabilities = target.shape == input.shape and target.is_floating_point()
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
    if not target.is_floating_point():
        raise RuntimeError(f"result type {input.dtype} can't be cast to the desired output type {target.dtype}")
    soft = rows.soft_hinge(input)
    if pos_weight is not None:
        soft = ((pos_weight - 1) * target + 1) * soft
    loss = (1 - target) * input + soft
    return _reduced(loss if weight is None else loss * weight, kind)


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
    for x in (target, weight):
        if x is not None and x._a.dtype != input._a.dtype:
            raise RuntimeError(f"Found dtype {x.dtype} but expected {input.dtype}")
    if not ((input >= 0) & (input <= 1)).all():
        raise RuntimeError("all elements of input should be between 0 and 1")
    if weight is not None:
        weight = weight.expand(ops.broadcast_shapes(target.shape, weight.shape))
    loss = rows.binary_cross_entropy(input, target)
    return _reduced(loss if weight is None else loss * weight, kind)


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
        kind = 2 if batchmean else _reduction(reduction)
    if log_target:
        loss = target.exp() * (target - input)
    else:
        logarithm = target.masked_fill(target == 0, 1).log()
        loss = target * logarithm - target * input
    loss = _reduced(loss, kind)
    return loss / input.shape[0] if batchmean and input.dim() else loss


def multilabel_soft_margin_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Binary cross-entropy of logits, averaged over the classes. Source: F.multilabel_soft_margin_loss."""
    if size_average is not None or reduce is not None:
        reduction = legacy_reduction(size_average, reduce, reduction)
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
    if size_average is not None or reduce is not None:
        reduction = legacy_reduction(size_average, reduce, reduction)
    if weight is not None:
        if weight.shape != input.shape:
            raise ValueError("Inputs and weight must have the same size.")
        return _weighted((input - target) ** 2, weight, reduction, True)
    kind = _reduction(reduction)
    if input._a.dtype != target._a.dtype:
        common = promote_types(input.dtype, target.dtype)
        input, target = input.to(common), target.to(common)
    return _mse_loss(input, target, kind)


def l1_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """|input - target|; warns where the shapes differ. Source: F.l1_loss."""
    _warn_of_size(input, target)
    if size_average is not None or reduce is not None:
        reduction = legacy_reduction(size_average, reduce, reduction)
    loss = (input - target).abs()
    if weight is None:
        return _reduced(loss, _reduction(reduction))
    if weight.shape != input.shape:
        raise ValueError("Inputs and weight must have the same size.")
    return _weighted(loss, weight, reduction, True)


@named("SmoothL1LossBackward0")
def smooth_l1_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean", beta: float = 1.0
) -> Tensor:  # fmt: skip
    """d ** 2 / (2 beta) where |d| < beta, else |d| - beta / 2. Source: F.smooth_l1_loss."""
    _warn_of_size(input, target)
    kind = _kind(size_average, reduce, reduction)
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    d = input - target
    return _reduced(d.abs() if beta == 0 else rows.smooth_l1(d, beta), kind)


@named("HuberLossBackward0")
def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """delta * smooth_l1_loss with beta = delta. Source: F.huber_loss."""
    _warn_of_size(input, target)
    if weight is None:
        kind = _reduction(reduction)
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    loss = rows.smooth_l1(input - target, delta) * delta
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
    elif (var < 0).any():
        raise ValueError("var has negative entry/entries")
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


# ---- margins ------------------------------------------------------------------------------------------------------------
def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """max(0, margin - target * (input1 - input2)). Source: F.margin_ranking_loss."""
    kind = _kind(size_average, reduce, reduction)
    if input1.dim() != input2.dim() or input1.dim() != target.dim():
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.shape}, input2: {input2.shape}, target: {target.shape} "
        )
    return _reduced((-target * (input1 - input2) + margin).clamp(min=0), kind)


def hinge_embedding_loss(
    input: Tensor, target: Tensor, margin: float = 1.0, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Tensor:  # fmt: skip
    """input where target is 1, max(0, margin - input) where it is -1. Source: F.hinge_embedding_loss."""
    kind = _kind(size_average, reduce, reduction)
    zero = ops.zeros_like(input)
    apart = ops.where(target != 1, (margin - input).clamp(min=0), zero)
    return _reduced(apart + ops.where(target != -1, input, zero), kind)


@named("SoftMarginLossBackward0")
def soft_margin_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Tensor:
    """log(1 + exp(-target * input)), without overflow (PyTorch's own is inf from 88 on). Source: F.soft_margin_loss."""
    kind = _kind(size_average, reduce, reduction)
    return _reduced(rows.soft_hinge(target * input), kind)


def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """1 - cos where target is 1, max(0, cos - margin) where it is -1. Source: F.cosine_embedding_loss."""
    kind = _kind(size_average, reduce, reduction)
    dim = target.dim()
    if dim > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if input1.dim() != dim + 1 or input2.dim() != dim + 1:
        raise RuntimeError(
            f"{dim}D target tensor expects {dim + 1}D input tensors, but found inputs with sizes {list(input1.shape)} and "
            f"{list(input2.shape)}."
        )
    dot = (input1 * input2).sum(dim)
    cos = dot / (((input1 * input1).sum(dim) + rows.TINY) * ((input2 * input2).sum(dim) + rows.TINY)).sqrt()
    zero = ops.zeros_like(cos)
    near = ops.where(target == 1, 1 - cos, zero)
    return _reduced(near + ops.where(target == -1, (cos - margin).clamp(min=0), zero), kind)


def _rows_of_classes(name: str, input: Tensor) -> Tensor:
    """(C,) and () as one row of classes; (N, C) as it is."""
    if input.dim() > 2 or (input.dim() == 2 and input.shape[1] == 0) or (input.dim() < 2 and input.numel() == 0):
        raise RuntimeError(
            f"{name}: Expected non-empty vector or matrix with optional 0-dim batch size, but got: {list(input.shape)}"
        )
    return input if input.dim() == 2 else input.reshape(1, -1)


@named("MultiMarginLossBackward0")
def multi_margin_loss(
    input: Tensor, target: Tensor, p: int = 1, margin: float = 1.0, weight: Tensor | None = None, size_average: Any = None,
    reduce: Any = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Sum over the other classes of max(0, margin - x[target] + x) ** p, over C. Source: F.multi_margin_loss."""
    kind = _kind(size_average, reduce, reduction)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.dim() != 1:
        raise ValueError("weight must be one-dimensional")
    x = _rows_of_classes("multi_margin_loss", input)
    if target.dim() > 1 or target.numel() != x.shape[0]:
        raise RuntimeError(f"inconsistent target size, expected {[x.shape[0]]} but got {list(target.shape)}")
    if target.dtype is not int64:
        raise RuntimeError(f"expected scalar type Long but found {target.dtype}")
    classes = x.shape[1]
    if weight is not None and weight.numel() != classes:
        raise RuntimeError(f"inconsistent weight size, expected {classes} but got {list(weight.shape)}")
    t = target.reshape(-1, 1)
    if ((t < 0) | (t >= classes)).any():
        raise RuntimeError("target out of range")
    z = (margin - ops.gather(x, 1, t) + x).relu()
    z = z if p == 1 else z * z
    if weight is not None:
        z = z * weight[t]
    loss = z.masked_fill(ops.arange(classes, device=t.device) == t, 0).sum(1) / classes
    return _reduced(loss if target.dim() or kind else loss.reshape(()), kind)


@named("MultilabelMarginLossBackward0")
def multilabel_margin_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Tensor:
    """Sum over labels j and other classes i of max(0, 1 - x[j] + x[i]), over C; a row's labels end at -1.

    Memory: rows x most labels of a row x classes. Source: F.multilabel_margin_loss.
    """
    kind = _kind(size_average, reduce, reduction)
    x = _rows_of_classes("multilabel_margin_loss", input)
    if target.shape != input.shape:
        raise RuntimeError(f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}")
    if target.dtype is not int64:
        raise RuntimeError(f"expected scalar type Long but found {target.dtype}")
    t = target.reshape(x.shape)
    if ((t < -1) | (t >= x.shape[1])).any():
        raise RuntimeError("target out of range")
    valid = (t < 0).cumsum(1) == 0
    most = int(valid.sum(1).max()) if t.numel() else 0
    valid, t = valid[:, :most], t.masked_fill(~valid, 0)[:, :most]
    is_target = ops.zeros_like(x).scatter_add_(1, t, valid.to(x.dtype)) > 0
    z = (1 - ops.gather(x, 1, t).unsqueeze(2) + x.unsqueeze(1)).relu()
    loss = z.masked_fill(~valid.unsqueeze(2) | is_target.unsqueeze(1), 0).sum((1, 2)) / x.shape[1]
    return _reduced(loss if input.dim() == 2 or kind else loss.reshape(()), kind)


def _distance(x: Tensor, y: Tensor, p: float, eps: float) -> Tensor:
    return ops.norm(x - y + eps, p, -1)


def triplet_margin_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2, eps: float = 1e-6,
    swap: bool = False, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """max(0, d(a, p) - d(a, n) + margin) with the p-norm distance. Source: F.triplet_margin_loss."""
    kind = _kind(size_average, reduce, reduction)
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    return _triplet(anchor, positive, negative, lambda x, y: _distance(x, y, p, eps), margin, swap, kind)


def _triplet(
    anchor: Tensor, positive: Tensor, negative: Tensor, distance: Callable[[Any, Any], Any], margin: float, swap: bool,
    kind: int,
) -> Tensor:  # fmt: skip
    if not anchor.dim() == positive.dim() == negative.dim():
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
            f"anchor {anchor.dim()}D, positive {positive.dim()}D, and negative {negative.dim()}D inputs"
        )
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = ops.minimum(far, distance(positive, negative))
    return _reduced((margin + near - far).clamp(min=0), kind)


def triplet_margin_with_distance_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, *, distance_function: Callable[[Any, Any], Any] | None = None,
    margin: float = 1.0, swap: bool = False, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """triplet_margin_loss with a distance of one's own. Source: F.triplet_margin_with_distance_loss."""
    kind = _reduction(reduction)
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    distance = distance_function or (lambda x, y: _distance(x, y, 2, 1e-6))
    return _triplet(anchor, positive, negative, distance, margin, swap, kind)


# ---- sequences ----------------------------------------------------------------------------------------------------------
def _lengths(lengths: Any, log_probs: Tensor, name: str) -> Tensor:
    if not isinstance(lengths, Tensor):
        lengths = ops.tensor(list(lengths) if isinstance(lengths, (list, tuple)) else [lengths], dtype=int64)
    if lengths.is_floating_point():
        raise RuntimeError(f"{name} must be integral")
    return lengths.to(device=log_probs.device, dtype=int64).reshape(-1)


def ctc_loss(
    log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any, blank: int = 0, reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:  # fmt: skip
    """Connectionist temporal classification. Source: F.ctc_loss.

    log_probs (T, N, C) or (T, C) log_softmax values; targets (N, S), or all of them in one row; lengths (N,). The mean is
    over the batch, of each loss over its target's length. The gradient is PyTorch's: it is that of the log_softmax too.
    """
    kind = _reduction(reduction)
    if log_probs.dim() not in (2, 3):
        raise RuntimeError(f"Expected log_probs of shape (T, N, C) or (T, C), got {list(log_probs.shape)}")
    if not log_probs.is_floating_point() or log_probs._a.dtype.itemsize < 4:
        raise NotImplementedError(f'"ctc_loss_cpu" not implemented for {log_probs.dtype}')
    if targets.dtype not in (int64, int32):
        raise RuntimeError(f"targets must be Long or Int, got {targets.dtype}")
    batched = log_probs.dim() == 3
    x = log_probs if batched else log_probs.unsqueeze(1)
    steps, n, classes = x.shape
    if not 0 <= blank < classes:
        raise RuntimeError("blank must be in label range")
    seen, wanted = (
        _lengths(v, x, name) for v, name in ((input_lengths, "input_lengths"), (target_lengths, "target_lengths"))
    )
    if seen.numel() != n:
        raise RuntimeError(f"input_lengths must be of size batch_size: {n}, got {seen.numel()}")
    if wanted.numel() != n:
        raise RuntimeError(f"target_lengths must be of size batch_size: {n}, got {wanted.numel()}")
    if n and (int(seen.min()) < 0 or int(wanted.min()) < 0):
        raise RuntimeError("input_lengths and target_lengths must be nonnegative")
    if n and int(seen.max()) > steps:
        raise RuntimeError(f"Expected input_lengths to have value at most {steps}, but got value {int(seen.max())}")
    longest = int(wanted.max()) if n else 0
    targets = targets.to(device=x.device, dtype=int64)
    if targets.dim() == 1:
        if targets.numel() != int(wanted.sum()):
            raise RuntimeError(f"targets has {targets.numel()} elements, target_lengths add up to {int(wanted.sum())}")
        place = (wanted.cumsum(0) - wanted).unsqueeze(1) + ops.arange(longest, device=x.device)
        labels = targets[place.clamp(max=max(targets.numel() - 1, 0))] if targets.numel() else place * 0
    else:
        if targets.dim() != 2 or targets.shape[0] != n or targets.shape[1] < longest:
            raise RuntimeError(f"targets must be ({n}, at least {longest}), got {list(targets.shape)}")
        labels = targets[:, :longest]
    used = ops.arange(longest, device=x.device) < wanted.unsqueeze(1)
    if (used & ((labels < 0) | (labels >= classes))).any():
        raise RuntimeError(f"targets must be in [0, {classes - 1}]")
    loss, _ = rows.ctc(x, labels._a, seen._a, wanted._a, blank)
    if zero_infinity:
        loss = loss.masked_fill(loss.isinf(), 0)
    if kind == 1:
        return (loss / wanted.clamp(min=1).to(x.dtype)).mean()
    return loss.sum() if kind == 2 else loss if batched else loss.reshape(())
