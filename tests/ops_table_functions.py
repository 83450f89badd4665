"""Samples of the functions of torch.* that no other family's table calls by that name."""

import tempfile
from pathlib import Path

import numpy as np
from ops_table import BINARY, BOOL, C128, F32, F64, I64, UNARY, add, arr, const, cplx, family, ints


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

# ---- factors -------------------------------------------------------------------------------------------------------------


def symmetric(*shape, dtype=F64, hermitian=False, zero=False):
    def make(rng):
        a = rng.uniform(-2, 2, shape)
        if np.issubdtype(dtype, np.complexfloating):
            a = a + 1j * rng.uniform(-2, 2, shape)
        b = np.swapaxes(a, -1, -2)
        a = a + (b.conj() if hermitian else b)
        if zero:
            a[..., range(shape[-1]), range(shape[-1])] = 0  # only pivots of two rows will do
        return a.astype(dtype)

    return make


LDL = {"c": (symmetric(4, 4),), "batch": (symmetric(2, 3, 3),), "f32": (symmetric(5, 5, dtype=F32),), "zero": (symmetric(6, 6, zero=True),),
       "c128": (symmetric(4, 4, dtype=C128),), "1": (symmetric(1, 1),), "empty": (arr(0, 2, 2),), "wide": (arr(2, 3),),
       "i64": (arr(2, 2, dtype=I64),), "1d": (arr(2),), "singular": (const([[0.0, 0], [0, 0]]),)}  # fmt: skip
family("fn.linalg.ldl_factor", lambda t, x: t.linalg.ldl_factor(x), LDL, grad=False)
family("fn.linalg.ldl_factor_ex", lambda t, x: t.linalg.ldl_factor_ex(x), LDL, grad=False)
HERMITIAN = {
    "c128": (symmetric(5, 5, dtype=C128, hermitian=True),),
    "zero": (symmetric(6, 6, dtype=C128, hermitian=True, zero=True),),
}
family("fn.linalg.ldl_factor.hermitian", lambda t, x: t.linalg.ldl_factor(x, hermitian=True), HERMITIAN, grad=False)


def ldl_solve(t, x, b, **kw):
    return t.linalg.ldl_solve(*t.linalg.ldl_factor(x, **kw), b, **kw)


family(
    "fn.linalg.ldl_solve",
    ldl_solve,
    {"c": (symmetric(4, 4), arr(4, 2)), "zero": (symmetric(6, 6, zero=True), arr(6, 1)), "batch": (symmetric(2, 3, 3), arr(3, 2)),
     "f32": (symmetric(3, 3, dtype=F32), arr(3, 2, dtype=F32)), "mixed": (symmetric(3, 3), arr(3, 2, dtype=F32)),
     "bad": (symmetric(3, 3), arr(4, 2))},
    grad=False,
)  # fmt: skip
family(
    "fn.linalg.ldl_solve.hermitian",
    lambda t, x, b: ldl_solve(t, x, b, hermitian=True),
    {k: (v[0], cplx(*{"c128": (5, 2), "zero": (6, 2)}[k])) for k, v in HERMITIAN.items()},
    grad=False,
)
add("fn.linalg.ldl_solve.grad", lambda t, x, b: ldl_solve(t, x, b).sum(), symmetric(3, 3), arr(3, 2))


def product(u, s, v):
    return (u * s.unsqueeze(-2)) @ v.mH


add(
    "fn.svd_lowrank",
    lambda t, x, y: (lambda a: [product(*t.svd_lowrank(a, 3)), t.svd_lowrank(a, 3)[1]])(x @ y),
    arr(7, 3),
    arr(3, 5),
)
add("fn.svd_lowrank.M", lambda t, x, y: t.svd_lowrank(x, 4, 3, M=y)[1], arr(4, 6), arr(1, 6))
add("fn.pca_lowrank", lambda t, x: [product(*t.pca_lowrank(x)), t.pca_lowrank(x, 4, center=False)[1]], arr(7, 4))
add("fn.pca_lowrank.q", lambda t, x: t.pca_lowrank(x, 9), arr(7, 4))
add("fn.pca_lowrank.niter", lambda t, x: t.pca_lowrank(x, niter=-1), arr(7, 4))


def positive(*shape):
    return lambda rng: (lambda a: a @ np.swapaxes(a, -1, -2) + 0.1 * np.eye(shape[-1]))(rng.uniform(-2, 2, shape))


for largest in (True, False):
    add(
        f"fn.lobpcg.{largest}",
        lambda t, a, largest=largest: (lambda r: [r[0], (a @ r[1] - r[1] * r[0].unsqueeze(-2)).abs().amax() < 1e-5])(
            t.lobpcg(a, 2, largest=largest, niter=200, tol=1e-9)
        ),
        positive(9, 9),
        grad=False,
    )
add(
    "fn.lobpcg.B",
    lambda t, a, b: t.lobpcg(a, 1, B=b, niter=200, tol=1e-10)[0],
    positive(8, 8),
    positive(8, 8),
    grad=False,
)
add("fn.lobpcg.batch", lambda t, a: [y.shape for y in t.lobpcg(a, 1, niter=50)], positive(2, 6, 6), grad=False)
add("fn.lobpcg.small", lambda t, a: t.lobpcg(a, 2), positive(4, 4), grad=False)
add("fn.lobpcg.square", lambda t, a: t.lobpcg(a, 1), arr(4, 3), grad=False)


# ---- windows and short-time Fourier transforms ---------------------------------------------------------------------------
def near(t, window, n):
    """float16 is rounded at other places, so it is held against float32."""
    y = window(n, dtype=t.float16)
    return [text(y.dtype), (y.float() - window(n)).abs().max() < 4e-3]


for op, variants in {
    "hann_window": ({}, {"periodic": False}),
    "bartlett_window": ({}, {"periodic": False}),
    "blackman_window": ({}, {"periodic": False}),
    "hamming_window": ({}, {"periodic": False, "alpha": 0.5}, {"periodic": True, "alpha": 0.6, "beta": 0.3}),
    "kaiser_window": ({}, {"periodic": False, "beta": 5.0}),
}.items():
    for i, kw in enumerate(variants):
        for n in (-1, 0, 1, 2, 7, 8):
            add(f"fn.{op}.{i}.{n}", lambda t, op=op, kw=kw, n=n: getattr(t, op)(n, **kw))
    add(f"fn.{op}.f64", lambda t, op=op: getattr(t, op)(9, dtype=t.float64, requires_grad=True))
    add(f"fn.{op}.f16", lambda t, op=op: near(t, getattr(t, op), 9))
    add(f"fn.{op}.i64", lambda t, op=op: getattr(t, op)(9, dtype=t.int64))

SIGNAL = {
    "1d": (arr(40),),
    "2d": (arr(2, 33),),
    "f32": (arr(2, 40, dtype=F32),),
    "i64": (arr(40, dtype=I64),),
    "3d": (arr(1, 2, 40),),
}
for tag, kw in {
    "": {}, ".hop": {"hop_length": 3}, ".plain": {"center": False}, ".short": {"win_length": 6}, ".norm": {"normalized": True},
    ".two": {"onesided": False}, ".constant": {"pad_mode": "constant"}, ".align": {"center": False, "win_length": 6, "align_to_window": True},
    ".hop0": {"hop_length": 0}, ".win": {"win_length": 9}, ".aligned": {"align_to_window": True},
}.items():  # fmt: skip
    family(f"fn.stft{tag}", lambda t, x, kw=kw: t.stft(x, 8, return_complex=True, **kw), SIGNAL)
family("fn.stft.real", lambda t, x: t.stft(x, 8, return_complex=False), {"1d": SIGNAL["1d"]})
family("fn.stft.none", lambda t, x: t.stft(x, 8), {"1d": SIGNAL["1d"], "c128": (cplx(30),)})
family("fn.stft.complex", lambda t, x: t.stft(x, 8, 2, onesided=True), {"c128": (cplx(30),)})
family("fn.stft.large", lambda t, x: t.stft(x, 80, center=False, return_complex=True), {"1d": SIGNAL["1d"]})
family(
    "fn.stft.window",
    lambda t, x, w: t.stft(x, 8, 2, window=w, return_complex=True),
    {"8": (arr(30), arr(8)), "6": (arr(30), arr(6)), "2d": (arr(30), arr(2, 4))},
)
SPECTRUM = {"1": (cplx(5, 9),), "batch": (cplx(2, 5, 9),), "c64": (cplx(5, 9, dtype=np.complex64),), "real": (arr(5, 9),), "bad": (cplx(6, 9),),
            "empty": (cplx(0, 5, 9),), "4d": (cplx(1, 1, 5, 9),)}  # fmt: skip
for tag, kw in {
    "": {}, ".hop": {"hop_length": 3}, ".norm": {"normalized": True}, ".length": {"length": 10}, ".long": {"length": 90},
    ".open": {"center": False}, ".two": {"onesided": False}, ".hop0": {"hop_length": 0}, ".gap": {"win_length": 3},
}.items():  # fmt: skip
    family(f"fn.istft{tag}", lambda t, x, kw=kw: t.istft(x, 8, **kw), SPECTRUM)
family("fn.istft.complex", lambda t, x: t.istft(x, 8, return_complex=True), {"8": (cplx(8, 9),)})
family(
    "fn.istft.window",
    lambda t, x, w: t.istft(t.stft(x, 8, 2, 6, w, return_complex=True), 8, 2, 6, w, length=30),
    {"c": (arr(30), arr(6, lo=0.5, hi=1.0))},
)
family("Tensor.stft", lambda t, x: x.stft(8, return_complex=True), {"1d": SIGNAL["1d"]})
family("Tensor.istft", lambda t, x: x.istft(8), {"1": SPECTRUM["1"]})

# ---- control, files, capsules --------------------------------------------------------------------------------------------


def file_of(t, x, shared):
    """Write a file, map it, write through the map, read the file again."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "data.bin")
        Path(path).write_bytes(x.detach().numpy().tobytes())
        y = t.from_file(path, shared, x.numel(), dtype=x.dtype)
        before = y.clone()
        y[0] = 7
        after = t.tensor(np.frombuffer(Path(path).read_bytes(), x.detach().numpy().dtype).copy())
        del y
    return before, after


for shared in (True, False):
    add(f"fn.from_file.{shared}", lambda t, x, shared=shared: file_of(t, x.cpu(), shared), arr(6), grad=False)
add("fn.from_file.missing", lambda t: t.from_file("/nowhere/at/all", False, 3), grad=False)
add(
    "fn.to_dlpack",
    lambda t, x: [t.from_dlpack(t.to_dlpack(x.cpu())), type(t.to_dlpack(x.cpu())).__name__],
    arr(3, 2),
    grad=False,
)

# ---- state of the library: what is set is read back, and put back ---------------------------------------------------------


def restored(read, write, *values):
    """What `read` gives after each value is written; then the first state is written again."""

    def fn(t):
        old, found = read(t), []
        try:
            for value in values:
                write(t, value(t) if callable(value) else value)
                found.append(text(read(t)))
        finally:
            write(t, old)
        return [text(old), *found]

    return fn


for name, fn in {
    "default_dtype": restored(
        lambda t: t.get_default_dtype(), lambda t, d: t.set_default_dtype(d), lambda t: t.float64, lambda t: t.float16
    ),
    "default_dtype.int": lambda t: t.set_default_dtype(t.int32),
    "default_tensor_type": restored(
        lambda t: t.get_default_dtype(),
        lambda t, d: t.set_default_tensor_type(d) if isinstance(d, str) else t.set_default_dtype(d),
        "torch.DoubleTensor",
        "torch.FloatTensor",
    ),
    "deterministic_debug_mode": restored(
        lambda t: t.get_deterministic_debug_mode(), lambda t, v: t.set_deterministic_debug_mode(v), "warn", "error", 0
    ),
    "deterministic_algorithms": restored(
        lambda t: t.are_deterministic_algorithms_enabled(),
        lambda t, v: t.use_deterministic_algorithms(v, warn_only=v),
        True,
    ),
    "deterministic_warn_only": restored(
        lambda t: t.is_deterministic_algorithms_warn_only_enabled(),
        lambda t, v: t.use_deterministic_algorithms(v, warn_only=v),
        True,
    ),
    "float32_matmul_precision": restored(
        lambda t: t.get_float32_matmul_precision(), lambda t, v: t.set_float32_matmul_precision(v), "high", "medium"
    ),
    "warn_always": restored(lambda t: t.is_warn_always_enabled(), lambda t, v: t.set_warn_always(v), True),
    "anomaly": restored(lambda t: t.is_anomaly_enabled(), lambda t, v: t.set_anomaly_enabled(v), True),
    "anomaly.nan": lambda t: (t.set_anomaly_enabled(True, False), t.is_anomaly_check_nan_enabled(), t.set_anomaly_enabled(False, True)),
    "grad_enabled": restored(lambda t: t.is_grad_enabled(), lambda t, v: t.set_grad_enabled(v), False),
    "inference_mode": lambda t: [t.is_inference_mode_enabled(), inside(t.inference_mode(), t.is_inference_mode_enabled)],
    "num_threads": restored(lambda t: t.get_num_threads(), lambda t, v: t.set_num_threads(v), 1),
    "num_threads.0": lambda t: t.set_num_threads(0),
    "num_interop_threads": lambda t: t.get_num_interop_threads() > 0,
    "num_interop_threads.0": lambda t: t.set_num_interop_threads(0),
    "flush_denormal": lambda t: t.set_flush_denormal(False),
    "is_distributed": lambda t: t.is_distributed(t.ones(2)),
    "is_storage": lambda t: [t.is_storage(t.ones(2).untyped_storage()), t.is_storage(t.ones(2)), t.is_storage(3)],
    "is_tensor": lambda t: [t.is_tensor(t.ones(2)), t.is_tensor(3)],
    "typename": lambda t: [t.typename(3), t.typename([]), t.typename("x"), t.typename(t.ones(2).cpu())],
    "compile": lambda t: callable(t.compile(lambda x: x + 1)),
    "printoptions": lambda t: printed(t, precision=2, threshold=2, edgeitems=1),
    "printoptions.sci": lambda t: printed(t, sci_mode=True),
    "printoptions.short": lambda t: printed(t, profile="short"),
    "initial_seed": lambda t: seeded(t, lambda: [t.initial_seed(), t.manual_seed(11).initial_seed(), t.initial_seed()]),
    "seed": lambda t: seeded(t, lambda: [isinstance(t.seed(), int), t.initial_seed() != 5]),
    "rng_state": lambda t: seeded(t, lambda: replay(t)),
    "vmap": lambda t: t.vmap(lambda x: x.sum(), in_dims=1)(t.ones(3, 2)),
}.items():  # fmt: skip
    add(f"fn.{name}", fn, grad=False)


def inside(context, read):
    with context:
        return read()


def printed(t, **options):
    t.set_printoptions(**options)
    try:
        return repr(t.tensor([1.23456, 1e-3, 1000.5, 7.0], device="cpu")).replace(", device='cpu')", ")")
    finally:
        t.set_printoptions(profile="default")


def seeded(t, run):
    """What `run` gives with seed 5, and the generator as it was."""
    state = t.get_rng_state()
    t.manual_seed(5)
    try:
        return run()
    finally:
        t.set_rng_state(state)


def replay(t):
    """The same numbers from the same state; its dtype and dimensions."""
    state = t.get_rng_state()
    a = t.rand(5)
    t.set_rng_state(state)
    return [bool((a == t.rand(5)).all()), text(state.dtype), state.ndim]


def default_device(t):
    old = t.get_default_device()
    t.set_default_device("cpu")
    try:
        return [text(t.get_default_device()), text(t.empty(1).device)]
    finally:
        # in PyTorch a default device is a mode, under which l1_loss forgets its weight: None takes it off
        t.set_default_device(None if getattr(t, "__name__", "") == "torch" else old)


def saved(t, x):
    with tempfile.TemporaryDirectory() as folder:
        t.save({"x": x.detach().cpu(), "n": 3}, f"{folder}/a.pt")
        back = t.load(f"{folder}/a.pt")
    return back["x"], back["n"]


add("fn.default_device", default_device, grad=False)
family("fn.save", saved, pick(UNARY, "c", "t", "0d", "empty", "i64", "bool"), grad=False)

# ---- functions of random numbers: shape, dtype and range ------------------------------------------------------------------


def moments(t, y, low, high):
    """Dtype, shape, and whether all lies in [low, high]."""
    return [text(y.dtype), tuple(y.shape), bool(((y >= low) & (y <= high)).all())]


for name, fn in {
    "rand": lambda t: moments(t, t.rand(40, 100), 0, 1),
    "randn": lambda t: moments(t, t.randn(40, 100, dtype=t.float64), -9, 9),
    "randint": lambda t: moments(t, t.randint(-3, 9, (40, 100)), -3, 8),
    "randperm": lambda t: t.randperm(50).sort()[0],
    "rand_like": lambda t: moments(t, t.rand_like(t.ones(3, 4)), 0, 1),
    "randn_like": lambda t: moments(t, t.randn_like(t.ones(3, 4)), -9, 9),
    "randint_like": lambda t: moments(t, t.randint_like(t.ones(3, 4), 2, 7), 2, 6),
    "normal": lambda t: moments(t, t.normal(2.0, 0.1, (30,)), 0, 4),
    "bernoulli": lambda t: moments(t, t.bernoulli(t.full((30,), 0.5)), 0, 1),
    "poisson": lambda t: moments(t, t.poisson(t.full((30,), 2.0)), 0, 40),
    "binomial": lambda t: moments(t, t.binomial(t.full((30,), 9.0), t.full((30,), 0.5)), 0, 9),
    "multinomial": lambda t: moments(t, t.multinomial(t.tensor([0.2, 0.0, 0.8]), 40, True), 0, 2),
    "gumbel_softmax": lambda t: moments(t, t.nn.functional.gumbel_softmax(t.zeros(5, 3), 0.7, hard=True), 0, 1),
    "rrelu.random": lambda t: moments(t, t.rrelu(-t.ones(30), 0.1, 0.3, True), -0.3, -0.1),
    "rrelu.generator": lambda t: moments(t, t.rrelu(-t.ones(30), 0.1, 0.3, True, t.Generator()), -0.3, -0.1),
    "dropout.random": lambda t: moments(t, t.dropout(t.ones(30), 0.5, True), 0, 2),
    "feature_alpha_dropout.random": lambda t: text(t.feature_alpha_dropout(t.ones(3, 4, 5), 0.5, True).dtype),
}.items():
    add(f"fn.{name}.draws", fn, grad=False)

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

for name, fn in {
    "autocast_dtype": restored(
        lambda t: t.get_autocast_dtype("cpu"), lambda t, d: t.set_autocast_dtype("cpu", d), lambda t: t.float16
    ),
    "autocast_cpu_dtype": restored(
        lambda t: t.get_autocast_cpu_dtype(), lambda t, d: t.set_autocast_cpu_dtype(d), lambda t: t.float16
    ),
    "autocast_gpu_dtype": restored(
        lambda t: t.get_autocast_gpu_dtype(), lambda t, d: t.set_autocast_gpu_dtype(d), lambda t: t.bfloat16
    ),
    "autocast_enabled": restored(
        lambda t: t.is_autocast_enabled("cpu"), lambda t, v: t.set_autocast_enabled("cpu", v), True
    ),
    "autocast_cpu_enabled": restored(
        lambda t: t.is_autocast_cpu_enabled(), lambda t, v: t.set_autocast_cpu_enabled(v), True
    ),
    "autocast_cache": restored(
        lambda t: t.is_autocast_cache_enabled(), lambda t, v: t.set_autocast_cache_enabled(v), False
    ),
    "autocast_nesting": lambda t: [
        t.autocast_increment_nesting(), t.autocast_decrement_nesting(), t.clear_autocast_cache()
    ],
}.items():  # fmt: skip
    add(f"fn.{name}", fn, grad=False)

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
