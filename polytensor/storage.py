"""The memory behind tensors, as PyTorch's storages show it. Tensors that share memory show one storage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from . import devices, dtypes
from .backends.base import DTYPE_OF
from .settings import warn_once

CASTS = {  # methods that copy to another dtype; also whose names the old classes of storages have
    "bfloat16": "bfloat16", "bool": "bool", "byte": "uint8", "char": "int8", "complex_double": "complex128",
    "complex_float": "complex64", "double": "float64", "float": "float32", "half": "float16", "int": "int32",
    "long": "int64", "short": "int16",
}  # fmt: skip


def _memory(args: tuple[Any, ...], d: dtypes.dtype, device: Any, name: str) -> tuple[Any, Any]:
    """The array, and its device, of a storage that is made of nothing, of its number of elements or of a sequence of them."""
    from .ops import empty, tensor

    if len(args) > 1:
        raise TypeError(f"{name}() received an invalid combination of arguments")
    given = args[0] if args else 0
    if isinstance(given, int):
        x = empty(given, dtype=d, device=device)
    elif isinstance(given, Sequence):
        x = tensor(list(given), dtype=d, device=device)
    else:
        raise RuntimeError(f"{name}(): Expected a sequence type, but got {type(given).__name__}")
    return x._a, x._dev


class UntypedStorage:
    """A block of memory as bytes: so many of them, or those given. Source: torch.UntypedStorage."""

    def __init__(self, *args: Any, device: Any = None) -> None:
        self._look_at(*_memory(args, dtypes.uint8, device, "torch.UntypedStorage"))

    def _look_at(self, array: Any, dev: Any) -> None:
        self._bytes = dev.backend.storage(array)
        self.device = dev
        self._cdata = self.data_ptr()

    @classmethod
    def of(cls, array: Any, dev: Any) -> Any:
        """The storage behind an array."""
        storage = cls.__new__(cls)
        storage._look_at(array, dev)
        return storage

    @staticmethod
    def from_buffer(
        buffer: Any,
        byte_order: str | None = None,
        count: int = -1,
        offset: int = 0,
        dtype: Any = None,
        device: Any = None,
    ) -> UntypedStorage:
        """A copy of what a Python buffer holds: elements of `dtype`, in the order "native", "little" or "big"."""
        from .ops import frombuffer

        if dtype is None:
            raise RuntimeError("argument 'dtype' cannot be None")
        if byte_order is None and dtype.itemsize > 1:
            raise RuntimeError("function missing required argument 'byte_order' (pos 2)")
        x = frombuffer(buffer, dtype=dtypes.uint8)
        x = x[offset : None if count < 0 else offset + count * dtype.itemsize].clone()  # type: ignore[index]
        if byte_order == "big":
            x = x.view(-1, dtype.itemsize).flip(1).reshape(-1)
        return UntypedStorage.of(x._a, x._dev)  # type: ignore[no-any-return]

    def _array(self) -> Any:
        from .tensor import wrap

        return wrap(self._bytes, self.device)

    def clone(self) -> Any:
        """A copy of the memory."""
        return type(self).of(self._array().clone()._a, self.device)

    def __deepcopy__(self, memo: Any) -> Any:
        return self.clone()

    def copy_(self, source: UntypedStorage, non_blocking: bool | None = None) -> Any:
        """Take the bytes of another storage of this size."""
        have, given = (s.untyped() for s in (self, source))
        if have.nbytes() != given.nbytes():
            raise RuntimeError(
                f"size does not match, self was {have.nbytes()} bytes but src was {given.nbytes()} bytes"
            )
        have._array().copy_(given._array())
        return self

    def fill_(self, value: Any) -> Any:
        self._array().fill_(value)
        return self

    def untyped(self) -> UntypedStorage:
        return self

    def type(self) -> str:
        return "torch.storage.UntypedStorage"

    def is_pinned(self, device: Any = None) -> bool:
        return bool(self._array().is_pinned())

    @property
    def is_cuda(self) -> bool:
        return bool(self.device.type == "cuda")

    def to(self, device: Any, non_blocking: bool = False) -> UntypedStorage:
        """The bytes on another device (there already: this storage)."""
        dev = devices.resolve(device)
        if dev == self.device:
            return self
        return type(self).of(dev.backend.take(self._bytes, self.device.backend), dev)  # type: ignore[no-any-return]

    def cpu(self) -> UntypedStorage:
        return self.to("cpu")

    def cuda(self, device: Any = None) -> UntypedStorage:
        return self.to("cuda" if device is None else device)

    def data_ptr(self) -> int:
        """The address of the first byte."""
        return self.device.backend.data_ptr(self._bytes)  # type: ignore[no-any-return]

    def is_shared(self) -> bool:
        """Whether processes share the memory: after Tensor.share_memory_(), and on CUDA."""
        from .sharing import block_of

        return self.is_cuda or block_of(self._bytes, self.device) is not None

    def nbytes(self) -> int:
        return int(self._bytes.size)

    size = nbytes

    def element_size(self) -> int:
        return 1

    def __sizeof__(self) -> int:
        return super().__sizeof__() + self.nbytes()

    def __len__(self) -> int:
        return self.nbytes()

    def __getitem__(self, i: Any) -> Any:
        return self._bytes[i].tolist()

    def __setitem__(self, i: Any, value: Any) -> None:
        with self.device.backend.here():
            self._bytes[i] = value

    def __iter__(self) -> Iterator[int]:
        return iter(self.tolist())

    def tolist(self) -> list[Any]:
        return self._bytes.tolist()  # type: ignore[no-any-return]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UntypedStorage) and self._cdata == other._cdata

    def __hash__(self) -> int:
        return hash(self._cdata)

    def __repr__(self) -> str:
        values = "...\n" if self.device.type == "meta" else "".join(f" {v}\n" for v in self.tolist())
        return f"{values}[torch.storage.UntypedStorage(device={self.device}) of size {self.nbytes()}]"


class TypedStorage(UntypedStorage):
    """A block of memory as elements of one dtype. Source: torch.TypedStorage."""

    def __init__(
        self, *args: Any, wrap_storage: UntypedStorage | None = None, dtype: Any = None, device: Any = None
    ) -> None:
        d = dtype or dtypes.get_default_dtype()
        if wrap_storage is None:
            self._look_at(*_memory(args, d, device, "torch.TypedStorage"))
        else:
            n = wrap_storage.nbytes() // d.itemsize * d.itemsize
            self._look_at(wrap_storage._bytes[:n].view(d.array), wrap_storage.device)

    def _look_at(self, array: Any, dev: Any) -> None:
        _warn()
        super()._look_at(array, dev)
        item = array.dtype.itemsize
        self._untyped = UntypedStorage.of(array, dev)
        self.dtype = DTYPE_OF[array.dtype]
        self._bytes = self._bytes[: self._bytes.size // item * item].view(array.dtype)

    def untyped(self) -> UntypedStorage:
        return self._untyped

    def type(self) -> str:
        return f"torch.{dtypes.TYPE_NAMES[self.dtype.name]}Storage"

    def nbytes(self) -> int:
        return int(self._bytes.size) * self.element_size()

    def size(self) -> int:
        return int(self._bytes.size)

    def element_size(self) -> int:
        return self.dtype.itemsize

    def __len__(self) -> int:
        return self.size()

    def __repr__(self) -> str:
        values = "...\n" if self.device.type == "meta" else "".join(f" {v}\n" for v in self.tolist())
        return f"{values}[torch.storage.TypedStorage(dtype={self.dtype}, device={self.device}) of size {self.size()}]"


class _OldType(type):
    """The class of torch.FloatStorage and its kin, which make a TypedStorage of their dtype."""

    dtype: dtypes.dtype

    def __call__(cls, *args: Any, wrap_storage: UntypedStorage | None = None) -> TypedStorage:
        return TypedStorage(*args, wrap_storage=wrap_storage, dtype=cls.dtype)

    def __instancecheck__(cls, x: Any) -> bool:
        return isinstance(x, TypedStorage) and x.dtype is cls.dtype

    def from_buffer(cls, *args: Any, **kwargs: Any) -> TypedStorage:
        return cls(wrap_storage=UntypedStorage.from_buffer(*args, dtype=cls.dtype, **kwargs))


def _cast(d: dtypes.dtype) -> Any:
    def method(self: UntypedStorage) -> TypedStorage:
        x = self._array().to(d, copy=True)
        return TypedStorage.of(x._a, self.device)  # type: ignore[no-any-return]

    return method


for _name, _dtype in CASTS.items():
    _d = dtypes.BY_NAME[_dtype]
    setattr(UntypedStorage, _name, _cast(_d))
    _class = dtypes.TYPE_NAMES[_dtype] + "Storage"
    globals()[_class] = _OldType(_class, (), {"dtype": _d, "__module__": "torch"})
Storage = globals()["FloatStorage"]


def _warn() -> None:
    """TypedStorage is deprecated in PyTorch; said once."""
    warn_once(
        "TypedStorage is deprecated. It will be removed in the future and UntypedStorage will be the only storage class. "
        "To access UntypedStorage directly, use tensor.untyped_storage() instead of tensor.storage()",
        4,
    )
