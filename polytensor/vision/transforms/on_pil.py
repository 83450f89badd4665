"""Image operations on PIL images, by Pillow's own means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polytensor as torch
from polytensor import Tensor

from ..pillow import is_pil_image, pillow
from . import on_tensors
from .modes import four_sides

__all__: list[str] = []

_DTYPES = {"I": torch.int32, "I;16": torch.int16, "F": torch.float32}
_PIL_DTYPES = {"I": torch.int32, "I;16": torch.uint16, "F": torch.float32}  # what Pillow itself says


def checked(img: Any) -> Any:
    if not is_pil_image(img):
        raise TypeError(f"img should be PIL Image. Got {type(img)}")
    return img


def dimensions(img: Any) -> list[int]:
    """[C, H, W]. TypeError for what is no image."""
    if not is_pil_image(img):
        raise TypeError(f"Unexpected type {type(img)}")
    return [len(img.getbands()), img.height, img.width]


def as_tensor(img: Any, pil_dtypes: bool = False) -> Tensor:
    """The pixels as (H, W, C) on the CPU; a memory of its own. Bilevel images give 0 and 1."""
    channels, height, width = dimensions(img)
    bilevel = img.mode == "1"
    raw = bytearray((img.convert("L") if bilevel else img).tobytes())
    dtype = (_PIL_DTYPES if pil_dtypes else _DTYPES).get(img.mode, torch.uint8)
    if not raw:
        return torch.empty((height, width, channels), dtype=dtype, device="cpu")
    out = torch.frombuffer(raw, dtype=dtype).view(height, width, channels)
    return out != 0 if bilevel else out


def planes(img: Any) -> Tensor:
    """The pixels as (C, H, W), contiguous, as as_tensor's otherwise. Pillow takes an image apart faster than a copy does."""
    channels, height, width = dimensions(img)
    if channels == 1 or not (height and width):
        return as_tensor(img).permute(2, 0, 1).contiguous()
    raw = bytearray().join([band.tobytes() for band in img.split()])
    return torch.frombuffer(raw, dtype=torch.uint8).view(channels, height, width)


def from_tensor(x: Tensor, mode: str) -> Any:
    """A PIL image of (H, W, C) or (H, W)."""
    return pillow().frombytes(mode, (x.shape[1], x.shape[0]), x.detach().cpu().contiguous().numpy().tobytes())


def _fill(fill: Any, img: Any, name: str = "fillcolor") -> dict[str, Any]:
    channels = len(img.getbands())
    fill = 0 if fill is None else fill
    if isinstance(fill, (int, float)) and channels > 1:
        fill = (fill,) * channels
    if isinstance(fill, (list, tuple)):
        if len(fill) == 1:
            fill = tuple(fill) * channels
        elif len(fill) != channels:
            raise ValueError(
                "The number of elements in 'fill' does not match the number of channels of the image "
                f"({len(fill)} != {channels})"
            )
        fill = tuple(fill) if img.mode == "F" else tuple(int(v) for v in fill)
        fill = fill[0] if channels == 1 else fill
    elif img.mode != "F":
        fill = int(fill)
    return {name: fill}


def hflip(img: Any) -> Any:
    return checked(img).transpose(pillow().Transpose.FLIP_LEFT_RIGHT)


def vflip(img: Any) -> Any:
    return checked(img).transpose(pillow().Transpose.FLIP_TOP_BOTTOM)


def crop(img: Any, top: int, left: int, height: int, width: int) -> Any:
    return checked(img).crop((left, top, left + width, top + height))


def pad(img: Any, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> Any:
    checked(img)
    if fill is not None and not isinstance(fill, (int, float, tuple, list)):
        raise TypeError("Got inappropriate fill arg")
    left, top, right, bottom = sides = four_sides(padding, padding_mode)
    palette = img.getpalette() if img.mode == "P" else None
    if padding_mode == "constant":
        out = pillow("ImageOps").expand(img, border=sides, **_fill(fill, img, "fill"))
    else:
        pixels = as_tensor(img)
        bilevel = pixels.dtype == torch.bool
        planes = (pixels.to(torch.uint8) * 255 if bilevel else pixels).permute(2, 0, 1)
        padded = on_tensors.pad(planes, [left, top, right, bottom], 0, padding_mode)
        out = from_tensor(padded.permute(1, 2, 0), "L" if bilevel else img.mode)
        out = out.convert("1", dither=0) if bilevel else out
    if palette is not None:
        out.putpalette(palette)
    return out


def resize(img: Any, size: Sequence[int], code: int) -> Any:
    return checked(img).resize((size[1], size[0]), code)


def _enhanced(name: str) -> Any:
    def adjust(img: Any, factor: float) -> Any:
        return getattr(pillow("ImageEnhance"), name)(checked(img)).enhance(factor)

    return adjust


adjust_brightness, adjust_contrast, adjust_saturation, adjust_sharpness = map(
    _enhanced, ("Brightness", "Contrast", "Color", "Sharpness")
)


def adjust_hue(img: Any, factor: float) -> Any:
    if not -0.5 <= factor <= 0.5:
        raise ValueError(f"hue_factor ({factor}) is not in [-0.5, 0.5].")
    if checked(img).mode in ("L", "1", "I", "F"):
        return img
    h, s, v = img.convert("HSV").split()
    shift = int(factor * 255)
    h = h.point([(i + shift) % 256 for i in range(256)])
    return pillow().merge("HSV", (h, s, v)).convert(img.mode)


def adjust_gamma(img: Any, gamma: float, gain: float = 1.0) -> Any:
    checked(img)
    if gamma < 0:
        raise ValueError("Gamma should be a non-negative real number")
    table = [int((256 - 1e-3) * gain * (i / 255.0) ** gamma) for i in range(256)]
    return img.convert("RGB").point(table * 3).convert(img.mode)


def affine(img: Any, matrix: Sequence[float], code: int, fill: Any = None) -> Any:
    return checked(img).transform(img.size, pillow().Transform.AFFINE, matrix, code, **_fill(fill, img))


def rotate(img: Any, angle: float, code: int, expand: bool = False, center: Any = None, fill: Any = None) -> Any:
    return checked(img).rotate(angle, code, expand, center, **_fill(fill, img))


def perspective(img: Any, coefficients: Sequence[float], code: int, fill: Any = None) -> Any:
    return checked(img).transform(img.size, pillow().Transform.PERSPECTIVE, coefficients, code, **_fill(fill, img))


def rgb_to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    if num_output_channels not in (1, 3):
        raise ValueError("num_output_channels should be either 1 or 3")
    grey = checked(img).convert("L")
    return grey if num_output_channels == 1 else pillow().merge("RGB", (grey, grey, grey))


def _by_pillow(name: str) -> Any:
    return lambda img, *args: getattr(pillow("ImageOps"), name)(checked(img), *args)


autocontrast, equalize, invert, posterize, solarize = map(
    _by_pillow, ("autocontrast", "equalize", "invert", "posterize", "solarize")
)
