"""torch.distributed.device_mesh: a program is one process, there is no mesh."""

from __future__ import annotations

from ..absent import missing, refuse, refuse_class
from . import _INSTEAD

DeviceMesh = refuse_class("torch.distributed.device_mesh.DeviceMesh", _INSTEAD)
init_device_mesh = refuse("torch.distributed.device_mesh.init_device_mesh", _INSTEAD)
__getattr__ = missing("torch.distributed.device_mesh", _INSTEAD)
