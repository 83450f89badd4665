import warnings

import numpy as np
from ops_table import BOOL, C128, F32, F64, I64, add, arr, const, cplx, family, ints


def put(x, index, value):
    x[index] = value
    return x


F16 = np.float16


def bytes_(*shape):
    return lambda rng: rng.integers(0, 256, shape).astype(np.uint8)


def graded(t, x):
    return x.requires_grad_() if x.is_floating_point() or x.is_complex() else x


# ---- bytes are resized in 16-bit fixed point, dimension by dimension ----
for mode in ("bilinear", "bicubic", "lanczos"):
    for align, antialias in ((False, False), (True, False), (False, True)):
        if mode == "lanczos" and not antialias:
            continue
        family(
            f"interpolate.bytes.{mode}.{align:d}{antialias:d}",
            lambda t, x, mode=mode, align=align, antialias=antialias: [
                t.nn.functional.interpolate(x, mode=mode, align_corners=align, antialias=antialias, **kw)
                for kw in ({"size": (5, 23)}, {"size": (17, 9)}, {"scale_factor": 0.6})
            ],
            {"3": (bytes_(1, 3, 17, 19),), "5": (bytes_(2, 5, 9, 8),)},
            grad=False,
        )
# ---- empty tensors take part in cat, whatever their number of dimensions ----
for names, shapes in {"all": ((0,), (0,)), "first": ((0,), (2, 3)), "last": ((2, 3), (0,), (1, 3))}.items():
    add(f"cat.legacy.{names}", lambda t, *xs: t.cat(xs, 0), *[arr(*s) for s in shapes])
    add(
        f"cat.legacy.{names}.grads",
        lambda t, *xs: t.autograd.grad(t.cat([graded(t, x) for x in xs]).sum(), xs, allow_unused=True),
        *[arr(*s) for s in shapes],
        grad=False,
    )
add("cat.legacy.all.dim", lambda t, *xs: (t.cat(xs, 1), t.cat(xs, -2)), arr(0), arr(0))
family(
    "ormqr.empty.grads",
    lambda t, a, tau, b: [
        g is None
        for g in t.autograd.grad(t.ormqr(*[graded(t, x) for x in (a, tau, b)]).sum(), (a, tau, b), allow_unused=True)
    ],
    {"b": (arr(0, 3, 3), arr(0, 3), arr(0, 3, 3))},
    grad=False,
)
for name, shape in {"00": (0, 0), "b": (0, 2, 2), "b0": (2, 0, 0)}.items():
    add(f"ldl.empty.{name}", lambda t, x: tuple(t.linalg.ldl_factor_ex(x)), arr(*shape), grad=False)
    add(
        f"ldl_solve.empty.{name}",
        lambda t, x, p, b: t.linalg.ldl_solve(x, p, b),
        arr(*shape),
        const(np.zeros(shape[:-1]), np.int32),
        arr(*shape[:-1], 3),
        grad=False,
    )
family(
    "batch_norm.one_dimension",
    lambda t, x, w: [t.nn.functional.batch_norm(x, w, w, training=k) for k in (True, False)],
    {"0": (arr(0), arr(0)), "3": (arr(3), arr(3))},
    grad=False,
)
family(
    "batch_norm.no_channels",
    lambda t, x, w: t.nn.functional.batch_norm(x, None, None, w, w, training=True),
    {"20": (arr(2, 0), arr(0)), "03": (arr(0, 3), arr(3)), "0": (arr(0), arr(0))},
    grad=False,
)
for dtype in (BOOL, np.uint8, I64, F64):
    add(f"sum_to_size.whole.{dtype.__name__}", lambda t, x: x.sum_to_size([]), const(1, dtype))
# ---- a loss that depends on the phase of complex vectors has no gradient ----
for name, fn in {
    "svd.u": lambda t, x: t.linalg.svd(x, False)[0].real.sum(),
    "svd.vh": lambda t, x: t.linalg.svd(x, False)[2].imag.sum(),
    "svd.both": lambda t, x: sum(y.abs().sum() for y in t.linalg.svd(x, False)),
    "eigh": lambda t, x: t.linalg.eigh(x)[1].real.sum(),
    "eigh.abs": lambda t, x: t.linalg.eigh(x)[1].abs().sum(),
    "eig": lambda t, x: t.linalg.eig(x)[1].real.sum(),
}.items():
    cases = {"c": (cplx(3, 3),), "batch": (cplx(2, 3, 3),)}
    family(f"phase.{name}", lambda t, x, fn=fn: t.autograd.grad(fn(t, x.requires_grad_()), x), cases, grad=False)
add("phase.eig.real", lambda t, x: t.autograd.grad(t.linalg.eig(x.requires_grad_())[1].real.sum(), x),
    const([[1, 2, 0], [-3, 1, 1], [0.5, 0, 2]], F64), grad=False)  # fmt: skip
for p in (1, 2, 3, 0.5, float("inf")):
    add(
        f"renorm.complex.twice.{p}",
        lambda t, x, p=p: t.autograd.grad(
            t.autograd.grad(t.renorm(x.requires_grad_(), p, 1, 0.5).abs().sum(), x, create_graph=True)[0].abs().sum(), x
        ),
        cplx(2, 3),
        grad=False,
    )
for role in ("atol", "rtol"):
    family(
        f"pinv.{role}.grad",
        lambda t, x, role=role: t.linalg.pinv(x, **{role: t.tensor(0.1, requires_grad=True)}),
        {"c": (arr(3, 2),)},
        grad=False,
    )
add("geqrf.complex.grad", lambda t, x: t.geqrf(x.requires_grad_()), cplx(3, 3), grad=False)


def swapped_bags(t, w, i, p):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            t.nn.functional.embedding_bag(w, i, t.tensor([0, 2]))
        except UserWarning:
            warnings.simplefilter("ignore")
            return t.nn.functional.embedding_bag(w, i, t.tensor([0, 2]), per_sample_weights=p, mode="sum")


add("embedding_bag.swapped", swapped_bags, arr(5, 2), ints(4, hi=5), arr(4))
# ---- half types: several steps, one rounding ----
family("addcmul.half", lambda t, x, y, z: t.addcmul(x, y, z, value=3.14), {
    "f16": (arr(5, 40, dtype=F16), arr(5, 1, dtype=F16), arr(1, 40, dtype=F16)),
}, grad=False)  # fmt: skip
family("addcdiv.half", lambda t, x, y, z: t.addcdiv(x, y, z, value=3.14), {
    "f16": (arr(5, 40, dtype=F16), arr(5, 1, dtype=F16), arr(1, 40, dtype=F16, lo=1)),
}, grad=False)  # fmt: skip
# ---- in place ----
for op in ("cumsum_", "cumprod_"):
    for dtype in (None, "float32", "float64"):
        family(
            f"{op}.dtype.{dtype}",
            lambda t, x, op=op, dtype=dtype: getattr(x.clone(), op)(0, dtype=dtype and getattr(t, dtype)),
            {
                "f32": (arr(2, 3, dtype=F32),),
                "i64": (arr(3, dtype=I64),),
                "bool": (arr(3, dtype=BOOL),),
                "bool0": (const(True, BOOL),),
            },
            grad=False,
        )
for op in ("logical_not_", "logical_and_", "logical_or_", "logical_xor_", "bitwise_not_"):
    family(
        f"{op}.leaf",
        lambda t, x, op=op: (getattr(x.requires_grad_(), op)(*([] if "not" in op else [x])), x.is_leaf, x._version),
        {"c": (arr(3),)},
        grad=False,
    )
for decimals in (0, 1):
    family(
        f"round.decimals.{decimals}",
        lambda t, x, decimals=decimals: t.round(x, decimals=decimals),
        {"i64": (arr(3, dtype=I64),), "f": (arr(3),)},
        grad=False,
    )
family("resize_.same", lambda t, x: (x.resize_(2, 3), x._version), {"c": (arr(2, 3),)}, grad=False)
for offset in (None, 0, 1):
    family(
        f"as_strided.vmap.{offset}",
        lambda t, x, offset=offset: t.func.vmap(lambda y: y.as_strided((2, 2), (1, 2), offset).clone())(x),
        {"c": (arr(3, 2, 3),)},
        grad=False,
    )

# ---- the order in memory ----
SPD = {
    "1": (const([[4, 1, 0.5], [1, 3, 0.2], [0.5, 0.2, 5]], F64),),
    "b": (const([[[4, 1], [1, 3]], [[2, 0.5], [0.5, 1]]], F64),),
    "c": (const([[4, 1 + 1j], [1 - 1j, 3]], C128),),
}
for upper in (False, True):
    family(f"cholesky_ex.order.{upper}", lambda t, x, u=upper: t.linalg.cholesky_ex(x, upper=u), SPD, strides=True)
RECTANGLES = {"23": (arr(2, 3),), "32": (arr(2, 3, 2),), "33": (arr(3, 3, layout="t"),), "c": (cplx(3, 2),)}
family("lu_factor.order", lambda t, x: tuple(t.linalg.lu_factor(x)), RECTANGLES, strides=True)
family("lu.order", lambda t, x: tuple(t.linalg.lu(x)), RECTANGLES, strides=True)
family("geqrf.order", lambda t, x: tuple(t.geqrf(x)), RECTANGLES, grad=False, strides=True)
for dim in (0, 1, -1):
    family(
        f"unique.order.{dim}",
        lambda t, x, dim=dim: [t.unique(x, dim=dim), t.unique_consecutive(x, dim=dim)],
        {"2": (ints(3, 4, hi=2),), "3": (ints(2, 3, 2, hi=2),)},
        grad=False,
        strides=True,
    )
family(
    "ravel.copy",
    lambda t, x: (y := x[:, :].ravel(), y.is_contiguous()),
    {"s": (arr(3, 4, layout="s"),), "c": (arr(3, 4),)},
    strides=True,
)
for dim in (0, 1, 3):
    family(
        f"cat.channels_last.{dim}",
        lambda t, x, y, dim=dim: (
            [t.cat([z.to(memory_format=t.channels_last) for z in zs], dim) for zs in ([x], [x, y], [y, x, y])]
            + [t.cat([x, y.to(memory_format=t.channels_last)], dim)]
        ),
        {"4": (arr(2, 3, 4, 2), arr(2, 3, 4, 2))},
        strides=True,
    )
add(
    "cat.channels_last.5",
    lambda t, x: t.cat([x.to(memory_format=t.channels_last_3d)] * 2, 1),
    arr(2, 3, 4, 2, 3),
    strides=True,
)

# ---- alpha counts in the dtype of the result ----
I8 = {"f32": (arr(2, 3, dtype=F32), const([100, -100, 7], np.int8)), "i64": (arr(3, dtype=I64), const(100, np.int8))}
for op in ("add", "sub", "rsub"):
    family(f"{op}.alpha.mixed", lambda t, x, y, op=op: getattr(t, op)(x, y, alpha=3), I8)
    family(f"{op}.alpha.turned", lambda t, x, y, op=op: getattr(t, op)(y, x, alpha=-3), I8)
family("add_.alpha.mixed", lambda t, x, y: x.clone().add_(y, alpha=300), I8)
family("add.alpha.f32f64", lambda t, x, y: t.add(x, y, alpha=0.1), {"1": (arr(3), arr(3, dtype=F32)),
    "0d": (arr(), arr(3, dtype=F32)), "0df16": (arr(dtype=F16), arr(dtype=F32))})  # fmt: skip
for tag, value in (("number", lambda t: 1j), ("tensor", lambda t: t.tensor(1j))):
    family(
        f"index_fill.complex.{tag}",
        lambda t, x, value=value: x.index_fill(0, t.tensor([0]), value(t)),
        {"f": (arr(3),), "bool": (arr(3, dtype=BOOL),), "c": (cplx(3),)},
        grad=False,
    )


# ---- factors before what they scale, as old programs write them ----
ORDERS = {
    "add": lambda t, x, y: t.add(x, 2, y), "add.number": lambda t, x, y: t.add(x, 2, 3), "Tensor.sub": lambda t, x, y: x.sub(2, y),
    "sub.out": lambda t, x, y: t.sub(x, 0.5, y, out=t.empty(2, 2, dtype=x.dtype)), "add.tensor": lambda t, x, y: t.add(x, x, y),
    "addmm": lambda t, x, y: t.addmm(2, x, 3, y, y), "addmm.beta": lambda t, x, y: t.addmm(2, x, y, y),
    "addmm_": lambda t, x, y: x.clone().addmm_(1, -2, y, y), "addmm_.beta": lambda t, x, y: (x * 1).addmm_(0.5, y, y),
    "addmv.bad": lambda t, x, y: t.addmv(x[0], y, x[1], 2), "addmv": lambda t, x, y: t.addmv(2, x[0], 3, y, x[1]),
    "addr": lambda t, x, y: x.addr(2, 3, y[0], y[1]), "baddbmm": lambda t, x, y: t.baddbmm(1, x, 1, y[None], y[None]),
    "baddbmm_": lambda t, x, y: x[None].clone().baddbmm_(2, 3, y[None], y[None]),
    "addbmm": lambda t, x, y: t.addbmm(2, x, y[None], y[None]),
}  # fmt: skip
for name, fn in ORDERS.items():
    add(f"order.{name}", fn, arr(2, 2), arr(2, 2))
for op in ("add", "sub", "mul", "div", "floor_divide", "true_divide"):
    for a, b in ((3, 2), (-3, 2.5), (2.5, True), (True, 2), (1, 2j)):
        add(f"{op}.numbers.{a}.{b}", lambda t, op=op, a=a, b=b: getattr(t, op)(a, b), grad=False)
for how in ("trunc", "floor"):
    add(f"div.numbers.{how}", lambda t, how=how: t.div(-7, 2, rounding_mode=how), grad=False)

# ---- the native losses reduce nothing unless told ----
for op, more in {"kl_div": (), "hinge_embedding_loss": (), "binary_cross_entropy_with_logits": (),
                 "margin_ranking_loss": (arr(2, 3),), "triplet_margin_loss": (arr(2, 3),),
                 "cosine_embedding_loss": (const([1, -1]),)}.items():  # fmt: skip
    add(f"native.{op}.default", lambda t, *xs, op=op: getattr(t, op)(*xs), arr(2, 3), arr(2, 3), *more)
add(
    "native.ctc_loss.default",
    lambda t, x, y: t.ctc_loss(x.log_softmax(2), y, [5, 4], [2, 1]),
    arr(5, 2, 4),
    ints(2, 2, hi=4, lo=1),
)

family(
    "mv.ranks", lambda t, x, y: t.mv(x, y), {"01": (arr(), arr(3)), "11": (arr(3), arr(3)), "20": (arr(3, 3), arr())}
)
family(
    "scatter_reduce.mean.bool",
    lambda t, x, i, y: x.scatter_reduce(0, i, y, "mean"),
    {"f": (arr(3, dtype=BOOL), ints(2, hi=3), arr(2)), "b": (arr(3, dtype=BOOL), ints(2, hi=3), arr(2, dtype=BOOL))},
    grad=False,
)
for op in ("max", "min"):
    family(
        f"{op}.complex",
        lambda t, x, y, op=op: getattr(t, op)(x, y),
        {"cc": (cplx(3), cplx(3)), "cf": (cplx(3), arr(3))},
    )

for op in ("cummax", "cummin"):
    family(
        f"{op}.complex",
        lambda t, x, op=op: getattr(t, op)(x, 0),
        {"1": (cplx(3),), "0": (cplx(0),), "0d": (const(1j, C128),)},
        grad=False,
    )
family(
    "mvlgamma.kinds",
    lambda t, x: t.mvlgamma(x, 2),
    {"bool": (arr(3, dtype=BOOL),), "i64": (const([2, 3], I64),)},
    grad=False,
)
# ---- powers of negative numbers and zeros with a sign; 0.5 and -0.5 are roots ----
SIGNED = (-0.0, 0.0, np.inf, -np.inf, np.nan, -2.0, 1e-30, -1e30, 3.0, -1.5)


def with_its_sign(t, x, p):
    r = x**p
    return r, t.signbit(r.nan_to_num(0.0))


for p in (0, 1, 2, 3, 4, 5, -1, -2, -3, -4, 0.5, -0.5, 1.5, -1.5, 10, 101):
    values = {"f32": (const(SIGNED, F32),), "f64": (const(SIGNED),)}
    family(f"pow.scalar.{p}", lambda t, x, p=p: with_its_sign(t, x, p), values, grad=False)
    add(f"pow.scalar.{p}.grad", lambda t, x, p=p: x**p, arr(3, 4, lo=-2.0 if p == int(p) else 0.5))
# ---- activations of both signs, with slopes that are a maximum and others ----
for slope in (0.01, 1.0, 0.0, 1.5, -0.5):
    for name, values in (("special", const(SIGNED, F32)), ("random", arr(3, 5))):
        family(
            f"leaky_relu.{slope}.{name}",
            lambda t, x, slope=slope: t.nn.functional.leaky_relu(x, slope),
            {"c": (values,)},
            grad=name == "random",
        )
# ---- numbers that are written into tensors: what a dtype cannot hold is refused, halves fill with infinity ----
WRITES = {
    "fill_": lambda t, x, v: x.fill_(v),
    "setitem": lambda t, x, v: x.__setitem__(0, v),
    "setitem.index": lambda t, x, v: x.__setitem__(t.tensor([0]), v),
    "setitem.mask": lambda t, x, v: x.__setitem__(t.tensor([True, False]), v),
    "full": lambda t, x, v: t.full((2,), v, out=x),
    "index_fill_": lambda t, x, v: x.index_fill_(0, t.tensor([0]), v),
    "masked_fill_": lambda t, x, v: x.masked_fill_(t.tensor([True, False]), v),
    "scatter_": lambda t, x, v: x.scatter_(0, t.tensor([0]), v),
}


def written(t, write, x, v):
    try:
        write(t, x, v)
    except (RuntimeError, TypeError, OverflowError) as error:
        return type(error).__name__, str(error)
    return x


for name, write in WRITES.items():
    family(
        f"numbers.{name}",
        lambda t, x, write=write: [
            written(t, write, x.clone(), v)
            for v in (300, 1e9, -1e9, 1 + 2j, 1 + 0j, float("inf"), -1, 1.5, True, float("nan"))
            if v == v or x.is_floating_point()
        ],
        {d.__name__: (const([0, 1], d),) for d in (np.int8, np.uint8, I64, F16, F32, F64, BOOL)},
        grad=False,
    )
for name, shape in {"row": (1, 2), "two": (2, 3), "ones": (1, 1), "count": (3,)}.items():
    add(
        f"setitem.mask.value.{name}",
        lambda t, x, v: x.__setitem__(t.tensor([[True, True, False], [False] * 3]), v) or x,
        arr(2, 3), arr(*shape), grad=False,
    )  # fmt: skip
# ---- empty inputs of layers, and a target of input's shape that holds classes ----
add("linear.no_features", lambda t, x, w, b: t.nn.functional.linear(x, w, b), arr(0), arr(2, 0), arr(2))
add("linear.no_features.no_bias", lambda t, x, w: t.nn.functional.linear(x, w), arr(3, 1, 0), arr(2, 0))
for shape, count in (((2, 2, 3), 2), ((1, 3), 2), ((2, 3), 3)):
    add(f"linear.wrong.{shape}", lambda t, x, w, b: t.nn.functional.linear(x, w, b), arr(4, 3), arr(*shape), arr(count))
for shape in ((), (1,), (2, 3)):
    add(
        f"cross_entropy.classes.{len(shape)}",
        lambda t, x, y: t.nn.functional.cross_entropy(x, y),
        arr(*shape), ints(*shape), grad=False,
    )  # fmt: skip
# ---- names and edges of nodes ----
for name, fn in {
    "nanmedian": lambda t, x: x.nanmedian(), "nanmedian.dim": lambda t, x: x.nanmedian(0)[0],
    "squeeze": lambda t, x: x.squeeze((0, 1)), "topk": lambda t, x: x.topk(1)[0],
    "where": lambda t, x: t.where(x > 0, x, 0.0), "gather": lambda t, x: x.gather(0, t.tensor([[0]])),
    "index_select": lambda t, x: x.index_select(0, t.tensor([0])), "sort": lambda t, x: x.sort()[0],
}.items():  # fmt: skip
    add(
        f"node.{name}",
        lambda t, x, fn=fn: [
            (type(f).__name__, [type(e).__name__ for e, _ in f.next_functions])
            for f in (fn(t, x.requires_grad_() * 2).grad_fn,)
        ],
        arr(2, 3), grad=False,
    )  # fmt: skip
# ---- what is not needed is not kept: a source of scatter may change; inference tensors under a transform ----
family(
    "scatter.source_changes",
    lambda t, x, y: [
        r := t.scatter(graded(t, x), 0, t.tensor([[0, 1, 0]]), graded(t, y)),
        y.detach().zero_(),
        *t.autograd.grad(r.sum(), (x, y)),
    ],
    {"c": (arr(2, 3), arr(2, 3))},
    grad=False,
)


def under_transforms(t, x):
    with t.inference_mode():
        y = x * 2
    sin = lambda z: z.sin()  # noqa: E731
    return t.func.grad(lambda z: z.sin().sum())(y), t.func.jacrev(sin)(y), *t.func.jvp(sin, (y,), (y,))


add("func.inference", under_transforms, arr(3), grad=False)
family(
    "frexp.written",
    lambda t, x: [
        m := t.frexp(graded(t, x))[0],
        x.detach().mul_(2),
        m.copy_(m * 3),
        *t.autograd.grad(m.sum(), x),
    ],
    {"c": (const([3.0, 0.0, -5.0, 1e-3, np.inf]),), "f16": (const([3.0, 0.0, -5.0], F16),)},
    grad=False,
)
# ---- what stands between brackets: masks of bytes, narrow integers, a second ellipsis, errors in PyTorch's words ----
BYTES = const([1, 0], np.uint8)
INDEXED = arr(2, 3)
for name, index in {
    "bytes": lambda t, m: m, "bytes of 1": lambda t, m: (0, m[:1].repeat(3)), "byte": lambda t, m: m[0],
    "i8": lambda t, m: m.to(t.int8), "i32": lambda t, m: m.int(), "i8 of 1": lambda t, m: m[0].to(t.int8),
    "ellipses": lambda t, m: (..., 0, ...), "ellipses, 2": lambda t, m: (0, ..., None, ...), "f32": lambda t, m: m.float(),
    "numpy i8": lambda t, m: np.array([1, 0], np.int8), "numpy u8": lambda t, m: np.array([1, 0], np.uint8),
    "out of range": lambda t, m: ([0, 5],), "apart": lambda t, m: ([0, 1], [0, 1, 2]), "mask": lambda t, m: m[:1].bool(),
}.items():  # fmt: skip
    family(f"index.found.{name}", lambda t, x, m, index=index: x[index(t, m)], {"c": (INDEXED, BYTES)}, grad=False)
for name, index, value in (
    ("wide", slice(None), lambda t: t.ones(2, 5)), ("deep", 0, lambda t: t.ones(2, 3)), ("complex", 0, lambda t: 1j),
    ("complex mask", None, lambda t: 1j), ("text", 0, lambda t: "a"), ("None", 0, lambda t: None), ("rows", [0, 1], lambda t: t.ones(2)),
    ("row", (0, slice(1)), lambda t: t.ones(1, 1)), ("out of range", ([5],), lambda t: 1.0),
):  # fmt: skip
    family(
        f"setitem.{name}",
        lambda t, x, index=index, value=value: put(x.clone(), (x > 1) if index is None else index, value(t)),
        {"c": (INDEXED,)},
        grad=False,
    )
# ---- what functions say that refuse their input ----
REFUSED = {
    "std": lambda t, x, i: i.std(), "var": lambda t, x, i: i.var(0), "var_mean": lambda t, x, i: t.var_mean(i),
    "max.complex": lambda t, x, i: (x * 1j).max(0), "min.complex": lambda t, x, i: (x * 1j).min(dim=0),
    "cat": lambda t, x, i: t.cat([x], out=i), "stack": lambda t, x, i: t.stack([x], out=i[None]),
    "bilinear": lambda t, x, i: t.nn.Bilinear(1, 1, 2)(t.zeros(()), t.zeros(())),
    "cross_entropy": lambda t, x, i: t.nn.functional.cross_entropy(t.zeros(()), t.zeros(())),
    "embedding_bag": lambda t, x, i: t.nn.functional.embedding_bag(t.tensor([[0, 1]]), x[0]),
    "rms_norm": lambda t, x, i: t.nn.functional.rms_norm(x[0], (2, 3)),
    "upsample": lambda t, x, i: t.nn.Upsample(scale_factor=2)(x[0])[0],
    "rnn": lambda t, x, i: t.nn.RNN(0, 3),
    "requires_grad": lambda t, x, i: setattr(x.clone().requires_grad_() * 2, "requires_grad", True),
    "index_fill": lambda t, x, i: i.index_fill(0, t.tensor([0]), float("inf")),
}  # fmt: skip


def refused(t, fn, x, i):
    try:
        fn(t, x, i)
    except (IndexError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        return type(error).__name__, str(error)
    return "taken"


for name, fn in REFUSED.items():
    add(f"refused.{name}", lambda t, x, i, fn=fn: refused(t, fn, x, i), arr(2, 3), ints(2, 3), grad=False)
for name in ("eq", "gt", "logical_and"):  # no derivative: out= may require a gradient
    add(
        f"out.requires_grad.{name}",
        lambda t, x, name=name: getattr(t, name)(x, x, out=x.clone().requires_grad_()),
        arr(2, 3), grad=False,
    )  # fmt: skip
# ---- a number by a tensor keeps the quotient, so the tensor may be written to ----
family(
    "rdiv.written",
    lambda t, x: [
        f"{(y := graded(t, x) * 1).requires_grad} {[(v / y).grad_fn.name() for v in (1, True, 2.5, 3)]}",
        w := 1 / y + 2.5 / y,
        y.zero_(),
        *t.autograd.grad(w.sum(), x),
    ],
    {"f64": (arr(2, 3, lo=0.5),), "f32": (arr(2, 3, lo=0.5, dtype=F32),), "c128": (cplx(2, 3),)},
    grad=False,
)
family(
    "rdiv.dtypes",
    lambda t, x: [v / x for v in (1, True, 2.5, 3, 0, -1, 1 + 0j, 2j, float("inf"))],
    {d.__name__: (const([1, 3, 0, 7], d),) for d in (I64, BOOL, F32, np.uint8)} | {"c": (cplx(3),)},
    grad=False,
)
# ---- results that end in a change of shape are no views: they may be detached in place ----
for name, fn in {
    "rnn": lambda t, x: t.nn.RNN(3, 2).double()(x)[0], "lstm": lambda t, x: t.nn.LSTM(3, 2).double()(x)[0],
    "gru.batch": lambda t, x: t.nn.GRU(3, 2, batch_first=True).double()(x)[0],
    "group_norm": lambda t, x: t.nn.functional.group_norm(x, 1), "mv": lambda t, x: x @ x[0, 0],
    "vm": lambda t, x: x[0, :, 0] @ x[0], "take": lambda t, x: x.take(t.tensor([[0, 1]])),
    "roll": lambda t, x: x.roll(1), "kthvalue": lambda t, x: x.kthvalue(1)[0],
}.items():  # fmt: skip
    add(
        f"fresh.{name}",
        lambda t, x, fn=fn: [(y := fn(t, graded(t, x))).detach_().requires_grad, y._is_view(), *y.shape],
        arr(2, 4, 3), grad=False,
    )  # fmt: skip


# ---- the names that nodes of layers go by; ranges keep the shape of out= ----
def names(t, results):
    return [r.grad_fn.name() for r in results]


PADDED = {1: ((1, 1), (0, 0), (0, -1)), 2: ((1, 1, 1, 0), (0,) * 4), 3: ((1, 1, 1, 0, 1, 0),)}
for mode in ("constant", "reflect", "replicate", "circular"):
    family(
        f"node.pad.{mode}",
        lambda t, x, mode=mode: names(
            t,
            [
                t.nn.functional.pad(graded(t, x[(None,) * (n - 1)]), w, mode=mode)
                for n, widths in PADDED.items()
                for w in widths
            ],
        ),
        {"c": (arr(2, 3, 4),)},
        grad=False,
    )
MODES = ("nearest", "linear", "nearest-exact"), ("nearest", "bilinear", "bicubic"), ("nearest", "trilinear")
for n in (1, 2, 3):
    pools = {k: (f"avg_pool{n}d", f"adaptive_avg_pool{n}d")[k == "adaptive"] for k in ("avg", "adaptive")}
    add(
        f"node.pool.{n}",
        lambda t, x, n=n, pools=pools: names(
            t,
            [getattr(t.nn.functional, f)(graded(t, x[(0,) * (3 - n)]), k) for f in pools.values() for k in (1, 2)]
            + [t.nn.functional.interpolate(graded(t, x[(0,) * (3 - n)]), scale_factor=2, mode=m) for m in MODES[n - 1]],
        ),
        arr(2, 2, 3, 4, 4), grad=False,
    )  # fmt: skip
add(
    "node.number",
    lambda t, x: names(
        t,
        [graded(t, x).fmod(2), x.fmod(x), x.copysign(2), x.copysign(x), t.fmod(x, 2)]
        + [*x.unsafe_split(1), *x.unsafe_chunk(2), *x.unsafe_split_with_sizes([1, 1])],
    ),
    arr(2, 3), grad=False,
)  # fmt: skip
for name, out in {"row": arr(1, 3), "column": arr(3, 1), "steps": arr(3, 2), "short": arr(0)}.items():
    add(
        f"ranges.out.{name}",
        lambda t, x: [
            f(x[:, :1] if x.shape == (3, 2) else x.clone())
            for f in (
                lambda o: t.arange(3, out=o), lambda o: t.linspace(0, 1, 3, out=o), lambda o: t.logspace(0, 1, 3, out=o),
                lambda o: t.range(0, 2, out=o),
            )
        ],
        out, grad=False,
    )  # fmt: skip
add(
    "conj_physical_.after_backward",  # of a real tensor it is the tensor itself, whose node has let go of what it saved
    lambda t, x: [(y := graded(t, x).exp()).sum().backward(), y.conj_physical_(), y.grad_fn.name(), x.grad],
    arr(2, 3), grad=False,
)  # fmt: skip
