"""Indexing: reading and writing with ints, slices, None, Ellipsis, bool and integer tensors, in any mix."""

from __future__ import annotations

from typing import Any

from ..autograd.modes import mode
from ..backends.base import SCALARS
from ..tensor import Tensor, check_dim, wrap
from .shape import _select, _slice
from .table import F, attach, finish_inplace, primitive

_index = primitive(
    "index", "x", (lambda F, g, x_shape, index: F.index_backward(g, x_shape, index),), "index"
)  # fmt: skip
primitive("index_backward", "x", (lambda F, g, index: F.index(g, index),), "shape index")
_index_put = primitive(
    "index_put_copy",
    "x v",
    (
        lambda F, g, index, accumulate: (
            g if accumulate else F.index_put_copy(g, F.mul(F.index(g, index), 0), index, False)
        ),
        lambda F, g, v_shape, index: F.sum_to(F.index(g, index), v_shape),
    ),
    "index accumulate",
    node="IndexPutBackward0",
)
_gather = primitive(
    "gather_", "x", (lambda F, g, x_shape, dim, index: F.gather_backward(g, x_shape, dim, index),), "dim index",
    node="GatherBackward0",
)  # fmt: skip
primitive("gather_backward", "x", (lambda F, g, dim, index: F.gather_(g, dim, index),), "shape dim index")
_scatter = primitive(
    "scatter_copy",
    "x src",
    (
        lambda F, g, src, dim, index, add: (
            g if add else F.scatter_copy(g, F.mul(F.gather_(g, dim, index), 0), dim, index, False)
        ),
        lambda F, g, src_shape, dim, index: F.gather_(g, dim, index),
    ),
    "dim index add",
    node="ScatterBackward0",
)


def _parse(x: Tensor, index: Any) -> tuple[tuple[Any, ...], tuple[Any, ...] | None]:
    """Split an index into a basic part (a view) and, if tensors index, an advanced part on that view."""
    items = index if index.__class__ is tuple else (index,)
    if index.__class__ is list and any(isinstance(i, (slice, list, tuple, Tensor)) or i is None for i in index):
        items = (index,)
    basic: list[Any] = []
    advanced: list[Any] = []
    dev = x._dev
    used = 0
    ellipsis = -1
    prepared: list[Any] = []
    for i in items:
        c = i.__class__
        if c is int or c is slice or i is None:
            pass
        elif i is Ellipsis:
            if ellipsis >= 0:
                raise IndexError("an index can only have a single ellipsis ('...')")
            ellipsis = len(prepared)
        elif c is bool:
            i = dev.backend.asarray(i)
        elif isinstance(i, Tensor):
            a = i._a
            kind = a.dtype.kind
            if kind == "b":
                i = a
            elif kind in "iu":
                i = int(a.item()) if a.ndim == 0 else a if a.dtype.itemsize == 8 else a.astype("int64")
            else:
                raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
        elif c in SCALARS:
            i = i.item()
        elif hasattr(i, "__index__") and not hasattr(i, "ndim"):
            i = i.__index__()
        elif isinstance(i, (list, tuple, range)) or hasattr(i, "__array__"):
            from .creation import tensor

            i = tensor(i, device=dev)._a
            if i.dtype.kind not in "biu":
                if i.size:
                    raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
                i = i.astype("int64")
        else:
            raise TypeError(
                f"only integers, slices (`:`), ellipsis (`...`), None and tensors are valid indices (got {i!r})"
            )
        if i.__class__ is int or i.__class__ is slice:
            used += 1
        elif i is not None and i is not Ellipsis:
            used += i.ndim if i.dtype.kind == "b" else 1
        prepared.append(i)
    ndim = x._a.ndim
    if used > ndim:
        raise IndexError(f"too many indices for tensor of dimension {ndim}")
    if ellipsis < 0:
        prepared.append(Ellipsis)
        ellipsis = len(prepared) - 1
    position = 0
    has_tensor = False
    for i in prepared:
        c = i.__class__
        if c is int:
            n = x._a.shape[position]
            if not -n <= i < n:
                raise IndexError(f"index {i} is out of bounds for dimension {position} with size {n}")
            basic.append(i)
            position += 1
        elif c is slice:
            if i.step is not None and i.step <= 0:
                raise ValueError("step must be greater than zero")
            if i.start is not None or i.stop is not None or i.step is not None:
                i = slice(*(None if e is None else int(e) for e in (i.start, i.stop, i.step)))
            basic.append(i)
            advanced.append(slice(None))
            position += 1
        elif i is None:
            basic.append(None)
            advanced.append(slice(None))
        elif i is Ellipsis:
            for _ in range(ndim - used):
                basic.append(slice(None))
                advanced.append(slice(None))
                position += 1
        else:
            has_tensor = True
            dims = i.ndim if i.dtype.kind == "b" else 1
            if i.dtype.kind == "b":
                for k in range(dims):
                    if i.shape[k] != x._a.shape[position + k]:
                        raise IndexError(
                            f"The shape of the mask {list(i.shape)} at index {k} does not match the shape of the indexed "
                            f"tensor {list(x._a.shape)} at index {position + k}"
                        )
            basic.extend([slice(None)] * dims)
            if dims == 0:  # a 0-dim mask adds a dimension
                basic.append(None)
                i = i.reshape(1)
            advanced.append(i)
            position += dims
    while basic and basic[-1].__class__ is slice and basic[-1] == slice(None):
        basic.pop()
    while advanced and advanced[-1].__class__ is slice:
        advanced.pop()
    return tuple(basic), (tuple(advanced) if has_tensor else None)


def _basic(x: Tensor, index: tuple[Any, ...]) -> Tensor:
    return (_select if index and index[-1].__class__ is int else _slice)(x, index)  # type: ignore[no-any-return]


def getitem(self: Tensor, index: Any) -> Tensor:
    """self[index]: a view for ints, slices, None and Ellipsis; a copy where tensors index."""
    c = index.__class__
    try:  # the plain cases; what NumPy refuses is said below in PyTorch's words
        if c is int:
            return _select(self, (index,))  # type: ignore[no-any-return]
        if c is Tensor and index._a.ndim and index._a.dtype.char == "l" and index._dev is self._dev:
            return _index(self, (index._a,))  # type: ignore[no-any-return]
        if c is slice:
            index = (index,)
        if c is slice or c is tuple:
            for i in index:
                if i.__class__ is not int and not (
                    i.__class__ is slice
                    and (i.step is None or (i.step.__class__ is int and i.step > 0))
                    and not isinstance(i.start, Tensor)
                    and not isinstance(i.stop, Tensor)
                ):
                    break
            else:
                return _basic(self, index)
    except IndexError:
        pass
    basic, advanced = _parse(self, index)
    if advanced is None:
        return _basic(self, basic)
    return _index(_basic(self, basic) if basic else self, advanced)  # type: ignore[no-any-return]


def setitem(self: Tensor, index: Any, value: Any) -> None:
    """self[index] = value, with autograd; value is broadcast and converted to self's dtype."""
    basic, advanced = _parse(self, index)
    if not isinstance(value, Tensor):
        from .creation import tensor

        value = tensor(value, dtype=self.dtype, device=self._dev)
    view = _basic(self, basic)
    if advanced is None:
        shape = value._a.shape
        while len(shape) > view._a.ndim and shape[0] == 1:
            value = value[0]  # type: ignore[index]
            shape = value._a.shape
        view.copy_(value)  # type: ignore[attr-defined]
    else:
        index_put_(view, advanced, value)


def _raw_index(x: Tensor, indices: Any) -> tuple[Any, ...]:
    return tuple(i if not isinstance(i, Tensor) else i._a for i in indices)


def index_put_(self: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """self[indices] = values in place (+= with `accumulate`, where equal indices add up). Source: torch.index_put_."""
    self._check_inplace()
    index = _raw_index(self, indices)
    if values._a.dtype != self._a.dtype:
        values = F.cast(values, self._a.dtype)
    backend = self._dev.backend
    try:
        if mode.grad and (self._fn is not None or values._fn is not None):
            old = self._alias(self._fn, self._nr)
            old._s = None
            return finish_inplace(self, _index_put(old, values, index, accumulate), "index_put_")
        backend.index_put(self._a, index, values._a, accumulate)
    except ValueError as error:
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {list(values._a.shape)} cannot be broadcast: {error}"
        ) from None
    self._bump()
    return self


def gather(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """out[i][j] = input[index[i][j]][j] for dim 0, and so on. Source: torch.gather."""
    d = check_dim(dim, input._a.ndim)
    if index._a.dtype.kind not in "iu" or index._a.dtype.itemsize < 8:
        raise RuntimeError("gather(): Expected dtype int64 for index")
    if index._a.ndim != input._a.ndim:
        raise RuntimeError("Index tensor must have the same number of dimensions as input tensor")
    for k, (m, n) in enumerate(zip(index._a.shape, input._a.shape, strict=True)):
        if k != d and m > n:
            raise RuntimeError(
                f"Size does not match at dimension {k} expected index {list(index._a.shape)} to be no larger than self "
                f"{list(input._a.shape)} apart from dimension {d}"
            )
    _check_range(index, input._a.shape[d], d)
    return _gather(input, d, index._a)  # type: ignore[no-any-return]


def _check_range(index: Tensor, n: int, dim: int) -> None:
    a = index._a
    if a.size and (int(a.min()) < 0 or int(a.max()) >= n):
        bad = int(a.min()) if int(a.min()) < 0 else int(a.max())
        raise RuntimeError(f"index {bad} is out of bounds for dimension {dim} with size {n}")


def _scattered(name: str, add: bool) -> Any:
    def op(input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None) -> Tensor:
        d = check_dim(dim, input._a.ndim)
        src = value if src is None else src
        if index._a.ndim != input._a.ndim and input._a.ndim != 1:
            raise RuntimeError("Index tensor must have the same number of dimensions as self tensor")
        if index._a.ndim == 0:
            index = index.reshape(1)  # type: ignore[attr-defined]
        _check_range(index, input._a.shape[d], d)
        shape = index._a.shape
        if not isinstance(src, Tensor):
            from .creation import full

            src = full(shape, src, dtype=input.dtype, device=input._dev)
        if src._a.dtype != input._a.dtype:
            raise RuntimeError(f"{name}(): Expected self.dtype to be equal to src.dtype")
        src = src if src._a.ndim else src.reshape(1)  # type: ignore[attr-defined]
        if src._a.shape != shape:
            src = _slice(src, tuple(slice(0, n) for n in shape))
        return _scatter(input, src, d, index._a, add)  # type: ignore[no-any-return]

    op.__name__ = name
    return op


scatter = _scattered("scatter", False)
scatter_add = _scattered("scatter_add", True)


def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The slices along `dim` that the 1-D `index` names. Source: torch.index_select."""
    d = check_dim(dim, input._a.ndim)
    if index._a.ndim > 1:
        raise IndexError("index_select(): Index is supposed to be a vector")
    return getitem(input, (*(slice(None),) * d, index if index._a.ndim else index.reshape(1)))  # type: ignore[attr-defined]


def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """`value` where mask (bool) holds. Source: torch.masked_fill."""
    from .creation import tensor
    from .pointwise import where

    v = value if isinstance(value, Tensor) else tensor(value, dtype=input.dtype, device=input._dev)
    return where(mask, v.to(input.dtype), input)  # type: ignore[attr-defined, no-any-return]


def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where mask holds, 1-D. Source: torch.masked_select."""
    from .shape import broadcast_tensors

    x, m = broadcast_tensors(input, mask)
    return getitem(x, m)


def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """Indices (int64) of the non-zero elements: (n, ndim), or one tensor per dimension. Source: torch.nonzero."""
    r = wrap(input._dev.backend.nonzero(input._a), input._dev)
    return r.unbind(1) if as_tuple else r  # type: ignore[attr-defined]


def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """Indices that sort along `dim`, equal elements in order. Source: torch.argsort."""
    d = check_dim(dim, input._a.ndim)
    return wrap(input._dev.backend.argsort(input._a, d, descending), input._dev)


def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """(values, indices) sorted along `dim`. Source: torch.sort."""
    from .reduce import sort_result

    if input._a.ndim == 0:
        return sort_result(input.clone(), argsort(input.reshape(1))[0])  # type: ignore[attr-defined, index]
    index = argsort(input, dim, descending)
    return sort_result(gather(input, dim, index), index)


def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """The k largest (or smallest) along `dim` with their indices. Source: torch.topk."""
    from .reduce import topk_result

    d = check_dim(dim, input._a.ndim)
    if k > input._a.shape[d]:
        raise RuntimeError("selected index k out of range")
    index = argsort(input, d, largest).narrow(d, 0, k).contiguous()  # type: ignore[attr-defined]
    return topk_result(gather(input, d, index), index)


Tensor.__getitem__ = getitem  # type: ignore[attr-defined]
Tensor.__setitem__ = setitem  # type: ignore[attr-defined]
for _name, _in_place in (
    ("gather", False), ("scatter", True), ("scatter_add", True), ("index_select", False), ("masked_fill", True),
    ("masked_select", False), ("nonzero", False), ("argsort", False), ("sort", False), ("topk", False),
    ("index_put_", False),
):  # fmt: skip
    attach(_name, globals()[_name], True, _in_place)
