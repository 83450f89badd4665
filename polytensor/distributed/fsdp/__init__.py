"""torch.distributed.fsdp: no module is spread over processes."""

from __future__ import annotations

from ...absent import missing, refuse, refuse_class
from ...nn.module import Module
from .. import _INSTEAD

FullyShardedDataParallel = refuse_class("torch.distributed.fsdp.FullyShardedDataParallel", _INSTEAD, Module)
FSDPModule = refuse_class("torch.distributed.fsdp.FSDPModule", _INSTEAD)
fully_shard = refuse("torch.distributed.fsdp.fully_shard", _INSTEAD)
__getattr__ = missing("torch.distributed.fsdp", _INSTEAD)
