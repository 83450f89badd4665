"""Image operations on PIL images and tensors (..., C, H, W) alike. Source: torchvision.transforms.functional."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from numbers import Number
from typing import Any

import polytensor as torch
from polytensor import Tensor

from ..pillow import is_pil_image
from . import on_pil, on_tensors
from .modes import InterpolationMode, as_mode, pair, pil_code

__all__ = [
    "InterpolationMode", "adjust_brightness", "adjust_contrast", "adjust_gamma", "adjust_hue", "adjust_saturation",
    "adjust_sharpness", "affine", "autocontrast", "center_crop", "convert_image_dtype", "crop", "elastic_transform",
    "equalize", "erase", "five_crop", "gaussian_blur", "get_dimensions", "get_image_num_channels", "get_image_size",
    "hflip", "invert", "normalize", "pad", "perspective", "pil_to_tensor", "posterize", "resize", "resized_crop",
    "rgb_to_grayscale", "rotate", "solarize", "ten_crop", "to_grayscale", "to_pil_image", "to_tensor", "vflip",
]  # fmt: skip

NEAREST, BILINEAR = InterpolationMode.NEAREST, InterpolationMode.BILINEAR


def _for(img: Any) -> Any:
    return getattr(img, "kernels", on_tensors) if isinstance(img, Tensor) else on_pil


def get_dimensions(img: Any) -> list[int]:
    """[channels, height, width]."""
    return _for(img).dimensions(img)  # type: ignore[no-any-return]


def get_image_size(img: Any) -> list[int]:
    """[width, height]."""
    return get_dimensions(img)[:0:-1]


def get_image_num_channels(img: Any) -> int:
    """The number of channels."""
    return get_dimensions(img)[0]


def to_tensor(pic: Any) -> Tensor:
    """A PIL image or ndarray (H, W, C) as a tensor (C, H, W); uint8 becomes float in [0, 1]. TypeError otherwise."""
    if is_pil_image(pic):
        x = on_pil.planes(pic)
        x = x.to(torch.uint8) * 255 if x.dtype == torch.bool else x
    elif hasattr(pic, "__array_interface__") and not isinstance(pic, Tensor):
        if pic.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
        x = torch.from_numpy(pic if pic.ndim == 3 else pic[:, :, None]).permute(2, 0, 1).contiguous()
    else:
        raise TypeError(f"pic should be PIL Image or ndarray. Got {type(pic)}")
    return x / 255 if x.dtype == torch.uint8 else x


def pil_to_tensor(pic: Any) -> Tensor:
    """A PIL image as a tensor (C, H, W) of the pixels' own dtype. TypeError for anything else."""
    if not is_pil_image(pic):
        raise TypeError(f"pic should be PIL Image. Got {type(pic)}")
    return on_pil.as_tensor(pic, pil_dtypes=True).permute(2, 0, 1)


_MODES: dict[int, tuple[str, ...]] = {2: ("LA",), 3: ("RGB", "YCbCr", "HSV"), 4: ("RGBA", "CMYK", "RGBX")}
_GREY_MODES = {torch.uint8: "L", torch.int16: "I;16", torch.int32: "I", torch.float32: "F"}


def to_pil_image(pic: Any, mode: str | None = None) -> Any:
    """A tensor (C, H, W) or ndarray (H, W, C), or (H, W), as a PIL image. Floats in [0, 1] become uint8.

    TypeError for another type or dtype, ValueError for a wrong shape or mode.
    """
    if isinstance(pic, Tensor):
        x = pic.detach().cpu()
        x = x.permute(1, 2, 0) if x.ndim == 3 else x
    elif hasattr(pic, "__array_interface__"):
        x = torch.from_numpy(pic)
    else:
        raise TypeError(f"pic should be Tensor or ndarray. Got {type(pic)}.")
    x = x.unsqueeze(2) if x.ndim == 2 else x
    if x.ndim != 3:
        raise ValueError(f"pic should be 2/3 dimensional. Got {x.ndim} dimensions.")
    channels = x.shape[2]
    if channels > 4:
        raise ValueError(f"pic should not have > 4 channels. Got {channels} channels.")
    if x.dtype.is_floating_point and mode != "F":
        x = (x * 255).to(torch.uint8)
    if channels == 1:
        expected = _GREY_MODES.get(x.dtype)
        if mode is not None and mode != expected:
            raise ValueError(f"Incorrect mode ({mode}) supplied for input type {x.dtype}. Should be {expected}")
        mode = expected
    else:
        allowed = _MODES[channels]
        if mode is not None and mode not in allowed:
            raise ValueError(f"Only modes {list(allowed)} are supported for {channels}D inputs")
        if mode is None and x.dtype == torch.uint8:
            mode = allowed[0]
    if mode is None:
        raise TypeError(f"Input type {x.dtype} is not supported")
    return on_pil.from_tensor(x, mode)


def convert_image_dtype(image: Tensor, dtype: Any = torch.float32) -> Tensor:
    """Another dtype, the values scaled to its range. RuntimeError where that loses (float32 to int32)."""
    if not isinstance(image, Tensor):
        raise TypeError("Input img should be Tensor Image")
    return on_tensors.convert_image_dtype(image, dtype)


def _tensor_only(img: Any) -> Tensor:
    if not isinstance(img, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(img)}")
    return img


def normalize(tensor: Tensor, mean: Any, std: Any, inplace: bool = False) -> Tensor:
    """(x - mean[c]) / std[c] of a float tensor."""
    return on_tensors.normalize(_tensor_only(tensor), mean, std, inplace)


def erase(img: Tensor, i: int, j: int, h: int, w: int, v: Any, inplace: bool = False) -> Tensor:
    """Write v over the rectangle at row i, column j."""
    return on_tensors.erase(_tensor_only(img), i, j, h, w, v, inplace)


def _resized(h: int, w: int, size: Any, max_size: int | None) -> list[int]:
    """[h, w] after a resize to `size`: both, or the shorter edge (the longer one at most max_size)."""
    if not isinstance(size, int) and len(size) == 2:
        return list(size)
    want = size if isinstance(size, int) else size[0]
    short, long = min(h, w), max(h, w)
    a, b = want, int(want * long / short)
    if max_size is not None:
        if max_size <= want:
            raise ValueError(
                f"max_size = {max_size} must be strictly greater than the requested size for the smaller edge size = {[want]}"
            )
        if b > max_size:
            a, b = int(max_size * a / b), max_size
    return [b, a] if w <= h else [a, b]


def resize(
    img: Any,
    size: Any,
    interpolation: Any = BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Any:
    """Resize to (h, w), or so that the shorter edge is `size`. PIL images are always resampled with antialiasing."""
    mode = as_mode(interpolation)
    if isinstance(size, (list, tuple)):
        if len(size) not in (1, 2):
            raise ValueError(
                f"Size must be an int or a 1 or 2 element tuple/list, not a {len(size)} element tuple/list"
            )
        if max_size is not None and len(size) != 1:
            raise ValueError(
                "max_size should only be passed if size specifies the length of the smaller edge, i.e. size should be an "
                "int or a sequence of length 1 in torchscript mode."
            )
    _, h, w = get_dimensions(img)
    want = _resized(h, w, size, max_size)
    if want == [h, w]:
        return img
    if isinstance(img, Tensor):
        return _for(img).resize(img, want, mode.value, antialias)
    if antialias is False:
        warnings.warn(
            "Anti-alias option is always applied for PIL Image input. Argument antialias is ignored.", stacklevel=2
        )
    return on_pil.resize(img, want, pil_code(mode))


def pad(img: Any, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> Any:
    """Add `padding` (all, [x, y] or [left, top, right, bottom]) by constant, edge, reflect or symmetric values."""
    return _for(img).pad(img, padding, fill, padding_mode)


def crop(img: Any, top: int, left: int, height: int, width: int) -> Any:
    """The rectangle at (top, left); zeros where it leaves the image."""
    return _for(img).crop(img, top, left, height, width)


def center_crop(img: Any, output_size: Any) -> Any:
    """The middle (h, w) of the image, with zeros around a smaller one."""
    ch, cw = pair(output_size)
    _, h, w = get_dimensions(img)
    if cw > w or ch > h:
        dx, dy = max(cw - w, 0), max(ch - h, 0)
        img = pad(img, [dx // 2, dy // 2, (dx + 1) // 2, (dy + 1) // 2])
        _, h, w = get_dimensions(img)
        if (ch, cw) == (h, w):
            return img
    return crop(img, int(round((h - ch) / 2.0)), int(round((w - cw) / 2.0)), ch, cw)


def resized_crop(
    img: Any,
    top: int,
    left: int,
    height: int,
    width: int,
    size: Any,
    interpolation: Any = BILINEAR,
    antialias: bool | None = True,
) -> Any:
    """crop, then resize."""
    return resize(crop(img, top, left, height, width), size, interpolation, antialias=antialias)


def hflip(img: Any) -> Any:
    """Left for right."""
    return _for(img).hflip(img)


def vflip(img: Any) -> Any:
    """Top for bottom."""
    return _for(img).vflip(img)


def five_crop(img: Any, size: Any) -> tuple[Any, ...]:
    """The crops at the four corners and in the middle."""
    ch, cw = size = pair(size)
    _, h, w = get_dimensions(img)
    if cw > w or ch > h:
        raise ValueError(f"Requested crop size {size} is bigger than input size {(h, w)}")
    corners = [(0, 0), (0, w - cw), (h - ch, 0), (h - ch, w - cw)]
    return (*(crop(img, y, x, ch, cw) for y, x in corners), center_crop(img, [ch, cw]))


def ten_crop(img: Any, size: Any, vertical_flip: bool = False) -> tuple[Any, ...]:
    """five_crop of the image and of its mirror image."""
    return five_crop(img, size) + five_crop(vflip(img) if vertical_flip else hflip(img), size)


def adjust_brightness(img: Any, brightness_factor: float) -> Any:
    """0 gives black, 1 the image."""
    return _for(img).adjust_brightness(img, brightness_factor)


def adjust_contrast(img: Any, contrast_factor: float) -> Any:
    """0 gives its mean grey, 1 the image."""
    return _for(img).adjust_contrast(img, contrast_factor)


def adjust_saturation(img: Any, saturation_factor: float) -> Any:
    """0 gives grey, 1 the image."""
    return _for(img).adjust_saturation(img, saturation_factor)


def adjust_hue(img: Any, hue_factor: float) -> Any:
    """Turn the hue by a fraction of the circle, in [-0.5, 0.5]."""
    return _for(img).adjust_hue(img, hue_factor)


def adjust_gamma(img: Any, gamma: float, gain: float = 1) -> Any:
    """gain * x ** gamma, of values in [0, 1]."""
    return _for(img).adjust_gamma(img, gamma, gain)


def adjust_sharpness(img: Any, sharpness_factor: float) -> Any:
    """0 gives a blurred image, 1 the image, 2 a sharper one."""
    return _for(img).adjust_sharpness(img, sharpness_factor)


def _inverse_affine(
    center: Sequence[float], angle: float, shift: Sequence[float], scale: float, shear: Any
) -> list[float]:
    """Where an output pixel comes from: the inverse of shift * centre * turn, scale, shear * centre^-1, as 6 numbers."""
    turn, sx, sy = (math.radians(v) for v in (angle, *shear))
    a = math.cos(turn - sy) / math.cos(sy)
    b = -a * math.tan(sx) - math.sin(turn)
    c = math.sin(turn - sy) / math.cos(sy)
    d = -c * math.tan(sx) + math.cos(turn)
    rows = ((d / scale, -b / scale), (-c / scale, a / scale))  # the 2x2 part has determinant scale ** 2
    x, y = -center[0] - shift[0], -center[1] - shift[1]
    return [v for (p, q), middle in zip(rows, center) for v in (p, q, p * x + q * y + middle)]


def _from_middle(img: Any, center: Any) -> list[float]:
    """A centre in pixels as an offset from the image's middle."""
    _, h, w = get_dimensions(img)
    return [0.0, 0.0] if center is None else [center[0] - 0.5 * w, center[1] - 0.5 * h]


def _check_center(center: Any) -> None:
    if center is not None and not isinstance(center, (list, tuple)):
        raise TypeError("Argument center should be a sequence")


def rotate(
    img: Any,
    angle: float,
    interpolation: Any = NEAREST,
    expand: bool = False,
    center: Any = None,
    fill: Any = None,
) -> Any:
    """Turn by `angle` degrees, counter-clockwise; with expand=True the result holds the whole turned image."""
    mode = as_mode(interpolation)
    if not isinstance(angle, (int, float)):
        raise TypeError("Argument angle should be int or float")
    _check_center(center)
    if not isinstance(img, Tensor):
        return on_pil.rotate(img, angle, pil_code(mode), expand, center, fill)
    matrix = _inverse_affine(_from_middle(img, center), -angle, [0.0, 0.0], 1.0, [0.0, 0.0])
    return _for(img).rotate(img, matrix, mode.value, expand, fill)


def affine(
    img: Any,
    angle: float,
    translate: Any,
    scale: float,
    shear: Any,
    interpolation: Any = NEAREST,
    fill: Any = None,
    center: Any = None,
) -> Any:
    """Turn (degrees, clockwise), move (pixels), scale and shear (degrees) about the centre."""
    mode = as_mode(interpolation)
    if not isinstance(angle, (int, float)):
        raise TypeError("Argument angle should be int or float")
    if not isinstance(translate, (list, tuple)):
        raise TypeError("Argument translate should be a sequence")
    if len(translate) != 2:
        raise ValueError("Argument translate should be a sequence of length 2")
    if scale <= 0.0:
        raise ValueError("Argument scale should be positive")
    if not isinstance(shear, (Number, list, tuple)):
        raise TypeError("Shear should be either a single value or a sequence of two values")
    shear = [shear, 0.0] if isinstance(shear, Number) else list(shear) * (2 if len(shear) == 1 else 1)
    if len(shear) != 2:
        raise ValueError(f"Shear should be a sequence containing two values. Got {shear}")
    _check_center(center)
    if isinstance(img, Tensor):
        matrix = _inverse_affine(_from_middle(img, center), angle, translate, scale, shear)
        return _for(img).affine(img, matrix, mode.value, fill)
    _, h, w = get_dimensions(img)
    middle = [w * 0.5, h * 0.5] if center is None else center
    return on_pil.affine(img, _inverse_affine(middle, angle, translate, scale, shear), pil_code(mode), fill)


def perspective(img: Any, startpoints: Any, endpoints: Any, interpolation: Any = BILINEAR, fill: Any = None) -> Any:
    """The projection that takes four corners to four others."""
    if len(startpoints) != 4 or len(endpoints) != 4:
        raise ValueError(
            f"Please provide exactly four corners, got {len(startpoints)} startpoints and {len(endpoints)} endpoints."
        )
    mode = as_mode(interpolation)
    rows, values = [], []
    for (u, v), (x, y) in zip(startpoints, endpoints):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    kind: Any = {"dtype": torch.float64, "device": "cpu"}
    coefficients = (
        torch.linalg.solve(torch.tensor(rows, **kind), torch.tensor(values, **kind)).to(torch.float32).tolist()
    )
    if isinstance(img, Tensor):
        return _for(img).perspective(img, coefficients, mode.value, fill)
    return on_pil.perspective(img, coefficients, pil_code(mode), fill)


def elastic_transform(img: Any, displacement: Tensor, interpolation: Any = BILINEAR, fill: Any = None) -> Any:
    """Read each pixel from a place moved by displacement (1, H, W, 2), in units of half the image."""
    mode = as_mode(interpolation)
    if not isinstance(displacement, Tensor):
        raise TypeError("Argument displacement should be a Tensor")
    x = img if isinstance(img, Tensor) else pil_to_tensor(img)
    shape = (1, *get_dimensions(x)[1:], 2)
    if shape != tuple(displacement.shape):
        raise ValueError(f"Argument displacement shape should be {shape}, but given {displacement.shape}")
    out = _for(x).elastic_transform(x, displacement, mode.value, fill)
    return out if isinstance(img, Tensor) else to_pil_image(out, img.mode)


def rgb_to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """Grey with 1 or 3 equal channels."""
    return _for(img).rgb_to_grayscale(img, num_output_channels)


def to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """rgb_to_grayscale of a PIL image."""
    if not is_pil_image(img):
        raise TypeError("Input should be PIL Image")
    return on_pil.rgb_to_grayscale(img, num_output_channels)


def gaussian_blur(img: Any, kernel_size: Any, sigma: Any = None) -> Any:
    """Blur by a Gaussian of sigma pixels (x, y), cut to kernel_size."""
    if not isinstance(kernel_size, (int, list, tuple)):
        raise TypeError(f"kernel_size should be int or a sequence of integers. Got {type(kernel_size)}")
    kernel_size = [kernel_size] * 2 if isinstance(kernel_size, int) else list(kernel_size)
    if len(kernel_size) != 2:
        raise ValueError(f"If kernel_size is a sequence its length should be 2. Got {len(kernel_size)}")
    if any(n % 2 == 0 or n < 0 for n in kernel_size):
        raise ValueError(f"kernel_size should have odd and positive integers. Got {kernel_size}")
    if sigma is None:
        sigma = [n * 0.15 + 0.35 for n in kernel_size]
    if not isinstance(sigma, (int, float, list, tuple)):
        raise TypeError(f"sigma should be either float or sequence of floats. Got {type(sigma)}")
    sigma = [float(sigma)] * 2 if isinstance(sigma, (int, float)) else list(sigma) * (2 if len(sigma) == 1 else 1)
    if len(sigma) != 2:
        raise ValueError(f"If sigma is a sequence, its length should be 2. Got {len(sigma)}")
    if any(s <= 0.0 for s in sigma):
        raise ValueError(f"sigma should have positive values. Got {sigma}")
    if isinstance(img, Tensor):
        return on_tensors.gaussian_blur(img, kernel_size, sigma)
    if not is_pil_image(img):
        raise TypeError(f"img should be PIL Image or Tensor. Got {type(img)}")
    return to_pil_image(on_tensors.gaussian_blur(pil_to_tensor(img), kernel_size, sigma), img.mode)


def invert(img: Any) -> Any:
    """The negative."""
    return _for(img).invert(img)


def posterize(img: Any, bits: int) -> Any:
    """Keep the highest `bits` bits of each value."""
    if not 0 <= bits <= 8:
        raise ValueError(f"The number if bits should be between 0 and 8. Got {bits}")
    return _for(img).posterize(img, bits)


def solarize(img: Any, threshold: float) -> Any:
    """Invert the values from `threshold` on."""
    return _for(img).solarize(img, threshold)


def autocontrast(img: Any) -> Any:
    """Stretch each channel to the full range."""
    return _for(img).autocontrast(img)


def equalize(img: Any) -> Any:
    """Spread each channel's values evenly."""
    return _for(img).equalize(img)
