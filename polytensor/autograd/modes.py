"""Grad modes: no_grad, enable_grad, set_grad_enabled and inference_mode, as contexts and decorators (per thread)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from inspect import isgeneratorfunction
from typing import Any


class _Mode(threading.local):
    grad = True
    inference = False


mode = _Mode()


class _GradMode:
    """A context manager and decorator that sets grad mode to `self.value` and puts back what was."""

    value = False

    def __init__(self) -> None:
        self._before: list[bool] = []

    def __enter__(self) -> Any:
        self._before.append(mode.grad)
        mode.grad = self.value
        return self

    def __exit__(self, *exc: object) -> None:
        mode.grad = self._before.pop()

    def clone(self) -> _GradMode:
        return type(self)()

    def __call__(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        if isgeneratorfunction(fn):

            @wraps(fn)
            def generator(*args: Any, **kwargs: Any) -> Any:
                with self.clone():
                    it = fn(*args, **kwargs)
                while True:
                    with self.clone():
                        try:
                            item = next(it)
                        except StopIteration as stop:
                            return stop.value
                    yield item

            return generator

        @wraps(fn)
        def decorated(*args: Any, **kwargs: Any) -> Any:
            with self.clone():
                return fn(*args, **kwargs)

        return decorated


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

    def __init__(self, mode_: bool) -> None:
        super().__init__()
        self.value = bool(mode_)
        self._old = mode.grad
        mode.grad = self.value

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
    """Like no_grad; results can never join a graph. Source: torch.inference_mode."""

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
        else:
            mode.grad, mode.inference = True, False
        return self

    def __exit__(self, *exc: object) -> None:
        mode.grad, mode.inference = self._before.pop()  # type: ignore[misc]


def is_grad_enabled() -> bool:
    """Whether ops on tensors that require grad are recorded in this thread."""
    return mode.grad


def is_inference_mode_enabled() -> bool:
    return mode.inference
