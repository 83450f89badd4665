"""What functions that make tensors share: how sizes, numbers, dtypes and `out=` are read."""

from __future__ import annotations

from math import inf, isfinite, prod
from typing import Any

from .. import devices, dtypes
from ..backends.base import DTYPE_OF, SCALARS
from ..tensor import Tensor, wrap
from .convert import to
from .table import write_out

LARGE = 1 << 28  # a size that is looked at more closely
MOST_ELEMENTS = 1 << 59  # 16 bytes each: what more take has no 64 bits
NUMBERS = frozenset((bool, int, float, complex))
CPP_NAME = {
    "uint8": "uint8_t", "int8": "int8_t", "int16": "int16_t", "int32": "int", "int64": "int64_t", "uint16": "uint16_t",
    "uint32": "uint32_t", "uint64": "uint64_t", "float16": "c10::Half", "bfloat16": "c10::BFloat16",
    "float32": "float", "float64": "double",
}  # fmt: skip


def _finish(array: Any, dev: Any, requires_grad: Any, pin_memory: Any = False) -> Tensor:
    r = wrap(array, dev)
    if pin_memory:
        r = devices.pinned(r)
    if requires_grad is False:
        return r
    if requires_grad.__class__ is not bool:
        raise TypeError(f"argument 'requires_grad' must be bool, not {type(requires_grad).__name__}")
    if array.dtype.kind in "biu":
        raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
    return r.requires_grad_()


def _default(dtype: Any, fn: str) -> dtypes.dtype:
    return dtypes.get_default_dtype() if dtype is None else dtypes.of(dtype, fn)


def _shape(fn: str, size: tuple[Any, ...], kw: dict[str, Any]) -> tuple[int, ...]:
    """The size given as separate ints, as one sequence or by keyword. TypeError, or RuntimeError where negative."""
    if not kw and size:
        for n in size:
            if n.__class__ is not int or not 0 <= n < LARGE:
                break
        else:
            return size
    if kw:
        if "size" not in kw or size or len(kw) > 1:
            wrong = next(k for k in kw if k != "size" or size)
            raise TypeError(f"{fn}() got an unexpected keyword argument {wrong!r}")
        size = (kw["size"],)
        if not isinstance(size[0], (tuple, list)):
            raise TypeError(f"{fn}(): argument 'size' must be tuple of ints, not {type(size[0]).__name__}")
    if not size:
        raise TypeError(f'{fn}() missing 1 required positional arguments: "size"')
    given: Any = size[0] if isinstance(size[0], (tuple, list)) else size
    if given is size[0] and len(size) > 1:
        raise TypeError(f"{fn}() takes 1 positional argument but {len(size)} were given")
    shape: list[int] = []
    for n in given:
        if n.__class__ is not int:
            try:
                n = None if isinstance(n, bool) else n.__index__()
            except (AttributeError, TypeError):
                n = None
            if n is None:
                got = type(size[0] if given is size else given[len(shape)]).__name__
                raise TypeError(f"{fn}(): argument 'size' (position 1) must be tuple of ints, not {got}")
        if n < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {n}: {list(given)}")
        shape.append(n)
    return addressable(tuple(shape))


def addressable(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape whose elements can be counted in bytes: CuPy would let the product overflow. RuntimeError for others."""
    if prod(shape) >= MOST_ELEMENTS:
        raise RuntimeError(f"Storage size calculation overflowed with sizes={list(shape)}")
    return shape


def checked(value: Any, d: dtypes.dtype) -> Any:
    """A Python number that dtype `d` can hold, integers wrapped. RuntimeError as in PyTorch where it cannot."""
    if value.__class__ is float and d.category == dtypes.FLOAT and -6e4 < value < 6e4:  # all of that kind hold it
        return value
    name = CPP_NAME.get(d.name, d.name)
    if isinstance(value, complex) and d.category != dtypes.COMPLEX:
        if value.imag != 0 and d.category != dtypes.BOOL:
            raise RuntimeError(f"value cannot be converted to type {name} without overflow")
        value = value.real if d.category != dtypes.BOOL else bool(value)
    if d.category == dtypes.INT:
        limits = dtypes.int_limits(d)
        low = limits.min if d.is_signed or isinstance(value, float) else -limits.max
        if not low <= value <= limits.max:
            raise RuntimeError(f"value cannot be converted to type {name} without overflow")
        value = int(value)
        return value + limits.max + 1 if value < limits.min else value
    if d.category == dtypes.FLOAT:
        try:
            value = float(value)
        except OverflowError:
            value = inf
        if isfinite(value) and abs(value) > dtypes.float_limits(d).max:
            raise RuntimeError(f"value cannot be converted to type {name} without overflow")
    return value


def fitting(value: Any, d: dtypes.dtype, n: int) -> Any:
    """A number to fill n elements with: as `checked`, but a lone 16-bit float takes what a double holds, maybe as infinity."""
    return checked(value, dtypes.float64 if n == 1 and d.category == dtypes.FLOAT and d.itemsize == 2 else d)


def number(x: Any, fn: str, name: str) -> Any:
    """A Python number from one, from a NumPy scalar or from a 0-dim tensor. TypeError otherwise."""
    if x.__class__ in NUMBERS:
        return x
    if isinstance(x, Tensor):
        if x._a.ndim == 0:
            return x.item()
    elif x.__class__ in SCALARS and x.dtype in DTYPE_OF:
        return x.item()
    elif isinstance(x, (bool, int, float, complex)):
        return x
    elif hasattr(x, "__index__"):
        return x.__index__()
    raise TypeError(f"{fn}(): argument '{name}' must be Number, not {type(x).__name__}")


RANGES = ("arange", "linspace", "logspace", "range")


def _into(out: Any, r: Tensor, dtype: Any, fn: str) -> Tensor:
    """The result in `out=`, whose dtype holds; RuntimeError where dtype= names another."""
    if not isinstance(out, Tensor):
        raise TypeError(f"{fn}(): argument 'out' must be Tensor, not {type(out).__name__}")
    if dtype is not None and dtypes.of(dtype, fn) is not out.dtype:
        have, want = (dtypes.TYPE_NAMES[d.name] for d in (dtypes.of(dtype, fn), out.dtype))
        raise RuntimeError(f"dtype {have} does not match dtype of out parameter ({want})")
    if fn in RANGES and out._a.size == r._a.size:  # in the shape that it has
        r = wrap(r._a.reshape(out._a.shape), r._dev)
    return write_out(out, to(r, out.dtype))


def _filled(dev: Any, shape: tuple[int, ...], d: Any, value: Any) -> Any:
    try:
        if value is None:
            return dev.backend.empty(shape, d)
        if value.__class__ is int and value == 0:
            make = dev.backend.zeros
            return make(shape, d)
        return dev.backend.full(shape, value, d)
    except (MemoryError, ValueError) as error:
        raise RuntimeError(
            f"can't allocate memory: {prod(shape) * d.itemsize} bytes for sizes={list(shape)} ({error})"
        ) from None


def _ordered(dev: Any, shape: tuple[int, ...], d: Any, value: Any, order: tuple[int, ...] | None) -> Any:
    """A filled array whose axes lie in memory in the order `order`."""
    if order is None:
        return _filled(dev, shape, d, value)
    back = [order.index(i) for i in range(len(order))]
    return _filled(dev, tuple(shape[i] for i in order), d, value).transpose(back)
