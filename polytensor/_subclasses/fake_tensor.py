"""torch._subclasses.fake_tensor: no tensor is fake; tensors without memory are on the device meta."""

from __future__ import annotations

from typing import Any

from ..absent import refuse_class
from ..tensor import Tensor

_INSTEAD = "tensors on the device meta have shapes and no memory"

FakeTensor = refuse_class("torch._subclasses.FakeTensor", _INSTEAD, Tensor, asks=False)
FakeTensorMode = refuse_class("torch._subclasses.FakeTensorMode", _INSTEAD)


def is_fake(x: Any) -> bool:
    """False."""
    return False
