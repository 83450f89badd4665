"""Order: sort and its kin, searches in sorted tensors, membership."""

from __future__ import annotations

from typing import Any

from .. import dtypes, return_types
from ..backends.base import DTYPE_OF
from ..tensor import Tensor, check_dim, wrap
from .rows import together
from .scattering import _gather, gather
from .shape import memory_order, reshape
from .table import F, attach, check_tensor, fresh, named, no_kernel, result_type, type_name, write_out

__all__ = ["argsort", "bucketize", "isin", "kthvalue", "msort", "searchsorted", "sort", "topk"]


def _pair(kind: Any, out: Any, values: Tensor, indices: Tensor) -> Any:
    if out is None:
        return kind(values, indices)
    return kind(write_out(out[0], values, True), write_out(out[1], indices, True))


def _order(x: Tensor, dim: int, descending: bool) -> Tensor:
    """The stable order along `dim` (int64), with x's order in memory."""
    if x._a.dtype.kind == "c":
        raise RuntimeError(" Sort does not support complex dtypes on CPU")
    backend = x._dev.backend
    index = backend.argsort(x._a, dim, descending)
    order = memory_order(x._a)
    return wrap(index if order is None else backend.clone(index, order), x._dev)


def _select(x: Tensor, k: int, dim: int, largest: bool) -> Tensor:
    """Indices of the k largest (smallest) along `dim`, in order."""
    if x._a.dtype.kind == "c":
        raise RuntimeError("topk does not support complex dtypes on CPU")
    return wrap(x._dev.backend.argselect(x._a, k, dim, largest), x._dev)


def argsort(
    input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False, *, out: Tensor | None = None
) -> Tensor:
    """Indices that sort along `dim`, equal elements in order, NaN as the largest. Source: torch.argsort."""
    r = sort(input.detach(), dim, descending, stable=stable)[1]
    return r if out is None else write_out(out, r)  # type: ignore[no-any-return]


@named("SortBackward0")
def sort(
    input: Tensor, dim: Any = -1, descending: bool = False, stable: bool | None = False, *, out: Any = None
) -> Any:
    """(values, indices) sorted along `dim`; always stable, NaN as the largest. Source: torch.sort."""
    d = check_dim(dim, input._a.ndim)
    if input._a.ndim == 0:
        x = reshape(input, 1)
        index = _order(x, 0, descending)
        return _pair(return_types.sort, out, reshape(_gather(x, index, 0), ()), reshape(index, ()))
    index = _order(input, d, descending)
    values = _gather(input, index, d)
    order = memory_order(input._a)
    return _pair(return_types.sort, out, values if order is None else F.clone(values, order), index)


def msort(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Sorted along dimension 0. Source: torch.msort."""
    r: Tensor = sort(check_tensor(input, "msort"), 0)[0]
    return r if out is None else write_out(out, r, True)


@named("TopkBackward0")
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True, *, out: Any = None) -> Any:
    """The k largest (or smallest) along `dim` with their indices, in order. Source: torch.topk.

    Which of equal elements are taken is open, as in PyTorch.
    """
    d = check_dim(dim, input._a.ndim)
    n = input._a.shape[d] if input._a.ndim else 1
    if not 0 <= k <= n:
        raise RuntimeError("selected index k out of range")
    if input._a.dtype.kind == "b":
        raise RuntimeError("topk does not support bool dtypes on CPU")
    if input._a.ndim == 0:
        pair = sort(input)
        return _pair(return_types.topk, out, *pair)
    index = _select(input, k, d, largest)
    return _pair(return_types.topk, out, _gather(input, index, d), index)


@named("KthvalueBackward0")
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False, *, out: Any = None) -> Any:
    """The k-th smallest element along `dim` and its index, NaN as the largest. Source: torch.kthvalue."""
    d = check_dim(dim, input._a.ndim)
    n = input._a.shape[d] if input._a.ndim else 1
    if input._a.ndim and n == 0:
        raise IndexError(f"kthvalue(): Expected reduction dim {d} to have non-zero size.")
    if not 1 <= k <= n:
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {d}")
    if input._a.dtype.kind in "bc":
        raise no_kernel("kthvalue_cpu", input)
    x = input if input._a.ndim else reshape(input, 1)
    smallest = k <= (n + 1) // 2  # the last of the k smallest or of the n + 1 - k largest
    found = _select(x, k if smallest else n + 1 - k, d, not smallest)
    index = found.narrow(d, found._a.shape[d] - 1, 1).clone()
    values = _gather(x, index, d)
    if input._a.ndim == 0:
        values, index = fresh(reshape(values, ())), fresh(reshape(index, ()))
    elif not keepdim:
        shape = (*x._a.shape[:d], *x._a.shape[d + 1 :])
        values, index = fresh(reshape(values, shape)), fresh(reshape(index, shape))
    return _pair(return_types.kthvalue, out, values, index)


def _side(side: str | None, right: bool, op: str) -> bool:
    if side not in (None, "left", "right"):
        raise RuntimeError(f"torch.{op}(): side can only be 'left' or 'right' but got {side}")
    if side == "left" and right:
        raise RuntimeError(
            f"torch.{op}(): side and right can't be set to opposites, got side of left while right was True"
        )
    return right or side == "right"


def _search(boundaries: Tensor, values: Any, right: bool, out_int32: bool, out: Tensor | None) -> Tensor:
    target = result_type(boundaries, values).array
    if target.kind in "bc" and (not isinstance(values, Tensor) or values._a.size):
        name = type_name(DTYPE_OF[target])
        raise NotImplementedError(f"\"searchsorted_out_cpu\" not implemented for '{name}'")
    dev = boundaries._dev
    if not isinstance(values, Tensor):
        values = wrap(dev.backend.scalar(values, target), dev)
    x, v = (t._a if t._a.dtype == target else dev.backend.cast(t._a, target) for t in (boundaries, values))
    found = dev.backend.searchsorted(x, v, right)
    r = wrap(found, dev)
    r = F.cast(r, dtypes.int32.array) if out_int32 else r
    return r if out is None else write_out(out, r)


def searchsorted(
    sorted_sequence: Tensor, input: Any, *, out_int32: bool = False, right: bool = False, side: str | None = None,
    sorter: Tensor | None = None, out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Where the values of input would go into the sorted last dimension, before (right: after) equal ones.

    sorted_sequence is 1-D or has input's leading dimensions; sorter gives its order. Source: torch.searchsorted.
    """
    right = _side(side, right, "searchsorted")
    x = sorted_sequence
    shape = x._a.shape
    if sorter is not None:
        if sorter._a.shape != shape:
            raise RuntimeError(
                "torch.searchsorted(): boundary and sorter must have the same size, but got boundary tensor "
                f"{list(shape)}and got sorter tensor {list(sorter._a.shape)}"
            )
        if sorter.dtype is not dtypes.int64:
            raise RuntimeError(
                f"torch.searchsorted(): sorter must be a tensor of long dtype but got dtype {type_name(sorter)}"
            )
        together("searchsorted", sorted_sequence, sorter)
        text = "torch.searchsorted(): sorter index out of range"
        sorter._dev.backend.require_range(sorter._a, 0, shape[-1], RuntimeError, text)
        x = gather(x.detach(), -1, sorter)
    scalar = not isinstance(input, Tensor) or input._a.ndim == 0
    if not scalar:
        together("searchsorted", sorted_sequence, input)
    if scalar and len(shape) != 1:
        raise RuntimeError(
            "torch.searchsorted(): input value can be a scalar only when boundaries tensor dimension is 1, but we got "
            f"boundaries tensor dim({len(shape)}) and input value's dim(0) numel(1)"
        )
    if not scalar and len(shape) != 1 and (len(shape) != input._a.ndim or shape[:-1] != input._a.shape[:-1]):
        raise RuntimeError(
            "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries "
            f"tensor and input value tensor must match, but we got boundaries tensor {list(shape)} and input value tensor "
            f"{list(input._a.shape)}"
        )
    return _search(x, input, right, out_int32, out)


def bucketize(
    input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False, out: Tensor | None = None
) -> Tensor:
    """The bucket between 1-D boundaries that each value falls into. Source: torch.bucketize."""
    if boundaries._a.ndim != 1:
        raise RuntimeError(f"boundaries tensor must be 1 dimension, but got dim({boundaries._a.ndim})")
    if isinstance(input, Tensor):
        together("bucketize", boundaries, input)
    return _search(boundaries, input, right, out_int32, out)


def isin(
    elements: Any = None, test_elements: Any = None, *, assume_unique: bool = False, invert: bool = False,
    out: Tensor | None = None, element: Any = None, test_element: Any = None,
) -> Tensor:  # fmt: skip
    """Whether each element is among test_elements; one of both may be a number (`element`, `test_element`).

    Source: torch.isin.
    """
    elements = element if elements is None else elements
    test_elements = test_element if test_elements is None else test_elements
    tensors = [x for x in (elements, test_elements) if isinstance(x, Tensor)]
    if not tensors:
        raise TypeError("isin(): elements or test_elements must be a Tensor")
    together("isin", *tensors)
    if any(x._a.dtype.kind == "b" for x in tensors) or isinstance(elements, bool) or isinstance(test_elements, bool):
        raise RuntimeError("Unsupported input type encountered for isin(): Bool")
    for x in tensors:
        if x._a.dtype.kind == "c":
            raise RuntimeError(f"Unsupported input type encountered for isin(): {type_name(x)}")
    target = result_type(elements, test_elements).array
    if target.kind == "c":
        raise RuntimeError("value cannot be converted to type double without overflow")
    backend = tensors[0]._dev.backend
    x, v = (
        backend.cast(t._a, target) if isinstance(t, Tensor) else backend.scalar(t, target)
        for t in (elements, test_elements)
    )
    found = wrap(backend.isin(x, v), tensors[0]._dev)
    found = found.logical_not() if invert else found
    return found if out is None else write_out(out, found)


for _name in ("argsort", "kthvalue", "msort", "sort", "topk"):
    attach(_name, globals()[_name])
