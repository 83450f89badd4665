"""Fourier transforms."""

import numpy as np
from ops_table import BOOL, C64, F32, I64, add, arr, cplx, family

F16 = np.float16
REAL = {
    "r": (arr(2, 5),), "rt": (arr(4, 3, layout="t"),), "f32": (arr(2, 6, dtype=F32),), "i64": (arr(2, 5, dtype=I64),),
    "bool": (arr(2, 4, dtype=BOOL),), "f16": (arr(2, 4, dtype=F16),), "0d": (arr(),), "1d": (arr(5),), "3d": (arr(2, 3, 4),),
    "empty": (arr(0),), "s": (arr(2, 4, layout="s"),),
}  # fmt: skip
COMPLEX = {
    "c": (cplx(2, 5),), "ct": (cplx(4, 3, layout="t"),), "c64": (cplx(2, 6, dtype=C64),), "c3": (cplx(2, 3, 4),), "c1": (cplx(1),),
}  # fmt: skip
ONE = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
SEVERAL = ("fftn", "ifftn", "rfftn", "irfftn", "hfftn", "ihfftn")
PLANE = ("fft2", "ifft2", "rfft2", "irfft2", "hfft2", "ihfft2")
FEW = {k: (REAL | COMPLEX)[k] for k in ("r", "f32", "c", "c64")}
for op in (*ONE, *SEVERAL, *PLANE):
    odd = {"c1"} if op == "ihfft2" else set()  # of two errors another comes first
    family(
        f"fft.{op}",
        lambda t, x, op=op: getattr(t.fft, op)(x),
        {k: v for k, v in (REAL | COMPLEX).items() if k not in odd},
        layout=False,
    )
    for norm in ("backward", "ortho", "forward", "other"):
        family(f"fft.{op}.{norm}", lambda t, x, op=op, n=norm: getattr(t.fft, op)(x, norm=n), FEW, layout=False)
for op in ONE:
    for n in (0, 1, 3, 8, -2):
        family(f"fft.{op}.n{n}", lambda t, x, op=op, n=n: getattr(t.fft, op)(x, n), FEW, layout=False)
    family(f"fft.{op}.dim0", lambda t, x, op=op: getattr(t.fft, op)(x, dim=0, n=4), FEW, layout=False)
    family(f"fft.{op}.dim5", lambda t, x, op=op: getattr(t.fft, op)(x, dim=5), FEW, layout=False)
for op in (*SEVERAL, *PLANE):
    for tag, kw in {
        "s": {"s": (3, 4)}, "s1": {"s": (-1, 4)}, "dims": {"dim": (1, 0)}, "dim0": {"dim": (0,)}, "none": {"dim": ()}, "twice": {"dim": (0, 0)},
        "uneven": {"s": (2,), "dim": (0, 1)}, "long": {"s": (1, 2, 3, 4)}, "both": {"s": (3, 2), "dim": (-1, 0)}, "zero": {"s": (0, 2)},
        "s3": {"s": (5,), "dim": (1,)},
    }.items():  # fmt: skip
        family(
            f"fft.{op}.{tag}",
            lambda t, x, op=op, kw=kw: getattr(t.fft, op)(x, **kw),
            {k: FEW[k] for k in ("r", "c")} | {"3d": REAL["3d"]},
            layout=False,
        )
add("fft.out", lambda t, x: t.fft.fft(x, out=t.empty(0, dtype=t.complex128, device=x.device)), arr(3), grad=False)
for op in ("fftfreq", "rfftfreq"):
    for n in (0, 1, 2, 5, 8):
        add(f"{op}{n}", lambda t, x, op=op, n=n: getattr(t.fft, op)(n, 0.5), arr())
    add(f"{op}.dtype", lambda t, x, op=op: getattr(t.fft, op)(5, dtype=t.float64), arr())
    add(f"{op}.int", lambda t, x, op=op: getattr(t.fft, op)(5, dtype=t.int64), arr())
    add(f"{op}.grad", lambda t, x, op=op: getattr(t.fft, op)(5, requires_grad=True).requires_grad, arr())
for op in ("fftshift", "ifftshift"):
    family(op, lambda t, x, op=op: getattr(t.fft, op)(x), REAL | COMPLEX)
    add(f"{op}.dim", lambda t, x, op=op: getattr(t.fft, op)(x, dim=0), arr(3, 5))
    add(f"{op}.dims", lambda t, x, op=op: getattr(t.fft, op)(x, dim=(1, -2)), arr(3, 5))
    add(f"{op}.wrong", lambda t, x, op=op: getattr(t.fft, op)(x, dim=2), arr(3, 5))
