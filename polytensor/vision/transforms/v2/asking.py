"""What transforms ask about the leaves of a sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from polytensor import Tensor

from ... import tv_tensors
from ...pillow import is_pil_image
from .functional import get_dimensions

__all__ = ["check_type", "get_bounding_boxes", "has_all", "has_any", "labels_by", "query_chw", "query_size"]


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


def _labels_of(sample: Any) -> Any:
    """The labels of (images, labels), or of a dict, itself or the second part, in which their name holds "label"."""
    found = sample
    if isinstance(sample, (tuple, list)):
        found = sample[1] if len(sample) > 1 else None
    if isinstance(found, Tensor) and not isinstance(found, tv_tensors.TVTensor):
        return found
    if not isinstance(found, Mapping):
        raise ValueError(
            "When using the default labels_getter, the input passed to forward must be a dictionary or a two-tuple whose "
            f"second item is a dictionary or a tensor, but got {sample} instead."
        )
    names = sorted(
        (k for k in found if isinstance(k, str) and "label" in k.lower()), key=lambda k: k.lower() != "labels"
    )
    if not names:
        raise ValueError(
            "Could not infer where the labels are in the sample. Try passing a callable as the labels_getter parameter?"
            "If there are no labels in the sample by design, pass labels_getter=None."
        )
    return found[names[0]]


def _no_labels(sample: Any) -> None:
    return None


def labels_by(getter: Any) -> Callable[[Any], Any]:
    """The function of a sample that "default", a callable or None stands for. ValueError for anything else."""
    if getter == "default":
        return _labels_of
    if getter is not None and not callable(getter):
        raise ValueError(f"labels_getter should either be 'default', a callable, or None, but got {getter}.")
    return getter or _no_labels
