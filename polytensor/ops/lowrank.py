"""Some singular values, principal components and eigenpairs of large matrices. Source: torch."""

from __future__ import annotations

from math import prod
from typing import Any

from .. import dtypes
from ..autograd import no_grad
from ..tensor import Tensor
from . import linalg as la
from .joining import cat
from .random_ops import randn
from .table import check_tensor

__all__ = ["lobpcg", "pca_lowrank", "svd_lowrank"]


def _basis(a: Any, q: int, niter: int) -> Any:
    """Orthonormal columns that nearly span the range of `a`, from a random start and `niter` subspace iterations."""
    start = randn(*a.shape[:-2], a.shape[-1], q, dtype=a.dtype, device=a.device)
    basis = la.qr(a @ start)[0]
    for _ in range(niter):
        basis = la.qr(a.mH @ basis)[0]
        basis = la.qr(a @ basis)[0]
    return basis


def svd_lowrank(A: Tensor, q: int | None = 6, niter: int | None = 2, M: Tensor | None = None) -> Any:
    """(U, S, V) with A - M nearly U @ diag(S) @ V^H, of rank q at most; by random projection. Source: torch.svd_lowrank."""
    a: Any = check_tensor(A, "svd_lowrank", "A")
    m, n = a.shape[-2:]
    q = min(6 if q is None else q, m, n)
    a = a if M is None else a - M
    wide = m < n
    a = a.mH if wide else a
    basis = _basis(a, q, 2 if niter is None else niter)
    u, s, vh = la.svd(basis.mH @ a, False)
    u, v = basis @ u, vh.mH
    return (v, s, u) if wide else (u, s, v)


def pca_lowrank(A: Tensor, q: int | None = None, center: bool = True, niter: int = 2) -> Any:
    """(U, S, V) of the rows of A, moved to mean 0 if `center`; q components (6). Source: torch.pca_lowrank."""
    a: Any = check_tensor(A, "pca_lowrank", "A")
    m, n = a.shape[-2:]
    q = min(6, m, n) if q is None else q
    if not 0 <= q <= min(m, n):
        raise ValueError(f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}")
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    return svd_lowrank(a - a.mean(-2, keepdim=True) if center else a, q, niter)


def lobpcg(
    A: Tensor, k: int | None = None, B: Tensor | None = None, X: Tensor | None = None, n: int | None = None,
    iK: Tensor | None = None, niter: int | None = None, tol: float | None = None, largest: bool | None = None,
    method: str | None = None, tracker: Any = None, ortho_iparams: Any = None, ortho_fparams: Any = None,
    ortho_bparams: Any = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """(the k largest or smallest eigenvalues, their vectors) of symmetric A x = e B x, by preconditioned iteration.

    X: (m, n) start vectors; iK: preconditioner. Unlike PyTorch, one method serves for `method` and the ortho options,
    and gradients pass through the eigenvalues only. Source: torch.lobpcg.
    """
    a: Any = check_tensor(A, "lobpcg", "A")
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise AssertionError(f"A must be square, got shape {a.shape}")
    if method not in (None, "basic", "ortho"):
        raise RuntimeError(f"lobpcg: unknown method {method!r}")
    m = a.shape[-1]
    k = (1 if X is None else X.shape[-1]) if k is None else k
    n = (k if n is None else n) if X is None else X.shape[-1]
    if m < 3 * n:
        raise ValueError(
            f"LPBPCG algorithm is not applicable when the number of A rows (={m}) is smaller than 3 x the number of "
            f"requested eigenpairs (={n})"
        )
    if a.ndim > 2:
        batch = a.shape[:-2]

        def row(t: Any, i: int) -> Any:
            return None if t is None else t.reshape(-1, *t.shape[-2:])[i]

        each = [
            lobpcg(row(a, i), k, row(B, i), row(X, i), n, row(iK, i), niter, tol, largest, method)
            for i in range(prod(batch))
        ]
        values, vectors = (cat([t.unsqueeze(0) for t in part]) for part in zip(*each, strict=True))
        return values.reshape(*batch, k), vectors.reshape(*batch, m, k)
    tol = dtypes.finfo(a.dtype).eps ** 0.5 if tol is None else tol
    with no_grad():
        x = _iterate(a.detach(), B, randn(m, n, dtype=a.dtype, device=a.device) if X is None else X, iK,
                     -1 if niter is None else niter, tol, largest is not False)[:, :k]  # fmt: skip
    values = (x * (a @ x)).sum(0)  # x is normal with B, and at an eigenvector this has the eigenvalue's gradient
    return values, x


def _iterate(a: Any, b: Any, x: Any, precondition: Any, limit: int, tol: float, largest: bool) -> Any:
    """Rayleigh-Ritz on the span of the vectors, their residuals and the last steps, until the residuals are small."""
    n = x.shape[1]
    step: Any = None
    size = a.norm()
    count = 0
    limit = 1000 if limit < 0 else limit
    space = x
    while True:
        bs = space if b is None else b @ space
        scale = bs.mul(space).sum(0).clamp(min=dtypes.finfo(a.dtype).tiny).rsqrt()
        space = space * scale  # columns of one length, so that the small values below mean dependence
        bs = bs * scale
        weights, turn = la.eigh(space.mT @ bs)
        keep = weights > weights.max() * (10 * dtypes.finfo(a.dtype).eps)
        turn = turn[:, keep] * weights[keep].rsqrt()
        values, mix = la.eigh(turn.mT @ (space.mT @ (a @ space)) @ turn)
        order = values.argsort(descending=largest)[:n]
        values, mix = values[order], turn @ mix[:, order]
        x = space @ mix
        step = space[:, n:] @ mix[n:] if space.shape[1] > n else None
        bx = x if b is None else b @ x
        residual = a @ x - bx * values
        count += 1
        if count > limit or bool((residual.norm(dim=0) <= tol * (size + values.abs()) * x.norm(dim=0)).all()):
            return x
        if precondition is not None:
            residual = precondition @ residual
        space = cat([x, residual] if step is None else [x, residual, step], 1)
