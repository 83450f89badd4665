"""Reductions: sum, mean, extremes, variance, logic, and what is built of them."""

from __future__ import annotations

import builtins
import warnings
from math import prod as _product
from typing import Any

from .. import dtypes, return_types
from ..autograd.modes import mode
from ..tensor import Tensor, check_dim
from . import pointwise as pw
from .halves import rounded_once, scaled
from .operands import NUMPY_NAMES, asked, numpy_names
from .table import (
    FLOAT,
    FLOAT32,
    F,
    attach,
    check_tensor,
    named,
    no_kernel,
    prepare,
    primitive,
    raw,
    raw_dtype,
    renamed,
    type_name,
    write_out,
)

__all__ = [
    "all", "amax", "amin", "aminmax", "any", "argmax", "argmin", "count_nonzero", "logsumexp", "max", "mean", "min",
    "nanmean", "nansum", "prod", "std", "std_mean", "sum", "var", "var_mean",
]  # fmt: skip


max_result, min_result = return_types.max, return_types.min


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


def keep_shape(shape: tuple[int, ...], dim: Any) -> tuple[int, ...]:
    """The shape of a reduction's result with keepdim."""
    return tuple(1 if dim is None or i in dim else n for i, n in enumerate(shape))


def _spread(F: Any, g: Any, shape: tuple[int, ...], dim: Any) -> Any:
    """A reduced gradient back to the input's shape."""
    if dim is None and not g.shape:
        return F.expand(g, shape)
    return F.expand(F.reshape(g, keep_shape(shape, dim)), shape)


def _count(shape: tuple[int, ...], dim: Any) -> int:
    return _product(shape) if dim is None else _product(shape[d] for d in dim)


_sum = primitive("sum", "x", (lambda F, g, x_shape, dim: _spread(F, g, x_shape, dim),), "dim keepdim")
_mean = primitive(
    "mean",
    "x",
    (lambda F, g, x_shape, dim: _spread(F, scaled(F, g, 1 / (_count(x_shape, dim) or 1)), x_shape, dim),),
    "dim keepdim",
)


def _share(F: Any, g: Any, x: Any, hit: Any, x_shape: Any, dim: Any) -> Any:
    """g, spread evenly over the elements in `hit`."""
    hit = F.cast(hit, raw_dtype(x))
    return F.div(F.mul(hit, F.reshape(g, keep_shape(x_shape, dim))), F.sum(hit, dim, True))


def _extreme_rule(F: Any, g: Any, x: Any, out: Any, x_shape: Any, dim: Any) -> Any:
    """Ties share the gradient, and so do NaNs."""
    top = F.reshape(out, keep_shape(x_shape, dim))
    hit = F.where(F.isnan(top), F.isnan(x), F.eq(x, top))
    count = F.sum(F.cast(hit, raw_dtype(x)), dim, True)
    return F.keep(F.expand(F.div(F.reshape(g, keep_shape(x_shape, dim)), count), x_shape), hit)


def _amax_rule(F: Any, g: Any, x: Any, out: Any, x_shape: Any, dim: Any) -> Any:
    """Ties share the gradient; under a NaN it is NaN, as in PyTorch."""
    return _share(F, g, x, F.eq(x, F.reshape(out, keep_shape(x_shape, dim))), x_shape, dim)


_amax = primitive("amax", "x", (_amax_rule,), "dim keepdim")
_amin = primitive("amin", "x", (_amax_rule,), "dim keepdim")
_max_all = primitive("max_all", "x", (_extreme_rule,), "dim keepdim", node="MaxBackward1")
_min_all = primitive("min_all", "x", (_extreme_rule,), "dim keepdim", node="MinBackward1")


def at_index_rule(F: Any, g: Any, need: Any, x_shape: Any, out1: Any, dim: int, keepdim: bool) -> Any:
    """Of (values, indices) along a dimension."""
    g, out1 = g[0], raw(out1)
    if not keepdim:
        kept = keep_shape(x_shape, (dim,))
        g, out1 = F.reshape(g, kept), out1.reshape(kept)
    return (F.gather_backward(g, x_shape, dim, out1),)


_max_dim = primitive("max_dim", "x", at_index_rule, "dim keepdim", node="MaxBackward0", outs=2)
_min_dim = primitive("min_dim", "x", at_index_rule, "dim keepdim", node="MinBackward0", outs=2)


def _var_rule(F: Any, g: Any, x: Any, x_shape: Any, dim: Any, correction: float) -> Any:
    n = _count(x_shape, dim) - correction
    centred = F.sub(x, F.mean(x, dim, True))
    g = pw.like(F, F.reshape(g, keep_shape(x_shape, dim)), x)
    return F.mul(scaled(F, g, 2 / n if n > 0 else float("nan")), centred)


_var = primitive("var", "x", (_var_rule,), "dim correction keepdim")


def _std_rule(F: Any, g: Any, x: Any, out: Any, x_shape: Any, dim: Any, correction: float) -> Any:
    """0 where the deviation is 0, as in PyTorch."""
    flat = F.eq(out, 0)
    g = F.where(flat, F.zeros_of(g), F.div(g, F.mul(F.where(flat, F.add(out, 1), out), 2)))
    return _var_rule(F, g, x, x_shape, dim, correction)


_std = primitive("std", "x", (_std_rule,), "dim correction keepdim")


def _prod_rule(F: Any, g: Any, x: Any, out: Any, x_shape: Any, dim: Any) -> Any:
    if dim is None:
        flat = (_product(x_shape),)
        whole = F.prod_backward(F.reshape(g, (1,)), F.reshape_copy(x, flat), F.reshape(out, (1,)), 0)
        return F.reshape(whole, x_shape)
    kept = keep_shape(x_shape, dim)
    return F.prod_backward(F.reshape(g, kept), x, F.reshape(out, kept), dim[0])


def _prod_backward(g: Tensor, x: Tensor, out: Tensor, dim: int) -> Tensor:
    """The products of the elements before and after each one: right at zeros, and so are the derivatives."""
    before = F.shift(F.cumprod(x, dim), dim, 1, 1)
    after = F.flip(F.shift(F.cumprod(F.flip(x, (dim,)), dim), dim, 1, 1), (dim,))
    return pw.mul(g, F.conj(pw.mul(before, after)))


F.prod_backward = rounded_once(_prod_backward)
_prod = primitive("prod", "x", (_prod_rule,), "dim keepdim")


def _logsumexp_rule(F: Any, g: Any, x: Any, out: Any, x_shape: Any, dim: Any) -> Any:
    kept = keep_shape(x_shape, dim)
    return F.mul(F.reshape(g, kept), F.conj(F.exp(F.sub(x, F.reshape(out, kept)))))


_logsumexp = primitive("logsumexp", "x", (_logsumexp_rule,), "dim keepdim")


_argmax = primitive("argmax", "x", None, "dim keepdim")
_argmin = primitive("argmin", "x", None, "dim keepdim")
_all = primitive("all", "x", None, "dim keepdim")
_any = primitive("any", "x", None, "dim keepdim")
_count_nonzero = primitive("count_nonzero", "x", None, "dim")


def _flag(value: Any, op: str, name: str = "keepdim") -> None:
    if value.__class__ is not bool:
        raise TypeError(f"{op}(): argument '{name}' must be bool, not {type(value).__name__}")


def reducible(input: Any, op: str, keepdim: bool = False) -> Tensor:
    """The checks that reductions share."""
    if keepdim is not False:
        _flag(keepdim, op)
    x = check_tensor(input, op)
    if x._a.dtype.kind == "c" and op in REAL and (x._a.size or op in ALSO_EMPTY) and (x._a.ndim or op != "mode"):
        raise real_only(op, x)
    return x


# what no order, and so no complex number, has: what PyTorch calls the kernel
REAL = {
    "amax": "max_values_cpu", "amin": "min_values_cpu", "aminmax": "aminmax_cpu", "max": "max_all", "min": "min_all",
    "median": "median_cpu", "nanmedian": "median_cpu", "mode": "mode_cpu", "argmax": "", "argmin": "",
    "nansum": "nansum on CPU does not support complex inputs", "nanmean": "nansum on CPU does not support complex inputs",
}  # fmt: skip


ALSO_EMPTY = ("argmax", "argmin", "nansum", "nanmean")


def real_only(op: str, x: Tensor) -> Exception:
    """The error of a reduction that complex numbers have not."""
    kernel = REAL[op]
    if not kernel:
        return RuntimeError(f"{op}(): does not support complex input")
    if " " in kernel:
        return RuntimeError(kernel)
    return no_kernel(kernel, x)


def _to(x: Tensor, dtype: Any) -> Tensor:
    if dtype is None or x._a.dtype == dtype.array:
        return x
    if x._fn is not None and mode.grad and dtype.array.kind in "biu":
        raise RuntimeError(f"Autograd not support dtype: {type_name(dtype)}")
    return F.cast(x, dtype.array)  # type: ignore[no-any-return]


def packed(r: Tensor) -> Tensor:
    """A new result in C order: NumPy keeps the order of the input's axes, PyTorch does not."""
    a = r._a
    if a.ndim > 1 and not a.flags.c_contiguous:
        r._a = r._dev.backend.contiguous(a)
    return r


def give_packed(r: Tensor, out: Tensor | None, dtype: Any = None) -> Tensor:
    """The result, contiguous, or in `out` where one is given: of just the dtype that the user has named, if any."""
    return packed(r) if out is None else write_out(out, r, exact=dtype is not None)


def sum(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, out: Tensor | None = None, **names: Any
) -> Tensor:
    """Sum over `dim` (int, tuple or None: all). Integers and bools add up in int64. Source: torch.sum."""
    if names or not isinstance(input, Tensor):
        return _unusual(sum, names, input=input, dim=dim, keepdim=keepdim, dtype=dtype, out=out)  # type: ignore[no-any-return]
    if dtype is None and out is None and keepdim is False:
        if dim is None:
            return _sum(input, None, False)  # type: ignore[no-any-return]
        ndim = input._a.ndim
        if dim.__class__ is int and -ndim <= dim < ndim:
            r = packed(_sum(input, (dim if dim >= 0 else dim + ndim,), False))
            return r if r._fn is None else renamed(r, "SumBackward1")
    x = _to(reducible(input, "sum", keepdim), dtype if dtype is not None or out is None else out.dtype)
    r = _sum(x, None, keepdim) if dim is None else renamed(_sum(x, _dims(x, dim), keepdim), "SumBackward1")
    return give_packed(_to(r, dtype), out, dtype)


def _unusual(fn: Any, names: dict[str, Any], **given: Any) -> Any:
    """Call `fn` again with NumPy's names of arguments translated; or what an input that is no Tensor makes of the call."""
    for name, value in names.items():
        if NUMPY_NAMES.get(name) not in given:
            raise TypeError(f"{fn.__name__}() got an unexpected keyword argument '{name}'")
        given[NUMPY_NAMES[name]] = value
    try:
        check_tensor(given["input"], fn.__name__)
    except TypeError as error:
        return asked(fn, given, error)
    return fn(**given)


def mean(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, out: Tensor | None = None, **names: Any
) -> Tensor:
    """Mean over `dim`; RuntimeError unless floating (or given such a dtype). Source: torch.mean."""
    if names or not isinstance(input, Tensor):
        return _unusual(mean, names, input=input, dim=dim, keepdim=keepdim, dtype=dtype, out=out)  # type: ignore[no-any-return]
    if dim is None and dtype is None and out is None and keepdim is False and input._a.dtype.char in "fd":
        return _mean(input, None, False)  # type: ignore[no-any-return]
    x = _to(reducible(input, "mean", keepdim), dtype)
    if x._a.dtype.kind in "biu":
        raise RuntimeError(
            f"mean(): could not infer output dtype. {'Input' if dtype is None else 'Optional'} dtype must be either a "
            f"floating point or complex dtype. Got: {type_name(x)}"
        )
    r = _mean(x, None, keepdim) if dim is None else renamed(_mean(x, _dims(x, dim), keepdim), "MeanBackward1")
    return give_packed(r, out)


@numpy_names
def nansum(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, out: Tensor | None = None
) -> Tensor:
    """Sum over `dim` with NaN as 0. Source: torch.nansum."""
    x = reducible(input, "nansum", keepdim)
    if out is not None and x._a.dtype.kind not in "biu" and out._a.dtype.kind in "biu":
        raise no_kernel("nansum_cpu", out)
    backend = x._dev.backend
    if x._a.dtype.kind not in "biu" and (backend.asynchronous or backend.may_hold(pw.isnan(sum(x.detach()))._a)):
        x = pw.where(pw.isnan(x), 0, x)  # without a NaN the sum is none
    x = _to(x, dtype)
    return renamed(sum(x, dim, keepdim, dtype=dtype, out=out), "NansumBackward0")


@numpy_names
def nanmean(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, out: Tensor | None = None
) -> Tensor:
    """Mean over `dim` of what is not NaN; RuntimeError unless floating. Source: torch.nanmean."""
    x = reducible(input, "nanmean", keepdim)
    if x._a.dtype.kind in "biu":
        raise RuntimeError(f"nanmean(): expected input to have floating point or complex dtype but got {type_name(x)}")
    if dtype is not None and dtype.array.kind in "biu":
        raise RuntimeError(
            "nanmean(): could not infer output dtype. Optional dtype must be either a floating point or complex dtype. "
            f"Got: {type_name(dtype)}"
        )
    if out is not None and out._a.dtype.kind in "biu":
        raise no_kernel("nansum_cpu", out)
    kept = sum(pw.logical_not(pw.isnan(x)), dim, keepdim)
    return pw.div(nansum(x, dim, keepdim, dtype=dtype), kept, out=out)


@numpy_names
def prod(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None, out: Tensor | None = None
) -> Tensor:
    """Product over all elements or one dim. Integers and bools multiply in int64. Source: torch.prod."""
    x = reducible(input, "prod", keepdim)
    x = _to(x, dtypes.int64 if dtype is None and x._a.dtype.kind in "biu" else dtype)
    wide = x if x._a.dtype.kind not in "biu" else _to(x, dtypes.int64)
    if dim is None:
        return give_packed(_to(_prod(wide, None, keepdim), dtype), out)
    if x._a.ndim == 0:
        check_dim(dim, 0)
        return give_packed(_to(pw.mul(x, 1), dtype), out)
    r = _prod(wide, (check_dim(dim, x._a.ndim),), keepdim)
    return give_packed(_to(renamed(r, "ProdBackward1"), dtype), out)


def _not_empty(x: Tensor, dims: Any, name: str) -> None:
    if x._a.size == 0 and (dims is None or builtins.any(x._a.shape[d] == 0 for d in dims)):
        if dims is None:
            raise RuntimeError(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with "
                "the 'dim' argument."
            )
        raise IndexError(f"{name}(): Expected reduction dim {dims[0]} to have non-zero size.")


def _same_out(x: Tensor, out: Tensor | None) -> None:
    if out is not None and out._a.dtype != x._a.dtype:
        raise RuntimeError(
            f"Expected the dtype for input and out to match, but got {type_name(x)} for input's dtype and "
            f"{type_name(out)} for out's dtype."
        )


@numpy_names
def amax(input: Tensor, dim: Any = (), keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Maximum over `dim`; ties share the gradient. Source: torch.amax."""
    x = reducible(input, "amax", keepdim)
    dims = _dims(x, dim)
    _not_empty(x, dims, "amax")
    _same_out(x, out)
    return give_packed(_amax(x, dims, keepdim), out)


@numpy_names
def amin(input: Tensor, dim: Any = (), keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Minimum over `dim`; ties share the gradient. Source: torch.amin."""
    x = reducible(input, "amin", keepdim)
    dims = _dims(x, dim)
    _not_empty(x, dims, "amin")
    _same_out(x, out)
    return give_packed(_amin(x, dims, keepdim), out)


@named("AminmaxBackward0")
@numpy_names
def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False, out: Any = None) -> Any:
    """(min, max) of all elements or along one dim; ties share the gradient. Source: torch.aminmax."""
    x = reducible(input, "aminmax", keepdim)
    if dim is None and x._a.size == 0:
        raise RuntimeError(
            "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity."
        )
    dims = None if dim is None or x._a.ndim == 0 else (check_dim(dim, x._a.ndim),)
    if dim is not None:
        check_dim(dim, x._a.ndim)
    _not_empty(x, dims, "aminmax")
    results = (_amin(x, dims, keepdim), _amax(x, dims, keepdim))
    if out is not None:
        results = (write_out(out[0], results[0], True), write_out(out[1], results[1], True))
    return return_types.aminmax(packed(results[0]), packed(results[1]))


def pair_out(result: Any, pair: Any, out: Any) -> Any:
    """(values, indices) as a named result, stored in the two tensors of `out=` if there are any."""
    values, indices = pair
    if out is None:
        return result(packed(values), packed(indices))
    return result(write_out(out[0], values, True), write_out(out[1], indices, True))


def _extreme(name: str, whole: Any, along: Any, pairwise: Any, result: Any) -> Any:
    def op(input: Tensor, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        if input.__class__ is Tensor and not args and not kwargs and out is None:
            if input._a.dtype is FLOAT32:
                try:
                    return whole(input, None, False)
                except ValueError:  # no elements: said below
                    pass
        if kwargs:
            kwargs = {NUMPY_NAMES.get(k, k): v for k, v in kwargs.items()}
        try:
            x = check_tensor(input, name)
        except TypeError as error:
            return asked(globals()[name], {"input": input, "args": args, "out": out, "kwargs": kwargs}, error)
        if (
            x._a.dtype.kind == "c"
            and x._a.size
            and not isinstance(kwargs.get("other", args[0] if args else None), Tensor)
        ):
            along_dim = args or "dim" in kwargs
            raise RuntimeError(f"{name}(): does not support complex input") if along_dim else real_only(name, x)
        if not args and not kwargs and out is None and x._a.size:
            return whole(x, None, False)
        other = kwargs.pop("other", args[0] if args and isinstance(args[0], Tensor) else None)
        if other is not None:
            if kwargs or args[1:] or (args and args[0] is not other):
                raise TypeError(f"{name}() received an invalid combination of arguments")
            return pairwise(x, other, out=out)
        if not args and not kwargs:
            _not_empty(x, None, name)
            return give_packed(whole(x, None, False), out)
        return reduce(x, *args, out=out, **kwargs)

    def reduce(x: Tensor, dim: int, keepdim: bool = False, *, out: Any = None) -> Any:
        d = check_dim(dim, x._a.ndim)
        _flag(keepdim, name)
        if x._a.ndim == 0:
            values = whole(x, None, False)
            return pair_out(result, (values, F.argmax(x, None, False)), out)
        _not_empty(x, (d,), name)
        return pair_out(result, along(x, d, keepdim), out)

    op.__name__ = op.__qualname__ = name
    op.__doc__ = f"torch.{name}: the {name}imum of all elements; (values, indices) along `dim`; or elementwise with another tensor."
    return op


max = _extreme("max", _max_all, _max_dim, pw.maximum, max_result)
min = _extreme("min", _min_all, _min_dim, pw.minimum, min_result)


def _arg_extreme(name: str, row: Any) -> Any:
    @numpy_names
    def op(input: Tensor, dim: int | None = None, keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
        if dim.__class__ is int and keepdim is False and out is None and isinstance(input, Tensor):
            a = input._a
            if 0 <= dim < a.ndim and a.dtype is FLOAT32 and a.size:  # type: ignore[operator]
                return row(input, dim, False)  # type: ignore[no-any-return]
        x = reducible(input, name, keepdim)
        if x._a.dtype.kind == "b":
            raise RuntimeError(f"{name}(): does not support bool input")
        d = None if dim is None else check_dim(dim, x._a.ndim)
        if x._a.size == 0:
            if d is None:
                raise IndexError(f"{name}(): Expected reduction dim to be specified for input.numel() == 0.")
            _not_empty(x, (d,), name)
        r = row(x, d if x._a.ndim else None, keepdim)
        return r if out is None else write_out(out, r, True)

    op.__name__ = op.__qualname__ = name
    op.__doc__ = (
        f"Index (int64) of the {name[3:]}imum: in the flattened tensor, or along `dim`; of ties the first, of NaN too. "
        f"Source: torch.{name}."
    )
    return op


argmax = _arg_extreme("argmax", _argmax)
argmin = _arg_extreme("argmin", _argmin)


def _spread_args(
    name: str, input: Any, dim: Any, unbiased: Any, keepdim: Any, correction: Any
) -> tuple[Tensor, tuple[int, ...] | None, float]:
    """(x, dims, correction) of the calls that var and its kin take."""
    if dim.__class__ is bool:
        if unbiased is not None:
            raise TypeError(f"{name}() received an invalid combination of arguments")
        dim, unbiased = None, dim
    if unbiased is not None:
        _flag(unbiased, name, "unbiased")
    if correction is None:
        correction = 1 if unbiased is None else int(unbiased)
    x = reducible(input, name, keepdim)
    if x._a.dtype.kind in "biu":
        raise RuntimeError(f"{name if '_' in name else 'std and var'} only support floating point and complex dtypes")
    dims = _dims(x, dim)
    if not x._a.size or _count(x._a.shape, dims) <= correction:
        warnings.warn(
            f"{name}(): degrees of freedom is <= 0. Correction should be strictly less than the reduction factor (input "
            "numel divided by output numel).",
            UserWarning,
            stacklevel=3,
        )
    return x, dims, correction


@numpy_names
def var(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = None,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Variance over `dim` with divisor n - correction (default 1). Source: torch.var."""
    x, dims, correction = _spread_args("var", input, dim, unbiased, keepdim, correction)
    return give_packed(_var(x, dims, correction, keepdim), out)


@numpy_names
def std(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = None,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Standard deviation: the root of var, with gradient 0 at 0. Source: torch.std."""
    x, dims, correction = _spread_args("std", input, dim, unbiased, keepdim, correction)
    return give_packed(_std(x, dims, correction, keepdim), out)


@numpy_names
def var_mean(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = None,
    out: Any = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """(variance, mean) over `dim`. Source: torch.var_mean."""
    x, dims, correction = _spread_args("var_mean", input, dim, unbiased, keepdim, correction)
    return _pair("VarMeanBackward0", _var(x, dims, correction, keepdim), _mean(x, dims, keepdim), out)


@numpy_names
def std_mean(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = None,
    out: Any = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """(standard deviation, mean) over `dim`. Source: torch.std_mean."""
    x, dims, correction = _spread_args("std_mean", input, dim, unbiased, keepdim, correction)
    return _pair("StdMeanBackward0", _std(x, dims, correction, keepdim), _mean(x, dims, keepdim), out)


def _pair(node: str, first: Tensor, second: Tensor, out: Any) -> tuple[Tensor, Tensor]:
    if out is not None:
        return write_out(out[0], first), write_out(out[1], second)
    return packed(renamed(first, node)), packed(renamed(second, node))


def _logical(name: str, row: Any) -> Any:
    @numpy_names
    def op(input: Tensor, dim: Any = None, keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
        x = reducible(input, name, keepdim)
        if out is not None and out._a.dtype.name not in ("bool", "uint8"):
            raise RuntimeError(f"{name} only supports bool tensor for result, got: {type_name(out)}")
        if dim.__class__ in (tuple, list) and not dim:
            r = pw.ne(x, 0).contiguous()  # type: ignore[attr-defined]
        else:
            r = row(x, _dims(x, dim), keepdim)
        return give_packed(_to(r, dtypes.uint8) if x._a.dtype.char == "B" else r, out)

    op.__name__ = op.__qualname__ = name
    op.__doc__ = (
        f"Whether {name} elements over `dim` (int, tuple or None) are non-zero: bool, of a uint8 tensor uint8. "
        f"Source: torch.{name}."
    )
    return op


all = _logical("all", _all)
any = _logical("any", _any)


@numpy_names
def count_nonzero(input: Tensor, dim: Any = None) -> Tensor:
    """How many elements over `dim` are not zero (int64). Source: torch.count_nonzero."""
    x = check_tensor(input, "count_nonzero")
    return packed(_count_nonzero(x, _dims(x, dim)))


@numpy_names
def logsumexp(input: Tensor, dim: Any, keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """log(sum(exp(input))) over `dim` (int or tuple) without overflow. Source: torch.logsumexp."""
    x = reducible(input, "logsumexp", keepdim)
    if dim is None:
        raise TypeError("logsumexp(): argument 'dim' (position 2) must be tuple of ints, not NoneType")
    if x._a.dtype.kind in "biu":
        (x,) = prepare("logsumexp", FLOAT, x)
    return give_packed(_logsumexp(x, _dims(x, dim), keepdim), out)


for _name in (
    "sum", "mean", "nansum", "nanmean", "prod", "amax", "amin", "aminmax", "max", "min", "argmax", "argmin", "var", "std",
    "all", "any", "count_nonzero", "logsumexp",
):  # fmt: skip
    attach(_name, globals()[_name])
