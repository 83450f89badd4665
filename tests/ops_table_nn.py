"""The second part of ops_table: products, convolution, pooling, softmax, losses and dropout."""

import numpy as np
from ops_table import BINARY, F32, I64, UNARY, arr, const, family, ints

# ---- products, convolution, pooling ------------------------------------------------------------------------
SHAPES = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3, 4)),
    ((5, 2, 3), (3,)),
    ((3,), (5, 3, 2)),
    ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((2, 1, 2, 3), (5, 3, 4)),
    ((0, 3), (3, 2)),
    ((2, 0), (0, 3)),
    ((), (3,)),
    ((2, 3), (2, 3)),
    ((3,), (4,)),
    ((4, 2, 3), (5, 3, 2)),
]
for a, b in SHAPES:
    family(
        f"matmul.ranks{a}{b}",
        lambda t, x, y: t.matmul(x, y),
        {
            "c": (arr(*a), arr(*b)),
            "ts": (arr(*a, layout="t"), arr(*b, layout="s")),
            "f32": (arr(*a, dtype=F32), arr(*b, dtype=F32)),
            "i64": (arr(*a, dtype=I64), arr(*b, dtype=I64)),
            "mixed": (arr(*a), arr(*b, dtype=F32)),
        },
    )
family("mm", lambda t, x, y: t.mm(x, y), {"c": (arr(2, 3), arr(3, 4)), "1d": (arr(3), arr(3, 4))})
family(
    "bmm",
    lambda t, x, y: t.bmm(x, y),
    {"c": (arr(2, 2, 3), arr(2, 3, 4)), "bad": (arr(2, 2, 3), arr(3, 3, 4))},
)
family("addmm", lambda t, b, x, y: t.addmm(b, x, y), {"c": (arr(4), arr(2, 3), arr(3, 4))})
LINEAR = {"2d": (2, 3), "1d": (3,), "3d": (2, 2, 3), "bad": (2, 4), "empty": (0, 3)}
family(
    "linear",
    lambda t, x, w, b: t.nn.functional.linear(x, w, b),
    {k: (arr(*s), arr(4, 3), arr(4)) for k, s in LINEAR.items()},
)
family(
    "linear.vector",
    lambda t, x, w: t.nn.functional.linear(x, w),
    {"2d": (arr(4, 3), arr(3)), "1d": (arr(3), arr(3)), "3d": (arr(2, 4, 3), arr(3)), "bad": (arr(2, 3), arr(2))},
)
family(
    "linear.vector.bias",
    lambda t, x, w, b: t.nn.functional.linear(x, w, b),
    {"3d": (arr(2, 4, 3), arr(3), arr()), "bad": (arr(2, 3), arr(3), arr(2))},
)
family(
    "linear.nobias",
    lambda t, x, w: t.nn.functional.linear(x, w),
    {k: (arr(*s), arr(4, 3)) for k, s in LINEAR.items()},
)

CONV = {
    "plain": ((2, 3, 6, 7), (4, 3, 3, 3), {}),
    "stride": ((2, 3, 7, 7), (4, 3, 3, 2), {"stride": (2, 1)}),
    "padding": ((1, 2, 5, 5), (3, 2, 3, 3), {"padding": 1}),
    "same": ((1, 2, 5, 5), (3, 2, 3, 3), {"padding": "same"}),
    "dilation": ((1, 2, 8, 8), (3, 2, 3, 3), {"dilation": 2, "padding": (2, 1)}),
    "groups": ((2, 4, 5, 5), (6, 2, 3, 3), {"groups": 2, "padding": 1}),
    "1x1": ((2, 3, 4, 4), (5, 3, 1, 1), {}),
    "depthwise": ((2, 4, 5, 5), (4, 1, 3, 3), {"groups": 4, "stride": 2, "padding": 1}),
    "unbatched": ((3, 6, 6), (4, 3, 3, 3), {}),
    "all": ((2, 4, 9, 8), (4, 2, 3, 2), {"stride": 2, "padding": 2, "dilation": 2, "groups": 2}),
    "badchannels": ((1, 3, 6, 6), (4, 2, 3, 3), {}),
    "toosmall": ((1, 3, 2, 2), (4, 3, 3, 3), {}),
    "badrank": ((3, 6), (4, 3, 3, 3), {}),
    "leftover": ((1, 1, 6, 6), (1, 1, 3, 3), {"stride": 2}),
    "valid": ((1, 1, 6, 6), (1, 1, 3, 3), {"padding": "valid"}),
    "batch0": ((0, 3, 6, 6), (4, 3, 3, 3), {}),
    "zerostride": ((1, 1, 6, 6), (1, 1, 3, 3), {"stride": 0}),
}
for name, (xs, ws, kw) in CONV.items():
    family(f"conv2d.{name}", lambda t, x, w, b, kw=kw: t.nn.functional.conv2d(x, w, b, **kw),
           {"f64": (arr(*xs), arr(*ws), arr(ws[0])),
            "f32": (arr(*xs, dtype=F32), arr(*ws, dtype=F32), arr(ws[0], dtype=F32)),
            "t": (arr(*xs, layout="t"), arr(*ws, layout="s"), arr(ws[0]))})  # fmt: skip
    family(
        f"conv2d.{name}.nobias",
        lambda t, x, w, kw=kw: t.nn.functional.conv2d(x, w, **kw),
        {"f64": (arr(*xs), arr(*ws))},
    )
family(
    "conv2d.mixed",
    lambda t, x, w: t.nn.functional.conv2d(x, w),
    {"": (arr(1, 1, 4, 4), arr(1, 1, 3, 3, dtype=F32))},
)

POOL = {
    "2": ((2, 3, 6, 6), (2,), {}),
    "odd": ((2, 3, 7, 5), (2,), {}),
    "ceil": ((1, 2, 7, 5), (2,), {"ceil_mode": True}),
    "3s1p1": ((1, 2, 5, 5), (3, 1, 1), {}),
    "rect": ((1, 2, 6, 6), ((2, 3), (2, 1)), {}),
    "unbatched": ((3, 6, 6), (2,), {}),
    "dilation": ((1, 1, 7, 7), (2,), {"dilation": 2}),
    "badpad": ((1, 1, 7, 7), (2,), {"padding": 2}),
    "ceils": ((1, 1, 5, 5), (2, 3), {"ceil_mode": True}),
    "toosmall": ((1, 1, 2, 2), (3,), {}),
    "badrank": ((4, 4), (2,), {}),
}
for name, (xs, args, kw) in POOL.items():
    variants = {
        "f64": (arr(*xs),),
        "f32": (arr(*xs, dtype=F32),),
        "t": (arr(*xs, layout="t"),),
        "ties": (ints(*xs, hi=2),),
    }
    variants["floatties"] = (lambda rng, xs=xs: np.round(rng.uniform(-1, 1, xs)),)
    family(f"max_pool2d.{name}", lambda t, x, a=args, kw=kw: t.nn.functional.max_pool2d(x, *a, **kw), variants)
    family(
        f"max_pool2d.{name}.idx",
        lambda t, x, a=args, kw=kw: t.nn.functional.max_pool2d(x, *a, return_indices=True, **kw),
        variants,
        grad=False,
    )
family("max_pool2d.nan", lambda t, x: t.nn.functional.max_pool2d(x, 2),
       {"": (const([[[[1, np.nan, -np.inf, -np.inf], [2, 3, -np.inf, -np.inf]]]]),)})  # fmt: skip

# ---- softmax, losses, dropout ------------------------------------------------------------------------------
SOFT = {
    "c": (arr(3, 4),),
    "t": (arr(3, 4, layout="t"),),
    "3d": (arr(2, 3, 4, lo=-50, hi=50),),
    "f32": (arr(3, 40, dtype=F32),),
    "inf": (const([[0.0, -np.inf, 1], [-np.inf, -np.inf, 0], [np.inf, 0, 1]]),),
    "nan": (const([[np.nan, 1.0], [0, 1]]),),
    "empty": (arr(0, 3),),
    "0d": (arr(),),
    "i64": (arr(3, 4, dtype=I64),),
}
for op in ("softmax", "log_softmax"):
    for d in (0, 1, -1, 5):
        family(f"{op}.{d}", lambda t, x, op=op, d=d: getattr(t, op)(x, d), SOFT if d != 5 else {"c": SOFT["c"]})
    family(f"F.{op}", lambda t, x, op=op: getattr(t.nn.functional, op)(x, dim=0, dtype=t.float64), SOFT)
family("allmask", lambda t, x: t.softmax(x, 1), {"": (const([[-np.inf, -np.inf]]),)})

TARGET = const([0, 3, 1, -100, 2], I64)
CE = {
    "c": (arr(5, 4), ints(5)),
    "t": (arr(5, 4, layout="t"), ints(5)),
    "f32": (arr(5, 4, dtype=F32), ints(5)),
    "ignored": (arr(5, 4), TARGET),
    "1d": (arr(4), const(2, I64)),
    "big": (arr(5, 4, lo=-500, hi=500), ints(5)),
    "image": (arr(2, 4, 3, 2), ints(2, 3, 2)),
    "outofrange": (arr(5, 4), const([0, 1, 2, 3, 4], I64)),
    "badbatch": (arr(5, 4), ints(4)),
    "negative": (arr(2, 4), const([0, -1], I64)),
    "inf": (const([[np.inf, 0.0], [0, -np.inf]]), const([1, 0], I64)),
    "allignored": (arr(2, 4), const([-100, -100], I64)),
    "batch0": (arr(0, 4), ints(0)),
}
for red in ("mean", "sum", "none", "bad"):
    family(
        f"cross_entropy.{red}",
        lambda t, x, y, red=red: t.nn.functional.cross_entropy(x, y, reduction=red),
        CE,
    )
family("cross_entropy.ignore0", lambda t, x, y: t.nn.functional.cross_entropy(x, y, ignore_index=0), CE)
MSE = {k: BINARY[k] for k in ("c", "t", "s", "0d0d", "special", "f32", "badshape", "empty")}
for red in ("mean", "sum", "none"):
    family(f"mse_loss.{red}", lambda t, x, y, red=red: t.nn.functional.mse_loss(x, y, reduction=red), MSE)
family("dropout.eval", lambda t, x: t.nn.functional.dropout(x, 0.5, training=False), UNARY)
family(
    "dropout.0",
    lambda t, x: t.nn.functional.dropout(x, 0.0, training=True),
    {k: UNARY[k] for k in ("c", "0d", "empty", "f32")},
)
family(
    "dropout.1",
    lambda t, x: t.nn.functional.dropout(x, 1.0, training=True),
    {k: UNARY[k] for k in ("c", "0d", "empty", "f32")},
)
family("dropout.bad", lambda t, x: t.nn.functional.dropout(x, 1.5), {"c": UNARY["c"]})


# ---- the memory order of heads: what is split off and transposed is joined again by a view ----
SPLIT = {
    "bl": lambda x: x.permute(0, 2, 1, 3), "lb": lambda x: x.permute(1, 2, 0, 3), "hb": lambda x: x.transpose(0, 1),
    "part": lambda x: x[:, :, ::2].transpose(1, 2), "last": lambda x: x.transpose(2, 3), "plain": lambda x: x,
    "expanded": lambda x: x[:, :1].expand(2, 5, 4, 6), "wide": lambda x: x[..., :3].transpose(1, 2),
}  # fmt: skip
for tag, split in SPLIT.items():
    for causal in (False, True):
        family(
            f"sdpa.order.{tag}.{causal}",
            lambda t, x, split=split, causal=causal: t.nn.functional.scaled_dot_product_attention(
                split(x), split(x), split(x), is_causal=causal
            ),
            {"f64": (arr(2, 5, 4, 6),), "f32": (arr(2, 5, 4, 6, dtype=F32),)},
            strides=True,
        )
family(
    "sdpa.joined",
    lambda t, x: (
        t.nn.functional.scaled_dot_product_attention(*[x.view(2, 5, 2, 3).transpose(1, 2)] * 3)
        .transpose(1, 2)
        .view(2, 5, 6)
    ),
    {"f64": (arr(2, 5, 6),), "f32": (arr(2, 5, 6, dtype=F32),)},
)
