"""Activations. Half types are computed in float32 and rounded once. Source: torch.nn.functional."""

from __future__ import annotations

from math import pi, sqrt
from typing import Any

from ..autograd.modes import WATCH, InferenceCell, mode
from ..backends.activations import ROOT_2_OVER_PI, TANH_GELU
from ..tensor import LEAF, Tensor, check_dim, rebase, wrap
from . import pointwise as pw
from .creation import empty_like
from .halves import is_half, rounded_once, widened
from .layers import softmax
from .operands import plain
from .random_ops import _uniform, exponential_
from .rows import together
from .shape import contiguous, reshape
from .table import ROWS, F, attach, check_tensor, inplace, named, no_kernel, primitive, type_name

__all__ = [
    "celu", "celu_", "hardshrink", "prelu", "relu_", "rrelu", "rrelu_", "selu", "selu_", "threshold", "threshold_",
]  # fmt: skip


# ---- rows; a rule's `where` never meets inf * 0 in the branch that it does not take ------------------------------------
def _elu_rule(F: Any, g: Any, x: Any, alpha: float, scale: float, input_scale: float) -> Any:
    slope = F.mul(F.exp(F.mul(F.clamp(x, None, 0), input_scale)), alpha * scale * input_scale)
    return F.where(F.le(x, 0), F.mul(g, slope), F.mul(g, scale))


def _gelu_rule(F: Any, g: Any, x: Any) -> Any:
    return F.gelu_backward(g, x)


def _gelu_backward(g: Tensor, x: Tensor) -> Tensor:
    return pw.mul(g, pw.add(F.normal_cdf(x), pw.mul(x, _density(F, x))))


F.gelu_backward = _gelu_backward


def _density(F: Any, x: Any) -> Any:
    return F.mul(F.exp(F.mul(F.mul(x, x), -0.5)), 1 / sqrt(2 * pi))


def _gelu_tanh_backward(g: Tensor, x: Tensor) -> Tensor:
    square = F.mul(x, x)
    t = F.tanh(F.mul(F.mul(x, F.add(F.mul(square, TANH_GELU), 1)), ROOT_2_OVER_PI))
    inner = F.mul(F.add(F.mul(square, 3 * TANH_GELU), 1), ROOT_2_OVER_PI)
    slope = F.mul(F.mul(x, F.sub(1, F.mul(t, t))), inner)
    return F.mul(F.mul(g, 0.5), F.add(F.add(t, 1), slope))  # type: ignore[no-any-return]


def _silu_backward(g: Tensor, x: Tensor) -> Tensor:
    s = F.sigmoid(x)
    return F.mul(g, F.mul(s, F.add(F.mul(x, F.sub(1, s)), 1)))  # type: ignore[no-any-return]


def _leaky_relu_backward(g: Tensor, x: Tensor, slope: float) -> Tensor:
    return F.where(F.gt(x, 0), g, F.mul(g, slope))  # type: ignore[no-any-return]


def _between(g: Tensor, x: Tensor, lo: float, hi: float) -> Tensor:
    return F.keep(g, F.logical_and(F.gt(x, lo), F.lt(x, hi)))  # type: ignore[no-any-return]


def _hardswish_backward(g: Tensor, x: Tensor) -> Tensor:
    middle = F.mul(g, F.add(F.mul(x, 1 / 3), 0.5))
    return F.where(F.lt(x, 3), F.where(F.gt(x, -3), middle, F.zeros_of(g)), g)  # type: ignore[no-any-return]


F.gelu_tanh_backward, F.silu_backward = _gelu_tanh_backward, _silu_backward
F.leaky_relu_backward, F.between, F.hardswish_backward = _leaky_relu_backward, _between, _hardswish_backward


def _mish_rule(F: Any, g: Any, x: Any) -> Any:
    t = F.tanh(F.softplus(x, 1.0, 20.0))
    return F.mul(g, F.add(t, F.mul(F.mul(x, F.sigmoid(x)), F.sub(1, F.mul(t, t)))))


def _softplus_rule(F: Any, g: Any, x: Any, beta: float, threshold: float) -> Any:
    z = F.mul(x, beta)
    return F.where(F.gt(z, threshold), g, F.mul(g, F.sigmoid(z)))


def _shrink_rule(F: Any, g: Any, x: Any, lambd: float) -> Any:
    return F.keep(g, F.logical_not(F.logical_and(F.ge(x, -lambd), F.le(x, lambd))))


primitive("normal_cdf", "x", (lambda F, g, x: F.mul(g, _density(F, x)),), node="NormalCdfBackward0")
_elu = primitive("elu", "x", (_elu_rule,), "alpha scale input_scale")
_gelu = primitive("gelu", "x", (_gelu_rule,))
_gelu_tanh = primitive("gelu_tanh", "x", (lambda F, g, x: F.gelu_tanh_backward(g, x),), node="GeluBackward0")
_leaky_relu = primitive(
    "leaky_relu", "x", (lambda F, g, x, slope: F.leaky_relu_backward(g, x, slope),), "slope"
)  # fmt: skip
_prelu = primitive(
    "prelu_",
    "x w",
    (
        lambda F, g, x, w: F.where(F.gt(x, 0), g, F.mul(g, w)),
        lambda F, g, x: F.where(F.gt(x, 0), F.zeros_of(g), F.mul(g, x)),
    ),
    node="PreluKernelBackward0",
    broadcast=True,
)
_softplus = primitive("softplus", "x", (_softplus_rule,), "beta threshold")
_log_sigmoid = primitive("log_sigmoid", "x", (lambda F, g, x: F.mul(g, F.sigmoid(F.neg(x))),))
_silu = primitive("silu", "x", (lambda F, g, x: F.silu_backward(g, x),))
_mish = primitive("mish", "x", (_mish_rule,))
_hardtanh = primitive("hardtanh", "x", (lambda F, g, x, lo, hi: F.between(g, x, lo, hi),), "lo hi")
_hardsigmoid = primitive("hardsigmoid", "x", (lambda F, g, x: F.mul(F.between(g, x, -3, 3), 1 / 6),))
_hardswish = primitive("hardswish", "x", (lambda F, g, x: F.hardswish_backward(g, x),))
_hardshrink = primitive("hardshrink", "x", (_shrink_rule,), "lambd")
_softshrink = primitive("softshrink", "x", (_shrink_rule,), "lambd")
_threshold = primitive(
    "threshold_", "x", (lambda F, g, x, limit: F.keep(g, F.logical_not(F.le(x, limit))),), "limit value",
    node="ThresholdBackward0",
)  # fmt: skip


NARROW = (_gelu, _gelu_tanh, _silu)  # whose kernels, forward and backward, may take 16-bit floats and round once


# ---- fronts ------------------------------------------------------------------------------------------------------------
def _run(op: str, row: Any, input: Any, *attrs: Any, integers: bool = False) -> Tensor:
    x, attrs = check_tensor(input, op), tuple([a if a.__class__ is float else plain(a) for a in attrs])
    kind = x._a.dtype.kind
    if kind in "biuc" and not (integers and kind in "iu"):
        raise no_kernel(f"{op}_cpu", x)
    if is_half(x._a.dtype) and not (row in NARROW and x._dev.backend.takes_half):
        return F.cast(row(widened(x), *attrs), x._a.dtype)  # type: ignore[no-any-return]
    return row(x, *attrs)  # type: ignore[no-any-return]


def _finish(op: str, fn: Any, input: Any, in_place: bool) -> Tensor:
    return inplace(fn, op + "_")(check_tensor(input, op)) if in_place else fn(input)  # type: ignore[no-any-return]


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x, and alpha * (exp(x) - 1) for x < 0."""
    return _finish("elu", lambda x: _run("elu", _elu, x, alpha, 1.0, 1.0), input, inplace)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """ELU with the constants of self-normalising networks."""
    alpha, scale = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
    return _finish("selu", lambda x: _run("elu", _elu, x, alpha, scale, 1.0), input, inplace)


@named("CeluBackward0")
def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """max(0, x) + min(0, alpha * (exp(x / alpha) - 1))."""
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return _finish("celu", lambda x: _run("elu", _elu, x, alpha, 1.0, 1 / alpha), input, inplace)


def gelu(input: Tensor, *, approximate: str = "none") -> Tensor:
    """x times the normal distribution function at x; approximate 'none' or 'tanh'."""
    if approximate not in ("none", "tanh"):
        raise RuntimeError(f"approximate argument must be either none or tanh, but got {approximate!r}")
    return _run("GeluKernelImpl", _gelu if approximate == "none" else _gelu_tanh, input)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x, and negative_slope * x for x < 0."""
    return _finish("leaky_relu", lambda x: _run("leaky_relu", _leaky_relu, x, negative_slope), input, inplace)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x, and weight * x for x < 0; weight has one element, or one per channel (dimension 1)."""
    x, w = check_tensor(input, "prelu"), check_tensor(weight, "prelu", "weight")
    if x._a.dtype != w._a.dtype:
        raise RuntimeError(f"prelu: Type promoting not supported. Got {type_name(x)} and {type_name(w)}")
    if w._dev is not x._dev:
        together("prelu", x, w)
    if w._a.ndim > 1:
        raise RuntimeError(f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {w._a.ndim}")
    if w._a.size != 1:
        if x._a.ndim == 0:
            raise RuntimeError("Not allow zero-dim input tensor.")
        channels = x._a.shape[1] if x._a.ndim > 1 else 1
        if channels != w._a.size:
            raise RuntimeError(
                f"Mismatch of parameter numbers and input channel size. Found parameter numbers = {w._a.size} and channel "
                f"size = {channels}."
            )
        w = reshape(w, (-1,) + (1,) * (x._a.ndim - 2))
    elif w._a.ndim:
        w = reshape(w, ())
    return _run("prelu", lambda x: _prelu(x, w if x._a.dtype == w._a.dtype else F.cast(w, x._a.dtype)), x)


@named("RreluWithNoiseBackward0")
def rrelu(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """Leaky ReLU with a slope drawn from [lower, upper) per element in training, their mean else."""
    return rrelu_noise(input, lower, upper, training, inplace, None)


def rrelu_noise(input: Tensor, lower: float, upper: float, training: bool, inplace: bool, generator: Any) -> Tensor:
    """rrelu with a Generator of its own, as torch.rrelu takes it."""
    if lower > upper:
        raise RuntimeError(f"Lower bound should be less than or equal to the upper bound, but got {lower} and {upper}")

    def compute(x: Tensor) -> Tensor:
        x = contiguous(check_tensor(x, "rrelu"))
        if not training:
            return _run("leaky_relu", _leaky_relu, x, (lower + upper) / 2)
        slope = wrap(_uniform(x._a.shape, x._a.dtype, x._dev, generator, lower, upper), x._dev)
        return _run(
            "rrelu", lambda x: _prelu(x, slope if x._a.dtype == slope._a.dtype else F.cast(slope, x._a.dtype)), x
        )

    return _finish("rrelu", compute, input, inplace)


def softplus(input: Tensor, beta: float = 1, threshold: float = 20) -> Tensor:
    """log(1 + exp(beta * x)) / beta; x itself where beta * x > threshold."""
    return _run("softplus", _softplus, input, beta, threshold)


def logsigmoid(input: Tensor) -> Tensor:
    """log(sigmoid(x)), without overflow."""
    return _run("log_sigmoid", _log_sigmoid, contiguous(check_tensor(input, "logsigmoid")))


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x * sigmoid(x)."""
    if check_tensor(input, "silu")._a.dtype.kind == "c":
        return _finish("silu", lambda x: pw.mul(x, pw.sigmoid(x)), input, inplace)
    return _finish("silu", lambda x: _run("silu", _silu, x), input, inplace)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * tanh(softplus(x))."""
    return _finish("mish", lambda x: _run("mish", _mish, x), input, inplace)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """Values limited to [min_val, max_val]; the gradient is 0 at the limits too."""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    x = check_tensor(input, "hardtanh")
    if x._a.dtype.kind == "b":
        raise RuntimeError("Bool inputs not supported for hardtanh")
    if x._a.dtype.kind in "iu":
        min_val, max_val = int(min_val), int(max_val)
        if x._a.dtype.kind == "u" and min_val < 0:
            raise RuntimeError("cannot do hardtanh on an unsigned type with negative limits")
    return _finish("hardtanh", lambda x: _run("hardtanh", _hardtanh, x, min_val, max_val, integers=True), x, inplace)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """Values limited to [0, 6]."""
    return hardtanh(input, 0.0, 6.0, inplace)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """x / 6 + 1 / 2 limited to [0, 1]."""
    return _finish("hardsigmoid", lambda x: _run("hardsigmoid", _hardsigmoid, x), input, inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * hardsigmoid(x)."""
    return _finish("hardswish", lambda x: _run("hardswish", _hardswish, x), input, inplace)


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x, and 0 where -lambd <= x <= lambd."""
    return _run("hardshrink", _hardshrink, input, lambd)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x moved by lambd towards 0, and 0 where it would cross it."""
    if lambd < 0 and check_tensor(input, "softshrink")._a.dtype.kind not in "biu":
        raise RuntimeError(f"lambda must be greater or equal to 0, but found to be {lambd}.")
    return _run("softshrink", _softshrink, input, lambd)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x, and `value` where x <= threshold."""

    def compute(x: Tensor) -> Tensor:
        if x._a.dtype.kind in "iu":
            wrap_at = 256 if x._a.dtype.kind == "u" else None  # PyTorch casts both to the dtype
            low, high = (int(v) if wrap_at is None else int(v) % wrap_at for v in (threshold, value))
            return _run("threshold", _threshold, x, low, high, integers=True)
        return _run("threshold", _threshold, x, threshold, value)

    return _finish("threshold", compute, input, inplace)


_gated = rounded_once(lambda x, y: pw.mul(x, pw.sigmoid(y)))


@named("GluBackward0")
def glu(input: Tensor, dim: int = -1) -> Tensor:
    """The first half along `dim` times the sigmoid of the second."""
    x = check_tensor(input, "glu")
    if x._a.ndim == 0:
        raise RuntimeError("glu does not support scalars because halving size must be even")
    d = check_dim(dim, x._a.ndim)
    n = x._a.shape[d]
    if n % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {d} is size {n}")
    if x._a.dtype.kind in "biuc":
        raise no_kernel("glu_cpu", x)
    return _gated(x.narrow(d, 0, n // 2), x.narrow(d, n // 2, n // 2))  # type: ignore[no-any-return]


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|)."""
    return pw.div(input, pw.add(pw.abs(input), 1))


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x)."""
    return pw.sub(input, pw.tanh(input))


def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """softmax(-x)."""
    return softmax(pw.neg(check_tensor(input, "softmin")), dim, dtype, _stacklevel)  # type: ignore[no-any-return]


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """softmax of (logits + Gumbel noise) / tau; `hard` gives one-hot samples with the gradient of the soft ones."""
    x = check_tensor(logits, "gumbel_softmax")
    noise = pw.neg(pw.log(exponential_(empty_like(x.detach()))))
    soft = softmax(pw.div(pw.add(x, noise), tau), dim)
    if not hard:
        return soft  # type: ignore[no-any-return]
    index = soft.max(dim, keepdim=True)[1]
    one = pw.mul(soft.detach(), 0).scatter(dim, index, value=1.0)
    return pw.add(pw.sub(one, soft.detach()), soft)


def _in_place(fn: Any, name: str) -> Any:
    def op(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return fn(input, *args, inplace=True, **kwargs)  # type: ignore[no-any-return]

    op.__name__ = name
    op.__doc__ = f"{fn.__name__} in place."
    return op


def relu_(input: Tensor) -> Tensor:
    """relu in place."""
    return check_tensor(input, "relu_").relu_()  # type: ignore[no-any-return]


_relu_by_copy = Tensor.relu_  # type: ignore[attr-defined]


def _relu_within(self: Tensor) -> Tensor:
    """In-place relu."""
    a, fn = self._a, self._fn
    if (
        self._v is not None or fn is LEAF or a.dtype.kind != "f" or a.dtype.itemsize < 4 or 0 in a.strides
        or self._s.__class__ is InferenceCell or WATCH
    ):  # fmt: skip
        return _relu_by_copy(self)  # type: ignore[no-any-return]
    self._dev.backend.relu_within(a)
    self._bump()
    if fn is not None and mode.grad:
        r = self._alias(None, 0)
        ROWS["relu"].record((self._alias(fn, self._nr),), (), (r,))
        rebase(self, r)
    return self


_relu_within.__name__ = "relu_"
Tensor.relu_ = _relu_within  # type: ignore[attr-defined]


celu_, elu_, selu_, rrelu_ = (_in_place(f, f.__name__ + "_") for f in (celu, elu, selu, rrelu))
hardtanh_, leaky_relu_, threshold_ = (_in_place(f, f.__name__ + "_") for f in (hardtanh, leaky_relu, threshold))
attach("hardshrink", hardshrink)
attach("prelu", prelu)
