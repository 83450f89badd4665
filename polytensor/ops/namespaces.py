"""torch.ops.NAMESPACE.op.overload: in aten the functions of torch and methods of Tensor by name, else torch.library's ops."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

from ..absent import refuse
from ..tensor import Tensor

__all__ = ["OpOverload", "OpOverloadPacket", "namespace"]

_TORCH = __name__.partition(".")[0]


class OpOverload:
    """One overload of an op. All overloads of a name are the same function, which tells arguments apart by itself."""

    def __init__(self, packet: OpOverloadPacket, overload: str) -> None:
        self.overloadpacket, self._overloadname = packet, overload
        self.__name__ = f"{packet.__name__}.{overload}"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.overloadpacket(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<OpOverload(op='aten.{self.overloadpacket.__name__}', overload='{self._overloadname}')>"

    def __str__(self) -> str:
        return f"aten.{self.__name__}"


class OpOverloadPacket:
    """An op under its name in ATen."""

    def __init__(self, name: str, fn: Any) -> None:
        self.__name__, self._fn = name, fn

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._fn(*args, **kwargs)

    def __getattr__(self, name: str) -> OpOverload:
        if name.startswith("__"):
            raise AttributeError(name)
        made = self.__dict__[name] = OpOverload(self, name)
        return made

    def __repr__(self) -> str:
        return f"<OpOverloadPacket(op='aten.{self.__name__}')>"

    def __str__(self) -> str:
        return f"aten.{self.__name__}"


def _index(x: Any, indices: Any) -> Any:
    return x[tuple(slice(None) if i is None else i for i in indices)]


def _slice(x: Any, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Any:
    dim = dim + x.dim() if dim < 0 else dim
    return x[(slice(None),) * dim + (slice(start, end, step),)]


_INTERNAL: dict[str, Any] = {  # which torch and Tensor have under other names
    "_pin_memory": lambda x, device=None: x.pin_memory(), "_to_copy": lambda x, **options: x.to(copy=True, **options),
    "_sparse_addmm": refuse("torch.ops.aten._sparse_addmm", "tensors are dense"), "alias": lambda x: x.view_as(x),
    "convolution_backward": refuse("torch.ops.aten.convolution_backward", "torch.nn.grad has a convolution's gradients"),
    "_sparse_mm_reduce_impl": refuse("torch.ops.aten._sparse_mm_reduce_impl", "tensors are dense"), "index": _index,
    "slice": _slice,
}  # fmt: skip


class _Namespace:
    def __init__(self, name: str) -> None:
        self.name = name

    def __getattr__(self, name: str) -> Any:
        found: Any = None
        if self.name == "aten":
            found = _INTERNAL.get(name) or getattr(sys.modules[_TORCH], name, None) or getattr(Tensor, name, None)
            if callable(found) and not isinstance(found, type) and not name.startswith("__"):
                found = self.__dict__[name] = OpOverloadPacket(name, found)
                return found
            found = None
        else:
            found = sys.modules[f"{_TORCH}.library"].OPS.get(self.name, {}).get(name)
        if found is None:
            raise AttributeError(f"'_OpNamespace' '{self.name}' object has no attribute '{name}'")
        return found

    def __repr__(self) -> str:
        return f"<torch.ops.{self.name}>"


namespace = cache(_Namespace)  # one of each name
