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


def hflip(img: Any) -> Any:
    return _planes(on_tensors.hflip, img)


def vflip(img: Any) -> Any:
    return _planes(on_tensors.vflip, img)


def crop(img: Any, top: int, left: int, height: int, width: int) -> Any:
    return _planes(lambda x: on_tensors.crop(x, top, left, height, width), img)


def pad(img: Any, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> Any:
    if isinstance(fill, (list, tuple)):
        raise ValueError("Non-scalar fill value is not supported")
    return _planes(lambda x: on_tensors.pad(x, padding, fill, padding_mode), img)


def resize(img: Any, size: Any, mode: str, antialias: Any) -> Any:
    return _planes(lambda x: on_tensors.resize(x, size, "nearest", False), img)


def affine(img: Any, matrix: Any, mode: str, fill: Any = None) -> Any:
    return _planes(lambda x: on_tensors.affine(x, matrix, "nearest", _one(fill)), img)


def rotate(img: Any, matrix: Any, mode: str, expand: bool = False, fill: Any = None) -> Any:
    return _planes(lambda x: on_tensors.rotate(x, matrix, "nearest", expand, _one(fill)), img)


def perspective(img: Any, coefficients: Any, mode: str, fill: Any = None) -> Any:
    return _planes(lambda x: on_tensors.perspective(x, coefficients, "nearest", _one(fill)), img)


def elastic_transform(img: Any, displacement: Tensor, mode: str, fill: Any = None) -> Any:
    return _planes(lambda x: on_tensors.elastic_transform(x, displacement, "nearest", _one(fill)), img)
