"""Image files to tensors and back, by Pillow. Source: torchvision.io."""

from __future__ import annotations

import enum
import io
import os
import struct
from typing import Any

import polytensor as torch
from polytensor import Tensor

from .pillow import pillow
from .transforms.functional import pil_to_tensor, to_pil_image

__all__ = [
    "ImageReadMode", "decode_gif", "decode_image", "decode_jpeg", "decode_png", "decode_webp", "encode_jpeg", "encode_png", "read_file", "read_image",
    "write_file", "write_jpeg", "write_png",
]  # fmt: skip


class ImageReadMode(enum.Enum):
    """The channels that are wanted. Source: torchvision.io.ImageReadMode."""

    UNCHANGED = 0
    GRAY = 1
    GRAY_ALPHA = 2
    RGB = 3
    RGB_ALPHA = 4
    RGBA = 4


_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    struct.error,
)  # what Pillow raises
_PIL_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def _bytes(x: Any) -> Tensor:
    return torch.frombuffer(bytearray(x), dtype=torch.uint8) if x else torch.empty(0, dtype=torch.uint8, device="cpu")


def read_file(path: Any) -> Tensor:
    """A file's bytes (N,) as uint8. FileNotFoundError where there is none."""
    with open(path, "rb") as f:
        return _bytes(f.read())


def write_file(filename: Any, data: Tensor) -> None:
    """Write bytes (N,)."""
    with open(filename, "wb") as f:
        f.write(data.cpu().contiguous().numpy().tobytes())


def _gray16(x: Tensor, channels: int) -> Tensor:
    """Grey of 16 bits (1, H, W) with as many channels, which Pillow would cut off at 255; any alpha is full."""
    x = x.expand(3, -1, -1) if channels > 2 else x
    return x.contiguous() if channels % 2 else torch.cat([x, torch.full_like(x[:1], 65535)])


def _decode(raw: bytes, mode: Any, exif: bool, formats: Any = None, name: str = "") -> Tensor:
    mode = ImageReadMode[mode.upper()] if isinstance(mode, str) else mode
    image = pillow()
    try:
        img = image.open(io.BytesIO(raw), formats=formats)
        img.load()
        img = pillow("ImageOps").exif_transpose(img) if exif else img
    except image.UnidentifiedImageError:
        raise RuntimeError(
            f"The image{name} cannot be decoded: {len(raw)} bytes of no {'/'.join(formats or ['known'])} format"
        ) from None
    except (*_BROKEN, image.DecompressionBombError) as error:
        raise RuntimeError(f"The image{name} cannot be decoded: {error}") from error
    if mode is not ImageReadMode.UNCHANGED:
        if img.mode.startswith("I"):
            return _gray16(pil_to_tensor(img).to(torch.uint16), mode.value)
        img = img if img.mode == _PIL_MODES[mode.value] else img.convert(_PIL_MODES[mode.value])
    elif img.mode in ("P", "1", "CMYK"):
        img = img.convert("L" if img.mode == "1" else "RGBA" if "transparency" in img.info else "RGB")
    return pil_to_tensor(img).contiguous()


def decode_image(input: Any, mode: Any = ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False) -> Tensor:
    """The encoded bytes (N,), or the file of this path, as (C, H, W). RuntimeError for what is no image."""
    if not isinstance(input, Tensor):
        return read_image(input, mode, apply_exif_orientation)
    return _decode(input.cpu().numpy().tobytes(), mode, apply_exif_orientation)


def decode_png(input: Tensor, mode: Any = ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False) -> Tensor:
    """decode_image of a PNG alone."""
    return _decode(input.cpu().numpy().tobytes(), mode, apply_exif_orientation, ("PNG",))


def decode_jpeg(
    input: Any, mode: Any = ImageReadMode.UNCHANGED, device: Any = "cpu", apply_exif_orientation: bool = False
) -> Any:
    """decode_image of a JPEG, or of a list of them, to a device."""
    if isinstance(input, list):
        return [decode_jpeg(x, mode, device, apply_exif_orientation) for x in input]
    return _decode(input.cpu().numpy().tobytes(), mode, apply_exif_orientation, ("JPEG",)).to(device)


def decode_webp(input: Tensor, mode: Any = ImageReadMode.UNCHANGED) -> Tensor:
    """decode_image of a WebP."""
    return _decode(input.cpu().numpy().tobytes(), mode, False, ("WEBP",))


def decode_gif(input: Tensor) -> Tensor:
    """A GIF as uint8 (3, H, W), or (N, 3, H, W) of its N frames. RuntimeError for what is none."""
    raw = input.cpu().numpy().tobytes()
    image = pillow()
    try:
        with image.open(io.BytesIO(raw), formats=("GIF",)) as img:
            frames = [pil_to_tensor(f.convert("RGB")) for f in pillow("ImageSequence").Iterator(img)]
    except (*_BROKEN, image.DecompressionBombError) as error:
        raise RuntimeError(f"The image cannot be decoded: {error}") from error
    return frames[0].contiguous() if len(frames) == 1 else torch.stack(frames)


def read_image(path: Any, mode: Any = ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False) -> Tensor:
    """An image file as (C, H, W), uint8 (uint16 for 16-bit grey). RuntimeError for what is no image."""
    with open(os.fspath(path), "rb") as f:
        return _decode(f.read(), mode, apply_exif_orientation, name=f" {os.fspath(path)!r}")


def _encode(x: Tensor, kind: str, **options: Any) -> Tensor:
    if x.dtype != torch.uint8:
        raise RuntimeError(f"Input tensor dtype should be uint8, got {x.dtype}")
    if x.ndim != 3:
        raise RuntimeError(f"Input data should be a 3-dimensional tensor, got {x.ndim} dimensions")
    if x.shape[0] not in (1, 3):
        raise RuntimeError(f"The number of channels should be 1 or 3, got: {x.shape[0]}")
    out = io.BytesIO()
    to_pil_image(x).save(out, format=kind, **options)
    return _bytes(out.getvalue())


def encode_png(input: Tensor, compression_level: int = 6) -> Tensor:
    """A PNG's bytes of a uint8 image (1 or 3, H, W). RuntimeError for another."""
    if not 0 <= compression_level <= 9:
        raise RuntimeError("Compression level should be between 0 and 9")
    return _encode(input, "PNG", compress_level=compression_level)


def encode_jpeg(input: Any, quality: int = 75) -> Any:
    """A JPEG's bytes of a uint8 image (1 or 3, H, W), or a list of them. RuntimeError for another."""
    if quality < 1 or quality > 100:
        raise ValueError("Image quality should be a positive number between 1 and 100")
    if isinstance(input, list):
        if not input:
            raise ValueError("encode_jpeg requires at least one input tensor when a list is passed")
        return [encode_jpeg(x, quality) for x in input]
    return _encode(input, "JPEG", quality=quality)


def write_png(input: Tensor, filename: Any, compression_level: int = 6) -> None:
    """Write a PNG file."""
    write_file(filename, encode_png(input, compression_level))


def write_jpeg(input: Tensor, filename: Any, quality: int = 75) -> None:
    """Write a JPEG file."""
    write_file(filename, encode_jpeg(input, quality))
