"""One table of samples for every op: name, function of (torch-like module, *tensors), inputs from an rng.

Functions also stand for their errors: where PyTorch raises, PolyTensor must raise the same class. `grad` asks
for gradients in float64 as well; `strides` for equal strides (views), else only contiguity is compared.
Other families follow in ops_table_*.py; test_ops.py finds them by that name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

F32, F64, I64, BOOL = np.float32, np.float64, np.int64, np.bool_
C64, C128 = np.complex64, np.complex128


@dataclass(frozen=True)
class Sample:
    name: str
    fn: Callable[..., Any]
    inputs: Callable[[np.random.Generator], tuple[Any, ...]]
    grad: bool = True
    strides: bool = False
    layout: bool = True  # compare contiguity of the result
    host: bool = (
        False  # the result names the device or needs the memory of the CPU, so that a CUDA tensor gives another
    )

    def __str__(self) -> str:
        return self.name


SAMPLES: list[Sample] = []


def add(name, fn, *inputs, **options):
    """A sample whose inputs are makers (functions of an rng), called in order."""
    SAMPLES.append(Sample(name, fn, lambda rng: tuple(make(rng) for make in inputs), **options))


def arr(*shape, dtype=F64, lo=-2.0, hi=2.0, layout="c"):
    """A maker of an array: layout c, t (transposed), s (every second column of a wider one), e (expanded)."""

    def make(rng):
        full = {"t": shape[::-1], "s": (*shape[:-1], 2 * (shape or (1,))[-1]), "e": (1, *shape[1:])}.get(layout, shape)
        if dtype is BOOL:
            x = rng.random(full) < 0.5
        elif dtype is I64:
            x = rng.integers(-4, 5, full)
        else:
            x = rng.uniform(lo, hi, full).astype(dtype)
        x = np.asarray(x)
        return {
            "t": lambda: x.T,
            "s": lambda: x[..., ::2],
            "e": lambda: np.broadcast_to(x, shape).copy(),
        }.get(layout, lambda: x)()

    return make


def cplx(*shape, dtype=C128, layout="c"):
    """A maker of a complex array; layouts as in arr."""
    re, im = arr(*shape, layout=layout), arr(*shape, layout=layout)
    return lambda rng: np.asarray(re(rng) + 1j * im(rng), dtype)


def attempt(fn, *args):
    """What fn(*args) gives, or the class of its error; a name that a sample misspelt is no result."""
    try:
        result = fn(*args)
        for y in result if isinstance(result, (tuple, list)) else [result]:
            if hasattr(y, "numel") and y.numel():
                y.reshape(-1)[0].item()  # CUDA's checks of values raise where the device is waited for
        return result
    except (AttributeError, NameError):
        raise
    except Exception as error:  # noqa: BLE001 any other class is a result here
        return type(error).__name__


def ints(*shape, hi=4, lo=0):
    return lambda rng: np.asarray(rng.integers(lo, hi, shape))


def const(values, dtype=F64):
    return lambda rng: np.array(values, dtype)


SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 1e30, -1e-30]


def family(name, fn, makers, **options):
    """`fn` over variants of its inputs: layouts, ranks, emptiness, dtypes."""
    for tag, inputs in makers.items():
        add(f"{name}[{tag}]", fn, *inputs, **options)


# ---- pointwise ---------------------------------------------------------------------------------------------
UNARY = {
    "c": (arr(3, 4),), "t": (arr(3, 4, layout="t"),), "s": (arr(3, 4, layout="s"),), "0d": (arr(),),
    "empty": (arr(0, 3),), "special": (const(SPECIAL),), "f32": (arr(3, 5, dtype=F32),),
    "f32special": (const(SPECIAL, F32),), "i64": (arr(3, 4, dtype=I64),), "bool": (arr(3, 4, dtype=BOOL),),
}  # fmt: skip
for op in (
    "exp",
    "log",
    "sqrt",
    "tanh",
    "sigmoid",
    "relu",
    "abs",
    "neg",
    "sin",
    "cos",
    "rsqrt",
    "reciprocal",
    "square",
):
    family(op, lambda t, x, op=op: getattr(t, op)(x), UNARY)
for op in ("sign", "floor", "ceil", "round", "isnan", "isinf", "isfinite", "logical_not"):
    family(op, lambda t, x, op=op: getattr(t, op)(x), UNARY, grad=False)
for op in ("exp", "log1p", "expm1", "log2", "log10"):
    family(f"Tensor.{op}", lambda t, x, op=op: getattr(x, op)(), UNARY)
for op in ("exp_", "sqrt_", "neg_", "relu_", "tanh_", "sigmoid_", "abs_", "zero_"):
    family(f"Tensor.{op}", lambda t, x, op=op: getattr(x.clone(), op)(), UNARY)

BINARY = {
    "c": (arr(3, 4), arr(3, 4)),
    "t": (arr(3, 4, layout="t"), arr(3, 4)),
    "s": (arr(3, 4), arr(3, 4, layout="s")),
    "broadcast": (arr(3, 1), arr(4)),
    "0d": (arr(), arr(2, 3)),
    "0d0d": (arr(), arr()),
    "empty": (arr(0, 3), arr(3)),
    "special": (const(SPECIAL), const(SPECIAL[::-1])),
    "special2": (const(SPECIAL), const(SPECIAL)),
    "f32": (arr(2, 3, dtype=F32), arr(3, dtype=F32)),
    "f32f64": (arr(2, 3, dtype=F32), arr(3)),
    "f32_0df64": (arr(2, 3, dtype=F32), arr()),
    "i64": (arr(3, 4, dtype=I64), arr(4, dtype=I64)),
    "i64f32": (arr(3, 4, dtype=I64), arr(4, dtype=F32)),
    "bool": (arr(3, 4, dtype=BOOL), arr(4, dtype=BOOL)),
    "boolf32": (arr(3, 4, dtype=BOOL), arr(4, dtype=F32)),
    "badshape": (arr(3, 4), arr(3)),
}
for op in ("add", "sub", "mul", "div", "maximum", "minimum"):
    family(op, lambda t, x, y, op=op: getattr(t, op)(x, y), BINARY)
for op in ("eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor"):
    family(op, lambda t, x, y, op=op: getattr(t, op)(x, y), BINARY, grad=False)
for op in ("add_", "sub_", "mul_", "div_", "copy_"):
    family(f"Tensor.{op}", lambda t, x, y, op=op: getattr(x.clone(), op)(y), BINARY)
family("pow", lambda t, x, y: t.pow(x, y), {k: v for k, v in BINARY.items() if k != "i64"})
family("where", lambda t, x, y: t.where(x > 0, x, y), {k: v for k, v in BINARY.items() if "bool" not in k})
family(
    "add.alpha",
    lambda t, x, y: t.add(x, y, alpha=3),
    {k: BINARY[k] for k in ("c", "broadcast", "f32", "i64")},
)
family("sub.alpha", lambda t, x, y: t.sub(x, y, alpha=2), {k: BINARY[k] for k in ("c", "i64", "bool")})
family("out", lambda t, x, y: t.add(x, y, out=t.empty(0, dtype=x.dtype)), {"c": BINARY["c"]}, grad=False)

SCALAR = {k: UNARY[k] for k in ("c", "0d", "empty", "special", "f32", "i64", "bool")}
for tag, s in (("2", 2), ("0.5", 0.5), ("-3", -3), ("True", True), ("nan", float("nan")), ("0", 0)):
    family(f"x+{tag}", lambda t, x, s=s: x + s, SCALAR)
    family(f"{tag}-x", lambda t, x, s=s: s - x, SCALAR)
    family(f"x*{tag}", lambda t, x, s=s: x * s, SCALAR)
    family(f"x/{tag}", lambda t, x, s=s: x / s, SCALAR)
    family(f"{tag}/x", lambda t, x, s=s: s / x, SCALAR)
    family(f"x>{tag}", lambda t, x, s=s: x > s, SCALAR, grad=False)
    family(f"x=={tag}", lambda t, x, s=s: x == s, SCALAR, grad=False)
    family(f"x.mul_({tag})", lambda t, x, s=s: x.clone().mul_(s), SCALAR)
for tag, s in (("2", 2), ("3", 3), ("0.5", 0.5), ("-1", -1), ("0", 0), ("1", 1), ("2.5", 2.5)):
    # at 0.5 PyTorch's gradient is rsqrt's, which differs at -0 and -inf alone
    variants = {k: v for k, v in SCALAR.items() if s != 0.5 or k != "special"}
    family(f"x**{tag}", lambda t, x, s=s: x**s, variants)
    family(f"{tag}**x", lambda t, x, s=s: s**x, {k: v for k, v in SCALAR.items() if k not in ("i64", "bool")})
for tag, (lo, hi) in {"both": (-0.5, 0.75), "lo": (0, None), "hi": (None, 1), "none": (None, None)}.items():
    family(f"clamp.{tag}", lambda t, x, lo=lo, hi=hi: t.clamp(x, lo, hi), SCALAR)
family("clamp.min", lambda t, x: x.clamp(min=0.1), SCALAR)
family("where.scalar", lambda t, x: t.where(x > 0, x, 0.0), SCALAR)
family("floordiv", lambda t, x, y: x // y, {k: BINARY[k] for k in ("c", "f32", "i64f32")}, grad=False)
family("remainder", lambda t, x, y: x % y, {k: BINARY[k] for k in ("c", "f32", "i64f32")}, grad=False)
family("bitand", lambda t, x, y: x & y, {k: BINARY[k] for k in ("i64", "bool", "c")}, grad=False)
family("bitor", lambda t, x, y: (x | y, x ^ y), {k: BINARY[k] for k in ("i64", "bool", "c")}, grad=False)
family("invert", lambda t, x: ~x, {k: UNARY[k] for k in ("i64", "bool", "c")}, grad=False)
for dt in ("float32", "float64", "int64", "int32", "uint8", "bool", "float16"):
    finite = {k: UNARY[k] for k in ("c", "t", "0d", "empty", "i64", "bool")}
    family(
        f"to.{dt}",
        lambda t, x, dt=dt: x.abs().to(getattr(t, dt)) if x.dtype != t.bool else x.to(getattr(t, dt)),
        finite,
    )

# ---- reductions --------------------------------------------------------------------------------------------
REDUCE = {
    "c": (arr(3, 4),), "t": (arr(3, 4, layout="t"),), "s": (arr(3, 4, layout="s"),), "0d": (arr(),),
    "3d": (arr(2, 3, 4),), "f32": (arr(30, 40, dtype=F32),), "i64": (arr(3, 4, dtype=I64),),
    "bool": (arr(3, 4, dtype=BOOL),), "nan": (const([[1.0, np.nan, 3], [np.inf, -np.inf, 0]]),),
    "ties": (const([[1.0, 2, 2], [0, 0, 0]]),), "empty": (arr(0, 3),), "empty1": (arr(3, 0),),
}  # fmt: skip
SIMPLE = {k: REDUCE[k] for k in ("c", "0d", "3d", "f32")}  # for errors: PyTorch's order of checks is not ours
for op in ("sum", "mean", "max", "min", "argmax", "argmin", "var", "prod", "amax", "amin"):
    # the gradient of amax at NaN is 0 * NaN in PyTorch, where max spreads it over the NaNs
    g = op not in ("argmax", "argmin", "prod", "amax", "amin")
    family(op, lambda t, x, op=op: getattr(t, op)(x), REDUCE, grad=g)
    for tag, dim, keepdim in (("0", 0, False), ("-1", -1, False), ("1keep", 1, True), ("7", 7, False)):
        family(
            f"{op}.{tag}",
            lambda t, x, op=op, d=dim, k=keepdim: _plain(getattr(t, op)(x, dim=d, keepdim=k)),
            SIMPLE if dim == 7 else REDUCE,
            grad=g,
        )
for op in ("sum", "mean", "amax"):
    family(f"{op}.(0,1)", lambda t, x, op=op: getattr(t, op)(x, (0, 1)), REDUCE, grad=op != "amax")
    family(f"{op}.dup", lambda t, x, op=op: getattr(t, op)(x, (0, 0)), SIMPLE)
family("sum.dtype", lambda t, x: x.sum(dtype=t.float64), REDUCE)
family("mean.dtype", lambda t, x: x.mean(dtype=t.float32), REDUCE, grad=False)
family("var.correction0", lambda t, x: x.var(dim=0, correction=0), REDUCE)
family("var.biased", lambda t, x: t.var(x, unbiased=False), REDUCE)
family("std", lambda t, x: x.std(), {k: REDUCE[k] for k in ("c", "f32")})
for op in ("all", "any"):
    family(
        op,
        lambda t, x, op=op: (getattr(t, op)(x), getattr(x > 0, op)(0) if x.dim() else x),
        REDUCE,
        grad=False,
    )
family("cumsum", lambda t, x: x.cumsum(0), REDUCE)


def _plain(result):
    return tuple(result) if isinstance(result, tuple) else result


# ---- views and shapes --------------------------------------------------------------------------------------
X = {"c": (arr(2, 3, 4),), "t": (arr(2, 3, 4, layout="t"),), "s": (arr(2, 3, 4, layout="s"),)}
VIEWS = {
    "view": lambda t, x: x.view(6, 4),
    "view-1": lambda t, x: x.view(2, -1),
    "viewbad": lambda t, x: x.view(5, 5),
    "view-1-1": lambda t, x: x.view(-1, -1),
    "reshape": lambda t, x: x.reshape(4, 6),
    "reshape-1": lambda t, x: t.reshape(x, (-1,)),
    "permute": lambda t, x: x.permute(2, 0, 1),
    "permutebad": lambda t, x: x.permute(0, 0, 1),
    "transpose": lambda t, x: x.transpose(0, -1),
    "transposebad": lambda t, x: x.transpose(0, 3),
    "squeeze": lambda t, x: x[:, :1].squeeze(),
    "squeeze1": lambda t, x: x[:, :1].squeeze(1),
    "squeeze0": lambda t, x: x.squeeze(0),
    "unsqueeze": lambda t, x: x.unsqueeze(1),
    "unsqueeze-1": lambda t, x: t.unsqueeze(x, -1),
    "unsqueezebad": lambda t, x: x.unsqueeze(5),
    "flatten": lambda t, x: x.flatten(),
    "flatten1": lambda t, x: t.flatten(x, 1),
    "flatten01": lambda t, x: x.flatten(0, 1),
    "expand": lambda t, x: x[:, :1].expand(2, 5, 4),
    "expand-1": lambda t, x: x[:, :1].expand(3, -1, 3, -1),
    "expandbad": lambda t, x: x.expand(2, 5, 4),
    "mT": lambda t, x: x.mT,
    "narrow": lambda t, x: x.narrow(1, 1, 2),
    "select": lambda t, x: x.select(1, -1),
    "unbind": lambda t, x: x.unbind(1),
    "chunk": lambda t, x: x.chunk(2, 2),
    "split": lambda t, x: x.split(2, 1),
    "movedim": lambda t, x: x.movedim(0, 2),
    "T": lambda t, x: x[0].T,
    "tt": lambda t, x: x[0].t(),
    "slice": lambda t, x: x[:, 1:, ::2],
    "int": lambda t, x: x[1],
    "int-1": lambda t, x: x[..., -1],
    "none": lambda t, x: x[None, :, None, 1],
    "ellipsis": lambda t, x: x[..., 1:3],
    "full": lambda t, x: x[:],
    "outofrange": lambda t, x: x[2],
    "toomany": lambda t, x: x[0, 0, 0, 0],
    "negstep": lambda t, x: x[::-1],
    "view_as": lambda t, x: x.view_as(x),
    "unflatten": lambda t, x: x.unflatten(2, (2, 2)),
    "detach": lambda t, x: x.detach(),
    "swapaxes": lambda t, x: x.swapaxes(0, 1),
}
for name, fn in VIEWS.items():
    family(name, fn, X, strides=True)
add("stride.empty", lambda t: (t.zeros(0, 3), t.zeros(2, 0, 4)), strides=True)
family("emptyslice", lambda t, x: x[2:], X)
family("contiguous", lambda t, x: (x.contiguous(), x.transpose(0, 1).contiguous()), X, strides=True)
family("clone", lambda t, x: x.clone(), X)
family("flatten0d", lambda t, x: (x.flatten(), x.view(1, 1), x.expand(2)), {"0d": (arr(),)}, strides=True)
family("ops0d", lambda t, x: x[0], {"0d": (arr(),)})
PAIR = {
    "c": (arr(2, 3), arr(2, 3)),
    "t": (arr(2, 3, layout="t"), arr(2, 3)),
    "f32i64": (arr(2, 3, dtype=F32), arr(2, 3, dtype=I64)),
    "empty": (arr(0, 3), arr(2, 3)),
    "bad": (arr(2, 3), arr(3, 2)),
    "0d": (arr(), arr()),
    "legacy": (arr(0, dtype=F32), arr(2, 3)),
}
for d in (0, 1, -1, 4):
    family(f"cat.{d}", lambda t, x, y, d=d: t.cat((x, y, x), d), PAIR)
    pairs = {k: PAIR[k] for k in ("c", "0d")} if d == 4 else PAIR
    family(f"stack.{d}", lambda t, x, y, d=d: t.stack([x, y], d), pairs)
family("cat.none", lambda t: t.cat([]), {"": ()})

# ---- indexing ----------------------------------------------------------------------------------------------
INDEX = {
    "tensor": lambda t, x, i, m: x[i],
    "tensor2": lambda t, x, i, m: x[i, i % 3],
    "mixed": lambda t, x, i, m: x[:, i],
    "apart": lambda t, x, i, m: x[i, :, i],
    "intmix": lambda t, x, i, m: x[0, i],
    "apart2": lambda t, x, i, m: x[1, :, i],
    "slicemix": lambda t, x, i, m: x[1:, i, ::2],
    "nonemix": lambda t, x, i, m: x[None, i, ..., 0],
    "2dindex": lambda t, x, i, m: x[i.view(2, 2)],
    "neg": lambda t, x, i, m: x[-i - 1],
    "list": lambda t, x, i, m: x[[0, 2, 1]],
    "broadcast": lambda t, x, i, m: x[i[:, None], i[None, :] % 3],
    "bool": lambda t, x, i, m: x[m],
    "boolrow": lambda t, x, i, m: x[:, m[0]],
    "mask3": lambda t, x, i, m: x[x > 0],
    "boolint": lambda t, x, i, m: x[m, 0],
    "boolmix": lambda t, x, i, m: x[1:, m[0]],
    "0dint": lambda t, x, i, m: x[i[0]],
    "outofrange": lambda t, x, i, m: x[i + 10],
    "badmask": lambda t, x, i, m: x[m.T],
    "floatindex": lambda t, x, i, m: x[x],
    "numpy": lambda t, x, i, m: x[np.array([1, 0])],
    "toomany": lambda t, x, i, m: x[i, i, i, i],
    "string": lambda t, x, i, m: x["a"],
    "true": lambda t, x, i, m: x[True],
    "false": lambda t, x, i, m: x[False],
    "emptylist": lambda t, x, i, m: x[[]],
    "badbroadcast": lambda t, x, i, m: x[i, i[:3]],
    "badbroadcastmask": lambda t, x, i, m: x[(m | True)[:, 0], i[:3]],
    "badbroadcastput": lambda t, x, i, m: x.index_put((i, i[:3]), t.ones(4, dtype=x.dtype, device=x.device)),
}
XI = {k: (arr(4, 3, 5, layout=k), ints(4, hi=3), arr(4, 3, dtype=BOOL)) for k in "cs"}
for name, fn in INDEX.items():
    family(f"index.{name}", fn, XI)


def _put(key, value):
    def run(t, x, i, m, v):
        y = x.clone()
        y[key(x, i, m)] = value(v)
        return y

    return run


PUT = {
    "int": (lambda x, i, m: 1, lambda v: v),
    "slice": (lambda x, i, m: slice(1, 3), lambda v: v),
    "tensor": (lambda x, i, m: i, lambda v: v),
    "mask": (lambda x, i, m: m, lambda v: v[0]),
    "mask3": (lambda x, i, m: x > 0, lambda v: 0.5),
    "scalar": (lambda x, i, m: (0, i), lambda v: 2),
    "mixed": (lambda x, i, m: (slice(None), i), lambda v: v[0]),
    "none": (lambda x, i, m: (None, 2), lambda v: v),
    "ellipsis": (lambda x, i, m: (..., -1), lambda v: v[..., 0]),
    "bad": (lambda x, i, m: 1, lambda v: v[:2, :2]),
    "apart": (lambda x, i, m: (i, slice(None), i), lambda v: v[0, :3]),
    "all": (lambda x, i, m: ..., lambda v: v[0, 0]),
}
for name, (key, value) in PUT.items():
    # distinct rows, since the order of writes to one place is not specified
    family(
        f"put.{name}",
        _put(key, value),
        {k: (arr(4, 3, 5, layout=k), const([0, 2, 1], I64), arr(4, 3, dtype=BOOL), arr(3, 5)) for k in "cs"},
    )
family("index_put_.acc", lambda t, x, i, v: x.clone().index_put_((i,), v, accumulate=True),
       {"c": (arr(4, 5), ints(6), arr(6, 5))})  # fmt: skip
family("masked_fill", lambda t, x, m: x.masked_fill(m, -1.0), {"c": (arr(3, 4), arr(3, 4, dtype=BOOL))})
family("gather", lambda t, x, i: x.gather(1, i), {"c": (arr(3, 4), ints(3, 2))})
family("index_select", lambda t, x, i: x.index_select(1, i), {"c": (arr(3, 4), ints(5))})

# ---- creation: no inputs, on the current device ------------------------------------------------------------
CREATE = {
    "zeros": lambda t: (t.zeros(2, 3), t.zeros((2,)), t.zeros(()), t.zeros(0, 2, dtype=t.int64)),
    "ones": lambda t: (t.ones(2, 3), t.ones([2], dtype=t.bool)),
    "full": lambda t: (t.full((2,), 3), t.full((2,), 0.5), t.full((), True)),
    "arange": lambda t: (
        t.arange(5),
        t.arange(1, 2, 0.25),
        t.arange(5, 0, -2),
        t.arange(3, dtype=t.float64),
        t.arange(0),
    ),
    "arangebad": lambda t: t.arange(1, 0),
    "tensor": lambda t: (
        t.tensor([[1, 2.5]]),
        t.tensor(3),
        t.tensor([]),
        t.tensor([True]),
        t.tensor([[1], [2]]),
    ),
    "tensorragged": lambda t: t.tensor([[1, 2], [3]]),
    "tensordtype": lambda t: t.tensor([1, 2], dtype=t.float64),
    "tensorstr": lambda t: t.tensor("a"),
    "zerosneg": lambda t: t.zeros(-1),
    "eye": lambda t: (t.eye(3), t.eye(2, 3)),
    "linspace": lambda t: (t.linspace(0, 1, 5), t.linspace(1, 1, 1)),
    "numpy": lambda t: (t.tensor(np.float64(2)), t.as_tensor(np.arange(3))),
    "like": lambda t: (
        t.zeros_like(t.ones(2, 3).t()),
        t.ones_like(t.arange(3), dtype=t.float32),
        t.full_like(t.zeros(2), 7),
    ),
    "new": lambda t: (t.ones(2, dtype=t.float64).new_zeros(3), t.ones(2).new_tensor([1, 2])),
    "item": lambda t: t.zeros(2).item(),
    "bool": lambda t: bool(t.zeros(2)),
    "tensortensor": lambda t: t.stack([t.tensor(1), t.tensor(2.5)]),
    "float": lambda t: t.tensor([float(t.tensor(2.5)), int(t.tensor(3.7)), len(t.zeros(4, 2)), t.tensor(3).item()]),
    "len0d": lambda t: len(t.tensor(3)),
    "iter0d": lambda t: list(t.tensor(3)),
    "tolist": lambda t: t.tensor(t.arange(6).view(2, 3).tolist()),
    "intgrad": lambda t: t.tensor([1], requires_grad=True),
    "numpygrad": lambda t: t.ones(2, requires_grad=True).numpy(),
    "numpynograd": lambda t: t.no_grad()(lambda x: t.from_numpy(x.cpu().numpy()))(t.ones(2, requires_grad=True)),
    "bernoullibad": lambda t: t.nn.functional.dropout(t.ones(2), -0.1),
    "dtypestr": lambda t: t.zeros(2, dtype="float32"),
    "intinplace": lambda t: t.arange(3).add_(0.5),
    "intdiv": lambda t: t.arange(3).div_(2),
    "boolinplace": lambda t: t.ones(2, dtype=t.bool).add_(1),
    "overflow": lambda t: t.tensor([100], dtype=t.int8) + 300,
    "uint8neg": lambda t: t.tensor([1], dtype=t.uint8) - 2,
    "boolsub": lambda t: t.ones(2, dtype=t.bool) - t.ones(2, dtype=t.bool),
    "addnone": lambda t: t.ones(2) + None,
    "addstr": lambda t: t.ones(2) + "a",
    "randshape": lambda t: t.tensor(
        [*t.rand(2, 3).shape, *t.randint(0, 5, (4,)).shape, *t.randperm(6).shape, *t.randn(2).shape]
    ),
}
for name, fn in CREATE.items():
    add(f"create.{name}", fn, grad=False)
