"""In-place methods and out= of pointwise ops and reductions, in one pattern for all."""

import numpy as np
from ops_table import BOOL, F32, I64, add, arr, family, ints

UNARY = (
    "abs absolute acos acosh arccos arccosh arcsin arcsinh arctan arctanh asin asinh atan atanh ceil conj_physical cos cosh "
    "deg2rad digamma erf erfc erfinv exp2 exp expm1 fix floor frac i0 lgamma log10 log1p log2 log logical_not logit "
    "nan_to_num neg negative rad2deg reciprocal round rsqrt sgn sigmoid sign sin sinc sinh sqrt square tan tanh tril triu trunc"
).split()
BINARY = (
    "add arctan2 atan2 clamp clamp_max clamp_min clip copysign div divide eq float_power floor_divide fmod ge greater "
    "greater_equal gt heaviside hypot igamma igammac ldexp le less less_equal logical_and logical_or logical_xor lt mul "
    "multiply ne nextafter not_equal pow remainder sub subtract true_divide xlogy"
).split()
INTEGER = "bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor gcd lcm".split()
OUT_ONLY = "amax amin angle argmax argmin diag diff max mean min msort nanmean nansum norm signbit std var isposinf isneginf".split()
PAIR_OUT_ONLY = "cross fmax fmin inner kron logaddexp logaddexp2 maximum minimum tensordot".split()
ONE = {
    "c": (arr(3, 3, lo=0.1, hi=0.9),), "t": (arr(3, 4, lo=0.1, hi=0.9, layout="t"),), "0d": (arr(lo=0.1, hi=0.9),),
    "f32": (arr(3, 3, dtype=F32, lo=0.1, hi=0.9),), "i64": (arr(3, 3, dtype=I64),), "bool": (arr(3, 3, dtype=BOOL),),
    "empty": (arr(0, 3),),
}  # fmt: skip
TWO = {
    "c": (arr(3, 3, lo=0.1, hi=0.9), arr(3, 3, lo=0.1, hi=0.9)), "broadcast": (arr(3, 3, lo=0.1), arr(3, lo=0.1)),
    "grows": (arr(3, lo=0.1), arr(3, 3, lo=0.1)), "f32": (arr(3, 3, dtype=F32, lo=0.1), arr(3, 3, lo=0.1)),
    "i64": (arr(3, 3, dtype=I64), ints(3, 3, hi=5, lo=1)), "i64f64": (arr(3, 3, dtype=I64), arr(3, 3, lo=0.1)),
    "bool": (arr(3, 3, dtype=BOOL), arr(3, 3, dtype=BOOL)),
}  # fmt: skip
MATRIX = {"tril", "triu", "diag", "cross", "inner", "kron", "tensordot", "diff", "msort"}
# PyTorch has no derivative of these in place; PolyTensor does
NO_GRAD = {"acosh", "arccosh", "asinh", "arcsinh", "atanh", "arctanh"}
COMPARING = {"eq", "ge", "greater", "greater_equal", "gt", "le", "less", "less_equal", "lt", "ne", "not_equal"}


def _out(t, fn, dtype, *xs):
    """The result in out=, which is as exact as the narrower of the dtypes; whether that very tensor comes back."""
    with t.no_grad():
        out = t.empty(0, dtype=getattr(t, dtype))
        r = fn(*xs, out=out)
        narrow = out.is_floating_point() and not all(x.dtype == out.dtype for x in xs)
        return out.float() if narrow else out, str(out.dtype), r is out


def _resized(t, fn, *xs):
    """out= of another shape is resized; its dtype stays."""
    with t.no_grad():
        out = t.zeros(5, dtype=t.float64)
        fn(*xs, out=out)
        return out


def _aliased(t, fn, x, *xs):
    """out= may be the input, or a transposed view of another tensor."""
    with t.no_grad():
        y, z = x.clone(), t.zeros_like(x).t()
        fn(x, *xs, out=z)
        fn(y, *xs, out=y)
        return y, z


def _expanded(t, fn, *xs):
    with t.no_grad():
        return fn(*xs, out=t.zeros(1, dtype=t.float64).expand(3, 3))


def _recording(t, fn, *xs):
    return fn(*xs, out=t.zeros(3, 3, dtype=t.float64, requires_grad=True))


def _out_forms(op, inputs, matrix=False):
    """The forms of out= that pointwise ops share."""

    def form(how):
        return lambda t, *xs: how(t, getattr(t, op), *xs)

    family(f"forms.{op}.resized", form(_resized), {"": inputs}, grad=False)
    family(f"forms.{op}.recording", form(_recording), {"": inputs}, grad=False)
    family(f"forms.{op}.tracked", lambda t, *xs: getattr(t, op)(*xs, out=t.empty(0, dtype=t.float64)), {"": inputs})
    if not matrix:
        family(f"forms.{op}.aliased", form(_aliased), {"": inputs}, grad=False)
        family(f"forms.{op}.expanded", form(_expanded), {"": inputs}, grad=False)


for op in (*UNARY, "bitwise_not", "relu", "zero"):
    cases = {k: v for k, v in ONE.items() if not (op in MATRIX and k == "0d")}
    family(f"forms.{op}_", lambda t, x, op=op: getattr(x.clone(), f"{op}_")(), cases, grad=op not in NO_GRAD)
for op in (*BINARY, *INTEGER):
    cases = {k: v for k, v in TWO.items() if not (op in COMPARING and k == "i64f64")}
    family(f"forms.{op}_", lambda t, x, y, op=op: getattr(x.clone(), f"{op}_")(y), cases)
    family(
        f"forms.{op}_.number", lambda t, x, op=op: getattr(x.clone(), f"{op}_")(2), {k: ONE[k] for k in ("c", "i64")}
    )
for op in (*UNARY, *OUT_ONLY, "bitwise_not", "nonzero"):
    if op not in ("absolute", "conj_physical"):
        cases = {k: ONE[k] for k in ("c", "f32", "i64", "bool")}
        family(f"forms.{op}.out", lambda t, x, op=op: _out(t, getattr(t, op), "float64", x), cases, grad=False)
        family(
            f"forms.{op}.outint", lambda t, x, op=op: _out(t, getattr(t, op), "int64", x), {"c": ONE["c"]}, grad=False
        )
for op in (*BINARY, *INTEGER, *PAIR_OUT_ONLY):
    cases = {k: TWO[k] for k in ("c", "broadcast", "f32", "i64")}
    if op in MATRIX:
        cases = {"c": TWO["c"], "i64": TWO["i64"]}
    family(f"forms.{op}.out", lambda t, x, y, op=op: _out(t, getattr(t, op), "float64", x, y), cases, grad=False)
    family(
        f"forms.{op}.outint", lambda t, x, y, op=op: _out(t, getattr(t, op), "int64", x, y), {"c": TWO["c"]}, grad=False
    )
for op in ("exp", "abs", "floor", "sigmoid", "nan_to_num", "logical_not", "round"):
    _out_forms(op, ONE["c"])
for op in ("add", "mul", "div", "pow", "eq", "maximum", "clamp", "atan2", "logical_and", "fmod"):
    _out_forms(op, TWO["c"])
for op in ("amax", "std", "argmax", "nonzero"):
    _out_forms(op, ONE["c"], True)
for op in ("matmul", "mm", "cross", "kron"):
    _out_forms(op, TWO["c"], True)


# ---- several results -------------------------------------------------------------------------------------------------
def _pair(fn, *dtypes, aliased=False):
    def run(t, x):
        with t.no_grad():
            outs = tuple(t.empty(0, dtype=getattr(t, d)) for d in dtypes)
            r = fn(t, x, outs)
            return (*outs, *(a is b for a, b in zip(r, outs, strict=True)))

    return run


PAIRS = {
    "max": lambda t, x, o: t.max(x, 1, out=o),
    "min": lambda t, x, o: t.min(x, 0, keepdim=True, out=o),
    "sort": lambda t, x, o: t.sort(x, out=o),
    "topk": lambda t, x, o: t.topk(x, 2, out=o),
    "kthvalue": lambda t, x, o: t.kthvalue(x, 2, out=o),
    "median": lambda t, x, o: t.median(x, 1, out=o),
    "mode": lambda t, x, o: t.mode(x, 1, out=o),
    "cummax": lambda t, x, o: t.cummax(x, 0, out=o),
    "aminmax": lambda t, x, o: t.aminmax(x, out=o),
    "frexp": lambda t, x, o: t.frexp(x, out=o),
}
for name, fn in PAIRS.items():
    right = {"aminmax": "float64", "frexp": "int32"}.get(name, "int64")
    family(f"forms.{name}.outs", _pair(fn, "float64", right), {"c": ONE["c"], "t": ONE["t"]}, grad=False)
    family(f"forms.{name}.outs.wrong", _pair(fn, "int64", right), {"c": ONE["c"]}, grad=False)
    family(f"forms.{name}.outs.wrong2", _pair(fn, "float64", "float32"), {"c": ONE["c"]}, grad=False)

# ---- NumPy's whole numbers, which shapes and draws are made of -----------------------------------------------------------
I2, I1, I0 = np.int64(2), np.int32(1), np.int64(0)
for name, fn in {
    "roll": lambda t, x: [x.roll(I1), x.roll(I1, I0), t.roll(x, (I1, 2), (I0, 1))],
    "movedim": lambda t, x: [x.movedim(I0, I1), t.moveaxis(x, I1, I0)],
    "splits": lambda t, x: [x.chunk(I2), x.tensor_split(I2), x.hsplit(I2), x.vsplit(I2), t.dsplit(x.reshape(1, 4, 4), I2)],
    "pools": lambda t, x: [
        t.nn.functional.max_pool2d(x[None], I2, padding=I1),
        t.nn.MaxPool2d(I2)(x[None]), t.nn.MaxPool2d(3, stride=I2)(x[None]), t.nn.functional.lp_pool2d(x[None].abs(), 2, I2),
    ],
    "arrays": lambda t, x: [
        t.nn.Unfold(k, stride=k)(x[None, None]) for k in (np.array([2, 1]), t.tensor([2, 1]), range(1, 3))
    ],
    "threads": lambda t, x: [t.set_num_threads(np.int64(t.get_num_threads())), t.get_num_threads() > 0],
    "norms": lambda t, x: [t.nn.LayerNorm(I2 * 2)(x.float()), t.nn.RMSNorm(I2 * 2)(x.float())],
    "alpha": lambda t, x: [x.add(I2, alpha=I2), x.sub(x, alpha=I2), x.clone().add_(I2, alpha=np.float64(0.5)),
                           t.add(x, np.float32(2), alpha=I2)],
    "alpha.bad": lambda t, x: x.long().add(x.long(), alpha=np.float64(0.5)),
    "polygamma": lambda t, x: [t.polygamma(I1, x), x.polygamma(I2), x.polygamma(t.tensor(1))],
    "dims": lambda t, x: [
        t.linalg.norm(x, dim=I0), t.fft.fftshift(x, I0), t.fft.fft2(x, dim=(I0, I1)), t.trapezoid(x, dim=I0),
        t.gradient(x, dim=I0), t.tensordot(x, x, dims=I1), t.tensordot(x, x, ([I0], [I1])), t.frobenius_norm(x, I0),
    ],
    "shapes": lambda t, x: t.broadcast_shapes((4, 1), 3),
    "activations": lambda t, x: [
        f(x.float()) for F in (t.nn.functional,) for h in (np.float64(0.25),) for f in (
            lambda x: F.leaky_relu(x, h), lambda x: F.elu(x, h), lambda x: F.celu(x, h), lambda x: F.softplus(x, h, np.int64(1)),
            lambda x: F.hardtanh(x, -h, h), lambda x: F.softshrink(x, h), lambda x: F.threshold(x, h, h), lambda x: F.rrelu(x, h, h),
            lambda x: F.leaky_relu(x.half(), h), lambda x: F.layer_norm(x, (4,), eps=h), lambda x: F.gelu(x) * h,
        )
    ],
    "chunk.bad": lambda t, x: x.chunk(2.0),
}.items():  # fmt: skip
    add(f"numpy.whole.{name}", fn, arr(4, 4), grad=False)

# ---- tensors without dimensions where PyTorch takes a number -----------------------------------------------------------
for name, fn in {
    "activations": lambda t, x: [
        f(x, t.tensor(0.25)) for f in (t.nn.functional.leaky_relu, t.nn.functional.elu, t.nn.functional.celu,
                                       t.nn.functional.hardshrink, t.nn.functional.softplus)
    ],
    "norms": lambda t, x: [
        t.nn.functional.layer_norm(x, (4,), eps=t.tensor(1e-5)), t.nn.functional.rms_norm(x, (4,), eps=t.tensor(1e-5)),
        t.nn.functional.group_norm(x, t.tensor(2), eps=t.tensor(1e-5)),
        t.nn.functional.batch_norm(x, None, None, None, None, True, t.tensor(0.1), t.tensor(1e-5)),
        t.nn.functional.instance_norm(x[None], eps=t.tensor(1e-5)),
    ],
    "attention": lambda t, x: t.nn.functional.scaled_dot_product_attention(x[None], x[None], x[None], scale=t.tensor(0.3)),
    "scatter": lambda t, x: [
        t.scatter(x, 1, t.tensor([[0], [2]]), value=t.tensor(2.0)), x.clone().scatter_(0, t.tensor([[1]]), value=t.tensor(3)),
    ],
    "sizes": lambda t, x: [x.split(t.tensor(3)), x.chunk(t.tensor(2)), x.roll(t.tensor(1)), x.movedim(t.tensor(0), t.tensor(1))],
}.items():  # fmt: skip
    add(f"tensor.numbers.{name}", fn, arr(4, 4))
