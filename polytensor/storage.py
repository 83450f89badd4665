"""torch.UntypedStorage: the memory behind a tensor, as bytes that its views share."""

from __future__ import annotations

from typing import Any

from .protocols import warn_storage


class UntypedStorage:
    """The bytes that a tensor and its views look into. Source: torch.UntypedStorage."""

    __slots__ = ("_dev", "_owner")

    def __init__(self, owner: Any, dev: Any) -> None:
        self._owner = owner
        self._dev = dev

    device = property(lambda self: self._dev)
    is_cuda = property(lambda self: self._dev.type == "cuda")

    def data_ptr(self) -> int:
        """The address of the first byte."""
        return self._dev.backend.data_ptr(self._owner)  # type: ignore[no-any-return]

    def nbytes(self) -> int:
        return int(self._owner.nbytes)

    size = __len__ = nbytes

    def element_size(self) -> int:
        return 1

    def tolist(self) -> list[int]:
        """The bytes as ints."""
        backend = self._dev.backend
        owner = self._owner if backend.is_dense(self._owner) else backend.copy(self._owner)
        return backend.to_numpy(backend.bytes_of(owner)).tolist()  # type: ignore[no-any-return]

    def __iter__(self) -> Any:
        return iter(self.tolist())

    def __getitem__(self, index: Any) -> Any:
        return self.tolist()[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UntypedStorage) and self._owner is other._owner

    def __hash__(self) -> int:
        return id(self._owner)

    def __repr__(self) -> str:
        values = "\n ".join(map(str, self.tolist()))
        return f" {values}\n[torch.storage.UntypedStorage(device={self._dev}) of size {self.nbytes()}]"


class TypedStorage:
    """The same memory as elements of one dtype. Source: torch.TypedStorage."""

    __slots__ = ("_untyped", "dtype")

    def __init__(self, owner: Any, dev: Any, dtype: Any) -> None:
        warn_storage()
        self._untyped = UntypedStorage(owner, dev)
        self.dtype = dtype

    device = property(lambda self: self._untyped.device)
    is_cuda = property(lambda self: self._untyped.is_cuda)

    def untyped(self) -> UntypedStorage:
        return self._untyped

    def data_ptr(self) -> int:
        return self._untyped.data_ptr()

    def nbytes(self) -> int:
        return self._untyped.nbytes()

    def element_size(self) -> int:
        return self.dtype.itemsize  # type: ignore[no-any-return]

    def size(self) -> int:
        return self.nbytes() // self.element_size()

    __len__ = size

    def tolist(self) -> list[Any]:
        """The elements as Python numbers."""
        backend = self._untyped._dev.backend
        owner = self._untyped._owner
        owner = owner if backend.is_dense(owner) else backend.copy(owner)
        return backend.to_numpy(backend.bytes_of(owner).view(self.dtype.array)).tolist()  # type: ignore[no-any-return]

    def __iter__(self) -> Any:
        return iter(self.tolist())

    def __getitem__(self, index: Any) -> Any:
        return self.tolist()[index]

    def __repr__(self) -> str:
        values = "\n ".join(map(str, self.tolist()))
        return f" {values}\n[torch.storage.TypedStorage(dtype={self.dtype}, device={self.device}) of size {len(self)}]"
