"""torch._subclasses.fake_tensor: no tensor is fake; tensors without memory are on the device meta."""

from __future__ import annotations

from typing import Any

from ..absent import refuse
from ..tensor import Tensor

_INSTEAD = "tensors on the device meta have shapes and no memory"


class FakeTensor(Tensor):
    """No tensor is an instance of it."""

    __new__ = refuse("torch._subclasses.FakeTensor", _INSTEAD)  # type: ignore[assignment]


class FakeTensorMode:
    """There is none."""

    __init__ = refuse("torch._subclasses.FakeTensorMode", _INSTEAD)


def is_fake(x: Any) -> bool:
    """False."""
    return False
