"""Looking into the graph: saved-tensor hooks, multi-gradient hooks, gradient edges. Source: torch.autograd.graph."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from . import engine
from .modes import WATCH, mode
from .node import Node as Node

__all__ = [
    "GradientEdge", "Node", "allow_mutation_on_saved_tensors", "disable_saved_tensors_hooks", "get_gradient_edge",
    "increment_version", "register_multi_grad_hook", "save_on_cpu", "saved_tensors_hooks",
]  # fmt: skip


class saved_tensors_hooks:
    """Inside, what ops save for backward goes through pack_hook(tensor), and at use through unpack_hook(packed).

    Source: torch.autograd.graph.saved_tensors_hooks.
    """

    def __init__(self, pack_hook: Callable[[Any], Any], unpack_hook: Callable[[Any], Any]) -> None:
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def __enter__(self) -> None:
        if mode.saved_refused is not None:
            raise RuntimeError(mode.saved_refused)
        mode.saved_hooks = (*mode.saved_hooks, (self.pack_hook, self.unpack_hook))
        WATCH.append("saved")

    def __exit__(self, *exc: object) -> None:
        mode.saved_hooks = mode.saved_hooks[:-1]
        WATCH.remove("saved")


class save_on_cpu(saved_tensors_hooks):
    """Inside, saved tensors are kept on the CPU and come back to their device at use.

    pin_memory: in page-locked memory, both ways while the program goes on; the order of the streams is kept.
    Source: torch.autograd.graph.save_on_cpu.
    """

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        if pin_memory:
            super().__init__(_to_pinned, _from_pinned)
        else:
            super().__init__(lambda t: (t.device, t.cpu()), lambda packed: packed[1].to(packed[0]))


def _to_pinned(t: Any) -> Any:
    from ..cuda.streams import Event, current_stream

    if t.device.type != "cuda":
        return t.device, t, None
    there = Event()
    host = t.to("cpu", non_blocking=True)
    there.record(current_stream(t.device))
    return t.device, host, there


def _from_pinned(packed: Any) -> Any:
    from ..cuda.streams import current_stream

    dev, host, there = packed
    if there is not None:
        there.wait(current_stream(dev))
    return host.to(dev, non_blocking=True)


@contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """Inside, saved_tensors_hooks is an error with this text. Source: torch.autograd.graph.disable_saved_tensors_hooks."""
    if mode.saved_hooks:
        raise RuntimeError(error_message)
    before, mode.saved_refused = mode.saved_refused, error_message
    try:
        yield
    finally:
        mode.saved_refused = before


@contextmanager
def allow_mutation_on_saved_tensors() -> Iterator[None]:
    """Inside, saved tensors may be written to in place. Each is copied when it is saved (PyTorch copies when it is written).

    Source: torch.autograd.graph.allow_mutation_on_saved_tensors.
    """
    if any(getattr(pack, "copies", False) for pack, _ in mode.saved_hooks):
        raise RuntimeError("allow_mutation_on_saved_tensors contexts cannot be nested")
    is_open = [True]

    def pack(t: Any) -> Any:
        return t.clone()

    def unpack(t: Any) -> Any:
        if not is_open[0]:
            raise AssertionError(
                "Trying to backward outside of the 'allow_mutation_on_saved_tensors' contextin which the graph was "
                "originally recorded."
            )
        return t

    pack.copies = True  # type: ignore[attr-defined]
    with saved_tensors_hooks(pack, unpack):
        try:
            yield
        finally:
            is_open[0] = False


class _Meta:
    """Shape, dtype and device of the output behind a GradientEdge."""

    __slots__ = ("device", "dtype", "shape")

    def __init__(self, t: Any) -> None:
        self.shape, self.dtype, self.device = t._a.shape, t._a.dtype, t._dev


class GradientEdge(NamedTuple):
    """A place in the graph: output `output_nr` of `node`. Source: torch.autograd.graph.GradientEdge."""

    node: Any
    output_nr: int
    ownership_token: Any = None


def get_gradient_edge(tensor: Any) -> GradientEdge:
    """Where the gradient of `tensor` passes; stands for it in backward() and grad().

    Source: torch.autograd.graph.get_gradient_edge.
    """
    if tensor._fn is None:
        raise RuntimeError("It is not possible to get the gradient edge for a Tensor that does not require gradients")
    if not tensor._fn.is_node:
        return GradientEdge(tensor._accumulate_node(), 0)
    return GradientEdge(tensor._fn, tensor._nr, _Meta(tensor))


def increment_version(tensor: Any) -> None:
    """Count a write to one tensor or several. Source: torch.autograd.graph.increment_version."""
    for t in (tensor,) if hasattr(tensor, "_bump") else tensor:
        t._bump()


class _Handles:
    """Removes several hooks."""

    def __init__(self, handles: tuple[Any, ...]) -> None:
        self.handles = handles
        engine.ASKING.append(self)

    def remove(self) -> None:
        for handle in self.handles:
            handle.remove()
        if self in engine.ASKING:
            engine.ASKING.remove(self)

    def __enter__(self) -> _Handles:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


def register_multi_grad_hook(tensors: Sequence[Any], fn: Callable[[Any], None], *, mode: str = "all") -> _Handles:
    """Call fn(gradients of all `tensors`, None where there is none) when the last of them is known in a backward pass;
    with mode 'any', fn(gradient) at the first. Source: torch.autograd.graph.register_multi_grad_hook.
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of {('all', 'any')} but got {mode}")
    lock = threading.Lock()
    passes: Any = WeakKeyDictionary()

    if mode == "any":

        def first(g: Any) -> None:
            task = _task()
            with lock:
                seen, passes[task] = passes.get(task, False), True
            if not seen:
                fn(g)

        return _Handles(tuple(t.register_hook(first) for t in tensors if t.requires_grad))

    edges = [t._fn if t._fn is None or t._fn.is_node else t for t in tensors]

    def one(i: int) -> Callable[[Any], None]:
        def note(g: Any) -> None:
            task = _task()
            with lock:
                if task not in passes:
                    passes[task] = [sum(task.runs(e) for e in edges), [None] * len(edges)]
                state = passes[task]
                state[0] -= 1
                state[1][i] = g
            if state[0] == 0:
                del passes[task]
                fn(state[1])

        return note

    return _Handles(tuple(t.register_hook(one(i)) for i, t in enumerate(tensors)))


def _task() -> Any:
    if mode.task is None:
        raise AssertionError("expected this hook to be called inside a backward call")
    return mode.task
