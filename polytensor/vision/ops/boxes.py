"""Boxes (..., 4) as xyxy, xywh or cxcywh: conversion, overlap, suppression. Source: torchvision.ops.boxes.

The rotated formats are not supported.
"""

from __future__ import annotations

import polytensor as torch
from polytensor import Tensor

__all__ = [
    "batched_nms", "box_area", "box_convert", "box_iou", "clip_boxes_to_image", "complete_box_iou", "distance_box_iou",
    "generalized_box_iou", "masks_to_boxes", "nms", "remove_small_boxes",
]  # fmt: skip

FORMATS = ("xyxy", "xywh", "cxcywh")


def _wide(x: Tensor) -> Tensor:
    """In a dtype that products of sides fit into."""
    if x.dtype.is_floating_point:
        return x if x.dtype in (torch.float32, torch.float64) else x.float()
    return x if x.dtype in (torch.int32, torch.int64) else x.int()


def box_convert(boxes: Tensor, in_fmt: str, out_fmt: str) -> Tensor:
    """Boxes in another format: corners, a corner and sides, or the centre and sides. ValueError for another one."""
    if in_fmt not in FORMATS or out_fmt not in FORMATS:
        raise ValueError(f"Unsupported Bounding Box Conversions for given in_fmt {in_fmt} and out_fmt {out_fmt}")
    if in_fmt == out_fmt:
        return boxes.clone()
    a, b, c, d = boxes.unbind(-1)
    if in_fmt == "xywh":
        a, b, c, d = a, b, a + c, b + d
    elif in_fmt == "cxcywh":
        a, b, c, d = a - 0.5 * c, b - 0.5 * d, a + 0.5 * c, b + 0.5 * d
    if out_fmt == "xywh":
        a, b, c, d = a, b, c - a, d - b
    elif out_fmt == "cxcywh":
        a, b, c, d = (a + c) / 2, (b + d) / 2, c - a, d - b
    return torch.stack((a, b, c, d), dim=-1)


def box_area(boxes: Tensor, fmt: str = "xyxy") -> Tensor:
    """Width times height."""
    if fmt not in FORMATS:
        raise ValueError(f"Unsupported Bounding Box area for given format {fmt}")
    a, b, c, d = _wide(boxes).unbind(-1)
    return (c - a) * (d - b) if fmt == "xyxy" else c * d


def _overlaps(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Areas (..., N, M) of the intersections and unions of each with each, of boxes as xyxy."""
    low = torch.maximum(x[..., :, None, :2], y[..., None, :, :2])
    high = torch.minimum(x[..., :, None, 2:], y[..., None, :, 2:])
    sides = _wide(high - low).clamp(min=0)
    both = sides[..., 0] * sides[..., 1]
    return both, box_area(x)[..., :, None] + box_area(y)[..., None, :] - both


def _around(x: Tensor, y: Tensor) -> Tensor:
    """Sides (..., N, M, 2) of the smallest boxes around each with each."""
    low = torch.minimum(x[..., :, None, :2], y[..., None, :, :2])
    return _wide(torch.maximum(x[..., :, None, 2:], y[..., None, :, 2:]) - low).clamp(min=0)


def box_iou(boxes1: Tensor, boxes2: Tensor, fmt: str = "xyxy") -> Tensor:
    """Intersection over union (..., N, M) of each of N boxes with each of M."""
    if fmt not in FORMATS:
        raise ValueError(f"Unsupported Box IoU Calculation for given format {fmt}.")
    if fmt != "xyxy":
        boxes1, boxes2 = box_convert(boxes1, fmt, "xyxy"), box_convert(boxes2, fmt, "xyxy")
    both, union = _overlaps(boxes1, boxes2)
    return both / union


def generalized_box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """box_iou less the share of the box around both that neither covers."""
    both, union = _overlaps(boxes1, boxes2)
    sides = _around(boxes1, boxes2)
    area = sides[..., 0] * sides[..., 1]
    return both / union - (area - union) / area


def distance_box_iou(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7) -> Tensor:
    """box_iou less the squared distance of the centres over the squared diagonal of the box around both."""
    x, y = _wide(boxes1), _wide(boxes2)
    centers = (x[..., :2] + x[..., 2:])[..., :, None, :] / 2 - (y[..., :2] + y[..., 2:])[..., None, :, :] / 2
    return box_iou(x, y) - (centers**2).sum(-1) / ((_around(x, y) ** 2).sum(-1) + eps)


def complete_box_iou(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7) -> Tensor:
    """distance_box_iou less a measure of how unlike the boxes' proportions are."""
    x, y = _wide(boxes1), _wide(boxes2)
    slopes = [torch.atan((b[..., 2] - b[..., 0]) / (b[..., 3] - b[..., 1])) for b in (x, y)]
    unlike = 4 / torch.pi**2 * (slopes[0][..., :, None] - slopes[1][..., None, :]) ** 2
    with torch.no_grad():
        weight = unlike / (1 - box_iou(x, y) + unlike + eps)
    return distance_box_iou(x, y, eps) - weight * unlike


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Indices, by falling score, of the boxes (N, 4) that overlap no better one by more than iou_threshold.

    RuntimeError for another shape.
    """
    if boxes.ndim != 2:
        raise RuntimeError(f"boxes should be a 2d tensor, got {boxes.ndim}D")
    if boxes.shape[1] != 4:
        raise RuntimeError(f"boxes should have 4 elements in dimension 1, got {boxes.shape[1]}")
    if scores.ndim != 1:
        raise RuntimeError(f"scores should be a 1d tensor, got {scores.ndim}D")
    if boxes.shape[0] != scores.shape[0]:
        raise RuntimeError(
            "boxes and scores should have same number of elements in dimension 0, got "
            f"{boxes.shape[0]} and {scores.shape[0]}"
        )
    with torch.no_grad():
        order = scores.argsort(descending=True, stable=True)
        kept = []
        while order.numel():  # one step for each box that is kept
            kept.append(order[:1])
            rest = order[1:]
            order = rest[box_iou(boxes[order[:1]], boxes[rest])[0].nan_to_num() <= iou_threshold]
        return torch.cat(kept) if kept else order


def batched_nms(boxes: Tensor, scores: Tensor, idxs: Tensor, iou_threshold: float) -> Tensor:
    """nms within each group of equal idxs."""
    if boxes.numel() == 0:
        return torch.empty((0,), dtype=torch.int64, device=boxes.device)
    apart = idxs.to(boxes.dtype) * (boxes.max() - boxes.min() + 1)  # so far that groups do not meet
    return nms(boxes + apart[:, None], scores, iou_threshold)


def remove_small_boxes(boxes: Tensor, min_size: float) -> Tensor:
    """Indices of the boxes (N, 4) of which both sides are at least min_size."""
    sides = boxes[..., 2:] - boxes[..., :2]
    return torch.where((sides >= min_size).all(-1))[0]


def clip_boxes_to_image(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes cut to an image of (height, width)."""
    height, width = size
    x, y = boxes[..., 0::2].clamp(min=0, max=width), boxes[..., 1::2].clamp(min=0, max=height)
    return torch.stack((x, y), dim=-1).reshape(boxes.shape)


def masks_to_boxes(masks: Tensor) -> Tensor:
    """The boxes (N, 4) around what is not 0 in masks (N, H, W); zeros for an empty mask."""
    if masks.numel() == 0:
        return torch.zeros((0, 4), dtype=torch.float32, device=masks.device)
    ends = []
    for axis in (1, 2):  # x from the columns, y from the rows
        there = masks.bool().any(axis).float()
        ends.append((there.argmax(1), there.shape[1] - 1 - there.flip(1).argmax(1)))
    (x1, x2), (y1, y2) = ends
    boxes = torch.stack([x1, y1, x2, y2], 1).float()
    return torch.where(masks.bool().any(2).any(1)[:, None], boxes, torch.zeros_like(boxes))
