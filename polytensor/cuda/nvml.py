"""What NVIDIA's management library tells of a device. It needs the package nvidia-ml-py. Source: torch.cuda."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from . import _index, _runtime

__all__ = [
    "clock_rate", "device_memory_used", "list_gpu_processes", "memory_usage", "power_draw", "temperature", "utilization",
]  # fmt: skip


def _handle(device: Any) -> tuple[Any, Any]:
    """The library, and its handle of a device. ModuleNotFoundError where it is not installed."""
    try:
        nvml = import_module("pynvml")
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "nvidia-ml-py does not seem to be installed or it can't be imported: pip install nvidia-ml-py"
        ) from None
    nvml.nvmlInit()
    # by its place on the bus: CUDA_VISIBLE_DEVICES hides devices from CUDA alone
    return nvml, nvml.nvmlDeviceGetHandleByPciBusId(_runtime().bus_id(_index(device)).encode())


def utilization(device: Any = None) -> int:
    """The per cent of the last period in which kernels ran."""
    nvml, handle = _handle(device)
    return int(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)


def memory_usage(device: Any = None) -> int:
    """The per cent of the last period in which memory was read or written."""
    nvml, handle = _handle(device)
    return int(nvml.nvmlDeviceGetUtilizationRates(handle).memory)


def device_memory_used(device: Any = None) -> int:
    """Bytes in use on the device, by all programs."""
    nvml, handle = _handle(device)
    return int(nvml.nvmlDeviceGetMemoryInfo(handle).used)


def temperature(device: Any = None) -> int:
    """Degrees Celsius."""
    nvml, handle = _handle(device)
    return int(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))


def power_draw(device: Any = None) -> int:
    """Milliwatts."""
    nvml, handle = _handle(device)
    return int(nvml.nvmlDeviceGetPowerUsage(handle))


def clock_rate(device: Any = None) -> int:
    """Megahertz of the processors."""
    nvml, handle = _handle(device)
    return int(nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM))


def list_gpu_processes(device: Any = None) -> str:
    """The programs on a device and the memory that they use, in words."""
    try:
        nvml, handle = _handle(device)
    except ModuleNotFoundError:
        return "pynvml module not found, please install nvidia-ml-py"
    lines = [f"GPU:{_index(device)}"]
    processes = nvml.nvmlDeviceGetComputeRunningProcesses(handle)
    if not processes:
        lines.append("no processes are running")
    for p in processes:
        lines.append(f"process {p.pid:>10d} uses {p.usedGpuMemory / (1 << 20):>12.3f} MB GPU memory")
    return "\n".join(lines)
