"""DataLoader's workers: the same batches for every number of them, errors, deaths, and nothing left behind."""

import errno
import gc
import multiprocessing
import os
import pickle
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import polytensor as pt
from polytensor.utils.data import ChainDataset, DataLoader, Dataset, IterableDataset, TensorDataset, get_worker_info

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
METHODS = ("fork", "spawn", "forkserver")


class Augmented(Dataset):
    """A tensor, NumPy's, Python's and our own noise."""

    def __len__(self):
        return 22

    def __getitem__(self, i):
        noise = pt.rand(3)
        return {"x": noise + i, "n": np.random.rand(), "p": random.random(), "i": i, "name": str(i)}


class Faulty(Dataset):
    def __init__(self, fault):
        self.fault = fault

    def __len__(self):
        return 40

    def __getitem__(self, i):
        if i == 13:
            self.fault()
        return np.full((40, 40), i)


class Stream(IterableDataset):
    """range(n), shared out among the workers."""

    def __init__(self, n):
        self.n = n

    def __iter__(self):
        info = get_worker_info()
        return iter(range(self.n) if info is None else range(info.id, self.n, info.num_workers))


def raise_value():
    raise ValueError("no such picture")


def raise_key():
    raise KeyError("label")


def raise_own():
    class Own(Exception):
        def __init__(self, a, b):
            super().__init__(a, b)

    raise Own(1, 2)


def stop_here():
    os.kill(os.getpid(), signal.SIGKILL)


def leave():
    os._exit(3)


def sleep_long():
    time.sleep(60)


class Broken:
    """Pickles well and does not come back."""

    def __reduce__(self):
        return leave, ()


def blocks():
    return (
        {x for x in os.listdir("/dev/shm") if x.startswith(f"pt_{os.getpid():x}_")}
        if os.path.isdir("/dev/shm")
        else set()
    )


def plain(batch):
    return {k: v if isinstance(v, (list, tuple)) else v.tolist() for k, v in batch.items()}


def run_of(workers, **options):
    pt.manual_seed(5)
    loader = DataLoader(Augmented(), batch_size=4, shuffle=True, num_workers=workers, **options)
    return [plain(b) for _ in range(2) for b in loader], pt.rand(2).tolist()


def test_number_of_workers_changes_nothing():
    np.random.seed(1)
    random.seed(1)
    before = np.random.get_state()[1].tolist(), random.getstate()
    want = run_of(0)
    assert [len({b["n"][0] for b in want[0]}), len({b["x"][0][0] for b in want[0]})] == [12, 12]
    for workers in (1, 2, 4):
        assert run_of(workers) == want
    assert run_of(2, persistent_workers=True, prefetch_factor=3) == want
    assert run_of(2, prefetch_factor=0) == want
    assert (np.random.get_state()[1].tolist(), random.getstate()) == before
    pt.manual_seed(6)
    other = [plain(b) for b in DataLoader(Augmented(), batch_size=4)]
    assert other[0]["n"] != want[0][0]["n"]


@pytest.mark.parametrize("method", METHODS)
def test_start_methods(method):
    before = blocks()
    assert run_of(2, multiprocessing_context=method, persistent_workers=True) == run_of(0)
    assert blocks() <= before


def test_threads():
    def run(workers):
        pt.manual_seed(5)
        options = {"num_workers": workers, "worker_method": "thread"} if workers else {}
        loader = DataLoader(Augmented(), batch_size=4, shuffle=True, **options)
        return [(b["x"].tolist(), b["i"].tolist()) for b in loader], pt.rand(2).tolist()

    state = np.random.get_state()[1].tolist(), random.getstate()
    assert run(2) == run(1) == run(0)
    assert state[0] != 0
    with pytest.raises(ValueError, match=r"DataLoader worker thread \d[\s\S]*no such picture"):
        list(DataLoader(Faulty(raise_value), 4, num_workers=2, worker_method="thread"))
    for options in ({}, {"worker_init_fn": sys.exit}):
        with pytest.raises(RuntimeError, match=r"Caught SystemExit in DataLoader worker thread \d"):
            list(DataLoader(Faulty(sys.exit), 4, num_workers=2, worker_method="thread", **options))
    infos = list(DataLoader(Infos(), None, num_workers=2, worker_method="thread"))
    assert {(i.id, i.worker_method) for i in infos} == {(0, "thread"), (1, "thread")}
    assert infos[0].rng.random_generator.random() != infos[2].rng.random_generator.random()
    with pytest.raises(ValueError, match="worker_method"):
        DataLoader(Infos(), worker_method="fibre")


class Seeds(Dataset):
    def __len__(self):
        return 16

    def __getitem__(self, i):
        return pt.initial_seed()


def test_seeds_make_tensors():
    assert len({int(b) for b in DataLoader(Seeds())}) == 16


class Infos(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, i):
        return get_worker_info()


def test_worker_info_and_init(tmp_path):
    def init(worker):
        (tmp_path / f"{worker}").write_text(str(get_worker_info().seed))

    assert get_worker_info() is None
    loader = DataLoader(Infos(), None, num_workers=2, worker_init_fn=init)
    infos = list(loader)
    assert [i.id for i in infos] == [0, 1, 0, 1] and {i.num_workers for i in infos} == {2}
    assert infos[1].seed == infos[0].seed + 1 == int((tmp_path / "1").read_text())
    assert repr(infos[0]).startswith("WorkerInfo(id=0, num_workers=2, seed=")
    with pytest.raises(ValueError, match="DataLoader worker process 0"):
        list(DataLoader(Infos(), None, num_workers=1, worker_init_fn=lambda i: raise_value()))


def test_like_pytorch(oracle):
    """Order, containers, dtypes and shapes of batches, against PyTorch without workers.

    Its workers stack into contiguous memory, whatever the samples' strides; ours change nothing.
    """

    class Mixed(Dataset):
        def __init__(self, t):
            self.t = t

        def __len__(self):
            return 11

        def __getitem__(self, i):
            t = self.t
            image = t.arange(24 * 40).reshape(8, 40, 3).permute(2, 0, 1) + i
            return [
                image,
                (i, float(i)),
                {"a": np.ones(3, np.float32) * i, "s": str(i)},
                np.int16(i),
                t.tensor(i % 2 == 0),
            ]

    def read(t, loader_class, **options):
        def leaf(x):
            if isinstance(x, (list, tuple)):
                return type(x)(leaf(v) for v in x)
            if isinstance(x, dict):
                return {k: leaf(v) for k, v in x.items()}
            return (str(x.dtype), tuple(x.shape), x.stride(), x.tolist()) if isinstance(x, t.Tensor) else x

        return [leaf(b) for b in loader_class(Mixed(t), **options)]

    for options in ({"batch_size": 4}, {"batch_size": None}, {"batch_size": 3, "drop_last": True}):
        want = read(oracle, oracle.utils.data.DataLoader, **options)
        assert read(pt, DataLoader, num_workers=2, **options) == want
        assert read(pt, DataLoader, **options) == want


def test_streams(oracle):
    for n, size, drop in ((10, 3, False), (10, 3, True), (7, None, False), (0, 2, False)):

        class Theirs(oracle.utils.data.IterableDataset):
            def __iter__(self, n=n):
                info = oracle.utils.data.get_worker_info()
                return iter(range(n) if info is None else range(info.id, n, info.num_workers))

        def values(batches):
            return [b.tolist() if hasattr(b, "tolist") else b for b in batches]

        for workers in (0, 2):
            options = {"batch_size": size, "drop_last": drop, "num_workers": workers}
            want = values(oracle.utils.data.DataLoader(Theirs(), **options))
            assert values(DataLoader(Stream(n), **options)) == want
    loader = DataLoader(ChainDataset([Stream(3), Stream(4)]), batch_size=2, num_workers=2, persistent_workers=True)
    first = values(loader)
    assert first == values(loader) and sorted(x for b in first for x in b) == [0, 0, 1, 1, 2, 2, 3]


def test_a_pass_that_is_left_early():
    before = blocks()
    loader = DataLoader(Augmented(), batch_size=2, num_workers=2, persistent_workers=True)
    workers = []
    for _ in range(3):
        it = iter(loader)
        assert next(it)["i"].tolist() == [0, 1]
        workers.append([p.pid for p in it._workers])
    assert workers[0] == workers[2]
    assert [i for b in loader for i in b["i"].tolist()] == list(range(22))
    processes = it._workers
    del it, loader
    assert not any(p.is_alive() for p in processes) and blocks() <= before


def test_out_of_order():
    loader = DataLoader(Augmented(), batch_size=2, num_workers=2, in_order=False)
    assert sorted(i for b in loader for i in b["i"].tolist()) == list(range(22))


def test_memory_is_ours():
    before = blocks()
    data = TensorDataset(pt.arange(200_000).reshape(20, 10_000), pt.arange(20, dtype=pt.bfloat16))
    for workers in (0, 2):
        batches = list(DataLoader(data, batch_size=8, num_workers=workers))
        for b in batches:
            b[0].add_(1)  # writable, and no other batch sees it
        assert [b[0][0, 0].item() for b in batches] == [1, 80_001, 160_001]
        assert batches[0][1].dtype is pt.bfloat16 and batches[2][1].tolist() == [16, 17, 18, 19]
    assert data.tensors[0][0, 0].item() == 0 and blocks() <= before


def test_batches_that_grow():
    before = blocks()
    loader = DataLoader(Growing(), None, num_workers=2, persistent_workers=True)
    for _ in range(2):
        for i, x in enumerate(loader):
            assert x.shape == (4000 * (i + 1),) and x[0].item() == x[-1].item() == i
    del loader
    assert blocks() <= before


@pytest.mark.parametrize("every", [1, 3])
def test_full_shared_memory(every, monkeypatch):
    """What finds no room in shared memory goes through the pipe."""
    before, calls = blocks(), []

    def full(file, start, size):
        calls.append(size)
        if len(calls) % every == 0:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    loader = DataLoader(Growing(), None, num_workers=2, persistent_workers=True, multiprocessing_context="fork")
    for _ in range(2):
        for i, x in enumerate(loader):
            assert x.shape == (4000 * (i + 1),) and x[0].item() == x[-1].item() == i
    assert not blocks() - before if every == 1 else blocks() - before
    del loader
    assert blocks() <= before


class Growing(Dataset):
    def __len__(self):
        return 12

    def __getitem__(self, i):
        return pt.full((4000 * (i + 1),), float(i))


@pytest.mark.parametrize("fault, kind, text", [
    (raise_value, ValueError, "no such picture"), (raise_key, KeyError, "label"), (raise_own, RuntimeError, "Caught Own"),
])  # fmt: skip
def test_exceptions_come_back(fault, kind, text, monkeypatch, oracle):
    monkeypatch.setattr(
        oracle.utils.data._utils, "MP_STATUS_CHECK_INTERVAL", 0.2
    )  # seconds that it waits for its workers
    loader = DataLoader(Faulty(fault), batch_size=4, num_workers=2)
    with pytest.raises(kind) as caught:
        list(loader)
    message = str(caught.value)
    for part in (
        text,
        f"in {fault.__name__}",
        "DataLoader worker process 1",
        "sample with index 13",
        "Original Traceback",
    ):
        assert part in message
    if fault is not raise_own:
        with pytest.raises(kind) as theirs:
            list(oracle.utils.data.DataLoader(Faulty(fault), batch_size=4, num_workers=2))
        assert str(theirs.value).split(".\n")[0] == message.split(", for the sample")[0]
        del theirs
        gc.collect()
        with pytest.raises(kind) as plain_error:
            list(DataLoader(Faulty(fault), batch_size=4))
        assert "13" in plain_error.value.__notes__[0]


def test_later_batches_after_an_exception():
    it = iter(DataLoader(Faulty(raise_value), batch_size=4, num_workers=2))
    got, errors = [], 0
    while True:
        try:
            got.append(next(it)[0, 0, 0].item())
        except ValueError:
            errors += 1
        except StopIteration:
            break
    assert errors == 1 and got == [0, 4, 8, 16, 20, 24, 28, 32, 36]


def test_workers_end_with_the_exception():
    """The loader is freed with the exception that left it: no cycle waits for the garbage collector."""
    before = {child.pid for child in multiprocessing.active_children()}
    gc.disable()
    try:
        for fault in (raise_value, lambda: {}["key"]):
            with pytest.raises((ValueError, KeyError)) as caught:
                list(DataLoader(Faulty(fault), batch_size=4, num_workers=2, multiprocessing_context="fork"))
            del caught
        assert {child.pid for child in multiprocessing.active_children()} <= before
    finally:
        gc.enable()


@pytest.mark.parametrize("fault, text", [(stop_here, "killed by signal: Killed"), (leave, "exit code 3")])
def test_lost_worker(fault, text):
    before = blocks()  # loaders of other tests that a traceback still holds
    begin = time.monotonic()
    with pytest.raises(
        RuntimeError, match=r"DataLoader worker \(pid\(s\) \d+\) exited unexpectedly: worker 1 .*" + text
    ):
        list(DataLoader(Faulty(fault), batch_size=4, num_workers=2))
    assert time.monotonic() - begin < 5
    assert blocks() <= before


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="shared memory is no files here")
def test_a_worker_that_is_killed_while_it_makes_a_block():
    """The block has a name, but no size yet: it is removed, and so are those after it."""
    from multiprocessing.shared_memory import SharedMemory

    from polytensor.data.transport import Receiver

    name = f"pt_test_{os.getpid()}"
    empty, whole = Path(f"/dev/shm/{name}_0_0"), SharedMemory(f"{name}_1_0", create=True, size=8)
    empty.touch()
    Receiver(name).close(3)
    whole.close()
    assert not empty.exists() and not Path(f"/dev/shm/{name}_1_0").exists()


def test_killed_from_outside():
    loader = DataLoader(Faulty(sleep_long), batch_size=4, num_workers=2, persistent_workers=True)
    it = iter(loader)
    next(it)
    os.kill(it._workers[0].pid, signal.SIGKILL)  # the other one is about to sleep
    begin = time.monotonic()
    with pytest.raises(RuntimeError, match="worker 0 is killed by signal"):
        list(it)
    assert time.monotonic() - begin < 5
    with pytest.raises(RuntimeError, match="worker 0 is killed by signal"):
        next(it)
    assert next(iter(loader)).shape == (4, 40, 40)  # a new pass starts new workers
    assert not any(p.is_alive() for p in it._workers)


def test_timeout():
    loader = DataLoader(Faulty(lambda: time.sleep(1.5)), batch_size=4, num_workers=1, timeout=0.5)
    with pytest.raises(RuntimeError, match=r"DataLoader timed out after 0.5 seconds"):
        list(loader)


def test_worker_that_cannot_start():
    with pytest.raises((AttributeError, pickle.PicklingError), match="local object") as caught:
        list(DataLoader(Augmented(), num_workers=2, multiprocessing_context="spawn", collate_fn=lambda x: x))
    assert "Got pickle error" in caught.value.__notes__[0] and "'spawn'" in caught.value.__notes__[0]
    with pytest.raises(RuntimeError, match=r"worker 0 ended with exit code 3"):
        list(DataLoader([Broken()], num_workers=1, multiprocessing_context="spawn"))
    with pytest.raises(RuntimeError, match="Cowardly refusing to serialize non-leaf"):
        list(DataLoader([pt.ones(2, requires_grad=True) * 2], None, num_workers=1))


def test_arguments(oracle, monkeypatch):
    data = list(range(4))
    for options in (
        {"num_workers": 0, "prefetch_factor": 2}, {"num_workers": 0, "multiprocessing_context": "fork"},
        {"num_workers": 0, "persistent_workers": True}, {"num_workers": 1, "multiprocessing_context": "threads"},
        {"num_workers": 1, "multiprocessing_context": 3}, {"num_workers": 1, "prefetch_factor": -1},
    ):  # fmt: skip
        with pytest.raises((ValueError, TypeError)) as theirs:
            oracle.utils.data.DataLoader(data, **options)
        with pytest.raises(theirs.type) as ours:
            DataLoader(data, **options)
        assert str(ours.value) == str(theirs.value)
    with pytest.warns(UserWarning, match="This DataLoader will create 500 worker processes in total"):
        loader = DataLoader(data, num_workers=500)
    for name in ("batch_size", "dataset", "sampler", "drop_last", "persistent_workers"):
        with pytest.raises(ValueError, match=f"{name} attribute should not be set after DataLoader is initialized"):
            setattr(loader, name, 1)
    with pytest.raises(AssertionError, match="timeout == 0"):
        iter(DataLoader(data, timeout=1))
    monkeypatch.setenv("POLYTENSOR_BACKEND", "numpy")  # whatever this machine has
    with pytest.warns(UserWarning, match="'pin_memory' argument is set as true but no accelerator is found"):
        assert next(iter(DataLoader(data, pin_memory=True))).tolist() == [0]
    with pytest.raises(NotImplementedError):
        pickle.dumps(iter(DataLoader(data)))


SCRIPT = """
import os, sys, time
import torch
from torch.utils.data import DataLoader, Dataset

class Slow(Dataset):
    def __len__(self):
        return 64

    def __getitem__(self, i):
        time.sleep(float(sys.argv[2]))
        return torch.rand(100, 100) + i

if __name__ == "__main__":
    torch.manual_seed(0)
    loader = DataLoader(Slow(), batch_size=4, num_workers=2, multiprocessing_context=sys.argv[1], persistent_workers=True)
    it = iter(loader)
    first = next(it)
    assert first.shape == (4, 100, 100) and "polytensor" in torch.__version__
    print("ready", *(p.pid for p in it._workers), flush=True)
    total = first.sum() + sum(b.sum() for b in it)
    print("total", round(total.item()), flush=True)
"""


def script(tmp_path, method, nap):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    env = {**os.environ, "PYTHONPATH": str(Path(pt.__file__).parent.parent)}
    return subprocess.Popen(
        [sys.executable, "-m", "polytensor", "run", str(path), method, str(nap)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored where the tests run in the background
    )  # fmt: skip


def gone(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


@pytest.mark.parametrize("method", METHODS)
def test_under_run(tmp_path, method):
    out, err = script(tmp_path, method, 0).communicate(timeout=120)
    assert "total 20" in out, err
    assert not err


@pytest.mark.parametrize(
    "method, how", [("fork", "ctrl-c"), ("spawn", "ctrl-c"), ("fork", "kill"), ("forkserver", "kill")]
)
def test_ends_leave_no_process(tmp_path, method, how):
    process = script(tmp_path, method, 0.05)
    pids = [int(x) for x in process.stdout.readline().split()[1:]]
    assert len(pids) == 2
    if how == "kill":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert how == "kill" or "KeyboardInterrupt" in err
    deadline = time.monotonic() + 60
    while not all(map(gone, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert all(map(gone, pids))


class Heavy(Dataset):
    """Kernels that would use threads, and BLAS."""

    def __len__(self):
        return 4

    def __getitem__(self, i):
        x = pt.full((300, 300), float(i + 1))
        return ((x * 2).exp_().log_() @ x).sum()


def test_numba_in_workers():
    pytest.importorskip("numba")
    with pt.use_backend("numba"):
        data = Heavy()
        want = [data[i].item() for i in range(4)]  # its threads run before the fork
        for method in ("fork", "forkserver"):
            batches = list(DataLoader(data, None, num_workers=2, multiprocessing_context=method))
            assert [b.item() for b in batches] == want
            assert batches[0].device.backend.name == "numba"


class Threaded(Dataset):
    """How many threads a worker has after a product of matrices, and how many its BLAS would use."""

    def __len__(self):
        return 2

    def __getitem__(self, i):
        from threadpoolctl import threadpool_info

        x = pt.full((300, 300), float(i + 1))
        (x @ x).sum()
        blas = [p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"]
        return len(os.listdir("/proc/self/task")), max(blas, default=1)


@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_forked_workers_start_no_blas_threads(method):
    """OpenBLAS's switch would start its threads, which spin on the cores that other workers need."""
    pytest.importorskip("threadpoolctl")
    if not os.path.isdir("/proc/self/task"):
        pytest.skip("threads are counted in /proc")
    x = pt.full((300, 300), 1.0)
    x @ x  # the loader's own BLAS has its threads
    for found in DataLoader(Threaded(), None, num_workers=2, multiprocessing_context=method):
        assert found == [2, 1]  # one works, one reads tasks


class Pictures(Dataset):
    """PIL images and tensors under augmentations that draw numbers of every kind."""

    def __init__(self):
        image = pytest.importorskip("PIL.Image")
        from polytensor.vision import transforms as t

        pixels = np.random.default_rng(0).integers(0, 256, (3, 20, 24, 3), np.uint8)
        self.images = [image.fromarray(p) for p in pixels]
        self.tensors = [pt.from_numpy(p).permute(2, 0, 1).contiguous() for p in pixels]
        same = [t.RandomHorizontalFlip(), t.ColorJitter(0.4, 0.4, 0.4, 0.2), t.RandomRotation(20), t.RandAugment()]
        last = t.RandomErasing(0.9, value="random")
        self.on_images = t.Compose([t.RandomResizedCrop(16), *same, t.TrivialAugmentWide(), t.ToTensor(), last])
        self.on_tensors = t.Compose([t.RandomCrop(16), *same, t.ConvertImageDtype(pt.float32), last])

    def __len__(self):
        return 12

    def __getitem__(self, i):
        return self.on_images(self.images[i % 3]), self.on_tensors(self.tensors[i % 3])


def test_number_of_workers_changes_no_augmentation():
    """Processes and threads: transforms draw from the batch's own stream."""

    def run(workers, **options):
        pt.manual_seed(11)
        loader = DataLoader(Pictures(), batch_size=3, num_workers=workers, **options)
        return [[x.tolist() for x in b] for _ in range(2) for b in loader]

    state = np.random.get_state()[1].tolist(), random.getstate()
    want = run(0)
    assert len({str(b) for b in want}) == 8  # each batch of each epoch has draws of its own
    for workers in (1, 2, 4):
        assert run(workers, worker_method="thread") == want
        assert run(workers) == want
    assert (np.random.get_state()[1].tolist(), random.getstate()) == state
