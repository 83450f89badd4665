"""Joining tensors and cutting them into pieces."""

from __future__ import annotations

from operator import index as whole
from typing import Any

from .. import dtypes
from ..autograd.modes import mode
from ..backends.base import DTYPE_OF
from ..tensor import Tensor, check_dim, wrap
from .operands import asked, plain
from .shape import _select, _slice, unsqueeze
from .table import ROWS, F, Row, attach, check_tensor, renamed, result_type, same_device, type_name, write_out


def _cat_row(count: int) -> Row:
    """The row of `cat` for a number of tensors."""
    row = _cat_rows.get(count)
    if row is None:
        names = " ".join(f"x{i}" for i in range(count))

        def joint(F: Any, g: Any, need: Any, dim: int, lengths: tuple[int, ...]) -> Any:
            grads, start = [], 0
            for wanted, n in zip(need, lengths, strict=True):
                index = (*(slice(None),) * dim, slice(start, start + n))
                grads.append(F.slice(g, index) if wanted else None)
                start += n
            return grads

        row = _cat_rows[count] = Row(f"cat{count}", names, joint, "dim lengths", node="CatBackward0")
        del ROWS[f"cat{count}"]
    return row


_cat_rows: dict[int, Row] = {}


def _cat(tensors: list[Tensor], dim: int) -> Tensor:
    dev = tensors[0]._dev
    for t in tensors:
        if t._dev is not dev:
            dev = same_device("cat", *tensors)
    r = wrap(dev.backend.cat([t._a for t in tensors], dim), dev)
    if any([t._fn is not None for t in tensors]) and mode.grad:
        lengths = tuple(t._a.shape[dim] for t in tensors)
        _cat_row(len(tensors)).record(tuple(tensors), (dim, lengths), (r,))
    return r


def cat(tensors: Any, dim: int = 0, *, out: Tensor | None = None, axis: int | None = None) -> Tensor:
    """Tensors joined along an existing dimension, promoted to one dtype. Source: torch.cat."""
    if axis is not None:
        dim = axis
    if out is None and dim.__class__ is int and dim >= 0 and (tensors.__class__ is list or tensors.__class__ is tuple):
        arrays = []
        grad = False
        try:  # the plain case: one dtype on one device; what is wrong is said below, in PyTorch's words
            dev, dtype = tensors[0]._dev, tensors[0]._a.dtype
            for x in tensors:
                a = x._a
                if a.dtype is not dtype or x._dev is not dev:
                    break
                if x._fn is not None:
                    grad = True
                arrays.append(a)
            else:
                r = wrap(dev.backend.cat(arrays, dim), dev)
                if grad and mode.grad:
                    lengths = tuple([b.shape[dim] for b in arrays])
                    _cat_row(len(tensors)).record(tuple(tensors), (dim, lengths), (r,))
                return r
        except (AttributeError, IndexError, TypeError, ValueError):
            pass
    if isinstance(tensors, Tensor):
        raise TypeError("cat(): argument 'tensors' (position 1) must be tuple of Tensors, not Tensor")
    tensors = list(tensors)
    try:
        for x in tensors:
            check_tensor(x, "cat", "tensors")
    except TypeError as error:
        return asked(cat, {"tensors": tensors, "dim": dim, "out": out}, error)  # type: ignore[no-any-return]
    if not tensors:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    target = result_type(*tensors).array
    kept = [x for x in tensors if x._a.shape != (0,)] or tensors
    first = kept[0]._a.shape
    if not first:
        raise RuntimeError("zero-dimensional tensor (at position 0) cannot be concatenated")
    d = check_dim(dim, len(first)) if first != (0,) else 0  # of empty ones alone any
    for i, x in enumerate(kept):
        shape = x._a.shape
        if len(shape) != len(first):
            raise RuntimeError(f"Tensors must have same number of dimensions: got {len(first)} and {len(shape)}")
        for k, (m, n) in enumerate(zip(first, shape, strict=True)):
            if k != d and m != n:
                raise RuntimeError(
                    f"Sizes of tensors must match except in dimension {d}. Expected size {m} but got size {n} for tensor "
                    f"number {i} in the list. (shapes {list(first)} and {list(shape)})"
                )
    if len(kept) < len(tensors) and (len(first) == 1 or any(x._fn is not None for x in tensors)):
        nothing = (*first[:d], 0, *first[d + 1 :])  # empty ones of another number of dimensions have gradients too
        kept = [x if x._a.shape != (0,) or len(first) == 1 else F.reshape(x, nothing) for x in tensors]
    if out is not None and not dtypes.can_cast(DTYPE_OF[target], out.dtype):
        raise TypeError(f"torch.cat(): input types can't be cast to the desired output type {type_name(out)}")
    r = _cat([x if x._a.dtype == target else F.cast(x, target) for x in kept], d)
    return r if out is None else write_out(out, r)


concat = concatenate = cat


def _rows(tensors: list[Tensor]) -> Tensor | None:
    """`stack` along dimension 0 of tensors of one shape, dtype and device without gradients; None for others."""
    arrays = []
    try:
        dev, first = tensors[0]._dev, tensors[0]._a
        shape, dtype = first.shape, first.dtype
        if not shape or (len(shape) > 3 and not first.flags.c_contiguous):
            return None
        for x in tensors:
            a = x._a
            if x._fn is not None or a.dtype is not dtype or x._dev is not dev or a.shape != shape:
                return None
            arrays.append(a)
    except AttributeError:
        return None
    return wrap(dev.backend.cat(arrays, 0).reshape(len(arrays), *shape), dev)


def stack(tensors: Any, dim: int = 0, *, out: Tensor | None = None) -> Tensor:
    """Tensors of one shape joined along a new dimension. Source: torch.stack."""
    tensors = list(tensors)
    if out is None and dim.__class__ is int and dim == 0 and tensors:
        r = _rows(tensors)
        if r is not None:
            return r
    if not tensors:
        raise RuntimeError("stack expects a non-empty TensorList")
    first = tensors[0]._a.shape
    for i, x in enumerate(tensors):
        if x._a.shape != first:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(first)} at entry 0 and {list(x._a.shape)} at "
                f"entry {i}"
            )
    if len(first) in (3, 4) and not tensors[0].is_contiguous():
        tensors[0] = tensors[0].contiguous()  # a stack is contiguous, where cat would keep channels_last
    r = cat([unsqueeze(x, dim) for x in tensors], check_dim(dim, len(first) + 1), out=out)
    return renamed(r, "StackBackward0")


def _several(views: tuple[Tensor, ...], name: str) -> tuple[Tensor, ...]:
    """Mark views that came from one call: PyTorch refuses to write to them in place under autograd."""
    for i, v in enumerate(views):
        if len(v._v) < 3:  # type: ignore[arg-type]
            v._v = (*v._v[:2], name, i)  # type: ignore[index]
        if v._fn is not None:
            renamed(v, name)
    return views


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices along `dim`, as views. Source: torch.unbind."""
    if input._a.ndim == 0:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    d = check_dim(dim, input._a.ndim)
    before = (slice(None),) * d
    return _several(tuple(_select(input, (*before, i)) for i in range(input._a.shape[d])), "UnbindBackward0")


def _has_dims(x: Tensor, op: str) -> None:
    if x._a.ndim == 0:
        raise RuntimeError(f"{op} expects at least a 1-dimensional tensor")


def _pieces(x: Tensor, d: int, lengths: Any) -> tuple[Tensor, ...]:
    result, start = [], 0
    before = (slice(None),) * d
    for n in lengths:
        result.append(_slice(x, (*before, slice(start, start + n))))
        start += n
    return tuple(result)


def split_with_sizes(input: Tensor, split_sizes: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces of the given sizes, as views. Source: torch.split_with_sizes."""
    _has_dims(input, "split_with_sizes")
    d = check_dim(dim, input._a.ndim)
    n = input._a.shape[d]
    lengths = list(split_sizes)
    if any(length < 0 for length in lengths):
        raise RuntimeError(
            f"split_with_sizes expects split_sizes have only non-negative entries, but got split_sizes={lengths}"
        )
    if sum(lengths) != n:
        raise RuntimeError(
            f"split_with_sizes expects split_sizes to sum exactly to {n} (input tensor's size at dimension {d}), but "
            f"got split_sizes={lengths}"
        )
    return _several(_pieces(input, d, lengths), "SplitWithSizesBackward0")


def split(tensor: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces of a size (the last may be smaller) or of given sizes, as views. Source: torch.split."""
    split_size_or_sections = plain(split_size_or_sections)
    if not isinstance(split_size_or_sections, int):
        return split_with_sizes(tensor, split_size_or_sections, dim)
    size = split_size_or_sections
    _has_dims(tensor, "split")
    d = check_dim(dim, tensor._a.ndim)
    n = tensor._a.shape[d]
    if size < 0:
        raise RuntimeError(f"split expects split_size be non-negative, but got split_size={size}")
    if size == 0 and n:
        raise RuntimeError(f"split_size can only be 0 if dimension size is 0, but got dimension size of {n}")
    return _several(_pieces(tensor, d, [min(size, n - i) for i in range(0, n, size)] if n else [0]), "SplitBackward0")


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` pieces of equal size. Source: torch.chunk."""
    _has_dims(input, "chunk")
    chunks = whole(chunks)
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    n = input._a.shape[check_dim(dim, input._a.ndim)]
    return split_with_sizes(input, [0] * chunks, dim) if n == 0 else split(input, -(-n // chunks), dim)


def _split(self: Tensor, split_size: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """split as a method. Source: torch.Tensor.split."""
    return split(self, split_size, dim)


for _name in ("unbind", "split_with_sizes", "chunk"):
    attach(_name, globals()[_name])
attach("split", _split)
