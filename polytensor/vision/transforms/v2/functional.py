"""torchvision.transforms.v2.functional, for images alone."""

from __future__ import annotations

from typing import Any

import polytensor as torch
from polytensor import Tensor

from ...pillow import is_pil_image
from ..functional import *  # noqa: F403
from ..functional import convert_image_dtype, pil_to_tensor
from ..functional import hflip as horizontal_flip
from ..functional import vflip as vertical_flip
from ..on_tensors import bound

__all__ = ["horizontal_flip", "to_dtype", "to_image", "vertical_flip"]


def to_image(inpt: Any) -> Tensor:
    """A PIL image or ndarray (H, W, C) as a tensor (C, H, W) of its own dtype; tensors pass. TypeError otherwise."""
    if isinstance(inpt, Tensor):
        return inpt
    if is_pil_image(inpt):
        return pil_to_tensor(inpt)
    if hasattr(inpt, "__array_interface__"):
        x = torch.from_numpy(inpt)
        return (x.unsqueeze(-1) if x.ndim == 2 else x).permute(2, 0, 1).contiguous()
    raise TypeError(f"Input can either be a pure Tensor, a numpy array, or a PIL image, but got {type(inpt)} instead.")


def to_dtype(inpt: Tensor, dtype: Any = torch.float32, scale: bool = False) -> Tensor:
    """Another dtype; with scale=True the values are scaled to its range."""
    if scale and dtype.is_floating_point and not inpt.dtype.is_floating_point:
        return inpt.to(dtype).mul_(1.0 / bound(inpt.dtype))  # not a division, as the first version does
    return convert_image_dtype(inpt, dtype) if scale else inpt.to(dtype)
