"""Samples of LDL and low-rank factors, windows and short-time Fourier transforms."""

import numpy as np
from ops_table import C128, F32, F64, I64, add, arr, const, cplx, family
from ops_table_functions import text

# ---- factors -------------------------------------------------------------------------------------------------------------


def symmetric(*shape, dtype=F64, hermitian=False, zero=False):
    def make(rng):
        a = rng.uniform(-2, 2, shape)
        if np.issubdtype(dtype, np.complexfloating):
            a = a + 1j * rng.uniform(-2, 2, shape)
        b = np.swapaxes(a, -1, -2)
        a = a + (b.conj() if hermitian else b)
        if zero:
            a[..., range(shape[-1]), range(shape[-1])] = 0  # only pivots of two rows will do
        return a.astype(dtype)

    return make


LDL = {"c": (symmetric(4, 4),), "batch": (symmetric(2, 3, 3),), "f32": (symmetric(5, 5, dtype=F32),), "zero": (symmetric(6, 6, zero=True),),
       "c128": (symmetric(4, 4, dtype=C128),), "1": (symmetric(1, 1),), "empty": (arr(0, 2, 2),), "wide": (arr(2, 3),),
       "i64": (arr(2, 2, dtype=I64),), "1d": (arr(2),), "singular": (const([[0.0, 0], [0, 0]]),)}  # fmt: skip
family("fn.linalg.ldl_factor", lambda t, x: t.linalg.ldl_factor(x), LDL, grad=False)
family("fn.linalg.ldl_factor_ex", lambda t, x: t.linalg.ldl_factor_ex(x), LDL, grad=False)
HERMITIAN = {
    "c128": (symmetric(5, 5, dtype=C128, hermitian=True),),
    "zero": (symmetric(6, 6, dtype=C128, hermitian=True, zero=True),),
}
family("fn.linalg.ldl_factor.hermitian", lambda t, x: t.linalg.ldl_factor(x, hermitian=True), HERMITIAN, grad=False)


def ldl_solve(t, x, b, **kw):
    return t.linalg.ldl_solve(*t.linalg.ldl_factor(x, **kw), b, **kw)


family(
    "fn.linalg.ldl_solve",
    ldl_solve,
    {"c": (symmetric(4, 4), arr(4, 2)), "zero": (symmetric(6, 6, zero=True), arr(6, 1)), "batch": (symmetric(2, 3, 3), arr(3, 2)),
     "f32": (symmetric(3, 3, dtype=F32), arr(3, 2, dtype=F32)), "mixed": (symmetric(3, 3), arr(3, 2, dtype=F32)),
     "bad": (symmetric(3, 3), arr(4, 2))},
    grad=False,
)  # fmt: skip
family(
    "fn.linalg.ldl_solve.hermitian",
    lambda t, x, b: ldl_solve(t, x, b, hermitian=True),
    {k: (v[0], cplx(*{"c128": (5, 2), "zero": (6, 2)}[k])) for k, v in HERMITIAN.items()},
    grad=False,
)
add("fn.linalg.ldl_solve.grad", lambda t, x, b: ldl_solve(t, x, b).sum(), symmetric(3, 3), arr(3, 2))


def product(u, s, v):
    return (u * s.unsqueeze(-2)) @ v.mH


add(
    "fn.svd_lowrank",
    lambda t, x, y: (lambda a: [product(*t.svd_lowrank(a, 3)), t.svd_lowrank(a, 3)[1]])(x @ y),
    arr(7, 3),
    arr(3, 5),
)
add("fn.svd_lowrank.M", lambda t, x, y: t.svd_lowrank(x, 4, 3, M=y)[1], arr(4, 6), arr(1, 6))
add("fn.pca_lowrank", lambda t, x: [product(*t.pca_lowrank(x)), t.pca_lowrank(x, 4, center=False)[1]], arr(7, 4))
add("fn.pca_lowrank.q", lambda t, x: t.pca_lowrank(x, 9), arr(7, 4))
add("fn.pca_lowrank.niter", lambda t, x: t.pca_lowrank(x, niter=-1), arr(7, 4))


def positive(*shape):
    return lambda rng: (lambda a: a @ np.swapaxes(a, -1, -2) + 0.1 * np.eye(shape[-1]))(rng.uniform(-2, 2, shape))


for largest in (True, False):
    add(
        f"fn.lobpcg.{largest}",
        lambda t, a, largest=largest: (lambda r: [r[0], (a @ r[1] - r[1] * r[0].unsqueeze(-2)).abs().amax() < 1e-5])(
            t.lobpcg(a, 2, largest=largest, niter=200, tol=1e-9)
        ),
        positive(9, 9),
        grad=False,
    )
add(
    "fn.lobpcg.B",
    lambda t, a, b: t.lobpcg(a, 1, B=b, niter=200, tol=1e-10)[0],
    positive(8, 8),
    positive(8, 8),
    grad=False,
)
add("fn.lobpcg.batch", lambda t, a: [y.shape for y in t.lobpcg(a, 1, niter=50)], positive(2, 6, 6), grad=False)
add("fn.lobpcg.small", lambda t, a: t.lobpcg(a, 2), positive(4, 4), grad=False)
add("fn.lobpcg.square", lambda t, a: t.lobpcg(a, 1), arr(4, 3), grad=False)


# ---- windows and short-time Fourier transforms ---------------------------------------------------------------------------
def near(t, window, n):
    """float16 is rounded at other places, so it is held against float32."""
    y = window(n, dtype=t.float16)
    return [text(y.dtype), (y.float() - window(n)).abs().max() < 4e-3]


for op, variants in {
    "hann_window": ({}, {"periodic": False}),
    "bartlett_window": ({}, {"periodic": False}),
    "blackman_window": ({}, {"periodic": False}),
    "hamming_window": ({}, {"periodic": False, "alpha": 0.5}, {"periodic": True, "alpha": 0.6, "beta": 0.3}),
    "kaiser_window": ({}, {"periodic": False, "beta": 5.0}),
}.items():
    for i, kw in enumerate(variants):
        for n in (-1, 0, 1, 2, 7, 8):
            add(f"fn.{op}.{i}.{n}", lambda t, op=op, kw=kw, n=n: getattr(t, op)(n, **kw))
    add(f"fn.{op}.f64", lambda t, op=op: getattr(t, op)(9, dtype=t.float64, requires_grad=True))
    add(f"fn.{op}.f16", lambda t, op=op: near(t, getattr(t, op), 9))
    add(f"fn.{op}.i64", lambda t, op=op: getattr(t, op)(9, dtype=t.int64))

SIGNAL = {
    "1d": (arr(40),),
    "2d": (arr(2, 33),),
    "f32": (arr(2, 40, dtype=F32),),
    "i64": (arr(40, dtype=I64),),
    "3d": (arr(1, 2, 40),),
}
for tag, kw in {
    "": {}, ".hop": {"hop_length": 3}, ".plain": {"center": False}, ".short": {"win_length": 6}, ".norm": {"normalized": True},
    ".two": {"onesided": False}, ".constant": {"pad_mode": "constant"}, ".align": {"center": False, "win_length": 6, "align_to_window": True},
    ".hop0": {"hop_length": 0}, ".win": {"win_length": 9}, ".aligned": {"align_to_window": True},
}.items():  # fmt: skip
    family(f"fn.stft{tag}", lambda t, x, kw=kw: t.stft(x, 8, return_complex=True, **kw), SIGNAL)
family("fn.stft.real", lambda t, x: t.stft(x, 8, return_complex=False), {"1d": SIGNAL["1d"]})
family("fn.stft.none", lambda t, x: t.stft(x, 8), {"1d": SIGNAL["1d"], "c128": (cplx(30),)})
family("fn.stft.complex", lambda t, x: t.stft(x, 8, 2, onesided=True), {"c128": (cplx(30),)})
family("fn.stft.large", lambda t, x: t.stft(x, 80, center=False, return_complex=True), {"1d": SIGNAL["1d"]})
family(
    "fn.stft.window",
    lambda t, x, w: t.stft(x, 8, 2, window=w, return_complex=True),
    {"8": (arr(30), arr(8)), "6": (arr(30), arr(6)), "2d": (arr(30), arr(2, 4))},
)
SPECTRUM = {"1": (cplx(5, 9),), "batch": (cplx(2, 5, 9),), "c64": (cplx(5, 9, dtype=np.complex64),), "real": (arr(5, 9),), "bad": (cplx(6, 9),),
            "empty": (cplx(0, 5, 9),), "4d": (cplx(1, 1, 5, 9),)}  # fmt: skip
for tag, kw in {
    "": {}, ".hop": {"hop_length": 3}, ".norm": {"normalized": True}, ".length": {"length": 10}, ".long": {"length": 90},
    ".open": {"center": False}, ".two": {"onesided": False}, ".hop0": {"hop_length": 0}, ".gap": {"win_length": 3},
}.items():  # fmt: skip
    family(f"fn.istft{tag}", lambda t, x, kw=kw: t.istft(x, 8, **kw), SPECTRUM)
family("fn.istft.complex", lambda t, x: t.istft(x, 8, return_complex=True), {"8": (cplx(8, 9),)})
family(
    "fn.istft.window",
    lambda t, x, w: t.istft(t.stft(x, 8, 2, 6, w, return_complex=True), 8, 2, 6, w, length=30),
    {"c": (arr(30), arr(6, lo=0.5, hi=1.0))},
)
family("Tensor.stft", lambda t, x: x.stft(8, return_complex=True), {"1d": SIGNAL["1d"]})
family("Tensor.istft", lambda t, x: x.istft(8), {"1": SPECTRUM["1"]})
