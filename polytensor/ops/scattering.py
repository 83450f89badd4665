"""Gather and scatter in all forms, and reads and writes at indices or under masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..dtypes import int64
from ..tensor import Tensor, check_dim, wrap
from .arguments import checked
from .indexing import _index_put, getitem, index_put
from .operands import plain
from .pointwise import remainder
from .pointwise import where as where_
from .reduce import packed
from .rows import raw_dtype, together
from .shape import _slice, broadcast_shapes, broadcast_tensors, contiguous, expand, memory_order, reshape
from .table import (
    F,
    attach,
    check_tensor,
    constant,
    cpp_name,
    fresh,
    give,
    guard,
    named,
    placed,
    primitive,
    renamed,
    same_device,
    type_name,
)

__all__ = [
    "argwhere", "gather", "index_add", "index_copy", "index_fill", "index_put", "index_reduce", "index_select",
    "masked_fill", "masked_scatter", "masked_select", "nonzero", "put", "scatter", "scatter_add", "scatter_reduce",
    "take", "take_along_dim", "unravel_index",
]  # fmt: skip

_gather = primitive(
    "take_along",
    "x index",
    (lambda F, g, x_shape, index, dim: F.add_along(g, index, x_shape, dim), None),
    "dim",
    node="GatherBackward0",
)
primitive("add_along", "g index", (lambda F, g, index, dim: F.take_along(g, index, dim), None), "shape dim")


def _scatter_self_rule(F: Any, g: Any, index: Any, dim: int, add: bool) -> Any:
    return g if add else F.scatter_copy(g, F.zeros_of(F.take_along(g, index, dim)), index, dim, False)


_scatter = primitive(
    "scatter_copy",
    "x src index",
    (_scatter_self_rule, lambda F, g, index, dim: F.take_along(g, index, dim), None),
    "dim add",
    node="ScatterBackward0",
)


def _reduce_rule(
    F: Any, g: Any, need: Any, x: Any, src: Any, index: Any, out: Any, dim: int, reduce: str, include_self: bool
) -> Any:
    """PyTorch's formulas; ties of extremes share evenly, products divide out the factor (zeros apart)."""
    gx = gsrc = None
    dtype = raw_dtype(x)

    def scatter_sum(base: Any, values: Any) -> Any:
        return F.scatter_copy(base, values, index, dim, True)

    def one_where(mask: Any, values: Any) -> Any:
        return F.where(mask, F.fill(values, 1), values)

    if reduce == "sum":
        gx, gsrc = g, F.take_along(g, index, dim) if need[1] else None
    elif reduce == "mean":
        count = F.fill(g, 1 if include_self else 0)
        count = scatter_sum(count, F.fill(src, 1))
        share = F.div(g, one_where(F.eq(count, F.fill(count, 0)), count))
        gx, gsrc = share, F.take_along(share, index, dim) if need[1] else None
    elif reduce == "prod":
        if need[0]:
            full = one_where(F.eq(x, F.fill(x, 0)), x)
            gx = F.div(F.mul(g, F.scatter_reduce(full, src, index, dim, "prod", include_self)), full)
        if need[1]:
            zero = F.eq(src, F.fill(src, 0))
            zeros = F.take_along(scatter_sum(F.fill(x, 0), F.cast(zero, dtype)), index, dim)
            single = F.logical_and(zero, F.eq(zeros, F.fill(zeros, 1)))
            others = F.scatter_reduce(x, one_where(single, src), index, dim, "prod", include_self)
            gsrc = F.where(
                single,
                F.take_along(F.mul(g, others), index, dim),
                F.div(F.take_along(F.mul(g, out), index, dim), one_where(zero, src)),
            )
    else:
        mine = F.cast(F.eq(x, out), dtype)
        theirs = F.cast(F.eq(src, F.take_along(out, index, dim)), dtype)
        count = scatter_sum(mine, theirs)
        share = F.div(g, count)
        gx, gsrc = F.mul(mine, share), F.mul(theirs, F.take_along(share, index, dim))
    if need[0] and not include_self:
        gx = F.scatter_copy(gx, F.fill(src, 0), index, dim, False)
    return gx if need[0] else None, gsrc, None


_scatter_reduce = primitive("scatter_reduce", "x src index", _reduce_rule, "dim reduce include_self")


# ---- checks -----------------------------------------------------------------------------------------------------------
def _long_index(index: Tensor, message: str, narrow: bool = True, error: type[Exception] = RuntimeError) -> Tensor:
    """The index as int64; an error unless it is int64 (or, with `narrow`, int32)."""
    a = index._a
    if a.dtype.kind != "i" or a.dtype.itemsize < (4 if narrow else 8):
        raise error(message)
    return index if a.dtype.itemsize == 8 else F.cast(index, int64.array)


def _nothing(index: Tensor) -> Tensor:
    """A 1-D int64 index of no elements."""
    return wrap(index._dev.backend.empty((0,), "int64"), index._dev)


def _check_range(index: Tensor, n: int, dim: int, error: type[Exception] = RuntimeError, message: str = "") -> None:
    """An error unless all indices are in [0, n)."""
    a, backend = index._a, index._dev.backend
    if backend.asynchronous:
        text = message or f"an index is out of bounds for dimension {dim} with size {n}"
        backend.require_range(a, 0, n, error, text)
    elif a.size and int(a.view("uint64").max()) >= n:  # negative ones are large as unsigned
        low = int(a.min())
        bad = low if low < 0 else int(a.max())
        raise error(message or f"index {bad} is out of bounds for dimension {dim} with size {n}")


def _same_dtype(x: Tensor, src: Tensor, op: str) -> None:
    if x._a.dtype != src._a.dtype:
        raise RuntimeError(
            f"{op}(): self ({type_name(x)}) and source ({type_name(src)}) must have the same scalar type"
        )


def _dims(x: Tensor) -> int:
    return x._a.ndim or 1


# ---- gather and scatter -----------------------------------------------------------------------------------------------
def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False, out: Tensor | None = None) -> Tensor:
    """out[i][j] = input[index[i][j]][j] for dim 0, and so on; gradients are dense always. Source: torch.gather."""
    d = check_dim(dim, input._a.ndim)
    same_device("gather", input, check_tensor(index, "gather", "index"))
    shape = index._a.shape
    if index._a.size == 0:
        x, index = reshape(input, -1)[:0], _nothing(index)
        return give(reshape(_gather(x, index, 0), shape), out, True)
    index = _long_index(index, "gather(): Expected dtype int32/int64 for index")
    if _dims(index) != _dims(input):
        raise RuntimeError("Index tensor must have the same number of dimensions as input tensor")
    x = input if input._a.ndim else reshape(input, 1)
    index = index if shape else reshape(index, 1)
    for k, (m, n) in enumerate(zip(index._a.shape, x._a.shape, strict=True)):
        if k != d and m > n:
            raise RuntimeError(
                f"Size does not match at dimension {k} expected index {list(shape)} to be no larger than self "
                f"{list(input._a.shape)} apart from dimension {d}"
            )
    _check_range(index, x._a.shape[d], d)
    r = _gather(x, index, d)
    return give(r if shape else reshape(r, ()), out, True)


def _prepared(input: Tensor, dim: int, index: Tensor, src: Tensor, op: str) -> tuple[Any, ...]:
    """Checked (x, src, index, dim), none of them 0-dim and src cut to the index's shape; flat for an empty index."""
    d = check_dim(dim, input._a.ndim)
    same_device(op, input, index, src)
    if src._a.dtype != input._a.dtype:
        raise RuntimeError("scatter(): Expected self.dtype to be equal to src.dtype")
    if index._a.size == 0:
        return reshape(input, -1), reshape(src, -1)[:0], _nothing(index), 0
    index = _long_index(index, f"{op}(): Expected dtype int32/int64 for index")
    if _dims(index) != _dims(input):
        raise RuntimeError("Index tensor must have the same number of dimensions as self tensor")
    if 0 < src._a.ndim < index._a.ndim:
        raise IndexError(f"Dimension out of range: src has {src._a.ndim} dimensions, index {index._a.ndim}")
    if _dims(index) != _dims(src):
        raise RuntimeError("Index tensor must have the same number of dimensions as src tensor")
    x, src, index = (t if t._a.ndim else reshape(t, 1) for t in (input, src, index))
    shape = index._a.shape
    have, given = x._a.shape, src._a.shape
    if any(m > s or (k != d and m > n) for k, (m, n, s) in enumerate(zip(shape, have, given, strict=True))):
        raise RuntimeError(
            f"Expected index {list(shape)} to be no larger than self {list(have)} apart from dimension {d} and to be no "
            f"larger size than src {list(given)}"
        )
    _check_range(index, have[d], d)
    return x, src if given == shape else _slice(src, tuple(slice(0, n) for n in shape)), index, d


def _scattered(input: Tensor, dim: int, index: Tensor, src: Any, op: str, kernel: Any, *attrs: Any) -> Tensor:
    if not isinstance(src, Tensor):
        backend = input._dev.backend
        src = expand(wrap(backend.full((), checked(src, input.dtype), input._a.dtype), input._dev), index._a.shape)
    x, src, index, d = _prepared(input, dim, index, src, op)
    r = kernel(x, src, index, d, *attrs)
    return r if r._a.shape == input._a.shape else reshape(r, input._a.shape)


def scatter(
    input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: str | None = None,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """input with input[index[i][j]][j] = src[i][j] (or a number) for dim 0, and so on.

    reduce: None, 'add' or 'multiply'. Source: torch.scatter.
    """
    src = plain(value) if src is None else src
    if reduce is None:
        r = _scattered(input, dim, index, src, "scatter", _scatter, False)
        return give(r if isinstance(src, Tensor) else renamed(r, "ScatterBackward1"), out, True)
    if reduce not in ("add", "multiply"):
        raise RuntimeError("reduce argument must be either add or multiply.")
    kind = "sum" if reduce == "add" else "prod"
    return give(_scattered(input, dim, index, src, "scatter", _scatter_reduce, kind, True), out, True)


@named("ScatterAddBackward0")
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor, *, out: Tensor | None = None) -> Tensor:
    """input with src added where index points along `dim`; equal indices add up. Source: torch.scatter_add."""
    return give(_scattered(input, dim, index, src, "scatter_add", _scatter, True), out, True)


def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """input combined with src where index points along `dim`: sum, prod, mean, amax or amin. Source: torch.scatter_reduce."""
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    if reduce == "mean" and input._a.dtype.kind == "b" and src._a.dtype.kind == "b":
        raise NotImplementedError("\"scatter_gather_tensor_cpu_reduce_mean\" not implemented for 'Bool'")
    r = _scattered(input, dim, index, src, "scatter_reduce", _scatter_reduce, reduce, include_self)
    return give(r, out, True)


# ---- slices named by an index vector ----------------------------------------------------------------------------------
def _vector(x: Tensor, dim: int, index: Tensor) -> tuple[int, tuple[Any, ...]]:
    """(dimension, raw index) for a checked 0- or 1-dim int64 index."""
    d = check_dim(dim, x._a.ndim)
    return d, (*(slice(None),) * d, index._a if index._a.ndim else index._a.reshape(1))


@named("IndexSelectBackward0")
def index_select(input: Tensor, dim: int, index: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The slices along `dim` that the 1-D `index` (int32, int64) names. Source: torch.index_select."""
    check_dim(dim, input._a.ndim)
    if index._a.ndim > 1:
        raise IndexError("index_select(): Index is supposed to be a vector")
    same_device("index_select", input, index)
    index = _long_index(index, "index_select(): Expected dtype int32 or int64 for index")
    n = index._a.size
    if input._a.ndim == 0 and n != 1:
        raise RuntimeError(f"index_select(): Index to scalar can have only 1 value, got {n} value(s)")
    x = input if input._a.ndim else reshape(input, 1)
    d, where = _vector(x, dim, index)
    _check_range(index, x._a.shape[d], d, IndexError, "index out of range in self")
    r = getitem(x, (*where[:d], index if index._a.ndim else reshape(index, 1)))
    return give(r if input._a.ndim else reshape(r, ()), out, True)


def _checked_source(x: Tensor, dim: int, index: Tensor, source: Tensor, op: str) -> tuple[int, Tensor]:
    """The checks that index_add and index_reduce share: (dimension, int64 index)."""
    d = check_dim(dim, x._a.ndim)
    same_device(op, x, index, source)
    kind = type_name(index)
    if index._a.ndim > 1:
        raise IndexError(
            f"{op}(): Index is supposed to be a vector, but got dim: {index._a.ndim} with type: {kind} and size: "
            f"{list(index._a.shape)}"
        )
    index = _long_index(index, f"{op}(): Expected dtype int32/int64 for index but got: {kind}")
    _same_dtype(x, source, op)
    lengths = source._a.shape
    if d and d >= len(lengths):
        raise RuntimeError(f"{op}(): Indexing dim {d} is out of bounds of the source tensor with dim {len(lengths)}")
    n = lengths[d] if lengths else 1
    if index._a.size != n:
        raise RuntimeError(
            f"{op}(): Number of indices ({index._a.size}) should be equal to source.size(dim): ({n}), for dim: {d}"
        )
    mine = x._a.shape
    if len(mine) != len(lengths) or mine[:d] != lengths[:d] or mine[d + 1 :] != lengths[d + 1 :]:
        raise RuntimeError(
            "source tensor shape must match self tensor shape, excluding the specified dimension. Got self.shape = "
            f"{list(mine)} source.shape = {list(lengths)}"
        )
    return d, index


@named("IndexAddBackward0")
def index_add(
    input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1, out: Tensor | None = None
) -> Tensor:
    """input with alpha * source added to the slices that `index` names. Source: torch.index_add."""
    d, index = _checked_source(input, dim, index, source, "index_add_")
    if alpha != 1:
        kind = source._a.dtype.kind
        source = source * (bool(alpha) if kind == "b" else int(alpha) if kind in "iu" else alpha)
    if input._a.ndim == 0:
        _check_range(index, 1, 0)
        return give(input + source, out, True)
    # PyTorch adds whole slices in another way, which raises another class
    error = RuntimeError if alpha == 1 and input._a.ndim > 1 else IndexError
    _check_range(index, input._a.shape[d], d, error)
    return give(guard(_index_put(input, source, _vector(input, d, index)[1], True), index), out, True)


def index_reduce(
    input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """input combined with source in the slices that `index` names: prod, mean, amax or amin. Source: torch.index_reduce."""
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise RuntimeError(f"index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got {reduce}.")
    d, index = _checked_source(input, dim, index, source, "index_reduce_")
    if input._a.dtype.kind == "b" and not include_self:
        raise NotImplementedError("\"index_reduce_func_exclude_input_init\" not implemented for 'Bool'")
    x, source = (t if t._a.ndim else reshape(t, 1) for t in (input, source))
    _check_range(index, x._a.shape[d], d, IndexError, "index out of range in self")
    shape = source._a.shape
    index = reshape(index, [shape[d] if i == d else 1 for i in range(len(shape))])
    r = scatter_reduce(x, d, expand(index, shape), source, reduce, include_self=include_self)
    return give(r if input._a.ndim else reshape(r, ()), out, True)


@named("IndexCopyBackward0")
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor, *, out: Tensor | None = None) -> Tensor:
    """input with the slices that `index` names replaced by those of source. Source: torch.index_copy."""
    d = check_dim(dim, input._a.ndim)
    same_device("index_copy", input, index, source)
    have, given = input._a.shape, source._a.shape
    if index._a.ndim > 1:
        raise IndexError(f"index_copy_(): Index should have dimension 1 or 0 (got {index._a.ndim})")
    n = index._a.size
    if not given and n != 1:
        raise IndexError(f"index_copy_(): When source is scalar, index should have one element (got {n})")
    if given and have and len(given) != len(have):
        raise IndexError(
            "index_copy_(): When source and destination are not scalars, their dimensionality must match. Source "
            f"dimensionality ({len(given)}), destination dimensionality ({len(have)})"
        )
    kind = type_name(index)
    _long_index(index, f"index_copy_(): Expected a long tensor for index, but got {kind}", narrow=False)
    if input._a.dtype != source._a.dtype:
        raise RuntimeError(
            "index_copy_(): self and source expected to have the same dtype, but got (self) "
            f"{type_name(input)} and (source) {type_name(source)}"
        )
    mine, theirs = (s[:d] + s[d + 1 :] for s in (have, given))
    if mine != theirs and (have or given) and not (not given and not mine) and not (not have and not theirs):
        raise RuntimeError(
            f"index_copy_(): Source/destination tensor must have same slice shapes. Destination slice shape: {list(mine)} "
            f"at dimension {d} and source slice shape: {list(theirs)} at dimension 0."
        )
    if given and n != given[d]:
        raise IndexError(f"index_copy_(): Number of indices ({n}) should be equal to source.size(dim) ({given[d]})")
    x, source = (t if t._a.ndim else reshape(t, 1) for t in (input, source))
    a, backend, bounds = index._a, index._dev.backend, f"is out of bounds for dimension {d} with size {x._a.shape[d]}"
    if backend.asynchronous:
        backend.require_range(a, 0, x._a.shape[d], IndexError, f"index_copy_(): an index {bounds}")
    elif a.size and (int(a.min()) < 0 or int(a.max()) >= x._a.shape[d]):
        bad = int(a.min()) if int(a.min()) < 0 else int(a.max())
        raise IndexError(f"index_copy_(): index {bad} {bounds}")
    r = guard(_index_put(x, source, _vector(x, d, index)[1], False), index)
    return give(r if have else reshape(r, ()), out, True)


def _zero_dim(value: Any, op: str) -> None:
    if isinstance(value, Tensor) and value._a.ndim:
        raise RuntimeError(
            f"{op} only supports a 0-dimensional value tensor, but got tensor with {value._a.ndim} dimension(s)."
        )


def _value_for(x: Tensor, value: Any) -> Tensor:
    """A number or 0-dim tensor in x's dtype and on its device."""
    if isinstance(value, Tensor):
        value = value.to(x._dev) if value._dev is not x._dev else value
        if value._a.dtype.kind == "c" and x._a.dtype.kind not in "bc" and value._a.imag != 0:
            checked(1j, x.dtype)
        return value if value._a.dtype == x._a.dtype else F.cast(value, x._a.dtype)  # type: ignore[no-any-return]
    return constant(x._dev, x._a.dtype, checked(value, x.dtype))


@named("IndexFillBackward0")
def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """input with the slices that `index` names set to a number or 0-dim tensor. Source: torch.index_fill."""
    _zero_dim(value, "index_fill_")
    if input._a.dtype.kind != "c" and (
        value._a.dtype.kind == "c" if isinstance(value, Tensor) else isinstance(value, complex)
    ):
        raise RuntimeError("index_fill_(): Converting complex Scalar to non-complex type is not supported")
    number = _value_for(input, value)
    check_dim(dim, input._a.ndim)
    _long_index(index, "index_fill_(): Expected dtype int64 for index.", False, IndexError)
    if index._a.ndim > 1:
        raise RuntimeError("Index has to be a vector/scalar")
    together("index_fill_", input, index)
    x = input if input._a.ndim else reshape(input, 1)
    d, where = _vector(x, dim, index)
    n, a = x._a.shape[d], index._a
    backend, shape = x._dev.backend, [n if i == d else 1 for i in range(x._a.ndim)]
    if backend.asynchronous:
        backend.require_range(a, -n, n, IndexError, f"an index is out of bounds for dimension {d} with size {n}")
    elif a.size and (int(a.min()) < -n or int(a.max()) >= n):
        bad = int(a.min()) if int(a.min()) < -n else int(a.max())
        raise IndexError(f"index {bad} is out of bounds for dimension {d} with size {n}")
    mask = backend.zeros((n,), bool)
    backend.index_put(mask, where[d:], backend.full((), True, mask.dtype), False)
    r = where_(wrap(mask.reshape(shape), x._dev), number, x)
    return r if input._a.ndim else reshape(r, ())  # type: ignore[no-any-return]


# ---- masks ------------------------------------------------------------------------------------------------------------
def _check_mask(mask: Tensor, message: str) -> None:
    if mask._a.dtype.kind != "b":
        raise RuntimeError(message)


def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """A number or 0-dim tensor where mask (bool, broadcast) holds. Source: torch.masked_fill."""
    _zero_dim(value, "masked_fill_")
    check_tensor(mask, "masked_fill", "mask")
    _check_mask(mask, f"masked_fill_ only supports boolean masks, but got mask with dtype {cpp_name(mask)}")
    r = packed(where_(mask, _value_for(input, value), input))
    return renamed(r, f"MaskedFillBackward{int(isinstance(value, Tensor))}")


@named("MaskedSelectBackward0")
def masked_select(input: Tensor, mask: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The elements where mask (bool, broadcast) holds, 1-D. Source: torch.masked_select."""
    _check_mask(check_tensor(mask, "masked_select", "mask"), "masked_select: expected BoolTensor for mask")
    x, m = broadcast_tensors(input, mask)
    return give(getitem(x, m) if x._a.ndim else getitem(reshape(x, 1), reshape(m, 1)), out, True)


@named("MaskedScatterBackward0")
@placed
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """The elements of source, in order, where mask (bool, broadcast) holds. Source: torch.masked_scatter."""
    if input._a.dtype != source._a.dtype:
        raise RuntimeError(
            "masked_scatter: expected self and source to have same dtypes but got"
            f"{type_name(input)} and {type_name(source)}"
        )
    together("masked_scatter", input, mask, source)
    kind = type_name(mask)
    _check_mask(mask, f"masked_scatter_ only supports boolean masks, but got mask with dtype {kind}")
    x, m = broadcast_tensors(input, mask)
    shape = x._a.shape
    backend = x._dev.backend
    if backend.asynchronous and source._a.size:
        where = reshape(m, -1)
        place = backend.cumsum(where._a, 0)
        text = "Number of elements of source < number of ones in mask"
        backend.require_range(place[-1:], 0, source._a.size + 1, RuntimeError, text)
        place = backend.clamp(place - 1, 0, source._a.size - 1)
        taken = index_select(reshape(contiguous(source), -1), 0, wrap(place, x._dev))
        return reshape(where_(where, taken, reshape(x, -1)), shape)
    count = int(m._a.sum())
    if count > source.numel():
        raise RuntimeError("Number of elements of source < number of ones in mask")
    flat, where = contiguous(reshape(x, -1)), reshape(m, -1)
    values = reshape(contiguous(source), -1)[:count]
    return reshape(_index_put(flat, values, (where._a,), False), shape)


def nonzero(input: Tensor, *, as_tuple: bool = False, out: Tensor | None = None) -> Any:
    """Indices (int64) of the non-zero elements: (n, ndim), or one tensor per dimension. Source: torch.nonzero."""
    check_tensor(input, "nonzero")
    if as_tuple:
        x = input if input._a.ndim else reshape(input, 1)
        r = wrap(x._dev.backend.nonzero(x._a), x._dev)
        columns = [getitem(r, (slice(None), i)) for i in range(x._a.ndim)]
        for c in columns:
            c._v = c._s = None
        return tuple(columns)
    return give(wrap(input._dev.backend.nonzero(input._a), input._dev), out, True)


def argwhere(input: Tensor) -> Tensor:
    """nonzero(input). Source: torch.argwhere."""
    check_tensor(input, "argwhere")
    return nonzero(input)  # type: ignore[no-any-return]


# ---- the tensor as if flattened ---------------------------------------------------------------------------------------
def _flat_index(x: Tensor, index: Tensor, op: str) -> Any:
    """The raw flat index, checked; negative ones count from the end."""
    same_device(op, x, index)
    kind = type_name(index)
    _long_index(index, f"{op}(): Expected a long tensor for index, but got {kind}", narrow=False)
    n, a = x._a.size, index._a
    if x._dev.backend.asynchronous:
        text = f"out of range: tried to access an index on a tensor of {n} elements."
        x._dev.backend.require_range(a, -n, n, IndexError, text)
    elif a.size:
        low, high = int(a.min()), int(a.max())
        if low < -n or high >= n:
            bad = low if low < -n else high
            raise IndexError(f"out of range: tried to access index {bad} on a tensor of {n} elements.")
    return a


@named("TakeBackward0")
def take(input: Tensor, index: Tensor, *, out: Tensor | None = None) -> Tensor:
    """input.flatten()[index], of index's shape. Source: torch.take."""
    if input._a.size == 0 and index._a.size:
        raise IndexError("take(): tried to take from an empty tensor")
    _flat_index(input, index, "take")
    flat = getitem(reshape(input, -1), reshape(index, -1))
    return give(fresh(reshape(flat, index._a.shape)), out, True)


@named("PutBackward0")
def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """input with its flat elements `index` replaced by (or increased by) those of source. Source: torch.put."""
    where = _flat_index(input, index, "put_")
    if input._a.dtype != source._a.dtype:
        raise RuntimeError(
            f"put_(): self and source expected to have the same dtype, but got self.dtype = "
            f"{type_name(input)} and source.dtype = {type_name(source)}"
        )
    if index._a.size != source._a.size:
        raise IndexError(
            "put_(): Expected source and index to have the same number of elements, but got source.numel() = "
            f"{source._a.size}, index.numel() = {index._a.size}"
        )
    r = _index_put(reshape(input, -1), reshape(source, -1), (where.reshape(-1),), accumulate)
    order = memory_order(input._a)
    r = reshape(r, input._a.shape)
    return r if order is None else F.clone(r, order)  # type: ignore[no-any-return]


def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None, *, out: Tensor | None = None) -> Tensor:
    """Elements along `dim` (None: of the flattened input) at indices (modulo the size), other dimensions broadcast.

    Source: torch.take_along_dim.
    """
    kind = type_name(check_tensor(indices, "take_along_dim", "indices"))
    _long_index(indices, f"torch.take_along_dim(): dtype of indices should be Long but got {kind}", narrow=False)
    if dim is None:
        return gather(reshape(input, -1), 0, reshape(indices, -1), out=out)
    m, n = input._a.ndim, indices._a.ndim
    if m != n:
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, but got "
            f"{m} dimensions for input, and {n} dimensions for indices"
        )
    d = check_dim(dim, m)
    if m == 0:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    mine, theirs = list(input._a.shape), list(indices._a.shape)
    mine[d] = theirs[d] = 1
    shape = list(broadcast_shapes(mine, theirs))
    mine, theirs = shape.copy(), shape.copy()
    mine[d], theirs[d] = input._a.shape[d], indices._a.shape[d]
    n = mine[d]
    return gather(expand(input, mine), d, expand(remainder(indices, n) if n else indices, theirs), out=out)


def unravel_index(indices: Tensor, shape: Any) -> tuple[Tensor, ...]:
    """Flat indices into a tensor of `shape` as one index per dimension. Source: torch.unravel_index."""
    if not isinstance(indices, Tensor) or indices._a.dtype.kind not in "iu":
        have = indices.dtype if isinstance(indices, Tensor) else type(indices).__name__
        raise TypeError(f"expected 'indices' to be integer dtype, but got {have}")
    if not isinstance(shape, (int, Sequence)):
        raise TypeError(f"expected 'shape' to be int or sequence of ints, but got {type(shape)}")
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    for n in shape:
        if not isinstance(n, int):
            raise TypeError(f"expected 'shape' sequence to only contain ints, but got {type(n)}")
    if indices._a.dtype.itemsize < 8:
        indices = F.cast(indices, int64.array)
    if any(n < 0 for n in shape):
        raise ValueError(f"'shape' cannot have negative values, but got {shape}")
    result, step = [], 1
    for n in reversed(shape):
        result.append((indices // step) % n)
        step *= n
    return tuple(reversed(result))


for _name, _in_place in (
    ("argwhere", False), ("gather", False), ("index_add", True), ("index_copy", True), ("index_fill", True),
    ("index_reduce", True), ("index_select", False), ("masked_fill", True), ("masked_scatter", True),
    ("masked_select", False), ("nonzero", False), ("put", True), ("scatter", True), ("scatter_add", True),
    ("scatter_reduce", True), ("take", False), ("take_along_dim", False),
):  # fmt: skip
    attach(_name, globals()[_name], True, _in_place)
