"""What the transforms have in common: their repr, probabilities, and checks of arguments."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from numbers import Number
from typing import Any

from polytensor import Tensor
from polytensor.nn import Module

from . import functional as F
from .draws import uniform, unit
from .modes import InterpolationMode

__all__ = [
    "OneValue", "Shown", "Transform", "WithProbability", "check_fill", "check_ranges", "draw_box", "fill_for",
    "lines",
]  # fmt: skip


class Shown:
    """A repr of the attributes that `_shown` names."""

    _shown: tuple[str, ...] = ()

    def __repr__(self) -> str:
        values = [getattr(self, name) for name in self._shown]
        parts = (f"{n}={v.value if isinstance(v, InterpolationMode) else v}" for n, v in zip(self._shown, values))
        return f"{type(self).__name__}({', '.join(parts)})"


class Transform(Shown, Module):
    """A transform that is a Module."""


def lines(name: str, parts: Any) -> str:
    return name + "(" + "".join(f"\n    {p}" for p in parts) + "\n)"


class WithProbability(Transform):
    """`apply` with probability p, else the image as it is."""

    _shown: tuple[str, ...] = ("p",)

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Any) -> Any:
        return self.apply(img) if unit() < self.p else img

    def apply(self, img: Any) -> Any:
        """The change itself."""
        raise NotImplementedError


class OneValue(WithProbability):
    def __repr__(self) -> str:
        name = self._shown[0]
        return f"{type(self).__name__}({name}={getattr(self, name)},p={self.p})"


def check_fill(fill: Any) -> Any:
    if fill is not None and not isinstance(fill, (Sequence, Number)):
        raise TypeError("Fill should be either a sequence or a number.")
    return 0 if fill is None else fill


def fill_for(img: Any, fill: Any) -> Any:
    """`fill` as one number per channel where the image is a tensor."""
    if not isinstance(img, Tensor) or fill is None:
        return fill
    if isinstance(fill, (int, float)):
        return [float(fill)] * F.get_dimensions(img)[0]
    return [float(v) for v in fill]


def check_ranges(scale: Any, ratio: Any) -> None:
    if not isinstance(scale, Sequence):
        raise TypeError("Scale should be a sequence")
    if not isinstance(ratio, Sequence):
        raise TypeError("Ratio should be a sequence")
    if scale[0] > scale[1] or ratio[0] > ratio[1]:
        warnings.warn("Scale and ratio should be of kind (min, max)", stacklevel=3)


def draw_box(area: float, scale: Any, ratio: Any, wide: bool) -> tuple[int, int]:
    """(h, w) of a random share of the area; the ratio is w/h if wide, else h/w."""
    share = area * uniform(scale[0], scale[1])
    aspect = math.exp(uniform(math.log(ratio[0]), math.log(ratio[1])))
    longer, other = int(round(math.sqrt(share * aspect))), int(round(math.sqrt(share / aspect)))
    return (other, longer) if wide else (longer, other)
