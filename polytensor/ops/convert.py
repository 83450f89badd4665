"""Conversions: dtype, device, memory format, and the legacy tensor types."""

from __future__ import annotations

from typing import Any
from weakref import ref

from .. import devices, dtypes
from ..autograd.modes import mode
from ..layouts import CHANNELS_LAST, axis_order, contiguous_format, dense_order, memory_format, preserve_format
from ..protocols import as_instance
from ..tensor import LEAF, Tensor, new, wrap
from .rows import make_view
from .table import ROWS, F, attach

array_dtype = dtypes.need_array


def alias(x: Tensor) -> Tensor:
    """A view of the whole of `x`."""
    r = make_view(x, x._a, "alias", ())
    if x._fn is not None and mode.grad:
        ROWS["alias"].record((x,), (), (r,))
    return r


def as_subclass(self: Tensor, cls: Any) -> Any:
    """A view of the whole as an instance of a subclass of Tensor. Source: torch.Tensor.as_subclass."""
    if not (isinstance(cls, type) and issubclass(cls, Tensor)):
        raise RuntimeError("as_subclass(): cls must be a subclass of Tensor")
    r = as_instance(cls, alias(self))
    r._s.append(ref(r))  # writes to what it is a view of reach it
    return r


Tensor.as_subclass = as_subclass  # type: ignore[attr-defined]


def to_device(x: Tensor, dev: Any, non_blocking: bool = False, along: bool = False) -> Tensor:
    """`x` on another device: shared memory between CPU backends, a copy otherwise. Gradients pass.

    non_blocking: a copy from or to page-locked memory goes on while the program does; one to the CPU may be read when the
    stream has been waited for. along: a number of the CPU, beside an operand there; a CUDA graph keeps the value that it has.
    """
    if x._dev is dev:
        return x
    if x._dev.type == dev.type == "cpu":
        r = alias(x)
        r._dev = dev
        return r
    fixed = along and dev.backend.capturing
    r = wrap(dev.backend.constant(x._a) if fixed else _copied(x._a, x._dev.backend, dev.backend, non_blocking), dev)
    if x._fn is not None and mode.grad:
        _MoveNode.record(x, r)
    return r


def _copied(a: Any, source: Any, target: Any, non_blocking: bool = False) -> Any:
    """An array on another device, its axes in the order that they have in memory, as PyTorch's preserve_format has it."""
    order = dense_order(a)
    if order is None:
        return target.take(a, source, non_blocking)
    return target.take(a.transpose(order), source, non_blocking).transpose([order.index(i) for i in range(a.ndim)])


class _MoveNode:
    """Records a copy between devices: its backward moves the gradient back."""

    @staticmethod
    def record(x: Tensor, r: Tensor) -> None:
        from ..autograd.node import Node

        class ToCopyBackward0(Node):
            __slots__ = ()
            light = True

            def run(self, g: Any, tensors: bool, wanted: Any) -> Any:
                home = self.vers[0]
                if tensors:
                    return [to_device(g, home)]
                return [_copied(g, self.dev.backend, home.backend)]

        n = new(ToCopyBackward0)
        n.edges, n.nrs = ((x if x._fn is LEAF else x._fn),), (x._nr,)
        n.hooks = n.saved = n.shapes = None
        n.vers, n.dev = (x._dev,), r._dev
        r._fn = n


def _bad_to(args: tuple[Any, ...], kwargs: dict[str, Any]) -> TypeError:
    got = [type(a).__name__ for a in args] + [f"{k}={type(v).__name__}" for k, v in kwargs.items()]
    return TypeError(
        f"to() received an invalid combination of arguments - got ({', '.join(got)}), but expected one of:\n"
        " * (torch.device device = None, torch.dtype dtype = None, bool non_blocking = False, bool copy = False, "
        "*, torch.memory_format memory_format = None)\n"
        " * (torch.dtype dtype, bool non_blocking = False, bool copy = False, *, torch.memory_format memory_format)\n"
        " * (Tensor tensor, bool non_blocking = False, bool copy = False, *, torch.memory_format memory_format)"
    )


def _is_dtype(x: Any) -> bool:
    return isinstance(x, dtypes.dtype) or (isinstance(x, type) and x in dtypes._PYTHON)


def to_arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any, bool, bool, Any]:
    """(device, dtype, non_blocking, copy, memory_format) of the arguments of .to(), in each of its forms."""
    kw = dict(kwargs)
    rest = list(args)
    device = dtype = None
    first = rest[0] if rest else None
    if isinstance(first, Tensor) or "tensor" in kw:
        other = rest.pop(0) if isinstance(first, Tensor) else kw.pop("tensor")
        if not isinstance(other, Tensor):
            raise _bad_to(args, kwargs)
        device, dtype = other._dev, other.dtype
    elif rest and _is_dtype(first):
        dtype = rest.pop(0)
    else:
        device = rest.pop(0) if rest else kw.pop("device", None)
        dtype = rest.pop(0) if rest else kw.pop("dtype", None)
    flags = [kw.pop(name, False) for name in ("non_blocking", "copy")]
    for i, value in enumerate(rest):
        if i > 1 or not isinstance(value, bool):
            raise _bad_to(args, kwargs)
        flags[i] = value
    wanted = kw.pop("memory_format", None)
    known = (str, int, devices.Device)
    if kw or not (device is None or isinstance(device, known)) or not (dtype is None or _is_dtype(dtype)):
        raise _bad_to(args, kwargs)
    return device, dtype, bool(flags[0]), bool(flags[1]), wanted


def to(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """to(dtype), to(device, dtype), to(other), each with non_blocking, copy and memory_format: self if nothing changes.

    Source: torch.Tensor.to.
    """
    if len(args) == 1 and not kwargs and args[0].__class__ is dtypes.dtype:
        d = array_dtype(args[0])
        return self if self._a.dtype == d else F.cast(self, d)  # type: ignore[no-any-return]
    if len(args) == 1 and not kwargs and args[0] is self._dev:
        return self
    device, dtype, non_blocking, copy, wanted = to_arguments(args, kwargs)
    r = self
    if device is not None:
        dev = devices.resolve(device)
        if non_blocking and dev.type == "cpu" != self._dev.type:  # nothing may read what is still on its way
            if dtype is not None:
                r = F.cast(r, array_dtype(dtypes.of(dtype, "to")))
            non_blocking = wanted is None or wanted is preserve_format
        r = to_device(r, dev, non_blocking)
    if dtype is not None:
        d = array_dtype(dtypes.of(dtype, "to"))
        if r._a.dtype != d:
            r = F.cast(r, d)
    if wanted in CHANNELS_LAST or (wanted is contiguous_format and (copy or r is not self)):
        r = in_format(r, wanted)
    return r.clone() if copy and r is self else r  # type: ignore[attr-defined, no-any-return]


def in_format(x: Tensor, wanted: memory_format) -> Tensor:
    """`x` in a memory format; a copy unless it has it. RuntimeError for channels_last of another rank."""
    order = axis_order(wanted, None, x._a.shape)
    if order is None:
        return x.contiguous()  # type: ignore[attr-defined, no-any-return]
    back = [order.index(i) for i in range(len(order))]
    return x.permute(order).contiguous().permute(back)  # type: ignore[attr-defined, no-any-return]


def cpu(self: Tensor, memory_format: Any = preserve_format) -> Tensor:
    """The tensor on the CPU (self if it is there). Source: torch.Tensor.cpu."""
    return self if self._dev.type == "cpu" else to_device(self, devices.cpu_device())


def cuda(self: Tensor, device: Any = None, non_blocking: bool = False, memory_format: Any = preserve_format) -> Tensor:
    """A copy on a CUDA device. Source: torch.Tensor.cuda."""
    return to_device(self, devices.resolve("cuda" if device is None else device), non_blocking)


# ---- legacy tensor types ---------------------------------------------------------------------------------------------
def type_(self: Tensor, dtype: Any = None, non_blocking: bool = False, **kwargs: Any) -> Any:
    """Without argument the type's name ('torch.FloatTensor'); else the tensor converted. Source: torch.Tensor.type."""
    if kwargs.keys() - {"async"}:
        raise TypeError(f"type() got an unexpected keyword argument '{next(iter(kwargs.keys() - {'async'}))}'")
    if dtype is None:
        prefix = "torch." if self.is_cpu else f"torch.{self._dev.type}."
        return f"{prefix}{dtypes.TYPE_NAMES[self.dtype.name]}Tensor"
    if isinstance(dtype, str) or isinstance(dtype, type) and not isinstance(dtype, _LegacyType):
        name = dtype if isinstance(dtype, str) else dtype.__name__
        if name == "torch.Tensor" or dtype is Tensor:
            return to(self, dtypes.get_default_dtype())
        if name not in LEGACY:
            raise ValueError(f"invalid type: {name!r}")
        dtype = LEGACY[name]
    if isinstance(dtype, _LegacyType):
        if dtype._place == "cuda":
            return to(self, "cuda", dtype.dtype)
        return to(cpu(self), dtype.dtype)
    if not isinstance(dtype, dtypes.dtype):
        raise TypeError("dtype must be a type, str, or dtype object")
    return to(self, dtype)


def type_as(self: Tensor, other: Tensor) -> Tensor:
    """Of other's dtype and device. Source: torch.Tensor.type_as."""
    return to(self, other)


def legacy_tensor(args: tuple[Any, ...], dtype: Any, dev: Any, strict: bool = False, size: Any = None) -> Tensor:
    """Tensor(2, 3) and Tensor(size=(2, 3)): uninitialised of that shape; Tensor([2, 3]): that data; Tensor(t): an
    alias, as of an array of that dtype.

    Source: torch.Tensor.
    """
    from ..size import Size
    from ..storage import UntypedStorage
    from .creation import empty
    from .from_data import _is_sequence, as_tensor

    d = dtype or dtypes.get_default_dtype()
    if size is not None:
        args = (*args, Size(size))
    if len(args) != 1:
        return empty(*(args or (0,)), dtype=d, device=dev)  # type: ignore[no-any-return]
    data = args[0]
    if isinstance(data, Size):
        return empty(data, dtype=d, device=dev)  # type: ignore[no-any-return]
    if isinstance(data, Tensor):
        if strict and data.dtype is not d:
            raise TypeError(f"expected {_type_name(d)} (got {data.type()})")  # type: ignore[attr-defined]
        data._cell()
        return data._alias(None, 0)
    if isinstance(data, UntypedStorage):
        return empty(0, dtype=d, device=dev).set_(data)  # type: ignore[no-any-return]
    if hasattr(data, "__index__") and not isinstance(data, bool) and not _is_sequence(data):
        return empty(data, dtype=d, device=dev)  # type: ignore[no-any-return]
    if data is None or isinstance(data, (bool, int, float, complex)):
        raise TypeError(f"new(): data must be a sequence (got {type(data).__name__})")
    return as_tensor(data, dtype=d, device=dev)


def _type_name(d: dtypes.dtype) -> str:
    return f"torch.{dtypes.TYPE_NAMES[d.name]}Tensor"


class _LegacyType(type):
    """The class of torch.FloatTensor and its kin: a dtype and a place."""

    dtype: Any
    _place: str

    def __instancecheck__(cls, obj: Any) -> bool:
        return isinstance(obj, Tensor) and obj.dtype is cls.dtype and obj._dev.type == cls._place

    def __call__(cls, *args: Any, size: Any = None, device: Any = None) -> Tensor:
        dev = devices.cpu_device() if device is None else devices.resolve(device)
        if cls._place == "cuda":
            if not devices.cuda_allowed():
                raise TypeError(f"type {cls.__module__}.{cls.__name__} not available: no CUDA device can be used here.")
            dev = devices.resolve("cuda")
        return legacy_tensor(args, cls.dtype, dev, strict=True, size=size)


def _legacy_class(name: str, d: dtypes.dtype, place: str) -> Any:
    module = "torch" if place == "cpu" else "torch.cuda"
    return _LegacyType(name, (), {"dtype": d, "_place": place, "__module__": module})


LEGACY: dict[str, Any] = {
    f"{module}.{dtypes.TYPE_NAMES[d.name]}Tensor": _legacy_class(f"{dtypes.TYPE_NAMES[d.name]}Tensor", d, place)
    for module, place in (("torch", "cpu"), ("torch.cuda", "cuda"))
    for d in dtypes.PROMOTING
    if d.category < dtypes.COMPLEX
}
FloatTensor = LEGACY["torch.FloatTensor"]
DoubleTensor = LEGACY["torch.DoubleTensor"]
HalfTensor = LEGACY["torch.HalfTensor"]
BFloat16Tensor = LEGACY["torch.BFloat16Tensor"]
ByteTensor = LEGACY["torch.ByteTensor"]
CharTensor = LEGACY["torch.CharTensor"]
ShortTensor = LEGACY["torch.ShortTensor"]
IntTensor = LEGACY["torch.IntTensor"]
LongTensor = LEGACY["torch.LongTensor"]
BoolTensor = LEGACY["torch.BoolTensor"]


def set_default_tensor_type(t: Any) -> None:
    """The default dtype (and device) by a legacy type or its name. Source: torch.set_default_tensor_type."""
    if isinstance(t, str):
        if t not in LEGACY:
            raise ModuleNotFoundError(f"No module named {t.rpartition('.')[0] or t!r}")
        t = LEGACY[t]
    if not isinstance(t, _LegacyType):
        raise TypeError("invalid type object: only floating-point types are supported as the default type")
    if t.dtype.category != dtypes.FLOAT:
        raise TypeError("only floating-point types are supported as the default type")
    dev = devices.resolve("cuda") if t._place == "cuda" else devices.cpu_device()
    dtypes.set_default_dtype(t.dtype)
    if dev.type != devices.current_device().type:
        devices.set_default_device(dev)


def _converter(d: dtypes.dtype) -> Any:
    def convert(self: Tensor, memory_format: Any = None) -> Tensor:
        r = to(self, d)
        return r if memory_format not in (*CHANNELS_LAST, contiguous_format) else in_format(r, memory_format)

    convert.__doc__ = f"self.to({d})."
    return convert


for _name, _d in (
    ("half", dtypes.float16), ("float", dtypes.float32), ("double", dtypes.float64), ("bfloat16", dtypes.bfloat16),
    ("byte", dtypes.uint8), ("char", dtypes.int8), ("short", dtypes.int16), ("int", dtypes.int32),
    ("long", dtypes.int64), ("bool", dtypes.bool_), ("cfloat", dtypes.complex64), ("cdouble", dtypes.complex128),
):  # fmt: skip
    setattr(Tensor, _name, _converter(_d))
for _name, _fn in (("to", to), ("cpu", cpu), ("cuda", cuda), ("type", type_), ("type_as", type_as)):
    attach(_name, _fn)
