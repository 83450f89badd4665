"""Samples of pointwise functions beyond the basic ones, and of special functions."""

import numpy as np
from ops_table import BINARY, BOOL, F32, I64, SPECIAL, UNARY, arr, const, family, ints

F16 = np.float16
NAN = float("nan")


def unit(**kw):
    return arr(3, 4, lo=-0.95, hi=0.95, **kw)


UNIT = {**UNARY, "c": (unit(),), "t": (unit(layout="t"),), "s": (unit(layout="s"),), "0d": (arr(lo=-0.9, hi=0.9),),
        "f32": (unit(dtype=F32),), "f16": (unit(dtype=F16),), "3d": (arr(2, 3, 2, lo=0.1, hi=0.9),)}  # fmt: skip
OVER = {**UNARY, "c": (arr(3, 4, lo=1.1, hi=5),), "f32": (arr(3, 4, dtype=F32, lo=1.1, hi=5),),
        "large": (const([1.0, 7.5, 20.5, 33.0, 1e5, 1e20, 1e300]),)}  # fmt: skip
WIDE = {**UNARY, "wide": (arr(40, lo=-12, hi=12),), "large": (const([1e-320, 1e-30, 30.0, 200.0, 1e10, 1e300]),),
        "f16": (arr(3, 4, dtype=F16),)}  # fmt: skip
POSITIVE = {**WIDE, "wide": (arr(60, lo=0.05, hi=30),), "c": (arr(3, 4, lo=0.1, hi=3),)}


def get(t, name):
    for part in name.split("."):
        t = getattr(t, part)
    return t


def poles(name, fn, cases):
    """`fn` without gradients at NaN, infinity and 0, where PyTorch's are quirks (0.5 at NaN, NaN at infinity)."""
    family(name, fn, {k: v for k, v in cases.items() if k != "special"})
    family(f"{name}.poles", fn, {"": cases["special"]}, grad=False)


def plain(fn):
    return lambda t, x: get(t, fn)(x)


for op in ("acos", "asin", "atanh", "erfinv", "arccos", "arcsin", "arctanh"):
    family(op, plain(op), UNIT)
for op in ("acosh", "arccosh"):
    family(op, plain(op), OVER)
for op in ("atan", "asinh", "sinh", "cosh", "exp2", "erf", "erfc", "sinc", "deg2rad", "rad2deg", "frac", "sgn", "angle",
           "arctan", "arcsinh", "i0", "nan_to_num", "fix", "special.erf", "special.exp2", "special.i0e", "special.sinc",
           "special.expit", "special.expm1"):  # fmt: skip
    family(op, plain(op), WIDE)
for op in ("lgamma", "digamma", "special.gammaln", "special.psi", "special.log1p", "special.entr", "special.digamma"):
    poles(op, plain(op), POSITIVE)
for op in ("logit", "special.i1", "special.i1e"):
    poles(op, plain(op), WIDE)
for op in ("signbit", "isposinf", "isneginf", "isreal", "positive"):
    family(op, plain(op), WIDE, grad=False)
SINGLE = {k: v for k, v in WIDE.items() if k != "f16"}  # PyTorch has no float16 kernel of these on the CPU
for op in ("special.erfcx", "special.log_ndtr", "special.ndtr"):
    poles(op, plain(op), SINGLE)
family("special.ndtri", plain("special.ndtri"), {**UNIT, "c": (arr(50, lo=0.01, hi=0.99),),
       "tails": (const([1e-300, 1e-20, 1e-3, 0.5, 0.999, 1.0, 0.0]),), "f16": (arr(),)})  # fmt: skip
for op in ("bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1", "modified_bessel_i0", "modified_bessel_i1",
           "modified_bessel_k0", "modified_bessel_k1", "scaled_modified_bessel_k0", "scaled_modified_bessel_k1",
           "airy_ai", "spherical_bessel_j0"):  # fmt: skip
    cases = {k: UNARY[k] for k in ("c", "t", "0d", "empty", "i64")}
    family(f"special.{op}", plain(f"special.{op}"), {**cases, "f32": (arr(9, dtype=F32, lo=0.1, hi=4),),
           "wide": (arr(30, lo=0.1, hi=2.5),)})  # fmt: skip
for op in ("acos_", "asin_", "atan_", "acosh_", "asinh_", "atanh_", "sinh_", "cosh_", "sinc_", "exp2_", "erf_", "erfc_",
           "erfinv_", "lgamma_", "digamma_", "i0_", "frac_", "deg2rad_", "rad2deg_", "nan_to_num_", "logit_", "sgn_",
           "fix_", "square_", "arccos_", "arctan_", "arcsinh_", "logical_not_"):  # fmt: skip
    cases = {k: v for k, v in UNIT.items() if k in ("c", "s", "f32", "i64", "bool")}
    grad = op.strip("arc_") not in ("osh", "sinh", "tanh")  # these have no derivative in place in PyTorch
    family(f"Tensor.{op}", lambda t, x, op=op: getattr(x.clone(), op)(), cases, grad=grad)
    if op[:-1] not in ("sgn", "logical_not", "erfinv", "lgamma", "digamma"):
        family(f"torch.{op}", lambda t, x, op=op: getattr(t, op)(x.clone()), {"c": cases["c"]}, grad=grad)
for op in ("acos", "erf", "lgamma", "sinc", "frac", "logit", "i0", "special.i1", "special.entr", "nan_to_num"):
    cases = {k: UNIT[k] for k in ("f32", "i64", "c") if op != "frac" or k != "i64"}
    family(f"{op}.out", lambda t, x, op=op: get(t, op)(x, out=t.empty(0)), cases, grad=False)
family("erf.number", lambda t: t.erf(1.0), {"": ()})
family("erf.list", lambda t: t.erf([1.0]), {"": ()})
family(
    "erf.blocks", lambda t, x: (t.erf(x), t.lgamma(x), t.erfinv(x / 9)), {"": (arr(300, 120, lo=-8, hi=8),)}, grad=False
)
for grad in (True, False):  # PyTorch's gradient at NaN differs by vector width
    family(
        "logit.eps",
        lambda t, x: (t.logit(x, 0.1), x.logit(eps=1e-3), x.clone().logit_(0.2)),
        {k: v for k, v in UNIT.items() if k != "f16" and (k != "special") is grad},
        grad=grad,
    )
family("nan_to_num.all", lambda t, x: t.nan_to_num(x, 1.5, 2, -3), WIDE)
family("nan_to_num.some", lambda t, x: x.nan_to_num(neginf=0), WIDE)

# ---- gamma functions -------------------------------------------------------------------------------------
REAL = {**{k: v for k, v in POSITIVE.items() if k != "bool"}, "negative": (arr(30, lo=-7.9, hi=-0.1),)}
for n in range(5):
    # PyTorch's trigamma is large, not infinite, at negative whole numbers
    cases = {**REAL, "special": (const([NAN, np.inf, -np.inf, 0.0, -0.0, 1.0]),)} if n == 1 else REAL
    cases = {k: v for k, v in cases.items() if n != 1 or k not in ("i64", "f32special")}
    poles(f"polygamma.{n}", lambda t, x, n=n: t.polygamma(n, x), cases)
family("polygamma.method", lambda t, x: (x.polygamma(1), x.clone().polygamma_(2)), {k: REAL[k] for k in ("c", "f32")})
family("polygamma.bad", lambda t, x: t.polygamma(-1, x), {"": (arr(2),)})
family("special.polygamma", lambda t, x: t.special.polygamma(2, x), {"": (arr(9, lo=0.1, hi=3),)})
for p in (1, 3):
    family(f"mvlgamma.{p}", lambda t, x, p=p: (t.mvlgamma(x, p), x.mvlgamma(p), t.special.multigammaln(x, p)),
           {"c": (arr(3, 4, lo=1.5, hi=9),), "f32": (arr(9, dtype=F32, lo=1.5, hi=9),), "i64": (ints(4, lo=2, hi=9),)})  # fmt: skip
family("mvlgamma.bad", lambda t, x: t.mvlgamma(x, 0), {"": (arr(2),)})
GAMMA = {"c": (arr(9, lo=0.1, hi=9), arr(9, lo=0.1, hi=9)), "broadcast": (arr(3, 1, lo=0.1, hi=9), arr(4, lo=0.1, hi=9)),
         "f32": (arr(9, dtype=F32, lo=0.1, hi=9), arr(9, dtype=F32, lo=0.1, hi=9)), "empty": BINARY["empty"],
         "i64": BINARY["i64"], "badshape": BINARY["badshape"],
         "special": (const([0.0, 1.0, 2.0, NAN, 1.0, 1.0]), const([1.0, 0.0, np.inf, 1.0, NAN, 30.0]))}  # fmt: skip
for op in ("igamma", "igammac", "special.gammainc", "special.gammaincc"):
    family(op, lambda t, a, x, op=op: get(t, op)(a.detach(), x), GAMMA)
family("igamma.input", lambda t, a, x: t.igamma(a, x), {"c": GAMMA["c"]})
family("igamma_", lambda t, a, x: (a.clone().igamma_(x), a.clone().igammac_(x)), {"f32": GAMMA["f32"]})
ZETA = {"c": (arr(9, lo=1.1, hi=9), arr(9, lo=0.1, hi=9)), "f32": (arr(9, dtype=F32, lo=1.1, hi=9), arr(9, dtype=F32, lo=0.1, hi=9)),
        "negative": (const([2.0, 3.0, 4.0, 2.5, 3.0]), const([-1.5, -2.25, -0.5, -0.5, -2.0])),
        "edges": (const([1.0, 0.5, -1.0, 3.0, 2.0]), const([2.0, 2.0, 2.0, 0.0, 1e10])),
        "i64": (ints(4, lo=2, hi=5), ints(4, lo=1, hi=5)), "badshape": BINARY["badshape"]}  # fmt: skip
family("special.zeta", lambda t, s, q: t.special.zeta(s.detach(), q), ZETA)
family("special.zeta.input", lambda t, s, q: t.special.zeta(s, q), {"c": ZETA["c"]})
family("special.zeta.numbers", lambda t, s, q: (t.special.zeta(2, q), t.special.zeta(s.detach(), 2)), {"c": ZETA["c"]})

# ---- binary ----------------------------------------------------------------------------------------------
for op in ("atan2", "arctan2", "hypot", "fmax", "fmin", "maximum", "minimum", "copysign", "xlogy", "special.xlog1py",
           "logaddexp", "logaddexp2"):  # fmt: skip
    cases = {
        k: v for k, v in BINARY.items() if "tan" not in op or k != "f32f64"
    }  # PyTorch's gradient rounds to float32
    if op not in ("maximum", "minimum"):
        family(op, lambda t, x, y, op=op: get(t, op)(x, y), cases)
    family(f"{op}.number", lambda t, x, op=op: get(t, op)(x, 2), {k: UNARY[k] for k in ("c", "i64", "bool", "f32")})
    family(f"{op}.first", lambda t, x, op=op: get(t, op)(2, x), {k: UNARY[k] for k in ("c", "i64")})
LESS = {k: v for k, v in BINARY.items() if k not in ("special", "special2", "i64", "0d", "0d0d")}
NONZERO = {
    **LESS,
    "i64": (arr(3, 4, dtype=I64), const([3, -2, 1, 4], I64)),
    "negative": (arr(20, lo=-9, hi=9), arr(20)),
}
EDGES = {
    "edges": (
        const([5.0, -5.0, np.inf, 7.0, -7.0, 0.0, NAN, 3.0]),
        const([0.0, 0.0, 2.0, np.inf, np.inf, -0.0, 1.0, NAN]),
    ),
    "zeros": (const([-4.0, 4.0, -0.0, 0.0]), const([2.0, -2.0, 3.0, -3.0])),
    "zero": (const(-4.0, F32), const(2.0, F32)),
    "far": (const([1e6, -1e6, 1e15, 7e5, 5.0, -1e300]), const([0.1, 0.1, 0.3, -0.7, 1e-7, 3.0])),
    "far32": (const([1e6, -1e6, 1e4, 7e5, 5.0], F32), const([0.1, 0.1, 0.3, -0.7, 1e-5], F32)),
    "broadcast": (arr(3, 1, lo=-9, hi=9), const([0.1, -0.7, 2.0])),
}
POWERS = [0.0, -0.0, 1, -1, 2, -2, 3, -3, 0.5, -2.5, np.inf, -np.inf, NAN, 1e30, 2.0**24 + 1, 1e-40, -7]
PAIRS = [np.repeat(POWERS, len(POWERS)), np.tile(POWERS, len(POWERS))]
for d in (F32, np.float64):  # enough elements for the ways of large arrays
    cases = {"pairs": tuple(const(x, d) for x in PAIRS), "one base": (const(-1.5, d), const(POWERS * 16, d))}
    family(f"pow.many.{d.__name__}", lambda t, x, y: t.pow(x, y), cases, grad=False)
NEAR = np.float32(np.arange(1, 40) * np.float32(0.1))  # quotients next to whole numbers
MANY = {  # enough elements for the ways of large arrays
    "finite": (
        const(np.r_[NEAR, -NEAR, 0.0, -0.0], F32),
        const(np.r_[0.1, -0.1, 0.3, 1e-7, 3e38, 7.0].repeat(80).reshape(6, 80), F32),
    ),
    "pairs": tuple(const(x[PAIRS[1] != 1e-40], F32) for x in PAIRS),  # of that divisor PyTorch makes NaN
    "one": (arr(300, lo=-9, hi=9, dtype=F32), const(-0.7, F32)),
    "t": (arr(20, 30, lo=-9, hi=9, dtype=F32, layout="t"), arr(20, 30, dtype=F32, layout="t")),
    "long by one": (arr(17000, lo=-9, hi=9, dtype=F32), const([[0.7]], F32)),
    "long": (arr(3, 6000, lo=-9, hi=9, dtype=F32), arr(3, 6000, dtype=F32)),
}
for op in ("fmod", "remainder"):
    family(f"{op}.all", lambda t, x, y, op=op: getattr(t, op)(x, y), NONZERO)
    family(f"{op}.edges", lambda t, x, y, op=op: getattr(t, op)(x, y), EDGES, grad=False)
    family(f"{op}.many", lambda t, x, y, op=op: getattr(t, op)(x, y), MANY, grad=False)
    first = {"c": (arr(4),), "i64": (ints(3, lo=1),)}
    family(f"{op}.first", lambda t, x, op=op: getattr(t, op)(7, x), first, grad=False)
    family(f"Tensor.{op}_", lambda t, x, y, op=op: getattr(x.clone(), op + "_")(y), NONZERO)
    for s in (3, -3, 2.5, True):
        family(
            f"{op}.{s}", lambda t, x, op=op, s=s: getattr(x, op)(s), {k: UNARY[k] for k in ("c", "i64", "f32", "bool")}
        )
family("rmod", lambda t, x: 7 % x, first, grad=False)
for mode in ("trunc", "floor", "foo"):
    family(f"div.{mode}", lambda t, x, y, m=mode: (t.div(x, y, rounding_mode=m), x.divide(y, rounding_mode=m)), NONZERO)
    family(f"div.{mode}.edges", lambda t, x, y, m=mode: t.div(x, y, rounding_mode=m), EDGES)
    family(f"div_.{mode}", lambda t, x, y, m=mode: x.clone().div_(y, rounding_mode=m), NONZERO)
    for s in (2, -3, 2.5):
        family(f"div.{mode}.{s}", lambda t, x, m=mode, s=s: (t.div(x, s, rounding_mode=m), t.divide(s, x.double() + 9, rounding_mode=m)),
               {k: UNARY[k] for k in ("c", "i64", "f32", "bool")})  # fmt: skip
family("div.large", lambda t: t.tensor([2**62 + 1, -(2**62) - 1]).div(3, rounding_mode="trunc"), {"": ()})
family("floor_divide.grad", lambda t, x: (x // 2).sum(), {"": (arr(3),)})
family(
    "floor_divide_",
    lambda t, x, y: x.clone().floor_divide_(y),
    {k: v for k, v in NONZERO.items() if k in ("f32", "i64", "i64f32")},
)
family("true_divide", lambda t, x, y: (t.true_divide(x, y), x.true_divide(y)), BINARY)
family("true_divide_", lambda t, x, y: x.clone().true_divide_(y), {k: BINARY[k] for k in ("c", "i64")})
family("div.int.gradient", lambda t, x: x // 2.0, {"f32": (arr(3, dtype=F32),)})
family("rsub", lambda t, x, y: t.rsub(x, y), BINARY)
family(
    "rsub.alpha",
    lambda t, x: (t.rsub(x, 5, alpha=2), t.rsub(x, x, alpha=3)),
    {k: UNARY[k] for k in ("c", "i64", "bool")},
)
family("alpha.float", lambda t, x: t.add(x, x, alpha=0.5), {k: UNARY[k] for k in ("c", "i64", "bool")})
family("alpha.bool", lambda t, x: t.add(x, x, alpha=True), {k: UNARY[k] for k in ("c", "i64", "bool")})
family("add.alpha_", lambda t, x: x.clone().add_(x, alpha=0.5), {k: UNARY[k] for k in ("c", "i64", "bool")})
family("subtract_", lambda t, x, y: (x.clone().subtract_(y), x.clone().subtract_(y, alpha=2)), {"c": BINARY["c"]})
for op in ("atan2_", "hypot_", "copysign_", "xlogy_", "arctan2_", "nextafter_"):
    family(
        f"Tensor.{op}",
        lambda t, x, y, op=op: getattr(x.clone(), op)(y),
        {k: NONZERO[k] for k in ("c", "f32", "f32f64", "badshape")},
    )
family("Tensor.atan2_.int", lambda t, x: x.clone().atan2_(x), {"i64": UNARY["i64"]})
family("Tensor.atan2_.grow", lambda t, x, y: x.clone().atan2_(y), {"": (arr(1), arr(3))})
for op in ("atan2", "hypot", "xlogy", "fmax", "copysign", "fmod", "gcd", "heaviside", "nextafter"):
    family(f"{op}.out", lambda t, x, y, op=op: getattr(t, op)(x, y, out=t.empty(0, dtype=x.dtype)), {k: NONZERO[k] for k in ("c", "i64")},
           grad=False)  # fmt: skip
family("nextafter", lambda t, x, y: t.nextafter(x, y), {k: v for k, v in BINARY.items() if k != "special2"})
family(
    "heaviside",
    lambda t, x, y: (t.heaviside(x.detach(), y.detach()), x.detach().clone().heaviside_(y.detach())),
    BINARY,
)
family("heaviside.number", lambda t, x: t.heaviside(x, 1.0), {"": (arr(2),)})
family("heaviside.grad", lambda t, x: t.heaviside(x, x), {"": (arr(2),)})
for op in ("gcd", "lcm"):
    whole = {k: v for k, v in BINARY.items() if k != "badshape"}
    family(op, lambda t, x, y, op=op: (getattr(t, op)(x, y), getattr(x.clone(), op + "_")(y)), whole)
    family(f"{op}.badshape", lambda t, x, y, op=op: getattr(t, op)(x, y), {"": (ints(3), ints(2))})
    family(f"{op}.number", lambda t, x, op=op: getattr(t, op)(x, 2), {"": (ints(3),)})
    family(f"{op}.i32", lambda t, x, y, op=op: getattr(t, op)(x.int(), y.to(t.int16)), {"": BINARY["i64"]})
family("float_power", lambda t, x, y: t.float_power(x.abs() if x.dtype != t.bool else x, y), LESS)
family(
    "float_power.number",
    lambda t, x: (t.float_power(x, 2), x.float_power(3.0), t.float_power(2, x)),
    {k: UNARY[k] for k in ("c", "i64", "f32", "bool")},
)
family("float_power_", lambda t, x: x.clone().float_power_(2), {k: UNARY[k] for k in ("c", "f32", "i64")})
family("ldexp", lambda t, x, y: t.ldexp(x, y), LESS)
family("ldexp.int", lambda t, x, y: (t.ldexp(x, y), x.ldexp(y), x.clone().ldexp_(y)), {"": (arr(3, 4), ints(4))})
family(
    "ldexp.dtypes",
    lambda t, x: tuple(
        (r.float(), str(r.dtype))
        for r in (
            t.ldexp(x.to(d), t.tensor([-30, -1, 0, 20], dtype=e))
            for d in (t.float16, t.bfloat16, t.float32)
            for e in (t.int8, t.int64)
        )
    ),
    {"": (arr(3, 4, dtype=F32),)},
)
family("ldexp.bool", lambda t, x: t.ldexp(x, x > 0), {"": (arr(2),)})
family(
    "logaddexp.complex",
    lambda t, x, y: t.logaddexp(x, y),
    {
        "": (
            lambda rng: rng.normal(size=4) + 1j * rng.normal(size=4),
            lambda rng: rng.normal(size=4) + 1j * rng.normal(size=4),
        )
    },
)
family("abs_.complex", lambda t, x: t.complex(x, x).abs_(), {"": (arr(2),)})
family("ldexp.number", lambda t, x: t.ldexp(x, 2), {"": (arr(2),)})
family("frexp", lambda t, x: tuple(t.frexp(x)), {k: v for k, v in WIDE.items() if k != "special"})
family("frexp.special", lambda t, x: (x.frexp().mantissa, x.frexp().exponent), {"": (const(SPECIAL),)}, grad=False)

# ---- interpolation, products, clamps ---------------------------------------------------------------------
for w in (0.3, 0.7, -1.5, 2, True):
    family(f"lerp.{w}", lambda t, x, y, w=w: (t.lerp(x, y, w), x.clone().lerp_(y, w)), BINARY)
THREE = {"c": (arr(3, 4),) * 3, "t": (arr(3, 4, layout="t"), arr(3, 4), arr(4)), "broadcast": (arr(3, 1), arr(4), arr(2, 1, 1)),
         "0d": (arr(3), arr(), arr()), "empty": (arr(0, 3), arr(3), arr(1)), "f32": (arr(4, dtype=F32),) * 3,
         "f32f64": (arr(4, dtype=F32), arr(4), arr(4)), "f32w64": (arr(4, dtype=F32), arr(4, dtype=F32), arr()),
         "f3200": (arr(dtype=F32), arr(dtype=F32), arr()), "i64": (ints(4, lo=1),) * 3, "bool": (arr(4, dtype=BOOL),) * 3,
         "i64f32": (ints(4), arr(4, dtype=F32), arr(4, dtype=F32)), "f32i64": (arr(4, dtype=F32), ints(4, lo=1), ints(4, lo=1)),
         "badshape": (arr(3), arr(2), arr(3)), "badshape2": (arr(3), arr(3), arr(2)),
         "special": (const(SPECIAL), const(SPECIAL[::-1]), const([*SPECIAL[3:], *SPECIAL[:3]]))}  # fmt: skip
family("lerp", lambda t, x, y, w: t.lerp(x, y, w), THREE)
family("lerp_", lambda t, x, y, w: x.clone().lerp_(y, w), THREE)
family("lerp.number", lambda t, x: t.lerp(x, 1.0, 0.5), {"": (arr(2),)})
family("lerp.out", lambda t, x, y, w: t.lerp(x, y, w, out=t.empty(0)), {"f32": THREE["f32"]})
for op in ("addcmul", "addcdiv"):
    finite = {k: v for k, v in THREE.items() if op == "addcmul" or k != "special"}
    family(op, lambda t, x, y, w, op=op: getattr(t, op)(x, y, w), finite)
    family(f"{op}.value", lambda t, x, y, w, op=op: getattr(x, op)(y, w, value=0.5), finite)
    family(
        f"{op}.value2",
        lambda t, x, y, w, op=op: getattr(t, op)(x, y, w, value=t.tensor(2)),
        {k: THREE[k] for k in ("c", "i64")},
    )
    family(
        f"{op}_",
        lambda t, x, y, w, op=op: getattr(x.clone(), op + "_")(y, w, value=3),
        THREE if op == "addcmul" else finite,
    )
    family(f"{op}.names", lambda t, x, y, w, op=op: getattr(t, op)(x, tensor1=y, tensor2=w), {"c": THREE["c"]})
    family(f"{op}.out", lambda t, x, y, w, op=op: getattr(t, op)(x, y, w, out=t.empty(0)), {"f32": THREE["f32"]})
    family(f"{op}.number", lambda t, x, op=op: getattr(t, op)(x, 2.0, x), {"": (arr(2),)})
    family(f"{op}.vector", lambda t, x, op=op: getattr(t, op)(x, x, x, value=x), {"": (arr(2, dtype=F32),)})
BOUNDS = {**THREE, "ties": (const([0.0, 1, 2, 3, 1]), const([1.0, 1, 0, 3, 2]), const([2.0, 1, 2, 2, 0]))}
for form in ("clamp", "clip"):
    # PyTorch refuses bounds that broadcast the values
    bounds = {k: v for k, v in BOUNDS.items() if k != "broadcast"}
    family(form, lambda t, x, a, b, form=form: getattr(t, form)(x, a, b), bounds)
family("clamp.tensor.min", lambda t, x, a, b: (t.clamp(x, a), t.clamp_min(x, b), x.clamp_min(a)), BOUNDS)
family("clamp.tensor.max", lambda t, x, a, b: (t.clamp(x, max=a), t.clamp_max(x, b), x.clamp_max(a)), BOUNDS)
family(
    "clamp_.tensor", lambda t, x, a, b: (x.clone().clamp_(a, b), x.clone().clip_(a), x.clone().clamp_max_(b)), BOUNDS
)
family(
    "clamp.out",
    lambda t, x, a, b: (t.clamp(x, a, b, out=t.empty(0)), t.clamp(x, 0, out=t.empty(0))),
    {"f32": THREE["f32"]},
)
PLAIN = {k: UNARY[k] for k in ("c", "0d", "empty", "special", "f32", "i64", "bool")}
for bound in (0, 0.5, True, NAN, float("inf")):
    family(f"clamp_min.{bound}", lambda t, x, b=bound: t.clamp_min(x, b), PLAIN)
    family(f"clamp_max.{bound}", lambda t, x, b=bound: x.clamp_max(b), PLAIN)
    family(f"clamp_min_.{bound}", lambda t, x, b=bound: x.clone().clamp_min_(b), PLAIN)
    family(f"clamp_.{bound}", lambda t, x, b=bound: x.clone().clamp_(max=b), PLAIN)
family("clamp.mixed", lambda t, x: t.clamp(x, 0, x), {"c": (arr(3),)})
family("clamp.mixed0d", lambda t, x: t.clamp(x, t.tensor(0.1), None), {k: UNARY[k] for k in ("c", "i64", "f32")})
family("clamp_.none", lambda t, x: x.clamp_(), {"c": (arr(3, dtype=F32),)})
family("clamp.notensor", lambda t: t.clamp(2.0, 1, 2), {"": ()})
family("threshold", lambda t, x: (t.threshold(x, 0.5, 7.5), t.threshold(x, -1, 2)), PLAIN)
family("threshold_", lambda t, x: t.threshold_(x.clone(), 0.1, -2), PLAIN)

# ---- bits and logic --------------------------------------------------------------------------------------
SHIFTS = {"i64": (arr(3, 4, dtype=I64), ints(4, hi=70, lo=-2)), "c": BINARY["c"], "bool": BINARY["bool"], "mixed": BINARY["i64f32"],
          "badshape": (ints(3), ints(2))}  # fmt: skip
for op in ("bitwise_left_shift", "bitwise_right_shift"):
    family(op, lambda t, x, y, op=op: (getattr(t, op)(x, y), getattr(x, op)(y)), SHIFTS)
    for kind in ("uint8", "int8", "int32"):
        family(
            f"{op}.{kind}",
            lambda t, x, y, op=op, k=kind: getattr(t, op)(x.to(getattr(t, k)), y.abs().to(getattr(t, k))),
            {"": (ints(40, lo=-9, hi=99), ints(40, hi=40))},
        )
    family(
        f"{op}.number",
        lambda t, x, op=op: (getattr(t, op)(x, 2), getattr(t, op)(5, x)),
        {k: UNARY[k] for k in ("i64", "bool", "c")},
    )
    family(
        f"Tensor.{op}_",
        lambda t, x, op=op: getattr(x.clone(), op + "_")(2),
        {k: UNARY[k] for k in ("i64", "bool", "c")},
    )


def shifts(t, x):
    y = x.clone()
    y <<= 2
    y >>= 1
    return x << 2, x >> 1, 2 << x.abs(), 99 >> x.abs(), y


family("shifts", shifts, {k: UNARY[k] for k in ("i64", "c")})
family("shifts.float", lambda t, x: x << 2.5, {"i64": UNARY["i64"]})
for op in ("logical_and_", "logical_or_", "logical_xor_", "greater_", "less_", "greater_equal_", "less_equal_", "not_equal_",
           "eq_", "ne_", "lt_", "gt_", "le_", "ge_"):  # fmt: skip
    family(
        f"Tensor.{op}",
        lambda t, x, y, op=op: getattr(x.clone(), op)(y.detach()),
        {k: BINARY[k] for k in ("i64", "bool", "f32", "c", "badshape")},
    )
for op in ("logical_and", "logical_or", "logical_xor"):
    family(f"{op}.number", lambda t, x, op=op: getattr(t, op)(x, 2), {"": (ints(3),)})
for op in ("greater", "less", "greater_equal", "less_equal", "not_equal"):
    family(
        op,
        lambda t, x, y, op=op: (getattr(t, op)(x, y), getattr(x, op)(y)),
        {k: BINARY[k] for k in ("c", "i64", "special")},
        grad=False,
    )
family("pos", lambda t, x: +x, {k: UNARY[k] for k in ("c", "bool")})
family(
    "round.decimals",
    lambda t, x: (t.round(x, decimals=2), x.round(decimals=-1), t.special.round(x * 9, decimals=1)),
    {k: WIDE[k] for k in ("c", "wide", "f32", "i64", "bool")},
)

# ---- closeness -------------------------------------------------------------------------------------------
NEAR = {"special": (const(SPECIAL), const(SPECIAL)), "special2": BINARY["special"], "c": BINARY["c"], "i64": BINARY["i64"],
        "bool": BINARY["bool"], "f32f64": BINARY["f32f64"], "badshape": BINARY["badshape"],
        "near": (const([1.0, 1.0, 100.0]), const([1.0 + 1e-6, 1.01, 100.5]))}  # fmt: skip
family("isclose", lambda t, x, y: (t.isclose(x, y), x.isclose(y, equal_nan=True)), NEAR, grad=False)
family(
    "isclose.tolerance",
    lambda t, x, y: (t.isclose(x, y, rtol=0.1), x.isclose(y, 0, 1), x.isclose(y, 0, 0)),
    NEAR,
    grad=False,
)
family("isclose.infinite", lambda t, x, y: t.isclose(x, y, rtol=float("inf")), NEAR, grad=False)
family("isclose.negative", lambda t, x: t.isclose(x, x, rtol=-1), {"": (arr(2),)})
family("isclose.number", lambda t, x: t.isclose(x, 1.0), {"": (arr(2),)})
family("allclose", lambda t, x, y: (t.allclose(x, y), x.allclose(y, equal_nan=True)), NEAR, grad=False)

# ---- the rest of torch.special ---------------------------------------------------------------------------
ORDERS = {"c": (arr(3, 6), const([0, 1, 2, 3, 5, 8], I64)), "far": (const([-3.0, -1.0, 0.0, 1.0, 2.5]), const([[7], [4], [0], [-1]], I64)),
          "many": (arr(9, lo=-1, hi=1), const([40], I64)), "float": (arr(4), const([2.7])), "f32": (arr(4, dtype=F32), ints(4, hi=6)),
          "i64": (ints(4), ints(4, hi=6)), "empty": (arr(0), ints(1)), "badshape": (arr(3), ints(2))}  # fmt: skip
for name in ("chebyshev_polynomial_t", "chebyshev_polynomial_u", "chebyshev_polynomial_v", "chebyshev_polynomial_w",
             "shifted_chebyshev_polynomial_t", "shifted_chebyshev_polynomial_u", "shifted_chebyshev_polynomial_v",
             "shifted_chebyshev_polynomial_w", "hermite_polynomial_h", "hermite_polynomial_he", "laguerre_polynomial_l",
             "legendre_polynomial_p"):  # fmt: skip
    family(f"special.{name}", lambda t, x, n, name=name: getattr(t.special, name)(x, n), ORDERS)
    family(f"special.{name}.number", lambda t, x, name=name: (getattr(t.special, name)(x, 4), getattr(t.special, name)(0.3, x.abs() * 2)),
           {"c": (arr(5),), "f32": (arr(5, dtype=F32),)}, grad=False)  # fmt: skip
family(
    "special.softmax",
    lambda t, x: (t.special.softmax(x, 0), t.special.log_softmax(x, -1), t.special.softmax(x, 1, dtype=t.float32)),
    {"c": (arr(3, 4),)},
)
family(
    "special.logsumexp",
    lambda t, x: (t.special.logsumexp(x, 1), t.special.logsumexp(x, (0, 1), True)),
    {"c": (arr(3, 4),)},
)
family(
    "special.xlogy",
    lambda t, x, y: (t.special.xlogy(x, y), t.special.logit(y, 0.1), t.special.erfc(x), t.special.erfinv(x / 3)),
    {"c": BINARY["c"]},
)
