"""Differences, powers, hashes, segments and older norms. Source: torch."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from .. import dtypes
from ..tensor import Tensor
from .creation import arange
from .joining import cat
from .norms import matrix_norm, vector_norm
from .operands import several
from .rows import together
from .scattering import index_reduce
from .sorting import searchsorted
from .table import attach, check_tensor, no_kernel, write_out

__all__ = [
    "cond", "frobenius_norm", "gradient", "hash_tensor", "nonzero_static", "norm_except_dim", "nuclear_norm",
    "segment_reduce", "vander",
]  # fmt: skip


def _axis(dim: int, n: int) -> int:
    if not -n <= dim < n:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})")
    return dim % n


def cond(pred: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any], operands: Any = ()) -> Any:
    """true_fn(*operands) if `pred` holds, else false_fn(*operands). Source: torch.cond."""
    if isinstance(pred, Tensor) and pred._a.size != 1:
        raise RuntimeError(f"Expected pred to be bool or single-element tensor, but got {list(pred.shape)}.")
    if not callable(true_fn) or not callable(false_fn):
        raise RuntimeError("Expect both branches to be callable.")
    if not isinstance(operands, (tuple, list)):
        raise RuntimeError(f"Expect operands to be a tuple of possibly nested dict/list/tuple, but got {operands}.")
    return (true_fn if pred else false_fn)(*operands)


# ---- differences ----------------------------------------------------------------------------------------------------------
def gradient(input: Tensor, *, spacing: Any = None, dim: Any = None, edge_order: int = 1) -> tuple[Tensor, ...]:
    """Derivatives along dimensions by central differences; at the edges of first or second order.

    `spacing`: one number, one per dimension, or the coordinates (1-d tensors). Source: torch.gradient.
    """
    x = check_tensor(input, "gradient")
    n = x._a.ndim
    dims = list(range(n)) if dim is None else list(several(dim))
    if isinstance(spacing, Tensor) and not spacing._a.ndim:
        spacing = spacing.item()
    if isinstance(spacing, (tuple, list)):
        if len(spacing) != len(dims):
            given = f"'self.dim() = {n}', since dim argument was not given" if dim is None else "'dim'"
            raise RuntimeError(
                "torch.gradient expected spacing to be unspecified, a scalar, or a list of length equal to "
                f"{given}, but got a list of length {len(spacing)}"
            )
        steps = list(spacing)
    else:
        steps = [1 if spacing is None else spacing] * len(dims)
    if edge_order not in (1, 2):
        raise RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    if x.dtype is dtypes.uint8:
        raise RuntimeError("torch.gradient does not support uint8 input.")
    axes: list[int] = []
    for d in dims:
        axis = _axis(d, n)
        if axis in axes:
            raise RuntimeError(f"dim {axis} appears multiple times in the list of dims")
        axes.append(axis)
        if x._a.shape[axis] < edge_order + 1:
            raise RuntimeError("torch.gradient expected each dimension size to be at least edge_order+1")
    return tuple(_differences(x, axis, step, edge_order) for axis, step in zip(axes, steps, strict=True))


def _differences(x: Any, axis: int, step: Any, order: int) -> Tensor:
    n = x.shape[axis]

    def at(start: int, count: int = 1) -> Any:
        return x.narrow(axis, start if start >= 0 else n + start, count)

    if not isinstance(step, Tensor) or not step._a.ndim:
        h = step.item() if isinstance(step, Tensor) else step
        inner = (at(2, n - 2) - at(0, n - 2)) / (2 * h)
        if order == 1:
            first, last = (at(1) - at(0)) / h, (at(-1) - at(-2)) / h
        else:
            first = (at(0) * -1.5 + at(1) * 2 - at(2) * 0.5) / h
            last = (at(-1) * 1.5 - at(-2) * 2 + at(-3) * 0.5) / h
        return cat([first, inner, last], axis)  # type: ignore[no-any-return]
    c: Any = step
    if c.ndim != 1:
        raise RuntimeError(
            "torch.gradient expected each element of spacing to have one dimension, but got an element with "
            f"{c.ndim} dimensions!"
        )
    gaps = c[1:] - c[:-1]
    wide = (-1, *(1,) * (x.ndim - 1 - axis))
    a, b = gaps[:-1].reshape(wide), gaps[1:].reshape(wide)
    inner = (
        at(0, n - 2) * (-b / (a * (a + b))) + at(1, n - 2) * ((b - a) / (a * b)) + at(2, n - 2) * (a / (b * (a + b)))
    )
    if order == 1:
        first, last = (at(1) - at(0)) / gaps[0], (at(-1) - at(-2)) / gaps[-1]
    else:
        a, b = gaps[0], gaps[1]
        first = at(0) * (-(2 * a + b) / (a * (a + b))) + at(1) * ((a + b) / (a * b)) + at(2) * (-a / (b * (a + b)))
        a, b = gaps[-2], gaps[-1]
        last = at(-3) * (b / (a * (a + b))) + at(-2) * (-(a + b) / (a * b)) + at(-1) * ((a + 2 * b) / (b * (a + b)))
    return cat([first, inner, last], axis)  # type: ignore[no-any-return]


def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """Rows x^(N-1), ..., x, 1 of a 1-d tensor; `increasing` turns them round. Source: torch.vander."""
    t: Any = check_tensor(x, "vander", "x")
    if t.ndim != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    n = t.shape[0] if N is None else N
    if n < 0:
        raise RuntimeError("N must be non-negative.")
    if t.dtype.category in (dtypes.BOOL, dtypes.INT):
        t = t.to(dtypes.int64)
    rows = cat([t.new_ones((t.shape[0], 1)), t.unsqueeze(1).expand(-1, max(n - 1, 0)).cumprod(1)], 1)[:, :n]
    return rows.contiguous() if increasing else rows.flip(1)  # type: ignore[no-any-return]


# ---- norms ----------------------------------------------------------------------------------------------------------------
def frobenius_norm(input: Tensor, dim: Any, keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Square root of the sum of squares over at most two dimensions. Source: torch.frobenius_norm."""
    dims = several(dim)
    if len(dims) > 2:
        raise RuntimeError(f"Expected at most 2 dimensions, but got {len(dims)} dimensions instead.")
    return vector_norm(check_tensor(input, "frobenius_norm"), 2, dims or None, keepdim, out=out)


def nuclear_norm(input: Tensor, dim: Any = None, keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Sum of the singular values of matrices; the second argument may be keepdim. Source: torch.nuclear_norm."""
    if isinstance(dim, bool):
        dim, keepdim = None, dim
    x = check_tensor(input, "nuclear_norm")
    return matrix_norm(x, "nuc", (-2, -1) if dim is None else dim, keepdim, out=out)


def norm_except_dim(v: Tensor, pow: int = 2, dim: int = 0) -> Tensor:
    """Norms over all dimensions but one, which is kept; over all of them for dim -1. Source: torch.norm_except_dim."""
    x: Any = check_tensor(v, "norm_except_dim", "v")
    if dim == -1:
        return x.norm(pow)  # type: ignore[no-any-return]
    axis = _axis(dim, x.ndim)
    rest = tuple(d for d in range(x.ndim) if d != axis)
    return vector_norm(x, pow, rest, True) if rest else x.abs()  # type: ignore[no-any-return]


# ---- hashes, positions, segments ------------------------------------------------------------------------------------------
def hash_tensor(
    input: Tensor, dim: Any = (), *, keepdim: bool = False, mode: int = 0, out: Tensor | None = None
) -> Tensor:
    """Exclusive or (mode 0) of the 64 bits of each element, floats as float64: uint64. Source: torch.hash_tensor."""
    x: Any = check_tensor(input, "hash_tensor")
    if mode != 0:
        raise RuntimeError(f"Unknown hash_tensor mode: {mode}")
    dims = sorted({_axis(d, max(x.ndim, 1)) for d in several(dim)}) or list(range(x.ndim))
    if not x.numel() and len(dims) == x.ndim and dim == ():
        raise RuntimeError(
            "hash_tensor: Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with "
            "the 'dim' argument."
        )
    for d in dims if x.ndim else ():
        if not x.shape[d]:
            raise IndexError(f"hash_tensor: Expected reduction dim {d} to have non-zero size.")
    if x.is_complex():
        raise no_kernel("xor_sum_cpu", x)
    if x.ndim == 0:
        dims = []
    bits = x.detach()
    bits = bits.to(dtypes.float64).view(dtypes.int64) if x.is_floating_point() else bits.to(dtypes.int64)
    for d in dims:
        while bits.shape[d] > 1:  # halves onto each other
            half = bits.shape[d] // 2
            odd = bits.narrow(d, 2 * half, bits.shape[d] - 2 * half)
            bits = cat([bits.narrow(d, 0, half) ^ bits.narrow(d, half, half), odd], d)
    r = bits.clone().view(dtypes.uint64)
    if not keepdim:
        r = r.reshape([m for d, m in enumerate(r.shape) if d not in dims])
    return r if out is None else write_out(out, r)  # type: ignore[no-any-return]


def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1, out: Tensor | None = None) -> Tensor:
    """The first `size` rows of nonzero, filled up with `fill_value`. Source: torch.nonzero_static."""
    x: Any = check_tensor(input, "nonzero_static")
    if size < 0:
        raise RuntimeError("nonzero_static: 'size' must be an non-negative integer")
    found = x.nonzero()[:size]
    r = cat([found, found.new_full((size - found.shape[0], found.shape[1]), fill_value)], 0)
    return r if out is None else write_out(out, r)  # type: ignore[no-any-return]


LOW, HIGH = float("-inf"), float("inf")
REDUCED = {"sum": 0.0, "mean": 0.0, "prod": 1.0, "max": LOW, "amax": LOW, "min": HIGH, "amin": HIGH}


def segment_reduce(
    data: Tensor, reduce: str, *, lengths: Tensor | None = None, indices: Tensor | None = None,
    offsets: Tensor | None = None, axis: int = 0, unsafe: bool = False, initial: Any = None,
) -> Tensor:  # fmt: skip
    """sum, mean, prod, max or min of segments along `axis`, given by their lengths or offsets (..., segments [+ 1]).

    An empty segment gives `initial`, or the neutral value (mean: NaN). Source: torch.segment_reduce.
    """
    x: Any = check_tensor(data, "segment_reduce", "data")
    if reduce not in REDUCED:
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    if indices is not None:
        raise RuntimeError("segment_reduce(): indices based reduction is not supported yet.")
    given: Any = offsets if lengths is None else lengths
    if given is None:
        raise RuntimeError("segment_reduce(): Either lengths or offsets must be defined.")
    together("segment_reduce", x, given)
    kind = "lengths" if lengths is not None else "offsets"
    axis = _axis(axis, x.ndim)
    if given.ndim != axis + 1:
        raise RuntimeError(f"segment_reduce(): Expected axis to be the last dimension of {kind} but got {axis}.")
    if given.dtype not in (dtypes.int32, dtypes.int64):
        raise no_kernel("_segment_reduce_lengths_cpu_kernel1", given)
    if not x.is_floating_point():
        raise no_kernel("_segment_reduce_cpu", x)
    n = x.shape[axis]
    rows = prod(x.shape[:axis])
    given = given.to(dtypes.int64).reshape(rows, -1)
    counts = given if kind == "lengths" else given[:, 1:] - given[:, :-1]
    if kind == "lengths" and not unsafe:
        backend = x._dev.backend
        backend.require((counts >= 0)._a, RuntimeError, "lengths contains negative value!")
        backend.require(
            (counts.sum(-1) == n)._a,
            RuntimeError,
            "segment_reduce(): Expected all rows of lengths along axis to sum to data.size(lengths.dim()-1) when !unsafe.",
        )
    k = counts.shape[1]
    places = arange(n, device=x.device).expand(rows, n).contiguous()
    member = searchsorted(counts.cumsum(-1), places, right=True)  # k: beyond the last segment
    index = (member + arange(rows, device=x.device).unsqueeze(1) * (k + 1)).reshape(-1)
    rest = x.shape[axis + 1 :]
    flat = x.reshape(rows * n, *rest)
    start = flat.new_full((rows * (k + 1), *rest), REDUCED[reduce] if initial is None else initial)
    if reduce in ("sum", "mean"):
        r = start.index_add(0, index, flat)
    else:
        r = index_reduce(start, 0, index, flat, {"max": "amax", "min": "amin"}.get(reduce, reduce))
    r = r.reshape(*x.shape[:axis], k + 1, *rest).narrow(axis, 0, k)
    if reduce == "mean":
        size = counts.reshape(*x.shape[:axis], k, *(1,) * len(rest))
        r = r / (size if initial is None else size.clamp(min=1))
    return r.contiguous()  # type: ignore[no-any-return]


attach("hash_tensor", hash_tensor)
attach("nonzero_static", nonzero_static)
