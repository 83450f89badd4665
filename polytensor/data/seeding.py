"""One seed per batch: the number of workers never changes what a batch is made of."""

from __future__ import annotations

from hashlib import blake2b
from types import TracebackType

from .. import random as streams
from ..backends import host_random

SETUP = 2**64 - 1  # in the place of a batch's number: while a worker is set up


def batch_seed(base: int, batch: int) -> int:
    """63 bits (an int64, as PyTorch's) from the epoch's base seed, drawn anew for each epoch, and the batch's number."""
    words = base.to_bytes(8, "little") + batch.to_bytes(8, "little")
    return int.from_bytes(blake2b(words, digest_size=8).digest(), "little") >> 1


def seed_all(seed: int) -> None:
    """Seed the default Generator, Python's random and NumPy's global one."""
    streams.default_generator.manual_seed(seed)
    host_random.seed(seed)


class Seeded:
    """Within the block every global random stream is at `seed`; after it, where it was before."""

    __slots__ = ("_host", "_own", "seed")

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __enter__(self) -> None:
        self._own = streams.default_generator.clone_state()
        self._host = host_random.save()
        seed_all(self.seed)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        streams.default_generator.graphsafe_set_state(self._own)
        host_random.restore(self._host)


class SeededThread:
    """Within the block this thread's draws from the default Generator come from `seed`; other threads see nothing of it.

    Python's random and NumPy's global stream are shared by all threads and are left alone.
    """

    __slots__ = ("generator",)

    def __init__(self, seed: int) -> None:
        self.generator = streams.Generator().manual_seed(seed)

    def __enter__(self) -> None:
        streams.set_thread_generator(self.generator)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        streams.set_thread_generator(None)
