"""Tensor: slots, views and versions, in-place writes under autograd, the NumPy bridge.

Methods that are ops come from the op table (``polytensor.ops``), which attaches them to this class.
"""

from __future__ import annotations

from typing import Any
from weakref import ref

from . import autograd, devices, dtypes, layouts
from .autograd import engine
from .autograd.modes import HOOKED, INFERRING, InferenceCell, check_inference, mark, mode
from .autograd.node import AccumulateGrad, Handle, add_hook, add_to
from .backends.base import DTYPE_OF, HOST_ARRAY
from .protocols import Protocols, as_instance, disabled_torch_function
from .size import Size

new = object.__new__


class _Leaf:
    """Stands in `_fn` of a leaf that requires grad."""

    is_node = False


LEAF = _Leaf()


class Extras:
    """What only some tensors have: gradient and hooks."""

    __slots__ = ("acc", "grad", "hooks", "name", "post_hooks", "retain", "retains")

    def __init__(self) -> None:
        self.grad: Any = None
        self.hooks: dict[int, Any] | None = None
        self.post_hooks: dict[int, Any] | None = None
        self.acc: Any = None
        self.retains = False
        self.retain: Any = None  # the handle of what keeps the gradient
        self.name: str | None = None


class TensorMeta(type):
    """Makes Tensor(2, 3) the legacy constructor. Without a Tensor.__new__ for that, `blank` stays a call in C.

    Subclasses do get a __new__, from a class in between, so that theirs can call super().__new__(cls, data).
    """

    between: Any = None

    def __new__(
        mcls, name: str, bases: tuple[type, ...], names: dict[str, Any], asks: bool = True, **kwargs: Any
    ) -> TensorMeta:
        if mcls.between is not None:
            bases = tuple([mcls.between if b is Tensor else b for b in bases])
        made = super().__new__(mcls, name, bases, names, **kwargs)
        if asks and mcls.between is not None and made.__torch_function__ is not disabled_torch_function:  # type: ignore[attr-defined]
            from .overrides import enable

            enable()
        return made

    def __dir__(cls) -> list[str]:
        return [name for name in super().__dir__() if hasattr(cls, name)]  # not those that PolyTensor lacks

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return super().__call__(*args, **kwargs) if cls.__new__ is not new else _legacy(*args, **kwargs)


def _legacy(*args: Any, size: Any = None, device: Any = None) -> Tensor:
    from .ops.convert import legacy_tensor

    return legacy_tensor(args, None, devices.resolve(device), size=size)


class Tensor(Protocols, metaclass=TensorMeta):
    """A strided array on a device, with autograd. Source: torch.Tensor.

    ``_a`` the backend's array, ``_dev`` the Device, ``_s`` the version cell [version, limit, views...] that views
    share (None: never written nor viewed), ``_fn`` the Node that made it (LEAF: a leaf that requires grad), ``_nr``
    which output of that Node, ``_v`` for a view (base, chain of view kernels), ``_x`` Extras.
    """

    __slots__ = ("__dict__", "__weakref__", "_a", "_dev", "_fn", "_nr", "_s", "_v", "_x")
    _a: Any
    _dev: devices.Device
    _s: Any
    _fn: Any
    _nr: int
    _v: Any
    _x: Any
    __module__ = "torch"
    is_node = False

    # ---- plumbing -----------------------------------------------------------------------------------------------
    def _alias(self, fn: Any, nr: int) -> Tensor:
        """The same memory and version under another history."""
        r: Tensor = blank()
        r._a, r._dev, r._s, r._fn, r._nr, r._v, r._x = self._a, self._dev, self._s, fn, nr, None, None
        return r

    def _cell(self) -> list[Any]:
        s = self._s
        if s is None:
            s = self._s = [0, 64]
        return s

    def _bump(self) -> None:
        """Count a write."""
        s = self._s
        if s is None:
            self._s = [1, 64]
        elif s.__class__ is list:
            s[0] += 1
        else:
            check_inference(self)

    def _extras(self) -> Extras:
        x = self._x
        if x is None:
            x = self._x = Extras()
        return x

    def _accumulate_node(self) -> AccumulateGrad:
        x = self._extras()
        node = x.acc() if x.acc is not None else None
        if node is None:
            node = AccumulateGrad(self)
            x.acc = ref(node)
        return node

    def _check_inplace(self, overlap: bool = True) -> None:
        """Errors of PyTorch for an in-place write under grad mode to a leaf or a view of one."""
        if self._s.__class__ is InferenceCell:
            check_inference(self)
        if mode.grad:
            v, fn = self._v, self._fn
            if v is not None and (fn is not None or v[0]._fn is not None):
                self._check_view()
                if v[0]._fn is LEAF or v[0]._fn is None:
                    raise RuntimeError(
                        "a view of a leaf Variable that requires grad is being used in an in-place operation."
                    )
            if fn is LEAF:
                raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
        if overlap and 0 in self._a.strides:
            check_overlap(self._a)

    def _check_view(self) -> None:
        """RuntimeError for a view that cannot take a history: one of several, or made under no_grad."""
        v = self._v
        if v is not None and len(v) > 2:
            if v[2] == "no_grad":
                raise RuntimeError(
                    "A view was created in no_grad mode and is being modified inplace with grad mode enabled. Given that "
                    "this use case is ambiguous and error-prone, it is forbidden. You can clarify your code by moving "
                    "both the view and the inplace either both inside the no_grad block (if you don't want the inplace "
                    "to be tracked) or both outside (if you want the inplace to be tracked)."
                )
            fn = self._fn
            if v[2] == "custom":
                raise RuntimeError(
                    f"Output {self._nr} of {fn.name().rpartition('Backward')[0]} is a view and is being modified inplace. "
                    "This view was created inside a custom Function (or because an input was returned as-is) and the "
                    "autograd logic to handle view+inplace would override the custom backward associated with the custom "
                    "Function, leading to incorrect gradients. This behavior is forbidden. You can fix this by cloning the "
                    "output of the custom Function."
                )
            nr, made = (v[3], v[2]) if fn is None or fn.name() == v[2] else (self._nr, fn.name())
            raise RuntimeError(
                f"Output {nr} of {made.rpartition('Backward')[0]} is a view and is being modified inplace. This view is "
                "the output of a function that returns multiple views. Such functions do not allow the output views to be modified inplace. You "
                "should replace the inplace operation by an out-of-place one."
            )

    # ---- properties ---------------------------------------------------------------------------------------------
    @property
    def shape(self) -> Size:
        return Size(self._a.shape)

    @property
    def dtype(self) -> dtypes.dtype:
        return DTYPE_OF[self._a.dtype]

    @property
    def device(self) -> devices.Device:
        return self._dev

    @property
    def ndim(self) -> int:
        return self._a.ndim  # type: ignore[no-any-return]

    @property
    def is_cuda(self) -> bool:
        return self._dev.type == "cuda"

    is_cpu = property(lambda self: self._dev.type == "cpu")
    is_meta = property(lambda self: self._dev.type == "meta")
    is_mps = is_mkldnn = is_nested = is_quantized = is_sparse = is_sparse_csr = property(lambda self: False)
    is_ipu = is_maia = is_mtia = is_vulkan = is_xla = is_xpu = property(lambda self: False)
    name = property(lambda self: None if self._x is None else self._x.name)
    grad_dtype = property(lambda self: self.dtype)
    layout = property(lambda self: layouts.strided)
    itemsize = property(lambda self: self._a.dtype.itemsize)
    nbytes = property(lambda self: self._a.nbytes)
    _base = property(lambda self: None if self._v is None else self._v[0])
    output_nr = property(lambda self: self._nr)
    is_leaf = property(lambda self: self._fn is None or self._fn is LEAF)

    @property
    def _version(self) -> int:
        s = self._s
        if s.__class__ is InferenceCell:
            raise RuntimeError("Inference tensors do not track version counter.")
        return 0 if s is None else s[0]  # type: ignore[no-any-return]

    @property
    def requires_grad(self) -> bool:
        return self._fn is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if value and self._a.dtype.kind in "biu":
            raise RuntimeError("only Tensors of floating point and complex dtype can require gradients")
        if not isinstance(value, bool):
            raise RuntimeError("requires_grad must be a bool")
        if value and not self.is_leaf:
            raise RuntimeError("you can only change requires_grad flags of leaf variables.")
        self.requires_grad_(value)

    @property
    def grad_fn(self) -> Any:
        fn = self._fn
        return None if fn is LEAF else fn

    @property
    def grad(self) -> Any:
        x = self._x
        if x is None:
            if self._fn is not None and self._fn is not LEAF:
                import warnings

                warnings.warn(
                    "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad attribute "
                    "won't be populated during autograd.backward(). If you indeed want the .grad field to be populated "
                    "for a non-leaf Tensor, use .retain_grad() on the non-leaf Tensor. If you access the non-leaf Tensor by "
                    "mistake, make sure you access the leaf Tensor instead. See github.com/pytorch/pytorch/pull/30531 for more "
                    "information.",
                    UserWarning,
                    stacklevel=2,
                )
            return None
        return x.grad

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is None:
            if self._x is not None:
                self._x.grad = None
            return
        if not isinstance(value, Tensor):
            raise TypeError(
                f"assigned grad expected to be a Tensor or None but got grad of type {type(value).__name__}"
            )
        if value is self:
            raise RuntimeError("can't assign Variable as its own grad")
        if value._a.shape != self._a.shape:
            raise RuntimeError(
                f"attempting to assign a gradient of size '{list(value._a.shape)}' to a tensor of size "
                f"'{list(self._a.shape)}'. Please ensure that the gradient and the tensor are the same size"
            )
        if value._dev != self._dev:
            raise RuntimeError(
                f"attempting to assign a gradient with device type '{value._dev.type}' to a tensor with device type "
                f"'{self._dev.type}'. Please ensure that the gradient and the tensor are on the same device"
            )
        if value._a.dtype != self._a.dtype:
            have, want = dtypes.CPP_NAMES[value.dtype.name], dtypes.TYPE_NAMES[self.dtype.name]
            raise RuntimeError(
                f"attempting to assign a gradient with dtype '{have}' to a tensor with grad_dtype "
                f"'{want}'. The gradient must match the tensor's grad_dtype (defaults to the tensor's dtype). You can set the "
                "tensor's grad_dtype attribute with a specific dtype, or None to allow any dtype. Set grad_dtype with caution. "
                "Diverging the dtypes of a tensor and its gradient may break downstream systems that assume they match."
            )
        self._extras().grad = value

    @grad.deleter
    def grad(self) -> None:
        self.grad = None

    _grad = grad

    @property
    def data(self) -> Tensor:
        """The same memory without history and with a version counter of its own."""
        return wrap(self._a, self._dev)

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(value).__name__}")
        if self._fn is not None and value._a.dtype.kind in "biu":
            raise RuntimeError("data set to a tensor that requires gradients must be floating point or complex dtype")
        self._a, self._dev = value._a, value._dev

    # ---- autograd -----------------------------------------------------------------------------------------------
    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Start (or stop) recording on a leaf. RuntimeError for integers and for non-leaves."""
        if requires_grad:
            if self._s.__class__ is InferenceCell and not mode.inference:
                raise RuntimeError(
                    "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed."
                )
            if self._fn is None:
                if self._a.dtype.kind in "biu":
                    raise RuntimeError("only Tensors of floating point dtype can require gradients")
                self._extras()
                self._fn = LEAF
        elif self._fn is LEAF:
            self._fn = None
        elif self._fn is not None:
            raise RuntimeError(
                "you can only change requires_grad flags of leaf variables. If you want to use a computed variable in "
                "a subgraph that doesn't require differentiation use var_no_grad = var.detach()."
            )
        return self

    def detach(self) -> Tensor:
        """The same memory and version counter, without history."""
        self._cell()
        return self._alias(None, 0)

    def detach_(self) -> Tensor:
        if self._v is not None:
            raise RuntimeError(
                "Can't detach views in-place. Use detach() instead. If you are using DistributedDataParallel (DDP) for "
                "training, and gradient_as_bucket_view is set as True, gradients are views of DDP buckets, and hence "
                "detach_() cannot be called on these gradients. To fix this error, please refer to the "
                "Optimizer.zero_grad() function in torch/optim/optimizer.py as the solution."
            )
        self._fn, self._nr = None, 0
        return self

    def backward(
        self, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False, inputs: Any = None
    ) -> None:
        """Add d(self)/d(leaf) into each leaf's .grad. `gradient` (same shape) is needed unless self is a scalar."""
        fn = self._fn
        if (
            gradient is None
            and inputs is None
            and not create_graph
            and fn is not None
            and fn.is_node
            and self._a.ndim == 0
            and self._a.dtype.kind != "c"
        ):
            # the loss of a training step
            g = self._dev.backend.scalar(1, self._a.dtype)
            engine.run([(fn, self._nr, g)], bool(retain_graph), False, None, True)
            return
        autograd.backward(self, gradient, retain_graph, create_graph, inputs=inputs)

    def register_hook(self, hook: Any) -> Handle:
        """Call hook(grad) when the gradient is known; a Tensor that it returns replaces it."""
        if self._fn is None:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        if self._fn is not LEAF:
            return add_hook(self._fn, self._nr, hook)
        x = self._extras()
        HOOKED[:] = [True]
        if x.hooks is None:
            x.hooks = {}
        return add_to(x.hooks, hook)

    def register_post_accumulate_grad_hook(self, hook: Any) -> Handle:
        """Call hook(self) after .grad was added to. Leaves only."""
        if self._fn is None:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        if self._fn is not LEAF:
            raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
        x = self._extras()
        HOOKED[:] = [True]
        if x.post_hooks is None:
            x.post_hooks = {}
        return add_to(x.post_hooks, hook)

    def retain_grad(self) -> None:
        """Keep .grad of a non-leaf too."""
        if self._fn is None:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        if self._fn is LEAF or (self._x is not None and self._x.retains):
            return
        self._extras().retains = True
        self._retain()

    def _retain(self) -> None:
        """Have the node of today's values hand over the gradient."""
        holder = ref(self)

        def keep(g: Tensor) -> None:
            t = holder()
            if t is not None:
                g = g.to(t.dtype)
                t._x.grad = g.clone() if t._x.grad is None else t._x.grad + g

        assert self._x is not None
        if self._x.retain is not None:
            self._x.retain.remove()
        self._x.retain = add_hook(self._fn, ("retain", self._nr), keep)

    @property
    def retains_grad(self) -> bool:
        return self._x is not None and self._x.retains

    # ---- layout -------------------------------------------------------------------------------------------------
    def size(self, dim: int | None = None) -> Any:
        return Size(self._a.shape) if dim is None else self._a.shape[check_dim(dim, self._a.ndim)]

    def dim(self) -> int:
        return self._a.ndim  # type: ignore[no-any-return]

    ndimension = dim

    def numel(self) -> int:
        return int(self._a.size)

    nelement = numel

    def stride(self, dim: int | None = None) -> Any:
        a = self._a
        if a.size == 0 and 0 in a.strides:  # what NumPy makes empty has 0s
            strides, n = [], 1
            for length in reversed(a.shape):
                strides.append(n)
                n *= max(length, 1)
            result = tuple(reversed(strides))
        else:
            result = tuple(s // a.dtype.itemsize for s in a.strides)
            if 0 in result:  # NumPy gives 0 to a new axis of size 1, PyTorch what a contiguous one would have
                fixed: list[int] = []
                n = 1
                for length, stride in zip(reversed(a.shape), reversed(result), strict=True):
                    fixed.append(n if stride == 0 and length == 1 else stride)
                    n = length * fixed[-1]
                result = tuple(reversed(fixed))
        return result if dim is None else result[check_dim(dim, a.ndim)]

    def storage_offset(self) -> int:
        a, backend = self._a, self._dev.backend
        return (backend.data_ptr(a) - backend.data_ptr(backend.storage(a))) // a.dtype.itemsize  # type: ignore[no-any-return]

    def is_same_size(self, other: Tensor) -> bool:
        return self._a.shape == other._a.shape  # type: ignore[no-any-return]

    def _is_view(self) -> bool:
        return self._v is not None

    def data_ptr(self) -> int:
        """The address of the first element (0 for an empty tensor)."""
        return 0 if self._a.size == 0 else self._dev.backend.data_ptr(self._a)  # type: ignore[no-any-return]

    const_data_ptr = data_ptr

    def element_size(self) -> int:
        return self._a.dtype.itemsize  # type: ignore[no-any-return]

    def is_contiguous(self, memory_format: Any = None) -> bool:
        """Whether the elements lie in C order, or in that of a channels-last format."""
        order = layouts.CHANNELS_LAST.get(memory_format) if memory_format is not None else None
        a = self._a
        if order is not None:
            if a.ndim != len(order):
                return False
            a = a.transpose(order)
        return bool(a.flags.c_contiguous)

    def is_floating_point(self) -> bool:
        return self.dtype.is_floating_point

    def is_complex(self) -> bool:
        return self.dtype.is_complex

    def get_device(self) -> int:
        return -1 if self._dev.index is None else self._dev.index

    def pin_memory(self, device: Any = None) -> Tensor:
        """A copy in page-locked memory, from which copies to a CUDA device may overlap with work; self if it is there.

        RuntimeError where no CUDA device is usable, and for a tensor that is not on the CPU.
        """
        return devices.pinned(self)

    def is_pinned(self, device: Any = None) -> bool:
        """Whether the memory is page-locked."""
        return devices.started("cupy") and self._dev.type == "cpu" and devices.get_backend("cupy").is_pinned(self._a)

    def record_stream(self, s: Any) -> None:
        """Tell that work in stream `s` uses this memory: it is not handed out again before that work is done.

        Source: torch.Tensor.record_stream.
        """
        if not hasattr(s, "base"):
            raise RuntimeError("unknown parameter type")
        if self._dev.type != "cuda":
            raise NotImplementedError(f"record_stream() needs a CUDA tensor, got one on {self._dev}")
        if self._a.size:
            self._dev.backend.record_stream(self._a, s.base)

    def share_memory_(self) -> Tensor:
        """Move to memory that processes share: what one writes there, all see. Returns self; on CUDA nothing is done.

        Other tensors on the memory that self had stay there. Source: torch.Tensor.share_memory_.
        """
        from .sharing import share

        return share(self)


blank = type.__call__.__get__(Tensor)  # a Tensor without any attribute yet, in two thirds of object.__new__'s time


class ParameterMeta(TensorMeta):
    """Counts an instance of a subclass of Tensor that Parameter(...) was given as a Parameter."""

    def __instancecheck__(cls, instance: Any) -> bool:
        if type.__instancecheck__(cls, instance):
            return True
        return cls is Parameter and isinstance(instance, Subclassed) and "_is_param" in instance.__dict__


class Parameter(Tensor, metaclass=ParameterMeta):
    """A Tensor that a Module registers as a parameter; requires grad unless told otherwise."""

    __module__ = "torch.nn.parameter"
    __torch_function__ = disabled_torch_function

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Any:
        if data is None:
            from .ops.creation import empty

            data = empty(0)
        if isinstance(data, Subclassed) and data.__torch_function__ is not disabled_torch_function:
            return _of_its_class(data, requires_grad)
        if not isinstance(data, Tensor):
            raise AttributeError(
                f"{type(data).__name__!r} object has no attribute 'detach': a Parameter is made of a Tensor"
            )
        r: Parameter = new(cls)
        r._a, r._dev, r._s, r._fn, r._nr, r._v, r._x = data._a, data._dev, data._cell(), None, 0, None, None
        if requires_grad and r._a.dtype.kind in "biu":
            raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
        return r.requires_grad_() if requires_grad else r

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """The values alone: no gradient, attributes or hooks, and memory of its own."""
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.data.clone(), self.requires_grad)  # type: ignore[attr-defined]
        return memo[id(self)]

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return "Parameter containing:\n" + super().__repr__()


class Subclassed(Tensor):
    """Stands between Tensor and its subclasses: makes an instance of one from what Tensor(...) takes."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return as_instance(cls, _legacy(*args, **kwargs))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass


TensorMeta.between = Subclassed


def _of_its_class(data: Any, requires_grad: bool) -> Any:
    """Parameter(data) for an instance of a subclass: one of that class too."""
    r = data.detach().requires_grad_(requires_grad)
    if type(r) is not type(data):
        raise RuntimeError(
            f"Creating a Parameter from an instance of type {type(data).__name__} requires that detach() returns an instance "
            f"of the same type, but return type {type(r).__name__} was found instead. To use the type as a Parameter, please "
            "correct the detach() semantics defined by its __torch_dispatch__() implementation."
        )
    r._is_param = True
    return r


def wrap(array: Any, dev: Any) -> Tensor:
    """A plain tensor around a backend's array (a NumPy scalar becomes 0-d)."""
    r: Tensor = blank()
    if array.__class__ is not HOST_ARRAY and array.__class__ in dev.backend.scalar_types:
        array = dev.backend.asarray(array)
    r._a = array
    r._dev = dev
    r._s = r._fn = r._v = r._x = None
    r._nr = 0
    if INFERRING:
        mark(r)
    return r


engine.wrap = wrap


def check_dim(dim: int, ndim: int) -> int:
    """A dimension as a non-negative int. IndexError as in PyTorch."""
    if dim.__class__ is not int:
        if isinstance(dim, bool) or not hasattr(dim, "__index__"):
            raise TypeError(f"argument 'dim' must be int, not {type(dim).__name__}")
        dim = dim.__index__()
    n = ndim or 1
    if not -n <= dim < n:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})")
    return dim + n if dim < 0 else dim


def check_overlap(a: Any) -> None:
    """RuntimeError for a write to an array whose elements share memory."""
    if 0 in a.strides and a.size > 1 and any(st == 0 and n > 1 for st, n in zip(a.strides, a.shape, strict=True)):
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
            "Please clone() the tensor before performing the operation."
        )


def check_apart(x: Tensor, *others: Any) -> None:
    """RuntimeError where a part of the memory that `x` is to be written in, neither none nor all, belongs to another tensor."""
    a = x._a
    owner = a if a.base is None else a.base
    for t in others:
        b = getattr(t, "_a", a)
        if b is not a and (b if b.base is None else b.base) is owner and x._dev.backend.shares_part(a, b):
            raise RuntimeError(
                "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory "
                "location. Please clone() the tensor before performing the operation."
            )


def rebase(x: Tensor, r: Tensor) -> None:
    """After a write to x's memory: x takes the history of `r`; base and views of x follow."""
    from .ops.shape import copy_slices, replay

    s = x._cell()
    if x._v is None:
        x._fn, x._nr = r._fn, r._nr
        root = x
    else:
        root, chain = x._v[:2]
        copy_slices(root, r, chain)
    if root._x is not None and root._x.retain is not None:
        root._retain()
    for weak in s[2:]:
        view = weak()
        if view is not None and view._v is not None and view._v[0] is root:
            replay(root, view)
            if view._x is not None and view._x.retain is not None:
                view._retain()


def is_tensor(obj: Any) -> bool:
    """Whether `obj` is a Tensor."""
    return isinstance(obj, Tensor)
