"""Order statistics, covariance, histograms and sets."""

from __future__ import annotations

import warnings
from math import isfinite
from typing import Any

from .. import dtypes, return_types
from ..tensor import Tensor, check_dim, wrap
from . import pointwise as pw
from .clamps import clamp
from .complexes import complex as _complex
from .creation import linspace
from .cumulative import diff
from .operands import numpy_names
from .reduce import (
    _extreme_rule,
    _not_empty,
    amax,
    amin,
    at_index_rule,
    give_packed,
    pair_out,
    reducible,
    sum,
)
from .rows import together
from .scattering import gather
from .sorting import sort
from .table import F, attach, check_tensor, no_kernel, primitive, renamed, type_name, undifferentiable, write_out

__all__ = [
    "bincount", "corrcoef", "cov", "histc", "histogram", "histogramdd", "median", "mode", "nanmedian",
    "nanquantile", "quantile", "unique", "unique_consecutive",
]  # fmt: skip

# ---- median and mode ---------------------------------------------------------------------------------------------------
_median = primitive("median", "x", at_index_rule, "dim keepdim skip_nan", outs=2, node="MedianBackward1")
_median_all = primitive("median_all", "x", (_extreme_rule,), "dim keepdim skip_nan", node="MedianBackward0")
_mode = primitive("mode_dim", "x", at_index_rule, "dim keepdim", node="ModeBackward0", outs=2)
_required: Any = object()


def _along(row: Any, x: Tensor, dim: int, keepdim: bool, *attrs: Any) -> Any:
    """`row` along dim; a tensor without dimensions has one of one element."""
    d = check_dim(dim, x._a.ndim)
    if x._a.ndim == 0:
        return tuple(F.reshape_copy(y, ()) for y in row(F.reshape_copy(x, (1,)), 0, True, *attrs))
    _not_empty(x, (d,), row.__name__.removesuffix("_dim"))
    return row(x, d, keepdim, *attrs)


def _middle(name: str, skip_nan: bool, result: Any) -> Any:
    @numpy_names
    def op(input: Tensor, dim: int = _required, keepdim: bool = False, *, out: Any = None) -> Any:
        x = reducible(input, name, keepdim)
        if dim is not _required:
            check_dim(dim, x._a.ndim)
        if x._a.dtype.kind == "b" and x._a.size:
            raise NotImplementedError("\"median_cpu\" not implemented for 'Bool'")
        if dim is not _required:
            pair = _along(_median, x, dim, keepdim, skip_nan)
            renamed(pair[0], f"{name.capitalize()}Backward1")
            return pair_out(result, pair, out)
        return give_packed(renamed(_median_all(x, None, False, skip_nan), f"{name.capitalize()}Backward0"), out)

    op.__name__ = name
    nan = "NaN is left out" if skip_nan else "NaN wins"
    op.__doc__ = f"The lower median of all elements, or (values, indices) along `dim`; {nan}. Source: torch.{name}."
    return op


median = _middle("median", False, return_types.median)
nanmedian = _middle("nanmedian", True, return_types.nanmedian)


@numpy_names
def mode(input: Tensor, dim: int = -1, keepdim: bool = False, *, out: Any = None) -> Any:
    """(values, indices) of the most frequent value along `dim`, the smallest of several.

    The index is that of its last place; PyTorch's is any. Each NaN counts as a value of its own. Source: torch.mode.
    """
    return pair_out(return_types.mode, _along(_mode, reducible(input, "mode", keepdim), dim, keepdim), out)


# ---- quantiles ---------------------------------------------------------------------------------------------------------
INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def _quantile(
    name: str, skip_nan: bool, input: Any, q: Any, dim: Any, keepdim: bool, interpolation: str, out: Any
) -> Tensor:
    x = reducible(input, name, keepdim)
    if x._a.size == 0:
        raise RuntimeError("quantile() input tensor must be non-empty")
    if x._a.dtype.char not in "fd":
        raise RuntimeError("quantile() input tensor must be either float or double dtype")
    if not isinstance(q, Tensor):
        if not 0 <= q <= 1:
            raise RuntimeError(f"quantile() q must be in the range [0, 1] but got {q:g}")
        q = x.new_full((), q)  # type: ignore[attr-defined]
    elif q._a.ndim > 1:
        raise RuntimeError("quantile() q must be a scalar or 1D tensor")
    elif q._a.dtype != x._a.dtype:
        raise RuntimeError("quantile() q tensor must be same dtype as the input tensor")
    else:
        good = (q >= 0) & (q <= 1)  # type: ignore[operator]
        q._dev.backend.require(good._a, RuntimeError, "quantile() q values must be in the range [0, 1]")
    if interpolation not in INTERPOLATIONS:
        raise RuntimeError(
            f"quantile() interpolation must be one of linear, lower, higher, midpoint or nearest, but got {interpolation}"
        )
    ndim = x._a.ndim
    shape = list(x._a.shape)
    if dim is None:
        x, shape = x.reshape(-1), [1] * ndim  # type: ignore[attr-defined]
    else:
        d = check_dim(dim, ndim)
        x = x.movedim(d, -1) if ndim else x.reshape(1)  # type: ignore[attr-defined]
        if ndim:
            shape[d] = 1
    ordered = sort(x, -1)[0]
    last = ordered._a.shape[-1] - 1
    bad = pw.isnan(ordered)
    flat = q.reshape(-1)
    if skip_nan:
        count = sum(pw.logical_not(bad), -1, True)
        ranks = clamp(pw.mul(flat, pw.sub(count, 1)), min=0)
    else:
        ranks = pw.where(bad[..., -1:], float(last), pw.mul(flat, last))  # type: ignore[index]
    low = (
        pw.round(ranks)
        if interpolation == "nearest"
        else pw.ceil(ranks)
        if interpolation == "higher"
        else pw.floor(ranks)
    )
    index = low.long()  # type: ignore[attr-defined]
    r = gather(ordered, -1, index)
    if interpolation in ("linear", "midpoint"):
        high = gather(ordered, -1, pw.ceil(ranks).long())  # type: ignore[attr-defined]
        weight = pw.sub(ranks, low) if interpolation == "linear" else 0.5
        # from the nearer end, as PyTorch's lerp
        step = pw.sub(high, r)
        if interpolation == "midpoint":
            r = pw.sub(high, pw.mul(step, 0.5))
        else:
            r = pw.where(
                pw.lt(weight, 0.5), pw.add(r, pw.mul(weight, step)), pw.sub(high, pw.mul(step, pw.sub(1, weight)))
            )
    if keepdim:
        r = r.reshape(shape + [-1]) if dim is None or not ndim else r.unsqueeze(d)  # type: ignore[attr-defined]
    elif not ndim:
        r = r.reshape(-1)  # type: ignore[attr-defined]
    r = r.movedim(-1, 0) if q._a.ndim else r.squeeze(-1)  # type: ignore[attr-defined]
    return give_packed(r, out)


@numpy_names
def quantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear",
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Quantiles q (a number or 1-D tensor of them, which come first) of all elements or along `dim`.

    NaN where there is a NaN. float32 and float64 only, as in PyTorch. Source: torch.quantile.
    """
    return _quantile("quantile", False, input, q, dim, keepdim, interpolation, out)


@numpy_names
def nanquantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear",
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """quantile of what is not NaN. Source: torch.nanquantile."""
    return _quantile("nanquantile", True, input, q, dim, keepdim, interpolation, out)


# ---- covariance --------------------------------------------------------------------------------------------------------
def _weights(name: str, w: Tensor | None, n: int, integral: bool) -> None:
    if w is None:
        return
    if w._a.ndim > 1:
        raise RuntimeError(
            f"cov(): expected {name} to have one or fewer dimensions but got {name} with {w._a.ndim} dimensions"
        )
    if (w._a.dtype.kind in "iu") != integral or w._a.dtype.kind == "b":
        kind = "integral" if integral else "floating point"
        raise RuntimeError(f"cov(): expected {name} to have {kind} dtype but got {name} with {type_name(w)} dtype")
    if w._a.size != n:
        raise RuntimeError(
            f"cov(): expected {name} to have the same numel as there are observations in the input but got {w._a.size} != {n}"
        )
    with w._dev.backend.here():
        good = ~(w._a < 0)
    w._dev.backend.require(good, RuntimeError, f"cov(): {name} cannot be negative")


def cov(
    input: Tensor, *, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None
) -> Tensor:
    """Covariance of the variables (rows) over observations (columns), repeated `fweights` times and weighted by `aweights`.

    Source: torch.cov.
    """
    x = check_tensor(input, "cov")
    if x._a.ndim > 2:
        raise RuntimeError(
            f"cov(): expected input to have two or fewer dimensions but got an input with {x._a.ndim} dimensions"
        )
    if x._a.dtype.kind == "b":
        raise RuntimeError("cov(): bool dtype is not supported for input")
    x = x.reshape(1, -1) if x._a.ndim < 2 else x  # type: ignore[attr-defined]
    n = x._a.shape[1]
    _weights("fweights", fweights, n, True)
    _weights("aweights", aweights, n, False)
    w: Any = fweights if aweights is None else aweights if fweights is None else pw.mul(fweights, aweights)
    total: Any = n if w is None else sum(w)
    if w is not None and (n == 0 or not bool(total != 0)):
        raise RuntimeError("cov(): weights sum to zero, can't be normalized")
    mean = pw.div(sum(x if w is None else pw.mul(x, w), 1), total)
    divisor = total - correction
    if aweights is not None and correction != 0:
        divisor = pw.sub(total, pw.div(pw.mul(sum(pw.mul(w, aweights)), correction), total))
    if bool(divisor <= 0):
        warnings.warn(
            "cov(): degrees of freedom is <= 0. Correction should be strictly less than the number of observations.",
            stacklevel=2,
        )
        divisor = 0
    d = pw.sub(x, mean.unsqueeze(1))  # type: ignore[attr-defined]
    other = d if w is None else pw.mul(d, w)
    return pw.div(d @ F.conj(other).t(), divisor).squeeze()  # type: ignore[attr-defined, operator, no-any-return]


def corrcoef(input: Tensor) -> Tensor:
    """Pearson correlation of the variables (rows) over observations (columns). Source: torch.corrcoef."""
    x = check_tensor(input, "corrcoef")
    if x._a.ndim > 2:
        raise RuntimeError(
            f"corrcoef(): expected input to have two or fewer dimensions but got an input with {x._a.ndim} dimensions"
        )
    c = cov(x)
    if c._a.ndim == 0:
        return pw.div(c, c)
    n = c._a.shape[0]
    deviation = pw.sqrt(c.reshape(-1)[:: n + 1])  # type: ignore[attr-defined]
    r = pw.div(pw.div(c, deviation.unsqueeze(1)), deviation.unsqueeze(0))
    if r._a.dtype.kind == "c":
        return _complex(clamp(r.real, -1, 1), clamp(r.imag, -1, 1))  # type: ignore[attr-defined, no-any-return]
    return clamp(r, -1, 1)  # type: ignore[no-any-return]


# ---- histograms --------------------------------------------------------------------------------------------------------
def _floating(x: Tensor, op: str, kinds: str = "biu") -> None:
    if x._a.dtype.kind in kinds:
        raise no_kernel(op, x)


def _range(x: Tensor, given: Any, pad: float) -> tuple[float, float]:
    """(lowest, highest) edge: as given, or the data's; a range without extent is widened."""
    lo, hi = (0.0, 1.0) if given is None else given
    if given is None and x._a.size:
        lo, hi = amin(x).item(), amax(x).item()  # type: ignore[attr-defined]
    if not (isfinite(lo) and isfinite(hi)):
        raise RuntimeError(f"histogram range [{lo:g}, {hi:g}] is not finite")
    if lo > hi:
        raise RuntimeError(f"torch.histogram(): min should not exceed max, but got min: {lo:g} max: {hi:g}")
    return (lo - pad, hi + pad) if lo == hi else (lo, hi)


def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0, *, out: Tensor | None = None) -> Tensor:
    """Counts in `bins` equal bins from min to max (the data's range if they are equal), in input's dtype; not differentiable.

    Source: torch.histc.
    """
    x = check_tensor(input, "histc").detach()
    if bins <= 0:
        raise RuntimeError("torch.histc(): bins must be > 0")
    if min > max:
        raise RuntimeError("torch.histc(): max must be larger than min")
    _floating(x, "aminmax_cpu" if x._a.size else "histogram_cpu", "c")
    _floating(x, "histogram_cpu")
    lo, hi = _range(x, (min, max) if min != max else None, 1) if min != max or x._a.size else (min - 1.0, max + 1.0)
    backend = x._dev.backend
    place = backend.linear_bins(backend.reshape(x._a, (-1,)), lo, hi, bins)
    return give_packed(wrap(backend.histogram([place], (bins,), None, x._a.dtype), x._dev), out)


def _histogram(
    name: str, x: Tensor, bins: list[Any], spans: list[Any], weight: Tensor | None, density: bool
) -> tuple[Tensor, list[Tensor]]:
    """x: (N, D) points; bins: per dimension a count or the edges."""
    if x._a.dtype.itemsize == 2:
        _floating(x, "histogramdd", "fV")
    backend = x._dev.backend
    together(name, x, *(t for t in (*bins, weight) if isinstance(t, Tensor)))
    if weight is not None:
        if weight._a.dtype != x._a.dtype:
            raise RuntimeError(
                f"torch.histogramdd(): if weight tensor is provided, input tensor and weight tensor should have the same "
                f"dtype, but got input {x.dtype}, and weight {weight.dtype}"
            )
        weight = weight.reshape(-1)  # type: ignore[attr-defined]
    edges, places = [], []
    for i, (b, span) in enumerate(zip(bins, spans, strict=True)):
        column = x[:, i]  # type: ignore[index]
        if isinstance(b, Tensor):
            if b._a.ndim != 1 or not b._a.size:
                raise RuntimeError("torch.histogramdd(): bins tensor should have one dimension and elements")
            if b._a.dtype != x._a.dtype:
                raise RuntimeError(
                    "torch.histogramdd(): input tensor and bins tensors should have the same dtype, but got input with "
                    f"dtype {x.dtype} and bins with dtype {b.dtype}"
                )
        else:
            if b <= 0:
                raise RuntimeError(f"torch.histogramdd(): bins must be > 0, but got {b} for dimension {i}")
            ends = _range(column, span, 0.5)
            _floating(x, name)
            b = linspace(*ends, b + 1, dtype=x.dtype, device=x._dev)
        _floating(x, name)
        edges.append(b)
        places.append(backend.edge_bins(column._a, b._a))
    shape = tuple(e._a.shape[0] - 1 for e in edges)
    counts = backend.histogram(places, shape, None if weight is None else weight._a, x._a.dtype)
    hist = wrap(counts, x._dev)
    if density:
        hist = pw.div(hist, sum(hist))
        for i, e in enumerate(edges):
            hist = pw.div(hist, diff(e).reshape((-1,) + (1,) * (len(edges) - i - 1)))  # type: ignore[attr-defined]
    return hist, edges


def histogram(
    input: Tensor,
    bins: Any = 100,
    *,
    range: Any = None,
    weight: Tensor | None = None,
    density: bool = False,
    out: Any = None,
) -> Any:
    """(hist, bin_edges) of all elements; bins: how many from the lowest to the highest (or over `range`), or their edges.

    Source: torch.histogram.
    """
    x = check_tensor(input, "histogram").detach()
    if weight is not None and weight._a.shape != x._a.shape:
        raise RuntimeError(
            "torch.histogram(): if weight tensor is provided it should have the same shape as the input tensor, but got "
            f"input shape {list(x._a.shape)} and weight shape {list(weight._a.shape)}"
        )
    hist, edges = _histogram("histogram_cpu", x.reshape(-1, 1), [bins], [range], weight, density)  # type: ignore[attr-defined]
    error = RuntimeError("derivative for aten::histogram is not implemented")
    undifferentiable(
        "NotImplemented", error, (input, bins if isinstance(bins, Tensor) else None, weight), hist, edges[0]
    )
    if out is not None:
        return return_types.histogram(write_out(out[0], hist), write_out(out[1], edges[0]))
    return return_types.histogram(hist, edges[0])


def histogramdd(
    input: Tensor, bins: Any, range: Any = None, weight: Tensor | None = None, density: bool = False
) -> Any:
    """(hist, bin_edges) of points (..., D); bins: one count, one per dimension, or the edges of each.

    range: low and high of each dimension in one list. Source: torch.histogramdd.
    """
    x = check_tensor(input, "histogramdd").detach()
    if x._a.ndim < 2:
        raise RuntimeError("torch.histogramdd(): input tensor should have at least 2 dimensions")
    n = x._a.shape[-1]
    bins = [bins] * n if isinstance(bins, int) else list(bins)
    if range is not None and len(range) != 2 * n:
        raise RuntimeError(
            f"torch.histogramdd(): for a {n}-dimensional histogram range should have {2 * n} elements, but got {len(range)}"
        )
    _floating(x, "histogramdd")
    if len(bins) != n:
        raise RuntimeError(
            f"torch.histogramdd(): expected {n} bin counts or edges for a histogram of {n} dimensions, but got {len(bins)}"
        )
    spans = [None] * n if range is None else [tuple(range[2 * i : 2 * i + 2]) for i, _ in enumerate(bins)]
    if weight is not None and weight._a.shape != x._a.shape[:-1]:
        raise RuntimeError(
            "torch.histogramdd(): if weight tensor is provided it should have the same shape as the input tensor excluding "
            f"its innermost dimension, but got input with shape {list(x._a.shape)} and weight with shape {list(weight._a.shape)}"
        )
    hist, edges = _histogram("histogramdd", x.reshape(-1, n), bins, spans, weight, density)  # type: ignore[attr-defined]
    way = "tensors" if isinstance(bins[0], Tensor) else "cts"
    undifferentiable(
        "NotImplemented", RuntimeError(f"derivative for aten::_histogramdd_from_bin_{way} is not implemented"),
        (input, weight), hist, *([] if way == "tensors" else edges),
    )  # fmt: skip
    return return_types.histogramdd(hist, tuple(edges))


def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often (int64), or with what weight, each value of a 1-D tensor of non-negative integers occurs.

    Source: torch.bincount.
    """
    x = check_tensor(input, "bincount")
    if minlength < 0:
        raise RuntimeError("minlength should be >= 0")
    if x._a.dtype.kind not in "iu":
        raise no_kernel("bincount_cpu", x)
    if x._a.ndim != 1 or (x._a.size and bool(amin(x) < 0)):  # type: ignore[operator]
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    w = None
    if weights is not None:
        together("bincount", x, weights)
        if weights._a.shape != x._a.shape:
            raise RuntimeError("weights should be 1-d and have the same length as input")
        w = weights._a if weights._a.dtype.char == "f" else F.cast(weights, dtypes.float64.array)._a
    if not x._a.size:
        w = None
    r = wrap(x._dev.backend.bincount(F.cast(x, dtypes.int64.array)._a, w, minlength), x._dev)
    undifferentiable(
        "NotImplemented", RuntimeError("derivative for aten::bincount is not implemented"), (x, weights), r
    )
    return r


# ---- sets --------------------------------------------------------------------------------------------------------------
def _unique(x: Tensor, consecutive: bool, return_inverse: bool, return_counts: bool, dim: int | None) -> Any:
    _floating(x, "unique", "c")
    if dim is not None:
        dim = check_dim(dim, x._a.ndim)
        if x._a.ndim == 0:
            raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
        if x._a.size == 0 and 0 in x._a.shape[:dim] + x._a.shape[dim + 1 :]:
            raise RuntimeError("There are 0 sized dimensions, and they aren't selected, so unique cannot be applied")
    values, inverse, counts = x._dev.backend.unique(x._a, dim, consecutive, return_inverse)
    results = [wrap(values, x._dev)]
    op, node = ("unique_consecutive", "UniqueConsecutive") if consecutive else ("_unique2", "Unique2")
    if dim is not None and not consecutive:
        op, node = "unique_dim", "UniqueDim"
    error = NotImplementedError(f"the derivative for '{op}' is not implemented.")
    undifferentiable(node + "Backward0", error, (x,), *results)
    if return_inverse:
        results.append(wrap(inverse, x._dev))
    if return_counts:
        results.append(wrap(counts, x._dev))
    return results[0] if len(results) == 1 else tuple(results)


def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The different values, or slices along `dim`, in rising order; also which one each element is, and their counts.

    They are sorted without `sorted` too; NaN is unlike any other; not differentiable. Source: torch.unique.
    """
    return _unique(check_tensor(input, "unique"), False, return_inverse, return_counts, dim)


def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """unique of neighbours only, in their order. Source: torch.unique_consecutive."""
    return _unique(check_tensor(input, "unique_consecutive"), True, return_inverse, return_counts, dim)


for _name in (
    "median", "nanmedian", "mode", "quantile", "nanquantile", "cov", "corrcoef", "histc", "histogram", "bincount", "unique",
    "unique_consecutive",
):  # fmt: skip
    attach(_name, globals()[_name])
