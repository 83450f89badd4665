"""Transforms of an image's shape: sizes, crops, flips, turns. Source: torchvision.transforms."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Number
from typing import Any

import polytensor as torch
from polytensor import Tensor

from . import functional as F
from .bases import Transform, WithProbability, check_fill, check_ranges, draw_box, fill_for
from .draws import below, uniform
from .modes import InterpolationMode, as_mode, pair

__all__ = [
    "CenterCrop", "ElasticTransform", "FiveCrop", "Pad", "RandomAffine", "RandomCrop", "RandomHorizontalFlip",
    "RandomPerspective", "RandomResizedCrop", "RandomRotation", "RandomVerticalFlip", "Resize", "TenCrop",
]  # fmt: skip

NEAREST, BILINEAR = InterpolationMode.NEAREST, InterpolationMode.BILINEAR


class Resize(Transform):
    """Resize to (h, w), or so that the shorter edge is `size`."""

    _shown = ("size", "interpolation", "max_size", "antialias")

    def __init__(
        self, size: Any, interpolation: Any = BILINEAR, max_size: int | None = None, antialias: bool | None = True
    ) -> None:
        super().__init__()
        if not isinstance(size, (int, Sequence)):
            raise TypeError(f"Size should be int or sequence. Got {type(size)}")
        if isinstance(size, Sequence) and len(size) not in (1, 2):
            raise ValueError("If size is a sequence, it should have 1 or 2 values")
        self.size, self.max_size, self.antialias = size, max_size, antialias
        self.interpolation = as_mode(interpolation)

    def forward(self, img: Any) -> Any:
        return F.resize(img, self.size, self.interpolation, self.max_size, self.antialias)


class CenterCrop(Transform):
    """The middle (h, w)."""

    _shown = ("size",)

    def __init__(self, size: Any) -> None:
        super().__init__()
        self.size = pair(size)

    def forward(self, img: Any) -> Any:
        return F.center_crop(img, self.size)


class FiveCrop(CenterCrop):
    """The crops at the corners and in the middle, as a tuple."""

    def forward(self, img: Any) -> Any:
        return F.five_crop(img, self.size)


class TenCrop(CenterCrop):
    """FiveCrop of the image and of its mirror image."""

    _shown = ("size", "vertical_flip")

    def __init__(self, size: Any, vertical_flip: bool = False) -> None:
        super().__init__(size)
        self.vertical_flip = vertical_flip

    def forward(self, img: Any) -> Any:
        return F.ten_crop(img, self.size, self.vertical_flip)


class Pad(Transform):
    """Add `padding` (all, (x, y) or (left, top, right, bottom))."""

    _shown = ("padding", "fill", "padding_mode")

    def __init__(self, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> None:
        super().__init__()
        if not isinstance(padding, (Number, tuple, list)):
            raise TypeError("Got inappropriate padding arg")
        if not isinstance(fill, (Number, tuple, list)):
            raise TypeError("Got inappropriate fill arg")
        if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
            raise ValueError("Padding mode should be either constant, edge, reflect or symmetric")
        if isinstance(padding, Sequence) and len(padding) not in (1, 2, 4):
            raise ValueError(
                f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(padding)} element tuple"
            )
        self.padding, self.fill, self.padding_mode = padding, fill, padding_mode

    def forward(self, img: Any) -> Any:
        return F.pad(img, self.padding, self.fill, self.padding_mode)


class RandomCrop(Transform):
    """A rectangle of (h, w) somewhere in the image, padded before if wanted. ValueError if it does not fit."""

    _shown = ("size", "padding")

    def __init__(
        self,
        size: Any,
        padding: Any = None,
        pad_if_needed: bool = False,
        fill: Any = 0,
        padding_mode: str = "constant",
    ) -> None:
        super().__init__()
        self.size = tuple(pair(size))
        self.padding, self.pad_if_needed, self.fill, self.padding_mode = padding, pad_if_needed, fill, padding_mode

    @staticmethod
    def get_params(img: Any, output_size: Any) -> tuple[int, int, int, int]:
        """top, left, height, width."""
        _, h, w = F.get_dimensions(img)
        th, tw = output_size
        if h < th or w < tw:
            raise ValueError(f"Required crop size {(th, tw)} is larger than input image size {(h, w)}")
        if (h, w) == (th, tw):
            return 0, 0, h, w
        return below(h - th + 1), below(w - tw + 1), th, tw

    def forward(self, img: Any) -> Any:
        if self.padding is not None:
            img = F.pad(img, self.padding, self.fill, self.padding_mode)
        if self.pad_if_needed:
            _, h, w = F.get_dimensions(img)
            for missing in ([self.size[1] - w, 0], [0, self.size[0] - h]):
                if max(missing) > 0:
                    img = F.pad(img, missing, self.fill, self.padding_mode)
        return F.crop(img, *self.get_params(img, self.size))


class RandomResizedCrop(Transform):
    """A rectangle of a share `scale` of the area and a width/height in `ratio`, resized to `size`."""

    def __init__(
        self,
        size: Any,
        scale: Any = (0.08, 1.0),
        ratio: Any = (3.0 / 4.0, 4.0 / 3.0),
        interpolation: Any = BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.size = pair(size)
        check_ranges(scale, ratio)
        self.scale, self.ratio, self.antialias = scale, ratio, antialias
        self.interpolation = as_mode(interpolation)

    @staticmethod
    def get_params(img: Any, scale: Any, ratio: Any) -> tuple[int, int, int, int]:
        """top, left, height, width; the middle of the image where ten tries do not fit."""
        _, height, width = F.get_dimensions(img)
        for _ in range(10):
            h, w = draw_box(height * width, scale, ratio, wide=True)
            if 0 < w <= width and 0 < h <= height:
                return below(height - h + 1), below(width - w + 1), h, w
        h, w = height, width
        if width / height < min(ratio):
            h = int(round(width / min(ratio)))
        elif width / height > max(ratio):
            w = int(round(height * max(ratio)))
        return (height - h) // 2, (width - w) // 2, h, w

    def forward(self, img: Any) -> Any:
        box = self.get_params(img, self.scale, self.ratio)
        return F.resized_crop(img, *box, self.size, self.interpolation, antialias=self.antialias)

    def __repr__(self) -> str:
        scale, ratio = (tuple(round(v, 4) for v in pair_) for pair_ in (self.scale, self.ratio))
        return (
            f"{type(self).__name__}(size={self.size}, scale={scale}, ratio={ratio}, "
            f"interpolation={self.interpolation.value}, antialias={self.antialias})"
        )


class RandomHorizontalFlip(WithProbability):
    """Left for right."""

    def apply(self, img: Any) -> Any:
        return F.hflip(img)


class RandomVerticalFlip(WithProbability):
    """Top for bottom."""

    def apply(self, img: Any) -> Any:
        return F.vflip(img)


class RandomPerspective(WithProbability):
    """Move the four corners inwards, at most by distortion_scale of half the image."""

    def __init__(
        self, distortion_scale: float = 0.5, p: float = 0.5, interpolation: Any = BILINEAR, fill: Any = 0
    ) -> None:
        super().__init__(p)
        self.distortion_scale, self.interpolation = distortion_scale, as_mode(interpolation)
        self.fill = check_fill(fill)

    @staticmethod
    def get_params(width: int, height: int, distortion_scale: float) -> tuple[list[list[int]], list[list[int]]]:
        """The corners, and where they go."""
        dx, dy = (int(distortion_scale * (n // 2)) for n in (width, height))
        corners = [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]]
        moved = [
            [below(dx + 1) if x == 0 else below(width, width - dx - 1),
             below(dy + 1) if y == 0 else below(height, height - dy - 1)]
            for x, y in corners
        ]  # fmt: skip
        return corners, moved

    def apply(self, img: Any) -> Any:
        _, height, width = F.get_dimensions(img)
        corners, moved = self.get_params(width, height, self.distortion_scale)
        return F.perspective(img, corners, moved, self.interpolation, fill_for(img, self.fill))


def _check_length(x: Any, name: str, sizes: tuple[int, ...]) -> None:
    message = f"{name} should be a sequence of length {' or '.join(str(s) for s in sizes)}."
    if not isinstance(x, Sequence):
        raise TypeError(message)
    if len(x) not in sizes:
        raise ValueError(message)


def _angles(x: Any, name: str, sizes: tuple[int, ...] = (2,)) -> list[float]:
    if isinstance(x, Number):
        if x < 0:  # type: ignore[operator]
            raise ValueError(f"If {name} is a single number, it must be positive.")
        x = [-x, x]  # type: ignore[operator]
    else:
        _check_length(x, name, sizes)
    return [float(d) for d in x]


class RandomRotation(Transform):
    """Turn by an angle in `degrees` (a number d means -d to d)."""

    def __init__(
        self, degrees: Any, interpolation: Any = NEAREST, expand: bool = False, center: Any = None, fill: Any = 0
    ) -> None:
        super().__init__()
        self.degrees, self.interpolation = _angles(degrees, "degrees"), as_mode(interpolation)
        if center is not None:
            _check_length(center, "center", (2,))
        self.center, self.expand, self.fill = center, expand, check_fill(fill)

    @staticmethod
    def get_params(degrees: Any) -> float:
        """The angle."""
        return uniform(degrees[0], degrees[1])

    def forward(self, img: Any) -> Any:
        fill = fill_for(img, self.fill)
        return F.rotate(img, self.get_params(self.degrees), self.interpolation, self.expand, self.center, fill)

    def __repr__(self) -> str:
        center = "" if self.center is None else f", center={self.center}"
        head = f"{type(self).__name__}(degrees={self.degrees}, interpolation={self.interpolation.value}"
        return f"{head}, expand={self.expand}{center}, fill={self.fill})"


class RandomAffine(Transform):
    """Turn, move, scale and shear by random amounts about the centre."""

    def __init__(
        self,
        degrees: Any,
        translate: Any = None,
        scale: Any = None,
        shear: Any = None,
        interpolation: Any = NEAREST,
        fill: Any = 0,
        center: Any = None,
    ) -> None:
        super().__init__()
        self.degrees, self.interpolation = _angles(degrees, "degrees"), as_mode(interpolation)
        if translate is not None:
            _check_length(translate, "translate", (2,))
            if not all(0.0 <= t <= 1.0 for t in translate):
                raise ValueError("translation values should be between 0 and 1")
        if scale is not None:
            _check_length(scale, "scale", (2,))
            if any(s <= 0 for s in scale):
                raise ValueError("scale values should be positive")
        if center is not None:
            _check_length(center, "center", (2,))
        self.translate, self.scale, self.center, self.fill = translate, scale, center, check_fill(fill)
        self.shear = None if shear is None else _angles(shear, "shear", (2, 4))

    @staticmethod
    def get_params(
        degrees: Any, translate: Any, scale_ranges: Any, shears: Any, img_size: Any
    ) -> tuple[float, tuple[int, int], float, tuple[float, float]]:
        """angle, (dx, dy), scale, (shear x, shear y); img_size is (width, height)."""
        angle = uniform(degrees[0], degrees[1])
        move = (0, 0)
        if translate is not None:
            dx, dy = (float(t * n) for t, n in zip(translate, img_size))
            move = (int(round(uniform(-dx, dx))), int(round(uniform(-dy, dy))))
        scale = 1.0 if scale_ranges is None else uniform(scale_ranges[0], scale_ranges[1])
        shear_x = 0.0 if shears is None else uniform(shears[0], shears[1])
        shear_y = 0.0 if shears is None or len(shears) < 4 else uniform(shears[2], shears[3])
        return angle, move, scale, (shear_x, shear_y)

    def forward(self, img: Any) -> Any:
        _, height, width = F.get_dimensions(img)
        drawn = self.get_params(self.degrees, self.translate, self.scale, self.shear, [width, height])
        fill = fill_for(img, self.fill)
        return F.affine(img, *drawn, interpolation=self.interpolation, fill=fill, center=self.center)

    def __repr__(self) -> str:
        usual = {"translate": None, "scale": None, "shear": None, "interpolation": NEAREST, "fill": 0, "center": None}
        changed = ((n, getattr(self, n)) for n, u in usual.items() if getattr(self, n) != u)
        parts = "".join(f", {n}={getattr(v, 'value', v)}" for n, v in changed)
        return f"{type(self).__name__}(degrees={self.degrees}{parts})"


class ElasticTransform(Transform):
    """Move each pixel by smooth random amounts: alpha is their size, sigma their smoothness."""

    def __init__(self, alpha: Any = 50.0, sigma: Any = 5.0, interpolation: Any = BILINEAR, fill: Any = 0) -> None:
        super().__init__()
        self.alpha, self.sigma = self._two(alpha, "alpha"), self._two(sigma, "sigma")
        self.interpolation = as_mode(interpolation)
        if not isinstance(fill, (int, float, list, tuple)):
            raise TypeError(f"fill should be int or float or a list or tuple of them. Got {type(fill)}")
        self.fill = [float(v) for v in (fill if isinstance(fill, (list, tuple)) else [fill])]

    @staticmethod
    def _two(x: Any, name: str) -> Any:
        if not isinstance(x, (float, Sequence)):
            raise TypeError(f"{name} should be float or a sequence of floats. Got {type(x)}")
        if isinstance(x, float):
            return [x, x]
        if len(x) != 2:
            raise ValueError(f"If {name} is a sequence its length should be 2. Got {len(x)}")
        for v in x:
            if not isinstance(v, float):
                raise TypeError(f"{name} should be a sequence of floats. Got {type(v)}")
        return x

    @staticmethod
    def get_params(alpha: Any, sigma: Any, size: Any) -> Tensor:
        """The displacement (1, H, W, 2)."""
        h, w = size
        moves = []
        for a, s, n in zip(alpha, sigma, (w, h)):
            d = torch.rand([1, 1, h, w], device="cpu") * 2 - 1
            if s > 0.0:
                k = int(8 * s + 1) | 1
                d = F.gaussian_blur(d, [k, k], sigma)
            moves.append(d * a / n)
        return torch.cat(moves, 1).permute(0, 2, 3, 1)

    def forward(self, tensor: Any) -> Any:
        move = self.get_params(self.alpha, self.sigma, F.get_dimensions(tensor)[1:])
        return F.elastic_transform(tensor, move, self.interpolation, self.fill)

    def __repr__(self) -> str:
        head = f"{type(self).__name__}(alpha={self.alpha}, sigma={self.sigma}"
        return f"{head}, interpolation={self.interpolation}, fill={self.fill})"
