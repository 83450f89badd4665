"""Where the arrays of CupyBackend lie: several devices, copies between them and the host, page-locked memory."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from ..base import NOWHERE, Backend

UNBOUND = frozenset(("at", "availability", "capability", "current_index", "device_count", "here", "scalar_types"))


def bound(fn: Callable[..., Any], index: int, current: Callable[[], int], use: Callable[[int], Any]) -> Any:
    """`fn` with a device as the current one; what was current is so again afterwards."""

    def call(*args: Any, **kwargs: Any) -> Any:
        before = current()
        if before == index:
            return fn(*args, **kwargs)
        use(index)
        try:
            return fn(*args, **kwargs)
        finally:
            use(before)

    if hasattr(fn, "into"):
        call.into = bound(fn.into, index, current, use)  # type: ignore[attr-defined]
    return call


class Placement(Backend):
    """Devices and memory of CupyBackend."""

    sync_debug = 0  # of torch.cuda.set_sync_debug_mode, for all devices
    device_index: int | None = None  # the device that all kernels of this object run on; None: the current one
    forget_workspaces: Callable[[], Any]
    _placed: dict[int, Any]

    def at(self, index: int) -> Any:
        """The backend of one device: with several of them each kernel runs on its operands' device, as in PyTorch.

        On a machine with one device that is this object, at no cost.
        """
        if self.device_count() == 1:
            return self
        table = self.__dict__.setdefault("_placed", {})
        found = table.get(index)
        return table.setdefault(index, self._bound_to(index)) if found is None else found

    def _bound_to(self, index: int) -> Any:
        runtime = self.xp.cuda.runtime
        with self.xp.cuda.Device(index):
            made = type(self)()
        made.device_index = index
        names = {*dir(type(made)), *made.__dict__}
        for name in names:
            if name.startswith("_") or name in UNBOUND or isinstance(getattr(type(made), name, None), property):
                continue
            fn = getattr(made, name)
            if callable(fn) and not isinstance(fn, type):
                setattr(made, name, bound(fn, index, runtime.getDevice, runtime.setDevice))
        return made

    def here(self) -> Any:
        return NOWHERE if self.device_index is None else self.xp.cuda.Device(self.device_index)

    def device_count(self) -> int:
        return int(self.xp.cuda.runtime.getDeviceCount())

    def current_index(self) -> int:
        return int(self.xp.cuda.runtime.getDevice())

    def memory_info(self) -> dict[str, int]:
        free, total = self.xp.cuda.runtime.memGetInfo()
        return {"free": free, "total": total}

    def empty_cache(self) -> None:
        self.forget_workspaces()
        self.memory().accounts().shrink()

    def memory(self) -> Any:
        """The module of memory counts, which needs CuPy."""
        from . import memory

        return memory

    # ---- copies ----------------------------------------------------------------------------------------------------
    def from_numpy(self, a: Any) -> Any:
        return self.xp.asarray(a)  # by way of page-locked memory, so that `a` may be written to at once

    def to_host(self, a: Any, non_blocking: bool = False) -> Any:
        """A copy on the host; with non_blocking in page-locked memory, and there only when the current stream is through."""
        if not non_blocking or not a.size:
            return self.to_numpy(a)
        memory = self.memory()
        host = memory.pinned_empty(a.shape, a.dtype)
        a.get(out=host, blocking=False)
        memory.keep(self.mark(), (a, host))
        return host

    def into_host(self, a: Any, host: Any) -> bool:
        """Copy into a dense array in page-locked memory while the program goes on; whether `host` is one."""
        if not host.flags.c_contiguous or not self.is_pinned(host):
            return False
        a.get(out=host, blocking=False)
        self.memory().keep(self.mark(), (a, host))
        return True

    def take(self, a: Any, source: Backend, non_blocking: bool = False) -> Any:
        if isinstance(source, Placement):
            return self.from_peer(a, source)
        host = source.to_numpy(a)
        if not host.size or not self.is_pinned(host):
            return self.from_numpy(host)
        if non_blocking:  # CuPy lets `host` live until the copy is done
            return self.xp.asarray(host)
        return self.xp.asarray(host, blocking=True)  # nothing stands between: `host` may be written to afterwards

    def from_peer(self, a: Any, source: Any) -> Any:
        """A copy of another device's array, in the order of both current streams."""
        a = source.contiguous(a)
        ready = source.mark()
        out = self.empty(a.shape, a.dtype)
        self.wait(ready)
        out.data.copy_from_device_async(a.data, a.nbytes)
        source.wait(self.mark())
        return out

    def mark(self) -> Any:
        """An event behind what the current stream has."""
        event = self.xp.cuda.Event(disable_timing=True)
        event.record()
        return event

    def tell_wait(self, what: str) -> None:
        """Warn, or RuntimeError, as set_sync_debug_mode asks, where an op waits for the device."""
        text = f"called a synchronizing CUDA operation: {what}"
        if self.sync_debug == 2:
            raise RuntimeError(text)
        warnings.warn(text, UserWarning, stacklevel=4)

    def wait(self, event: Any) -> None:
        """Let the current stream wait for an event, of any device."""
        self.xp.cuda.get_current_stream().wait_event(event)

    def record_stream(self, a: Any, stream: Any) -> None:
        """Once the memory of `a` is free, let it rest until the work that `stream` has by then is done."""
        self.memory().hold_for(stream, self.owner(a))

    # ---- other libraries on the device -------------------------------------------------------------------------------
    def to_dlpack(self, x: Any, stream: int | None, max_version: Any, dl_device: Any, copy: bool | None) -> Any:
        if stream == 0:
            raise AssertionError("unsupported stream on CUDA: 0.")
        if copy and dl_device in (None, self.dlpack_device(x)):  # CuPy copies to the CPU alone
            x, copy = self.copy(x), None
        return x.__dlpack__(stream=stream, max_version=max_version, dl_device=dl_device, copy=copy)

    def dlpack_device(self, x: Any) -> tuple[int, int]:
        return 2, int(x.device.id)

    def interface(self, x: Any) -> Any:
        """__cuda_array_interface__ of an array, with the current stream, which readers wait for."""
        return x.__cuda_array_interface__

    def index_of(self, x: Any) -> int:
        """The device that any object with a __cuda_array_interface__ lies on."""
        return int(self.xp.asarray(x).device.id)

    # ---- page-locked memory of the host ------------------------------------------------------------------------------
    def pinned(self, a: Any) -> Any:
        """A copy of a NumPy array in page-locked memory of the host, from which copies to the device may overlap."""
        out = self.memory().pinned_empty(a.shape, a.dtype)
        out[...] = a
        return out

    def is_pinned(self, a: Any) -> bool:
        """Whether a NumPy array lies in page-locked memory."""
        return bool(a.size) and bool(self.memory().is_pinned(a.__array_interface__["data"][0]))
