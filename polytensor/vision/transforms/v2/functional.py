"""torchvision.transforms.v2.functional, for images alone.

resize and adjust_sharpness of uint8 tensors round as the first version does, so a value may differ by 1 from v2's.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import wraps
from typing import Any

import polytensor as torch
from polytensor import Tensor

from ...pillow import is_pil_image, pillow
from .. import functional as _F
from ..functional import *  # noqa: F403
from ..functional import convert_image_dtype, get_dimensions, pil_to_tensor, to_pil_image
from ..functional import get_image_num_channels as get_num_channels
from ..functional import hflip as horizontal_flip
from ..functional import vflip as vertical_flip
from ..modes import InterpolationMode
from ..on_tensors import bound

__all__ = [
    *_F.__all__, "elastic", "gaussian_noise", "get_num_channels", "get_size", "grayscale_to_rgb", "horizontal_flip", "jpeg",
    "permute_channels", "to_dtype", "to_image", "vertical_flip",
]  # fmt: skip


_MODES = {m.value: m for m in InterpolationMode}


def mode_of(x: Any) -> Any:
    """The mode of a name such as 'bilinear'; anything else as it is."""
    return _MODES.get(x, x) if isinstance(x, str) else x


def _by_name(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with modes that may also be given by name."""

    @wraps(fn)
    def call(*args: Any, **kwargs: Any) -> Any:
        return fn(*map(mode_of, args), **{k: mode_of(v) for k, v in kwargs.items()})

    return call


affine, elastic_transform, perspective, resize, resized_crop, rotate = map(
    _by_name, (_F.affine, _F.elastic_transform, _F.perspective, _F.resize, _F.resized_crop, _F.rotate)
)
elastic = elastic_transform


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


def get_size(inpt: Any) -> list[int]:
    """[height, width]."""
    return get_dimensions(inpt)[1:]


def grayscale_to_rgb(inpt: Any) -> Any:
    """Three equal channels of a grey image; coloured images pass."""
    if not isinstance(inpt, Tensor):
        return inpt.convert("RGB")
    if inpt.shape[-3] >= 3:
        return inpt
    return inpt.expand(*inpt.shape[:-3], 3, -1, -1)


def posterize(inpt: Any, bits: int) -> Any:
    """Keep the highest `bits` bits of each value; floats in [0, 1] keep 2 ** bits levels."""
    if not isinstance(inpt, Tensor) or not inpt.dtype.is_floating_point:
        return _F.posterize(inpt, bits)
    if not isinstance(bits, int) or not 0 <= bits <= 8:
        raise TypeError(f"bits must be a positive integer in the range [0, 8], got {bits} instead.")
    levels = 1 << bits
    return inpt.mul(levels).floor_().clamp_(0, levels - 1).mul_(1.0 / levels)


def equalize(inpt: Any) -> Any:
    """Spread each channel's values evenly; floats by way of uint8."""
    if not isinstance(inpt, Tensor) or inpt.dtype == torch.uint8:
        return _F.equalize(inpt)
    return to_dtype(_F.equalize(to_dtype(inpt, torch.uint8, scale=True)), inpt.dtype, scale=True)


def permute_channels(inpt: Any, permutation: Any) -> Any:
    """The channels in another order. ValueError where the permutation has another length."""
    x = inpt if isinstance(inpt, Tensor) else pil_to_tensor(inpt)
    if len(permutation) != x.shape[-3]:
        raise ValueError(
            f"Length of permutation does not match number of channels: {len(permutation)} != {x.shape[-3]}"
        )
    out = x[..., torch.as_tensor(permutation), :, :]
    return out if isinstance(inpt, Tensor) else to_pil_image(out)


def gaussian_noise(inpt: Tensor, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> Tensor:
    """Add normal noise to a float tensor, or to a uint8 one as if in [0, 1]. ValueError for others."""
    if not isinstance(inpt, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(inpt)}")
    if sigma < 0:
        raise ValueError(f"sigma shouldn't be negative. Got {sigma}")
    if inpt.dtype == torch.uint8:
        x = inpt + (mean * 255 + torch.randn(inpt.shape, device=inpt.device) * (sigma * 255)).round()
        return (x.clamp(0, 255) if clip else x % 256).to(torch.uint8)
    if not inpt.dtype.is_floating_point:
        raise ValueError(f"Input tensor is expected to be in float or uint8 dtype, got dtype={inpt.dtype}")
    noisy = inpt + mean + torch.randn_like(inpt) * sigma
    return noisy.clamp(0, 1) if clip else noisy


def jpeg(inpt: Any, quality: int) -> Any:
    """The image after it was written and read as a JPEG: uint8 tensors (..., 1 or 3, H, W) and PIL images."""
    if not isinstance(inpt, Tensor):
        buffer = io.BytesIO()
        inpt.save(buffer, format="JPEG", quality=quality)
        return pillow().open(buffer).convert(inpt.mode)
    if inpt.dtype != torch.uint8:
        raise RuntimeError(f"Input tensor dtype should be uint8, got {inpt.dtype}")
    planes = [pil_to_tensor(jpeg(to_pil_image(x), quality)) for x in inpt.reshape(-1, *inpt.shape[-3:])]
    return torch.stack(planes).to(inpt.device).view(inpt.shape)
