"""InterpolationMode, and the sizes and paddings that all transforms accept."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from numbers import Number
from typing import Any

__all__ = ["InterpolationMode", "as_mode", "four_sides", "pair", "pil_code"]


class InterpolationMode(Enum):
    """How pixels between pixels are computed. Source: torchvision.transforms.InterpolationMode."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


_PIL = {"nearest": 0, "nearest-exact": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}


def as_mode(mode: Any) -> InterpolationMode:
    """A mode, or Pillow's number for it. TypeError for anything else."""
    if isinstance(mode, InterpolationMode):
        return mode
    if isinstance(mode, int):
        return next(m for m in InterpolationMode if m.name != "NEAREST_EXACT" and _PIL[m.value] == mode)
    raise TypeError("Argument interpolation should be a InterpolationMode or a corresponding Pillow integer constant")


def pil_code(mode: Any) -> int:
    """Pillow's number of a mode."""
    return _PIL[as_mode(mode).value]


def pair(size: Any, message: str = "Please provide only two dimensions (h, w) for size.") -> Any:
    """(h, w) from a number, a sequence of one, or a sequence of two (handed back as it is)."""
    if isinstance(size, Number):
        return int(size), int(size)  # type: ignore[call-overload]
    if isinstance(size, Sequence) and len(size) == 1:
        return size[0], size[0]
    if len(size) != 2:
        raise ValueError(message)
    return size


def four_sides(padding: Any, mode: str) -> tuple[int, int, int, int]:
    """left, top, right, bottom. TypeError and ValueError for a wrong padding or padding_mode."""
    if not isinstance(padding, (int, tuple, list)):
        raise TypeError("Got inappropriate padding arg")
    if not isinstance(mode, str):
        raise TypeError("Got inappropriate padding_mode arg")
    if mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ValueError("Padding mode should be either constant, edge, reflect or symmetric")
    p = (padding,) if isinstance(padding, int) else tuple(padding)
    if len(p) not in (1, 2, 4):
        raise ValueError(f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(p)} element tuple")
    return (p * (4 // len(p)))[:4]  # type: ignore[return-value]
