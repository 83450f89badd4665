"""torch.distributed.fsdp.fully_sharded_data_parallel: see torch.distributed.fsdp."""

from ...absent import missing
from .. import _INSTEAD
from . import FullyShardedDataParallel as FullyShardedDataParallel

__getattr__ = missing("torch.distributed.fsdp.fully_sharded_data_parallel", _INSTEAD)
