"""Transforms of an image's colours and sharpness. Source: torchvision.transforms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Number
from typing import Any

import polytensor as torch
from polytensor import Tensor

from . import functional as F
from .bases import OneValue, Transform, WithProbability, check_ranges, draw_box
from .draws import below, uniform
from .modes import pair

__all__ = [
    "ColorJitter", "GaussianBlur", "Grayscale", "RandomAdjustSharpness", "RandomAutocontrast", "RandomEqualize",
    "RandomErasing", "RandomGrayscale", "RandomInvert", "RandomPosterize", "RandomSolarize",
]  # fmt: skip


class RandomGrayscale(WithProbability):
    """Grey, with as many channels as before."""

    def __init__(self, p: float = 0.1) -> None:
        super().__init__(p)

    def apply(self, img: Any) -> Any:
        return F.rgb_to_grayscale(img, F.get_dimensions(img)[0])


class RandomInvert(WithProbability):
    """The negative."""

    def apply(self, img: Any) -> Any:
        return F.invert(img)


class RandomAutocontrast(WithProbability):
    """Stretch each channel to the full range."""

    def apply(self, img: Any) -> Any:
        return F.autocontrast(img)


class RandomEqualize(WithProbability):
    """Spread each channel's values evenly."""

    def apply(self, img: Any) -> Any:
        return F.equalize(img)


class RandomPosterize(OneValue):
    """Keep the highest `bits` bits."""

    _shown = ("bits",)

    def __init__(self, bits: int, p: float = 0.5) -> None:
        super().__init__(p)
        self.bits = bits

    def apply(self, img: Any) -> Any:
        return F.posterize(img, self.bits)


class RandomSolarize(OneValue):
    """Invert the values from `threshold` on."""

    _shown = ("threshold",)

    def __init__(self, threshold: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.threshold = threshold

    def apply(self, img: Any) -> Any:
        return F.solarize(img, self.threshold)


class RandomAdjustSharpness(OneValue):
    """Blur (below 1) or sharpen."""

    _shown = ("sharpness_factor",)

    def __init__(self, sharpness_factor: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.sharpness_factor = sharpness_factor

    def apply(self, img: Any) -> Any:
        return F.adjust_sharpness(img, self.sharpness_factor)


class Grayscale(Transform):
    """Grey with 1 or 3 equal channels."""

    _shown = ("num_output_channels",)

    def __init__(self, num_output_channels: int = 1) -> None:
        super().__init__()
        self.num_output_channels = num_output_channels

    def forward(self, img: Any) -> Any:
        return F.rgb_to_grayscale(img, self.num_output_channels)


class ColorJitter(Transform):
    """Brightness, contrast, saturation and hue by random amounts, in random order."""

    _shown = ("brightness", "contrast", "saturation", "hue")

    def __init__(self, brightness: Any = 0, contrast: Any = 0, saturation: Any = 0, hue: Any = 0) -> None:
        super().__init__()
        self.brightness = self._range(brightness, "brightness")
        self.contrast = self._range(contrast, "contrast")
        self.saturation = self._range(saturation, "saturation")
        self.hue = self._range(hue, "hue", 0, (-0.5, 0.5))

    @staticmethod
    def _range(value: Any, name: str, center: float = 1, bound: Any = (0, math.inf)) -> Any:
        """(low, high), or None where nothing is to be changed."""
        if isinstance(value, Number):
            if value < 0:  # type: ignore[operator]
                raise ValueError(f"If {name} is a single number, it must be non negative.")
            value = [center - float(value), center + float(value)]  # type: ignore[arg-type]
            if center:
                value[0] = max(value[0], 0.0)
        elif isinstance(value, (tuple, list)) and len(value) == 2:
            value = [float(v) for v in value]
        else:
            raise TypeError(f"{name} should be a single number or a list/tuple with length 2.")
        if not bound[0] <= value[0] <= value[1] <= bound[1]:
            raise ValueError(f"{name} values should be between {bound}, but got {value}.")
        return None if value[0] == value[1] == center else tuple(value)

    @staticmethod
    def get_params(brightness: Any, contrast: Any, saturation: Any, hue: Any) -> tuple[Any, ...]:
        """The order (a tensor of 4), and the four factors or None."""
        first = torch.randperm(4, device="cpu")
        return (first, *(None if r is None else uniform(*r) for r in (brightness, contrast, saturation, hue)))

    def forward(self, img: Any) -> Any:
        first, *factors = self.get_params(self.brightness, self.contrast, self.saturation, self.hue)
        steps = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
        for i in first.tolist():
            if factors[i] is not None:
                img = steps[i](img, factors[i])
        return img


class RandomErasing(WithProbability):
    """Write `value` (numbers, or 'random' noise) over a random rectangle of a tensor."""

    _shown = ("p", "scale", "ratio", "value", "inplace")

    def __init__(
        self,
        p: float = 0.5,
        scale: Any = (0.02, 0.33),
        ratio: Any = (0.3, 3.3),
        value: Any = 0,
        inplace: bool = False,
    ) -> None:
        super().__init__(p)
        if not isinstance(value, (Number, str, tuple, list)):
            raise TypeError("Argument value should be either a number or str or a sequence")
        if isinstance(value, str) and value != "random":
            raise ValueError("If value is str, it should be 'random'")
        check_ranges(scale, ratio)
        if scale[0] < 0 or scale[1] > 1:
            raise ValueError("Scale should be between 0 and 1")
        if p < 0 or p > 1:
            raise ValueError("Random erasing probability should be between 0 and 1")
        self.scale, self.ratio, self.value, self.inplace = scale, ratio, value, inplace

    @staticmethod
    def get_params(img: Tensor, scale: Any, ratio: Any, value: Any = None) -> tuple[int, int, int, int, Tensor]:
        """row, column, height, width and what to write; the image itself where ten tries do not fit."""
        channels, height, width = img.shape[-3:]
        for _ in range(10):
            h, w = draw_box(height * width, scale, ratio, wide=False)
            if h < height and w < width:
                if value is None:
                    v = torch.empty([channels, h, w], dtype=torch.float32, device=img.device).normal_()
                else:
                    v = torch.tensor(value, device=img.device)[:, None, None]
                return below(height - h + 1), below(width - w + 1), h, w, v
        return 0, 0, height, width, img

    def apply(self, img: Tensor) -> Tensor:
        value = self.value
        if isinstance(value, str):
            value = None
        else:
            value = [float(v) for v in (value if isinstance(value, (list, tuple)) else [value])]
        if value is not None and len(value) not in (1, img.shape[-3]):
            raise ValueError(
                f"If value is a sequence, it should have either a single value or {img.shape[-3]} (number of input channels)"
            )
        return F.erase(img, *self.get_params(img, self.scale, self.ratio, value), self.inplace)


class GaussianBlur(Transform):
    """Blur by a Gaussian whose sigma is drawn from a range."""

    _shown = ("kernel_size", "sigma")

    def __init__(self, kernel_size: Any, sigma: Any = (0.1, 2.0)) -> None:
        super().__init__()
        self.kernel_size = pair(kernel_size, "Kernel size should be a tuple/list of two integers")
        if any(n <= 0 or n % 2 == 0 for n in self.kernel_size):
            raise ValueError("Kernel size value should be an odd and positive number.")
        if isinstance(sigma, Number):
            if sigma <= 0:  # type: ignore[operator]
                raise ValueError("If sigma is a single number, it must be positive.")
            sigma = (sigma, sigma)
        elif not (isinstance(sigma, Sequence) and len(sigma) == 2):
            raise ValueError("sigma should be a single number or a list/tuple with length 2.")
        elif not 0.0 < sigma[0] <= sigma[1]:
            raise ValueError("sigma values should be positive and of the form (min, max).")
        self.sigma = sigma

    @staticmethod
    def get_params(sigma_min: float, sigma_max: float) -> float:
        """The sigma."""
        return uniform(sigma_min, sigma_max)

    def forward(self, img: Any) -> Any:
        sigma = self.get_params(*self.sigma)
        return F.gaussian_blur(img, self.kernel_size, [sigma, sigma])
