"""Samples of complex tensors."""

import numpy as np
from ops_table import C64, C128, F32, I64, arr, const, cplx, family

ONE = {
    "c": (cplx(2, 3),), "t": (cplx(2, 3, layout="t"),), "0d": (cplx(),), "empty": (cplx(0, 3),),
    "c64": (cplx(2, 3, dtype=C64),), "special": (const([0j, 1 + 0j, -1j, complex(np.nan, 1), complex(np.inf, 0)], C128),),
    "real": (arr(2, 3),), "f32": (arr(2, 3, dtype=F32),), "i64": (arr(2, 3, dtype=I64),),
}  # fmt: skip
COMPLEX = {k: ONE[k] for k in ("c", "t", "0d", "empty", "c64")}
# (inf + 0j) ** 2 differs between libraries; PyTorch's angle of a transposed tensor is contiguous
ODD = {("square", "special"), ("angle", "t")}
for op in (
    "abs",
    "angle",
    "conj",
    "sgn",
    "real",
    "imag",
    "neg",
    "square",
    "isnan",
    "isfinite",
    "isinf",
    "conj_physical",
):
    family(f"complex.{op}", lambda t, x, op=op: getattr(t, op)(x), {k: v for k, v in ONE.items() if (op, k) not in ODD})
for op in ("exp", "log", "log2", "log10", "sqrt", "rsqrt", "sin", "cos", "tan", "tanh", "reciprocal", "sigmoid", "expm1",
           "log1p"):  # fmt: skip
    family(f"complex.{op}", lambda t, x, op=op: getattr(t, op)(x), COMPLEX)
for op in ("floor", "ceil", "trunc", "round", "sign", "relu", "logical_not", "bitwise_not"):
    family(f"complex.{op}", lambda t, x, op=op: getattr(t, op)(x), {"c": ONE["c"]})
family("complex.clamp", lambda t, x: x.clamp(0, 1), {"c": ONE["c"]})
TWO = {
    "c": (cplx(2, 3), cplx(3)), "t": (cplx(2, 3, layout="t"), cplx(2, 3)), "0d": (cplx(2), cplx()),
    "cf": (cplx(2, 3), arr(2, 3)), "fc": (arr(2, 3), cplx(2, 3)), "ci": (cplx(2, 3), arr(2, 3, dtype=I64)),
    "c64f64": (cplx(2, dtype=C64), arr(2)), "c64f640d": (cplx(2, dtype=C64), arr()), "f32c0d": (arr(2, dtype=F32), cplx()),
    "i64c640d": (arr(2, dtype=I64), cplx(dtype=C64)), "empty": (cplx(0, 3), cplx(1, 3)), "bad": (cplx(2), cplx(3)),
}  # fmt: skip
for op in ("add", "sub", "mul", "div", "pow", "eq", "ne", "lt", "maximum", "floor_divide", "remainder", "bitwise_and"):
    cases = TWO if op in ("add", "sub", "mul", "div", "pow", "eq") else {"c": TWO["c"]}
    family(f"complex.{op}", lambda t, x, y, op=op: getattr(t, op)(x, y), cases)
for tag, fn in {
    "add1j": lambda t, x: x + 1j, "rsub1j": lambda t, x: 1j - x, "mul1j": lambda t, x: 2j * x, "div1j": lambda t, x: 1j / x,
    "pow2": lambda t, x: x**2, "pow.5": lambda t, x: x**0.5, "rpow": lambda t, x: 2**x, "pow1j": lambda t, x: x**1j,
    "eq1j": lambda t, x: x == 1j, "where": lambda t, x: t.where(x == x, x, 0.5),
}.items():  # fmt: skip
    family(f"complex.{tag}", fn, {k: ONE[k] for k in ("c", "c64", "f32", "real", "i64", "0d")})
VIEWED = {k: ONE[k] for k in ("c", "t", "0d", "c64", "real")}
family("complex.view_as_real", lambda t, x: t.view_as_real(x), VIEWED, strides=True)
PAIRS = {
    "c": (arr(3, 2),),
    "t": (arr(3, 2, layout="t"),),
    "bad": (arr(3, 3),),
    "0d": (arr(),),
    "i64": (arr(3, 2, dtype=I64),),
}
family("complex.view_as_complex", lambda t, x: t.view_as_complex(x), PAIRS, strides=True)
family("complex.parts", lambda t, x: (x.real * 2, x.imag * x.real), {k: ONE[k] for k in ("c", "t", "0d", "c64")})
PARTS = {
    "c": (arr(2, 3), arr(3)), "f32": (arr(2, dtype=F32), arr(2, dtype=F32)), "mixed": (arr(2, dtype=F32), arr(2)),
    "i64": (arr(2, dtype=I64), arr(2, dtype=I64)), "0d": (arr(), arr()), "empty": (arr(0), arr(1)), "bad": (arr(2), arr(3)),
}  # fmt: skip
family("complex.complex", lambda t, x, y: t.complex(x, y), PARTS)
family("complex.polar", lambda t, x, y: t.polar(x.abs(), y), PARTS)
for op in ("sum", "mean", "var", "cumsum0"):
    family(
        f"complex.{op}",
        lambda t, x, op=op: x.cumsum(0) if op == "cumsum0" else getattr(x, op)(),
        {k: ONE[k] for k in ("c", "t", "c64")},
    )
family("complex.sum0", lambda t, x: x.sum(0), COMPLEX)
family("complex.matmul", lambda t, x, y: x @ y.T, {"c": (cplx(2, 3), cplx(4, 3))}, grad=False)
family("complex.to", lambda t, x: (x.to(t.complex64), x.to(t.complex128) * 1j), ONE)
family("complex.H", lambda t, x: (x.mH, x.H), {k: ONE[k] for k in ("c", "t", "real")})
family("complex.index", lambda t, x: (x[0], x[:, 1:], x[x == x]), {k: ONE[k] for k in ("c", "t")})
family("complex.backward", lambda t, x: x.sum().backward(), {"c": ONE["c"]})


def _write_part(t, x):
    y = x * 1
    y.real.mul_(2)
    y.imag[0] = 3.0
    return y * y


family("complex.write", _write_part, {k: ONE[k] for k in ("c", "c64")})
family("complex.inplace", lambda t, x: (x * 1).add_(1j).mul_(x), {k: ONE[k] for k in ("c", "c64", "real")})
family("complex.create", lambda t: (t.tensor([1, 2j]), t.full((2,), 1j), t.ones(2, dtype=t.complex64), t.eye(2, dtype=t.complex128),
                                    t.tensor(1j).item() == 1j, t.zeros(2, dtype=t.cfloat)), {"": ()})  # fmt: skip
