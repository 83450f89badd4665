"""Losses of margins, of pairs and triplets, and CTC. Source: torch.nn.functional."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import ops
from ..dtypes import int32, int64
from ..ops import losses as rows
from ..ops.table import named, no_kernel, type_name
from ..tensor import Tensor
from ._reduction import get_enum
from .functional_loss import _kind, _reduced

__all__ = [
    "cosine_embedding_loss", "ctc_loss", "hinge_embedding_loss", "margin_ranking_loss", "multi_margin_loss",
    "multilabel_margin_loss", "soft_margin_loss", "triplet_margin_loss", "triplet_margin_with_distance_loss",
]  # fmt: skip


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
        raise RuntimeError(f"expected scalar type Long but found {type_name(target)}")
    classes = x.shape[1]
    if weight is not None and weight.numel() != classes:
        raise RuntimeError(f"inconsistent weight size, expected {classes} but got {list(weight.shape)}")
    t = target.reshape(-1, 1)
    t._dev.backend.require_range(t._a, 0, classes, RuntimeError, "target out of range")
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
        raise RuntimeError(f"expected scalar type Long but found {type_name(target)}")
    t = target.reshape(x.shape)
    t._dev.backend.require_range(t._a, -1, x.shape[1], RuntimeError, "target out of range")
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
    kind = get_enum(reduction)
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
    kind = get_enum(reduction)
    if log_probs.dim() not in (2, 3):
        raise RuntimeError(f"Expected log_probs of shape (T, N, C) or (T, C), got {list(log_probs.shape)}")
    if not log_probs.numel():
        raise RuntimeError("log_probs tensor must not be empty")
    if not log_probs.is_floating_point() or log_probs._a.dtype.itemsize < 4:
        raise no_kernel("ctc_loss_cpu", log_probs)
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
