"""torch.autograd.Variable, which old programs wrap tensors in: every Tensor is one."""

from __future__ import annotations

import warnings
from typing import Any


class VariableMeta(type):
    __module__ = "torch.autograd.variable"

    def __instancecheck__(cls, other: Any) -> bool:
        from ..tensor import Tensor

        return isinstance(other, Tensor)


class Variable(metaclass=VariableMeta):
    """Variable(tensor, requires_grad=False) is a leaf over the tensor's memory. Source: torch.autograd.Variable."""

    __module__ = "torch.autograd.variable"

    def __new__(cls, data: Any = None, requires_grad: bool = False, volatile: Any = None) -> Any:
        from ..ops.creation import empty
        from ..tensor import Tensor

        if volatile is not None:
            warnings.warn(
                "volatile was removed and now has no effect. Use `with torch.no_grad():` instead.",
                UserWarning,
                stacklevel=2,
            )
        if data is None:
            data = empty(0)
        if not isinstance(data, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(data).__name__}")
        if requires_grad and not (data.is_floating_point() or data.is_complex()):
            raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
        return data.detach().requires_grad_(requires_grad)
