"""Losses of nn.functional: reductions, weights, shapes, dtypes, extremes, errors."""

import numpy as np
from ops_table import BOOL, F32, I64, SPECIAL, add, arr, const, family, ints

REDUCTIONS = ("mean", "sum", "none", "bad")


def signs(*shape, dtype=np.float64):
    return lambda rng: np.asarray(rng.choice([-1.0, 1.0], shape)).astype(dtype)


def probs(*shape, dtype=np.float64, axis=None):
    def make(rng):
        x = rng.uniform(0.05, 0.95, shape)
        return (x if axis is None else x / x.sum(axis, keepdims=True)).astype(dtype)

    return make


def losses(name, makers, *settings, reductions=REDUCTIONS, grad=True):
    """nn.functional.`name` under each setting and reduction."""
    for i, kw in enumerate(settings or ({},)):
        for red in reductions:
            family(
                f"{name}.{i}.{red}",
                lambda t, *xs, kw=kw, red=red: getattr(t.nn.functional, name)(*xs, reduction=red, **kw),
                {k: makers[k] for k in list(makers)[:1]} if red == "bad" else makers,
                grad=grad,
            )


# ---- pointwise losses ------------------------------------------------------------------------------------------
PAIRS = {
    "c": (arr(3, 4), arr(3, 4)),
    "t": (arr(3, 4, layout="t"), arr(3, 4)),
    "s": (arr(3, 4), arr(3, 4, layout="s")),
    "0d": (arr(), arr()),
    "empty": (arr(0, 3), arr(0, 3)),
    "f32": (arr(3, 5, dtype=F32), arr(3, 5, dtype=F32)),
    "f32f64": (arr(3, 5, dtype=F32), arr(3, 5)),
    "f16": (arr(3, 5, dtype=np.float16), arr(3, 5, dtype=np.float16)),
    "broadcast": (arr(3, 1), arr(4)),
    "badshape": (arr(3, 4), arr(3, 5)),
    "special": (const(SPECIAL), const(SPECIAL[::-1])),
    "ties": (const([0.0, 1.0, 2.0, -1.0]), const([0.0, 0.0, 0.0, 0.0])),
    "large": (const([1e3, -1e3, 1e4, -1e4]), const([0.0, 1.0, 1.0, 0.0])),
}
losses("l1_loss", PAIRS)
losses("mse_loss", {k: v for k, v in PAIRS.items() if k != "f32f64"})
losses("smooth_l1_loss", PAIRS, {}, {"beta": 0.5}, {"beta": 0}, {"beta": -1.0})
losses("huber_loss", {k: v for k, v in PAIRS.items() if k != "f32f64"}, {}, {"delta": 0.3}, {"delta": 0.0})
KINDS = {"float": arr(3, 3, dtype=F32), "int": ints(3, 3, hi=2), "bool": arr(3, 3, dtype=BOOL)}
for op in ("mse_loss", "smooth_l1_loss", "kl_div", "binary_cross_entropy_with_logits", "multilabel_soft_margin_loss"):
    pairs = {
        f"{i} {j}": (x, y) for i, x in KINDS.items() for j, y in KINDS.items() if (i, op[:5]) != ("float", "multi")
    }
    family(f"{op}.of", lambda t, x, y, op=op: getattr(t.nn.functional, op)(x, y), pairs, grad=False)
family(
    "huber_loss.of",
    lambda t, x, y: t.nn.functional.huber_loss(x, y),
    {k: (KINDS[k], KINDS[k]) for k in KINDS},
    grad=False,
)
family(
    "nll_loss.of",
    lambda t, x, y: t.nn.functional.nll_loss(x, y),
    {k: (KINDS[k], ints(3, hi=3)) for k in KINDS},
    grad=False,
)
W = {k: PAIRS[k] for k in ("c", "t", "f32", "0d", "badshape")}
for op in ("l1_loss", "mse_loss", "huber_loss"):
    for red in REDUCTIONS:
        family(f"{op}.weight.{red}", lambda t, x, y, w, op=op, red=red: getattr(t.nn.functional, op)(x, y, weight=w, reduction=red),
               {**{k: (*v, v[0]) for k, v in W.items()}, "badweight": (arr(3, 4), arr(3, 4), arr(4))})  # fmt: skip
BCE = {
    "c": (probs(3, 4), probs(3, 4)),
    "t": (lambda rng: rng.uniform(0.1, 0.9, (4, 3)).T, probs(3, 4)),
    "0d": (probs(), probs()),
    "f32": (probs(3, 5, dtype=F32), probs(3, 5, dtype=F32)),
    "f16": (probs(3, 5, dtype=np.float16), probs(3, 5, dtype=np.float16)),
    "mixed": (probs(3, dtype=F32), probs(3)),
    "ends": (const([0.0, 1.0, 0.0, 1.0, 0.5]), const([0.0, 1.0, 1.0, 0.0, 0.5])),
    "outside": (const([0.0, 1.5]), const([0.0, 1.0])),
    "empty": (arr(0, 3), arr(0, 3)),
    "badshape": (probs(3, 4), probs(4)),
    "nan": (const([np.nan, 0.5]), const([0.0, 1.0])),
}
losses("binary_cross_entropy", {k: v for k, v in BCE.items() if k != "f16"})
for op in ("target", "input"):
    add(
        f"binary_cross_entropy.far.{op}",
        lambda t, x, op=op: t.nn.functional.binary_cross_entropy(*[x, x * 3][:: 1 if op == "target" else -1]),
        arr(2, 3, lo=0.5, hi=1.0),
    )
losses("binary_cross_entropy", {"f16": BCE["f16"]}, reductions=("sum",))
for red in REDUCTIONS:
    family(
        f"binary_cross_entropy.weight.{red}",
        lambda t, x, y, w, red=red: t.nn.functional.binary_cross_entropy(x, y, w.detach(), reduction=red),
        {"c": (probs(3, 4), probs(3, 4), probs(4)), "full": (probs(3, 4), probs(3, 4), probs(3, 4)),
         "bad": (probs(3, 4), probs(3, 4), probs(3))},
    )  # fmt: skip
LOGITS = {k: PAIRS[k] for k in ("c", "t", "s", "0d", "empty", "f32", "badshape", "large", "ties")}
LOGITS["i64"] = (arr(3, 4), ints(3, 4, hi=2))
losses("binary_cross_entropy_with_logits", LOGITS)
for red in REDUCTIONS:
    family(
        f"binary_cross_entropy_with_logits.weights.{red}",
        lambda t, x, y, w, p, red=red: t.nn.functional.binary_cross_entropy_with_logits(
            x, y, w.detach(), reduction=red, pos_weight=p.detach()
        ),
        {"c": (arr(3, 4), probs(3, 4), probs(4), probs(4)), "rows": (arr(3, 4), probs(3, 4), probs(3, 1), probs(3, 4)),
         "zeros": (const([0.0, 1e3, -1e3, 0.0]), const([0.0, 1.0, 0.0, 1.0]), probs(4), probs(4)),
         "bad": (arr(3, 4), probs(3, 4), probs(4), probs(3))},
    )  # fmt: skip
MIXED = {  # the result has the target's dtype
    "f32": (arr(3, 4), probs(3, 4, dtype=F32), probs(4)),
    "f16": (arr(3, 4, dtype=F32), probs(3, 4, dtype=np.float16), probs(4, dtype=F32)),
}
family(
    "binary_cross_entropy_with_logits.dtypes",
    lambda t, x, y, w: [
        t.nn.functional.binary_cross_entropy_with_logits(x, y, **kw) for kw in ({}, {"weight": w}, {"pos_weight": w})
    ],
    MIXED,
    grad=False,
)
family(
    "binary_cross_entropy.weight.dtypes",
    lambda t, x, y, w: t.nn.functional.binary_cross_entropy(x, y, w),
    {"f32": (probs(3, 4), probs(3, 4), probs(4, dtype=F32)), "target": (probs(3, 4), probs(3, 4, dtype=F32), probs(4))},
    grad=False,
)
KL = {
    "c": (arr(3, 4), probs(3, 4)),
    "t": (arr(3, 4, layout="t"), probs(3, 4)),
    "0d": (arr(), probs()),
    "f32": (arr(3, 4, dtype=F32), probs(3, 4, dtype=F32)),
    "broadcast": (arr(3, 4), probs(4)),
    "empty": (arr(0, 3), arr(0, 3)),
    "badshape": (arr(3, 4), arr(3)),
}
losses("kl_div", KL, {}, {"log_target": True}, reductions=(*REDUCTIONS, "batchmean"))
losses("kl_div", {"zero": (arr(4), const([0.0, 1.0, 0.5, -0.5]))}, {}, grad=False, reductions=("sum", "none"))
COUNTS = {
    "c": (arr(3, 4, lo=0.1), lambda rng: rng.poisson(2, (3, 4)).astype(float)),
    "f32": (arr(3, 4, dtype=F32, lo=0.1), lambda rng: rng.poisson(2, (3, 4)).astype(F32)),
    "0d": (arr(lo=0.1), const(3.0)),
    "badshape": (arr(3, 4), arr(3)),
    "i64": (arr(3, 4, lo=0.1), ints(3, 4)),
}
losses(
    "poisson_nll_loss",
    COUNTS,
    {},
    {"log_input": False},
    {"full": True},
    {"full": True, "log_input": False, "eps": 1e-3},
)
GAUSS = {
    "c": (arr(3, 4), arr(3, 4), probs(3, 4)),
    "row": (arr(3, 4), arr(3, 4), probs(3)),
    "column": (arr(3, 4), arr(3, 4), probs(3, 1)),
    "tiny": (arr(3), arr(3), const([0.0, 1e-9, 1.0])),
    "negative": (arr(3), arr(3), const([0.0, -1e-9, 1.0])),
    "bad": (arr(3, 4), arr(3, 4), probs(4)),
    "f32": (arr(3, 4, dtype=F32), arr(3, 4, dtype=F32), probs(3, 4, dtype=F32)),
}
losses("gaussian_nll_loss", GAUSS, {}, {"full": True}, {"eps": 0.3})
family("gaussian_nll_loss.float", lambda t, x, y: t.nn.functional.gaussian_nll_loss(x, y, 0.7), {"c": PAIRS["c"]})
family("gaussian_nll_loss.negative", lambda t, x, y: t.nn.functional.gaussian_nll_loss(x, y, -0.7), {"c": PAIRS["c"]})

# ---- margins ---------------------------------------------------------------------------------------------------
SIGNED = {
    "c": (arr(3, 4), signs(3, 4)),
    "t": (arr(3, 4, layout="t"), signs(3, 4)),
    "0d": (arr(), signs()),
    "f32": (arr(3, 4, dtype=F32), signs(3, 4, dtype=F32)),
    "ties": (const([1.0, 1.0, 0.0, 0.0]), const([1.0, -1.0, 1.0, -1.0])),
    "i64": (arr(3, 4), signs(3, 4, dtype=I64)),
    "empty": (arr(0, 3), arr(0, 3)),
    "badshape": (arr(3, 4), signs(3)),
}
losses("hinge_embedding_loss", SIGNED, {}, {"margin": 0.3})
for red in ("mean", "sum", "none"):  # PyTorch refuses the gradient in the target
    family(
        f"soft_margin_loss.{red}",
        lambda t, x, y, red=red: t.nn.functional.soft_margin_loss(x, y.detach(), reduction=red),
        {k: v for k, v in SIGNED.items() if k != "i64"},
    )
RANKING = {
    "c": (arr(3, 4), arr(3, 4), signs(3, 4)),
    "0d": (arr(), arr(), signs()),
    "1d": (arr(5), arr(5), signs(5)),
    "f32": (arr(5, dtype=F32), arr(5, dtype=F32), signs(5, dtype=F32)),
    "ties": (const([1.0, 2.0]), const([1.0, 2.0]), signs(2)),
    "i64": (arr(5), arr(5), signs(5, dtype=I64)),
    "badrank": (arr(3, 4), arr(3, 4), signs(4)),
    "badshape": (arr(3), arr(4), signs(4)),
}
losses("margin_ranking_loss", RANKING, {}, {"margin": 0.5})
COSINE = {
    "c": (arr(3, 4), arr(3, 4), signs(3)),
    "0d": (arr(4), arr(4), signs()),
    "f32": (arr(3, 4, dtype=F32), arr(3, 4, dtype=F32), signs(3, dtype=F32)),
    "zeros": (const([[0.0, 0.0], [1.0, 0.0]]), const([[1.0, 0.0], [1.0, 0.0]]), const([1.0, -1.0])),
    "i64": (arr(3, 4), arr(3, 4), signs(3, dtype=I64)),
    "badrank": (arr(4), arr(4), signs(4)),
    "multi": (arr(3, 4), arr(3, 4), signs(3, 4)),
}
losses("cosine_embedding_loss", COSINE, {}, {"margin": 0.2})
TRIPLETS = {
    "c": (arr(3, 4), arr(3, 4), arr(3, 4)),
    "1d": (arr(4), arr(4), arr(4)),
    "3d": (arr(2, 3, 4), arr(2, 3, 4), arr(2, 3, 4)),
    "broadcast": (arr(3, 4), arr(1, 4), arr(3, 4)),
    "f32": (arr(3, 4, dtype=F32), arr(3, 4, dtype=F32), arr(3, 4, dtype=F32)),
    "badrank": (arr(3, 4), arr(4), arr(3, 4)),
    "badshape": (arr(3, 4), arr(3, 5), arr(3, 4)),
}
losses("triplet_margin_loss", TRIPLETS, {}, {"p": 1}, {"p": 3, "margin": 0.4}, {"swap": True}, {"margin": 0.0})
losses("triplet_margin_with_distance_loss", TRIPLETS, {}, {"swap": True}, {"margin": -1.0})
family(
    "triplet_margin_with_distance_loss.own",
    lambda t, a, p, n: t.nn.functional.triplet_margin_with_distance_loss(
        a, p, n, distance_function=lambda x, y: (x - y).abs().sum(-1)
    ),
    TRIPLETS,
)
MULTI = {
    "c": (arr(5, 4), ints(5)),
    "t": (arr(5, 4, layout="t"), ints(5)),
    "f32": (arr(5, 4, dtype=F32), ints(5)),
    "1d": (arr(4), const(2, I64)),
    "1d1d": (arr(4), const([2], I64)),
    "ties": (const([[1.0, 2.0, 0.0]]), const([1], I64)),
    "outofrange": (arr(2, 4), const([0, 4], I64)),
    "negative": (arr(2, 4), const([0, -1], I64)),
    "badbatch": (arr(5, 4), ints(4)),
    "3d": (arr(2, 3, 4), ints(2)),
    "noclass": (arr(2, 0), ints(2)),
    "float": (arr(5, 4), arr(5)),
}
losses("multi_margin_loss", MULTI, {}, {"p": 2}, {"margin": 0.3}, {"p": 3})
for red in REDUCTIONS:
    family(
        f"multi_margin_loss.weight.{red}",
        lambda t, x, y, w, red=red: t.nn.functional.multi_margin_loss(x, y, weight=w.detach(), reduction=red),
        {"c": (arr(5, 4), ints(5), probs(4)), "1d": (arr(4), const(2, I64), probs(4)),
         "badweight": (arr(5, 4), ints(5), probs(3)), "badrank": (arr(5, 4), ints(5), probs(4, 1))},
    )  # fmt: skip
LABELS = [[3, 0, -1, 1], [-1, 2, 1, 0], [2, -1, 0, 0], [0, 1, 2, 3]]
MULTILABEL = {
    "c": (arr(4, 4), const(LABELS, I64)),
    "t": (arr(4, 4, layout="t"), const(LABELS, I64)),
    "f32": (arr(4, 4, dtype=F32), const(LABELS, I64)),
    "1d": (arr(4), const(LABELS[0], I64)),
    "none": (arr(1, 4), const([[-1, 2, 1, 0]], I64)),
    "ties": (const([[0.0, 1.0, 2.0, 1.0]]), const([[1, -1, -1, -1]], I64)),
    "outofrange": (arr(1, 2), const([[2, 0]], I64)),
    "negative": (arr(1, 2), const([[0, -2]], I64)),
    "badshape": (arr(2, 3), ints(2, 2)),
    "float": (arr(2, 3), arr(2, 3)),
    "3d": (arr(2, 3, 4), ints(2, 3, 4)),
}
losses("multilabel_margin_loss", MULTILABEL)
SOFT = {k: PAIRS[k] for k in ("c", "t", "f32", "badshape", "large")} | {"3d": (arr(2, 3, 4), probs(2, 3, 4))}
losses("multilabel_soft_margin_loss", SOFT)
for red in REDUCTIONS:
    family(
        f"multilabel_soft_margin_loss.weight.{red}",
        lambda t, x, y, w, red=red: t.nn.functional.multilabel_soft_margin_loss(x, y, w, reduction=red),
        {"c": (arr(3, 4), probs(3, 4), probs(4))},
    )

# ---- classes ---------------------------------------------------------------------------------------------------
TARGET = const([0, 3, 1, -100, 2], I64)
CLASSES = {
    "c": (arr(5, 4), ints(5)),
    "t": (arr(5, 4, layout="t"), ints(5)),
    "f32": (arr(5, 4, dtype=F32), ints(5)),
    "ignored": (arr(5, 4), TARGET),
    "1d": (arr(4), const(2, I64)),
    "image": (arr(2, 4, 3, 2), ints(2, 3, 2)),
    "line": (arr(2, 4, 3), ints(2, 3)),
    "3dims": (arr(2, 4, 3, 2, 2), ints(2, 3, 2, 2)),
    "u8": (arr(5, 4), lambda rng: rng.integers(0, 4, 5).astype(np.uint8)),
    "i32": (arr(5, 4), lambda rng: rng.integers(0, 4, 5).astype(np.int32)),
    "outofrange": (arr(5, 4), const([0, 1, 2, 3, 4], I64)),
    "negative": (arr(2, 4), const([0, -1], I64)),
    "badbatch": (arr(5, 4), ints(4)),
    "badsize": (arr(2, 4, 3), ints(2, 2)),
    "badrank": (arr(5, 4), ints(5, 1)),
    "allignored": (arr(2, 4), const([-100, -100], I64)),
    "batch0": (arr(0, 4), ints(0)),
    "float": (arr(5, 4), arr(5)),
    "bool": (arr(5, 4), arr(5, dtype=BOOL)),
}
losses("nll_loss", CLASSES, {}, {"ignore_index": 0}, {"ignore_index": 2})
losses(
    "cross_entropy",
    CLASSES,
    {"label_smoothing": 0.2},
    {"label_smoothing": 0.2, "ignore_index": 1},
    {"label_smoothing": 2.0},
)
for op in ("nll_loss", "cross_entropy"):
    for red in REDUCTIONS:
        for kw in ({}, {"label_smoothing": 0.1}) if op == "cross_entropy" else ({},):
            family(
                f"{op}.weight.{red}.{kw}",
                lambda t, x, y, w, op=op, red=red, kw=kw: getattr(t.nn.functional, op)(x, y, w.detach().to(x.dtype), reduction=red, **kw),
                {k: (*CLASSES[k], probs(4)) for k in ("c", "t", "f32", "ignored", "1d", "image", "allignored", "line")}
                | {"badweight": (arr(5, 4), ints(5), probs(3))},
            )  # fmt: skip
PROBS = {
    "c": (arr(5, 4), probs(5, 4, axis=1)),
    "f32": (arr(5, 4, dtype=F32), probs(5, 4, dtype=F32, axis=1)),
    "1d": (arr(4), probs(4)),
    "image": (arr(2, 4, 3, 2), probs(2, 4, 3, 2, axis=1)),
    "big": (arr(5, 4, lo=-1e4, hi=1e4), probs(5, 4, axis=1)),
    "batch0": (arr(0, 4), arr(0, 4)),
    "noclasses": (arr(2, 0), arr(2, 0)),
}
losses("cross_entropy", {f"probs {k}": v for k, v in PROBS.items()}, {}, {"label_smoothing": 0.3}, {"ignore_index": 1})
for red in REDUCTIONS:
    family(
        f"cross_entropy.probs.weight.{red}",
        lambda t, x, y, w, red=red: t.nn.functional.cross_entropy(
            x, y, w.to(x.dtype), reduction=red, label_smoothing=0.1
        ),
        {k: (*v, probs(4)) for k, v in PROBS.items() if k != "noclasses"},
    )
LINEAR = {
    "c": (arr(5, 3), arr(4, 3), ints(5), arr(4)),
    "1d": (arr(3), arr(4, 3), const(1, I64), arr(4)),
    "k": (arr(5, 3), arr(4, 2, 3), ints(5, 2), arr(4, 2)),
    "probs": (arr(5, 3), arr(4, 3), probs(5, 4), arr(4)),
    "badfeatures": (arr(5, 2), arr(4, 3), ints(5), arr(4)),
    "badbias": (arr(5, 3), arr(4, 3), ints(5), arr(3)),
    "badrank": (arr(5, 3, 3), arr(4, 3), ints(5), arr(4)),
    "flat": (arr(5, 3), arr(3), ints(5), arr(4)),
}
for kw in ({}, {"ignore_index": 1}, {"label_smoothing": 0.1, "reduction": "sum"}):
    family(
        f"linear_cross_entropy.{kw}",
        lambda t, x, w, y, b, kw=kw: t.nn.functional.linear_cross_entropy(x, w, y, linear_bias=b, **kw),
        LINEAR,
    )


# ---- CTC -------------------------------------------------------------------------------------------------------
def ctc(t, x, y, n, m, **kw):
    return t.nn.functional.ctc_loss(t.log_softmax(x, -1), y, n, m, **kw)


FLAT = const([1, 2, 3, 3, 2, 1, 4], I64)
CTC = {
    "c": (arr(7, 3, 5), ints(3, 4, lo=1, hi=5), const([7, 6, 5], I64), const([4, 2, 3], I64)),
    "flat": (arr(9, 3, 5), FLAT, const([9, 8, 9], I64), const([3, 0, 4], I64)),
    "repeats": (arr(9, 2, 5), const([[1, 1, 1], [2, 2, 3]], I64), const([9, 5], I64), const([3, 3], I64)),
    "f32": (arr(7, 3, 5, dtype=F32), ints(3, 4, lo=1, hi=5), const([7, 6, 5], I64), const([4, 2, 3], I64)),
    "impossible": (arr(3, 2, 5), ints(2, 4, lo=1), const([3, 3], I64), const([4, 2], I64)),
    "unbatched": (arr(7, 5), ints(4, lo=1), const(7, I64), const(4, I64)),
    "padded": (arr(7, 2, 5), const([[1, 2, -1], [3, -1, -1]], I64), const([7, 4], I64), const([2, 1], I64)),
    "empty": (arr(4, 2, 5), const(np.zeros((2, 0)), I64), const([4, 3], I64), const([0, 0], I64)),
    "one": (arr(1, 1, 3), const([[1]], I64), const([1], I64), const([1], I64)),
    "long": (arr(60, 2, 6), ints(2, 20, lo=1, hi=6), const([60, 50], I64), const([20, 11], I64)),
    "toolong": (arr(3, 1, 5), const([[1]], I64), const([4], I64), const([1], I64)),
    "badlengths": (arr(3, 2, 5), const([[1], [2]], I64), const([3], I64), const([1, 1], I64)),
    "badtargets": (arr(3, 1, 5), const([[1]], I64), const([3], I64), const([2], I64)),
    "i32": (
        arr(7, 3, 5),
        lambda rng: rng.integers(1, 5, (3, 4)).astype(np.int32),
        const([7, 6, 5], I64),
        const([4, 2, 3], I64),
    ),
}
for red in REDUCTIONS:
    for kw in ({}, {"blank": 4}, {"zero_infinity": True}):
        family(f"ctc_loss.{red}.{kw}", lambda t, x, y, n, m, red=red, kw=kw: ctc(t, x, y, n, m, reduction=red, **kw),
               {k: v for k, v in CTC.items() if not ("blank" in kw and k in ("c", "f32", "long", "i32", "flat"))})  # fmt: skip
family("ctc_loss.tuples", lambda t, x, y: ctc(t, x, y, (7, 6, 5), [4, 2, 3]), {"c": CTC["c"][:2]})
family("ctc_loss.blank", lambda t, x, y, n, m: ctc(t, x, y, n, m, blank=9), {"c": CTC["c"]})

# ---- modules ---------------------------------------------------------------------------------------------------
PLAIN = (
    "L1Loss",
    "MSELoss",
    "SmoothL1Loss",
    "HuberLoss",
    "BCEWithLogitsLoss",
    "PoissonNLLLoss",
    "MultiLabelSoftMarginLoss",
)
for op in PLAIN:
    for kw in ({}, {"reduction": "sum"}):
        family(f"nn.{op}.{kw}", lambda t, x, y, op=op, kw=kw: getattr(t.nn, op)(**kw)(x, y), {"c": PAIRS["c"]})
    family(f"nn.{op}.repr", lambda t, x, op=op: repr(getattr(t.nn, op)()) and x, {"": (arr(2),)})
for op, makers in (("HingeEmbeddingLoss", SIGNED), ("NLLLoss", CLASSES), ("MultiMarginLoss", MULTI),
                   ("CrossEntropyLoss", CLASSES), ("MultiLabelMarginLoss", MULTILABEL), ("KLDivLoss", KL), ("BCELoss", BCE)):  # fmt: skip
    family(f"nn.{op}", lambda t, x, y, op=op: getattr(t.nn, op)(reduction="sum")(x, y), {"c": makers["c"]})
for op, makers in (("MarginRankingLoss", RANKING), ("CosineEmbeddingLoss", COSINE), ("TripletMarginLoss", TRIPLETS)):
    family(f"nn.{op}", lambda t, x, y, z, op=op: getattr(t.nn, op)(margin=0.5)(x, y, z), {"c": makers["c"]})
family("nn.GaussianNLLLoss", lambda t, x, y, z: t.nn.GaussianNLLLoss(full=True)(x, y, z), {"c": GAUSS["c"]})
family(
    "nn.CTCLoss", lambda t, x, y, n, m: t.nn.CTCLoss(zero_infinity=True)(t.log_softmax(x, -1), y, n, m), {"c": CTC["c"]}
)
for kw in ({"size_average": False}, {"reduce": False}, {"size_average": True, "reduce": True}):
    family(f"nn.MSELoss.{kw}", lambda t, x, y, kw=kw: t.nn.MSELoss(**kw)(x, y), {"c": PAIRS["c"]})
    family(f"l1_loss.{kw}", lambda t, x, y, kw=kw: t.nn.functional.l1_loss(x, y, **kw), {"c": PAIRS["c"]})
    family(f"kl_div.{kw}", lambda t, x, y, kw=kw: t.nn.functional.kl_div(x, y, **kw), {"c": KL["c"]})
for op, kw in (("HuberLoss", {"delta": "1"}), ("MultiMarginLoss", {"p": 3}), ("TripletMarginLoss", {"margin": 0}),
               ("TripletMarginWithDistanceLoss", {"margin": 0}), ("AdaptiveLogSoftmaxWithLoss", {"in_features": 4, "n_classes": 5, "cutoffs": []}),
               ("AdaptiveLogSoftmaxWithLoss", {"in_features": 4, "n_classes": 5, "cutoffs": [3, 2]}),
               ("AdaptiveLogSoftmaxWithLoss", {"in_features": 4, "n_classes": 5, "cutoffs": [5]})):  # fmt: skip
    family(f"nn.{op}.bad{kw}", lambda t, x, op=op, kw=kw: getattr(t.nn, op)(**kw), {"": (arr(2),)})


def adaptive(t, x, y, a, b, c, d, e):
    m = t.nn.AdaptiveLogSoftmaxWithLoss(8, 10, [3, 6], div_value=2.0, head_bias=True)
    for (_, p), value in zip(m.named_parameters(), (a, b, c, d, e, e)):
        p.data = value.detach().reshape(-1)[: p.numel()].reshape(p.shape)
    out = m(x, y)
    return out.output, out.loss, m.log_prob(x), m.predict(x)


BIG = [arr(64) for _ in range(5)]
family("nn.AdaptiveLogSoftmaxWithLoss", adaptive,
       {"c": (arr(6, 8), const([0, 9, 4, 3, 2, 6], I64), *BIG), "short": (arr(3, 8), const([0, 1, 2], I64), *BIG),
        "bad": (arr(3, 8), const([0, 1, 10], I64), *BIG), "badbatch": (arr(3, 8), ints(2), *BIG)})  # fmt: skip
