"""autocast: inside, listed functions run in a lower precision, or in float32. Source: torch.amp.autocast_mode.

The functions stay as they are until a program first turns autocast on: then those on the lists are replaced, wherever
a module holds them, by ones that look at the thread's state. Programs without autocast never pay for it.
"""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial, wraps
from types import ModuleType
from typing import Any

from .. import dtypes
from ..autograd.modes import mode
from ..tensor import LEAF, Tensor
from .lists import CONDITIONS, FFT_KEPT, LOWER, NAMES, PLAIN, POLICY, WIDEST

__all__ = [
    "autocast", "autocast_decrement_nesting", "autocast_increment_nesting", "clear_autocast_cache", "custom_bwd",
    "custom_fwd", "get_autocast_cpu_dtype", "get_autocast_dtype", "get_autocast_gpu_dtype", "is_autocast_available",
    "is_autocast_cache_enabled", "is_autocast_cpu_enabled", "is_autocast_enabled", "set_autocast_cache_enabled",
    "set_autocast_cpu_dtype", "set_autocast_cpu_enabled", "set_autocast_dtype", "set_autocast_enabled",
    "set_autocast_gpu_dtype",
]  # fmt: skip


class _State(threading.local):
    on: frozenset[str] = frozenset()  # the device types for which it is on
    nesting = 0
    cache_enabled = True

    def __init__(self) -> None:
        self.dtype: dict[str, Any] = {"cpu": dtypes.bfloat16, "cuda": dtypes.float16}
        self.cache: dict[Any, Any] = {}


_state = _State()
_installed: list[bool] = []


# ---- casting ----------------------------------------------------------------------------------------------------------
def _eligible(x: Any, device_type: str) -> bool:
    """Whether autocast may touch a value: a floating Tensor there, but no float64."""
    return (
        isinstance(x, Tensor) and x._dev.type == device_type and x.is_floating_point() and x.dtype is not dtypes.float64
    )


def _mapped(x: Any, fn: Callable[[Any], Any]) -> Any:
    if isinstance(x, Tensor):
        return fn(x)
    if isinstance(x, (list, tuple)) and type(x) in (list, tuple):
        return type(x)(_mapped(v, fn) for v in x)
    return x


def _lowered(x: Any, device_type: str, dtype: Any) -> Any:
    """`x` in the autocast dtype; a leaf that requires grad is cast once until it is written to."""
    if not _eligible(x, device_type) or x.dtype is dtype:
        return x
    if x._fn is not LEAF or x._v is not None or x.dtype is not dtypes.float32 or not _state.cache_enabled:
        return x.to(dtype)
    key = (id(x), dtype, mode.grad)
    found = _state.cache.get(key)
    if found is None or found[0] is not x or found[1] != x._version or found[2] is not x._a:
        found = _state.cache[key] = (x, x._version, x._a, x.to(dtype))
    return found[3]


def _widest(args: Any, kwargs: Any, device_type: str) -> Any:
    """The widest floating dtype among the tensors, at least the autocast dtype."""
    found = _state.dtype[device_type]
    todo = [*args, *kwargs.values()]
    while todo:
        x = todo.pop()
        if isinstance(x, (list, tuple)):
            todo += x
        elif _eligible(x, device_type) and x.dtype is dtypes.float32:
            found = x.dtype
    return found


def _device_type(args: Any, kwargs: Any) -> str | None:
    """The device type of the first tensor."""
    for x in (*args, *kwargs.values()):
        if isinstance(x, Tensor):
            return x._dev.type
        if isinstance(x, (list, tuple)):
            found = _device_type(x, {})
            if found is not None:
                return found
    return None


def _wrapped(name: str, fn: Callable[..., Any]) -> Callable[..., Any]:
    """`fn` that does under autocast what the lists say of `name`."""
    state = _state
    condition = CONDITIONS.get(name)
    policies = {device: table[name] for device, table in POLICY.items() if name in table}

    @wraps(fn)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not state.on:
            return fn(*args, **kwargs)
        device = _device_type(args, kwargs)
        policy = policies.get(device) if device in state.on else None  # type: ignore[arg-type]
        if policy is None or kwargs.get("out") is not None or (condition and not condition(*args, **kwargs)):
            return fn(*args, **kwargs)
        assert device is not None
        if policy is not PLAIN:
            if policy is LOWER:
                dtype = state.dtype[device]
                cast: Callable[[Any], Any] = lambda x: _lowered(x, device, dtype)
            else:
                dtype = _widest(args, kwargs, device) if policy is WIDEST else dtypes.float32
                cast = lambda x: x.to(dtype) if _eligible(x, device) else x
            args = tuple([_mapped(x, cast) for x in args])
            kwargs = {k: _mapped(v, cast) for k, v in kwargs.items()}
        before = state.on
        state.on = before - {device}
        try:
            return fn(*args, **kwargs)
        finally:
            state.on = before

    return call


def _install() -> None:
    """Put wrapped functions in the place of the listed ones, in every module and dictionary of a module."""
    if _installed:
        return
    _installed.append(True)
    import polytensor

    from ..nn import functional

    spaces: dict[str, Any] = {"linalg": polytensor.linalg, "fft": polytensor.fft}
    wrappers: dict[int, tuple[Any, Any]] = {}
    for full in NAMES:
        space, dot, name = full.rpartition(".")
        owners = [spaces[space]] if dot else [polytensor, polytensor.ops, functional, Tensor]
        names = [n for n in dir(spaces[space]) if n[0] != "_" and n not in FFT_KEPT] if name == "*" else [name]
        for owner in owners:
            for n in names:
                fn = owner.__dict__.get(n)
                if callable(fn) and id(fn) not in wrappers and not isinstance(fn, type):
                    wrappers[id(fn)] = (fn, _wrapped(full, fn))

    def replace(table: Any, put: Callable[[Any, Any], None]) -> None:
        for key, value in list(table.items()):
            found = wrappers.get(id(value))
            if found is not None and found[0] is value:
                put(key, found[1])

    replace(Tensor.__dict__, lambda key, value: setattr(Tensor, key, value))
    for module in list(sys.modules.values()):
        if not isinstance(module, ModuleType) or module.__name__.startswith("polytensor.amp"):
            continue
        names_of = module.__dict__
        replace(names_of, names_of.__setitem__)
        if module.__name__.startswith("polytensor."):
            for table in list(names_of.values()):
                if type(table) is dict and table is not wrappers and len(table) < 100:
                    replace(table, table.__setitem__)


# ---- state ------------------------------------------------------------------------------------------------------------


def is_autocast_available(device_type: str) -> bool:
    """Whether autocast knows a device type."""
    return device_type in POLICY


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether autocast is on in this thread for a device type. Source: torch.is_autocast_enabled."""
    return device_type in _state.on


def set_autocast_enabled(*args: Any) -> None:
    """(device_type, enabled), or (enabled) for CUDA. Source: torch.set_autocast_enabled."""
    device_type, enabled = args if len(args) == 2 else ("cuda", *args)
    if enabled:
        _install()
        _state.on = _state.on | {device_type}
    else:
        _state.on = _state.on - {device_type}


def get_autocast_dtype(device_type: str) -> Any:
    """The lower precision of a device type in this thread. Source: torch.get_autocast_dtype."""
    try:
        return _state.dtype[device_type]
    except KeyError:
        raise RuntimeError(f"unknown device type for autocast in get_autocast_dispatch_key: {device_type}") from None


def set_autocast_dtype(device_type: str, dtype: Any) -> None:
    _state.dtype[device_type] = dtype


def is_autocast_cpu_enabled() -> bool:
    return is_autocast_enabled("cpu")


def set_autocast_cpu_enabled(enabled: bool) -> None:
    set_autocast_enabled("cpu", enabled)


def get_autocast_cpu_dtype() -> Any:
    return get_autocast_dtype("cpu")


def set_autocast_cpu_dtype(dtype: Any) -> None:
    set_autocast_dtype("cpu", dtype)


def get_autocast_gpu_dtype() -> Any:
    return get_autocast_dtype("cuda")


def set_autocast_gpu_dtype(dtype: Any) -> None:
    set_autocast_dtype("cuda", dtype)


def is_autocast_cache_enabled() -> bool:
    """Whether casts of parameters are kept until the outermost autocast ends."""
    return _state.cache_enabled


def set_autocast_cache_enabled(enabled: bool) -> None:
    _state.cache_enabled = bool(enabled)


def clear_autocast_cache() -> None:
    _state.cache.clear()


def autocast_increment_nesting() -> int:
    _state.nesting += 1
    return _state.nesting


def autocast_decrement_nesting() -> int:
    _state.nesting -= 1
    return _state.nesting


# ---- the context ------------------------------------------------------------------------------------------------------
class autocast:
    """Context manager and decorator: listed functions run in `dtype` or in float32, by PyTorch's lists.

    dtype: bfloat16 or float16; default bfloat16 on the CPU, float16 on CUDA. Float64 tensors are left alone.
    RuntimeError for an unknown device type. Source: torch.autocast.
    """

    def __init__(
        self, device_type: str, dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        self.device = device_type
        if not is_autocast_available(device_type):
            raise RuntimeError(f"User specified an unsupported autocast device_type '{device_type}'")
        self.fast_dtype = get_autocast_dtype(device_type) if dtype is None else dtype
        self._cache_enabled = _state.cache_enabled if cache_enabled is None else cache_enabled
        if enabled and device_type == "cuda":
            from ..cuda import is_available

            if not is_available():
                warnings.warn(
                    "CUDA is not available or torch_xla is imported. Disabling autocast.", UserWarning, stacklevel=2
                )
                enabled = False
        elif enabled and self.fast_dtype not in (dtypes.bfloat16, dtypes.float16):
            name = device_type.upper()
            warnings.warn(
                f"In {name} autocast, but the target dtype is not supported. Disabling autocast.\n{name} Autocast only "
                "supports dtypes of torch.bfloat16, torch.float16 currently.",
                UserWarning,
                stacklevel=2,
            )
            enabled = False
        self._enabled = enabled

    def __enter__(self) -> autocast:
        self.prev = is_autocast_enabled(self.device)
        self.prev_fastdtype = get_autocast_dtype(self.device)
        self.prev_cache_enabled = _state.cache_enabled
        set_autocast_enabled(self.device, self._enabled)
        set_autocast_dtype(self.device, self.fast_dtype)
        autocast_increment_nesting()
        set_autocast_cache_enabled(self._cache_enabled)
        return self

    def __exit__(self, *exc: object) -> None:
        if autocast_decrement_nesting() == 0:
            clear_autocast_cache()
        set_autocast_enabled(self.device, self.prev)
        set_autocast_dtype(self.device, self.prev_fastdtype)
        set_autocast_cache_enabled(self.prev_cache_enabled)

    def __call__(self, func: Any) -> Any:
        if not callable(func):
            raise TypeError(
                f"autocast()(func) requires a callable, but got {type(func).__name__}. Did you mean to use autocast as a "
                "context manager? For example:\n    with torch.autocast(device_type=...):\n        output = model(input)"
            )

        @wraps(func)
        def decorated(*args: Any, **kwargs: Any) -> Any:
            with self:
                return func(*args, **kwargs)

        return decorated


def state() -> tuple[Any, ...]:
    """What autocast does now in this thread, for `resumed`."""
    return _state.on, dict(_state.dtype), _state.cache_enabled


@contextmanager
def resumed(then: tuple[Any, ...]) -> Iterator[None]:
    """Autocast as it was when `then` was taken by `state`."""
    now = state()
    _state.on, _state.dtype, _state.cache_enabled = then
    autocast_increment_nesting()
    try:
        yield
    finally:
        if autocast_decrement_nesting() == 0:
            clear_autocast_cache()
        _state.on, _state.dtype, _state.cache_enabled = now


# ---- custom functions -------------------------------------------------------------------------------------------------
def _cast(value: Any, device_type: str, dtype: Any) -> Any:
    if isinstance(value, Tensor):
        return value.to(dtype) if _eligible(value, device_type) else value  # type: ignore[attr-defined]
    if isinstance(value, Mapping):
        return {_cast(k, device_type, dtype): _cast(v, device_type, dtype) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_cast(v, device_type, dtype) for v in value)
    return value


def custom_fwd(fwd: Any = None, *, device_type: str, cast_inputs: Any = None) -> Any:
    """Decorator of a Function's forward: notes autocast's state; with `cast_inputs`, casts and turns autocast off."""
    if not isinstance(device_type, str):
        raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
    if fwd is None:
        return partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @wraps(fwd)
    def decorated(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        on = is_autocast_enabled(device_type)
        ctx._dtype = get_autocast_dtype(device_type)
        ctx._fwd_used_autocast = on and cast_inputs is None
        if cast_inputs is None or not on:
            return fwd(ctx, *args, **kwargs)
        with autocast(device_type, enabled=False):
            return fwd(ctx, *_cast(args, device_type, cast_inputs), **_cast(kwargs, device_type, cast_inputs))

    return decorated


def custom_bwd(bwd: Any = None, *, device_type: str) -> Any:
    """Decorator of a Function's backward: autocast is as it was in forward."""
    if not isinstance(device_type, str):
        raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
    if bwd is None:
        return partial(custom_bwd, device_type=device_type)

    @wraps(bwd)
    def decorated(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        with autocast(device_type, enabled=ctx._fwd_used_autocast, dtype=ctx._dtype):
            return bwd(ctx, *args, **kwargs)

    return decorated
