"""Samples of gather and scatter, index writes, masks, sorting and searching."""

from ops_table import BOOL, F32, I64, SPECIAL, arr, const, family, ints

NAN = [2.0, float("nan"), -1.0, 5.0, float("inf"), float("nan"), -float("inf"), 0.0]


def unique(n, size):
    """Different indices, as the order of writes to one place is not specified."""
    return lambda rng: rng.permutation(n)[:size]


# ---- gather and scatter: x, index, src --------------------------------------------------------------------------------
ROWS = {
    "c": (arr(3, 4), ints(2, 4, hi=3), arr(2, 4)), "t": (arr(3, 4, layout="t"), ints(2, 4, hi=3), arr(2, 4)),
    "s": (arr(3, 4, layout="s"), ints(3, 2, hi=3), arr(3, 2, layout="s")),
    "f32": (arr(3, 4, dtype=F32), ints(4, 4, hi=3), arr(4, 4, dtype=F32)),
    "i64": (arr(3, 4, dtype=I64), ints(2, 4, hi=3), arr(2, 4, dtype=I64)),
    "bool": (arr(3, 4, dtype=BOOL), ints(2, 4, hi=3), arr(2, 4, dtype=BOOL)),
    "1d": (arr(5), ints(7, hi=5), arr(7)), "3d": (arr(2, 3, 4), ints(2, 2, 3, hi=2), arr(2, 2, 3)),
    "0d": (arr(), ints(hi=1), arr()), "0d1": (arr(), ints(1, hi=1), arr(1)), "1d0": (arr(3), ints(hi=3), arr()),
    "emptyindex": (arr(3, 4), ints(0, 4), arr(0, 4)), "empty": (arr(0, 4), ints(0, 4), arr(0, 4)),
    "out": (arr(3, 4), ints(2, 4, lo=5, hi=9), arr(2, 4)), "negative": (arr(3, 4), ints(2, 4, lo=-3, hi=0), arr(2, 4)),
    "rank": (arr(3, 4), ints(4, hi=3), arr(4)), "wide": (arr(3, 4), ints(2, 5, hi=3), arr(2, 5)),
    "floatindex": (arr(3, 4), arr(2, 4), arr(2, 4)), "mixed": (arr(3, 4), ints(2, 4, hi=3), arr(2, 4, dtype=F32)),
    "special": (const([SPECIAL] * 3), ints(2, 9, hi=3), const([SPECIAL[::-1]] * 2)),
    "ties": (const([[1.0, 0, 2], [2, 1, 0]]), const([[0, 1, 1], [1, 0, 1], [1, 0, 1]], I64),
             const([[1.0, 2, 2], [0, 0, 2], [0, 1, 0]])),
}  # fmt: skip
SHORT = {k: ROWS[k] for k in ("c", "i64", "1d", "0d", "emptyindex", "out", "rank", "mixed")}
family("gather0", lambda t, x, i, v: (t.gather(x, 0, i), x.gather(-1, i * 0)), ROWS)
family("gather.sparse", lambda t, x, i, v: x.gather(0, i, sparse_grad=False), SHORT)
family("gather.int32", lambda t, x, i, v: x.gather(0, i.int()), SHORT)
family("gather.dim", lambda t, x, i, v: x.gather(3, i), SHORT)
family("gather.short", lambda t, x, i, v: x.gather(0, i.short()), SHORT)
family("gather.out", lambda t, x, i, v: t.gather(x, 0, i, out=t.empty(0, dtype=x.dtype)), SHORT, grad=False)
family("gather.outdtype", lambda t, x, i, v: t.gather(x, 0, i, out=t.empty(0, dtype=t.float16)), SHORT, grad=False)
SET = {
    **{k: v for k, v in ROWS.items() if k in ("0d", "0d1", "1d0", "emptyindex", "empty", "out", "negative", "rank", "wide",
                                              "mixed", "floatindex")},
    "1d": (arr(5), unique(5, 4), arr(4)), "c": (arr(3, 4), const([[0, 2, 1, 0], [1, 0, 0, 2]], I64), arr(2, 4)),
    "i64": (arr(3, 4, dtype=I64), const([[2, 2, 1, 1]], I64), arr(1, 4, dtype=I64)),
    "t": (arr(3, 4, layout="t"), const([[0, 2, 1, 0], [1, 0, 0, 2]], I64), arr(2, 4, layout="t")),
}  # fmt: skip
family("scatter", lambda t, x, i, v: (t.scatter(x, 0, i, v), x.scatter(dim=0, index=i, src=v)), SET)
family("scatter.value", lambda t, x, i, v: (x.scatter(0, i, 2.5), x.scatter(0, i, value=-1)), ROWS)
family("scatter_.value", lambda t, x, i, v: (x * 1 if x.dtype != t.bool else x.clone()).scatter_(0, i, 1), ROWS)
family("scatter_", lambda t, x, i, v: (x * 1).scatter_(0, i, v), SET)
family("scatter.add", lambda t, x, i, v: x.scatter(0, i, v, reduce="add"), SHORT, grad=False)
family("scatter.multiply", lambda t, x, i, v: x.detach().clone().scatter_(0, i, v.detach(), reduce="multiply"), SHORT)
family("scatter.valueadd", lambda t, x, i, v: x.detach().scatter(0, i, 2, reduce="add"), SHORT)
family("scatter.badreduce", lambda t, x, i, v: x.scatter(0, i, v, reduce="mean"), SHORT)
family("scatter_add", lambda t, x, i, v: t.scatter_add(x, 0, i, v), ROWS)
family("scatter_add_", lambda t, x, i, v: (x * 1).scatter_add_(0, i, v), {k: ROWS[k] for k in ROWS if k != "bool"})
family(
    "scatter_add.out", lambda t, x, i, v: t.scatter_add(x, 0, i, v, out=t.empty(0, dtype=x.dtype)), SHORT, grad=False
)
BIG = {
    "c": (arr(3, 4), ints(2, 4, hi=3), arr(3, 5)),
    "s": (arr(3, 4, layout="s"), ints(3, 2, hi=3), arr(3, 4, layout="s")),
}
family(
    "scatter.bigger", lambda t, x, i, v: (x.scatter_add(0, i, v), x.scatter_reduce(0, i, v, "amax")), BIG, grad=False
)
for reduce in ("sum", "prod", "mean", "amax", "amin", "median"):
    for tag, own in (("", True), (".alone", False)):
        # products of NaN and infinity have no defined gradient
        family(
            f"scatter_reduce.{reduce}{tag}",
            lambda t, x, i, v, r=reduce, o=own: x.scatter_reduce(0, i, v, r, include_self=o),
            {k: v for k, v in ROWS.items() if k != "special"},
        )
        family(
            f"scatter_reduce.{reduce}{tag}.nan",
            lambda t, x, i, v, r=reduce, o=own: t.scatter_reduce(x, 0, i, v, reduce=r, include_self=o),
            {"special": ROWS["special"]},
            grad=False,
        )
    family(f"scatter_reduce_.{reduce}", lambda t, x, i, v, r=reduce: (x * 1).scatter_reduce_(0, i, v, r), SHORT)
family("scatter_reduce.zeros", lambda t, x, i, v: x.scatter_reduce(0, i, v, "prod"), {
    "one": (arr(3), const([0, 0, 1, 2], I64), const([0.0, 2, 3, 0])),
    "two": (const([2.0, 0, 1]), const([0, 0, 1, 2], I64), const([2.0, 2, 3, 0])),
})  # fmt: skip

# ---- slices named by an index: x, index, source ---------------------------------------------------------------------
SLICES = {
    "c": (arr(4, 3), ints(5, hi=4), arr(5, 3)), "t": (arr(4, 3, layout="t"), ints(2, hi=4), arr(2, 3, layout="t")),
    "s": (arr(4, 3, layout="s"), ints(3, hi=4), arr(3, 3, layout="s")), "3d": (arr(4, 2, 3), ints(3, hi=4), arr(3, 2, 3)),
    "i64": (arr(4, 3, dtype=I64), ints(2, hi=4), arr(2, 3, dtype=I64)), "1d": (arr(4), ints(6, hi=4), arr(6)),
    "f32": (arr(4, 3, dtype=F32), ints(2, hi=4), arr(2, 3, dtype=F32)), "0dindex": (arr(4, 3), ints(hi=4), arr(1, 3)),
    "bool": (arr(4, 3, dtype=BOOL), ints(2, hi=4), arr(2, 3, dtype=BOOL)), "0d": (arr(), ints(hi=1), arr()),
    "0d1": (arr(), ints(1, hi=1), arr(1)), "1d0": (arr(3), ints(1, hi=3), arr()), "none": (arr(4, 3), ints(0), arr(0, 3)),
    "out": (arr(4, 3), ints(2, lo=4, hi=9), arr(2, 3)), "negative": (arr(4, 3), const([-1, 0], I64), arr(2, 3)),
    "count": (arr(4, 3), ints(3, hi=4), arr(2, 3)), "shape": (arr(4, 3), ints(2, hi=4), arr(2, 2)),
    "2d": (arr(4, 3), ints(1, 2, hi=4), arr(2, 3)), "mixed": (arr(4, 3), ints(2, hi=4), arr(2, 3, dtype=F32)),
    "floatindex": (arr(4, 3), arr(2), arr(2, 3)), "rank": (arr(4, 3), ints(1, hi=4), arr(3)),
    "empty": (arr(0, 3), ints(0), arr(0, 3)),
}  # fmt: skip
family("index_select0", lambda t, x, i, v: (t.index_select(x, 0, i), x.index_select(-1, i * 0)), SLICES)
family("index_select.int32", lambda t, x, i, v: x.index_select(0, i.int()), SLICES)
family(
    "index_select.out", lambda t, x, i, v: t.index_select(x, 0, i, out=t.empty(0, dtype=x.dtype)), SLICES, grad=False
)
family("index_select.dim", lambda t, x, i, v: x.index_select(4, i), SLICES)
family("index_add", lambda t, x, i, v: t.index_add(x, 0, i, v), SLICES)
family(
    "index_add.alpha",
    lambda t, x, i, v: x.index_add(0, i, v, alpha=2),
    {k: v for k, v in SLICES.items() if k != "bool"},
)
family(
    "index_add.dim1", lambda t, x, i, v: x.transpose(0, 1).index_add(1, i.int(), v.transpose(0, 1)), {"c": SLICES["c"]}
)
family(
    "index_add_", lambda t, x, i, v: (x * 1).index_add_(0, i, v), {k: SLICES[k] for k in ("c", "t", "i64", "out", "0d")}
)
family("index_copy", lambda t, x, i, v: t.index_copy(x, 0, i, v), {
    **{k: v for k, v in SLICES.items() if k not in ("c", "t", "s", "3d", "i64", "1d", "f32", "bool")},
    "c": (arr(4, 3), unique(4, 3), arr(3, 3)), "t": (arr(4, 3, layout="t"), unique(4, 2), arr(2, 3, layout="t")),
    "i64": (arr(4, 3, dtype=I64), unique(4, 2), arr(2, 3, dtype=I64)), "1d": (arr(4), unique(4, 4), arr(4)),
})  # fmt: skip
family("index_copy_", lambda t, x, i, v: (x * 1).index_copy_(1, i, v), {"c": (arr(3, 4), unique(4, 2), arr(3, 2))})
for tag, value in {"int": 3, "float": 2.5, "bool": True, "nan": float("nan")}.items():
    family(
        f"index_fill.{tag}",
        lambda t, x, i, v, f=value: x.index_fill(0, i, f),
        {k: v for k, v in SLICES.items() if tag != "nan" or k not in ("i64", "bool")},
    )
family(
    "index_fill.tensor", lambda t, x, i, v: t.index_fill(x, 0, i, v.sum()), {k: SLICES[k] for k in ("c", "i64", "0d")}
)
family("index_fill.vector", lambda t, x, i, v: x.index_fill(0, i, v[0]), {"c": SLICES["c"]})
family("index_fill_", lambda t, x, i, v: (x * 1).index_fill_(-1, i * 0, 2), {k: SLICES[k] for k in ("c", "t", "i64")})
for reduce in ("prod", "mean", "amax", "amin", "sum"):
    for own in (True, False):
        family(
            f"index_reduce.{reduce}.{own}",
            lambda t, x, i, v, r=reduce, o=own: x.index_reduce(0, i, v, r, include_self=o),
            {k: v for k, v in SLICES.items() if k != "bool" or reduce != "mean"},
        )
PUT = {"c": (arr(4, 3), ints(2, hi=4), arr(3)), "f32": (arr(4, 3, dtype=F32), ints(2, hi=4), arr(3, dtype=F32)),
       "i64": (arr(4, 3, dtype=I64), ints(2, hi=4), arr(3, dtype=I64)), "mixed": (arr(4, 3), ints(2, hi=4), arr(3, dtype=F32)),
       "out": (arr(4, 3), ints(2, lo=4, hi=9), arr(3)), "shape": (arr(4, 3), ints(2, hi=4), arr(4)),
       "neg": (arr(4, 3), const([-1, 0], I64), arr(3)), "0d": (arr(4, 3), ints(hi=4), arr(3))}  # fmt: skip
INDICES = {
    "rows": lambda t, x, i: (i,),
    "list": lambda t, x, i: [i.int()],
    "both": lambda t, x, i: (i, i % 3),
    "mask": lambda t, x, i: (x.detach() > 0,),
    "rowmask": lambda t, x, i: (t.tensor([True, False, False, True]),),
    "badmask": lambda t, x, i: (t.tensor([True, False, False]),),
    "many": lambda t, x, i: (i, i, i),
    "none": lambda t, x, i: (None, i),
    "tensor": lambda t, x, i: i,
    "float": lambda t, x, i: (i * 1.0,),
}
for name, index in INDICES.items():
    value = (lambda v: v) if name in ("rows", "list", "rowmask", "badmask") else (lambda v: v[0])
    family(f"index_put.{name}", lambda t, x, i, v, f=index, g=value: x.index_put(f(t, x, i), g(v)), PUT)
    family(f"index_put.acc.{name}", lambda t, x, i, v, f=index, g=value: t.index_put(x, f(t, x, i), g(v), True), PUT)
    family(f"index_put_.{name}", lambda t, x, i, v, f=index, g=value: (x * 1).index_put_(f(t, x, i), g(v), True), PUT)

# ---- masks ------------------------------------------------------------------------------------------------------------
MASK = {
    "c": (arr(3, 4), arr(3, 4, dtype=BOOL), arr(20)), "t": (arr(3, 4, layout="t"), arr(3, 4, dtype=BOOL), arr(4, 5)),
    "s": (arr(3, 4, layout="s"), arr(3, 4, dtype=BOOL, layout="s"), arr(20)), "row": (arr(3, 4), arr(4, dtype=BOOL), arr(20)),
    "wider": (arr(4), arr(3, 4, dtype=BOOL), arr(20)), "0d": (arr(), arr(dtype=BOOL), arr(20)),
    "0dmask": (arr(3, 4), arr(dtype=BOOL), arr(20)), "i64": (arr(3, 4, dtype=I64), arr(3, 4, dtype=BOOL), arr(20, dtype=I64)),
    "f32": (arr(3, 4, dtype=F32), arr(3, 1, dtype=BOOL), arr(20, dtype=F32)), "empty": (arr(0, 4), arr(0, 4, dtype=BOOL), arr(3)),
    "bool": (arr(3, 4, dtype=BOOL), arr(3, 4, dtype=BOOL), arr(20, dtype=BOOL)), "few": (arr(3, 4), const([[True] * 4], BOOL), arr(2)),
    "shape": (arr(3, 4), arr(3, dtype=BOOL), arr(20)), "intmask": (arr(3, 4), ints(3, 4), arr(20)),
    "mixed": (arr(3, 4), arr(3, 4, dtype=BOOL), arr(20, dtype=F32)),
}  # fmt: skip
for tag, value in {"int": 3, "float": 2.5, "bool": True, "nan": float("nan"), "complex": 1j}.items():
    family(
        f"masked_fill.{tag}",
        lambda t, x, m, v, f=value: x.masked_fill(m, f),
        {k: v for k, v in MASK.items() if tag != "nan" or k not in ("i64", "bool")},
    )
family("masked_fill.tensor", lambda t, x, m, v: t.masked_fill(x, m, v.max()), MASK)
family("masked_fill.vector", lambda t, x, m, v: x.masked_fill(m, v), MASK)
family("masked_fill_", lambda t, x, m, v: (x.clone()).masked_fill_(m, 2), MASK)
family(
    "masked_fill_.tensor",
    lambda t, x, m, v: (x.clone()).masked_fill_(m, v.sum()),
    {k: MASK[k] for k in ("c", "t", "f32")},
)
family("masked_select", lambda t, x, m, v: (x.masked_select(m), t.masked_select(x, m)), MASK)
family("masked_scatter", lambda t, x, m, v: t.masked_scatter(x, m, v), MASK)
family("masked_scatter_", lambda t, x, m, v: (x.clone()).masked_scatter_(m, v), MASK)
family("masked_select.out", lambda t, x, m, v: t.masked_select(x, m, out=t.empty(0, dtype=x.dtype)), MASK, grad=False)
family("where.one", lambda t, x, m, v: (t.where(m), t.where(x)), MASK, grad=False)
family("where.byte", lambda t, x, m, v: t.where(m.to(t.uint8), x, x * 2), {"c": MASK["c"]})

# ---- the flat tensor --------------------------------------------------------------------------------------------------
FLAT = {
    "c": (arr(3, 4), ints(5, lo=-12, hi=12), arr(5)), "t": (arr(3, 4, layout="t"), ints(2, 3, hi=12), arr(6)),
    "s": (arr(3, 4, layout="s"), ints(6, hi=12), arr(2, 3)), "0d": (arr(), ints(3, hi=1), arr(3)), "0dindex": (arr(5), ints(hi=5), arr()),
    "i64": (arr(3, 4, dtype=I64), ints(3, hi=12), arr(3, dtype=I64)), "f32": (arr(3, 4, dtype=F32), ints(3, hi=12), arr(3, dtype=F32)),
    "none": (arr(3, 4), ints(0), arr(0)), "empty": (arr(0, 4), ints(2), arr(2)), "emptynone": (arr(0), ints(0), arr(0)),
    "out": (arr(3, 4), ints(2, lo=12, hi=20), arr(2)), "low": (arr(3, 4), ints(2, lo=-20, hi=-12), arr(2)),
    "floatindex": (arr(3, 4), arr(2), arr(2)), "count": (arr(3, 4), ints(2, hi=12), arr(3)),
    "mixed": (arr(3, 4), ints(2, hi=12), arr(2, dtype=F32)),
}  # fmt: skip
ONCE = {**{k: v for k, v in FLAT.items() if k not in ("c", "t", "s", "0d", "i64", "f32")},
        "c": (arr(3, 4), unique(12, 5), arr(5)), "t": (arr(3, 4, layout="t"), unique(12, 6), arr(2, 3)),
        "i64": (arr(3, 4, dtype=I64), unique(12, 3), arr(3, dtype=I64))}  # fmt: skip
family("take", lambda t, x, i, v: (t.take(x, i), x.take(i)), FLAT)
family("take.int32", lambda t, x, i, v: x.take(i.int()), {"c": FLAT["c"]})
family("put", lambda t, x, i, v: t.Tensor.put(x, i, v), ONCE)
family("put.acc", lambda t, x, i, v: x.put(i, v, accumulate=True), FLAT)
family("put_", lambda t, x, i, v: (x * 1).put_(i, v), ONCE)
family("put_.acc", lambda t, x, i, v: (x * 1).put_(i, v, True), FLAT)
ALONG = {"c": (arr(3, 4), ints(3, 2)), "broadcast": (arr(3, 4), ints(1, 2)), "wider": (arr(1, 4), ints(3, 2)),
         "neg": (arr(3, 4), ints(3, 2, lo=-4)), "i64": (arr(3, 4, dtype=I64), ints(3, 1)), "bad": (arr(3, 4), ints(2, 4)),
         "rank": (arr(3, 4), ints(2)), "float": (arr(3, 4), arr(3, 4)), "0d": (arr(), ints(hi=1)), "1d": (arr(4), ints(6))}  # fmt: skip
family("take_along_dim", lambda t, x, i: t.take_along_dim(x, i, -1), ALONG)
family("take_along_dim.flat", lambda t, x, i: x.take_along_dim(i), ALONG)
family("take_along_dim.argsort", lambda t, x, i: x.take_along_dim(x.argsort(0), 0), {"c": ALONG["c"]})
family("unravel_index", lambda t, i: (t.unravel_index(i, (3, 4)), t.unravel_index(i, 5)), {
    "c": (ints(3, 2, hi=12),), "0d": (ints(hi=12),), "float": (arr(2),), "empty": (ints(0),)})  # fmt: skip
family("unravel_index.bad", lambda t, i: t.unravel_index(i, (3, -4)), {"": (ints(2),)})
ANY = {k: (v,) for k, v in {
    "c": arr(3, 4, lo=-1, hi=1), "i64": arr(3, 4, dtype=I64), "bool": arr(3, 4, dtype=BOOL), "0d": arr(), "special": const(SPECIAL),
    "empty": arr(0, 3), "t": arr(3, 4, dtype=I64, layout="t"), "zero": const(0.0), "3d": arr(2, 3, 2, dtype=BOOL)}.items()}  # fmt: skip
family("nonzero", lambda t, x: (t.nonzero(x), x.nonzero(as_tuple=True), t.argwhere(x), x.argwhere()), ANY, grad=False)

# ---- order ------------------------------------------------------------------------------------------------------------
ORDER = {
    "c": (arr(3, 4),), "t": (arr(3, 4, layout="t"),), "s": (arr(3, 4, layout="s"),), "i64": (arr(5, 6, dtype=I64),),
    "bool": (arr(3, 6, dtype=BOOL),), "nan": (const(NAN),), "nan2": (const([NAN, NAN[::-1]]),), "f32": (arr(3, 5, dtype=F32),),
    "0d": (arr(),), "empty": (arr(0, 3),), "ties": (const([1.0, 2, 1, 2, 1, 0, -0.0]),), "3d": (arr(2, 3, 4),),
}  # fmt: skip
NO_TIES = {k: v for k, v in ORDER.items() if k not in ("i64", "nan", "nan2", "ties", "bool", "empty")}
for name, options in {"": {}, ".desc": {"descending": True}, ".0": {"dim": 0}, ".stable": {"stable": True, "dim": 0},
                      ".9": {"dim": 9}}.items():  # fmt: skip
    family(f"sort{name}", lambda t, x, o=options: tuple(t.sort(x, **o)), ORDER)
    family(f"argsort{name}", lambda t, x, o=options: (t.argsort(x, **o), x.detach().argsort(**o)), ORDER, grad=False)
family("sort.positional", lambda t, x: (*x.sort(0, True), *x.sort(-1).indices), {"c": ORDER["c"]})
family("sort.out", lambda t, x: tuple(t.sort(x, out=(t.empty(0, dtype=x.dtype), t.empty(0, dtype=t.int64)))),
       {"i64": ORDER["i64"]})  # fmt: skip
family("sort.half", lambda t, x: tuple(x.to(t.float16).sort()) + tuple(x.to(t.uint8).sort(descending=True)),
       {"i64": (ints(7, hi=9),)})  # fmt: skip
family("msort", lambda t, x: (t.msort(x), x.msort()), ORDER)
for k in (0, 1, 3, 7, -1):
    family(
        f"topk.{k}", lambda t, x, k=k: (*x.topk(k), *t.topk(x, k, largest=False)), {**NO_TIES, "bool": ORDER["bool"]}
    )
    family(f"topk.{k}.values", lambda t, x, k=k: (x.topk(k, 0).values, x.topk(k, 0, False)[0]), {
        "nan": ORDER["nan"], "ties": ORDER["ties"], "i64": ORDER["i64"]}, grad=False)  # fmt: skip
    family(f"kthvalue.{k}", lambda t, x, k=k: (*x.kthvalue(k), *t.kthvalue(x, k, 0, keepdim=True)),
           {**NO_TIES, "empty": ORDER["empty"], "bool": ORDER["bool"]})  # fmt: skip
    family(
        f"kthvalue.{k}.values",
        lambda t, x, k=k: x.kthvalue(k).values,
        {"nan": ORDER["nan"], "i64": ORDER["i64"]},
        grad=False,
    )

# ---- searches ---------------------------------------------------------------------------------------------------------
LINE = const([-1.0, 0, 0, 1, 2])
SEARCH = {
    "c": (LINE, arr(3, 4)), "f32": (const([-1, 0, 1], F32), arr(5, dtype=F32)), "i64": (const([-3, 0, 0, 2], I64), arr(5, dtype=I64)),
    "mixed": (LINE, arr(3, 4, dtype=I64)), "mixed2": (const([-3, 0, 2], I64), arr(4)), "nan": (LINE, const(NAN)),
    "nanline": (const([0.0, 1, float("nan")]), const(NAN)), "0d": (LINE, arr()), "empty": (LINE, arr(0, 2)),
    "noline": (arr(0), arr(3)), "bool": (const([False, True], BOOL), arr(3, dtype=BOOL)), "t": (LINE, arr(3, 4, layout="t")),
    "rows": (const([[0.0, 1, 2], [-1, -1, 1]]), arr(2, 5)), "badrows": (const([[0.0, 1, 2], [-1, -1, 1]]), arr(3, 5)),
    "rank": (const([[0.0, 1, 2], [-1, -1, 1]]), arr(5)), "0dline": (arr(), arr(2)),
    "nanrows": (const([[0.0, 1, float("nan")], [-1, -1, 1]]), const([NAN, NAN])),
}  # fmt: skip
for name, options in {"": {}, ".right": {"right": True}, ".side": {"side": "right"}, ".left": {"side": "left"},
                      ".both": {"side": "left", "right": True}, ".bad": {"side": "up"}, ".int32": {"out_int32": True}}.items():  # fmt: skip
    family(f"searchsorted{name}", lambda t, b, v, o=options: t.searchsorted(b, v, **o), SEARCH, grad=False)
    if "side" not in options:
        family(f"bucketize{name}", lambda t, b, v, o=options: t.bucketize(v, b, **o), SEARCH, grad=False)
family(
    "searchsorted.number",
    lambda t, b, v: (t.searchsorted(b, 0), t.searchsorted(b, 0.5), t.bucketize(1, b)),
    SEARCH,
    grad=False,
)
for tag, sorter in {"": [1, 2, 0], "short": [1, 2], "float": [1.0, 2, 0], "out": [1, 2, 7]}.items():
    family(f"searchsorted.sorter{tag}", lambda t, b, v, s=sorter: t.searchsorted(b, v, sorter=t.tensor(s)),
           {"": (const([3.0, 1, 2]), arr(4, hi=4))}, grad=False)  # fmt: skip
IN = {"c": (const([[1.0, 2], [3, 4]]), const([2.0, 3])), "i64": (arr(4, 5, dtype=I64), const([1, 2], I64)),
      "mixed": (arr(4, dtype=I64), const([1.0, 2.5])), "nan": (const(NAN), const(NAN)), "empty": (arr(0), arr(2)),
      "none": (arr(3), arr(0)), "0d": (arr(), arr(2, 2)), "many": (arr(6, dtype=I64), arr(40, dtype=I64)),
      "bool": (arr(3, dtype=BOOL), arr(2, dtype=BOOL))}  # fmt: skip
family("isin", lambda t, x, v: (t.isin(x, v), t.isin(x, v, invert=True)), IN, grad=False)
family("isin.number", lambda t, x, v: (t.isin(x, 1), t.isin(2, v)), IN, grad=False)
family("isin.unique", lambda t, x, v: t.isin(x, v, assume_unique=True), {"c": IN["c"]}, grad=False)
