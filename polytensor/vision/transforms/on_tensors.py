"""Image operations on tensors (..., C, H, W). Integer images are computed in float32 and rounded back."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import polytensor as torch
from polytensor import Tensor
from polytensor.nn import functional as nnf

from .modes import four_sides

__all__: list[str] = []

_BOUND = {
    torch.uint8: 255, torch.int8: 127, torch.int16: 2**15 - 1, torch.uint16: 2**16 - 1,
    torch.int32: 2**31 - 1, torch.int64: 2**63 - 1,
}  # fmt: skip


def bound(dtype: Any) -> int:
    """The value that means full intensity."""
    return _BOUND.get(dtype, 1)


def dimensions(img: Tensor) -> list[int]:
    """[C, H, W]; C is 1 for (H, W)."""
    if img.ndim < 2:
        raise TypeError("Tensor is not a torch image.")
    return [1 if img.ndim == 2 else img.shape[-3], *img.shape[-2:]]


def _colours(img: Tensor, least_dim: int = 2) -> int:
    channels = dimensions(img)[0]
    if img.ndim < least_dim:
        raise TypeError(f"Input image tensor should have at least {least_dim} dimensions, but found {img.ndim}")
    if channels not in (1, 3):
        raise TypeError(f"Input image tensor permitted channel values are [1, 3], but found {channels}")
    return channels


def _computed(img: Tensor, fn: Callable[[Tensor], Tensor], dtype: Any = None) -> Tensor:
    """fn on the image as a float batch (N, C, H, W), brought back to the image's shape and dtype."""
    kept = img.dtype
    want = dtype or (kept if kept in (torch.float32, torch.float64) else torch.float32)
    out = img if img.ndim >= 4 else img.unsqueeze(0)
    out = fn(out.to(want))
    if img.ndim < 4:
        out = out.squeeze(0)
    if kept != want:
        out = out.to(kept) if kept.is_floating_point else out.round().to(kept)
    return out


def convert_image_dtype(img: Tensor, dtype: Any) -> Tensor:
    have = img.dtype
    if have == dtype:
        return img
    if have.is_floating_point:
        if dtype.is_floating_point:
            return img.to(dtype)
        wide = (torch.int32, torch.int64) if have == torch.float32 else (torch.int64,) if have == torch.float64 else ()
        if dtype in wide:
            raise RuntimeError(f"The cast from {have} to {dtype} cannot be performed safely.")
        return img.mul(bound(dtype) + 1.0 - 1e-3).to(dtype)  # each integer gets an equal share of [0, 1]
    if dtype.is_floating_point:
        return img.to(dtype) / float(bound(have))
    if bound(have) > bound(dtype):
        return torch.div(img, (bound(have) + 1) // (bound(dtype) + 1), rounding_mode="floor").to(dtype)
    return img.to(dtype) * ((bound(dtype) + 1) // (bound(have) + 1))


def hflip(img: Tensor) -> Tensor:
    dimensions(img)
    return img.flip(-1)


def vflip(img: Tensor) -> Tensor:
    dimensions(img)
    return img.flip(-2)


def crop(img: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    _, h, w = dimensions(img)
    bottom, right = top + height, left + width
    inside = img[..., max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if left >= 0 and top >= 0 and right <= w and bottom <= h:
        return inside
    sides = (
        max(min(right, 0) - left, 0), max(right - max(w, left), 0),
        max(min(bottom, 0) - top, 0), max(bottom - max(h, top), 0),
    )  # fmt: skip
    return nnf.pad(inside, sides)


def pad(img: Tensor, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> Tensor:
    dimensions(img)
    fill = 0 if fill is None else fill
    if not isinstance(fill, (int, float)):
        raise TypeError("Got inappropriate fill arg")
    left, top, right, bottom = four_sides(padding, padding_mode)
    if padding_mode == "constant":
        return nnf.pad(img, (left, right, top, bottom), value=float(fill))
    if padding_mode == "symmetric":
        if img.ndim not in (3, 4):
            raise RuntimeError("Symmetric padding of N-D tensors are not supported yet")
        rows = _mirrored(img.shape[-2], top, bottom, img.device)
        return img[..., rows[:, None], _mirrored(img.shape[-1], left, right, img.device)[None, :]]
    mode = "replicate" if padding_mode == "edge" else padding_mode
    return _computed(img, lambda x: nnf.pad(x, (left, right, top, bottom), mode=mode))


def _mirrored(n: int, before: int, after: int, device: Any) -> Tensor:
    """Indices into an axis of n that continue it on both sides as in a mirror; negative sides cut."""
    index = [*range(before - 1, -1, -1), *range(max(-before, 0), n + min(after, 0)), *(n - 1 - i for i in range(after))]
    return torch.tensor(index, device=device)


def resize(img: Tensor, size: Sequence[int], mode: str, antialias: Any) -> Tensor:
    dimensions(img)
    smooth = mode in ("bilinear", "bicubic")
    out_of_range = mode == "bicubic" and img.dtype == torch.uint8

    def sample(x: Tensor) -> Tensor:
        corners = False if smooth else None
        y = nnf.interpolate(x, size=list(size), mode=mode, align_corners=corners, antialias=bool(antialias) and smooth)
        return y.clamp(0, 255) if out_of_range else y

    return _computed(img, sample)


def blend(a: Tensor, b: Tensor, ratio: float) -> Tensor:
    """ratio * a + (1 - ratio) * b within the dtype's range."""
    ratio = float(ratio)
    return (ratio * a + (1.0 - ratio) * b).clamp(0, bound(a.dtype)).to(a.dtype)


def _not_negative(name: str, value: float) -> None:
    if value < 0:
        raise ValueError(f"{name} ({value}) is not non-negative.")


def rgb_to_grayscale(img: Tensor, num_output_channels: int = 1) -> Tensor:
    channels = _colours(img, 3)
    if num_output_channels not in (1, 3):
        raise ValueError("num_output_channels should be either 1 or 3")
    if channels == 1:
        grey = img.clone()
    else:
        r, g, b = img.unbind(-3)
        grey = (0.2989 * r + 0.587 * g + 0.114 * b).to(img.dtype).unsqueeze(-3)
    return grey.expand(img.shape) if num_output_channels == 3 else grey


def adjust_brightness(img: Tensor, factor: float) -> Tensor:
    _not_negative("brightness_factor", factor)
    _colours(img)
    return blend(img, torch.zeros_like(img), factor)


def adjust_contrast(img: Tensor, factor: float) -> Tensor:
    _not_negative("contrast_factor", factor)
    grey = rgb_to_grayscale(img) if _colours(img) == 3 else img
    dtype = img.dtype if img.dtype.is_floating_point else torch.float32
    return blend(img, grey.to(dtype).mean(dim=(-3, -2, -1), keepdim=True), factor)


def adjust_saturation(img: Tensor, factor: float) -> Tensor:
    _not_negative("saturation_factor", factor)
    return img if _colours(img) == 1 else blend(img, rgb_to_grayscale(img), factor)


def adjust_hue(img: Tensor, factor: float) -> Tensor:
    if not -0.5 <= factor <= 0.5:
        raise ValueError(f"hue_factor ({factor}) is not in [-0.5, 0.5].")
    if _colours(img) == 1:
        return img
    rgb = convert_image_dtype(img, torch.float32)
    high, low = rgb.amax(-3), rgb.amin(-3)
    spread = high - low
    flat = spread == 0
    one = torch.ones_like(high)
    saturation = spread / torch.where(flat, one, high)
    r, g, b = ((high.unsqueeze(-3) - rgb) / torch.where(flat, one, spread).unsqueeze(-3)).unbind(-3)
    red, green, _ = (rgb == high.unsqueeze(-3)).unbind(-3)
    sixth = torch.where(red, b - g, torch.where(green, 2.0 + r - b, 4.0 + g - r))
    hue = (torch.fmod(sixth / 6.0 + 1.0, 1.0) + factor) % 1.0
    # back: each colour is a trapezoid of the hue
    sector = torch.floor(hue * 6.0)
    part = hue * 6.0 - sector
    p = (high * (1.0 - saturation)).clamp(0.0, 1.0)
    q = (high * (1.0 - saturation * part)).clamp(0.0, 1.0)
    t = (high * (1.0 - saturation * (1.0 - part))).clamp(0.0, 1.0)
    index = (sector.to(torch.int64) % 6).unsqueeze(0)
    faces = ((high, q, p, p, t, high), (t, high, high, q, p, p), (p, p, t, high, high, q))
    out = torch.stack([torch.stack(face).gather(0, index)[0] for face in faces], dim=-3)
    return convert_image_dtype(out, img.dtype)


def adjust_gamma(img: Tensor, gamma: float, gain: float = 1) -> Tensor:
    _colours(img)
    if gamma < 0:
        raise ValueError("Gamma should be a non-negative real number")
    x = img if img.dtype.is_floating_point else convert_image_dtype(img, torch.float32)
    return convert_image_dtype((gain * x.pow(gamma)).clamp(0, 1), img.dtype)


def _check_warp(img: Tensor, mode: str, fill: Any) -> None:
    channels = dimensions(img)[0]
    if fill is not None and not isinstance(fill, (int, float, tuple, list)):
        warnings.warn("Argument fill should be either int, float, tuple or list", stacklevel=4)
    if isinstance(fill, (tuple, list)) and len(fill) > 1 and len(fill) != channels:
        raise ValueError(
            "The number of elements in 'fill' cannot broadcast to match the number of channels of the image "
            f"({len(fill)} != {channels})"
        )
    if mode not in ("nearest", "bilinear"):
        raise ValueError(f"Interpolation mode '{mode}' is unsupported with Tensor input")


def _sampled(img: Tensor, grid: Tensor, mode: str, fill: Any) -> Tensor:
    """The image read at grid (1, OH, OW, 2) in [-1, 1]; what lies outside is `fill`."""

    def warp(x: Tensor) -> Tensor:
        where = grid.expand(x.shape[0], *grid.shape[1:])
        if fill is None:
            return nnf.grid_sample(x, where, mode=mode, padding_mode="zeros", align_corners=False)
        cover = torch.ones((x.shape[0], 1, *x.shape[2:]), dtype=x.dtype, device=x.device)
        y = nnf.grid_sample(torch.cat((x, cover), 1), where, mode=mode, padding_mode="zeros", align_corners=False)
        y, cover = y[:, :-1], y[:, -1:]
        values = list(fill) if isinstance(fill, (tuple, list)) else [float(fill)]
        colour = torch.tensor(values, dtype=x.dtype, device=x.device).view(1, -1, 1, 1)
        return torch.where(cover < 0.5, colour, y) if mode == "nearest" else y * cover + (1.0 - cover) * colour

    return _computed(img, warp, grid.dtype)


def _pixel_grid(first_x: float, first_y: float, w: int, h: int, dtype: Any, device: Any) -> Tensor:
    """(1, h * w, 3): x, y, 1 of each pixel's centre."""
    x = torch.linspace(first_x, first_x + w - 1, w, dtype=dtype, device=device).expand(h, w)
    y = torch.linspace(first_y, first_y + h - 1, h, dtype=dtype, device=device)[:, None].expand(h, w)
    return torch.stack((x, y, torch.ones_like(x)), -1).view(1, h * w, 3)


def _working_dtype(img: Tensor) -> Any:
    return img.dtype if img.dtype in (torch.float32, torch.float64) else torch.float32


def _affine_grid(img: Tensor, matrix: Sequence[float], ow: int, oh: int) -> Tensor:
    h, w = img.shape[-2:]
    kind: Any = {"dtype": _working_dtype(img), "device": img.device}
    theta = torch.tensor(list(matrix), **kind).view(1, 2, 3)
    scaled = theta.transpose(1, 2) / torch.tensor([0.5 * w, 0.5 * h], **kind)
    return _pixel_grid(0.5 - 0.5 * ow, 0.5 - 0.5 * oh, ow, oh, **kind).bmm(scaled).view(1, oh, ow, 2)


def affine(img: Tensor, matrix: Sequence[float], mode: str, fill: Any = None) -> Tensor:
    _check_warp(img, mode, fill)
    h, w = img.shape[-2:]
    return _sampled(img, _affine_grid(img, matrix, w, h), mode, fill)


def rotate(img: Tensor, matrix: Sequence[float], mode: str, expand: bool = False, fill: Any = None) -> Tensor:
    _check_warp(img, mode, fill)
    h, w = img.shape[-2:]
    ow, oh = rotated_size(matrix, w, h) if expand else (w, h)
    return _sampled(img, _affine_grid(img, matrix, ow, oh), mode, fill)


def rotated_size(matrix: Sequence[float], w: int, h: int) -> tuple[int, int]:
    """Width and height of the box around the turned image."""
    corners = torch.tensor([[x * w, y * h, 1.0] for x in (-0.5, 0.5) for y in (-0.5, 0.5)], device="cpu")
    turned = corners @ torch.tensor(list(matrix), device="cpu").view(2, 3).T
    shift = torch.tensor([0.5 * w, 0.5 * h], device="cpu")
    # an angle's rounding error must not add a pixel: cut to 1e-4 first
    ends = [((turned.amax(0) + shift) / 1e-4).trunc() * 1e-4, ((turned.amin(0) + shift) / 1e-4).trunc() * 1e-4]
    size = ends[0].ceil() - ends[1].floor()
    return int(size[0]), int(size[1])


def perspective(img: Tensor, coefficients: Sequence[float], mode: str, fill: Any = None) -> Tensor:
    _check_warp(img, mode, fill)
    h, w = img.shape[-2:]
    a, b, c, d, e, f, g, k = coefficients
    kind: Any = {"dtype": _working_dtype(img), "device": img.device}
    points = _pixel_grid(0.5, 0.5, w, h, **kind)
    above = torch.tensor([[a, d], [b, e], [c, f]], **kind) / torch.tensor([0.5 * w, 0.5 * h], **kind)
    below = torch.tensor([[g], [k], [1.0]], **kind)
    grid = points @ above / (points @ below) - 1.0
    return _sampled(img, grid.view(1, h, w, 2), mode, fill)


def elastic_transform(img: Tensor, displacement: Tensor, mode: str, fill: Any = None) -> Tensor:
    h, w = img.shape[-2:]
    x, y = (torch.linspace((1 - n) / n, (n - 1) / n, n, device=img.device) for n in (w, h))
    still = torch.stack((x.expand(h, w), y[:, None].expand(h, w)), -1)[None]
    return _sampled(img, still + displacement.to(img.device), mode, fill)


def _filtered(img: Tensor, kernel: Tensor, mirror: bool) -> Tensor:
    kh, kw = kernel.shape

    def run(x: Tensor) -> Tensor:
        if mirror:
            x = nnf.pad(x, (kw // 2, kw // 2, kh // 2, kh // 2), mode="reflect")
        c = x.shape[-3]
        return nnf.conv2d(x, kernel.expand(c, 1, kh, kw), groups=c)

    return _computed(img, run, kernel.dtype)


def gaussian_blur(img: Tensor, kernel_size: Sequence[int], sigma: Sequence[float]) -> Tensor:
    dimensions(img)
    bells = []
    for n, s in zip(kernel_size, sigma):
        half = (n - 1) * 0.5
        x = torch.linspace(-half, half, n, dtype=_working_dtype(img), device=img.device)
        bell = torch.exp(-0.5 * (x / s).pow(2))
        bells.append(bell / bell.sum())
    return _filtered(img, bells[1][:, None] * bells[0][None, :], mirror=True)


def invert(img: Tensor) -> Tensor:
    _colours(img, 3)
    return bound(img.dtype) - img


def _only_uint8(img: Tensor) -> None:
    if img.dtype != torch.uint8:
        raise TypeError(f"Only torch.uint8 image tensors are supported, but found {img.dtype}")


def posterize(img: Tensor, bits: int) -> Tensor:
    _only_uint8(img)
    _colours(img, 3)
    return img & (256 - 2 ** (8 - bits))


def solarize(img: Tensor, threshold: float) -> Tensor:
    _colours(img, 3)
    if threshold > bound(img.dtype):
        raise TypeError("Threshold should be less than bound of img.")
    return torch.where(img >= threshold, invert(img), img)


def adjust_sharpness(img: Tensor, factor: float) -> Tensor:
    _not_negative("sharpness_factor", factor)
    _colours(img)
    if min(img.shape[-2:]) <= 2:
        return img
    kernel = torch.ones((3, 3), dtype=_working_dtype(img), device=img.device)
    kernel[1, 1] = 5.0
    soft = img.clone()
    soft[..., 1:-1, 1:-1] = _filtered(img, kernel / 13.0, mirror=False)
    return blend(img, soft, factor)


def autocontrast(img: Tensor) -> Tensor:
    _colours(img, 3)
    dtype = img.dtype if img.dtype.is_floating_point else torch.float32
    low, high = (x.to(dtype) for x in (img.amin((-2, -1), keepdim=True), img.amax((-2, -1), keepdim=True)))
    scale = (high - low).reciprocal() * bound(img.dtype)
    good = torch.isfinite(scale)
    low, scale = torch.where(good, low, 0.0), torch.where(good, scale, 1.0)
    return ((img - low) * scale).clamp(0, bound(img.dtype)).to(img.dtype)


def equalize(img: Tensor) -> Tensor:
    if img.ndim not in (3, 4):
        raise TypeError(f"Input image tensor should have 3 or 4 dimensions, but found {img.ndim}")
    _only_uint8(img)
    _colours(img)
    planes = [_equalized(plane) for plane in img.reshape(-1, *img.shape[-2:])]
    return torch.stack(planes).view(img.shape)


def _equalized(plane: Tensor) -> Tensor:
    counts = torch.bincount(plane.reshape(-1).to(torch.int64), minlength=256)
    present = counts[counts != 0]
    step = int(present[:-1].sum()) // 255
    if step == 0:
        return plane
    table = (torch.cumsum(counts, 0) + step // 2) // step
    table = nnf.pad(table[:-1], (1, 0)).clamp(0, 255)
    return table[plane.to(torch.int64)].to(torch.uint8)


def _columns(mean: Any, std: Any, dtype: Any, device: Any) -> tuple[Tensor, Tensor]:
    """mean and std as (C, 1, 1). ValueError for a std of 0."""
    m, s = (torch.as_tensor(v, dtype=dtype, device=device) for v in (mean, std))
    if (s == 0).any():
        raise ValueError(f"std evaluated to zero after conversion to {dtype}, leading to division by zero.")
    m, s = (v.view(-1, 1, 1) if v.ndim == 1 else v for v in (m, s))
    return m, s


@lru_cache(64)
def _statistics(mean: tuple[Any, ...], std: tuple[Any, ...], dtype: Any, device: Any) -> tuple[Tensor, Tensor]:
    """_columns of numbers: made once, as it costs more than to normalize a small image."""
    with torch.inference_mode(False):
        return _columns(mean, std, dtype, device)


def normalize(img: Tensor, mean: Any, std: Any, inplace: bool = False) -> Tensor:
    dimensions(img)
    if not img.dtype.is_floating_point:
        raise TypeError(f"Input tensor should be a float tensor. Got {img.dtype}.")
    if img.ndim < 3:
        raise ValueError(
            f"Expected tensor to be a tensor image of size (..., C, H, W). Got tensor.size() = {img.size()}"
        )
    plain = isinstance(mean, (list, tuple)) and isinstance(std, (list, tuple))
    if plain and all(isinstance(v, (int, float)) for v in (*mean, *std)):
        m, s = _statistics(tuple(mean), tuple(std), img.dtype, img.device)
    else:
        m, s = _columns(mean, std, img.dtype, img.device)
    return img.sub_(m).div_(s) if inplace else (img - m).div_(s)


def erase(img: Tensor, i: int, j: int, h: int, w: int, v: Any, inplace: bool = False) -> Tensor:
    dimensions(img)
    img = img if inplace else img.clone()
    img[..., i : i + h, j : j + w] = v
    return img
