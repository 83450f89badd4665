"""Losses of detection. Source: torchvision.ops."""

from __future__ import annotations

import polytensor as torch
from polytensor import Tensor
from polytensor.nn import functional as nnf

__all__ = ["complete_box_iou_loss", "distance_box_iou_loss", "generalized_box_iou_loss", "sigmoid_focal_loss"]


def _reduced(loss: Tensor, reduction: str) -> Tensor:
    if reduction == "none":
        return loss
    if reduction == "sum":
        return loss.sum()
    if reduction == "mean":
        return loss.mean() if loss.numel() else 0.0 * loss.sum()
    raise ValueError(
        f"Invalid Value for arg 'reduction': '{reduction} \n Supported reduction modes: 'none', 'mean', 'sum'"
    )


def sigmoid_focal_loss(
    inputs: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2, reduction: str = "none"
) -> Tensor:
    """Binary cross-entropy of logits in which what is already right weighs little (Lin et al. 2017).

    alpha weighs the positive ones (-1: no weights). ValueError for an alpha outside of [0, 1].
    """
    if not 0 <= alpha <= 1 and alpha != -1:
        raise ValueError(f"Invalid alpha value: {alpha}. alpha must be in the range [0,1] or -1 for ignore.")
    p = torch.sigmoid(inputs)
    wrong = 1 - (p * targets + (1 - p) * (1 - targets))
    loss = nnf.binary_cross_entropy_with_logits(inputs, targets, reduction="none") * wrong**gamma
    if alpha >= 0:
        loss = (alpha * targets + (1 - alpha) * (1 - targets)) * loss
    return _reduced(loss, reduction)


def _pairs(boxes1: Tensor, boxes2: Tensor, eps: float) -> tuple[Tensor, ...]:
    """Of each box with its partner: both as floats, IoU, union, sides of the box around them."""
    x, y = (b if b.dtype in (torch.float32, torch.float64) else b.float() for b in (boxes1, boxes2))
    sides = torch.minimum(x[..., 2:], y[..., 2:]) - torch.maximum(x[..., :2], y[..., :2])
    both = torch.where((sides > 0).all(-1), sides[..., 0] * sides[..., 1], 0.0)
    union = (x[..., 2:] - x[..., :2]).prod(-1) + (y[..., 2:] - y[..., :2]).prod(-1) - both
    around = torch.maximum(x[..., 2:], y[..., 2:]) - torch.minimum(x[..., :2], y[..., :2])
    return x, y, both / (union + eps), union, around


def generalized_box_iou_loss(boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7) -> Tensor:
    """1 - the generalized IoU of each box (N, 4) as xyxy with its partner."""
    _, _, iou, union, around = _pairs(boxes1, boxes2, eps)
    area = around[..., 0] * around[..., 1]
    return _reduced(1 - (iou - (area - union) / (area + eps)), reduction)


def _distance(x: Tensor, y: Tensor, iou: Tensor, around: Tensor, eps: float) -> Tensor:
    centers = (x[..., :2] + x[..., 2:]) / 2 - (y[..., :2] + y[..., 2:]) / 2
    return 1 - iou + (centers**2).sum(-1) / ((around**2).sum(-1) + eps)


def distance_box_iou_loss(boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7) -> Tensor:
    """1 - the distance IoU of each box (N, 4) as xyxy with its partner."""
    x, y, iou, _, around = _pairs(boxes1, boxes2, eps)
    return _reduced(_distance(x, y, iou, around, eps), reduction)


def complete_box_iou_loss(boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7) -> Tensor:
    """1 - the complete IoU of each box (N, 4) as xyxy with its partner."""
    x, y, iou, _, around = _pairs(boxes1, boxes2, 1e-7)
    slopes = [torch.atan((b[..., 2] - b[..., 0]) / (b[..., 3] - b[..., 1])) for b in (x, y)]
    unlike = 4 / torch.pi**2 * (slopes[1] - slopes[0]) ** 2
    with torch.no_grad():
        weight = unlike / (1 - iou + unlike + eps)
    return _reduced(_distance(x, y, iou, around, 1e-7) + weight * unlike, reduction)
