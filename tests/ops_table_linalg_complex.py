"""Samples of linear algebra on complex matrices."""

import numpy as np
from ops_table import C64, C128, add, arr, const, cplx, family
from ops_table_linalg import ADDS, INF, SQUARE, well, without_signs


def zwell(*shape, dtype=C128):
    re, im = well(*shape), arr(*shape, lo=-1, hi=1)
    return lambda rng: np.asarray(re(rng) + 1j * im(rng), dtype)


def hermitian(*shape, positive=0):
    def make(rng):
        x = rng.uniform(-1, 1, shape) + 1j * rng.uniform(-1, 1, shape)
        x = x @ x.conj().swapaxes(-1, -2) if positive else x + x.conj().swapaxes(-1, -2)
        return x + np.eye(shape[-1]) * 3 * np.arange(1, shape[-1] + 1)

    return make


Z = {"c": (cplx(3, 3),), "batch": (cplx(2, 3, 3),), "c64": (zwell(3, 3, dtype=C64),)}
ZWELL = {"c": (zwell(3, 3),), "batch": (zwell(2, 3, 3),), "c64": (zwell(3, 3, dtype=C64),), "big": (zwell(40, 40),)}
ZRECT = {
    "tall": (cplx(4, 3),),
    "wide": (cplx(2, 4),),
    "square": (cplx(3, 3),),
    "batch": (cplx(2, 4, 3),),
    "c64": (cplx(4, 3, dtype=C64),),
}
for op in ("mm", "kron", "inner"):
    family(
        f"complex.{op}",
        lambda t, x, y, op=op: getattr(t, op)(x, y),
        {"c": (cplx(2, 2), cplx(2, 2)), "mix": (cplx(2, 2), arr(2, 2))},
    )
for op, a, b in (
    ("bmm", (2, 2, 3), (2, 3, 2)),
    ("mv", (2, 3), (3,)),
    ("dot", (3,), (3,)),
    ("vdot", (3,), (3,)),
    ("outer", (2,), (3,)),
    ("matmul", (2, 1, 2, 3), (2, 3, 2)),
):
    add(f"complex.{op}", lambda t, x, y, op=op: getattr(t, op)(x, y), cplx(*a), cplx(*b))
for op in ADDS:
    add(
        f"complex.{op}",
        lambda t, x, y, z, op=op: getattr(t, op)(x, y, z, beta=0.5 - 1j, alpha=2j),
        *(cplx(*s) for s in ADDS[op][0]),
    )
for equation in ("ij,jk", "ij,ij->ij", "ij,ij->", "ij,kl->il"):
    add(
        f"complex.einsum[{equation}]",
        lambda t, x, y, e=equation: t.einsum(e, x, y),
        cplx(2, 2),
        cplx(2, 2),
        layout=False,
    )
add("complex.linear", lambda t, x, w, b: t.nn.functional.linear(x, w, b), cplx(2, 3), cplx(4, 3), cplx(4))
add("complex.tensordot", lambda t, x, y: t.tensordot(x, y, 1), cplx(2, 3), cplx(3, 2))
add("complex.cross", lambda t, x, y: t.linalg.cross(x, y), cplx(2, 3), cplx(2, 3))
add("complex.vecdot", lambda t, x, y: t.linalg.vecdot(x, y), cplx(2, 3), cplx(2, 3))
add("complex.vander", lambda t, x: t.linalg.vander(x), cplx(3))
add("complex.trace", lambda t, x: t.trace(x), cplx(3, 3))
for op in ("inv", "det", "slogdet", "matrix_exp"):
    family(
        f"complex.linalg.{op}",
        lambda t, x, op=op: getattr(t.linalg, op)(x),
        ZWELL if op != "matrix_exp" else Z,
        layout=False,
    )
family("complex.logdet", lambda t, x: t.logdet(x), ZWELL)
family("complex.matrix_power", lambda t, x: t.linalg.matrix_power(x, -2), ZWELL, layout=False)
family(
    "complex.solve",
    lambda t, a, b: t.linalg.solve(a, b),
    {"c": (zwell(3, 3), cplx(3, 2)), "bc": (zwell(2, 3, 3), cplx(3, 2))},
    layout=False,
)
family(
    "complex.solve.right",
    lambda t, a, b: t.linalg.solve(a, b, left=False),
    {"c": (zwell(3, 3), cplx(2, 3))},
    layout=False,
)
for upper in (True, False):
    for left in (True, False):
        add(
            f"complex.solve_triangular{upper:d}{left:d}",
            lambda t, a, b, u=upper, v=left: t.linalg.solve_triangular(a, b, upper=u, left=v),
            zwell(3, 3),
            cplx(3, 3),
            layout=False,
        )
        add(
            f"complex.lu_solve{upper:d}{left:d}",
            lambda t, a, b, u=upper, v=left: t.linalg.lu_solve(*t.linalg.lu_factor(a), b, left=v, adjoint=u),
            cplx(3, 3),
            cplx(3, 3),
            layout=False,
        )
    add(
        f"complex.cholesky{upper:d}",
        lambda t, x, u=upper: t.linalg.cholesky(x, upper=u),
        hermitian(3, 3, positive=1),
        layout=False,
    )
    add(
        f"complex.cholesky_solve{upper:d}",
        lambda t, b, x, u=upper: t.cholesky_solve(b, x, u),
        cplx(3, 2),
        zwell(3, 3),
        layout=False,
    )
family("complex.qr", lambda t, x: tuple(t.linalg.qr(x)), ZRECT, layout=False)
family("complex.lu", lambda t, x: tuple(t.linalg.lu(x)), ZRECT, layout=False)
family("complex.geqrf", lambda t, x: tuple(t.geqrf(x)), ZRECT, grad=False, layout=False)
family("complex.svdvals", lambda t, x: t.linalg.svdvals(x), ZRECT, layout=False)
family("complex.svd", lambda t, x: without_signs(t.linalg.svd(x, False), 9), ZRECT, layout=False)
family("complex.pinv", lambda t, x: t.linalg.pinv(x), ZRECT, layout=False)
add("complex.pinv.hermitian", lambda t, x: t.linalg.pinv(x, hermitian=True), hermitian(3, 3), grad=False, layout=False)
family("complex.rank", lambda t, x: t.linalg.matrix_rank(x), ZRECT, grad=False)
family("complex.lstsq", lambda t, a, b: t.linalg.lstsq(a, b).solution, {"c": (cplx(4, 3), cplx(4, 2))}, layout=False)
add("complex.householder", lambda t, x, tau: t.linalg.householder_product(x, tau), cplx(4, 3), cplx(3), layout=False)
for left in (True, False):
    for transpose in (True, False):
        add(
            f"complex.ormqr{left:d}{transpose:d}",
            lambda t, x, tau, y, a=left, b=transpose: t.ormqr(x, tau, y, a, b),
            cplx(4, 3),
            cplx(3),
            cplx(4, 4),
            grad=False,
            layout=False,
        )
for uplo in "LU":
    add(f"complex.eigvalsh{uplo}", lambda t, x, u=uplo: t.linalg.eigvalsh(x, u), hermitian(2, 3, 3), layout=False)
    add(
        f"complex.eigh{uplo}",
        lambda t, x, u=uplo: [y.abs() for y in t.linalg.eigh(x, u)],
        hermitian(2, 3, 3),
        layout=False,
    )
for p in (0, 0.5, 1, 1.5, 2, 3, INF, -INF):
    add(f"complex.vector_norm{p}", lambda t, x, p=p: t.linalg.vector_norm(x, p), cplx(5))
    add(f"complex.vector_norm{p}.dim", lambda t, x, p=p: t.linalg.vector_norm(x, p, 0), cplx(3, 2))
for p in ("fro", "nuc", 1, -1, 2, -2, INF):
    add(f"complex.matrix_norm{p}", lambda t, x, p=p: t.linalg.matrix_norm(x, p), cplx(3, 2))
add("complex.norm.dtype", lambda t, x: t.linalg.vector_norm(x, dtype=t.complex128), cplx(3, dtype=C64))
add("complex.norm.real", lambda t, x: t.linalg.vector_norm(x, dtype=t.float64), cplx(3, dtype=C64))


def by_value(t, r):
    """Eigenvalues in the order of their angles; of the vectors, sizes that do not depend on their phase."""
    order = t.argsort(r.eigenvalues.detach().angle() + 5 * r.eigenvalues.detach().abs(), -1)
    vectors = r.eigenvectors.abs()
    return r.eigenvalues.gather(-1, order), vectors.gather(-1, order.unsqueeze(-2).expand(vectors.shape))


EIG = (
    {k: SQUARE[k] for k in ("c", "batch", "f32", "one", "rect", "1d", "i64", "f16", "nan")}
    | Z
    | {"spiral": (const([[1.0, -2], [3, 1]]),)}
)
family("linalg.eig", lambda t, x: by_value(t, t.linalg.eig(x)), EIG, layout=False)
family("linalg.eig.empty", lambda t, x: tuple(t.linalg.eig(x)), {k: SQUARE[k] for k in ("empty", "b0")}, layout=False)
family("linalg.eigvals", lambda t, x: t.linalg.eigvals(x).sum(-1), EIG, layout=False)
