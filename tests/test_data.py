"""Datasets, samplers and the DataLoader."""

from collections import namedtuple

import numpy as np
import pytest
from polytensor.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
    default_collate,
    random_split,
)  # fmt: skip

import polytensor as pt


class Squares(Dataset):
    def __len__(self):
        return 10

    def __getitem__(self, i):
        return {"x": float(i), "y": i * i}


def test_batches():
    data = TensorDataset(pt.arange(10), pt.arange(10.0) * 2)
    batches = list(DataLoader(data, batch_size=4))
    assert [b[0].tolist() for b in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert batches[0][1].dtype is pt.float32
    assert len(DataLoader(data, batch_size=4, drop_last=True)) == 2
    assert [b["y"].tolist() for b in DataLoader(Squares(), batch_size=5)] == [[0, 1, 4, 9, 16], [25, 36, 49, 64, 81]]
    assert next(iter(DataLoader(Squares(), batch_size=2)))["x"].dtype is pt.float64


def test_shuffle_is_seeded():
    def order(seed):
        loader = DataLoader(
            TensorDataset(pt.arange(20)), batch_size=7, shuffle=True, generator=pt.Generator().manual_seed(seed)
        )
        return [i for (b,) in loader for i in b.tolist()]

    assert order(1) == order(1) != order(2)
    assert sorted(order(1)) == list(range(20))


def test_splits():
    parts = random_split(Squares(), [0.7, 0.3], generator=pt.Generator().manual_seed(0))
    assert [len(p) for p in parts] == [7, 3]
    assert sorted(d["y"] for p in parts for d in (p[i] for i in range(len(p)))) == [i * i for i in range(10)]
    with pytest.raises(ValueError, match="does not equal"):
        random_split(Squares(), [3, 3])
    both = ConcatDataset([Squares(), Subset(Squares(), [1, 2])])
    assert len(both) == 12 and both[11]["y"] == 4 and both[-1]["y"] == 4


def test_collate():
    Pair = namedtuple("Pair", "a b")
    got = default_collate([Pair(1, "x"), Pair(2, "y")])
    assert got.a.tolist() == [1, 2] and got.b == ("x", "y")
    assert default_collate([np.float32(1), np.float32(2)]).dtype is pt.float32
    assert default_collate([np.ones(2), np.ones(2)]).shape == (2, 2)
    with pytest.raises(TypeError, match="default_collate"):
        default_collate([object()])


def test_streams_and_samplers():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(range(5))

    assert [b.tolist() for b in DataLoader(Stream(), batch_size=2)] == [[0, 1], [2, 3], [4]]
    loader = DataLoader(Squares(), batch_sampler=BatchSampler([3, 1, 2], 2, False))
    assert [b["y"].tolist() for b in loader] == [[9, 1], [4]]
    for bad in ({"batch_size": 0}, {"num_workers": -1}, {"shuffle": True, "sampler": [0]}, {"timeout": -1}):
        with pytest.raises(ValueError):
            DataLoader(Squares(), **bad)
