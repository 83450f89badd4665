"""The kinds of dropout. Source: torch.nn.functional."""

from __future__ import annotations

import warnings
from math import sqrt
from typing import Any

from .. import dtypes
from ..autograd.modes import WATCH, mode
from ..tensor import Tensor, wrap
from . import pointwise as pw
from .random_ops import _reserve, dropout_mask
from .shape import memory_order
from .table import ROWS, F, check_tensor, primitive

__all__ = ["alpha_dropout", "dropout", "feature_alpha_dropout", "feature_dropout"]

primitive(
    "masked_scale", "x", (lambda F, g, mask, scale: F.masked_scale(g, mask, scale),), "mask scale", node="MulBackward0"
)
ALPHA = 1.7580993408473766  # of SELU: scale * alpha


def _check_p(p: float) -> None:
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _write(input: Tensor, r: Tensor, inplace: bool) -> Tensor:
    return input.copy_(r) if inplace and r is not input else r  # type: ignore[no-any-return]


def _nothing(x: Tensor) -> Tensor:
    """x times 0, in its own dtype."""
    return pw.mul(x, wrap(x._dev.backend.full((), 0, x._a.dtype), x._dev))


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero elements with probability p and scale the rest by 1 / (1 - p), in training only."""
    _check_p(p)
    x = check_tensor(input, "dropout")
    if not training or p == 0.0:
        return x
    if p == 1.0:
        return _write(x, _nothing(x), inplace)
    if x._a.dtype.kind != "f" or x._a.dtype.itemsize < 4 or WATCH:  # who watches what is saved sees PyTorch's noise
        return _write(x, pw.mul(x, wrap(dropout_mask(x._a.shape, p, _mask_dtype(x), x._dev, None), x._dev)), inplace)
    order = None if x._a.flags.c_contiguous else memory_order(x._a)
    a = x._a if order is None else x._a.transpose(order)
    y, mask = x._dev.backend.dropout(a, *_reserve(None, a.size, "half"), p)
    if order is not None:  # the result lies in memory as x does
        back = [order.index(i) for i in range(a.ndim)]
        y, mask = y.transpose(back), mask.transpose(back)
    r = wrap(y, x._dev)
    if x._fn is not None and mode.grad:
        ROWS["masked_scale"].record((x,), (mask, 1.0 / (1.0 - p)), (r,))
    return _write(x, r, inplace)


def _mask_dtype(x: Tensor) -> Any:
    return x._a.dtype if x._a.dtype.kind not in "biu" else dtypes.get_default_dtype().array


def feature_dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """dropout of whole channels: one draw for each index of the first two dimensions. Source: torch.feature_dropout."""
    _check_p(p)
    x = check_tensor(input, "feature_dropout")
    if not training or p == 0.0:
        return x
    if p == 1.0:
        return _write(x, _nothing(x), inplace)
    if x._a.ndim < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    shape = (*x._a.shape[:2], *(1,) * (x._a.ndim - 2))
    return _write(x, pw.mul(x, wrap(dropout_mask(shape, p, _mask_dtype(x), x._dev, None), x._dev)), inplace)


def _channels(n: int, input: Tensor, p: float, training: bool, inplace: bool) -> Tensor:
    """Dropout of whole channels; n spatial dimensions, with or without a batch."""
    _check_p(p)
    x, op = check_tensor(input, f"dropout{n}d"), f"dropout{n}d"
    if n == 1 and x._a.ndim not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {x._a.ndim}D input. Note that dropout1d exists to provide "
            "channel-wise dropout on inputs with 1 spatial dimension, a channel dimension, and an optional batch dimension "
            "(i.e. 2D or 3D inputs)."
        )
    if n > 1 and x._a.ndim not in (n + 1, n + 2):
        warnings.warn(
            f"{op}: Received a {x._a.ndim}-D input to {op}, which is deprecated and will result in an error in a future "
            f"release. To retain the behavior and silence this warning, please use dropout instead. Note that {op} exists to "
            f"provide channel-wise dropout on inputs with {n} spatial dimensions, a channel dimension, and an optional batch "
            f"dimension (i.e. {n + 1}D or {n + 2}D inputs).",
            UserWarning,
            stacklevel=3,
        )
    if n == 2 and x._a.ndim == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout behavior is desired - "
            "input is interpreted as shape (N, C, L), where C is the channel dim. This behavior will change in a future "
            "release to interpret the input as one without a batch dimension, i.e. shape (C, H, W). To maintain the 1D "
            "channel-wise dropout behavior, please switch to using dropout1d instead.",
            UserWarning,
            stacklevel=3,
        )
    elif x._a.ndim == n + 1:
        return _write(x, feature_dropout(x.unsqueeze(0), p, training).squeeze(0), inplace and training and p > 0)
    return feature_dropout(x, p, training, inplace)


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Dropout of whole channels of (N, C, L) or (C, L)."""
    return _channels(1, input, p, training, inplace)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Dropout of whole channels of (N, C, H, W); (N, C, L) is taken as in dropout1d, with a warning."""
    return _channels(2, input, p, training, inplace)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Dropout of whole channels of (N, C, D, H, W) or (C, D, H, W)."""
    return _channels(3, input, p, training, inplace)


def _alpha(input: Tensor, p: float, training: bool, inplace: bool, features: bool) -> Tensor:
    _check_p(p)
    x = check_tensor(input, "alpha_dropout")
    if not training or p == 0.0:
        return x
    if p == 1.0:
        return _write(x, _nothing(x), inplace)
    if features and x._a.ndim < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    shape = (*x._a.shape[:2], *(1,) * (x._a.ndim - 2)) if features else x._a.shape
    mask = dropout_mask(shape, p, _mask_dtype(x), x._dev, None)
    keep = F.cast(pw.ne(wrap(mask, x._dev), 0), mask.dtype)
    a = 1.0 / sqrt((ALPHA * ALPHA * p + 1) * (1 - p))
    shift = pw.add(pw.mul(pw.sub(keep, 1), ALPHA * a), ALPHA * a * p)  # -ALPHA where dropped, moved to mean 0
    return _write(x, pw.add(pw.mul(x, pw.mul(keep, a)), shift), inplace)


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Dropout that keeps mean and variance of inputs of mean 0 and variance 1; for SELU."""
    return _alpha(input, p, training, inplace, False)


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """alpha_dropout of whole channels."""
    return _alpha(input, p, training, inplace, True)
