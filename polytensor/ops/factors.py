"""Rows of factorisations and solvers, with their derivatives (Giles 2008; Mathias 1996; Golub and Pereyra 1973)."""

from __future__ import annotations

from typing import Any

from ..tensor import Tensor
from .products import adjoint
from .table import primitive, raw, raw_dtype


# ---- what rules share -------------------------------------------------------------------------------------------------
def cut(F: Any, x: Any, rows: slice, columns: slice) -> Any:
    """A block of the last two dimensions."""
    return F.slice(x, (*(slice(None),) * (len(x.shape) - 2), rows, columns))


def as_row(F: Any, x: Any) -> Any:
    """(..., n) as (..., 1, n)."""
    return F.reshape(x, (*x.shape[:-1], 1, x.shape[-1]))


def as_column(F: Any, x: Any) -> Any:
    return F.reshape(x, (*x.shape, 1))


def as_scalars(F: Any, x: Any) -> Any:
    """(...) as (..., 1, 1)."""
    return F.reshape(x, (*x.shape, 1, 1))


def _differences(F: Any, values: Any, dtype: Any) -> Any:
    """values_j - values_i at (i, j), and 1 on the diagonal."""
    n = values.shape[-1]
    ones = F.diag_put(F.add(F.mul(values, 0), 1), (*values.shape, n))
    e = F.add(F.sub(as_row(F, values), as_column(F, values)), ones)
    return F.cast(e, dtype)


def _inv_rule(F: Any, g: Any, need: Any, out0: Any) -> Any:
    h = adjoint(F, out0)
    return [None if g[0] is None else F.neg(F.matmul(h, F.matmul(g[0], h)))]


def _solve_rule(F: Any, g: Any, need: Any, a: Any, out0: Any) -> Any:
    if g[0] is None:
        return [None, None]
    gb = F.linalg_solve_ex(adjoint(F, a), g[0])[0]
    return [F.neg(F.matmul(gb, adjoint(F, out0))) if need[0] else None, gb]


def _det_rule(F: Any, g: Any, x: Any, out: Any) -> Any:
    """0 where the determinant is 0, as in PyTorch, though the cofactors may not be."""
    inverse = adjoint(F, F.linalg_inv_ex(x)[0])
    zero = F.eq(as_scalars(F, out), 0)
    return F.where(zero, F.mul(x, 0), F.mul(as_scalars(F, F.mul(g, F.conj(out))), inverse))


def _slogdet_rule(F: Any, g: Any, need: Any, x: Any, out0: Any) -> Any:
    gs, gl = g
    dtype = raw_dtype(x)
    d = None if gl is None else F.cast(gl, dtype)
    if gs is not None and dtype.kind == "c":
        z = F.mul(F.conj(gs), out0)
        z = F.mul(F.sub(F.conj(z), z), 0.5)
        d = z if d is None else F.add(d, z)
    if d is None:
        return [F.mul(x, 0)]
    return [F.mul(as_scalars(F, d), adjoint(F, F.linalg_inv_ex(x)[0]))]


def _solve_triangular_rule(
    F: Any, g: Any, need: Any, a: Any, out: Any, upper: bool, left: bool, unitriangular: bool
) -> Any:
    gb = F.linalg_solve_triangular(adjoint(F, a), g, not upper, left, unitriangular)
    if not need[0]:
        return [None, gb]
    h = adjoint(F, out)
    ga = F.neg(F.matmul(gb, h) if left else F.matmul(h, gb))
    return [(F.triu if upper else F.tril)(ga, (1 if upper else -1) * unitriangular), gb]


def _cholesky_rule(F: Any, g: Any, need: Any, out0: Any, upper: bool) -> Any:
    if g[0] is None:
        return [None]
    gl, low = (adjoint(F, g[0]), adjoint(F, out0)) if upper else (g[0], out0)
    h = adjoint(F, low)
    p = F.tril(F.matmul(h, gl), 0)
    p = F.mul(F.add(p, adjoint(F, F.tril(p, -1))), 0.5)
    p = F.linalg_solve_triangular(h, p, True, True, False)
    return [F.linalg_solve_triangular(low, p, False, False, False)]


def _lu_rule(F: Any, g: Any, need: Any, out0: Any, out1: Any, x_shape: Any) -> Any:
    """Of the packed factors; the rows that pivoting moved are moved back at the end."""
    g = g[0]
    if g is None:
        return [None]
    m, n = x_shape[-2:]
    k = min(m, n)
    square = slice(0, k)
    lower, upper = cut(F, out0, slice(None), square), cut(F, out0, square, slice(None))
    gl, gu = F.tril(cut(F, g, slice(None), square), -1), F.triu(cut(F, g, square, slice(None)), 0)
    l1h, u1h = adjoint(F, cut(F, lower, square, square)), adjoint(F, cut(F, upper, square, square))

    def unit_solve(b: Any) -> Any:  # L^-H b; one triangle of the packed factors is read
        return F.linalg_solve_triangular(l1h, b, True, True, True)

    gl1, gu1, other = cut(F, gl, square, square), cut(F, gu, square, square), None
    if n > m:
        rest = slice(k, n)
        other = unit_solve(cut(F, gu, slice(None), rest))
        gl1 = F.sub(gl1, F.tril(F.matmul(other, adjoint(F, cut(F, upper, slice(None), rest))), -1))
    elif m > n:
        rest = slice(k, m)
        other = F.linalg_solve_triangular(u1h, cut(F, gl, rest, slice(None)), False, False, False)
        gu1 = F.sub(gu1, F.triu(F.matmul(adjoint(F, cut(F, lower, rest, slice(None))), other), 0))
    low = F.tril(l1h, 0)  # of L^H only its strict upper triangle is wanted: l1h holds U^H below
    low = F.add(F.triu(l1h, 1), F.diag_put(F.add(F.mul(F.diag_part(low), 0), 1), low.shape))
    phi = F.add(F.tril(F.matmul(low, gl1), -1), F.triu(F.matmul(gu1, F.tril(u1h, 0)), 0))
    phi = unit_solve(F.linalg_solve_triangular(u1h, phi, False, False, False))
    if other is not None:
        phi = F.join(phi, other, -1 if n > m else -2)
    pivots = raw(out1)
    return [F.permute_rows_by(phi, pivots, True)]


def _qr_rule(F: Any, g: Any, need: Any, out0: Any, out1: Any, x_shape: Any, kind: str) -> Any:
    gq, gr = g
    m, n = x_shape[-2:]
    if kind == "r":
        raise RuntimeError(
            "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. Please use "
            "linalg.qr(A, mode='reduced') if you are going to require gradients of the output R."
        )
    if kind == "complete" and m > n:
        raise RuntimeError(
            "The QR decomposition is not differentiable when mode='complete' and nrows > ncols. Please use "
            "linalg.qr(A, mode='reduced') in this case."
        )
    q, r = out0, out1
    rest = None
    if m < n:  # the last columns are Q R2
        left, right = slice(0, m), slice(m, n)
        if gr is not None:
            rest = F.matmul(q, cut(F, gr, slice(None), right))
            # what reaches Q by way of R2 = Q^H A2 is A2 gR2^H, and A2 is Q R2
            more = F.matmul(F.matmul(q, cut(F, r, slice(None), right)), adjoint(F, cut(F, gr, slice(None), right)))
            gq = more if gq is None else F.add(gq, more)
            gr = cut(F, gr, slice(None), left)
        r = cut(F, r, slice(None), left)
    h = None
    if gr is not None:
        h = F.matmul(gr, adjoint(F, r))
    if gq is not None:
        qg = F.matmul(adjoint(F, q), gq)
        h = F.neg(qg) if h is None else F.sub(h, qg)
    h = F.triu(h, 0)
    diagonal = F.diag_part(h)
    half = F.mul(F.add(diagonal, F.conj(diagonal)), -0.5)  # with h + h^H: the real part, once
    h = F.add(F.add(h, adjoint(F, h)), F.diag_put(half, h.shape))
    ga = F.matmul(q, h)
    if gq is not None:
        ga = F.add(ga, gq)
    ga = F.linalg_solve_triangular(adjoint(F, r), ga, False, False, False)
    if m < n:
        rest = F.mul(cut(F, F.matmul(q, out1), slice(None), slice(m, n)), 0) if rest is None else rest
        ga = F.join(ga, rest, -1)
    return [ga]


def _phases(F: Any, parts: list[Any], op: str, what: str) -> None:
    """RuntimeError where a loss depends on the phase of complex vectors: the imaginary parts must add up to 0."""
    backend = parts[0]._dev.backend if isinstance(parts[0], Tensor) else F
    arrays = [raw(p).imag for p in parts]
    with backend.here():
        total, last = sum(arrays), arrays[-1]
        good = abs(total) <= 1e-2 + 1e-2 * (abs(last) if len(arrays) > 1 else 0)
    backend.require(
        good,
        RuntimeError,
        f"{op}: The {what}vectors in the complex case are specified up to multiplication by e^{{i phi}}. The specified "
        f"loss function depends on this {'phase term, making it' if what[0] == 's' else 'quantity, so it is'} ill-defined.",
    )


def _svd_rule(F: Any, g: Any, need: Any, out0: Any, out1: Any, out2: Any, x_shape: Any, full: bool) -> Any:
    gu, gs, gvh = g
    u, s, vh = out0, out1, out2
    m, n = x_shape[-2:]
    k = min(m, n)
    if full:
        whole, first = slice(None), slice(0, k)
        u, vh = cut(F, u, whole, first), cut(F, vh, first, whole)
        gu = None if gu is None else cut(F, gu, whole, first)
        gvh = None if gvh is None else cut(F, gvh, first, whole)
    dtype = raw_dtype(u)
    middle = None if gs is None else F.diag_put(F.cast(gs, dtype), (*gs.shape, k))
    sc = F.cast(s, dtype)
    if gu is not None or gvh is not None:
        if dtype.kind == "c":
            parts = [] if gu is None else [F.diag_part(F.matmul(adjoint(F, u), gu))]
            parts += [] if gvh is None else [F.diag_part(F.matmul(vh, adjoint(F, gvh)))]
            _phases(F, parts, "svd_backward", "singular ")
        e = _differences(F, F.mul(s, s), dtype)
        if gu is not None:
            w = F.matmul(adjoint(F, u), gu)
            w = F.sub(w, adjoint(F, w))
            part = F.mul(F.div(w, e), as_row(F, sc))
            if dtype.kind == "c":
                part = F.add(part, F.diag_put(F.div(F.diag_part(w), F.mul(sc, 2)), w.shape))
            middle = part if middle is None else F.add(middle, part)
        if gvh is not None:
            w = F.matmul(vh, adjoint(F, gvh))
            part = F.mul(F.div(F.sub(w, adjoint(F, w)), e), as_column(F, sc))
            middle = part if middle is None else F.add(middle, part)
    if middle is None:
        return [None]
    if m > k and gu is not None:
        w = F.div(gu, as_row(F, sc))
        w = F.add(F.matmul(u, F.sub(middle, F.matmul(adjoint(F, u), w))), w)
        return [F.matmul(w, vh)]
    if n > k and gvh is not None:
        w = F.div(gvh, as_column(F, sc))
        w = F.add(F.matmul(F.sub(middle, F.matmul(w, adjoint(F, vh))), vh), w)
        return [F.matmul(u, w)]
    return [F.matmul(u, F.matmul(middle, vh))]


def _eigh_rule(F: Any, g: Any, need: Any, out0: Any, out1: Any) -> Any:
    gl, gv = g
    values, v = out0, out1
    dtype = raw_dtype(v)
    vh = adjoint(F, v)
    middle = None if gl is None else F.diag_put(F.cast(gl, dtype), v.shape)
    if gv is not None:
        w = F.matmul(vh, gv)
        if dtype.kind == "c":
            _phases(F, [F.diag_part(w)], "linalg_eigh_backward", "eigen")
        w = F.div(F.mul(F.sub(w, adjoint(F, w)), 0.5), _differences(F, values, dtype))
        w = F.sub(w, F.diag_put(F.diag_part(w), w.shape))
        middle = w if middle is None else F.add(middle, w)
    return [None if middle is None else F.matmul(v, F.matmul(middle, vh))]


def _eig_rule(F: Any, g: Any, need: Any, out0: Any, out1: Any, x_dtype: Any) -> Any:
    gl, gv = g
    values, v = out0, out1
    vh = adjoint(F, v)
    middle = None if gl is None else F.diag_put(gl, v.shape)
    if gv is not None:
        w = F.matmul(vh, gv)
        d = F.diag_part(w)
        _phases(F, [d], "linalg_eig_backward", "eigen")
        d = F.mul(F.add(d, F.conj(d)), 0.5)
        w = F.sub(w, F.mul(F.matmul(vh, v), as_row(F, d)))
        w = F.div(w, F.conj(_differences(F, values, raw_dtype(v))))
        w = F.sub(w, F.diag_put(F.diag_part(w), w.shape))
        middle = w if middle is None else F.add(middle, w)
    if middle is None:
        return [None]
    ga = F.linalg_solve_ex(vh, F.matmul(middle, vh))[0]
    return [ga if x_dtype.kind == "c" else F.real(ga)]


def _pinv_rule(F: Any, g: Any, x: Any, out: Any, x_shape: Any) -> Any:
    """Golub and Pereyra, 1973."""
    p, ph, gh = out, adjoint(F, out), adjoint(F, g)
    if x_shape[-2] <= x_shape[-1]:
        k = F.matmul(gh, p)
        kph = F.matmul(k, ph)
        r = F.sub(kph, adjoint(F, F.matmul(p, k)))
        r = F.sub(r, F.matmul(F.matmul(x, p), kph))
        return F.add(r, F.matmul(F.matmul(ph, p), F.sub(gh, F.matmul(k, x))))
    k = F.matmul(p, gh)
    phk = F.matmul(ph, k)
    r = F.sub(phk, adjoint(F, F.matmul(k, p)))
    r = F.add(r, F.matmul(F.matmul(F.sub(gh, F.matmul(x, k)), p), ph))
    return F.sub(r, F.matmul(F.matmul(phk, p), x))


def _exp_rule(F: Any, g: Any, x: Any) -> Any:
    """exp of [[x^H, g], [0, x^H]] has the derivative in its corner (Mathias, 1996)."""
    n = x.shape[-1]
    h = adjoint(F, x)
    upper = F.join(h, g, -1)
    lower = F.join(F.mul(h, 0), h, -1)
    return cut(F, F.linalg_matrix_exp(F.join(upper, lower, -2)), slice(0, n), slice(n, 2 * n))


primitive("linalg_inv_ex", "x", _inv_rule, outs=2)
primitive("linalg_solve_ex", "a b", _solve_rule, outs=2)
primitive("linalg_det", "x", (_det_rule,))
primitive("linalg_slogdet", "x", _slogdet_rule, outs=2)
primitive("linalg_solve_triangular", "a b", _solve_triangular_rule, "upper left unitriangular")
primitive("linalg_cholesky_ex", "x", _cholesky_rule, "upper", outs=2)
primitive("linalg_lu_factor_ex", "x", _lu_rule, "pivot", outs=3)
primitive(
    "permute_rows_by", "x", (lambda F, g, pivots, back: F.permute_rows_by(g, pivots, not back),), "pivots back"
)  # fmt: skip
primitive("linalg_qr", "x", _qr_rule, "kind", outs=2)
primitive("linalg_svd", "x", _svd_rule, "full", outs=3)
primitive("linalg_svdvals", "x", None)
primitive("linalg_eigh", "x", _eigh_rule, "uplo", outs=2)
primitive("linalg_eigvalsh", "x", None, "uplo")
primitive("linalg_eig", "x", _eig_rule, outs=2)
primitive("linalg_pinv", "x", (_pinv_rule,), "atol rtol hermitian")
primitive("linalg_matrix_exp", "x", (_exp_rule,))


def _join_part(F: Any, g: Any, shape: Any, dim: int, last: bool) -> Any:
    n = shape[dim]
    part = slice(g.shape[dim] - n, None) if last else slice(0, n)
    return cut(F, g, slice(None), part) if dim == -1 else cut(F, g, part, slice(None))


primitive(  # two arrays side by side (dim -1) or one below the other (-2)
    "join",
    "x y",
    (
        lambda F, g, x_shape, dim: _join_part(F, g, x_shape, dim, False),
        lambda F, g, y_shape, dim: _join_part(F, g, y_shape, dim, True),
    ),
    "dim",
)
