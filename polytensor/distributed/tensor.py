"""torch.distributed.tensor: no tensor is spread over processes."""

from __future__ import annotations

from ..absent import missing, refuse, refuse_class
from ..tensor import Tensor
from . import _INSTEAD
from .device_mesh import DeviceMesh as DeviceMesh
from .device_mesh import init_device_mesh as init_device_mesh

DTensor = refuse_class("torch.distributed.tensor.DTensor", _INSTEAD, Tensor, asks=False)
Placement = refuse_class("torch.distributed.tensor.Placement", _INSTEAD)
Shard, Replicate, Partial = (
    refuse_class(f"torch.distributed.tensor.{_name}", _INSTEAD, Placement)
    for _name in ("Shard", "Replicate", "Partial")
)
distribute_tensor = refuse("torch.distributed.tensor.distribute_tensor", _INSTEAD)
distribute_module = refuse("torch.distributed.tensor.distribute_module", _INSTEAD)
__getattr__ = missing("torch.distributed.tensor", _INSTEAD)
