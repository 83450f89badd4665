"""Functions behind the layers. Source: torch.nn.functional."""

from __future__ import annotations

from typing import Any

from ..dtypes import int64
from ..ops.creation import zeros
from ..ops.layers import conv2d as conv2d
from ..ops.layers import dropout as _dropout
from ..ops.layers import log_softmax as log_softmax
from ..ops.layers import max_pool2d as max_pool2d
from ..ops.layers import pad as pad
from ..ops.layers import softmax as softmax
from ..ops.pointwise import relu as _relu
from ..ops.pointwise import sigmoid as sigmoid
from ..ops.pointwise import tanh as tanh
from ..ops.products import linear as linear
from ..tensor import Tensor
from .functional_loss import *  # noqa: F403


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(0, x)."""
    return input.relu_() if inplace else _relu(input)  # type: ignore[attr-defined, no-any-return]


def relu_(input: Tensor) -> Tensor:
    """relu in place."""
    return input.relu_()  # type: ignore[attr-defined, no-any-return]


def max_pool2d_with_indices(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:  # fmt: skip
    """max_pool2d and, always, the indices."""
    return max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero elements with probability p and scale the rest by 1 / (1 - p), in training only."""
    r = _dropout(input, p, training)
    return input.copy_(r) if inplace and r is not input else r  # type: ignore[attr-defined, no-any-return]


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Class indices (int64) to rows of 0 and 1 (int64)."""
    if tensor.dtype is not int64:
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    if tensor.numel() and int(tensor.min()) < 0:  # type: ignore[attr-defined]
        raise RuntimeError("Class values must be non-negative.")
    if num_classes == -1:
        if not tensor.numel():
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        num_classes = int(tensor.max()) + 1  # type: ignore[attr-defined]
    elif tensor.numel() and int(tensor.max()) >= num_classes:  # type: ignore[attr-defined]
        raise RuntimeError("Class values must be smaller than num_classes.")
    out = zeros(*tensor.shape, num_classes, dtype=int64, device=tensor.device)
    return out.scatter_(-1, tensor.unsqueeze(-1), value=1)  # type: ignore[attr-defined, no-any-return]
