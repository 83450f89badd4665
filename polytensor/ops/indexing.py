"""Indexing: reading and writing with ints, slices, None, Ellipsis, bool and integer tensors, in any mix."""

from __future__ import annotations

import re
import warnings
from operator import index as as_index
from typing import Any

from .. import dtypes
from ..autograd.modes import mode
from ..backends.base import SCALARS
from ..tensor import Tensor, check_apart
from .arguments import NUMBERS, checked, fitting
from .convert import to_device
from .shape import _select, _slice
from .table import F, attach, constant, finish_inplace, guard, primitive, renamed, type_name

INT64, BOOL = dtypes.int64.array, dtypes.bool_.array

_index = primitive(
    "index", "x", (lambda F, g, x_shape, index: F.index_backward(g, x_shape, index),), "index"
)  # fmt: skip
primitive("index_backward", "x", (lambda F, g, index: F.index(g, index),), "shape index")
_index_put = primitive(
    "index_put_copy",
    "x v",
    (
        lambda F, g, index, accumulate: (
            g if accumulate else F.index_put_copy(g, F.zeros_of(F.index(g, index)), index, False)
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


def _invalid(i: Any) -> IndexError:
    return IndexError(
        "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices "
        f"(got {type(i).__name__})"
    )


def _places(a: Any, dev: Any) -> Any:
    """The array of an index, as a mask or int64."""
    char = a.dtype.char
    if char == "B":
        warnings.warn(
            "indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool instead.",
            UserWarning,
            stacklevel=4,
        )
        return dev.backend.cast(a, BOOL)
    if char not in "?lqi":
        raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
    return dev.backend.cast(a, INT64) if char == "i" else a


def _reworded(error: IndexError) -> IndexError:
    """NumPy's error in PyTorch's words."""
    text = str(error).replace("for axis", "for dimension").replace("indexing arrays", "indexing tensors")
    if "non-empty take" in text or text.endswith("with size 0"):
        return IndexError("index is out of bounds for dimension with size 0")
    shapes = re.findall(r"\(([\d,]+?),?\)", text)
    told = ", ".join(f"[{s.replace(',', ', ')}]" for s in shapes)
    return IndexError(f"{text.partition('(')[0]}{told}" if shapes else text)


def _bound(e: Any) -> int:
    """A bound or the step of a slice."""
    try:
        return as_index(e)
    except TypeError:
        if isinstance(e, Tensor):
            raise
        raise TypeError("slice indices must be integers or None or have an __index__ method") from None


def _means_a_tuple(index: Any) -> bool:
    """Whether a list stands for a tuple of indices: one with more than numbers in it."""
    if index.__class__ is not list or len(index) >= 32:
        return False
    if not any(isinstance(i, (slice, list, tuple, Tensor)) or i is None or i is Ellipsis for i in index):
        return False
    warnings.warn(
        "Using a non-tuple sequence for multidimensional indexing is deprecated and will be changed in pytorch 2.9; use "
        "x[tuple(seq)] instead of x[seq].",
        UserWarning,
        stacklevel=4,
    )
    return True


def _parse(x: Tensor, index: Any) -> tuple[tuple[Any, ...], tuple[Any, ...] | None]:
    """Split an index into a basic part (a view) and, if tensors index, an advanced part on that view."""
    items = index if index.__class__ is tuple else (index,)
    if index.__class__ is not tuple and (isinstance(index, tuple) or _means_a_tuple(index)):
        items = tuple(index)
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
                continue  # the first one stands for all dimensions that are left
            ellipsis = len(prepared)
        elif c is bool:
            i = dev.backend.asarray(i)
        elif isinstance(i, Tensor):
            if i._dev is not dev and i._dev != dev:
                if i._dev.type != "cpu":
                    raise RuntimeError(
                        f"indices should be either on cpu or on the same device as the indexed tensor ({dev})"
                    )
                i = to_device(i, dev) if i._a.ndim or i._a.dtype.kind == "b" else i
            a = i._a
            i = int(a.item()) if a.ndim == 0 and a.dtype.kind in "iu" and a.dtype.char != "B" else _places(a, dev)
        elif c in SCALARS:
            if i.dtype.kind not in "iu":
                raise _invalid(i)
            i = i.item()
        elif hasattr(i, "__index__") and not hasattr(i, "ndim"):
            i = i.__index__()
        elif isinstance(i, (list, tuple, range)) or hasattr(i, "__array__"):
            from .from_data import tensor

            i = tensor(i, device=dev)._a
            if i.dtype.kind not in "biu" and i.size:
                raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
            i = _places(i, dev) if i.dtype.char in "?B" else dev.backend.cast(i, INT64)
        elif isinstance(i, (str, bytes)):
            raise TypeError(f"new(): invalid data type '{c.__name__}'")
        else:
            raise _invalid(i)
        if i.__class__ is int or i.__class__ is slice:
            used += 1
        elif i is not None and i is not Ellipsis:
            used += i.ndim if i.dtype.kind == "b" else 1
        prepared.append(i)
    ndim = x._a.ndim
    if used > ndim:
        if not ndim and index.__class__ is int:
            raise IndexError(
                "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to convert a "
                "0-dim tensor to a number"
            )
        if not ndim and len(items) == 1 and items[0].__class__ is slice:
            raise IndexError("slice() cannot be applied to a 0-dim tensor.")
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
            if i.start is not None or i.stop is not None or i.step is not None:
                i = slice(*(None if e is None else _bound(e) for e in (i.start, i.stop, i.step)))
                if i.step is not None and i.step <= 0:
                    raise ValueError("step must be greater than zero" if i.step else "slice step cannot be zero")
                if i.indices(x._a.shape[position]) == (0, x._a.shape[position], 1):
                    i = FULL
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


FULL = slice(None)
_PLAIN = frozenset((int, type(None)))


def _basic(x: Tensor, index: tuple[Any, ...]) -> Tensor:
    if not index:
        return renamed(_slice(x, index), "AliasBackward0")
    last = index[-1]
    if last.__class__ is slice:
        while last.__class__ is slice and last.start is last.stop is last.step is None and len(index) > 1:
            index = index[:-1]
            last = index[-1]
    if last is None:
        return renamed(_slice(x, index), "UnsqueezeBackward0")
    return (_select if last.__class__ is int else _slice)(x, index)  # type: ignore[no-any-return]


def getitem(self: Tensor, index: Any) -> Tensor:
    """self[index]: a view for ints, slices, None and Ellipsis; a copy where tensors index."""
    c = index.__class__
    try:  # the plain cases; what NumPy refuses is said below in PyTorch's words
        if c is int:
            return _select(self, (index,))  # type: ignore[no-any-return]
        if c is Tensor and index._a.ndim and index._a.dtype.char == "l" and index._dev is self._dev and self._a.ndim:
            r: Tensor = _index(self, (index._a,))
            return r if r._fn is None else guard(r, index)
        if c is slice:
            index = (index,)
        if c is slice or (c is tuple and index):
            for i in index:
                if i.__class__ is slice:
                    step = i.step
                    if i.start.__class__ not in _PLAIN or i.stop.__class__ not in _PLAIN:
                        break
                    if step is not None and (step.__class__ is not int or step <= 0):
                        break
                elif i.__class__ is not int:
                    break
            else:
                if i.__class__ is int:
                    return _select(self, index)  # type: ignore[no-any-return]
                if i.start is not None or i.stop is not None:
                    return _slice(self, index)  # type: ignore[no-any-return]
                return _basic(self, index)
    except IndexError:
        pass
    basic, advanced = _parse(self, index)
    if advanced is None:
        return _basic(self, basic)
    try:
        r = _index(_basic(self, basic) if basic else self, advanced)
    except IndexError as error:
        raise _reworded(error) from None
    return r if r._fn is None else guard(r, *(index if c is tuple or c is list else (index,)))


def setitem(self: Tensor, index: Any, value: Any) -> None:
    """self[index] = value, with autograd; value is broadcast and converted to self's dtype."""
    basic, advanced = _parse(self, index)
    view = _basic(self, basic) if basic else self
    if not isinstance(value, Tensor):
        if isinstance(value, (str, bytes)) or value is None:
            raise TypeError(f"can't assign a {type(value).__name__} to a {self.type()}")  # type: ignore[attr-defined]
        if value.__class__ in NUMBERS:
            value = fitting(value, self.dtype, 1 if advanced is not None else view._a.size)
            if advanced is None and (view._fn is None or not mode.grad):
                view._check_inplace()
                self._dev.backend.write(view._a, self._dev.backend.scalar(value, view._a.dtype))
                view._bump()
                return
            value = constant(self._dev, self._a.dtype, value)
        else:
            from .from_data import tensor

            value = tensor(value, dtype=self.dtype, device=self._dev)
    shape = value._a.shape
    while shape and shape[0] == 1 and (advanced is not None or len(shape) > view._a.ndim):
        value = value[0]  # type: ignore[index]
        shape = value._a.shape
    if advanced is None:
        if shape != view._a.shape and (shape or value._a.base is not None):  # else copy_ would refuse a part of `self`
            value = value.expand(view._a.shape)
        view.copy_(value)  # type: ignore[attr-defined]
        if not basic and mode.grad and self._v is None and not shape and self._a.ndim:
            renamed(self, "FillBackward3")
    else:
        if value._a.dtype != self._a.dtype:
            masks = all(i.__class__ is slice or i.dtype.kind == "b" for i in advanced)
            if not masks or value._a.size != 1:
                _check_fits(view, advanced, value)
                raise _mismatch(self, value)
            if value._a.dtype.kind == "c" and value._a.imag.any():
                checked(1j, self.dtype)
        _put(view, advanced, value, False, index)


def _mismatch(self: Tensor, values: Tensor) -> RuntimeError:
    return RuntimeError(
        f"Index put requires the source and destination dtypes match, got {type_name(self)} for the "
        f"destination and {type_name(values)} for the source."
    )


def _check_fits(self: Tensor, index: tuple[Any, ...], values: Tensor) -> None:
    """RuntimeError unless values broadcast to self[index]."""
    have, want = values._a.shape, self._dev.backend.index(self._a, index).shape
    if len(have) > len(want) or any(m not in (1, n) for m, n in zip(reversed(have), reversed(want), strict=False)):
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {list(have)} cannot be broadcast to indexing result of shape {list(want)}"
        )


def _put(self: Tensor, index: tuple[Any, ...], values: Tensor, accumulate: bool, given: Any = ()) -> Tensor:
    """Write values (broadcast, converted) where the parsed `index` points, in place; `given`: the index before that."""
    self._check_inplace()
    if values._a.size != 1 or any(i.__class__ is not slice and i.dtype.kind != "b" for i in index):
        check_apart(self, values)
    if values._a.dtype != self._a.dtype:
        values = F.cast(values, self._a.dtype)
    backend = self._dev.backend
    if values._dev is not self._dev:
        values = values.to(self._dev)
    try:
        if mode.grad and (self._fn is not None or values._fn is not None):
            old = self._alias(self._fn, self._nr)
            old._s = None
            r = guard(
                _index_put(old, values, index, accumulate), *(given if isinstance(given, (tuple, list)) else (given,))
            )
            return finish_inplace(self, r, "index_put_")
        backend.index_put(self._a, index, values._a, accumulate)
    except IndexError as error:
        raise _reworded(error) from None
    except (TypeError, ValueError):  # NumPy refuses several dimensions for a mask with a TypeError
        _check_fits(self, index, values)
        raise
    self._bump()
    return self


def index_put_(self: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """self[indices] = values in place (+= with `accumulate`, where equal indices add up). Source: torch.index_put_."""
    if isinstance(indices, Tensor) or not isinstance(indices, (tuple, list)):
        raise TypeError(
            f"index_put_(): argument 'indices' (position 1) must be tuple of Tensors, not {type(indices).__name__}"
        )
    for k, i in enumerate(indices):
        if not isinstance(i, Tensor):
            raise TypeError(f"expected Tensor as element {k} in argument 0, but got {type(i).__name__}")
    if not indices:
        raise RuntimeError("index_put_(): at least one index is needed")
    basic, advanced = _parse(self, tuple(indices))
    masked = len(indices) == 1 and indices[0]._a.dtype.kind == "b" and values._a.ndim == 0  # like masked_fill_
    if values._a.dtype != self._a.dtype and not (masked and not accumulate):
        raise _mismatch(self, values)
    if advanced is None:  # 0-dim indices alone
        part = _basic(self, basic)
        part.add_(values) if accumulate else part.copy_(values)
    else:
        _put(_basic(self, basic) if basic else self, advanced, values, accumulate, indices)
    return self


def index_put(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """index_put_ on a copy. Source: torch.index_put."""
    return index_put_(input.clone(), indices, values, accumulate)


Tensor.__getitem__ = getitem  # type: ignore[attr-defined]
Tensor.__setitem__ = setitem  # type: ignore[attr-defined]
attach("index_put_", index_put_)
attach("index_put", index_put)
