"""safetensors: the bytes and the errors of the package, hostile headers."""

import io
import json
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import polytensor as pt
from polytensor import safetensors as ours

NAMES = (
    "bool", "uint8", "int8", "int16", "uint16", "float16", "bfloat16", "int32", "uint32", "float32", "float64", "int64",
    "uint64", "complex64",
)  # fmt: skip


@pytest.fixture(scope="module")
def package(oracle):
    return pytest.importorskip("safetensors.torch")


def example(t):
    made = {name: t.tensor([[0, 1, 1], [1, 0, 1]], dtype=getattr(t, name)) for name in NAMES}
    return {**made, "0-dim": t.tensor(2.5), "empty": t.zeros(0, 3), "ünï": t.arange(5), "b": t.ones(2), "a": t.ones(3)}


@pytest.mark.parametrize("metadata", [None, {"format": "pt", "what": "ü"}])
def test_the_same_bytes(oracle, package, tmp_path, metadata):
    mine, theirs = example(pt), example(oracle)
    data = ours.save(mine, metadata)
    expected = package.save(theirs, metadata)
    if metadata is None:  # the package writes its metadata in the order of a hash table
        assert data == expected
    assert len(data) == len(expected)
    ours.save_file(mine, tmp_path / "a.safetensors", metadata)
    package.save_file(theirs, tmp_path / "b.safetensors", metadata)
    for loaded in (package.load_file(tmp_path / "a.safetensors"), package.load(data)):
        assert {k: (str(v.dtype), v.tolist()) for k, v in loaded.items()} == {
            k: (str(v.dtype), v.tolist()) for k, v in theirs.items()
        }
    for loaded in (ours.load_file(tmp_path / "b.safetensors"), ours.load(expected)):
        assert set(loaded) == set(mine)
        for name, t in loaded.items():
            assert t.dtype is mine[name].dtype and t.shape == mine[name].shape and t.tolist() == mine[name].tolist()
            t.add_(1) if t.dtype.is_floating_point else None  # the memory is the tensor's own
    with ours.safe_open(tmp_path / "b.safetensors", framework="pt") as f:
        assert f.metadata() == metadata and f.keys() == sorted(mine) and set(f.offset_keys()) == set(mine)
        part = f.get_slice("float32")
        assert part.get_shape() == [2, 3] and part.get_dtype() == "F32" and part[:, 1].tolist() == [1, 0]
        with pytest.raises(ours.SafetensorError, match="does not contain tensor nope"):
            f.get_tensor("nope")


@pytest.mark.parametrize("bad", {
    "list": lambda t: [t.ones(1)],
    "number": lambda t: {"a": 1},
    "transposed": lambda t: {"a": t.ones(2, 3).t()},
    "shared": lambda t: dict(zip("ab", [t.ones(3)] * 2, strict=True)),
    "overlap": lambda t: (lambda x: {"a": x[:3], "b": x[2:]})(t.ones(5)),
    "complex128": lambda t: {"a": t.ones(2, dtype=t.complex128)},
}.values())  # fmt: skip
def test_errors_of_save(oracle, package, tmp_path, bad):
    with pytest.raises(Exception) as expected:
        package.save_file(bad(oracle), tmp_path / "a")
    with pytest.raises(Exception) as got:
        ours.save_file(bad(pt), tmp_path / "a")
    if expected.type is not KeyError:
        assert got.type.__name__ == expected.type.__name__
        start = str(expected.value).split()[:5]
        assert str(got.value).split()[:5] == start
    assert not (tmp_path / "a").exists()


def test_parts_of_one_memory_that_do_not_overlap(oracle, package):
    def parts(t):
        x = t.arange(6.0)
        return {"a": x[:3], "b": x[3:]}

    assert ours.save(parts(pt)) == package.save(parts(oracle))


def tied(t):
    class Net(t.nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = t.nn.Linear(3, 3), t.nn.Linear(3, 3)
            self.b.weight = self.a.weight

    return Net()


def test_models(oracle, package, tmp_path):
    mine, theirs = tied(pt), tied(oracle)
    ours.save_model(mine, tmp_path / "a")
    package.load_model(theirs, tmp_path / "a")
    assert theirs.b.weight.tolist() == mine.b.weight.tolist()
    again = tied(pt)
    assert ours.load_model(again, tmp_path / "a") == (set(), [])
    package.save_model(theirs, tmp_path / "b")
    assert ours.load_model(again, tmp_path / "b") == (set(), [])
    assert again.b.bias.tolist() == mine.b.bias.tolist()
    with pytest.raises(RuntimeError, match="Missing key.*weight"):
        ours.load_model(pt.nn.Conv2d(1, 1, 1), tmp_path / "a")


def written(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def one(**changes):
    return {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changes}}


@pytest.mark.parametrize("data", {
    "nothing": b"",
    "short": b"\1\0",
    "long header": written(one(), bytes(8), 2**40),
    "longer than the file": written(one(), bytes(8), 200),
    "no JSON": written(b"{hello", b""),
    "a list": written(b"[1]", b""),
    "deep": written(b'{"a":' + b"[" * 100_000, b""),
    "twice": written(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4)),
    "dtype": written(one(dtype="F31"), bytes(8)),
    "shape": written(one(shape=[3]), bytes(8)),
    "huge shape": written(one(shape=[2**61, 2**61]), bytes(8)),
    "huge and empty": written(one(shape=[2**61, 2**61, 0], data_offsets=[0, 0])),
    "negative": written(one(shape=[-2]), bytes(8)),
    "float": written(one(shape=[2.0]), bytes(8)),
    "true": written(one(shape=[True, 2]), bytes(8)),
    "three offsets": written(one(data_offsets=[0, 4, 8]), bytes(8)),
    "too far": written(one(data_offsets=[8, 16]), bytes(8)),
    "gap": written({**one(), "b": one(data_offsets=[12, 20])["a"]}, bytes(20)),
    "overlap": written({**one(), "b": one(data_offsets=[4, 12])["a"]}, bytes(12)),
    "rest": written(one(), bytes(9)),
    "truncated": written(one(), bytes(7)),
    "metadata": written({"__metadata__": {"a": 1}}, b""),
    "number": written(b'{"a":{"dtype":"F32","shape":[1' + b"0" * 10_000 + b'],"data_offsets":[0,8]}}', bytes(8)),
}.values())  # fmt: skip
def test_hostile_headers(package, tmp_path, data):
    """The package takes the last of two entries of one name; here they are an error."""
    with pytest.raises(ours.SafetensorError, match="Error while deserializing header"):
        ours.load(data)
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(ours.SafetensorError, match="Error while deserializing header"):
        ours.load_file(tmp_path / "a")
    if data.count(b'"a"') < 2:
        with pytest.raises(Exception):  # noqa: B017 the package refuses it too
            package.load(data)


def test_scripts_find_it_under_the_packages_name(tmp_path):
    (tmp_path / "a.py").write_text(
        "import torch\nfrom safetensors import safe_open\nfrom safetensors.torch import load_file, save_file\n"
        "save_file({'w': torch.ones(2)}, 'a.safetensors')\n"
        "print(load_file('a.safetensors')['w'].tolist(), safe_open('a.safetensors', 'pt').keys(), save_file.__module__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "polytensor", "run", "a.py"], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert done.stdout.strip() == "[1.0, 1.0] ['w'] polytensor.safetensors", done.stderr


def test_where_memory_is():
    base = pt.zeros(10)
    part = base[4:6]
    assert ours.storage_ptr(part) == ours.storage_ptr(base) == base.data_ptr() and ours.storage_size(part) == 40


def test_threads_read_one_file(tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    ours.save_file({f"t{i}": pt.full((50,), float(i)) for i in range(8)}, path)

    class Slow(io.FileIO):
        def seek(self, *args):
            at = super().seek(*args)
            time.sleep(0.001)  # another thread's turn
            return at

    monkeypatch.setattr("builtins.open", lambda name, mode="r", *args, **kwargs: Slow(name))
    with ours.safe_open(path, "pt") as f, ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda i: (i, f.get_tensor(f"t{i}").unique().tolist()), [*range(8)] * 3))
    assert all(values == [i] for i, values in found)
