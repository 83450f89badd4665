"""Creation, conversion and moves between devices."""

from __future__ import annotations

from typing import Any

from .. import devices, dtypes
from ..autograd.modes import mode
from ..backends.base import DTYPE_OF, SCALARS
from ..tensor import LEAF, Tensor, make_view, new, wrap
from .shape import memory_order, sizes
from .table import ROWS, F, attach, check_tensor


def _dtype(d: Any) -> dtypes.dtype:
    """A dtype from ours, or a Python type."""
    if isinstance(d, dtypes.dtype):
        return d
    if d is float:
        return dtypes.get_default_dtype()
    if d is int:
        return dtypes.int64
    if d is bool:
        return dtypes.bool_
    raise TypeError(f"dtype must be a torch.dtype, got {type(d).__name__} ({d!r})")


def array_dtype(d: dtypes.dtype) -> Any:
    if d.array is None:
        raise RuntimeError("bfloat16 needs the package ml_dtypes: pip install 'polytensor[bf16]'")
    return d.array


def _finish(array: Any, dev: Any, requires_grad: bool) -> Tensor:
    r = wrap(array, dev)
    return r.requires_grad_() if requires_grad else r


def _python_dtype(array: Any) -> Any:
    """The dtype for an array that NumPy made of Python data: floats become the default dtype."""
    kind = array.dtype.kind
    if kind == "f":
        return dtypes.get_default_dtype().array
    if kind in "iu":
        return dtypes.int64.array
    return array.dtype


def _from_data(data: Any, dtype: Any, dev: Any) -> Any:
    """An array with memory of its own from numbers, nested sequences, arrays and tensors."""
    backend = dev.backend
    if isinstance(data, Tensor):
        a = data._a
        if data._dev.type != dev.type:
            a = backend.from_numpy(data._dev.backend.to_numpy(a))
        return backend.cast(a, dtype) if dtype is not None and a.dtype != dtype else backend.copy(a)
    if isinstance(data, (list, tuple)) and _mixed(data):
        found: list[Any] = []
        data = _plain(data, found)
        if dtype is None:
            plain = _python_dtype(backend.host(data))
            for d in found:
                high = dtypes.promote_types(d, DTYPE_OF[plain])
                plain = (high if high.category > d.category else d).array
            dtype = plain
    host = backend.host(data)
    if host.dtype.kind in "OUSmM":
        if host.dtype.kind in "US":
            raise TypeError(f"new(): invalid data type 'str' ({data!r})")
        if data is not None and hasattr(data, "__len__"):
            raise ValueError(f"expected sequence of equal length at every level of {type(data).__name__}")
        raise RuntimeError(f"Could not infer dtype of {type(data).__name__}")
    if host.dtype not in DTYPE_OF:
        raise TypeError(
            f"can't convert np.ndarray of type {host.dtype}. The only supported types are: "
            + ", ".join(d.name for d in dtypes.ALL) + "."
        )  # fmt: skip
    if dtype is None:
        dtype = host.dtype if hasattr(data, "dtype") else _python_dtype(host)
        if host.size == 0 and not hasattr(data, "dtype"):
            dtype = dtypes.get_default_dtype().array
    return backend.from_numpy(host.astype(dtype, order="C", copy=True))


def _plain(data: Any, found: list[Any]) -> Any:
    """Nested data with one-element tensors replaced by numbers; `found` collects what decides the dtype."""
    if isinstance(data, (list, tuple)):
        return [_plain(x, found) for x in data]
    if isinstance(data, Tensor):
        if data._a.size != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        found.append(data.dtype)
        return data._a.item()
    return data


def _mixed(data: Any) -> bool:
    """Whether a tensor stands somewhere in nested data; what comes first is asked first."""
    return isinstance(data, Tensor) or (isinstance(data, (list, tuple)) and any(_mixed(x) for x in data))


def tensor(
    data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False
) -> Tensor:
    """A copy of `data` (number, nested sequence, array, tensor). Floats get the default dtype. Source: torch.tensor."""
    dev = data._dev if device is None and isinstance(data, Tensor) else devices.resolve(device)
    array = None if dtype is None else array_dtype(_dtype(dtype))
    return _finish(_from_data(data, array, dev), dev, requires_grad)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """Like `tensor`, without a copy where dtype and device allow it. Source: torch.as_tensor."""
    if isinstance(data, Tensor):
        return to(data, device=device, dtype=dtype) if dtype is not None or device is not None else data
    dev = devices.resolve(device)
    if hasattr(data, "__array_interface__") and data.__class__ not in SCALARS and dev.type == "cpu":
        r = from_numpy(data, dev)
        return r if dtype is None else to(r, _dtype(dtype))
    return tensor(data, dtype=dtype, device=dev)


def asarray(obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor from a tensor, array, DLPack object or sequence. Source: torch.asarray."""
    return tensor(obj, dtype=dtype, device=device) if copy else as_tensor(obj, dtype, device)


def from_numpy(ndarray: Any, dev: Any = None) -> Tensor:
    """A CPU tensor that shares memory with a NumPy array. TypeError for a foreign dtype. Source: torch.from_numpy."""
    if not hasattr(ndarray, "__array_interface__") or ndarray.__class__ in SCALARS:
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    if ndarray.dtype not in DTYPE_OF:
        raise TypeError(
            f"can't convert np.ndarray of type {ndarray.dtype}. The only supported types are: "
            + ", ".join(d.name for d in dtypes.ALL) + "."
        )  # fmt: skip
    if any(s < 0 for s in ndarray.strides):
        raise ValueError(
            "At least one stride in the given numpy array is negative, and tensors with negative strides are not "
            "currently supported. (You can probably work around this by making a copy of your array with array.copy().)"
        )
    dev = dev or devices.cpu_device()
    return wrap(dev.backend.asarray(ndarray), dev)


def from_dlpack(ext_tensor: Any) -> Tensor:
    """A tensor that shares memory with any DLPack object. Source: torch.from_dlpack."""
    kind, index = ext_tensor.__dlpack_device__()
    dev = devices.cpu_device() if kind == 1 else devices.resolve("cuda", index)
    return wrap(dev.backend.from_dlpack(ext_tensor), dev)


def to_device(x: Tensor, dev: Any) -> Tensor:
    """`x` on another device: shared memory between CPU backends, a copy otherwise. Gradients pass."""
    if x._dev is dev:
        return x
    if x._dev.type == dev.type == "cpu":
        r = make_view(x, x._a, "alias", ())
        r._dev = dev
        if x._fn is not None and mode.grad:
            ROWS["alias"].record((x,), (), (r,))
        return r
    r = wrap(dev.backend.from_numpy(x._dev.backend.to_numpy(x._a)), dev)
    if x._fn is not None and mode.grad:
        _MoveNode.record(x, r)
    return r


class _MoveNode:
    """Records a copy between devices: its backward moves the gradient back."""

    @staticmethod
    def record(x: Tensor, r: Tensor) -> None:
        from ..autograd.node import Node

        class ToCopyBackward0(Node):
            __slots__ = ()

            def run(self, g: Any, tensors: bool, wanted: Any) -> Any:
                home = self.saved
                if tensors:
                    return [to_device(g, home)]
                return [home.backend.from_numpy(self.dev.backend.to_numpy(g))]

        n = new(ToCopyBackward0)
        n.edges, n.nrs = ((x if x._fn is LEAF else x._fn),), (x._nr,)
        n.hooks = n.vers = n.shapes = None
        n.saved, n.dev = x._dev, r._dev
        r._fn = n


def to(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """to(dtype), to(device), to(device, dtype), to(other): self if nothing changes. Source: torch.Tensor.to."""
    dtype, device = kwargs.pop("dtype", None), kwargs.pop("device", None)
    copy = kwargs.pop("copy", False)
    kwargs.pop("non_blocking", None)
    memory_format = kwargs.pop("memory_format", None)
    if kwargs:
        raise TypeError(f"to() got an unexpected keyword argument {next(iter(kwargs))!r}")
    for a in args:
        if isinstance(a, Tensor):
            dtype, device = a.dtype, a._dev
        elif isinstance(a, dtypes.dtype):
            dtype = a
        elif isinstance(a, bool):
            pass  # non_blocking, copy
        elif a is not None:
            device = a
    r = self
    if device is not None:
        r = to_device(r, devices.resolve(device))
    if dtype is not None:
        d = array_dtype(_dtype(dtype))
        if r._a.dtype != d:
            r = F.cast(r, d)
    if memory_format is not None and r.suggested_format() != memory_format != "torch.preserve_format":
        return r.clone(memory_format=memory_format)  # type: ignore[attr-defined, no-any-return]
    return r.clone() if copy and r is self else r  # type: ignore[attr-defined, no-any-return]


def cpu(self: Tensor) -> Tensor:
    """The tensor on the CPU (self if it is there)."""
    return self if self._dev.type == "cpu" else to_device(self, devices.cpu_device())


def cuda(self: Tensor, device: Any = None) -> Tensor:
    """A copy on a CUDA device."""
    return to_device(self, devices.resolve("cuda" if device is None else device))


def type_(self: Tensor, dtype: Any = None) -> Any:
    """Without argument the type's name ('torch.FloatTensor'); else the tensor converted. Source: torch.Tensor.type."""
    from .table import TYPE_NAME

    if dtype is None:
        prefix = "torch.cuda." if self.is_cuda else "torch."
        return f"{prefix}{TYPE_NAME[self.dtype.name]}Tensor"
    if isinstance(dtype, str):
        names = {f"torch.{v}Tensor": k for k, v in TYPE_NAME.items()}
        if dtype not in names:
            raise ValueError(f"invalid type: '{dtype}'")
        dtype = dtypes.BY_NAME[names[dtype]]
    return to(self, getattr(dtype, "_legacy_dtype", dtype))


def legacy_tensor(cls: type, args: tuple[Any, ...], dtype: Any, device: Any) -> Tensor:
    """Tensor(2, 3): uninitialised of that shape; Tensor([2, 3]): that data. Source: torch.Tensor."""
    d = dtype or dtypes.get_default_dtype()
    dev = devices.resolve(device)
    if len(args) == 1 and isinstance(args[0], tuple) and hasattr(args[0], "numel"):
        args = tuple(args[0])
    if len(args) == 1 and not isinstance(args[0], int):
        if isinstance(args[0], float):
            raise TypeError(f"new(): data must be a sequence (got {type(args[0]).__name__})")
        return tensor(args[0], dtype=d, device=dev)
    return empty(*(args or (0,)), dtype=d, device=dev)  # type: ignore[no-any-return]


class _LegacyType(type):
    def __instancecheck__(cls, obj: Any) -> bool:
        return isinstance(obj, Tensor) and obj.dtype is cls._legacy_dtype  # type: ignore[attr-defined]


def _legacy_class(name: str, d: dtypes.dtype) -> Any:
    def make(cls: Any, *args: Any, device: Any = None) -> Tensor:
        return legacy_tensor(cls, args, d, device)

    return _LegacyType(name, (), {"__new__": make, "_legacy_dtype": d, "dtype": d})


FloatTensor = _legacy_class("FloatTensor", dtypes.float32)
DoubleTensor = _legacy_class("DoubleTensor", dtypes.float64)
HalfTensor = _legacy_class("HalfTensor", dtypes.float16)
ByteTensor = _legacy_class("ByteTensor", dtypes.uint8)
CharTensor = _legacy_class("CharTensor", dtypes.int8)
ShortTensor = _legacy_class("ShortTensor", dtypes.int16)
IntTensor = _legacy_class("IntTensor", dtypes.int32)
LongTensor = _legacy_class("LongTensor", dtypes.int64)
BoolTensor = _legacy_class("BoolTensor", dtypes.bool_)


def _shape(size: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[int, ...]:
    shape = sizes((kwargs["size"],)) if kwargs else sizes(size)
    for n in shape:
        if n < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {n}: {list(shape)}")
    return shape


def _creator(name: str, value: Any) -> Any:
    def make(
        *size: Any, out: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False, **kw: Any
    ) -> Tensor:
        shape = _shape(size, kw)
        dev = devices.resolve(device)
        d = array_dtype(dtypes.get_default_dtype() if dtype is None else _dtype(dtype))
        r = wrap(_filled(dev, shape, d, value), dev)
        if requires_grad:
            r.requires_grad_()
        if out is None:
            return r
        from .table import write_out

        return write_out(out, r)

    make.__name__ = name
    make.__doc__ = f"A tensor of the given size. Source: torch.{name}."
    return make


def _filled(dev: Any, shape: tuple[int, ...], d: Any, value: Any) -> Any:
    if value is None:
        return dev.backend.empty(shape, d)
    return dev.backend.zeros(shape, d) if value.__class__ is int and value == 0 else dev.backend.full(shape, value, d)


zeros = _creator("zeros", 0)
ones = _creator("ones", 1)
empty = _creator("empty", None)


def full(
    size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, out: Any = None
) -> Tensor:
    """A tensor of one value, whose kind gives the dtype unless named. Source: torch.full."""
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    dev = devices.resolve(device)
    d = array_dtype(dtypes.scalar_dtype(value) if dtype is None else _dtype(dtype))
    return _finish(
        dev.backend.full(_shape((size,) if not isinstance(size, int) else (size,), {}), value, d), dev, requires_grad
    )


def _like(name: str, value: Any) -> Any:
    def make(
        input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, memory_format: Any = None,
        layout: Any = None, pin_memory: bool = False,
    ) -> Tensor:  # fmt: skip
        check_tensor(input, name)
        dev = input._dev if device is None else devices.resolve(device)
        d = input._a.dtype if dtype is None else array_dtype(_dtype(dtype))
        order = memory_order(input._a, memory_format)
        if order is None:
            return _finish(_filled(dev, input._a.shape, d, value), dev, requires_grad)
        array = _filled(dev, tuple(input._a.shape[i] for i in order), d, value)
        return _finish(array.transpose([order.index(i) for i in range(len(order))]), dev, requires_grad)

    make.__name__ = name
    return make


zeros_like = _like("zeros_like", 0)
ones_like = _like("ones_like", 1)
empty_like = _like("empty_like", None)


def full_like(
    input: Tensor, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of input's shape, dtype and device, of one value. Source: torch.full_like."""
    d = input.dtype if dtype is None else dtype
    return full(
        input._a.shape,
        fill_value,
        dtype=d,
        device=input._dev if device is None else device,
        requires_grad=requires_grad,
    )


def _new(make: Any) -> Any:
    def method(self: Tensor, *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
        return make(*size, dtype=dtype or self.dtype, device=device or self._dev, requires_grad=requires_grad)  # type: ignore[no-any-return]

    return method


def new_tensor(
    self: Tensor, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    return tensor(data, dtype=dtype or self.dtype, device=device or self._dev, requires_grad=requires_grad)


def _number(x: Any) -> Any:
    return x.item() if isinstance(x, Tensor) or x.__class__ in SCALARS else x


def arange(
    start: Any = 0, end: Any = None, step: Any = 1, *, out: Any = None, dtype: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Values from start to below end by step; int64 if all are ints, else the default dtype. Source: torch.arange."""
    if end is None:
        start, end = 0, start
    start, end, step = _number(start), _number(end), _number(step)
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    if dtype is None:
        dtype = dtypes.int64 if all(isinstance(v, int) for v in (start, end, step)) else dtypes.get_default_dtype()
    dev = devices.resolve(device)
    return _finish(dev.backend.arange(start, end, step, array_dtype(_dtype(dtype))), dev, requires_grad)


def linspace(
    start: Any, end: Any, steps: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """`steps` values from start to end, both included. Source: torch.linspace."""
    dev = devices.resolve(device)
    d = array_dtype(dtypes.get_default_dtype() if dtype is None else _dtype(dtype))
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    return _finish(dev.backend.linspace(_number(start), _number(end), steps, d), dev, requires_grad)


def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones on the diagonal. Source: torch.eye."""
    dev = devices.resolve(device)
    d = array_dtype(dtypes.get_default_dtype() if dtype is None else _dtype(dtype))
    return _finish(dev.backend.eye(n, n if m is None else m, d), dev, requires_grad)


def _converter(d: dtypes.dtype) -> Any:
    return lambda self, memory_format=None: to(self, d)


for _name, _d in (
    ("half", dtypes.float16), ("float", dtypes.float32), ("double", dtypes.float64), ("bfloat16", dtypes.bfloat16),
    ("byte", dtypes.uint8), ("char", dtypes.int8), ("short", dtypes.int16), ("int", dtypes.int32),
    ("long", dtypes.int64), ("bool", dtypes.bool_),
):  # fmt: skip
    setattr(Tensor, _name, _converter(_d))
for _name, _fn in (
    ("to", to), ("cpu", cpu), ("cuda", cuda), ("type", type_), ("new_tensor", new_tensor), ("new_zeros", _new(zeros)),
    ("new_ones", _new(ones)), ("new_empty", _new(empty)),
):  # fmt: skip
    attach(_name, _fn)
Tensor.new_full = lambda self, size, fill_value, *, dtype=None, device=None, requires_grad=False: full(  # type: ignore[attr-defined]
    size, fill_value, dtype=dtype or self.dtype, device=device or self._dev, requires_grad=requires_grad
)
Tensor.type_as = lambda self, other: to(self, other.dtype)  # type: ignore[attr-defined]
