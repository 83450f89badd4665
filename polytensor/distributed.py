"""torch.distributed: there is none. Its names are here, for programs that import them and then run in one process.

As in PyTorch without a process group: is_initialized() is False and collectives raise ValueError. is_available() is False.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .absent import missing, refuse

_INSTEAD = "run the program as one process, as it does where WORLD_SIZE and RANK are not set"


def is_available() -> bool:
    """False: there is no distributed package here."""
    return False


def is_initialized() -> bool:
    return False


is_nccl_available = is_gloo_available = is_mpi_available = is_torchelastic_launched = is_initialized
init_process_group = refuse("torch.distributed.init_process_group", _INSTEAD)
init_device_mesh = refuse("torch.distributed.init_device_mesh", _INSTEAD)


def destroy_process_group(group: Any = None) -> None:
    raise AssertionError("Process group cannot be None")


def _without_group(name: str) -> Callable[..., Any]:
    def collective(*args: Any, **kwargs: Any) -> Any:
        raise ValueError("Default process group has not been initialized, please make sure to call init_process_group.")

    collective.__name__ = collective.__qualname__ = name
    collective.__doc__ = "ValueError: there is no process group."
    return collective


_COLLECTIVES = (
    "all_gather", "all_gather_into_tensor", "all_gather_object", "all_reduce", "all_to_all", "all_to_all_single",
    "barrier", "broadcast", "broadcast_object_list", "gather", "gather_object", "get_backend", "get_global_rank",
    "get_rank", "get_world_size", "irecv", "isend", "monitored_barrier", "new_group", "recv", "reduce",
    "reduce_scatter", "reduce_scatter_tensor", "scatter", "scatter_object_list", "send",
)  # fmt: skip
globals().update({name: _without_group(name) for name in _COLLECTIVES})

__getattr__ = missing("torch.distributed", "is_available() is False")
