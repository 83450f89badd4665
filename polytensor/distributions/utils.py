"""What distributions share: broadcasting of parameters, probabilities from logits and back, properties computed once."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from functools import update_wrapper
from typing import Any

import polytensor as torch
from polytensor import Tensor
from polytensor.nn import functional as F  # noqa: N812

__all__ = ["broadcast_all", "clamp_probs", "lazy_property", "logits_to_probs", "probs_to_logits", "tril_matrix_to_vec",
           "vec_to_tril_matrix"]  # fmt: skip

euler_constant = 0.57721566490153286060  # the limit of 1 + 1/2 + ... + 1/n - log(n)


def is_tensor_like(x: Any) -> bool:
    return isinstance(x, Tensor) or hasattr(type(x), "__torch_function__")


def broadcast_all(*values: Any) -> Any:
    """Tensors and numbers at one shape; numbers get dtype and device of the first tensor, or the default ones.

    ValueError for anything else. Source: torch.distributions.utils.broadcast_all.
    """
    if not all(is_tensor_like(v) or isinstance(v, numbers.Number) for v in values):
        raise ValueError("Input arguments must all be instances of Number, torch.Tensor or objects implementing __torch_function__.")
    if not all(map(is_tensor_like, values)):
        like: dict[str, Any] = {"dtype": torch.get_default_dtype()}
        for v in values:
            if isinstance(v, Tensor):
                like = {"dtype": v.dtype, "device": v.device}
                break
        values = tuple(v if is_tensor_like(v) else torch.tensor(v, **like) for v in values)
    return torch.broadcast_tensors(*values)


def _standard_normal(shape: Any, dtype: Any, device: Any) -> Tensor:
    return torch.randn(shape, dtype=dtype, device=device)


def _sum_rightmost(value: Tensor, dim: int) -> Tensor:
    """The sum over the last `dim` dimensions."""
    return value if dim == 0 else value.sum(tuple(range(-dim, 0)))


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Tensor:
    """sigmoid (is_binary), or softmax over the last dimension."""
    return torch.sigmoid(logits) if is_binary else F.softmax(logits, dim=-1)


def clamp_probs(probs: Tensor) -> Tensor:
    """Probabilities kept off 0 and 1 by the dtype's eps."""
    eps = torch.finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """Log-odds (is_binary), or logarithms; of probabilities kept off 0 and 1."""
    kept = clamp_probs(probs)
    return torch.log(kept) - torch.log1p(-kept) if is_binary else torch.log(kept)


class lazy_property:  # noqa: N801
    """A property that is computed at its first use, with gradients, and then kept in the object."""

    def __init__(self, wrapped: Callable[[Any], Any]) -> None:
        self.wrapped = wrapped
        update_wrapper(self, wrapped)  # type: ignore[arg-type]

    def __get__(self, instance: Any, obj_type: Any = None) -> Any:
        if instance is None:
            return _Described(self.wrapped)
        with torch.enable_grad():
            value = self.wrapped(instance)
        setattr(instance, self.wrapped.__name__, value)
        return value


class _Described(property):
    """What the class itself shows for a lazy property: a property that can be found there and told from a plain one."""

    def __init__(self, wrapped: Callable[[Any], Any]) -> None:
        super().__init__(wrapped)


_lazy_property_and_property = _Described


def tril_matrix_to_vec(mat: Tensor, diag: int = 0) -> Tensor:
    """The lower triangle up to this diagonal, row by row: (..., n, n) to (..., k)."""
    n = mat.shape[-1]
    if not -n < diag < n:
        raise ValueError(f"diag ({diag}) provided is outside valid range [{-n}, {n - 1}].")
    rows, cols = torch.tril_indices(n, n, diag, device=mat.device)
    return mat[..., rows, cols]


def vec_to_tril_matrix(vec: Tensor, diag: int = 0) -> Tensor:
    """The lower triangular matrix of these rows: (..., k) to (..., n, n)."""
    k = vec.shape[-1]
    n = (-(1 + 2 * diag) + ((1 + 2 * diag) ** 2 + 8 * k + 4 * abs(diag) * (diag + 1)) ** 0.5) / 2
    if round(n) != n and abs(round(n) - n) > torch.finfo(vec.dtype).eps:
        raise ValueError(f"The size of last dimension is {k} which cannot be expressed as the lower triangular part of a square D x D matrix.")
    size = round(n)
    rows, cols = torch.tril_indices(size, size, diag, device=vec.device)
    mat = vec.new_zeros(*vec.shape[:-1], size, size)
    mat[..., rows, cols] = vec
    return mat
