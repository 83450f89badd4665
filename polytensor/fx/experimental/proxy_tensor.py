"""torch.fx.experimental.proxy_tensor: nothing is traced."""

from __future__ import annotations

from ...absent import missing, refuse
from .. import _INSTEAD

make_fx = refuse("torch.fx.experimental.proxy_tensor.make_fx", _INSTEAD)


def get_proxy_mode() -> None:
    """None: nothing is traced."""


__getattr__ = missing("torch.fx.experimental.proxy_tensor", _INSTEAD)
