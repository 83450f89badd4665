"""Tensors of given values and sizes: zeros, full, arange, eye and their kin."""

from __future__ import annotations

import warnings
from math import isfinite, prod
from typing import Any

from .. import devices, dtypes
from ..layouts import axis_order, check_layout, check_pinned
from ..tensor import Tensor, wrap
from .arguments import _default, _filled, _finish, _into, _ordered, _shape, addressable, checked, fitting, number
from .convert import (
    BFloat16Tensor,
    BoolTensor,
    ByteTensor,
    CharTensor,
    DoubleTensor,
    FloatTensor,
    HalfTensor,
    IntTensor,
    LongTensor,
    ShortTensor,
    array_dtype,
    legacy_tensor,
    set_default_tensor_type,
)
from .from_data import make_tensor
from .table import attach, check_tensor, no_kernel

__all__ = [
    "BFloat16Tensor", "BoolTensor", "ByteTensor", "CharTensor", "DoubleTensor", "FloatTensor", "HalfTensor",
    "IntTensor", "LongTensor", "ShortTensor", "arange", "empty", "empty_like", "empty_permuted", "empty_strided",
    "eye", "full", "full_like", "linspace", "logspace", "ones", "ones_like", "range", "scalar_tensor",
    "set_default_tensor_type", "zeros", "zeros_like",
]  # fmt: skip


# ---- of given values -------------------------------------------------------------------------------------------------
def _creator(name: str, value: Any) -> Any:
    formats, zero = name == "empty", name == "zeros"

    def make(
        *size: Any, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
        pin_memory: bool = False, requires_grad: bool = False, **kw: Any,
    ) -> Tensor:  # fmt: skip
        wanted = kw.pop("memory_format", None) if formats and kw else None
        shape = _shape(name, size, kw)
        if layout is not None or pin_memory:
            check_layout(layout)
            check_pinned(pin_memory)
        dev = devices.current_device() if device is None else devices.resolve(device)
        chosen = dtypes.get_default_dtype() if dtype is None else dtypes.of(dtype, name)
        d = chosen.array
        if d is None:
            array_dtype(chosen)  # says what is missing
        if wanted is None:
            if zero:  # without a call in between
                try:
                    array = dev.backend.zeros(shape, d)
                except (MemoryError, ValueError):  # said in PyTorch's words
                    array = _filled(dev, shape, d, value)
            else:
                array = _filled(dev, shape, d, value)
            r = wrap(array, dev)
            if requires_grad is False and out is None and not pin_memory:
                return r
        else:
            r = wrap(_ordered(dev, shape, d, value, axis_order(wanted, None, shape)), dev)
        if requires_grad is not False or pin_memory:
            r = _finish(r._a, dev, requires_grad, pin_memory)
        return r if out is None else _into(out, r, dtype, name)

    make.__name__ = name
    make.__doc__ = f"A tensor of the given size. Source: torch.{name}."
    return make


zeros = _creator("zeros", 0)
ones = _creator("ones", 1)
empty = _creator("empty", None)


def full(
    size: Any, fill_value: Any, *, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
    pin_memory: bool = False, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """A tensor of one value, whose kind gives the dtype unless named. Source: torch.full."""
    if not isinstance(size, (tuple, list)):
        raise TypeError(f"full(): argument 'size' (position 1) must be tuple of ints, not {type(size).__name__}")
    shape = _shape("full", (size,), {})
    value = number(fill_value, "full", "fill_value")
    check_layout(layout)
    check_pinned(pin_memory)
    dev = devices.resolve(device)
    if out is not None:
        _into(out, wrap(_filled(dev, shape, out._a.dtype, fitting(value, out.dtype, prod(shape))), dev), dtype, "full")
        return out  # type: ignore[no-any-return]
    d = dtypes.scalar_dtype(value) if dtype is None else dtypes.of(dtype, "full")
    return _finish(_filled(dev, shape, array_dtype(d), fitting(value, d, prod(shape))), dev, requires_grad, pin_memory)


def scalar_tensor(
    s: Any, *, dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """A 0-dim tensor of the default dtype. Source: torch.scalar_tensor."""
    value = number(s, "scalar_tensor", "s")
    return full((), value, dtype=_default(dtype, "scalar_tensor"), layout=layout, device=device,
                pin_memory=pin_memory, requires_grad=requires_grad)  # fmt: skip


def _like(name: str, value: Any) -> Any:
    def make(
        input: Tensor, *, dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: bool = False,
        requires_grad: bool = False, memory_format: Any = None,
    ) -> Tensor:  # fmt: skip
        check_tensor(input, name)
        if layout is not None or pin_memory:
            check_layout(layout)
            check_pinned(pin_memory)
        dev = input._dev if device is None else devices.resolve(device)
        a = input._a
        d = a.dtype if dtype is None else array_dtype(dtypes.of(dtype, name))
        order = axis_order(memory_format, a, a.shape)
        return _finish(_ordered(dev, a.shape, d, value, order), dev, requires_grad, pin_memory)

    make.__name__ = name
    make.__doc__ = f"A tensor of input's size, dtype, device and layout. Source: torch.{name}."
    return make


zeros_like = _like("zeros_like", 0)
ones_like = _like("ones_like", 1)
empty_like = _like("empty_like", None)


def full_like(
    input: Tensor, fill_value: Any, *, dtype: Any = None, layout: Any = None, device: Any = None,
    pin_memory: bool = False, requires_grad: bool = False, memory_format: Any = None,
) -> Tensor:  # fmt: skip
    """A tensor of input's shape, dtype and device, of one value. Source: torch.full_like."""
    check_tensor(input, "full_like")
    d = input.dtype if dtype is None else dtypes.of(dtype, "full_like")
    value = fitting(number(fill_value, "full_like", "fill_value"), d, input._a.size)
    r: Tensor = _like("full_like", value)(
        input, dtype=d, layout=layout, device=device, pin_memory=pin_memory, requires_grad=requires_grad,
        memory_format=memory_format,
    )  # fmt: skip
    return r


def empty_strided(
    size: Any, stride: Any, *, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """An uninitialised tensor of given strides. RuntimeError where they do not fit the size. Source: torch.empty_strided."""
    shape, strides = _shape("empty_strided", (size,), {}), tuple(stride)
    if len(shape) != len(strides):
        raise RuntimeError(
            f"dimensionality of sizes ({len(shape)}) must match dimensionality of strides ({len(strides)})"
        )
    if any(s < 0 for s in strides):
        raise RuntimeError(f"Storage size calculation overflowed with sizes={list(shape)} and strides={list(strides)}")
    check_layout(layout)
    check_pinned(pin_memory)
    dev = devices.resolve(device)
    d = array_dtype(_default(dtype, "empty_strided"))
    count = 1 + sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) if 0 not in shape else 0
    r = _filled(dev, (count,) if count else shape, d, None)
    if count:
        r = dev.backend.strided_view(r, shape, tuple(s * d.itemsize for s in strides), 0, d)
    return _finish(r, dev, requires_grad, pin_memory)


def empty_permuted(
    size: Any, physical_layout: Any, *, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """An uninitialised dense tensor, its dimensions in the given order in memory. Source: torch.empty_permuted."""
    shape, order = _shape("empty_permuted", (size,), {}), tuple(physical_layout)
    if len(order) != len(shape):
        raise RuntimeError(
            f"Number of dimensions in size does not match the length of the physical_layout; i.e. len(size) = {len(shape)} "
            f"is not equal to len(physical_layout) = {len(order)}"
        )
    for i, dim in enumerate(order):
        if not 0 <= dim < len(shape):
            raise RuntimeError(f"Dimension out of range (expected to be between 0 and {len(shape) - 1}, but got {dim} at index {i}).")  # fmt: skip
        if dim in order[:i]:
            raise RuntimeError("Duplicate dim not allowed")
    check_layout(layout)
    check_pinned(pin_memory)
    dev = devices.resolve(device)
    return _finish(
        _ordered(dev, shape, array_dtype(_default(dtype, "empty_permuted")), None, order),
        dev,
        requires_grad,
        pin_memory,
    )


def _new(make: Any) -> Any:
    def method(
        self: Tensor, *size: Any, dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: bool = False,
        requires_grad: bool = False, **kw: Any,
    ) -> Tensor:  # fmt: skip
        return make(  # type: ignore[no-any-return]
            *size, dtype=dtype or self.dtype, layout=layout, device=device or self._dev, pin_memory=pin_memory,
            requires_grad=requires_grad, **kw,
        )  # fmt: skip

    method.__name__ = f"new_{make.__name__}"
    return method


def new_tensor(
    self: Tensor, data: Any, *, dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """A tensor of `data` with self's dtype and device. Source: torch.Tensor.new_tensor."""
    check_layout(layout)
    return make_tensor(data, dtype or self.dtype, device or self._dev, requires_grad, pin_memory)


def new_legacy(self: Tensor, *args: Any, size: Any = None, device: Any = None) -> Tensor:
    """The legacy constructor with self's dtype: new(2, 3), new([1, 2])."""
    return legacy_tensor(
        args, self.dtype, self._dev if device is None else devices.resolve(device), strict=True, size=size
    )


# ---- ranges ----------------------------------------------------------------------------------------------------------
def _range_options(layout: Any, pin_memory: Any, device: Any) -> Any:
    check_layout(layout)
    check_pinned(pin_memory)
    return devices.resolve(device)


def _steps(start: Any, end: Any, step: Any, wanted: dtypes.dtype, fn: str) -> tuple[Any, Any, Any]:
    """Start, end and step checked, in the kind of numbers that the dtype computes in."""
    if wanted.category in (dtypes.BOOL, dtypes.COMPLEX):
        raise no_kernel(f"{fn}_cpu", wanted)
    for v in (start, end, step):
        if isinstance(v, complex):
            raise RuntimeError("value cannot be converted to type double without overflow")
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if not (isfinite(start) and isfinite(end)):
        raise RuntimeError(f"unsupported range: {start} -> {end}")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    return start, end, step


def arange(
    start: Any = None, end: Any = None, step: Any = 1, *, out: Any = None, dtype: Any = None, layout: Any = None,
    device: Any = None, pin_memory: bool = False, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Values from start to below end by step; int64 if all are ints, else the default dtype. Source: torch.arange."""
    if end is None:
        if start is None:
            raise TypeError("arange() missing 1 required positional argument: 'end'")
        start, end = 0, start
    elif start is None:
        start = 0
    start, end, step = number(start, "arange", "start"), number(end, "arange", "end"), number(step, "arange", "step")
    d = (out.dtype if out is not None else None) if dtype is None else dtypes.of(dtype, "arange")
    if d is None:
        d = dtypes.int64 if all(isinstance(v, int) for v in (start, end, step)) else dtypes.get_default_dtype()
    start, end, step = _steps(start, end, step, d, "arange")
    if d is dtypes.int64:
        start, end, step = int(start), int(end), int(step)
        if step == 0:
            raise ValueError("step must be nonzero")
    integral = all(isinstance(v, int) for v in (start, end, step))
    n = -((start - end) // step) if integral else -int(-((end - start) / step) // 1)
    if d.category == dtypes.INT:  # as PyTorch: the count from the floats, the values from the ints
        start, step = int(start), int(step)
    dev = devices.resolve(device) if layout is None and not pin_memory else _range_options(layout, pin_memory, device)
    r = _finish(dev.backend.arange(*addressable((n,)), start, step, array_dtype(d)), dev, requires_grad, pin_memory)
    return r if out is None else _into(out, r, dtype, "arange")


def range(
    start: Any = 0, end: Any = None, step: Any = 1, *, out: Any = None, dtype: Any = None, layout: Any = None,
    device: Any = None, pin_memory: bool = False, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Values from start to end, included (deprecated there too; default dtype). Source: torch.range."""
    warnings.warn(
        "torch.range is deprecated and will be removed in a future release because its behavior is inconsistent with "
        "Python's range builtin. Instead, use torch.arange, which produces values in [start, end).",
        UserWarning,
        stacklevel=2,
    )
    if end is None:
        raise TypeError('range() missing 1 required positional arguments: "end"')
    start, end, step = number(start, "range", "start"), number(end, "range", "end"), number(step, "range", "step")
    d = _default(dtype, "range") if out is None or dtype is not None else out.dtype
    start, end, step = _steps(start, end, step, d, "range")
    dev = _range_options(layout, pin_memory, device)
    r = _finish(
        dev.backend.arange(*addressable((int((end - start) / step) + 1,)), start, step, array_dtype(d)),
        dev, requires_grad, pin_memory,
    )  # fmt: skip
    return r if out is None else _into(out, r, dtype, "range")


def _spaced(fn: str, start: Any, end: Any, steps: Any, dtype: Any, out: Any, *base: float) -> tuple[Any, ...]:
    for name, v in (("start", start), ("end", end)):
        if isinstance(v, Tensor) and v._a.ndim:
            raise RuntimeError(
                f"{fn} only supports 0-dimensional start and end tensors, but got {name} with {v._a.ndim} dimension(s)."
            )
    start, end = number(start, fn, "start"), number(end, fn, "end")
    if isinstance(steps, (bool, float)) or not hasattr(steps, "__index__"):
        raise TypeError(f"{fn}(): argument 'steps' must be int, not {type(steps).__name__}")
    steps = steps.__index__()
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    if dtype is None:
        d = out.dtype if out is not None else dtypes.get_default_dtype()
        if isinstance(start, complex) or isinstance(end, complex):
            d = d.to_complex()
    else:
        d = dtypes.of(dtype, fn)
    if d is dtypes.bool_:
        raise NotImplementedError(f"\"{fn}_cpu\" not implemented for 'Bool'")
    return checked(start, d), checked(end, d), *addressable((steps,)), *base, array_dtype(d)


def linspace(
    start: Any, end: Any, steps: int, *, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
    pin_memory: bool = False, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """`steps` values from start to end, both included. Source: torch.linspace."""
    dev = _range_options(layout, pin_memory, device)
    r = _finish(
        dev.backend.linspace(*_spaced("linspace", start, end, steps, dtype, out)), dev, requires_grad, pin_memory
    )
    return r if out is None else _into(out, r, dtype, "linspace")


def logspace(
    start: Any, end: Any, steps: int, base: float = 10.0, *, out: Any = None, dtype: Any = None, layout: Any = None,
    device: Any = None, pin_memory: bool = False, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """base ** linspace(start, end, steps). Source: torch.logspace."""
    dev = _range_options(layout, pin_memory, device)
    arguments = _spaced("logspace", start, end, steps, dtype, out, float(base))
    r = _finish(dev.backend.logspace(*arguments), dev, requires_grad, pin_memory)
    return r if out is None else _into(out, r, dtype, "logspace")


def eye(
    n: int, m: int | None = None, *, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
    pin_memory: bool = False, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Ones on the diagonal. Source: torch.eye."""
    size = []
    for name, k in (("n", n), ("m", n if m is None else m)):
        if isinstance(k, (bool, float)) or not hasattr(k, "__index__"):
            raise TypeError(f"eye(): argument '{name}' must be int, not {type(k).__name__}")
        size.append(k.__index__())
        if size[-1] < 0:
            raise RuntimeError(f"{name} must be greater or equal to 0, got {k}")
    dev = _range_options(layout, pin_memory, device)
    r = _finish(
        dev.backend.eye(*addressable(tuple(size)), array_dtype(_default(dtype, "eye"))), dev, requires_grad, pin_memory
    )
    return r if out is None else _into(out, r, dtype, "eye")


for _name, _fn in (
    ("new", new_legacy), ("new_tensor", new_tensor), ("new_zeros", _new(zeros)), ("new_ones", _new(ones)),
    ("new_empty", _new(empty)), ("new_full", _new(full)), ("new_empty_strided", _new(empty_strided)),
):  # fmt: skip
    attach(_name, _fn)
