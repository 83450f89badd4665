"""The names of torch._C that programs which extend torch use."""

from __future__ import annotations

from .overrides import DisableTorchFunction as DisableTorchFunction
from .overrides import DisableTorchFunctionSubclass as DisableTorchFunctionSubclass
from .protocols import disabled_torch_function as _disabled_torch_function_impl
from .random import Generator as Generator
from .tensor import Tensor as TensorBase

__all__ = [
    "DisableTorchFunction", "DisableTorchFunctionSubclass", "Generator", "TensorBase", "_disabled_torch_function_impl",
    "_TensorMeta", "_get_tracing_state", "_log_api_usage_once",
]  # fmt: skip


_TensorMeta = type(TensorBase)


def _get_tracing_state() -> None:
    """None: nothing is being traced."""


def _log_api_usage_once(event: str) -> None:
    """Nothing is logged."""
