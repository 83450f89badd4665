"""The transforms of masks (..., H, W), which change their shape alone and take the nearest pixel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polytensor import Tensor

from . import on_tensors

__all__: list[str] = []

dimensions = on_tensors.dimensions


def _planes(fn: Callable[[Tensor], Tensor], mask: Any) -> Any:
    """fn on the planes (N, 1, H, W) of a mask, as a mask again."""
    shape = mask.shape
    out = fn(mask.as_subclass(Tensor).reshape(-1, 1, *shape[-2:]))
    return mask.wrap(out.reshape(*shape[:-2], *out.shape[-2:]), mask)


def _one(fill: Any) -> Any:
    return [float(fill[0])] if isinstance(fill, (list, tuple)) else fill


def _as_image(name: str) -> Any:
    fn = getattr(on_tensors, name)
    return lambda img, *args: _planes(lambda x: fn(x, *args), img)


def _nearest(name: str) -> Any:
    """A warp: of what it moves by, the mode, and last the fill."""
    fn = getattr(on_tensors, name)

    def warp(img: Any, by: Any, mode: str, *args: Any) -> Any:
        *others, fill = args
        return _planes(lambda x: fn(x, by, "nearest", *others, _one(fill)), img)

    return warp


crop, hflip, vflip = map(_as_image, ("crop", "hflip", "vflip"))
affine, elastic_transform, perspective, rotate = map(_nearest, ("affine", "elastic_transform", "perspective", "rotate"))


def pad(img: Any, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> Any:
    if isinstance(fill, (list, tuple)):
        raise ValueError("Non-scalar fill value is not supported")
    return _planes(lambda x: on_tensors.pad(x, padding, fill, padding_mode), img)


def resize(img: Any, size: Any, mode: str, antialias: Any) -> Any:
    return _planes(lambda x: on_tensors.resize(x, size, "nearest", False), img)
