"""torchvision.transforms.v2.functional: images, and masks and boxes where pixels move.

resize and adjust_sharpness of uint8 tensors round as the first version does, so a value may differ by 1 from v2's.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import wraps
from typing import Any

import polytensor as torch
from polytensor import Tensor

from ... import tv_tensors
from ...pillow import is_pil_image, pillow
from .. import functional as _F
from ..functional import *  # noqa: F403
from ..functional import convert_image_dtype, get_dimensions, pil_to_tensor, to_pil_image
from ..functional import get_image_num_channels as get_num_channels
from ..functional import hflip as horizontal_flip
from ..functional import vflip as vertical_flip
from ..modes import InterpolationMode
from ..on_boxes import clamped, converted
from ..on_tensors import bound

__all__ = [
    *_F.__all__, "clamp_bounding_boxes", "convert_bounding_box_format", "elastic", "gaussian_noise", "get_num_channels",
    "get_size", "grayscale_to_rgb", "horizontal_flip", "jpeg", "permute_channels", "sanitize_bounding_boxes", "to_dtype",
    "to_image", "vertical_flip",
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


def to_image(inpt: Any) -> Any:
    """A PIL image or ndarray (H, W, C) as an Image (C, H, W) of its own dtype, or a tensor as one. TypeError otherwise."""
    if isinstance(inpt, Tensor) or is_pil_image(inpt):
        return tv_tensors.Image(inpt)
    if hasattr(inpt, "__array_interface__"):
        x = torch.from_numpy(inpt)
        return tv_tensors.Image((x.unsqueeze(-1) if x.ndim == 2 else x).permute(2, 0, 1).contiguous())
    raise TypeError(f"Input can either be a pure Tensor, a numpy array, or a PIL image, but got {type(inpt)} instead.")


def to_dtype(inpt: Tensor, dtype: Any = torch.float32, scale: bool = False) -> Tensor:
    """Another dtype; with scale=True the values are scaled to its range."""
    scale = scale and not isinstance(inpt, (tv_tensors.Mask, tv_tensors.BoundingBoxes))
    if scale and dtype.is_floating_point and not inpt.dtype.is_floating_point:
        # not a division, as the first version does
        return kept(inpt.to(dtype).mul_(1.0 / bound(inpt.dtype)), inpt)  # type: ignore[no-any-return]
    return kept(convert_image_dtype(inpt, dtype) if scale else inpt.to(dtype), inpt)  # type: ignore[no-any-return]


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


# ---- boxes -------------------------------------------------------------------------------------------------------------
def _described(boxes: Tensor, format: Any, size: Any, names: str) -> tuple[str, Any]:
    """(format, canvas_size) of boxes, which plain tensors are told and BoundingBoxes know. ValueError otherwise."""
    known = isinstance(boxes, tv_tensors.BoundingBoxes)
    if known != (format is None and size is None) or (not known and None in (format, size)):
        kind = "tv_tensors.BoundingBoxes instance" if known else "pure tensor"
        raise ValueError(f"{names} {'must be None' if known else 'cannot be None'} if the boxes are a {kind}.")
    if known:
        return boxes.format.value, boxes.canvas_size  # type: ignore[attr-defined]
    return (format.upper() if isinstance(format, str) else format.value), size


def clamp_bounding_boxes(
    inpt: Tensor, format: Any = None, canvas_size: Any = None, clamping_mode: Any = "auto"
) -> Tensor:
    """Boxes cut at the edges of the picture."""
    name, size = _described(inpt, format, canvas_size, "format and canvas_size")
    if clamping_mode == "auto":
        clamping_mode = getattr(inpt, "clamping_mode", "soft")
    return kept(clamped(inpt.as_subclass(Tensor), name, size, clamping_mode), inpt)  # type: ignore[attr-defined, no-any-return]


def convert_bounding_box_format(
    inpt: Tensor, old_format: Any = None, new_format: Any = None, inplace: bool = False
) -> Tensor:
    """Boxes in another format; inplace=True writes into those given."""
    if new_format is None:
        raise TypeError("convert_bounding_box_format() missing 1 required argument: 'new_format'")
    old, _ = _described(inpt, old_format, None if old_format is None else (), "old_format")
    new = tv_tensors.BoundingBoxFormat[new_format.upper()] if isinstance(new_format, str) else new_format
    x = inpt.as_subclass(Tensor)  # type: ignore[attr-defined]
    y = converted(x, old, new.value)
    y = x.copy_(y) if inplace else y
    return tv_tensors.wrap(y, like=inpt, format=new) if isinstance(inpt, tv_tensors.BoundingBoxes) else y  # type: ignore[no-any-return]


def sanitize_bounding_boxes(
    bounding_boxes: Tensor, format: Any = None, canvas_size: Any = None, min_size: float = 1.0, min_area: float = 1.0
) -> tuple[Tensor, Tensor]:
    """(the boxes that lie in the picture and are large enough, which of the boxes given those are)."""
    name, (h, w) = _described(bounding_boxes, format, canvas_size, "format and canvas_size")
    x = bounding_boxes.as_subclass(Tensor)  # type: ignore[attr-defined]
    a, b, c, d = converted(x, name, "XYXY").unbind(-1)  # type: ignore[attr-defined]
    valid = (c - a >= min_size) & (d - b >= min_size) & ((c - a) * (d - b) >= min_area)
    valid = valid & (a >= 0) & (b >= 0) & (c >= 0) & (d >= 0) & (a <= w) & (c <= w) & (b <= h) & (d <= h)
    return kept(x[valid], bounding_boxes), valid


# ---- tensors keep their class ------------------------------------------------------------------------------------------
MOVING = frozenset(
    "affine center_crop crop elastic elastic_transform hflip horizontal_flip pad perspective resize resized_crop rotate "
    "vertical_flip vflip".split()
)


def kept(result: Any, like: Any) -> Any:
    """A result, of the class of what it was made of."""
    if not isinstance(like, tv_tensors.TVTensor) or isinstance(result, tv_tensors.TVTensor):
        return result
    if isinstance(result, tuple):
        return tuple([kept(x, like) for x in result])
    return tv_tensors.wrap(result, like=like) if isinstance(result, Tensor) else result


def _keeping(fn: Callable[..., Any], moves: bool) -> Callable[..., Any]:
    """The function, whose results keep the class of what is given; TypeError for masks and boxes unless it moves pixels."""

    @wraps(fn)
    def call(*args: Any, **kwargs: Any) -> Any:
        first = args[0] if args else next(iter(kwargs.values()), None)
        if not isinstance(first, tv_tensors.TVTensor):
            return fn(*args, **kwargs)
        if not moves and isinstance(first, (tv_tensors.Mask, tv_tensors.BoundingBoxes)):
            name, kind = fn.__name__, type(first).__name__
            raise TypeError(f"Functional F.{name} supports images and videos, but got {kind} instead.")
        return kept(fn(*args, **kwargs), first)

    return call


for _name in __all__:
    if (
        callable(globals()[_name])
        and not isinstance(globals()[_name], type)
        and not _name.startswith(("get_", "to_", "pil_", "clamp_", "convert_", "sanitize_"))
    ):
        globals()[_name] = _keeping(globals()[_name], _name in MOVING)
