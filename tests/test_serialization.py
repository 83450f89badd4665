"""save and load: both directions with PyTorch, hostile and damaged files, killed saves."""

import copy
import inspect
import io
import os
import pickle
import random
import signal
import subprocess
import sys
import time
import zipfile
from collections import OrderedDict

import pytest

import polytensor as pt


def example():
    base = pt.arange(12.0).reshape(3, 4)
    net = pt.nn.Linear(3, 2)
    return {
        "net": net.state_dict(), "list": [1, 2.5, "s", None, True, (1, 2)], "view": base[1:, ::2], "base": base,
        "t": base.T, "empty": pt.zeros(0, 3), "dtype": pt.float64, "size": base.shape, "bytes": b"ab", "set": {1, 2},
        "param": pt.nn.Parameter(pt.ones(2)), "leaf": pt.ones(2, requires_grad=True), "device": pt.device("cpu"),
        **{d: pt.ones(2, dtype=getattr(pt, d)) for d in ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float64")},
    }  # fmt: skip


def test_round_trip(tmp_path):
    path = tmp_path / "a.pt"
    original = example()
    pt.save(original, path)
    got = pt.load(path)
    assert list(got) == list(original)
    for key, value in original.items():
        if isinstance(value, pt.Tensor):
            assert got[key].dtype is value.dtype and got[key].tolist() == value.tolist(), key
            assert got[key].requires_grad == value.requires_grad and type(got[key]) is type(value)
    assert isinstance(got["net"], OrderedDict) and isinstance(got["size"], pt.Size)
    got["base"][1, 0] = 99
    assert got["view"][0, 0].item() == 99 and got["t"][0, 1].item() == 99
    assert os.listdir(tmp_path) == ["a.pt"]


def test_pytorch_reads_ours(oracle, tmp_path):
    path = str(tmp_path / "a.pt")
    original = example()
    pt.save(original, path)
    got = oracle.load(path, weights_only=True)
    assert got["view"].tolist() == original["view"].tolist()
    assert got["view"].untyped_storage().data_ptr() == got["base"].untyped_storage().data_ptr()
    assert got["dtype"] is oracle.float64 and got["t"].stride() == (1, 4)
    assert isinstance(got["param"], oracle.nn.Parameter) and got["leaf"].requires_grad
    oracle.nn.Linear(3, 2).load_state_dict(got["net"])


def test_we_read_pytorchs(oracle, tmp_path):
    path = str(tmp_path / "b.pt")
    net = oracle.nn.Sequential(oracle.nn.Linear(4, 3), oracle.nn.ReLU())
    optimizer = oracle.optim.Adam(net.parameters())
    net(oracle.ones(2, 4)).sum().backward()
    optimizer.step()
    base = oracle.arange(6).reshape(2, 3)
    oracle.save({"net": net.state_dict(), "opt": optimizer.state_dict(), "v": base[:, 1], "b": base, "half": oracle.ones(2).half(),
                 "bf": oracle.ones(3).bfloat16()}, path)  # fmt: skip
    got = pt.load(path)
    mine = pt.nn.Sequential(pt.nn.Linear(4, 3), pt.nn.ReLU())
    assert str(mine.load_state_dict(got["net"])) == "<All keys matched successfully>"
    adam = pt.optim.Adam(mine.parameters())
    adam.load_state_dict(got["opt"])
    assert mine[0].weight.tolist() == net[0].weight.tolist()
    assert adam.state_dict()["state"][0]["exp_avg"].tolist() == optimizer.state_dict()["state"][0]["exp_avg"].tolist()
    assert got["v"].tolist() == [1, 4] and got["half"].dtype is pt.float16 and got["bf"].dtype is pt.bfloat16


class Evil:
    def __reduce__(self):
        return (os.system, ("echo this must not run > evil",))


def test_hostile_pickle_runs_nothing(oracle, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    oracle.save({"a": Evil()}, "c.pt")
    with pytest.raises(pickle.UnpicklingError, match="c.pt.*system"):
        pt.load("c.pt")
    assert not os.path.exists("evil")


def written(pickled):
    """A file whose data.pkl is `pickled`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as z:
        z.writestr("a/data.pkl", pickled)
        z.writestr("a/version", "3")
        z.writestr("a/byteorder", sys.byteorder)
    return io.BytesIO(buffer.getvalue())


@pytest.mark.parametrize("body, why", {
    "attributes of a class": (b"ccollections\nCounter\n}U\x04evilK\x01sb.", "sets attributes"),
    "items of a class": (b"ccollections\nCounter\nU\x01aK\x01s.", "sets items"),
    "append to a size": (b"ctorch\nSize\nK\x01a.", "appends"),
    "call of data": (b"](tR.", "calls list"),
    "a name that is not on the list": (b"cos\nsystem\nU\x04true\x85R.", "os.system"),
    "a dotted name": (b"ctorch\nSize.__init__\n.", "not on the list"),
    "exponential copies": (b"]q\x00" + b"".join(b"h\x00c_codecs\nencode\n0" for _ in range(2)) + b"U\x01x(l.", "damaged"),
    "deep tuples as a key": (b"K\x01" + b"q\x00h\x00\x86" * 60 + b"}q\x01h\x00K\x01s.", "over and over"),
    "empty stack": (b"R.", "damaged"),
    "nothing": (b"", "truncated"),
    "protocol 4": (pickle.dumps([1, 2], 4)[2:], "damaged"),
}.values())  # fmt: skip
def test_hostile_opcodes(body, why):
    with pytest.raises(pickle.UnpicklingError, match=why):
        pt.load(written(b"\x80\x02" + body))


def test_own_classes_are_opt_in(tmp_path):
    net = pt.nn.Sequential(pt.nn.Linear(2, 2))
    pt.save(net, tmp_path / "net.pt")
    with pytest.raises(pickle.UnpicklingError):
        pt.load(tmp_path / "net.pt")
    with pytest.warns(UserWarning, match="can run code"):
        again = pt.load(tmp_path / "net.pt", weights_only=False)
    assert again[0].weight.tolist() == net[0].weight.tolist()


def test_damaged_files_end_in_clear_errors():
    buffer = io.BytesIO()
    pt.save(example(), buffer)
    data = buffer.getvalue()
    rng = random.Random(0)
    damaged = 0
    for i in range(500):
        d = bytearray(data)
        for _ in range(3):
            d[rng.randrange(len(d))] = rng.randrange(256)
        if i % 4 == 0:
            d = d[: rng.randrange(len(d))]
        try:
            pt.load(io.BytesIO(bytes(d)))
        except (RuntimeError, pickle.UnpicklingError) as error:
            assert "cannot load" in str(error)
            damaged += 1
    assert damaged > 300


def test_file_errors(tmp_path):
    with pytest.raises(FileNotFoundError):
        pt.load(tmp_path / "missing.pt")
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(pickle.UnpicklingError, match="text.pt.*not a zip"):
        pt.load(tmp_path / "text.pt")
    with pytest.raises(RuntimeError, match="does not exist"):
        pt.save({}, tmp_path / "no" / "a.pt")


def test_a_killed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.pt"
    pt.save({"x": 1}, path)
    script = (
        "import sys, polytensor as pt\n"
        "big = pt.zeros(30_000_000)\n"
        "print('go', flush=True)\n"
        "while True: pt.save({'x': 2, 'big': big}, sys.argv[1])\n"
    )
    child = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE)
    child.stdout.readline()
    while not [n for n in os.listdir(tmp_path) if n.endswith(".tmp")] and child.poll() is None:
        time.sleep(0.001)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert pt.load(path)["x"] in (1, 2)


def test_deep_copies_of_parameters_hold_values_alone(both):
    T = both
    p = T.nn.Parameter(T.ones(2, 3).t())
    p.grad, p.tag = T.zeros(3, 2), 1
    p.register_hook(lambda g: g * 2)
    q, again, data = copy.deepcopy([p, p, p.data])
    assert (
        q.grad is None and not hasattr(q, "tag") and again is q and type(q) is T.nn.Parameter and q.stride() == (1, 3)
    )
    assert data.data_ptr() != q.data_ptr() and not copy.deepcopy(T.nn.Parameter(T.ones(1), False)).requires_grad
    (q * 3).sum().backward()
    assert q.grad.tolist() == [[3.0] * 2] * 3 and p.grad.sum() == 0
    x = T.ones(1, requires_grad=True)
    x.sum().backward()
    assert copy.deepcopy(x).grad.tolist() == [1.0]  # of tensors that are no parameters gradients come along


def test_functions_are_found_by_their_names():
    model = pt.nn.TransformerEncoderLayer(4, 2, 8, activation=pt.tanh, batch_first=True)
    assert pickle.loads(pickle.dumps(model, 2)).activation is pt.tanh
    for space in (pt, pt.Tensor, pt.nn.functional, pt.linalg, pt.special, pt.fft):
        for name, fn in vars(space).items():
            if inspect.isfunction(fn) and name[0] != "_":
                assert pickle.loads(pickle.dumps(fn)) is fn, name
