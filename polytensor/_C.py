"""The names of torch._C that programs which extend torch use."""

from __future__ import annotations

from .absent import refuse_class
from .autograd.modes import mode
from .nn.module import _parse_to
from .ops.linalg import _LinAlgError as _LinAlgError
from .overrides import DisableTorchFunction as DisableTorchFunction
from .overrides import DisableTorchFunctionSubclass as DisableTorchFunctionSubclass
from .protocols import disabled_torch_function as _disabled_torch_function_impl
from .random import Generator as Generator
from .tensor import Tensor as TensorBase

__all__ = [
    "DisableTorchFunction", "DisableTorchFunctionSubclass", "Generator", "TensorBase", "_disabled_torch_function_impl",
    "_TensorMeta", "_are_functorch_transforms_active", "_get_tracing_state", "_is_tracing", "_log_api_usage_once", "_nn",
]  # fmt: skip


_INSTEAD = "torch.load and torch.save read and write files"

PyTorchFileReader = refuse_class("torch.PyTorchFileReader", _INSTEAD)
PyTorchFileWriter = refuse_class("torch.PyTorchFileWriter", _INSTEAD)
_TensorMeta = type(TensorBase)


def _get_tracing_state() -> None:
    """None: nothing is being traced."""


def _is_tracing() -> bool:
    return False


def _log_api_usage_once(event: str) -> None:
    """Nothing is logged."""


def _are_functorch_transforms_active() -> bool:
    """Whether a vmap, func.grad or one of their kin runs."""
    return bool(mode.levels)


class _nn:  # noqa: N801
    """What arguments of Module.to say: (device, dtype, non_blocking, memory_format)."""

    _parse_to = staticmethod(_parse_to)
