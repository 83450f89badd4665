"""Copies in another arrangement: repeated, turned, stacked, combined."""

from __future__ import annotations

from typing import Any

from .. import dtypes
from ..backends.base import DTYPE_OF
from ..layouts import contiguous_format
from ..tensor import Tensor, check_dim, wrap
from .creation import zeros
from .joining import cat, stack
from .operands import check_tensors, several
from .shape import contiguous, expand, flatten, reshape, sizes, transpose, unsqueeze, view
from .table import F, attach, check_tensor, fresh, named, placed, primitive, result_type, type_name
from .views import _dim_of

__all__ = [
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "block_diag",
    "cartesian_prod",
    "column_stack",
    "combinations",
    "dstack",
    "flip",
    "fliplr",
    "flipud",
    "hstack",
    "meshgrid",
    "repeat_interleave",
    "roll",
    "rot90",
    "row_stack",
    "tile",
    "vstack",
]


# ---- repeating, turning -----------------------------------------------------------------------------------------------
@named("RepeatBackward0")
def repeat(input: Tensor, *reps: Any, repeats: Any = None) -> Tensor:
    """Tile along each dimension; leading ones may be new. Source: torch.Tensor.repeat."""
    reps = sizes(reps if repeats is None else (repeats,), "repeat.repeats")
    shape = input._a.shape
    if len(reps) < len(shape):
        raise RuntimeError("Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor")
    shape = (1,) * (len(reps) - len(shape)) + tuple(shape)
    full = [r * n for r, n in zip(reps, shape, strict=True)]
    if any(r < 0 for r in reps):
        raise RuntimeError(f"Trying to create tensor with negative dimension {min(full)}: {full}")
    x = view(contiguous(input), [n for pair in zip([1] * len(shape), shape, strict=True) for n in pair])
    x = expand(x, [n for pair in zip(reps, shape, strict=True) for n in pair])
    r = reshape(x, full)
    return r if r._v is None else r.clone(memory_format=contiguous_format)


@named("RepeatBackward0")
def tile(input: Tensor, *reps: Any, dims: Any = None) -> Tensor:
    """repeat, with ones put before too few counts. Source: torch.tile."""
    check_tensor(input, "tile")
    dims = sizes(reps if dims is None else (dims,), "tile.dims")
    return repeat(input, (1,) * (input._a.ndim - len(dims)) + dims)


@placed
def _repeated_index(repeats: Tensor, output_size: int | None) -> Tensor:
    """0 as often as repeats[0], 1 as often as repeats[1], ..."""
    a = repeats._a
    backend = repeats._dev.backend
    if a.ndim != 1:
        raise RuntimeError("repeat_interleave only accept 1D vector as repeat")
    if a.dtype.kind not in "iu" or a.dtype.itemsize < 4:
        name = type_name(DTYPE_OF[a.dtype])
        raise NotImplementedError(f"\"repeat_interleave_cpu\" not implemented for '{name}'")
    if a.size and int(a.min()) < 0:
        raise RuntimeError("repeats can not be negative")
    ends = backend.cumsum(backend.cast(a, dtypes.int64.array), 0)
    total = int(ends[-1]) if a.size else 0
    if output_size is not None and output_size != total and a.size:
        raise RuntimeError("allocated size does not match required size")
    return wrap(backend.searchsorted(ends, backend.arange(total, 0, 1, ends.dtype), True), repeats._dev)


def repeat_interleave(
    input: Tensor | None = None, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Each element (slice along `dim`) as often as `repeats` says; alone, the indices that do so.

    repeats: an int, or int32/int64 of one element or one per slice. Source: torch.repeat_interleave.
    """
    if repeats is None or input is None:
        input = check_tensor(repeats if input is None else input, "repeat_interleave", "repeats")
        index = _repeated_index(input, output_size)
        return index if input._a.dtype.itemsize == 8 else F.cast(index, input._a.dtype)  # type: ignore[no-any-return]
    x = input
    if dim is None:
        x, dim = flatten(x), 0
    if x._a.ndim == 0:
        raise IndexError("Dimension out of range: repeat_interleave of a 0-dim tensor along a dimension")
    d = check_dim(dim, x._a.ndim)
    n = x._a.shape[d]
    if isinstance(repeats, (list, tuple)):
        repeats = wrap(x._dev.backend.asarray(repeats), x._dev)
    if isinstance(repeats, Tensor):
        if repeats._a.ndim > 1:
            raise RuntimeError("repeats must be 0-dim or 1-dim tensor")
        if repeats._a.size == 1 and repeats._a.dtype.kind in "iu":
            count = repeats.item()
            if count < 0:
                raise RuntimeError("repeats can not be negative")
        else:
            if repeats._a.ndim != 1 or repeats._a.size != n:
                raise RuntimeError(
                    f"repeats must have the same size as input along dim, but got repeats.size(0) = {repeats._a.size} and "
                    f"input.size({d}) = {n}"
                )
            return x.index_select(d, _repeated_index(repeats, output_size))  # type: ignore[no-any-return]
    else:
        count = repeats
        if count < 0:
            raise RuntimeError("Repeats must be non-negative")
    if output_size is not None and output_size != n * count:
        raise RuntimeError("allocated size does not match required size")
    shape = x._a.shape
    spread = expand(unsqueeze(x, d + 1), (*shape[: d + 1], count, *shape[d + 1 :]))
    return reshape(spread.clone(memory_format=contiguous_format), (*shape[:d], n * count, *shape[d + 1 :]))


_flip = primitive("flip", "x", (lambda F, g, dims: F.flip(g, dims),), "dims")


def flip(input: Tensor, *args: Any, dims: Any = None) -> Tensor:
    """Reversed along `dims`, as a copy. Source: torch.flip."""
    check_tensor(input, "flip")
    order = tuple(check_dim(d, input._a.ndim) for d in sizes(args if dims is None else (dims,), "flip.dims"))
    if len(set(order)) != len(order):
        raise RuntimeError(
            f"dim {next(d for d in order if order.count(d) > 1)} appears multiple times in the list of dims"
        )
    return _flip(input, order if input._a.ndim else ())  # type: ignore[no-any-return]


def fliplr(input: Tensor) -> Tensor:
    """Reversed along dimension 1. Source: torch.fliplr."""
    check_tensor(input, "fliplr")
    if input._a.ndim < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return flip(input, 1)


def flipud(input: Tensor) -> Tensor:
    """Reversed along dimension 0. Source: torch.flipud."""
    check_tensor(input, "flipud")
    if input._a.ndim < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return flip(input, 0)


_roll = primitive("roll", "x", (lambda F, g, shifts, dims: F.roll(g, tuple(-s for s in shifts), dims),), "shifts dims")


@named("RollBackward0")
def roll(input: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    """Shifted around along `dims`; without them, as if flattened. Source: torch.roll."""
    moves, axes = several(shifts), () if dims is None else several(dims)
    if not moves:
        raise RuntimeError("`shifts` required")
    if not axes and len(moves) == 1:
        flat = reshape(input, -1)
        return fresh(reshape(_roll(flat, moves, (0,)), input._a.shape))
    if len(moves) != len(axes):
        raise RuntimeError(f"shifts and dimensions must align. shifts: {len(moves)}, dims:{len(axes)}")
    return _roll(input, moves, tuple(_dim_of(input, d) for d in axes))  # type: ignore[no-any-return]


@named("Rot90Backward0")
def rot90(input: Tensor, k: int = 1, dims: Any = (0, 1)) -> Tensor:
    """Turned by k * 90 degrees from the first towards the second of two dims. Source: torch.rot90."""
    n = check_tensor(input, "rot90")._a.ndim
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if n < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {n}")
    if dims[0] == dims[1] or abs(dims[0] - dims[1]) == n:
        raise RuntimeError(f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}")
    d0, d1 = check_dim(dims[0], n), check_dim(dims[1], n)
    if k % 4 == 0:
        return input.clone(memory_format=contiguous_format)  # type: ignore[no-any-return]
    if k % 4 == 2:
        return flip(input, d0, d1)
    return _own(transpose(flip(input, d1 if k % 4 == 1 else d0), d0, d1))


def _own(r: Tensor) -> Tensor:
    """A view of a temporary, on its own."""
    r._v = r._s = None
    return r


# ---- joining ----------------------------------------------------------------------------------------------------------
def _at_least(name: str, add: Any) -> Any:
    def op(*tensors: Any) -> Any:
        if len(tensors) == 1:
            if not isinstance(tensors[0], (tuple, list)):
                return add(check_tensor(tensors[0], name))
            tensors = tuple(tensors[0])
        return tuple(add(check_tensor(x, name)) for x in tensors)

    op.__name__ = name
    op.__doc__ = f"Views with leading (3d: also trailing) dimensions of 1 as needed. Source: torch.{name}."
    return op


def _atleast_2d(x: Tensor) -> Tensor:
    return x if x._a.ndim > 1 else reshape(x, (1, x._a.size))


def _atleast_3d(x: Tensor) -> Tensor:
    n = x._a.ndim
    return x if n > 2 else unsqueeze(x, 2) if n == 2 else reshape(x, (1, x._a.size, 1))


atleast_1d = _at_least("atleast_1d", lambda x: x if x._a.ndim else reshape(x, 1))
atleast_2d = _at_least("atleast_2d", _atleast_2d)
atleast_3d = _at_least("atleast_3d", _atleast_3d)


def _stacker(name: str, shaped: Any, dim: Any) -> Any:
    def op(tensors: Any, *, out: Tensor | None = None) -> Tensor:
        if isinstance(tensors, Tensor):
            raise TypeError(f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not Tensor")
        if not tensors:
            raise RuntimeError(f"{name} expects a non-empty TensorList")
        parts = [shaped(check_tensor(x, name, "tensors")) for x in tensors]
        return cat(parts, dim(parts[0]), out=out)

    op.__name__ = name
    op.__doc__ = f"Tensors joined along an existing or new dimension, as NumPy does. Source: torch.{name}."
    return op


def _column(x: Tensor) -> Tensor:
    return x if x._a.ndim > 1 else reshape(x, (x._a.size, 1))


hstack = _stacker("hstack", atleast_1d, lambda x: 0 if x._a.ndim == 1 else 1)
vstack = row_stack = _stacker("vstack", atleast_2d, lambda x: 0)
dstack = _stacker("dstack", atleast_3d, lambda x: 2)
column_stack = _stacker("column_stack", _column, lambda x: 1)


@named("BlockDiagBackward0")
def block_diag(*tensors: Any) -> Tensor:
    """A matrix with the given ones (of at most 2 dimensions) along its diagonal. Source: torch.block_diag."""
    check_tensors(tensors)
    parts = list(tensors)
    for i, x in enumerate(parts):
        if x._a.ndim > 2:
            raise RuntimeError(
                f"torch.block_diag: Input tensors must have 2 or fewer dimensions. Input {i} has {x._a.ndim} dimensions"
            )
    if not parts:
        return zeros(1, 0)  # type: ignore[no-any-return]
    target = result_type(*parts)
    dev = parts[0]._dev
    blocks = [atleast_2d(x if x.dtype is target else F.cast(x, target.array)) for x in parts]
    width = sum(b._a.shape[1] for b in blocks)
    rows, left = [], 0
    for b in blocks:
        h, w = b._a.shape
        sides = [zeros(h, n, dtype=target, device=dev) for n in (left, width - left - w)]
        rows.append(cat((sides[0], b, sides[1]), 1))
        left += w
    return cat(rows, 0)


def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Tensor, ...]:
    """Coordinate grids of 0- or 1-dim tensors, as views: indexing 'ij' (the default) or 'xy'. Source: torch.meshgrid."""
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    if not tensors:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    check_tensors(tensors)
    for x in tensors:
        if x._a.dtype != tensors[0]._a.dtype:
            raise RuntimeError("meshgrid expects all tensors to have the same dtype")
        if x._dev != tensors[0]._dev:
            raise RuntimeError("meshgrid expects all tensors to have the same device")
        if x._a.ndim > 1:
            raise RuntimeError(f"Expected 0D or 1D tensor in the tensor list but got: {x}")
    if indexing not in (None, "ij", "xy"):
        raise RuntimeError(f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}')
    if indexing == "xy" and len(tensors) > 1:
        grids = meshgrid(tensors[1], tensors[0], *tensors[2:])
        return (grids[1], grids[0], *grids[2:])
    shape = [x.numel() for x in tensors]
    return tuple(
        expand(view(x, [n if i == k else 1 for i, n in enumerate(shape)]), shape) for k, x in enumerate(tensors)
    )


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All tuples with one element of each 1-D tensor, by rows. Source: torch.cartesian_prod."""
    check_tensors(tensors)
    for x in tensors:
        if x._a.ndim != 1:
            raise RuntimeError(f"Expect a 1D vector, but got shape {list(x._a.shape)}")
    if len(tensors) == 1:
        return tensors[0]
    return stack([flatten(g) for g in meshgrid(*tensors)], 1)


@named("StackBackward0")
@placed
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All r-element selections of a vector in lexicographic order, by rows. Source: torch.combinations."""
    check_tensor(input, "combinations")
    if input._a.ndim != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(input._a.shape)}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    dev = input._dev
    backend = dev.backend
    if r == 0:
        return wrap(backend.empty((0,), input._a.dtype), dev)
    n = input._a.size
    long = dtypes.int64.array
    chosen = backend.arange(n, 0, 1, long)[:, None]
    for _ in range(r - 1):  # each row goes on with every index after (or from) its last one
        first = chosen[:, -1] + (0 if with_replacement else 1)
        counts = n - first
        row = _repeated_index(wrap(counts, dev), None)._a
        begin = backend.cumsum(counts, 0) - counts
        following = first[row] + backend.arange(len(row), 0, 1, long) - begin[row]
        chosen = backend.cat([chosen[row], following[:, None]], 1)
    return input[wrap(chosen, dev)]  # type: ignore[index, no-any-return]


for _name in ("flip", "fliplr", "flipud", "repeat", "repeat_interleave", "roll", "rot90", "tile"):
    attach(_name, globals()[_name])
