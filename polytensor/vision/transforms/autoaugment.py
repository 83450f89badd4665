"""RandAugment and TrivialAugmentWide: operations and strengths drawn from a fixed list. Source: torchvision.transforms."""

from __future__ import annotations

import math
from typing import Any

from polytensor.nn import Module

from . import functional as F
from .bases import fill_for
from .draws import below
from .modes import InterpolationMode

__all__ = ["RandAugment", "TrivialAugmentWide"]

NEAREST = InterpolationMode.NEAREST


def _steps(low: float, high: float, n: int) -> list[float]:
    return [low + (high - low) * i / (n - 1) for i in range(n)]


def _space(bins: int, shear: float, move: tuple[float, float], turn: float, factor: float, bits: int) -> dict[str, Any]:
    """name -> (its strengths or None, whether they have a sign)."""
    colour = (_steps(0.0, factor, bins), True)
    return {
        "Identity": (None, False),
        "ShearX": (_steps(0.0, shear, bins), True),
        "ShearY": (_steps(0.0, shear, bins), True),
        "TranslateX": (_steps(0.0, move[0], bins), True),
        "TranslateY": (_steps(0.0, move[1], bins), True),
        "Rotate": (_steps(0.0, turn, bins), True),
        "Brightness": colour,
        "Color": colour,
        "Contrast": colour,
        "Sharpness": colour,
        "Posterize": ([8 - round(i / ((bins - 1) / bits)) for i in range(bins)], False),
        "Solarize": (_steps(255.0, 0.0, bins), False),
        "AutoContrast": (None, False),
        "Equalize": (None, False),
    }


_PLAIN = {"AutoContrast": F.autocontrast, "Equalize": F.equalize, "Identity": lambda img: img}
_FACTOR = {
    "Brightness": F.adjust_brightness,
    "Color": F.adjust_saturation,
    "Contrast": F.adjust_contrast,
    "Sharpness": F.adjust_sharpness,
}


def _apply(img: Any, name: str, strength: float, mode: InterpolationMode, fill: Any) -> Any:
    if name in _PLAIN:
        return _PLAIN[name](img)
    if name in _FACTOR:
        return _FACTOR[name](img, 1.0 + strength)
    if name == "Posterize":
        return F.posterize(img, int(strength))
    if name == "Solarize":
        return F.solarize(img, strength)
    if name == "Rotate":
        return F.rotate(img, strength, mode, fill=fill)
    along_x = name.endswith("X")
    if name.startswith("Translate"):
        move = [int(strength), 0] if along_x else [0, int(strength)]
        return F.affine(img, 0.0, move, 1.0, [0.0, 0.0], mode, fill)
    angle = math.degrees(math.atan(strength))  # a strength is the shear's slope
    return F.affine(img, 0.0, [0, 0], 1.0, [angle, 0.0] if along_x else [0.0, angle], mode, fill, center=[0, 0])


class _Augment(Module):
    _shown: tuple[str, ...]

    def _draw(self, img: Any, space: dict[str, Any], magnitude: int | None) -> Any:
        """One operation of the space at bin `magnitude` (None: a random one)."""
        name = list(space)[below(len(space))]
        strengths, signed = space[name]
        strength = 0.0
        if strengths is not None:
            strength = float(strengths[below(len(strengths)) if magnitude is None else magnitude])
        if signed and below(2):
            strength = -strength
        return _apply(img, name, strength, self.interpolation, fill_for(img, self.fill))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{n}={getattr(self, n)}' for n in self._shown)})"


class RandAugment(_Augment):
    """num_ops random operations at one strength (uint8 images)."""

    _shown = ("num_ops", "magnitude", "num_magnitude_bins", "interpolation", "fill")

    def __init__(
        self,
        num_ops: int = 2,
        magnitude: int = 9,
        num_magnitude_bins: int = 31,
        interpolation: InterpolationMode = NEAREST,
        fill: Any = None,
    ) -> None:
        super().__init__()
        self.num_ops, self.magnitude, self.num_magnitude_bins = num_ops, magnitude, num_magnitude_bins
        self.interpolation, self.fill = interpolation, fill

    def forward(self, img: Any) -> Any:
        _, height, width = F.get_dimensions(img)
        move = (150.0 / 331.0 * width, 150.0 / 331.0 * height)
        space = _space(self.num_magnitude_bins, 0.3, move, 30.0, 0.9, 4)
        for _ in range(self.num_ops):
            img = self._draw(img, space, self.magnitude)
        return img


class TrivialAugmentWide(_Augment):
    """One random operation at a random strength (uint8 images)."""

    _shown = ("num_magnitude_bins", "interpolation", "fill")

    def __init__(
        self, num_magnitude_bins: int = 31, interpolation: InterpolationMode = NEAREST, fill: Any = None
    ) -> None:
        super().__init__()
        self.num_magnitude_bins, self.interpolation, self.fill = num_magnitude_bins, interpolation, fill

    def forward(self, img: Any) -> Any:
        return self._draw(img, _space(self.num_magnitude_bins, 0.99, (32.0, 32.0), 135.0, 0.99, 6), None)
