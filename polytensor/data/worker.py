"""What runs in a worker: a process or a thread. Source: torch.utils.data._utils.worker."""

from __future__ import annotations

import _thread
import gc
import multiprocessing
import os
import pickle
import queue
import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any, NamedTuple

from .. import devices, threads
from ..backends.memory import keep_freed_memory
from ..random import Generator
from .fetch import Failure, make_fetcher
from .seeding import SETUP, SeededThread, batch_seed, seed_all
from .transport import Sender

__all__ = ["WorkerInfo", "get_worker_info"]
DATA, FAILED, ENDED = "data", "failed", "ended"


@dataclass(frozen=True, slots=True)
class _RNG:
    """Random streams of a thread worker's own, started anew for each batch."""

    random_generator: random.Random
    torch_generator: Generator


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A worker's number, how many there are, its seed, its copy of the dataset, and a thread worker's own random streams."""

    id: int
    num_workers: int
    seed: int
    dataset: Any
    rng: _RNG | None = None
    worker_method: str | None = "multiprocessing"


_here = threading.local()  # a thread worker has its own; a process worker has one for all its threads
_process_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """In a worker its WorkerInfo, else None. Source: torch.utils.data.get_worker_info."""
    return getattr(_here, "info", None) or _process_info


class Setup(NamedTuple):
    """All that a worker needs to know."""

    dataset: Any
    stream: bool
    batched: bool
    collate: Any
    drop_last: bool
    init_fn: Any
    num_workers: int
    base_seed: int


class Work:
    """A worker's batches: its fetcher, made anew for each epoch, and the seed of each batch."""

    def __init__(self, setup: Setup, worker: int, where: str) -> None:
        self.setup, self.worker, self.where = setup, worker, f"in DataLoader worker {where} {worker}"
        self.epoch: Any = None
        self.fetcher: Any = None
        self.failure: Failure | None = None

    def start(self, scope: Callable[[int], Any]) -> None:
        if self.setup.init_fn is None:
            return
        try:
            with scope(batch_seed(self.setup.base_seed, SETUP)):
                self.setup.init_fn(self.worker)
        except Exception as error:
            self.failure = Failure(error, self.where)

    def batch(self, base: int, epoch: int, number: int, index: Any, scope: Callable[[int], Any]) -> tuple[str, Any]:
        """(DATA, batch), (FAILED, Failure) or (ENDED, None)."""
        if self.failure is not None:
            return FAILED, self.failure
        s = self.setup
        if self.epoch != epoch:
            self.epoch, self.fetcher = epoch, make_fetcher(s.dataset, s.stream, s.batched, s.collate, s.drop_last)
        try:
            with nullcontext() if self.fetcher.pure else scope(batch_seed(base, number)):
                return DATA, self.fetcher.fetch(index)
        except StopIteration as error:
            if s.stream:
                return ENDED, None
            return FAILED, Failure(error, self.where, self.fetcher.index)
        except Exception as error:
            return FAILED, Failure(error, self.where, self.fetcher.index)


def _seed_process(seed: int) -> Any:
    seed_all(seed)
    return nullcontext()


def _packed_failure(failure: Failure) -> bytes:
    try:
        return pickle.dumps(failure)
    except Exception:
        failure.kind = RuntimeError  # a class that only the worker can name
        return pickle.dumps(failure)


def _orphaned(parent: int) -> bool:
    """Whether the loader's process is gone. Siblings may hold its end of a pipe open, so that is not the only sign."""
    handle = multiprocessing.parent_process()
    return os.getppid() != parent or (handle is not None and not handle.is_alive())


def _read(tasks: Any, todo: queue.SimpleQueue[Any], stop: threading.Event, parent: int) -> None:
    """Move tasks on, so that the loader never waits for a busy worker, until it closes or is gone."""
    handle: Any = multiprocessing.parent_process()
    watched = [tasks] if handle is None else [tasks, handle.sentinel]
    while True:
        try:
            if tasks in wait(watched, timeout=1.0):
                if (task := pickle.loads(tasks.recv_bytes())) is None:
                    break
                todo.put(task)
            elif _orphaned(parent):
                break
        except (EOFError, OSError):
            break
    stop.set()
    todo.put(None)
    if _orphaned(parent):
        time.sleep(5)
        os._exit(1)  # nobody waits for the batch that is being made


def process_main(setup: Setup, worker: int, tasks: Any, results: Any, prefix: str, backend: str) -> None:
    """A worker process. Ctrl-C is the loader's business: it ends its workers."""
    global _process_info
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_freed_memory()  # batches and samples of one size, again and again
    gc.freeze()  # a collection would touch, and so copy, all pages shared with the loader's process
    sender, parent = Sender(prefix), os.getppid()
    try:
        devices.set_backend(backend)
        threads.set_num_threads(1)
        _process_info = WorkerInfo(worker, setup.num_workers, setup.base_seed + worker, setup.dataset)
        todo: queue.SimpleQueue[Any] = queue.SimpleQueue()
        stop = threading.Event()
        _thread.start_new_thread(_read, (tasks, todo, stop, parent))  # threading would wait until it runs
        work = Work(setup, worker, "process")
        work.start(_seed_process)
        while (task := todo.get()) is not None and not stop.is_set():
            base, epoch, number, index, freed = task
            sender.free += freed
            kind, value = work.batch(base, epoch, number, index, _seed_process)
            packed: Any = None
            if kind == DATA:
                try:
                    packed = sender.pack(value)
                except Exception as error:
                    kind, value = FAILED, Failure(error, work.where)
            if kind == FAILED:
                packed = (_packed_failure(value), [], None)
            results.send_bytes(pickle.dumps((worker, epoch, number, kind, packed), 5))
            del task, value, packed
    except (BrokenPipeError, ConnectionResetError):
        pass  # the loader is gone
    finally:
        sender.close(unlink=_orphaned(parent))


def thread_main(setup: Setup, worker: int, tasks: Any, results: Any) -> None:
    """A worker thread."""
    work = Work(setup, worker, "thread")

    def scope(seed: int) -> SeededThread:
        s = SeededThread(seed)
        rng = _RNG(random.Random(seed), s.generator)
        _here.info = WorkerInfo(worker, setup.num_workers, setup.base_seed + worker, setup.dataset, rng, "thread")
        return s

    try:
        work.start(scope)
    except BaseException as error:  # a thread that ended would leave its loader waiting
        work.failure = Failure(error, work.where)
    while (task := tasks.get()) is not None:
        base, epoch, number, index, _ = task
        try:
            kind, value = work.batch(base, epoch, number, index, scope)
        except BaseException as error:
            kind, value = FAILED, Failure(error, work.where, work.fetcher.index)
        results.put((worker, epoch, number, kind, value))
        del task, value
