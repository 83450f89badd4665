"""DataLoader: batches made here, in worker processes or in threads. Source: torch.utils.data.DataLoader.

Each batch is made at a random state of its own, from the epoch's base seed and the batch's number, so that the number of
workers never changes a batch of a map-style dataset; the caller's own random states (the default Generator, Python's, and
NumPy's global one) are afterwards as before. The base seed is one draw from `generator` or the default Generator per epoch.
"""

from __future__ import annotations

import itertools
import multiprocessing
import multiprocessing.context
import os
import warnings
import weakref
from collections.abc import Iterator
from typing import Any

from .. import accelerator, devices
from .collate import default_collate, default_convert
from .dataset import IterableDataset
from .fetch import make_fetcher
from .placement import pin_memory, to_default
from .pool import ProcessPool, ThreadPool
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, draw_seed
from .seeding import Seeded, batch_seed
from .worker import ENDED, FAILED, Setup
from .worker import get_worker_info as get_worker_info

__all__ = ["DataLoader", "default_collate", "default_convert", "get_worker_info"]
FIXED = frozenset(("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers"))


class _DatasetKind:
    Map = 0
    Iterable = 1


class _InfiniteConstantSampler(Sampler):
    """Stands in for the indices of a stream: None for ever."""

    def __iter__(self) -> Iterator[None]:
        return itertools.repeat(None)


class DataLoader:
    """Batches of a dataset, in the process itself (num_workers=0) or by worker processes or threads.

    Arguments, defaults and errors are PyTorch's; `worker_method="thread"` makes the workers threads, which share the
    dataset: Python's and NumPy's global random streams are then left alone (get_worker_info().rng has streams of the
    batch's own). prefetch_factor=0 fetches one batch at a time per worker. A worker that ends before its time, or cannot
    start, is a RuntimeError that names it; an exception in a worker comes back with its traceback and sample index.
    """

    _ready = False
    multiprocessing_context: Any

    def __init__(
        self, dataset: Any, batch_size: int | None = 1, shuffle: bool | None = None, sampler: Any = None,
        batch_sampler: Any = None, num_workers: int = 0, collate_fn: Any = None, pin_memory: bool = False,
        drop_last: bool = False, timeout: float = 0, worker_init_fn: Any = None, multiprocessing_context: Any = None,
        generator: Any = None, *, prefetch_factor: int | None = None, persistent_workers: bool = False,
        pin_memory_device: str = "", in_order: bool = True, worker_method: str = "multiprocessing",
    ) -> None:  # fmt: skip
        if num_workers < 0:
            raise ValueError("num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.")
        if timeout < 0:
            raise ValueError("timeout option should be non-negative")
        if num_workers == 0 and prefetch_factor is not None:
            raise ValueError(
                "prefetch_factor option could only be specified in multiprocessing."
                "let num_workers > 0 to enable multiprocessing, otherwise set prefetch_factor to None."
            )
        if prefetch_factor is not None and prefetch_factor < 0:
            raise ValueError("prefetch_factor option should be non-negative")
        if persistent_workers and num_workers == 0:
            raise ValueError("persistent_workers option needs num_workers > 0")
        if worker_method not in ("multiprocessing", "thread"):
            raise ValueError(
                f"worker_method option should be 'multiprocessing' or 'thread', but got worker_method={worker_method!r}"
            )
        self.dataset, self.num_workers, self.worker_method = dataset, num_workers, worker_method
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.pin_memory, self.pin_memory_device = pin_memory, pin_memory_device
        self.timeout, self.worker_init_fn, self.in_order = timeout, worker_init_fn, in_order
        self.multiprocessing_context = multiprocessing_context
        if isinstance(dataset, IterableDataset):
            self._dataset_kind = _DatasetKind.Iterable
            for name, value in {"shuffle": shuffle or None, "sampler": sampler, "batch_sampler": batch_sampler}.items():
                if value is not None:
                    raise ValueError(
                        f"DataLoader with IterableDataset: expected unspecified {name} option, but got {name}={value}"
                    )
        else:
            self._dataset_kind = _DatasetKind.Map
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
                )
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")
        if sampler is None:
            if self._dataset_kind == _DatasetKind.Iterable:
                sampler = _InfiniteConstantSampler()
            else:
                sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if batch_size is not None and batch_sampler is None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_size, self.drop_last, self.sampler, self.batch_sampler = (
            batch_size,
            drop_last,
            sampler,
            batch_sampler,
        )
        self.generator = generator
        self.collate_fn = collate_fn or (default_collate if self._auto_collation else default_convert)
        self.persistent_workers = persistent_workers
        self._IterableDataset_len_called: int | None = None
        self._iterator: Any = None
        self._ready = True
        self.check_worker_number_rationality()

    def __class_getitem__(cls, item: Any) -> Any:
        return cls

    def __setattr__(self, name: str, value: Any) -> None:
        if self._ready and name in FIXED:
            raise ValueError(f"{name} attribute should not be set after {type(self).__name__} is initialized")
        if name == "multiprocessing_context" and value is not None:
            value = self._context(value)
        super().__setattr__(name, value)

    def _context(self, value: Any) -> Any:
        if self.num_workers == 0:
            raise ValueError(
                "multiprocessing_context can only be used with multi-process loading (num_workers > 0), but got "
                f"num_workers={self.num_workers}"
            )
        if isinstance(value, str):
            methods = multiprocessing.get_all_start_methods()
            if value not in methods:
                raise ValueError(
                    f"multiprocessing_context option should specify a valid start method in {methods!r}, but got "
                    f"multiprocessing_context={value!r}"
                )
            return multiprocessing.get_context(value)
        if not isinstance(value, multiprocessing.context.BaseContext):
            raise TypeError(
                "multiprocessing_context option should be a valid context object or a string specifying the start "
                f"method, but got multiprocessing_context={value}"
            )
        return value

    @property
    def _auto_collation(self) -> bool:
        return self.batch_sampler is not None

    @property
    def _index_sampler(self) -> Any:
        return self.batch_sampler if self._auto_collation else self.sampler

    def __len__(self) -> int:
        if self._dataset_kind == _DatasetKind.Iterable:
            n = self._IterableDataset_len_called = len(self.dataset)
            if self.batch_size is None:
                return n
            return n // self.batch_size if self.drop_last else -(-n // self.batch_size)
        return len(self._index_sampler)

    def _get_iterator(self) -> _BaseDataLoaderIter:
        if self.num_workers == 0:
            return _SingleProcessDataLoaderIter(self)
        self.check_worker_number_rationality()
        return _MultiProcessingDataLoaderIter(self)

    def __iter__(self) -> _BaseDataLoaderIter:
        if not (self.persistent_workers and self.num_workers):
            return self._get_iterator()
        if self._iterator is None or self._iterator._pool.closed:
            self._iterator = self._get_iterator()
        else:
            self._iterator._reset(self)
        return self._iterator  # type: ignore[no-any-return]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_iterator": None}  # workers stay with the process that started them

    def check_worker_number_rationality(self) -> None:
        """Warn of more workers than there are cores for this process."""
        if not self.num_workers:
            return
        bound = hasattr(os, "sched_getaffinity")
        cores = len(os.sched_getaffinity(0)) if bound else os.cpu_count()
        if cores is None or self.num_workers > cores:
            known = (
                "DataLoader is not able to compute a suggested max number of worker in current system."
                if cores is None
                else f"Our suggested max number of worker in current system is {cores}"
                f"{'' if bound else ' (`cpuset` is not taken into account)'}, which is smaller than what this DataLoader is "
                "going to create."
            )
            warnings.warn(
                f"This DataLoader will create {self.num_workers} worker processes in total. {known} Please be aware that "
                "excessive worker creation might get DataLoader running slow or even freeze, lower the worker number to "
                "avoid potential slowness/freeze if necessary.",
                stacklevel=3,
            )


class _BaseDataLoaderIter:
    """One pass over a loader."""

    def __init__(self, loader: DataLoader) -> None:
        self._dataset, self._dataset_kind = loader.dataset, loader._dataset_kind
        self._auto_collation, self._drop_last = loader._auto_collation, loader.drop_last
        self._index_sampler, self._num_workers = loader._index_sampler, loader.num_workers
        self._timeout, self._collate_fn = loader.timeout, loader.collate_fn
        self._persistent_workers = loader.persistent_workers
        if loader.pin_memory and loader.pin_memory_device:
            warnings.warn(
                "pin_memory_device is deprecated, the current accelerator will be used as the device,"
                f"ignore pin_memory_device='{loader.pin_memory_device}'.",
                stacklevel=4,
            )
        self._pin_memory = loader.pin_memory and accelerator.is_available()
        if loader.pin_memory and not self._pin_memory:
            warnings.warn(
                "'pin_memory' argument is set as true but no accelerator is found, then device pinned memory won't be used.",
                stacklevel=4,
            )
        self._begin(loader)

    def _begin(self, loader: DataLoader) -> None:
        self._sampler_iter = iter(self._index_sampler)
        self._base_seed = draw_seed(loader.generator)
        self._num_yielded = 0
        self._IterableDataset_len_called = loader._IterableDataset_len_called

    def __iter__(self) -> _BaseDataLoaderIter:
        return self

    def _next_index(self) -> Any:
        return next(self._sampler_iter)

    def _next_data(self) -> Any:
        raise NotImplementedError

    def __next__(self) -> Any:
        data = self._next_data()
        if self._pin_memory:
            data = pin_memory(data)
        dev = devices.current_device()
        if dev.type != "cpu":
            data = to_default(data, dev)
        self._num_yielded += 1
        told = self._IterableDataset_len_called
        if told is not None and self._dataset_kind == _DatasetKind.Iterable and self._num_yielded > told:
            text = (
                f"Length of IterableDataset {self._dataset} was reported to be {told}(when accessing len(dataloader)), but "
                f"{self._num_yielded} samples have been fetched. "
            )
            if self._num_workers:
                text += (
                    "For multiprocessing data-loading, this could be caused by not properly configuring the IterableDataset "
                    "replica at each worker. Please see https://pytorch.org/docs/stable/data.html#torch.utils.data."
                    "IterableDataset for examples."
                )
            warnings.warn(text, stacklevel=2)
        return data

    def __len__(self) -> int:
        return len(self._index_sampler)

    def __getstate__(self) -> Any:
        raise NotImplementedError("{} cannot be pickled", type(self).__name__)


class _SingleProcessDataLoaderIter(_BaseDataLoaderIter):
    def __init__(self, loader: DataLoader) -> None:
        super().__init__(loader)
        if self._timeout != 0:
            raise AssertionError("_SingleProcessDataLoaderIter requires timeout == 0")
        stream = self._dataset_kind == _DatasetKind.Iterable
        self._fetcher = make_fetcher(self._dataset, stream, self._auto_collation, self._collate_fn, self._drop_last)
        self._number = 0

    def _next_data(self) -> Any:
        index = self._next_index()
        number, self._number = self._number, self._number + 1
        if self._fetcher.pure:
            return self._fetcher.fetch(index)
        with Seeded(batch_seed(self._base_seed, number)):
            try:
                return self._fetcher.fetch(index)
            except Exception as error:
                if self._fetcher.index is not None:
                    error.add_note(f"DataLoader: while fetching the sample with index {self._fetcher.index!r}")
                raise


class _MultiProcessingDataLoaderIter(_BaseDataLoaderIter):
    """Hands batch numbers to the workers in turn, and their batches out in the order of the numbers."""

    def __init__(self, loader: DataLoader) -> None:
        super().__init__(loader)
        self._limit = max(1, loader.prefetch_factor or 0) * self._num_workers  # batches under way
        self._in_order, self._epoch = loader.in_order, -1
        setup = Setup(
            self._dataset, self._dataset_kind == _DatasetKind.Iterable, self._auto_collation, self._collate_fn,
            self._drop_last, loader.worker_init_fn, self._num_workers, self._base_seed,
        )  # fmt: skip
        pool: Any = ThreadPool if loader.worker_method == "thread" else ProcessPool
        self._pool = pool(setup, loader.multiprocessing_context, self._limit)
        self._close = weakref.finalize(self, self._pool.close)
        self._prefetch()

    @property
    def _workers(self) -> list[Any]:
        return getattr(self._pool, "processes", [])

    def _reset(self, loader: DataLoader) -> None:
        """A new epoch for the same workers; what is still under way from the old one is dropped on arrival."""
        self._begin(loader)
        self._prefetch()

    def _prefetch(self) -> None:
        self._epoch += 1
        self._sent = self._wanted = 0
        self._owner: dict[int, int] = {}  # batch number -> worker, until it is handed out
        self._arrived: dict[int, Any] = {}
        self._load = [0] * self._num_workers
        self._active = [True] * self._num_workers
        self._turn = itertools.cycle(range(self._num_workers))
        for _ in range(self._limit):
            self._send()

    def _send(self) -> None:
        if not any(self._active):
            return
        try:
            index = self._next_index()
        except StopIteration:
            return
        share = self._limit // sum(self._active)
        for worker in itertools.islice(self._turn, self._num_workers):
            if self._active[worker] and (self._in_order or self._load[worker] < share):
                break
        else:
            return
        self._owner[self._sent] = worker
        self._load[worker] += 1
        self._pool.put(worker, (self._base_seed, self._epoch, self._sent, index))
        self._sent += 1

    def _deliver(self, number: int, kind: str, value: Any) -> Any:
        self._load[self._owner.pop(number)] -= 1
        self._send()
        if kind == FAILED:
            value.reraise()
        return value

    def _next_data(self) -> Any:
        while True:
            while self._wanted < self._sent:
                worker = self._owner.get(self._wanted)
                if worker is not None and (self._active[worker] or self._wanted in self._arrived):
                    break
                self._owner.pop(self._wanted, None)
                self._wanted += 1
            else:
                if not self._persistent_workers:
                    self._close()
                raise StopIteration
            if self._wanted in self._arrived:
                number, self._wanted = self._wanted, self._wanted + 1
                return self._deliver(number, *self._arrived.pop(number))
            message = self._pool.get(self._timeout or None, self._epoch)
            if message is None:
                raise RuntimeError(f"DataLoader timed out after {self._timeout} seconds")
            worker, number, kind, value = message
            if kind == ENDED:
                self._active[worker] = False
                self._send()
            elif self._in_order and number != self._wanted:
                self._arrived[number] = (kind, value)
            else:
                if self._in_order:
                    self._wanted += 1
                return self._deliver(number, kind, value)
