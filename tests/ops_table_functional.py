"""Samples of the rest of nn.functional and of methods."""

import numpy as np
from ops_table import BOOL, F32, I64, add, arr, const, family, ints
from ops_table_functions import FEW, PLANE, pick
from ops_table_signals import positive

# ---- the rest of nn.functional --------------------------------------------------------------------------------------------
for op in ("relu", "sigmoid", "tanh"):
    family(f"fn.F.{op}", lambda t, x, op=op: getattr(t.nn.functional, op)(x), FEW)
family("fn.F.relu.inplace", lambda t, x: t.nn.functional.relu(x.clone(), inplace=True), FEW)
family("fn.F.rrelu_", lambda t, x: t.nn.functional.rrelu_(x.clone(), 0.1, 0.3), pick(FEW, "c", "f32"))
family(
    "fn.F.one_hot",
    lambda t, x: [t.nn.functional.one_hot(x), t.nn.functional.one_hot(x, 6)],
    {"1d": (ints(5),), "2d": (ints(2, 3),), "0d": (const(2, I64),), "negative": (const([-1, 2], I64),),
     "large": (const([7], I64),), "empty": (const([], I64),), "f64": (arr(3),)},
    grad=False,
)  # fmt: skip
for n, shape in ((2, (2, 3, 6, 6)), (3, (2, 2, 4, 4, 4))):
    family(
        f"fn.F.max_unpool{n}d",
        lambda t, x, n=n: getattr(t.nn.functional, f"max_unpool{n}d")(
            *getattr(t.nn.functional, f"max_pool{n}d")(x, 2, return_indices=True), 2
        ),
        {"c": (arr(*shape),), "f32": (arr(*shape, dtype=F32),), "single": (arr(*shape[1:]),)},
    )
IMAGES = {
    "c": (arr(2, 3, 4, 5),),
    "f32": (arr(1, 2, 3, 3, dtype=F32),),
    "i64": (arr(1, 2, 3, 3, dtype=I64),),
    "2d": (arr(3, 3),),
}
for op, kw in (
    ("upsample", {"scale_factor": 2}),
    ("upsample", {"size": (5, 7), "mode": "bilinear"}),
    ("upsample_nearest", {"size": (5, 7)}),
    ("upsample_bilinear", {"scale_factor": 2}),
    ("upsample", {}),
):
    family(f"fn.F.{op}.{'.'.join(kw)}", lambda t, x, op=op, kw=kw: getattr(t.nn.functional, op)(x, **kw), IMAGES)


def attention(t, q, w, b, v, c, **kw):
    return t.nn.functional.multi_head_attention_forward(q, q, q, 4, 2, w, b, None, None, False, 0.0, v, c, **kw)


HEADS = {"c": (arr(3, 2, 4), arr(12, 4), arr(12), arr(4, 4), arr(4)), "single": (arr(3, 4), arr(12, 4), arr(12), arr(4, 4), arr(4)),
         "bad": (arr(3, 2, 6), arr(12, 4), arr(12), arr(4, 4), arr(4))}  # fmt: skip
family("fn.F.multi_head_attention_forward", attention, HEADS)
family("fn.F.multi_head_attention_forward.heads", lambda t, *xs: attention(t, *xs, average_attn_weights=False), HEADS)
family(
    "fn.F.multi_head_attention_forward.mask",
    lambda t, q, *xs: attention(t, q, *xs, attn_mask=t.ones(3, 3).triu(1).bool().to(q.device), need_weights=False),
    HEADS,
)
for tag, offs, makers in (
    ("3d3d", None, (arr(2, 3, 8, dtype=F32), arr(2, 8, 4, dtype=F32))),
    ("2d3d", [1, 4], (arr(4, 8, dtype=F32), arr(2, 8, 4, dtype=F32))),
    ("3d2d", [4, 8], (arr(2, 3, 8, dtype=F32), arr(8, 8, dtype=F32))),
    ("2d2d", [4, 8], (arr(3, 8, dtype=F32), arr(8, 4, dtype=F32))),
    ("f64", None, (arr(2, 3, 8), arr(2, 8, 4))),
    ("offs", None, (arr(4, 8, dtype=F32), arr(2, 8, 4, dtype=F32))),
    ("batch", None, (arr(3, 4, 8, dtype=F32), arr(2, 8, 4, dtype=F32))),
):
    add(
        f"fn.F.grouped_mm.{tag}",
        lambda t, a, b, offs=offs: t.nn.functional.grouped_mm(
            a, b, offs=None if offs is None else t.tensor(offs, dtype=t.int32, device=a.device)
        ),
        *makers,
    )
add(
    "fn.F.grouped_mm.grad",
    lambda t, a, b: t.nn.functional.grouped_mm(
        a.float(), b.float(), offs=t.tensor([1, 4], dtype=t.int32, device=a.device)
    ),
    arr(4, 8),
    arr(2, 8, 4),
)
add("fn.cond", lambda t, x: [t.cond(p, t.sin, t.cos, (x,)) for p in (True, x[0] > 9)], arr(3))
add("fn.cond.many", lambda t, x: t.cond(x > 0, t.sin, t.cos, (x,)), arr(3), grad=False)
add("fn.isin.element", lambda t, x: t.isin(1, x, out=t.empty(0, dtype=t.bool)), arr(3), grad=False)
add("fn.lobpcg.grad", lambda t, a: t.lobpcg(a @ a.mT, 1, niter=300, tol=1e-13)[0], arr(9, 9))

# ---- methods ---------------------------------------------------------------------------------------------------------------
family("Tensor.cholesky_solve", lambda t, x, b: b.cholesky_solve(x), {"c": (positive(3, 3), arr(3, 2))})
family("Tensor.flipud", lambda t, x: x.flipud(), PLANE)
family("Tensor.hash_tensor", lambda t, x: x.hash_tensor().view(t.int64), PLANE, grad=False)
family("Tensor.narrow_copy", lambda t, x: x.narrow_copy(1, 1, 2), PLANE)
family("Tensor.nonzero_static", lambda t, x: x.nonzero_static(size=3), PLANE, grad=False)
for op in ("quantile", "nanquantile"):
    family(f"Tensor.{op}", lambda t, x, op=op: getattr(x, op)(0.3, dim=0, keepdim=True), pick(PLANE, "c", "t", "i64"))
family(
    "Tensor.index_copy",
    lambda t, x, s, i: x.index_copy(0, i, s),
    {"c": (arr(4, 3), arr(2, 3), const([0, 2], I64)), "bad": (arr(4, 3), arr(2, 2), const([0, 2], I64))},
)

family(
    "fn.dropout.all",
    lambda t, x: [t.dropout(x, 1.0, True), t.feature_dropout(x, 1.0, True)],
    {"i64": (arr(2, 3, dtype=I64),), "bool": (arr(2, 3, dtype=BOOL),)},
)
family(
    "fn.threshold.wraps",
    lambda t, x: [t.threshold(x, 3, -2), t.threshold(x, -1, 20), t.threshold(x, 0.5, 2.5)],
    {"u8": (const([1, 3, 4, 255], np.uint8),), "i64": (arr(5, dtype=I64),), "i8": (const([-3, 4], np.int8),)},
)
family(
    "fn.unravel_index",
    lambda t, x: t.unravel_index(x, (3, 4)),
    {"i32": (const([1, 7], np.int32),), "i64": (ints(2, 3, hi=12),)},
)
