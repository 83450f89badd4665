"""The transforms of bounding boxes: where the parts of the picture that they frame go to.

`box` is a tv_tensors.BoundingBoxes; corners are (N, 4) plain tensors x1, y1, x2, y2. A turned box becomes the upright one
around it, and boxes are cut at the edges of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polytensor as torch
from polytensor import Tensor

from . import on_tensors
from .modes import four_sides

__all__: list[str] = []


def dimensions(box: Any) -> list[int]:
    """[1, H, W] of the picture."""
    return [1, *box.canvas_size]


def plain(box: Any) -> Tensor:
    return box.as_subclass(Tensor)  # type: ignore[no-any-return]


def converted(x: Tensor, old: str, new: str) -> Tensor:
    """Boxes (..., 4) in another format; halves of integers are rounded down."""
    if old == new:
        return x.clone()  # type: ignore[attr-defined, no-any-return]
    exact = x.dtype.is_floating_point
    a, b, c, d = x.unbind(-1)  # type: ignore[attr-defined]
    if old == "CXCYWH":
        a, b = (a - c / 2, b - d / 2) if exact else (a - (c + 1) // 2, b - (d + 1) // 2)
    if old != "XYXY":
        c, d = a + c, b + d
    if new == "XYXY":
        return torch.stack((a, b, c, d), -1)
    w, h = c - a, d - b
    if new == "CXCYWH":
        a, b = ((2 * a + w) / 2, (2 * b + h) / 2) if exact else ((2 * a + w) // 2, (2 * b + h) // 2)
    return torch.stack((a, b, w, h), -1)


def clamped(x: Tensor, format: str, canvas_size: Any, clamping_mode: Any) -> Tensor:
    """Boxes without what lies outside of the picture."""
    if clamping_mode is None:
        return x.clone()  # type: ignore[attr-defined, no-any-return]
    y = x if x.dtype.is_floating_point else x.float()  # type: ignore[attr-defined]
    a, b, c, d = converted(y, format, "XYXY").unbind(-1)  # type: ignore[attr-defined]
    h, w = canvas_size
    cut = torch.stack((a.clamp(0, w), b.clamp(0, h), c.clamp(0, w), d.clamp(0, h)), -1)
    return converted(cut, "XYXY", format).to(x.dtype)  # type: ignore[attr-defined, no-any-return]


def _cut(x: Tensor, like: Any, canvas_size: Any) -> Any:
    """Boxes in the format of `like`, cut at the edges of their picture."""
    x = clamped(x, like.format.value, canvas_size, like.clamping_mode)
    return like.wrap(x, like, canvas_size=tuple(canvas_size))


def _moved(box: Any, x: float, y: float) -> Tensor:
    p = plain(box)
    both = (x, y) if box.format.value == "XYXY" else (0, 0)
    return p + torch.tensor([x, y, *both], dtype=p.dtype, device=p.device)


def _flipped(box: Any, axis: int) -> Any:
    x, size = plain(box).clone(), box.canvas_size[1 - axis]  # type: ignore[attr-defined]
    first, second = x[:, axis].clone(), x[:, axis + 2].clone()
    if box.format.value == "XYXY":
        x[:, axis], x[:, axis + 2] = size - second, size - first
    else:
        x[:, axis] = size - first - (second if box.format.value == "XYWH" else 0)
    return box.wrap(x, box)


def hflip(box: Any) -> Any:
    return _flipped(box, 0)


def vflip(box: Any) -> Any:
    return _flipped(box, 1)


def resize(box: Any, size: Sequence[int], mode: str = "", antialias: Any = None) -> Any:
    h, w = box.canvas_size
    x = plain(box)
    ratios = torch.tensor([size[1] / w, size[0] / h] * 2, device=x.device)
    return box.wrap((x * ratios).to(x.dtype), box, canvas_size=tuple(size))


def crop(box: Any, top: int, left: int, height: int, width: int) -> Any:
    return _cut(_moved(box, -left, -top), box, (height, width))


def pad(box: Any, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> Any:
    if padding_mode != "constant":
        raise ValueError(f"Padding mode '{padding_mode}' is not supported with bounding boxes")
    left, top, right, bottom = four_sides(padding, padding_mode)
    h, w = box.canvas_size
    return _cut(_moved(box, left, top), box, (h + top + bottom, w + left + right))


def _corners(box: Any) -> Tensor:
    """(N, 4, 2): the four corners of each box, as floats."""
    x = converted(plain(box), box.format.value, "XYXY")
    x = x if x.dtype.is_floating_point else x.float()  # type: ignore[attr-defined]
    return x[:, [0, 1, 2, 1, 2, 3, 0, 3]].view(-1, 4, 2)  # type: ignore[attr-defined, no-any-return]


def _around(points: Tensor, box: Any, canvas_size: Any) -> Any:
    """The upright boxes around (N, 4, 2) points."""
    x = torch.cat((points.amin(1), points.amax(1)), 1)  # type: ignore[attr-defined]
    x = clamped(x, "XYXY", canvas_size, box.clamping_mode)
    return box.wrap(converted(x, "XYXY", box.format.value).to(box.dtype), box, canvas_size=tuple(canvas_size))  # type: ignore[attr-defined]


def affine(box: Any, matrix: Sequence[float], mode: str = "", fill: Any = None) -> Any:
    return rotate(box, matrix)


def rotate(box: Any, matrix: Sequence[float], mode: str = "", expand: bool = False, fill: Any = None) -> Any:
    """`matrix` takes a place in the new picture to the old one; both are measured from the middles."""
    if not box.numel():
        return box
    h, w = box.canvas_size
    points = _corners(box)
    a, b, c, d, e, f = matrix
    n = a * e - b * d
    kind: Any = {"dtype": points.dtype, "device": points.device}
    back = torch.tensor([[e / n, -d / n], [-b / n, a / n]], **kind)
    middle, shift = torch.tensor([w / 2, h / 2], **kind), torch.tensor([c, f], **kind)

    def turned(p: Tensor) -> Tensor:
        return (p - middle - shift) @ back + middle

    points = turned(points)
    if expand:
        frame = torch.tensor([[0.0, 0.0], [0.0, h], [w, h], [w, 0.0]], **kind)
        points = points - turned(frame).amin(0)  # type: ignore[attr-defined]
        w, h = on_tensors.rotated_size(matrix, w, h)
    return _around(points, box, (h, w))


def perspective(box: Any, coefficients: Sequence[float], mode: str = "", fill: Any = None) -> Any:
    """The coefficients take a place in the new picture to the old one."""
    if not box.numel():
        return box
    points = _corners(box)
    there = torch.tensor([*coefficients, 1.0], dtype=torch.float64, device="cpu").view(3, 3)
    back = torch.linalg.inv(there).to(points)
    ones = torch.ones_like(points[..., :1])
    x = torch.cat((points, ones), -1) @ back.T
    return _around(x[..., :2] / x[..., 2:], box, box.canvas_size)


def elastic_transform(box: Any, displacement: Tensor, mode: str = "", fill: Any = None) -> Any:
    """Moves each corner against the displacement of its pixel, which is nearly where that pixel goes."""
    if not box.numel():
        return box
    h, w = box.canvas_size
    at = _corners(box).ceil().long()  # type: ignore[attr-defined]
    x, y = at[..., 0].clamp(0, w - 1), at[..., 1].clamp(0, h - 1)
    size = torch.tensor([w, h], dtype=torch.float32, device=box.device)
    moved = torch.stack((x, y), -1) - displacement.to(size)[0, y, x] * 0.5 * size
    return _around(moved, box, (h, w))
