"""torch.distributed.tensor: no tensor is spread over processes."""

from __future__ import annotations

from ..absent import missing, refuse
from ..tensor import Tensor
from .device_mesh import DeviceMesh as DeviceMesh
from .device_mesh import init_device_mesh as init_device_mesh

_INSTEAD = "a program is one process, is_available() is False"


class DTensor(Tensor):
    """No tensor is an instance of it."""

    __new__ = refuse("torch.distributed.tensor.DTensor", _INSTEAD)  # type: ignore[assignment]


class Placement:
    """How a dimension of a mesh holds a tensor: nothing is placed."""

    __init__ = refuse("torch.distributed.tensor.Placement", _INSTEAD)


class Shard(Placement):
    pass


class Replicate(Placement):
    pass


class Partial(Placement):
    pass


distribute_tensor = refuse("torch.distributed.tensor.distribute_tensor", _INSTEAD)
distribute_module = refuse("torch.distributed.tensor.distribute_module", _INSTEAD)
__getattr__ = missing("torch.distributed.tensor", _INSTEAD)
