"""Pointwise functions beside the basic ones: rounding division, clamps, interpolation, bits, parts of numbers."""

from __future__ import annotations

from collections import namedtuple
from functools import wraps
from typing import Any

from .. import dtypes
from ..autograd.modes import mode, no_grad
from ..backends.base import DTYPE_OF
from ..tensor import LEAF, Tensor
from . import pointwise as pw
from .halves import is_half, widened
from .rows import raw_dtype
from .table import (
    COMPARE,
    FLOAT,
    PROMOTE,
    F,
    attach,
    binary,
    check_tensor,
    cpp_name,
    give,
    inplace,
    is_bool,
    no_kernel,
    prepare,
    primitive,
    renamed,
    same_device,
    shape_error,
    type_name,
    unary,
    write_out,
)  # fmt: skip

__all__ = [
    "addcdiv", "addcmul", "allclose", "bitwise_left_shift", "bitwise_right_shift", "copysign", "deg2rad", "fix",
    "float_power", "fmax", "fmin", "fmod", "frac", "frexp", "gcd", "greater", "greater_equal", "heaviside", "hypot",
    "isclose", "isneginf", "isposinf", "isreal", "lcm", "ldexp", "lerp", "less", "less_equal", "logical_and",
    "logical_or", "logical_xor", "maximum", "minimum", "nan_to_num", "nextafter", "not_equal", "positive",
    "rad2deg", "rsub", "sgn", "signbit",
]  # fmt: skip


def _same_out(name: str, x: Tensor, out: Tensor | None) -> None:
    if out is not None and out._a.dtype != x._a.dtype:
        raise RuntimeError(f"{name}: dtype of out: {type_name(out)} should be same as input: {type_name(x)}")


def strict(op: Any, name: str, second: str = "other", doc: str = "") -> Any:
    """The function and method of a binary op that takes no Python numbers."""

    @wraps(op)
    def call(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
        if other.__class__ is not Tensor:
            check_tensor(other, name, second)
        if input.__class__ is not Tensor:
            check_tensor(input, name)
        return op(input, other, out=out)  # type: ignore[no-any-return]

    plain = getattr(Tensor, name + "_", None)
    if plain is not None:

        @wraps(plain)
        def in_place(self: Tensor, other: Tensor) -> Tensor:
            check_tensor(other, name + "_", second)
            return plain(self, other)  # type: ignore[no-any-return]

        setattr(Tensor, name + "_", in_place)
    call.__name__ = call.__qualname__ = name
    call.__doc__ = doc or f"{name} of two tensors, broadcast and promoted. Source: torch.{name}."
    return attach(name, call)


def underived(message: str, error: type[Exception] = NotImplementedError) -> Any:
    """The rule of an input in which PyTorch has no derivative."""

    def rule(F: Any, g: Any) -> Any:
        raise error(message)

    return rule


def zero(F: Any, g: Any) -> Any:
    return F.zeros_of(g)


def masked(F: Any, g: Any, keep: Any) -> Any:
    """The gradient where `keep` holds."""
    return F.keep(g, keep)


def broadcasting(op: Any, *xs: Tensor) -> Tensor:
    """op(*xs); the error names the shapes that do not fit together."""
    try:
        return op(*xs)  # type: ignore[no-any-return]
    except ValueError:
        raise shape_error(*(x._a for x in xs)) from None


# ---- arithmetic -------------------------------------------------------------------------------------------------------
def rsub(input: Tensor, other: Any, alpha: Any = 1) -> Tensor:
    """other - alpha * input. Source: torch.rsub."""
    x = check_tensor(input, "rsub")
    r = pw.sub(other, x, alpha=alpha)
    return renamed(r, "RsubBackward0" if isinstance(other, Tensor) else "RsubBackward1")


_fmod = binary(
    "fmod", (lambda F, g: g, lambda F, g, x, y: F.neg(F.mul(g, F.div_trunc(x, y)))), node="FmodBackward1", refuse="bc"
)


def fmod(input: Tensor, other: Any, *, out: Tensor | None = None) -> Tensor:
    """The remainder with the sign of `input`. RuntimeError for an integer divided by 0. Source: torch.fmod."""
    r = _fmod(check_tensor(input, "fmod"), other, out=out)
    return r if isinstance(other, Tensor) else renamed(r, "FmodBackward0")


Tensor.fmod = fmod


def _same_dtypes(name: str, x: Tensor, **others: Any) -> None:
    for role, y in others.items():
        if y._a.dtype != x._a.dtype:
            raise RuntimeError(f"expected dtype {cpp_name(x)} for `{role}` but got dtype {cpp_name(y)}")


def _lerp_weight(F: Any, g: Any, x: Any, y: Any) -> Any:
    return F.mul(g, F.conj(F.sub(y, x)))


_lerp = primitive(
    "lerp",
    "x y w",
    (
        lambda F, g, w: F.mul(g, F.conj(F.add(F.neg(w), 1))),
        lambda F, g, w: F.mul(g, F.conj(w)),
        _lerp_weight,
    ),
    node="LerpBackward1",
    broadcast=True,
)


def lerp(input: Tensor, end: Tensor, weight: Any, *, out: Tensor | None = None) -> Tensor:
    """input + weight * (end - input) for floats of one dtype. Source: torch.lerp."""
    x, y = check_tensor(input, "lerp"), check_tensor(end, "lerp", "end")
    kind = "tensor" if isinstance(weight, Tensor) else "scalar"
    if kind == "tensor":
        _same_dtypes("lerp", x, end=y, **({"weight": weight} if weight._a.ndim else {}))
    else:
        _same_dtypes("lerp", x, end=y)
    if x._a.dtype.kind in "biu":
        raise no_kernel(f"lerp_kernel_{kind}", x)
    if kind == "scalar" and is_half(x._a.dtype) and not isinstance(weight, complex):
        x, y = prepare("lerp", PROMOTE, x, y)
        try:
            return give(F.lerp_number(x, y, float(weight)), out)
        except ValueError:
            raise shape_error(x._a, y._a) from None
    x, y, w = prepare("lerp", PROMOTE, x, y, weight)
    try:
        r = _lerp(x, y, w)
    except ValueError:
        raise shape_error(x._a, y._a, w._a) from None
    return give(r if kind == "tensor" else renamed(r, "LerpBackward0"), out)


def _scale(name: str, args: tuple[Any, ...], value: Any) -> tuple[Any, Any, Any]:
    """(tensor1, tensor2, value) of addcmul and addcdiv; the old order with the value in front is known too."""
    if len(args) == 3 and not isinstance(args[0], Tensor):
        value, *args = args  # type: ignore[assignment]
    if len(args) != 2:
        raise TypeError(f"{name}() takes two tensors beside the input, got {len(args)}")
    t1, t2 = (check_tensor(t, name, role) for t, role in zip(args, ("tensor1", "tensor2"), strict=True))
    if isinstance(value, Tensor):
        if value._a.ndim:
            raise TypeError(f"{name}(): argument 'value' must be Number, not Tensor")
        value = value.item()
    return t1, t2, value


def addcmul(
    input: Tensor, *args: Any, tensor1: Any = None, tensor2: Any = None, value: Any = 1, out: Tensor | None = None
) -> Tensor:
    """addcmul(input, tensor1, tensor2, *, value=1): input + value * tensor1 * tensor2. Source: torch.addcmul."""
    x = check_tensor(input, "addcmul")
    t1, t2, value = _scale("addcmul", args + tuple(t for t in (tensor1, tensor2) if t is not None), value)
    x, t1, t2 = prepare("addcmul", PROMOTE, x, t1, t2)
    if x._a.dtype.kind == "b":
        raise NotImplementedError("\"addcmul_cpu_out\" not implemented for 'Bool'")
    if x._a.dtype.kind in "iu":
        value = int(value)
    dtype, (x, t1, t2) = x._a.dtype, map(widened, (x, t1, t2))
    product = pw.mul(t1, t2)
    r = pw.add(x, product if value == 1 else pw.mul(product, value))
    return give(renamed(r if r._a.dtype == dtype else F.cast(r, dtype), "AddcmulBackward0"), out)


def addcdiv(
    input: Tensor, *args: Any, tensor1: Any = None, tensor2: Any = None, value: Any = 1, out: Tensor | None = None
) -> Tensor:
    """addcdiv(input, tensor1, tensor2, *, value=1): input + value * tensor1 / tensor2. Source: torch.addcdiv."""
    x = check_tensor(input, "addcdiv")
    t1, t2, value = _scale("addcdiv", args + tuple(t for t in (tensor1, tensor2) if t is not None), value)
    if t1._a.dtype.kind in "biu" and t2._a.dtype.kind in "biu":
        raise RuntimeError(
            "Integer division with addcdiv is no longer supported, and in a future  release addcdiv will perform a true "
            "division of tensor1 and tensor2. Cast an operand to a floating dtype."
        )
    x, t1, t2 = prepare("addcdiv", PROMOTE, x, t1, t2)
    dtype, (x, t1, t2) = x._a.dtype, map(widened, (x, t1, t2))
    quotient = pw._div(t1, t2)
    r = pw.add(x, quotient if value == 1 else pw.mul(quotient, value))
    return give(renamed(r if r._a.dtype == dtype else F.cast(r, dtype), "AddcdivBackward0"), out)


def float_power(input: Any, exponent: Any, *, out: Tensor | None = None) -> Tensor:
    """input ** exponent in float64 (complex128 for complex numbers). Source: torch.float_power."""
    complex_ = any(
        isinstance(v, complex) or (isinstance(v, Tensor) and v._a.dtype.kind == "c") for v in (input, exponent)
    )
    want = dtypes.complex128 if complex_ else dtypes.float64
    if not isinstance(input, Tensor) and not isinstance(exponent, Tensor):
        raise TypeError("float_power() received an invalid combination of arguments: one must be a Tensor")
    x, y = (v.to(want) if isinstance(v, Tensor) else (v if complex_ else float(v)) for v in (input, exponent))
    return pw.pow(x, y, out=out)


def _float_power_(self: Tensor, exponent: Any) -> Tensor:
    """In-place float_power of a float64 or complex128 tensor."""
    if self._a.dtype.char not in "dD":
        raise RuntimeError(
            f"the base given to float_power_ has dtype {type_name(self)} but the operation's result requires dtype Double"
        )
    return inplace(float_power, "float_power_")(self, exponent)  # type: ignore[no-any-return]


def _copysign_rule(F: Any, g: Any, x: Any, out: Any) -> Any:
    """out / x; 0 where x is 0, in derivatives of this one too."""
    empty = F.eq(x, 0)
    return F.where(empty, F.zeros_of(g), F.mul(g, F.div(out, F.where(empty, F.add(x, 1), x))))


_copysign = binary(
    "copysign",
    (_copysign_rule, zero),
    FLOAT,
    refuse="c",
)


def copysign(input: Tensor, other: Any, *, out: Tensor | None = None) -> Tensor:
    """|input| with the sign of other. Source: torch.copysign."""
    r = _copysign(check_tensor(input, "copysign"), other, out=out)
    return r if isinstance(other, Tensor) else renamed(r, "CopysignBackward1")


Tensor.copysign = copysign


def _larger(F: Any, x: Any, y: Any) -> Any:
    return F.logical_or(F.ge(x, y), F.isnan(y))


def _smaller(F: Any, x: Any, y: Any) -> Any:
    return F.logical_or(F.le(x, y), F.isnan(y))


_fmax = binary(
    "fmax",
    (
        lambda F, g, x, y: masked(F, g, _larger(F, x, y)),
        lambda F, g, x, y: masked(F, g, F.logical_not(_larger(F, x, y))),
    ),
    refuse="c",
    refusal=RuntimeError,
)
_fmin = binary(
    "fmin",
    (
        lambda F, g, x, y: masked(F, g, _smaller(F, x, y)),
        lambda F, g, x, y: masked(F, g, F.logical_not(_smaller(F, x, y))),
    ),
    refuse="c",
    refusal=RuntimeError,
)
_hypot = binary(
    "hypot",
    (lambda F, g, x, out: F.div(F.mul(g, x), out), lambda F, g, y, out: F.div(F.mul(g, y), out)),
    refuse="biuc",
)
_nextafter = binary(
    "nextafter", (lambda F, g, x, y: masked(F, g, F.ne(x, y)), zero), refuse="biuc", node="NextafterBackward0"
)
_gcd = binary("gcd", None, refuse="bfcV")
_lcm = binary("lcm", None, refuse="bfcV")
fmax, fmin, hypot, nextafter = (
    strict(_op, _op.__name__) for _op in (_fmax, _fmin, _hypot, _nextafter)
)  # fmt: skip
gcd, lcm = strict(_gcd, "gcd"), strict(_lcm, "lcm")
maximum, minimum = strict(pw.maximum, "maximum"), strict(pw.minimum, "minimum")
logical_and, logical_or, logical_xor = (
    strict(_op, _op.__name__) for _op in (pw.logical_and, pw.logical_or, pw.logical_xor)
)  # fmt: skip
for _name in ("fmax", "fmin", "maximum", "minimum"):
    delattr(Tensor, _name + "_")  # PyTorch has no such methods

_heaviside = binary(
    "heaviside", (underived("derivative for aten::heaviside is not implemented", RuntimeError),) * 2, refuse="c"
)


def heaviside(input: Tensor, values: Tensor, *, out: Tensor | None = None) -> Tensor:
    """0 below 0, 1 above, `values` at 0 (of the same dtype). Source: torch.heaviside."""
    x, y = check_tensor(input, "heaviside"), check_tensor(values, "heaviside", "values")
    if x._a.dtype.kind == "c" or y._a.dtype.kind == "c":
        raise RuntimeError("heaviside is not yet implemented for complex tensors.")
    if x._a.dtype != y._a.dtype:
        raise RuntimeError("heaviside is not yet implemented for tensors with different dtypes.")
    if out is not None and out._a.dtype != x._a.dtype:
        raise RuntimeError("heaviside is not yet implemented for tensors with different dtypes.")
    return _heaviside(x, y, out=out)


_ldexp = primitive("ldexp", "x y", (lambda F, g, y: F.ldexp(g, y), None), broadcast=True)


def ldexp(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """input * 2**other, exact for whole `other`. Source: torch.ldexp."""
    x, y = check_tensor(input, "ldexp"), check_tensor(other, "ldexp", "other")
    if x.is_floating_point() and y._a.dtype.kind in "biu":
        if y._a.dtype.kind == "b":
            raise NotImplementedError("\"ldexp_cpu_exp\" not implemented for 'Bool'")
        same_device("ldexp", x, y)
        return give(broadcasting(_ldexp, x, y), out)
    return renamed(pw.mul(x, pw.pow(2.0, y), out=out), "LdexpBackward0")


# ---- parts of numbers -------------------------------------------------------------------------------------------------
_frac = unary("frac", lambda F, g: g, refuse="\"frac_cpu\" not implemented for 'Bool'", real=True)


def frac(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """input - trunc(input). Source: torch.frac."""
    if isinstance(input, Tensor):
        if out is not None and out._a.dtype != input._a.dtype:
            raise RuntimeError(f"Found dtype {type_name(out)} but expected {type_name(input)}")
        if input._a.dtype.kind in "iu":
            raise no_kernel("frac_cpu", input)
    return _frac(input, out=out)


class frexp_result(namedtuple("frexp", ["mantissa", "exponent"])):
    """The pair that frexp returns, with PyTorch's repr."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"torch.return_types.frexp(\nmantissa={self.mantissa!r},\nexponent={self.exponent!r})"


def _frexp_rule(F: Any, g: Any, need: Any, out1: Any) -> Any:
    return (F.div(g[0], F.exp2(F.cast(out1, raw_dtype(g[0])))),)


_frexp = primitive("frexp", "x", _frexp_rule, outs=2)


def frexp(input: Tensor, *, out: Any = None) -> Any:
    """(mantissa, exponent): input = mantissa * 2**exponent, exponent int32. Source: torch.frexp."""
    x = check_tensor(input, "frexp")
    if not x.is_floating_point():
        raise RuntimeError("torch.frexp() only supports floating-point dtypes")
    if out is not None and out[1].dtype is not dtypes.int32:
        raise RuntimeError(f"torch.frexp() expects exponent to have int dtype but got {out[1].dtype.name}")
    r = _frexp(x)
    return frexp_result(*(r if out is None else (write_out(o, v) for o, v in zip(out, r, strict=True))))


_nan_to_num = primitive(
    "nan_to_num", "x", (lambda F, g, x: masked(F, g, F.isfinite(x)),), "nan posinf neginf", node="NanToNumBackward0"
)


def nan_to_num(
    input: Tensor,
    nan: float | None = 0.0,
    posinf: float | None = None,
    neginf: float | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """NaN and the infinities replaced, by default by 0 and the largest finite numbers. Source: torch.nan_to_num."""
    x = check_tensor(input, "nan_to_num")
    _same_out("nan_to_num", x, out)
    if x._a.dtype.kind in "biu":
        return give(x.clone(), out)  # type: ignore[attr-defined]
    if x._a.dtype.kind == "c":
        from .complexes import complex, imag, real

        return give(complex(*(nan_to_num(part(x), nan, posinf, neginf) for part in (real, imag))), out)
    limits = dtypes.float_limits(DTYPE_OF[x._a.dtype])
    high = limits.max if posinf is None else float(posinf)
    low = limits.min if neginf is None else float(neginf)
    return give(_nan_to_num(x, 0.0 if nan is None else float(nan), high, low), out)


_signbit = unary("signbit", None, COMPARE)
_isposinf = unary("isposinf", None, COMPARE)
_isneginf = unary("isneginf", None, COMPARE)


def _predicate(name: str, op: Any, on_integers: Any, error: type[Exception], text: str, doc: str) -> Any:
    def call(input: Tensor, *, out: Tensor | None = None) -> Tensor:
        kind = check_tensor(input, name)._a.dtype.kind
        if out is not None and out._a.dtype.kind != "b":
            raise RuntimeError(f"{name} does not support non-boolean outputs.")
        if kind == "c":
            raise error(text)
        return give(on_integers(input) if kind in "biu" else op(input), out)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"{doc} Source: torch.{name}."
    return attach(name, call)


def _never(x: Tensor) -> Tensor:
    return pw.ne(x, x)


signbit = _predicate(
    "signbit", _signbit, lambda x: _never(x) if is_bool(x) else pw.lt(x, 0), NotImplementedError,
    "signbit is not implemented for complex tensors.", "Whether the sign is negative, also that of -0."
)  # fmt: skip
isposinf = _predicate(
    "isposinf", _isposinf, _never, RuntimeError, "isposinf does not support complex inputs.", "Whether it is +inf."
)
isneginf = _predicate(
    "isneginf", _isneginf, _never, RuntimeError, "isneginf does not support complex inputs.", "Whether it is -inf."
)


def isreal(input: Tensor) -> Tensor:
    """Whether the imaginary part is 0. Source: torch.isreal."""
    x = check_tensor(input, "isreal")
    if x._a.dtype.kind == "c":
        from .complexes import imag

        return pw.eq(imag(x), 0)
    return pw.logical_not(_never(x.detach())) if x._a.dtype.kind in "biu" else x.new_ones(x.shape, dtype=dtypes.bool_)  # type: ignore[attr-defined]


def positive(input: Tensor) -> Tensor:
    """The tensor itself. RuntimeError for bool. Source: torch.positive."""
    if check_tensor(input, "positive")._a.dtype.kind == "b":
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


sgn = pw.sgn
fix = pw.trunc
_deg2rad = unary("deg2rad", lambda F, g: F.deg2rad(g), FLOAT, node="Deg2RadBackward0")
_rad2deg = unary("rad2deg", lambda F, g: F.rad2deg(g), FLOAT, node="Rad2DegBackward0")


def _degrees(name: str, op: Any, doc: str) -> Any:
    def call(input: Tensor, *, out: Tensor | None = None) -> Tensor:
        if isinstance(input, Tensor) and input._a.dtype.kind == "c":
            raise RuntimeError(f"{name} is not supported for complex tensors.")
        return op(input, out=out)  # type: ignore[no-any-return]

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"{doc} Source: torch.{name}."
    return attach(name, call, True, True)


deg2rad = _degrees("deg2rad", _deg2rad, "Degrees to radians.")
rad2deg = _degrees("rad2deg", _rad2deg, "Radians to degrees.")

# ---- bits -------------------------------------------------------------------------------------------------------------
bitwise_left_shift = binary("bitwise_left_shift", None, refuse="bfcV")
bitwise_right_shift = binary("bitwise_right_shift", None, refuse="bfcV")


def _reflected(fn: Any) -> Any:
    return lambda self, other: fn(other, self)


for _name, _fn in (("l", bitwise_left_shift), ("r", bitwise_right_shift)):
    setattr(Tensor, f"__{_name}shift__", _fn)
    setattr(Tensor, f"__r{_name}shift__", _reflected(_fn))
    setattr(Tensor, f"__i{_name}shift__", getattr(Tensor, _fn.__name__ + "_"))


# ---- closeness --------------------------------------------------------------------------------------------------------
def isclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """|input - other| <= atol + rtol * |other|, elementwise, for tensors of one dtype. Source: torch.isclose."""
    x, y = check_tensor(input, "isclose").detach(), check_tensor(other, "isclose", "other").detach()
    if x._a.dtype != y._a.dtype:
        raise RuntimeError(f"{type_name(x)} did not match {type_name(y)}")
    for name, value in (("rtol", rtol), ("atol", atol)):
        if not value >= 0:
            raise RuntimeError(f"{name} must be greater than or equal to zero, but got {value}")
    same = pw.eq(x, y)
    if x._a.dtype.kind in "fcV" and equal_nan:
        same = pw.logical_or(same, pw.logical_and(pw.isnan(x), pw.isnan(y)))
    if rtol == 0 and atol == 0:
        return same
    if x._a.dtype.kind in "biu":
        x, y = x.to(dtypes.get_default_dtype()), y.to(dtypes.get_default_dtype())
    error = pw.abs(pw.sub(x, y))
    allowed = pw.add(pw.abs(pw.mul(y, rtol)), atol)
    return pw.logical_or(same, pw.logical_and(pw.isfinite(error), pw.le(error, allowed)))


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether all elements are close. Source: torch.allclose."""
    return bool(isclose(input, other, rtol, atol, equal_nan).all())  # type: ignore[attr-defined]


greater, greater_equal, less, less_equal, not_equal = pw.gt, pw.ge, pw.lt, pw.le, pw.ne


def _comparing(name: str) -> Any:
    """The in-place comparison, after which no gradient passes."""
    plain, op = getattr(Tensor, name + "_"), getattr(pw, name)

    def compare(x: Tensor, y: Any) -> Tensor:
        """0 and 1, with a history in which no gradient passes."""
        r = pw.where(op(x, y), F.fill(x, 1), F.fill(x, 0))
        return pw.add(r, F.fill(y, 0)) if isinstance(y, Tensor) and y._fn is not None else r

    recorded = inplace(compare, name + "_")

    def method(self: Tensor, other: Any) -> Tensor:
        history = self._fn is not None or (isinstance(other, Tensor) and other._fn is not None)
        history = history and mode.grad and self._a.dtype.kind not in "biu"
        return (recorded if history else plain)(self, other)  # type: ignore[no-any-return]

    method.__name__ = name + "_"
    return method


for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Tensor, _name + "_", _comparing(_name))
for _name in ("greater", "greater_equal", "less", "less_equal", "not_equal"):
    _plain = {"greater": "gt", "greater_equal": "ge", "less": "lt", "less_equal": "le", "not_equal": "ne"}[_name]
    setattr(Tensor, _name, getattr(pw, _plain))
    setattr(Tensor, _name + "_", getattr(Tensor, _plain + "_"))
for _name in ("true_divide", "subtract"):
    setattr(Tensor, _name + "_", getattr(Tensor, {"true_divide": "div", "subtract": "sub"}[_name] + "_"))
Tensor.logical_not_ = inplace(pw.logical_not, "logical_not_")


def _on_leaves(name: str) -> Any:
    """An in-place method without a derivative: PyTorch lets it write into leaves that require grad too."""
    plain = getattr(Tensor, name)

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if self._fn is not LEAF:
            return plain(self, *args, **kwargs)  # type: ignore[no-any-return]
        with no_grad():
            return plain(self, *args, **kwargs)  # type: ignore[no-any-return]

    method.__name__ = name
    method.__doc__ = plain.__doc__
    return method


for _name in ("logical_not_", "logical_and_", "logical_or_", "logical_xor_"):
    setattr(Tensor, _name, _on_leaves(_name))
for _name in (
    "lerp", "addcmul", "addcdiv", "ldexp", "frac", "nan_to_num", "fix", "heaviside",
):  # fmt: skip
    attach(_name, globals()[_name], True, True)
for _name in ("isreal", "positive", "frexp", "isclose", "allclose", "float_power"):
    attach(_name, globals()[_name])
Tensor.float_power_ = _float_power_
_abs_ = Tensor.abs_


def _absolute_(self: Tensor) -> Tensor:
    """In-place abs of a real tensor."""
    if self._a.dtype.kind == "c":
        raise RuntimeError("In-place abs is not supported for complex tensors.")
    return _abs_(self)  # type: ignore[no-any-return]


Tensor.abs_ = Tensor.absolute_ = _absolute_
Tensor.__pos__ = positive
Tensor.__rmod__ = _reflected(pw.remainder)
