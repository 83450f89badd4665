"""Grad modes: no_grad, enable_grad, set_grad_enabled and inference_mode, as contexts and decorators (per thread)."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import isgeneratorfunction
from typing import Any


class _Mode(threading.local):
    grad = True
    inference = False
    saved_hooks: tuple[Any, ...] = ()  # pairs of pack and unpack, the last one counts
    saved_refused: str | None = None  # the error for new saved_tensors_hooks
    task: Any = None  # the backward pass that runs (engine.Task), where something asks for it
    randomness: str | None = None  # what vmap says of random ops
    pulling = False  # forward mode's backward pass runs: a Function's jvp stands for its backward
    rows_left = False  # vmap has more examples to run: their backward passes share the graph
    levels = 0  # how many function transforms (func.grad, vmap, ...) are open
    gradients = 0  # how many of them differentiate
    given: frozenset[int] = frozenset()  # tensors that functional_call has put into modules, by their ids

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "grad" and bool(value) is not bool(self.grad):
            OFF.pop() if value else OFF.append(True)
        super().__setattr__(name, value)


# Not empty: some thread records nothing, or is in inference mode. (To read `mode`, this thread's, costs ten times as much.)
OFF: list[bool] = []
mode = _this = _Mode()
INFERRING: list[bool] = []  # not empty: some thread is in inference mode, and what that thread makes is marked
HOOKED: list[bool] = []  # not empty: hooks were put on leaves
WATCH: list[Any] = []  # not empty: what is recorded anywhere in the process is looked at by watch.watched
ANOMALY = {"on": False, "check_nan": True}  # for all threads, as in PyTorch


@contextmanager
def pulling() -> Iterator[None]:
    """The backward pass that forward mode differentiates once more."""
    before, mode.pulling = mode.pulling, True
    try:
        yield
    finally:
        mode.pulling = before


class InferenceCell(list[Any]):
    """The version cell of an inference tensor: it counts nothing, and outside inference mode reading it is an error."""

    def __getitem__(self, i: Any) -> Any:
        if i == 0:
            if not mode.inference:
                raise RuntimeError(
                    "Inference tensors cannot be saved for backward. Please do not use Tensors created in inference mode in "
                    "computation tracked by autograd. To work around this, you can make a clone to get a normal tensor and "
                    "use it in autograd, or use `torch.no_grad()` instead of `torch.inference_mode()`."
                )
            return 0
        return super().__getitem__(i)


def mark(t: Any) -> None:
    """Make a new tensor an inference tensor if this thread is in inference mode."""
    if mode.inference:
        t._s = InferenceCell((0, 64))


def check_inference(t: Any) -> None:
    """RuntimeError for an in-place write to an inference tensor outside inference mode."""
    if t._s.__class__ is InferenceCell and not mode.inference:
        raise RuntimeError(
            "Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone to get a normal "
            "tensor before doing inplace update.See https://github.com/pytorch/rfcs/pull/17 for more details."
        )


class _GradMode:
    """A context manager and decorator that sets grad mode to `self.value` and puts back what was."""

    value = False

    def __init__(self) -> None:
        self._before: list[bool] = []

    def __enter__(self) -> Any:
        self._before.append(mode.grad)
        mode.grad = self.value and not mode.inference  # inference mode records nothing, whatever is asked
        return self

    def __exit__(self, *exc: object) -> None:
        mode.grad = self._before.pop()

    def clone(self) -> _GradMode:
        return type(self)()

    def __call__(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        if isinstance(fn, type):
            warnings.warn(
                f"Decorating classes is deprecated and will be disabled in future versions. You should only decorate "
                f"functions or methods. To preserve the current behavior of class decoration, you can directly decorate the "
                f"`__init__` method and nothing else. (for {fn.__name__})",
                FutureWarning,
                stacklevel=2,
            )
        if isgeneratorfunction(fn):
            return self._generator(fn)

        @wraps(fn)
        def decorated(*args: Any, **kwargs: Any) -> Any:
            with self.clone():
                return fn(*args, **kwargs)

        return decorated

    def _generator(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """The mode holds while the generator runs, not while it waits."""

        @wraps(fn)
        def generator(*args: Any, **kwargs: Any) -> Any:
            gen = fn(*args, **kwargs)
            step: Callable[[], Any] = lambda: gen.send(None)
            try:
                while True:
                    with self.clone():
                        item = step()
                    try:
                        sent = yield item
                    except GeneratorExit:
                        with self.clone():
                            gen.close()
                        raise
                    except BaseException as error:
                        step = lambda error=error: gen.throw(error)  # type: ignore[misc]
                    else:
                        step = lambda sent=sent: gen.send(sent)  # type: ignore[misc]
            except StopIteration as stop:
                return stop.value

        return generator


class no_grad(_GradMode):
    """Nothing inside is recorded. Source: torch.no_grad."""

    def __new__(cls, fn: Callable[..., Any] | None = None) -> Any:
        self = object.__new__(cls)
        if fn is None:
            return self
        self.__init__()  # type: ignore[misc]
        return self(fn)


class enable_grad(no_grad):
    """Recording is on inside, also within no_grad. Source: torch.enable_grad."""

    value = True


class set_grad_enabled(_GradMode):
    """Set grad mode at once; as a context manager, put back the old one at the end. Source: torch.set_grad_enabled."""

    def __init__(self, mode: bool) -> None:
        super().__init__()
        self.value = bool(mode)
        self._old = _this.grad
        _this.grad = self.value

    def __enter__(self) -> Any:
        self._before.append(self._old)
        mode.grad = self.value
        return self

    def clone(self) -> _GradMode:
        return set_grad_enabled(self.value)

    def __call__(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        mode.grad = self._old
        return super().__call__(fn)


class inference_mode(_GradMode):
    """Like no_grad; what is made inside may not be written to, nor saved for backward, outside. Source: torch.inference_mode."""

    def __new__(cls, mode: Any = True) -> Any:
        self = object.__new__(cls)
        if callable(mode):
            self.__init__()  # type: ignore[misc]
            return self(mode)
        return self

    def __init__(self, mode: bool = True) -> None:
        super().__init__()
        self.on = bool(mode) if not callable(mode) else True

    def clone(self) -> _GradMode:
        return inference_mode(self.on)  # type: ignore[no-any-return]

    def __enter__(self) -> Any:
        self._before.append((mode.grad, mode.inference))  # type: ignore[arg-type]
        if self.on:
            mode.grad, mode.inference = False, True
            INFERRING.append(True)
            OFF.append(True)
        else:
            mode.grad, mode.inference = True, False
        return self

    def __exit__(self, *exc: object) -> None:
        mode.grad, mode.inference = self._before.pop()  # type: ignore[misc]
        if self.on:
            INFERRING.pop()
            OFF.pop()


def is_grad_enabled() -> bool:
    """Whether ops on tensors that require grad are recorded in this thread."""
    return mode.grad


class set_multithreading_enabled(_GradMode):
    """Accepted for PyTorch's sake: backward runs in the calling thread either way."""

    def __init__(self, mode: bool) -> None:
        super().__init__()
        self.mode = bool(mode)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def clone(self) -> _GradMode:
        return set_multithreading_enabled(self.mode)


def is_inference_mode_enabled() -> bool:
    return mode.inference
