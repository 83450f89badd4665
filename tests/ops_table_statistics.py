"""Samples of reductions, cumulative ops, order statistics, histograms and sets."""

import numpy as np
from ops_table import BOOL, F32, I64, REDUCE, SIMPLE, SPECIAL, add, arr, const, family, ints

NAN, INF = np.nan, np.inf
F16, U8, I32 = np.float16, np.uint8, np.int32


def pick(*names, **more):
    return {**{n: ALL[n] for n in names}, **more}


def small(*shape, dtype):
    """Integers 0 to 3 of a dtype without a maker of its own."""
    return lambda rng: rng.integers(0, 4, shape).astype(dtype)


ALL = {
    **REDUCE,
    "zeros": (const([[1.0, 0, 2], [0, 0, 3], [4, 5, 6]]),),
    "const": (const([[2.0, 2, 2], [2, 2, 2]]),),
    "inf": (const([[1.0, INF, 3], [-INF, -INF, 0], [INF, -INF, 1]]),),
    "f16": (arr(5, 6, dtype=F16),),
    "u8": (small(3, 4, dtype=U8),),
    "i32": (small(3, 4, dtype=I32),),
    "1": (arr(1),),
    "empty0": (arr(0),),
}
CLEAN = {
    k: v for k, v in ALL.items() if k not in ("nan", "inf")
}  # where PyTorch's own gradients are NaN or not defined
FLOATS = {k: v for k, v in ALL.items() if k not in ("i64", "bool", "u8", "i32")}

# ---- reductions --------------------------------------------------------------------------------------------
for tag, kw in {
    "all": {},
    "0": {"dim": 0},
    "-1keep": {"dim": -1, "keepdim": True},
    "(0,1)": {"dim": (1, 0)},
    "7": {"dim": 7},
    "list": {"dim": [-1]},
    "()": {"dim": ()},
    "dup": {"dim": (0, 0)},
}.items():
    some = SIMPLE if tag in ("7", "dup") else ALL
    for op in ("sum", "nansum", "mean", "nanmean", "amax", "amin"):
        run = lambda t, x, op=op, kw=kw: getattr(t, op)(x, **kw)  # noqa: E731
        family(f"{op}.kw.{tag}", run, some)
    for op in ("all", "any", "count_nonzero"):
        plain = {k: v for k, v in kw.items() if op != "count_nonzero" or k == "dim"}
        family(f"{op}.kw.{tag}", lambda t, x, op=op, kw=plain: getattr(t, op)(x, **kw), some, grad=False)
    for op in ("var", "std", "var_mean", "std_mean"):
        family(
            f"{op}.kw.{tag}",
            lambda t, x, op=op, kw=kw: getattr(t, op)(x, **kw),
            SIMPLE if some is SIMPLE else CLEAN,
            grad=tag != "()",  # PyTorch's gradient counts no elements there
        )
        family(
            f"{op}.kw.nan.{tag}",
            lambda t, x, op=op, kw=kw: getattr(t, op)(x, correction=0.5, **kw),
            pick("nan", "c", *(["inf"] if "mean" not in op else [])),
            grad=False,
        )
    if tag not in ("all", "()"):
        family(f"logsumexp.kw.{tag}", lambda t, x, kw=kw: t.logsumexp(x, **kw), some)
    family(f"norm.kw.{tag}", lambda t, x, kw=kw: t.norm(x, **kw), {k: v for k, v in some.items() if k != "inf"})
    if "dim" not in kw or isinstance(kw["dim"], int):
        for op in ("max", "min", "median", "nanmedian", "aminmax", "argmax", "argmin", "prod", "mode"):
            family(
                f"{op}.kw.{tag}",
                lambda t, x, op=op, kw=kw: values(getattr(t, op)(x, **kw), op),
                {k: v for k, v in some.items() if (op, k) not in {("mode", "nan"), ("mode", "c")}},
                grad=op not in ("argmax", "argmin", "prod"),
            )
    if tag in ("all", "0", "-1keep"):
        family(f"prod.grad.{tag}", lambda t, x, kw=kw: t.prod(x, **kw), {k: v for k, v in CLEAN.items() if k != "inf"})


def values(result, op):
    return tuple(result) if isinstance(result, tuple) else result


for op in ("all", "any", "max", "argmin", "median", "mode", "cumsum", "cummax", "prod"):
    family(
        f"{op}.badtype",
        lambda t, x, op=op: (getattr(t, op)(x, dim="a"),),
        {"c": (arr(2, 3),)},
    )
for op in ("sum", "mean", "nansum", "prod", "var", "all", "amax", "argmax", "median"):
    family(f"{op}.notensor", lambda t, op=op: getattr(t, op)([1.0, 2.0]), {"": ()})
    family(f"{op}.keepint", lambda t, x, op=op: getattr(t, op)(x, dim=0, keepdim=1), {"": (arr(2, 3),)})
    if op not in ("sum", "mean"):
        family(
            f"{op}.axis", lambda t, x, op=op: values(getattr(t, op)(x, axis=1, keepdims=True), op), {"": (arr(2, 3),)}
        )
family(
    "sum.axis",
    lambda t, x: (x.sum(axis=1), t.mean(x, axis=(0, 1), keepdims=True), x.max(axis=0)[0]),
    {"": (arr(2, 3),)},
)
family("sum.badname", lambda t, x: x.sum(foo=1), {"": (arr(2, 3),)})
for dt in ("float32", "float64", "int32", "bool", "float16"):
    for op in ("sum", "nansum", "prod"):
        family(
            f"{op}.{dt}",
            lambda t, x, op=op, dt=dt: (
                getattr(t, op)(x, dtype=getattr(t, dt)),
                getattr(t, op)(x, dim=-1, dtype=getattr(t, dt)),
            ),
            pick("c", "i64", "bool", "0d", *(["f32"] if dt != "float16" else [])),
            grad=False,
        )
    for op in ("cumsum", "cumprod"):
        family(
            f"{op}.{dt}",
            lambda t, x, op=op, dt=dt: getattr(t, op)(x, 0, dtype=getattr(t, dt)),
            pick("c", "i64", "f32", "0d", *(["bool"] if dt != "bool" else [])) if dt != "bool" else pick("i64"),
            grad=False,
        )
family("mean.int", lambda t, x: x.mean(dtype=t.int64), pick("c"))
family("mean.i64", lambda t, x: t.mean(x, 0, dtype=t.float64), pick("i64", "bool", "f16"))
OUT = {
    "sum": lambda t, x, out: t.sum(x, 0, out=out),
    "mean": lambda t, x, out: t.mean(x, 0, out=out),
    "nansum": lambda t, x, out: t.nansum(x, 0, out=out),
    "prod": lambda t, x, out: t.prod(x, 0, out=out),
    "amax": lambda t, x, out: t.amax(x, 0, out=out),
    "var": lambda t, x, out: t.var(x, 0, out=out),
    "std": lambda t, x, out: t.std(x, 0, out=out),
    "logsumexp": lambda t, x, out: t.logsumexp(x, 0, out=out),
    "norm": lambda t, x, out: t.norm(x, 2, 0, out=out),
    "cumsum": lambda t, x, out: t.cumsum(x, 0, out=out),
    "cumprod": lambda t, x, out: t.cumprod(x, 0, out=out),
    "logcumsumexp": lambda t, x, out: t.logcumsumexp(x, 0, out=out),
    "renorm": lambda t, x, out: t.renorm(x, 2, 0, 0.5, out=out),
    "diff": lambda t, x, out: t.diff(x, out=out),
    "quantile": lambda t, x, out: t.quantile(x, 0.3, 0, out=out),
    "histc": lambda t, x, out: t.histc(x, 4, out=out),
    "max": lambda t, x, out: t.max(x, out=out),
}
for op, run in OUT.items():
    family(f"out.{op}", lambda t, x, run=run: same(run, t, x, x.dtype), pick("c", "f32"), grad=False)
for op in ("max", "min", "median", "nanmedian", "cummax", "cummin", "mode"):
    family(
        f"out2.{op}",
        lambda t, x, op=op: tuple(getattr(t, op)(x, 0, out=(t.empty(0, dtype=x.dtype), t.empty(0, dtype=t.int64)))),
        pick("t", "ties"),
        grad=False,
    )
    family(
        f"out2.bad.{op}",
        lambda t, x, op=op: getattr(t, op)(x, 0, out=(t.empty(0, dtype=x.dtype), t.empty(0, dtype=t.int32))),
        pick("t"),
        grad=False,
    )


def same(run, t, x, dtype):
    """A result stored in out=, which must be the tensor that comes back."""
    out = t.empty(0, dtype=dtype)
    assert run(t, x, out) is out
    return out


family(
    "out.all", lambda t, x: same(lambda t, x, out: t.all(x, 0, out=out), t, x, t.bool), pick("c", "bool"), grad=False
)
family("out.allbad", lambda t, x: t.all(x, out=t.empty(0)), pick("c"), grad=False)
family("out.amaxbad", lambda t, x: t.amax(x, 0, out=t.empty(0, dtype=t.float16)), pick("c"), grad=False)
family("out.argmax", lambda t, x: same(lambda t, x, out: t.argmax(x, 0, out=out), t, x, t.int64), pick("c"), grad=False)
for tag, args in {
    "bool": (False,),
    "dimbool": (0, False),
    "dimboolkeep": (-1, True, True),
    "tuple": ((0, 1), False),
}.items():
    for op in ("var", "std", "var_mean", "std_mean"):
        family(f"{op}.args.{tag}", lambda t, x, op=op, args=args: getattr(t, op)(x, *args), pick("c", "f32", "3d"))
family("std.badargs", lambda t, x: t.std(x, True, True), pick("c"))
family("std.badargs2", lambda t, x: t.std(x, 0, 0), pick("c"))
family("std.const", lambda t, x: (x.std(), x.std(0), x.std(1, unbiased=False)), pick("const", "ties"))
family("max.pair", lambda t, x, y: (t.max(x, y), x.min(other=y)), {"c": (arr(3, 4), arr(4))})
family("max.bad", lambda t, x: t.max(x, keepdim=True), pick("c"))
family(
    "max.order",
    lambda t, x: (x.max(0, True)[1], x.max(dim=1)[1]),
    ALL | {"empty": (arr(2, 3),), "empty1": (arr(2, 3),)},
    grad=False,
)

for p in (0, 0.5, 1, 1.5, 2, 2.5, 3, INF, -INF, -1, "fro", None, True):
    some = pick("c", "t", "0d", "zeros", "f32", "ties", "empty", *(["f16"] if p not in (-1, 0.5) else []))
    for tag, dim in (("all", None), ("0", 0), ("(1,)", (1,)), ("(0,1)", (0, 1))):
        some = {k: v for k, v in some.items() if not (k == "0d" and tag == "(1,)")}
        family(f"norm.{p}.{tag}", lambda t, x, p=p, dim=dim: t.norm(x, p, dim, keepdim=dim == 0), some)
family("norm.method.dtype", lambda t, x: (x.norm(dtype=t.float32), x.norm(p=1, dim=0)), pick("c", "f32"), grad=False)
family("norm.bad", lambda t, x: t.norm(x, "abc"), pick("c"))
family(
    "dist",
    lambda t, x, y: (t.dist(x, y), x.dist(y, 1), t.dist(x, y, p=INF), t.dist(x, x)),
    {
        "c": (arr(3, 4), arr(3, 4)),
        "b": (arr(3, 4), arr(4)),
        "i64f32": (arr(3, 4, dtype=I64), arr(3, 4, dtype=F32)),
        "i64": (arr(3, dtype=I64), arr(3, dtype=I64)),
    },
)
for tag, args in {
    "0": (2, 0, 0.7),
    "1": (1, 1, 1.0),
    "-1": (INF, -1, 0.5),
    "p": (-1, 0, 1),
    "m": (2, 0, -1),
    "d": (2, 5, 1),
}.items():
    family(
        f"renorm.{tag}",
        lambda t, x, args=args: (t.renorm(x, *args), x.clone().renorm_(*args)),
        pick("c", "t", "3d", "f32", "1", "i64", "zeros") if len(tag) == 1 and tag in "01" else pick("c"),
    )
family(
    "logsumexp.special",
    lambda t, x: t.logsumexp(x, 0),
    {"-inf": (const([[-INF, -INF], [1, -INF]]),), "inf": (const([[INF, 1], [INF, NAN]]),)},
)
family("logsumexp.big", lambda t, x: t.logsumexp(x * 1000, (0, 1)), pick("c"))
family("logsumexp.none", lambda t, x: t.logsumexp(x, None), pick("c"))

# ---- along a dimension -------------------------------------------------------------------------------------
LINES = {**ALL, "neginf": (const([-INF, -INF, 1.0, 2.0]),), "long": (arr(37, 3),), "long2": (arr(2, 100, layout="t"),)}
for op in ("cumsum", "cumprod", "cummax", "cummin", "logcumsumexp"):
    for dim in (0, -1, 5):
        family(
            f"{op}.{dim}",
            lambda t, x, op=op, dim=dim: values(getattr(t, op)(x, dim), op),
            pick("c", "0d") if dim == 5 else LINES,
            grad=False,
        )
        family(
            f"{op}.grad.{dim}",
            lambda t, x, op=op, dim=dim: values(getattr(t, op)(x, dim), op),
            pick("c")
            if dim == 5
            else {k: v for k, v in LINES.items() if k not in ("nan", "inf", "empty", "empty1", "empty0")},
        )
for op in ("cumsum_", "cumprod_"):
    family(
        f"Tensor.{op}",
        lambda t, x, op=op: getattr(x.clone(), op)(0),
        pick("c", "t", "0d", "f32", "i64", "i32", "zeros", "f16"),
    )
family("cumsum.none", lambda t, x: x.cumsum(None), pick("c"))
family("cumsum.axis", lambda t, x: (x.cumsum(axis=1), t.cumprod(x, axis=0)), pick("c"))
family("cumsum.long", lambda t: t.cumsum(t.full((100000,), 0.1), 0)[-1], {"": ()})
for tag, kw in {
    "1": {},
    "2": {"n": 2},
    "0": {"n": 0},
    "9": {"n": 9},
    "dim0": {"dim": 0},
    "bad": {"dim": 4},
    "neg": {"n": -1},
}.items():
    some = SIMPLE if tag == "bad" else {k: v for k, v in ALL.items() if k not in ("inf",)}
    family(f"diff.{tag}", lambda t, x, kw=kw: t.diff(x, **kw), some)
family(
    "diff.join",
    lambda t, x, y: (t.diff(x, prepend=y), x.diff(append=y, dim=-1), t.diff(x, 2, 1, y, x)),
    {"c": (arr(3, 4), arr(3, 2)), "i64": (arr(3, 4), arr(3, 1, dtype=I64))},
)
family(
    "diff.badjoin", lambda t, x, y: t.diff(x, prepend=y), {"dims": (arr(3, 4), arr(4)), "sizes": (arr(3, 4), arr(2, 4))}
)
for op in ("trapezoid", "trapz", "cumulative_trapezoid"):
    family(
        f"{op}",
        lambda t, x, op=op: (getattr(t, op)(x), getattr(t, op)(x, dim=0), getattr(t, op)(x, dx=0.3)),
        pick("c", "t", "3d", "f32", "i64", "empty", "1", "0d", "bool", "f16"),
    )
    family(
        f"{op}.x",
        lambda t, x, y, op=op: getattr(t, op)(x, y),
        {
            "c": (arr(3, 4), arr(3, 4)),
            "1d": (arr(3, 4), arr(4)),
            "bad": (arr(3, 4), arr(3)),
            "3d": (arr(2, 3, 4), arr(3, 4)),
            "i64": (arr(3, 4, dtype=I64), arr(4, dtype=I64)),
            "f32f64": (arr(3, 4, dtype=F32), arr(4)),
        },
    )
    family(
        f"{op}.x0",
        lambda t, x, y, op=op: getattr(t, op)(x, y, dim=0),
        {"c": (arr(3, 4), arr(3, 4)), "1d": (arr(3, 4), arr(3))},
    )
    family(f"{op}.both", lambda t, x, op=op: getattr(t, op)(x, x, dx=1), pick("c"))

# ---- order statistics --------------------------------------------------------------------------------------
RANKS = {
    "odd": (arr(5),),
    "even": (arr(6),),
    "ties": (ints(9, hi=3),),
    "manyties": (ints(3, 200, hi=4),),
    "nan": (const([2.0, NAN, 2, NAN, 1, 2]),),
    "allnan": (const([[NAN, NAN], [1, NAN]]),),
    "2d": (arr(4, 7, layout="t"),),
    "3d": (arr(3, 4, 5, layout="s"),),
    "f16": (arr(3, 5, dtype=F16),),
    "u8": (small(4, 5, dtype=U8),),
    "inf": (const([[INF, 1, -INF], [INF, INF, 0]]),),
}
for op in ("median", "nanmedian"):
    for dim in (0, -1):
        family(
            f"{op}.ranks.{dim}", lambda t, x, op=op, dim=dim: values(getattr(t, op)(x, dim, keepdim=True), op), RANKS
        )
    family(f"{op}.ranks", lambda t, x, op=op: getattr(t, op)(x), RANKS)
    family(f"{op}.emptyint", lambda t, x, op=op: getattr(t, op)(x), {"": (arr(0, dtype=I64),)})
MODES = {k: RANKS[k] for k in ("ties", "odd", "u8", "2d")} | {
    "runs": (const([2.0, 1, 2, 1, 3]),),
    "bool": (arr(3, 5, dtype=BOOL),),
}
for dim in (0, -1):
    family(f"mode.{dim}", lambda t, x, dim=dim: values(t.mode(x, dim), "mode"), MODES)
family("mode.many", lambda t, x: t.mode(x)[0], {"": (ints(3, 200, hi=4),)}, grad=False)

Q = {k: ALL[k] for k in ("c", "t", "3d", "0d", "f32", "nan", "i64", "f16", "empty", "1")}
for interpolation in ("linear", "lower", "higher", "midpoint", "nearest", "no"):
    some = Q if interpolation in ("linear", "nearest") else {k: Q[k] for k in ("c", "nan")}
    for op in ("quantile", "nanquantile"):
        for tag, q in {"0.3": 0.3, "0": 0.0, "1": 1.0, "bad": 1.5}.items():
            family(
                f"{op}.{interpolation}.{tag}",
                lambda t, x, op=op, q=q, i=interpolation: (
                    getattr(t, op)(x, q, interpolation=i),
                    getattr(t, op)(x, q, -1, True, interpolation=i),
                    getattr(t, op)(x, q, dim=0, interpolation=i),
                ),
                some if tag == "0.3" else {"c": Q["c"]},
            )
        family(
            f"{op}.{interpolation}.tensor",
            lambda t, x, q, op=op, i=interpolation: (
                getattr(t, op)(x, q.to(x.dtype), interpolation=i),
                getattr(t, op)(x, q.to(x.dtype), -1, True, interpolation=i),
                getattr(t, op)(x, q.to(x.dtype), dim=0, interpolation=i),
                getattr(t, op)(x, q.to(x.dtype)[0], 0, True, interpolation=i),
                getattr(t, op)(x, q.to(x.dtype), None, True, interpolation=i),
            ),
            {k: (*v, const([0.1, 0.5, 0.99, 1.0])) for k, v in some.items()},
            grad=interpolation != "linear",
        )
family(
    "quantile.badq",
    lambda t, x, q: t.quantile(x, q),
    {"2d": (arr(4), arr(2, 2)), "range": (arr(4), const([0.5, 2])), "dtype": (arr(4), arr(2, dtype=F32))},
)
family("quantile.gradq", lambda t, x, q: t.quantile(x, q, 1), {"": (arr(3, 5), const([0.13, 0.77]))})

# ---- covariance --------------------------------------------------------------------------------------------
COV = {
    "c": (arr(3, 6),),
    "t": (arr(3, 6, layout="t"),),
    "1d": (arr(5),),
    "0d": (arr(),),
    "i64": (arr(3, 6, dtype=I64),),
    "f32": (arr(3, 6, dtype=F32),),
    "3d": (arr(2, 3, 4),),
    "bool": (arr(3, 6, dtype=BOOL),),
    "one": (arr(3, 1),),
}
family("cov", lambda t, x: (t.cov(x), x.cov(correction=0)), COV)
family("corrcoef", lambda t, x: x.corrcoef(), COV)
WEIGHTS = {
    "c": (arr(3, 5), ints(5, lo=1), arr(5, lo=0.1)),
    "bad": (arr(3, 5), ints(4, lo=1), arr(4, lo=0.1)),
    "1d": (arr(5), ints(5, lo=1), arr(5, lo=0.1)),
}
family("cov.f", lambda t, x, f, a: t.cov(x, fweights=f), WEIGHTS)
family("cov.a", lambda t, x, f, a: t.cov(x, aweights=a, correction=2), WEIGHTS)
family("cov.a0", lambda t, x, f, a: t.cov(x, aweights=a, correction=0), WEIGHTS)
family("cov.fa", lambda t, x, f, a: t.cov(x, fweights=f, aweights=a), WEIGHTS)
family("cov.kinds", lambda t, x, f, a: t.cov(x, fweights=a), WEIGHTS)
family("cov.kinds2", lambda t, x, f, a: t.cov(x, aweights=f), WEIGHTS)
family("cov.negative", lambda t, x, f, a: t.cov(x, fweights=-f), WEIGHTS)
family("cov.zero", lambda t, x, f, a: t.cov(x, fweights=f * 0), WEIGHTS)

# ---- histograms and sets -----------------------------------------------------------------------------------
HIST = {k: ALL[k] for k in ("c", "t", "3d", "0d", "f32", "const", "empty", "i64", "nan", "ties", "zeros")}
for tag, args in {
    "": (),
    "5": (5,),
    "range": (7, -1, 1),
    "tie": (4, 2, 2),
    "bins": (0,),
    "swap": (3, 1, 0),
    "half": (3, 0, 2),
}.items():
    family(f"histc.{tag}", lambda t, x, args=args: t.histc(x, *args), HIST, grad=False)
for tag, kw in {
    "5": {"bins": 5},
    "range": {"bins": 6, "range": (-1.0, 1.1)},
    "density": {"bins": 4, "density": True},
    "bad": {"bins": 0},
    "swap": {"bins": 3, "range": (1.0, 0.0)},
    "point": {"bins": 3, "range": (1.0, 1.0)},
}.items():
    family(f"histogram.{tag}", lambda t, x, kw=kw: tuple(t.histogram(x, **kw)), HIST, grad=False)
BINNED = {
    "c": (arr(4, 5), const([-1.0, 0, 0.3, 1]), arr(4, 5, lo=0)),
    "f32": (arr(4, 5, dtype=F32), const([-1, 0, 2], F32), arr(4, 5, dtype=F32, lo=0)),
    "mixed": (arr(4, 5), const([-1, 0, 2], F32), arr(4, 5, dtype=F32)),
    "2d": (arr(4, 5), arr(2, 2), arr(4, 5)),
    "shape": (arr(4, 5), const([0.0, 1]), arr(5)),
}
family("histogram.edges", lambda t, x, b, w: tuple(t.histogram(x, b)), BINNED, grad=False)
family("histogram.weight", lambda t, x, b, w: tuple(x.histogram(b, weight=w, density=True)), BINNED, grad=False)
family("histogram.weight5", lambda t, x, b, w: tuple(t.histogram(x, 5, weight=w)), BINNED, grad=False)
POINTS = {
    "c": (arr(20, 2), arr(20, lo=0)),
    "3d": (arr(4, 5, 2), arr(4, 5, lo=0)),
    "bad": (arr(20, 2), arr(3)),
    "1d": (arr(4), arr(4)),
    "i64": (arr(20, 2, dtype=I64), arr(20)),
}
for tag, kw in {
    "3": {"bins": 3},
    "list": {"bins": [2, 3]},
    "range": {"bins": [2, 3], "range": [-1.0, 1.0, 0.0, 2.0]},
    "density": {"bins": 2, "density": True},
    "count": {"bins": [1, 2, 3]},
    "badrange": {"bins": 2, "range": [0.0, 1.0]},
}.items():
    family(f"histogramdd.{tag}", lambda t, x, w, kw=kw: parts(t.histogramdd(x, **kw)), POINTS, grad=False)
family("histogramdd.weight", lambda t, x, w: parts(t.histogramdd(x, 3, weight=w)), POINTS, grad=False)
family(
    "histogramdd.edges",
    lambda t, x, a, b: parts(t.histogramdd(x, (a, b))),
    {"c": (arr(20, 2), const([-1.0, 0, 1]), const([0.0, 0.1, 0.9, 1.0]))},
    grad=False,
)


def parts(result):
    return (result.hist, *result.bin_edges)


COUNTS = {
    "c": (ints(10), arr(10), arr(10, dtype=F32), ints(10)),
    "empty": (ints(0), arr(0), arr(0, dtype=F32), ints(0)),
    "neg": (ints(5, lo=-3), arr(5), arr(5, dtype=F32), ints(5)),
    "2d": (ints(2, 3), arr(2, 3), arr(2, 3, dtype=F32), ints(2, 3)),
    "float": (arr(4, lo=0), arr(4), arr(4, dtype=F32), ints(4)),
    "shape": (ints(5), arr(4), arr(4, dtype=F32), ints(4)),
    "u8": (small(7, dtype=U8), arr(7), arr(7, dtype=F32), ints(7)),
}
family("bincount", lambda t, x, *w: (t.bincount(x), x.bincount(minlength=7)), COUNTS, grad=False)
for i in range(3):
    family(f"bincount.weights{i}", lambda t, x, *w, i=i: t.bincount(x, w[i], minlength=6), COUNTS, grad=False)
family("bincount.minlength", lambda t, x, *w: t.bincount(x, minlength=-1), {"c": COUNTS["c"]}, grad=False)

SETS = {
    "i64": (ints(4, 5),),
    "c": (arr(3, 4),),
    "t": (const([[1.0, 2, 1], [1, 2, 1], [0, 2, 0]]),),
    "bool": (arr(3, 4, dtype=BOOL),),
    "0d": (arr(),),
    "empty": (arr(0),),
    "nan": (const([NAN, 1, NAN, 1, 0]),),
    "f16": (small(9, dtype=F16),),
    "u8": (small(9, dtype=U8),),
    "3d": (ints(2, 3, 2, hi=2),),
    "one": (arr(1),),
}
for op in ("unique", "unique_consecutive"):
    family(
        op,
        lambda t, x, op=op: (
            getattr(t, op)(x),
            getattr(x, op)(return_inverse=True),
            getattr(t, op)(x, return_counts=True),
            getattr(t, op)(x, return_inverse=True, return_counts=True),
        ),
        SETS,
        grad=False,
    )
    for dim in (0, -1, 4):
        family(
            f"{op}.{dim}",
            lambda t, x, op=op, dim=dim: (
                getattr(t, op)(x, dim=dim),
                getattr(t, op)(x, return_inverse=True, return_counts=True, dim=dim),
            ),
            {k: v for k, v in SETS.items() if k != "nan"},
            grad=False,
        )
family("unique.none", lambda t, x: t.unique(x, dim=0), {"": (arr(3, 0),)}, grad=False)
add(
    "special.extremes",
    lambda t, x: (x.max(), x.argmax(), x.min(), x.argmin(), *x.max(0), *x.cummin(0), *t.aminmax(x)),
    const(SPECIAL),
    grad=False,
)
add(
    "special.f32",
    lambda t, x: (
        x.sum(),
        x.nansum(),
        x.nanmean(),
        x.std(),
        x.prod(),
        x.logsumexp(0),
        x.logcumsumexp(0),
        *x.nanmedian(0),
    ),
    const(SPECIAL, F32),
    grad=False,
)
add(
    "half.sums",
    lambda t: (
        t.ones(5000).half().sum(),
        t.ones(5000).half().mean(),
        t.ones(5000).half().cumsum(0)[-1],
        t.full((3000,), 0.1).half().norm(),
    ),
    grad=False,
)
add("bfloat16", lambda t: tuple(f(t.arange(12.0).view(3, 4).bfloat16() / 8 - 0.5).float() for f in HALF(t)), grad=False)


def HALF(t):
    """Functions that are run on a bfloat16 tensor."""
    return [
        t.sum,
        t.mean,
        t.prod,
        t.std,
        t.var,
        t.amax,
        t.max,
        t.median,
        t.nansum,
        t.norm,
        lambda x: t.median(x, 1)[0],
        lambda x: t.cumsum(x, 0),
        lambda x: t.cumprod(x, 1),
        lambda x: x.cummax(1)[0],
        lambda x: x.norm(3, 0),
        lambda x: x.logcumsumexp(1),
        lambda x: x.mode(1)[0],
        t.unique,
        t.argmax,
    ]
