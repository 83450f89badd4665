"""Tensors from data: nested sequences, NumPy arrays, buffers, DLPack capsules."""

from __future__ import annotations

import warnings
from typing import Any

from .. import devices, dtypes
from ..backends.base import DTYPE_OF, SCALARS
from ..layouts import check_pinned
from ..settings import warn_once
from ..storage import UntypedStorage
from ..tensor import Tensor, wrap
from .arguments import NUMBERS, _finish
from .convert import (
    array_dtype,
    to,
    to_device,
)
from .exchange import Capsule

__all__ = ["as_tensor", "asarray", "from_dlpack", "from_numpy", "frombuffer", "tensor"]

SEQUENCES = frozenset((list, tuple))
PLAIN = SEQUENCES | NUMBERS


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
        limits = dtypes.int_limits(d)
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
        if data._dev != dev:
            a = backend.take(a, data._dev.backend)
        d = a.dtype if dtype is None else array_dtype(dtype)
        if a.dtype != d:
            return backend.cast(a, d)
        return a if a is not data._a else backend.copy_like(a)
    if data.__class__ in NUMBERS:
        d = dtype or dtypes.scalar_dtype(data)
        return backend.from_numpy(_host_cast(backend.host(data), d))
    if isinstance(data, (str, bytes)):
        raise TypeError(f"new(): invalid data type '{type(data).__name__}'")
    if isinstance(data, UntypedStorage):
        return _from_data(data._array(), dtype, dev)
    if data.__class__ in SCALARS:
        return backend.from_numpy(_host_cast(backend.host(data), dtype or _known(data)))
    if hasattr(data, "__array_interface__"):
        host = data if hasattr(data, "strides") else backend.host(data)
        d = array_dtype(dtype or _foreign(host))
        _foreign(host)
        order = "C" if 0 in host.strides else "K"  # NumPy puts an expanded dimension last
        return backend.from_numpy(host.astype(d, order=order, copy=True))
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
    if data.__class__ not in PLAIN and hasattr(data, "__cuda_array_interface__") and not isinstance(data, Tensor):
        data = _on_cuda(data)
    dev = data._dev if device is None and isinstance(data, Tensor) else devices.resolve(device)
    return _finish(
        _from_data(data, None if dtype is None else dtypes.of(dtype, "tensor"), dev), dev, requires_grad, pin_memory
    )


def _on_cuda(data: Any) -> Tensor:
    """A tensor over the memory of an object with a __cuda_array_interface__."""
    dev = devices.resolve("cuda", devices.resolve("cuda").backend.index_of(data))
    return wrap(dev.backend.asarray(data), dev)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """Like `tensor`, without a copy where dtype and device allow it. Source: torch.as_tensor."""
    if isinstance(data, Tensor):
        return to(data, device=device, dtype=dtype) if dtype is not None or device is not None else data
    if hasattr(data, "__cuda_array_interface__"):
        return to(_on_cuda(data), device=device, dtype=dtype)
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
        warn_once(
            "The given NumPy array is not writable; writing to the tensor raises ValueError. You may want to copy the "
            "array to protect its data or make it writable before converting it to a tensor.",
            2,
        )
    dev = dev or devices.cpu_device()
    return wrap(dev.backend.asarray(ndarray), dev)


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor that shares memory with any DLPack object. Source: torch.from_dlpack."""
    if type(ext_tensor).__name__ == "PyCapsule":
        ext_tensor = Capsule(ext_tensor)
    if not hasattr(ext_tensor, "__dlpack__"):
        raise RuntimeError(
            f"from_dlpack received an invalid capsule: {type(ext_tensor).__name__} has no __dlpack__ method."
        )
    kind, index = ext_tensor.__dlpack_device__()
    if kind not in (1, 2, 3, 13):  # the CPU, CUDA, its page-locked and its managed memory
        raise RuntimeError(f"from_dlpack: PolyTensor knows no memory of DLPack's device type {int(kind)}")
    dev = devices.cpu_device() if kind in (1, 3) else devices.resolve("cuda", index)
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
