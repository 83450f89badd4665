"""Rows of a table by index: embedding and embedding_bag. Source: torch.nn.functional."""

from __future__ import annotations

import warnings
from math import prod
from typing import Any

from .. import dtypes
from ..autograd import no_grad
from ..tensor import Tensor, wrap
from . import pointwise as pw
from .norms import vector_norm
from .rows import together
from .scattering import index_select
from .shape import reshape
from .table import F, check_tensor, guard, named, placed, primitive

__all__ = ["embedding", "embedding_bag"]

_rows = primitive(
    "embedding_rows",
    "x",
    (lambda F, g, x_shape, index, skip, by_frequency: F.embedding_sum(g, x_shape[0], index, skip, by_frequency),),
    "index skip by_frequency",
    node="EmbeddingBackward0",
)
_sum = primitive(
    "embedding_sum",
    "x",
    (lambda F, g, index, skip, by_frequency: F.embedding_take(g, index, skip, by_frequency),),
    "count index skip by_frequency",
    node="EmbeddingDenseBackwardBackward0",
)
primitive(
    "embedding_take",
    "x",
    (lambda F, g, x_shape, index, skip, by_frequency: F.embedding_sum(g, x_shape[0], index, skip, by_frequency),),
    "index skip by_frequency",
    node="EmbeddingBackward0",
)


def _indices(input: Tensor, weight: Tensor, op: str, check: bool = True) -> Any:
    if input._dev is not weight._dev:
        together(op, weight, input)
    rows = weight._a.shape[0]
    if input.dtype not in (dtypes.int64, dtypes.int32):
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got "
            f"{input.type()} instead (while checking arguments for {op})"
        )
    index = input._a if input.dtype is dtypes.int64 else F.cast(input, dtypes.int64.array)._a
    if not check:
        return index
    error: type[Exception] = IndexError
    text = f"index out of range in self: an index is not in [0, {rows}) (indices {list(index.shape)})"
    if op == "embedding_bag":
        error = RuntimeError
        text = f"embedding_bag: an index of input is not in the valid range [0, {rows}) (input {list(index.shape)})"
    input._dev.backend.require_range(index, 0, rows, error, text)
    return index


def _padding(padding_idx: int | None, rows: int) -> int:
    if padding_idx is None:
        return -1
    if not -rows <= padding_idx < rows:
        raise AssertionError("Padding_idx must be within num_embeddings")
    return padding_idx % rows


@placed
def _renorm(weight: Tensor, index: Any, max_norm: float, norm_type: float) -> None:
    """Scale, in place, the rows that are looked up and longer than max_norm."""
    with no_grad():
        used = weight._dev.backend.unique_rows(index)
        rows = wrap(weight._a[used], weight._dev)
        norms = vector_norm(rows, norm_type, 1, True)
        scale = pw.where(pw.gt(norms, max_norm), pw.div(max_norm, pw.add(norms, 1e-7)), 1.0)
        weight.data[wrap(used, weight._dev)] = pw.mul(rows, scale)
        weight._bump()


def embedding(
    input: Tensor, weight: Tensor, padding_idx: int | None = None, max_norm: float | None = None, norm_type: float = 2.0,
    scale_grad_by_freq: bool = False, sparse: bool = False,
) -> Tensor:  # fmt: skip
    """Rows of weight (n, d) by indices of any shape: (*, d). The row padding_idx gets no gradient.

    max_norm scales the rows that are looked up in place. Sparse gradients are not there.
    """
    i, w = check_tensor(input, "embedding", "indices"), check_tensor(weight, "embedding", "weight")
    _refuse_sparse(sparse)
    skip = _padding(padding_idx, prod(w._a.shape[:1]))
    if w._a.ndim != 2:
        raise RuntimeError(f"'weight' must be 2-D, got {list(w._a.shape)}")
    index = _indices(i, w, "embedding", max_norm is not None or not w._dev.backend.checks_rows)
    if max_norm is not None:
        _renorm(w, index, max_norm, norm_type)
    r: Tensor = _rows(w, index, skip, scale_grad_by_freq)
    return r if r._fn is None else guard(r, i)


def renorm_(input: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> Tensor:
    """Scale, in place, the rows of input (n, d) at `indices` that are longer than max_norm."""
    w, i = check_tensor(input, "embedding_renorm_"), check_tensor(indices, "embedding_renorm_", "indices")
    _renorm(w, _indices(i, w, "embedding_renorm_"), max_norm, norm_type)
    return w


def _refuse_sparse(sparse: bool) -> None:
    if sparse:
        raise NotImplementedError("sparse gradients are not there: use sparse=False, which gives a dense gradient")


@named("EmbeddingBagBackward0")
@placed
def embedding_bag(
    input: Tensor, weight: Tensor, offsets: Tensor | None = None, max_norm: float | None = None, norm_type: float = 2,
    scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False, per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False, padding_idx: int | None = None,
) -> Tensor:  # fmt: skip
    """Sum, mean or max of rows of weight (n, d) per bag: input (bags, k), or (total,) with the offsets of the bags."""
    i, w = check_tensor(input, "embedding_bag"), check_tensor(weight, "embedding_bag", "weight")
    if w.dtype is dtypes.int64 and i.is_floating_point():
        warnings.warn(
            "Argument order of nn.functional.embedding_bag was changed: `embedding_bag(weight, input, ...)` is deprecated "
            "and should be `embedding_bag(input, weight, ...)`.",
            UserWarning,
            stacklevel=3,
        )
        i, w = w, i
    if w._a.ndim != 2:
        raise ValueError(f"weight has to be a 2D Tensor, but got Tensor of dimension {w._a.ndim}")
    _refuse_sparse(sparse)
    if per_sample_weights is not None and i._a.shape != per_sample_weights._a.shape:
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({per_sample_weights.shape}) is not None, then it must have the same "
            f"shape as the input ({i.shape})"
        )
    together("embedding_bag", w, i, *(x for x in (offsets, per_sample_weights) if x is not None))
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum' (got "
            f"mode='{mode}'). Please open a feature request on GitHub."
        )
    if per_sample_weights is not None and per_sample_weights.dtype is not w.dtype:
        raise RuntimeError(
            "Expected tensor for argument #1 'weight' to have the same type as tensor for argument #1 'per_sample_weights'; "
            f"but type {w.type()} does not equal {per_sample_weights.type()} (while checking arguments for embedding_bag)"
        )
    if mode == "max" and scale_grad_by_freq:
        raise ValueError("max mode does not support scaling the gradient by the frequency")
    backend = w._dev.backend
    even = None  # the shape of bags of one length
    if i._a.ndim == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length sequences. "
                f"However, found offsets of type {type(offsets)}"
            )
        bags, k = even = i._a.shape
        starts = backend.arange(bags, 0, 1, dtypes.int64.array) * k
        i = reshape(i, (-1,))
        per_sample_weights = None if per_sample_weights is None else reshape(per_sample_weights, (-1,))
    elif i._a.ndim == 1:
        if offsets is None:
            raise ValueError("offsets has to be a 1D Tensor but got None")
        if offsets._a.ndim != 1:
            raise ValueError("offsets has to be a 1D Tensor")
        starts = offsets._a.astype(dtypes.int64.array)
        if backend.asynchronous:
            text = f"offsets must begin with 0, not decrease, and not be greater than input's length {i._a.shape[0]}"
            backend.require_range(starts[:1], 0, 1, RuntimeError, text)
            backend.require_range(starts[-1:], 0, i._a.shape[0] + 1, RuntimeError, text)
        elif starts.size and int(starts[0]) != 0:
            raise RuntimeError(
                f"offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. However, got "
                f"{int(starts[0])}"
            )
        elif starts.size and int(starts[-1]) > i._a.shape[0]:
            raise RuntimeError(
                f"offsets[-1] can not be greater than input's length {i._a.shape[0]} but got offsets[-1] of {int(starts[-1])}"
            )
        text = "Your input appears to be incorrect: offsets must not decrease"
        backend.require(starts[1:] >= starts[:-1], RuntimeError, text)
        if include_last_offset:  # it says where the last bag ends
            end = int(starts[-1])
            i, starts = i[:end], starts[:-1]
            per_sample_weights = None if per_sample_weights is None else per_sample_weights[:end]
        bags = starts.shape[0]
    else:
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {i._a.ndim}")
    rows = w._a.shape[0]
    if padding_idx is not None and not -rows <= padding_idx < rows:
        raise RuntimeError(
            f"padding_idx must be within the number of embeddings, {-rows} through {rows - 1}, but got {padding_idx}"
        )
    skip = _padding(padding_idx, rows)
    index = _indices(i, w, "embedding_bag")
    if max_norm is not None:
        _renorm(w, index, max_norm, norm_type)
    if even is not None and skip < 0 and per_sample_weights is None and mode != "max":
        rows = reshape(_rows(w, index, -1, scale_grad_by_freq), (*even, w._a.shape[1]))
        return rows.sum(1) if mode == "sum" else rows.mean(1)  # type: ignore[attr-defined, no-any-return]
    bag, place, lengths = backend.bags_of(starts, index, skip)  # of the indices that are not padding
    keep = wrap(backend.nonzero(index != skip)[:, 0], w._dev) if skip >= 0 else None
    if keep is not None:
        index = index[keep._a]
    taken = _rows(w, index, -1, scale_grad_by_freq)
    if per_sample_weights is not None:
        scale = per_sample_weights if keep is None else index_select(per_sample_weights, 0, keep)
        taken = pw.mul(taken, reshape(scale, (-1, 1)))
    if mode == "max":
        longest = int(lengths.max()) if bags else 0
        dense = wrap(backend.full((bags, longest + 1, w._a.shape[1]), float("-inf"), w._a.dtype), w._dev)
        dense[wrap(bag, w._dev), wrap(place, w._dev)] = taken
        empty = reshape(wrap(lengths == 0, w._dev), (-1, 1))
        return dense.max(1)[0].masked_fill(empty, 0)  # type: ignore[no-any-return]
    r = _sum(taken, bags, bag, -1, False)
    if mode == "mean":
        r = pw.div(r, wrap(lengths.clip(1, None).astype(w._a.dtype)[:, None], w._dev))
    return r  # type: ignore[no-any-return]


def one_hot(input: Tensor, num_classes: int = -1) -> Tensor:
    """Class indices (int64) to rows of 0 and 1 (int64). Source: F.one_hot."""
    if check_tensor(input, "one_hot").dtype is not dtypes.int64:
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    backend = input._dev.backend
    backend.require(
        backend.ge(input._a, backend.scalar(0, input._a.dtype)), RuntimeError, "Class values must be non-negative."
    )
    if num_classes == -1:
        if not input.numel():
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        num_classes = int(input.max()) + 1  # type: ignore[attr-defined]
    else:
        text = "Class values must be smaller than num_classes."
        backend.require(backend.lt(input._a, backend.scalar(num_classes, input._a.dtype)), RuntimeError, text)
    rows = backend.zeros((*input._a.shape, num_classes), dtypes.int64.array)
    places = input._a[..., None]
    backend.scatter(rows, input._a.ndim, places, backend.full(places.shape, 1, dtypes.int64.array))
    return wrap(rows, input._dev)
