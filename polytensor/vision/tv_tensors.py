"""Tensors that say what they are, so that transforms.v2 treats them as that. Source: torchvision.tv_tensors.

Ops on them give plain Tensors. Formats of rotated boxes and KeyPoints are not here.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

import polytensor as torch
from polytensor import Tensor

from .pillow import is_pil_image
from .transforms import on_boxes, on_masks

__all__ = [
    "BoundingBoxFormat", "BoundingBoxes", "Image", "Mask", "TVTensor", "Video", "is_rotated_bounding_format",
    "set_return_type", "wrap",
]  # fmt: skip

_KEPT = ("clone", "to", "detach", "requires_grad_", "pin_memory")
KEEP = frozenset(getattr(Tensor, name) for name in _KEPT)
_kept_everywhere = False


def _keeping(name: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return wrap(getattr(Tensor, name)(self, *args, **kwargs), like=self)

    method.__name__ = name
    return method


class TVTensor(Tensor, asks=False):
    """The base; `wrap` makes a Tensor one of the class of another."""

    kernels: Any  # the module of what transforms do to it

    @classmethod
    def _tensor(cls, data: Any, dtype: Any = None, device: Any = None, requires_grad: bool | None = None) -> Tensor:
        if requires_grad is None:
            requires_grad = isinstance(data, Tensor) and data.requires_grad
        return torch.as_tensor(data, dtype=dtype, device=device).requires_grad_(requires_grad)

    @classmethod
    def wrap(cls, tensor: Tensor, like: Any, **kwargs: Any) -> Any:
        """`tensor` as one of this class, with what `like` says of itself."""
        return tensor.as_subclass(cls)  # type: ignore[attr-defined]

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Plain Tensors, but for clone, to, detach, requires_grad_ and pin_memory of an instance."""
        if not all(issubclass(cls, t) for t in types):
            return NotImplemented
        from ..overrides import DisableTorchFunctionSubclass

        with DisableTorchFunctionSubclass():
            r = func(*args, **(kwargs or {}))
        if _kept_everywhere or (func in KEEP and isinstance(args[0], cls)):
            like = next((x for x in (*args, *(kwargs or {}).values()) if isinstance(x, cls)), None)
            return _wrapped(r, like) if like is not None else r
        return r.as_subclass(Tensor) if isinstance(r, cls) else r

    clone, to, detach, requires_grad_, pin_memory = map(
        _keeping, _KEPT
    )  # as __torch_function__ says it, also while functions do not ask

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self.detach().clone().requires_grad_(self.requires_grad)


def _wrapped(r: Any, like: Any) -> Any:
    if isinstance(r, (tuple, list)) and not isinstance(r, torch.Size):
        return type(r)([_wrapped(x, like) for x in r])
    return wrap(r, like=like) if isinstance(r, Tensor) else r


def _read(data: Any) -> Any:
    from .transforms.functional import pil_to_tensor

    return pil_to_tensor(data) if is_pil_image(data) else data


class Image(TVTensor, asks=False):
    """An image (..., C, H, W), of anything that as_tensor takes, or of a PIL image."""

    def __new__(cls, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool | None = None) -> Any:
        x = cls._tensor(_read(data), dtype, device, requires_grad)
        if x.ndim < 2:
            raise ValueError
        return (x.unsqueeze(0) if x.ndim == 2 else x).as_subclass(cls)


class Video(TVTensor, asks=False):
    """Images (..., T, C, H, W). ValueError for fewer dimensions."""

    def __new__(cls, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool | None = None) -> Any:
        x = cls._tensor(data, dtype, device, requires_grad)
        if x.ndim < 4:
            raise ValueError
        return x.as_subclass(cls)


class Mask(TVTensor, asks=False):
    """Masks (..., H, W): they are resampled from the nearest pixel."""

    kernels = on_masks

    def __new__(cls, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool | None = None) -> Any:
        return cls._tensor(_read(data), dtype, device, requires_grad).as_subclass(cls)


class BoundingBoxFormat(Enum):
    """Corners; a corner and sides; the centre and sides. Those that end in R, and four corners, are rotated."""

    XYXY = "XYXY"
    XYWH = "XYWH"
    CXCYWH = "CXCYWH"
    XYWHR = "XYWHR"
    CXCYWHR = "CXCYWHR"
    XYXYXYXY = "XYXYXYXY"


def is_rotated_bounding_format(format: BoundingBoxFormat | str) -> bool:
    """Whether boxes of this format may be turned."""
    if not isinstance(format, (BoundingBoxFormat, str)):
        raise ValueError(f"format should be str or BoundingBoxFormat, got {type(format)}")
    name = format if isinstance(format, str) else format.value
    return name not in ("XYXY", "XYWH", "CXCYWH")


class BoundingBoxes(TVTensor, asks=False):
    """Boxes (N, 4) in a picture of canvas_size (height, width). NotImplementedError for formats of rotated boxes.

    clamping_mode: None leaves boxes that leave the picture as they are, "soft" and "hard" cut them.
    """

    kernels = on_boxes
    format: BoundingBoxFormat
    canvas_size: tuple[int, int]
    clamping_mode: str | None

    def __new__(
        cls, data: Any, *, format: Any, canvas_size: Any, clamping_mode: str | None = "soft", dtype: Any = None,
        device: Any = None, requires_grad: bool | None = None,
    ) -> Any:  # fmt: skip
        x = cls._tensor(data, dtype, device, requires_grad)
        return cls._made(x, format, canvas_size, clamping_mode)

    @classmethod
    def _made(cls, x: Tensor, format: Any, canvas_size: Any, clamping_mode: Any) -> Any:
        if x.ndim not in (1, 2):
            raise ValueError(f"Expected a 1D or 2D tensor, got {x.ndim}D")
        if clamping_mode not in (None, "hard", "soft"):
            raise ValueError(f"clamping_mode must be None, hard or soft, got {clamping_mode}.")
        if isinstance(format, str):
            format = BoundingBoxFormat[format.upper()]
        if is_rotated_bounding_format(format):
            raise NotImplementedError(f"boxes of the format {format.value} are not supported")
        r: Any = (x.unsqueeze(0) if x.ndim == 1 else x).as_subclass(cls)  # type: ignore[attr-defined]
        r.format, r.canvas_size, r.clamping_mode = format, canvas_size, clamping_mode
        return r

    @classmethod
    def wrap(cls, tensor: Tensor, like: Any, **kwargs: Any) -> Any:
        """`tensor` as boxes, with what `like` or `kwargs` say of them."""
        names = ("format", "canvas_size", "clamping_mode")
        return cls._made(tensor, *(kwargs.get(n, getattr(like, n)) for n in names))

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        said = ", ".join(f"{n}={getattr(self, n)}" for n in ("format", "canvas_size", "clamping_mode"))
        return f"{super().__repr__()[:-1]}, {said})"


def wrap(wrappee: Tensor, *, like: Any, **kwargs: Any) -> Any:
    """A Tensor as one of the class of `like`, which also gives what `kwargs` do not say of it."""
    if hasattr(type(like), "wrap"):
        return type(like).wrap(wrappee, like, **kwargs)
    return wrappee.as_subclass(type(like))  # type: ignore[attr-defined]


class set_return_type:
    """Whether ops on TVTensors give "Tensor"s or "TVTensor"s, from now on or in a `with` block."""

    def __init__(self, return_type: str) -> None:
        global _kept_everywhere
        if return_type.lower() not in ("tensor", "tvtensor"):
            raise ValueError(f"return_type must be 'TVTensor' or 'Tensor', got {return_type}")
        self.usual = _kept_everywhere
        _kept_everywhere = return_type.lower() == "tvtensor"
        if _kept_everywhere:
            from ..overrides import enable

            enable()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: Any) -> None:
        global _kept_everywhere
        _kept_everywhere = self.usual
