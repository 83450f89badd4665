"""The torch.linalg namespace."""

from __future__ import annotations

from typing import Any

from .ops.einsum import multi_dot
from .ops.ldl import ldl_factor, ldl_factor_ex, ldl_solve
from .ops.linalg import (
    LinAlgError,
    cholesky,
    cholesky_ex,
    det,
    eig,
    eigh,
    eigvals,
    eigvalsh,
    householder_product,
    inv,
    inv_ex,
    lstsq,
    lu,
    lu_factor,
    lu_factor_ex,
    lu_solve,
    matrix_exp,
    matrix_power,
    pinv,
    qr,
    slogdet,
    solve,
    solve_ex,
    solve_triangular,
    svd,
    svdvals,
    tensorinv,
    tensorsolve,
)
from .ops.norms import cond, matrix_norm, matrix_rank, vander, vecdot, vector_norm
from .ops.norms import linalg_cross as cross
from .ops.norms import linalg_norm as norm
from .ops.operands import numpy_names
from .ops.products import matmul
from .ops.table import check_tensor
from .tensor import Tensor

__all__ = [
    "LinAlgError", "cholesky", "cholesky_ex", "cond", "cross", "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh",
    "householder_product", "inv", "inv_ex", "ldl_factor", "ldl_factor_ex", "ldl_solve", "lstsq",
    "lu", "lu_factor", "lu_factor_ex", "lu_solve", "matmul",
    "matrix_exp", "matrix_norm", "matrix_power", "matrix_rank", "multi_dot", "norm", "pinv", "qr", "slogdet", "solve",
    "solve_ex", "solve_triangular", "svd", "svdvals", "tensorinv", "tensorsolve", "vander", "vecdot", "vector_norm",
]  # fmt: skip


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """The diagonals of matrices, as a view. Source: torch.linalg.diagonal."""
    return check_tensor(A, "linalg_diagonal", "A").diagonal(offset, dim1, dim2)  # type: ignore[attr-defined]


for _name in __all__[1:]:
    globals()[_name] = numpy_names(globals()[_name])
