"""Tensors from data, and tensors of given values."""

from __future__ import annotations

import warnings
from math import inf, isfinite, prod
from typing import Any

from .. import devices, dtypes
from ..backends.base import DTYPE_OF, SCALARS
from ..layouts import axis_order, check_layout, check_pinned
from ..tensor import Tensor, wrap
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
    to,
    to_device,
)
from .exchange import Capsule
from .table import attach, check_tensor, no_kernel, write_out

__all__ = [
    "BFloat16Tensor", "BoolTensor", "ByteTensor", "CharTensor", "DoubleTensor", "FloatTensor", "HalfTensor",
    "IntTensor", "LongTensor", "ShortTensor", "arange", "as_tensor", "asarray", "empty", "empty_like",
    "empty_permuted", "empty_strided", "eye", "from_dlpack", "from_numpy", "frombuffer", "full", "full_like",
    "linspace", "logspace", "ones", "ones_like", "range", "scalar_tensor", "set_default_tensor_type", "tensor",
    "zeros", "zeros_like",
]  # fmt: skip

SEQUENCES = frozenset((list, tuple))
NUMBERS = frozenset((bool, int, float, complex))
CPP_NAME = {
    "uint8": "uint8_t", "int8": "int8_t", "int16": "int16_t", "int32": "int", "int64": "int64_t", "uint16": "uint16_t",
    "uint32": "uint32_t", "uint64": "uint64_t", "float16": "c10::Half", "bfloat16": "c10::BFloat16",
    "float32": "float", "float64": "double",
}  # fmt: skip


# ---- arguments -------------------------------------------------------------------------------------------------------
def _finish(array: Any, dev: Any, requires_grad: Any) -> Tensor:
    r = wrap(array, dev)
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
            raise RuntimeError(f"{fn}: Dimension size must be non-negative, got {list(given)}.")
        shape.append(n)
    return tuple(shape)


def checked(value: Any, d: dtypes.dtype) -> Any:
    """A Python number that dtype `d` can hold, integers wrapped. RuntimeError as in PyTorch where it cannot."""
    name = CPP_NAME.get(d.name, d.name)
    if isinstance(value, complex) and d.category != dtypes.COMPLEX:
        if value.imag != 0 and d.category != dtypes.BOOL:
            raise RuntimeError(f"value cannot be converted to type {name} without overflow")
        value = value.real if d.category != dtypes.BOOL else bool(value)
    if d.category == dtypes.INT:
        limits = dtypes.iinfo(d)
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
        if isfinite(value) and abs(value) > dtypes.finfo(d).max:
            raise RuntimeError(f"value cannot be converted to type {name} without overflow")
    return value


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


def _into(out: Any, r: Tensor, dtype: Any, fn: str) -> Tensor:
    """The result in `out=`, whose dtype holds; RuntimeError where dtype= names another."""
    if not isinstance(out, Tensor):
        raise TypeError(f"{fn}(): argument 'out' must be Tensor, not {type(out).__name__}")
    if dtype is not None and dtypes.of(dtype, fn) is not out.dtype:
        have, want = (dtypes.TYPE_NAMES[d.name] for d in (dtypes.of(dtype, fn), out.dtype))
        raise RuntimeError(f"dtype {have} does not match dtype of out parameter ({want})")
    return write_out(out, to(r, out.dtype))


def _filled(dev: Any, shape: tuple[int, ...], d: Any, value: Any) -> Any:
    try:
        if value is None:
            return dev.backend.empty(shape, d)
        return (
            dev.backend.zeros(shape, d) if value.__class__ is int and value == 0 else dev.backend.full(shape, value, d)
        )
    except (MemoryError, ValueError) as error:
        raise RuntimeError(
            f"can't allocate memory: {prod(shape) * d.itemsize} bytes for sizes={list(shape)} ({error})"
        ) from None


def _ordered(dev: Any, shape: tuple[int, ...], d: Any, value: Any, order: tuple[int, ...] | None) -> Any:
    """A filled array whose axes lie in memory in the order `order`."""
    if order is None:
        return _filled(dev, shape, d, value)
    back = [order.index(i) for i in builtin_range(len(order))]
    return _filled(dev, tuple(shape[i] for i in order), d, value).transpose(back)


builtin_range = range


# ---- from data -------------------------------------------------------------------------------------------------------
def _scan(data: Any, kinds: set[Any]) -> None:
    """The types that stand in nested lists and tuples."""
    types = set(map(type, data))
    kinds |= types
    if not types.isdisjoint(SEQUENCES):
        for x in data:
            if x.__class__ in SEQUENCES:
                _scan(x, kinds)


def _lengths(data: Any) -> list[int]:
    """The shape of nested sequences, read off the first elements."""
    shape = []
    while _is_sequence(data) or isinstance(data, str):
        if isinstance(data, str):
            raise ValueError("too many dimensions 'str'")
        shape.append(len(data))
        if not shape[-1]:
            break
        data = data[0]
    return shape


def _is_sequence(x: Any) -> bool:
    if isinstance(x, Tensor):
        return False
    if isinstance(x, (list, tuple)):
        return True
    return (
        hasattr(x, "__getitem__") and hasattr(x, "__len__") and not isinstance(x, (dict, str, bytes))
        and x.__class__ not in SCALARS and getattr(x, "shape", None) != ()
    )  # fmt: skip


def _plain(data: Any, shape: list[int], level: int, found: set[dtypes.dtype]) -> Any:
    """Nested data as lists of Python numbers; `found` collects the dtypes of the leaves. Errors are PyTorch's."""
    if level < len(shape):
        if not _is_sequence(data):
            raise TypeError("not a sequence")
        if len(data) != shape[level]:
            raise ValueError(f"expected sequence of length {shape[level]} at dim {level} (got {len(data)})")
        if hasattr(data, "dtype") and not isinstance(data, Tensor) and data.ndim == len(shape) - level:
            found.add(_known(data))
            return data.tolist()
        return [_plain(x, shape, level + 1, found) for x in data]
    if isinstance(data, Tensor):
        if data._a.size != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        found.add(data.dtype)
        return data.item()
    if data.__class__ in SCALARS or (hasattr(data, "dtype") and getattr(data, "shape", None) == ()):
        found.add(_known(data))
        return data.item()
    if isinstance(data, (bool, int, float, complex)):
        found.add(dtypes.scalar_dtype(data))
        return data
    if isinstance(data, (str, bytes)):
        raise TypeError(f"new(): invalid data type '{type(data).__name__}'")
    if _is_sequence(data):
        raise TypeError(f"'{type(data).__name__}' object cannot be interpreted as a number")
    if hasattr(data, "__index__"):
        found.add(dtypes.int64)
        return data.__index__()
    raise RuntimeError(f"Could not infer dtype of {type(data).__name__}")


def _known(array: Any) -> dtypes.dtype:
    """The dtype of a foreign array or scalar. TypeError, or ValueError for foreign byte order, where it has none."""
    found = DTYPE_OF.get(array.dtype)
    if found is None:
        if getattr(array.dtype, "byteorder", "=") not in "=|" and array.dtype.newbyteorder("=") in DTYPE_OF:
            raise ValueError(
                "given numpy array has byte order different from the native byte order. Conversion between byte orders "
                "is currently not supported."
            )
        raise TypeError(
            f"can't convert np.ndarray of type numpy.{array.dtype.type.__name__}. The only supported types are: "
            "float64, float32, float16, complex64, complex128, int64, int32, int16, int8, uint64, uint32, uint16, uint8, "
            "and bool."
        )
    return found


def _foreign(data: Any) -> dtypes.dtype:
    """Checks a NumPy array that becomes a tensor."""
    found = _known(data)
    if any(s < 0 for s in data.strides):
        raise ValueError(
            "At least one stride in the given numpy array is negative, and tensors with negative strides are not "
            "currently supported. (You can probably work around this by making a copy of your array with array.copy().)"
        )
    return found


def _from_sequence(data: Any, wanted: Any, backend: Any) -> Any:
    """A NumPy array from nested sequences; `wanted`: a dtype or None, which reads it off the data."""
    shape = _lengths(data)
    found: set[dtypes.dtype] = set()
    kinds: set[Any] = set()
    if data.__class__ in SEQUENCES:
        _scan(data, kinds)
    if kinds - SEQUENCES <= NUMBERS and kinds:
        found = {dtypes.scalar_dtype(t()) for t in kinds & NUMBERS}
        host = backend.host(data)
        if host.dtype.kind == "O" and list(host.shape) != shape:
            if 0 not in shape:
                _plain(data, shape, 0, set())  # ragged: this says how
            host = backend.host(None)
    elif 0 in shape:
        host = backend.host(None)
    else:
        host = backend.host(_plain(data, shape, 0, found))
    if 0 in shape:
        return backend.host([]).reshape(shape).astype(array_dtype(wanted or dtypes.get_default_dtype()))
    if wanted is None:
        wanted = found.pop()
        for d in found:
            wanted = dtypes.promote_types(wanted, d)
    return _host_cast(host, wanted)


def _host_cast(host: Any, d: dtypes.dtype) -> Any:
    """Python numbers, as NumPy read them, in dtype `d`; errors where they do not fit."""
    kind, array = host.dtype.kind, array_dtype(d)
    if d.category == dtypes.INT:
        if kind == "c":
            raise TypeError("must be real number, not complex")
        limits = dtypes.iinfo(d)
        low = limits.min if d.is_signed or kind == "f" else -limits.max
        if host.dtype != array and kind != "b" and not bool(((host >= low) & (host <= limits.max)).all()):
            if d is dtypes.int64 and kind != "f":
                raise ValueError("Overflow when unpacking long long")
            raise RuntimeError(f"value cannot be converted to type {d.name} without overflow")
        return host.astype("int64" if kind in "fO" else host.dtype).astype(array)
    if d.category == dtypes.FLOAT and kind == "c":
        raise TypeError("must be real number, not complex")
    if kind == "O":
        host = host.astype("complex128" if d.category == dtypes.COMPLEX else "float64")
    return host.astype(array)


def _from_data(data: Any, dtype: dtypes.dtype | None, dev: Any) -> Any:
    """An array with memory of its own from numbers, nested sequences, arrays and tensors."""
    backend = dev.backend
    if isinstance(data, Tensor):
        a = data._a
        if data._dev.type != dev.type:
            a = backend.from_numpy(data._dev.backend.to_numpy(a))
        d = a.dtype if dtype is None else array_dtype(dtype)
        return backend.cast(a, d) if a.dtype != d else a.copy(order="K")
    if data.__class__ in NUMBERS:
        d = dtype or dtypes.scalar_dtype(data)
        return backend.from_numpy(_host_cast(backend.host(data), d))
    if isinstance(data, (str, bytes)):
        raise TypeError(f"new(): invalid data type '{type(data).__name__}'")
    if data.__class__ in SCALARS:
        return backend.from_numpy(_host_cast(backend.host(data), dtype or _known(data)))
    if hasattr(data, "__array_interface__") or hasattr(data, "__cuda_array_interface__"):
        host = data if hasattr(data, "strides") else backend.host(data)
        if hasattr(data, "__cuda_array_interface__"):
            host = backend.to_numpy(backend.asarray(data))
        d = array_dtype(dtype or _foreign(host))
        _foreign(host)
        return backend.from_numpy(host.astype(d, order="K", copy=True))
    if _is_sequence(data):
        return backend.from_numpy(_from_sequence(data, dtype, backend))
    if hasattr(data, "__array__"):
        return _from_data(backend.host(data), dtype, dev)
    if hasattr(data, "__index__"):
        return backend.from_numpy(_host_cast(backend.host(data.__index__()), dtype or dtypes.int64))
    raise RuntimeError(f"Could not infer dtype of {type(data).__name__}")


def tensor(
    data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False
) -> Tensor:
    """A copy of `data` (number, nested sequence, array, tensor). Floats get the default dtype. Source: torch.tensor."""
    if isinstance(data, Tensor):
        warnings.warn(
            "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or "
            "sourceTensor.detach().clone().requires_grad_(True), rather than torch.tensor(sourceTensor).",
            UserWarning,
            stacklevel=2,
        )
    return make_tensor(data, dtype, device, requires_grad, pin_memory)


def make_tensor(
    data: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False
) -> Tensor:
    """`tensor` without its advice."""
    if pin_memory:
        check_pinned(pin_memory)
    dev = data._dev if device is None and isinstance(data, Tensor) else devices.resolve(device)
    return _finish(_from_data(data, None if dtype is None else dtypes.of(dtype, "tensor"), dev), dev, requires_grad)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """Like `tensor`, without a copy where dtype and device allow it. Source: torch.as_tensor."""
    if isinstance(data, Tensor):
        return to(data, device=device, dtype=dtype) if dtype is not None or device is not None else data
    dev = devices.resolve(device)
    if hasattr(data, "__array_interface__") and data.__class__ not in SCALARS and dev.type == "cpu":
        r = from_numpy(data, dev)
        return r if dtype is None else to(r, dtypes.of(dtype, "as_tensor"))
    return make_tensor(data, dtype, dev)


def asarray(
    obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None, requires_grad: bool | None = False
) -> Tensor:
    """A tensor from a tensor, array, DLPack object, buffer or sequence; copy=False: an alias or ValueError.

    Source: torch.asarray.
    """
    if isinstance(obj, Tensor):
        source = obj
    elif obj.__class__ in SCALARS:
        source = make_tensor(obj)
    elif hasattr(obj, "__array_interface__"):
        source = from_numpy(obj)
    elif hasattr(obj, "__dlpack__"):
        source = from_dlpack(obj)
    elif isinstance(obj, (bytes, bytearray, memoryview)):
        source = frombuffer(obj, dtype=dtypes.get_default_dtype() if dtype is None else dtype)
    else:
        if copy is False:
            raise ValueError("can't alias arbitrary sequence into a tensor.")
        return make_tensor(obj, dtype, device, bool(requires_grad))
    r = to(source, device=device, dtype=dtype)
    if copy is False and r is not source:
        if r.dtype is not source.dtype:
            have, want = (dtypes.TYPE_NAMES[t.dtype.name] for t in (source, r))
            raise ValueError(f"can't alias tensor with dtype '{have}' into dtype '{want}'.")
        raise ValueError(f"can't alias tensor from device '{source._dev}' to '{r._dev}'.")
    if copy and (r is source or r._dev.type == source._dev.type and r._a is source._a):
        r = r.clone()  # type: ignore[attr-defined]
    if requires_grad and not r.requires_grad:
        if r._a.dtype.kind in "biu":
            raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
        r = r.requires_grad_()
    return r


def from_numpy(ndarray: Any, dev: Any = None) -> Tensor:
    """A CPU tensor that shares memory with a NumPy array. TypeError for a foreign dtype. Source: torch.from_numpy."""
    if not hasattr(ndarray, "__array_interface__") or not hasattr(ndarray, "strides") or ndarray.__class__ in SCALARS:
        name = type(ndarray).__name__
        raise TypeError(f"expected np.ndarray (got {'numpy.' if ndarray.__class__ in SCALARS else ''}{name})")
    _foreign(ndarray)
    if not ndarray.flags.writeable:
        _warn_readonly()
    dev = dev or devices.cpu_device()
    return wrap(dev.backend.asarray(ndarray), dev)


def _warn_readonly() -> None:
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(
            "The given NumPy array is not writable; writing to the tensor raises ValueError. You may want to copy the "
            "array to protect its data or make it writable before converting it to a tensor.",
            UserWarning,
            stacklevel=3,
        )


_warned = False


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor that shares memory with any DLPack object. Source: torch.from_dlpack."""
    if type(ext_tensor).__name__ == "PyCapsule":
        ext_tensor = Capsule(ext_tensor)
    if not hasattr(ext_tensor, "__dlpack__"):
        raise RuntimeError(
            f"from_dlpack received an invalid capsule: {type(ext_tensor).__name__} has no __dlpack__ method."
        )
    kind, index = ext_tensor.__dlpack_device__()
    dev = devices.cpu_device() if kind == 1 else devices.resolve("cuda", index)
    r = wrap(dev.backend.from_dlpack(ext_tensor), dev)
    if device is not None and devices.resolve(device) != dev:
        if copy is False:
            raise ValueError(
                f"cannot move (i.e. copy=False) tensor from {dev} to {devices.resolve(device)} without a copy."
            )
        return to_device(r, devices.resolve(device))
    return r.clone() if copy else r  # type: ignore[attr-defined, no-any-return]


def frombuffer(buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False) -> Tensor:
    """A 1-d CPU tensor over the memory of a Python buffer. ValueError for lengths that do not fit. Source: torch.frombuffer."""
    d = dtypes.of(dtype, "frombuffer")
    try:
        length = memoryview(buffer).nbytes
    except TypeError:
        raise ValueError("object does not implement Python buffer protocol.") from None
    if length == 0 or count == 0:
        raise ValueError(f"both buffer length ({length}) and count ({count}) must not be 0")
    if not 0 <= offset < length:
        raise ValueError(
            f"offset ({offset} bytes) must be non-negative and no greater than buffer length ({length} bytes) minus 1"
        )
    if count < 0:
        if (length - offset) % d.itemsize:
            raise ValueError(
                f"buffer length ({length - offset} bytes) after offset ({offset} bytes) must be a multiple of element "
                f"size ({d.itemsize})"
            )
        count = (length - offset) // d.itemsize
    if count * d.itemsize > length - offset:
        raise ValueError(
            f"requested buffer length ({count} * {d.itemsize} bytes) after offset ({offset} bytes) must not be greater than "
            f"actual buffer length ({length} bytes)"
        )
    dev = devices.cpu_device()
    return _finish(dev.backend.frombuffer(buffer, array_dtype(d), count, offset), dev, requires_grad)


# ---- of given values -------------------------------------------------------------------------------------------------
def _creator(name: str, value: Any) -> Any:
    formats = name == "empty"

    def make(
        *size: Any, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
        pin_memory: bool = False, requires_grad: bool = False, **kw: Any,
    ) -> Tensor:  # fmt: skip
        wanted = kw.pop("memory_format", None) if formats else None
        shape = _shape(name, size, kw)
        if layout is not None or pin_memory:
            check_layout(layout)
            check_pinned(pin_memory)
        dev = devices.resolve(device)
        d = array_dtype(dtypes.get_default_dtype() if dtype is None else dtypes.of(dtype, name))
        if wanted is None:
            r = wrap(_filled(dev, shape, d, value), dev)
        else:
            r = wrap(_ordered(dev, shape, d, value, axis_order(wanted, None, shape)), dev)
        if requires_grad is not False:
            r = _finish(r._a, dev, requires_grad)
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
        _into(out, wrap(_filled(dev, shape, out._a.dtype, checked(value, out.dtype)), dev), dtype, "full")
        return out  # type: ignore[no-any-return]
    d = dtypes.scalar_dtype(value) if dtype is None else dtypes.of(dtype, "full")
    return _finish(_filled(dev, shape, array_dtype(d), checked(value, d)), dev, requires_grad)


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
        return _finish(_ordered(dev, a.shape, d, value, order), dev, requires_grad)

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
    value = checked(number(fill_value, "full_like", "fill_value"), d)
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
    flat = _filled(dev, (count,), d, None)
    if count:
        flat = dev.backend.strided_view(flat, shape, tuple(s * d.itemsize for s in strides), 0, d)
    return _finish(flat if count else flat.reshape(shape), dev, requires_grad)


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
        _ordered(dev, shape, array_dtype(_default(dtype, "empty_permuted")), None, order), dev, requires_grad
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


def new_legacy(self: Tensor, *args: Any, device: Any = None) -> Tensor:
    """The legacy constructor with self's dtype: new(2, 3), new([1, 2])."""
    return legacy_tensor(args, self.dtype, self._dev if device is None else devices.resolve(device))


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
    r = _finish(dev.backend.arange(n, start, step, array_dtype(d)), dev, requires_grad)
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
        start, end = 0, start
    start, end, step = number(start, "range", "start"), number(end, "range", "end"), number(step, "range", "step")
    d = _default(dtype, "range") if out is None or dtype is not None else out.dtype
    start, end, step = _steps(start, end, step, d, "range")
    dev = _range_options(layout, pin_memory, device)
    r = _finish(dev.backend.arange(int((end - start) / step) + 1, start, step, array_dtype(d)), dev, requires_grad)
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
    return checked(start, d), checked(end, d), steps, *base, array_dtype(d)


def linspace(
    start: Any, end: Any, steps: int, *, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
    pin_memory: bool = False, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """`steps` values from start to end, both included. Source: torch.linspace."""
    dev = _range_options(layout, pin_memory, device)
    r = _finish(dev.backend.linspace(*_spaced("linspace", start, end, steps, dtype, out)), dev, requires_grad)
    return r if out is None else _into(out, r, dtype, "linspace")


def logspace(
    start: Any, end: Any, steps: int, base: float = 10.0, *, out: Any = None, dtype: Any = None, layout: Any = None,
    device: Any = None, pin_memory: bool = False, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """base ** linspace(start, end, steps). Source: torch.logspace."""
    dev = _range_options(layout, pin_memory, device)
    arguments = _spaced("logspace", start, end, steps, dtype, out, float(base))
    r = _finish(dev.backend.logspace(*arguments), dev, requires_grad)
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
    r = _finish(dev.backend.eye(*size, array_dtype(_default(dtype, "eye"))), dev, requires_grad)
    return r if out is None else _into(out, r, dtype, "eye")


for _name, _fn in (
    ("new", new_legacy), ("new_tensor", new_tensor), ("new_zeros", _new(zeros)), ("new_ones", _new(ones)),
    ("new_empty", _new(empty)), ("new_full", _new(full)), ("new_empty_strided", _new(empty_strided)),
):  # fmt: skip
    attach(_name, _fn)
