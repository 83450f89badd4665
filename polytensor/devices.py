"""Devices and backends: which there are, which are usable, and which one is current.

A Tensor carries an interned `Device`; a Device has a backend. ``cpu`` may stand on NumPy or on Numba (they share the
memory), ``cuda:N`` stands on CuPy. Equality, hash and ``str`` use type and index alone, as in PyTorch.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any

BUILTIN = {
    "numpy": "polytensor.backends.numpy:NumpyBackend",
    "numba": "polytensor.backends.numba:NumbaBackend",
    "cupy": "polytensor.backends.cupy:CupyBackend",
}
FORKED = "Cannot re-initialize CUDA in forked subprocess. To use CUDA with multiprocessing, you must use the 'spawn' start method"
_factories: dict[str, str | Callable[[], Any]] = dict(BUILTIN)
_instances: dict[str, Any] = {}
_current: Any = None  # the Device where new tensors live; None until first use


class AcceleratorError(RuntimeError):
    """A CUDA call failed. Source: torch.AcceleratorError."""

    __module__ = "torch"


class OutOfMemoryError(RuntimeError):
    """The memory of a CUDA device does not suffice. Source: torch.OutOfMemoryError."""

    __module__ = "torch"


class _Here(threading.local):
    """What this thread chose for itself: by use_backend, a `with` on a device, or set_default_device."""

    device: Any = None

    def __init__(self) -> None:
        self.stack: list[Any] = []


_here = _Here()
_entry_points_read = False


class Device:
    """A place where tensors live (``torch.device``): ``type`` ('cpu' or 'cuda'), ``index`` and its backend."""

    __slots__ = ("_hash", "backend", "index", "type")
    type: str
    index: int | None
    backend: Any
    _hash: int

    def __new__(cls, *args: Any, **kwargs: Any) -> Device:
        return named(*args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        return (named, (self.type, self.index))

    def __repr__(self) -> str:
        return (
            f"device(type='{self.type}')" if self.index is None else f"device(type='{self.type}', index={self.index})"
        )

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Device) and self.type == other.type and self.index == other.index

    def __hash__(self) -> int:
        return self._hash

    def __enter__(self) -> Device:
        _here.stack.append(_here.device)
        _here.device = self
        return self

    def __exit__(self, *exc: object) -> None:
        _here.device = _here.stack.pop()


Device.__name__ = Device.__qualname__ = "device"  # repr(type(d)) as in PyTorch
Device.__module__ = "torch"
_interned: dict[tuple[str, int | None], Device] = {}


def _intern(backend: Any, index: int | None = None) -> Device:
    key = (backend.name, index)
    found = _interned.get(key)
    if found is None:
        found = object.__new__(Device)
        found.type = backend.device_type
        found.index = index
        found.backend = backend if index is None or isinstance(backend, _Absent) else backend.at(index)
        found._hash = hash((found.type, index))
        found = _interned.setdefault(key, found)  # another thread may have been quicker
    return found


def register_backend(name: str, factory: str | Callable[[], Any]) -> None:
    """Make a backend known by name: a callable that returns a Backend, or 'package.module:Class'.

    Installed packages can do the same with an entry point in the group ``polytensor.backends``.
    """
    _factories[name] = factory
    _instances.pop(name, None)
    for key in [k for k in _interned if k[0] == name]:
        del _interned[key]


def _read_entry_points() -> None:
    global _entry_points_read
    if _entry_points_read:
        return
    _entry_points_read = True
    from importlib.metadata import entry_points

    for point in entry_points(group="polytensor.backends"):
        _factories.setdefault(point.name, point.value)


def _load(name: str) -> Any:
    factory = _factories[name]
    if isinstance(factory, str):
        module, _, attribute = factory.partition(":")
        factory = getattr(import_module(module), attribute)
    return factory


def backend_names() -> list[str]:
    """Every known backend, usable here or not."""
    _read_entry_points()
    return list(_factories)


def backend_status() -> dict[str, tuple[bool, str, str]]:
    """For each known backend: (usable here, the reason if not, what to install)."""
    result = {}
    for name in backend_names():
        try:
            ok, reason, hint = _load(name).availability()
        except Exception as error:
            ok, reason, hint = False, f"{type(error).__name__}: {error}", ""
        result[name] = (ok, reason, hint)
    return result


def available_backends() -> list[str]:
    """The names of the backends that can run here."""
    return [name for name, (ok, _, _) in backend_status().items() if ok]


def get_backend(name: str) -> Any:
    """The backend called `name`. RuntimeError with one line that says what, why and what to do."""
    found = _instances.get(name)
    if found is not None:
        return found
    if name not in _factories:
        _read_entry_points()
    if name not in _factories:
        raise RuntimeError(f"unknown PolyTensor backend {name!r}: choose one of {', '.join(backend_names())}")
    factory = _load(name)
    ok, reason, hint = factory.availability()
    if not ok:
        raise RuntimeError(
            f"PolyTensor backend {name!r} cannot run here: {reason}"
            + (f"; {hint}" if hint else "")
            + f" (usable now: {', '.join(available_backends())})"
        )
    _instances[name] = backend = factory()
    if backend.device_type == "cuda" and hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: _lose(backend))
    return backend


def _lose(backend: Any) -> None:
    """Let the backends of CUDA devices, which a forked child cannot use, say so wherever they are used."""
    for b in (backend, *vars(backend).get("_placed", {}).values()):
        b.__class__ = _Absent
        vars(b).clear()
        b.__init__("cuda", RuntimeError, FORKED)


def current_device() -> Device:
    """The Device of new tensors. The environment variable is read here, at first use."""
    return _chosen() if _here.device is None else _here.device  # type: ignore[no-any-return]


def _chosen() -> Device:
    """The device of the whole program."""
    if _current is None:
        set_backend(os.environ.get("POLYTENSOR_BACKEND") or "numpy")
    return _current  # type: ignore[no-any-return]


def started(name: str) -> bool:
    """Whether a backend was used in this process."""
    return name in _instances


def named(type: Any = None, index: int | None = None) -> Device:
    """torch.device(...): as resolve, but a CPU device keeps the index that it is given."""
    if type is None:
        raise TypeError("device(): argument 'type' must be str, int or torch.device, not NoneType")
    dev = resolve(type, index)
    if dev.type == "cpu" and isinstance(type, str):
        index = int(type.partition(":")[2]) if ":" in type else index
        if index is not None:
            if index < 0:
                raise RuntimeError("Device index must not be negative")
            return _intern(dev.backend, index)
    return dev


def set_backend(name: str) -> None:
    """Choose where new tensors live and which kernels ``cpu`` means: 'numpy', 'numba', 'cupy' or a registered one.

    It holds for all threads; inside use_backend for this thread, until the block ends.
    """
    global _current
    if _here.device is None:
        _current = backend_device(name)
    else:
        _here.device = backend_device(name)


def set_default_device(device: Any) -> None:
    """Where new tensors of this thread live: 'cpu', 'cuda', a backend's name; None: as set_backend says.

    Source: torch.set_default_device.
    """
    _here.device = None if device is None else resolve(device)


def get_device_module(device: Any = None) -> Any:
    """torch.cuda or torch.cpu, for a device (None: the current one). Source: torch.get_device_module."""
    return import_module(f"polytensor.{resolve(device).type}")


def current_backend() -> str:
    """The name of the backend that new tensors live on."""
    return current_device().backend.name  # type: ignore[no-any-return]


@contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Within the block new tensors of this thread live on backend `name`; also a decorator."""
    before, _here.device = _here.device, backend_device(name)
    try:
        yield
    finally:
        _here.device = before


def cpu_device() -> Device:
    """The current CPU device: the current backend if it is a CPU one, else NumPy."""
    dev = current_device()
    if dev.type == "meta":  # a choice of device, not of what computes
        dev = next((d for d in reversed(_here.stack) if d is not None and d.type == "cpu"), None) or _chosen()
    return dev if dev.type == "cpu" else _intern(get_backend("numpy"))


def backend_device(name: str) -> Device:
    """The Device of backend `name` (index 0 on CUDA)."""
    backend = get_backend(name)
    return _intern(backend, 0 if backend.device_type == "cuda" else None)


def cuda_allowed() -> bool:
    """False where POLYTENSOR_BACKEND names a CPU backend, so that a script which prefers cuda obeys it."""
    chosen = os.environ.get("POLYTENSOR_BACKEND")
    if chosen and chosen != "cupy":
        return False
    return bool(backend_status()["cupy"][0])


class _Absent:
    """Stands for the backend of a device that can be named but not used here; errors are those of CPU-only PyTorch."""

    def __init__(self, device_type: str, error: type[Exception], reason: str) -> None:
        self.name = f"no {device_type}"
        self.device_type = device_type
        self.error = error
        self.reason = reason

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise self.error(self.reason)


def _absent(kind: str, index: int | None, error: type[Exception], reason: str) -> Device:
    return _intern(_Absent(kind, error, reason), index)


@cache
def _meta() -> Any:
    """The backend of tensors without data; not one to compute with, so it is in no list."""
    return import_module(".backends.meta", __package__).MetaBackend()


def pinned(t: Any) -> Any:
    """A CPU tensor in page-locked memory; `t` itself if it lies there."""
    if not cuda_allowed():
        raise RuntimeError("Cannot access accelerator device when none is available.")
    if t._dev.type != "cpu":
        raise RuntimeError(f"cannot pin '{t.type()}' only dense CPU tensors can be pinned")
    backend = get_backend("cupy")
    if backend.is_pinned(t._a):
        return t
    r = t.detach().clone()
    r._a = backend.pinned(r._a)
    return r


def usable(dev: Device) -> bool:
    """Whether tensors can live on that device here."""
    return not isinstance(dev.backend, _Absent)


def resolve(spec: Any = None, index: int | None = None) -> Device:
    """A Device from 'cpu', 'cuda', 'cuda:1', a backend's name, an index, a Device or None (the current one)."""
    if spec is None:
        return current_device()
    if isinstance(spec, Device):
        return spec if spec.index is None or spec.type != "cpu" else _intern(spec.backend)
    if hasattr(spec, "__index__") and not isinstance(spec, bool):
        if not backend_status()["cupy"][0]:
            raise RuntimeError("Cannot access accelerator device when none is available.")
        spec, index = "cuda", spec.__index__()
    if not isinstance(spec, str):
        raise TypeError(f"device(): expected a string, an int or a device, got {type(spec).__name__}")
    kind, _, number = spec.partition(":")
    if number:
        if index is not None:
            raise RuntimeError(f"type (string) must not include an index because index was passed explicitly: {spec}")
        if not number.isdigit():
            raise RuntimeError(f"Invalid device string: '{spec}'")
        index = int(number)
    if kind == "cpu":
        return cpu_device()
    if kind == "cuda":
        try:
            backend = get_backend("cupy")
        except RuntimeError as error:
            return _absent(kind, index, AssertionError, f"Torch not compiled with CUDA enabled: {error}")
        if index is None:
            return _intern(backend, backend.current_index())
        count = backend.device_count()
        if index >= count:
            reason = f"CUDA error: invalid device ordinal {index}: there are {count} CUDA devices"
            return _absent(kind, index, AcceleratorError, reason)
        return _intern(backend, index)
    if kind == "meta":
        return _intern(_meta(), index)
    if kind in ("mps", "xpu", "hpu", "xla", "mtia"):
        return _absent(kind, index, RuntimeError, f"PolyTensor has no {kind} devices: choose cpu or cuda")
    if kind in backend_names():
        return backend_device(kind)
    raise RuntimeError(
        f"Expected one of cpu, cuda device type at start of device string: {kind} (or a backend: {', '.join(backend_names())})"
    )
