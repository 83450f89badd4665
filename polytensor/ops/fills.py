"""fill, fill_diagonal_ and what else sets elements to given values."""

from __future__ import annotations

from typing import Any

from .. import dtypes
from ..autograd.modes import InferenceCell, mode
from ..tensor import Tensor
from .arguments import checked, fitting, number
from .pointwise import _fill
from .table import attach, check_tensor, inplace, renamed

__all__ = [
    "fill",
    "is_complex",
    "is_conj",
    "is_floating_point",
    "is_inference",
    "is_neg",
    "is_nonzero",
    "is_same_size",
    "numel",
]


def _fill_value(self: Tensor, value: Any, fn: str) -> Any:
    """The number to fill with, or the 0-dim tensor whose gradient is wanted."""
    if isinstance(value, Tensor):
        if value._a.ndim:
            raise RuntimeError(
                f"fill_ only supports 0-dimension value tensor but got tensor with {value._a.ndim} dimensions."
            )
        if value._fn is not None:
            return value
        value = value.item()
        if self.dtype.category == dtypes.INT and isinstance(value, int):
            return checked(value & (2 ** (8 * self._a.dtype.itemsize) - 1), _unsigned(self.dtype))
        return value
    return fitting(number(value, fn, "value"), self.dtype, self._a.size)


def _unsigned(d: dtypes.dtype) -> dtypes.dtype:
    return dtypes.BY_NAME[f"uint{8 * d.itemsize}"]


def fill_(self: Tensor, value: Any) -> Tensor:
    """Set every element to a number that the dtype can hold, or to a 0-dim tensor, in place. Source: torch.Tensor.fill_."""
    value = _fill_value(self, value, "fill_")
    if isinstance(value, Tensor):
        return self.copy_(value)  # type: ignore[attr-defined, no-any-return]
    return _set(self, value, "FillBackward2")


def fill(input: Tensor, value: Any) -> Tensor:
    """A tensor like `input` with every element set. Source: torch.fill."""
    check_tensor(input, "fill")
    value = _fill_value(input, value, "fill")
    if isinstance(value, Tensor):
        return _fill(input, 0).copy_(value)  # type: ignore[no-any-return]
    return _fill(input, value)  # type: ignore[no-any-return]


def zero_(self: Tensor) -> Tensor:
    """Set every element to 0, in place."""
    return _set(self, 0, "ZeroBackward0")


def _set(self: Tensor, value: Any, node: str) -> Tensor:
    """Write a number to every element; those that share memory, of an expanded tensor, may."""
    if mode.grad and self._fn is not None:
        return inplace(lambda x: renamed(_fill(x, value), node), "fill_")(self)  # type: ignore[no-any-return]
    self._check_inplace(overlap=False)
    backend = self._dev.backend
    backend.write(self._a, backend.scalar(value, self._a.dtype))
    self._bump()
    return self


def fill_diagonal_(self: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """Set the main diagonal, in place; `wrap`: of a tall matrix, again after each n + 1 rows.

    RuntimeError for fewer than 2 dimensions, or more of unequal length. Source: torch.Tensor.fill_diagonal_.
    """
    shape = self._a.shape
    if len(shape) < 2:
        raise RuntimeError("dimensions must larger than 1")
    if len(shape) > 2 and len(set(shape)) > 1:
        raise RuntimeError("all dimensions of input must be of equal length")
    value = fitting(number(fill_value, "fill_diagonal_", "fill_value"), self.dtype, min(shape))
    n = min(shape)
    rows = list(range(n))
    if wrap and len(shape) == 2 and shape[0] > shape[1] + 1:
        rows = [i for i in range(shape[0]) if i % (shape[1] + 1) < shape[1]]
        self[rows, [i % (shape[1] + 1) for i in rows]] = value
    elif n:
        self[tuple([rows] * len(shape))] = value
    return self


# ---- questions -------------------------------------------------------------------------------------------------------
def is_nonzero(input: Tensor) -> bool:
    """Whether the one element is not 0. RuntimeError for any other size. Source: torch.is_nonzero."""
    return bool(check_tensor(input, "is_nonzero"))


def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Whether the shapes are equal. Source: torch.is_same_size."""
    return check_tensor(input, "is_same_size")._a.shape == check_tensor(other, "is_same_size", "other")._a.shape  # type: ignore[no-any-return]


def is_complex(input: Tensor) -> bool:
    """Whether the dtype is complex. Source: torch.is_complex."""
    return check_tensor(input, "is_complex").is_complex()


def is_floating_point(input: Tensor) -> bool:
    """Whether the dtype is a floating one. Source: torch.is_floating_point."""
    return check_tensor(input, "is_floating_point").is_floating_point()


def is_conj(input: Tensor) -> bool:
    """False: conjugation is carried out at once. Source: torch.is_conj."""
    check_tensor(input, "is_conj")
    return False


def is_neg(input: Tensor) -> bool:
    """False: negation is carried out at once. Source: torch.is_neg."""
    check_tensor(input, "is_neg")
    return False


def is_inference(input: Tensor) -> bool:
    """Whether the tensor was made in inference mode. Source: torch.is_inference."""
    return check_tensor(input, "is_inference")._s.__class__ is InferenceCell


def numel(input: Tensor) -> int:
    """How many elements `input` has. Source: torch.numel."""
    return check_tensor(input, "numel").numel()


for _name, _fn in (
    ("fill_", fill_), ("zero_", zero_), ("fill_diagonal_", fill_diagonal_), ("is_nonzero", is_nonzero),
    ("is_same_size", is_same_size), ("is_conj", is_conj), ("is_neg", is_neg), ("is_inference", is_inference),
):  # fmt: skip
    attach(_name, _fn)
