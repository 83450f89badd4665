"""Parameter and Buffer, and their places before shapes are known. Source: torch.nn.parameter."""

from __future__ import annotations

from typing import Any

from ..devices import resolve
from ..dtypes import get_default_dtype
from ..tensor import LEAF, Tensor, new
from ..tensor import Parameter as Parameter

__all__ = [
    "Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter", "UninitializedTensorMixin", "is_lazy",
]  # fmt: skip

_array = Tensor._a  # the slot itself: below, `_a` refuses


class _BufferMeta(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        if cls is Buffer:
            return isinstance(instance, Tensor) and getattr(instance, "_is_buffer", False)
        return super().__instancecheck__(instance)


class Buffer(metaclass=_BufferMeta):
    """A Tensor that a Module registers as a buffer when it is assigned. Source: torch.nn.Buffer."""

    def __new__(cls, data: Any = None, *, persistent: bool = True) -> Any:
        if data is None:
            from ..ops.creation import empty

            data = empty(0)
        r = data.detach()
        if data.requires_grad:
            r.requires_grad_()
        r.persistent, r._is_buffer = persistent, True
        return r


class UninitializedTensorMixin(Tensor):
    """A tensor whose shape is not known yet: ops on it raise ValueError until `materialize`."""

    cls_to_become: Any = Tensor
    __torch_function__ = Parameter.__torch_function__  # ops are refused by `_a`

    def __new__(cls, requires_grad: bool = False, device: Any = None, dtype: Any = None) -> Any:
        from ..ops.creation import empty

        data = empty(0, device=device, dtype=dtype)
        r = new(cls)
        r._a, r._dev, r._s, r._fn, r._nr, r._v, r._x = data._a, data._dev, None, None, 0, None, None
        return r.requires_grad_(requires_grad)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    @property
    def _a(self) -> Any:
        name = type(self).__name__
        raise ValueError(
            f"Attempted to use an uninitialized parameter. This error happens when you are using a `LazyModule` or "
            f"explicitly manipulating `torch.nn.parameter.{name}` objects. When using LazyModules Call `forward` with a "
            "dummy batch to initialize the parameters before calling torch functions"
        )

    @_a.setter
    def _a(self, array: Any) -> None:
        _array.__set__(self, array)

    @property
    def data(self) -> Tensor:
        """The empty tensor that stands for device and dtype."""
        from ..tensor import wrap

        return wrap(_array.__get__(self), self._dev)

    @data.setter
    def data(self, value: Tensor) -> None:
        self._a, self._dev = value._a, value._dev

    dtype = property(lambda self: self.data.dtype)

    @property
    def shape(self) -> Any:
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in "
            "`load_state_dict` when trying to load an uninitialized parameter into an initialized one. Call `forward` to "
            "initialize the parameters before accessing their attributes."
        )

    def size(self, dim: int | None = None) -> Any:
        return self.data.size(dim)

    def copy_(self, src: Any, non_blocking: bool = False) -> Any:
        self.data.copy_(src.data if is_lazy(src) else src)  # type: ignore[attr-defined]
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        if requires_grad:
            self._extras()
        self._fn = LEAF if requires_grad else None
        return self

    def detach(self) -> Any:
        return self

    def is_floating_point(self) -> bool:
        return self.data.is_floating_point()

    def is_complex(self) -> bool:
        return self.data.is_complex()

    def share_memory_(self) -> Any:
        raise RuntimeError(
            "Can't share memory on an uninitialized parameter or buffer. Call `forward` to initialize the parameters "
            "before calling `module.share_memory()`."
        )

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Become an (unset) tensor of this shape."""
        from ..ops.creation import empty

        have = self.data
        self.data = empty(shape, device=have.device if device is None else device, dtype=dtype or have.dtype)
        self.__class__ = self.cls_to_become

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"<{type(self).__name__}>"

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if id(self) not in memo:
            memo[id(self)] = _rebuild(*self.__reduce_ex__(2)[1])
        return memo[id(self)]

    def __reduce_ex__(self, protocol: Any) -> Any:
        have = self.data
        dtype = None if have.dtype is get_default_dtype() else have.dtype
        return _rebuild, (type(self), self.requires_grad, str(have.device), dtype)


def _rebuild(cls: Any, requires_grad: bool, device: str, dtype: Any) -> Any:
    return cls(device=resolve(device), dtype=dtype).requires_grad_(requires_grad)


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A parameter whose shape the first forward will tell. Source: torch.nn.parameter.UninitializedParameter."""

    cls_to_become = Parameter

    def __new__(cls, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> Any:
        return UninitializedTensorMixin.__new__(cls, requires_grad, device, dtype)


class UninitializedBuffer(UninitializedTensorMixin):
    """A buffer whose shape the first forward will tell. Source: torch.nn.parameter.UninitializedBuffer."""

    def __new__(
        cls, requires_grad: bool = False, device: Any = None, dtype: Any = None, persistent: bool = True
    ) -> Any:
        r = UninitializedTensorMixin.__new__(cls, requires_grad, device, dtype)
        r.persistent, r._is_buffer = persistent, True
        return r


def is_lazy(param: Any) -> bool:
    """Whether a parameter or buffer has no shape yet."""
    return isinstance(param, UninitializedTensorMixin)
