"""Tensors in memory that several processes see: share_memory_(), and how multiprocessing sends such tensors.

The memory is a file without a name that each process maps; it is gone with its last mapping. A forked child has the mapping,
any other process is handed the file's descriptor by multiprocessing's own pickles (arguments of a Process, queues, pipes).
Tensors that were not shared are sent as copies.
"""

from __future__ import annotations

import os
import tempfile
from mmap import mmap
from multiprocessing import reduction
from typing import Any

from .ops.creation import empty_like
from .ops.from_data import frombuffer
from .tensor import Parameter, Tensor

__all__ = ["block_of", "share"]


class Block(mmap):
    """The mapped file, and its descriptor for handing it on."""

    fd: int

    def __new__(cls, fd: int, size: int) -> Block:
        block = super().__new__(cls, fd, size)
        block.fd = fd
        return block

    def __del__(self, close: Any = os.close) -> None:  # `os` may be gone at the end of the process
        close(self.fd)


def _file(size: int) -> int:
    """The descriptor of a new file without a name, in memory where there is room."""
    for folder in ("/dev/shm", None):
        if folder is None or os.path.isdir(folder):
            with tempfile.TemporaryFile(dir=folder) as file:
                try:
                    if hasattr(os, "posix_fallocate"):  # which fails where there is no room
                        os.posix_fallocate(file.fileno(), 0, size)
                    else:
                        file.truncate(size)
                except OSError:
                    if folder is None:
                        raise
                    continue
                return os.dup(file.fileno())
    raise OSError("there is no folder for shared memory")


def block_of(array: Any, dev: Any) -> Block | None:
    """The shared memory that an array lies in, or None."""
    base: Any = array if dev.type == "cpu" else None
    while base is not None and not isinstance(base, Block):
        base = base.obj if isinstance(base, memoryview) else getattr(base, "base", None)
    return base  # type: ignore[no-any-return]


def _lay(block: Block, dtype: Any, offset: int, shape: Any, strides: Any) -> Tensor:
    flat = frombuffer(block, dtype=dtype)
    if 0 in shape:
        return flat[:0].view(shape)  # type: ignore[index, no-any-return]
    return flat.as_strided(shape, strides, offset)  # type: ignore[attr-defined, no-any-return]


def share(x: Tensor) -> Tensor:
    """Move x, in place, to shared memory; on the CPU only. Other tensors on its old memory stay there."""
    if x._dev.type != "cpu" or block_of(x._a, x._dev) is not None:
        return x
    old = x.detach()
    like = empty_like(old)  # the layout: a view becomes dense
    size = max(like.numel(), 1) * like.element_size()
    block = Block(_file(size), size)
    x.data = _lay(block, x.dtype, 0, like.shape, like.stride()).copy_(old).to(x.device)
    return x


def _send(x: Tensor) -> Any:
    """How multiprocessing pickles a tensor."""
    if x.requires_grad and not x.is_leaf:  # type: ignore[attr-defined]
        raise RuntimeError(
            "Cowardly refusing to serialize non-leaf tensor which requires_grad, since autograd does not support crossing "
            "process boundaries.  If you just want to transfer the data, call detach() on the tensor before serializing "
            "(e.g., putting it on the queue)."
        )
    block = block_of(x._a, x._dev)
    if block is None:
        return x.__reduce_ex__(2)
    start = frombuffer(block, dtype=x.dtype).data_ptr()
    offset = (x.data_ptr() - start) // x.element_size()
    layout = (x.dtype, offset, tuple(x.shape), x.stride())
    return _receive, (
        type(x) is Parameter,
        reduction.DupFd(block.fd),
        len(block),
        layout,
        x.requires_grad,
        dict(vars(x)),
    )


def _receive(parameter: bool, handle: Any, size: int, layout: Any, requires_grad: bool, attributes: Any) -> Tensor:
    x = _lay(Block(handle.detach(), size), *layout)
    x = Parameter(x, requires_grad) if parameter else x.requires_grad_(requires_grad)
    vars(x).update(attributes)
    return x


if hasattr(reduction, "DupFd"):  # not on Windows, where tensors are sent as copies
    reduction.ForkingPickler.register(Tensor, _send)
    reduction.ForkingPickler.register(Parameter, _send)
