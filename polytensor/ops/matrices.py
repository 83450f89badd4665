"""The names of linear algebra that torch itself has, beside torch.linalg."""

from __future__ import annotations

from typing import Any

from ..autograd.modes import mode
from ..return_types import named_result
from ..tensor import Tensor, wrap
from . import linalg as la
from . import pointwise as pw
from . import shape as sh
from .products import adjoint
from .table import F, attach, check_tensor, no_kernel, primitive, type_name, undifferentiable, write_out

__all__ = [
    "cholesky", "cholesky_inverse", "cholesky_solve", "det", "geqrf", "inverse", "logdet", "lu", "lu_solve", "lu_unpack",
    "matrix_exp", "matrix_power", "orgqr", "ormqr", "pinverse", "qr", "slogdet", "svd", "triangular_solve",
]  # fmt: skip

slogdet_result = named_result("slogdet", "sign", "logabsdet")
qr_result = named_result("qr", "Q", "R")
svd_result = named_result("svd", "U", "S", "V")
geqrf_result = named_result("geqrf", "a", "tau")
unpack_result = named_result("lu_unpack", "P", "L", "U")
triangular_result = named_result("triangular_solve", "solution", "cloned_coefficient")


def matrix_power(input: Tensor, n: int, *, out: Tensor | None = None) -> Tensor:
    """A square matrix multiplied n times; the inverse for negative n. Source: torch.matrix_power."""
    return la.matrix_power(input, n, out=out)


def orgqr(input: Tensor, input2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The first columns of the Q that geqrf packs, input2 being tau. Source: torch.orgqr."""
    return la.householder_product(input, input2, out=out)


def det(input: Tensor) -> Tensor:
    """Determinant. Source: torch.det."""
    return la.det(input)


def inverse(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Inverse. LinAlgError if singular. Source: torch.inverse."""
    return la.inv(input, out=out)


def matrix_exp(input: Tensor) -> Tensor:
    """The exponential of square matrices. Source: torch.matrix_exp."""
    return la.matrix_exp(input)


def slogdet(input: Tensor, *, out: Any = None) -> Any:
    """(sign, logabsdet) of the determinant. Source: torch.slogdet."""
    return slogdet_result(*la.slogdet(input, out=out))


def logdet(input: Tensor) -> Tensor:
    """Logarithm of the determinant: NaN where that is negative. Source: torch.logdet."""
    sign, logabs = F.linalg_slogdet(la.check_matrix(input, "logdet", True))
    if sign._a.dtype.kind == "c":
        return pw.add(pw.log(sign), logabs)
    return pw.where(pw.eq(sign, -1), float("nan"), logabs)  # type: ignore[no-any-return]


def cholesky(input: Tensor, upper: bool = False, *, out: Tensor | None = None) -> Tensor:
    """L with L @ L^H = input, or its conjugate transpose. Source: torch.cholesky."""
    r, info = F.linalg_cholesky_ex(la.check_matrix(input, "cholesky", True, ints="cholesky_cpu"), upper)
    la.fail(info, "cholesky", la.NOT_POSITIVE)
    return la.finish(r, out)  # type: ignore[no-any-return]


def _cholesky_solve_rule(F: Any, g: Any, need: Any, low: Any, out: Any, upper: bool) -> Any:
    gb = F.cholesky_solve(g, low, upper)
    if not need[1]:
        return [gb, None]
    both = F.matmul(gb, adjoint(F, out))
    both = F.add(both, adjoint(F, both))
    return [gb, F.neg(F.matmul(low, both) if upper else F.matmul(both, low))]


_cholesky_solve = primitive("cholesky_solve", "b low", _cholesky_solve_rule, "upper")


def cholesky_solve(input: Tensor, input2: Tensor, upper: bool = False, *, out: Tensor | None = None) -> Tensor:
    """X with (L @ L^H) @ X = input, L being input2. Source: torch.cholesky_solve."""
    b, a = check_tensor(input, "cholesky_solve"), check_tensor(input2, "cholesky_solve", "input2")
    for t, name in ((b, "b"), (a, "u")):
        if t._a.ndim < 2:
            raise RuntimeError(f"{name} should have at least 2 dimensions, but has {t._a.ndim} dimensions instead")
    m, n = a._a.shape[-2:]
    if m != n:
        raise RuntimeError(f"A must be batches of square matrices, but they are {m} by {n} matrices")
    if b._a.shape[-2] != n:
        raise RuntimeError(
            f"Incompatible matrix sizes for cholesky_solve: each A matrix is {n} by {n} but each b matrix is "
            f"{b._a.shape[-2]} by {b._a.shape[-1]}"
        )
    if a._a.dtype.kind in "biu" or a._a.dtype.itemsize == 2:
        raise no_kernel("cholesky_solve_cpu", a)
    la.same_kind("cholesky_solve", b, a, "self", "A")
    batch = tuple(sh.broadcast_shapes(a._a.shape[:-2], b._a.shape[:-2]))
    a, x = la.spread(a, batch), la.spread(b, batch)
    return la.finish(_cholesky_solve(x, a, bool(upper)), out)  # type: ignore[no-any-return]


def cholesky_inverse(input: Tensor, upper: bool = False, *, out: Tensor | None = None) -> Tensor:
    """The inverse of L @ L^H, L being the input. Source: torch.cholesky_inverse."""
    L = input
    la.check_matrix(L, "cholesky_inverse", True, ints="cholesky_inverse_out_cpu")
    backend = L._dev.backend
    eye = backend.diag_put(backend.full(L._a.shape[:-1], 1, L._a.dtype), L._a.shape)
    la.fail(wrap(backend.first_zero_on_diagonal(L._a), L._dev), "cholesky_inverse", la.SINGULAR)
    return cholesky_solve(wrap(eye, L._dev), L, upper, out=out)


def qr(input: Tensor, some: bool = True, *, out: Any = None) -> Any:
    """(Q, R), complete unless `some`. Source: torch.qr."""
    return qr_result(*la.qr(input, "reduced" if some else "complete", out=out))


def svd(input: Tensor, some: bool = True, compute_uv: bool = True, *, out: Any = None) -> Any:
    """(U, S, V) with input = U @ diag(S) @ V^H; without `compute_uv` U and V are zeros. Source: torch.svd."""
    if check_tensor(input, "svd")._a.ndim < 2:
        raise RuntimeError("linalg.svd: input should have at least 2 dimensions, but has 1 dimensions instead")
    if compute_uv:
        u, s, vh = la.svd(input, not some)
        return la.finish(svd_result(u, s, adjoint(F, vh)), out)
    m, n = input._a.shape[-2:]
    s = la.svdvals(input)
    backend = input._dev.backend
    u, v = (wrap(backend.zeros((*s._a.shape[:-1], k, k), input._a.dtype), input._dev) for k in (m, n))
    return la.finish(svd_result(u, s, v), out)


def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """Pseudo-inverse; singular values up to rcond * largest count as 0. Source: torch.pinverse."""
    return la.pinv(input, atol=0.0, rtol=rcond)


def lu(A: Tensor, pivot: bool = True, get_infos: bool = False, out: Any = None) -> Any:
    """(LU packed, pivots[, infos]). Source: torch.lu."""
    r = tuple(la.lu_factor_ex(A, pivot=pivot))[: 3 if get_infos else 2]
    return r if out is None else tuple(write_out(o, t) for o, t in zip(out, r, strict=True))


def lu_solve(input: Tensor, LU_data: Tensor, LU_pivots: Tensor, *, out: Tensor | None = None) -> Tensor:
    """X with A @ X = input, A given by lu. Source: torch.lu_solve."""
    return la.lu_solve(LU_data, LU_pivots, input, out=out)


def lu_unpack(
    LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True, *, out: Any = None
) -> Any:
    """(P, L, U) of what lu packed. Source: torch.lu_unpack."""
    if unpack_pivots and LU_pivots._a.dtype.name != "int32":
        raise RuntimeError(
            "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 dtype.\n"
            "Note: this function is intended to be used with the output produced by torch.linalg.lu_factor"
        )
    return la.finish(unpack_result(*la.unpack(LU_data, LU_pivots, unpack_data, unpack_pivots)), out)


def triangular_solve(
    input: Tensor, A: Tensor, upper: bool = True, transpose: bool = False, unitriangular: bool = False, *,
    out: Any = None,
) -> Any:  # fmt: skip
    """(X with A @ X = input, a copy of A); A^T with `transpose`. Source: torch.triangular_solve."""
    b = input
    for t, name in ((check_tensor(b, "triangular_solve"), "b"), (check_tensor(A, "triangular_solve", "A"), "A")):
        if t._a.ndim < 2:
            raise RuntimeError(
                f"torch.triangular_solve: Expected {name} to have at least 2 dimensions, but it has {t._a.ndim} dimensions instead"
            )
    a = sh.transpose(A, -1, -2) if transpose else A
    x = la.solve_triangular(a, b, upper=upper != transpose, unitriangular=unitriangular)
    copy = sh.clone(la.spread(A, x._a.shape[:-2]))
    return la.finish(triangular_result(x, copy), out)


_geqrf = primitive("geqrf", "x", None, outs=2)


def geqrf(input: Tensor, *, out: Any = None) -> Any:
    """(R above, reflectors below; tau), as LAPACK packs a QR factorisation. Source: torch.geqrf."""
    if check_tensor(input, "geqrf")._a.ndim < 2:
        raise RuntimeError("torch.geqrf: input must have at least 2 dimensions.")
    if input._a.dtype.kind in "biu" or input._a.dtype.itemsize == 2:
        raise no_kernel("geqrf_cpu", input)
    if input._a.dtype.kind == "c" and input._fn is not None and mode.grad:
        raise RuntimeError("geqrf does not support automatic differentiation for outputs with complex dtype.")
    pair = _geqrf(input)
    undifferentiable(
        "GeqrfBackward0", NotImplementedError("the derivative for 'geqrf' is not implemented."), (input,), *pair
    )
    return la.finish(geqrf_result(*pair), out)


def ormqr(
    input: Tensor, input2: Tensor, input3: Tensor, left: bool = True, transpose: bool = False, *,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """With tau = input2 and other = input3: Q @ other (or other @ Q, Q^H), Q of all reflectors that geqrf packs. Source: torch.ormqr."""
    op, tau, other = "torch.ormqr", input2, input3
    for t, name in ((input, "input"), (other, "other")):
        if check_tensor(t, "ormqr", name)._a.ndim < 2:
            raise RuntimeError(f"{op}: {name} must have at least 2 dimensions.")
    m, k = input._a.shape[-2:]
    if other._a.shape[-2 if left else -1] != m:
        raise RuntimeError(
            f"{op}: other.shape[{-2 if left else -1}] must be equal to input.shape[-2] "
            f"({list(other._a.shape)} and {list(input._a.shape)})"
        )
    if tau._a.shape != (*input._a.shape[:-2], min(m, k)):
        raise RuntimeError(
            f"{op}: tau.shape[-1] must be equal to min(other.shape[{-2 if left else -1}], input.shape[-1]) "
            f"(tau {list(tau._a.shape)}, input {list(input._a.shape)})"
        )
    if not input._a.dtype == tau._a.dtype == other._a.dtype:
        raise RuntimeError(
            f"{op}: Expected input, tau and other to have the same dtype, but they are {type_name(input)}, {type_name(tau)} "
            f"and {type_name(other)}"
        )
    # X Q is (Q^H X^H)^H
    x = other if left else adjoint(F, other)
    back = transpose != (not left)
    order = range(tau._a.shape[-1])
    if not input._a.size:  # they have no gradient, as in PyTorch
        input, tau = input.detach(), tau.detach()
    r = la.reflect(input, tau, x, order if back else reversed(order), back)
    r = r if left else adjoint(F, r)
    return la.finish(r, out)  # type: ignore[no-any-return]


def _lu_method(self: Tensor, pivot: bool = True, get_infos: bool = False) -> Any:
    return lu(self, pivot, get_infos)


for _name in (
    "cholesky", "cholesky_inverse", "cholesky_solve", "det", "geqrf", "inverse", "logdet", "lu_solve", "matrix_exp",
    "matrix_power", "orgqr", "ormqr", "pinverse", "qr", "slogdet", "svd", "triangular_solve",
):  # fmt: skip
    attach(_name, globals()[_name])
attach("lu", _lu_method)
