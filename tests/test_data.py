"""Datasets, samplers and the DataLoader."""

import random
from collections import UserDict, namedtuple

import numpy as np
import pytest

import polytensor as pt
from polytensor.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    random_split,
)  # fmt: skip


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


Pair = namedtuple("Pair", "a b")


class Named(UserDict):
    name = ""


def test_collate():
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


def pair(torch, name, *args, **kwargs):
    """What PyTorch's class and ours of one name do with the same arguments: values, or class and text of the error."""

    def outcome(module, do):
        try:
            return do(getattr(module, name)(*args, **kwargs))
        except Exception as error:
            return type(error), str(error)

    return lambda do: (outcome(torch.utils.data, do), outcome(pt.utils.data, do))


SAMPLERS = [
    ("DistributedSampler", (range(n),), {"num_replicas": k, "rank": r, "shuffle": False, "drop_last": drop})
    for n in (1, 7, 8) for k, r in ((1, 0), (3, 2), (4, 1)) for drop in (False, True)
] + [
    ("DistributedSampler", (range(3),), {"num_replicas": 2, "rank": 2}),
    ("BatchSampler", (range(7), 3, True), {}), ("BatchSampler", (range(7), 3, False), {}),
    ("BatchSampler", (range(6), 3, True), {}), ("BatchSampler", (range(7), 0, False), {}),
    ("BatchSampler", (range(7), 3, 1), {}), ("BatchSampler", (range(7), True, True), {}),
    ("SequentialSampler", (range(5),), {}),
    ("RandomSampler", (range(5),), {"replacement": 1}), ("RandomSampler", (range(5),), {"num_samples": 0}),
    ("RandomSampler", (range(5),), {"num_samples": 2.5}), ("RandomSampler", ([],), {}),
    ("WeightedRandomSampler", ([0.0, 1.0], 3), {}), ("WeightedRandomSampler", ([1.0, 2.0], 0), {}),
    ("WeightedRandomSampler", ([1.0, 2.0], 2, 1), {}), ("WeightedRandomSampler", ([[1.0]], 1), {}),
    ("WeightedRandomSampler", ([1.0], 1.5), {}), ("WeightedRandomSampler", ([1.0], True), {}),
    ("WeightedRandomSampler", ([0.0, 1.0, 0.0], 1, False), {}), ("SubsetRandomSampler", ([4],), {}),
]  # fmt: skip


@pytest.mark.parametrize("name, args, options", SAMPLERS)
def test_samplers_like_pytorch(name, args, options, oracle):
    theirs, ours = pair(oracle, name, *args, **options)(lambda s: (list(s), len(s)))
    assert theirs == ours


def test_random_samplers():
    g = pt.Generator().manual_seed(1)
    assert sorted(RandomSampler(range(5), num_samples=15, generator=g)) == sorted([*range(5)] * 3)
    drawn = list(RandomSampler(range(5), replacement=True, num_samples=9000))
    assert len(drawn) == 9000 and set(drawn) == set(range(5))
    assert sorted(SubsetRandomSampler([3, 5, 7])) == [3, 5, 7]
    counts = np.bincount(list(WeightedRandomSampler([1.0, 3.0, 0.0], 4000, generator=g)))
    assert len(counts) == 2 and 2800 < counts[1] < 3200
    assert sorted(WeightedRandomSampler([1.0, 1.0, 1.0], 3, replacement=False)) == [0, 1, 2]
    epochs = []
    for epoch in (0, 1):
        parts = [DistributedSampler(range(8), 2, rank) for rank in (0, 1)]
        for p in parts:
            p.set_epoch(epoch)
        epochs.append([list(p) for p in parts])
        assert sorted(sum(epochs[-1], [])) == list(range(8))
    assert epochs[0] != epochs[1]


STACKS = [
    (([1, 2], "ab"), {}), ((), {"x": [1, 2], "y": "ab"}), ((), {}), (([1], "ab"), {}), (([1],), {"y": [2]}),
    ((), {"x": [1], "y": [2, 3]}),
]  # fmt: skip


@pytest.mark.parametrize("args, options", STACKS)
def test_stack_dataset(args, options, oracle):
    theirs, ours = pair(oracle, "StackDataset", *args, **options)(lambda d: (len(d), d[1], d.__getitems__([1, 0])))
    assert theirs == ours


def test_datasets_like_pytorch(oracle):
    for t in (oracle, pt):
        data = t.utils.data
        with pytest.raises(AssertionError, match="Size mismatch between tensors"):
            data.TensorDataset(t.ones(2), t.ones(3))

        class Stream(data.IterableDataset):
            def __iter__(self):
                return iter(range(3))

            def __len__(self):
                return 3

        class Half(data.StackDataset):
            def __getitems__(self, indices):
                return [0]

        chain = Stream() + Stream()
        assert isinstance(chain, data.ChainDataset) and len(chain) == 6 and list(chain) == [0, 1, 2] * 2
        with pytest.raises(AssertionError, match="ChainDataset only supports IterableDataset"):
            list(data.ChainDataset([[1]]))
        with pytest.raises(ValueError, match=r"Nested dataset's output size mismatch\. Expected 2, got 1"):
            data.StackDataset(Half([1, 2])).__getitems__([0, 1])
        joined = data.ConcatDataset([[1, 2], [3]])
        assert joined.cumulative_sizes == data.ConcatDataset.cumsum([[1, 2], [3]]) == [2, 3] and joined[-1] == 3
        with pytest.raises(NotImplementedError, match="overrides __getitem__ but not __getitems__"):
            type("Mine", (data.Subset,), {"__getitem__": lambda self, i: i})([1], [0])
        with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
            assert [len(s) for s in data.random_split([1, 2], [0.9, 0.1 - 1e-12])] == [2, 0]
        Stream.__len__ = lambda self: 2
        loader = data.DataLoader(Stream(), batch_size=None)
        assert len(loader) == 2
        with pytest.warns(
            UserWarning, match=r"was reported to be 2\(when accessing len\(dataloader\)\), but 3 samples"
        ):
            assert list(loader) == [0, 1, 2]


class Bag(dict):
    """A mapping that carries more than its items."""

    note = "kept"


class Row(list):
    pass


def test_collate_like_pytorch(oracle):
    cases = [
        [Bag(a=1, b="x"), Bag(a=2, b="y")], [Row([1, 2.0]), Row([3, 4.0])], [(1, "a", b"c"), (2, "b", b"d")],
        [True, False], [np.int8(1), np.int8(2)], [np.float64(1), np.float64(2)], [np.bool_(True)], [[1, 2], [3]],
        [np.array(["a"])], [np.array([1, 2], np.int16)] * 2, [{"a": [np.zeros(2, np.float32), ()]}] * 2, [None], [{1, 2}],
        [range(2), range(3, 5)], [2**40, 1], [1j, 2j], [np.float32(1), 2.5], [np.int64(1), 2],
        [Pair(np.ones(1), "x")] * 2,
    ]  # fmt: skip

    def leaf(t, x):
        if isinstance(x, t.Tensor):
            return str(x.dtype), x.tolist()
        if isinstance(x, dict):
            return type(x), {k: leaf(t, v) for k, v in x.items()}
        return (type(x), [leaf(t, v) for v in x]) if isinstance(x, (list, tuple)) else x

    for case in cases:
        for name in ("default_collate", "default_convert"):
            results = []
            for t in (oracle, pt):
                try:
                    batch = case if name == "default_collate" else case[0]
                    results.append(leaf(t, getattr(t.utils.data, name)(batch)))
                except Exception as error:
                    results.append((type(error), str(error)))
            if isinstance(case[0], np.ndarray) and name == "default_convert" and case[0].dtype.kind == "U":
                assert all(r is case[0] for r in results)
            else:
                assert results[0] == results[1], (name, case)
    for t in (oracle, pt):
        named = Named(a=1.0)
        named.name = "n"
        got = t.utils.data.default_convert(named)
        assert type(got) is Named and got.name == "n" and got["a"] == 1.0
        with pytest.raises(TypeError, match="expected Tensor as element 1 in argument 0, but got NoneType"):
            t.utils.data.default_collate([t.ones(2), None])
        with pytest.warns(FutureWarning, match="`cummulative_sizes` attribute is renamed to `cumulative_sizes`"):
            assert t.utils.data.ConcatDataset([range(3), range(4)]).cummulative_sizes == [3, 7]
    from polytensor.utils.data._utils.collate import collate, default_collate_fn_map

    kinds = {**default_collate_fn_map, set: lambda batch, *, collate_fn_map=None: sorted(set().union(*batch))}
    assert collate([({1}, 2), ({3}, 4)], collate_fn_map=kinds)[0] == [1, 3]


@pytest.mark.parametrize("indices", [
    [[1, 2], [3, 5, 0]], [(0, 5), range(2, 4)], [[-1, -6]], [[True, False]], [[1.5]], [["a"]], [[]], [[4, 5, 6]], [[1, 9]],
    [[[0, 1], [2, 3]]], [[slice(0, 2), slice(2, 4)]], [np.array([2, 1])], ["tensor"], ["of tensors"],
], ids=str)  # fmt: skip
def test_indices_like_pytorch(indices, oracle):
    """Rows of whole tensors, and what is no row of them, by every kind of index that a batch sampler may give."""

    def read(t, subset):
        data = t.utils.data.TensorDataset(t.arange(6) * 2, t.arange(6.0))
        data = t.utils.data.Subset(data, [5, 3, 1, 0, 2, 4]) if subset else data
        wanted = {"tensor": t.tensor([1, 2]), "of tensors": [t.tensor(3), t.tensor(1)]}
        batches = [wanted[i] if isinstance(i, str) else i for i in indices]
        return [[x.tolist() for x in b] for b in t.utils.data.DataLoader(data, batch_sampler=batches)]

    for subset in (False, True):
        try:
            want = read(oracle, subset)
        except Exception as error:
            with pytest.raises(type(error)) as caught:
                read(pt, subset)
            assert str(caught.value) == str(error) or type(error) not in (IndexError, RuntimeError)
        else:
            assert read(pt, subset) == want


@pytest.mark.parametrize("kind", ["MT19937", "PCG64"])
@pytest.mark.parametrize("draws", [0, 1, 2, 623, 624])
@pytest.mark.parametrize("stored", [False, True])
def test_the_callers_streams_are_as_before(kind, draws, stored):
    """Also the second normal number of a pair, which NumPy has in store, and with another generator of its."""

    class Noise(pt.utils.data.Dataset):
        def __len__(self):
            return 3

        def __getitem__(self, i):
            return np.random.randn(i + 1).sum(), random.random()

    def read():
        pt.manual_seed(3)
        return [[x.item() for x in b] for b in DataLoader(Noise())]

    def state():
        now = np.random.get_state(legacy=False)
        words = now["state"]
        return (words["key"].tolist(), words["pos"]) if "key" in words else words, now["gauss"], now["has_gauss"]

    own = np.random.get_bit_generator()
    try:
        np.random.set_bit_generator(getattr(np.random, kind)(7))
        want = read()
        np.random.rand(draws)
        random.seed(draws)
        if stored:
            np.random.randn()
        before = state(), random.getstate()
        assert read() == want
        assert (state(), random.getstate()) == before
        assert before[0][2] == stored
    finally:
        np.random.set_bit_generator(own)
