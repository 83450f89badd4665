"""The memory behind tensors, as PyTorch's storages show it. Tensors that share memory show one storage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .backends.base import DTYPE_OF
from .settings import warn_once


class UntypedStorage:
    """A block of memory as bytes. Source: torch.UntypedStorage."""

    def __init__(self, array: Any, dev: Any) -> None:
        self._bytes = dev.backend.storage(array)
        self.device = dev
        self._cdata = self.data_ptr()

    @property
    def is_cuda(self) -> bool:
        return bool(self.device.type == "cuda")

    def to(self, device: Any) -> UntypedStorage:
        """The bytes on another device (there already: this storage)."""
        from .devices import resolve

        dev = resolve(device)
        if dev == self.device:
            return self
        return UntypedStorage(dev.backend.take(self._bytes, self.device.backend), dev)

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

    def __init__(self, array: Any, dev: Any) -> None:
        _warn()
        super().__init__(array, dev)
        item = array.dtype.itemsize
        self._untyped = UntypedStorage(array, dev)
        self.dtype = DTYPE_OF[array.dtype]
        self._bytes = self._bytes[: self._bytes.size // item * item].view(array.dtype)

    def untyped(self) -> UntypedStorage:
        return self._untyped

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


def _warn() -> None:
    """TypedStorage is deprecated in PyTorch; said once."""
    warn_once(
        "TypedStorage is deprecated. It will be removed in the future and UntypedStorage will be the only storage class. "
        "To access UntypedStorage directly, use tensor.untyped_storage() instead of tensor.storage()",
        4,
    )
