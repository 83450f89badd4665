"""Samples of the functions behind the layers: activations, convolutions, pools, norms, padding, resampling."""

import numpy as np
from ops_table import F32, I64, UNARY, arr, const, family, ints

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
        "depthwise": ((2, 3, 9), (3, 1, 3), {"stride": 2, "padding": 1, "dilation": 2, "groups": 3}),
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
        "depthwise": ((2, 3, 4, 5), (3, 1, 3, 2), {"stride": 2, "padding": 1, "groups": 3}),
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
    ((1, 2, 12), (11, 10)),
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
    for p in (float("inf"), -float("inf")):
        family(f"lp_pool{n}d.{p}", use(f"lp_pool{n}d", p, 2, ceil_mode=True), some)
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


# ---- norms -------------------------------------------------------------------------------------------------
NORM = {
    "4d": ((4, 6, 3, 2), ((3, 2), (6, 3, 2))),
    "3d": ((4, 6, 3), ((3,), (6, 3))),
    "2d": ((4, 6), ((6,),)),
    "empty": ((0, 6, 3), ((3,),)),
}


def with_stats(norm):
    """A norm with running statistics: its result and what became of them."""

    def run(t, x, w, b, m, v):
        m, v = m.detach().clone(), v.detach().abs() + 0.5
        return norm(t.nn.functional, x, w, b, m, v), m, v

    return run


for tag, (shape, lasts) in NORM.items():
    for last in lasts:
        variants = {"c": (arr(*shape), arr(*last), arr(*last)), "t": (arr(*shape, layout="t"), arr(*last), arr(*last)),
                    "f32": (arr(*shape, dtype=F32), arr(*last, dtype=F32), arr(*last, dtype=F32))}  # fmt: skip
        family(f"layer_norm.{tag}{last}", lambda t, x, w, b, s=last: t.nn.functional.layer_norm(x, s, w, b), variants)
        family(
            f"layer_norm.nobias.{tag}{last}", lambda t, x, w, b, s=last: t.nn.functional.layer_norm(x, s, w), variants
        )
        family(f"layer_norm.plain.{tag}{last}", lambda t, x, w, b, s=last: t.layer_norm(x, s), variants)
        family(f"rms_norm.{tag}{last}", lambda t, x, w, b, s=last: t.nn.functional.rms_norm(x, s, w), variants)
        family(f"rms_norm.eps.{tag}{last}", lambda t, x, w, b, s=last: t.rms_norm(x, s, eps=0.1), variants)
    c = (6,)
    variants = {"c": (arr(*shape), arr(*c), arr(*c), arr(*c), arr(*c)), "t": (arr(*shape, layout="t"), arr(*c), arr(*c), arr(*c), arr(*c)),
                "f32": (arr(*shape, dtype=F32), *[arr(*c, dtype=F32)] * 4)}  # fmt: skip
    for training in (True, False):
        family(f"batch_norm.{training}.{tag}", with_stats(
            lambda F, x, w, b, m, v, tr=training: F.batch_norm(x, m, v, w, b, tr, 0.2, 1e-3)), variants)  # fmt: skip
        family(f"batch_norm.plain.{training}.{tag}", with_stats(
            lambda F, x, w, b, m, v, tr=training: F.batch_norm(x, m, v, training=tr)), variants)  # fmt: skip
    family(
        f"batch_norm.nostats.{tag}",
        with_stats(lambda F, x, w, b, m, v: F.batch_norm(x, None, None, w, b, True)),
        variants,
    )
    family(f"group_norm.{tag}", lambda t, x, w, b, m, v: t.nn.functional.group_norm(x, 3, w, b), variants)
    family(f"group_norm.plain.{tag}", lambda t, x, w, b, m, v: t.nn.functional.group_norm(x, 2), variants)
    if tag not in ("2d", "empty"):
        for stats in (True, False):
            family(f"instance_norm.{stats}.{tag}", with_stats(
                lambda F, x, w, b, m, v, s=stats: F.instance_norm(x, m, v, w, b, s)), variants)  # fmt: skip
        family(
            f"local_response_norm.{tag}",
            lambda t, x, w, b, m, v: t.nn.functional.local_response_norm(x, 3, 0.1),
            variants,
        )
family("layer_norm.constant", lambda t, x: t.nn.functional.layer_norm(x, (4,)), {"": (const([[3.0] * 4, [1e4] * 4]),)})
family("layer_norm.bad", lambda t, x: t.nn.functional.layer_norm(x, (5,)), {"": (arr(3, 4),), "rank": (arr(),)})
family("layer_norm.badweight", lambda t, x, w: t.nn.functional.layer_norm(x, (4,), w), {"": (arr(3, 4), arr(3))})
family("layer_norm.mixed", lambda t, x, w: t.nn.functional.layer_norm(x, (4,), w), {"": (arr(3, 4), arr(4, dtype=F32))})
family("layer_norm.i64", lambda t, x: t.nn.functional.layer_norm(x, (4,)), {"": (arr(3, 4, dtype=I64),)})
family("batch_norm.one", lambda t, x: t.nn.functional.batch_norm(x, None, None, training=True), {"": (arr(1, 4),)})
family("batch_norm.eval", lambda t, x: t.nn.functional.batch_norm(x, None, None), {"": (arr(2, 4),), "1d": (arr(4),)})
family(
    "batch_norm.badweight",
    lambda t, x, w: t.nn.functional.batch_norm(x, None, None, w, training=True),
    {"": (arr(2, 4), arr(3))},
)
family("group_norm.bad", lambda t, x: t.nn.functional.group_norm(x, 3), {"": (arr(2, 4),), "1d": (arr(4),)})
family("instance_norm.one", lambda t, x: t.nn.functional.instance_norm(x), {"": (arr(2, 4, 1),)})

# ---- resampling --------------------------------------------------------------------------------------------
RESIZE = {
    1: ("nearest", "nearest-exact", "linear", "area"),
    2: ("nearest", "nearest-exact", "bilinear", "bicubic", "area"),
    3: ("nearest", "nearest-exact", "trilinear", "area"),
}
TARGETS = {
    "up": {"size": 9},
    "down": {"size": 3},
    "one": {"size": 1},
    "x2": {"scale_factor": 2},
    "x1.7": {"scale_factor": 1.7},
    "x0.6": {"scale_factor": 0.6},
    "recompute": {"scale_factor": 1.3, "recompute_scale_factor": True},
    "both": {"size": 3, "scale_factor": 2},
    "none": {},
    "badsize": {"size": (1, 2, 3, 4)},
    "zero": {"size": 0},
}
for n, space in SPACE.items():
    inputs = {
        "c": (arr(2, 2, *space),),
        "t": (arr(2, 2, *space, layout="t"),),
        "f32": (arr(1, 2, *space, dtype=F32),),
        "batch0": (arr(0, 2, *space),),
    }
    for mode in RESIZE[n]:
        for tag, kw in TARGETS.items():
            family(f"interpolate{n}.{mode}.{tag}", use("interpolate", mode=mode, **kw), inputs, grad=tag != "zero")
            if "linear" in mode or mode == "bicubic":
                family(
                    f"interpolate{n}.{mode}.{tag}.align",
                    use("interpolate", mode=mode, align_corners=True, **kw),
                    inputs,
                )
        family(
            f"interpolate{n}.{mode}.wrongdim",
            use("interpolate", mode=mode, size=3),
            {"": (arr(2, *space),), "r": (arr(2, 2, 2, *space),)},
        )
for mode in ("bilinear", "bicubic", "lanczos", "nearest"):
    for tag in ("up", "down", "one", "x0.6", "x1.7"):
        for align in (None, True):
            family(
                f"interpolate.antialias.{mode}.{tag}.{align}",
                use("interpolate", mode=mode, antialias=True, align_corners=align, **TARGETS[tag]),
                {"c": (arr(2, 2, 6, 7),), "f32": (arr(1, 2, 6, 7, dtype=F32),)},
            )
# a factor that leaves a size as it is; PyTorch's gradients of antialias do not follow its values there
for mode, space in {"linear": (4,), "bilinear": (7, 3), "trilinear": (3, 7, 2)}.items():
    family(f"interpolate.same.{mode}", use("interpolate", mode=mode, scale_factor=1.17), {"": (arr(1, 2, *space),)})
for mode in ("bilinear", "bicubic", "lanczos"):
    family(f"interpolate.same.antialias.{mode}", use("interpolate", mode=mode, scale_factor=1.17, antialias=True),
           {"": (arr(1, 2, 7, 3),)}, grad=False)  # fmt: skip
for mode in ("reflect", "replicate"):
    for widths in ((0, 2, -1, -1), (-2, -1, -1, -1), (0, 0, -2, -1)):
        family(f"F.pad.vanishing.{mode}{widths}", lambda t, x, m=mode, w=widths: t.nn.functional.pad(x, w, m),
               {"": (arr(1, 1, 2, 3),)})  # fmt: skip
for xs, gs in (((0, 9, 4, 5), (0, 3, 6, 2)), ((2, 9, 4, 5), (2, 0, 6, 2)), ((0, 2, 4, 5), (0, 3, 6, 2))):
    family(f"grid_sample.empty{xs}{gs}", lambda t, x, g: t.nn.functional.grid_sample(x, g, align_corners=True),
           {"": (arr(*xs), arr(*gs))})  # fmt: skip
GRID = {2: ((2, 3, 4, 5), (2, 3, 6, 2)), 3: ((2, 2, 3, 4, 5), (2, 2, 3, 4, 3))}
for n, (xs, gs) in GRID.items():
    for mode in ("bilinear", "nearest", "bicubic", "bad"):
        for padding in ("zeros", "border", "reflection", "bad"):
            for align in (True, False):
                family(
                    f"grid_sample{n}.{mode}.{padding}.{align}",
                    lambda t, x, g, m=mode, p=padding, a=align: t.nn.functional.grid_sample(x, g, m, p, a),
                    {
                        "c": (arr(*xs), arr(*gs, lo=-1.6, hi=1.6)),
                        "f32": (arr(*xs, dtype=F32), arr(*gs, dtype=F32)),
                        "far": (arr(*xs), arr(*gs, lo=-6, hi=6)),
                        "channels": (arr(xs[0], 9, *xs[2:]), arr(*gs, lo=-1.6, hi=1.6)),
                        "mixed": (arr(*xs), arr(*gs, dtype=F32)),
                        "badrank": (arr(*xs), arr(*gs[1:])),
                    },
                )
    for align in (True, False):
        family(
            f"affine_grid{n}.{align}",
            lambda t, x, n=n, a=align: t.nn.functional.affine_grid(x, (2, 3, 4, 5, 6)[: n + 2], a),
            {
                "c": (arr(2, n, n + 1),),
                "bad": (arr(2, n, n),),
                "f32": (arr(2, n, n + 1, dtype=F32),),
                "i": (arr(2, n, n + 1, dtype=I64),),
            },
        )
    family(
        f"affine_grid{n}.one",
        lambda t, x, n=n: t.nn.functional.affine_grid(x, (2, 3, 1, 5, 1)[: n + 2], False),
        {"c": (arr(2, n, n + 1),)},
    )
SHUFFLE = {
    "c": (arr(2, 8, 4, 6),),
    "t": (arr(2, 8, 4, 6, layout="t"),),
    "3d": (arr(8, 4, 6),),
    "5d": (arr(2, 2, 8, 2, 2),),
    "2d": (arr(4, 6),),
    "odd": (arr(2, 5, 3, 3),),
    "i64": (arr(2, 8, 4, 6, dtype=I64),),
}
for op in ("pixel_shuffle", "pixel_unshuffle", "channel_shuffle"):
    for r in (1, 2, 0):
        family(f"{op}.{r}", lambda t, x, op=op, r=r: getattr(t, op)(x, r), SHUFFLE)
UNFOLD = {"plain": (3,), "all": ((2, 3), 2, (1, 2), (2, 1)), "bad": (9,), "zero": (0,), "neg": (2, 1, -1)}
for name, args in UNFOLD.items():
    family(
        f"F.unfold.{name}",
        use("unfold", *args),
        {
            "c": (arr(2, 3, 6, 7),),
            "t": (arr(2, 3, 6, 7, layout="t"),),
            "3d": (arr(3, 6, 7),),
            "f32": (arr(2, 3, 6, 7, dtype=F32),),
            "2d": (arr(6, 7),),
            "batch0": (arr(0, 3, 6, 7),),
        },
    )
    family(
        f"F.fold.{name}",
        lambda t, x, a=args: t.nn.functional.fold(x, (6, 7), *a),
        {
            "c": (arr(2, 18, 20),),
            "f32": (arr(2, 18, 18, dtype=F32),),
            "2d": (arr(9, 20),),
            "2": (arr(2, 6, 18),),
            "bad": (arr(2, 7, 20),),
            "batch0": (arr(0, 9, 20),),
            "a": (arr(2, 12, 21),),
        },
    )

# ---- rows by index, distances, attention -------------------------------------------------------------------
ROWS = {
    "2d": (ints(2, 3, hi=5), arr(5, 4)),
    "1d": (ints(6, hi=5), arr(5, 4)),
    "0d": (ints(hi=5), arr(5, 4)),
    "f32": (ints(4, hi=5), arr(5, 4, dtype=F32)),
    "t": (ints(4, hi=5), arr(5, 4, layout="t")),
    "out": (ints(4, lo=5, hi=9), arr(5, 4)),
    "neg": (ints(4, lo=-3, hi=0), arr(5, 4)),
    "float": (arr(4), arr(5, 4)),
    "empty": (ints(0), arr(5, 4)),
    "1dw": (ints(3), arr(5)),
}
for tag, kw in {
    "plain": {},
    "pad": {"padding_idx": 1},
    "padneg": {"padding_idx": -2},
    "badpad": {"padding_idx": 9},
    "freq": {"scale_grad_by_freq": True},
    "padfreq": {"padding_idx": 0, "scale_grad_by_freq": True},
}.items():
    family(f"embedding.{tag}", lambda t, i, w, kw=kw: t.nn.functional.embedding(i, w, **kw), ROWS)
family(
    "embedding.max_norm",
    lambda t, i, w: (t.nn.functional.embedding(i, w.detach(), max_norm=1.0), w),
    {k: ROWS[k] for k in ("2d", "f32")},
    grad=False,
)
OFFSETS = const([0, 2, 2, 7], I64)
BAGS = {
    "2d": (ints(3, 4, hi=5), arr(5, 4), None),
    "1d": (ints(7, hi=5), arr(5, 4), OFFSETS),
    "f32": (ints(7, hi=5), arr(5, 4, dtype=F32), OFFSETS),
    "bad": (ints(7, hi=5), arr(5, 4), const([1, 2], I64)),
    "last": (ints(3, hi=5), arr(5, 4), const([0, 5], I64)),
    "none": (ints(7, hi=5), arr(5, 4), None),
    "empty": (ints(0), arr(5, 4), const([0, 0], I64)),
}
for mode in ("sum", "mean", "max", "bad"):
    for tag, kw in {"": {}, "pad": {"padding_idx": 1}, "last": {"include_last_offset": True}}.items():
        for name, (i, w, o) in BAGS.items():
            family(
                f"embedding_bag.{mode}.{tag}.{name}",
                (lambda t, i, w, m=mode, kw=kw: t.nn.functional.embedding_bag(i, w, mode=m, **kw))
                if o is None
                else (lambda t, i, w, o, m=mode, kw=kw: t.nn.functional.embedding_bag(i, w, o, mode=m, **kw)),
                {"": (i, w) if o is None else (i, w, o)},
            )
    family(
        f"embedding_bag.{mode}.weights",
        lambda t, i, w, s, m=mode: t.nn.functional.embedding_bag(i, w, mode=m, per_sample_weights=s),
        {"": (ints(3, 4, hi=5), arr(5, 4), arr(3, 4)), "bad": (ints(3, 4, hi=5), arr(5, 4), arr(3))},
    )
DISTANCE = {
    "c": (arr(3, 4), arr(3, 4)),
    "b": (arr(2, 3, 4), arr(3, 4)),
    "f32": (arr(3, 4, dtype=F32), arr(3, 4, dtype=F32)),
    "1d": (arr(4), arr(4)),
    "badshape": (arr(3, 4), arr(3, 5)),
    "zero": (const([[0.0, 0], [1, 2]]), const([[0.0, 0], [0, 0]])),
}
for d in (0, 1, -1):
    family(f"cosine_similarity.{d}", lambda t, x, y, d=d: t.cosine_similarity(x, y, d), DISTANCE)
for p in (1.0, 2.0, 3.0, 0.0, float("inf")):
    family(f"pairwise_distance.{p}", lambda t, x, y, p=p: t.pairwise_distance(x, y, p), DISTANCE, grad=p > 0)
    family(f"pdist.{p}", lambda t, x, p=p: t.pdist(x, p), {"c": (arr(4, 3),), "one": (arr(1, 3),), "bad": (arr(3),)})
    family(
        f"F.normalize.{p}",
        lambda t, x, p=p: t.nn.functional.normalize(x, p),
        {"c": (arr(3, 4),), "f32": (arr(3, 4, dtype=F32),)},
    )
family("F.normalize.zero", use("normalize"), {"": (const([[0.0, 0], [1, 2]]),)})
family(
    "bilinear",
    lambda t, x, y, w, b: (t.bilinear(x, y, w, b), t.nn.functional.bilinear(x, y, w)),
    {
        "2d": (arr(3, 4), arr(3, 5), arr(2, 4, 5), arr(2)),
        "3d": (arr(2, 3, 4), arr(2, 3, 5), arr(2, 4, 5), arr(2)),
        "1d": (arr(4), arr(5), arr(2, 4, 5), arr(2)),
        "bad": (arr(3, 4), arr(2, 5), arr(2, 4, 5), arr(2)),
        "bad2": (arr(3, 4), arr(3, 4), arr(2, 4, 5), arr(2)),
    },
)
QKV = {
    "4d": (arr(2, 4, 3, 6), arr(2, 4, 5, 6), arr(2, 4, 5, 2)),
    "3d": (arr(2, 3, 6), arr(2, 5, 6), arr(2, 5, 2)),
    "2d": (arr(3, 6), arr(5, 6), arr(5, 2)),
    "f32": tuple(arr(2, 3, 4, 6, dtype=F32) for _ in range(3)),
    "1d": (arr(6), arr(6), arr(6)),
    "mixed": (arr(2, 3, 6), arr(2, 5, 6, dtype=F32), arr(2, 5, 2)),
}
for tag, kw in {"plain": {}, "causal": {"is_causal": True}, "scale": {"scale": 0.3}}.items():
    family(f"sdpa.{tag}", lambda t, q, k, v, kw=kw: t.nn.functional.scaled_dot_product_attention(q, k, v, **kw), QKV)
family(
    "sdpa.mask",
    lambda t, q, k, v, m: t.nn.functional.scaled_dot_product_attention(q, k, v, m),
    {
        "bool": (*QKV["4d"], arr(3, 5, dtype=np.bool_)),
        "float": (*QKV["4d"], arr(4, 3, 5)),
        "bad": (*QKV["4d"], arr(3, 5, dtype=F32)),
        "dead": (*QKV["4d"], const([[True] * 5, [False] * 5, [True, False] * 2 + [True]], np.bool_)),
    },
)
family(
    "sdpa.gqa",
    lambda t, q, k, v: t.nn.functional.scaled_dot_product_attention(q, k, v, enable_gqa=True),
    {"": (arr(2, 6, 3, 4), arr(2, 2, 5, 4), arr(2, 2, 5, 4))},
)
family(  # many scores: in tiles
    "sdpa.tiles",
    lambda t, q, k, v: t.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True),
    {"": (arr(4, 130, 2), arr(4, 130, 2), arr(4, 130, 3)), "f32": tuple(arr(4, 130, 2, dtype=F32) for _ in range(3))},
)
family(
    "sdpa.tiles.mask",
    lambda t, q, k, v, m: t.nn.functional.scaled_dot_product_attention(q, k, v, m),
    {
        "bool": (
            arr(256, 64, 1),
            arr(256, 64, 1),
            arr(256, 64, 1),
            const(np.arange(4096).reshape(64, 64) % 70 > 9, np.bool_),
        ),
        "float": (arr(256, 64, 1), arr(256, 64, 1), arr(256, 64, 1), const(np.sin(np.arange(64.0)))),
    },
    grad=False,
)
DROP = {
    "2d": (arr(3, 4),),
    "3d": (arr(2, 3, 4),),
    "4d": (arr(2, 3, 4, 5),),
    "5d": (arr(2, 3, 2, 2, 2),),
    "1d": (arr(4),),
}
for op in ("dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"):
    for p in (0.0, 1.0, 2.0):
        family(f"F.{op}.{p}", use(op, p, True), DROP)
    family(f"F.{op}.eval", use(op, 0.5, False), DROP)
