"""Reductions: sum, mean, extremes, variance, logic, and what is built of them."""

from __future__ import annotations

import builtins
from collections import namedtuple
from math import prod as _product
from typing import Any

from .. import dtypes
from ..backends.base import DTYPE_OF
from ..tensor import Tensor, check_dim
from . import pointwise as pw
from .table import F, attach, check_tensor, primitive, renamed, write_out


def named_result(name: str) -> Any:
    """The (values, indices) tuple that an op returns, with PyTorch's repr."""

    def show(self: Any) -> str:
        return f"torch.return_types.{name}(\nvalues={self.values!r},\nindices={self.indices!r})"

    return type(name, (namedtuple(name, ["values", "indices"]),), {"__slots__": (), "__repr__": show})  # type: ignore[misc]


max_result, min_result = named_result("max"), named_result("min")
sort_result, topk_result = named_result("sort"), named_result("topk")


def _dims(x: Tensor, dim: Any) -> tuple[int, ...] | None:
    """Dimensions as a sorted tuple, None for all."""
    if dim is None:
        return None
    if isinstance(dim, (tuple, list)):
        if not dim:
            return None
        dims = tuple(check_dim(d, x._a.ndim) for d in dim)
        if len(set(dims)) != len(dims):
            repeated = next(d for d in dims if dims.count(d) > 1)
            raise RuntimeError(f"dim {repeated} appears multiple times in the list of dims")
        return dims if x._a.ndim else None
    d = check_dim(dim, x._a.ndim)
    return (d,) if x._a.ndim else None


def _keep(shape: tuple[int, ...], dim: Any) -> tuple[int, ...]:
    """The shape of a reduction's result with keepdim."""
    return tuple(1 if dim is None or i in dim else n for i, n in enumerate(shape))


def _spread(F: Any, g: Any, shape: tuple[int, ...], dim: Any) -> Any:
    """A reduced gradient back to the input's shape."""
    if dim is None and not g.shape:
        return F.expand(g, shape)
    return F.expand(F.reshape(g, _keep(shape, dim)), shape)


def _count(shape: tuple[int, ...], dim: Any) -> int:
    return _product(shape) if dim is None else _product(shape[d] for d in dim)


_sum = primitive("sum", "x", (lambda F, g, x_shape, dim: _spread(F, g, x_shape, dim),), "dim keepdim")
_mean = primitive(
    "mean",
    "x",
    (lambda F, g, x_shape, dim: _spread(F, F.mul(g, 1 / (_count(x_shape, dim) or 1)), x_shape, dim),),
    "dim keepdim",
)


def _extreme_rule(F: Any, g: Any, x: Any, out: Any, x_shape: Any, dim: Any) -> Any:
    """Ties share the gradient evenly, as PyTorch's amax and amin do."""
    top = F.reshape(out, _keep(x_shape, dim))
    hit = F.where(F.isnan(top), F.isnan(x), F.eq(x, top))
    hit = F.cast(hit, x._a.dtype if isinstance(x, Tensor) else x.dtype)
    return F.div(F.mul(hit, F.reshape(g, _keep(x_shape, dim))), F.sum(hit, dim, True))


_amax = primitive("amax", "x", (_extreme_rule,), "dim keepdim")
_amin = primitive("amin", "x", (_extreme_rule,), "dim keepdim")
_max_all = primitive("max_all", "x", (_extreme_rule,), "dim keepdim", node="MaxBackward1")
_min_all = primitive("min_all", "x", (_extreme_rule,), "dim keepdim", node="MinBackward1")


def _at_index_rule(F: Any, g: Any, need: Any, x_shape: Any, out1: Any, dim: int, keepdim: bool) -> Any:
    if not keepdim:
        g = F.reshape(g, _keep(x_shape, (dim,)))
        out1 = F.reshape(out1, _keep(x_shape, (dim,)))
    index = out1._a if isinstance(out1, Tensor) else out1
    return (F.gather_backward(g, x_shape, dim, index),)


def _first(rule: Any) -> Any:
    def joint(F: Any, g: Any, need: Any, x_shape: Any, out1: Any, dim: Any, keepdim: Any) -> Any:
        return rule(F, g[0], need, x_shape, out1, dim, keepdim)

    return joint


_max_dim = primitive("max_dim", "x", _first(_at_index_rule), "dim keepdim", node="MaxBackward0", outs=2)
_min_dim = primitive("min_dim", "x", _first(_at_index_rule), "dim keepdim", node="MinBackward0", outs=2)


def _var_rule(F: Any, g: Any, x: Any, x_shape: Any, dim: Any, correction: float) -> Any:
    n = _count(x_shape, dim) - correction
    centred = F.sub(x, F.mean(x, dim, True))
    g = pw.like(F, F.reshape(g, _keep(x_shape, dim)), x)
    return F.mul(F.mul(g, 2 / n if n > 0 else float("nan")), centred)


_var = primitive("var", "x", (_var_rule,), "dim correction keepdim")


def _prod_rule(F: Any, g: Any, x: Any, out: Any, x_shape: Any, dim: Any) -> Any:
    return F.div(F.mul(F.reshape(g, _keep(x_shape, dim)), F.reshape(out, _keep(x_shape, dim))), x)


_prod = primitive("prod", "x", (_prod_rule,), "dim keepdim")
_argmax = primitive("argmax", "x", None, "dim keepdim")
_argmin = primitive("argmin", "x", None, "dim keepdim")
_all = primitive("all", "x", None, "dim keepdim")
_any = primitive("any", "x", None, "dim keepdim")
_cumsum = primitive(
    "cumsum", "x", (lambda F, g, dim: F.flip(F.cumsum(F.flip(g, (dim,)), dim), (dim,)),), "dim"
)  # fmt: skip


def _to(x: Tensor, dtype: Any) -> Tensor:
    return x if dtype is None or x._a.dtype == dtype.array else F.cast(x, dtype.array)  # type: ignore[no-any-return]


def _out(r: Tensor, out: Tensor | None) -> Tensor:
    return r if out is None else write_out(out, r)


def sum(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, out: Tensor | None = None
) -> Tensor:
    """Sum over `dim` (int, tuple or None: all). Integers and bools add up in int64. Source: torch.sum."""
    if dim is None and dtype is None and out is None and isinstance(input, Tensor):
        return _sum(input, None, keepdim)  # type: ignore[no-any-return]
    x = _to(check_tensor(input, "sum"), dtype)
    r = _sum(x, None, keepdim) if dim is None else renamed(_sum(x, _dims(x, dim), keepdim), "SumBackward1")
    if dtype is not None and r._a.dtype != dtype.array:
        r = F.cast(r, dtype.array)
    return _out(r, out)


def mean(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, out: Tensor | None = None
) -> Tensor:
    """Mean over `dim`; RuntimeError unless floating (or given such a dtype). Source: torch.mean."""
    x = _to(check_tensor(input, "mean"), dtype)
    if x._a.dtype.kind in "biu":
        raise RuntimeError(
            "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. "
            f"Got: {_long_name(x)}"
        )
    r = _mean(x, None, keepdim) if dim is None else renamed(_mean(x, _dims(x, dim), keepdim), "MeanBackward1")
    return r if out is None else write_out(out, r)


def _long_name(x: Tensor) -> str:
    from .table import TYPE_NAME

    return TYPE_NAME[DTYPE_OF[x._a.dtype].name]


def nansum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    return sum(pw.where(pw.isnan(input), 0, input), dim, keepdim, dtype=dtype)


def prod(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Product over all elements or one dim. Source: torch.prod."""
    x = _to(input, dtype)
    if x._a.dtype.kind in "biu" and dtype is None:
        x = _to(x, dtypes.int64)
    return _prod(x, _dims(x, dim), keepdim)  # type: ignore[no-any-return]


def _not_empty(x: Tensor, dims: Any, name: str) -> None:
    if x._a.size == 0 and (dims is None or builtins.any(x._a.shape[d] == 0 for d in dims)):
        if dims is None:
            raise RuntimeError(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with "
                "the 'dim' argument."
            )
        raise IndexError(f"{name}(): Expected reduction dim {dims[0]} to have non-zero size.")


def amax(input: Tensor, dim: Any = (), keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Maximum over `dim`; ties share the gradient. Source: torch.amax."""
    dims = _dims(input, dim)
    _not_empty(input, dims, "amax")
    return _out(_amax(input, dims, keepdim), out)


def amin(input: Tensor, dim: Any = (), keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Minimum over `dim`; ties share the gradient. Source: torch.amin."""
    dims = _dims(input, dim)
    _not_empty(input, dims, "amin")
    return _out(_amin(input, dims, keepdim), out)


def _extreme(name: str, whole: Any, along: Any, pairwise: Any, result: Any) -> Any:
    def op(input: Tensor, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        x = check_tensor(input, name)
        if not args and not kwargs and out is None and x._a.size:
            return whole(x, None, False)
        other = kwargs.pop("other", args[0] if args and isinstance(args[0], Tensor) else None)
        if other is not None:
            return pairwise(x, other, out=out)
        if not args and "dim" not in kwargs:
            if x._a.size == 0:
                raise RuntimeError(
                    f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim "
                    "with the 'dim' argument."
                )
            return _out(whole(x, None, False), out)
        dim = kwargs.pop("dim", args[0] if args else None)
        keepdim = kwargs.pop("keepdim", args[1] if len(args) > 1 else False)
        if kwargs:
            raise TypeError(f"{name}() got an unexpected keyword argument {next(iter(kwargs))!r}")
        d = check_dim(dim, x._a.ndim)
        if x._a.ndim == 0:
            values = whole(x, None, False)
            return result(values, F.argmax(x, None, False))
        _not_empty(x, (d,), name)
        values, indices = along(x, d, keepdim)
        if out is not None:
            return result(write_out(out[0], values), write_out(out[1], indices))
        return result(values, indices)

    op.__name__ = name
    op.__doc__ = f"torch.{name}: the {name}imum of all elements; (values, indices) along `dim`; or elementwise with another tensor."
    return op


max = _extreme("max", _max_all, _max_dim, pw.maximum, max_result)
min = _extreme("min", _min_all, _min_dim, pw.minimum, min_result)


def _arg_check(x: Tensor, d: int | None, name: str) -> None:
    if x._a.dtype.kind == "b":
        raise RuntimeError(f"\"{name}_cpu\" not implemented for 'Bool'")
    if x._a.size == 0:
        if d is None:
            raise IndexError(f"{name}(): Expected reduction dim to be specified for input.numel() == 0.")
        _not_empty(x, (d,), name)


def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Index (int64) of the maximum: in the flattened tensor, or along `dim`. Source: torch.argmax."""
    d = None if dim is None or input._a.ndim == 0 else check_dim(dim, input._a.ndim)
    if dim is not None:
        check_dim(dim, input._a.ndim)
    _arg_check(input, d, "argmax")
    return _argmax(input, d, keepdim)  # type: ignore[no-any-return]


def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Index (int64) of the minimum. Source: torch.argmin."""
    d = None if dim is None or input._a.ndim == 0 else check_dim(dim, input._a.ndim)
    if dim is not None:
        check_dim(dim, input._a.ndim)
    _arg_check(input, d, "argmin")
    return _argmin(input, d, keepdim)  # type: ignore[no-any-return]


def var(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """Variance over `dim` with divisor n - correction (default 1). Source: torch.var."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if correction is None:
        correction = 1 if unbiased is None else int(unbiased)
    if input._a.dtype.kind in "biu":
        raise RuntimeError("std and var only support floating point and complex dtypes")
    return _var(input, None if dim is None else _dims(input, dim), correction, keepdim)  # type: ignore[no-any-return]


def std(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """Standard deviation: the root of var. Source: torch.std."""
    return pw.sqrt(var(input, dim, unbiased, keepdim, correction=correction))


def all(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Whether all elements are non-zero (bool). Source: torch.all."""
    return _all(input, _dims(input, dim), keepdim)  # type: ignore[no-any-return]


def any(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Whether any element is non-zero (bool). Source: torch.any."""
    return _any(input, _dims(input, dim), keepdim)  # type: ignore[no-any-return]


def cumsum(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """Running sum along `dim`. Source: torch.cumsum."""
    x = _to(input, dtype)
    d = check_dim(dim, x._a.ndim)
    return x if x._a.ndim == 0 else _cumsum(x, d)  # type: ignore[no-any-return]


def norm(input: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False) -> Tensor:
    """Vector p-norm over `dim` (all: None). Source: torch.norm."""
    if input._a.dtype.kind in "biu":
        raise RuntimeError(
            "linalg.vector_norm: Expected a floating point or complex tensor as input. Got " + _long_name(input)
        )
    if p in ("fro", None) or p == 2:
        return pw.sqrt(sum(pw.square(input), dim, keepdim))
    if p == float("inf"):
        return amax(pw.abs(input), () if dim is None else dim, keepdim)
    if p == 1:
        return sum(pw.abs(input), dim, keepdim)
    return pw.pow(sum(pw.pow(pw.abs(input), p), dim, keepdim), 1 / p)


def logsumexp(input: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """log(sum(exp(input))) without overflow. Source: torch.logsumexp."""
    top = amax(input, dim, True).detach()
    top = pw.where(pw.isfinite(top), top, 0)
    r = pw.log(sum(pw.exp(pw.sub(input, top)), dim, True)) + top
    return r if keepdim else r.squeeze(_dims(input, dim))  # type: ignore[attr-defined, no-any-return]


for _name in (
    "sum", "mean", "nansum", "prod", "amax", "amin", "max", "min", "argmax", "argmin", "var", "std", "all", "any",
    "cumsum", "norm", "logsumexp",
):  # fmt: skip
    attach(_name, globals()[_name])
