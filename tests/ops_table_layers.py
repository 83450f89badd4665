"""Samples of the functions behind the layers: activations, convolutions, pools, norms, padding, resampling."""

import numpy as np
from ops_table import F32, I64, UNARY, arr, const, family

# ---- activations -------------------------------------------------------------------------------------------
BIG = {**UNARY, "big": (const([-1e3, 1e3, -30.0, 30.0, -0.0, 3.0, -3.0, 6.0, 0.5, -0.5]),)}
PLAIN = {k: v for k, v in BIG.items() if k != "special"}  # PyTorch's gradients at NaN and inf differ by vector width
ACTIVATIONS = {
    "elu": {},
    "elu.2": {"alpha": 2.5},
    "selu": {},
    "celu": {},
    "celu.2": {"alpha": 2.0},
    "celu.0": {"alpha": 0.0},
    "gelu": {},
    "gelu.tanh": {"approximate": "tanh"},
    "gelu.bad": {"approximate": "x"},
    "leaky_relu": {},
    "leaky_relu.2": {"negative_slope": 0.2},
    "rrelu": {},
    "relu6": {},
    "softplus": {},
    "softplus.2": {"beta": 2.0, "threshold": 1.0},
    "logsigmoid": {},
    "silu": {},
    "mish": {},
    "hardtanh": {},
    "hardtanh.2": {"min_val": -0.5, "max_val": 0.75},
    "hardsigmoid": {},
    "hardswish": {},
    "hardshrink": {},
    "hardshrink.2": {"lambd": 1.0},
    "softshrink": {},
    "softshrink.bad": {"lambd": -1.0},
    "threshold": {"threshold": 0.1, "value": 20.0},
    "softsign": {},
    "tanhshrink": {},
    "softmin": {"dim": -1},
    "glu": {},
    "glu.0": {"dim": 0},
}
for name, kw in ACTIVATIONS.items():
    op = name.split(".")[0]
    # PyTorch's float32 gelu(inf) is NaN; the gradient of its hardsigmoid takes 1 / 6 as a float32
    variants = {k: v for k, v in PLAIN.items() if op != "gelu" or k != "f32special"}
    family(
        f"F.{name}",
        lambda t, x, op=op, kw=kw: getattr(t.nn.functional, op)(x, **kw),
        variants,
        grad=op != "hardsigmoid",
    )
    family(f"F.{name}.inf", lambda t, x, op=op, kw=kw: getattr(t.nn.functional, op)(x, **kw),
           {"special": UNARY["special"]}, grad=False)  # fmt: skip
for op, args in {"elu": (), "selu": (), "celu": (), "leaky_relu": (), "relu6": (), "silu": (), "mish": (),
                 "hardtanh": (), "hardsigmoid": (), "hardswish": (), "threshold": (0.1, 20.0), "rrelu": ()}.items():  # fmt: skip
    family(f"F.{op}.inplace", lambda t, x, op=op, args=args: getattr(t.nn.functional, op)(x.clone(), *args, inplace=True),
           {k: UNARY[k] for k in ("c", "t", "0d", "empty", "f32")}, grad=op != "hardsigmoid")  # fmt: skip
for op in ("elu_", "selu_", "celu_", "leaky_relu_", "hardtanh_", "relu_"):
    family(f"F.{op}", lambda t, x, op=op: getattr(t.nn.functional, op)(x * 1), {k: UNARY[k] for k in ("c", "0d")})
PRELU = {
    "one": (arr(2, 3), arr(1)),
    "channels": (arr(2, 3, 4), arr(3)),
    "1d": (arr(3), arr(1)),
    "0d": (arr(), arr(1)),
    "bad": (arr(2, 3), arr(2)),
    "empty": (arr(0, 3), arr(3)),
    "mixed": (arr(2, 3), arr(1, dtype=F32)),
    "bad2": (arr(2, 3), arr(1, 3)),
    "scalar": (arr(2, 3), arr()),
    "inf": (const([[np.inf, 1.0], [-1.0, 2.0]]), arr(1)),
}
family("F.prelu", lambda t, x, w: t.nn.functional.prelu(x, w), PRELU)

# ---- convolutions ------------------------------------------------------------------------------------------
CONVS = {
    1: {
        "plain": ((2, 3, 9), (4, 3, 3), {}),
        "all": ((2, 4, 11), (6, 2, 3), {"stride": 2, "padding": 2, "dilation": 2, "groups": 2}),
        "same": ((2, 3, 9), (4, 3, 3), {"padding": "same"}),
        "sameeven": ((2, 3, 9), (4, 3, 4), {"padding": "same", "dilation": 3}),
        "unbatched": ((3, 9), (4, 3, 3), {}),
        "badchannels": ((2, 4, 9), (4, 3, 3), {}),
        "badrank": ((9,), (4, 3, 3), {}),
        "toosmall": ((1, 3, 2), (4, 3, 3), {}),
        "batch0": ((0, 3, 9), (4, 3, 3), {}),
        "badstride": ((2, 3, 9), (4, 3, 3), {"stride": (1, 2)}),
        "negpad": ((2, 3, 9), (4, 3, 3), {"padding": -1}),
        "samestride": ((2, 3, 9), (4, 3, 3), {"padding": "same", "stride": 2}),
    },
    3: {
        "plain": ((2, 3, 4, 5, 6), (4, 3, 2, 3, 3), {}),
        "all": ((2, 4, 5, 6, 7), (6, 2, 3, 2, 3), {"stride": (2, 1, 2), "padding": (2, 1, 0), "dilation": (1, 2, 1), "groups": 2}),
        "deep": ((1, 2, 7, 3, 3), (2, 2, 3, 3, 3), {"padding": (4, 1, 1), "dilation": (3, 1, 1), "stride": (3, 1, 1)}),
        "same": ((1, 2, 4, 4, 4), (3, 2, 3, 2, 3), {"padding": "same"}),
        "unbatched": ((3, 4, 5, 6), (4, 3, 2, 3, 3), {}),
        "toosmall": ((1, 3, 2, 2, 2), (4, 3, 3, 3, 3), {}),
        "batch0": ((0, 3, 4, 4, 4), (4, 3, 3, 3, 3), {}),
    },
}  # fmt: skip
for n, cases in CONVS.items():
    for name, (xs, ws, kw) in cases.items():
        family(f"conv{n}d.{name}", lambda t, x, w, b, n=n, kw=kw: getattr(t.nn.functional, f"conv{n}d")(x, w, b, **kw),
               {"f64": (arr(*xs), arr(*ws), arr(ws[0])),
                "f32": (arr(*xs, dtype=F32), arr(*ws, dtype=F32), arr(ws[0], dtype=F32)),
                "t": (arr(*xs, layout="t"), arr(*ws, layout="s"), arr(ws[0]))})  # fmt: skip
TRANSPOSED = {
    1: {
        "plain": ((2, 3, 5), (3, 4, 3), {}),
        "all": ((2, 4, 5), (4, 3, 3), {"stride": 3, "padding": 2, "output_padding": 1, "dilation": 2, "groups": 2}),
        "dilated": ((2, 3, 5), (3, 4, 3), {"dilation": 3, "output_padding": 2, "padding": 1}),
        "badextra": ((2, 3, 5), (3, 4, 3), {"output_padding": 1}),
        "badchannels": ((2, 4, 5), (3, 4, 3), {}),
        "unbatched": ((3, 5), (3, 4, 3), {}),
        "small": ((1, 3, 1), (3, 4, 2), {"padding": 1}),
    },
    2: {
        "plain": ((2, 3, 4, 5), (3, 4, 3, 2), {}),
        "all": ((2, 4, 3, 4), (4, 3, 3, 2), {"stride": (2, 3), "padding": (1, 0), "output_padding": (1, 2), "dilation": (2, 1),
                                             "groups": 2}),
        "stride": ((2, 3, 4, 4), (3, 2, 2, 2), {"stride": 2}),
        "dilated": ((1, 2, 3, 3), (2, 2, 2, 2), {"dilation": (3, 2), "output_padding": (2, 1)}),
        "unbatched": ((3, 4, 5), (3, 4, 3, 2), {}),
        "batch0": ((0, 3, 4, 5), (3, 4, 3, 2), {}),
        "badrank": ((3, 4), (3, 4, 3, 2), {}),
    },
    3: {
        "plain": ((2, 3, 2, 3, 4), (3, 2, 2, 2, 3), {}),
        "all": ((1, 4, 3, 2, 3), (4, 2, 2, 3, 2), {"stride": 2, "padding": 1, "output_padding": (1, 0, 1), "groups": 2}),
    },
}  # fmt: skip
for n, cases in TRANSPOSED.items():
    for name, (xs, ws, kw) in cases.items():
        outs = ws[1] * kw.get("groups", 1)
        family(f"conv_transpose{n}d.{name}",
               lambda t, x, w, b, n=n, kw=kw: getattr(t.nn.functional, f"conv_transpose{n}d")(x, w, b, **kw),
               {"f64": (arr(*xs), arr(*ws), arr(outs)),
                "f32": (arr(*xs, dtype=F32), arr(*ws, dtype=F32), arr(outs, dtype=F32)),
                "t": (arr(*xs, layout="t"), arr(*ws, layout="s"), arr(outs))})  # fmt: skip
        family(f"conv_transpose{n}d.{name}.nobias",
               lambda t, x, w, n=n, kw=kw: getattr(t, f"conv_transpose{n}d")(x, w, None, **kw),
               {"f64": (arr(*xs), arr(*ws))})  # fmt: skip
family("conv_tbc", lambda t, x, w, b: t.nn.functional.conv_tbc(x, w, b, 1), {"": (arr(5, 2, 3), arr(3, 3, 4), arr(4))})

# ---- padding -----------------------------------------------------------------------------------------------
PADS = [
    ((2, 3, 6), (1, 2)),
    ((3, 6), (2, 3)),
    ((2, 3, 6), (-1, 2)),
    ((2, 3, 6), (-2, -3)),
    ((2, 3, 4, 5), (1, 2, 0, 3)),
    ((3, 4, 5), (1, 2, -1, 3)),
    ((2, 2, 3, 4, 5), (1, 2, 2, 1, 2, 2)),
    ((2, 3, 4), (6, 0)),
    ((2, 3, 4), (4, 4)),
    ((2, 3, 4), (-5, 0)),
    ((2, 3, 4), (1, 1, 1)),
    ((2, 3, 4), (0, 0)),
    ((4,), (1, 1)),
    ((0, 3, 4), (1, 1)),
    ((2, 0, 4), (1, 1)),
    ((2, 3, 0), (1, 1)),
]
for shape, widths in PADS:
    for mode in ("constant", "reflect", "replicate", "circular", "bad"):
        family(f"F.pad.{mode}{shape}{widths}", lambda t, x, m=mode, w=widths: t.nn.functional.pad(x, w, m),
               {"c": (arr(*shape),), "t": (arr(*shape, layout="t"),), "f32": (arr(*shape, dtype=F32),),
                "i64": (arr(*shape, dtype=I64),)})  # fmt: skip
family(
    "F.pad.value",
    lambda t, x: t.nn.functional.pad(x, (1, 2, 3, -1), value=1.5),
    {"c": (arr(3, 4),), "i": (arr(3, 4, dtype=I64),)},
)

# ---- pools -------------------------------------------------------------------------------------------------
SPACE = {1: (7,), 2: (6, 7), 3: (4, 5, 6)}
AVG = {
    "2": (2,), "s1": (3, 1), "pad": (3, 2, 1), "ceil": (3, 2, 1, True), "ceil2": (2, 3, 0, True), "nocount": (3, 2, 1, True, False),
    "badpad": (2, 1, 2), "badstride": (2, 0), "big": (9,), "zero": (0,),
}  # fmt: skip


def use(name, *args, **kw):
    return lambda t, x: getattr(t.nn.functional, name)(x, *args, **kw)


for n, space in SPACE.items():
    inputs = {
        "c": (arr(2, 3, *space),), "t": (arr(2, 3, *space, layout="t"),), "f32": (arr(2, 3, *space, dtype=F32),),
        "unbatched": (arr(3, *space),), "batch0": (arr(0, 3, *space),), "badrank": (arr(*space),),
        "channels0": (arr(2, 0, *space),),
    }  # fmt: skip
    some = {k: inputs[k] for k in ("c", "f32", "unbatched")}
    ties = {**inputs, "ties": (lambda rng, s=space: np.round(rng.uniform(-1, 1, (2, 3, *s))),)}
    for name, args in AVG.items():
        family(f"avg_pool{n}d.{name}", use(f"avg_pool{n}d", *args), inputs)
    if n > 1:
        family(f"avg_pool{n}d.divisor", use(f"avg_pool{n}d", 2, divisor_override=3), inputs)
        family(f"avg_pool{n}d.divisor0", use(f"avg_pool{n}d", 2, divisor_override=0), some)
    for name, args in {
        "2": (2,),
        "pad": (3, 2, 1),
        "dil": (2, 1, 1, 2),
        "ceil": (3, 2, 1, 1, True),
        "badpad": (2, 1, 2),
    }.items():
        if n == 2:
            continue
        family(f"max_pool{n}d.{name}", use(f"max_pool{n}d", *args), ties)
        family(f"max_pool{n}d.{name}.idx", use(f"max_pool{n}d", *args, return_indices=True), ties, grad=False)
    for size in (1, 2, 3, 5, 9, (None,) * n, 0, (1,) * (n + 1)):
        if n == 1 and size == (None,):
            continue
        plain = {k: v for k, v in inputs.items() if k not in ("channels0", "badrank")}
        family(f"adaptive_avg_pool{n}d.{size}", use(f"adaptive_avg_pool{n}d", size), plain, grad=size != 0)
        family(f"adaptive_max_pool{n}d.{size}", use(f"adaptive_max_pool{n}d", size), ties, grad=size != 0)
        family(
            f"adaptive_max_pool{n}d.{size}.idx",
            use(f"adaptive_max_pool{n}d", size, return_indices=True),
            ties,
            grad=False,
        )
    for p in (1, 2, 3.5):
        family(f"lp_pool{n}d.{p}", lambda t, x, f=use(f"lp_pool{n}d", p, 2, 1): f(t, x.abs() + 0.1), some)  # noqa: B008
    family(f"max_unpool{n}d", lambda t, x, n=n: unpool(t, x, n), some)
    if n > 1:
        for name, kw in {"size": {"output_size": 2}, "ratio": {"output_ratio": (0.5,) * n}, "none": {}}.items():
            family(f"fractional{n}d.{name}", lambda t, x, u, n=n, kw=kw: getattr(t.nn.functional, f"fractional_max_pool{n}d")(
                x, 2, return_indices=True, _random_samples=u, **kw), {"c": (arr(2, 3, *space), arr(2, 3, n, lo=0, hi=1)),
                "bad": (arr(2, 3, *(2,) * n), arr(2, 3, n, lo=0, hi=1))}, grad=False)  # fmt: skip


def unpool(t, x, n):
    f = t.nn.functional
    y, i = getattr(f, f"max_pool{n}d")(x, 2, return_indices=True)
    return getattr(f, f"max_unpool{n}d")(y * 2, i, 2), getattr(f, f"max_unpool{n}d")(y, i, 2, output_size=x.shape[-n:])
