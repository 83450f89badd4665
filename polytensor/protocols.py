"""What Python and NumPy ask of a tensor: numbers, sequences, formats, arrays, copies, pickles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from . import devices, dtypes
from .absent import Lack, refuse
from .autograd.modes import mode
from .settings import warn_once

if TYPE_CHECKING:
    from .tensor import Tensor

NOT_ONE = "only one element tensors can be converted to Python scalars"


def disabled_torch_function(func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
    """The __torch_function__ of a class whose ops give plain Tensors. Source: torch._C._disabled_torch_function_impl."""
    from .overrides import DisableTorchFunctionSubclass

    with DisableTorchFunctionSubclass():
        return func(*args, **(kwargs or {}))


def disabled_torch_dispatch(func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
    """The only __torch_dispatch__ that a class may have. Source: torch._C._disabled_torch_dispatch_impl."""
    return func(*args, **(kwargs or {}))


class Protocols:
    """The base of Tensor; see the module's text. Source: torch.Tensor."""

    __slots__ = ()
    _a: Any
    _dev: Any
    _fn: Any
    _s: Any
    _v: Any
    _x: Any
    __array_priority__ = 1000

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Ops on an instance of a subclass give instances of it (overrides.py). Source: torch.Tensor.__torch_function__."""
        from .overrides import torch_function

        return torch_function(cls, func, types, args, kwargs)

    # ---- numbers ----------------------------------------------------------------------------------------------------
    def item(self) -> Any:
        """The value of a tensor of one element as a Python number. RuntimeError for any other size."""
        a = self._a
        if a.size != 1:
            raise RuntimeError(f"a Tensor with {a.size} elements cannot be converted to Scalar")
        value = a.item() if self._dev.type == "cpu" else self._dev.backend.item(a)
        return value if a.dtype.kind != "V" else float(value)

    def tolist(self) -> Any:
        """Nested lists of Python numbers; a number for a 0-dim tensor."""
        return self._dev.backend.tolist(self._a)

    def __bool__(self) -> bool:
        a = self._a
        if a.size != 1:
            if a.size == 0:
                raise RuntimeError("Boolean value of Tensor with no values is ambiguous")
            raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")
        return bool(a.item() if self._dev.type == "cpu" else self._dev.backend.item(a))

    def _one(self, name: str) -> Any:
        """The one value, for a real Python number."""
        if self._fn is not None and mode.grad and name != "int64_t":
            warn_once(
                "Converting a tensor with requires_grad=True to a scalar may lead to unexpected behavior.\nConsider using "
                "tensor.detach() first.",
                3,
            )
        if self._a.size != 1:
            raise ValueError(NOT_ONE)
        value = self._dev.backend.item(self._a)
        if isinstance(value, complex) and name != "complex":
            if value.imag:
                raise RuntimeError(f"value cannot be converted to type {name} without overflow")
            value = value.real
        return value

    def __float__(self) -> float:
        return float(self._one("double"))

    def __int__(self) -> int:
        return int(self._one("int64_t"))

    def __complex__(self) -> complex:
        return complex(self._one("complex"))

    def __index__(self) -> int:
        a = self._a
        if a.size != 1 or a.dtype.kind not in "biu":
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self._dev.backend.item(a))

    # ---- sequences --------------------------------------------------------------------------------------------------
    def __len__(self) -> int:
        if self._a.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return self._a.shape[0]  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[Tensor]:
        if self._a.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return iter(self.unbind(0))  # type: ignore[attr-defined, no-any-return]

    def __reversed__(self) -> Any:
        return self if self._a.ndim == 0 else self.flip(0)  # type: ignore[attr-defined]

    def __delitem__(self, index: Any) -> None:
        raise TypeError("Tensor does not support deleting items")

    def __contains__(self, value: Any) -> bool:
        if (
            not isinstance(value, (Protocols, int, float, complex))
            and value.__class__ not in self._dev.backend.scalar_types
        ):
            raise RuntimeError(
                f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(value)}."
            )
        return bool((value == self).any().item())  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return id(self)

    def __dir__(self) -> list[str]:
        names = {name for name in object.__dir__(self) if name in self.__dict__ or hasattr(type(self), name)}
        if self._dev.type != "cuda":
            names.discard("__cuda_array_interface__")
        return sorted(names)

    # ---- text -------------------------------------------------------------------------------------------------------
    def __repr__(self, *, tensor_contents: Any = None) -> str:
        from .printing import tensor_str

        return tensor_str(self, tensor_contents)

    def __format__(self, spec: str) -> str:
        if self._a.ndim == 0 and self.__class__.__name__ != "Parameter":
            return format(self.item(), spec)
        return object.__format__(self, spec)

    # ---- NumPy and DLPack -------------------------------------------------------------------------------------------
    def numpy(self, *, force: bool = False) -> Any:
        """The NumPy array that shares this CPU tensor's memory. TypeError on CUDA; RuntimeError if it requires grad, unless
        grad mode is off.

        bfloat16 gives an array of ml_dtypes' bfloat16, where PyTorch raises TypeError.
        """
        if force:
            return self._dev.backend.to_numpy(self._a)
        if self._fn is not None and mode.grad:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
        if self._dev.type != "cpu":
            raise TypeError(
                f"can't convert {self._dev} device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host "
                "memory first."
            )
        self._cell()  # type: ignore[attr-defined]
        return self._a

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        a = self.numpy()
        if dtype is not None and a.dtype != dtype:
            return a.astype(dtype)
        return a.copy() if copy else a

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        """What a NumPy function of a tensor gives: a tensor again; bool as uint8, as in PyTorch."""
        from .tensor import wrap

        if array.dtype.kind == "b":
            array = array.astype("uint8")
        return wrap(self._dev.backend.asarray(array), self._dev)

    def __dlpack__(
        self, *, stream: Any = -1, max_version: Any = None, dl_device: Any = None, copy: bool | None = None
    ) -> Any:
        """A capsule of this memory for another library, whose CUDA stream `stream` waits for what the current one has.

        stream: its address, 1 or None for the default one, -1 for none that waits. BufferError for a tensor that requires
        grad. The tensor's device need not be the current one, as PyTorch demands.
        """
        if self._fn is not None:
            raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
        if stream is not None and type(stream) is not int:
            raise TypeError("stream must be ``int`` or ``none``")
        return self._dev.backend.to_dlpack(self._a, stream, max_version, dl_device, copy)

    def __dlpack_device__(self) -> Any:
        return self._dev.backend.dlpack_device(self._a)

    @property
    def __cuda_array_interface__(self) -> Any:
        if self._dev.type != "cuda":
            raise AttributeError(
                f"Can't get __cuda_array_interface__ on non-CUDA tensor type: {self.type()} "  # type: ignore[attr-defined]
                "If CUDA data is required use tensor.cuda() to copy tensor to device memory."
            )
        if self._fn is not None:
            raise RuntimeError(
                "Can't get __cuda_array_interface__ on Variable that requires grad. If gradients aren't required, use "
                "var.detach() to get Variable that doesn't require grad."
            )
        return self._dev.backend.interface(self._a)

    # ---- memory -----------------------------------------------------------------------------------------------------
    def untyped_storage(self) -> Any:
        """The bytes that this tensor and its views share."""
        from .storage import UntypedStorage

        return UntypedStorage.of(self._a, self._dev)

    def storage(self) -> Any:
        """The memory that views share, as elements of this dtype (deprecated in PyTorch)."""
        from .storage import TypedStorage

        return TypedStorage.of(self._a, self._dev)

    def is_set_to(self, tensor: Tensor) -> bool:
        """Whether both are the same view of the same memory."""
        a, b = self._a, tensor._a
        return (
            a.shape == b.shape and a.strides == b.strides and self.data_ptr() == tensor.data_ptr()  # type: ignore[attr-defined]
            and self._dev.backend.owner(a) is tensor._dev.backend.owner(b)
        )  # fmt: skip

    def to_dense(self, dtype: Any = None, *, masked_grad: Any = None) -> Any:
        """self, which is dense; in another dtype if one is given. Source: torch.Tensor.to_dense."""
        return self if dtype is None else self.to(dtype)  # type: ignore[attr-defined]

    coalesce = refuse("Tensor.coalesce", "tensors are dense (torch.strided)")
    to_sparse = refuse("Tensor.to_sparse", "tensors are dense (torch.strided)")
    to_sparse_csr = to_sparse_csc = to_sparse_bsr = to_sparse_bsc = to_sparse

    def to_sparse_coo(self) -> Any:
        return self.to_sparse()

    def is_shared(self) -> bool:
        """Whether processes share the memory: after share_memory_(), and on CUDA. Source: torch.Tensor.is_shared."""
        from .sharing import block_of

        return self._dev.type == "cuda" or block_of(self._a, self._dev) is not None

    def is_signed(self) -> bool:
        """Whether the dtype has a sign."""
        return bool(self.dtype.is_signed)  # type: ignore[attr-defined]

    def is_distributed(self) -> bool:
        return False

    def dim_order(self, *, ambiguity_check: Any = False) -> tuple[int, ...]:
        """The dimensions from the outermost in memory to the innermost."""
        stride = self.stride()  # type: ignore[attr-defined]
        return tuple(sorted(range(len(stride)), key=lambda i: -stride[i]))

    @staticmethod
    def _make_subclass(cls: Any, data: Tensor, require_grad: bool = False) -> Any:
        """`data`'s memory as an instance of a subclass of Tensor without history. Source: torch.Tensor._make_subclass."""
        data._cell()
        r = as_instance(cls, data._alias(None, 0))
        if require_grad:
            type(data).requires_grad.__set__(r, True)  # type: ignore[attr-defined]
        return r

    @staticmethod
    def _make_wrapper_subclass(cls: Any, *args: Any, **kwargs: Any) -> Any:
        """NotImplementedError: what such a tensor without memory does is left to __torch_dispatch__."""
        raise NotImplementedError("_make_wrapper_subclass() needs __torch_dispatch__, which PolyTensor does not call.")

    # ---- element by element in Python -------------------------------------------------------------------------------
    def _elements(self, name: str, *others: Tensor) -> list[list[Any]]:
        """The elements of self and of others, expanded, as lists."""
        if self._fn is not None:
            raise RuntimeError(
                f"Can't call {name}() on Variable that requires grad. Use var.detach().{name}() instead."
            )
        if self._dev.type != "cpu":
            raise TypeError(f"{name} is only implemented on CPU tensors")
        for x in others:
            if x.dtype is not self.dtype:  # type: ignore[attr-defined]
                raise TypeError(f"{name}: expected {self.type()} for 'other' (got {x.type()})")  # type: ignore[attr-defined]
        arrays = [self._a] + [x.expand(self._a.shape)._a for x in others]  # type: ignore[attr-defined]
        return [a.reshape(-1).tolist() for a in arrays]

    def _store(self, values: list[Any]) -> Any:
        from .ops.from_data import make_tensor

        made = make_tensor(values, self.dtype, self._dev)  # type: ignore[attr-defined]
        return self.copy_(made.reshape(self._a.shape))  # type: ignore[attr-defined]

    def apply_(self, callable: Any) -> Any:
        """Replace each element by callable(element), a Python function: slow, CPU only."""
        return self._store([callable(x) for x in self._elements("apply_")[0]])

    def map_(self, other: Tensor, callable: Any) -> Any:
        """Replace each element by callable(element, that of other)."""
        return self._store([callable(*xs) for xs in zip(*self._elements("map_", other), strict=True)])

    def map2_(self, x: Tensor, y: Tensor, callable: Any) -> Any:
        """Replace each element by callable(element, that of x, that of y)."""
        return self._store([callable(*xs) for xs in zip(*self._elements("map2_", x, y), strict=True)])

    # ---- copies and pickles: tensors that share memory go on sharing it ---------------------------------------------
    def _placed(self) -> tuple[Any, int]:
        """The array that owns the memory, if it is dense, and where in it (bytes) this tensor starts."""
        backend, a = self._dev.backend, self._a
        owner = backend.owner(a)
        if not backend.is_dense(owner):
            return backend.copy(a), 0
        return owner, backend.data_ptr(a) - backend.data_ptr(owner) if a.size else 0

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if not self.is_leaf:  # type: ignore[attr-defined]
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment.  "
                "If you were attempting to deepcopy a module, this may be because of a torch.nn.utils.weight_norm usage, "
                "see https://github.com/pytorch/pytorch/pull/103001"
            )
        if id(self) in memo:
            return memo[id(self)]
        backend = self._dev.backend
        owner, offset = self._placed()
        shared = memo.setdefault(_SHARED, {})  # type: ignore[call-overload]
        if id(owner) not in shared:
            # the owner is kept, so that its id stays its own; copies share a version cell as they share memory
            shared[id(owner)] = (owner, backend.copy(backend.bytes_of(owner)), [0, 64])
        _, flat, cell = shared[id(owner)]
        a = self._a if backend.owner(self._a) is owner else owner
        r: Any = object.__new__(type(self))
        r._a = backend.strided_view(flat, a.shape, a.strides, offset, a.dtype)
        r._dev, r._s, r._fn, r._nr, r._v, r._x = self._dev, cell, self._fn, 0, None, None
        memo[id(self)] = r
        if self._x is not None:
            r._extras()
            if self._x.grad is not None:
                r._x.grad = self._x.grad.__deepcopy__(memo)
        if self.__dict__:
            from copy import deepcopy

            r.__dict__.update(deepcopy(self.__dict__, memo))
        return r

    def __reduce_ex__(self, protocol: Any) -> Any:
        owner, offset = self._placed()
        a = self._a if self._dev.backend.owner(self._a) is owner else owner
        host = self._dev.backend.to_numpy(owner)
        cls: Any = type(self)
        args = (
            cls.__name__ if cls in _own_classes() else cls, host, self.dtype, offset, a.shape, a.strides, str(self._dev), self._fn is not None,  # type: ignore[attr-defined]
        )  # fmt: skip
        return (rebuild, args, dict(self.__dict__)) if self.__dict__ else (rebuild, args)

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise RuntimeError(f"a Tensor's state is a dict of its attributes, got {type(state).__name__}")
        self.__dict__.update(state)


def as_instance(cls: Any, x: Tensor) -> Any:
    """What `x`, a Tensor that nobody else has, is made of, as an instance of a subclass."""
    if getattr(cls, "__torch_dispatch__", disabled_torch_dispatch) is not disabled_torch_dispatch:
        raise NotImplementedError(
            f"{cls.__name__} defines __torch_dispatch__, which PolyTensor does not call: there is nothing below the functions "
            "of torch to override. Define __torch_function__."
        )
    r: Any = object.__new__(cls)
    r._a, r._dev, r._s, r._fn, r._nr, r._v, r._x = x._a, x._dev, x._s, x._fn, x._nr, x._v, None
    return r


def _own_classes() -> tuple[Any, Any]:
    """Tensor and Parameter: they go by PyTorch's names, so pickles name them by a word."""
    from .tensor import Parameter, Tensor

    return Tensor, Parameter


_SHARED = "polytensor: memory copied so far"


def rebuild(
    cls: Any, owner: Any, dtype: dtypes.dtype, offset: int, shape: Any, strides: Any, device: str, requires_grad: bool
) -> Any:
    """Unpickle a tensor; one saved on a device that is not here comes back on the CPU."""
    if isinstance(cls, str):
        cls = next(c for c in _own_classes() if c.__name__ == cls)
    dev = devices.resolve(device)
    if not devices.usable(dev):
        dev = devices.cpu_device()
    if not owner.flags.writeable:
        owner = owner.copy(order="K")
    backend = dev.backend
    r: Any = object.__new__(cls)
    d = dtypes.need_array(dtype)
    r._a = backend.strided_view(backend.bytes_of(backend.from_numpy(owner)), shape, strides, offset, d)
    r._dev, r._s, r._fn, r._nr, r._v, r._x = dev, None, None, 0, None, None
    return r.requires_grad_() if requires_grad else r


for _why, _names in {
    "sparse tensors": "ccol_indices col_indices crow_indices dense_dim indices is_coalesced resize_as_sparse_ row_indices smm "
    "sparse_dim sparse_mask sparse_resize_ sparse_resize_and_clear_ sspaddmm values",
    "nested tensors": "to_padded_tensor",
    "quantized tensors": "dequantize int_repr q_per_channel_axis q_per_channel_scales q_per_channel_zero_points q_scale "
    "q_zero_point qscheme",
    "such device or dtype": "chalf ipu mtia to_mkldnn xpu",
    "such method, as PyTorch itself no more": "align_as align_to eig has_names lstsq names refine_names reinforce "
    "rename resize resize_as solve symeig volatile",
}.items():
    for _name in _names.split():
        setattr(Protocols, _name, Lack(_name, _why))
