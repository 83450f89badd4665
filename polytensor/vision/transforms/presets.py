"""The transforms that go with a model's weights. Source: torchvision.transforms._presets."""

from __future__ import annotations

from typing import Any

import polytensor as torch
from polytensor import Tensor
from polytensor.nn import Module

from . import functional as F
from .bases import lines
from .modes import InterpolationMode

__all__ = ["ImageClassification"]


class ImageClassification(Module):
    """Resize, crop the middle, scale to [0, 1] and normalize."""

    def __init__(
        self,
        *,
        crop_size: int,
        resize_size: int = 256,
        mean: Any = (0.485, 0.456, 0.406),
        std: Any = (0.229, 0.224, 0.225),
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.crop_size, self.resize_size, self.mean, self.std = [crop_size], [resize_size], list(mean), list(std)
        self.interpolation, self.antialias = interpolation, antialias

    def forward(self, img: Any) -> Tensor:
        img = F.resize(img, self.resize_size, self.interpolation, antialias=self.antialias)
        img = F.center_crop(img, self.crop_size)
        img = img if isinstance(img, Tensor) else F.pil_to_tensor(img)
        return F.normalize(F.convert_image_dtype(img, torch.float32), self.mean, self.std)

    def __repr__(self) -> str:
        names = ("crop_size", "resize_size", "mean", "std", "interpolation")
        return lines(type(self).__name__, [f"{n}={getattr(self, n)}" for n in names])
