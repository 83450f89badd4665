"""The ``torch.cuda`` namespace over the CuPy backend. Without a usable device it answers as CPU-only PyTorch does."""

from __future__ import annotations

from collections import OrderedDict
from importlib import import_module
from typing import Any

from .. import devices, random
from ..ops.convert import LEGACY

BFloat16Tensor = LEGACY["torch.cuda.BFloat16Tensor"]
BoolTensor = LEGACY["torch.cuda.BoolTensor"]
ByteTensor = LEGACY["torch.cuda.ByteTensor"]
CharTensor = LEGACY["torch.cuda.CharTensor"]
DoubleTensor = LEGACY["torch.cuda.DoubleTensor"]
FloatTensor = LEGACY["torch.cuda.FloatTensor"]
HalfTensor = LEGACY["torch.cuda.HalfTensor"]
IntTensor = LEGACY["torch.cuda.IntTensor"]
LongTensor = LEGACY["torch.cuda.LongTensor"]
ShortTensor = LEGACY["torch.cuda.ShortTensor"]


def is_available() -> bool:
    """Whether a CUDA device can be used and POLYTENSOR_BACKEND does not name a CPU backend. Never raises."""
    return devices.cuda_allowed()


def is_initialized() -> bool:
    """Whether the CUDA backend was started."""
    return devices.started("cupy")


def _runtime() -> Any:
    """The functions over CUDA itself. AssertionError, as in CPU-only PyTorch, where no device is usable."""
    if not is_available():
        reason = devices.backend_status()["cupy"][1] or "POLYTENSOR_BACKEND names a CPU backend"
        raise AssertionError(f"Torch not compiled with CUDA enabled: {reason}")
    return import_module("polytensor.backends.cupy.runtime")


def init() -> None:
    """Start the CUDA backend."""
    _runtime()
    devices.get_backend("cupy")


def _index(device: Any = None) -> int:
    """The index that a device, an int, a string or None (the current one) means. ValueError for a CPU device."""
    if device is None:
        return current_device()
    if isinstance(device, int):
        return device
    dev = devices.resolve(device)
    if dev.type != "cuda":
        raise ValueError(f"Expected a cuda device, but got: {dev}")
    return current_device() if dev.index is None else dev.index


def device_count() -> int:
    """How many CUDA devices there are (0 where none is usable)."""
    return int(devices.get_backend("cupy").device_count()) if is_available() else 0


def current_device() -> int:
    """The index of the current CUDA device."""
    _runtime()
    return int(devices.get_backend("cupy").current_index())


def set_device(device: Any) -> None:
    """Make a CUDA device the current one; a negative index does nothing."""
    if isinstance(device, int) and device < 0:
        return
    if not isinstance(device, int) and devices.resolve(device).type != "cuda":
        raise ValueError(f"Expected a cuda device, but got: {devices.resolve(device)}")
    index = device if isinstance(device, int) else _index(device)
    _runtime().use(index)
    if devices.current_device().type == "cuda":
        devices.set_default_device(devices.resolve("cuda", index))


class device:
    """A context in which another CUDA device is the current one; None or a negative index: nothing changes.

    RuntimeError on entering it where there is no CUDA.
    """

    def __init__(self, device: Any) -> None:
        self.idx = device if isinstance(device, int) or device is None else _index(device)
        self.prev_idx = -1

    def __enter__(self) -> None:
        if self.idx is not None and self.idx >= 0:
            try:
                self.prev_idx = current_device()
            except AssertionError as error:  # no CUDA here, which PyTorch tells as a RuntimeError in this one place
                _, _, reason = str(error).partition(": ")
                raise RuntimeError(f"PyTorch was compiled without CUDA support: {reason}") from None
            set_device(self.idx)

    def __exit__(self, *exc: object) -> None:
        set_device(self.prev_idx)


class device_of(device):
    """A context in which the device of a CUDA tensor is the current one."""

    def __init__(self, obj: Any) -> None:
        super().__init__(obj.get_device() if obj.is_cuda else -1)


def synchronize(device: Any = None) -> None:
    """Wait for all work queued on the device."""
    _runtime()
    devices.get_backend("cupy").synchronize()


def get_device_name(device: Any = None) -> str:
    """The name of a device."""
    return str(get_device_properties(device).name)


def get_device_properties(device: Any = None) -> Any:
    """Name, major and minor of the compute capability, total_memory and multi_processor_count of a device."""
    return _runtime().properties(_index(device))


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """The compute capability (major, minor) of a device."""
    p = get_device_properties(device)
    return p.major, p.minor


def get_arch_list() -> list[str]:
    """Empty: kernels are compiled for the device that is there."""
    return []


def can_device_access_peer(device: Any, peer_device: Any) -> bool:
    return bool(_runtime().can_access_peer(_index(device), _index(peer_device)))


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether the current device computes in bfloat16."""
    return is_available() and get_device_capability() >= (8, 0)


def is_tf32_supported() -> bool:
    return is_available() and get_device_capability() >= (8, 0)


# ---- memory ----------------------------------------------------------------------------------------------------------
def memory_stats(device: Any = None) -> dict[str, int]:
    """Counts of the memory pool, in bytes; empty where no device is usable."""
    return _runtime().memory(_index(device)) if is_available() else OrderedDict()  # type: ignore[no-any-return]


def memory_allocated(device: Any = None) -> int:
    """Bytes in use."""
    return memory_stats(device).get("allocated_bytes.all.current", 0)


def max_memory_allocated(device: Any = None) -> int:
    """The most bytes in use that a call of this module has seen (CuPy's pool keeps no peak of its own)."""
    return memory_stats(device).get("allocated_bytes.all.peak", 0)


def memory_reserved(device: Any = None) -> int:
    """Bytes that the pool holds."""
    return memory_stats(device).get("reserved_bytes.all.current", 0)


def max_memory_reserved(device: Any = None) -> int:
    return memory_stats(device).get("reserved_bytes.all.peak", 0)


memory_cached, max_memory_cached = memory_reserved, max_memory_reserved


def memory_summary(device: Any = None, abbreviated: bool = False) -> str:
    """The counts of memory_stats as a table."""
    stats = _runtime().memory(_index(device))
    return "\n".join(f"{name:<32}{value:>16}" for name, value in stats.items())


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """Free and total bytes of the device."""
    _runtime()
    info = devices.get_backend("cupy").memory_info()
    return info["free"], info["total"]


def reset_peak_memory_stats(device: Any = None) -> None:
    """Forget the peak. RuntimeError where no device is usable."""
    if not is_available():
        raise RuntimeError("invalid argument to reset_peak_memory_stats: there is no CUDA device")
    _runtime().reset_peak(_index(device))


reset_max_memory_allocated = reset_max_memory_cached = reset_peak_memory_stats


def empty_cache() -> None:
    """Give cached blocks back to the driver."""
    if is_available():
        devices.get_backend("cupy").empty_cache()


def ipc_collect() -> None:
    """Nothing is shared between processes here."""
    _runtime()


# ---- streams ---------------------------------------------------------------------------------------------------------
class Stream:
    """A queue of work. RuntimeError where no device is usable."""

    def __new__(cls, device: Any = None, priority: int = 0) -> Any:
        if not is_available():
            raise RuntimeError("torch.cuda.Stream requires CUDA support")
        return _runtime().Stream(device, priority)


class Event:
    """A mark in a stream. RuntimeError where no device is usable."""

    def __new__(cls, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False) -> Any:
        if not is_available():
            raise RuntimeError("torch.cuda.Event requires CUDA support")
        return _runtime().Event(enable_timing, blocking, interprocess)


class StreamContext:
    """A context in which a stream is the current one; None: nothing changes."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def __enter__(self) -> None:
        if self.stream is not None:
            self.stream.__enter__()

    def __exit__(self, *exc: object) -> None:
        if self.stream is not None:
            self.stream.__exit__(*exc)


def stream(stream: Any) -> StreamContext:
    """A context in which `stream` is the current one."""
    return StreamContext(stream)


def set_stream(stream: Any) -> None:
    if stream is not None:
        stream.base.use()


def current_stream(device: Any = None) -> Any:
    return _runtime().current_stream()


def default_stream(device: Any = None) -> Any:
    return _runtime().default_stream()


def is_current_stream_capturing() -> bool:
    """False: CUDA graphs are not captured."""
    return False


# ---- random numbers: one generator serves all devices ----------------------------------------------------------------
def manual_seed(seed: int) -> None:
    """Seed the default generator, which serves every device (nothing to seed without one)."""
    seed = int(seed)
    if is_available():
        random.manual_seed(seed)


manual_seed_all = manual_seed


def seed() -> None:
    """Seed from the system's entropy, if there is a device."""
    if is_available():
        random.seed()


seed_all = seed


def initial_seed() -> int:
    _runtime()
    return random.initial_seed()


def get_rng_state(device: Any = "cuda") -> Any:
    _runtime()
    return random.get_rng_state()


def get_rng_state_all() -> list[Any]:
    return [random.get_rng_state() for _ in range(device_count())]


def set_rng_state(new_state: Any, device: Any = "cuda") -> None:
    if is_available():
        random.set_rng_state(new_state)


def set_rng_state_all(new_states: Any) -> None:
    for state in new_states:
        set_rng_state(state)


def __getattr__(name: str) -> Any:
    if name in ("amp", "nvtx"):
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module 'torch.cuda' has no attribute {name!r}: PolyTensor does not have it")
