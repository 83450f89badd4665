"""From indices to batches, and errors that say which sample they come from."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import Any

from ..dtypes import int64
from ..ops.from_data import tensor
from .collate import default_collate
from .dataset import Subset, TensorDataset


def tensors_and_rows(dataset: Any) -> Any:
    """(tensors, rows) where a sample i is row rows[i] (or row i: rows None) of whole tensors; else None."""
    if type(dataset) is TensorDataset:
        return dataset.tensors, None
    if type(dataset) is Subset and (inner := tensors_and_rows(dataset.dataset)) is not None:
        tensors, rows = inner
        return tensors, dataset.indices if rows is None else [rows[i] for i in dataset.indices]
    return None


def take(tensors: Any, rows: list[Any]) -> list[Any] | None:
    """The rows of each tensor, in memory of their own; None where `rows` are not all valid integers."""
    first, n = rows[0], len(rows)
    if first.__class__ is int and first >= 0 and rows[-1] == first + n - 1 and rows == [*range(first, first + n)]:
        return [t[first : first + n].clone() for t in tensors] if first + n <= len(tensors[0]) else None
    try:
        picked = tensor(rows, device="cpu")
        if picked.dtype is int64 and picked.ndim == 1:
            return [t[picked] for t in tensors]
    except Exception:
        pass
    return None


class MapFetcher:
    """Batches of a map-style dataset. `pure`: no code of the user's runs, so no seeds are needed."""

    def __init__(self, dataset: Any, batched: bool, collate: Any) -> None:
        self.dataset, self.batched, self.collate = dataset, batched, collate
        # rows of whole tensors need no sample by sample pass
        self.whole = tensors_and_rows(dataset) if batched and collate is default_collate else None
        self.pure = self.whole is not None
        self.index: Any = None  # the sample that is being made

    def fetch(self, index: Any) -> Any:
        if self.whole is not None:
            tensors, rows = self.whole
            index = list(index)
            if tensors and index:
                batch = take(tensors, index if rows is None else [rows[i] for i in index])
                if batch is not None:
                    return batch  # else sample by sample, which says what is wrong
        self.index = index
        if not self.batched:
            samples = self.dataset[index]
        elif callable(getattr(self.dataset, "__getitems__", None)):
            samples = self.dataset.__getitems__(index)
        else:
            samples, get = [], self.dataset
            for i in index:
                self.index = i
                samples.append(get[i])
        self.index = None
        return self.collate(samples)


class StreamFetcher:
    """Batches of an iterable-style dataset. StopIteration at its end."""

    pure = False
    index = None

    def __init__(self, dataset: Any, batched: bool, collate: Any, drop_last: bool) -> None:
        self.dataset, self.batched, self.collate, self.drop_last = dataset, batched, collate, drop_last
        self.stream: Iterator[Any] | None = None
        self.ended = False

    def fetch(self, index: Any) -> Any:
        if self.ended:
            raise StopIteration
        if self.stream is None:
            self.stream = iter(self.dataset)
        if not self.batched:
            return self.collate(next(self.stream))
        samples = []
        for _ in index:
            try:
                samples.append(next(self.stream))
            except StopIteration:
                self.ended = True
                break
        if not samples or (self.drop_last and len(samples) < len(index)):
            raise StopIteration
        return self.collate(samples)


def make_fetcher(dataset: Any, stream: bool, batched: bool, collate: Any, drop_last: bool) -> Any:
    return StreamFetcher(dataset, batched, collate, drop_last) if stream else MapFetcher(dataset, batched, collate)


class _KeyErrorText(str):
    """A KeyError shows the repr of its argument, which would fold a traceback into one line."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class Failure:
    """An exception with its traceback as text, to be raised again elsewhere."""

    def __init__(self, error: BaseException, where: str, index: Any = None) -> None:
        self.kind: Any = type(error) if isinstance(error, Exception) else RuntimeError  # no sys.exit from afar
        self.name = type(error).__name__
        self.where = where if index is None else f"{where}, for the sample with index {index!r}"
        self.text = "".join(traceback.format_exception(type(error), error, error.__traceback__))

    def reraise(self) -> None:
        """Raise an exception of the same class (a RuntimeError where that cannot be made) with both tracebacks."""
        message = f"Caught {self.name} {self.where}.\nOriginal {self.text}"
        if self.kind is KeyError:
            raise KeyError(_KeyErrorText(message))
        try:
            error = self.kind(message=message) if getattr(self.kind, "message", None) else self.kind(message)
        except Exception:
            raise RuntimeError(message) from None
        try:
            raise error
        finally:
            del error  # else it holds the frames of its own traceback, and so the loader's workers, until gc comes by
