"""make_tensor: random tensors of any dtype and layout for tests. Source: torch.testing.make_tensor."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from math import ceil, isnan
from typing import Any

from .. import dtypes
from ..ops import complex as complex_of
from ..ops import empty, rand, randint
from ..tensor import Tensor


def make_tensor(
    *shape: Any,
    dtype: dtypes.dtype,
    device: Any,
    low: float | None = None,
    high: float | None = None,
    requires_grad: bool = False,
    noncontiguous: bool = False,
    exclude_zero: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """A tensor of numbers drawn evenly from [low, high), cut to what the dtype holds.

    Without bounds: [0, 2) for bool, [0, 10) and [-9, 10) for integers, [-9, 9) for floats and for both parts of complex
    numbers. `noncontiguous` leaves gaps in memory; `exclude_zero` puts 1, or the least normal number, in the place of 0.
    ValueError for bounds that make no sense, and for a gradient of integers. Source: torch.testing.make_tensor.
    """
    if len(shape) == 1 and isinstance(shape[0], Sequence):
        shape = tuple(shape[0])
    if not isinstance(dtype, dtypes.dtype) or dtype.name not in dtypes.BY_NAME:
        raise TypeError(f"The requested dtype '{dtype}' is not supported by torch.testing.make_tensor().")
    whole = dtype.category in (dtypes.BOOL, dtypes.INT)
    if noncontiguous and memory_format is not None:
        raise ValueError(
            "The parameters `noncontiguous` and `memory_format` are mutually exclusive, but got "
            f"noncontiguous={noncontiguous} and memory_format={memory_format}"
        )
    if requires_grad and whole:
        raise ValueError(
            f"`requires_grad=True` is not supported for boolean and integral dtypes, but got dtype={dtype}"
        )
    lowest, below = _interval(dtype, low, high)
    if whole:
        x = randint(ceil(lowest), min(ceil(below), 2**63 - 1), shape, dtype=dtype, device=device)
    elif dtype.is_complex:
        x = complex_of(*[_drawn(shape, dtype.to_real(), device, lowest, below) for _ in "ri"])
    else:
        x = _drawn(shape, dtype, device, lowest, below)
    if noncontiguous and x.numel() > 1:  # type: ignore[attr-defined]
        x = empty(*shape[:-1], 2 * shape[-1], dtype=dtype, device=device)[..., ::2].copy_(x)
    elif memory_format is not None:
        x = x.clone(memory_format=memory_format)  # type: ignore[attr-defined]
    if exclude_zero:
        least = 1 if whole else dtypes.finfo(dtype).tiny
        x[x == 0] = least + least * 1j if dtype.is_complex else least  # type: ignore[index]
    return x.requires_grad_(requires_grad)


def _drawn(shape: Any, dtype: dtypes.dtype, device: Any, low: float, high: float) -> Tensor:
    """Even draws whose bounds may be as far apart as the dtype's numbers can be."""
    u = rand(shape, dtype=dtypes.float64 if dtype is dtypes.float64 else dtypes.float32, device=device)
    return ((1 - u) * low + u * high).to(dtype)  # type: ignore[no-any-return]


def _interval(dtype: dtypes.dtype, low: float | None, high: float | None) -> tuple[float, float]:
    """The bounds to draw from: those given or usual, within the numbers of the dtype."""
    usual = {dtypes.BOOL: (0, 2), dtypes.INT: (-9, 10)}.get(dtype.category, (-9, 9))
    low, high = usual[0] if low is None else low, usual[1] if high is None else high
    if isnan(low) or isnan(high):
        raise ValueError(f"`low` and `high` cannot be NaN, but got {low=} and {high=}")
    exact = dtype.category in (dtypes.BOOL, dtypes.INT)
    if low == high and not exact:
        warnings.warn(
            "Passing `low==high` to `torch.testing.make_tensor` for floating or complex types is deprecated since 2.1 and "
            "will be removed in 2.3. Use `torch.full(...)` instead.",
            FutureWarning,
            stacklevel=3,
        )
    elif low >= high:
        raise ValueError(f"`low` must be less than `high`, but got {low} >= {high}")
    limits: Any = None if dtype is dtypes.bool_ else dtypes.iinfo(dtype) if exact else dtypes.finfo(dtype)
    least, end = (0, 2) if limits is None else (limits.min, limits.max + exact)
    if high < least or low >= end:
        raise ValueError(
            f"The value interval specified by `low` and `high` is [{low}, {high}), but {dtype} only supports [{least}, {end})"
        )
    return max(low, least), min(high, end)
