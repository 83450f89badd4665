"""Samples of the functions of torch.* that no other family's table calls by that name."""

import numpy as np
from ops_table import BINARY, BOOL, F32, I64, UNARY, add, arr, const, cplx, family, ints


def pick(table, *names):
    return {k: table[k] for k in names}


def text(x):
    """A dtype, a device or a flag as something that both sides spell alike."""
    return str(x)


SOME = pick(UNARY, "c", "t", "s", "0d", "empty", "f32", "i64", "bool")
FEW = pick(UNARY, "c", "f32", "i64", "bool")
PAIRS = pick(BINARY, "c", "t", "broadcast", "0d", "empty", "f32", "i64", "bool", "badshape")

# ---- in-place functions ------------------------------------------------------------------------------------------------
for op in (
    "abs acos acosh arccos arccosh arcsin arcsinh arctan arctanh asin asinh atan atanh ceil conj_physical cos cosh deg2rad "
    "erf erfc exp2 exp expm1 fix floor frac i0 log10 log1p log2 log neg negative rad2deg reciprocal relu rsqrt selu celu "
    "sigmoid sin sinc sinh sqrt square tan tanh trunc zero round nan_to_num logit"
).split():
    # PyTorch has no derivative of these in place
    known = op not in ("acosh", "arccosh", "asinh", "arcsinh", "atanh", "arctanh")
    family(f"fn.{op}_", lambda t, x, op=op: getattr(t, op + "_")(x.clone()), FEW, grad=known)
for op in ("gcd", "lcm"):
    family(
        f"fn.{op}_",
        lambda t, x, y, op=op: getattr(t, op + "_")(x.clone(), y),
        {**pick(BINARY, "i64", "c"), "bad": (arr(3, 4, dtype=I64), arr(3, dtype=I64))},
        grad=False,
    )
for op in ("ldexp", "xlogy"):
    family(f"fn.{op}_", lambda t, x, y, op=op: getattr(t, op + "_")(x.clone(), y), pick(BINARY, "c", "f32", "badshape"))
ONE = pick(UNARY, "c", "f32", "i64")
for name, fn in {
    "clamp_": lambda t, x: t.clamp_(x.clone(), -1, max=1),
    "clip_": lambda t, x: t.clip_(x.clone(), min=-1),
    "clamp_max_": lambda t, x: t.clamp_max_(x.clone(), 1),
    "clamp_min_": lambda t, x: t.clamp_min_(x.clone(), max(-1, 0)),
    "celu_.alpha": lambda t, x: t.celu_(x.clone(), alpha=0.5),
    "fill_": lambda t, x: t.fill_(x.clone(), 3),
    "fill_.tensor": lambda t, x: t.fill_(input=x.clone(), value=t.tensor(2)),
    "threshold_": lambda t, x: t.threshold_(x.clone(), 0, 2),
    "threshold.out": lambda t, x: t.threshold(x.detach(), 0.5, 2.0, out=t.empty_like(x)),
    "hardshrink.out": lambda t, x: t.hardshrink(x.detach(), 0.7, out=t.empty_like(x)),
    "hardshrink": lambda t, x: t.hardshrink(x, lambd=0.7),
    "celu": lambda t, x: t.celu(x, alpha=2.0),
    "selu": lambda t, x: t.selu(x),
    "rrelu": lambda t, x: t.rrelu(x, 0.1, 0.3),
    "rrelu_": lambda t, x: t.rrelu_(x.clone(), 0.1, 0.3, False),
    "round_.decimals": lambda t, x: t.round_(x.clone(), decimals=1),
    "as_strided_": lambda t, x: t.as_strided_(x.clone(), (2, 3), (1, 2), 1),
    "resize_as_": lambda t, x: t.resize_as_(x.detach().clone(), t.zeros(2, 2)),
    "detach": lambda t, x: t.detach(x),
    "detach_": lambda t, x: t.detach_(x.clone()),
    "softmax.dtype": lambda t, x: t.softmax(x, 0, dtype=t.float64),
    "softmax.out": lambda t, x: t.softmax(x.detach(), 0, out=t.empty_like(x)),
    "log_softmax.out": lambda t, x: t.log_softmax(x.detach(), 0, out=t.empty_like(x)),
}.items():
    family(f"fn.{name}", fn, ONE)
family(
    "fn.addmv_",
    lambda t, x, m, v: t.addmv_(x.clone(), m, v, beta=2, alpha=3),
    {"c": (arr(3), arr(3, 4), arr(4)), "bad": (arr(3), arr(3, 4), arr(3))},
)
family(
    "fn.index_put_",
    lambda t, x, v, i: t.index_put_(x.clone(), (i,), v, accumulate=True),
    {"c": (arr(5, 2), arr(3, 2), const([1, 1, 4], I64)), "far": (arr(5, 2), arr(3, 2), const([1, 1, 9], I64))},
)
family(
    "fn.embedding_renorm_",
    lambda t, w, i: t.embedding_renorm_(w.clone(), i, 1.0, 2.0),
    {"c": (arr(5, 3), const([0, 2, 2], I64)), "far": (arr(5, 3), const([0, 2, 7], I64))},
    grad=False,
)

# ---- aliases and plain functions ----------------------------------------------------------------------------------------
for op in ("absolute", "negative", "trunc"):
    family(f"fn.{op}", lambda t, x, op=op: getattr(t, op)(x), SOME)
    family(f"fn.{op}.out", lambda t, x, op=op: getattr(t, op)(x.detach(), out=t.empty(0, dtype=x.dtype)), FEW)
family("fn.bitwise_not", lambda t, x: t.bitwise_not(x), FEW, grad=False)
for op in ("bitwise_and", "bitwise_or", "bitwise_xor"):
    family(f"fn.{op}", lambda t, x, y, op=op: getattr(t, op)(x, y), pick(BINARY, "i64", "bool", "c"), grad=False)
    family(f"fn.{op}.number", lambda t, x, op=op: getattr(t, op)(x, 3), pick(UNARY, "i64", "bool"), grad=False)
for op in ("multiply", "subtract", "floor_divide"):
    makers = {k: v for k, v in PAIRS.items() if op != "floor_divide" or k in ("c", "t", "f32", "badshape")}
    family(f"fn.{op}", lambda t, x, y, op=op: getattr(t, op)(x, y), makers)
family("fn.subtract.alpha", lambda t, x, y: t.subtract(x, y, alpha=2), pick(BINARY, "c", "i64"))
family("fn.clip", lambda t, x: t.clip(x, -1, 1), FEW)
family("fn.prelu", lambda t, x, w: t.prelu(x, w), {"c": (arr(2, 3, 4), arr(3)), "one": (arr(4), arr(1))})
family("fn.special.i0", lambda t, x: t.special.i0(x), pick(UNARY, "c", "special", "f32", "i64"))
family(
    "fn.linalg.matmul",
    lambda t, x, y: t.linalg.matmul(x, y),
    {"c": (arr(2, 3), arr(3, 2)), "batch": (arr(2, 2, 3), arr(3, 2)), "bad": (arr(2, 3), arr(2, 3))},
)
family(
    "fn.corrcoef",
    lambda t, x: t.corrcoef(x),
    {"c": (arr(3, 5),), "1": (arr(5),), "c128": (cplx(2, 4),), "3d": (arr(2, 2, 2),), "f32": (arr(3, 5, dtype=F32),)},
)
family(
    "fn.matrix_power",
    lambda t, x: [t.matrix_power(x, n) for n in (0, 1, 3)],
    {"c": (arr(3, 3),), "batch": (arr(2, 2, 2),), "wide": (arr(2, 3),)},
)
family("fn.equal", lambda t, x, y: [t.equal(x, y), t.equal(x, x)], pick(BINARY, "c", "i64", "badshape"), grad=False)
family("fn.numel", lambda t, x: t.numel(x), SOME, grad=False)
for op in ("is_complex", "is_conj", "is_floating_point", "is_inference", "is_neg", "is_signed", "get_device"):
    family(
        f"fn.{op}",
        lambda t, x, op=op: getattr(t, op)(x.cpu()),
        {"f64": (arr(2),), "i64": (arr(2, dtype=I64),), "c128": (cplx(2),), "bool": (arr(2, dtype=BOOL),)},
        grad=False,
    )
family("fn.is_signed.u8", lambda t, x: t.is_signed(x), {"u8": (const([1], np.uint8),)}, grad=False)
family("fn.is_nonzero", lambda t, x: t.is_nonzero(x), {"1": (const(2.0),), "0": (const([0.0]),), "many": (arr(2),)})
family("fn.is_same_size", lambda t, x, y: t.is_same_size(x, y), pick(BINARY, "c", "badshape"), grad=False)
family("fn.resolve_conj", lambda t, x: t.resolve_conj(x.conj()), {"c128": (cplx(2, 3),), "f64": (arr(2),)})
family("fn.resolve_neg", lambda t, x: t.resolve_neg(x), {"c128": (cplx(2, 3),), "f64": (arr(2),)})
family(
    "fn.promotion",
    lambda t, x, y: [
        text(t.promote_types(x.dtype, y.dtype)),
        t.can_cast(x.dtype, y.dtype),
        t.can_cast(y.dtype, x.dtype),
        text(t.result_type(x, y)),
        text(t.result_type(x, 1.5)),
    ],
    pick(BINARY, "c", "f32", "i64", "bool", "f32f64", "i64f32", "boolf32"),
    grad=False,
)
family("fn.clone", lambda t, x: t.clone(x), SOME)

# ---- shapes --------------------------------------------------------------------------------------------------------------
CUBE = {"c": (arr(4, 6, 2),), "t": (arr(4, 6, 2, layout="t"),), "i64": (arr(4, 6, 2, dtype=I64),)}
HOLLOW = {"empty": (arr(0, 6, 2),)}
VIEWS = {
    "chunk": lambda t, x: t.chunk(x, 3, dim=1),
    "unsafe_chunk": lambda t, x: t.unsafe_chunk(x, 3, 1),
    "split": lambda t, x: t.split(x, 4, dim=1),
    "split.sizes": lambda t, x: t.split(x, [1, 2, 3], 1),
    "split.bad": lambda t, x: t.split(x, [1, 2], 1),
    "unsafe_split": lambda t, x: t.unsafe_split(x, 4, 1),
    "unbind": lambda t, x: t.unbind(x, -1),
    "select": lambda t, x: t.select(x, 1, 2),
    "select.far": lambda t, x: t.select(x, 1, 8),
    "permute": lambda t, x: t.permute(x, (2, 0, 1)),
    "permute.bad": lambda t, x: t.permute(x, (2, 0)),
    "movedim": lambda t, x: t.movedim(x, (0, 1), (2, 0)),
    "swapaxes": lambda t, x: t.swapaxes(x, axis0=0, axis1=2),
    "transpose": lambda t, x: t.transpose(x, 0, 1),
    "squeeze": lambda t, x: [t.squeeze(x[:1] if x.shape[0] else x), t.squeeze(x, 0), t.squeeze(x, (0, 1))],
    "t": lambda t, x: [t.t(x[:, :, 0]), t.t(x[0, :, 0]) if x.shape[0] else t.t(x[:, 0])],
    "t.bad": lambda t, x: t.t(x),
    "vsplit": lambda t, x: t.vsplit(x, 2),
    "vsplit.at": lambda t, x: t.vsplit(x, indices=(1, 3)),
    "dsplit": lambda t, x: t.dsplit(x, 2),
    "dsplit.bad": lambda t, x: t.dsplit(x, 3),
    "hsplit": lambda t, x: t.hsplit(x, sections=3),
}
for name, fn in VIEWS.items():
    family(f"fn.{name}", fn, CUBE, strides=True)
    family(f"fn.{name}", fn, HOLLOW)  # NumPy's strides of nothing differ from version to version
for name, fn in {
    "concat": lambda t, x: t.concat([x, x], 1),
    "concatenate": lambda t, x: t.concatenate((x, x), axis=1),
    "fliplr": lambda t, x: t.fliplr(x),
    "flipud": lambda t, x: t.flipud(x),
    "constant_pad_nd": lambda t, x: t.constant_pad_nd(x, (1, 2, -1, 0), 3),
    "diagonal_scatter": lambda t, x: t.diagonal_scatter(x, t.ones_like(x.diagonal()), 0, 0, 1),
    "select_scatter": lambda t, x: t.select_scatter(x, t.zeros_like(x[:, 0]), 1, 0),
    "select_scatter.bad": lambda t, x: t.select_scatter(x, t.zeros_like(x[:, 0]), 1, 9),
    "alias_copy": lambda t, x: t.alias_copy(x),
    "detach_copy": lambda t, x: t.detach_copy(x),
    "diagonal_copy": lambda t, x: t.diagonal_copy(x, 1, 1, 2),
    "expand_copy": lambda t, x: t.expand_copy(x, (2, *x.shape)),
    "expand_copy.bad": lambda t, x: t.expand_copy(x, (7, 7, 7)),
    "narrow_copy": lambda t, x: t.narrow_copy(x, 1, 2, 3),
    "narrow_copy.bad": lambda t, x: t.narrow_copy(x, 1, 2, 30),
    "permute_copy": lambda t, x: t.permute_copy(x, (1, 2, 0)),
    "select_copy": lambda t, x: t.select_copy(x, 1, -1),
    "slice_copy": lambda t, x: [t.slice_copy(x, 1, 1, 5, 2), t.slice_copy(x, -1)],
    "slice_copy.step": lambda t, x: t.slice_copy(x, 1, 1, 5, 0),
    "split_copy": lambda t, x: t.split_copy(x, 4, 1),
    "split_with_sizes_copy": lambda t, x: t.split_with_sizes_copy(x, [2, 4], 1),
    "squeeze_copy": lambda t, x: [t.squeeze_copy(x[:, :1]), t.squeeze_copy(x[:, :1], 1), t.squeeze_copy(x, (0, 1))],
    "t_copy": lambda t, x: t.t_copy(x[:, 0]),
    "transpose_copy": lambda t, x: t.transpose_copy(x, 0, 2),
    "unbind_copy": lambda t, x: t.unbind_copy(x, 2),
    "unfold_copy": lambda t, x: t.unfold_copy(x, 1, 3, 2),
    "unsqueeze_copy": lambda t, x: t.unsqueeze_copy(x, 1),
    "view_copy": lambda t, x: t.view_copy(x.contiguous(), (-1, 12) if x.numel() else (0,)),
    "transpose_copy.out": lambda t, x: t.transpose_copy(x.detach(), 0, 1, out=t.empty(0, dtype=x.dtype)),
}.items():
    family(f"fn.{name}", fn, {**CUBE, **HOLLOW}, grad=name != "detach_copy")
family("fn.as_strided_copy", lambda t, x: t.as_strided_copy(x, (2, 3), (1, 2), 1), {"c": (arr(4, 4),)})
family("fn.view_copy.dtype", lambda t, x: t.view_copy(x, t.int64), {"c": (arr(4, 4),)}, grad=False)
family("fn.view_as_real_copy", lambda t, x: t.view_as_real_copy(x), {"c": (cplx(2, 3),), "real": (arr(2),)})
family(
    "fn.view_as_complex_copy",
    lambda t, x: t.view_as_complex_copy(x),
    {"c": (arr(3, 2),), "bad": (arr(3, 3),)},
    grad=False,
)
family(
    "fn.split_copy.out",
    lambda t, x: (lambda a, b: (t.split_copy(x.detach(), 2, out=[a, b]), a, b))(
        t.empty(2, 3).to(x.dtype), t.empty(2, 3).to(x.dtype)
    ),
    {"c": (arr(4, 3),)},
    grad=False,
)
family(
    "fn.index_reduce",
    lambda t, x, s, i: [t.index_reduce(x, 0, i, s, op) for op in ("amax", "amin", "prod", "mean")],
    {"c": (arr(4, 3), arr(3, 3), const([0, 2, 2], I64)), "bad": (arr(4, 3), arr(3, 2), const([0, 2, 2], I64))},
)
family(
    "fn.put",
    lambda t, x, s, i: [t.put(x, i, s), t.put(x, i, s, accumulate=True)],
    {"c": (arr(4, 3), arr(3), const([0, 7, -1], I64)), "far": (arr(4, 3), arr(3), const([0, 7, 20], I64))},
)

# ---- layers --------------------------------------------------------------------------------------------------------------
SEQ, IMAGE, VOLUME = (arr(2, 4, 9),), (arr(2, 4, 6, 6),), (arr(2, 2, 5, 5, 5),)
for name, fn, maker in (
    ("adaptive_avg_pool1d", lambda t, x: t.adaptive_avg_pool1d(x, 4), SEQ),
    ("adaptive_max_pool1d", lambda t, x: t.adaptive_max_pool1d(x, 4), SEQ),
    ("avg_pool1d", lambda t, x: t.avg_pool1d(x, 3, 2, 1, False, False), SEQ),
    ("avg_pool1d.stride", lambda t, x: t.avg_pool1d(x, 3, stride=()), SEQ),
    ("max_pool1d", lambda t, x: t.max_pool1d(x, 3, 2, 1), SEQ),
    ("max_pool1d.stride", lambda t, x: t.max_pool1d(x, 3, stride=()), SEQ),
    ("max_pool1d_with_indices", lambda t, x: t.max_pool1d_with_indices(x, 3, padding=1), SEQ),
    ("max_pool2d", lambda t, x: t.max_pool2d(x, (2, 3), ceil_mode=True), IMAGE),
    ("max_pool3d", lambda t, x: t.max_pool3d(x, 2, 1), VOLUME),
    ("group_norm", lambda t, x: t.group_norm(x, 2, None, None, 1e-3, False), SEQ),
    ("dropout", lambda t, x: [t.dropout(x, 0.5, False), t.dropout(x, 0.0, True), t.dropout(x, 1.0, train=True)], SEQ),
    ("alpha_dropout", lambda t, x: [t.alpha_dropout(x, 0.5, False), t.alpha_dropout(x, 0.0, True)], SEQ),
    ("feature_dropout", lambda t, x: [t.feature_dropout(x, 0.5, train=False), t.feature_dropout(x, 1.0, True)], SEQ),
    ("feature_alpha_dropout", lambda t, x: t.feature_alpha_dropout(x, 0.5, train=False), SEQ),
    ("dropout_", lambda t, x: t.dropout_(x.clone(), 1.0, True), SEQ),
    ("alpha_dropout_", lambda t, x: t.alpha_dropout_(x.clone(), 0.5, False), SEQ),
    ("feature_dropout_", lambda t, x: t.feature_dropout_(x.clone(), 1.0, True), SEQ),
    ("feature_alpha_dropout_", lambda t, x: t.feature_alpha_dropout_(x.clone(), 0.5, False), SEQ),
    ("dropout.p", lambda t, x: t.dropout(x, 2.0, True), SEQ),
):
    add(f"fn.{name}", fn, *maker)
for name, fn, makers in (
    ("conv1d", lambda t, x, w, b: t.conv1d(x, w, b, 2, 1), (*SEQ, arr(3, 4, 3), arr(3))),
    ("conv1d.same", lambda t, x, w, b: t.conv1d(x, w, b, padding="same"), (*SEQ, arr(3, 4, 3), arr(3))),
    ("conv2d", lambda t, x, w, b: t.conv2d(x, w, b, 1, (1, 0), 1, 2), (*IMAGE, arr(4, 2, 3, 3), arr(4))),
    ("conv3d", lambda t, x, w, b: t.conv3d(x, w, b, stride=2), (*VOLUME, arr(3, 2, 2, 2, 2), arr(3))),
    ("conv_tbc", lambda t, x, w, b: t.conv_tbc(x, w, b, 1), (arr(5, 2, 3), arr(3, 3, 4), arr(4))),
    (
        "convolution",
        lambda t, x, w, b: t.convolution(x, w, b, [2, 1], [1, 0], [1, 1], False, [0, 0], 1),
        (*IMAGE, arr(3, 4, 3, 3), arr(3)),
    ),
    (
        "convolution.transposed",
        lambda t, x, w, b: t.convolution(x, w, b, [2], [1], [1], True, [1], 1),
        (*SEQ, arr(4, 3, 3), arr(3)),
    ),
    (
        "batch_norm",
        lambda t, x, w, b: t.batch_norm(x, w, b, None, None, True, 0.1, 1e-5, False),
        (*SEQ, arr(4), arr(4)),
    ),
    (
        "batch_norm.running",
        lambda t, x, m, v: t.batch_norm(x, None, None, m, v, False, 0.1, 1e-5, False),
        (arr(2, 4, 9, dtype=F32), arr(4, dtype=F32), arr(4, lo=1.0, hi=2.0, dtype=F32)),
    ),
    (
        "instance_norm",
        lambda t, x, w, b: t.instance_norm(x, w, b, None, None, True, 0.1, 1e-5, False),
        (*SEQ, arr(4), arr(4)),
    ),
):
    add(f"fn.{name}", fn, *makers)
ROWS = {"c": (arr(6, 3), const([[1, 2], [5, 1]], I64)), "far": (arr(6, 3), const([1, 9], I64))}
family("fn.embedding", lambda t, w, i: [t.embedding(w, i), t.embedding(w, i, 1, True)], ROWS)
for mode in (0, 1, 2):
    for tag, kw in {"": {}, ".pad": {"padding_idx": 1, "include_last_offset": False}}.items():
        add(
            f"fn.embedding_bag.{mode}{tag}",
            lambda t, w, i, o, mode=mode, kw=kw: t.embedding_bag(
                w, i, o, scale_grad_by_freq=False, mode=mode, sparse=False, per_sample_weights=None,
                **{"include_last_offset": False, "padding_idx": None, **kw},
            ),
            arr(6, 3), const([1, 2, 3, 1, 5], I64), const([0, 2, 2], I64),
        )  # fmt: skip
for mode in (0, 1, 2):
    for edge in (0, 1, 2):
        for op in ("grid_sampler", "grid_sampler_2d"):
            add(
                f"fn.{op}.{mode}{edge}",
                lambda t, x, g, op=op, mode=mode, edge=edge: getattr(t, op)(x, g, mode, edge, mode == 1),
                arr(1, 2, 4, 5),
                arr(1, 3, 3, 2, lo=-1.3, hi=1.3),
            )
add("fn.grid_sampler_3d", lambda t, x, g: t.grid_sampler_3d(x, g, 0, 0, True), arr(1, 2, 3, 4, 3), arr(1, 2, 2, 2, 3))
add("fn.affine_grid_generator", lambda t, x: t.affine_grid_generator(x, [2, 1, 3, 4], False), arr(2, 2, 3))

# ---- losses --------------------------------------------------------------------------------------------------------------
UNIT = {"lo": 0.05, "hi": 0.95}
for reduction in (0, 1, 2):
    for name, fn, makers in (
        (
            "binary_cross_entropy_with_logits",
            lambda t, x, y, w, r: t.binary_cross_entropy_with_logits(x, y, None, w.to(x.dtype), r),
            (arr(3, 4), arr(3, 4, **UNIT), ints(4)),
        ),
        (
            "cosine_embedding_loss",
            lambda t, x, y, z, r: t.cosine_embedding_loss(x, y, z.sign(), 0.2, r),
            (arr(3, 4), arr(3, 4), arr(3)),
        ),
        (
            "hinge_embedding_loss",
            lambda t, x, y, r: t.hinge_embedding_loss(x, y.sign(), 0.9, r),
            (arr(3, 4), arr(3, 4)),
        ),
        ("kl_div", lambda t, x, y, r: t.kl_div(x, y, r), (arr(3, 4), arr(3, 4, **UNIT))),
        ("kl_div.log", lambda t, x, y, r: t.kl_div(x, y, r, log_target=True), (arr(3, 4), arr(3, 4))),
        (
            "margin_ranking_loss",
            lambda t, x, y, z, r: t.margin_ranking_loss(x, y, z.sign(), 0.3, r),
            (arr(5), arr(5), arr(5)),
        ),
        (
            "poisson_nll_loss",
            lambda t, x, y, r: t.poisson_nll_loss(x, y, True, True, 1e-8, r),
            (arr(3, 4), arr(3, 4, lo=0.0, hi=4.0)),
        ),
        (
            "triplet_margin_loss",
            lambda t, x, y, z, r: t.triplet_margin_loss(x, y, z, 1.0, 2, 1e-6, True, r),
            (arr(3, 4), arr(3, 4), arr(3, 4)),
        ),
        (
            "ctc_loss",
            lambda t, x, r: t.ctc_loss(x.log_softmax(2), t.tensor([[1, 2], [2, 2]]), [6, 5], [2, 1], 0, r, False),
            (arr(6, 2, 4),),
        ),
    ):
        add(f"fn.{name}.{reduction}", lambda t, *xs, fn=fn, r=reduction: fn(t, *xs, r), *makers)

# ---- differences, norms, segments, hashes -------------------------------------------------------------------------------
PLANE = {
    "c": (arr(4, 5),),
    "t": (arr(4, 5, layout="t"),),
    "i64": (arr(4, 5, dtype=I64),),
    "f32": (arr(4, 5, dtype=F32),),
}
for tag, kw in {
    "": {}, ".2": {"spacing": 2.0}, ".each": {"spacing": (1.0, 0.5)}, ".dim": {"dim": 1}, ".dims": {"dim": (1, 0)},
    ".edge": {"edge_order": 2}, ".edge2": {"edge_order": 2, "spacing": 0.5, "dim": -1}, ".order": {"edge_order": 3},
    ".far": {"dim": 5}, ".twice": {"dim": (0, 0)}, ".few": {"spacing": [1.0]},
}.items():  # fmt: skip
    family(f"fn.gradient{tag}", lambda t, x, kw=kw: t.gradient(x, **kw), PLANE)
for order in (1, 2):
    family(
        f"fn.gradient.points{order}",
        lambda t, x, c, order=order: t.gradient(x, spacing=[c], edge_order=order),
        {"c": (arr(5), const([0.0, 1, 3, 3.5, 7])), "bad": (arr(5), const([0.0, 1, 3, 4]))},
        grad=order == 1,
    )
family("fn.gradient.short", lambda t, x: t.gradient(x), {"1": (arr(1),), "u8": (const([1, 2, 3], np.uint8),)})
family(
    "fn.vander",
    lambda t, x: [t.vander(x), t.vander(x, 2, True), t.vander(x, N=5, increasing=True)],
    {"c": (arr(3),), "i64": (arr(3, dtype=I64),), "bool": (arr(3, dtype=BOOL),), "empty": (arr(0),), "2d": (arr(2, 2),),
     "c128": (cplx(3),), "f32": (arr(3, dtype=F32),)},
    grad=False,  # PyTorch's own backward fails: it writes into what it has saved
)  # fmt: skip
family("fn.vander.negative", lambda t, x: t.vander(x, -1), {"c": (arr(3),)})
MATRICES = {
    "c": (arr(3, 4),),
    "batch": (arr(2, 3, 4),),
    "c128": (cplx(3, 3),),
    "i64": (arr(3, 4, dtype=I64),),
    "1d": (arr(3),),
}
family("fn.frobenius_norm", lambda t, x: [t.frobenius_norm(x, -1), t.frobenius_norm(x, (0,), True)], MATRICES)
family("fn.frobenius_norm.out", lambda t, x: t.frobenius_norm(x.detach(), 0, out=t.empty(0).to(x.dtype)), PLANE)
family("fn.frobenius_norm.3", lambda t, x: t.frobenius_norm(x, (0, 1, 2)), {"c": (arr(2, 3, 4),)})
family("fn.nuclear_norm", lambda t, x: [t.nuclear_norm(x), t.nuclear_norm(x, True)], MATRICES)
family("fn.nuclear_norm.dim", lambda t, x: t.nuclear_norm(x, (-1, 0), keepdim=True), MATRICES)
for dim in (-1, 0, 1, 4):
    family(f"fn.norm_except_dim.{dim}", lambda t, x, dim=dim: t.norm_except_dim(x, 2, dim), {"c": (arr(3, 4, 2),)})
for tag, kw in {
    "": {},
    ".0": {"dim": 0},
    ".keep": {"dim": (0, 1), "keepdim": True},
    ".far": {"dim": 4},
    ".mode": {"mode": 1},
}.items():
    family(
        f"fn.hash_tensor{tag}",
        lambda t, x, kw=kw: t.hash_tensor(x, **kw).view(t.int64),
        {
            **PLANE,
            "bool": (arr(3, 3, dtype=BOOL),),
            "c128": (cplx(2, 2),),
            "empty": (arr(0, 3),),
            "u8": (const([[1, 9]], np.uint8),),
        },
        grad=False,
    )
for size in (0, 3, 40, -1):
    family(
        f"fn.nonzero_static.{size}",
        lambda t, x, size=size: t.nonzero_static(x > 0, size=size, fill_value=7),
        {"c": (arr(3, 4),), "0d": (const(1.0),), "empty": (arr(0, 2),)},
        grad=False,
    )
for op in ("sum", "mean", "prod", "max", "min", "amax"):
    for tag, kw in {"": {}, ".initial": {"initial": 3}}.items():
        family(
            f"fn.segment_reduce.{op}{tag}",
            lambda t, x, n, op=op, kw=kw: t.segment_reduce(x, op, lengths=n, **kw),
            {"c": (arr(6, 2), const([2, 0, 4], I64)), "1d": (arr(6), const([1, 2, 3], np.int32)), "f32": (arr(6, 2, dtype=F32), const([6], I64)),
             "sum": (arr(6, 2), const([2, 1], I64)), "negative": (arr(6, 2), const([-2, 8], I64)),
             "float": (arr(6, 2), const([2.0, 4.0], F32)), "i64": (arr(6, dtype=I64), const([6], I64))},
            grad=op != "prod" and not kw,
        )  # fmt: skip
family(
    "fn.segment_reduce.offsets",
    lambda t, x, n: t.segment_reduce(x, "sum", offsets=n),
    {"c": (arr(6, 2), const([0, 2, 2, 6], I64))},
    grad=False,
)
family(
    "fn.segment_reduce.axis",
    lambda t, x, n: t.segment_reduce(x, "max", lengths=n, axis=1),
    {"c": (arr(2, 3), const([[1, 2], [3, 0]], I64)), "bad": (arr(2, 3), const([1, 2], I64))},
    grad=False,
)
family("fn.segment_reduce.none", lambda t, x: t.segment_reduce(x, "sum"), {"c": (arr(4),)}, grad=False)
