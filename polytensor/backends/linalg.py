"""Linear algebra kernels over an array namespace.

What NumPy and CuPy both have comes from xp.linalg; LU, triangular systems and the matrix exponential are plain array
code that loops over columns or blocks, never over the batch. Where a factorisation fails, `info` (int32, per matrix)
says at which column, counted from 1, as LAPACK does; the front turns it into an error.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = Any
PANEL = 32  # columns that LU eliminates one by one, and rows that a triangular system solves one by one

# numerator coefficients of the Pade approximants of exp (Higham 2005), with the 1-norm up to which each is exact
PADE = (
    (1.495585217958292e-2, (120.0, 60.0, 12.0, 1.0)),
    (2.539398330063230e-1, (30240.0, 15120.0, 3360.0, 420.0, 30.0, 1.0)),
    (9.504178996162932e-1, (17297280.0, 8648640.0, 1995840.0, 277200.0, 25200.0, 1512.0, 56.0, 1.0)),
    (2.097847961257068, (17643225600.0, 8821612800.0, 2075673600.0, 302702400.0, 30270240.0, 2162160.0, 110880.0, 3960.0,
                         90.0, 1.0)),
    (5.371920351148152, (64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0,
                         129060195264000.0, 10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0, 40840800.0,
                         960960.0, 16380.0, 182.0, 1.0)),
)  # fmt: skip


def _h(x: Array) -> Array:
    return x.swapaxes(-1, -2).conj()


class LinalgKernels:
    """Mixed into Backend."""

    xp: Any
    asynchronous: bool

    # ---- diagonals --------------------------------------------------------------------------------------------
    def diag_part(self, x: Array) -> Array:
        """The main diagonals of (..., m, n), as a copy."""
        return self.xp.array(self.xp.diagonal(x, 0, -2, -1), order="C", copy=True)

    def diag_put(self, x: Array, shape: tuple[int, ...]) -> Array:
        """Zeros of `shape` (..., m, n) with x (..., min(m, n)) on the main diagonals."""
        out = self.xp.zeros(shape, x.dtype)
        i = self.xp.arange(x.shape[-1])
        out[..., i, i] = x
        return out

    def trace(self, x: Array) -> Array:
        return self.sum(self.diag_part(x), None, False)  # type: ignore[attr-defined]

    def _info(self, x: Array) -> Array:
        return self.xp.zeros(x.shape[:-2], np.int32)

    def _first_zero(self, d: Array) -> Array:
        """Where a diagonal has its first 0, counted from 1; 0 if nowhere."""
        if d.shape[-1] == 0:
            return self.xp.zeros(d.shape[:-1], np.int32)
        hit = d == 0
        return self.xp.where(hit.any(-1), hit.argmax(-1) + 1, 0).astype(np.int32)

    # ---- LU and what is solved with it ------------------------------------------------------------------------
    def _lu(self, x: Array, pivot: bool) -> tuple[Array, Array]:
        """Packed factors of (B, m, n) and the row that each column was swapped with, from 0."""
        xp = self.xp
        a = self._by_columns(x)
        batch, m, n = a.shape
        k = min(m, n)
        pivots = xp.broadcast_to(xp.arange(k, dtype=np.int32), (batch, k)).copy()
        rows = xp.arange(batch)
        for start in range(0, k, PANEL):
            stop = min(start + PANEL, k)
            for j in range(start, stop):
                if pivot and j < m:
                    p = self._size(a[:, j:, j]).argmax(-1) + j
                    pivots[:, j] = p
                    top = a[:, j].copy()
                    a[:, j] = a[rows, p]
                    a[rows, p] = top
                d = a[:, j, j]
                a[:, j + 1 :, j] /= xp.where(d == 0, xp.ones_like(d), d)[:, None]
                if j + 1 < stop:
                    a[:, j + 1 :, j + 1 : stop] -= a[:, j + 1 :, j, None] * a[:, j, None, j + 1 : stop]
            if stop < n:
                panel = a[:, start:stop, start:stop]
                a[:, start:stop, stop:] = self._lower(panel, a[:, start:stop, stop:], True)
                a[:, stop:, stop:] -= xp.matmul(a[:, stop:, start:stop], a[:, start:stop, stop:])
        return a, pivots

    def _by_columns(self, x: Array) -> Array:
        """A copy with its columns one after the other, as LAPACK and PyTorch keep factors."""
        return self.xp.array(x.swapaxes(-1, -2), order="C", copy=True).swapaxes(-1, -2)

    def _size(self, x: Array) -> Array:
        """What LAPACK takes for the size of a pivot."""
        return self.xp.abs(x.real) + self.xp.abs(x.imag) if x.dtype.kind == "c" else self.xp.abs(x)

    def linalg_lu_factor_ex(self, x: Array, pivot: bool) -> tuple[Array, Array, Array]:
        """(LU packed, pivots from 1 (int32), info)."""
        *batch, m, n = x.shape
        lu, pivots = self._lu(x.reshape(math.prod(batch), m, n), pivot)
        lu, pivots = lu.reshape(x.shape), pivots.reshape(*batch, min(m, n))
        return lu, pivots + np.int32(1), self._first_zero(self.diag_part(lu))

    def lu_permutation(self, pivots: Array, m: int) -> Array:
        """(..., k) pivots from 1 to (..., m): the row of the input that row i of L @ U is."""
        *batch, k = pivots.shape
        count = math.prod(batch)
        p = pivots.reshape(count, k).astype(np.int64) - 1
        perm = self.xp.broadcast_to(self.xp.arange(m), (count, m)).copy()
        rows = self.xp.arange(count)
        for j in range(k):
            other = p[:, j]
            old = perm[:, j].copy()
            perm[:, j] = perm[rows, other]
            perm[rows, other] = old
        return perm.reshape(*batch, m)

    def permute_rows(self, x: Array, perm: Array, back: bool) -> Array:
        """Rows of (..., m, n) in the order `perm`; or, with `back`, the rows that were so ordered put back."""
        if back:
            perm = perm.argsort(-1)
        return self.xp.take_along_axis(x, self.xp.broadcast_to(perm[..., None], x.shape), -2)

    def linalg_inv_ex(self, x: Array) -> tuple[Array, Array]:
        """(inverse, info). Singular matrices of a batch leave the others right."""
        try:
            out = self.xp.linalg.inv(x)
        except np.linalg.LinAlgError:
            out = None
        if self._failed(out):
            eye = self.xp.broadcast_to(self.xp.eye(x.shape[-1], dtype=x.dtype), x.shape)
            return self._solve_each(x, eye)
        return out, self._info(x)

    def linalg_solve_ex(self, a: Array, b: Array) -> tuple[Array, Array]:
        """(solution of a @ x = b with b (..., n, k), info)."""
        try:
            x = self.xp.linalg.solve(a, b)
        except np.linalg.LinAlgError:
            x = None
        return self._solve_each(a, b) if self._failed(x) else (x, self._info(a))

    def _failed(self, x: Array | None) -> bool:
        """Whether a solver gave up: NumPy raises, CuPy answers with what is not finite."""
        return x is None or (self.asynchronous and not bool(self.xp.isfinite(x).all()))

    def _solve_each(self, a: Array, b: Array) -> tuple[Array, Array]:
        """By a factorisation that does not stop at a singular matrix."""
        lu, pivots, info = self.linalg_lu_factor_ex(a, True)
        x = self.permute_rows(b, self.lu_permutation(pivots, a.shape[-1]), False)
        x = self.linalg_solve_triangular(lu, x, False, True, True)
        return self.linalg_solve_triangular(lu, x, True, True, False), info

    def linalg_det(self, x: Array) -> Array:
        with np.errstate(invalid="ignore"):  # NaN is silent in PyTorch
            return self.xp.linalg.det(x)

    def linalg_slogdet(self, x: Array) -> tuple[Array, Array]:
        sign, logabs = self.xp.linalg.slogdet(x)
        return self.xp.asarray(sign), self.xp.asarray(logabs)

    # ---- triangular systems -----------------------------------------------------------------------------------
    def _lower(self, a: Array, b: Array, unit: bool) -> Array:
        """x with a @ x = b, `a` (B, n, n) lower triangular: halves, then row by row."""
        n = a.shape[-1]
        if n > PANEL:
            h = n // 2
            top = self._lower(a[:, :h, :h], b[:, :h], unit)
            bottom = self._lower(a[:, h:, h:], b[:, h:] - self.xp.matmul(a[:, h:, :h], top), unit)
            return self.xp.concatenate([top, bottom], 1)
        x = self.xp.array(b, order="C", copy=True)
        for j in range(n):
            if not unit:
                x[:, j] /= a[:, j, j, None]
            if j + 1 < n:
                x[:, j + 1 :] -= a[:, j + 1 :, j, None] * x[:, None, j]
        return x

    def linalg_solve_triangular(self, a: Array, b: Array, upper: bool, left: bool, unitriangular: bool) -> Array:
        """x with a @ x = b, or x @ a = b unless `left`; only one triangle of `a` is read."""
        if not left:
            return self.linalg_solve_triangular(a.swapaxes(-1, -2), b.swapaxes(-1, -2), not upper, True, unitriangular).swapaxes(-1, -2)  # fmt: skip
        count = math.prod(a.shape[:-2])
        flat, rhs = a.reshape(count, *a.shape[-2:]), b.reshape(count, *b.shape[-2:])
        if upper:  # read backwards it is lower
            x = self._lower(flat[:, ::-1, ::-1], rhs[:, ::-1], unitriangular)[:, ::-1]
        else:
            x = self._lower(flat, rhs, unitriangular)
        return self.xp.ascontiguousarray(x).reshape(b.shape)

    # ---- symmetric ones ---------------------------------------------------------------------------------------
    def linalg_cholesky_ex(self, x: Array, upper: bool) -> tuple[Array, Array]:
        """(factor, info); info is the first leading minor that is not positive. Reads one triangle."""
        xp = self.xp
        if upper:
            x = _h(x)
        try:
            factor = xp.linalg.cholesky(x) if upper else self._cholesky(x)
            good = bool(xp.isfinite(xp.diagonal(factor, 0, -2, -1)).all())
        except np.linalg.LinAlgError:
            good = False
        info = self._info(x)
        if not good:
            factor, info = self._cholesky_each(x)
        return (_h(factor) if upper else factor), info

    def _cholesky(self, x: Array) -> Array:
        """The lower factor; as in PyTorch its columns lie one after the other."""
        return self.xp.ascontiguousarray(self.xp.linalg.cholesky(x).swapaxes(-1, -2)).swapaxes(-1, -2)

    def _cholesky_each(self, x: Array) -> tuple[Array, Array]:
        """Column by column; it does not stop at a matrix that is not positive."""
        xp = self.xp
        a = xp.tril(x)
        info = self._info(x)
        for j in range(x.shape[-1]):
            d = a[..., j, j].real - (a[..., j, :j] * a[..., j, :j].conj()).real.sum(-1)
            info = xp.where((info == 0) & ~(d > 0), np.int32(j + 1), info)
            root = xp.sqrt(xp.where(d > 0, d, xp.ones_like(d)))
            a[..., j, j] = xp.where(d > 0, root, d)
            below = a[..., j + 1 :, j] - xp.matmul(a[..., j + 1 :, :j], a[..., j, :j, None].conj())[..., 0]
            a[..., j + 1 :, j] = below / root[..., None]
        return a, info

    def linalg_eigh(self, x: Array, uplo: str) -> tuple[Array, Array]:
        """(eigenvalues ascending, eigenvectors), reading one triangle."""
        values, vectors = self.xp.linalg.eigh(x, uplo)
        return values, vectors

    def linalg_eigvalsh(self, x: Array, uplo: str) -> Array:
        return self.xp.linalg.eigvalsh(x, uplo)

    def linalg_eig(self, x: Array) -> tuple[Array, Array]:
        """(eigenvalues, eigenvectors), complex."""
        values, vectors = self.xp.linalg.eig(x)
        kind = np.complex64 if x.dtype.char in "fF" else np.complex128
        return values.astype(kind), vectors.astype(kind)

    # ---- QR and SVD -------------------------------------------------------------------------------------------
    def linalg_qr(self, x: Array, kind: str) -> tuple[Array, Array]:
        """(Q, R); kind reduced, complete or r (Q is empty)."""
        if kind == "r":
            return self.xp.empty((0,), x.dtype), self.xp.linalg.qr(x, "r")
        q, r = self.xp.linalg.qr(x, kind)
        return q, r

    def linalg_svd(self, x: Array, full: bool) -> tuple[Array, Array, Array]:
        u, s, vh = self._svd(x, full_matrices=full)
        return u, s, vh

    def _svd(self, x: Array, **kw: Any) -> Any:
        """ArithmeticError for what is not finite."""
        if not bool(self.xp.isfinite(x).all()):
            raise ArithmeticError("inf or NaN")
        return self.xp.linalg.svd(x, **kw)

    def linalg_svdvals(self, x: Array) -> Array:
        return self._svd(x, compute_uv=False)

    # ---- the matrix exponential -------------------------------------------------------------------------------
    def linalg_matrix_exp(self, x: Array) -> Array:
        """Pade approximation with scaling and squaring, each matrix of the batch by its own power of 2."""
        xp = self.xp
        if x.size == 0:
            return x.copy()
        dtype = x.dtype
        if dtype.itemsize == 2:
            return self.linalg_matrix_exp(x.astype(np.float32)).astype(dtype)
        norm = xp.abs(x).sum(-2).max(-1)
        norm = xp.where(xp.isfinite(norm), norm, xp.zeros_like(norm))
        largest = float(norm.max())
        theta, c = next((p for p in PADE if largest <= p[0]), PADE[-1])
        squarings = xp.zeros(norm.shape, np.int64)
        if largest > theta:
            squarings = xp.maximum(xp.ceil(xp.log2(xp.maximum(norm, theta) / theta)), 0).astype(np.int64)
        a = x * xp.exp2(-squarings.astype(norm.dtype))[..., None, None].astype(dtype)
        eye = xp.eye(x.shape[-1], dtype=dtype)
        a2 = xp.matmul(a, a)
        power, odd, even = eye, c[1] * eye, c[0] * eye
        for i in range(2, len(c), 2):
            power = xp.matmul(power, a2) if i > 2 else a2
            even = even + c[i] * power
            odd = odd + c[i + 1] * power
        odd = xp.matmul(a, odd)
        out = self.linalg_solve_ex(xp.broadcast_to(even - odd, x.shape), even + odd)[0]
        for i in range(int(squarings.max())):
            out = xp.where((squarings > i)[..., None, None], xp.matmul(out, out), out)
        return out

    # ---- norms, distances -------------------------------------------------------------------------------------
    def linalg_vector_norm(self, x: Array, ord: float, dim: Any, keepdim: bool) -> Array:
        """The p-norm over `dim` (a tuple, or None: all), real; float16 in float32."""
        xp = self.xp
        if x.dtype.itemsize == 2:
            return self.linalg_vector_norm(x.astype(np.float32), ord, dim, keepdim).astype(x.dtype)
        if ord == math.inf or ord == -math.inf:
            r = (xp.amax if ord > 0 else xp.amin)(xp.abs(x), dim, keepdims=keepdim)
        elif ord == 0:
            r = xp.sum(x != 0, axis=dim, keepdims=keepdim).astype(x.real.dtype)
        elif ord == 2:
            square = (x.real * x.real + x.imag * x.imag) if x.dtype.kind == "c" else x * x
            r = xp.sqrt(self.sum(square, dim, keepdim))  # type: ignore[attr-defined]
        elif ord == 1:
            r = self.sum(xp.abs(x), dim, keepdim)  # type: ignore[attr-defined]
        else:
            r = self.sum(xp.abs(x) ** ord, dim, keepdim) ** (1 / ord)  # type: ignore[attr-defined]
        return r

    def linalg_cross(self, x: Array, y: Array, dim: int) -> Array:
        """The cross product along `dim`, of length 3."""
        x, y = self.xp.moveaxis(x, dim, 0), self.xp.moveaxis(y, dim, 0)
        out = self.xp.stack([x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]], 0)
        return self.xp.ascontiguousarray(self.xp.moveaxis(out, 0, dim))

    def _row_blocks(self, x: Array, y: Array) -> Any:
        """Slices of the rows of x such that the differences to all of y take some 16 MB."""
        step = max(1, 2**21 // max(1, y.shape[-2] * y.shape[-1] * math.prod(x.shape[:-2])))
        return [slice(i, i + step) for i in range(0, x.shape[-2], step)]

    def cdist(self, x: Array, y: Array, p: float, by_product: bool) -> Array:
        """Distances between the rows of (..., P, M) and (..., R, M): (..., P, R)."""
        xp = self.xp
        if by_product:  # |x - y|^2 = |x|^2 + |y|^2 - 2 x y, as one product of matrices with two more columns
            x2, y2 = (x * x).sum(-1, keepdims=True), (y * y).sum(-1, keepdims=True)
            left = xp.concatenate([-2 * x, x2, xp.ones_like(x2)], -1)
            right = xp.concatenate([y, xp.ones_like(y2), y2], -1)
            d = xp.matmul(left, right.swapaxes(-1, -2))
            return xp.sqrt(xp.maximum(d, self.scalar(0, d.dtype)))  # type: ignore[attr-defined]
        out = xp.zeros((*x.shape[:-1], y.shape[-2]), x.dtype)
        for rows in self._row_blocks(x, y) if x.shape[-1] else ():
            d = x[..., rows, None, :] - y[..., None, :, :]
            out[..., rows, :] = self.linalg_vector_norm(d, p, (d.ndim - 1,), False)
        return out

    def cdist_backward(self, g: Array, x: Array, y: Array, p: float, dist: Array) -> Array:
        """The gradient in x of cdist(x, y)."""
        xp = self.xp
        out = xp.zeros(x.shape, x.dtype)
        if p == 0 or x.size == 0 or y.size == 0:
            return out
        if p == 2:
            w = xp.where(dist == 0, self.scalar(0, x.dtype), g / dist)  # type: ignore[attr-defined]
            return w.sum(-1, keepdims=True) * x - xp.matmul(w, y)
        for rows in self._row_blocks(x, y):
            d = x[..., rows, None, :] - y[..., None, :, :]
            gr, far = g[..., rows, :, None], dist[..., rows, :, None]
            if p == 1:
                d = xp.sign(d) * gr
            elif p == math.inf:
                d = xp.sign(d) * (xp.abs(d) == far) * gr
            else:
                s = xp.where(d == 0, self.scalar(0, d.dtype), xp.sign(d) * xp.abs(d) ** (p - 1))  # type: ignore[attr-defined]
                d = s * xp.where(far == 0, self.scalar(0, d.dtype), gr * far ** (1 - p))  # type: ignore[attr-defined]
            out[..., rows, :] = d.sum(-2)
        return out

    def cholesky_solve(self, b: Array, low: Array, upper: bool) -> Array:
        """x with low @ low^H @ x = b, or of low^H @ low if `upper`."""
        if upper:
            low = _h(low)
        x = self.linalg_solve_triangular(low, b, False, True, False)
        return self.linalg_solve_triangular(_h(low), x, True, True, False)

    # ---- for rules --------------------------------------------------------------------------------------------
    def join(self, x: Array, y: Array, dim: int) -> Array:
        return self.xp.concatenate([x, y], dim)

    def permute_rows_by(self, x: Array, pivots: Array, back: bool) -> Array:
        return self.permute_rows(x, self.lu_permutation(pivots, x.shape[-2]), back)

    def linalg_pinv(self, x: Array, atol: Any, rtol: Any, hermitian: bool) -> Array:
        """Pseudo-inverse; singular values up to max(atol, rtol * largest) count as 0."""
        xp = self.xp
        if x.size == 0:
            return xp.zeros((*x.shape[:-2], x.shape[-1], x.shape[-2]), x.dtype)
        if hermitian:
            s, u = self.linalg_eigh(x, "L")
            vh, size = _h(u), xp.abs(s)
        else:
            u, s, vh = self.linalg_svd(x, False)
            size = s
        cutoff = xp.maximum(atol, rtol * size.max(-1, keepdims=True))
        inverse = xp.where(size > cutoff, 1 / s, xp.zeros_like(s)).astype(x.dtype)
        return xp.matmul(_h(vh) * inverse[..., None, :], _h(u))

    def first_zero_on_diagonal(self, x: Array) -> Array:
        return self._first_zero(self.diag_part(x))

    def geqrf(self, x: Array) -> tuple[Array, Array]:
        """Householder QR, column by column: (R above and reflectors below the diagonal, tau)."""
        xp = self.xp
        a = self._by_columns(x)
        m, n = a.shape[-2:]
        k = min(m, n)
        tau = xp.zeros((*a.shape[:-2], k), a.dtype)
        for j in range(k):
            alpha = a[..., j, j].copy()
            below = a[..., j + 1 :, j]
            tail = (below.real**2 + below.imag**2).sum(-1)
            size = xp.sqrt(alpha.real**2 + alpha.imag**2 + tail)
            idle = (tail == 0) & (alpha.imag == 0)
            beta = xp.where(idle, alpha.real, xp.where(alpha.real >= 0, -size, size))
            t = xp.where(idle, xp.zeros_like(beta), (beta - alpha) / xp.where(beta == 0, xp.ones_like(beta), beta))
            v = below / xp.where(idle, xp.ones_like(alpha), alpha - beta)[..., None]
            a[..., j + 1 :, j] = v
            a[..., j, j] = beta
            tau[..., j] = t
            if j + 1 < n:
                full = xp.concatenate([xp.ones_like(alpha)[..., None], v], -1)
                rest = a[..., j:, j + 1 :]
                w = xp.matmul(full.conj()[..., None, :], rest)
                a[..., j:, j + 1 :] = rest - t.conj()[..., None, None] * full[..., :, None] * w
        return a, tau
