"""Running sums, products and extremes along a dimension; differences and the trapezoidal rule."""

from __future__ import annotations

from typing import Any

from .. import dtypes, return_types
from ..tensor import Tensor, check_dim
from . import pointwise as pw
from .halves import rounded_once
from .joining import cat
from .operands import numpy_names
from .reduce import _to, give_packed, pair_out
from .table import F, attach, check_tensor, cpp_name, inplace, is_complex, named, no_kernel, primitive, raw

__all__ = [
    "cummax", "cummin", "cumprod", "cumsum", "cumulative_trapezoid", "diff", "logcumsumexp", "trapezoid", "trapz",
]  # fmt: skip

# ---- primitives that derivatives of any order are made of --------------------------------------------------------------
primitive("shift", "x", (lambda F, g, dim, by: F.shift(g, dim, -by, 0),), "dim by value")


def _recurrence_rule(F: Any, g: Any, need: Any, a: Any, out: Any, dim: int, reverse: bool) -> Any:
    step = -1 if reverse else 1
    gb = F.recurrence(F.conj(F.shift(a, dim, -step, 0)), g, dim, not reverse)
    return (F.mul(gb, F.conj(F.shift(out, dim, step, 0))) if need[0] else None, gb)


primitive("recurrence", "a b", _recurrence_rule, "dim reverse")


def _cumprod_backward(g: Tensor, x: Tensor, out: Tensor, dim: int) -> Tensor:
    left = F.recurrence(F.conj(F.shift(x, dim, -1, 0)), g, dim, True)
    return pw.mul(left, F.conj(F.shift(out, dim, 1, 1)))


F.cumprod_backward = rounded_once(_cumprod_backward)


def _logcumsumexp_rule(F: Any, g: Any, x: Any, out: Any, dim: int) -> Any:
    """out grows, so that no exponential overflows."""
    decay = F.exp(F.sub(out, F.shift(out, dim, -1, float("inf"))))
    if is_complex(x):
        decay, x, out = F.conj(decay), F.conj(x), F.conj(out)
    return F.mul(F.recurrence(decay, g, dim, True), F.exp(F.sub(x, out)))


def _at_index(F: Any, g: Any, need: Any, x_shape: Any, out1: Any, dim: int) -> Any:
    return (F.gather_backward(g[0], x_shape, dim, raw(out1)),)


_cumsum = primitive("cumsum", "x", (lambda F, g, dim: F.flip(F.cumsum(F.flip(g, (dim,)), dim), (dim,)),), "dim")
_cumprod = primitive("cumprod", "x", (lambda F, g, x, out, dim: F.cumprod_backward(g, x, out, dim),), "dim")
_logcumsumexp = primitive("logcumsumexp", "x", (_logcumsumexp_rule,), "dim")
_cummax = primitive("cummax", "x", _at_index, "dim", outs=2)
_cummin = primitive("cummin", "x", _at_index, "dim", outs=2)


def _run(row: Any, x: Tensor, dim: int) -> Any:
    """`row` along dim; a tensor without dimensions has one of one element."""
    d = check_dim(dim, x._a.ndim)
    if x._a.ndim:
        return row(x, d)
    r = row(F.reshape_copy(x, (1,)), 0)
    return tuple(F.reshape_copy(y, ()) for y in r) if r.__class__ is tuple else F.reshape_copy(r, ())


def _summable(input: Any, op: str, dtype: Any) -> Tensor:
    if dtype is dtypes.bool_:
        raise NotImplementedError(f"\"{op}_out_cpu\" not implemented for 'Bool'")
    return _to(check_tensor(input, op), dtype)


@numpy_names
def cumsum(input: Tensor, dim: int, *, dtype: Any = None, out: Tensor | None = None) -> Tensor:
    """Running sum along `dim`; integers and bools add up in int64. Source: torch.cumsum."""
    return give_packed(_to(_run(_cumsum, _summable(input, "cumsum", dtype), dim), dtype), out, dtype)


@numpy_names
def cumprod(input: Tensor, dim: int, *, dtype: Any = None, out: Tensor | None = None) -> Tensor:
    """Running product along `dim`; integers and bools multiply in int64. Source: torch.cumprod."""
    x = _summable(input, "cumprod", dtype)
    x = _to(x, dtypes.int64) if x._a.dtype.kind in "biu" else x
    return give_packed(_to(_run(_cumprod, x, dim), dtype), out, dtype)


@numpy_names
def logcumsumexp(input: Tensor, dim: int, *, out: Tensor | None = None) -> Tensor:
    """log(cumsum(exp(input))) along `dim` without overflow. Source: torch.logcumsumexp."""
    x = check_tensor(input, "logcumsumexp")
    check_dim(dim, x._a.ndim)
    if x._a.dtype.kind in "biu":
        raise no_kernel("logcumsumexp_out_cpu", x)
    return give_packed(_run(_logcumsumexp, x, dim), out)


def _ordered(x: Any, op: str) -> Tensor:
    """Complex numbers have no order, which only several of them show."""
    a = check_tensor(x, op)._a
    if a.dtype.kind == "c" and a.ndim and a.size:
        raise no_kernel(f"{op}_cpu", x)
    return x  # type: ignore[no-any-return]


@numpy_names
def cummax(input: Tensor, dim: int, *, out: Any = None) -> Any:
    """(values, indices) of the running maximum along `dim`: of ties the last one, NaN wins. Source: torch.cummax."""
    return pair_out(return_types.cummax, _run(_cummax, _ordered(input, "cummax"), dim), out)


@numpy_names
def cummin(input: Tensor, dim: int, *, out: Any = None) -> Any:
    """(values, indices) of the running minimum along `dim`: of ties the last one, NaN wins. Source: torch.cummin."""
    return pair_out(return_types.cummin, _run(_cummin, _ordered(input, "cummin"), dim), out)


def _cut(x: Tensor, dim: int, start: int | None, stop: int | None) -> Tensor:
    """x[start:stop] along dim."""
    return x[(*(slice(None),) * dim, slice(start, stop))]  # type: ignore[index, no-any-return]


@numpy_names
def diff(
    input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None, *,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """n-th difference of neighbours along `dim`, after joining `prepend` and `append`. Source: torch.diff."""
    x = check_tensor(input, "diff")
    ndim = x._a.ndim
    if ndim == 0:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    d = check_dim(dim, ndim)
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    for other in (prepend, append):
        if other is None:
            continue
        if other._a.ndim != ndim:
            raise RuntimeError("diff expects prepend or append to be the same dimension as input")
        for i, (m, k) in enumerate(zip(other._a.shape, x._a.shape, strict=True)):
            if i != d and m != k:
                raise RuntimeError(
                    "diff expects the shape of tensor to prepend or append to match that of input except along the "
                    f"differencing dimension; input.size({i}) = {k}, but got tensor.size({i}) = {m}"
                )
    if n == 0:
        return give_packed(x.clone(), out)  # type: ignore[attr-defined]
    if prepend is not None or append is not None:
        x = cat([y for y in (prepend, x, append) if y is not None], d)
    minus = pw.logical_xor if x._a.dtype.kind == "b" else pw.sub
    for _ in range(min(n, x._a.shape[d])):
        x = minus(_cut(x, d, 1, None), _cut(x, d, None, -1))
    return give_packed(x, out)


def _samples(name: str, y: Any, x: Any, dx: Any, dim: int) -> tuple[Tensor, Any, int]:
    """(y, spacing as a number or a tensor that broadcasts with the intervals, dim)."""
    check_tensor(y, name, "y")
    if x is not None and dx is not None:
        raise TypeError(f"{name}() received an invalid combination of arguments: both x and dx")
    if y._a.ndim == 0:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    for value, which in ((y, "y"), (x, "x")):
        if isinstance(value, Tensor) and value._a.dtype.kind == "b":
            raise RuntimeError(f"{name}: received a bool input for `{which}`, but bool is not supported")
    d = check_dim(dim, y._a.ndim)
    if not isinstance(x, Tensor):
        return y, (1 if dx is None else dx) if x is None else x, d
    if x._a.ndim == 1:
        if x._a.shape[0] != y._a.shape[d]:
            raise RuntimeError(f"{name}: There must be one `x` value for each sample point")
        x = x.reshape((-1,) + (1,) * (y._a.ndim - d - 1))  # type: ignore[attr-defined]
    elif x._a.ndim < y._a.ndim:
        x = x.reshape((1,) * (y._a.ndim - x._a.ndim) + x._a.shape)  # type: ignore[attr-defined]
    d -= y._a.ndim
    return y, _cut(x, x._a.ndim + d, 1, None) - _cut(x, x._a.ndim + d, None, -1), d + y._a.ndim


def _areas(y: Tensor, d: int) -> Tensor:
    """Sums of neighbours."""
    return pw.add(_cut(y, d, None, -1), _cut(y, d, 1, None))


def trapezoid(y: Tensor, x: Any = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """The integral of y along `dim` by the trapezoidal rule, over points x or steps dx. Source: torch.trapezoid."""
    if isinstance(y, Tensor) and y._a.size == 0 and y._a.shape[d := check_dim(dim, y._a.ndim)] == 0:
        return y.new_zeros(y._a.shape[:d] + y._a.shape[d + 1 :])  # type: ignore[attr-defined, no-any-return]
    y, step, d = _samples("trapezoid", y, x, dx, dim)
    if isinstance(step, Tensor):
        return pw.div(pw.mul(_areas(y, d), step).sum(d), 2)  # type: ignore[attr-defined]
    ends = pw.add(y.select(d, 0), y.select(d, -1))  # type: ignore[attr-defined]
    return pw.mul(pw.sub(y.sum(d), pw.mul(ends, 0.5)), step)  # type: ignore[attr-defined]


def trapz(y: Tensor, x: Any = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """The old name of trapezoid. Source: torch.trapz."""
    return trapezoid(y, x, dx=dx, dim=dim)


@named("CumsumBackward0")
def cumulative_trapezoid(y: Tensor, x: Any = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """The running integral of y along `dim`, one element shorter. Source: torch.cumulative_trapezoid."""
    y, step, d = _samples("cumulative_trapezoid", y, x, dx, dim)
    if isinstance(step, Tensor):
        return pw.div(cumsum(pw.mul(_areas(y, d), step), d), 2)
    return pw.mul(cumsum(_areas(y, d), d), step / 2.0)


def _in_place(name: str) -> Any:
    """The in-place form: of a dtype of its own there is none, and of bools only for one element."""
    op = inplace(globals()[name], name + "_")

    def method(self: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
        if dtype is not None and dtype is not self.dtype:
            raise RuntimeError(
                f"Bad in-place call: input tensor dtype {cpp_name(self)} and output tensor dtype {cpp_name(dtype)} should match"
            )
        if self.dtype is dtypes.bool_:
            check_dim(dim, self._a.ndim)
            if self._a.ndim and self._a.size:
                raise NotImplementedError(f"\"{name}_out_cpu\" not implemented for 'Bool'")
            self._bump()
            return self
        return op(self, dim)  # type: ignore[no-any-return]

    method.__name__ = name + "_"
    method.__doc__ = f"In-place {name}."
    return method


for _name in ("cumsum", "cumprod"):
    attach(_name, globals()[_name])
    setattr(Tensor, _name + "_", numpy_names(_in_place(_name)))
for _name in ("logcumsumexp", "cummax", "cummin", "diff"):
    attach(_name, globals()[_name])
