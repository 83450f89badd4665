"""torch.distributed.device_mesh: a program is one process, there is no mesh."""

from __future__ import annotations

from ..absent import missing, refuse

_INSTEAD = "a program is one process, is_available() is False"


class DeviceMesh:
    """There is none."""

    __init__ = refuse("torch.distributed.device_mesh.DeviceMesh", _INSTEAD)


init_device_mesh = refuse("torch.distributed.device_mesh.init_device_mesh", _INSTEAD)
__getattr__ = missing("torch.distributed.device_mesh", _INSTEAD)
