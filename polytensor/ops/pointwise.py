"""Pointwise primitives: arithmetic, exponentials, comparison, logic."""

from __future__ import annotations

from builtins import complex as complex_number
from typing import Any

from .. import dtypes
from ..autograd.modes import InferenceCell
from ..tensor import Tensor, check_apart, wrap
from .halves import is_half, rounded_once, scaled
from .operands import asked, operand, warn_of_order
from .table import (
    COMPARE,
    FLOAT,
    FLOAT32,
    PROMOTE,
    F,
    attach,
    binary,
    check_grows,
    check_tensor,
    constant,
    give,
    inplace,
    is_bool,
    is_complex,
    no_kernel,
    placed,
    prepare,
    primitive,
    raw_dtype,
    renamed,
    result_type,
    same_device,
    shape_error,
    type_name,
    unary,
    write_out,
)

# ---- plumbing that rules use ------------------------------------------------------------------------------------------
primitive("cast", "x", (lambda F, g, x_dtype: F.cast(g, x_dtype),), "dtype", node="ToCopyBackward0")
primitive("alias", "x", (lambda F, g: g,), node="AliasBackward0")
_conj = primitive("conj", "x", (lambda F, g: F.conj(g),))
F.conj = lambda x: _conj(x) if x._a.dtype.kind == "c" else x


def like(F: Any, g: Any, x: Any) -> Any:
    """`g` in the dtype of `x`."""
    return g if raw_dtype(g) == raw_dtype(x) else F.cast(g, raw_dtype(x))


NEG_BOOL = (
    "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, use the `~` or "
    "`logical_not()` operator instead."
)
SUB_BOOL = (
    "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a mask, use the `~` "
    "or `logical_not()` operator instead."
)

SUB_BOOLS = "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` operator instead."

# ---- arithmetic -------------------------------------------------------------------------------------------------------
_add = binary("add", (lambda F, g: g, lambda F, g: g))
_sub = binary("sub", (lambda F, g: g, lambda F, g: F.neg(g)), refuse="b", message=(SUB_BOOL, SUB_BOOLS))
mul = binary("mul", (lambda F, g, y: F.mul(g, F.conj(y)), lambda F, g, x: F.mul(g, F.conj(x))))
_div = binary(
    "div",
    (
        lambda F, g, y: F.div(g, F.conj(y)),
        lambda F, g, x, y: F.neg(F.mul(g, F.conj(F.div(F.div(x, y), y)))),
    ),
    kind=FLOAT,
)


def _no_derivative(F: Any, g: Any) -> Any:
    raise RuntimeError("derivative for aten::floor_divide is not implemented")


floor_divide = binary("floor_divide", (_no_derivative, _no_derivative), node="NotImplemented", refuse="bc")
_flat = (lambda F, g: F.zeros_of(g), lambda F, g: F.zeros_of(g))
_div_floor = binary("div_floor", _flat, node="DivBackward2", refuse="bc", method=False)
_div_trunc = binary("div_trunc", _flat, node="DivBackward2", refuse="bc", method=False)
remainder = binary(
    "remainder", (lambda F, g: g, lambda F, g, x, y: F.neg(F.mul(g, F.div_floor(x, y)))), node="RemainderBackward1",
    refuse="bc",
)  # fmt: skip


def _power_of_exponent(F: Any, g: Any, x: Any, y: Any, out: Any) -> Any:
    # the derivative is 0 where the base is 0 and the exponent not negative, as in PyTorch; that of the derivative by g, too
    none = F.logical_and(F.eq(x, 0), F.ge(F.real(y) if is_complex(y) else y, 0))
    slope = F.where(none, F.zeros_of(out), F.mul(out, F.log(x)))
    return F.where(none, F.zeros_of(g), F.mul(g, F.conj(slope)))


def _power_of_base(F: Any, g: Any, x: Any, y: Any) -> Any:
    safe = F.where(F.eq(y, 0), F.mul(y, 0), F.sub(y, 1))
    return F.where(F.eq(y, 0), F.zeros_of(g), F.mul(g, F.conj(F.mul(y, F.pow(x, safe)))))


_pow = binary("pow", (_power_of_base, _power_of_exponent), node="PowBackward1", refuse="b")


def _larger(F: Any, g: Any, x: Any, y: Any) -> Any:
    """The gradient unless x < y, half of it at ties (so NaN keeps it, as in PyTorch)."""
    return F.where(F.eq(x, y), scaled(F, g, 0.5), F.keep(g, F.logical_not(F.lt(x, y))))


maximum = binary(
    "maximum",
    (lambda F, g, x, y: _larger(F, g, x, y), lambda F, g, x, y: _larger(F, g, y, x)),
    refuse="c",
    refusal=RuntimeError,
)
minimum = binary(
    "minimum",
    (lambda F, g, x, y: _larger(F, g, y, x), lambda F, g, x, y: _larger(F, g, x, y)),
    refuse="c",
    refusal=RuntimeError,
)
_square = unary("square", lambda F, g, x: F.mul(F.mul(g, 2), F.conj(x)), node="PowBackward0")
neg = unary("neg", lambda F, g: F.neg(g), refuse=NEG_BOOL, exact=True)


def _abs_rule(F: Any, g: Any, x: Any) -> Any:
    return F.mul(like(F, g, x), F.sgn(x)) if is_complex(x) else F.mul(g, F.sign(x))


def _sgn_rule(F: Any, g: Any, x: Any, out: Any) -> Any:
    """Across the direction of x only, by 1 / |x|."""
    if not is_complex(x):
        return F.zeros_of(g)
    size = like(F, F.abs(x), x)
    along = F.mul(like(F, F.real(F.mul(g, F.conj(out))), x), out)
    return F.where(F.eq(size, 0), F.zeros_of(g), F.div(F.sub(g, along), size))


abs = unary("abs", _abs_rule, refuse="\"abs_cpu\" not implemented for 'Bool'", exact=True)
sign = unary("sign", lambda F, g: F.zeros_of(g), real=True, exact=True)
sgn = unary("sgn", _sgn_rule, exact=True)


def _cube(F: Any, x: Any) -> Any:
    return F.pow_scalar(x, 3.0) if is_half(raw_dtype(x)) else F.mul(x, F.mul(x, x))


# ---- exponentials, trigonometry ---------------------------------------------------------------------------------------
exp = unary("exp", lambda F, g, out: F.mul(g, F.conj(out)), FLOAT)
expm1 = unary("expm1", lambda F, g, out: F.mul(g, F.conj(F.add(out, 1))), FLOAT)
log = unary("log", lambda F, g, x: F.div(g, F.conj(x)), FLOAT)
log2 = unary("log2", lambda F, g, x: F.div(g, scaled(F, F.conj(x), 0.6931471805599453)), FLOAT)
log10 = unary("log10", lambda F, g, x: F.div(g, scaled(F, F.conj(x), 2.302585092994046)), FLOAT)
log1p = unary("log1p", lambda F, g, x: F.div(g, F.conj(F.add(x, 1))), FLOAT, node="Log1PBackward0")
sqrt = unary("sqrt", lambda F, g, out: F.div(g, F.mul(F.conj(out), 2)), FLOAT)
rsqrt = unary("rsqrt", lambda F, g, out: F.mul(scaled(F, g, -0.5), F.conj(_cube(F, out))), FLOAT)
reciprocal = unary("reciprocal", lambda F, g, out: F.neg(F.mul(g, F.conj(F.mul(out, out)))), FLOAT)
sin = unary("sin", lambda F, g, x: F.mul(g, F.conj(F.cos(x))), FLOAT)
cos = unary("cos", lambda F, g, x: F.neg(F.mul(g, F.conj(F.sin(x)))), FLOAT)
tan = unary("tan", lambda F, g, out: F.mul(g, F.conj(F.add(F.mul(out, out), 1))), FLOAT)
tanh = unary("tanh", lambda F, g, out: F.tanh_backward(g, F.conj(out)), FLOAT)
sigmoid = unary("sigmoid", lambda F, g, out: F.sigmoid_backward(g, F.conj(out)), FLOAT)
relu = unary(
    "relu", lambda F, g, out: F.relu_backward(g, out), refuse="Boolean inputs not supported for relu", real=True
)
F.tanh_backward = rounded_once(lambda g, y: mul(g, _sub(1.0, mul(y, y))))
F.sigmoid_backward = rounded_once(lambda g, y: mul(g, mul(_sub(1.0, y), y)))
F.relu_backward = lambda g, y: F.keep(g, logical_not(le(y, 0)))

floor = unary("floor", lambda F, g: F.zeros_of(g), refuse="\"floor\" not implemented for 'Bool'", real=True, exact=True)
ceil = unary("ceil", lambda F, g: F.zeros_of(g), refuse="\"ceil\" not implemented for 'Bool'", real=True, exact=True)
trunc = unary("trunc", lambda F, g: F.zeros_of(g), refuse="\"trunc\" not implemented for 'Bool'", real=True, exact=True)
_round = unary(
    "round", lambda F, g: F.zeros_of(g), refuse="\"round_cpu\" not implemented for 'Bool'", real=True, exact=True
)

# ---- comparison and logic ---------------------------------------------------------------------------------------------
eq = binary("eq", None, COMPARE)
ne = binary("ne", None, COMPARE)
lt = binary("lt", None, COMPARE, refuse="c")
le = binary("le", None, COMPARE, refuse="c")
gt = binary("gt", None, COMPARE, refuse="c")
ge = binary("ge", None, COMPARE, refuse="c")
logical_and = binary("logical_and", None, COMPARE)
logical_or = binary("logical_or", None, COMPARE)
logical_xor = binary("logical_xor", None, COMPARE)
logical_not = unary("logical_not", None, COMPARE)
bitwise_and = binary("bitwise_and", None, refuse="fcV")
bitwise_or = binary("bitwise_or", None, refuse="fcV")
bitwise_xor = binary("bitwise_xor", None, refuse="fcV")
_bitwise_not = unary("bitwise_not", None, exact=True)
isnan = unary("isnan", None, COMPARE)
isinf = unary("isinf", None, COMPARE)
isfinite = unary("isfinite", None, COMPARE)


def bitwise_not(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """~input for integers and bools. Source: torch.bitwise_not."""
    if out is None and isinstance(input, Tensor) and input._a.dtype.kind not in "biu":
        raise no_kernel("bitwise_not_cpu", input)
    if out is not None and out._a.dtype == input._a.dtype and out._a.dtype.kind not in "biu":
        return bitwise_not(input)
    return _bitwise_not(input, out=out)


def _invert(self: Tensor) -> Tensor:
    if self._a.dtype.kind not in "biu":
        raise TypeError("~ (operator.invert) is only implemented on integer and Boolean-type tensors")
    return _bitwise_not(self)


# ---- fronts with more arguments ---------------------------------------------------------------------------------------
def _scaled(input: Any, other: Any, alpha: Any) -> Any:
    """alpha * other in the dtype of the result; RuntimeError for an alpha of a higher kind than that."""
    if isinstance(alpha, Tensor):
        alpha = alpha.item()
    target = result_type(input, other)
    category = target.category
    if alpha.__class__ is not int:
        if alpha.__class__ is bool and category != dtypes.BOOL:
            raise RuntimeError("Boolean alpha only supported for Boolean results.")
        if isinstance(alpha, float) and category < dtypes.FLOAT:
            raise RuntimeError("For integral input tensors, argument alpha must not be a floating point number.")
        if alpha.__class__ is complex_number and category < dtypes.COMPLEX:
            raise RuntimeError("For non-complex input tensors, argument alpha must not be a complex number.")
    if category == dtypes.BOOL:
        alpha = bool(alpha)
    if alpha == 1:
        return other
    if not isinstance(other, Tensor):
        return other * alpha
    return mul(other if other._a.dtype == target.array else F.cast(other, target.array), alpha)


def _half_sum(input: Any, other: Any, alpha: Any, sign: int = 1) -> Tensor | None:
    """input + sign * alpha * other of 16-bit floats, rounded once; None for other dtypes and for an alpha of 1."""
    if input.__class__ is Tensor and input._a.dtype is FLOAT32 and input._a.ndim:
        return None
    if isinstance(alpha, Tensor):
        alpha = alpha.item()
    target = result_type(input, other)
    if target.category != dtypes.FLOAT or target.array is None or not is_half(target.array):
        return None
    if alpha == 1 or alpha.__class__ is bool or isinstance(alpha, complex_number):
        return None
    if sign < 0 and (is_bool(input) or is_bool(other)):
        return None
    x, y = prepare("add", PROMOTE, input, other)
    try:
        return F.add_scaled(x, y, sign * alpha)  # type: ignore[no-any-return]
    except ValueError:
        raise shape_error(x._a, y._a) from None


def add(input: Any, other: Any, late: Any = None, *, alpha: Any = 1, out: Tensor | None = None) -> Tensor:
    """input + alpha * other, broadcast and promoted. Source: torch.add."""
    if late is not None:
        other, alpha = _late("add", other, late)
    if alpha.__class__ is int and alpha == 1:
        return F.add(input, other) if out is None else _add(input, other, out=out)  # type: ignore[no-any-return]
    other, alpha = operand(other, "add"), operand(alpha, "add")
    r = _half_sum(input, other, alpha)
    return _add(input, _scaled(input, other, alpha), out=out) if r is None else give(r, out)


def sub(input: Any, other: Any, late: Any = None, *, alpha: Any = 1, out: Tensor | None = None) -> Tensor:
    """input - alpha * other. Source: torch.sub."""
    if late is not None:
        other, alpha = _late("sub", other, late)
    if alpha.__class__ is int and alpha == 1:
        return F.sub(input, other) if out is None else _sub(input, other, out=out)  # type: ignore[no-any-return]
    if isinstance(other, Tensor) and other._a.dtype.kind == "b":
        raise RuntimeError(SUB_BOOL)
    other, alpha = operand(other, "sub"), operand(alpha, "sub")
    r = _half_sum(input, other, alpha, -1)
    if r is None:
        return _sub(input, _scaled(input, other, alpha), out=out)
    return give(renamed(r, "SubBackward0"), out)


def div(input: Any, other: Any, *, rounding_mode: str | None = None, out: Tensor | None = None) -> Tensor:
    """input / other; rounding_mode None (true division), 'floor' or 'trunc'. Source: torch.div."""
    if rounding_mode is None:
        return _div(input, other, out=out)
    if rounding_mode == "floor":
        return _div_floor(input, other, out=out)
    if rounding_mode == "trunc":
        return _div_trunc(input, other, out=out)
    raise RuntimeError(f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'")


def pow(input: Any, exponent: Any, *, out: Tensor | None = None) -> Tensor:
    """input ** exponent. RuntimeError for an integer tensor to a negative integer power. Source: torch.pow."""
    if isinstance(input, Tensor) and input._a.dtype.kind in "biu":
        if exponent.__class__ is bool and input._a.dtype.kind == "b":
            return logical_or(input, not exponent, out=out)
        if isinstance(exponent, int):
            if exponent < 0:
                raise RuntimeError("Integers to negative integer powers are not allowed.")
            if input._a.dtype.kind == "b":
                input = F.cast(input, dtypes.int64.array)
    elif exponent.__class__ is int or exponent.__class__ is float:
        if exponent == 2:
            if isinstance(input, Tensor):
                return _square(input, out=out)
        if isinstance(input, Tensor) and input._a.dtype.kind in "fcV":
            r = _pow_scalar(input, float(exponent))
            return r if out is None else write_out(out, r)
    if (
        isinstance(exponent, Tensor)
        and exponent._a.dtype.kind in "iu"
        and not isinstance(input, (float, complex_number))
    ):
        if not isinstance(input, Tensor) or input._a.dtype.kind in "biu":
            r = _integer_power(*prepare("pow", PROMOTE, input, exponent))
            return r if out is None else write_out(out, r)
    r = _pow(input, exponent, out=out)
    return r if isinstance(input, Tensor) else renamed(r, "PowBackward2")


def _integer_power(x: Tensor, y: Tensor) -> Tensor:
    """Powers of integers; a negative exponent gives 1 / x**|y| cut to an integer (0 unless x is 1 or -1)."""
    negative = lt(y, 0)
    r = _pow(x, where(negative, bitwise_and(y, 1), y))  # 1 and -1 care only about the parity
    return where(logical_and(negative, ne(abs(x), 1)), 0, r).to(x.dtype)  # type: ignore[no-any-return]


def square(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """input * input. Source: torch.square."""
    return pow(input, 2, out=out)


def _pow_scalar_rule(F: Any, g: Any, x: Any, p: float) -> Any:
    if p == 0:
        return F.zeros_of(g)
    if is_half(raw_dtype(g)):  # in PyTorch's order, which shows where each step rounds
        return F.mul(g, scaled(F, F.pow_scalar(x, p - 1), p))
    return F.mul(F.mul(g, p), F.conj(F.pow_scalar(x, p - 1)))


_pow_scalar = primitive("pow_scalar", "x", (_pow_scalar_rule,), "p", node="PowBackward0")


def round(input: Tensor, *, decimals: int | None = None, out: Tensor | None = None) -> Tensor:
    """To the nearest integer, ties to even; `decimals` digits after the point. Source: torch.round."""
    if decimals is None:
        return _round(input, out=out)
    if isinstance(input, Tensor) and input._a.dtype.kind in "biu":
        raise no_kernel("round_cpu" if decimals else "round_vml_cpu", input)
    if decimals == 0:
        return _round(input, out=out)
    scale = 10.0**decimals
    r = rounded_once(lambda x: _div(_round(mul(x, scale)), scale))(check_tensor(input, "round"))
    return renamed(r if out is None else write_out(out, r), "RoundBackward1")


def _clamp_rule(F: Any, g: Any, x: Any, lo: Any, hi: Any) -> Any:
    inside = None if lo is None else F.ge(x, lo)
    if hi is not None:
        below = F.le(x, hi)
        inside = below if inside is None else F.logical_and(inside, below)
    return F.keep(g, inside)


_clamp = primitive("clamp", "x", (_clamp_rule,), "lo hi", node="ClampBackward1")


primitive("keep", "x mask", (lambda F, g, mask: F.keep(g, mask), None))
F.zeros_of = lambda g: wrap(g._dev.backend.zeros_of(g._a), g._dev)
_where = primitive(
    "where",
    "c x y",
    (None, lambda F, g, c: F.keep(g, c), lambda F, g, c: F.keep(g, F.logical_not(c))),
    broadcast=True,
)


def where(condition: Tensor, input: Any = None, other: Any = None, *, out: Tensor | None = None) -> Any:
    """input where condition (bool) holds, else other; broadcast. With one argument: nonzero. Source: torch.where."""
    if input is None and other is None:
        from .scattering import nonzero

        return nonzero(condition, as_tuple=True)
    if out is None and isinstance(condition, Tensor) and isinstance(input, Tensor) and isinstance(other, Tensor):
        dev = input._dev
        if (
            input._a.dtype is other._a.dtype
            and other._dev is dev is condition._dev
            and condition._a.dtype is dtypes.bool_.array
        ):
            try:
                return _where(condition, input, other)
            except ValueError:
                raise shape_error(condition._a, input._a, other._a) from None
    if not isinstance(condition, Tensor):
        error = TypeError(f"where(): argument 'condition' must be Tensor, not {type(condition).__name__}")
        return asked(where, {"condition": condition, "input": input, "other": other, "out": out}, error)
    if condition.dtype is dtypes.uint8:
        condition = F.cast(condition, dtypes.bool_.array)
    if condition._a.dtype.kind != "b":
        raise RuntimeError(
            f"where expected condition to be a boolean tensor, but got a tensor with dtype {type_name(condition)}"
        )
    if isinstance(input, Tensor) or isinstance(other, Tensor):
        try:
            x, y = prepare("where", PROMOTE, input, other)
        except TypeError as error:
            return asked(where, {"condition": condition, "input": input, "other": other, "out": out}, error)
    else:
        d = dtypes.result_dtype(
            None, None, dtypes.promote_types(dtypes.scalar_dtype(input), dtypes.scalar_dtype(other))
        )
        x, y = (constant(condition._dev, d.array, v) for v in (input, other))
    if x._dev is not condition._dev and x._dev != condition._dev:  # what has no dimensions on the CPU goes along
        from .convert import to_device

        if condition._dev.type == "cpu" and not condition._a.ndim:
            condition = to_device(condition, x._dev)
        elif x._dev.type == "cpu" and not x._a.ndim and not y._a.ndim:
            x, y = to_device(x, condition._dev), to_device(y, condition._dev)
    try:
        r = _where(condition, x, y)
    except ValueError:
        raise shape_error(condition._a, x._a, y._a) from None
    return r if out is None else write_out(out, r)


def _fill_rule(F: Any, g: Any) -> Any:
    return F.zeros_of(g)


_fill = primitive("fill", "x", (_fill_rule,), "value")


def _copy_rule_x(F: Any, g: Any) -> Any:
    return F.zeros_of(g)


primitive("overwrite", "x y", (_copy_rule_x, lambda F, g: g), node="CopyBackwards", broadcast=True)


def copy_(self: Tensor, other: Any, non_blocking: bool = False) -> Tensor:
    """Write `other` (broadcast, converted, from any device) into self. Source: torch.Tensor.copy_."""
    src: Any = other
    if not isinstance(other, Tensor):
        from .from_data import as_tensor

        src = as_tensor(other)
    if src._dev is not self._dev:
        from .convert import to_device

        if self._dev.type == "cpu" != src._dev.type:
            if non_blocking and _into_host(self, src):
                return self
            non_blocking = False  # what comes is read at once
        src = to_device(src, self._dev, non_blocking)
    if src._a.dtype != self._a.dtype:
        src = F.cast(src, self._a.dtype)

    a, b, v = self._a, src._a, self._v
    if a.base is not None or b.base is not None:
        check_apart(self, src)
    plain = self._fn is None and src._fn is None and (v is None or v[0]._fn is None)
    fits = a.shape == b.shape or not b.ndim
    if plain and fits and self._s.__class__ is not InferenceCell and 0 not in a.strides:
        self._dev.backend.write(a, b)
        self._bump()
        return self

    def overwrite(x: Tensor) -> Tensor:
        try:
            return F.overwrite(x, src)  # type: ignore[no-any-return]
        except ValueError:
            check_grows(self._a, src._a, "copy_")
            raise

    return _inplace_of(self, overwrite, "copy_", src)


def _into_host(x: Tensor, src: Tensor) -> bool:
    """Let a device's array be copied into page-locked `x` while the program goes on, where nothing is in the way."""
    plain = x._fn is None and src._fn is None and x._v is None and x._s.__class__ is not InferenceCell
    done = (
        plain and x._a.dtype == src._a.dtype and x._a.shape == src._a.shape and src._dev.backend.into_host(src._a, x._a)
    )
    if done:
        x._bump()
    return done


def _inplace_of(x: Tensor, fn: Any, name: str, *others: Tensor) -> Tensor:
    """Run inplace(fn) and let gradients of `others` count as a reason to record."""
    return inplace(lambda t, *_: fn(t), name)(x, *others)  # type: ignore[no-any-return]


for _name, _fn, _in_place in (
    ("pow", pow, True), ("round", round, True), ("bitwise_not", bitwise_not, True),
):  # fmt: skip
    attach(_name, _fn, True, _in_place)


def _late(name: str, alpha: Any, other: Any) -> tuple[Any, Any]:
    """(other, alpha) of the old order add(input, alpha, other), which older programs use."""
    if isinstance(alpha, Tensor):
        raise TypeError(
            f"{name}() received an invalid combination of arguments: expected (Tensor other, *, Number alpha)"
        )
    warn_of_order(name, 3)
    return other, alpha


def _with_alpha(plain: Any, fn: Any, name: str) -> Any:
    by_copy = inplace(fn, name)

    def method(self: Tensor, other: Any, late: Any = None, *, alpha: Any = 1) -> Tensor:
        if late is not None:
            other, alpha = _late(name, other, late)
        if alpha.__class__ is int and alpha == 1:
            return plain(self, other)  # type: ignore[no-any-return]
        other, alpha = operand(other, name), operand(alpha, name)
        if is_half(self._a.dtype) and (not isinstance(other, Tensor) or other._a.dtype == self._a.dtype):
            return by_copy(self, other, alpha=alpha)  # type: ignore[no-any-return]
        check_apart(self, other)
        return plain(self, _scaled(self, other, alpha))  # type: ignore[no-any-return]

    method.__name__ = name
    return method


Tensor.add_ = _with_alpha(Tensor.add_, add, "add_")  # type: ignore[attr-defined]
Tensor.sub_ = _with_alpha(Tensor.sub_, sub, "sub_")  # type: ignore[attr-defined]
for _name, _fn in (("add", add), ("sub", sub), ("subtract", sub), ("true_divide", _div)):
    attach(_name, _fn)
for _name, _fn in (("div", div), ("divide", div)):
    attach(_name, _fn, True, True)
for _name, _fn in (("multiply", mul), ("absolute", abs), ("negative", neg)):
    attach(_name, _fn, True, True)
for _name, _fn in (("greater", gt), ("less", lt), ("greater_equal", ge), ("less_equal", le), ("not_equal", ne)):
    attach(_name, _fn)
attach("copy_", copy_)
multiply, subtract, divide, true_divide, absolute, negative = mul, sub, div, _div, abs, neg
attach("square", square, True, True)
Tensor.where = lambda self, condition, other: where(condition, self, other)  # type: ignore[attr-defined]


def _reflected(fn: Any) -> Any:
    def method(self: Tensor, other: Any) -> Tensor:
        return fn(other, self)  # type: ignore[no-any-return]

    return method


def _rsub(other: Any, self: Tensor) -> Tensor:
    return renamed(_sub(other, self), "RsubBackward1")


def _rdiv(other: Any, self: Tensor) -> Tensor:
    if other.__class__ not in (int, float, bool, complex):
        return renamed(_div(other, self), "MulBackward0")
    r = reciprocal(self)  # as PyTorch does: it keeps the result, so self may be written to
    return renamed(r, "MulBackward0") if other == 1 and other.__class__ is not complex else mul(r, other)


for _name, _fn in (
    ("add", F.add), ("sub", F.sub), ("mul", F.mul), ("truediv", F.div), ("floordiv", F.floor_divide),
    ("mod", F.remainder), ("pow", pow), ("and", F.bitwise_and), ("or", F.bitwise_or), ("xor", F.bitwise_xor),
):  # fmt: skip
    setattr(Tensor, f"__{_name}__", _fn)
    _fn = {"sub": _rsub, "truediv": _rdiv}.get(_name, _fn)
    setattr(Tensor, f"__r{_name}__", _fn if _name in ("add", "mul", "and", "or", "xor") else _reflected(_fn))
for _name, _method in (
    ("add", "add_"), ("sub", "sub_"), ("mul", "mul_"), ("truediv", "div_"), ("floordiv", "floor_divide_"),
    ("mod", "remainder_"), ("pow", "pow_"), ("and", "bitwise_and_"), ("or", "bitwise_or_"), ("xor", "bitwise_xor_"),
):  # fmt: skip
    setattr(Tensor, f"__i{_name}__", getattr(Tensor, _method))
Tensor.__neg__ = F.neg  # type: ignore[attr-defined]
Tensor.__pos__ = lambda self: self  # type: ignore[attr-defined]
Tensor.__abs__ = F.abs  # type: ignore[attr-defined]
Tensor.__invert__ = _invert  # type: ignore[attr-defined]


@placed
def equal(input: Tensor, other: Tensor) -> bool:
    """Same shape and same elements. Source: torch.equal."""
    for x, name in ((input, "input"), (other, "other")):
        check_tensor(x, "equal", name)
    if input._dev is not other._dev:
        same_device("equal", input, other)
    if input._dev.type == "meta":
        raise NotImplementedError("equal of a meta tensor: there is no data to compare")
    return input._a.shape == other._a.shape and bool((input._a == other._a).all())


attach("equal", equal)
