"""One model on several devices of a machine. Source: torch.nn.parallel."""

from typing import Any

from ...absent import lacks
from .data_parallel import DataParallel as DataParallel
from .data_parallel import data_parallel as data_parallel
from .distributed import DistributedDataParallel as DistributedDataParallel
from .parallel_apply import parallel_apply as parallel_apply
from .replicate import replicate as replicate
from .scatter_gather import gather as gather
from .scatter_gather import scatter as scatter


def __getattr__(name: str) -> Any:
    if name == "comm":
        from importlib import import_module

        return import_module(f"{__name__}.comm")
    raise lacks(__name__, name)
