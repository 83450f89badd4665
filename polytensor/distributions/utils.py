"""What the distributions share: parameters of one shape, probabilities and their logs. Source: torch.distributions.utils."""

from __future__ import annotations

from functools import update_wrapper
from numbers import Number
from operator import attrgetter
from typing import Any

from .. import dtypes, ops
from ..autograd.modes import enable_grad
from ..nn import functional as F
from ..tensor import Tensor

__all__ = [
    "alias", "broadcast_all", "clamp_probs", "euler_constant", "lazy_property", "logits_to_probs", "one_of",
    "probs_to_logits", "sum_rightmost", "tril_matrix_to_vec", "vec_to_tril_matrix",
]  # fmt: skip

euler_constant = 0.57721566490153286060


def broadcast_all(*values: Any) -> tuple[Any, ...]:
    """Tensors of one shape; numbers take the dtype and device of the first tensor. ValueError for anything else."""
    if not all(isinstance(v, (Tensor, Number)) for v in values):
        raise ValueError(
            "Input arguments must all be instances of Number, torch.Tensor or objects implementing __torch_function__."
        )
    options: dict[str, Any] = {"dtype": dtypes.get_default_dtype()}
    for v in values:
        if isinstance(v, Tensor):
            options = {"dtype": v.dtype, "device": v.device}
            break
    return tuple(ops.broadcast_tensors(*(v if isinstance(v, Tensor) else ops.tensor(v, **options) for v in values)))


def clamp_probs(probs: Any) -> Any:
    eps = dtypes.finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def probs_to_logits(probs: Any, is_binary: bool = False) -> Any:
    """log odds if binary, else log probabilities; probabilities of 0 and 1 are moved in by eps."""
    p = clamp_probs(probs)
    return ops.log(p) - ops.log1p(-p) if is_binary else ops.log(p)


def logits_to_probs(logits: Any, is_binary: bool = False) -> Any:
    return ops.sigmoid(logits) if is_binary else F.softmax(logits, dim=-1)


def sum_rightmost(value: Any, dim: int) -> Any:
    """The sum over the last `dim` dimensions."""
    return value.reshape(*value.shape[: value.dim() - dim], -1).sum(-1) if dim else value


_sum_rightmost = sum_rightmost


def _standard_normal(shape: Any, dtype: Any, device: Any) -> Any:
    return ops.randn(shape, dtype=dtype, device=device)


def tril_matrix_to_vec(mat: Any, diag: int = 0) -> Any:
    """The lower triangle up to this diagonal, row by row: (..., n, n) to (..., k)."""
    n = mat.shape[-1]
    if not -n <= diag < n:
        raise ValueError(f"diag ({diag}) provided is outside [{-n}, {n - 1}].")
    rows, cols = ops.tril_indices(n, n, diag, device=mat.device)
    return mat[..., rows, cols]


def vec_to_tril_matrix(vec: Any, diag: int = 0) -> Any:
    """The lower triangular matrix of these rows: (..., k) to (..., n, n)."""
    k = vec.shape[-1]
    n = (-(1 + 2 * diag) + ((1 + 2 * diag) ** 2 + 8 * k + 4 * abs(diag) * (diag + 1)) ** 0.5) / 2
    if round(n) - n > dtypes.finfo(vec.dtype).eps:
        raise ValueError(
            f"The size of last dimension is {k} which cannot be expressed as the lower triangular part of a square D x D matrix."
        )
    rows, cols = ops.tril_indices(round(n), round(n), diag, device=vec.device)
    mat = vec.new_zeros((*vec.shape[:-1], round(n), round(n)))
    mat[..., rows, cols] = vec
    return mat


def one_of(**given: Any) -> str:
    """The name of the one parameter that is not None. ValueError for none or several."""
    have = [name for name, value in given.items() if value is not None]
    if len(have) != 1:
        names = " or ".join(f"`{name}`" for name in given)
        raise ValueError(f"Either {names} must be specified, but not both." if len(given) == 2 else
                         f"Exactly one of {' or '.join(given)} may be specified.")  # fmt: skip
    return have[0]


def alias(path: str) -> Any:
    """A property that is another attribute, such as "base_dist.loc"."""
    return property(attrgetter(path))


class lazy_property:
    """A value that is computed at its first use, with gradients, and then is a plain attribute."""

    def __init__(self, wrapped: Any) -> None:
        self.wrapped = wrapped
        update_wrapper(self, wrapped)

    def __get__(self, instance: Any, obj_type: Any = None) -> Any:
        if instance is None:
            return self
        with enable_grad():
            value = self.wrapped(instance)
        setattr(instance, self.wrapped.__name__, value)
        return value
