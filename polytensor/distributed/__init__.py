"""torch.distributed: is_available() and is_initialized() are False; a program is one process.

What needs a process group raises PyTorch's ValueError for a group that is not initialized; making one is refused.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..absent import missing, raising, refuse, refuse_class


def is_available() -> bool:
    """False: there is no distributed package here."""
    return False


def is_initialized() -> bool:
    return False


is_nccl_available = is_gloo_available = is_mpi_available = is_ucc_available = is_xccl_available = is_available
is_torchelastic_launched = is_backend_available = lambda *args: False


def _needs_group(name: str) -> Any:
    text = "Default process group has not been initialized, please make sure to call init_process_group."
    return raising(name, ValueError, text, "there is no process group")


_COLLECTIVES = (
    "all_gather", "all_gather_into_tensor", "all_gather_object", "all_reduce", "all_to_all", "all_to_all_single", "barrier",
    "batch_isend_irecv", "broadcast", "broadcast_object_list", "destroy_process_group", "gather", "gather_object",
    "get_backend", "get_global_rank", "get_group_rank", "get_process_group_ranks", "get_rank", "get_world_size", "irecv",
    "isend", "monitored_barrier", "new_group", "recv", "recv_object_list", "reduce", "reduce_scatter",
    "reduce_scatter_tensor", "scatter", "scatter_object_list", "send", "send_object_list",
)  # fmt: skip
for _name in _COLLECTIVES:
    globals()[_name] = _needs_group(_name)

_INSTEAD = "a program is one process, is_available() is False"
init_process_group = refuse("torch.distributed.init_process_group", _INSTEAD)

ProcessGroup = refuse_class("torch.distributed.ProcessGroup", _INSTEAD)
Work = refuse_class("torch.distributed.Work", _INSTEAD)


class ReduceOp:
    """Names of reductions, for arguments of functions that need a process group."""

    SUM, AVG, PRODUCT, MIN, MAX, BAND, BOR, BXOR, PREMUL_SUM = range(9)


class group:  # noqa: N801
    """The default group, which is not there."""

    WORLD = None


class GroupMember:
    """The default group, which is not there."""

    WORLD = None
    NON_GROUP_MEMBER = -100


_missing = missing("torch.distributed", "is_available() is False")


def __getattr__(name: str) -> Any:
    if name in ("device_mesh", "fsdp", "nn", "tensor"):
        return import_module(f"{__name__}.{name}")
    return _missing(name)
