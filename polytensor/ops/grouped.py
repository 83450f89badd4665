"""Products of groups of matrices. Source: torch.nn.functional."""

from __future__ import annotations

from typing import Any

from .. import dtypes
from ..tensor import Tensor
from .joining import cat
from .products import bmm, matmul
from .table import check_tensor, type_name

__all__ = ["grouped_mm"]


def grouped_mm(
    mat_a: Tensor, mat_b: Tensor, *, offs: Tensor | None = None, bias: Tensor | None = None, out_dtype: Any = None
) -> Tensor:
    """mat_a @ mat_b group by group. `offs` (groups,): where each group ends along the dimension that a 2-d matrix has in
    place of the batch: rows of a, columns of b, or the inner one of both. Source: torch.nn.functional.grouped_mm.
    """
    a, b = check_tensor(mat_a, "grouped_mm", "mat_a"), check_tensor(mat_b, "grouped_mm", "mat_b")
    for name, x in (("mat_a", a), ("mat_b", b)):
        if x.dtype not in (dtypes.float32, dtypes.bfloat16, dtypes.float16):
            raise RuntimeError(f"Expected {name} to be Float32, BFloat16 or Float16 matrix, got {type_name(x)}")
        if x._a.ndim not in (2, 3):
            raise RuntimeError(f"{name} has to be 2 or 3d, got {list(x.shape)}")
    if a._a.shape[-1] != b._a.shape[-2]:
        raise RuntimeError(
            f"contraction dimension of mat_a and mat_b must match, got {list(a.shape)} and {list(b.shape)}"
        )
    if (a._a.ndim == b._a.ndim == 3) != (offs is None):
        raise RuntimeError("Have to provide offsets if there is a 2d matrix, or no offset if both matrices are 3d")
    if bias is not None:
        raise RuntimeError("Bias not supported yet")
    if out_dtype is not None and out_dtype != a.dtype:
        raise RuntimeError("Grouped gemm output dtype must match `mat_a` dtype")
    if offs is None:
        if a._a.shape[0] != b._a.shape[0]:
            raise RuntimeError(f"batched dimension has to match, got {list(a.shape)} and {list(b.shape)}")
        return bmm(a, b)
    if offs.dtype is not dtypes.int32 or offs._a.ndim != 1:
        raise RuntimeError(f"Offsets have to be a 1-d int32 tensor, got {list(offs.shape)} {offs.dtype}")
    ends = offs.tolist()
    groups = len(ends)
    for name, x in (("mat_a", a), ("mat_b", b)):
        if x._a.ndim == 3 and x._a.shape[0] != groups:
            raise RuntimeError(f"{name} has {x._a.shape[0]} groups, but there are {groups} offsets")
    parts: list[Any] = []
    start = 0
    for i, end in enumerate(ends):
        left: Any = a if a._a.ndim == 2 else a[i]
        right: Any = b if b._a.ndim == 2 else b[i]
        if a._a.ndim == 2:
            left = left[:, start:end] if b._a.ndim == 2 else left[start:end]
        if b._a.ndim == 2:
            right = right[start:end] if a._a.ndim == 2 else right[:, start:end]
        parts.append(matmul(left, right))
        start = end
    if a._a.ndim == b._a.ndim == 2:
        return cat([p.unsqueeze(0) for p in parts])
    return cat(parts, 0 if a._a.ndim == 2 else 1)
