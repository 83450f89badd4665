"""torch.sparse: sparse tensors are not here. Products of dense tensors are, under the names for sparse ones too."""

from __future__ import annotations

from typing import Any

from . import ops
from .absent import missing, refuse

__all__ = ["addmm", "mm"]

_INSTEAD = "tensors are dense (torch.strided); torch.sparse.mm and torch.spmm take dense matrices"


def mm(sparse: Any, dense: Any, *args: Any) -> Any:
    """The product of two dense matrices. Source: torch.sparse.mm."""
    if args:
        raise NotImplementedError(
            "torch.sparse.mm with a reduction needs a sparse matrix, which PolyTensor does not have"
        )
    return ops.mm(sparse, dense)


def addmm(mat: Any, mat1: Any, mat2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """beta * mat + alpha * mat1 @ mat2 of dense matrices. Source: torch.sparse.addmm."""
    return ops.addmm(mat, mat1, mat2, beta=beta, alpha=alpha)


def spmm(input: Any, mat2: Any) -> Any:
    """The product of two dense matrices. Source: torch.spmm."""
    return ops.mm(input, mat2)


globals().update(
    {
        name: refuse(f"torch.{name}", _INSTEAD)
        for name in (
            "sparse_coo_tensor", "sparse_csr_tensor", "sparse_csc_tensor", "sparse_bsr_tensor", "sparse_bsc_tensor",
            "sparse_compressed_tensor",
        )
    }
)  # fmt: skip
__getattr__ = missing("torch.sparse", _INSTEAD)
