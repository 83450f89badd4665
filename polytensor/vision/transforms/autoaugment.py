"""Operations and strengths drawn from fixed lists: AutoAugment, RandAugment, TrivialAugmentWide, AugMix.

Source: torchvision.transforms.
"""

from __future__ import annotations

import math
from enum import Enum
from functools import lru_cache
from typing import Any

import polytensor as torch
from polytensor import Tensor
from polytensor.nn import Module

from . import functional as F
from .bases import fill_for
from .draws import below, dirichlet, unit
from .modes import InterpolationMode

__all__ = ["AugMix", "AutoAugment", "AutoAugmentPolicy", "RandAugment", "TrivialAugmentWide"]

NEAREST, BILINEAR = InterpolationMode.NEAREST, InterpolationMode.BILINEAR


@lru_cache(64)
def _steps(low: float, high: float, n: int) -> list[float]:
    return torch.linspace(low, high, n, dtype=torch.float32, device="cpu").tolist()  # type: ignore[no-any-return]


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


_PLAIN = {"AutoContrast": F.autocontrast, "Equalize": F.equalize, "Identity": lambda img: img, "Invert": F.invert}
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

    def _draw(self, img: Any, space: dict[str, Any], magnitude: int | None, bins: int | None = None) -> Any:
        """One operation of the space at bin `magnitude` (None: a random one, of the first `bins`)."""
        name = list(space)[below(len(space))]
        strengths, signed = space[name]
        strength = 0.0
        if strengths is not None:
            strength = float(strengths[below(bins or len(strengths)) if magnitude is None else magnitude])
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


class AutoAugmentPolicy(Enum):
    """The set of images that a policy was learned on."""

    IMAGENET = "imagenet"
    CIFAR10 = "cifar10"
    SVHN = "svhn"


# 25 pairs of an operation, its probability and the bin of its strength (Cubuk et al. 2018, appendix A)
_POLICIES = dict(
    IMAGENET="""
        Posterize 0.4 8, Rotate 0.6 9
        Solarize 0.6 5, AutoContrast 0.6
        Equalize 0.8, Equalize 0.6
        Posterize 0.6 7, Posterize 0.6 6
        Equalize 0.4, Solarize 0.2 4
        Equalize 0.4, Rotate 0.8 8
        Solarize 0.6 3, Equalize 0.6
        Posterize 0.8 5, Equalize 1.0
        Rotate 0.2 3, Solarize 0.6 8
        Equalize 0.6, Posterize 0.4 6
        Rotate 0.8 8, Color 0.4 0
        Rotate 0.4 9, Equalize 0.6
        Equalize 0.0, Equalize 0.8
        Invert 0.6, Equalize 1.0
        Color 0.6 4, Contrast 1.0 8
        Rotate 0.8 8, Color 1.0 2
        Color 0.8 8, Solarize 0.8 7
        Sharpness 0.4 7, Invert 0.6
        ShearX 0.6 5, Equalize 1.0
        Color 0.4 0, Equalize 0.6
        Equalize 0.4, Solarize 0.2 4
        Solarize 0.6 5, AutoContrast 0.6
        Invert 0.6, Equalize 1.0
        Color 0.6 4, Contrast 1.0 8
        Equalize 0.8, Equalize 0.6
    """,
    CIFAR10="""
        Invert 0.1, Contrast 0.2 6
        Rotate 0.7 2, TranslateX 0.3 9
        Sharpness 0.8 1, Sharpness 0.9 3
        ShearY 0.5 8, TranslateY 0.7 9
        AutoContrast 0.5, Equalize 0.9
        ShearY 0.2 7, Posterize 0.3 7
        Color 0.4 3, Brightness 0.6 7
        Sharpness 0.3 9, Brightness 0.7 9
        Equalize 0.6, Equalize 0.5
        Contrast 0.6 7, Sharpness 0.6 5
        Color 0.7 7, TranslateX 0.5 8
        Equalize 0.3, AutoContrast 0.4
        TranslateY 0.4 3, Sharpness 0.2 6
        Brightness 0.9 6, Color 0.2 8
        Solarize 0.5 2, Invert 0.0
        Equalize 0.2, AutoContrast 0.6
        Equalize 0.2, Equalize 0.6
        Color 0.9 9, Equalize 0.6
        AutoContrast 0.8, Solarize 0.2 8
        Brightness 0.1 3, Color 0.7 0
        Solarize 0.4 5, AutoContrast 0.9
        TranslateY 0.9 9, TranslateY 0.7 9
        AutoContrast 0.9, Solarize 0.8 3
        Equalize 0.8, Invert 0.1
        TranslateY 0.7 9, AutoContrast 0.9
    """,
    SVHN="""
        ShearX 0.9 4, Invert 0.2
        ShearY 0.9 8, Invert 0.7
        Equalize 0.6, Solarize 0.6 6
        Invert 0.9, Equalize 0.6
        Equalize 0.6, Rotate 0.9 3
        ShearX 0.9 4, AutoContrast 0.8
        ShearY 0.9 8, Invert 0.4
        ShearY 0.9 5, Solarize 0.2 6
        Invert 0.9, AutoContrast 0.8
        Equalize 0.6, Rotate 0.9 3
        ShearX 0.9 4, Solarize 0.3 3
        ShearY 0.8 8, Invert 0.7
        Equalize 0.9, TranslateY 0.6 6
        Invert 0.9, Equalize 0.6
        Contrast 0.3 3, Rotate 0.8 4
        Invert 0.8, TranslateY 0.0 2
        ShearY 0.7 6, Solarize 0.4 8
        Invert 0.6, Rotate 0.8 4
        ShearY 0.3 7, TranslateX 0.9 3
        ShearX 0.1 6, Invert 0.6
        Solarize 0.7 2, TranslateY 0.6 7
        ShearY 0.8 4, Invert 0.8
        ShearX 0.7 9, TranslateY 0.8 3
        ShearY 0.8 5, AutoContrast 0.7
        ShearX 0.7 2, Invert 0.1
    """,
)  # fmt: skip


def _policy(name: str) -> list[Any]:
    """[((operation, probability, bin or None), (the same))], of a text of _POLICIES."""
    rows = [[part.split() for part in line.split(",")] for line in _POLICIES[name].strip().splitlines()]
    return [tuple((op, float(p), int(*n) if n else None) for op, p, *n in row) for row in rows]


class AutoAugment(_Augment):
    """One of 25 pairs of operations that were found to help on a set of images (uint8 images)."""

    _shown = ("policy", "fill")

    def __init__(
        self,
        policy: AutoAugmentPolicy = AutoAugmentPolicy.IMAGENET,
        interpolation: InterpolationMode = NEAREST,
        fill: Any = None,
    ) -> None:
        super().__init__()
        if not isinstance(policy, AutoAugmentPolicy):
            raise ValueError(f"The provided policy {policy} is not recognized.")
        self.policy, self.interpolation, self.fill = policy, interpolation, fill
        self.policies = _policy(policy.name)

    @staticmethod
    def get_params(transform_num: int) -> tuple[int, list[float], list[int]]:
        """The pair's number, and for both operations a number in [0, 1) and a sign (0: minus)."""
        return below(transform_num), [unit(), unit()], [below(2), below(2)]

    def forward(self, img: Any) -> Any:
        _, height, width = F.get_dimensions(img)
        space = _space(10, 0.3, (150.0 / 331.0 * width, 150.0 / 331.0 * height), 30.0, 0.9, 4)
        index, chances, signs = self.get_params(len(self.policies))
        for (name, p, n), chance, sign in zip(self.policies[index], chances, signs):
            if chance > p:
                continue
            strengths, signed = space.get(name, (None, False))
            strength = 0.0 if strengths is None or n is None else float(strengths[n])
            img = _apply(
                img, name, strength if sign or not signed else -strength, self.interpolation, fill_for(img, self.fill)
            )
        return img


class AugMix(_Augment):
    """The image mixed with chains of random operations on it, by random weights (uint8 images)."""

    _shown = ("severity", "mixture_width", "chain_depth", "alpha", "all_ops", "interpolation", "fill")

    def __init__(
        self,
        severity: int = 3,
        mixture_width: int = 3,
        chain_depth: int = -1,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: InterpolationMode = BILINEAR,
        fill: Any = None,
    ) -> None:
        super().__init__()
        if not 1 <= severity <= 10:
            raise ValueError(f"The severity must be between [1, 10]. Got {severity} instead.")
        self.severity, self.mixture_width, self.chain_depth, self.alpha = severity, mixture_width, chain_depth, alpha
        self.all_ops, self.interpolation, self.fill = all_ops, interpolation, fill

    def _ops(self, height: int, width: int) -> dict[str, Any]:
        space = _space(10, 0.3, (width / 3.0, height / 3.0), 30.0, 0.9, 4)
        space["Posterize"] = ([n - 4 for n in space["Posterize"][0]], False)
        colours = {name: space.pop(name) for name in _FACTOR}
        del space["Identity"]
        return {**space, **colours} if self.all_ops else space

    def forward(self, orig_img: Any) -> Any:
        img = orig_img if isinstance(orig_img, Tensor) else F.pil_to_tensor(orig_img)
        space = self._ops(*F.get_dimensions(img)[1:])
        batch = img if img.ndim >= 4 else img.unsqueeze(0)
        n, ones = batch.shape[0], [1] * (batch.ndim - 1)

        def column(values: list[float]) -> Tensor:
            return torch.tensor(values, device=batch.device).view(n, *ones)

        shares = [dirichlet([self.alpha, self.alpha]) for _ in range(n)]  # of the image and of the chains
        weights = [dirichlet([self.alpha] * self.mixture_width) for _ in range(n)]
        mix = column([s[0] for s in shares]) * batch
        for i in range(self.mixture_width):
            out = batch
            for _ in range(self.chain_depth if self.chain_depth > 0 else below(4, 1)):
                out = self._draw(out, space, None, self.severity)
            mix += column([w[i] * s[1] for w, s in zip(weights, shares)]) * out
        mix = mix.view(img.shape).to(img.dtype)
        return mix if isinstance(orig_img, Tensor) else F.to_pil_image(mix)
