"""Tensors over files, and the capsules of DLPack. Source: torch."""

from __future__ import annotations

import ctypes
import mmap
import os
from typing import Any

from .. import dtypes
from ..tensor import Tensor
from .table import check_tensor

__all__ = ["from_file", "to_dlpack"]


class Capsule:
    """A bare DLPack capsule as the object that from_dlpack of an array library takes."""

    def __init__(self, capsule: Any) -> None:
        self.capsule = capsule

    def __dlpack__(self, **kwargs: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        """(kind, index), which stand behind the data pointer. RuntimeError for a capsule already used."""
        read = ctypes.pythonapi.PyCapsule_GetPointer
        read.restype, read.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
        for name, before in ((b"dltensor", 0), (b"dltensor_versioned", 32)):  # version, context, deleter, flags
            try:
                start = read(self.capsule, name)
            except ValueError:
                continue
            kind, index = (ctypes.c_int32 * 2).from_address(start + before + ctypes.sizeof(ctypes.c_void_p))
            return kind, index
        raise RuntimeError("from_dlpack received an invalid capsule: it can be used only once")


def from_file(
    filename: str, shared: bool | None = None, size: int | None = 0, *, dtype: Any = None, layout: Any = None,
    device: Any = None, pin_memory: bool = False, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """A tensor of `size` elements over the bytes of a file. Source: torch.from_file.

    `shared`: writes reach the file, which is made or made longer as needed; else they stay here.
    """
    from .creation import empty
    from .from_data import frombuffer

    d = dtypes.get_default_dtype() if dtype is None else dtypes.of(dtype, "from_file")
    size = size or 0
    wanted = size * d.array.itemsize
    if not shared and not os.path.exists(filename):
        raise RuntimeError(f"unable to open file <{filename}> in read-only mode: No such file or directory (2)")
    if shared:
        with open(filename, "ab") as file:
            if file.tell() < wanted:
                file.truncate(wanted)
    elif os.path.getsize(filename) < wanted:
        raise RuntimeError(
            f"file <{filename}> size <{os.path.getsize(filename)}> is smaller than the required {wanted}"
        )
    if not size:
        r: Any = empty(0, dtype=d, device=device)
    else:
        with open(filename, "r+b" if shared else "rb") as file:
            access = mmap.ACCESS_WRITE if shared else mmap.ACCESS_COPY
            memory = mmap.mmap(file.fileno(), wanted, access=access)
        r = frombuffer(memory, dtype=d)
        r = r if device is None else r.to(device)
    return r.requires_grad_() if requires_grad else r  # type: ignore[no-any-return]


def to_dlpack(tensor: Tensor) -> Any:
    """A DLPack capsule of the tensor's memory. Source: torch.utils.dlpack.to_dlpack."""
    return check_tensor(tensor, "to_dlpack", "tensor").__dlpack__()  # type: ignore[attr-defined]
