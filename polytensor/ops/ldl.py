"""Factors of symmetric matrices that need not be positive. Source: torch.linalg."""

from __future__ import annotations

from typing import Any

from ..return_types import named_result
from ..tensor import Tensor
from . import linalg as la
from . import shape as sh
from .table import F, no_kernel, primitive

__all__ = ["ldl_factor", "ldl_factor_ex", "ldl_solve"]

factor_result = named_result("linalg_ldl_factor", "LD", "pivots")
factor_ex_result = named_result("linalg_ldl_factor_ex", "LD", "pivots", "info")


def _none(name: str) -> Any:
    """PyTorch has no derivative here, and says so when it is asked for."""

    def rule(F: Any, g: Any, need: Any) -> Any:
        raise RuntimeError(f"derivative for aten::{name} is not implemented")

    return rule


primitive("linalg_ldl_factor_ex", "x", _none("linalg_ldl_factor_ex"), "hermitian", outs=3)
primitive("linalg_ldl_solve", "low b", _none("linalg_ldl_solve"), "order hermitian")


def _input(A: Any) -> Tensor:
    x = la.check_matrix(A, "torch.linalg.ldl_factor_ex", True)
    if x._a.dtype.itemsize == 2:
        raise no_kernel("ldl_factor_kernel_cpu", x)
    return x


def ldl_factor_ex(input: Tensor, *, hermitian: bool = False, check_errors: bool = False, out: Any = None) -> Any:
    """(L and D packed, pivots, info) of symmetric or Hermitian A; reads its lower triangle. Source: torch.linalg.ldl_factor_ex."""
    x = _input(input)
    r = factor_ex_result(*F.linalg_ldl_factor_ex(x, hermitian))
    if check_errors:
        la.fail(r.info, "torch.linalg.ldl_factor_ex", ZERO, RuntimeError)
    return la.finish(r, out)


ZERO = "D[{0},{0}] is zero and using it on ldl_solve would result in a division by zero."


def ldl_factor(input: Tensor, *, hermitian: bool = False, out: Any = None) -> Any:
    """(L and D packed, pivots). RuntimeError where D has a zero. Source: torch.linalg.ldl_factor."""
    x = _input(input)
    packed, pivots, info = F.linalg_ldl_factor_ex(x, hermitian)
    la.fail(info, "torch.linalg.ldl_factor", ZERO, RuntimeError)
    return la.finish(factor_result(packed, pivots), out)


def ldl_solve(LD: Tensor, pivots: Tensor, B: Tensor, *, hermitian: bool = False, out: Tensor | None = None) -> Tensor:
    """X with A @ X = B, A given by ldl_factor. Source: torch.linalg.ldl_solve."""
    op = "torch.linalg.ldl_solve"
    la.check_matrix(LD, op, True)
    if B._a.ndim < 2:
        raise RuntimeError(f"{op}: Expected B to have at least 2 dimensions, but it has {B._a.ndim} dimensions instead")
    if LD._a.shape[:-1] != pivots._a.shape:
        raise RuntimeError(
            f"{op}: Expected LD.shape[:-1] and pivots.shape to be the same, but got pivots with shape "
            f"{list(pivots._a.shape)} instead"
        )
    if pivots._a.dtype.kind not in "iu":
        raise RuntimeError(f"{op}: Expected pivots to be integers. Got {pivots.dtype}")
    la.same_kind(op, LD, B, "A", "b")
    if LD._a.shape[-1] != B._a.shape[-2]:
        n = LD._a.shape[-1]
        raise RuntimeError(
            f"Incompatible matrix sizes for {op}: each A matrix is {n} by {n} but each b matrix is "
            f"{B._a.shape[-2]} by {B._a.shape[-1]}"
        )
    batch = tuple(sh.broadcast_shapes(LD._a.shape[:-2], B._a.shape[:-2]))
    p = sh.expand(pivots, (*batch, pivots._a.shape[-1]))
    return la.finish(F.linalg_ldl_solve(la.spread(LD, batch), la.spread(B, batch), p._a, hermitian), out)  # type: ignore[no-any-return]
