"""torch.futures: results that come later, set by one thread and waited for by another. Source: torch.futures."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["Future", "collect_all", "wait_all"]


class Future:
    """A value that set_result or set_exception gives once; callbacks run in the thread that gives it, or at once."""

    def __init__(self, *, devices: Any = None) -> None:
        self._ready = threading.Condition()
        self._done, self._value, self._error = False, None, None
        self._callbacks: list[Callable[[Future], Any]] = []

    def __class_getitem__(cls, item: Any) -> Any:
        return cls

    def done(self) -> bool:
        return self._done

    def wait(self) -> Any:
        """The value, as soon as it is there; raises the exception that was set."""
        with self._ready:
            self._ready.wait_for(lambda: self._done)
        return self.value()

    def value(self) -> Any:
        """The value. RuntimeError while there is none."""
        if not self._done:
            raise RuntimeError("Future has not been completed: call wait() first")
        if self._error is not None:
            raise self._error
        return self._value

    def set_result(self, result: Any) -> None:
        self._finish(result, None)

    def set_exception(self, result: BaseException) -> None:
        if not isinstance(result, Exception):
            raise AssertionError(f"{result} is of type {type(result)}, not an Exception.")
        self._finish(None, result)

    def _finish(self, value: Any, error: Exception | None) -> None:
        with self._ready:
            if self._done:
                raise RuntimeError("Attempting to mark a completed Future as complete again. Note that a Future can only be "
                                   "marked completed once.")  # fmt: skip
            self._value, self._error, self._done = value, error, True
            callbacks, self._callbacks = self._callbacks, []
            self._ready.notify_all()
        for callback in callbacks:
            self._call(callback)

    def _call(self, callback: Callable[[Future], Any]) -> None:
        try:
            callback(self)
        except Exception:
            logging.getLogger(__name__).exception("a callback of a Future raised an exception")

    def add_done_callback(self, callback: Callable[[Future], None]) -> None:
        """Call callback(self) when the value is there. What it raises is logged, others are called."""
        with self._ready:
            if not self._done:
                self._callbacks.append(callback)
                return
        self._call(callback)

    def then(self, callback: Callable[[Future], Any]) -> Future:
        """A future of what callback(self) gives or raises."""
        result = Future()

        def run(future: Future) -> None:
            try:
                value = callback(future)
            except Exception as error:  # noqa: BLE001 the next future carries it
                result.set_exception(error)
            else:
                result.set_result(value)

        self.add_done_callback(run)
        return result


def collect_all(futures: list[Future]) -> Future:
    """A future of the list, given when all of them have a value or an exception. Source: torch.futures.collect_all."""
    result, lock, left = Future(), threading.Lock(), len(futures)

    def count(_: Future) -> None:
        nonlocal left
        with lock:
            left -= 1
            last = left == 0
        if last:
            failed = [f._error for f in futures if f._error is not None]
            result.set_exception(failed[0]) if failed else result.set_result(list(futures))

    if not futures:
        result.set_result([])
    for future in futures:
        future.add_done_callback(count)
    return result


def wait_all(futures: list[Future]) -> list[Any]:
    """The values of all. Raises the first exception. Source: torch.futures.wait_all."""
    return [future.wait() for future in collect_all(futures).wait()]
