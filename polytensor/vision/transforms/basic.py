"""Transforms around images: one after the other, by chance, and to and from tensors. Source: torchvision.transforms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from polytensor import Tensor
from polytensor.nn import Module

from . import functional as F
from .bases import Shown, Transform, lines
from .draws import choice, order, unit

__all__ = [
    "Compose", "ConvertImageDtype", "Lambda", "LinearTransformation", "Normalize", "PILToTensor", "RandomApply",
    "RandomChoice", "RandomOrder", "ToPILImage", "ToTensor",
]  # fmt: skip


class Compose:
    """The transforms one after the other."""

    def __init__(self, transforms: Any) -> None:
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        for t in self.transforms:
            img = t(img)
        return img

    def __repr__(self) -> str:
        return lines(type(self).__name__, self.transforms)


class ToTensor(Shown):
    """A PIL image or ndarray (H, W, C) as a tensor (C, H, W); uint8 becomes float in [0, 1]."""

    def __call__(self, pic: Any) -> Tensor:
        return F.to_tensor(pic)


class PILToTensor(Shown):
    """A PIL image as a tensor (C, H, W) of the pixels' own dtype."""

    def __call__(self, pic: Any) -> Tensor:
        return F.pil_to_tensor(pic)


class ConvertImageDtype(Module):
    """Another dtype, the values scaled to its range."""

    def __init__(self, dtype: Any) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, image: Tensor) -> Tensor:
        return F.convert_image_dtype(image, self.dtype)


class ToPILImage:
    """A tensor (C, H, W) or ndarray (H, W, C) as a PIL image."""

    def __init__(self, mode: str | None = None) -> None:
        self.mode = mode

    def __call__(self, pic: Any) -> Any:
        return F.to_pil_image(pic, self.mode)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'' if self.mode is None else f'mode={self.mode}'})"


class Normalize(Transform):
    """(x - mean[c]) / std[c]."""

    _shown = ("mean", "std")

    def __init__(self, mean: Any, std: Any, inplace: bool = False) -> None:
        super().__init__()
        self.mean, self.std, self.inplace = mean, std, inplace

    def forward(self, tensor: Tensor) -> Tensor:
        return F.normalize(tensor, self.mean, self.std, self.inplace)


class LinearTransformation(Transform):
    """(x.flatten() - mean_vector) @ transformation_matrix, in the image's shape: whitening, for example."""

    def __init__(self, transformation_matrix: Tensor, mean_vector: Tensor) -> None:
        super().__init__()
        shape = tuple(transformation_matrix.size())
        if shape[0] != shape[1]:
            raise ValueError(f"transformation_matrix should be square. Got {shape} rectangular matrix.")
        if mean_vector.size(0) != shape[0]:
            raise ValueError(
                f"mean_vector should have the same length {mean_vector.size(0)} as any one of the dimensions of the "
                f"transformation_matrix [{shape}]"
            )
        if transformation_matrix.dtype != mean_vector.dtype:
            raise ValueError(
                f"Input tensors should have the same dtype. Got {transformation_matrix.dtype} and {mean_vector.dtype}"
            )
        self.transformation_matrix, self.mean_vector = transformation_matrix, mean_vector

    def forward(self, tensor: Tensor) -> Tensor:
        c, h, w = tensor.shape[-3:]
        n = self.transformation_matrix.shape[0]
        if c * h * w != n:
            raise ValueError(f"Input tensor and transformation matrix have incompatible shape.[{c} x {h} x {w}] != {n}")
        flat = tensor.reshape(-1, n) - self.mean_vector
        return (flat @ self.transformation_matrix.to(flat.dtype)).view(tensor.shape)

    def __repr__(self) -> str:
        matrix, mean = self.transformation_matrix.tolist(), self.mean_vector.tolist()
        return f"{type(self).__name__}(transformation_matrix={matrix}, mean_vector={mean})"


class Lambda(Shown):
    """Any function."""

    def __init__(self, lambd: Callable[[Any], Any]) -> None:
        if not callable(lambd):
            raise TypeError(f"Argument lambd should be callable, got {type(lambd).__name__!r}")
        self.lambd = lambd

    def __call__(self, img: Any) -> Any:
        return self.lambd(img)


class RandomApply(Module):
    """All the transforms with probability p, or none."""

    def __init__(self, transforms: Any, p: float = 0.5) -> None:
        super().__init__()
        self.transforms, self.p = transforms, p

    def forward(self, img: Any) -> Any:
        if self.p < unit():
            return img
        for t in self.transforms:
            img = t(img)
        return img

    def __repr__(self) -> str:
        return lines(type(self).__name__, [f"p={self.p}", *self.transforms])


class _Several:
    def __init__(self, transforms: Any) -> None:
        if not isinstance(transforms, Sequence):
            raise TypeError("Argument transforms should be a sequence")
        self.transforms = transforms

    def __repr__(self) -> str:
        return lines(type(self).__name__, self.transforms)


class RandomOrder(_Several):
    """All the transforms, shuffled."""

    def __call__(self, img: Any) -> Any:
        for i in order(len(self.transforms)):
            img = self.transforms[i](img)
        return img


class RandomChoice(_Several):
    """One of the transforms, by weights p."""

    def __init__(self, transforms: Any, p: Any = None) -> None:
        super().__init__(transforms)
        if p is not None and not isinstance(p, Sequence):
            raise TypeError("Argument p should be a sequence")
        self.p = p

    def __call__(self, *args: Any) -> Any:
        return choice(self.transforms, self.p)(*args)

    def __repr__(self) -> str:
        return f"{super().__repr__()}(p={self.p})"
