"""Padding in one, two and three dimensions. Source: torch.nn.modules.padding."""

from __future__ import annotations

from typing import Any

from ...tensor import Tensor
from .. import functional as F
from ..module import Module
from .utils import _ntuple, _pair, _quadruple

__all__ = [
    "CircularPad1d", "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d", "ConstantPad3d",
    "ReflectionPad1d", "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d", "ReplicationPad2d", "ReplicationPad3d",
    "ZeroPad1d", "ZeroPad2d", "ZeroPad3d",
]  # fmt: skip


class _PadNd(Module):
    """`padding` is a number for all sides, or (left, right, top, bottom, ...) from the last dimension back."""

    mode: str
    spread: Any

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = type(self).spread(padding)

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _Pad1d:
    dims, spread = 1, staticmethod(_pair)


class _Pad2d:
    dims, spread = 2, staticmethod(_quadruple)


class _Pad3d:
    dims, spread = 3, staticmethod(_ntuple(6))


class _CircularPadNd(_PadNd):
    dims: int
    mode = "circular"

    def _check_input_dim(self, input: Tensor) -> None:
        n = type(self).dims
        if input.dim() not in (n + 1, n + 2):
            raise ValueError(f"expected {n + 1}D or {n + 2}D input (got {input.dim()}D input)")

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        return F.pad(input, self.padding, self.mode)


class CircularPad1d(_Pad1d, _CircularPadNd):
    """Pad (N, C, L) or (C, L) as if it went round. Source: torch.nn.CircularPad1d."""


class CircularPad2d(_Pad2d, _CircularPadNd):
    """Pad (N, C, H, W) or (C, H, W) as if it went round. Source: torch.nn.CircularPad2d."""


class CircularPad3d(_Pad3d, _CircularPadNd):
    """Pad (N, C, D, H, W) or (C, D, H, W) as if it went round. Source: torch.nn.CircularPad3d."""


class _ConstantPadNd(_PadNd):
    mode = "constant"

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_Pad1d, _ConstantPadNd):
    """Pad (N, C, L) or (C, L) with `value`. Source: torch.nn.ConstantPad1d."""


class ConstantPad2d(_Pad2d, _ConstantPadNd):
    """Pad (N, C, H, W) or (C, H, W) with `value`. Source: torch.nn.ConstantPad2d."""


class ConstantPad3d(_Pad3d, _ConstantPadNd):
    """Pad (N, C, D, H, W) or (C, D, H, W) with `value`. Source: torch.nn.ConstantPad3d."""


class _ReflectionPadNd(_PadNd):
    mode = "reflect"


class ReflectionPad1d(_Pad1d, _ReflectionPadNd):
    """Pad (N, C, L) or (C, L) with its mirror image. Source: torch.nn.ReflectionPad1d."""


class ReflectionPad2d(_Pad2d, _ReflectionPadNd):
    """Pad (N, C, H, W) or (C, H, W) with its mirror image. Source: torch.nn.ReflectionPad2d."""


class ReflectionPad3d(_Pad3d, _ReflectionPadNd):
    """Pad (N, C, D, H, W) or (C, D, H, W) with its mirror image. Source: torch.nn.ReflectionPad3d."""


class _ReplicationPadNd(_PadNd):
    mode = "replicate"


class ReplicationPad1d(_Pad1d, _ReplicationPadNd):
    """Pad (N, C, L) or (C, L) with the values at the border. Source: torch.nn.ReplicationPad1d."""


class ReplicationPad2d(_Pad2d, _ReplicationPadNd):
    """Pad (N, C, H, W) or (C, H, W) with the values at the border. Source: torch.nn.ReplicationPad2d."""


class ReplicationPad3d(_Pad3d, _ReplicationPadNd):
    """Pad (N, C, D, H, W) or (C, D, H, W) with the values at the border. Source: torch.nn.ReplicationPad3d."""


class _ZeroPad(_ConstantPadNd):
    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad1d(_ZeroPad, ConstantPad1d):
    """Pad (N, C, L) or (C, L) with zeros. Source: torch.nn.ZeroPad1d."""


class ZeroPad2d(_ZeroPad, ConstantPad2d):
    """Pad (N, C, H, W) or (C, H, W) with zeros. Source: torch.nn.ZeroPad2d."""


class ZeroPad3d(_ZeroPad, ConstantPad3d):
    """Pad (N, C, D, H, W) or (C, D, H, W) with zeros. Source: torch.nn.ZeroPad3d."""
