"""The ``torch.cuda`` namespace over the CuPy backend. Without a usable device it answers as CPU-only PyTorch does."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace
from typing import Any

from .. import devices, random
from ..absent import lacks
from ..devices import AcceleratorError as AcceleratorError
from ..devices import OutOfMemoryError as OutOfMemoryError
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
    """Wait for the work of all streams of a device (the current one)."""
    runtime = _runtime()
    index = _index(device)
    runtime.synchronize(index)
    devices.resolve("cuda", index).backend.waited()


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


def set_sync_debug_mode(debug_mode: int | str) -> None:
    """Let ops that wait for the device warn ("warn", 1) or raise RuntimeError ("error", 2); "default" or 0: neither.

    Source: torch.cuda.set_sync_debug_mode.
    """
    runtime = _runtime()
    mode = {"default": 0, "warn": 1, "error": 2}.get(debug_mode) if isinstance(debug_mode, str) else int(debug_mode)
    if mode not in (0, 1, 2):
        raise RuntimeError("invalid value of debug_mode, expected one of `default`, `warn`, `error`")
    runtime.sync_debug(mode)


def get_sync_debug_mode() -> int:
    """What set_sync_debug_mode has set: 0, 1 or 2."""
    return int(_runtime().sync_debug())


def current_blas_handle() -> int:
    """The address of the cuBLAS handle that this thread's products use, set to the current device and stream."""
    _runtime()
    return int(devices.resolve("cuda", current_device()).backend.blas_handle())


def current_solver_handle() -> int:
    """The address of cuSOLVER's handle of this thread and device."""
    return int(_runtime().cusolver_handle())


def get_gencode_flags() -> str:
    """Empty, as get_arch_list."""
    return ""


has_half, has_magma = True, False


class CudaError(RuntimeError):
    """A CUDA call failed. Source: torch.cuda.CudaError."""

    def __init__(self, code: int) -> None:
        super().__init__(f"CUDA error {code}")


def check_error(res: int) -> None:
    """CudaError for a result of a CUDA call that is not 0."""
    if res != 0:
        raise CudaError(res)


def cudart() -> Any:
    """The functions of the CUDA runtime that programs call by name: cudaProfilerStart, cudaProfilerStop, cudaMemGetInfo."""
    runtime = _runtime()

    def profile(start: bool) -> int:
        runtime.profile(start)
        return 0

    return SimpleNamespace(
        cudaProfilerStart=lambda: profile(True),
        cudaProfilerStop=lambda: profile(False),
        cudaMemGetInfo=runtime.memory_info,
    )


class DeferredCudaCallError(Exception):
    """Here by name: no calls are deferred. Source: torch.cuda.DeferredCudaCallError."""


# ---- what is loaded when it is first used ----------------------------------------------------------------------------
_MODULES = ("amp", "comm", "graphs", "memory", "nccl", "nvml", "nvtx", "profiler", "streams")
_LATER = {
    "memory": (
        "empty_cache", "get_allocator_backend", "get_per_process_memory_fraction", "host_memory_stats",
        "MemPool", "host_memory_stats_as_nested_dict", "ipc_collect", "max_memory_allocated", "max_memory_cached", "max_memory_reserved",
        "caching_allocator_alloc", "caching_allocator_delete",
        "mem_get_info", "memory_allocated", "memory_cached", "memory_reserved", "memory_snapshot", "memory_stats",
        "memory_stats_as_nested_dict", "memory_summary", "reset_accumulated_host_memory_stats", "reset_accumulated_memory_stats",
        "reset_max_memory_allocated",
        "reset_max_memory_cached", "reset_peak_host_memory_stats", "reset_peak_memory_stats", "set_per_process_memory_fraction",
        "use_mem_pool",
    ),
    "nvml": (
        "clock_rate", "device_memory_used", "list_gpu_processes", "memory_usage", "power_draw", "temperature", "utilization",
    ),
    "graphs": ("CUDAGraph", "graph", "graph_pool_handle", "make_graphed_callables"),
    "streams": (
        "Event", "ExternalStream", "Stream", "StreamContext", "current_stream", "default_stream",
        "get_stream_from_external", "is_current_stream_capturing", "set_stream", "stream",
    ),
}  # fmt: skip
_HOME = {name: module for module, names in _LATER.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name == "default_generators":
        return (random.default_generator,) * device_count()
    if name in _HOME:
        found = globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
        return found
    raise lacks(__name__, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES, *_HOME, "default_generators"})
