"""torch.onnx: nothing is exported; models that ask whether they are run."""

from __future__ import annotations

from ..absent import missing, refuse

_INSTEAD = "load the state_dict in PyTorch and export from there"


def is_in_onnx_export() -> bool:
    return False


export = refuse("torch.onnx.export", _INSTEAD)
__getattr__ = missing("torch.onnx", _INSTEAD)
