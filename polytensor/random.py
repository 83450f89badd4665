"""Generator and seeds. One default Generator serves every device, so a seed gives the same numbers everywhere."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from . import devices
from .autograd.modes import mode
from .tensor import Tensor

_MASK = 2**64 - 1
DEFAULT_SEED = 67280421310721  # PyTorch's


class Generator:
    """A position in the random stream: a seed and a block counter. Source: torch.Generator.

    The stream is Philox4x64-10 with the seed as key; draws are the same on each device. RuntimeError for a device that
    is not here.
    """

    def __init__(self, device: Any = "cpu") -> None:
        self._device = None if device == "cpu" else devices.resolve(device)
        if self._device is not None and not devices.usable(self._device):
            raise RuntimeError(f"Cannot get a generator for {self._device}: there is no such device here")
        self._seed = DEFAULT_SEED
        self._counter = 0
        self._lock = threading.Lock()

    @property
    def device(self) -> devices.Device:
        """The device that it was made for."""
        return devices.cpu_device() if self._device is None else self._device

    def reserve(self, nblocks: int) -> tuple[int, int]:
        """Take `nblocks` blocks: (seed, counter of the first). RuntimeError under vmap with randomness='error'."""
        if mode.randomness == "error":
            raise RuntimeError(
                "vmap: called random operation while in randomness error mode. Please either use the 'same' or 'different' "
                "randomness flags on vmap or perform the randomness operation out of vmap"
            )
        if _per_thread is not None and self is default_generator:
            own = getattr(_per_thread, "generator", None)
            if own is not None:
                return own.reserve(nblocks)  # type: ignore[no-any-return]
        elif (
            _per_thread is not None
            and getattr(thread_generator(), "captures", False)
            and self is not thread_generator()
        ):
            raise RuntimeError("Attempt to increase offset for a CUDA generator not in capture mode.")
        with self._lock:
            first = self._counter
            self._counter = first + nblocks
        return self._seed, first

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream of `seed` (any 64-bit integer; negative ones count from 2**64). ValueError for a larger one."""
        if isinstance(seed, (bool, float)) or not hasattr(seed, "__index__"):
            raise RuntimeError(f"manual_seed expected a long, but got {type(seed).__name__}")
        seed = seed.__index__()
        if not -(2**63) <= seed <= _MASK:
            raise ValueError(f"Overflow when unpacking long long: seed {seed} is out of [-2**63, 2**64)")
        self._seed, self._counter = seed & _MASK, 0
        return self

    def seed(self) -> int:
        """Seed from the system's entropy, and say with what."""
        self.manual_seed(int.from_bytes(os.urandom(8), "little") >> 1)
        return self._seed

    def initial_seed(self) -> int:
        return self._seed

    def get_offset(self) -> int:
        """The block counter."""
        return self._counter

    def set_offset(self, offset: int) -> Generator:
        self._counter = int(offset)
        return self

    def get_state(self) -> Tensor:
        """Seed and counter as 16 bytes (uint8)."""
        from .dtypes import uint8
        from .ops.from_data import tensor

        state = self._seed.to_bytes(8, "little") + self._counter.to_bytes(8, "little")
        return tensor(list(state), dtype=uint8, device="cpu")

    def set_state(self, state: Tensor) -> Generator:
        """Go back to a state of get_state(). TypeError or RuntimeError for anything else."""
        if not isinstance(state, Tensor) or state.dtype.name != "uint8":
            raise TypeError(
                "expected a torch.ByteTensor, but got " + getattr(state, "type", lambda: type(state).__name__)()
            )
        data = bytes(state.tolist())
        if len(data) != 16:
            raise RuntimeError(f"Expected a generator state of 16 bytes, but got {len(data)}")
        self._seed, self._counter = int.from_bytes(data[:8], "little"), int.from_bytes(data[8:], "little")
        return self

    def clone_state(self) -> Generator:
        """A Generator of its own at the same position."""
        other = Generator(self.device)
        other._seed, other._counter = self._seed, self._counter
        return other

    graphsafe_get_state = clone_state

    def graphsafe_set_state(self, other: Generator) -> Generator:
        """Go to the position of another Generator."""
        self._seed, self._counter = other._seed, other._counter
        return self

    def __repr__(self) -> str:
        return f"<torch._C.Generator object at {hex(id(self))}>"

    def __reduce__(self) -> Any:
        return _restore, (self._seed, self._counter)


def _restore(seed: int, counter: int) -> Generator:
    g = Generator()
    g._seed, g._counter = seed, counter
    return g


default_generator = Generator()
_per_thread: threading.local | None = None  # made with the first thread that has a generator of its own


def thread_generator() -> Generator | None:
    """The generator that stands in for the default one in this thread, if any."""
    return None if _per_thread is None else getattr(_per_thread, "generator", None)


def set_thread_generator(generator: Generator | None) -> None:
    """Let this thread's draws from the default generator come from another one (None: from the default one again)."""
    global _per_thread
    if _per_thread is None:
        _per_thread = threading.local()
    _per_thread.generator = generator


def manual_seed(seed: int) -> Generator:
    """Seed the default generator of all devices. Source: torch.manual_seed."""
    return default_generator.manual_seed(int(seed))


def seed() -> int:
    """Seed from the system's entropy."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed of the default generator."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The default generator's state. Source: torch.get_rng_state."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Go back to a state of the default generator. Source: torch.set_rng_state."""
    default_generator.set_state(new_state)


@contextmanager
def fork_rng(
    devices: Any = None, enabled: bool = True, _caller: str = "", _devices_kw: str = "", device_type: str = "cuda"
) -> Iterator[None]:
    """Draws within the block leave the default generator as it was; it serves all devices. Source: torch.random.fork_rng."""
    state = default_generator.clone_state()
    try:
        yield
    finally:
        if enabled:
            default_generator.graphsafe_set_state(state)
