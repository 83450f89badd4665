"""Module: parameters, buffers, children, calls with hooks, moves, repr. Source: torch.nn.Module."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

from ..autograd.modes import no_grad
from ..settings import typename
from ..tensor import Parameter, Tensor
from .hooks import GLOBAL, HOOKED, HookHandle, add, call_with_hooks
from .parameter import Buffer, is_lazy
from .state import StateDict
from .state import _IncompatibleKeys as _IncompatibleKeys

# the tables that each module has beside its parameters, buffers and children
_HOOKS = (
    "_backward_pre_hooks", "_backward_hooks", "_forward_hooks", "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called", "_forward_pre_hooks", "_forward_pre_hooks_with_kwargs", "_state_dict_hooks",
    "_state_dict_pre_hooks", "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks",
)  # fmt: skip
_FORWARD_NOTES = {"kw": "_forward_hooks_with_kwargs", "always": "_forward_hooks_always_called"}


class Module(StateDict):
    """Base of all layers: assign Parameters and Modules as attributes, define `forward`, call the instance."""

    training: bool
    dump_patches = False
    call_super_init = False
    _hooked = False  # whether a call has to look for hooks
    _fuses = ""  # "norm" or "relu": may be one op with its neighbour (fusing.norm_relu) while `forward` is `_plain`
    _plain: Any = None
    _is_full_backward_hook: bool | None = None
    _forward_hooks: Any
    _forward_hooks_with_kwargs: Any
    _forward_hooks_always_called: Any
    _forward_pre_hooks: Any
    _forward_pre_hooks_with_kwargs: Any
    _backward_hooks: Any
    _backward_pre_hooks: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self.call_super_init:
            if kwargs:
                raise TypeError(
                    f"{type(self).__name__}.__init__() got an unexpected keyword argument '{next(iter(kwargs))}'"
                )
            if args:
                raise TypeError(
                    f"{type(self).__name__}.__init__() takes 1 positional argument but {len(args) + 1} were given"
                )
        d = self.__dict__
        d["training"] = True
        d["_parameters"] = {}
        d["_buffers"] = {}
        d["_non_persistent_buffers_set"] = set()
        d["_is_full_backward_hook"] = None
        for name in _HOOKS:
            d[name] = OrderedDict()
        d["_modules"] = {}
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._hooked or HOOKED:
            return call_with_hooks(self, args, kwargs)
        return self.forward(*args, **kwargs)

    _call_impl = _wrapped_call_impl = __call__

    # ---- attributes -------------------------------------------------------------------------------------------------
    def __getattr__(self, name: str) -> Any:
        d = self.__dict__
        try:  # no loop: every layer of every model comes through here
            if name in d["_modules"]:
                return d["_modules"][name]
            if name in d["_parameters"]:
                return d["_parameters"][name]
            if name in d["_buffers"]:
                return d["_buffers"][name]
        except KeyError:  # before Module.__init__
            pass
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        d = self.__dict__
        if isinstance(value, Parameter):
            if "_parameters" not in d:
                raise AttributeError("cannot assign parameters before Module.__init__() call")
            self._forget(name, "_buffers", "_modules")
            self.register_parameter(name, value)
        elif name in d.get("_parameters", ()):
            if value is not None:
                raise TypeError(
                    f"cannot assign '{typename(value)}' as parameter '{name}' (torch.nn.Parameter or None expected)"
                )
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            if "_modules" not in d:
                raise AttributeError("cannot assign module before Module.__init__() call")
            self._forget(name, "_parameters", "_buffers")
            d["_modules"][name] = GLOBAL.registered("module", self, name, value)
        elif name in d.get("_modules", ()):
            if value is not None:
                raise TypeError(
                    f"cannot assign '{typename(value)}' as child module '{name}' (torch.nn.Module or None expected)"
                )
            d["_modules"][name] = GLOBAL.registered("module", self, name, value)
        elif name in d.get("_buffers", ()) or isinstance(value, Buffer):
            if value is not None and not isinstance(value, Tensor):
                raise TypeError(
                    f"cannot assign '{typename(value)}' as buffer '{name}' (torch.nn.Buffer, torch.Tensor or None expected)"
                )
            if isinstance(value, Buffer):
                if "_buffers" not in d:
                    raise AttributeError("cannot assign buffer before Module.__init__() call")
                if name in d:
                    raise KeyError(f"attribute '{name}' already exists")
                self._forget(name, "_parameters", "_modules")
                self.register_buffer(name, value, *(() if value.persistent else (False,)))
            else:
                d["_buffers"][name] = GLOBAL.registered("buffer", self, name, value)
        else:
            object.__setattr__(self, name, value)

    def _forget(self, name: str, *tables: str) -> None:
        """Drop a name from where it was; its place in the table that it goes to stays."""
        d = self.__dict__
        d.pop(name, None)
        for table in tables:
            d[table].pop(name, None)
        d["_non_persistent_buffers_set"].discard(name)

    def __delattr__(self, name: str) -> None:
        for table in ("_parameters", "_buffers", "_modules"):
            if name in self.__dict__[table]:
                del self.__dict__[table][name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        names = {*object.__dir__(self), *self._parameters, *self._buffers, *self._modules}
        return sorted(n for n in names if not n[0].isdigit())

    def _check_name(self, name: Any, kind: str, table: str) -> None:
        if table not in self.__dict__:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {typename(name)}")
        taken = hasattr(self, name) and name not in self.__dict__[table]
        if taken and kind == "module":
            raise KeyError(f"attribute '{name}' already exists")
        if "." in name:
            raise KeyError(f'{kind} name can\'t contain "."' + (f", got: {name}" if kind == "module" else ""))
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if taken:
            raise KeyError(f"attribute '{name}' already exists")

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter (or None: a place for one)."""
        self._check_name(name, "parameter", "_parameters")
        if param is not None:
            if not isinstance(param, Parameter):
                raise TypeError(
                    f"cannot assign '{typename(param)}' object to parameter '{name}' (torch.nn.Parameter or None required)"
                )
            if param.grad_fn is not None:
                raise ValueError(
                    f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created explicitly. To "
                    f"express '{name}' as a function of another Tensor, compute the value in the forward() method."
                )
            param = GLOBAL.registered("parameter", self, name, param)
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is state but not trained; `persistent` ones are saved."""
        self._check_name(name, "buffer", "_buffers")
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{typename(tensor)}' object to buffer '{name}' (torch Tensor or None required)"
            )
        self._buffers[name] = GLOBAL.registered("buffer", self, name, tensor)
        transient = self._non_persistent_buffers_set
        (transient.discard if persistent else transient.add)(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a child."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{typename(module)} is not a Module subclass")
        self._check_name(name, "module", "_modules")
        self._modules[name] = GLOBAL.registered("module", self, name, module)

    def register_module(self, name: str, module: Module | None) -> None:
        """add_module by another name."""
        self.add_module(name, module)

    # ---- walking ------------------------------------------------------------------------------------------------------
    def named_modules(
        self, memo: set[Any] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """(dotted name, module) of this module and all below."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, child in self._modules.items():
            if child is not None:
                yield from child.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        for _, m in self.named_modules(remove_duplicate=remove_duplicate):
            yield m

    def named_children(self) -> Iterator[tuple[str, Module]]:
        seen: set[Any] = set()
        for name, child in self._modules.items():
            if child is not None and child not in seen:
                seen.add(child)
                yield name, child

    def children(self) -> Iterator[Module]:
        for _, child in self.named_children():
            yield child

    def _named_members(
        self, get_members_fn: Any, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Any]]:
        """What `get_members_fn(module)` lists for this module and all below, None left out."""
        seen: set[int] = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for path, m in modules:
            for name, value in get_members_fn(m):
                if value is None or id(value) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(value))
                yield (f"{path}.{name}" if path else name), value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        yield from self._named_members(lambda m: m._parameters.items(), prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        for _, p in self.named_parameters(recurse=recurse):
            yield p

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        yield from self._named_members(lambda m: m._buffers.items(), prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        for _, b in self.named_buffers(recurse=recurse):
            yield b

    def get_submodule(self, target: str) -> Module:
        """The module of a dotted name. AttributeError if there is none."""
        m = self
        for part in target.split(".") if target else ():
            child = _attribute(m, part)
            if not isinstance(child, Module):
                raise AttributeError(f"`{part}` is not an nn.Module")
            m = child
        return m

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put a module in the place of a dotted name; `strict`: only where one is already."""
        if target == "":
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Module):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict or hasattr(parent, name):
            if not isinstance(_attribute(parent, name), Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        path, _, name = target.rpartition(".")
        found = _attribute(self.get_submodule(path), name)
        if not isinstance(found, Parameter):
            raise AttributeError(f"`{name}` is not an nn.Parameter")
        return found

    def get_buffer(self, target: str) -> Tensor:
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        found = _attribute(owner, name)
        if name not in owner._buffers:
            raise AttributeError(f"`{name}` is not a buffer")
        return found  # type: ignore[no-any-return]

    # ---- modes, moves -------------------------------------------------------------------------------------------------
    def train(self, mode: bool = True) -> Any:
        """Training mode for this module and all below."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for child in self.children():
            child.train(mode)
        return self

    def eval(self) -> Any:
        """Evaluation mode: train(False)."""
        return self.train(False)

    def apply(self, fn: Callable[[Module], None]) -> Any:
        """Call fn on every module, children first."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """Put fn(tensor) in the place of each parameter's data, its gradient's and each buffer."""
        if recurse:
            for child in self.children():
                child._apply(fn)
        with no_grad():
            for p in self._parameters.values():
                if p is not None:
                    p.data = fn(p.data if is_lazy(p) else p)
                    if p._x is not None and p._x.grad is not None:
                        p._x.grad.data = fn(p._x.grad)
        for name, b in self._buffers.items():
            if is_lazy(b):
                b.data = fn(b.data)
            elif b is not None:
                self._buffers[name] = fn(b)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """Move and convert parameters and buffers: to(device), to(dtype), to(device, dtype), to(tensor), memory_format=.

        Only floating and complex ones change dtype; a memory format is for those with four or five dimensions.
        """
        device, dtype, non_blocking, memory_format = _parse_to(*args, **kwargs)
        if dtype is not None:
            if not (dtype.is_floating_point or dtype.is_complex):
                raise TypeError(
                    f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}"
                )
            if dtype.is_complex:
                warnings.warn(
                    "Complex modules are a new feature under active development whose design may change, and some modules "
                    "might not work as expected when using complex tensors as parameters or buffers.",
                    stacklevel=2,
                )

        def move(t: Tensor) -> Tensor:
            if t.is_meta and device is not None and device.type != "meta":
                raise NotImplementedError(
                    "Cannot copy out of meta tensor; no data! Please use torch.nn.Module.to_empty() instead of "
                    "torch.nn.Module.to() when moving module from meta to a different device."
                )
            to = dtype if t.is_floating_point() or t.is_complex() else None
            if memory_format is not None and t.dim() in (4, 5):
                return t.to(device or t.device, to or t.dtype, non_blocking, memory_format=memory_format)  # type: ignore[attr-defined, no-any-return]
            return t.to(device or t.device, to or t.dtype, non_blocking)  # type: ignore[attr-defined, no-any-return]

        return self._apply(move)

    def to_empty(self, *, device: Any, recurse: bool = True) -> Any:
        """Move to a device without the values."""
        from ..ops.creation import empty_like

        return self._apply(lambda t: empty_like(t, device=device), recurse)

    def share_memory(self) -> Any:
        """Move parameters, their gradients and buffers to memory that processes share. Source: Module.share_memory."""
        for t in (*self.parameters(), *self.buffers()):
            t.share_memory_()
            if t.grad is not None:
                t.grad.share_memory_()
        return self

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Nothing but a warning: modules run eagerly."""
        from ..settings import compile

        compile(self, *args, **kwargs)

    def type(self, dst_type: Any) -> Any:
        return self._apply(lambda t: t.type(dst_type))  # type: ignore[attr-defined]

    def float(self) -> Any:
        return self._apply(lambda t: t.float() if t.is_floating_point() else t)  # type: ignore[attr-defined]

    def double(self) -> Any:
        return self._apply(lambda t: t.double() if t.is_floating_point() else t)  # type: ignore[attr-defined]

    def half(self) -> Any:
        return self._apply(lambda t: t.half() if t.is_floating_point() else t)  # type: ignore[attr-defined]

    def bfloat16(self) -> Any:
        return self._apply(lambda t: t.bfloat16() if t.is_floating_point() else t)  # type: ignore[attr-defined]

    def cpu(self) -> Any:
        return self._apply(lambda t: t.cpu())  # type: ignore[attr-defined]

    def cuda(self, device: Any = None) -> Any:
        return self._apply(lambda t: t.cuda(device))  # type: ignore[attr-defined]

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop (or zero) all gradients."""
        if getattr(self, "_is_replica", False):
            warnings.warn(
                "Calling .zero_grad() from a module created with nn.DataParallel() has no effect. The parameters are copied "
                "(in a differentiable manner) from the original module. This means they are not leaf nodes in autograd and "
                "so don't accumulate gradients. If you need gradients in your forward method, consider using autograd.grad "
                "instead.",
                stacklevel=2,
            )
            return
        for p in self.parameters():
            if p.grad is not None:
                if set_to_none:
                    p.grad = None
                else:
                    if p.grad.grad_fn is not None:
                        p.grad.detach_()
                    else:
                        p.grad.requires_grad_(False)
                    p.grad.zero_()

    # ---- hooks --------------------------------------------------------------------------------------------------------
    def register_forward_hook(
        self, hook: Any, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> HookHandle:
        """Call hook(module, args, output) after forward; a result replaces the output.

        with_kwargs: hook(module, args, kwargs, output). always_call: with output None also where forward raises.
        """
        self.__dict__["_hooked"] = True
        notes = {k: self.__dict__[name] for k, name in _FORWARD_NOTES.items()}
        return add(self._forward_hooks, hook, prepend, notes, kw=with_kwargs, always=always_call)

    def register_forward_pre_hook(self, hook: Any, *, prepend: bool = False, with_kwargs: bool = False) -> HookHandle:
        """Call hook(module, args) before forward; a result replaces the arguments.

        with_kwargs: hook(module, args, kwargs), with a result (args, kwargs).
        """
        self.__dict__["_hooked"] = True
        notes = {"kw": self._forward_pre_hooks_with_kwargs}
        return add(self._forward_pre_hooks, hook, prepend, notes, kw=with_kwargs)

    def _backward_kind(self, full: bool) -> None:
        if self._is_full_backward_hook is (not full):
            raise RuntimeError(
                "Cannot use both regular backward hooks and full backward hooks on a single Module. Please use only one "
                "of them."
            )
        self.__dict__["_is_full_backward_hook"] = full
        self.__dict__["_hooked"] = True

    def register_full_backward_hook(self, hook: Any, prepend: bool = False) -> HookHandle:
        """Call hook(module, grad_input, grad_output) in backward; a result replaces grad_input."""
        self._backward_kind(True)
        return add(self._backward_hooks, hook, prepend)

    def register_backward_hook(self, hook: Any) -> HookHandle:
        """Call hook(module, grad_input, grad_output) of the last Node alone. Better: register_full_backward_hook."""
        self._backward_kind(False)
        return add(self._backward_hooks, hook)

    def register_full_backward_pre_hook(self, hook: Any, prepend: bool = False) -> HookHandle:
        """Call hook(module, grad_output) in backward, before the module's own; a result replaces grad_output."""
        self.__dict__["_hooked"] = True
        return add(self._backward_pre_hooks, hook, prepend)

    # ---- repr, copies ---------------------------------------------------------------------------------------------------
    def extra_repr(self) -> str:
        """What stands between the brackets of repr."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [f"({name}): " + _addindent(repr(child), 2) for name, child in self._modules.items()]
        if not children and len(lines) <= 1:
            return f"{self._get_name()}({''.join(lines)})"
        return f"{self._get_name()}(\n  " + "\n  ".join(lines + children) + "\n)"

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__.copy()

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take a pickle's state, also PyTorch's or an older one: tables that it lacks are empty."""
        d = self.__dict__
        d.update(state)
        for name in _HOOKS:
            d.setdefault(name, OrderedDict())
        d.setdefault("_non_persistent_buffers_set", set())
        d.setdefault("_is_full_backward_hook", None)
        d["_hooked"] = any(d[name] for name in _HOOKS)

    def _replicate_for_data_parallel(self) -> Any:
        """A shallow copy without parameters of its own."""
        replica = self.__new__(type(self))
        replica.__dict__ = self.__dict__.copy()
        replica.__dict__["_parameters"] = {}
        replica.__dict__["_buffers"] = self._buffers.copy()
        replica.__dict__["_modules"] = self._modules.copy()
        replica.__dict__["_is_replica"] = True
        return replica


def _parse_to(*args: Any, **kwargs: Any) -> tuple[Any, Any, bool, Any]:
    """(device, dtype, non_blocking, memory_format) of the arguments of Module.to."""
    from ..devices import resolve
    from ..dtypes import of
    from ..ops.convert import to_arguments

    device, dtype, non_blocking, copy, memory_format = to_arguments(args, kwargs)
    if copy:
        raise RuntimeError(".to() does not accept copy argument")
    dtype = None if dtype is None else of(dtype, "to")
    return None if device is None else resolve(device), dtype, non_blocking, memory_format


def _attribute(m: Module, name: str) -> Any:
    if not hasattr(m, name):
        raise AttributeError(f"{type(m).__name__} has no attribute `{name}`")
    return getattr(m, name)


def _addindent(s_: str, numSpaces: int) -> str:  # noqa: N803
    return s_.replace("\n", "\n" + " " * numSpaces)


def factory_kwargs(kwargs: Any) -> dict[str, Any]:
    """device, dtype and memory_format out of a module's keyword arguments. TypeError for others.

    Source: torch.nn.factory_kwargs.
    """
    if kwargs is None:
        return {}
    simple = {"device", "dtype", "memory_format"}
    unknown = kwargs.keys() - simple - {"factory_kwargs"}
    if unknown:
        raise TypeError(f"unexpected kwargs {unknown}")
    result = dict(kwargs.get("factory_kwargs", {}))
    for k in simple & kwargs.keys():
        if k in result:
            raise TypeError(f"{k} specified twice, in **kwargs and in factory_kwargs")
        result[k] = kwargs[k]
    return result
