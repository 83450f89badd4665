"""Functions that ask their arguments: `__torch_function__` and modes. Source: torch.overrides.

A program without subclasses and modes must not pay for them, so nothing here runs, and no function asks anything, before
`enable()`: TensorMeta calls it for the first subclass of Tensor, and a mode when it is entered. It then gives each function
that can be overridden another body (its `__code__`), which looks at the arguments first; the old body lives on in a second
function. The objects stay the same, so names that were imported before, and methods, ask too.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache, wraps
from inspect import signature
from types import CodeType, FunctionType, MethodWrapperType
from typing import Any

from .devices import Device
from .dtypes import dtype
from .ops.rows import BODIES, F
from .protocols import Protocols, disabled_torch_function
from .size import Size
from .tensor import Parameter, Tensor

__all__ = [
    "BaseTorchFunctionMode", "DisableTorchFunction", "DisableTorchFunctionSubclass", "TorchFunctionMode", "enable",
    "enable_reentrant_dispatch", "get_default_nowrap_functions", "get_ignored_functions", "get_overridable_functions",
    "get_testing_overrides", "handle_torch_function", "has_torch_function", "has_torch_function_unary",
    "has_torch_function_variadic", "is_tensor_like", "is_tensor_method_or_property", "redispatch_function", "resolve_name",
    "wrap_torch_function",
]  # fmt: skip


class _State(threading.local):
    """Of this thread: the modes, innermost last, and what is switched off."""

    def __init__(self) -> None:
        self.modes: list[TorchFunctionMode] = []
        self.classes_off = False
        self.off = 0  # ALL: nobody is asked; ONCE: not for the next function


ALL, ONCE = 1, 2
_state = _State()
# of these types no argument has a __torch_function__ to ask: left out before anything that costs more
_PLAIN = frozenset(
    [Tensor, Parameter, int, float, bool, str, type(None), Size, complex, slice, type(...), dtype, Device]
)


# ---- asking ------------------------------------------------------------------------------------------------------------
def _overrides(x: Any) -> bool:
    cls = type(x)
    if cls in _PLAIN:
        return False
    method = getattr(cls, "__torch_function__", None)
    return method is not None and method is not disabled_torch_function


def _overloaded(args: Iterable[Any]) -> list[Any]:
    """One argument of each type that has a __torch_function__: in order, subclasses before their bases."""
    found: list[Any] = []
    types: list[type] = []
    for x in args:
        cls = type(x)
        if cls not in _PLAIN and cls not in types and _overrides(x):
            at = 0
            while at < len(types) and not issubclass(cls, types[at]):
                at += 1
            types.insert(at, cls)
            found.insert(at, x)
    return found


def _flat(args: Iterable[Any]) -> Iterator[Any]:
    """Arguments, and what lists and tuples among them hold."""
    for x in args:
        if type(x) is tuple or type(x) is list:
            yield from x
        else:
            yield x


def _ask(func: Any, found: list[Any], args: Any, kwargs: Any) -> Any:
    """What the innermost mode, or else the first of `found` that does not decline, makes of a call."""
    rest = (args, kwargs) if kwargs else (args,)
    types = tuple(map(type, found))
    if _state.modes and _state.off != ALL:
        with _popped() as mode:
            r = mode.__torch_function__(func, types, *rest)
        if r is not NotImplemented:
            return r
    for x in found:
        method = x.__torch_function__
        if getattr(method, "__self__", None) is x:
            warnings.warn(
                "Defining your `__torch_function__` as a plain method is deprecated and will be an error in future, please "
                "define it as a classmethod.",
                DeprecationWarning,
                stacklevel=4,
            )
        r = method(func, types, *rest)
        if r is not NotImplemented:
            return r
    return NotImplemented


def _declined(func: Any, found: list[Any]) -> TypeError:
    """The error of a call of `func` that everybody asked has declined."""
    name = resolve_name(func) or getattr(func, "__name__", repr(func))
    types = [type(x) for x in found]
    modes = [] if _state.off == ALL else _state.modes[-1:]
    if name.startswith("torch.nn.functional."):
        where = "".join(f" nor in mode {mode}" for mode in modes)
        return TypeError(
            f"no implementation found for '{name}' on types that implement __torch_function__: {types}{where}"
        )
    asked = [f"  - mode object {mode}" for mode in modes] + [f"  - tensor subclass {t}" for t in types]
    return TypeError(
        f"Multiple dispatch failed for '{name}'; all __torch_function__ handlers returned NotImplemented:\n\n"
        + "\n".join(asked)
    )


def torch_function(cls: Any, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
    """Tensor's own __torch_function__: the function itself, its Tensors then made instances of `cls`."""
    for t in types:
        if t is not cls and not issubclass(cls, t):
            return NotImplemented
    usual = _state.classes_off
    _state.classes_off = True
    try:
        r = func(*args, **(kwargs or {}))
    finally:
        _state.classes_off = usual
    return r if cls is Tensor or func in get_default_nowrap_functions() else _convert(r, cls)


def _convert(r: Any, cls: Any) -> Any:
    if isinstance(r, Tensor):
        return r if isinstance(r, cls) else r.as_subclass(cls)
    if isinstance(r, (tuple, list)) and not isinstance(r, Size):
        items = [_convert(x, cls) for x in r]
        return type(r)(items) if type(r) in (tuple, list) else type(r)(*items)
    return r


class _Off:
    """A context that switches one thing off in this thread."""

    name: str

    def __enter__(self) -> None:
        self.usual = getattr(_state, self.name)
        setattr(_state, self.name, ALL)

    def __exit__(self, *exc: Any) -> None:
        setattr(_state, self.name, self.usual)


class DisableTorchFunctionSubclass(_Off):
    """Inside, no argument's __torch_function__ is asked; modes are. Source: torch._C.DisableTorchFunctionSubclass."""

    name = "classes_off"


class DisableTorchFunction(_Off):
    """Inside, neither arguments nor modes are asked. Source: torch._C.DisableTorchFunction."""

    name = "off"


def _unasked(body: Any, args: Any, kwargs: Any) -> Any:
    """A call where nobody is asked; nor is anybody inside a function of ours."""
    if _state.off == ALL:
        return body(*args, **kwargs)
    _state.off = 0
    with DisableTorchFunction():
        return body(*args, **kwargs)


def redispatch_function(func: Any, types: Any, args: Any, kwargs: Any = None) -> Any:
    """func(*args, **kwargs), for which itself nobody is asked. Source: torch.overrides.redispatch_function.

    A function of torch runs as a whole; in one of the user's, which asks has_torch_function, further functions ask.
    """
    _state.off = ONCE
    try:
        return func(*args, **(kwargs or {}))
    finally:
        if _state.off == ONCE:
            _state.off = 0


def enable_reentrant_dispatch() -> Any:
    """A context for __torch_dispatch__, which is not called here: it does nothing. Source: torch.overrides."""
    return nullcontext()


# ---- modes -------------------------------------------------------------------------------------------------------------
class TorchFunctionMode:
    """Inside `with Mode():` every function of torch asks the mode's __torch_function__, whatever its arguments.

    In there the mode itself is off, so func(*args, **kwargs) does what it always does. Source: torch.overrides.
    """

    def __init__(self) -> None:
        pass

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise NotImplementedError

    def __enter__(self) -> Any:
        enable()
        _state.modes.append(self)
        return self

    def __exit__(self, *exc: Any) -> None:
        _state.modes.pop()

    @classmethod
    def push(cls, *args: Any, **kwargs: Any) -> Any:
        """A mode of this class (deprecated in PyTorch)."""
        warnings.warn("`Mode.push()` is no longer necessary and can be replaced with just `with Mode()`", stacklevel=2)
        return cls(*args, **kwargs)


class BaseTorchFunctionMode(TorchFunctionMode):
    """A mode that changes nothing."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


def _get_current_function_mode() -> TorchFunctionMode | None:
    return _state.modes[-1] if _state.modes else None


def _get_current_function_mode_stack() -> list[TorchFunctionMode]:
    return [*_state.modes]


@contextmanager
def _popped() -> Iterator[TorchFunctionMode]:
    mode = _state.modes.pop()
    try:
        yield mode
    finally:
        _state.modes.append(mode)


# ---- the switch --------------------------------------------------------------------------------------------------------
_enabled = False
_lock = threading.Lock()


def enable() -> bool:
    """From now on functions ask; see the module's text. False if they did already."""
    global _enabled
    with _lock:
        if _enabled:
            return False
        _switch()
        _enabled = True
        return True


def _switch() -> None:
    Protocols.__torch_function__ = classmethod(torch_function)  # type: ignore[method-assign, assignment]
    for found in _functions().values():
        for name, fn in found.items():
            if isinstance(fn, property):
                for half, accessor in ((fn.fget, "__get__"), (fn.fset, "__set__"), (fn.fdel, "__delete__")):
                    if half is not None:
                        _overridable(half, getattr(fn, accessor))
            else:
                _overridable(fn, fn, name not in _BY_VALUE)
    inner = [*vars(F).values()]
    for name in _OPERATORS:
        plain: Any = getattr(Tensor, name)
        method = getattr(Tensor, _NAMED[name]) if name in _NAMED else None
        if plain not in BODIES and plain not in inner:
            plain.__name__ = "__rdiv__" if name == "__rtruediv__" else name
            _overridable(plain, method or plain, declines=name in _DECLINING)
            continue
        # a function of its own: it declines where the method raises, and what the library calls goes on as it is
        operator = FunctionType(_code(0).replace(co_name=name), {}, name)
        operator.__kwdefaults__ = {
            "_entry": _asking(BODIES.get(plain, plain), method or operator, True, name in _DECLINING)
        }
        operator.__wrapped__, operator.__qualname__ = plain, f"Tensor.{name}"  # type: ignore[attr-defined]
        setattr(Tensor, name, operator)


def _copy(fn: Any) -> Any:
    """A second function with the body of `fn`."""
    copy = FunctionType(fn.__code__, fn.__globals__, fn.__name__, fn.__defaults__, fn.__closure__)
    copy.__kwdefaults__ = fn.__kwdefaults__
    copy.__dict__.update(fn.__dict__)
    copy.__doc__, copy.__module__, copy.__qualname__ = fn.__doc__, fn.__module__, fn.__qualname__
    return copy


def _overridable(fn: Any, func: Any, ask_arguments: bool = True, declines: bool = False) -> None:
    """Have `fn` ask its arguments, and the modes, as `func`."""
    if fn in BODIES:
        return
    body = BODIES[fn] = _copy(fn)
    if not hasattr(fn, "__wrapped__"):
        fn.__wrapped__ = body  # inspect.signature looks there
    fn.__kwdefaults__ = {**(fn.__kwdefaults__ or {}), "_entry": _asking(body, func, ask_arguments, declines)}
    fn.__code__ = _code(len(fn.__code__.co_freevars)).replace(co_name=fn.__name__)


def _asking(body: Any, func: Any, ask_arguments: bool, declines: bool = False) -> Callable[[Any, Any], Any]:
    """What a call of `func`, which is `body`, goes through; it `declines` with NotImplemented, as binary operators do."""
    state = _state

    def entry(args: Any, kwargs: Any) -> Any:
        if state.off:
            return _unasked(body, args, kwargs)
        found: list[Any] = []
        if ask_arguments and not state.classes_off:
            for x in args:
                if type(x) not in _PLAIN:
                    found = _overloaded(_flat((*args, *kwargs.values())))
                    break
            else:
                if kwargs:
                    found = _overloaded(_flat(kwargs.values()))
        if not found and not state.modes:
            if ask_arguments:
                return body(*args, **kwargs)
            with DisableTorchFunctionSubclass():
                return body(*args, **kwargs)
        try:
            r = _ask(func, found, args, kwargs)
        except TypeError:
            if declines:
                return NotImplemented
            raise
        if r is NotImplemented and not declines:
            raise _declined(func, found)
        return r

    return entry


@cache
def _code(free: int) -> CodeType:
    """The body of a function that asks; a function keeps its closure, so the body must have as many free variables."""
    names = "".join(f"v{i}, " for i in range(free))
    text = f"def outer({names}):\n def call(*args, _entry, **kwargs):\n  return _entry(args, kwargs)\n  {names or None}\n return call"
    scope: dict[str, Any] = {}
    exec(text, scope)
    return scope["outer"](*range(free)).__code__  # type: ignore[no-any-return]


# ---- which functions ---------------------------------------------------------------------------------------------------
# functions of torch that compute nothing from tensors
_ASIDE = frozenset(
    "available_backends backend_status broadcast_shapes clear_autocast_cache compile compiled_with_cxx11_abi cond "
    "current_backend from_dlpack from_file from_numpy frombuffer initial_seed is_distributed is_storage is_tensor load "
    "manual_seed register_backend save seed to_dlpack typename use_backend use_deterministic_algorithms vmap".split()
)
_BY_VALUE = frozenset("as_tensor asarray scalar_tensor tensor".split())  # modes see them, their arguments are data
_OF_TENSOR = frozenset(  # methods that are not overridden
    "__delitem__ __dir__ __hash__ __init__ __iter__ __new__ __torch_function__ as_subclass _make_subclass".split()
)
_OF_INIT = ("constant_", "kaiming_uniform_", "normal_", "uniform_")
_BINARY = "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift".split()
_DECLINING = [f"__{p}{n}__" for n in _BINARY for p in ("", "r")] + [
    f"__{n}__" for n in ("eq", "ne", "lt", "le", "gt", "ge")
]
_OPERATORS = (
    _DECLINING + [f"__i{n}__" for n in _BINARY if n != "matmul"] + ["__neg__", "__pos__", "__abs__", "__invert__"]
)
_NAMED = {
    "__add__": "add", "__radd__": "add", "__sub__": "sub", "__mul__": "mul", "__rmul__": "mul", "__truediv__": "div",
    "__mod__": "remainder", "__pow__": "pow", "__matmul__": "matmul", "__lt__": "lt", "__le__": "le", "__gt__": "gt",
    "__ge__": "ge", "__ne__": "ne", "__neg__": "neg", "__pos__": "positive", "__abs__": "abs", "__iadd__": "add_",
    "__isub__": "sub_", "__imul__": "mul_", "__itruediv__": "div_", "__ifloordiv__": "floor_divide_",
    "__imod__": "remainder_", "__rand__": "bitwise_and", "__ror__": "bitwise_or", "__rxor__": "bitwise_xor",
}  # fmt: skip


@cache
def _functions() -> dict[Any, dict[str, Any]]:
    """Namespace -> the functions (of Tensor the properties too) in it that can be overridden, by name."""
    import polytensor as torch

    of_torch = {
        k: f
        for k, f in vars(torch).items()
        if k not in _ASIDE and not k.startswith(("set_", "get_", "are_", "autocast_"))
        and not (k.startswith("is_") and k.endswith(("_enabled", "_available")))
    }  # fmt: skip
    of_tensor: dict[str, Any] = {}
    for cls in (Protocols, Tensor):
        of_tensor.update(vars(cls))
    of_tensor = {
        k: f
        for k, f in of_tensor.items()
        if k not in _OF_TENSOR and k not in _OPERATORS
        and (not k.startswith("_") or k.startswith("__") or k in ("_base", "_version"))
    }  # fmt: skip
    homes = {
        torch: of_torch, Tensor: of_tensor, torch.linalg: vars(torch.linalg), torch.fft: vars(torch.fft),
        torch.special: vars(torch.special), torch.nn.functional: vars(torch.nn.functional),
        torch.nn.init: {k: getattr(torch.nn.init, k) for k in _OF_INIT}, torch.autograd: {"grad": torch.autograd.grad},
    }  # fmt: skip
    kinds = (FunctionType, property)
    result = {}
    for home, names in homes.items():
        shown = home is Tensor
        result[home] = {k: f for k, f in names.items() if isinstance(f, kinds) and (shown or not k.startswith("_"))}
    for home, found in result.items():
        prefix = home.__name__[11:] + "_" if home in (torch.linalg, torch.fft, torch.special) else ""
        for name, fn in found.items():
            if not isinstance(fn, FunctionType) or vars(torch).get(fn.__name__) is fn:
                continue
            if prefix or found.get(fn.__name__) is not fn:
                fn.__name__ = prefix + name
    return result


@cache
def _names() -> dict[Any, str]:
    names: dict[Any, str] = {}
    for home, found in _functions().items():
        prefix = "torch.Tensor" if home is Tensor else "torch" + home.__name__[len("polytensor") :]
        for name, fn in found.items():
            if isinstance(fn, property):
                names.setdefault(fn.__get__, f"{prefix}.{name}.__get__")
                names.setdefault(fn.__set__, f"{prefix}.{name}.__set__")
            elif fn.__name__.endswith(name):
                names.setdefault(fn, f"{prefix}.{name}")
        for name, fn in found.items():
            if not isinstance(fn, property):
                names.setdefault(fn, f"{prefix}.{name}")
    for name in _OPERATORS:
        names.setdefault(getattr(Tensor, name), f"torch.Tensor.{name}")
    return names


# ---- the public functions ----------------------------------------------------------------------------------------------
def has_torch_function(relevant_args: Iterable[Any]) -> bool:
    """Whether one of the arguments has a __torch_function__ to ask, or a mode is on."""
    if _state.off:
        if _state.off == ONCE:
            _state.off = 0
        return False
    return bool(_state.modes) or (not _state.classes_off and any(map(_overrides, relevant_args)))


def has_torch_function_variadic(*relevant_args: Any) -> bool:
    """has_torch_function of its arguments."""
    return has_torch_function(relevant_args)


has_torch_function_unary = has_torch_function_variadic


def handle_torch_function(public_api: Any, relevant_args: Iterable[Any], *args: Any, **kwargs: Any) -> Any:
    """The answer of whoever overrides `public_api`. TypeError if each of them declines."""
    found = [] if _state.classes_off else _overloaded(relevant_args)
    r = _ask(public_api, found, args, kwargs)
    if r is NotImplemented:
        raise _declined(public_api, found)
    return r


def wrap_torch_function(dispatcher: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: a function that can be overridden; dispatcher(*args, **kwargs) gives the arguments to ask."""

    def decorate(func: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(func)
        def call(*args: Any, **kwargs: Any) -> Any:
            relevant = dispatcher(*args, **kwargs)
            if has_torch_function(relevant):
                return handle_torch_function(call, relevant, *args, **kwargs)
            return func(*args, **kwargs)

        return call

    return decorate


def is_tensor_like(inp: Any) -> bool:
    """Whether it is a Tensor or has a __torch_function__."""
    return type(inp) is Tensor or hasattr(inp, "__torch_function__")


def is_tensor_method_or_property(func: Any) -> bool:
    """Whether `func` is a method of Tensor, or a property's __get__ or __set__."""
    if isinstance(func, MethodWrapperType):
        return func.__name__ == "__get__"
    return any(f is func for f in _functions()[Tensor].values()) or func in _of_operators()


def _of_operators() -> list[Any]:
    return [getattr(Tensor, name) for name in _OPERATORS]


def resolve_name(f: Any) -> str | None:
    """PyTorch's name of a function that can be overridden, such as 'torch.Tensor.add'; None for others."""
    try:
        return _names().get(f)
    except TypeError:  # no hash
        return None


def get_overridable_functions() -> dict[Any, list[Any]]:
    """Namespace -> its functions that can be overridden."""
    result = {}
    for home, found in _functions().items():
        result[home] = [f.__get__ if isinstance(f, property) else f for f in found.values()]
    result[Tensor] += _of_operators()
    return result


def get_ignored_functions() -> set[Any]:
    """Functions of torch and Tensor whose arguments are not asked."""
    import polytensor as torch

    names = [getattr(torch, k) for k in (*_ASIDE, *_BY_VALUE)] + [
        f for k, f in vars(torch).items() if k.startswith(("set_", "get_", "are_")) and isinstance(f, FunctionType)
    ]
    return {*names, *(getattr(Tensor, k) for k in _OF_TENSOR)}


@cache
def get_default_nowrap_functions() -> set[Any]:
    """What Tensor's __torch_function__ does not make an instance of the subclass of."""
    found = vars(Tensor)
    return {found["_base"].__get__, found["grad"].__get__}


def get_testing_overrides() -> dict[Any, Callable[..., Any]]:
    """For each function that can be overridden one with the same arguments that returns -1."""
    return {f: _stand_in(f) for found in get_overridable_functions().values() for f in found}


def _stand_in(f: Any) -> Callable[..., Any]:
    if isinstance(f, MethodWrapperType):
        return lambda self: -1
    taken = signature(f)

    def stand_in(*args: Any, **kwargs: Any) -> int:
        taken.bind(*args, **kwargs)
        return -1

    stand_in.__signature__ = taken  # type: ignore[attr-defined]
    return stand_in
