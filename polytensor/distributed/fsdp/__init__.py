"""torch.distributed.fsdp: no module is spread over processes."""

from __future__ import annotations

from ...absent import missing, refuse
from ...nn.module import Module

_INSTEAD = "a program is one process, is_available() is False"


class FullyShardedDataParallel(Module):
    """No module is an instance of it."""

    __init__ = refuse("torch.distributed.fsdp.FullyShardedDataParallel", _INSTEAD)


class FSDPModule:
    """No module is an instance of it."""

    __init__ = refuse("torch.distributed.fsdp.FSDPModule", _INSTEAD)


fully_shard = refuse("torch.distributed.fsdp.fully_shard", _INSTEAD)
__getattr__ = missing("torch.distributed.fsdp", _INSTEAD)
