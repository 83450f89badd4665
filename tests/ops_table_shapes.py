"""Samples of views, copies in another arrangement, joins, cuts and changes of layout."""

from ops_table import BOOL, F32, I64, SPECIAL, add, arr, const, family, ints

X = {
    "c": (arr(2, 3, 4),), "t": (arr(2, 3, 4, layout="t"),), "s": (arr(2, 3, 4, layout="s"),),
    "f32": (arr(2, 3, 4, dtype=F32),), "i64": (arr(2, 3, 4, dtype=I64),), "empty": (arr(2, 0, 4),),
}  # fmt: skip
M = {
    "c": (arr(4, 4),), "t": (arr(4, 4, layout="t"),), "s": (arr(4, 6, layout="s"),), "bool": (arr(4, 4, dtype=BOOL),),
    "i64": (arr(4, 4, dtype=I64),), "empty": (arr(0, 4),), "special": (const([SPECIAL] * 4),), "0d": (arr(),),
    "1d": (arr(4),), "3d": (arr(2, 4, 4),),
}  # fmt: skip

VIEWS = {
    "unfold": lambda t, x: x.unfold(2, 2, 1),
    "unfold.step": lambda t, x: x.unfold(-1, 3, 2),
    "unfold.whole": lambda t, x: x.unfold(0, 2, 5),
    "unfold.big": lambda t, x: x.unfold(2, 5, 1),
    "unfold.step0": lambda t, x: x.unfold(2, 1, 0),
    "diagonal": lambda t, x: x.diagonal(),
    "diagonal.1": lambda t, x: t.diagonal(x, 1, 1, 2),
    "diagonal.-1": lambda t, x: x.diagonal(-1, 2, 0),
    "diagonal.far": lambda t, x: x.diagonal(7),
    "diagonal.same": lambda t, x: x.diagonal(0, 1, -2),
    "diagonal.dim": lambda t, x: x.diagonal(0, 0, 3),
    "movedim.tuple": lambda t, x: x.movedim((0, 1), (2, 0)),
    "moveaxis": lambda t, x: t.moveaxis(x, -1, 0),
    "movedim.repeated": lambda t, x: x.movedim((0, 0), (1, 2)),
    "movedim.lengths": lambda t, x: x.movedim((0, 1), (2,)),
    "swapdims": lambda t, x: (t.swapdims(x, 0, 2), x.swapaxes(1, 2)),
    "squeeze.tuple": lambda t, x: x[:1, :, :1].squeeze((0, 2)),
    "squeeze.some": lambda t, x: x[:1].squeeze((0, 1)),
    "squeeze.repeated": lambda t, x: x.squeeze((0, -3)),
    "narrow.tensor": lambda t, x: x.narrow(2, t.tensor(1), 2),
    "narrow.-2": lambda t, x: t.narrow(x, 2, -2, 2),
    "narrow.long": lambda t, x: x.narrow(2, 3, 2),
    "narrow.start": lambda t, x: x.narrow(2, 6, 0),
    "narrow.length": lambda t, x: x.narrow(2, 0, -1),
    "select.tensor": lambda t, x: x.select(2, t.tensor(-1)),
    "select.bad": lambda t, x: x.select(0, 2),
    "H": lambda t, x: x[0].H,
    "H3": lambda t, x: x.H,
    "mH": lambda t, x: x.mH,
    "adjoint": lambda t, x: (t.adjoint(x), x[0].adjoint()),
    "mT1": lambda t, x: x[0, :, 0].mT,
    "unflatten-1": lambda t, x: t.unflatten(x, -1, (2, -1)),
    "unflatten.bad": lambda t, x: x.unflatten(2, (3, 2)),
    "unflatten.none": lambda t, x: x.unflatten(2, ()),
    "ravel": lambda t, x: t.ravel(x).clone(),
    "broadcast_to": lambda t, x: t.broadcast_to(x, (2, 2, 3, 4))[0],
    "expand_as": lambda t, x: x[:1].expand_as(x),
    "atleast": lambda t, x: (t.atleast_1d(x), t.atleast_2d(x[0]), t.atleast_3d(x[0]), t.atleast_3d(x[0, 0])),
    "tensor_split": lambda t, x: x.tensor_split(3, 2),
    "tensor_split.at": lambda t, x: t.tensor_split(x, (1, 3), 2),
    "tensor_split.neg": lambda t, x: x.tensor_split((-1, 9), dim=-1),
    "tensor_split.tensor": lambda t, x: x.tensor_split(t.tensor([1, 2]), 2),
    "tensor_split.0": lambda t, x: x.tensor_split(0),
    "split_with_sizes": lambda t, x: t.split_with_sizes(x, [1, 0, 3], 2),
    "split.negative": lambda t, x: x.split([-1, 5], 2),
    "split.sum": lambda t, x: x.split([1, 2], 2),
    "split.0": lambda t, x: x.split(0, 2),
    "hsplit": lambda t, x: t.hsplit(x, (1,)),
    "vsplit": lambda t, x: x.vsplit(2),
    "dsplit": lambda t, x: x.dsplit([1, 2]),
    "dsplit.bad": lambda t, x: x.dsplit(3),
    "hsplit.bad": lambda t, x: x[0].hsplit(3),
    "chunk.many": lambda t, x: x.chunk(9, -1),
    "chunk.0": lambda t, x: x.chunk(0),
    "unsafe_chunk": lambda t, x: x.unsafe_chunk(2, 2),
    "unsafe_split": lambda t, x: (x.unsafe_split(3, 2), t.unsafe_split_with_sizes(x, [1, 3], 2)),
    "inplace.t_": lambda t, x: x[0].clone(memory_format=t.contiguous_format).t_(),
    "inplace.transpose_": lambda t, x: x.clone(memory_format=t.contiguous_format).transpose_(0, 2),
    "inplace.swapaxes_": lambda t, x: x.clone(memory_format=t.contiguous_format).swapaxes_(0, 1).swapdims_(1, 2),
    "inplace.squeeze_": lambda t, x: x[:1].clone(memory_format=t.contiguous_format).squeeze_(0),
    "inplace.unsqueeze_": lambda t, x: x.clone(memory_format=t.contiguous_format).unsqueeze_(-1),
}
FULL = {k: v for k, v in X.items() if k != "empty"}
for name, fn in VIEWS.items():  # strides of an empty tensor are computed, not kept
    some_empty = name in ("diagonal.far", "tensor_split.neg", "split_with_sizes")
    family(f"views.{name}", fn, FULL, strides=not some_empty)
    family(f"emptyviews.{name}", fn, {"": X["empty"]}, layout=False)
for name in ("adjoint", "mT", "H", "mH", "T"):
    family(
        f"views0d.{name}",
        lambda t, x, n=name: getattr(x, n)() if n == "adjoint" else getattr(x, n),
        {"0d": (arr(),), "2d": (arr(2, 3),)},
    )
family("unfold.0d", lambda t, x: (x.unfold(0, 1, 1), x.unfold(0, 0, 3)), {"": (arr(),)})
family("atleast.0d", lambda t, x: (t.atleast_1d(x), t.atleast_2d(x), t.atleast_3d((x, x))), {"": (arr(),)})
for name in ("unbind", "chunk", "split", "tensor_split", "hsplit", "squeeze", "select", "narrow", "diag", "diagonal"):
    args = {"unbind": (), "squeeze": (0,), "select": (0, 0), "narrow": (0, 0, 1), "diag": (), "diagonal": ()}
    args = args.get(name, (1,))
    family(f"cut0d.{name}", lambda t, x, n=name, a=args: getattr(x, n)(*a), {"": (arr(),)})

# ---- as_strided: over memory, so contiguous inputs and views of them ------------------------------------------------
C = {"c": (arr(3, 4),), "f32": (arr(3, 4, dtype=F32),), "i64": (arr(3, 4, dtype=I64),)}
STRIDED = {
    "plain": lambda t, x: x.as_strided((2, 3), (4, 1)),
    "offset": lambda t, x: t.as_strided(x, (2, 2), (1, 3), 2),
    "overlap": lambda t, x: x.as_strided((3, 3), (1, 1)),
    "zero": lambda t, x: x.as_strided((3,), (0,), 5),
    "scalar": lambda t, x: x.as_strided((), ()),
    "empty": lambda t, x: x.as_strided((0, 3), (1, 1)),
    "ofview": lambda t, x: (x * 1)[1:, 1:].as_strided((2, 2), (4, 1)),
    "ofview.back": lambda t, x: (x * 1)[1:, 1:].as_strided((2, 4), (4, 1), 0),
    "ofexpand": lambda t, x: (x * 1)[:, :1].expand(3, 4).as_strided((3, 2), (4, 0)),
    "oftranspose": lambda t, x: (x * 1).t().as_strided((4, 2), (1, 4)),
    "far": lambda t, x: x.as_strided((3, 5), (4, 1)),
    "negative": lambda t, x: x.as_strided((2,), (-1,)),
    "lengths": lambda t, x: x.as_strided((2, 2), (1,)),
    "offset-1": lambda t, x: x.as_strided((2,), (1,), -1),
    "scatter": lambda t, x: t.as_strided_scatter(x.detach(), x[:2, :2] * 3, (2, 2), (5, 2), 1),
    "scatter.bad": lambda t, x: x.as_strided_scatter(x[0], (2, 2), (5, 2)),
    "inplace": lambda t, x: (x * 1).as_strided_((2, 2), (1, 4)),
}
for name, fn in STRIDED.items():
    family(f"as_strided.{name}", fn, C)


def _write_window(t, x):
    y = x * 1
    before = y[0]
    y.as_strided((3,), (5,)).mul_(2)
    y[1:].as_strided((2, 2), (1, 4), 5).add_(y[0, 0].detach())
    return y, before, y * y


family("as_strided.write", _write_window, C)


def _writer(view, op):
    def run(t, x):
        y = x * 1
        early = y.transpose(0, 1)
        part = view(y)
        op(part)
        return y, early, part, y.exp()

    return run


for name, view in {
    "unfold": lambda y: y.unfold(1, 2, 2),
    "diagonal": lambda y: y.diagonal(1),
    "diagonalview": lambda y: y[1:].diagonal(0, 1, 0),
    "tensor_split": lambda y: y.narrow(1, 1, 2).unflatten(1, (2, 1)),
    "select": lambda y: y.select(0, 1).unsqueeze(0),
    "movedim": lambda y: y.movedim(0, 1)[1:],
}.items():
    family(f"write.{name}.mul_", _writer(view, lambda p: p.mul_(3)), C)
    family(f"write.{name}.exp_", _writer(view, lambda p: p.clamp_(-1, 1)), C)


def _relayout(t, x):
    y = x * 1
    row, column = y[0], y[:, 1]
    y.t_()
    y[0].mul_(2)
    y.unsqueeze_(1)
    y[1:].add_(1)
    return y, row, column


family("write.relayout", _relayout, C)
family("write.unbind", lambda t, x: (x * 1).unbind(0)[0].mul_(2), C)
family("write.splitnograd", lambda t, x: [p.mul_(2) for p in x.detach().clone().split(1)], C)
family("write.unsafe", lambda t, x: [p.mul_(2) for p in (x * 1).unsafe_split(1)], C)

# ---- view(dtype), storage, layout ------------------------------------------------------------------------------------
for dt in ("int64", "int32", "int16", "uint8", "float32", "float64", "bool"):
    for tag, cut in {
        "": lambda x: x,
        "2": lambda x: x[:, :2],
        "row": lambda x: x[:, 1],
        "0d": lambda x: x[0, 0],
    }.items():
        family(
            f"view.{dt}{tag}",
            lambda t, x, dt=dt, cut=cut: cut((x > 0) if dt == "bool" else x).view(getattr(t, dt)),
            {k: C[k] for k in ("f32", "i64")},
            grad=False,
        )


def _reinterpret(t, x):
    y = x.clone()
    bits = y.view(t.int32)
    bits[0, 0] = 0
    y[1] = 5
    return y, bits, bits._version, y._version


family("view.shares", _reinterpret, {"f32": C["f32"]}, grad=False)


def _layout(t, x):
    cells = [x, x[1:], x[:, 1], x[1:].t(), x.unfold(1, 2, 1), x.diagonal(1), x[1, 2], x[1:].detach(), x.view(-1)[5:]]
    return t.tensor([y.storage_offset() for y in cells]), t.tensor(
        [y.untyped_storage().data_ptr() == x.untyped_storage().data_ptr() for y in cells]
        + [len(x.storage()), x.untyped_storage().nbytes(), x[1:].storage().size(), x.t().is_contiguous()]
        + [x[1:].is_set_to(x[1:]), x._is_view(), x[0]._is_view(), x.is_same_size(x.t()), *x.t().dim_order()]
    )


family("layout", lambda t, x: _layout(t, x.clone()), C, grad=False)
FORMAT = {"c": (arr(2, 3, 4, 5),), "t": (arr(2, 3, 4, 5, layout="t"),), "f32": (arr(2, 3, 1, 5, dtype=F32),)}
for fmt in ("channels_last", "contiguous_format", "preserve_format"):
    family(
        f"format.{fmt}",
        lambda t, x, f=fmt: (
            x.clone(memory_format=getattr(t, f)),
            x.contiguous(memory_format=getattr(t, f)) if f != "preserve_format" else x,
            t.zeros_like(x, memory_format=getattr(t, f)),
            x.to(memory_format=getattr(t, f)),
            t.tensor(x.clone(memory_format=getattr(t, f)).is_contiguous(memory_format=t.channels_last)),
        ),
        FORMAT,
        strides=True,
    )
family("format.3d", lambda t, x: x[None].contiguous(memory_format=t.channels_last_3d), FORMAT, strides=True)
family("format.bad", lambda t, x: x[0].contiguous(memory_format=t.channels_last), FORMAT)
LIKE = {
    "permuted": lambda x: x.permute(2, 0, 1),
    "sliced": lambda x: x[:, ::2].transpose(0, 2),
    "expanded": lambda x: x[:, :1].expand(2, 3, 4),
    "expanded0": lambda x: x[:1].expand(2, 3, 4).transpose(1, 2),
    "ones": lambda x: x[:, :1].transpose(0, 2),
    "row": lambda x: x[0, 0].expand(5, 4),
}
for name, fn in LIKE.items():
    family(
        f"preserve.{name}",
        lambda t, x, fn=fn: (fn(x).clone(), t.zeros_like(fn(x)), t.ones_like(fn(x)), fn(x) + 1),
        {"c": (arr(2, 3, 4),)},
        strides=True,
    )


def _resized(t, x):
    y = x.clone()
    flat = x.clone().resize_(4)
    less, same = y[1:].resize_(2, 2), y.clone().resize_as_(t.zeros(6))
    more = x.clone().resize_(5, 4)
    return flat, less, same, more[:3], t.tensor([*more.shape, *more.stride(), less.storage_offset()])


family("resize_", _resized, C, grad=False)
family("resize_.grad", lambda t, x: (x * 1).resize_(2), {"c": C["c"]})
family("resize_.bad", lambda t, x: x.clone().resize_(-1), C, grad=False)

# ---- copies in another arrangement ------------------------------------------------------------------------------------
ARRANGED = {
    "repeat": lambda t, x: x.repeat(2, 1, 3),
    "repeat.new": lambda t, x: x.repeat((3, 1, 1, 2)),
    "repeat.0": lambda t, x: x.repeat(0, 1, 1),
    "repeat.1": lambda t, x: x.repeat(1, 1, 1),
    "repeat.few": lambda t, x: x.repeat(2, 2),
    "repeat.neg": lambda t, x: x.repeat(1, 1, -1),
    "tile": lambda t, x: (t.tile(x, (2,)), x.tile(2, 1, 1, 2)),
    "repeat_interleave": lambda t, x: x.repeat_interleave(2),
    "repeat_interleave.dim": lambda t, x: t.repeat_interleave(x, 3, dim=-1),
    "repeat_interleave.size": lambda t, x: x.repeat_interleave(2, 2, output_size=8),
    "repeat_interleave.badsize": lambda t, x: x.repeat_interleave(t.tensor([1, 1, 0, 2]), 2, output_size=5),
    "repeat_interleave.tensor": lambda t, x: x.repeat_interleave(t.tensor([2, 0, 1, 3]), 2),
    "repeat_interleave.one": lambda t, x: x.repeat_interleave(t.tensor([2]), 0),
    "repeat_interleave.count": lambda t, x: x.repeat_interleave(t.tensor([2, 1, 1]), 0),
    "repeat_interleave.neg": lambda t, x: x.repeat_interleave(-1, 0),
    "repeat_interleave.float": lambda t, x: x.repeat_interleave(t.tensor([1.0, 2.0]), 0),
    "flip": lambda t, x: x.flip(0, 2),
    "flip.list": lambda t, x: t.flip(x, [-1]),
    "flip.none": lambda t, x: x.flip(()),
    "flip.twice": lambda t, x: x.flip(0, -3),
    "fliplr": lambda t, x: (x.fliplr(), t.flipud(x)),
    "roll": lambda t, x: x.roll(5),
    "roll.dims": lambda t, x: t.roll(x, (1, -2), (0, 2)),
    "roll.same": lambda t, x: x.roll((1, 1), (2, 2)),
    "roll.lengths": lambda t, x: x.roll((1, 2), 0),
    "roll.none": lambda t, x: x.roll((), ()),
    "rot90": lambda t, x: [x.rot90(k, (1, 2)) for k in range(-1, 5)],
    "rot90.dims": lambda t, x: t.rot90(x, dims=[2, 0]),
    "rot90.same": lambda t, x: x.rot90(1, (0, -3)),
    "rot90.one": lambda t, x: x.rot90(1, (0,)),
    "block_diag": lambda t, x: t.block_diag(x[0], x[0, 0], x[0].t()) if x.numel() else x,
    "block_diag.3d": lambda t, x: t.block_diag(x),
    "diag_embed": lambda t, x: (t.diag_embed(x), x.diag_embed(1, 0, 2), x.diag_embed(-2, -1, 1)),
    "diag_embed.same": lambda t, x: x.diag_embed(0, 1, 1),
    "diagflat": lambda t, x: (t.diagflat(x), x[0].diagflat(-2)),
    "stacks": lambda t, x: (t.hstack((x, x)), t.vstack([x, x]), t.dstack((x, x)), t.column_stack((x, x))),
    "stacks1d": lambda t, x: [
        getattr(t, n)((x[0, 0], x[0, 0])) if x.numel() else x
        for n in ("hstack", "vstack", "dstack", "column_stack", "row_stack")
    ],
    "stacks0d": lambda t, x: [
        getattr(t, n)((x.sum(), x.sum())) for n in ("hstack", "vstack", "dstack", "column_stack", "row_stack")
    ],
    "broadcast_tensors": lambda t, x: t.broadcast_tensors(x, x[:1], x[0, :1]),
    "select_scatter": lambda t, x: x.select_scatter(x.select(2, 0) * 2, 2, -1),
    "select_scatter.bad": lambda t, x: x.select_scatter(x[:, 0], 2, 0),
    "slice_scatter": lambda t, x: t.slice_scatter(x, x[..., :2] * 2, 2, 0, 4, 2),
    "slice_scatter.neg": lambda t, x: x.slice_scatter(x[..., :1] * 2, -1, -1),
    "slice_scatter.bad": lambda t, x: x.slice_scatter(x, 2, 0, 1),
    "slice_scatter.step": lambda t, x: x.slice_scatter(x, 2, 0, 1, 0),
    "diagonal_scatter": lambda t, x: x.diagonal_scatter(x.diagonal(0, 0, 2) * 2, 0, 0, 2),
    "diagonal_scatter.bad": lambda t, x: x.diagonal_scatter(x, 0, 0, 2),
    "scatter.dtype": lambda t, x: x.select_scatter(t.ones(2, x.shape[1], dtype=t.int64), 2, 0),
}
for name, fn in ARRANGED.items():
    family(f"arranged.{name}", fn, X)
for name in ("flip", "roll", "rot90", "fliplr", "flipud", "repeat", "tile", "repeat_interleave", "diag_embed"):
    args = {"flip": (0,), "roll": (1,), "repeat": (2,), "tile": (2,), "repeat_interleave": (2,)}
    family(f"arranged0d.{name}", lambda t, x, n=name: getattr(x, n)(*args.get(n, ())), {"": (arr(),)})
family("repeat_interleave.alone", lambda t, i: (t.repeat_interleave(i), t.repeat_interleave(i.int(), output_size=6)),
       {"c": (const([1, 0, 3, 2], I64),), "empty": (arr(0, dtype=I64),)})  # fmt: skip
family("repeat_interleave.alonebad", lambda t, x: t.repeat_interleave(x), {"f": (arr(3),), "neg": (const([-1], I64),)})
family("stacks.mixed", lambda t, x, y: (t.hstack((x, y)), t.block_diag(x, y)), {"": (arr(2, 3), arr(2, 2, dtype=F32))})
family("stack.channels_last", lambda t, x: t.stack([x.permute(2, 0, 1), x.permute(2, 0, 1)]), {"": (arr(4, 5, 3),)})
for name in ("hstack", "vstack", "dstack", "column_stack", "cat", "stack"):
    family(f"none.{name}", lambda t, n=name: getattr(t, n)([]), {"": ()})
    family(f"tensor.{name}", lambda t, x, n=name: getattr(t, n)(x), {"": (arr(2, 2),)}) if name == "cat" else None
    family(f"bad.{name}", lambda t, x, y, n=name: getattr(t, n)((x, y)), {"": (arr(2, 3, 1), arr(3, 2, 2))})
    family(
        f"out.{name}",
        lambda t, x, n=name: getattr(t, n)((x, x), out=t.empty(0, dtype=x.dtype)),
        {"f32": (arr(2, 3, dtype=F32),)},
    )
for op in ("tril", "triu"):
    for k in (0, 1, -2, 9):
        family(f"{op}.{k}", lambda t, x, op=op, k=k: getattr(t, op)(x, k), M)
    family(f"{op}_", lambda t, x, op=op: getattr(x.clone(), op + "_")(-1), M)
    family(f"{op}.out", lambda t, x, op=op: getattr(t, op)(x, out=t.empty(0, dtype=x.dtype)), {"i64": M["i64"]})
    family(
        f"{op}_indices",
        lambda t, op=op: [
            getattr(t, op + "_indices")(n, m, k, dtype=d)
            for n, m, k in ((3, 3, 0), (2, 4, 1), (4, 2, -1), (0, 3, 0), (3, 3, 9))
            for d in (t.int64, t.int32)
        ],
        {"": ()},
    )
    family(f"{op}_indices.bad", lambda t, op=op: getattr(t, op + "_indices")(-1, 3), {"": ()})
for k in (0, 2, -1, 6):
    family(f"diag.{k}", lambda t, x, k=k: t.diag(x, k), M)
family("diag.out", lambda t, x: t.diag(x, out=t.empty(0, dtype=x.dtype)), {"i64": M["i64"]})

# ---- grids and selections ---------------------------------------------------------------------------------------------
GRID = {"c": (arr(3), arr(2), arr(4)), "0d": (arr(3), arr(), arr(2)), "empty": (arr(0), arr(2), arr(1)),
        "i64": (arr(3, dtype=I64), arr(2, dtype=I64), arr(1, dtype=I64)), "mixed": (arr(2), arr(2, dtype=F32), arr(2)),
        "2d": (arr(2, 2), arr(2), arr(2))}  # fmt: skip
for indexing in ("ij", "xy", "no"):
    family(
        f"meshgrid.{indexing}",
        lambda t, *xs, i=indexing: (t.meshgrid(*xs, indexing=i), t.meshgrid(list(xs[:1]), indexing=i)),
        GRID,
        strides=False,
    )
family("meshgrid.strides", lambda t, *xs: t.meshgrid(*xs, indexing="xy"), {"c": GRID["c"]}, strides=True)
family("cartesian_prod", lambda t, *xs: (t.cartesian_prod(*xs), t.cartesian_prod(xs[0])), GRID)
SELECT = {k: (v,) for k, v in {"c": arr(5), "i64": arr(4, dtype=I64), "one": arr(1), "empty": arr(0), "2d": arr(2, 2),
                               "0d": arr(), "bool": arr(3, dtype=BOOL)}.items()}  # fmt: skip
for r in (0, 1, 2, 3, 6, -1):
    family(
        f"combinations.{r}",
        lambda t, x, r=r: (t.combinations(x, r), t.combinations(x, r, with_replacement=True)),
        SELECT,
    )
family("broadcast_shapes", lambda t: t.tensor([*t.broadcast_shapes((2, 1), (3,), (1, 1, 1)), *t.broadcast_shapes(4)]),
       {"": ()})  # fmt: skip
for tag, shapes in {"bad": ((2,), (3,)), "neg": ((-1,), (3,))}.items():
    family(f"broadcast_shapes.{tag}", lambda t, s=shapes: t.broadcast_shapes(*s), {"": ()})
family("index.int32", lambda t, x, i: x[i.int()], {"": (arr(4, 2), ints(3))})

# ---- results whose memory is in order whatever the input's is, so that views fit ----
for op in ("sum", "nansum", "mean", "norm", "amax", "logsumexp", "softmax", "log_softmax"):
    for dim in (0, -1, (1, 2))[: 2 if "softmax" in op else 3]:
        for order in ((0, 2, 1, 3), (3, 2, 1, 0), (2, 3, 0, 1)):
            add(
                f"order.{op}.{dim}.{order}",
                lambda t, x, op=op, dim=dim, order=order: getattr(t, op)(x.permute(order), dim=dim),
                arr(2, 3, 4, 5),
                strides=True,
            )
family(
    "order.masked_fill",
    lambda t, x, m: x.transpose(1, 2).masked_fill(m, 0.5),
    {"row": (arr(2, 3, 4), arr(3, dtype=BOOL)), "all": (arr(2, 3, 4), arr(2, 4, 3, dtype=BOOL))},
    strides=True,
)
for tag, view in {
    "t": lambda x: x.transpose(1, 2),
    "s": lambda x: x[:, ::2].permute(2, 0, 1),
    "c": lambda x: x,
}.items():
    add(
        f"order.dropout.{tag}",
        lambda t, x, view=view: t.nn.functional.dropout(view(x), 0.5) * 0,
        arr(2, 3, 4),
        strides=True,
        grad=False,
    )
