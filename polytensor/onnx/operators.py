"""Shapes as tensors, which models use that are exported elsewhere. Source: torch.onnx.operators."""

from __future__ import annotations

from ..dtypes import int64
from ..ops.from_data import tensor
from ..tensor import Tensor

__all__ = ["reshape_from_tensor_shape", "shape_as_tensor"]


def shape_as_tensor(x: Tensor) -> Tensor:
    """The sizes of x as int64."""
    return tensor(x.shape, dtype=int64)


def reshape_from_tensor_shape(x: Tensor, shape: Tensor) -> Tensor:
    """x in the shape that a tensor holds."""
    return x.reshape(shape.tolist())  # type: ignore[no-any-return]
