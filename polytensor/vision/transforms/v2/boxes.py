"""Transforms of v2 that are about the boxes of a sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import polytensor as torch
from polytensor import Tensor
from polytensor.utils._pytree import tree_flatten, tree_unflatten

from ... import tv_tensors
from ...ops.boxes import box_iou
from ..draws import choice, unit
from . import functional as F
from .asking import get_bounding_boxes, labels_by
from .samples import OnSamples, images_of

__all__ = ["ClampBoundingBoxes", "ConvertBoundingBoxFormat", "RandomIoUCrop", "SanitizeBoundingBoxes"]


class _OfBoxes(OnSamples):
    def wanted(self, leaves: Sequence[Any]) -> list[int]:
        return [i for i, x in enumerate(leaves) if isinstance(x, tv_tensors.BoundingBoxes)]


class ConvertBoundingBoxFormat(_OfBoxes):
    """Boxes in another format."""

    def __init__(self, format: Any) -> None:
        super().__init__()
        self.format = format

    def transform(self, inpt: Any) -> Any:
        return F.convert_bounding_box_format(inpt, new_format=self.format)


class ClampBoundingBoxes(_OfBoxes):
    """Boxes cut at the edges of their picture."""

    def __init__(self, clamping_mode: Any = "auto") -> None:
        super().__init__()
        self.clamping_mode = clamping_mode

    def transform(self, inpt: Any) -> Any:
        return F.clamp_bounding_boxes(inpt, clamping_mode=self.clamping_mode)


def _boxes_of(leaves: Sequence[Any]) -> Any:
    return next((x for x in leaves if isinstance(x, tv_tensors.BoundingBoxes)), None)


class SanitizeBoundingBoxes(OnSamples):
    """Drop boxes that are small or leave the picture, with their labels and masks.

    labels_getter: "default" finds the labels by name, None leaves them, or a function of the sample gives them (one tensor
    or several).
    """

    def __init__(
        self, min_size: float = 1.0, min_area: float = 1.0, labels_getter: Callable[[Any], Any] | str | None = "default"
    ) -> None:
        super().__init__()
        if min_size < 1:
            raise ValueError(f"min_size must be >= 1, got {min_size}.")
        if min_area < 1:
            raise ValueError(f"min_area must be >= 1, got {min_area}.")
        self._labels = labels_by(labels_getter)
        self.min_size, self.min_area, self.labels_getter = min_size, min_area, labels_getter

    def forward(self, *inputs: Any) -> Any:
        sample = inputs if len(inputs) > 1 else inputs[0]
        labels = self._labels(sample)
        found = [*labels] if isinstance(labels, (tuple, list)) else [] if labels is None else [labels]
        leaves, spec = tree_flatten(sample)
        boxes = get_bounding_boxes(leaves)
        for x in found:
            if not isinstance(x, Tensor):
                raise ValueError(
                    f"The labels in the input to forward() must be a tensor or None, got {type(x)} instead."
                )
            if x.shape[0] != boxes.shape[0]:
                raise ValueError(
                    f"Number of boxes (shape={boxes.shape}) and must match the number of labels. Found labels with "
                    f"shape={x.shape}."
                )
        _, valid = F.sanitize_bounding_boxes(boxes, min_size=self.min_size, min_area=self.min_area)
        for i, x in enumerate(leaves):
            chosen = x is boxes or isinstance(x, tv_tensors.Mask) or any(x is y for y in found)
            if chosen and x.shape[0] == len(valid):
                leaves[i] = F.kept(x.as_subclass(Tensor)[valid], x)  # type: ignore[attr-defined]
        return tree_unflatten(leaves, spec)


class RandomIoUCrop(OnSamples):
    """A random part of the picture that overlaps a box by at least one of sampler_options; boxes whose centre it loses are
    set to 0 (SSD, https://arxiv.org/abs/1512.02325). Needs boxes and an image in the sample."""

    moves = True

    def __init__(
        self, min_scale: float = 0.3, max_scale: float = 1.0, min_aspect_ratio: float = 0.5, max_aspect_ratio: float = 2.0,
        sampler_options: list[float] | None = None, trials: int = 40,
    ) -> None:  # fmt: skip
        super().__init__()
        self.min_scale, self.max_scale = min_scale, max_scale
        self.min_aspect_ratio, self.max_aspect_ratio = min_aspect_ratio, max_aspect_ratio
        self.options = [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0] if sampler_options is None else sampler_options
        self.trials = trials

    def forward(self, *inputs: Any) -> Any:
        sample = inputs if len(inputs) > 1 else inputs[0]
        leaves, spec = tree_flatten(sample)
        boxes = _boxes_of(leaves)
        if boxes is None or not images_of(leaves):
            raise TypeError("RandomIoUCrop() requires input sample to contain tensor or PIL images and bounding boxes.")
        corners = F.convert_bounding_box_format(boxes, new_format="XYXY").as_subclass(Tensor)  # type: ignore[attr-defined]
        part = self.part(*boxes.canvas_size, corners)
        if part is None:
            return sample
        (top, left, h, w), inside = part
        for i in images_of(leaves, True):
            x = F.crop(leaves[i], top, left, h, w)
            if isinstance(x, tv_tensors.BoundingBoxes):
                x = F.kept(x.as_subclass(Tensor) * inside[:, None], x)  # type: ignore[attr-defined]
            leaves[i] = x
        return tree_unflatten(leaves, spec)

    def part(self, height: int, width: int, corners: Tensor) -> Any:
        """((top, left, h, w), which boxes have their centre in it), or None: the whole picture."""
        cx, cy = (corners[:, 0] + corners[:, 2]) * 0.5, (corners[:, 1] + corners[:, 3]) * 0.5
        while True:
            overlap = choice(self.options)
            if overlap >= 1.0:
                return None
            for _ in range(self.trials):
                span = self.max_scale - self.min_scale
                w, h = (int(n * (self.min_scale + span * unit())) for n in (width, height))
                if not h or not w or not self.min_aspect_ratio <= w / h <= self.max_aspect_ratio:
                    continue
                left, top = int((width - w) * unit()), int((height - h) * unit())
                inside = (left < cx) & (cx < left + w) & (top < cy) & (cy < top + h)
                if not inside.any():
                    continue
                frame = torch.tensor([[left, top, left + w, top + h]], dtype=torch.float32, device=corners.device)
                if box_iou(corners[inside].float(), frame).max() >= overlap:  # type: ignore[attr-defined]
                    return (top, left, h, w), inside
