"""DataLoader, in this process. Source: torch.utils.data.DataLoader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .. import devices
from ..backends.base import SCALARS
from ..dtypes import float64, int64
from ..ops.from_data import as_tensor, tensor
from ..ops.joining import stack
from ..tensor import Tensor
from .dataset import IterableDataset, Subset, TensorDataset
from .sampler import BatchSampler, RandomSampler, SequentialSampler


def default_collate(batch: list[Any]) -> Any:
    """A list of samples as one batch: tensors stacked, numbers as tensors, containers element by element."""
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(batch, 0)
    if first.__class__ in SCALARS:
        return tensor([x.item() for x in batch], dtype=as_tensor(first).dtype, device="cpu")
    if hasattr(first, "__array__") and hasattr(first, "dtype"):
        return stack([as_tensor(x, device="cpu") for x in batch], 0)
    if isinstance(first, float):
        return tensor(batch, dtype=float64, device="cpu")
    if isinstance(first, int):
        return tensor(batch, device="cpu")
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        return {key: default_collate([x[key] for x in batch]) for key in first}
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*(default_collate(list(x)) for x in zip(*batch, strict=True)))
    if isinstance(first, (tuple, list)):
        if any(len(x) != len(first) for x in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        return [default_collate(list(x)) for x in zip(*batch, strict=True)]
    raise TypeError(
        f"default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {type(first)}"
    )


def default_convert(sample: Any) -> Any:
    """A sample that is not batched: arrays and NumPy numbers become tensors, inside containers too."""
    if isinstance(sample, Tensor):
        return sample
    if hasattr(sample, "__array__") and hasattr(sample, "dtype"):
        return sample if sample.dtype.kind in "USO" else as_tensor(sample, device="cpu")
    if isinstance(sample, Mapping):
        return {key: default_convert(x) for key, x in sample.items()}
    if isinstance(sample, tuple) and hasattr(sample, "_fields"):
        return type(sample)(*map(default_convert, sample))
    if isinstance(sample, (tuple, list)):
        return [default_convert(x) for x in sample]
    return sample


def _tensors_and_rows(dataset: Any) -> Any:
    """(tensors, rows) where a sample i is row rows[i] (or row i: rows None) of whole tensors; else None."""
    if type(dataset) is TensorDataset:
        return dataset.tensors, None
    if type(dataset) is Subset and (inner := _tensors_and_rows(dataset.dataset)) is not None:
        tensors, rows = inner
        return tensors, dataset.indices if rows is None else [rows[i] for i in dataset.indices]
    return None


def _to_default(batch: Any, dev: Any) -> Any:
    """Hand a batch out on the default device."""
    if isinstance(batch, Tensor):
        return batch.to(dev) if batch.device != dev else batch  # type: ignore[attr-defined]
    if isinstance(batch, list):
        return [_to_default(x, dev) for x in batch]
    if isinstance(batch, tuple) and not hasattr(batch, "_fields"):
        return tuple(_to_default(x, dev) for x in batch)
    if isinstance(batch, dict):
        return {k: _to_default(v, dev) for k, v in batch.items()}
    return batch


class DataLoader:
    """Batches of a dataset: batch_size, shuffle, sampler, batch_sampler, drop_last, collate_fn, generator.

    NotImplementedError for num_workers > 0: samples are loaded in this process.
    """

    def __init__(
        self, dataset: Any, batch_size: int | None = 1, shuffle: bool | None = None, sampler: Any = None,
        batch_sampler: Any = None, num_workers: int = 0, collate_fn: Any = None, pin_memory: bool = False,
        drop_last: bool = False, timeout: float = 0, worker_init_fn: Any = None, multiprocessing_context: Any = None,
        generator: Any = None, *, prefetch_factor: int | None = None, persistent_workers: bool = False,
        pin_memory_device: str = "", in_order: bool = True,
    ) -> None:  # fmt: skip
        if num_workers < 0:
            raise ValueError("num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.")
        if num_workers:
            raise NotImplementedError("DataLoader: worker processes are not there yet; use num_workers=0")
        if persistent_workers:
            raise ValueError("persistent_workers option needs num_workers > 0")
        if prefetch_factor is not None:
            raise ValueError(
                "prefetch_factor option could only be specified in multiprocessing. Let num_workers > 0 to enable "
                "multiprocessing, otherwise set prefetch_factor to None."
            )
        if timeout < 0:
            raise ValueError("timeout option should be non-negative")
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        self._stream = isinstance(dataset, IterableDataset)
        if self._stream:
            given = {"shuffle": shuffle or None, "sampler": sampler, "batch_sampler": batch_sampler}
            for name, value in given.items():
                if value is not None:
                    raise ValueError(
                        f"DataLoader with IterableDataset: expected unspecified {name} option, but got {name}={value}"
                    )
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
                )
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")
        self.dataset, self.batch_size, self.drop_last = dataset, batch_size, drop_last
        self.num_workers, self.pin_memory, self.generator = num_workers, pin_memory, generator
        self.timeout, self.worker_init_fn = timeout, worker_init_fn
        if sampler is None and not self._stream:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if batch_sampler is None and batch_size is not None and not self._stream:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.sampler, self.batch_sampler = sampler, batch_sampler
        batched = batch_sampler is not None or (self._stream and batch_size is not None)
        self.collate_fn = collate_fn or (default_collate if batched else default_convert)

    def __class_getitem__(cls, item: Any) -> Any:
        return cls

    def __len__(self) -> int:
        if self._stream:
            n = len(self.dataset)
            if self.batch_size is None:
                return n
            return n // self.batch_size if self.drop_last else -(-n // self.batch_size)
        return len(self.batch_sampler if self.batch_sampler is not None else self.sampler)

    def __iter__(self) -> Iterator[Any]:
        dev = devices.current_device()
        for batch in self._batches():
            yield batch if dev.type == "cpu" else _to_default(batch, dev)

    def _batches(self) -> Iterator[Any]:
        if self._stream:
            yield from self._from_stream()
        elif self.batch_sampler is None:
            for i in self.sampler:
                yield self.collate_fn(self.dataset[i])
        else:
            dataset, collate = self.dataset, self.collate_fn
            # rows of whole tensors need no sample by sample pass
            whole = _tensors_and_rows(dataset) if collate is default_collate else None
            for indices in self.batch_sampler:
                if whole is not None:
                    tensors, rows = whole
                    picked = tensor(indices if rows is None else [rows[i] for i in indices], dtype=int64, device="cpu")
                    yield [t[picked] for t in tensors]
                elif hasattr(dataset, "__getitems__"):
                    yield collate(dataset.__getitems__(indices))
                else:
                    yield collate([dataset[i] for i in indices])

    def _from_stream(self) -> Iterator[Any]:
        if self.batch_size is None:
            for x in self.dataset:
                yield self.collate_fn(x)
            return
        batch = []
        for x in self.dataset:
            batch.append(x)
            if len(batch) == self.batch_size:
                yield self.collate_fn(batch)
                batch = []
        if batch and not self.drop_last:
            yield self.collate_fn(batch)
