"""Batches from a worker process to the loader: small ones through the pipe, large ones through shared memory.

A worker writes a batch's memory into a block that it uses again and again; the loader copies it out on arrival and frees
the block with its next task. So there are never more blocks than batches under way, their names can be told from those
that came before, and the loader alone removes them, also after a worker was killed. Where shared memory is full, as in
containers that have 64 MB of it, batches go through the pipe.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
from multiprocessing.shared_memory import SharedMemory
from typing import Any

from .. import devices
from ..tensor import Tensor, wrap

INLINE = 16_384  # bytes of memory that still go through the pipe
ALIGN = 64


def _tensor(array: Any, dtype: Any, order: Any, requires_grad: bool) -> Tensor:
    # an unpickled array's dtype equals the one that kernels know, but is another object
    x = wrap(array.view(dtype.array), devices.cpu_device())
    if order is not None:
        x = x.permute(order)  # type: ignore[attr-defined]
    return x.requires_grad_() if requires_grad else x  # type: ignore[attr-defined,no-any-return]


class _Pickler(pickle.Pickler):
    """Sends a tensor's own elements, not all of the memory that it is a view of; the order of its strides is kept."""

    def reducer_override(self, obj: Any) -> Any:
        if type(obj) is not Tensor or obj.__dict__ or obj.device.type != "cpu" or obj.is_sparse:  # type: ignore[attr-defined]
            return NotImplemented
        if obj._fn is not None:
            if obj.grad_fn is not None:  # type: ignore[attr-defined]
                raise RuntimeError(
                    "Cowardly refusing to serialize non-leaf tensor which requires_grad, since autograd does not support "
                    "crossing process boundaries.  If you just want to transfer the data, call detach() on the tensor "
                    "before serializing (e.g., putting it on the queue)."
                )
        grad = bool(obj.requires_grad)
        x: Any = obj.detach()  # type: ignore[attr-defined]
        back = None
        if not x.is_contiguous():
            strides = x.stride()
            order = sorted(range(x.ndim), key=lambda d: (-strides[d], d))
            if order != list(range(x.ndim)):
                back = sorted(range(x.ndim), key=order.__getitem__)
                x = x.permute(order)
            x = x.contiguous()
        return _tensor, (x._a, obj.dtype, back, grad)


def _allocated(name: str, size: int) -> SharedMemory | None:
    """A new block whose pages are there, so that writing to it cannot end in a bus error; None where they are not to be had."""
    try:
        block = SharedMemory(name, create=True, size=size)
    except OSError:
        return None
    try:
        file = os.open(f"/dev/shm/{name}", os.O_RDWR)
    except OSError:  # another system: its blocks are no files
        return block
    try:
        os.posix_fallocate(file, 0, size)
    except OSError:
        block.close()
        block.unlink()
        return None
    finally:
        os.close(file)
    return block


class Sender:
    """The worker's end: packs batches into blocks named prefix_block_generation."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.free: list[int] = []
        self.blocks: list[SharedMemory] = []
        self.generations: list[int] = []

    def _block(self, size: int) -> int | None:
        """The number of a block of at least `size` bytes, or None where shared memory is full."""
        i = self.free.pop() if self.free else len(self.blocks)
        old = self.blocks[i] if i < len(self.blocks) else None
        if old is not None and old.size >= size:
            return i
        generation = 0 if old is None else self.generations[i] + 1
        block = _allocated(f"{self.prefix}_{i}_{generation}", size)
        if old is not None:
            if block is None:
                self.free.append(i)
                return None
            old.close()
            old.unlink()
        if block is None:
            return None
        self.blocks[i:] = [block, *self.blocks[i + 1 :]]
        self.generations[i:] = [generation, *self.generations[i + 1 :]]
        return i

    def pack(self, data: Any) -> Any:
        """(pickle, sizes, (block, generation)) where the buffers lie in shared memory, else (pickle, buffers, None)."""
        buffers: list[Any] = []
        out = io.BytesIO()
        _Pickler(out, 5, buffer_callback=buffers.append).dump(data)
        views = [b.raw() for b in buffers]
        sizes = [v.nbytes for v in views]
        i = self._block(sum(-(-n // ALIGN) * ALIGN for n in sizes)) if sum(sizes) > INLINE else None
        if i is None:
            return out.getvalue(), [bytes(v) for v in views], None
        memory: Any = self.blocks[i].buf
        at = 0
        for v, n in zip(views, sizes, strict=True):
            memory[at : at + n] = v
            at += -(-n // ALIGN) * ALIGN
        return out.getvalue(), sizes, (i, self.generations[i])

    def close(self, unlink: bool) -> None:
        for block in self.blocks:
            with contextlib.suppress(OSError):
                block.close()
                if unlink:
                    block.unlink()


class Receiver:
    """The loader's end for one worker: unpacks into memory of the batch's own."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.blocks: dict[int, tuple[int, SharedMemory]] = {}
        self.freed: list[int] = []

    def unpack(self, packed: Any) -> Any:
        data, parts, place = packed
        if place is None:
            return pickle.loads(data, buffers=[bytearray(b) for b in parts])
        i, generation = place
        known = self.blocks.get(i)
        if known is None or known[0] != generation:
            if known is not None:
                known[1].close()
            known = self.blocks[i] = (generation, SharedMemory(f"{self.prefix}_{i}_{generation}"))
        memory: Any = known[1].buf
        buffers, at = [], 0
        for n in parts:
            buffers.append(bytearray(memory[at : at + n]))
            at += -(-n // ALIGN) * ALIGN
        self.freed.append(i)
        return pickle.loads(data, buffers=buffers)

    def skip(self, packed: Any) -> None:
        """A batch that nobody wants any more."""
        if packed is not None and packed[2] is not None:
            self.freed.append(packed[2][0])

    def close(self, blocks: int) -> None:
        """Remove all blocks of a worker that has ended, `blocks` at most, also those that it never told of."""
        for i in range(blocks):
            generation = -1
            if i in self.blocks:
                generation, block = self.blocks[i]
                block.close()
                with contextlib.suppress(OSError):
                    block.unlink()
            name = f"{self.prefix}_{i}_{generation + 1}"
            with contextlib.suppress(OSError):
                try:
                    block = SharedMemory(name)
                except ValueError:  # the worker ended before the block had a size; Linux has it as a file
                    os.unlink(f"/dev/shm/{name}")
                    continue
                block.close()
                block.unlink()
        self.blocks = {}
