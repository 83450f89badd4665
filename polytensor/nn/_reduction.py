"""What a loss does with its elements, as numbers and from the old arguments. Source: torch.nn._reduction."""

from __future__ import annotations

import warnings
from typing import Any

__all__ = ["get_enum", "legacy_get_enum", "legacy_get_string"]

REDUCTIONS = {"none": 0, "mean": 1, "sum": 2}


def get_enum(reduction: str) -> int:
    """0 for "none", 1 for "mean", 2 for "sum"."""
    if reduction == "elementwise_mean":
        warnings.warn(
            "reduction='elementwise_mean' is deprecated. Please use reduction='mean' instead.",
            UserWarning,
            stacklevel=3,
        )
        return 1
    if reduction not in REDUCTIONS:
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return REDUCTIONS[reduction]


def legacy_get_string(size_average: Any, reduce: Any, emit_warning: bool = True) -> str:
    """The reduction that the old arguments size_average and reduce stand for."""
    if reduce is not None and not reduce:
        new = "none"
    else:
        new = "mean" if size_average is None or size_average else "sum"
    if emit_warning:
        warnings.warn(
            f"size_average and reduce args will be deprecated, please use reduction='{new}' instead.",
            UserWarning,
            stacklevel=4,
        )
    return new


def legacy_get_enum(size_average: Any, reduce: Any, emit_warning: bool = True) -> int:
    """The number of legacy_get_string."""
    return REDUCTIONS[legacy_get_string(size_average, reduce, emit_warning)]


def chosen(size_average: Any, reduce: Any, reduction: str) -> str:
    """`reduction`, unless one of the old arguments is given."""
    return reduction if size_average is None and reduce is None else legacy_get_string(size_average, reduce)
