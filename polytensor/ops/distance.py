"""Similarities and distances between vectors, and the bilinear form. Source: torch.nn.functional."""

from __future__ import annotations

from typing import Any

from ..tensor import Tensor, wrap
from . import pointwise as pw
from .clamps import clamp
from .norms import MODES, cdist, vector_norm
from .products import matmul
from .reduce import sum as _sum
from .scattering import index_select
from .shape import broadcast_tensors, permute, reshape
from .table import F, check_tensor, placed, result_type, shape_error, type_name, write_out

__all__ = ["bilinear", "cosine_similarity", "pairwise_distance", "pdist"]


def normalize(input: Tensor, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: Tensor | None = None) -> Tensor:
    """input over its p-norm along `dim` (at least eps)."""
    r = pw.div(check_tensor(input, "normalize"), clamp(vector_norm(input, p, dim, True), eps, None))
    return r if out is None else write_out(out, r)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-08) -> Tensor:
    """The cosine of the angle between vectors along `dim`; norms are at least eps."""
    a, b = check_tensor(x1, "cosine_similarity", "x1"), check_tensor(x2, "cosine_similarity", "x2")
    dtype = result_type(a, b)
    if not dtype.is_floating_point:
        raise RuntimeError(f"expected common dtype to be floating point, yet common dtype is {type_name(dtype)}")
    try:
        a, b = broadcast_tensors(F.cast(a, dtype.array), F.cast(b, dtype.array))
    except RuntimeError:
        raise shape_error(a._a, b._a) from None
    a = pw.div(a, clamp(vector_norm(a, 2, dim, True), eps, None))
    b = pw.div(b, clamp(vector_norm(b, 2, dim, True), eps, None))
    return _sum(pw.mul(a, b), dim)


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-06, keepdim: bool = False) -> Tensor:
    """The p-norm of x1 - x2 + eps along the last dimension."""
    a, b = check_tensor(x1, "pairwise_distance", "x1"), check_tensor(x2, "pairwise_distance", "x2")
    return vector_norm(pw.add(pw.sub(a, b), eps), p, -1, keepdim)


@placed
def pdist(input: Tensor, p: float = 2) -> Tensor:
    """The p-norm distances of all pairs of rows of (n, d), in the order (0, 1), (0, 2), ..."""
    x = check_tensor(input, "pdist")
    if x._a.ndim != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {x._a.ndim}D")
    if not x.is_floating_point():
        raise RuntimeError("pdist only supports floating-point dtypes")
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")
    backend, n = x._dev.backend, x._a.shape[0]
    pairs = backend.nonzero(backend.triu(backend.full((n, n), True, "bool"), 1))
    places = wrap(pairs[:, 0] * n + pairs[:, 1], x._dev)
    # all n * n distances at once: twice the result, but no differences of all pairs in memory
    return index_select(reshape(cdist(x, x, p, MODES[2]), (-1,)), 0, places)


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x1 weight[o] x2 + bias[o]; x1 (*, i), x2 (*, j), weight (o, i, j)."""
    a, b = check_tensor(input1, "bilinear", "input1"), check_tensor(input2, "bilinear", "input2")
    for x in (a, b):
        if not x._a.ndim:
            raise IndexError("Dimension specified as -1 but tensor has no dimensions")
    lead = a._a.shape[:-1]
    if lead != b._a.shape[:-1] or a._a.ndim != b._a.ndim:
        raise RuntimeError(
            f"bilinear(): input batch dimensions do not match: got {list(a._a.shape)} and {list(b._a.shape)}"
        )
    if weight._a.ndim != 3:
        raise IndexError(f"bilinear(): weight must have 3 dimensions, got {list(weight._a.shape)}")
    o, i, j = weight._a.shape
    for k, (x, size) in enumerate(((a, i), (b, j)), 1):
        if x._a.shape[-1] != size:
            raise RuntimeError(
                f"bilinear(): input{k} size does not match weight size: got {x._a.shape[-1]} but expected {size} (input{k} "
                f"{list(x._a.shape)}, weight {list(weight._a.shape)})"
            )
    n = a._a.size // i if i else 0
    first = matmul(reshape(a, (n, i)), reshape(permute(weight, (1, 0, 2)), (i, o * j)))
    y = reshape(matmul(reshape(first, (n, o, j)), reshape(b, (n, j, 1))), (*lead, o))
    return y if bias is None else pw.add(y, bias)
