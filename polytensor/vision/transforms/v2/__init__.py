"""torchvision.transforms.v2: the transforms on whole samples (PIL images, tensors and tv_tensors)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import polytensor as torch
from polytensor import Tensor
from polytensor.utils._pytree import tree_map

from ... import tv_tensors
from ...pillow import is_pil_image
from .. import autoaugment as _autoaugment
from .. import transforms as _transforms
from ..autoaugment import AutoAugmentPolicy as AutoAugmentPolicy
from ..draws import below, order, uniform, unit
from ..modes import InterpolationMode as InterpolationMode
from ..modes import as_mode
from . import functional as functional
from .asking import check_type as check_type
from .asking import get_bounding_boxes as get_bounding_boxes
from .asking import has_all as has_all
from .asking import has_any as has_any
from .asking import query_chw as query_chw
from .asking import query_size as query_size
from .boxes import ClampBoundingBoxes as ClampBoundingBoxes
from .boxes import ConvertBoundingBoxFormat as ConvertBoundingBoxFormat
from .boxes import RandomIoUCrop as RandomIoUCrop
from .boxes import SanitizeBoundingBoxes as SanitizeBoundingBoxes
from .mixing import CutMix as CutMix
from .mixing import MixUp as MixUp
from .samples import Compose as Compose
from .samples import OnSamples, on_samples
from .samples import RandomApply as RandomApply
from .samples import RandomChoice as RandomChoice
from .samples import RandomOrder as RandomOrder

Transform = OnSamples
BILINEAR = InterpolationMode.BILINEAR

for _module in (_transforms, _autoaugment):
    for _name in dir(_module):
        _base = getattr(_module, _name)
        if isinstance(_base, type) and hasattr(_base, "forward") and _name[0] != "_" and _name not in globals():
            _first = ("interpolation",) if _module is _autoaugment else ()
            globals()[_name] = on_samples(_base, __name__, *_first)


class RandomPosterize(on_samples(_transforms.RandomPosterize, __name__)):  # type: ignore[misc]
    """Keep the highest `bits` bits, with probability p."""

    def apply(self, img: Any) -> Any:
        return functional.posterize(img, self.bits)


class RandomEqualize(on_samples(_transforms.RandomEqualize, __name__)):  # type: ignore[misc]
    """Spread each channel's values evenly, with probability p."""

    def apply(self, img: Any) -> Any:
        return functional.equalize(img)


class Identity(OnSamples):
    """The sample as it is."""

    def transform(self, inpt: Any) -> Any:
        return inpt


class Lambda(OnSamples):
    """Any function, of each part of the sample that is of one of the types."""

    def __init__(self, lambd: Callable[[Any], Any], *types: type) -> None:
        super().__init__()
        self.lambd, self.types = lambd, types or (object,)

    def forward(self, *inputs: Any) -> Any:
        sample = inputs if len(inputs) > 1 else inputs[0]
        return tree_map(lambda x: self.lambd(x) if isinstance(x, self.types) else x, sample)

    def extra_repr(self) -> str:
        return f"{self.lambd.__name__}, types={[t.__name__ for t in self.types]}"


class _Converted(OnSamples):
    """Also takes ndarrays."""

    def wanted(self, leaves: Sequence[Any]) -> list[int]:
        arrays = [i for i, x in enumerate(leaves) if is_pil_image(x) or _is_array(x)]
        return arrays or super().wanted(leaves)


def _is_array(x: Any) -> bool:
    return hasattr(x, "__array_interface__") and hasattr(x, "ndim") and not isinstance(x, Tensor) and x.ndim > 0


class ToImage(_Converted):
    """A PIL image or ndarray (H, W, C) as a tensor (C, H, W) of the pixels' own dtype; tensors pass."""

    def transform(self, inpt: Any) -> Tensor:
        return functional.to_image(inpt)


class ToTensor(_Converted):
    """A PIL image or ndarray (H, W, C) as a tensor (C, H, W); uint8 becomes float in [0, 1]."""

    def transform(self, inpt: Any) -> Tensor:
        return functional.to_tensor(inpt)


class PILToTensor(OnSamples):
    """A PIL image as a tensor (C, H, W) of the pixels' own dtype."""

    def wanted(self, leaves: Sequence[Any]) -> list[int]:
        return [i for i, x in enumerate(leaves) if is_pil_image(x)]

    def transform(self, inpt: Any) -> Tensor:
        return functional.pil_to_tensor(inpt)


class ToPILImage(_Converted):
    """A tensor (C, H, W) or ndarray (H, W, C) as a PIL image."""

    def __init__(self, mode: str | None = None) -> None:
        super().__init__()
        self.mode = mode

    def transform(self, inpt: Any) -> Any:
        return inpt if is_pil_image(inpt) else functional.to_pil_image(inpt, self.mode)


class ToPureTensor(Identity):
    """tv_tensors as plain ones."""

    def wanted(self, leaves: Sequence[Any]) -> list[int]:
        return []

    def forward(self, *inputs: Any) -> Any:
        plain = lambda x: x.as_subclass(Tensor) if isinstance(x, tv_tensors.TVTensor) else x
        return tree_map(plain, inputs if len(inputs) > 1 else inputs[0])


class ToDtype(OnSamples):
    """Another dtype, of images or {type: dtype, "others": dtype}; scale=True scales the values. PIL images pass."""

    def __init__(self, dtype: Any, scale: bool = False) -> None:
        super().__init__()
        if not isinstance(dtype, (dict, torch.dtype)):
            raise ValueError(f"dtype must be a dict or a torch.dtype, got {type(dtype)} instead")
        self.dtype, self.scale = dtype, scale

    def wanted(self, leaves: Sequence[Any]) -> list[int]:
        if isinstance(self.dtype, dict):
            return [i for i, x in enumerate(leaves) if isinstance(x, Tensor)]
        return super().wanted(leaves)

    def transform(self, inpt: Any) -> Any:
        dtype = self.dtype
        if isinstance(dtype, dict):
            kind = type(inpt)
            if kind not in dtype and "others" not in dtype:
                raise ValueError(
                    f'No dtype was specified for type {kind}: the dict needs an entry for it, or dtype={{..., "others": None}}'
                )
            dtype = dtype.get(kind, dtype.get("others"))
        return inpt if dtype is None or not isinstance(inpt, Tensor) else functional.to_dtype(inpt, dtype, self.scale)


class ConvertImageDtype(ToDtype):
    """ToDtype with scale=True."""

    def __init__(self, dtype: Any = torch.float32) -> None:
        super().__init__(dtype, True)

    def extra_repr(self) -> str:
        return ""


class RGB(OnSamples):
    """Three channels, from grey."""

    def transform(self, inpt: Any) -> Any:
        return functional.grayscale_to_rgb(inpt)


class GaussianNoise(OnSamples):
    """Add normal noise to a float or uint8 tensor. ValueError for others."""

    def __init__(self, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> None:
        super().__init__()
        self.mean, self.sigma, self.clip = mean, sigma, clip

    def transform(self, inpt: Any) -> Any:
        return functional.gaussian_noise(inpt, self.mean, self.sigma, self.clip)


class JPEG(OnSamples):
    """Write and read as a JPEG, of a quality or of one drawn from (low, high)."""

    def __init__(self, quality: Any) -> None:
        super().__init__()
        quality = [quality, quality] if isinstance(quality, int) else quality
        if not isinstance(quality, Sequence) or len(quality) != 2:
            raise ValueError(f"quality should be an int or a sequence of length 2. Got {quality}")
        if not 1 <= quality[0] <= quality[1] <= 100 or not all(isinstance(q, int) for q in quality):
            raise ValueError(f"quality must be an integer from 1 to 100, got {quality}")
        self.quality = quality

    def transform(self, inpt: Any) -> Any:
        return functional.jpeg(inpt, below(self.quality[1] + 1, self.quality[0]))


class RandomChannelPermutation(OnSamples):
    """The channels, shuffled."""

    def transform(self, inpt: Any) -> Any:
        return functional.permute_channels(inpt, order(functional.get_num_channels(inpt)))


class RandomPhotometricDistort(OnSamples):
    """Brightness, contrast, saturation, hue and the order of channels, each with probability p."""

    def __init__(
        self,
        brightness: Any = (0.875, 1.125),
        contrast: Any = (0.5, 1.5),
        saturation: Any = (0.5, 1.5),
        hue: Any = (-0.05, 0.05),
        p: float = 0.5,
    ) -> None:
        super().__init__()
        self.brightness, self.contrast, self.hue, self.saturation, self.p = brightness, contrast, hue, saturation, p

    def transform(self, inpt: Any) -> Any:
        ranges = (self.brightness, self.contrast, self.saturation, self.hue)
        b, c, s, h = (uniform(*r) if unit() < self.p else None for r in ranges)
        early = unit() < 0.5
        F = functional
        steps = ((F.adjust_brightness, b), (F.adjust_contrast, c if early else None), (F.adjust_saturation, s),
                 (F.adjust_hue, h), (F.adjust_contrast, None if early else c))  # fmt: skip
        for fn, factor in steps:
            inpt = inpt if factor is None else fn(inpt, factor)
        if unit() < self.p:
            inpt = F.permute_channels(inpt, order(F.get_num_channels(inpt)))
        return inpt


class _Resized(OnSamples):
    moves = True

    def __init__(self, interpolation: Any, antialias: bool | None) -> None:
        super().__init__()
        self.interpolation, self.antialias = as_mode(functional.mode_of(interpolation)), antialias

    def size(self, h: int, w: int) -> Any:
        """What an image (h, w) is resized to."""
        raise NotImplementedError

    def transform(self, inpt: Any) -> Any:
        size = self.size(*functional.get_size(inpt))
        return functional.resize(inpt, size, self.interpolation, antialias=self.antialias)


class RandomResize(_Resized):
    """The shorter edge between min_size and max_size."""

    def __init__(
        self, min_size: int, max_size: int, interpolation: Any = BILINEAR, antialias: bool | None = True
    ) -> None:
        super().__init__(interpolation, antialias)
        self.min_size, self.max_size = min_size, max_size

    def size(self, h: int, w: int) -> Any:
        return [below(self.max_size, self.min_size)]


class RandomShortestSize(_Resized):
    """The shorter edge one of min_size, the longer one at most max_size."""

    def __init__(
        self, min_size: Any, max_size: int | None = None, interpolation: Any = BILINEAR, antialias: bool | None = True
    ) -> None:
        super().__init__(interpolation, antialias)
        self.min_size, self.max_size = [min_size] if isinstance(min_size, int) else list(min_size), max_size

    def size(self, h: int, w: int) -> Any:
        r = self.min_size[below(len(self.min_size))] / min(h, w)
        r = r if self.max_size is None else min(r, self.max_size / max(h, w))
        return [int(h * r), int(w * r)]


class ScaleJitter(_Resized):
    """Fitted into target_size, times a number between the ends of scale_range."""

    def __init__(
        self,
        target_size: tuple[int, int],
        scale_range: tuple[float, float] = (0.1, 2.0),
        interpolation: Any = BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__(interpolation, antialias)
        self.target_size, self.scale_range = target_size, scale_range

    def size(self, h: int, w: int) -> Any:
        r = min(self.target_size[1] / h, self.target_size[0] / w) * uniform(*self.scale_range)
        return [int(h * r), int(w * r)]


class RandomZoomOut(OnSamples):
    """With probability p, the image somewhere on a larger canvas of `fill`."""

    _shown_first = ("p",)
    moves = True

    def __init__(self, fill: Any = 0, side_range: Sequence[float] = (1.0, 4.0), p: float = 0.5) -> None:
        super().__init__()
        if not isinstance(side_range, Sequence) or len(side_range) != 2:
            raise ValueError("side_range should be a sequence of length 2.")
        if side_range[0] < 1.0 or side_range[0] > side_range[1]:
            raise ValueError(f"Invalid side range provided {side_range}.")
        if not 0.0 <= p <= 1.0:
            raise ValueError("`p` should be a floating point value in the interval [0.0, 1.0].")
        self.p, self.fill, self.side_range = p, fill, side_range

    def transform(self, inpt: Any) -> Any:
        if unit() >= self.p:
            return inpt
        h, w = functional.get_size(inpt)
        r = uniform(*self.side_range)
        height, width = int(h * r), int(w * r)
        left, top = int((width - w) * unit()), int((height - h) * unit())
        return functional.pad(inpt, [left, top, width - left - w, height - top - h], fill=self.fill)
