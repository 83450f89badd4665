"""What transforms ask about the leaves of a sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polytensor import Tensor

from ... import tv_tensors
from ...pillow import is_pil_image
from .functional import get_dimensions

__all__ = ["check_type", "get_bounding_boxes", "has_all", "has_any", "query_chw", "query_size"]


def check_type(obj: Any, types_or_checks: Sequence[Any]) -> bool:
    """Whether it is of one of the types, or one of the functions says so."""
    return any(isinstance(obj, t) if isinstance(t, type) else t(obj) for t in types_or_checks)


def has_any(flat_inputs: Sequence[Any], *types_or_checks: Any) -> bool:
    """Whether something is of one of the types."""
    return any(check_type(x, types_or_checks) for x in flat_inputs)


def has_all(flat_inputs: Sequence[Any], *types_or_checks: Any) -> bool:
    """Whether there is something of each of the types."""
    return all(has_any(flat_inputs, t) for t in types_or_checks)


def get_bounding_boxes(flat_inputs: Sequence[Any]) -> Any:
    """The boxes. ValueError where there are none."""
    for x in flat_inputs:
        if isinstance(x, tv_tensors.BoundingBoxes):
            return x
    raise ValueError("No bounding boxes were found in the sample")


def _one(found: set[tuple[int, ...]], what: str, name: str) -> Any:
    if not found:
        raise TypeError(f"No {what} was found in the sample")
    if len(found) > 1:
        sizes = ", ".join(f"'{size}'" for size in sorted(found))
        raise ValueError(f"Found multiple {name} dimensions in the sample: {sizes}")
    return next(iter(found))


def query_size(flat_inputs: Sequence[Any]) -> tuple[int, int]:
    """(height, width), of which all parts must agree."""
    found = {tuple(get_dimensions(x)[1:]) for x in flat_inputs if isinstance(x, Tensor) or is_pil_image(x)}
    return _one(found, "image, video, mask, bounding box of keypoint", "HxW")  # type: ignore[no-any-return]


def query_chw(flat_inputs: Sequence[Any]) -> tuple[int, int, int]:
    """(channels, height, width), of which all images must agree."""
    images = (
        x
        for x in flat_inputs
        if is_pil_image(x) or (isinstance(x, Tensor) and not isinstance(x, (tv_tensors.Mask, tv_tensors.BoundingBoxes)))
    )
    return _one({tuple(get_dimensions(x)) for x in images}, "image or video", "CxHxW")  # type: ignore[no-any-return]
