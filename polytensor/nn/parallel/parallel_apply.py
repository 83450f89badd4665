"""Modules run side by side. Source: torch.nn.parallel.parallel_apply."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from ...amp.autocast_mode import autocast, get_autocast_dtype, is_autocast_enabled
from ...autograd.modes import is_grad_enabled, set_grad_enabled
from ...devices import Device
from ...tensor import Tensor
from .distributed import _find_tensors
from .scatter_gather import as_device

__all__ = ["get_a_var", "parallel_apply"]


def get_a_var(obj: Any) -> Tensor | None:
    """The first Tensor in `obj` and the lists, tuples and dicts in it."""
    return next(iter(_find_tensors(obj)), None)


def _place(x: Any) -> Any:
    """The CUDA device of the first Tensor in `x` (or `x` itself, if it is a device); None for another one."""
    device = x if isinstance(x, Device) else getattr(get_a_var(x), "device", None)
    return device if device is not None and device.type == "cuda" else None


def _stream(place: Device) -> Any:
    """The caller's stream on a CUDA device."""
    from ...cuda import current_stream

    return current_stream(place)


def parallel_apply(
    modules: Sequence[Any], inputs: Sequence[Any], kwargs_tup: Any = None, devices: Any = None
) -> list[Any]:
    """modules[i](*inputs[i], **kwargs_tup[i]), each in a thread of its own; the first error is raised.

    Grad mode and autocast are those of the caller; on a CUDA device also its current stream.
    """
    if len(modules) != len(inputs):
        raise AssertionError(f"The number of modules {len(modules)} is not equal to the number of inputs {len(inputs)}")
    named = [{}] * len(modules) if kwargs_tup is None else kwargs_tup
    grad = is_grad_enabled()
    casts = [(d, get_autocast_dtype(d), is_autocast_enabled(d)) for d in ("cpu", "cuda")]
    places = [_place(x if devices is None else as_device(devices[i])) for i, x in enumerate(inputs)]
    streams = [None if p is None else _stream(p) for p in places]
    results: list[Any] = [None] * len(modules)
    errors: dict[int, BaseException] = {}

    def work(i: int) -> None:
        args = inputs[i] if isinstance(inputs[i], (list, tuple)) else (inputs[i],)
        try:
            # a thread begins on device 0 and on its default stream
            with streams[i] or nullcontext(), set_grad_enabled(grad):
                contexts = [autocast(d, dtype) for d, dtype, on in casts if on]
                for c in contexts:
                    c.__enter__()
                try:
                    results[i] = modules[i](*args, **named[i])
                finally:
                    for c in reversed(contexts):
                        c.__exit__()
        except BaseException as error:
            error.add_note(f"in replica {i}" + (f" on device {devices[i]}" if devices is not None else ""))
            errors[i] = error

    if len(modules) == 1:
        work(0)
    else:
        threads = [threading.Thread(target=work, args=(i,)) for i in range(len(modules))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    if errors:
        raise errors[min(errors)]
    return results
