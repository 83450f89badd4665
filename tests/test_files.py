"""Files in both directions with PyTorch, places, mapping, the legacy format, own classes, damaged zips."""

import errno
import gc
import io
import os
import pickle
import struct
import tracemalloc
import warnings
import zipfile

import pytest
import vision_oracle
from files_cases import CASES, same, sharing

import polytensor as pt
import polytensor.vision.models

WIDE = ("dtype uint16", "dtype uint32", "dtype uint64")  # PyTorch's legacy format has no storages for these
BOTH_WAYS = pytest.mark.parametrize(
    "name, zipped", [(n, z) for n in CASES for z in (True, False) if z or n not in WIDE],
    ids=lambda x: x if isinstance(x, str) else ("legacy", "zip")[x],
)  # fmt: skip


@BOTH_WAYS
def test_pytorchs_files_load_here(oracle, tmp_path, name, zipped):
    path = tmp_path / "a.pt"
    original = CASES[name](oracle)
    oracle.save(original, path, _use_new_zipfile_serialization=zipped)
    got = pt.load(path)
    expected = oracle.load(path, weights_only=True)
    same(got, expected)
    assert sharing(got) == sharing(expected)
    with open(path, "rb") as file:
        same(pt.load(io.BytesIO(file.read())), expected)


@BOTH_WAYS
def test_our_files_load_in_pytorch(oracle, tmp_path, name, zipped):
    path = tmp_path / "a.pt"
    original = CASES[name](pt)
    pt.save(original, path, _use_new_zipfile_serialization=zipped)
    got = oracle.load(path, weights_only=True)
    again = pt.load(path)
    same(again, got)
    assert sharing(got) == sharing(again) == sharing(original)
    if name.startswith(("dtype", "views", "nested", "numbers")):
        same(CASES[name](oracle), again)
    if zipped:
        same(pt.load(path, mmap=True), oracle.load(path, weights_only=True, mmap=True))


def test_there_are_40_cases():
    assert len(CASES) >= 40


def test_legacy_files_have_no_wide_unsigned_integers(tmp_path):
    with pytest.raises(RuntimeError, match="legacy format has no storage for uint16"):
        pt.save(pt.ones(2, dtype=pt.uint16), tmp_path / "a.pt", _use_new_zipfile_serialization=False)


def test_lazy_conjugates_are_resolved(oracle, tmp_path):
    x = oracle.tensor([1 + 2j, 3 - 1j])
    for lazy in (x.conj(), x.conj().imag):
        oracle.save(lazy, tmp_path / "a.pt")
        assert pt.load(tmp_path / "a.pt").tolist() == lazy.tolist()


@pytest.mark.parametrize("place", [None, "cpu", "device", "dict", "callable", "none"])
def test_map_location(both, tmp_path, place):
    t = both.module
    seen = []
    where = {"device": t.device("cpu"), "dict": {"cuda:0": "cpu"}, "cpu": "cpu", None: None}
    where["callable"] = lambda storage, location: seen.append((len(storage), location)) or storage
    where["none"] = lambda storage, location: None
    base = t.arange(6.0)
    t.save({"a": base, "b": base[2:]}, tmp_path / "a.pt")
    got = t.load(tmp_path / "a.pt", map_location=where[place], weights_only=True)
    got["a"][2] = 9
    assert got["b"].tolist() == [9, 3, 4, 5]
    assert seen == ([(24, "cpu")] if place == "callable" else [])


def test_a_cuda_file_on_a_cpu(oracle, tmp_path):
    if pt.cuda.is_available():
        pytest.skip("it can be loaded here")
    path = tmp_path / "a.pt"
    oracle.save(oracle.ones(2), path)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "b.pt", "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, data.replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0"))
    with pytest.raises(RuntimeError, match="Attempting to deserialize object on a CUDA device but.*storage of cuda:0"):
        pt.load(tmp_path / "b.pt")
    for place in ("cpu", {"cuda:0": "cpu"}, lambda storage, location: storage):
        assert pt.load(tmp_path / "b.pt", map_location=place).tolist() == [1, 1]


def test_a_mapped_file(both, tmp_path):
    t, path = both.module, str(tmp_path / "a.pt")
    t.save({"w": t.arange(1000.0)}, path)
    got = t.load(path, mmap=True, weights_only=True)["w"]
    got[0] = 5
    assert got[0].item() == 5 and t.load(path, weights_only=True)["w"][0].item() == 0
    with pytest.raises(ValueError, match="f must be a file path in order to use the mmap argument"):
        with open(path, "rb") as file:
            t.load(io.BytesIO(file.read()), mmap=True, weights_only=True)
    t.save(1, path, _use_new_zipfile_serialization=False)
    with pytest.raises(RuntimeError, match="mmap can only be used with files saved with"):
        t.load(path, mmap=True, weights_only=True)


def test_file_objects(both):
    t = both.module
    buffer = io.BytesIO()
    t.save([t.ones(2)], buffer)
    with pytest.raises(EOFError):
        t.load(buffer, weights_only=True)
    buffer.seek(0)
    assert t.load(buffer, weights_only=True)[0].tolist() == [1, 1]

    class Stream:
        def read(self, n=-1):
            return b""

        def readline(self):
            return b""

    with pytest.raises(AttributeError, match="You can only torch.load from a file that is seekable"):
        t.load(Stream(), weights_only=True)
    with pytest.raises(AttributeError, match="expected 'f' to be string, path, or a file-like object"):
        t.save(1, 3)


def test_two_dtypes_on_one_memory(both, tmp_path):
    t = both.module
    x = t.ones(4)
    with pytest.raises(RuntimeError, match="view the same data as different types"):
        t.save([x, x.view(t.int32)], tmp_path / "a.pt")


@pytest.mark.parametrize("name", CASES)
def test_files_of_another_device(tmp_path, name):
    """CuPy's backend over NumPy's arrays: memory is shared on the device as it was, and it comes to the CPU."""
    pytest.importorskip("cupy")
    from cupy_twin import TwinBackend

    pt.devices.register_backend("twin", TwinBackend)
    try:
        with pt.devices.use_backend("twin"):
            original = CASES[name](pt)
            pt.save(original, tmp_path / "a.pt")
            there = pt.load(tmp_path / "a.pt", map_location="twin")
            moved = pt.load(tmp_path / "a.pt", map_location=lambda storage, location: storage.to("twin"))
            assert sharing(there) == sharing(moved) == sharing(original)
        here = pt.load(tmp_path / "a.pt", map_location="cpu")
        assert sharing(here) == sharing(original)
        if name.startswith(("dtype", "views", "nested", "empty", "transposed", "large")):
            same(CASES[name](pt), here)
    finally:
        pt.devices._factories.pop("twin")
        pt.devices._instances.pop("twin", None)


class Config:
    def __init__(self, width):
        self.width = width


def test_safe_globals(both, tmp_path):
    t = both.module
    t.save({"config": Config(7)}, tmp_path / "a.pt")
    s = t.serialization
    before = s.get_safe_globals()
    name = f"{Config.__module__}.Config"
    assert s.get_unsafe_globals_in_checkpoint(str(tmp_path / "a.pt")) == [name]
    with pytest.raises(pickle.UnpicklingError, match=f"GLOBAL {name} was not an allowed global by default"):
        t.load(tmp_path / "a.pt", weights_only=True)
    with s.safe_globals([Config]):
        assert t.load(tmp_path / "a.pt", weights_only=True)["config"].width == 7
        assert set(s.get_safe_globals()) - set(before) == {Config}
    assert len(s.get_safe_globals()) == len(before)
    s.add_safe_globals([(Config, name)])
    try:
        assert t.load(tmp_path / "a.pt", weights_only=True)["config"].width == 7
    finally:
        s.clear_safe_globals()
    with pytest.raises(pickle.UnpicklingError):
        t.load(tmp_path / "a.pt", weights_only=True)


def test_numpys_arrays_when_they_are_declared_safe(both, tmp_path):
    np = pytest.importorskip("numpy")
    multiarray = pytest.importorskip("numpy._core.multiarray")
    t, dtypes = both.module, [np.dtype, type(np.dtype("f8")), type(np.dtype("i8"))]
    t.save({"a": np.float64(2.5), "b": np.arange(3, dtype="i8")}, tmp_path / "a.pt")
    with pytest.raises(pickle.UnpicklingError, match="multiarray"):
        t.load(tmp_path / "a.pt", weights_only=True)
    with t.serialization.safe_globals([multiarray.scalar, multiarray._reconstruct, np.ndarray, *dtypes]):
        got = t.load(tmp_path / "a.pt", weights_only=True)
    assert got["a"] == 2.5 and got["b"].tolist() == [0, 1, 2]


def test_own_classes_of_legacy_files(oracle, tmp_path):
    oracle.save([Config(3), oracle.arange(3)], tmp_path / "a.pt", _use_new_zipfile_serialization=False)
    with pytest.warns(UserWarning, match="can run code"):
        config, x = pt.load(tmp_path / "a.pt", weights_only=False)
    assert config.width == 3 and x.tolist() == [0, 1, 2]


def test_weights_only_takes_no_pickle_module(both, tmp_path):
    with pytest.raises(RuntimeError, match="Can not safely load weights when explicit pickle_module is specified"):
        both.module.load(tmp_path / "a.pt", pickle_module=pickle, weights_only=True)


def test_checksums_can_be_left_alone(tmp_path):
    buffer = io.BytesIO()
    pt.save(pt.zeros(100), buffer)
    data = bytearray(buffer.getvalue())
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        at = z.getinfo("archive/data/0").header_offset
    at = data.index(bytes(40), at + 60) + 8
    data[at] = 1
    with pytest.raises(RuntimeError, match="cannot load the given file: .*damaged"):
        pt.load(io.BytesIO(bytes(data)))
    pt.serialization.set_crc32_options(False)
    try:
        assert pt.serialization.get_crc32_options() is False
        assert pt.load(io.BytesIO(bytes(data))).shape == (100,)
    finally:
        pt.serialization.set_crc32_options(True)


def archive(**entries):
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", entries.pop("method", zipfile.ZIP_STORED)) as z:
        warnings.simplefilter("ignore")
        for name, data in entries.items():
            for piece in data if isinstance(data, list) else [data]:
                z.writestr("a/" + name.replace("_", "."), piece)
    return buffer.getvalue()


GOOD = pickle.dumps([1], 2)


DAMAGED = {
    "no pickle": (archive(version="3"), "no <stem>/data.pkl"),
    "compressed": (archive(data_pkl=GOOD * 50, method=zipfile.ZIP_DEFLATED), "compressed"),
    "twice": (archive(data_pkl=[GOOD, GOOD]), "two entries of one name"),
    "byte order": (archive(data_pkl=GOOD, byteorder="big"), "byte order"),
    "TorchScript": (archive(data_pkl=GOOD, constants_pkl=GOOD), "TorchScript"),
    "truncated": (archive(data_pkl=GOOD)[:-30], "not a zip"),
    "huge size": (archive(data_pkl=GOOD).replace((len(GOOD)).to_bytes(4, "little") * 2, b"\xf0\xff\xff\x7f" * 2), "damaged"),
    "text": (b"hello, world", "not a zip"),
}  # fmt: skip


@pytest.mark.parametrize("data, why", DAMAGED.values(), ids=DAMAGED)  # zips hold the time: no names for tests
def test_damaged_zips(data, why):
    error = RuntimeError if data.startswith(b"PK") else pickle.UnpicklingError
    with pytest.raises(error, match=f"(?s)cannot load .*{why}"):
        pt.load(io.BytesIO(data))


def test_deep_keys_do_not_overflow_the_stack():
    body = b"\x80\x02}K\x01" + b"\x85" * 1_000_000 + b"K\x02s."
    with pytest.raises(pickle.UnpicklingError, match="over and over"):
        pt.load(io.BytesIO(archive(data_pkl=body)))


def test_a_mapped_file_is_not_read(tmp_path):
    pt.save({"w": pt.zeros(2**20)}, tmp_path / "a.pt")
    for mapped in (True, False):
        tracemalloc.start()
        got = pt.load(tmp_path / "a.pt", mmap=mapped)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (peak < 2**20) is mapped and got["w"].shape == (2**20,)


MEGABYTE = 1_000_000
TEXT = b"X" + MEGABYTE.to_bytes(4, "little") + b"a" * MEGABYTE + b"q\x00"
LATIN = b"q\x01X\x06\x00\x00\x00latin1q\x02"
INTEGERS = [b"J" + i.to_bytes(4, "little") for i in range(50_000)]
NUMBERS = b"N".join(INTEGERS) + b"N"
STORAGE = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQ"
DESCRIBED = {  # offset, size, stride of a tensor on a storage of one element
    "offset": (-1, (1,), (1,)), "size": (0, (-1,), (1,)), "stride": (0, (2,), (-1,)), "numbers": (0, (1.0,), (1,)),
    "lengths": (0, (1,), ()), "start": (1, (1,), (1,)), "end": (0, (2,), (1,)), "many": (0, (2**40, 2**40), (0, 0)),
}  # fmt: skip


@pytest.mark.parametrize("what", DESCRIBED)
def test_tensors_that_are_described_wrongly(what):
    values = b"".join(pickle.dumps(v, 2)[2:-1] for v in DESCRIBED[what])
    data = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(" + STORAGE + values + b"\x89}tR."
    with pytest.raises(RuntimeError, match="cannot load .*(wrongly|do not match|reaches element 1|absurd)"):
        pt.load(io.BytesIO(archive(data_pkl=data, **{"data/0": bytes(4)})))


COPIES = {
    "text": b"](" + TEXT + b"c_codecs\nencode\n" + LATIN + b"h\x01h\x00h\x02\x86R" * 9 + b"e",
    "bytes": b"](" + TEXT + b"c__builtin__\nbytearray\n" + LATIN + b"h\x01h\x00h\x02\x86R" * 9 + b"e",
    "Counter": b"](}(" + NUMBERS + b"uq\x00ccollections\nCounter\nq\x01" + b"h\x01h\x00\x85R" * 50 + b"e",
    "OrderedDict": b"](}(" + NUMBERS + b"uq\x00ccollections\nOrderedDict\nq\x01" + b"h\x01h\x00\x85R" * 50 + b"e",
    "set": b"](](" + b"".join(INTEGERS) + b"eq\x00c__builtin__\nset\nq\x01" + b"h\x01h\x00\x85R" * 50 + b"e",
    "tensors": b"ctorch._utils\n_rebuild_tensor_v2\nq\x01(" + STORAGE + b"K\x00))\x89}tq\x02(" + b"h\x01h\x02R" * 5000 + b"t",
}  # fmt: skip


@pytest.mark.parametrize("kind", COPIES)
def test_a_small_file_makes_no_large_copies(kind):
    """Each part once is in order; over and over is not, so what is made stays within what the file's own parts take."""
    data = archive(data_pkl=b"\x80\x02" + COPIES[kind] + b".", **{"data/0": b"1234"})
    tracemalloc.start()
    try:
        with pytest.raises(pickle.UnpicklingError, match="copies its own parts over and over"):
            pt.load(io.BytesIO(data))
        assert tracemalloc.get_traced_memory()[1] < 5 * len(data) + (20_000_000 if b"J" in COPIES[kind] else 300_000)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("flag", ["conj", "neg"])
def test_lazy_flags_of_expanded_tensors(flag):
    kind = b"torch\nComplexFloatStorage" if flag == "conj" else b"torch\nFloatStorage"
    storage = STORAGE.replace(b"torch\nFloatStorage", kind)
    flags = b"}X" + len(flag).to_bytes(4, "little") + flag.encode() + b"\x88s"
    body = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\x00(J\x00\x00\x00\x01t(K\x00t\x89)" + flags + b"tR"
    value = struct.pack("<2f", 1, 2) if flag == "conj" else struct.pack("<f", 1)
    x = pt.load(io.BytesIO(archive(data_pkl=b"\x80\x02" + body + b".", **{"data/0": value})))
    assert x.shape == (2**24,) and x.stride() == (0,) and x[5].item() == (1 - 2j if flag == "conj" else -1)
    overlapping = body.replace(b"J\x00\x00\x00\x01", b"K\x02").replace(b"(K\x00t", b"(K\x01t")
    with pytest.raises(RuntimeError, match="reaches element 1 of a storage of 1"):
        pt.load(io.BytesIO(archive(data_pkl=b"\x80\x02" + overlapping + b".", **{"data/0": value})))


class Short:
    """A file that gives a few bytes at a time, and nothing from seek."""

    def __init__(self, data):
        self.file = io.BytesIO(data)
        self.tell, self.readline = self.file.tell, self.file.readline

    def read(self, n=-1):
        return self.file.read(min(n, 5) if n > 0 else n)

    def seek(self, *args):
        self.file.seek(*args)


@pytest.mark.parametrize("zipped", [True, False])
def test_short_reads(zipped):
    buffer = io.BytesIO()
    pt.save({"a": pt.arange(5)}, buffer, _use_new_zipfile_serialization=zipped)
    assert pt.load(Short(buffer.getvalue()))["a"].tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(TypeError, match="open as text"):
        pt.load(io.StringIO("hello"))


def test_where_save_writes(both, tmp_path):
    """Through links, with the permissions that were there, and into devices; never over a folder."""
    t = both.module
    (tmp_path / "real").mkdir()
    t.save(t.ones(2), tmp_path / "real" / "a.pt")
    (tmp_path / "real" / "a.pt").chmod(0o600)
    (tmp_path / "link.pt").symlink_to(tmp_path / "real" / "a.pt")
    (tmp_path / "new.pt").symlink_to(tmp_path / "real" / "b.pt")
    for name in ("link.pt", "new.pt"):
        t.save(t.zeros(3), tmp_path / name)
        assert (tmp_path / name).is_symlink() and t.load(tmp_path / name, weights_only=True).shape == (3,)
    assert (tmp_path / "real" / "a.pt").stat().st_mode & 0o777 == 0o600
    assert sorted(p.name for p in (tmp_path / "real").iterdir()) == ["a.pt", "b.pt"]
    with pytest.raises(RuntimeError):
        t.save(1, tmp_path / "real")
    (tmp_path / "null").symlink_to("/dev/null")
    t.save(t.zeros(3), tmp_path / "null")
    assert not (tmp_path / "null").is_file()


def test_a_whole_resnet18_in_both_directions(oracle, tmp_path):
    """torchvision's own, at full width: weights, optimizer state and all."""
    import numpy as np

    theirs = vision_oracle.load().models.resnet18()
    oracle.save(theirs.state_dict(), tmp_path / "a.pt")
    got = pt.load(tmp_path / "a.pt")
    assert list(got) == list(theirs.state_dict())
    for key, value in theirs.state_dict().items():
        assert str(got[key].dtype) == str(value.dtype) and np.array_equal(got[key].numpy(), value.numpy())
    ours = pt.vision.models.resnet18()
    assert repr(ours.load_state_dict(got, strict=True)) == "<All keys matched successfully>"
    optimizer = pt.optim.SGD(ours.parameters(), lr=0.1, momentum=0.9)
    for p in ours.parameters():
        p.grad = pt.ones_like(p)
    optimizer.step()
    pt.save({"model": ours.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "b.pt")
    back = oracle.load(tmp_path / "b.pt", weights_only=True)
    theirs.load_state_dict(back["model"], strict=True)
    other = oracle.optim.SGD(theirs.parameters(), lr=0.1, momentum=0.9)
    other.load_state_dict(back["optimizer"])
    assert np.array_equal(theirs.fc.weight.detach().numpy(), ours.fc.weight.detach().numpy())
    assert other.state[theirs.fc.weight]["momentum_buffer"].sum() == theirs.fc.weight.numel()


def test_conjugates_of_the_legacy_format(oracle, tmp_path):
    """Their bytes stand behind the pickle that makes tensors of them."""
    path, x = tmp_path / "a.pt", oracle.tensor([1 + 2j, 3 - 1j])
    values = {"plain": x, "conj": x.conj(), "neg": x.clone().conj().imag, "shown": x.conj().expand(2, 2)}
    oracle.save(values, path, _use_new_zipfile_serialization=False)
    for place in (None, "cpu", lambda storage, location: storage):
        found = pt.load(path, map_location=place)
        assert {k: v.tolist() for k, v in found.items()} == {k: v.tolist() for k, v in values.items()}


def test_legacy_files_one_after_the_other(both, tmp_path):
    t = both.module
    for file in (io.BytesIO(), open(tmp_path / "a.pt", "w+b")):
        with file:
            file.write(b"before")
            for n in (3, 4):
                t.save(t.arange(n), file, _use_new_zipfile_serialization=False)
            file.seek(6)
            assert [t.load(file).tolist() for _ in range(2)] == [[0, 1, 2], [0, 1, 2, 3]]


@pytest.mark.parametrize("kind", ["quantized tensors", "sparse tensors", "tensors of torch.float8_e4m3fn"])
@pytest.mark.filterwarnings("ignore")
def test_tensors_that_are_not_here(oracle, tmp_path, kind):
    x = oracle.ones(4)
    make = {"q": lambda: oracle.quantize_per_tensor(x, 0.1, 0, oracle.qint8), "s": x.to_sparse}
    oracle.save({"a": make.get(kind[0], lambda: x.to(oracle.float8_e4m3fn))()}, tmp_path / "a.pt")
    for only in (True, False):
        with pytest.raises(RuntimeError, match=f"a.pt': it holds {kind}, which PolyTensor does not have"):
            pt.load(tmp_path / "a.pt", weights_only=only)
    if kind[0] == "q":
        assert "torch._utils._rebuild_qtensor" in pt.serialization.get_unsafe_globals_in_checkpoint(tmp_path / "a.pt")


def test_what_load_takes(tmp_path):
    pt.save(pt.ones(2), tmp_path / "a.pt")
    for wrong in (3, None):
        with pytest.raises(AttributeError, match=f"'{type(wrong).__name__}' object has no attribute 'seek'"):
            pt.load(wrong)
    with pytest.warns(UserWarning, match="weights_only=False"):  # as in PyTorch, a pickle module alone means so
        assert pt.load(tmp_path / "a.pt", pickle_module=pickle).tolist() == [1, 1]


@pytest.mark.filterwarnings("error")
def test_files_that_cannot_be_written(tmp_path):
    with open(tmp_path / "a.pt", "wb"), open(tmp_path / "a.pt", "rb") as closed_to_writing:
        with pytest.raises(OSError):
            pt.save(pt.ones(2), closed_to_writing)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(RuntimeError, match="loop cannot be opened: Too many levels of symbolic links"):
        pt.save(1, tmp_path / "loop")
    assert (tmp_path / "loop").is_symlink()
    for name in ("x" * 250, "\N{GREEK SMALL LETTER OMEGA}" * 120):
        pt.save(1, tmp_path / name)
        assert pt.load(tmp_path / name) == 1
    gc.collect()  # nothing tries to end the file that was given up


def test_a_full_disk_names_the_file(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    pt.save(1, tmp_path / "a.pt")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device: '.*a.pt'"):
        pt.save(2, tmp_path / "a.pt")
    assert pt.load(tmp_path / "a.pt") == 1 and len(list(tmp_path.iterdir())) == 1


@pytest.mark.filterwarnings("ignore:TypedStorage")
@pytest.mark.parametrize("zipped", [True, False])
def test_a_storage_by_itself(oracle, tmp_path, zipped):
    oracle.save({"s": oracle.ones(3).untyped_storage()}, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(RuntimeError, match="a.pt': it holds a storage by itself"):
        pt.load(tmp_path / "a.pt")
