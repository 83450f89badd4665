"""The names of torch._C that programs which extend torch use."""

from __future__ import annotations

from .overrides import DisableTorchFunction as DisableTorchFunction
from .overrides import DisableTorchFunctionSubclass as DisableTorchFunctionSubclass
from .protocols import disabled_torch_function as _disabled_torch_function_impl
from .random import Generator as Generator
from .tensor import Tensor as TensorBase

__all__ = [
    "DisableTorchFunction",
    "DisableTorchFunctionSubclass",
    "Generator",
    "TensorBase",
    "_disabled_torch_function_impl",
]
