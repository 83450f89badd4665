"""Factorisations and solvers of torch.linalg: rows with their derivatives, and the functions around them."""

from __future__ import annotations

from math import prod
from typing import Any

from ..autograd.modes import mode
from ..return_types import named_result
from ..tensor import Tensor, wrap
from . import pointwise as pw
from . import products as mat
from . import reduce as red
from . import shape as sh
from .convert import to_device
from .factors import cut
from .products import adjoint
from .table import F, check_tensor, no_kernel, placed, same_device, type_name, write_out

__all__: list[str] = []  # ops/matrices.py names what torch itself has


class _LinAlgError(RuntimeError):
    """A matrix that an operation cannot be done on: singular, not positive-definite. Source: torch.linalg.LinAlgError."""


LinAlgError = _LinAlgError


inv_result = named_result("linalg_inv_ex", "inverse", "info")
solve_result = named_result("linalg_solve_ex", "result", "info")
slogdet_result = named_result("linalg_slogdet", "sign", "logabsdet")
cholesky_result = named_result("linalg_cholesky_ex", "L", "info")
qr_result = named_result("linalg_qr", "Q", "R")
svd_result = named_result("linalg_svd", "U", "S", "Vh")
eigh_result = named_result("linalg_eigh", "eigenvalues", "eigenvectors")
eig_result = named_result("linalg_eig", "eigenvalues", "eigenvectors")
lu_result = named_result("linalg_lu", "P", "L", "U")
lu_factor_result = named_result("linalg_lu_factor", "LU", "pivots")
lu_factor_ex_result = named_result("linalg_lu_factor_ex", "LU", "pivots", "info")
lstsq_result = named_result("linalg_lstsq", "solution", "residuals", "rank", "singular_values")


# ---- checks -----------------------------------------------------------------------------------------------------------
def check_matrix(x: Any, op: str, square: bool = False, low: str = "", ints: str = "") -> Tensor:
    """Errors of PyTorch for what is no batch of (square) floating matrices.

    `low`, `ints`: PyTorch's kernel that lacks float16 (else any low precision is refused), or integers too.
    """
    shape = check_tensor(x, op, "A")._a.shape
    if len(shape) < 2:
        raise RuntimeError(f"{op}: The input tensor A must have at least 2 dimensions.")
    if square and shape[-1] != shape[-2]:
        raise RuntimeError(
            f"{op}: A must be batches of square matrices, but they are {shape[-2]} by {shape[-1]} matrices"
        )
    dtype = x._a.dtype
    if dtype.kind in "biu":
        if ints:
            raise no_kernel(ints, x)
        raise RuntimeError(f"{op}: Expected a floating point or complex tensor as input. Got {type_name(x)}")
    if dtype.itemsize == 2:
        if low or ints:
            raise no_kernel(f"{low or ints}", x)
        raise RuntimeError(f"{op}: Low precision dtypes not supported. Got {type_name(x)}")
    return x  # type: ignore[no-any-return]


@placed
def fail(info: Tensor, op: str, text: str, error: type = LinAlgError) -> None:
    """Raise for the first matrix whose `info` is not 0."""
    a = info._a
    if not a.any():
        return
    flat = a.reshape(-1)
    i = int((flat != 0).argmax())
    element = f"(Batch element {i}): " if a.ndim else ""
    raise error(f"{op}: {element}{text.format(int(flat[i]))}")


def finish(r: Any, out: Any) -> Any:
    """Results into `out=`: a tensor or a tuple of them."""
    if out is None:
        return r
    if isinstance(r, Tensor):
        return write_out(out, r)
    return type(r)(*[write_out(o, t) for o, t in zip(out, r, strict=True)])


def spread(x: Tensor, batch: tuple[int, ...]) -> Tensor:
    """Matrices broadcast to a batch shape."""
    shape = (*batch, *x._a.shape[-2:])
    return x if x._a.shape == shape else sh.expand(x, shape)


def same_kind(op: str, a: Tensor, b: Tensor, name_a: str = "A", name_b: str = "B") -> None:
    if a._a.dtype != b._a.dtype:
        raise RuntimeError(
            f"{op}: Expected {name_a} and {name_b} to have the same dtype, but found {name_a} of type {type_name(a)} and "
            f"{name_b} of type {type_name(b)} instead"
        )
    same_device(op, a, b)


SINGULAR = "The diagonal element {} is zero, the inversion could not be completed because the input matrix is singular."
NOT_POSITIVE = (
    "The factorization could not be completed because the input is not positive-definite (the leading minor of order {} "
    "is not positive-definite)."
)


# ---- inverse, systems, determinants -----------------------------------------------------------------------------------
def inv_ex(A: Tensor, *, check_errors: bool = False, out: Any = None) -> Any:
    """(inverse, info) without an error for singular matrices, unless asked. Source: torch.linalg.inv_ex."""
    r = inv_result(*F.linalg_inv_ex(check_matrix(A, "linalg.inv", True)))
    if check_errors:
        fail(r.info, "linalg.inv_ex", SINGULAR)
    return finish(r, out)


def inv(A: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Inverse of (*, n, n). LinAlgError if singular. Source: torch.linalg.inv."""
    r, info = F.linalg_inv_ex(check_matrix(A, "linalg.inv", True))
    fail(info, "linalg.inv", SINGULAR)
    return finish(r, out)  # type: ignore[no-any-return]


def is_vector(a: Tensor, b: Tensor) -> bool:
    """Whether a right-hand side holds vectors, not matrices."""
    return bool(b._a.ndim == 1 or (a._a.ndim - 1 == b._a.ndim and b._a.shape == a._a.shape[:-1]))


def _check_system(op: str, a: Tensor, b: Tensor, left: bool) -> tuple[int, ...]:
    """Shapes of a @ x = b; the batch that both broadcast to."""
    p, q = a._a.shape, b._a.shape
    if q[-2 if left else -1] != p[-1]:
        raise RuntimeError(
            f"{op}: Incompatible shapes of A and B for the equation {'AX = B' if left else 'XA = B'} "
            f"({p[-2]}x{p[-1]} and {q[-2]}x{q[-1]})"
        )
    return tuple(sh.broadcast_shapes(p[:-2], q[:-2]))


def _solve(op: str, A: Tensor, B: Tensor, left: bool) -> tuple[Tensor, Tensor]:
    check_matrix(A, "linalg.solve", True, low="lu_cpu")
    same_kind("linalg.solve", check_tensor(B, "linalg_solve", "B"), A, "B", "A")
    vector = is_vector(A, B)
    if vector and not left:
        raise RuntimeError(
            "linalg.solve: Vector broadcasting of the left hand side is not supported for left=False. In this case "
            "linalg.solve is equivalent to B / A.squeeze(-1)"
        )
    if B._a.ndim < 2 and not vector:
        raise RuntimeError("linalg.solve: The input tensor B must have at least 2 dimensions.")
    b = sh.unsqueeze(B, -1) if vector else B
    batch = _check_system("linalg.solve", A, b, left)
    a, b = spread(A, batch), spread(b, batch)
    if not left:
        a, b = sh.transpose(a, -1, -2), sh.transpose(b, -1, -2)
    r, info = F.linalg_solve_ex(a, b)
    if info._a.shape != A._a.shape[:-2]:  # of every matrix of A once
        own = (1,) * (len(batch) + 2 - A._a.ndim) + A._a.shape[:-2]
        info = F.slice(info, tuple(slice(0, n) for n in own))
        info = sh.reshape(info, A._a.shape[:-2])
    if not left:
        r = sh.transpose(r, -1, -2)
    return (sh.squeeze(r, -1) if vector else r), info


def solve_ex(A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False, out: Any = None) -> Any:
    """(result, info) without an error for singular matrices, unless asked. Source: torch.linalg.solve_ex."""
    r = solve_result(*_solve("linalg.solve_ex", A, B, left))
    if check_errors:
        fail(r.info, "torch.linalg.solve_ex", "The solver failed because the input matrix is singular.")
    return finish(r, out)


def solve(A: Tensor, B: Tensor, *, left: bool = True, out: Tensor | None = None) -> Tensor:
    """X with A @ X = B, or X @ A = B unless `left`; A (*, n, n), B (*, n, k) or vectors (*, n). LinAlgError if singular.

    Source: torch.linalg.solve."""
    r, info = _solve("linalg.solve", A, B, left)
    fail(info, "torch.linalg.solve", "The solver failed because the input matrix is singular.")
    return finish(r, out)  # type: ignore[no-any-return]


def solve_triangular(
    input: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False, out: Tensor | None = None
) -> Tensor:
    """X with A @ X = B, or X @ A = B unless `left`, A triangular: the other triangle is not read; zeros on the diagonal give
    inf. Source: torch.linalg.solve_triangular."""
    check_matrix(input, "linalg.solve_triangular", True, ints="triangular_solve_cpu")
    if check_tensor(B, "linalg_solve_triangular", "B")._a.ndim < 2:
        raise RuntimeError("linalg.solve_triangular: The input tensor B must have at least 2 dimensions.")
    same_kind("linalg.solve_triangular", input, B)
    batch = _check_system("linalg.solve_triangular", input, B, left)
    return finish(  # type: ignore[no-any-return]
        F.linalg_solve_triangular(spread(input, batch), spread(B, batch), bool(upper), bool(left), bool(unitriangular)),
        out,
    )


def det(A: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Determinant of (*, n, n). Source: torch.linalg.det."""
    return finish(F.linalg_det(check_matrix(A, "linalg.det", True, low="lu_cpu")), out)  # type: ignore[no-any-return]


def slogdet(A: Tensor, *, out: Any = None) -> Any:
    """(sign, logabsdet) of the determinant. Source: torch.linalg.slogdet."""
    return finish(slogdet_result(*F.linalg_slogdet(check_matrix(A, "linalg.slogdet", True))), out)


# ---- factorisations ---------------------------------------------------------------------------------------------------
def cholesky_ex(input: Tensor, *, upper: bool = False, check_errors: bool = False, out: Any = None) -> Any:
    """(L, info) without an error for what is not positive-definite, unless asked. Source: torch.linalg.cholesky_ex."""
    r = cholesky_result(*F.linalg_cholesky_ex(check_matrix(input, "linalg.cholesky", True, low="cholesky_cpu"), upper))
    if check_errors:
        fail(r.info, "linalg.cholesky_ex", NOT_POSITIVE)
    return finish(r, out)


def cholesky(input: Tensor, *, upper: bool = False, out: Tensor | None = None) -> Tensor:
    """L lower triangular with L @ L^H = A (or its conjugate transpose). LinAlgError unless positive-definite.

    Source: torch.linalg.cholesky."""
    r, info = F.linalg_cholesky_ex(check_matrix(input, "linalg.cholesky", True, low="cholesky_cpu"), upper)
    fail(info, "linalg.cholesky", NOT_POSITIVE)
    return finish(r, out)  # type: ignore[no-any-return]


def qr(A: Tensor, mode: str = "reduced", *, out: Any = None) -> Any:
    """(Q, R) of (*, m, n); mode reduced, complete or r (Q empty). Source: torch.linalg.qr."""
    check_matrix(A, "linalg.qr", low="geqrf_cpu")
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'"
        )
    return finish(qr_result(*F.linalg_qr(A, mode)), out)


NOT_FINITE = "linalg.svd: The algorithm failed to converge because the input matrix contained non-finite values."


def _svd_input(A: Any) -> Tensor:
    return check_matrix(A, "linalg.svd", low="linalg_svd_cpu")


def _driver(driver: Any) -> None:
    if driver is not None:
        raise RuntimeError(
            "linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER backend."
        )


def svd(A: Tensor, full_matrices: bool = True, *, driver: Any = None, out: Any = None) -> Any:
    """(U, S, Vh) with A = U @ diag(S) @ Vh. LinAlgError for inf and NaN. Source: torch.linalg.svd."""
    _driver(driver)
    try:
        return finish(svd_result(*F.linalg_svd(_svd_input(A), bool(full_matrices))), out)
    except ArithmeticError:
        raise LinAlgError(NOT_FINITE) from None


def svdvals(A: Tensor, *, driver: Any = None, out: Tensor | None = None) -> Tensor:
    """Singular values, descending. Source: torch.linalg.svdvals."""
    _driver(driver)
    if _svd_input(A)._fn is not None:
        return finish(svd(A, False).S, out)  # type: ignore[no-any-return]
    try:
        return finish(F.linalg_svdvals(A), out)  # type: ignore[no-any-return]
    except ArithmeticError:
        raise LinAlgError(NOT_FINITE) from None


def _uplo(uplo: Any, op: str) -> str:
    if str(uplo).upper() not in ("L", "U"):
        raise RuntimeError(f"{op}: Expected UPLO argument to be 'L' or 'U', but got {uplo}")
    return str(uplo).upper()


def eigh(input: Tensor, UPLO: str = "L", *, out: Any = None) -> Any:
    """(eigenvalues ascending, eigenvectors) of symmetric or Hermitian matrices; one triangle is read.

    Source: torch.linalg.eigh."""
    check_matrix(input, "linalg.eigh", True, ints="linalg_eigh_cpu")
    return finish(eigh_result(*F.linalg_eigh(input, _uplo(UPLO, "torch.linalg.eigh"))), out)


def eigvalsh(input: Tensor, UPLO: str = "L", *, out: Tensor | None = None) -> Tensor:
    """Eigenvalues of symmetric or Hermitian matrices, ascending. Source: torch.linalg.eigvalsh."""
    check_matrix(input, "linalg.eigvalsh", True, ints="linalg_eigh_cpu")
    uplo = _uplo(UPLO, "torch.linalg.eigvalsh")
    r = F.linalg_eigvalsh(input, uplo) if input._fn is None else F.linalg_eigh(input, uplo)[0]
    return finish(r, out)  # type: ignore[no-any-return]


@placed
def eig(input: Tensor, *, out: Any = None) -> Any:
    """(eigenvalues, eigenvectors), complex, in no order. Source: torch.linalg.eig."""
    check_tensor(input, "linalg_eig")
    if input._a.dtype.kind in "biu" and input._a.ndim > 1:
        raise RuntimeError(f"Unknown Complex ScalarType for {type_name(input)}")
    check_matrix(input, "linalg.eig", True, low="linalg_eig_out_cpu")
    if not bool(pw.isfinite(input)._a.all()):
        raise RuntimeError("torch.linalg.eig: input tensor should not contain infs or NaNs.")
    return finish(eig_result(*F.linalg_eig(input)), out)


def eigvals(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Eigenvalues, complex, in no order. Source: torch.linalg.eigvals."""
    return finish(eig(input).eigenvalues, out)  # type: ignore[no-any-return]


def _lu_input(A: Any, op: str) -> Tensor:
    if check_tensor(A, op)._a.ndim < 2:
        raise RuntimeError(f"{op}: Expected tensor with 2 or more dimensions. Got size: {list(A._a.shape)} instead")
    return check_matrix(A, op, ints="lu_cpu")


def lu_factor_ex(A: Tensor, *, pivot: bool = True, check_errors: bool = False, out: Any = None) -> Any:
    """(LU packed, pivots from 1, info). Source: torch.linalg.lu_factor_ex."""
    r = lu_factor_ex_result(*F.linalg_lu_factor_ex(_lu_input(A, "torch.lu_factor"), pivot))
    if check_errors:
        fail(r.info, "torch.linalg.lu_factor_ex", _ZERO_PIVOT, RuntimeError)
    return finish(r, out)


_ZERO_PIVOT = (
    "U[{0},{0}] is zero and using it on lu_solve would result in a division by zero. If you still want to perform the "
    "factorization, consider calling linalg.lu(A, pivot) or linalg.lu_factor_ex(A, pivot)"
)


def lu_factor(A: Tensor, *, pivot: bool = True, out: Any = None) -> Any:
    """(LU packed, pivots from 1). RuntimeError for a zero on the diagonal of U. Source: torch.linalg.lu_factor."""
    packed, pivots, info = F.linalg_lu_factor_ex(_lu_input(A, "torch.lu_factor"), pivot)
    fail(info, "torch.linalg.lu_factor", _ZERO_PIVOT, RuntimeError)
    return finish(lu_factor_result(packed, pivots), out)


def unpack(packed: Tensor, pivots: Tensor, data: bool = True, pivot: bool = True) -> Any:
    """(P, L, U) of a packed factorisation; empty where not asked for."""
    *batch, m, n = packed._a.shape
    k = min(m, n)
    backend = packed._dev.backend
    dtype = packed._a.dtype
    nothing = _plain(packed, backend.empty((0,), dtype))
    low = up = p = nothing
    if data:
        eye = backend.diag_put(backend.full((*batch, k), 1, dtype), (*batch, m, k))
        low = pw.add(F.tril(cut(F, packed, slice(None), slice(0, k)), -1), _plain(packed, eye))
        up = F.triu(cut(F, packed, slice(0, k), slice(None)), 0)
    if pivot:
        eye = backend.diag_put(backend.full((*batch, m), 1, dtype), (*batch, m, m))
        p = _plain(packed, backend.permute_rows_by(eye, pivots._a, True))
    return p, low, up


def _plain(like: Tensor, array: Any) -> Tensor:
    return wrap(array, like._dev)


def lu(A: Tensor, *, pivot: bool = True, out: Any = None) -> Any:
    """(P, L, U) with A = P @ L @ U; without pivoting P is empty. Source: torch.linalg.lu."""
    packed, pivots, _ = F.linalg_lu_factor_ex(_lu_input(A, "linalg.lu"), pivot)
    return finish(lu_result(*unpack(packed, pivots, True, pivot)), out)


def lu_solve(
    LU: Tensor, pivots: Tensor, B: Tensor, *, left: bool = True, adjoint: bool = False, out: Tensor | None = None
) -> Tensor:
    """X with A @ X = B (A^H with `adjoint`; X @ A = B unless `left`), A given by lu_factor. Source: torch.linalg.lu_solve."""
    check_matrix(LU, "torch.linalg.lu_solve", True)
    same_kind("linalg.lu_solve", LU, B, "LU", "B")
    if pivots._a.dtype.name != "int32":
        raise RuntimeError("linalg.lu_solve: pivots should be a Tensor of scalar type torch.int32")
    if pivots._a.shape != LU._a.shape[:-1]:
        raise RuntimeError(
            "linalg.lu_solve: Number of pivots per batch should be same as the dimension of the matrix "
            f"({list(pivots._a.shape)} and {list(LU._a.shape)})"
        )
    batch = _check_system("linalg.lu_solve", LU, B, left)
    packed, x = spread(LU, batch), spread(B, batch)
    p = sh.expand(pivots, (*batch, pivots._a.shape[-1]))._a
    if not left:  # X A = B: A^H X^H = B^H
        x = F.conj(sh.transpose(x, -1, -2))
        adjoint = not adjoint
    tri = F.linalg_solve_triangular
    if adjoint:
        h = F.conj(sh.transpose(packed, -1, -2))
        x = tri(h, tri(h, x, False, True, False), True, True, True)
        x = F.permute_rows_by(x, p, True)
    else:
        x = F.permute_rows_by(x, p, False)
        x = tri(packed, tri(packed, x, False, True, True), True, True, False)
    if not left:
        x = F.conj(sh.transpose(x, -1, -2))
    return finish(x, out)  # type: ignore[no-any-return]


# ---- pseudo-inverse, least squares, powers ----------------------------------------------------------------------------
def _eps(x: Tensor) -> float:
    return 2.0**-23 if x._a.dtype.char in "fF" else 2.0**-52


def tolerances(x: Tensor, atol: Any, rtol: Any) -> tuple[Any, Any]:
    """atol and rtol as numbers or arrays (..., 1) with PyTorch's defaults."""
    if rtol is None:
        positive = isinstance(atol, Tensor) or (atol is not None and atol > 0)
        rtol = 0.0 if positive else _eps(x) * max(x._a.shape[-2:])
        if isinstance(atol, Tensor):  # only where atol is positive it replaces the default
            rtol = pw.where(pw.gt(atol, 0), 0.0, _eps(x) * max(x._a.shape[-2:]))
    real = x._dev.backend.empty((0,), x._a.dtype).real.dtype

    def value(tol: Any) -> Any:
        if isinstance(tol, Tensor):
            if tol._a.ndim:  # a number goes along
                same_device("linalg", x, tol)
            if tol._a.dtype.kind == "c":
                raise RuntimeError("torch.linalg: atol and rtol tensors of complex type are not supported.")
            return F.cast(to_device(tol, x._dev), real)._a[..., None]
        return float(tol or 0.0)

    return value(atol), value(rtol)


def pinv(
    input: Tensor,
    *args: Any,
    atol: Any = None,
    rtol: Any = None,
    hermitian: bool = False,
    out: Tensor | None = None,
    **kw: Any,
) -> Tensor:
    """Pseudo-inverse: singular values up to max(atol, rtol * largest) count as 0. Source: torch.linalg.pinv."""
    if "rcond" in kw or args:
        rtol = kw.pop("rcond") if "rcond" in kw else args[0]
        hermitian = bool(args[1]) if len(args) > 1 else hermitian
    if kw:
        raise TypeError(f"linalg_pinv() got an unexpected keyword argument '{next(iter(kw))}'")
    a = check_tensor(input, "linalg_pinv")._a
    if a.ndim < 2 or a.dtype.kind in "biu" or a.dtype.itemsize == 2:
        raise RuntimeError(
            f"linalg.pinv({type_name(input)}{{{list(a.shape)}}}): expected a tensor with 2 or more dimensions of float, double, "
            "cfloat or cdouble types"
        )
    for tol, name in ((atol, "atol"), (rtol, "rtol")):
        if isinstance(tol, Tensor) and tol._fn is not None and mode.grad:
            raise RuntimeError(
                f"The function 'linalg_pinv' is not differentiable with respect to argument '{name}'. This input cannot "
                "have requires_grad True."
            )
    if hermitian:
        check_matrix(input, "linalg.pinv", True)
    atol, rtol = tolerances(input, atol, rtol)
    try:
        return finish(F.linalg_pinv(input, atol, rtol, hermitian), out)  # type: ignore[no-any-return]
    except ArithmeticError:
        raise LinAlgError(NOT_FINITE) from None


@placed
def lstsq(input: Tensor, b: Tensor, rcond: Any = None, *, driver: str | None = None) -> Any:
    """(solution, residuals, rank, singular_values) of min |A X - B|, by the pseudo-inverse whatever the driver (gels, gelsy,
    gelsd, gelss), which decides what is returned beside the solution. Source: torch.linalg.lstsq."""
    a, rhs = check_tensor(input, "linalg_lstsq")._a, check_tensor(b, "linalg_lstsq", "b")._a
    if a.ndim < 2:
        raise RuntimeError("torch.linalg.lstsq: input must have at least 2 dimensions.")
    if rhs.ndim < 1:
        raise RuntimeError("torch.linalg.lstsq: other must have at least 1 dimension.")
    if a.dtype != rhs.dtype:
        raise RuntimeError(
            "torch.linalg.lstsq: Expected input and other to have the same dtype, but got input's dtype "
            f"{type_name(input)} and other's dtype {type_name(b)}"
        )
    if a.dtype.kind in "biu" or a.dtype.itemsize == 2:
        raise RuntimeError("This function doesn't handle types other than float and double")
    driver = "gelsy" if driver is None else driver
    if driver not in ("gels", "gelsy", "gelsd", "gelss"):
        raise RuntimeError(
            f"torch.linalg.lstsq: parameter `driver` should be one of (gels, gelsy, gelsd, gelss) (got {driver})"
        )
    vector = is_vector(input, b)
    x = sh.unsqueeze(b, -1) if vector else b
    m, n = a.shape[-2:]
    if x._a.shape[-2] != m:
        raise RuntimeError(
            f"torch.linalg.lstsq: input.size(-2) should match other.size({'-1' if vector else '-2'}) "
            f"(shapes {list(a.shape)} and {list(rhs.shape)})"
        )
    batch = tuple(sh.broadcast_shapes(a.shape[:-2], x._a.shape[:-2]))
    spread_a, x = spread(input, batch), spread(x, batch)
    cutoff = _eps(input) * max(m, n) if rcond is None else rcond
    none = _plain(input, input._dev.backend.empty((0,), a.dtype))
    values = (
        svdvals(spread_a.detach()) if a.size else _plain(input, input._dev.backend.empty((*batch, 0), a.dtype).real)
    )
    top = red.amax(values, -1, True) if values._a.size else values
    rank = red.sum(pw.gt(values, top * cutoff), -1)  # type: ignore[operator]
    solution = mat.matmul(pinv(spread_a, rtol=cutoff), x)
    residuals = _plain(input, none._a.real)
    if m > n and driver != "gelsy" and bool((rank._a == n).all()):
        d = pw.sub(x, mat.matmul(spread_a, solution))
        residuals = red.sum(_square(d), -2)
    if vector:
        solution = sh.squeeze(solution, -1)
    r = rank if driver != "gels" else _plain(input, rank._a[:0] if rank._a.ndim else rank._a.reshape(1)[:0])
    s = values if driver in ("gelsd", "gelss") else _plain(input, none._a.real)
    return lstsq_result(solution, residuals, r, s)


def _square(x: Tensor) -> Tensor:
    """|x|^2, real."""
    return pw.square(pw.abs(x)) if x._a.dtype.kind == "c" else pw.square(x)


def matrix_power(input: Tensor, n: int, *, out: Tensor | None = None) -> Tensor:
    """A multiplied n times; the inverse for negative n. Source: torch.linalg.matrix_power."""
    op = "linalg.matrix_power"
    shape = check_tensor(input, op)._a.shape
    if len(shape) < 2:
        raise RuntimeError(f"{op}: The input tensor A must have at least 2 dimensions.")
    if shape[-1] != shape[-2]:
        raise RuntimeError(
            f"{op}: A must be batches of square matrices, but they are {shape[-2]} by {shape[-1]} matrices"
        )
    if n < 0:
        input, n = inv(input), -n
    if n == 0:
        backend = input._dev.backend
        eye = _plain(input, backend.diag_put(backend.full(shape[:-1], 1, input._a.dtype), shape))
        return finish(pw.add(F.fill(input, 0), eye), out)  # type: ignore[no-any-return]
    r, square = None, input
    while True:
        if n & 1:
            r = square if r is None else mat.matmul(r, square)
        n >>= 1
        if not n:
            break
        square = mat.matmul(square, square)
    return finish(sh.clone(input) if r is input else r, out)  # type: ignore[no-any-return]


def matrix_exp(input: Tensor) -> Tensor:
    """The exponential of (*, n, n). Source: torch.linalg.matrix_exp."""
    if (
        check_tensor(input, "linalg_matrix_exp")._a.dtype.itemsize == 2
        and input._a.dtype.kind not in "biu"
        and input._a.ndim > 1
    ):
        if input._a.shape[-1] != input._a.shape[-2]:
            raise RuntimeError(
                "linalg.matrix_exp: A must be batches of square matrices, but they are "
                f"{input._a.shape[-2]} by {input._a.shape[-1]} matrices"
            )
        return F.linalg_matrix_exp(input)  # type: ignore[no-any-return]
    return F.linalg_matrix_exp(check_matrix(input, "linalg.matrix_exp", True))  # type: ignore[no-any-return]


def householder_product(input: Tensor, tau: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The first n columns of H_1 H_2 ... H_k, reflectors as geqrf packs them. Source: torch.linalg.householder_product."""
    op = "torch.linalg.householder_product"
    a, t = check_tensor(input, op)._a, check_tensor(tau, op, "tau")._a
    if a.ndim < 2:
        raise RuntimeError(f"{op}: input must have at least 2 dimensions.")
    if a.shape[-2] < a.shape[-1]:
        raise RuntimeError(f"{op}: input.shape[-2] must be greater than or equal to input.shape[-1]")
    if t.ndim != a.ndim - 1 or t.shape[:-1] != a.shape[:-2]:
        raise RuntimeError(
            f"{op}: Expected tau to have one dimension less than input, with the same batch ({list(a.shape)} and {list(t.shape)})"
        )
    if t.shape[-1] > a.shape[-1]:
        raise RuntimeError(f"{op}: input.shape[-1] must be greater than or equal to tau.shape[-1]")
    if a.dtype.kind in "biu" or a.dtype.itemsize == 2:
        raise no_kernel("orgqr_cpu", input)
    if a.dtype != t.dtype:
        raise RuntimeError(f"{op}: tau dtype {type_name(tau)} does not match input dtype {type_name(input)}")
    backend = input._dev.backend
    q = _plain(input, backend.diag_put(backend.full((*a.shape[:-2], a.shape[-1]), 1, a.dtype), a.shape))
    return finish(reflect(input, tau, q, range(t.shape[-1] - 1, -1, -1), False), out)  # type: ignore[no-any-return]


def reflect(A: Tensor, tau: Tensor, q: Tensor, order: Any, conjugate: bool) -> Tensor:
    """Apply the reflectors I - tau v v^H of `A` to q from the left, in the order given."""
    *batch, m, k = A._a.shape
    backend = A._dev.backend
    ones = _plain(A, backend.diag_put(backend.full((*batch, min(m, k)), 1, A._a.dtype), A._a.shape))
    vs = pw.add(F.tril(A, -1), ones)
    for i in order:
        v = cut(F, vs, slice(None), slice(i, i + 1))
        t = F.slice(tau, (*(slice(None),) * len(batch), slice(i, i + 1)))
        t = sh.unsqueeze(F.conj(t) if conjugate else t, -1)
        q = pw.sub(q, pw.mul(t, mat.matmul(v, mat.matmul(adjoint(F, v), q))))
    return q


# ---- tensors as matrices ----------------------------------------------------------------------------------------------
def tensorinv(input: Tensor, ind: int = 2, *, out: Tensor | None = None) -> Tensor:
    """The inverse for tensordot over the first `ind` dimensions. Source: torch.linalg.tensorinv."""
    if ind <= 0:
        raise RuntimeError("Expected a strictly positive integer for 'ind'")
    shape = check_tensor(input, "linalg_tensorinv")._a.shape
    rows, columns = prod(shape[:ind]), prod(shape[ind:])
    if rows != columns:
        raise RuntimeError(
            f"Expected self to satisfy the requirement prod(self.shape[ind:]) == prod(self.shape[:ind]), but got {columns} != {rows}"
        )
    r = inv(sh.reshape(input, (rows, columns)))
    return finish(sh.reshape(r, (*shape[ind:], *shape[:ind])), out)  # type: ignore[no-any-return]


def tensorsolve(input: Tensor, other: Tensor, dims: Any = None, *, out: Tensor | None = None) -> Tensor:
    """X with tensordot(A, X, X.ndim) = B. Source: torch.linalg.tensorsolve."""
    a = check_tensor(input, "linalg_tensorsolve")
    if dims is not None:
        a = sh.movedim(a, tuple(dims), tuple(range(a._a.ndim - len(dims), a._a.ndim)))
    n = other._a.ndim
    shape = a._a.shape
    size, rest = other._a.size, shape[n:]
    if size != prod(rest):
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == prod(self.shape[:other.ndim]), but "
            f"got {prod(rest)} != {prod(shape[:n])}"
        )
    r = solve(sh.reshape(a, (size, size)), sh.reshape(other, (size,)))
    return finish(sh.reshape(r, rest), out)  # type: ignore[no-any-return]
