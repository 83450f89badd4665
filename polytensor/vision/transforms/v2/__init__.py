"""The transforms under torchvision.transforms.v2's names, for images alone: no boxes, masks or nested samples."""

from __future__ import annotations

from typing import Any

import polytensor as torch
from polytensor import Tensor
from polytensor.nn import Module

from .. import functional as _F
from ..autoaugment import *  # noqa: F403
from ..transforms import *  # noqa: F403
from . import functional as functional


class Identity(Module):
    """The image as it is."""

    def forward(self, img: Any) -> Any:
        return img


class ToImage(Module):
    """A PIL image or ndarray as a tensor (C, H, W) of the pixels' own dtype; tensors pass."""

    def forward(self, img: Any) -> Tensor:
        return functional.to_image(img)

    def __repr__(self) -> str:
        return "ToImage()"


class ToDtype(Module):
    """Another dtype; with scale=True the values are scaled to its range."""

    def __init__(self, dtype: Any, scale: bool = False) -> None:
        super().__init__()
        self.dtype, self.scale = dtype, scale

    def forward(self, img: Tensor) -> Tensor:
        return functional.to_dtype(img, self.dtype, self.scale)

    def __repr__(self) -> str:
        return f"ToDtype(scale={self.scale})"


class RGB(Module):
    """Three channels, from grey."""

    def forward(self, img: Any) -> Any:
        if _F.get_dimensions(img)[0] == 3:
            return img
        return _F.rgb_to_grayscale(img, 3) if isinstance(img, Tensor) else img.convert("RGB")


class GaussianNoise(Module):
    """Add normal noise to a float tensor. ValueError for integers."""

    def __init__(self, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> None:
        super().__init__()
        self.mean, self.sigma, self.clip = mean, sigma, clip

    def forward(self, img: Tensor) -> Tensor:
        if not img.dtype.is_floating_point:
            raise ValueError(f"Input tensor is expected to be in float or uint8 dtype, got dtype={img.dtype}")
        noisy = img + self.mean + torch.randn_like(img) * self.sigma
        return noisy.clamp(0, 1) if self.clip else noisy

    def __repr__(self) -> str:
        return f"GaussianNoise(mean={self.mean}, sigma={self.sigma}, clip={self.clip})"
