"""The workers of one loader: processes or threads, behind the same four methods (put, get, check, close)."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import queue
import secrets
import signal
import threading
import time
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from typing import Any

from .. import devices
from .transport import Receiver
from .worker import DATA, Setup, process_main, thread_main

PATIENCE = 5.0  # seconds that a closing loader waits for the batches that are being made
UNPICKLABLE = (
    "Got pickle error when attempting to start a worker Process. The start method {!r} pickles the dataset, collate_fn and "
    "worker_init_fn; lambdas, and functions and classes made inside a function, cannot be pickled: define them at the top "
    "of a module (functools.partial adds arguments), or pass multiprocessing_context='fork' where the system has it."
)


def _preload(context: Any) -> None:
    """Let the fork server import this package once for all workers, unless it was told what to import."""
    from multiprocessing import forkserver

    server = getattr(forkserver, "_forkserver", None)
    if getattr(server, "_preload_modules", None) == ["__main__"]:
        context.set_forkserver_preload(["__main__", __package__.partition(".")[0]])


class ProcessPool:
    """Worker processes. RuntimeError, naming the worker, when one of them ends before its time."""

    def __init__(self, setup: Setup, context: Any, blocks: int) -> None:
        context = context or multiprocessing.get_context()
        self.pid, self.blocks, self.closed = os.getpid(), blocks, False
        self.processes: list[Any] = []
        self.tasks: list[Any] = []
        self.results: list[Any] = []
        self.receivers: list[Receiver] = []
        self.lost: str | None = None
        resource_tracker.ensure_running()  # one for the loader and its workers
        token = f"{self.pid:x}_{secrets.token_hex(3)}"
        backend = devices.cpu_device().backend
        if context.get_start_method() == "fork":
            backend.find_blas()
        elif context.get_start_method() == "forkserver":
            _preload(context)
        try:
            for i in range(setup.num_workers):
                task_out, task_in = context.Pipe(duplex=False)
                result_out, result_in = context.Pipe(duplex=False)
                prefix = f"pt_{token}_{i}"
                self.tasks.append(task_in)
                self.results.append(result_out)
                self.receivers.append(Receiver(prefix))
                args = (setup, i, task_out, result_in, prefix, backend.name)
                process = context.Process(target=process_main, args=args, name=f"DataLoader worker {i}", daemon=True)
                try:
                    process.start()
                    self.processes.append(process)
                finally:
                    task_out.close()
                    result_in.close()
        except BaseException as error:
            if isinstance(error, (AttributeError, TypeError, pickle.PicklingError)):
                error.add_note(UNPICKLABLE.format(context.get_start_method()))
            self.close()
            raise
        self._watched = [*self.results, *(p.sentinel for p in self.processes)]

    def put(self, worker: int, task: tuple[Any, ...]) -> None:
        freed, self.receivers[worker].freed = self.receivers[worker].freed, []
        try:
            self.tasks[worker].send_bytes(pickle.dumps((*task, freed), 5))
        except OSError:
            self._fail(worker)

    def get(self, timeout: float | None, epoch: int) -> Any:
        """(worker, batch number, kind, value) of this epoch, or None when the time is over."""
        if self.lost is not None:
            raise RuntimeError(self.lost)
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            ready = wait(self._watched, None if deadline is None else max(0.0, deadline - time.monotonic()))
            if not ready:
                return None
            source = next((c for c in ready if not isinstance(c, int)), None)
            if source is None:
                self._fail(next(i for i, p in enumerate(self.processes) if p.sentinel in ready))
            try:
                worker, told, number, kind, packed = pickle.loads(source.recv_bytes())  # type: ignore[union-attr]
            except (EOFError, OSError):
                self._fail(self.results.index(source))
            if told != epoch:
                self.receivers[worker].skip(packed)
            elif kind == DATA:
                return worker, number, kind, self.receivers[worker].unpack(packed)
            else:
                return worker, number, kind, packed and pickle.loads(packed[0])

    def _fail(self, worker: int) -> None:
        process = self.processes[worker]
        process.join(1.0)
        code = process.exitcode
        if code is not None and code < 0:
            why = f"is killed by signal: {signal.strsignal(-code) or -code}."
            if -code == getattr(signal, "SIGBUS", None):
                why += " It is possible that dataloader's workers are out of shared memory. Please try to raise your shared memory limit."
        elif code is None:
            why = "ended, and its exit status went to somebody else."
        else:
            why = f"ended with exit code {code}; what it wrote to stderr says why."
        self.lost = f"DataLoader worker (pid(s) {process.pid}) exited unexpectedly: worker {worker} {why}"
        self.close(patience=0.5)  # the error is due within seconds, whatever the other workers are at
        raise RuntimeError(self.lost)

    def close(self, patience: float = PATIENCE) -> None:
        """End the workers and remove their shared memory; for the process that started them only."""
        if self.closed or os.getpid() != self.pid:
            return
        self.closed = True
        for c in self.tasks:
            with contextlib.suppress(OSError):
                c.send_bytes(pickle.dumps(None))
        for c in (*self.tasks, *self.results):
            c.close()
        deadline = time.monotonic() + patience
        for end in (None, "terminate", "kill"):
            for p in self.processes:
                if end is not None and p.exitcode is None:
                    getattr(p, end)()
            for p in self.processes:
                p.join(max(0.0, deadline - time.monotonic()))
            deadline = time.monotonic() + 1.0
        for r in self.receivers:
            r.close(self.blocks)


class ThreadPool:
    """Worker threads: they share the dataset, and batches are handed over as they are."""

    def __init__(self, setup: Setup, context: Any, blocks: int) -> None:
        self.closed = False
        self.tasks: list[Any] = [queue.SimpleQueue() for _ in range(setup.num_workers)]
        self.results: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for i, tasks in enumerate(self.tasks):
            args = (setup, i, tasks, self.results)
            threading.Thread(target=thread_main, args=args, name=f"DataLoader worker {i}", daemon=True).start()

    def put(self, worker: int, task: tuple[Any, ...]) -> None:
        self.tasks[worker].put((*task, ()))

    def get(self, timeout: float | None, epoch: int) -> Any:
        """(worker, batch number, kind, value) of this epoch, or None when the time is over."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                worker, told, number, kind, value = self.results.get(timeout=left)
            except queue.Empty:
                return None
            if told == epoch:
                return worker, number, kind, value

    def close(self) -> None:
        """Let the threads end after the batch that they are making."""
        self.closed = True
        for q in self.tasks:
            with contextlib.suppress(queue.Empty):
                while True:
                    q.get_nowait()
            q.put(None)
