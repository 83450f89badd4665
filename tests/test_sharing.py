"""Memory that processes share: share_memory_(), is_shared(), and what multiprocessing sends."""

import gc
import os
import subprocess
import sys

import numpy as np
import pytest

import polytensor as pt
import polytensor.multiprocessing as mp

PROGRAM = """
import sys, torch, torch.multiprocessing as mp

def work(model, x, plain, queue, done):
    with torch.no_grad():
        for p in model.parameters():
            p.add_(1.0)
        model.mean.mul_(3)
        x[1] = 7
        plain += 1
    queue.put((x, x[::2], model.weight, torch.arange(3)))
    done.wait()

if __name__ == "__main__":
    ctx = mp.get_context(sys.argv[1])
    model = torch.nn.Linear(2, 2)
    model.register_buffer("mean", torch.ones(2))
    torch.nn.init.zeros_(model.weight)
    assert model.share_memory() is model
    x, plain = torch.zeros(3).share_memory_(), torch.zeros(2)
    queue, done = ctx.Queue(), ctx.Event()
    process = ctx.Process(target=work, args=(model, x, plain, queue, done))
    process.start()
    y, every_second, weight, z = queue.get(timeout=60)
    every_second[1] = 9
    done.set()
    process.join()
    print(process.exitcode, model.weight.tolist(), model.mean.tolist(), x.tolist(), y.is_shared(), plain.tolist())
    print(type(weight).__name__, weight.requires_grad, weight.is_leaf, z.tolist(), every_second.stride())
"""


@pytest.mark.skipif(os.name == "nt", reason="no descriptors to hand on")
@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_processes_see_what_others_write(method, tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "-m", "polytensor", "run", str(tmp_path / "program.py"), method],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        "0 [[1.0, 1.0], [1.0, 1.0]] [3.0, 3.0] [0.0, 7.0, 9.0] True [0.0, 0.0]",
        "Parameter True True [0, 1, 2] (2,)",
    ], done.stderr
    assert not done.stderr


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "int64", "uint8", "bool", "complex64"])
def test_a_shared_tensor_is_the_same_tensor(dtype, device):
    x = pt.tensor([[0, 1, 2], [3, 0, 5]]).to(getattr(pt, dtype)).T
    want, stride, version = x.tolist(), x.stride(), x._version
    assert not x.is_shared() and x.share_memory_() is x and x.is_shared()
    assert x.tolist() == want and x.stride() == stride and str(x.dtype) == f"torch.{dtype}" and x.device == device
    assert x[1:].is_shared() and x.data.is_shared() and not x.clone().is_shared() and x._version >= version
    assert x.untyped_storage().is_shared() and not x.clone().untyped_storage().is_shared()
    pointer = x.data_ptr()
    assert x.share_memory_().data_ptr() == pointer
    x[0, 0] = 1
    assert (x * 2).to(pt.complex64)[0, 0] == 2 * pt.ones(()).to(x.dtype).to(pt.complex64)


def test_empty_0_dim_and_strided_tensors(device):
    x = pt.zeros(0, 3).share_memory_()
    assert x.shape == (0, 3) and x.is_shared()
    assert pt.tensor(2.0).share_memory_().item() == 2
    x = pt.arange(10.0)[::3].share_memory_()
    assert x.tolist() == [0, 3, 6, 9] and x.is_shared()


def test_a_model_trains_in_shared_memory(device):
    pt.manual_seed(0)
    model = pt.nn.Sequential(pt.nn.Linear(3, 4), pt.nn.BatchNorm1d(4), pt.nn.Linear(4, 1))
    model(pt.randn(5, 3)).sum().backward()
    model.share_memory()
    assert all(t.is_shared() for t in model.state_dict().values())
    assert all(p.is_shared() and p.grad.is_shared() and p.is_leaf and p.requires_grad for p in model.parameters())
    before = [p.data_ptr() for p in model.parameters()]
    optimizer = pt.optim.Adagrad(model.parameters(), lr=0.1)
    optimizer.share_memory()
    assert all(s["sum"].is_shared() for s in optimizer.state.values())
    x, y = pt.randn(32, 3), pt.randn(32, 1)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = pt.nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0] and before == [p.data_ptr() for p in model.parameters()]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts descriptors in /proc")
def test_descriptors_are_given_back():
    def used():
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    start = used()
    kept = [pt.zeros(3).share_memory_() for _ in range(5)]
    assert used() > start
    view = kept[0][1:]
    del kept
    view += 1  # its memory is there as long as it is
    assert view.tolist() == [1, 1]
    del view
    assert used() == start


def test_plain_tensors_are_sent_as_copies():
    a, b = mp.Pipe()
    x = pt.ones(2)
    a.send(x)
    y = b.recv()
    y += 1
    assert x.tolist() == [1, 1] and np.array_equal(y.numpy(), [2, 2]) and not x.is_shared()


def test_results_with_a_history_are_not_sent():
    from multiprocessing.reduction import ForkingPickler

    x = pt.ones(2, requires_grad=True)
    ForkingPickler.dumps(x)
    with pytest.raises(RuntimeError, match="Cowardly refusing to serialize non-leaf tensor"):
        ForkingPickler.dumps(x * 2)
