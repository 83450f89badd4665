"""gradcheck and gradgradcheck of linear algebra and Fourier transforms."""

import numpy as np
import pytest

import polytensor as torch
from polytensor.testing import gradcheck, gradgradcheck

L = torch.linalg
INF = float("inf")


def signs(q):
    """Vectors up to their phase, smoothly."""
    return (q * q.conj()).real if q.is_complex() else q * q


def hermitian(x):
    return x + x.mH


def positive(x):
    return x @ x.mH + 0.5 * torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)


S, B, TALL, WIDE = (3, 3), (2, 2, 2), (4, 2), (2, 4)
ROWS = {
    "inv": (L.inv, [S]),
    "inv.batch": (L.inv, [B]),
    "det": (L.det, [S]),
    "det.batch": (L.det, [B]),
    "logabsdet": (lambda x: L.slogdet(x)[1], [S]),
    "solve": (L.solve, [S, (3, 2)]),
    "solve.broadcast": (L.solve, [B, (2, 3)]),
    "solve.vector": (L.solve, [S, (3,)]),
    "solve.right": (lambda a, b: L.solve(a, b, left=False), [S, (2, 3)]),
    **{
        f"solve_triangular.{u:d}{left:d}{unit:d}": (
            lambda a, b, u=u, left=left, unit=unit: L.solve_triangular(a, b, upper=u, left=left, unitriangular=unit),
            [S, S],
        )
        for u in (True, False)
        for left in (True, False)
        for unit in (True, False)
    },
    "cholesky": (lambda x: L.cholesky(positive(x)), [S]),
    "cholesky.upper": (lambda x: L.cholesky(positive(x), upper=True), [B]),
    "cholesky_solve": (lambda b, x: torch.cholesky_solve(b, x.tril()), [(3, 2), S]),
    "cholesky_solve.upper": (lambda b, x: torch.cholesky_solve(b, x.triu(), True), [(2, 2), (2, 2)]),
    "cholesky_inverse": (lambda x: torch.cholesky_inverse(x.tril()), [S]),
    "lu": (lambda x: L.lu(x)[1:], [S]),
    "lu.tall": (lambda x: L.lu(x)[1:], [TALL]),
    "lu.wide": (lambda x: L.lu(x)[1:], [WIDE]),
    "lu.batch": (lambda x: L.lu(x)[1:], [B]),
    "lu_factor": (lambda x: L.lu_factor(x)[0], [S]),
    "lu_solve": (lambda x, b: L.lu_solve(*L.lu_factor(x), b), [S, (3, 2)]),
    "lu_solve.right": (lambda x, b: L.lu_solve(*L.lu_factor(x), b, left=False, adjoint=True), [S, (2, 3)]),
    "qr": (lambda x: tuple(L.qr(x)), [S]),
    "qr.tall": (lambda x: tuple(L.qr(x)), [TALL]),
    "qr.wide": (lambda x: tuple(L.qr(x)), [WIDE]),
    "qr.q": (lambda x: L.qr(x).Q, [WIDE]),
    "svd": (lambda x: (L.svd(x).S, signs(L.svd(x, False).U), signs(L.svd(x, False).Vh)), [S]),
    "svd.tall": (lambda x: (signs(L.svd(x, False).U), signs(L.svd(x, False).Vh)), [TALL]),
    "svd.wide": (lambda x: (signs(L.svd(x, False).U), signs(L.svd(x, False).Vh)), [WIDE]),
    "svdvals": (L.svdvals, [TALL]),
    "eigh": (lambda x: (L.eigh(hermitian(x))[0], signs(L.eigh(hermitian(x))[1])), [S]),
    "eigvalsh": (lambda x: L.eigvalsh(hermitian(x)), [B]),
    "eig": (lambda x: (L.eig(x)[0].abs(), L.eig(x)[1].abs()), [(2, 2)]),
    "pinv": (L.pinv, [S]),
    "pinv.tall": (L.pinv, [TALL]),
    "pinv.wide": (L.pinv, [WIDE]),
    "lstsq": (lambda a, b: L.lstsq(a, b).solution, [TALL, (4, 2)]),
    "matrix_exp": (L.matrix_exp, [(2, 2)]),
    "matrix_power": (lambda x: L.matrix_power(x, -2), [(2, 2)]),
    "householder": (L.householder_product, [(3, 2), (2,)]),
    "cross": (L.cross, [(2, 3), (1, 3)]),
    "vecdot": (L.vecdot, [(2, 3), (3,)]),
    "trace": (torch.trace, [(2, 3)]),
    "einsum": (lambda x, y, z: torch.einsum("ij,kj,kl->il", x, y, z), [(2, 3), (2, 3), (2, 2)]),
    "vdot": (torch.vdot, [(3,), (3,)]),
    "addbmm": (lambda x, y, z: torch.addbmm(x, y, z, beta=2, alpha=0.5), [(2,), (2, 1, 3), (2, 3, 2)]),
    "addmm": (lambda x, y, z: torch.addmm(x, y, z, beta=2, alpha=0.5), [(2,), (2, 3), (3, 2)]),
    "addmv": (lambda x, y, z: torch.addmv(x, y, z, beta=2, alpha=0.5), [(1,), (2, 3), (3,)]),
    "baddbmm": (lambda x, y, z: torch.baddbmm(x, y, z, beta=2, alpha=0.5), [(2, 1, 2), (2, 2, 3), (2, 3, 2)]),
    "addr": (lambda x, y, z: torch.addr(x, y, z, beta=0), [(2, 3), (2,), (3,)]),
    "nuc": (lambda x: L.matrix_norm(x, "nuc"), [(2, 3)]),
    "cond": (L.cond, [(2, 2)]),
    "fft": (torch.fft.fft, [(2, 3)]),
    "ifft": (lambda x: torch.fft.ifft(x, 5, norm="ortho"), [(2, 3)]),
    "fftn": (lambda x: torch.fft.fftn(x, (2, 4)), [(3, 3)]),
    "irfft": (torch.fft.irfft, [(2, 3)]),
    "irfft.odd": (lambda x: torch.fft.irfft(x, 5, 0), [(3, 2)]),
    "irfftn": (lambda x: torch.fft.irfftn(x, norm="forward"), [(2, 3)]),
    "hfft": (torch.fft.hfft, [(3,)]),
}  # fmt: skip
REAL = {  # of real inputs only
    **{f"norm{p}": (lambda x, p=p: L.vector_norm(x, p), [(5,)]) for p in (0.5, 1, 1.5, 2, 3, INF, -INF)},
    **{f"norm{p}.dim": (lambda x, p=p: L.vector_norm(x, p, 0), [(2, 3)]) for p in (1, 2, 3, -1)},
    **{f"cdist{p}": (lambda x, y, p=p: torch.cdist(x, y, p), [(3, 2), (2, 2)]) for p in (1, 1.5, 2, 3, INF)},
    "cdist.mm": (lambda x, y: torch.cdist(x, y, compute_mode="use_mm_for_euclid_dist"), [(3, 2), (2, 2)]),
    "rfft": (torch.fft.rfft, [(2, 4)]),
    "rfft.odd": (lambda x: torch.fft.rfft(x, 3, 0, "forward"), [(4, 2)]),
    "rfftn": (torch.fft.rfftn, [(2, 3)]),
    "ihfft": (torch.fft.ihfft, [(4,)]),
}
# PyTorch takes the second derivative of these as 0 or does without it; of norms at odd powers it may not exist
FIRST = {"norm1", "norminf", "norm-inf", "norm1.dim", "cdist1", "cdistinf"}


def inputs(name, shapes, device, kind):
    rng = np.random.default_rng([len(name), *name.encode()])
    result = []
    for shape in shapes:
        x = rng.uniform(-1, 1, shape)
        if len(shape) > 1:
            x = x + 1.5 * np.eye(*shape[-2:]) * np.arange(1, shape[-1] + 1)
        if kind == "c":
            x = x + 1j * rng.uniform(-1, 1, shape)
        result.append(torch.from_numpy(np.asarray(x)).to(device).requires_grad_())
    return tuple(result)


CASES = [(n, k) for k in "rc" for n in ROWS] + [(n, "r") for n in REAL]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_gradcheck(name, kind, device):
    fn, shapes = (ROWS | REAL)[name]
    assert gradcheck(fn, inputs(name, shapes, device, kind))


@pytest.mark.parametrize(("name", "kind"), [case for case in CASES if case[0] not in FIRST])
def test_gradgradcheck(name, kind, device):
    fn, shapes = (ROWS | REAL)[name]
    assert gradgradcheck(fn, inputs(name, shapes, device, kind), atol=1e-4)
